//! What went wrong with one item, as a value.

use schemars::JsonSchema;
use serde::Serialize;

/// What went wrong with one item, as the three lines that a person sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Failure {
    pub kind: FailureKind,
    /// What could not be done to which resource: a lowercase fragment that follows "error: ".
    pub what: String,
    /// Why: follows "because: ".
    pub why: String,
    /// What the reader can do about it: follows "to do: ".
    pub remedy: String,
}

/// The kinds of failure, for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A credential source could not be read, or what it holds is no credential.
    Source,
    /// AWS refused: a permission is missing.
    AccessDenied,
    /// The registry does not accept the credential.
    Rejected,
    /// A resource that has to exist does not.
    Missing,
    /// regcred will not do this, because it would do harm or is not its own to do.
    Refused,
    /// Something moved since it was decided on.
    Superseded,
    /// All tries were throttled.
    Throttled,
    /// No answer, or the service failed.
    Unreachable,
    /// AWS called the request wrong.
    Invalid,
    /// It was made to stop before it could.
    Stopped,
    /// Another process holds the lease.
    Leased,
    /// Something that should not be possible.
    Internal,
}

impl Failure {
    pub fn new(
        kind: FailureKind,
        what: impl Into<String>,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { kind, what: what.into(), why: why.into(), remedy: remedy.into() }
    }
}
