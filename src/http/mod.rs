//! The HTTP client for everything that is not AWS: registries, their token servers, and Vault.
//!
//! One request on one connection. `https://` with the system's certificates and those of an optional file; `http://` to
//! a loopback address alone. A name is resolved once, the caller judges the addresses, and the connection goes to one
//! that was judged, so that a name cannot point elsewhere in between. Time and size are limited.
//!
//! It follows no redirect and repeats nothing: whoever sends a credential decides both. It reads no `HTTPS_PROXY`: a
//! proxy would resolve the name again, unjudged. It must not print what is sent or answered, bodies and sensitive
//! headers least of all.

mod connect;
mod error;
#[cfg(test)]
mod tests;
mod trust;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use regcred_core::secret::Secret;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use url::Url;
use zeroize::Zeroizing;

pub(crate) use self::error::{HttpError, NotJson, OddHeader};
pub(crate) use self::trust::{CaFileError, Trust};

/// How long and how large. Each request has these for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// For one address to take the connection, and its TLS handshake.
    pub(crate) connect: Duration,
    /// For all of it, the answer's body included.
    pub(crate) total: Duration,
    /// Of the answer's body, in bytes.
    pub(crate) body: usize,
}

impl Limits {
    /// A token with its claims is some kilobytes; whoever sends more than 64 KiB is no token server (the limit is
    /// go-containerregistry's, `pkg/v1/remote/transport`).
    pub(crate) const BODY: usize = 64 * 1024;
    /// A server on another continent answers a SYN in a third of a second; three losses in a row are an outage.
    pub(crate) const CONNECT: Duration = Duration::from_secs(5);

    /// The usual limits, with so much time for a whole request.
    pub(crate) fn within(total: Duration) -> Self {
        Self { connect: Self::CONNECT.min(total), total, body: Self::BODY }
    }
}

/// Whether an address may be connected to. Asked for each address that a name resolved to, before the connection.
pub(crate) type Admits<'a> = &'a (dyn Fn(SocketAddr) -> bool + Sync);

/// Every address: for a server that the operator named.
pub(crate) fn anywhere(_: SocketAddr) -> bool {
    true
}

/// A client: whom it trusts, and its limits.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    trust: Trust,
    limits: Limits,
}

impl Client {
    pub(crate) fn new(trust: Trust, limits: Limits) -> Self {
        Self { trust, limits }
    }

    /// Sends the request, and waits for the answer's head. The rest is read by [`Answer::body`], if at all.
    pub(crate) async fn send(&self, request: Request, admits: Admits<'_>) -> Result<Answer, HttpError> {
        let Limits { connect, total, body } = self.limits;
        let deadline = Instant::now() + total;
        let timed_out = |_| HttpError::TimedOut(total);
        let sending = async {
            let Request { method, url, headers, body } = request;
            let stream = connect::open(&url, &self.trust, connect, admits).await?;
            let request = encode(method, &url, headers, body)?;
            let (mut sender, connection) =
                http1::handshake(TokioIo::new(stream)).await.map_err(HttpError::of_connection)?;
            let connection = Connection(tokio::spawn(async move {
                // What ends a connection early shows where its answer is read.
                let _ = connection.await;
            }));
            let answer = sender.send_request(request).await.map_err(HttpError::of_connection)?;
            Ok((answer, connection))
        };
        let (answer, connection) = timeout_at(deadline, sending).await.map_err(timed_out)??;
        let (head, incoming) = answer.into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            incoming,
            deadline,
            limits: Limits { connect, total, body },
            _connection: connection,
        })
    }
}

fn encode(
    method: Method,
    url: &Url,
    mut headers: HeaderMap,
    body: Option<Secret>,
) -> Result<hyper::Request<Full<Bytes>>, HttpError> {
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let host = HeaderValue::from_str(authority).map_err(|_| HttpError::NoHost)?;
    headers.insert(HOST, host);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"))),
    );
    let body = body.map_or_else(Bytes::new, |body| Bytes::copy_from_slice(body.expose().as_bytes()));
    let mut request = hyper::Request::new(Full::new(body));
    *request.method_mut() = method;
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    *request.uri_mut() = target.parse().map_err(|_| HttpError::NoHost)?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// What to send. May hold secrets, and shows none.
pub(crate) struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Secret>,
}

impl Request {
    pub(crate) fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    pub(crate) fn head(url: Url) -> Self {
        Self::new(Method::HEAD, url)
    }

    /// A POST of `body`, which may hold a secret.
    pub(crate) fn post(url: Url, content_type: &'static str, body: Secret) -> Self {
        let mut request = Self::new(Method::POST, url);
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        request.body = Some(body);
        request
    }

    fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: None }
    }

    /// Adds a header that everybody may see.
    pub(crate) fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.append(name, HeaderValue::from_static(value));
        self
    }

    /// Sets a header that nobody may see: a token, a password. Refuses what no header can carry, such as a line break.
    pub(crate) fn secret_header(mut self, name: HeaderName, value: &Secret) -> Result<Self, OddHeader> {
        let mut sent =
            HeaderValue::from_bytes(value.expose().as_bytes()).map_err(|_| OddHeader(name.clone()))?;
        sent.set_sensitive(true);
        self.headers.insert(name, sent);
        Ok(self)
    }
}

/// Without headers and body, and without the query of the URL: each may hold a secret.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, &self.url[..url::Position::AfterPath])
    }
}

/// The head of an answer, whose body can still be read.
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    incoming: Incoming,
    deadline: Instant,
    limits: Limits,
    _connection: Connection,
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// All of the body, within what is left of the time, and within the limit.
    pub(crate) async fn body(self) -> Result<Body, HttpError> {
        let Self { mut incoming, deadline, limits, status: _, headers: _, _connection } = self;
        let mut bytes = Zeroizing::new(Vec::new());
        let reading = async {
            while let Some(frame) = incoming.frame().await {
                let Ok(data) = frame.map_err(HttpError::of_connection)?.into_data() else { continue };
                if bytes.len() + data.len() > limits.body {
                    return Err(HttpError::TooLarge(limits.body));
                }
                bytes.extend_from_slice(&data);
            }
            Ok(())
        };
        timeout_at(deadline, reading).await.map_err(|_| HttpError::TimedOut(limits.total))??;
        Ok(Body(bytes))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({})", self.status)
    }
}

/// The body of an answer. May hold a secret, and shows nothing.
pub(crate) struct Body(Zeroizing<Vec<u8>>);

impl Body {
    /// The JSON in it. The error names a place, and nothing that stands there.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, NotJson> {
        serde_json::from_slice(&self.0)
            .map_err(|error| NotJson { line: error.line(), column: error.column() })
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body([redacted])")
    }
}

/// The task that moves the bytes; it ends with whoever waits for them.
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}
