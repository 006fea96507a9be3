//! What a person is told of a host that an audit did not find in order.

use std::fmt;

use super::{Difference, Finding, HostAudit, Untold};
use crate::host::{ClusterName, ContainerInstanceArn};
use crate::names::FleetName;
use crate::rollout::explain::reported;

/// A finding in a person's words. Lowercase fragments without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What is the case.
    pub what: String,
    /// What that means now.
    pub now: &'static str,
    pub remedy: Remedy,
}

/// What can be done about a host, or about several of one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    Do(&'static str),
    /// A sync leaves a host alone that is on record as right. Without the record it asks the host, mends its file if that
    /// lags behind, and restarts the agent only if that holds something else.
    TakeRecordBack,
}

const LOOK_AT_AGENT: &str = "look at the agent on the host: journalctl -u ecs";
const ASK_AGAIN: &str = "nothing; ask again with regcred verify --hosts";

impl HostAudit {
    /// What is not in order, if anything. Of several differences, the first says what to do.
    pub fn told(&self) -> Option<Told> {
        match &self.finding {
            Finding::Agrees => None,
            Finding::Differs { differences } => {
                let (now, remedy) = differences.first()?.meaning();
                let each: Vec<String> = differences.iter().map(ToString::to_string).collect();
                Some(Told { what: format!("differs: {}", each.join("; ")), now, remedy })
            }
            Finding::CannotTell { why } => Some(Told {
                what: format!("could not be asked: {why}"),
                now: "nothing is known of its file and its agent",
                remedy: Remedy::Do(why.remedy()),
            }),
            Finding::Unsupported { why } => Some(Told {
                what: format!("is not asked: {why}"),
                now: "it is not counted",
                remedy: Remedy::Do(why.remedy()),
            }),
        }
    }
}

impl Difference {
    /// How the host stands now, and what to do.
    fn meaning(&self) -> (&'static str, Remedy) {
        let (now, remedy) = match self {
            Self::AgentDead | Self::AgentSilent => ("it starts no tasks", LOOK_AT_AGENT),
            Self::OtherRegistration { .. } => (
                "what is on record is of another container instance",
                "see that its cluster is among those of the fleet, and deregister what is left over",
            ),
            Self::RecordLies => {
                return ("it pulls with another value, and no sync comes to it", Remedy::TakeRecordBack);
            }
            Self::FailedBefore => (
                "it pulls with another value, and a sync leaves it alone",
                "mend what failed there, then regcred sync --retry-failed",
            ),
            Self::Behind | Self::NotLoaded => ("it pulls with another value", "regcred sync"),
            Self::FileDiffers => {
                let now = "the next start of its agent loads that, and no sync comes to it before";
                return (now, Remedy::TakeRecordBack);
            }
            Self::FileAndAgentDiffer => {
                ("the next start of its agent loads another value", "find out who else writes its ecs.config")
            }
            Self::AgentWarned => (
                "it pulls without the credentials that were dropped",
                "regcred lint s3://BUCKET/KEY, with the object that it loads",
            ),
            Self::NotRecorded => {
                ("it is as it should be", "regcred sync: that asks it, restarts nobody and records it")
            }
        };
        (now, Remedy::Do(remedy))
    }
}

/// Where it is on record what hosts hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordPlace<'a> {
    /// On these container instances of one cluster.
    Attributes { cluster: &'a ClusterName, instances: Vec<&'a ContainerInstanceArn> },
    /// In the object of a fleet that is told by tags or ids.
    Object { fleet: &'a FleetName },
}

impl Remedy {
    /// Follows "to do: ".
    pub fn text(self, place: &RecordPlace<'_>) -> String {
        match (self, place) {
            (Self::Do(text), _) => text.to_owned(),
            (Self::TakeRecordBack, RecordPlace::Object { fleet }) => format!(
                "delete the object hosts/{fleet}.json below the state's prefix, in which they are recorded; then regcred \
                 sync, which asks all hosts of the fleet again"
            ),
            (Self::TakeRecordBack, RecordPlace::Attributes { cluster, instances }) => {
                let target = match instances.as_slice() {
                    [one] => one.as_str(),
                    _ => "ARN",
                };
                let each =
                    if instances.len() == 1 { "" } else { " for the ARN of each (--output json has them)" };
                format!(
                    "aws ecs delete-attributes --cluster {cluster} --attributes \
                     name=regcred.revision,targetType=container-instance,targetId={target}{each}; then regcred sync, \
                     which asks the host again"
                )
            }
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Behind => "its agent does not hold what is published",
            Self::FailedBefore => {
                "its agent does not hold what is published, which did not load on it before"
            }
            Self::RecordLies => "its agent does not hold what is published, although that is on record",
            Self::NotRecorded => "its agent holds what is published, and that is not on record",
            Self::NotLoaded => "its file has what is published, and its agent has not loaded it",
            Self::FileDiffers => "its file does not hold what is published",
            Self::FileAndAgentDiffer => "its file and its agent differ from each other",
            Self::AgentWarned => "its agent dropped some of the value, and said so in its log",
            Self::AgentSilent => "its agent does not answer",
            Self::AgentDead => "its agent does not run",
            Self::OtherRegistration { arn } => {
                return write!(f, "its agent is registered as {arn}");
            }
        })
    }
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { why } => why.fmt(f),
            Self::NotSent { refusal: Some(refusal) } => write!(f, "SSM refused the command: {refusal}"),
            Self::NotSent { refusal: None } => f.write_str("SSM's answer to the command was lost"),
            Self::Busy => f.write_str("another run was at work on it"),
            Self::Declined { reason, detail } => f.write_str(&reported(reason.as_ref(), detail.as_deref())),
            Self::ObjectUnread { reason, detail } => {
                write!(f, "it could not read the object: {}", reported(reason.as_ref(), detail.as_deref()))
            }
            Self::ObjectMoved => f.write_str("another version of the object was written meanwhile"),
            Self::CutOff { by } => by.fmt(f),
            Self::NoReport { error, exit_code: Some(code) } => write!(f, "{error} (exit code {code})"),
            Self::NoReport { error, exit_code: None } => error.fmt(f),
            Self::NoResult => f.write_str("SSM showed no result in time"),
            Self::NotFollowed => f.write_str("regcred may not read what came of the command"),
            Self::UnknownStatus { seen } => {
                write!(f, "SSM shows a status that regcred does not know: {seen}")
            }
        }
    }
}

impl Untold {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Unreachable { why } => why.remedy(),
            Self::NotSent { .. } => "see the failure of the call",
            Self::Declined { reason, .. } | Self::ObjectUnread { reason, .. } => {
                reason.as_ref().and_then(crate::script::Reason::remedy).unwrap_or(ASK_AGAIN)
            }
            Self::NotFollowed => "allow ssm:ListCommandInvocations to regcred's role",
            Self::NoReport { .. } => "bring the SSM document up to date from deploy/ssm/regcred-refresh.json",
            Self::UnknownStatus { .. } => "look at the command in SSM, and update regcred",
            Self::Busy | Self::ObjectMoved | Self::CutOff { .. } | Self::NoResult => ASK_AGAIN,
        }
    }
}
