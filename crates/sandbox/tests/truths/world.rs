//! A sandbox, and signed requests to it.

use std::path::PathBuf;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use regcred_sandbox::client::Client;
use regcred_sandbox::{BucketSeed, Options, STATIC_SECRET_KEY, Sandbox};
use serde_json::{Value, json};

pub(crate) const ACCOUNT: &str = "111111111111";
pub(crate) const REGION: &str = "eu-west-1";

/// A sandbox and its administrator.
pub(crate) struct World {
    pub(crate) control: Client,
    pub(crate) admin: Signer,
    _sandbox: Sandbox,
}

impl World {
    /// Its calls are written down where `tests/run` holds them against AWS's models.
    pub(crate) fn start(test: &str, options: Options) -> Self {
        let folder = std::env::var_os("REGCRED_CALL_LOG_DIR").map(PathBuf::from);
        let call_log = folder.map(|folder| folder.join(format!("truths-{test}.jsonl")));
        let sandbox = Sandbox::start(Options { call_log, ..options }).unwrap();
        let endpoint = sandbox.endpoint();
        Self {
            control: Client::new(&endpoint),
            admin: Signer::new(&endpoint, ACCOUNT, STATIC_SECRET_KEY, None),
            _sandbox: sandbox,
        }
    }

    pub(crate) fn empty(test: &str) -> Self {
        Self::start(test, Options::default())
    }

    /// With one versioned bucket, `acme`.
    pub(crate) fn with_bucket(test: &str) -> Self {
        Self::start(test, Options { buckets: vec![bucket("acme")], ..Options::default() })
    }
}

pub(crate) fn bucket(name: &str) -> BucketSeed {
    BucketSeed { name: name.into(), account: ACCOUNT.into(), region: REGION.into(), versioned: true }
}

/// Signs requests as one caller.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) endpoint: String,
    pub(crate) region: &'static str,
    identity: Identity,
    agent: ureq::Agent,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The code of an error, in whichever form.
    pub(crate) fn code(&self) -> String {
        match serde_json::from_str::<Value>(&self.text) {
            Ok(body) => body["__type"].as_str().unwrap_or_default().to_owned(),
            Err(_) => self.element("Code"),
        }
    }

    /// The text of the first XML element of that name.
    pub(crate) fn element(&self, name: &str) -> String {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let after = self.text.split_once(&open).map(|(_, after)| after).unwrap_or_default();
        after.split_once(&close).map(|(inside, _)| inside.to_owned()).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Status and code, as a test compares them.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.code())
    }

    /// The JSON of an answer that has to be a success.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }
}

/// What a refused JSON call looks like.
pub(crate) fn refused(code: &str) -> (u16, String) {
    (400, code.to_owned())
}

impl Signer {
    pub(crate) fn new(endpoint: &str, key: &str, secret: &str, token: Option<String>) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build()
            .into();
        Self {
            endpoint: endpoint.to_owned(),
            region: REGION,
            identity: Credentials::new(key, secret, token, None, "test").into(),
            agent,
        }
    }

    /// The same endpoint, with other credentials.
    pub(crate) fn as_key(&self, key: &str, secret: &str, token: Option<String>) -> Self {
        Self::new(&self.endpoint, key, secret, token)
    }

    pub(crate) fn in_region(&self, region: &'static str) -> Self {
        Self { region, ..self.clone() }
    }

    pub(crate) fn secrets_manager(&self, operation: &str, body: Value) -> Reply {
        self.json("secretsmanager", &format!("secretsmanager.{operation}"), &body)
    }

    pub(crate) fn ssm(&self, operation: &str, body: Value) -> Reply {
        self.json("ssm", &format!("AmazonSSM.{operation}"), &body)
    }

    pub(crate) fn ecs(&self, operation: &str, body: Value) -> Reply {
        self.json("ecs", &format!("AmazonEC2ContainerServiceV20141113.{operation}"), &body)
    }

    pub(crate) fn kms(&self, operation: &str, body: Value) -> Reply {
        self.json("kms", &format!("TrentService.{operation}"), &body)
    }

    fn json(&self, service: &str, target: &str, body: &Value) -> Reply {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        self.send(service, "POST", "/", &headers, body.to_string().as_bytes()).unwrap()
    }

    pub(crate) fn sts(&self, action: &str, members: &[(&str, &str)]) -> Reply {
        let mut body = format!("Action={action}&Version=2011-06-15");
        for (name, value) in members {
            body += &["&", name, "=", &value.replace(':', "%3A").replace('/', "%2F")].concat();
        }
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send("sts", "POST", "/", &headers, body.as_bytes()).unwrap()
    }

    pub(crate) fn s3(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.send("s3", method, path, headers, body).unwrap()
    }

    pub(crate) fn put(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.s3("PUT", path, headers, body.as_bytes())
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.s3("GET", path, &[], b"")
    }

    /// Signs and sends. `Err` when the connection gave no answer.
    pub(crate) fn send(
        &self,
        service: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Reply, ureq::Error> {
        let signed = self.signatures(service, method, path, headers, body);
        self.send_unsigned(
            method,
            path,
            headers.iter().copied().chain(signed.iter().map(|(n, v)| (n.as_str(), v.as_str()))),
            body,
        )
    }

    pub(crate) fn send_unsigned<'a>(
        &self,
        method: &str,
        path: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: &[u8],
    ) -> Result<Reply, ureq::Error> {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.endpoint));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut response = self.agent.run(request.body(body).unwrap())?;
        let text = response.body_mut().read_to_string()?;
        Ok(Reply { status: response.status().as_u16(), headers: response.headers().clone(), text })
    }

    fn signatures(
        &self,
        service: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<(String, String)> {
        let mut settings = SigningSettings::default();
        if service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        let parameters = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(self.region)
            .name(service)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .unwrap();
        let body = match headers.iter().find(|(name, _)| *name == "x-amz-trailer") {
            Some(_) => SignableBody::StreamingUnsignedPayloadTrailer,
            None => SignableBody::Bytes(body),
        };
        let url = format!("{}{path}", self.endpoint);
        let request = SignableRequest::new(method, url, headers.iter().copied(), body).unwrap();
        let (instructions, _) = sign(request, &parameters.into()).unwrap().into_parts();
        instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// A host's id, as EC2 gives them out.
pub(crate) fn host_id(number: usize) -> String {
    format!("i-{number:017x}")
}

/// A secret that tells nothing.
pub(crate) fn some_secret(name: &str) -> Value {
    json!({"Name": name, "SecretString": "one"})
}
