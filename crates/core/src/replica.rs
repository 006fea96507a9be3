//! Copies that Secrets Manager keeps of a secret in other Regions of its account
//! (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html>).
//!
//! Only the primary is ever written to; Secrets Manager brings the copies up to date. This module must not decide what the
//! primary holds (see [`crate::desired`]).

use schemars::JsonSchema;
use serde::Serialize;

use crate::report::Failure;

/// A copy that the configuration asks for, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Replica {
    /// Such as `us-east-1`.
    pub region: String,
    #[serde(flatten)]
    pub state: ReplicaState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReplicaState {
    /// It holds what the primary holds.
    InSync,
    /// It is being made, or brought up to date.
    InProgress,
    /// Nobody has asked for it yet.
    Missing,
    /// Secrets Manager could not make it, or bring it up to date; it may hold an older value, or be absent.
    Failed { failure: Failure },
    /// It could not be looked at, or not be asked for.
    Unknown { failure: Failure },
}

impl Replica {
    /// Whether it holds what its primary holds.
    pub fn is_right(&self) -> bool {
        match self.state {
            ReplicaState::InSync => true,
            ReplicaState::InProgress
            | ReplicaState::Missing
            | ReplicaState::Failed { .. }
            | ReplicaState::Unknown { .. } => false,
        }
    }

    /// Whether a pass asks for it: what failed is tried again, as its cause may be gone. Of one that nobody can see, nothing
    /// is known that asking would mend.
    pub fn is_wanting(&self) -> bool {
        match self.state {
            ReplicaState::Missing | ReplicaState::Failed { .. } => true,
            ReplicaState::InSync | ReplicaState::InProgress | ReplicaState::Unknown { .. } => false,
        }
    }

    /// What went wrong with it.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.state {
            ReplicaState::Failed { failure } | ReplicaState::Unknown { failure } => Some(failure),
            ReplicaState::InSync | ReplicaState::InProgress | ReplicaState::Missing => None,
        }
    }
}

/// What encrypts a copy, by the key that encrypts its primary.
///
/// A key is in one Region. What a configuration can name for all is an alias, which may be there in each, or a
/// multi-Region key, which has one id everywhere
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html>). `None` for any other.
pub fn key_elsewhere(reference: &str) -> Option<&str> {
    let name = match reference.strip_prefix("arn:") {
        Some(arn) => arn.splitn(5, ':').nth(4)?,
        None => reference,
    };
    let id = name.strip_prefix("key/").unwrap_or(name);
    (id.starts_with("alias/") || id.starts_with("mrk-")).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_and_a_multi_region_key_can_be_named_for_other_regions_and_no_other_key() {
        for (reference, expected) in [
            ("alias/own", Some("alias/own")),
            ("arn:aws:kms:eu-west-1:111111111111:alias/team/own", Some("alias/team/own")),
            ("mrk-1234abcd12ab34cd56ef1234567890ab", Some("mrk-1234abcd12ab34cd56ef1234567890ab")),
            ("arn:aws:kms:eu-west-1:111111111111:key/mrk-1234abcd", Some("mrk-1234abcd")),
            ("1234abcd-12ab-34cd-56ef-1234567890ab", None),
            ("arn:aws:kms:eu-west-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab", None),
            ("arn:", None),
        ] {
            assert_eq!(key_elsewhere(reference), expected, "{reference}");
        }
    }
}
