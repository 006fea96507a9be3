//! What an edit has to say beside its result.

use std::fmt;

use super::edit::File;
use super::text::Document;
use super::{Unconvertible, Variable};
use crate::agent::AuthSetting;
use crate::agent::auth::{Problem, Unreadable};
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
    /// Data without a type, which no agent uses by itself, is replaced.
    NoType,
    /// An entry that no agent used is removed, because its type changes or its registry has another key.
    DeadEntry { key: String },
    /// The host gets the same credential as the path, without which agents would choose at random.
    HostKey { server: Server },
    /// What is published of this held server cannot be written in the other type, and is removed.
    NotConverted { server: Server, why: Unconvertible },
}

impl Note {
    pub(super) fn on_lines(document: &Document<'_>) -> Vec<Self> {
        let mut notes = Vec::new();
        for variable in Variable::BOTH {
            let removed = document.count(variable).saturating_sub(1);
            if removed > 0 {
                notes.push(Self::Repeated { variable, removed });
            }
        }
        notes.extend(document.ignored_lines().into_iter().map(|line| Self::Ignored { line }));
        notes
    }

    /// What of the old data was used by no agent, and goes.
    pub(super) fn on_old_data(before: &File) -> Option<Self> {
        match (before.map.problem(), before.auth.auth_type()) {
            (Some(Problem::Unreadable { why, .. }), _) => Some(Self::UnreadableData { why: why.clone() }),
            (Some(Problem::UnknownType), _) => Some(Self::UnknownType),
            (None, AuthSetting::Off) if !before.auth.auth_data().is_empty() => Some(Self::NoType),
            (None, AuthSetting::Off | AuthSetting::Type(_) | AuthSetting::Unknown(_)) => None,
        }
    }

    /// The held server of which nothing is left in the new type.
    pub(super) fn given_up(&self) -> Option<&Server> {
        match self {
            Self::NotConverted { server, .. } => Some(server),
            Self::Repeated { .. }
            | Self::Ignored { .. }
            | Self::UnreadableData { .. }
            | Self::UnknownType
            | Self::NoType
            | Self::DeadEntry { .. }
            | Self::HostKey { .. } => None,
        }
    }
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
