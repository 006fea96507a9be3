//! The daemon's endpoints: `/livez`, `/readyz` and `/metrics`, for whoever watches it.
//!
//! HTTP/1 and one answer a connection. Nothing that is sent is read beyond the request's head, and head, time and number of
//! connections are limited: who connects and says nothing holds one place for seconds. There is no login and no TLS, so it
//! listens on loopback unless the configuration says otherwise, and it must not tell anything but what a stranger may know.

mod health;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use regcred_core::report::{Failure, FailureKind};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};

pub(crate) use self::health::Health;
use self::health::{Life, Readiness};
use crate::metrics::{self, Metrics};

/// Those who watch one daemon are a scraper, a service manager and a person.
const CONNECTIONS: usize = 32;
/// For a whole connection. A scrape of thousands of lines takes milliseconds.
const TOTAL: Duration = Duration::from_secs(10);
/// For the request's head alone.
const HEAD: Duration = Duration::from_secs(5);
/// The least that hyper takes (`max_buf_size`); a scraper's head is some hundred bytes.
const LARGEST_HEAD: usize = 8 * 1024;
/// What the kernel may be out of, file descriptors say, comes back in a moment; without the wait the loop would spin.
const AFTER_A_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// Endpoints that are bound and not yet served: connections wait.
#[derive(Debug)]
pub(crate) struct Endpoints {
    listener: TcpListener,
    address: SocketAddr,
}

impl Endpoints {
    /// Listens at `address`; port 0 is a free one.
    pub(crate) async fn bind(address: SocketAddr) -> Result<Self, Failure> {
        let bound = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        bound.await.map_err(|error: io::Error| cannot_listen(address, &error))
    }

    /// Where they are.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves them until the handle is dropped.
    pub(crate) fn serve(self, health: Health, metrics: Metrics) -> Serving {
        Serving(tokio::spawn(accept(self.listener, Told { health, metrics })))
    }
}

/// Three lines for a port that cannot be had.
fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "end what listens there, another regcred perhaps, or write another port at `daemon.listen` in the config"
        }
        io::ErrorKind::PermissionDenied => {
            "write a port from 1024 on at `daemon.listen` in the config, or let regcred bind this one"
        }
        _ => "write an address of this machine at `daemon.listen` in the config, or `none`",
    };
    let what = format!("cannot listen on {address} for /livez, /readyz and /metrics");
    Failure::new(FailureKind::Refused, what, error.to_string(), remedy)
}

/// The task that serves; it ends, with all connections, when this is dropped.
#[derive(Debug)]
pub(crate) struct Serving(JoinHandle<Infallible>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What there is to tell.
#[derive(Clone, Debug)]
struct Told {
    health: Health,
    metrics: Metrics,
}

async fn accept(listener: TcpListener, told: Told) -> Infallible {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes it");
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let told = told.clone();
                connections.spawn(async move {
                    // Who is not done in time is cut off.
                    let _ = timeout(TOTAL, connection(stream, told)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the daemon's endpoints was not accepted");
                tokio::time::sleep(AFTER_A_FAILED_ACCEPT).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, told: Told) {
    let service = service_fn(move |request| {
        let answer = answer(&request, &told);
        async move { Ok::<_, Infallible>(answer) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LARGEST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // An error is a peer that left, or whose head was none: hyper has answered what there was to answer.
    drop(served);
}

fn answer(request: &Request<Incoming>, told: &Told) -> Response<Full<Bytes>> {
    let Told { health, metrics } = told;
    let page: fn(&Health, &Metrics) -> Response<Full<Bytes>> = match request.uri().path() {
        "/livez" => |health, _| livez(health),
        "/readyz" => |health, _| readyz(health),
        "/metrics" => |_, metrics| text(StatusCode::OK, metrics::CONTENT_TYPE, metrics.render()),
        _ => return plain(StatusCode::NOT_FOUND, "there are /livez, /readyz and /metrics\n"),
    };
    // hyper leaves the body of an answer to HEAD out.
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    page(health, metrics)
}

fn livez(health: &Health) -> Response<Full<Bytes>> {
    match health.life(Instant::now()) {
        Life::Alive => plain(StatusCode::OK, "alive\n"),
        Life::Silent(span) => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the loop has not come round for {} s\n", span.as_secs()),
        ),
    }
}

fn readyz(health: &Health) -> Response<Full<Bytes>> {
    match health.readiness() {
        Readiness::Ready => plain(StatusCode::OK, "ready\n"),
        Readiness::NotReady(why) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}

fn plain(status: StatusCode, said: impl Into<String>) -> Response<Full<Bytes>> {
    text(status, "text/plain; charset=utf-8", said.into())
}

fn text(status: StatusCode, kind: &'static str, said: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(said)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
