//! What an edit has to say beside its result.

use std::fmt;

use super::{Unconvertible, Variable};
use crate::agent::auth::Unreadable;
use crate::server::Server;

/// Something about the file that a person may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The variable was set several times. Only the last line counts; the earlier ones are removed.
    Repeated { variable: Variable, removed: usize },
    /// The line names one of the variables in a way that agents do not read. It stays.
    Ignored { line: usize },
    /// Agents could not read the authentication data, which is replaced.
    UnreadableData { why: Unreadable },
    /// Agents did not know the authentication type, so they used nothing of the data, which is replaced.
    UnknownType,
    /// Data without a type is used by no agent; it is replaced.
    NoType,
    /// An entry that no agent used is removed, because its type changes or its registry has another key.
    DeadEntry { key: String },
    /// The host gets the same credential as the path, without which agents would choose at random.
    HostKey { server: Server },
    /// What is published of this held server cannot be written in the other type, and is removed.
    NotConverted { server: Server, why: Unconvertible },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repeated { variable, removed: 1 } => {
                write!(f, "an earlier line that sets {} is removed: only the last one counts", variable.name())
            }
            Self::Repeated { variable, removed } => {
                write!(f, "{removed} earlier lines that set {} are removed: only the last one counts", variable.name())
            }
            Self::Ignored { line } => {
                write!(f, "line {line} looks like authentication settings, but agents do not read it; it stays")
            }
            Self::UnreadableData { why } => {
                write!(f, "the old authentication data, which agents drop because {why}, is replaced")
            }
            Self::UnknownType => f.write_str(
                "the old authentication data, of a type that agents do not know and so do not use, is replaced",
            ),
            Self::NoType => f.write_str(
                "the old authentication data, which has no type, so that agents do not use it, is replaced",
            ),
            Self::DeadEntry { key } => write!(f, "the entry `{key}`, which agents do not use, is removed"),
            Self::HostKey { server } => write!(
                f,
                "`{}` gets the credential of `{server}` too, which agents use for all images of a lone path's host",
                server.host()
            ),
            Self::NotConverted { server, why } => {
                write!(f, "what is published for `{server}` is removed with its old format: {why}")
            }
        }
    }
}
