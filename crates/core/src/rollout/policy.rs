//! How carefully a fleet is restarted.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::host::FailedHosts;
use crate::script;

/// Most hosts of one `SendCommand` (`InstanceIds` takes no more, by SSM's service model).
pub const CHUNK: usize = 50;

/// Most attributes of one `PutAttributes`
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html>).
pub const ATTRIBUTES_PER_CALL: usize = 10;

/// Most instances of one `DescribeContainerInstances`.
pub const SAMPLES_PER_CALL: usize = 100;

/// How much longer than SSM's own time-outs a result may take to show: `ListCommandInvocations` is eventually
/// consistent, and an SSM agent may have to reconnect before it can report the end of a script.
pub const COMMAND_SLACK: Duration = Duration::from_mins(1);

/// How long a proven host may wait for its attribute. It is not about the host's safety: a host without the attribute
/// is asked once more by the next pass, and not restarted.
pub const RECORD_TIMEOUT: Duration = Duration::from_mins(2);

/// How long what is to be noted of hosts outside ECS's view may wait for that of others, while such are in flight: each
/// write of the record holds all of them, and hosts of one command end within seconds of each other. Well below
/// [`RECORD_TIMEOUT`].
pub(super) const GATHERING: Duration = Duration::from_secs(30);

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
    /// How long hosts may take to start the script: `SendCommand`'s `TimeoutSeconds`. SSM gives a host up when this and
    /// the script's own [`crate::script::TIMEOUT`] are over, so its result is awaited for both and [`COMMAND_SLACK`].
    pub command_timeout: Duration,
    /// How long an agent may take to be seen connected twice. Shorter than two settle intervals proves nobody.
    pub settle_timeout: Duration,
    /// What to do about hosts on which this revision failed before.
    pub failed_hosts: FailedHosts,
}

/// How many hosts of one cluster, or of a fleet outside ECS's view, may be unproven at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MaxUnavailable {
    Count(u32),
    /// From 1 to 100, of the cluster's registered container instances, or of such a fleet's hosts; rounded down.
    Percent(u8),
}

impl MaxUnavailable {
    /// The limit for a cluster of `registered` container instances: at least one, or nothing could ever be done.
    pub fn of(self, registered: usize) -> usize {
        let limit = match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Self::Percent(percent) => registered.saturating_mul(usize::from(percent)) / 100,
        };
        limit.max(1)
    }
}

impl Policy {
    /// How long after the send a host's result is awaited.
    pub(super) fn result_timeout(&self) -> Duration {
        self.command_timeout.saturating_add(script::TIMEOUT).saturating_add(COMMAND_SLACK)
    }

    /// Whether so many hosts that ended not proven are more than may be.
    pub(super) fn is_exceeded(&self, errors: usize) -> bool {
        u32::try_from(errors).map_or(true, |errors| errors > self.max_errors)
    }

    /// How many more hosts may end not proven.
    pub(super) fn errors_left(&self, errors: usize) -> u32 {
        u32::try_from(errors).map_or(0, |errors| self.max_errors.saturating_sub(errors))
    }
}
