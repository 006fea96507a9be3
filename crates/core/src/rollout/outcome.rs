//! How a host, and a rollout, ended: data for the report.

use schemars::JsonSchema;
use serde::Serialize;

use crate::host::{ClusterName, ContainerInstanceArn, HostId, Unreachable, Unsupported};
use crate::invocation::CutOff;
use crate::script::{Reason, ReportError};
use crate::stop::StopReason;

/// How one host ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum HostOutcome {
    /// It had been proven before; nothing was sent.
    Current,
    /// Its live agent holds the revision and is connected.
    Proven {
        /// Whether that took a restart.
        restarted: bool,
    },
    /// The script ran, or may have, and what the agent holds is unknown. It may be down.
    Unproven { why: Unproven },
    /// The revision did not load. The old file is back and the agent runs on it.
    Restored { reason: Option<Reason>, detail: Option<String> },
    /// Untouched, since a restart would have done harm.
    Refused { reason: Option<Reason>, detail: Option<String> },
    /// It could not be done. It may be down.
    Failed { why: HostFailure },
    /// It can never be restarted this way; listed, and not counted.
    Unsupported { why: Unsupported },
    /// Nothing ran on it.
    Unreachable { why: Unreachable },
    /// This revision failed on it before and was not tried again.
    FailedBefore { detail: Option<String> },
    /// It loaded a version of the object that is not the planned one; the next pass decides.
    Superseded,
    /// Never sent to, because the rollout had stopped.
    Waiting,
    /// It joined when the rollout had ended, and does not hold the revision; the next pass restarts it.
    Joined,
    /// It left the cluster; not counted.
    Gone,
}

/// Why a host is unproven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Unproven {
    /// The answer to the send was lost: whether the command runs is unknown.
    SendLost,
    /// The command did not end in time.
    NoResult,
    /// The command was sent, and its results may not be read.
    NotFollowed,
    /// The script was cut off.
    CutOff { by: CutOff },
    /// The script restarted the agent, which had not registered when it stopped waiting.
    SlowRegistration { reason: Option<Reason>, detail: Option<String> },
    /// The script says loaded, and the agent was not seen connected twice in time.
    NotConnected,
    /// The script says loaded, and names another container instance than the one in the cluster.
    ArnChanged,
    /// The script says loaded, and does not name what.
    VersionMissing,
    /// Another run is at work on this host.
    Busy,
}

/// Why a host failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum HostFailure {
    /// The script says so.
    Reported { reason: Option<Reason>, detail: Option<String> },
    /// The script ended and its report could not be read.
    NoReport { error: ReportError, exit_code: Option<i32> },
    /// SSM answered with a status that this version does not know.
    UnknownStatus { seen: String },
}

/// What an outcome teaches about its host, for its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lesson {
    /// Nothing, or not enough to be written down.
    Nothing,
    /// Its agent holds the revision.
    Proven,
    /// Its agent did not take the revision.
    RevisionFailed,
    /// It was not proven, whatever the revision.
    Unproven,
}

/// How much an outcome weighs in the rules of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight {
    /// It counts towards `max_errors`.
    pub(super) error: bool,
    /// It still counts towards `max_unavailable` of its cluster.
    pub(super) unavailable: bool,
    /// The script ran, or may have: as the first host of a rollout it halts it.
    pub(super) ran: bool,
}

impl HostOutcome {
    /// The rules, in one place.
    ///
    /// * `Restored`, `Refused` and everything on which nothing ran leave an agent that runs as before: errors, yet not
    ///   unavailable.
    /// * `Busy` is unproven: the other run may be restarting this agent right now, and two runs at once mean that
    ///   something is wrong with the lease.
    /// * `FailedBefore` is no error, be it told by the attribute before sending or by the host itself: nothing was
    ///   touched, and its failure was counted in the rollout that it happened in.
    /// * `Superseded` is no error, but its agent has just been restarted into something that was not planned.
    /// * `Gone` counts for nothing.
    pub(super) fn weight(&self) -> Weight {
        let weight = |error, unavailable, ran| Weight { error, unavailable, ran };
        match self {
            Self::Unproven { .. } | Self::Failed { .. } => weight(true, true, true),
            Self::Restored { .. } | Self::Refused { .. } => weight(true, false, true),
            Self::Unreachable { why: Unreachable::NothingRan(_) } => weight(true, false, false),
            Self::Superseded => weight(false, true, true),
            Self::Current
            | Self::Proven { .. }
            | Self::Unsupported { .. }
            | Self::Unreachable { why: Unreachable::NotOnline(_) | Unreachable::NotActive(_) }
            | Self::FailedBefore { .. }
            | Self::Waiting
            | Self::Joined
            | Self::Gone => weight(false, false, false),
        }
    }

    /// What the outcome teaches, if the script saw the planned version of the object.
    ///
    /// What lies with SSM, with the other run, or with every host alike says nothing of this one.
    pub(super) fn lesson(&self) -> Lesson {
        match self {
            Self::Proven { .. } => Lesson::Proven,
            Self::Restored { .. } | Self::FailedBefore { .. } => Lesson::RevisionFailed,
            Self::Failed { why: HostFailure::Reported { reason: Some(reason), .. } }
                if reason.is_verdict_on_the_value() =>
            {
                Lesson::RevisionFailed
            }
            Self::Refused { .. } | Self::Failed { .. } => Lesson::Unproven,
            Self::Unproven { why } => match why {
                Unproven::NoResult
                | Unproven::CutOff { .. }
                | Unproven::SlowRegistration { .. }
                | Unproven::NotConnected => Lesson::Unproven,
                Unproven::SendLost
                | Unproven::NotFollowed
                | Unproven::ArnChanged
                | Unproven::VersionMissing
                | Unproven::Busy => Lesson::Nothing,
            },
            Self::Current
            | Self::Unsupported { .. }
            | Self::Unreachable { .. }
            | Self::Superseded
            | Self::Waiting
            | Self::Joined
            | Self::Gone => Lesson::Nothing,
        }
    }

    /// Whether the host needs nothing more: proven, or beyond what regcred can and has to reach.
    pub fn is_settled(&self) -> bool {
        match self {
            Self::Current | Self::Proven { .. } | Self::Unsupported { .. } | Self::Gone => true,
            Self::Unproven { .. }
            | Self::Restored { .. }
            | Self::Refused { .. }
            | Self::Failed { .. }
            | Self::Unreachable { .. }
            | Self::FailedBefore { .. }
            | Self::Superseded
            | Self::Waiting
            | Self::Joined => false,
        }
    }
}

/// Whether what was learnt of a host stands in its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Recorded {
    /// There was nothing to record.
    Nothing,
    Yes,
    /// It could not be; the next pass will ask this host once more, and not restart it if it was proven.
    No,
}

/// One line of a rollout's report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HostReport {
    pub host: HostId,
    /// Its cluster, unless its fleet is told by tags or ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// Its container instance, unless its fleet is told by tags or ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_instance_arn: Option<ContainerInstanceArn>,
    #[serde(flatten)]
    pub outcome: HostOutcome,
    pub recorded: Recorded,
}

/// How a rollout ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "ending", rename_all = "snake_case")]
pub enum Ending {
    /// Every host that can be reached this way is proven and recorded.
    Converged,
    /// Every host that could be sent to was, and not all are proven and recorded.
    PartlyReached,
    /// It stopped itself; hosts were left waiting.
    Halted { why: Halt },
    /// A host loaded another version of the object than was planned. Nothing more is sent; the next pass, which sees
    /// the newer object, decides.
    Superseded,
    /// It was made to stop, for a reason outside it; hosts were left waiting, or on their way. The next pass goes on.
    Stopped { why: StopReason },
}

/// Why a rollout stopped itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Halt {
    /// The script ran on the first host, and it was not proven.
    FirstHost { host: HostId, left: Left },
    /// More hosts than `max_errors` ended not proven.
    Errors { errors: usize, max_errors: u32 },
    /// More hosts of all fleets together than `rollout.max_errors` ended not proven.
    ErrorsTogether { errors: usize, max_errors: u32 },
    /// The command was refused for a reason that every other host would meet too.
    SendRefused { refusal: Refusal },
    /// The hosts that ended unproven use up `max_unavailable` of these clusters; of none, where the fleet is told by tags
    /// or ids, and is one group.
    Unavailable { clusters: Vec<ClusterName> },
}

/// Which hosts a halted rollout left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Left {
    /// Some of which nothing bad is known.
    Healthy,
    /// None but such as had failed before: the first host was one of them.
    FailedBefore,
}

/// Why a command was refused, so that surely nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", content = "code", rename_all = "snake_case")]
pub enum Refusal {
    /// At least one of the hosts is no managed node (`InvalidInstanceId`); SSM does not say which.
    InvalidInstance,
    /// Throttled until the sender gave up.
    Throttled,
    AccessDenied,
    /// The document does not exist, or does not take these parameters.
    Document,
    /// The document is not the one that regcred carries, so that SSM was not even asked.
    ForeignDocument,
    /// What is recorded of the hosts could not be taken back, so that SSM was not even asked.
    Unrecorded,
    /// Another error, by its code.
    Other(String),
}
