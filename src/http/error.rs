//! Why there is no answer, as values: nobody has to read a text to decide.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::header::HeaderName;
use thiserror::Error;

use crate::config::span;

/// Why a request got no answer, or none that can be read. Tells nothing of what was sent or answered.
#[derive(Debug, Error)]
pub(crate) enum HttpError {
    /// The URL has no host, or one that cannot be written into a request.
    #[error("the address names no host")]
    NoHost,
    /// The scheme is neither `https` nor `http`.
    #[error("`{0}:` is neither https nor http")]
    Scheme(String),
    #[error("the name `{host}` does not resolve")]
    Resolve { host: String, source: Option<io::Error> },
    /// The caller admits none of the addresses that the name resolved to; this is the first of them.
    #[error("`{host}` is at {address}, which is refused")]
    Refused { host: String, address: SocketAddr },
    /// `http://`, and not to this machine: whatever is sent could be read on the way.
    #[error("http without TLS is for loopback addresses alone, and {0} is none")]
    Plaintext(SocketAddr),
    #[error("no connection to {address}")]
    Connect { address: SocketAddr, source: io::Error },
    /// The certificate is not trusted or not for this name, or what answers speaks no TLS.
    #[error("no TLS with {host}")]
    Tls { host: String, source: io::Error },
    #[error("no answer within {}", span::format(*.0))]
    TimedOut(Duration),
    /// The limit, in bytes.
    #[error("the answer is larger than {} KiB", .0 / 1024)]
    TooLarge(usize),
    /// The connection ended before the answer did.
    #[error("the answer ends too early")]
    CutOff(#[source] hyper::Error),
    #[error("the answer is no HTTP")]
    Protocol(#[source] hyper::Error),
}

impl HttpError {
    /// Of a connection that stood.
    pub(super) fn of_connection(error: hyper::Error) -> Self {
        // hyper has no question for these: a body that is cut off, and a connection that breaks, are errors of the system.
        // What it calls cancelled or closed can come of what is no HTTP, too.
        let broke = |error: &io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
            | io::ErrorKind::TimedOut => true,
            // What hyper finds wrong in a body, such as a chunk without a length.
            _ => false,
        };
        let system = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        if error.is_incomplete_message() || system.is_some_and(broke) {
            Self::CutOff(error)
        } else {
            Self::Protocol(error)
        }
    }
}

/// A header cannot carry the value: it has a line break or another control character.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("the header {0} cannot carry this value: it has a control character")]
pub(crate) struct OddHeader(pub(super) HeaderName);

/// A body that is not the JSON that was asked for. Both numbers begin at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the answer is not the JSON that it should be: line {line}, column {column}")]
pub(crate) struct NotJson {
    pub(crate) line: usize,
    pub(crate) column: usize,
}
