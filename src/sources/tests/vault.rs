//! What is Vault's own: ways to log in, versions, refusals. Against a real OpenBao; what that has not, against a server that
//! answers what Vault would.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread::JoinHandle;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regcred_sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use super::super::vault::{Refusal, Step, VaultFlaw, VaultSecret};
use super::super::*;
use super::bao::{self, Bao};
use super::{SECRET, flaw};
use crate::config::{KeptSecret, Keys, Vault};

/// A source of `path` that logs in with `token`.
pub(super) fn settings(address: &str, path: &str, folder: &TempDir, token: &str) -> Vault {
    Vault {
        address: Url::parse(address).unwrap(),
        ca_file: None,
        namespace: None,
        mount: "secret".into(),
        path: path.into(),
        keys: Keys::usual(),
        login: VaultLogin::Token(kept(folder, token)),
    }
}

fn kept(folder: &TempDir, text: &str) -> KeptSecret {
    let path = folder.path().join("kept");
    std::fs::write(&path, text).unwrap();
    KeptSecret::File(path)
}

async fn read(settings: Vault) -> Result<Reading, SourceError> {
    VaultSecret { settings, identity: None }.read().await
}

fn pair() -> Value {
    json!({ "username": "robot", "password": SECRET })
}

fn refused(step: Step, refusal: Refusal) -> Flaw {
    Flaw::Vault(VaultFlaw::Refused { step, refusal })
}

#[tokio::test]
async fn a_deleted_version_is_told_from_one_that_is_destroyed_and_from_none_at_all() {
    let Some(bao) = bao::shared() else { return };
    let folder = TempDir::new().unwrap();
    let token = bao.reader();
    let path = bao.write(&pair());
    let read = || read(settings(&bao.address(), &path, &folder, &token));
    assert_eq!(read().await.unwrap().credential.secret().expose(), SECRET);
    bao.root("DELETE", &format!("secret/data/{path}"), &json!({}));
    let error = read().await.unwrap_err();
    assert!(error.to_string().contains(&format!("bao kv undelete -versions=1 secret/{path}")), "{error}");
    assert_eq!(flaw(Err(error)), Flaw::Vault(VaultFlaw::Deleted { version: 1 }));
    bao.root("PUT", &format!("secret/destroy/{path}"), &json!({ "versions": [1] }));
    assert_eq!(flaw(read().await), Flaw::Vault(VaultFlaw::Destroyed { version: 1 }));
    let nowhere = settings(&bao.address(), "none", &folder, &token);
    assert_eq!(flaw(super::vault::read(nowhere).await), Flaw::Vault(VaultFlaw::Absent));
}

#[tokio::test]
async fn a_token_that_is_bad_or_may_not_read_is_told_with_the_policy_that_it_needs() {
    let Some(bao) = bao::shared() else { return };
    let folder = TempDir::new().unwrap();
    let path = bao.write(&pair());
    let made = bao.root("POST", "auth/token/create", &json!({ "policies": ["default"], "no_parent": true }));
    let powerless = made["auth"]["client_token"].as_str().unwrap();
    for token in ["bad", powerless] {
        let error = read(settings(&bao.address(), &path, &folder, token)).await.unwrap_err();
        let policy = format!("path \"secret/data/{path}\" {{ capabilities = [\"read\"] }}");
        assert!(error.to_string().contains(&policy), "{error}");
        assert_eq!(flaw(Err(error)), refused(Step::Read, Refusal::Denied));
    }
    for nothing in ["", "\n", "two\nlines"] {
        let error = read(settings(&bao.address(), &path, &folder, nothing)).await.unwrap_err();
        assert_eq!(error.place, Place::File(folder.path().join("kept")));
        assert_eq!(flaw(Err(error)), Flaw::Vault(VaultFlaw::NoToken), "{nothing:?}");
    }
    // An editor's line break is no part of a token.
    let token = format!("{}\n", bao.reader());
    assert!(read(settings(&bao.address(), &path, &folder, &token)).await.is_ok());
}

#[tokio::test]
async fn app_role_logs_in_with_its_secret_id() {
    let Some(bao) = bao::shared() else { return };
    let folder = TempDir::new().unwrap();
    bao.reader();
    bao.root("POST", "auth/approle/role/regcred", &json!({ "token_policies": ["reader"] }));
    let role = bao.root("GET", "auth/approle/role/regcred/role-id", &json!({}));
    let role_id = role["data"]["role_id"].as_str().unwrap();
    let made = bao.root("POST", "auth/approle/role/regcred/secret-id", &json!({}));
    let secret_id = made["data"]["secret_id"].as_str().unwrap();
    let path = bao.write(&pair());
    let with = |mount: &str, secret_id: &str| {
        let base = settings(&bao.address(), &path, &folder, "");
        let secret_id = kept(&folder, secret_id);
        let login = VaultLogin::AppRole { mount: mount.into(), role_id: role_id.into(), secret_id };
        Vault { login, ..base }
    };
    let reading = read(with("approle", secret_id)).await.unwrap();
    assert_eq!(reading.credential.secret().expose(), SECRET);
    assert_eq!(flaw(read(with("approle", SECRET)).await), refused(Step::Login, Refusal::Invalid));
    assert_eq!(flaw(read(with("elsewhere", secret_id)).await), refused(Step::Login, Refusal::Denied));
}

#[tokio::test]
async fn what_is_no_store_no_text_and_no_pair_is_told_apart() {
    let Some(bao) = bao::shared() else { return };
    let folder = TempDir::new().unwrap();
    let token = bao.reader();
    let policy = r#"path "*" { capabilities = ["read"] }"#;
    bao.root("PUT", "sys/policies/acl/all", &json!({ "policy": policy }));
    let made = bao.root("POST", "auth/token/create", &json!({ "policies": ["all"] }));
    let all = made["auth"]["client_token"].as_str().unwrap();
    let old = bao::unused_path().replace('/', "-");
    bao.root("POST", &format!("sys/mounts/{old}"), &json!({ "type": "kv", "options": { "version": "1" } }));
    bao.root("POST", &format!("{old}/data/x"), &pair());
    let at = |mount: &str| Vault { mount: mount.into(), ..settings(&bao.address(), "x", &folder, all) };
    assert_eq!(flaw(read(at("nowhere")).await), Flaw::Vault(VaultFlaw::NoMount));
    let of_old = flaw(read(at(&old)).await);
    assert!(matches!(of_old, Flaw::Vault(VaultFlaw::NotKv2 | VaultFlaw::Leased)), "{of_old:?}");
    for (data, expected) in [
        (json!({ "password": SECRET }), Flaw::Lacks { key: "username".into() }),
        (
            json!({ "username": "robot", "password": [SECRET] }),
            Flaw::Vault(VaultFlaw::NotText { key: "password".into() }),
        ),
        (
            json!({ "username": "robot", "password": SECRET, "expires_at": "2020-01-01T00:00:00" }),
            Flaw::NoTime,
        ),
    ] {
        let path = bao.write(&data);
        assert_eq!(flaw(read(settings(&bao.address(), &path, &folder, &token)).await), expected);
    }
}

#[tokio::test]
async fn a_namespace_is_named_to_the_server() {
    let Some(bao) = bao::shared() else { return };
    let folder = TempDir::new().unwrap();
    bao.root("POST", "sys/namespaces/team", &json!({}));
    let kv = json!({ "type": "kv", "options": { "version": "2" } });
    bao.root("POST", "team/sys/mounts/kv", &kv);
    bao.root("POST", "team/kv/data/harbor", &json!({ "data": pair() }));
    let policy = r#"path "team/kv/data/harbor" { capabilities = ["read"] }"#;
    bao.root("PUT", "sys/policies/acl/team", &json!({ "policy": policy }));
    let made = bao.root("POST", "auth/token/create", &json!({ "policies": ["team"] }));
    let token = made["auth"]["client_token"].as_str().unwrap();
    let inside = Vault {
        namespace: Some("team".into()),
        mount: "kv".into(),
        ..settings(&bao.address(), "harbor", &folder, token)
    };
    assert_eq!(read(inside).await.unwrap().credential.secret().expose(), SECRET);
}

#[tokio::test]
async fn a_sealed_server_says_so() {
    let Some(bao) = Bao::fresh() else { return };
    let folder = TempDir::new().unwrap();
    let token = bao.reader();
    let path = bao.write(&pair());
    bao.root("PUT", "sys/seal", &json!({}));
    let sealed = read(settings(&bao.address(), &path, &folder, &token)).await;
    assert_eq!(flaw(sealed), refused(Step::Read, Refusal::Sealed));
}

/// A server that gives these answers, one a connection, and tells each request that it read.
fn answering(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let told = std::thread::spawn(move || {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = String::new();
            let mut bytes = [0; 4096];
            loop {
                let read = stream.read(&mut bytes).unwrap();
                request.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
                let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
                let length = head.to_ascii_lowercase();
                let length = length.split_once("content-length: ").map_or("0", |(_, rest)| rest);
                let length: usize = length.lines().next().unwrap().parse().unwrap();
                if body.len() >= length {
                    break;
                }
            }
            requests.push(request);
            stream.write_all(answer.as_bytes()).unwrap();
        }
        requests
    });
    (address, told)
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn an_answer_that_is_none_is_told_by_its_status() {
    let folder = TempDir::new().unwrap();
    let echoed = json!({ "errors": [SECRET] }).to_string();
    for (status, refusal) in [
        ("400 Bad Request", Refusal::Invalid),
        ("412 Precondition Failed", Refusal::NotYet),
        ("429 Too Many Requests", Refusal::Throttled),
        ("473 Standby", Refusal::Standby),
        ("307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/", Refusal::Redirected(307)),
        ("500 Internal Server Error", Refusal::Other(500)),
    ] {
        let (address, _told) = answering(vec![answer(status, &echoed)]);
        let reading = read(settings(&address, "x", &folder, "token")).await;
        assert_eq!(flaw(reading), refused(Step::Read, refusal), "{status}");
    }
    let page = format!("<html>{SECRET}");
    let leased = json!({ "lease_id": "registry/creds/1", "data": pair() }).to_string();
    let leased_kv = json!({ "lease_id": "x", "data": { "data": pair(), "metadata": { "version": 1 } } });
    for (body, expected) in [
        (page.as_str(), VaultFlaw::NotVault),
        (r#"{"data":{"keys":[]}}"#, VaultFlaw::NotKv2),
        (&leased, VaultFlaw::Leased),
        (&leased_kv.to_string(), VaultFlaw::Leased),
    ] {
        let (address, _told) = answering(vec![answer("200 OK", body)]);
        let reading = read(settings(&address, "x", &folder, "token")).await;
        assert_eq!(flaw(reading), Flaw::Vault(expected), "{body}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_or_is_not_believed_is_told() {
    let folder = TempDir::new().unwrap();
    let nobody = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let unreached = flaw(read(settings(&nobody, "x", &folder, "token")).await);
    assert!(matches!(unreached, Flaw::Vault(VaultFlaw::Unreached { .. })), "{unreached:?}");
    let ca_file = folder.path().join("kept");
    let unbelieved = Vault { ca_file: Some(ca_file), ..settings(&nobody, "x", &folder, SECRET) };
    let told = flaw(read(unbelieved).await);
    assert!(matches!(told, Flaw::Vault(VaultFlaw::Certificates { .. })), "{told:?}");
    let absent = PathBuf::from("/nowhere/ca.pem");
    let unbelieved = Vault { ca_file: Some(absent), ..settings(&nobody, "x", &folder, SECRET) };
    assert!(matches!(flaw(read(unbelieved).await), Flaw::Vault(VaultFlaw::Certificates { .. })));
}

/// OpenBao's server has no `aws` method. What Vault does with the request is send it to AWS and believe the answer; so does
/// this test, with a sandbox that checks the signature.
#[tokio::test]
async fn a_login_by_aws_identity_shows_a_request_that_aws_answers_with_who_signed_it() {
    let folder = TempDir::new().unwrap();
    let sandbox = Sandbox::start(Options::default()).unwrap();
    let locations = Locations::at_endpoint("here", "eu-west-1", &sandbox.endpoint());
    let login = json!({ "auth": { "client_token": "given", "lease_duration": 60 } }).to_string();
    let secret = json!({ "lease_id": "", "data": { "data": pair(), "metadata": { "version": 3 } } });
    let answers = vec![answer("200 OK", &login), answer("200 OK", &secret.to_string())];
    let (address, told) = answering(answers);
    let settings = Vault {
        login: VaultLogin::AwsIam {
            mount: "aws".into(),
            role: "regcred".into(),
            server_id: Some("vault.example.com".into()),
            location: "here".into(),
            sts_endpoint: Some(Url::parse(&sandbox.endpoint()).unwrap()),
        },
        ..settings(&address, "harbor", &folder, "")
    };
    let server = Server::parse("ghcr.io").unwrap();
    let source = open(&SourceReference::Vault(Box::new(settings)), &server, &locations);
    assert_eq!(source.read().await.unwrap().credential.secret().expose(), SECRET);

    let requests = told.join().unwrap();
    assert!(requests[0].starts_with("POST /v1/auth/aws/login HTTP/1.1\r\n"), "{}", requests[0]);
    let body: Value = serde_json::from_str(requests[0].split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!((&body["role"], &body["iam_http_request_method"]), (&json!("regcred"), &json!("POST")));
    let decoded =
        |name: &str| String::from_utf8(STANDARD.decode(body[name].as_str().unwrap()).unwrap()).unwrap();
    let headers: BTreeMap<String, Vec<String>> =
        serde_json::from_str(&decoded("iam_request_headers")).unwrap();
    assert_eq!(headers["x-vault-aws-iam-server-id"], ["vault.example.com"]);
    let signature = &headers["authorization"][0];
    assert!(signature.contains("x-vault-aws-iam-server-id"), "it is signed: {signature}");

    let url = Url::parse(&decoded("iam_request_url")).unwrap();
    assert_eq!(url.as_str(), Url::parse(&sandbox.endpoint()).unwrap().as_str());
    let form = decoded("iam_request_body");
    let mut sent =
        format!("POST / HTTP/1.0\r\nHost: {}\r\nContent-Length: {}\r\n", url.authority(), form.len());
    for (name, values) in &headers {
        sent += &[name, ": ", &values[0], "\r\n"].concat();
    }
    let mut stream = std::net::TcpStream::connect(url.authority()).unwrap();
    stream.write_all(format!("{sent}\r\n{form}").as_bytes()).unwrap();
    let mut identity = String::new();
    stream.read_to_string(&mut identity).unwrap();
    assert!(identity.contains("200 OK") && identity.contains("user/administrator"), "{identity}");
    assert!(requests[1].starts_with("GET /v1/secret/data/harbor HTTP/1.1\r\n"), "{}", requests[1]);
    let head = requests[1].to_ascii_lowercase();
    assert!(
        head.contains("x-vault-token: given\r\n") && head.contains("x-vault-request: true\r\n"),
        "{head}"
    );
}
