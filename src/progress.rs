//! What a pass tells while it runs. Telling is all: nothing is decided by it.

use regcred_core::fingerprint::Revision;
use regcred_core::host::HostId;
use regcred_core::names::{EcsConfigName, FleetName, LocationName, RegistryName};
use regcred_core::rollout::HostReport;

/// Something that just happened.
#[derive(Clone, Debug)]
pub(crate) enum Progress {
    /// Another process holds the lease; it is waited for.
    LeaseHeld {
        holder: String,
    },
    SecretStored {
        registry: RegistryName,
        location: LocationName,
        name: String,
    },
    ObjectStored {
        ecs_config: EcsConfigName,
        location: LocationName,
        revision: Revision,
    },
    /// A rollout over this many hosts begins.
    RolloutBegins {
        fleet: FleetName,
        hosts: usize,
    },
    Sending {
        fleet: FleetName,
        hosts: Vec<HostId>,
    },
    /// So many hosts joined the fleet meanwhile, and are to be restarted too.
    HostsJoined {
        fleet: FleetName,
        hosts: usize,
    },
    HostEnded {
        fleet: FleetName,
        host: HostReport,
    },
    RolloutEnded {
        fleet: FleetName,
    },
}

/// Where progress goes.
pub(crate) trait ProgressSink: Send + Sync + std::fmt::Debug {
    fn tell(&self, progress: Progress);
}
