//! Real requests over real sockets.

use chrono::Utc;
use regcred_core::report::FailureKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::health::LIVE;
use super::*;
use crate::aws::Attempts;

/// Loopback answers in milliseconds; this is a server that hangs, on a busy machine too.
const SOON: Duration = Duration::from_secs(30);

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

struct Served {
    address: SocketAddr,
    health: Health,
    metrics: Metrics,
    serving: Serving,
}

async fn serve() -> Served {
    let endpoints = Endpoints::bind(loopback()).await.unwrap();
    let (health, metrics) =
        (Health::new(Instant::now(), "the first pass runs"), Metrics::new(Attempts::default()));
    let address = endpoints.address();
    let serving = endpoints.serve(health.clone(), metrics.clone());
    Served { address, health, metrics, serving }
}

/// The answer's head and body.
async fn send(address: SocketAddr, bytes: &[u8]) -> (String, String) {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = timeout(SOON, exchange).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_owned(), body.to_owned())
}

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let (head, body) =
        send(address, format!("GET {path} HTTP/1.1\r\nhost: regcred\r\n\r\n").as_bytes()).await;
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body)
}

#[tokio::test]
async fn is_ready_when_the_daemon_says_so_and_tells_why_not() {
    let Served { address, health, serving: _serving, .. } = serve().await;
    assert_eq!(get(address, "/readyz").await, (503, "not ready: the first pass runs\n".into()));
    health.first_pass_failed("the first pass failed");
    assert_eq!(get(address, "/readyz").await, (503, "not ready: the first pass failed\n".into()));
    health.ready();
    health.first_pass_failed("a later one");
    assert_eq!(get(address, "/readyz").await, (200, "ready\n".into()));
    health.not_ready("it ends");
    assert_eq!(get(address, "/readyz").await, (503, "not ready: it ends\n".into()));
}

#[tokio::test]
async fn lives_while_the_loop_comes_round() {
    let Served { address, health, serving: _serving, .. } = serve().await;
    assert_eq!(get(address, "/livez").await, (200, "alive\n".into()));
    let long_ago = Instant::now().checked_sub(LIVE + Duration::from_secs(5)).unwrap();
    health.beat(long_ago);
    let (status, said) = get(address, "/livez").await;
    assert_eq!(status, 503);
    assert!(said.starts_with("the loop has not come round for 6"), "{said}");
    health.beat(Instant::now());
    assert_eq!(get(address, "/livez").await.0, 200);
}

#[tokio::test]
async fn the_metrics_are_the_text_format_of_prometheus() {
    let Served { address, metrics, serving: _serving, .. } = serve().await;
    let failure = Failure::new(FailureKind::Internal, "a", "b", "c");
    metrics.pass_ended(Err(&failure), Utc::now(), Utc::now());
    let (head, body) = send(address, b"GET /metrics HTTP/1.1\r\nhost: regcred\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    assert!(body.contains("\nregcred_passes_total{outcome=\"failed\"} 1\n"), "{body}");
    assert_eq!(body, metrics.render());
}

#[tokio::test]
async fn nothing_else_is_there_and_nothing_can_be_done() {
    let Served { address, serving: _serving, .. } = serve().await;
    for path in ["/", "/metrics/", "/livez/x", "/debug/pprof", "/livez%2f"] {
        assert_eq!(get(address, path).await.0, 404, "{path}");
    }
    // What stands behind a `?` is not looked at: a probe may add anything.
    assert_eq!(get(address, "/livez?verbose").await.0, 200);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let request = format!("{method} /livez HTTP/1.1\r\nhost: regcred\r\ncontent-length: 0\r\n\r\n");
        let (head, _) = send(address, request.as_bytes()).await;
        assert!(head.starts_with("HTTP/1.1 405 "), "{method}: {head}");
        assert!(head.contains("allow: GET, HEAD"), "{head}");
    }
    let (head, body) = send(address, b"HEAD /livez HTTP/1.1\r\nhost: regcred\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert_eq!(body, "");
}

#[tokio::test]
async fn a_head_without_end_and_what_is_no_http_is_refused() {
    let Served { address, serving: _serving, .. } = serve().await;
    let mut large = b"GET /livez HTTP/1.1\r\nx: ".to_vec();
    large.resize(LARGEST_HEAD + 1024, b'a');
    let (head, _) = send(address, &large).await;
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    let (head, _) = send(address, b"\x16\x03\x01 hello\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert_eq!(get(address, "/livez").await.0, 200);
}

#[tokio::test]
async fn who_connects_and_says_nothing_is_cut_off_and_the_next_one_served() {
    let Served { address, serving: _serving, .. } = serve().await;
    let mut silent = Vec::new();
    for n in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Half of them begin, and go no further.
        if n % 2 == 0 {
            stream.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
        }
        silent.push(stream);
    }
    let began = Instant::now();
    // The one that is too many waits until the others' time is over.
    assert_eq!(get(address, "/livez").await.0, 200);
    assert!(began.elapsed() >= HEAD / 2, "nobody had to wait: {:?}", began.elapsed());
    for mut stream in silent {
        let mut bytes = Vec::new();
        let ended = timeout(SOON, stream.read_to_end(&mut bytes)).await;
        assert!(ended.is_ok(), "a silent connection was kept");
    }
}

#[tokio::test]
async fn a_body_that_never_comes_holds_nothing() {
    let Served { address, serving: _serving, .. } = serve().await;
    let request = b"POST /livez HTTP/1.1\r\nhost: regcred\r\ncontent-length: 1000000\r\n\r\nx";
    let (head, _) = send(address, request).await;
    assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_told_with_what_to_do() {
    let taken = Endpoints::bind(loopback()).await.unwrap();
    let failure = Endpoints::bind(taken.address()).await.unwrap_err();
    assert_eq!(
        failure.what,
        format!("cannot listen on {} for /livez, /readyz and /metrics", taken.address())
    );
    assert!(failure.remedy.contains("`daemon.listen`"), "{failure:?}");
}

#[tokio::test]
async fn ends_with_its_handle() {
    let Served { address, serving, .. } = serve().await;
    let mut open = TcpStream::connect(address).await.unwrap();
    assert_eq!(get(address, "/livez").await.0, 200);
    drop(serving);
    let mut bytes = Vec::new();
    timeout(SOON, open.read_to_end(&mut bytes)).await.unwrap().ok();
    assert_eq!(bytes, b"");
    let until = Instant::now() + SOON;
    while TcpStream::connect(address).await.is_ok() {
        assert!(Instant::now() < until, "the port is still open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
