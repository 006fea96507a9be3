//! Lambda's runtime API, as much as a function needs of it: the next invocation, its answer, its error
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).
//!
//! Three requests to a server on this machine. The crate `lambda_runtime` makes the same ones, with fourteen more crates, and ends
//! the process by a panic where a variable or a header is missing.
//!
//! Nothing here has a time limit: between two invocations Lambda freezes the process, inside of a request for the next one.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use thiserror::Error;
use tokio::net::TcpStream;

use super::error::LambdaError;

/// The version of the API, and what all of its paths begin with.
const ROOT: &str = "/2018-06-01/runtime";
const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
/// Names one attempt; where it comes, it has to be sent back.
const INVOCATION_ID: HeaderName = HeaderName::from_static("lambda-runtime-invocation-id");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");

/// The most that Lambda gives (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const LONGEST: Duration = Duration::from_mins(15);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RuntimeApi {
    /// `127.0.0.1:9001`.
    authority: String,
    /// What an emulator puts in front of the paths; empty in Lambda.
    prefix: String,
}

/// An event to handle.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) request_id: String,
    /// When Lambda ends the process, by Lambda's clock, which is this machine's.
    deadline: DateTime<Utc>,
    attempt: Option<HeaderValue>,
    pub(super) payload: Bytes,
}

/// Why the API did not do what it is there for.
#[derive(Debug, Error)]
pub(super) enum ApiError {
    #[error("no connection to {0}")]
    Connect(String, #[source] std::io::Error),
    #[error("{0} answers no HTTP")]
    Protocol(String, #[source] hyper::Error),
    #[error("{0} is no address of an API")]
    Address(String),
    #[error("an invocation came without a usable `{0}`")]
    Header(HeaderName),
    #[error("{path} was answered with {status}")]
    Refused { path: String, status: StatusCode },
}

impl ApiError {
    /// Whether only this answer was not taken, and the next invocation may be asked for. Lambda says of all others that the
    /// runtime should end promptly.
    pub(super) fn is_of_one_answer(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if status.is_client_error() && *status != StatusCode::FORBIDDEN)
    }
}

/// The body of an error, as the API has it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorRequest<'a> {
    error_type: &'a str,
    error_message: &'a str,
    stack_trace: [&'a str; 0],
}

impl Invocation {
    /// How long there is until Lambda ends the process. A time that is over already is none of Lambda's, which would have ended it:
    /// cargo-lambda's emulator tells ten minutes after the beginning of 1970.
    pub(super) fn time_left(&self) -> Duration {
        let left = (self.deadline - Utc::now()).to_std();
        left.ok().filter(|left| !left.is_zero()).unwrap_or(LONGEST)
    }
}

impl RuntimeApi {
    /// `HOST:PORT`, as Lambda writes it; an emulator may put a scheme before it and a path behind it.
    pub(super) fn at(address: &str) -> Self {
        let address = address.strip_prefix("http://").unwrap_or(address);
        let (authority, prefix) = address.split_once('/').unwrap_or((address, ""));
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        Self { authority: authority.to_owned(), prefix }
    }

    /// Waits for an event, for as long as it takes.
    pub(super) async fn next(&self) -> Result<Invocation, ApiError> {
        let path = format!("{ROOT}/invocation/next");
        let answer = self.send(Method::GET, &path, HeaderMap::new(), Vec::new()).await?;
        let header = |name: &HeaderName| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let request_id = header(&REQUEST_ID).ok_or(ApiError::Header(REQUEST_ID))?.to_owned();
        let deadline = header(&DEADLINE)
            .and_then(|text| text.parse().ok())
            .and_then(DateTime::from_timestamp_millis)
            .ok_or(ApiError::Header(DEADLINE))?;
        let attempt = answer.headers().get(&INVOCATION_ID).cloned();
        let body = answer.into_body().collect().await;
        let payload = body.map_err(|error| ApiError::Protocol(self.authority.clone(), error))?.to_bytes();
        Ok(Invocation { request_id, deadline, attempt, payload })
    }

    /// Answers an invocation with JSON.
    pub(super) async fn respond(&self, to: &Invocation, json: Vec<u8>) -> Result<(), ApiError> {
        self.tell(to, "response", HeaderMap::new(), json).await
    }

    /// Ends an invocation with an error.
    pub(super) async fn fail(&self, invocation: &Invocation, error: &LambdaError) -> Result<(), ApiError> {
        let error_type = error.of.to_string();
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(&error_type) {
            headers.insert(ERROR_TYPE, value);
        }
        let body = ErrorRequest { error_type: &error_type, error_message: &error.message, stack_trace: [] };
        let body = serde_json::to_vec(&body).expect("an error is plain data");
        self.tell(invocation, "error", headers, body).await
    }

    async fn tell(
        &self,
        invocation: &Invocation,
        what: &str,
        mut headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<(), ApiError> {
        if let Some(attempt) = &invocation.attempt {
            headers.insert(INVOCATION_ID, attempt.clone());
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let path = format!("{ROOT}/invocation/{}/{what}", invocation.request_id);
        self.send(Method::POST, &path, headers, body).await.map(drop)
    }

    /// One request on one connection: a connection that was kept would have to outlive being frozen.
    async fn send(
        &self,
        method: Method,
        path: &str,
        mut headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, ApiError> {
        let Self { authority, prefix } = self;
        let odd = |()| ApiError::Address(authority.clone());
        headers.insert(HOST, HeaderValue::from_str(authority).map_err(|_| odd(()))?);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = format!("{prefix}{path}").parse().map_err(|_| odd(()))?;
        *request.headers_mut() = headers;

        let stream = TcpStream::connect(authority.as_str()).await;
        let stream = stream.map_err(|error| ApiError::Connect(authority.clone(), error))?;
        let no_http = |error| ApiError::Protocol(authority.clone(), error);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(no_http)?;
        // It ends with the answer, since the server closes. What ends it early shows where the answer is read.
        tokio::spawn(async move { drop(connection.await) });
        let answer = sender.send_request(request).await.map_err(no_http)?;
        let status = answer.status();
        if status.is_success() {
            Ok(answer)
        } else {
            Err(ApiError::Refused { path: path.to_owned(), status })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_is_over_is_none() {
        let invocation = |deadline| Invocation {
            request_id: "1".to_owned(),
            deadline,
            attempt: None,
            payload: Bytes::new(),
        };
        assert_eq!(invocation(DateTime::UNIX_EPOCH).time_left(), LONGEST);
        let left = invocation(Utc::now() + Duration::from_mins(1)).time_left();
        assert!(left <= Duration::from_mins(1) && left > Duration::from_secs(50), "{left:?}");
    }

    #[test]
    fn an_address_is_read_as_lambda_and_as_emulators_write_it() {
        for (address, authority, prefix) in [
            ("127.0.0.1:9001", "127.0.0.1:9001", ""),
            ("http://127.0.0.1:9100/.rt", "127.0.0.1:9100", "/.rt"),
            ("http://127.0.0.1:9100/", "127.0.0.1:9100", ""),
        ] {
            let expected = RuntimeApi { authority: authority.into(), prefix: prefix.into() };
            assert_eq!(RuntimeApi::at(address), expected);
        }
    }
}
