//! What one report tells, as numbers: a pure function. It must not know how they are written.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use regcred_core::login::{Trial, Unreachable};
use regcred_core::names::{FleetName, RegistryName};
use regcred_core::plan::{CredentialChange, CredentialPlan, Hold, RegistryPlan};
use regcred_core::report::{FleetOutcome, FleetReport, HostCounts, Outcome, Report};
use regcred_core::rollout::{Ending, HostOutcome};

use super::labels::{CredentialState, FleetState, HostState, Kind};

/// What stood when a pass ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    /// What is still not as it should be.
    pub(super) drift: BTreeMap<Kind, usize>,
    /// What the pass put right.
    pub(super) corrected: BTreeMap<Kind, usize>,
    pub(super) credentials: BTreeMap<RegistryName, Credential>,
    pub(super) fleets: BTreeMap<FleetName, Fleet>,
    /// Whether the passwords that were published before may be revoked.
    pub(super) revocable: bool,
    /// Whether a person paused regcred.
    pub(super) paused: bool,
}

/// How one registry's credential stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credential {
    pub(super) state: CredentialState,
    /// Since when all of its places hold what they hold, as far as that is told.
    pub(super) published: Option<DateTime<Utc>>,
    /// When it ends, if its source says so.
    pub(super) expires: Option<DateTime<Utc>>,
}

/// How one fleet stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fleet {
    pub(super) state: FleetState,
    /// The hosts that the pass had to look at; of a fleet that is current it asks for none.
    pub(super) hosts: BTreeMap<HostState, usize>,
}

impl Sight {
    pub(super) fn of(report: &Report, ended: DateTime<Utc>) -> Self {
        let Report { version: _, registries, secrets, objects, fleets, revocation, paused, verdict: _ } =
            report;
        let hosts = || fleets.iter().flat_map(FleetReport::hosts).map(|host| &host.outcome);
        let drift = BTreeMap::from([
            (Kind::Credential, registries.iter().filter(|registry| registry.failure().is_some()).count()),
            (Kind::Secret, secrets.iter().filter(|secret| !secret.outcome.is_right()).count()),
            (Kind::Object, objects.iter().filter(|object| !object.is_right()).count()),
            (Kind::Host, hosts().filter(|outcome| !outcome.is_settled()).count()),
        ]);
        let corrected = BTreeMap::from([
            // What is wrong with a credential is put right at its source.
            (Kind::Credential, 0),
            (Kind::Secret, secrets.iter().filter(|secret| secret.outcome.is_write()).count()),
            (Kind::Object, objects.iter().filter(|object| object.outcome.is_write()).count()),
            (Kind::Host, hosts().filter(|outcome| matches!(outcome, HostOutcome::Proven { .. })).count()),
        ]);
        Self {
            drift,
            corrected,
            credentials: registries
                .iter()
                .map(|registry| (registry.name.clone(), Credential::of(registry, report, ended)))
                .collect(),
            fleets: fleets.iter().map(|fleet| (fleet.fleet.clone(), Fleet::of(fleet))).collect(),
            revocable: revocation.safe,
            paused: paused.is_some(),
        }
    }
}

impl Credential {
    fn of(registry: &RegistryPlan, report: &Report, ended: DateTime<Utc>) -> Self {
        let RegistryPlan { name, server: _, credential, login, published_since } = registry;
        let state = match login {
            Trial::NoCandidate => CredentialState::SourceFailed,
            Trial::Rejected { .. } | Trial::RejectedBefore { .. } => CredentialState::Rejected,
            Trial::CannotTell { unreachable: Unreachable::Hold, .. } => CredentialState::CannotTell,
            Trial::CannotTell { unreachable: Unreachable::Publish, .. } | Trial::Untried => {
                CredentialState::Untried
            }
            Trial::Unneeded | Trial::Unseen | Trial::Pending | Trial::Off | Trial::Accepted(_) => {
                CredentialState::Right
            }
        };
        let (changed, expires) = match credential {
            CredentialPlan::Read { fingerprint: _, change, expiry, notes: _ } => {
                (is_changed(change), expiry.map(|expiry| expiry.expires))
            }
            CredentialPlan::Unreadable { failure: _ } => (false, None),
        };
        let published = if changed && is_everywhere(name, report) { Some(ended) } else { *published_since };
        Self { state, published, expires }
    }
}

/// Whether another one was published before, or none.
fn is_changed(change: &CredentialChange) -> bool {
    match change {
        CredentialChange::New | CredentialChange::Password { .. } | CredentialChange::User { .. } => true,
        CredentialChange::None | CredentialChange::Unknown => false,
    }
}

/// Whether the pass wrote something, and each place that may have to hold the registry's credential is right. A report does
/// not say which registries an object has, so that one that is wrong may be of this one.
fn is_everywhere(registry: &RegistryName, report: &Report) -> bool {
    let secrets =
        || report.secrets.iter().filter(|secret| secret.registry == *registry).map(|each| &each.outcome);
    let objects = || report.objects.iter().map(|object| &object.outcome);
    let is_held =
        report.objects.iter().flat_map(|object| &object.held).any(|held| held.registry == *registry);
    !is_held
        && secrets().chain(objects()).all(Outcome::is_right)
        && secrets().chain(objects()).any(Outcome::is_write)
}

impl Fleet {
    fn of(report: &FleetReport) -> Self {
        let state = match &report.outcome {
            FleetOutcome::Current { .. } => FleetState::Current,
            FleetOutcome::Held { why } | FleetOutcome::HeldAfter { fleet: _, why } => {
                FleetState::of_held(*why)
            }
            FleetOutcome::Failed { .. } => FleetState::Failed,
            FleetOutcome::RolledOut { ending, .. } => match ending {
                Ending::Converged => FleetState::Converged,
                Ending::PartlyReached => FleetState::PartlyReached,
                Ending::Halted { .. } => FleetState::Halted,
                Ending::Superseded => FleetState::Superseded,
                Ending::Stopped { why } => FleetState::of_held(Hold::from(*why)),
            },
        };
        let HostCounts {
            current,
            proven,
            // Of the proven.
            restarted: _,
            unproven,
            restored,
            failed,
            failed_before,
            refused,
            unreachable,
            unsupported,
            exempt,
            superseded,
            waiting,
            joined,
            gone,
        } = HostCounts::of(report.hosts());
        let hosts = BTreeMap::from([
            (HostState::Current, current),
            (HostState::Proven, proven),
            (HostState::Unproven, unproven),
            (HostState::Restored, restored),
            (HostState::Failed, failed),
            (HostState::FailedBefore, failed_before),
            (HostState::Refused, refused),
            (HostState::Unreachable, unreachable),
            (HostState::Unsupported, unsupported),
            (HostState::Exempt, exempt),
            (HostState::Superseded, superseded),
            (HostState::Waiting, waiting),
            (HostState::Joined, joined),
            (HostState::Gone, gone),
        ]);
        Self { state, hosts }
    }
}
