//! What happened in a pass, per item and overall.
//!
//! Values only: printing and exiting is the binary's. Nothing here holds a secret.

use serde::Serialize;

use crate::fingerprint::Revision;
use crate::names::{EcsConfigName, FleetName, LocationName, RegistryName};
use crate::plan::{HeldEntry, Hold, ObjectStep, Plan, RegistryPlan, SecretStep};
use crate::rollout::{Ending, HostOutcome, HostReport};

/// The version of the serialised form.
pub const VERSION: u32 = 1;

/// Everything that one pass did.
#[must_use = "a report that nobody reads is a failure that nobody sees"]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub version: u32,
    pub registries: Vec<RegistryPlan>,
    pub secrets: Vec<SecretReport>,
    pub objects: Vec<ObjectReport>,
    pub fleets: Vec<FleetReport>,
    pub revocation: Revocation,
    pub verdict: Verdict,
}

/// What became of one secret or object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It held what it should; nothing was written.
    Unchanged,
    /// It was not there, and was made.
    Created,
    /// It holds what it should now.
    Replaced,
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
            Self::Unchanged | Self::Created | Self::Replaced => true,
            Self::Superseded | Self::Held { .. } | Self::Failed { .. } => false,
        }
    }

    /// Whether something was written.
    pub fn is_write(&self) -> bool {
        match self {
            Self::Created | Self::Replaced => true,
            Self::Unchanged | Self::Superseded | Self::Held { .. } | Self::Failed { .. } => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretReport {
    pub location: LocationName,
    pub name: String,
    pub registry: RegistryName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FleetReport {
    pub fleet: FleetName,
    pub location: LocationName,
    #[serde(flatten)]
    pub outcome: FleetOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    Failed {
        failure: Failure,
    },
}

/// Whether the credentials that were published before may be revoked at the registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Revocation {
    /// Every secret, object and host that counts is known to hold what is published now.
    pub safe: bool,
    /// Hosts that surely hold an older credential, or none.
    pub old: usize,
    /// Hosts of which it is not known.
    pub unknown: usize,
    /// Secrets, objects and fleets that could not be brought up to date or looked at.
    pub places: usize,
}

/// How many hosts of a list ended in each of the ways that a reader counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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
    pub unsupported: usize,
    pub superseded: usize,
    pub waiting: usize,
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
                HostOutcome::Unsupported { .. } => &mut counts.unsupported,
                HostOutcome::Unreachable { .. } => &mut counts.unreachable,
                HostOutcome::FailedBefore { .. } => &mut counts.failed_before,
                HostOutcome::Superseded => &mut counts.superseded,
                HostOutcome::Waiting => &mut counts.waiting,
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
        self.unproven + self.failed + self.unreachable + self.superseded
    }
}

impl Report {
    /// Adds up what a pass did.
    pub fn new(
        registries: Vec<RegistryPlan>,
        secrets: Vec<SecretReport>,
        objects: Vec<ObjectReport>,
        fleets: Vec<FleetReport>,
    ) -> Self {
        let counts = HostCounts::of(fleets.iter().flat_map(FleetReport::hosts));
        let places = secrets.iter().filter(|each| !each.outcome.is_right()).count()
            + objects.iter().filter(|each| !each.is_right()).count()
            + fleets.iter().map(FleetReport::unseen).sum::<usize>();
        let (old, unknown) = (counts.old(), counts.unknown());
        let revocation = Revocation { safe: old + unknown + places == 0, old, unknown, places };
        let unread = registries.iter().any(RegistryPlan::is_unreadable);
        let stores = if unread || places > 0 { Verdict::Partial } else { Verdict::Converged };
        let verdict = fleets.iter().map(FleetReport::verdict).fold(stores, Verdict::worse);
        Self { version: VERSION, registries, secrets, objects, fleets, revocation, verdict }
    }

    /// Whether the pass wrote no secret and no object, and restarted nobody.
    pub fn is_idle(&self) -> bool {
        !self.secrets.iter().any(|each| each.outcome.is_write())
            && !self.objects.iter().any(|each| each.outcome.is_write())
            && self.fleets.iter().flat_map(FleetReport::hosts).all(|host| match host.outcome {
                HostOutcome::Current
                | HostOutcome::Proven { restarted: false }
                | HostOutcome::Unsupported { .. }
                | HostOutcome::Unreachable { .. }
                | HostOutcome::FailedBefore { .. }
                | HostOutcome::Waiting
                | HostOutcome::Gone => true,
                HostOutcome::Proven { restarted: true }
                | HostOutcome::Unproven { .. }
                | HostOutcome::Restored { .. }
                | HostOutcome::Refused { .. }
                | HostOutcome::Failed { .. }
                | HostOutcome::Superseded => false,
            })
    }
}

impl ObjectReport {
    /// Whether it gives every one of its registries the credential that was read.
    pub fn is_right(&self) -> bool {
        self.outcome.is_right() && self.held.iter().all(|entry| entry.why == Hold::OutOfScope)
    }
}

impl FleetReport {
    pub fn hosts(&self) -> &[HostReport] {
        match &self.outcome {
            FleetOutcome::RolledOut { hosts, .. } => hosts,
            FleetOutcome::Current { .. } | FleetOutcome::Held { .. } | FleetOutcome::Failed { .. } => &[],
        }
    }

    /// How much of it could not be looked at.
    fn unseen(&self) -> usize {
        match &self.outcome {
            FleetOutcome::Current { .. } => 0,
            FleetOutcome::RolledOut { unseen, .. } => unseen.len(),
            FleetOutcome::Held { .. } | FleetOutcome::Failed { .. } => 1,
        }
    }

    fn verdict(&self) -> Verdict {
        match &self.outcome {
            FleetOutcome::Current { .. } => Verdict::Converged,
            FleetOutcome::Held { .. } | FleetOutcome::Failed { .. } => Verdict::Partial,
            FleetOutcome::RolledOut { ending, unseen, .. } => match ending {
                Ending::Converged if unseen.is_empty() => Verdict::Converged,
                Ending::Converged | Ending::PartlyReached | Ending::Superseded => Verdict::Partial,
                Ending::Halted { .. } => Verdict::Halted,
            },
        }
    }
}

/// What holds what now, as `status` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    pub version: u32,
    pub registries: Vec<RegistryPlan>,
    pub secrets: Vec<SecretStep>,
    pub objects: Vec<ObjectStep>,
    pub fleets: Vec<FleetStatus>,
    pub revocation: Revocation,
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FleetStatus {
    pub fleet: FleetName,
    pub location: LocationName,
    #[serde(flatten)]
    pub sight: FleetSight,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "sight", rename_all = "snake_case")]
pub enum FleetSight {
    /// Every host of it, as it stands to what is published now; one that has to be restarted is `waiting`.
    Seen {
        revision: Revision,
        hosts: Vec<HostReport>,
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
        let (old, unknown, places) = (counts.old(), counts.unknown(), stale + unseen);
        let revocation = Revocation { safe: old + unknown + places == 0, old, unknown, places };
        let hosts = if old + unknown == 0 { Verdict::Converged } else { Verdict::Drift };
        let failed = if fleets_failed { Verdict::Partial } else { Verdict::Converged };
        let drift = if unseen > 0 { Verdict::Drift } else { Verdict::Converged };
        let verdict = stores.verdict().worse(hosts).worse(failed).worse(drift);
        let Plan { version: _, registries, secrets, objects, fleets: _, estimate: _ } = stores;
        Self { version: VERSION, registries, secrets, objects, fleets, revocation, verdict }
    }
}

/// What went wrong with one item, as the three lines that a person sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    pub kind: FailureKind,
    /// What could not be done to which resource: a lowercase fragment that follows "error: ".
    pub what: String,
    /// Why: follows "because: ".
    pub why: String,
    /// What the reader can do about it: follows "to do: ".
    pub remedy: String,
}

/// The kinds of failure, for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A credential source could not be read, or what it holds is no credential.
    Source,
    /// AWS refused: a permission is missing.
    AccessDenied,
    /// A resource that has to exist does not.
    Missing,
    /// regcred will not do this, because it would do harm or is not its own to do.
    Refused,
    /// AWS throttled all tries.
    Throttled,
    /// No answer, or the service failed.
    Unreachable,
    /// AWS called the request wrong.
    Invalid,
    /// Something that should not be possible.
    Internal,
}

impl Failure {
    pub fn new(
        kind: FailureKind,
        what: impl Into<String>,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { kind, what: what.into(), why: why.into(), remedy: remedy.into() }
    }
}

/// The documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// 0: everything holds what it should.
    Converged,
    /// 1: regcred itself failed.
    Internal,
    /// 2: wrong usage, or a config that is not valid.
    Usage,
    /// 3: `plan` or `status` found something to do.
    Drift,
    /// 4: something failed, or not every host was reached.
    Partial,
    /// 5: a rollout was halted.
    Halted,
    /// 6: another process holds the lease.
    Leased,
}

impl Verdict {
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Converged => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Drift => 3,
            Self::Partial => 4,
            Self::Halted => 5,
            Self::Leased => 6,
        }
    }

    /// Of several verdicts, the one to exit with: the first of 1, 2, 6, 5, 4, 3.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if self.rank() <= other.rank() { self } else { other }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Internal => 0,
            Self::Usage => 1,
            Self::Leased => 2,
            Self::Halted => 3,
            Self::Partial => 4,
            Self::Drift => 5,
            Self::Converged => 6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_codes_are_the_documented_ones() {
        let all = [
            (Verdict::Converged, 0),
            (Verdict::Internal, 1),
            (Verdict::Usage, 2),
            (Verdict::Drift, 3),
            (Verdict::Partial, 4),
            (Verdict::Halted, 5),
            (Verdict::Leased, 6),
        ];
        for (verdict, code) in all {
            assert_eq!(verdict.exit_code(), code);
        }
    }

    #[test]
    fn the_first_of_1_2_6_5_4_3_wins() {
        let order = [
            Verdict::Internal,
            Verdict::Usage,
            Verdict::Leased,
            Verdict::Halted,
            Verdict::Partial,
            Verdict::Drift,
            Verdict::Converged,
        ];
        for (i, first) in order.iter().enumerate() {
            for second in &order[i..] {
                assert_eq!(first.worse(*second), *first);
                assert_eq!(second.worse(*first), *first);
            }
        }
    }
}
