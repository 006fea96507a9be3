//! As much of a cloud as a host asks for: one S3 object, credentials, and the stand-ins' routes, over HTTP on loopback.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, Weak};

use regcred_core::secret::Secret;
use regcred_sandbox::hosts::{Cloud, Fetch, FetchRefusal, Host, Object, RoleCredentials};

pub(crate) const BUCKET: &str = "acme.ecs";
pub(crate) const KEY: &str = "prod/env=1+(a)/ecs.config";
/// As curl has to send it.
const ENCODED_KEY: &str = "prod/env%3D1%2B%28a%29/ecs.config";

pub(crate) const ACCESS_KEY_ID: &str = "ASIASANDBOXSANDBOX01";
pub(crate) const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYSECRETKEY=";
pub(crate) const SESSION_TOKEN: &str = "IQoJb3JpZ2luSESSIONTOKEN//8B+abc==";

pub(crate) struct DoubleCloud {
    endpoint: String,
    object: Mutex<Result<(String, String), FetchRefusal>>,
    credentials: Mutex<RoleCredentials>,
    /// Weak, for a host keeps its cloud.
    hosts: Mutex<HashMap<String, Weak<Host>>>,
}

impl DoubleCloud {
    pub(crate) fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cloud = Arc::new(Self {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            object: Mutex::new(Err(FetchRefusal::NotFound)),
            credentials: Mutex::new(RoleCredentials {
                access_key_id: ACCESS_KEY_ID.into(),
                secret_access_key: SECRET_ACCESS_KEY.into(),
                token: SESSION_TOKEN.into(),
            }),
            hosts: Mutex::default(),
        });
        let serving = Arc::downgrade(&cloud);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Some(cloud) = serving.upgrade() else { return };
                std::thread::spawn(move || serve(&cloud, &stream.unwrap()));
            }
        });
        cloud
    }

    pub(crate) fn put(&self, version_id: &str, body: &str) {
        *self.object.lock().unwrap() = Ok((version_id.to_owned(), body.to_owned()));
    }

    pub(crate) fn refuse(&self, refusal: FetchRefusal) {
        *self.object.lock().unwrap() = Err(refusal);
    }

    /// Hands out other credentials than its own from now on.
    pub(crate) fn hand_out(&self, credentials: RoleCredentials) {
        *self.credentials.lock().unwrap() = credentials;
    }

    pub(crate) fn add(self: &Arc<Self>, spec: regcred_sandbox::hosts::HostSpec) -> Arc<Host> {
        let id = spec.id.clone();
        let host = Arc::new(Host::new(spec, Arc::clone(self) as Arc<dyn Cloud>).unwrap());
        self.hosts.lock().unwrap().insert(id, Arc::downgrade(&host));
        host
    }
}

impl Cloud for DoubleCloud {
    fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    fn mint_credentials(&self, account: &str, role: &str) -> RoleCredentials {
        assert_eq!((account, role), ("111111111111", "ecsInstanceRole"));
        self.credentials.lock().unwrap().clone()
    }

    fn get_object(&self, fetch: &Fetch<'_>) -> Result<Object, FetchRefusal> {
        assert_eq!((fetch.bucket, fetch.key, fetch.region), (BUCKET, KEY, "eu-west-1"));
        let (version_id, body) = self.object.lock().unwrap().clone()?;
        Ok(Object { version_id: Some(version_id), body: Secret::new(body) })
    }
}

/// One request, one answer.
fn serve(cloud: &DoubleCloud, stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let mut words = line.split_whitespace();
    let mut request = http::Request::builder().method(words.next().unwrap()).uri(words.next().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap();
        }
        request = request.header(name, value);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let (status, headers, body) = answer(cloud, &parts, &body);
    let mut writer = stream;
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
        body.len()
    );
    // A client that was killed does not read on.
    let _ = writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&body));
}

fn answer(cloud: &DoubleCloud, request: &http::request::Parts, body: &[u8]) -> (u16, String, Vec<u8>) {
    if let Some(tail) = request.uri.path().strip_prefix("/_sandbox/host/") {
        let (id, tail) = tail.split_once('/').unwrap();
        let host = cloud.hosts.lock().unwrap().get(id).and_then(Weak::upgrade).unwrap();
        let answer = host.handle(tail, request, body);
        return (answer.status().as_u16(), String::new(), answer.into_body());
    }
    let error = |status, code: &str| {
        (status, String::new(), format!("<Error><Code>{code}</Code></Error>").into_bytes())
    };
    assert_eq!(request.uri.path(), format!("/{BUCKET}/{ENCODED_KEY}"));
    if !is_signed(request) {
        return error(403, "SignatureDoesNotMatch");
    }
    match &*cloud.object.lock().unwrap() {
        Ok((version_id, body)) => {
            (200, format!("x-amz-version-id: {version_id}\r\n"), body.clone().into_bytes())
        }
        Err(FetchRefusal::Denied) => error(403, "AccessDenied"),
        Err(FetchRefusal::NotFound) => error(404, "NoSuchKey"),
        Err(FetchRefusal::Failed) => error(503, "SlowDown"),
    }
}

/// Not the signature itself, which the sandbox's S3 checks: that what S3 wants to see signed is signed.
fn is_signed(request: &http::request::Parts) -> bool {
    let header =
        |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let authorization = header("authorization");
    let scope = format!("AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/");
    let signed = authorization.split_once("SignedHeaders=").map_or("", |(_, rest)| rest);
    authorization.starts_with(&scope)
        && authorization.contains("/eu-west-1/s3/aws4_request")
        && ["host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"]
            .iter()
            .all(|name| signed.split(',').next().unwrap_or_default().split(';').any(|signed| signed == *name))
        && header("x-amz-security-token") == SESSION_TOKEN
        && !header("x-amz-content-sha256").is_empty()
}
