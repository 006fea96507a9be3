//! How carefully a fleet is restarted.

use std::num::NonZeroU8;
use std::time::Duration;

use crate::host::FailedHosts;

/// Most hosts of one `SendCommand` (`InstanceIds` takes no more, by SSM's service model).
pub const CHUNK: usize = 50;

/// Most attributes of one `PutAttributes`
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html>).
pub const ATTRIBUTES_PER_CALL: usize = 10;

/// Most instances of one `DescribeContainerInstances`.
pub const SAMPLES_PER_CALL: usize = 100;

/// How much longer than the command itself its result may take to show: SSM's answers are eventually consistent, and
/// an agent reports the end of a script with its next heartbeat.
pub const COMMAND_SLACK: Duration = Duration::from_mins(1);

/// How long a proven host may wait for its attribute. It is not about the host's safety: a host without the attribute
/// is asked once more by the next pass, and not restarted.
pub const RECORD_TIMEOUT: Duration = Duration::from_mins(2);

/// The limits of one fleet's rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub max_unavailable: MaxUnavailable,
    /// How many hosts, over the whole fleet, may end not proven while hosts are still sent to; one more stops it.
    pub max_errors: u32,
    /// How long to wait between two looks at a command.
    pub poll_interval: Duration,
    /// How far two samples of agentConnected=true have to be apart.
    pub settle_interval: Duration,
    /// How long a command may take, from the send to its end on the slowest host: what `TimeoutSeconds` and the
    /// document's own `timeoutSeconds` allow together.
    pub command_timeout: Duration,
    /// How long an agent may take to be seen connected twice. Shorter than two settle intervals proves nobody.
    pub settle_timeout: Duration,
    /// What to do about hosts on which this revision failed before.
    pub failed_hosts: FailedHosts,
}

/// How many hosts of one cluster may be unproven at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxUnavailable {
    Count(u32),
    /// Of the cluster's registered container instances, rounded down.
    Percent(NonZeroU8),
}

impl MaxUnavailable {
    /// The limit for a cluster of `registered` container instances: at least one, or nothing could ever be done.
    pub fn of(self, registered: usize) -> usize {
        let limit = match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Self::Percent(percent) => registered.saturating_mul(usize::from(percent.get())) / 100,
        };
        limit.max(1)
    }
}
