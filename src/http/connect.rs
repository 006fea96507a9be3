//! From a URL to a stream: resolve once, let the caller judge, connect to what was judged.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Url};

use super::trust::Trust;
use super::{Admits, HttpError};

/// A connection, with TLS or, on this machine, without.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

enum Scheme {
    Http,
    Https,
}

/// Connects to the URL's server: each address has `limit` for itself, and the handshake as well.
pub(super) async fn open(
    url: &Url,
    trust: &Trust,
    limit: Duration,
    admits: Admits<'_>,
) -> Result<Stream, HttpError> {
    let scheme = match url.scheme() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        other => return Err(HttpError::Scheme(other.to_owned())),
    };
    let host = url.host().ok_or(HttpError::NoHost)?;
    let port = url.port_or_known_default().ok_or(HttpError::NoHost)?;
    let addresses = judged(&host, resolve(&host, port).await?, admits)?;
    if let (Scheme::Http, Some(address)) = (&scheme, addresses.iter().find(|each| !is_loopback(each.ip()))) {
        return Err(HttpError::Plaintext(*address));
    }
    let stream = connect(&addresses, limit).await?;
    match scheme {
        Scheme::Http => Ok(Stream::Plain(stream)),
        Scheme::Https => {
            let name = match &host {
                Host::Domain(name) => {
                    ServerName::try_from((*name).to_owned()).map_err(|_| HttpError::NoHost)?
                }
                Host::Ipv4(address) => ServerName::from(IpAddr::from(*address)),
                Host::Ipv6(address) => ServerName::from(IpAddr::from(*address)),
            };
            let handshake = TlsConnector::from(trust.config()).connect(name, stream);
            match timeout(limit, handshake).await {
                Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
                Ok(Err(source)) => Err(HttpError::Tls { host: host.to_string(), source }),
                Err(_) => Err(HttpError::TimedOut(limit)),
            }
        }
    }
}

async fn resolve(host: &Host<&str>, port: u16) -> Result<Vec<SocketAddr>, HttpError> {
    let error = |source| HttpError::Resolve { host: host.to_string(), source };
    let addresses = match host {
        Host::Ipv4(address) => vec![SocketAddr::new((*address).into(), port)],
        Host::Ipv6(address) => vec![SocketAddr::new((*address).into(), port)],
        Host::Domain(name) => {
            lookup_host((*name, port)).await.map_err(|source| error(Some(source)))?.collect()
        }
    };
    if addresses.is_empty() { Err(error(None)) } else { Ok(addresses) }
}

fn judged(
    host: &Host<&str>,
    mut addresses: Vec<SocketAddr>,
    admits: Admits<'_>,
) -> Result<Vec<SocketAddr>, HttpError> {
    let first = addresses.first().copied();
    addresses.retain(|address| admits(*address));
    match first {
        Some(address) if addresses.is_empty() => Err(HttpError::Refused { host: host.to_string(), address }),
        Some(_) | None => Ok(addresses),
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// One after another, as the resolver orders them.
async fn connect(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, HttpError> {
    let mut last = HttpError::NoHost;
    for &address in addresses {
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(source)) => last = HttpError::Connect { address, source },
            Err(_) => last = HttpError::Connect { address, source: io::ErrorKind::TimedOut.into() },
        }
    }
    Err(last)
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
