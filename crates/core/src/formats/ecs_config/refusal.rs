//! Why an ecs.config is not edited.

use std::fmt;

use thiserror::Error;

use crate::agent::auth::printable_key;
use crate::agent::{AuthType, Misread, StartFault};
use crate::formats::auth_data;
use crate::names::EcsConfigName;
use crate::server::Server;

/// Why a file stays as it is, although it is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("agents do not read the file as it is meant: {0}")]
    Misread(Misread),
    #[error("no agent starts with the file: {0}")]
    NoStart(StartFault),
    #[error(transparent)]
    Data(#[from] auth_data::Refusal),
    #[error(
        "the entry `{}`, which no registry of the configuration owns, cannot be kept: {why}",
        printable_key(key)
    )]
    Foreign { key: String, why: Unconvertible },
    #[error(
        "it has authentication data without a type, so it cannot be told whether agents use the entries {}",
        list(keys)
    )]
    Untyped { keys: Vec<String> },
    #[error("the agent's rules, asked about the edited file, do not give {0}")]
    NotReadBack(ReadBack),
}

fn list(keys: &[String]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

/// Why an entry cannot be written in the other type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unconvertible {
    #[error("its username has a ':', where type `dockercfg` ends it")]
    ColonInUsername,
    #[error("it holds a token, for which type `dockercfg` has no place")]
    Token,
}

/// What an edited file would have got wrong: a flaw of regcred, found before anything was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadBack {
    OtherVariables,
    AuthType(AuthType),
    Server(Server),
    Foreign { key: String },
}

impl fmt::Display for ReadBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherVariables => f.write_str("the other variables as they were"),
            Self::AuthType(auth_type) => write!(f, "the type `{auth_type}`"),
            Self::Server(server) => write!(f, "`{server}` its credential"),
            Self::Foreign { key } => write!(f, "images of `{}` what they got before", printable_key(key)),
        }
    }
}

impl Refusal {
    /// The server that stands in the others' way. With it on hold the edit is possible, or another server is named that
    /// stands in the way too; if the one that is named is on hold already, the edit is not possible.
    pub fn server(&self) -> Option<&Server> {
        match self {
            Self::Data(
                auth_data::Refusal::ColonInUsername { server }
                | auth_data::Refusal::NoHostKey { server }
                | auth_data::Refusal::TooLong { server: Some(server), .. },
            ) => Some(server),
            Self::Data(
                auth_data::Refusal::SameKey { .. }
                | auth_data::Refusal::TooLong { server: None, .. }
                | auth_data::Refusal::NotReadBack { .. },
            )
            | Self::Misread(_)
            | Self::NoStart(_)
            | Self::Foreign { .. }
            | Self::Untyped { .. }
            | Self::NotReadBack(_) => None,
        }
    }

    /// What a person can do about it.
    pub fn remedy(&self, ecs_config: &EcsConfigName) -> String {
        match self {
            Self::Misread(Misread::NotText { .. } | Misread::ByteOrderMark) => {
                "store the file as UTF-8 text without a byte order mark".to_owned()
            }
            Self::Misread(Misread::CarriageReturn { .. }) => {
                "store the file with line ends of LF or CRLF".to_owned()
            }
            Self::Misread(Misread::Nul { line }) | Self::NoStart(StartFault::Nul { line }) => {
                format!("remove the NUL from line {line} of the file")
            }
            Self::NoStart(StartFault::TooLong { line, .. }) => format!("shorten line {line} of the file"),
            Self::NoStart(StartFault::NoName { line }) => {
                format!("write a name before the '=' of line {line} of the file, or remove the line")
            }
            Self::NoStart(StartFault::TooMuch { .. }) => "shorten the file".to_owned(),
            Self::Data(refusal) => refusal.remedy(),
            Self::Foreign { .. } => format!(
                "remove the entry from the file, set `prune: true` for ecs_configs.{ecs_config}, or keep its old format"
            ),
            Self::Untyped { .. } => {
                "add the line ECS_ENGINE_AUTH_TYPE that agents have, or remove the entries".to_owned()
            }
            Self::NotReadBack(_) => "report this as a bug of regcred; nothing was written".to_owned(),
        }
    }
}
