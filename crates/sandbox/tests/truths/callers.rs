//! Signatures, sessions, roles.

use regcred_sandbox::{Options, Role, Statement, Trust};
use serde_json::json;

use crate::world::{ACCOUNT, Signer, World, bucket, refused, some_secret};

/// moto takes any access key and any signature.
#[test]
fn a_wrong_signature_is_refused_by_every_service() {
    let world = World::with_bucket("signatures");
    let wrong = world.admin.as_key(ACCOUNT, "wrong", None);
    let reply = wrong.secrets_manager("ListSecrets", json!({}));
    assert_eq!(reply.refusal(), refused("InvalidSignatureException"));
    assert_eq!(wrong.get("/acme/k").refusal(), (403, "SignatureDoesNotMatch".into()));
    assert_eq!(wrong.sts("GetCallerIdentity", &[]).refusal(), (403, "SignatureDoesNotMatch".into()));
    let unknown = world.admin.as_key("AKIAUNKNOWN", "test", None);
    let reply = unknown.secrets_manager("ListSecrets", json!({}));
    assert_eq!(reply.refusal(), refused("UnrecognizedClientException"));
    assert_eq!(unknown.get("/acme/k").refusal(), (403, "InvalidAccessKeyId".into()));
}

#[test]
fn without_a_signature_nothing_is_answered() {
    let world = World::with_bucket("unsigned");
    let reply = world.admin.send_unsigned("GET", "/acme/k", [], b"").unwrap();
    assert_eq!(reply.refusal(), (403, "AccessDenied".into()));
    let headers = [("x-amz-target", "secretsmanager.ListSecrets")];
    let reply = world.admin.send_unsigned("POST", "/", headers, b"{}").unwrap();
    assert_eq!(reply.refusal(), refused("MissingAuthenticationToken"));
}

/// moto answers expired and tampered presigned URLs with the object.
#[test]
fn a_presigned_url_that_nobody_checked_gives_nothing() {
    let world = World::with_bucket("presigned");
    world.admin.put("/acme/k", &[], "body");
    let url = "/acme/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00";
    let reply = world.admin.send_unsigned("GET", url, [], b"").unwrap();
    assert!(reply.status >= 400, "{}", reply.status);
}

/// A signature is one of the path as it was sent, whatever is in it.
#[test]
fn odd_keys_are_signed_and_found() {
    let world = World::with_bucket("odd-keys");
    for path in ["/acme/a%20b%2Bc%26d", "/acme/%C3%BC", "/acme/a//b/../c", "/acme/~._-"] {
        assert_eq!(world.admin.put(path, &[], path).status, 200, "{path}");
        assert_eq!(world.admin.get(path).text, path);
    }
}

fn role(name: &str, external_id: Option<&str>) -> Role {
    Role {
        account: "222222222222".into(),
        name: name.into(),
        trust: Trust { accounts: vec![ACCOUNT.into()], external_id: external_id.map(str::to_owned) },
        statements: vec![
            Statement::allow(&["secretsmanager:*"], &["*"]),
            Statement::deny(&["secretsmanager:*"], &["arn:aws:secretsmanager:*:*:secret:private/*"]),
        ],
    }
}

fn assumed(world: &World, members: &[(&str, &str)]) -> Signer {
    let reply = world.admin.sts("AssumeRole", members);
    assert_eq!(reply.status, 200, "{}", reply.text);
    let (key, secret) = (reply.element("AccessKeyId"), reply.element("SecretAccessKey"));
    world.admin.as_key(&key, &secret, Some(reply.element("SessionToken")))
}

/// moto lets anyone assume any role of any account.
#[test]
fn a_role_is_assumed_only_by_whom_it_trusts() {
    let roles = vec![role("plain", None), role("guarded", Some("x1"))];
    let world = World::start("assume-role", Options { roles, ..Options::default() });
    let plain = ("RoleArn", "arn:aws:iam::222222222222:role/plain");
    let guarded = ("RoleArn", "arn:aws:iam::222222222222:role/guarded");
    let session = ("RoleSessionName", "s1");
    let denied = (403, "AccessDenied".to_owned());
    let assume = |signer: &Signer, members: &[(&str, &str)]| signer.sts("AssumeRole", members).refusal();
    let absent = ("RoleArn", "arn:aws:iam::222222222222:role/absent");
    assert_eq!(assume(&world.admin, &[absent, session]), denied);
    assert_eq!(assume(&world.admin, &[guarded, session]), denied);
    assert_eq!(assume(&world.admin, &[guarded, session, ("ExternalId", "x2")]), denied);
    let stranger = world.admin.as_key("333333333333", "test", None);
    assert_eq!(assume(&stranger, &[plain, session]), denied);
    assumed(&world, &[plain, session]);
    assumed(&world, &[guarded, session, ("ExternalId", "x1")]);
}

#[test]
fn a_session_is_its_roles_and_does_what_the_role_may() {
    let world = World::start("session", Options { roles: vec![role("r", None)], ..Options::default() });
    let arn = ("RoleArn", "arn:aws:iam::222222222222:role/r");
    let session = assumed(&world, &[arn, ("RoleSessionName", "s1")]);
    let identity = session.sts("GetCallerIdentity", &[]);
    assert_eq!(identity.element("Arn"), "arn:aws:sts::222222222222:assumed-role/r/s1");
    assert_eq!(identity.element("Account"), "222222222222");
    session.secrets_manager("CreateSecret", some_secret("public/a")).ok();
    let reply = session.secrets_manager("CreateSecret", some_secret("private/a"));
    assert_eq!(reply.refusal(), refused("AccessDeniedException"));
    let reply = session.ssm("ListCommands", json!({}));
    assert_eq!(reply.refusal(), refused("AccessDeniedException"));
}

/// One secret that may not be read is one entry of `Errors`, and not the whole call's failure.
#[test]
fn a_batch_says_of_each_secret_why_it_was_not_read() {
    let world = World::start("batch-denied", Options { roles: vec![role("r", None)], ..Options::default() });
    let other = world.admin.as_key("222222222222", "test", None);
    other.secrets_manager("CreateSecret", some_secret("public/a")).ok();
    other.secrets_manager("CreateSecret", some_secret("private/a")).ok();
    let arn = ("RoleArn", "arn:aws:iam::222222222222:role/r");
    let session = assumed(&world, &[arn, ("RoleSessionName", "s1")]);
    let ids = json!({"SecretIdList": ["public/a", "private/a", "absent"]});
    let answer = session.secrets_manager("BatchGetSecretValue", ids).ok();
    assert_eq!(answer["SecretValues"].as_array().unwrap().len(), 1);
    assert_eq!(answer["Errors"][0]["ErrorCode"], "AccessDeniedException");
    assert_eq!(answer["Errors"][1]["ErrorCode"], "ResourceNotFoundException");
}

#[test]
fn who_may_not_list_a_bucket_is_not_told_that_an_object_is_missing() {
    let reader = Role {
        account: ACCOUNT.into(),
        name: "reader".into(),
        trust: Trust::default(),
        statements: vec![Statement::allow(&["s3:GetObject"], &["arn:aws:s3:::acme/*"])],
    };
    let options = Options { roles: vec![reader], buckets: vec![bucket("acme")], ..Options::default() };
    let world = World::start("no-list", options);
    let arn = ("RoleArn", "arn:aws:iam::111111111111:role/reader");
    let session = assumed(&world, &[arn, ("RoleSessionName", "s1")]);
    assert_eq!(session.get("/acme/absent").refusal(), (403, "AccessDenied".into()));
    assert_eq!(world.admin.get("/acme/absent").refusal(), (404, "NoSuchKey".into()));
}
