//! What a doctor says: whether all that a configuration needs is there, one check at a time, with the fix for what is not.
//!
//! Nothing here looks: what was seen is judged. A permission is proven by a call that needed it and changes nothing; those that
//! only a write would prove are listed ([`Untried`]) and not guessed at. IAM's own simulation is not asked: it leaves bucket,
//! key and secret policies and an organisation's limits out, and so would say yes where AWS says no.

mod bucket;
mod host;
mod permission;
mod task;
mod version;

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::bucket::{BucketSettings, Expiry, PublicAccess, Use as BucketUse};
pub use self::host::{Secrets, SeenHost, told_by_host};
pub use self::permission::{Untried, untried};
pub use self::task::{
    Compatibility, Container, InEcsConfig, KeptRegistry, KeptSecret, Service, TaskDefinition,
};
use crate::host::HostId;
use crate::names::{EcsConfigName, FleetName, LocationName, RegistryName};
use crate::report::{Failure, FailureKind, Verdict};

/// The version of the serialised form.
pub const VERSION: u32 = 1;

/// Everything that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Diagnosis {
    pub version: u32,
    pub checks: Vec<Check>,
    /// What regcred needs and only a write would prove.
    pub untried: Vec<Untried>,
    pub verdict: Verdict,
}

/// One thing, looked at in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    #[serde(flatten)]
    pub subject: Subject,
    pub aspect: Aspect,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "subject", rename_all = "snake_case")]
pub enum Subject {
    /// regcred's own object.
    State {
        location: LocationName,
        bucket: String,
        key: String,
    },
    Source {
        registry: RegistryName,
    },
    Secret {
        location: LocationName,
        name: String,
    },
    EcsConfig {
        ecs_config: EcsConfigName,
        location: LocationName,
    },
    Bucket {
        location: LocationName,
        bucket: String,
    },
    /// A fleet's SSM document.
    Document {
        fleet: FleetName,
        document: String,
    },
    Fleet {
        fleet: FleetName,
    },
    Host {
        fleet: FleetName,
        host: HostId,
    },
    TaskDefinition {
        location: LocationName,
        task_definition: String,
    },
    Container {
        task_definition: String,
        container: String,
    },
    Service {
        cluster: String,
        service: String,
    },
}

/// In which way it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// It can be read, or be seen not to be there yet.
    Readable,
    /// regcred may write it, as far as it can be told without a write: it is its own, and nobody else's.
    Writable,
    /// The bucket may be listed, without which S3 does not tell a missing object from a forbidden one.
    Listable,
    /// Old versions are kept.
    Versioned,
    /// Old versions, which hold old passwords, go after a while.
    OldVersionsExpire,
    /// The bucket itself refuses to be public.
    PublicAccessBlocked,
    /// The document is the one that this regcred carries.
    Carried,
    /// What becomes of a command may be read.
    CommandsFollowed,
    /// SSM holds a connection to the host, and ECS takes it for a member of its cluster.
    Reachable,
    /// ECS sees its agent connected.
    AgentConnected,
    /// Its agent is new enough for `repositoryCredentials`.
    AgentVersion,
    /// Its file and its live agent hold what is published, and nothing overrides it.
    AuthLoaded,
    /// A task definition that names secrets has an execution role to read them with.
    ExecutionRole,
    /// A container pulls with the secret that is kept for its registry, or needs none.
    Credentials,
    /// The platform of Fargate is new enough for `repositoryCredentials`.
    PlatformVersion,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Good,
    /// It need not be so of this one.
    Exempt {
        why: String,
    },
    Finding {
        severity: Severity,
        failure: Failure,
    },
    /// It could not be looked at.
    CannotTell {
        failure: Failure,
    },
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something would fail.
    Error,
    /// Everything works, and it is worth mending.
    Warning,
}

impl Diagnosis {
    pub fn new(checks: Vec<Check>, untried: Vec<Untried>) -> Self {
        let verdict = checks.iter().map(Check::verdict).fold(Verdict::Converged, Verdict::worse);
        Self { version: VERSION, checks, untried, verdict }
    }
}

impl Check {
    pub fn new(subject: Subject, aspect: Aspect, outcome: Outcome) -> Self {
        Self { subject, aspect, outcome }
    }

    fn verdict(&self) -> Verdict {
        match self.outcome {
            Outcome::Good | Outcome::Exempt { .. } => Verdict::Converged,
            Outcome::Finding { .. } => Verdict::Drift,
            Outcome::CannotTell { .. } => Verdict::Partial,
        }
    }
}

impl Outcome {
    /// Of something that a pass needs.
    pub fn of_need(failure: Option<Failure>) -> Self {
        let Some(failure) = failure else { return Self::Good };
        match failure.kind {
            FailureKind::Source
            | FailureKind::AccessDenied
            | FailureKind::Rejected
            | FailureKind::Missing
            | FailureKind::Refused
            | FailureKind::Superseded
            | FailureKind::Invalid => Self::Finding { severity: Severity::Error, failure },
            FailureKind::Throttled
            | FailureKind::Unreachable
            | FailureKind::Internal
            | FailureKind::Leased
            | FailureKind::Stopped => Self::CannotTell { failure },
        }
    }

    fn warning(failure: Failure) -> Self {
        Self::Finding { severity: Severity::Warning, failure }
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Readable => "readable",
            Self::Writable => "regcred's to write",
            Self::Listable => "listable",
            Self::Versioned => "versioned",
            Self::OldVersionsExpire => "old versions expire",
            Self::PublicAccessBlocked => "public access blocked",
            Self::Carried => "document as carried",
            Self::CommandsFollowed => "commands can be followed",
            Self::Reachable => "reachable",
            Self::AgentConnected => "agent connected",
            Self::AgentVersion => "agent new enough",
            Self::AuthLoaded => "auth loaded",
            Self::ExecutionRole => "execution role there",
            Self::Credentials => "pulls with what is kept",
            Self::PlatformVersion => "platform new enough",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_told_outranks_a_finding_and_that_outranks_all_that_is_good() {
        let of = |kind: Option<FailureKind>| {
            let failure = kind.map(|kind| Failure::new(kind, "", "", ""));
            let subject = Subject::Source { registry: "r".into() };
            Check::new(subject, Aspect::Readable, Outcome::of_need(failure))
        };
        let (denied, throttled) = (Some(FailureKind::AccessDenied), Some(FailureKind::Throttled));
        for (kinds, verdict) in [
            (&[][..], Verdict::Converged),
            (&[None], Verdict::Converged),
            (&[None, denied], Verdict::Drift),
            (&[throttled, denied], Verdict::Partial),
        ] {
            let checks = kinds.iter().map(|kind| of(*kind)).collect();
            assert_eq!(Diagnosis::new(checks, Vec::new()).verdict, verdict, "{kinds:?}");
        }
    }
}
