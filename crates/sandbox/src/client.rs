//! A thin client of the control surface.
//!
//! Blocking, over a socket of its own for each request: the sandbox is on loopback, and a test may be async or not.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::control::{Advance, HeldCall, HostView, PullView, StatusChange, Time};
use crate::faults::Fault;
use crate::hosts::{Behaviour, HostSpec};
use crate::leeway::Leeway;
use crate::registries::{Account, RegistryView};
use crate::services::ecs::Status;

/// Drives a sandbox that may run in another process.
#[derive(Clone, Debug)]
pub struct Client {
    /// Host and port.
    authority: String,
}

/// Why a request to the control surface was not done.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the sandbox at {authority} did not answer")]
    NoAnswer { authority: String, source: io::Error },
    #[error("the sandbox refused {request} with status {status}: {text}")]
    Refused { request: String, status: u16, text: String },
    #[error("the sandbox's answer to {request} was not understood")]
    NotUnderstood { request: String, source: serde_json::Error },
}

/// How long an answer may take: all are made from memory, so that only a machine under load comes near it.
const PATIENCE: Duration = Duration::from_secs(30);

impl Client {
    /// `endpoint` as [`crate::Sandbox::endpoint`] gives it.
    pub fn new(endpoint: &str) -> Self {
        Self { authority: endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned() }
    }

    pub fn hosts(&self) -> Result<Vec<HostView>, ClientError> {
        self.get("hosts")
    }

    pub fn host(&self, id: &str) -> Result<HostView, ClientError> {
        self.get(&format!("hosts/{id}"))
    }

    pub fn add_host(&self, spec: &HostSpec) -> Result<HostView, ClientError> {
        self.send("POST", "hosts", spec)
    }

    /// The sandbox's time.
    pub fn now(&self) -> Result<DateTime<Utc>, ClientError> {
        self.get("time").map(|Time { now }| now)
    }

    /// Terminates a host.
    pub fn remove_host(&self, id: &str) -> Result<(), ClientError> {
        self.exchange("DELETE", &format!("hosts/{id}"), b"").map(drop)
    }

    pub fn set_behaviour(&self, id: &str, behaviour: Behaviour) -> Result<(), ClientError> {
        self.put("POST", &format!("hosts/{id}/behaviour"), &behaviour)
    }

    pub fn set_status(&self, id: &str, status: Status) -> Result<(), ClientError> {
        self.put("POST", &format!("hosts/{id}/status"), &StatusChange { status })
    }

    pub fn stop_agent(&self, id: &str) -> Result<(), ClientError> {
        self.exchange("POST", &format!("hosts/{id}/stop"), b"").map(drop)
    }

    pub fn start_agent(&self, id: &str) -> Result<(), ClientError> {
        self.exchange("POST", &format!("hosts/{id}/start"), b"").map(drop)
    }

    /// The host's `/etc/ecs/ecs.config`.
    pub fn config(&self, id: &str) -> Result<String, ClientError> {
        self.exchange("GET", &format!("hosts/{id}/config"), b"")
    }

    pub fn write_config(&self, id: &str, text: &str) -> Result<(), ClientError> {
        self.exchange("PUT", &format!("hosts/{id}/config"), text.as_bytes()).map(drop)
    }

    pub fn pull(&self, id: &str, image: &str) -> Result<PullView, ClientError> {
        let image: String = form_urlencoded::byte_serialize(image.as_bytes()).collect();
        self.get(&format!("hosts/{id}/pull?image={image}"))
    }

    pub fn set_faults(&self, faults: &[Fault]) -> Result<(), ClientError> {
        self.put("PUT", "faults", &faults)
    }

    pub fn held(&self) -> Result<Vec<HeldCall>, ClientError> {
        self.get("held")
    }

    /// The log of calls, a line of JSON each.
    pub fn calls(&self) -> Result<String, ClientError> {
        self.exchange("GET", "calls", b"")
    }

    pub fn clear_calls(&self) -> Result<(), ClientError> {
        self.exchange("DELETE", "calls", b"").map(drop)
    }

    pub fn advance(&self, by: Duration) -> Result<Time, ClientError> {
        self.send("POST", "time", &Advance { seconds: by.as_secs() })
    }

    pub fn set_leeway(&self, leeway: Leeway) -> Result<(), ClientError> {
        self.put("PUT", "leeway", &leeway)
    }

    pub fn registries(&self) -> Result<Vec<RegistryView>, ClientError> {
        self.get("registries")
    }

    /// Replaces the accounts of a registry.
    pub fn set_accounts(&self, registry: &str, accounts: &[Account]) -> Result<(), ClientError> {
        self.put("PUT", &format!("registries/{registry}/accounts"), &accounts)
    }

    pub fn clear_logins(&self, registry: &str) -> Result<(), ClientError> {
        self.exchange("DELETE", &format!("registries/{registry}/logins"), b"").map(drop)
    }

    fn get<T: DeserializeOwned>(&self, tail: &str) -> Result<T, ClientError> {
        let answer = self.exchange("GET", tail, b"")?;
        understood(&answer, || format!("GET {tail}"))
    }

    /// Sends a body, and reads the answer.
    pub fn send<T: DeserializeOwned>(
        &self,
        method: &str,
        tail: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let request = || format!("{method} {tail}");
        let body = serde_json::to_vec(body)
            .map_err(|source| ClientError::NotUnderstood { request: request(), source })?;
        understood(&self.exchange(method, tail, &body)?, request)
    }

    /// Sends a body; the answer says nothing.
    pub fn put(&self, method: &str, tail: &str, body: &impl Serialize) -> Result<(), ClientError> {
        self.send::<serde_json::Value>(method, tail, body).map(drop)
    }

    /// One request below `/_sandbox/`, and the text of its answer.
    pub fn exchange(&self, method: &str, tail: &str, body: &[u8]) -> Result<String, ClientError> {
        let answer = self
            .speak(method, tail, body)
            .map_err(|source| ClientError::NoAnswer { authority: self.authority.clone(), source })?;
        if answer.status == 200 {
            Ok(answer.text)
        } else {
            let Answer { status, text } = answer;
            Err(ClientError::Refused { request: format!("{method} {tail}"), status, text })
        }
    }

    fn speak(&self, method: &str, tail: &str, body: &[u8]) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(&self.authority)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut request = format!(
            "{method} /_sandbox/{tail} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            self.authority,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        stream.write_all(&request)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Answer::parse(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer"))
    }
}

struct Answer {
    status: u16,
    text: String,
}

impl Answer {
    /// The server gives a length and closes the connection, so that the rest is the body.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, text: body.to_owned() })
    }
}

fn understood<T: DeserializeOwned>(
    answer: &str,
    request: impl Fn() -> String + Copy,
) -> Result<T, ClientError> {
    serde_json::from_str(answer).map_err(|source| ClientError::NotUnderstood { request: request(), source })
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}
