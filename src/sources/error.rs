//! Why a source gave no credential, in the three lines that a person reads.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use regcred_core::credential::{CredentialError, Part};
use regcred_core::formats::docker_config::Unusable;
use regcred_core::report::{Failure, FailureKind};
use thiserror::Error;

use crate::config::span;

/// A source that gave no credential: which place failed, and how. Tells nothing of what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot read {place}\n  because: {}\n  to do:   {}", .flaw.why(.place), .flaw.to_do(.place))]
pub(crate) struct SourceError {
    pub(crate) place: Place,
    pub(crate) flaw: Flaw,
}

impl SourceError {
    /// The three lines, as data.
    pub(crate) fn into_failure(self) -> Failure {
        let Self { place, flaw } = self;
        Failure::new(
            FailureKind::Source,
            format!("cannot read {place}"),
            flaw.why(&place),
            flaw.to_do(&place),
        )
    }
}

/// What was being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// An environment variable, by its name.
    Variable(String),
    File(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

/// What is wrong with a place, or with what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// There is no such variable or file.
    Missing,
    /// The system does not let this process read it.
    Denied,
    /// It is a folder.
    Folder,
    /// Any other failure of the system.
    Unreadable(io::ErrorKind),
    TooLarge {
        limit: usize,
    },
    NotUtf8,
    ByteOrderMark,
    /// There is nothing in it.
    Empty,
    /// Both numbers begin at 1.
    NotJson {
        line: usize,
        column: usize,
    },
    /// It is JSON, but no object with texts for both parts.
    NotAPair {
        line: usize,
        column: usize,
    },
    Lacks(Part),
    NoCredential(CredentialError),
    NoEntry(Unusable),
    TimedOut(Duration),
}

impl From<CredentialError> for Flaw {
    fn from(error: CredentialError) -> Self {
        Self::NoCredential(error)
    }
}

impl From<io::ErrorKind> for Flaw {
    fn from(kind: io::ErrorKind) -> Self {
        match kind {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::IsADirectory => Self::Folder,
            kind => Self::Unreadable(kind),
        }
    }
}

impl Flaw {
    fn why(&self, place: &Place) -> String {
        match (self, place) {
            (Self::Missing, Place::Variable(_)) => "it is not set where regcred runs".to_owned(),
            (Self::Missing, Place::File(_)) => "there is no such file".to_owned(),
            (Self::Denied, _) => "this process is not allowed to".to_owned(),
            (Self::Folder, _) => "it is a folder".to_owned(),
            (Self::Unreadable(kind), _) => format!("the system says: {kind}"),
            (Self::TooLarge { limit }, _) => {
                format!("it is larger than {} KiB, and no credential is", limit / 1024)
            }
            (Self::Empty, _) => "it is empty".to_owned(),
            (Self::NotUtf8, _) => "it is not UTF-8 text, and neither consumer takes anything else".to_owned(),
            (Self::ByteOrderMark, _) => {
                "it begins with a byte-order mark (EF BB BF), which would be sent to the registry".to_owned()
            }
            (Self::NotJson { line, column }, _) => {
                format!("it is no JSON from line {line}, column {column} on")
            }
            (Self::NotAPair { line, column }, _) => {
                format!(
                    "it is no object with one text for each of username and password: line {line}, column {column}"
                )
            }
            (Self::Lacks(part), _) => format!("it has no `{part}`"),
            (Self::NoCredential(error), _) => error.to_string(),
            (Self::NoEntry(unusable), _) => match unusable.source() {
                Some(reason) => format!("{unusable}: {reason}"),
                None => unusable.to_string(),
            },
            (Self::TimedOut(limit), _) => format!("it gave no answer within {}", span::format(*limit)),
        }
    }

    fn to_do(&self, place: &Place) -> String {
        match (self, place) {
            (Self::Missing, Place::Variable(name)) => format!("set {name}, or correct `source.env`"),
            (Self::Missing | Self::Folder, Place::File(_)) => {
                "correct the path in `source`; a relative one starts at the folder of the configuration".to_owned()
            }
            (Self::Denied, Place::File(path)) => {
                format!("let the user that runs regcred read {} and enter the folders above", path.display())
            }
            (Self::Folder | Self::Denied, Place::Variable(_)) | (Self::Unreadable(_), _) => {
                "see that this process can read it, and run again".to_owned()
            }
            (Self::TooLarge { .. }, _) => "correct `source`: this is probably another file".to_owned(),
            (Self::NotUtf8 | Self::ByteOrderMark, _) => {
                "save it as UTF-8 without a byte-order mark".to_owned()
            }
            (Self::Empty | Self::NotJson { .. } | Self::NotAPair { .. } | Self::Lacks(_), _) => {
                r#"write {"username":"…","password":"…"}, with nothing after it"#.to_owned()
            }
            (Self::NoCredential(CredentialError::Empty(_)), _) => {
                "put the value there; what is published stays until then".to_owned()
            }
            (Self::NoCredential(CredentialError::Nul(_) | CredentialError::LineBreak(_)), _) => {
                "write the value again, on one line and with nothing after it".to_owned()
            }
            (Self::NoEntry(unusable), _) => unusable.remedy(),
            (Self::TimedOut(_), _) => {
                "see what holds it up (a network file system, a pipe without a writer), or raise `source_timeout`"
                    .to_owned()
            }
        }
    }
}
