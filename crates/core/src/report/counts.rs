//! Hosts, counted by how they ended.

use schemars::JsonSchema;
use serde::Serialize;

use crate::host::Unsupported;
use crate::rollout::{HostOutcome, HostReport};

/// How many hosts of a list ended in each of the ways that a reader counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HostCounts {
    pub current: usize,
    pub proven: usize,
    pub restarted: usize,
    pub unproven: usize,
    pub restored: usize,
    pub failed: usize,
    pub failed_before: usize,
    pub refused: usize,
    pub unreachable: usize,
    /// Of platforms that regcred cannot restart, and that may hold an older credential.
    pub unsupported: usize,
    /// Those that need no restart: their tasks read the secret itself.
    pub exempt: usize,
    pub superseded: usize,
    pub waiting: usize,
    pub joined: usize,
    pub gone: usize,
}

impl HostCounts {
    pub fn of<'a>(hosts: impl IntoIterator<Item = &'a HostReport>) -> Self {
        let mut counts = Self::default();
        for host in hosts {
            let count = match &host.outcome {
                HostOutcome::Current => &mut counts.current,
                HostOutcome::Proven { restarted } => {
                    counts.restarted += usize::from(*restarted);
                    &mut counts.proven
                }
                HostOutcome::Unproven { .. } => &mut counts.unproven,
                HostOutcome::Restored { .. } => &mut counts.restored,
                HostOutcome::Refused { .. } => &mut counts.refused,
                HostOutcome::Failed { .. } => &mut counts.failed,
                HostOutcome::Unsupported { why: Unsupported::ManagedInstance } => &mut counts.exempt,
                HostOutcome::Unsupported {
                    why:
                        Unsupported::Bottlerocket
                        | Unsupported::Windows
                        | Unsupported::MacOs
                        | Unsupported::StaleRegistration,
                } => &mut counts.unsupported,
                HostOutcome::Unreachable { .. } => &mut counts.unreachable,
                HostOutcome::FailedBefore { .. } => &mut counts.failed_before,
                HostOutcome::Superseded => &mut counts.superseded,
                HostOutcome::Waiting => &mut counts.waiting,
                HostOutcome::Joined => &mut counts.joined,
                HostOutcome::Gone => &mut counts.gone,
            };
            *count += 1;
        }
        counts
    }

    /// Hosts that surely hold an older credential, or none: they were put back, or never touched.
    pub fn old(&self) -> usize {
        self.restored + self.refused + self.failed_before + self.waiting
    }

    /// Hosts of which it is not known what they hold.
    pub fn unknown(&self) -> usize {
        self.unproven + self.failed + self.unreachable + self.superseded + self.joined
    }
}
