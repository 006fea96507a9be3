//! What was seen at a target, with "cannot tell" as a value.

use chrono::{DateTime, Utc};

use crate::report::Failure;
use crate::secret::Secret;

/// What a target holds, as far as it could be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// It is there, and this is its current content.
    Present(Published),
    /// It is surely not there.
    Absent,
    /// Whether it is there, or what it holds, cannot be told. Never taken for `Absent`.
    Unknown(Failure),
}

/// The current content of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub content: Secret,
    /// What a conditional write has to name.
    pub version: Version,
    /// Of a Secrets Manager secret.
    pub arn: Option<String>,
    /// When this content was written, as AWS tells it.
    pub since: Option<DateTime<Utc>>,
}

/// The names of one version of a target's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// What a compare-and-swap compares: a Secrets Manager version id, or an S3 ETag.
    pub tag: String,
    /// What a person and a host name it by: the version id. `None` for an object written before versioning was on.
    pub id: Option<String>,
}

/// What must still hold when a step is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    Absent,
    Holds(Version),
}

impl Observed {
    pub fn published(&self) -> Option<&Published> {
        match self {
            Self::Present(published) => Some(published),
            Self::Absent | Self::Unknown(_) => None,
        }
    }
}

/// What became of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is current now, by this write or by an earlier try of the same one.
    Written { version: Version, arn: Option<String> },
    /// Another writer came first; the next pass decides again.
    Superseded,
    /// It could not be written, or must not be.
    Failed(Failure),
}
