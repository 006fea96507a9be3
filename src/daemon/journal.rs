//! What a pass tells while it runs, as lines of the log.

use crate::progress::{Progress, ProgressSink};

/// Logs progress. How each host ends is logged by the rollout itself.
#[derive(Debug)]
pub(super) struct Journal;

impl ProgressSink for Journal {
    fn tell(&self, progress: Progress) {
        match progress {
            Progress::LeaseHeld { holder } => tracing::info!(holder, "another regcred holds the lease"),
            Progress::SecretStored { registry, location, name } => {
                tracing::info!(%registry, %location, name, "the secret holds the new credential");
            }
            Progress::ObjectStored { ecs_config, location, revision } => {
                tracing::info!(%ecs_config, %location, revision = revision.short(), "the object is stored");
            }
            Progress::RolloutBegins { fleet, hosts } => tracing::info!(%fleet, hosts, "a rollout begins"),
            Progress::Sending { fleet, hosts } => {
                tracing::info!(%fleet, hosts = hosts.len(), "a command is sent");
            }
            Progress::HostsJoined { fleet, hosts } => tracing::info!(%fleet, hosts, "hosts joined meanwhile"),
            Progress::HostEnded { .. } => {}
            Progress::RolloutEnded { fleet } => tracing::info!(%fleet, "the rollout ended"),
        }
    }
}
