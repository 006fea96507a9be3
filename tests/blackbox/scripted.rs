//! A server that hears one request on each connection and answers what a test says, byte for byte if need be: for answers
//! that no decent server gives. It keeps all that it heard.
//!
//! It must not know what is right.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// Longer than any client of these tests waits.
const FOR_EVER: Duration = Duration::from_mins(10);

/// The head of a request.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// Path and query.
    pub(crate) target: String,
    headers: Vec<(String, String)>,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn authorization(&self) -> Option<&str> {
        self.header("authorization")
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// These bytes, and what follows.
    Bytes(Vec<u8>, Then),
    /// As many bytes of `x` as the client takes, after these.
    Endless(Vec<u8>),
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    Close,
    /// It stays open, and nothing more comes.
    Silence,
    /// The server's half is closed, and the client's stays open.
    HalfClose,
}

impl Reply {
    pub(crate) fn new(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let mut head = format!("HTTP/1.1 {status} As scripted\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        Self::Bytes(format!("{head}\r\n{body}").into_bytes(), Then::Close)
    }

    pub(crate) fn nothing() -> Self {
        Self::Bytes(Vec::new(), Then::Silence)
    }
}

/// A server that runs until this is dropped.
pub(crate) struct Scripted {
    address: SocketAddr,
    scheme: &'static str,
    heard: Arc<Mutex<Vec<Heard>>>,
    serving: tokio::task::JoinHandle<()>,
}

/// A port that is a server's before there is one: its answers may have to name it.
pub(crate) struct Port(TcpListener, SocketAddr);

impl Port {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        Self(listener, address)
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn authority(&self) -> String {
        self.1.to_string()
    }

    pub(crate) fn serve(self, reply: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> Scripted {
        self.serve_as(None, reply)
    }

    pub(crate) fn serve_tls(
        self,
        config: Arc<ServerConfig>,
        reply: impl Fn(&Heard) -> Reply + Send + Sync + 'static,
    ) -> Scripted {
        self.serve_as(Some(config.into()), reply)
    }

    fn serve_as(
        self,
        tls: Option<TlsAcceptor>,
        reply: impl Fn(&Heard) -> Reply + Send + Sync + 'static,
    ) -> Scripted {
        let Self(listener, address) = self;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (log, reply) = (Arc::clone(&heard), Arc::new(reply));
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, reply, tls) = (Arc::clone(&log), Arc::clone(&reply), tls.clone());
                tokio::spawn(async move {
                    let answer = |heard: Heard| {
                        log.lock().unwrap().push(heard.clone());
                        reply(&heard)
                    };
                    // An error is a client that went away, or that did not like our certificate.
                    let _ = match tls {
                        None => converse(stream, answer).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => converse(stream, answer).await,
                            Err(error) => Err(error),
                        },
                    };
                });
            }
        });
        Scripted { address, scheme, heard, serving }
    }
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: impl Fn(Heard) -> Reply,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes).await? {
            0 => return Ok(()),
            read => request.extend_from_slice(&bytes[..read]),
        }
    }
    match answer(parse(&request)) {
        Reply::Bytes(bytes, then) => {
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            match then {
                Then::Close => return stream.shutdown().await,
                Then::HalfClose => stream.shutdown().await?,
                Then::Silence => {}
            }
            tokio::time::sleep(FOR_EVER).await;
            Ok(())
        }
        Reply::Endless(head) => {
            stream.write_all(&head).await?;
            loop {
                stream.write_all(&[b'x'; 16 * 1024]).await?;
            }
        }
    }
}

fn parse(request: &[u8]) -> Heard {
    let text = String::from_utf8_lossy(request);
    let mut lines = text.lines();
    let target = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
    let headers = lines.filter_map(|line| line.split_once(':'));
    Heard {
        target,
        headers: headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect(),
    }
}

impl Scripted {
    pub(crate) async fn start(reply: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> Self {
        Port::new().await.serve(reply)
    }

    /// `http://127.0.0.1:PORT`, or `https://`.
    pub(crate) fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// All that was heard since this was asked last.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }

    /// What was shown to it: the value of each `Authorization` since anything was asked last.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.heard().iter().filter_map(|heard| heard.authorization().map(str::to_owned)).collect()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Whether a connection to this address is possible: whoever claims that nothing was sent must not have had a closed port.
pub(crate) async fn is_open(address: &str) -> bool {
    TcpStream::connect(address).await.is_ok()
}
