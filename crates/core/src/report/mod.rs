//! What happened in a pass, per item and overall.
//!
//! Values only: printing and exiting is the binary's. Nothing here holds a secret.

mod counts;
mod failure;
mod status;
mod verdict;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

pub use counts::HostCounts;
pub use failure::{Failure, FailureKind};
pub use status::{FleetSight, FleetStatus, Holding, LeaseSight, Status};
pub use verdict::Verdict;

use crate::fingerprint::Revision;
use crate::names::{EcsConfigName, FleetName, LocationName, RegistryName};
use crate::pause::Pause;
use crate::plan::{HeldEntry, Hold, RegistryPlan};
use crate::replica::Replica;
use crate::rollout::{Ending, HostOutcome, HostReport};
use crate::stop::StopReason;

/// The version of the serialised form.
pub const VERSION: u32 = 1;

/// Everything that one pass did.
#[must_use = "a report that nobody reads is a failure that nobody sees"]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Report {
    pub version: u32,
    pub registries: Vec<RegistryPlan>,
    pub secrets: Vec<SecretReport>,
    pub objects: Vec<ObjectReport>,
    pub fleets: Vec<FleetReport>,
    pub revocation: Revocation,
    /// A person wanted that nothing is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Pause>,
    pub verdict: Verdict,
}

/// What became of one secret or object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It held what it should; nothing was written.
    Unchanged,
    /// It was not there, and was made.
    Created,
    /// It holds what it should now.
    Replaced,
    /// It held what it should; copies of it in other Regions were asked for.
    Replicated,
    /// Another writer came first; the next pass decides again.
    Superseded,
    /// What is published stays.
    Held {
        why: Hold,
    },
    Failed {
        failure: Failure,
    },
}

impl Outcome {
    /// Whether it holds what it should.
    pub fn is_right(&self) -> bool {
        match self {
            Self::Unchanged | Self::Created | Self::Replaced | Self::Replicated => true,
            Self::Superseded | Self::Held { .. } | Self::Failed { .. } => false,
        }
    }

    /// What it makes of the pass, where it is not right.
    fn wrong(&self) -> Option<Verdict> {
        match self {
            Self::Unchanged | Self::Created | Self::Replaced | Self::Replicated => None,
            Self::Held { why } => Some(why.verdict()),
            Self::Superseded | Self::Failed { .. } => Some(Verdict::Partial),
        }
    }

    /// Whether something was written.
    pub fn is_write(&self) -> bool {
        match self {
            Self::Created | Self::Replaced | Self::Replicated => true,
            Self::Unchanged | Self::Superseded | Self::Held { .. } | Self::Failed { .. } => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SecretReport {
    pub location: LocationName,
    pub name: String,
    pub registry: RegistryName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// Copies in other Regions that it should have, as they were seen last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<Replica>,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ObjectReport {
    pub ecs_config: EcsConfigName,
    pub location: LocationName,
    pub bucket: String,
    pub key: String,
    /// What hosts have to load of it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// The version id of the object now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_version: Option<String>,
    #[serde(flatten)]
    pub outcome: Outcome,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<String>,
    /// What else a person may want to know of the edit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FleetReport {
    pub fleet: FleetName,
    pub location: LocationName,
    /// When its maintenance window opens, where that is closed and holds hosts back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens: Option<DateTime<Utc>>,
    #[serde(flatten)]
    pub outcome: FleetOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum FleetOutcome {
    /// Every host of it was proven before.
    Current {
        revision: Revision,
    },
    /// Hosts were to be restarted, and this is how each ended.
    RolledOut {
        revision: Revision,
        #[serde(flatten)]
        ending: Ending,
        hosts: Vec<HostReport>,
        /// Clusters or hosts that could not be looked at.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        unseen: Vec<Failure>,
        /// Calls that failed on the way.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        failures: Vec<Failure>,
    },
    /// What it depends on failed; no host was touched.
    Held {
        why: Hold,
    },
    /// A fleet that comes before it did not end well, for this reason; no host was touched.
    HeldAfter {
        #[serde(rename = "earlier")]
        fleet: FleetName,
        why: Hold,
    },
    Failed {
        failure: Failure,
    },
}

impl FleetOutcome {
    /// Why fleets that come after it are left alone; `None` where it ended well.
    ///
    /// Hosts that could not be reached, or failed within `max_errors`, are what the operator allowed: they keep nobody
    /// waiting. Hosts that were left are not.
    pub fn hold(&self) -> Option<Hold> {
        match self {
            Self::Current { .. } => None,
            Self::RolledOut { ending, .. } => match ending {
                Ending::Converged | Ending::PartlyReached => None,
                Ending::Halted { .. } => Some(Hold::RolloutHalted),
                Ending::Superseded => Some(Hold::Superseded),
                Ending::Stopped { why } => Some((*why).into()),
            },
            Self::Held { why } | Self::HeldAfter { fleet: _, why } => Some(*why),
            Self::Failed { .. } => Some(Hold::RolloutFailed),
        }
    }
}

/// Whether the credentials that were published before may be revoked at the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Revocation {
    /// Everything that the configuration names is known to hold what is published now.
    pub safe: bool,
    /// Hosts that surely hold an older credential, or none.
    pub old: usize,
    /// Hosts of which it is not known.
    pub unknown: usize,
    /// Hosts of platforms that regcred cannot look into.
    pub unsupported: usize,
    /// Secrets, objects and fleets that could not be brought up to date or looked at.
    pub places: usize,
    /// Objects that no fleet loads, so that nobody knows which hosts do.
    pub unwatched: usize,
    /// Credentials that are published although their registry could not be asked (`verify.unreachable: publish`) and has not
    /// accepted them since: whether they work is not known.
    pub untried: usize,
    pub coverage: Coverage,
}

/// How much of the configuration a pass was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    Whole,
    /// Something was named on the command line, and the rest was not looked at.
    Part,
}

/// What the configuration leaves open, whatever a pass sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ground {
    pub coverage: Coverage,
    /// Objects in scope that no fleet loads.
    pub unwatched: usize,
}

impl Revocation {
    /// `places` are those that could not be brought up to date or looked at.
    fn new(
        (old, unknown, unsupported): (usize, usize, usize),
        places: usize,
        registries: &[RegistryPlan],
        ground: Ground,
    ) -> Self {
        let Ground { coverage, unwatched } = ground;
        let untried = registries.iter().filter(|registry| registry.login.is_published_untried()).count();
        let open = old + unknown + unsupported + places + unwatched + untried;
        let safe = open == 0 && coverage == Coverage::Whole;
        Self { safe, old, unknown, unsupported, places, unwatched, untried, coverage }
    }
}

impl Report {
    /// Adds up what a pass did.
    pub fn new(
        registries: Vec<RegistryPlan>,
        secrets: Vec<SecretReport>,
        objects: Vec<ObjectReport>,
        fleets: Vec<FleetReport>,
        ground: Ground,
    ) -> Self {
        let counts = HostCounts::of(fleets.iter().flat_map(FleetReport::hosts));
        let secrets_wrong = secrets.iter().filter_map(SecretReport::wrong);
        let wrong: Vec<Verdict> =
            secrets_wrong.chain(objects.iter().filter_map(ObjectReport::wrong)).collect();
        let places = wrong.len() + fleets.iter().map(FleetReport::unseen).sum::<usize>();
        let hosts = (counts.old(), counts.unknown(), counts.unsupported);
        let revocation = Revocation::new(hosts, places, &registries, ground);
        let held = registries.iter().any(|registry| registry.failure().is_some());
        let stores = if held { Verdict::Partial } else { Verdict::Converged };
        let stores = wrong.into_iter().fold(stores, Verdict::worse);
        let verdict = fleets.iter().map(FleetReport::verdict).fold(stores, Verdict::worse);
        let paused = None;
        Self { version: VERSION, registries, secrets, objects, fleets, revocation, paused, verdict }
    }

    /// Whether something was left undone since the lease was lost.
    pub fn has_lost_lease(&self) -> bool {
        let held = |outcome: &Outcome| *outcome == Outcome::Held { why: Hold::LeaseLost };
        self.secrets.iter().any(|each| held(&each.outcome))
            || self
                .objects
                .iter()
                .any(|each| held(&each.outcome) || each.held.iter().any(|entry| entry.why == Hold::LeaseLost))
            || self.fleets.iter().any(|each| match &each.outcome {
                FleetOutcome::Held { why } => *why == Hold::LeaseLost,
                FleetOutcome::RolledOut { ending, .. } => {
                    *ending == Ending::Stopped { why: StopReason::LeaseLost }
                }
                FleetOutcome::Current { .. }
                | FleetOutcome::HeldAfter { .. }
                | FleetOutcome::Failed { .. } => false,
            })
    }

    /// Whether the pass changed nothing: it wrote no secret, no object and no record, and restarted nobody. A write that
    /// failed or was overtaken may have left something.
    pub fn is_idle(&self) -> bool {
        let touched = |outcome: &Outcome| match outcome {
            Outcome::Unchanged | Outcome::Held { .. } => false,
            Outcome::Created
            | Outcome::Replaced
            | Outcome::Replicated
            | Outcome::Superseded
            | Outcome::Failed { .. } => true,
        };
        !self.secrets.iter().any(|each| touched(&each.outcome))
            && !self.objects.iter().any(|each| touched(&each.outcome))
            && self.fleets.iter().flat_map(FleetReport::hosts).all(|host| match host.outcome {
                HostOutcome::Current
                | HostOutcome::Unsupported { .. }
                | HostOutcome::Unreachable { .. }
                | HostOutcome::FailedBefore { .. }
                | HostOutcome::Waiting
                | HostOutcome::Joined
                | HostOutcome::Gone => true,
                HostOutcome::Proven { .. }
                | HostOutcome::Unproven { .. }
                | HostOutcome::Restored { .. }
                | HostOutcome::Refused { .. }
                | HostOutcome::Failed { .. }
                | HostOutcome::Superseded => false,
            })
    }
}

impl SecretReport {
    /// Whether it, and each copy of it, holds the credential that was read.
    pub fn is_right(&self) -> bool {
        self.wrong().is_none()
    }

    fn wrong(&self) -> Option<Verdict> {
        let copies = self.replicas.iter().all(Replica::is_right);
        self.outcome.wrong().or((!copies).then_some(Verdict::Partial))
    }
}

impl ObjectReport {
    /// Whether it gives every one of its registries the credential that was read.
    pub fn is_right(&self) -> bool {
        self.wrong().is_none()
    }

    fn wrong(&self) -> Option<Verdict> {
        let held = self.held.iter().map(|entry| entry.why).filter(|why| *why != Hold::OutOfScope);
        held.map(Hold::verdict).chain(self.outcome.wrong()).reduce(Verdict::worse)
    }
}

impl FleetReport {
    /// Whether its maintenance window held hosts back.
    pub fn is_held_by_window(&self) -> bool {
        match &self.outcome {
            FleetOutcome::Held { why } => *why == Hold::WindowClosed,
            FleetOutcome::RolledOut { ending, .. } => {
                *ending == Ending::Stopped { why: StopReason::WindowClosed }
            }
            FleetOutcome::Current { .. } | FleetOutcome::HeldAfter { .. } | FleetOutcome::Failed { .. } => {
                false
            }
        }
    }

    pub fn hosts(&self) -> &[HostReport] {
        match &self.outcome {
            FleetOutcome::RolledOut { hosts, .. } => hosts,
            FleetOutcome::Current { .. }
            | FleetOutcome::Held { .. }
            | FleetOutcome::HeldAfter { .. }
            | FleetOutcome::Failed { .. } => &[],
        }
    }

    /// How much of it could not be looked at.
    fn unseen(&self) -> usize {
        match &self.outcome {
            FleetOutcome::Current { .. } => 0,
            FleetOutcome::RolledOut { unseen, .. } => unseen.len(),
            FleetOutcome::Held { .. } | FleetOutcome::HeldAfter { .. } | FleetOutcome::Failed { .. } => 1,
        }
    }

    fn verdict(&self) -> Verdict {
        match &self.outcome {
            FleetOutcome::Current { .. } => Verdict::Converged,
            FleetOutcome::Held { why } | FleetOutcome::HeldAfter { fleet: _, why } => why.verdict(),
            FleetOutcome::Failed { .. } => Verdict::Partial,
            FleetOutcome::RolledOut { ending, unseen, .. } => match ending {
                Ending::Converged if unseen.is_empty() => Verdict::Converged,
                Ending::Converged | Ending::PartlyReached | Ending::Superseded => Verdict::Partial,
                Ending::Halted { .. } => Verdict::Halted,
                Ending::Stopped { why } => Hold::from(*why).verdict(),
            },
        }
    }
}
