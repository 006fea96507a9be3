use std::time::Duration;

use hyper::header::AUTHORIZATION;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A server that reads one request, answers these bytes, and tells what it read. Nothing more is sent after them, and
/// the connection stays open as long as the test.
async fn answering(answer: &'static [u8]) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let told = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut bytes = [0; 1024];
            match stream.read(&mut bytes).await.unwrap() {
                0 => break,
                read => request.extend_from_slice(&bytes[..read]),
            }
        }
        stream.write_all(answer).await.unwrap();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_mins(1)).await;
            drop(stream);
        });
        String::from_utf8(request).unwrap()
    });
    (port, told)
}

fn client() -> Client {
    Client::new(Trust::system(), Limits::within(Duration::from_secs(2)))
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[tokio::test]
async fn sends_one_request_and_reads_its_answer() {
    let (port, told) =
        answering(b"HTTP/1.1 200 OK\r\nX-Told: yes\r\nContent-Length: 13\r\n\r\n{\"token\":\"t\"}").await;
    let request = Request::get(url(&format!("http://127.0.0.1:{port}/a%20b?x=1&y")))
        .secret_header(AUTHORIZATION, &"Basic hunter2".into())
        .unwrap();
    let answer = client().send(request, &anywhere).await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["x-told"]),
        (StatusCode::OK, &HeaderValue::from_static("yes"))
    );
    let body = answer.body().await.unwrap();
    let read: serde_json::Value = body.json().unwrap();
    assert_eq!(read["token"], "t");
    let sent = told.await.unwrap().to_ascii_lowercase();
    assert!(sent.starts_with("get /a%20b?x=1&y http/1.1\r\n"), "{sent}");
    assert!(sent.contains(&format!("\r\nhost: 127.0.0.1:{port}\r\n")), "{sent}");
    assert!(sent.contains("\r\nauthorization: basic hunter2\r\n"), "{sent}");
}

#[tokio::test]
async fn posts_a_body() {
    let (port, told) = answering(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    let url = url(&format!("http://127.0.0.1:{port}/login"));
    let answer = client().send(Request::post(url, "application/json", "{}".into()), &anywhere).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let sent = told.await.unwrap().to_ascii_lowercase();
    assert!(
        sent.contains("content-type: application/json\r\n") && sent.contains("content-length: 2\r\n"),
        "{sent}"
    );
}

#[tokio::test]
async fn follows_no_redirect() {
    let (port, told) =
        answering(b"HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
            .await;
    let answer =
        client().send(Request::get(url(&format!("http://127.0.0.1:{port}/"))), &anywhere).await.unwrap();
    assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
    told.await.unwrap();
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_read() {
    let (port, _told) =
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n0123456789012345678901234567890123456789")
            .await;
    let limits = Limits { body: 32, ..Limits::within(Duration::from_secs(2)) };
    let request = Request::get(url(&format!("http://127.0.0.1:{port}/")));
    let answer = Client::new(Trust::system(), limits).send(request, &anywhere).await.unwrap();
    assert!(matches!(answer.body().await, Err(HttpError::TooLarge(32))));
}

#[tokio::test]
async fn a_server_that_says_nothing_or_half_of_it_is_timed_out() {
    let limits = Limits::within(Duration::from_millis(100));
    let (port, _told) = answering(b"").await;
    let request = Request::get(url(&format!("http://127.0.0.1:{port}/")));
    let silent = Client::new(Trust::system(), limits).send(request, &anywhere).await;
    assert!(matches!(silent, Err(HttpError::TimedOut(_))), "{silent:?}");

    let (port, _told) = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n01234").await;
    let request = Request::get(url(&format!("http://127.0.0.1:{port}/")));
    let answer = Client::new(Trust::system(), limits).send(request, &anywhere).await.unwrap();
    assert!(matches!(answer.body().await, Err(HttpError::TimedOut(_))));
}

#[tokio::test]
async fn what_is_no_http_is_no_answer() {
    let (port, _told) = answering(b"220 mail.example.com ESMTP\r\n").await;
    let answer = client().send(Request::get(url(&format!("http://127.0.0.1:{port}/"))), &anywhere).await;
    assert!(matches!(answer, Err(HttpError::Protocol(_))), "{answer:?}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_told_from_what_is_no_http() {
    for bytes in [&b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n01234"[..], b"HTTP/1.1 200 OK\r\nCont", b""]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            assert!(stream.read(&mut asked).await.unwrap() > 0);
            stream.write_all(bytes).await.unwrap();
        });
        let request = Request::get(url(&format!("http://127.0.0.1:{port}/")));
        let told = match client().send(request, &anywhere).await {
            Ok(answer) => answer.body().await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert!(matches!(told, Err(HttpError::CutOff(_))), "{told:?}");
        serving.await.unwrap();
    }
}

#[tokio::test]
async fn an_address_that_is_not_admitted_is_never_connected_to() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // A name is judged by what it resolves to.
    for host in ["127.0.0.1", "localhost"] {
        let request = Request::get(url(&format!("http://{host}:{port}/")));
        let refused = client().send(request, &|address| !address.ip().is_loopback()).await;
        assert!(
            matches!(&refused, Err(HttpError::Refused { address, .. }) if address.port() == port),
            "{refused:?}"
        );
    }
    let untouched = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(untouched.is_err(), "a connection was made");
}

#[tokio::test]
async fn plain_http_leaves_this_machine_for_nobody() {
    // TEST-NET-1 (RFC 5737) is nobody's: were it connected to, this would time out instead.
    let answer = client().send(Request::get(url("http://192.0.2.1/")), &anywhere).await;
    assert!(matches!(answer, Err(HttpError::Plaintext(_))), "{answer:?}");
    let answer = client().send(Request::get(url("ftp://192.0.2.1/")), &anywhere).await;
    assert!(matches!(answer, Err(HttpError::Scheme(_))), "{answer:?}");
}

#[tokio::test]
async fn tells_a_name_that_does_not_resolve_from_a_port_that_is_closed() {
    // `.invalid` resolves nowhere (RFC 6761).
    let answer = client().send(Request::get(url("https://registry.invalid/")), &anywhere).await;
    assert!(matches!(answer, Err(HttpError::Resolve { .. })), "{answer:?}");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let answer = client().send(Request::get(url(&format!("https://127.0.0.1:{port}/"))), &anywhere).await;
    assert!(matches!(answer, Err(HttpError::Connect { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_server_without_tls_behind_https_is_told() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
    });
    let answer = client().send(Request::get(url(&format!("https://127.0.0.1:{port}/"))), &anywhere).await;
    assert!(matches!(answer, Err(HttpError::Tls { .. })), "{answer:?}");
}

#[test]
fn shows_nothing_of_what_it_sends_or_reads() {
    let request =
        Request::post(url("https://u:p@x.example/login?password=hunter2"), "text/plain", "hunter2".into())
            .secret_header(AUTHORIZATION, &"hunter2".into())
            .unwrap();
    let shown = format!("{request:?} {:?} {:?}", request.headers, Body(Zeroizing::new(b"hunter2".to_vec())));
    assert!(!shown.contains("hunter2") && shown.contains("/login"), "{shown}");
    assert!(!format!("{:?}", Body(Zeroizing::new(b"\"hunter2\"".to_vec())).json::<u8>()).contains("hunter2"));
}

#[test]
fn a_value_that_would_end_its_header_is_refused() {
    let request = Request::get(url("https://x.example/"));
    let refused = request.secret_header(AUTHORIZATION, &"a\r\nX-Other: b".into());
    assert!(!refused.unwrap_err().to_string().contains("X-Other"));
}
