//! What holds what now, before anything is done about it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Failure, Ground, HostCounts, Revocation, VERSION, Verdict};
use crate::fingerprint::Revision;
use crate::host::{ClusterName, Host, HostId, PENDING_REVISION};
use crate::lease::Holder;
use crate::names::{FleetName, LocationName};
use crate::pause::Pause;
use crate::plan::{ObjectStep, Plan, RegistryPlan, SecretStep};
use crate::rollout::HostReport;

/// What holds what now, as `status` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Status {
    pub version: u32,
    pub registries: Vec<RegistryPlan>,
    pub secrets: Vec<SecretStep>,
    pub objects: Vec<ObjectStep>,
    pub fleets: Vec<FleetStatus>,
    pub revocation: Revocation,
    pub lease: LeaseSight,
    /// A person wants that nothing is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Pause>,
    pub verdict: Verdict,
}

/// Who writes now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "lease", rename_all = "snake_case")]
pub enum LeaseSight {
    Free,
    /// It is at work, or was when it last renewed the lease.
    Held {
        holder: Holder,
    },
    Unknown {
        failure: Failure,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FleetStatus {
    pub fleet: FleetName,
    pub location: LocationName,
    #[serde(flatten)]
    pub sight: FleetSight,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "sight", rename_all = "snake_case")]
pub enum FleetSight {
    /// Every host of it, as it stands to what is published now; one that has to be restarted is `waiting`.
    Seen {
        revision: Revision,
        hosts: Vec<HostReport>,
        /// What the hosts are recorded to hold, by revision.
        holdings: Vec<Holding>,
        /// Clusters without a container instance: tasks there run on Fargate, or there are none.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        empty: Vec<ClusterName>,
        /// Clusters or hosts that could not be looked at.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        unseen: Vec<Failure>,
    },
    /// There is no readable ecs.config that its hosts could be held against.
    NoObject,
    Failed {
        failure: Failure,
    },
}

/// Hosts that were proven to hold the same revision, and not been sent to since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Holding {
    /// `None` where no proof is on record: of a host that is new, was never reached, or was being restarted when a pass
    /// ended.
    pub revision: Option<Revision>,
    pub hosts: Vec<HostId>,
}

impl Holding {
    /// The hosts of a fleet, by what they are recorded to hold. The unproven come last.
    pub fn of<'a>(hosts: impl IntoIterator<Item = &'a Host>) -> Vec<Self> {
        let mut by_revision: BTreeMap<(bool, Option<&Revision>), Vec<HostId>> = BTreeMap::new();
        for host in hosts {
            let recorded =
                host.attributes.recorded.as_ref().filter(|recorded| recorded.as_str() != PENDING_REVISION);
            by_revision.entry((recorded.is_none(), recorded)).or_default().push(host.id.clone());
        }
        let holding = |((_, revision), hosts): ((bool, Option<&Revision>), Vec<HostId>)| Self {
            revision: revision.cloned(),
            hosts,
        };
        by_revision.into_iter().map(holding).collect()
    }
}

impl FleetStatus {
    pub fn hosts(&self) -> &[HostReport] {
        match &self.sight {
            FleetSight::Seen { hosts, .. } => hosts,
            FleetSight::NoObject | FleetSight::Failed { .. } => &[],
        }
    }
}

impl Status {
    /// Adds up what was seen. `plan` is what a pass would store now.
    pub fn new(
        registries: Vec<RegistryPlan>,
        secrets: Vec<SecretStep>,
        objects: Vec<ObjectStep>,
        fleets: Vec<FleetStatus>,
        lease: LeaseSight,
        ground: Ground,
    ) -> Self {
        let stores = Plan::new(registries, secrets, objects, Vec::new());
        let stale = stores.stale_places();
        let unseen = |fleet: &FleetStatus| match &fleet.sight {
            FleetSight::Seen { unseen, .. } => unseen.len(),
            FleetSight::NoObject | FleetSight::Failed { .. } => 1,
        };
        let has_failed = |fleet: &FleetStatus| match &fleet.sight {
            FleetSight::Seen { unseen, .. } => !unseen.is_empty(),
            FleetSight::NoObject => false,
            FleetSight::Failed { .. } => true,
        };
        let fleets_failed = fleets.iter().any(has_failed);
        let unseen: usize = fleets.iter().map(unseen).sum();
        let counts = HostCounts::of(fleets.iter().flat_map(FleetStatus::hosts));
        // A host without the record may hold anything: it was never asked, or was being restarted when a pass died.
        let (old, unknown) = (counts.old() - counts.waiting, counts.unknown() + counts.waiting);
        let revocation =
            Revocation::new((old, unknown, counts.unsupported), stale + unseen, &stores.registries, ground);
        let hosts = if old + unknown == 0 { Verdict::Converged } else { Verdict::Drift };
        let failed = if fleets_failed { Verdict::Partial } else { Verdict::Converged };
        let drift = if unseen > 0 { Verdict::Drift } else { Verdict::Converged };
        let verdict = stores.verdict().worse(hosts).worse(failed).worse(drift);
        let Plan {
            version: _,
            registries,
            secrets,
            objects,
            fleets: _,
            estimate: _,
            paused: _,
            max_errors_together: _,
        } = stores;
        let paused = None;
        Self { version: VERSION, registries, secrets, objects, fleets, revocation, lease, paused, verdict }
    }
}
