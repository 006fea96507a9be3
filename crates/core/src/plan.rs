//! What a pass would do, and why, as data that holds no secret.
//!
//! A plan can be printed, serialised, compared and refused; applying it leaves no choice open. It must not know how
//! anything is read or written.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::credential::Expiry;
use crate::fingerprint::{Fingerprint, Revision};
use crate::host::ClusterName;
use crate::login::Trial;
use crate::names::{EcsConfigName, FleetName, LocationName, RegistryName};
use crate::pause::Pause;
use crate::replica::Replica;
use crate::report::{Failure, Verdict};
use crate::rollout::{
    ATTRIBUTES_PER_CALL, CHUNK, Forecast, HostOutcome, HostReport, MaxUnavailable, Policy, SAMPLES_PER_CALL,
};
use crate::server::Server;

/// The version of the serialised form.
pub const VERSION: u32 = 1;

/// Everything that one pass would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Plan {
    pub version: u32,
    pub registries: Vec<RegistryPlan>,
    pub secrets: Vec<SecretStep>,
    pub objects: Vec<ObjectStep>,
    pub fleets: Vec<FleetStep>,
    /// What applying it takes, if every host behaves.
    pub estimate: Estimate,
    /// A person wants that nothing is written: a sync would do none of this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Pause>,
    /// How many hosts may end not proven in all fleets together, where the configuration says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_errors_together: Option<u32>,
}

/// About how much something takes: an order of magnitude, not a promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Estimate {
    /// API calls.
    pub calls: usize,
    pub seconds: u64,
}

/// What was read of one registry's credential, and how it compares to what is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RegistryPlan {
    pub name: RegistryName,
    pub server: Server,
    #[serde(flatten)]
    pub credential: CredentialPlan,
    /// Whether the registry accepts it.
    pub login: Trial,
    /// What is published of it is there since then, or longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_since: Option<DateTime<Utc>>,
}

/// What one restart takes on a healthy host. AWS publishes no figure; seconds are normal, and the script itself polls
/// once a second.
const RESTART: Duration = Duration::from_secs(30);

impl Estimate {
    /// With what holding a lease of this length takes meanwhile: it is read, taken, and given back; and a third of its
    /// length apart it is renewed, and the state looked at for a pause. Nothing is held for nothing.
    #[must_use]
    pub fn under_lease(self, length: Duration) -> Self {
        if self.calls == 0 {
            return self;
        }
        let renewals = u128::from(self.seconds) * 3000 / length.as_millis().max(1);
        let renewals = usize::try_from(renewals).unwrap_or(usize::MAX);
        Self { calls: self.calls.saturating_add(renewals.saturating_mul(2)).saturating_add(3), ..self }
    }

    /// What a rollout over `hosts` takes under `policy`.
    pub fn of_rollout(policy: &Policy, forecast: &Forecast, hosts: &[HostReport]) -> Self {
        if forecast.hosts == 0 {
            return Self::default();
        }
        let mut groups: BTreeMap<Option<&ClusterName>, usize> = BTreeMap::new();
        for host in hosts.iter().filter(|host| host.outcome == HostOutcome::Waiting) {
            *groups.entry(host.cluster.as_ref()).or_default() += 1;
        }
        // A fleet without clusters is one group.
        let at_once = |cluster: Option<&ClusterName>| {
            cluster.map_or(Some(&forecast.down_at_once), |name| forecast.down_at_once_by_cluster.get(name))
        };
        let rounds = groups
            .iter()
            .map(|(cluster, waiting)| waiting.div_ceil(at_once(*cluster).copied().unwrap_or(1).max(1)))
            .max()
            .unwrap_or(0);
        // The first host has a round to itself.
        let rounds = if forecast.hosts > 1 { rounds + 1 } else { 1 };
        let round = RESTART + policy.poll_interval + policy.settle_interval;
        let polls_of_a_command = RESTART.as_millis().div_ceil(policy.poll_interval.as_millis().max(1));
        let polls =
            forecast.commands.saturating_mul(usize::try_from(polls_of_a_command).unwrap_or(usize::MAX));
        let pages = forecast.hosts.div_ceil(forecast.commands.max(1)).div_ceil(CHUNK);
        let samples = 2 * rounds * forecast.down_at_once.div_ceil(SAMPLES_PER_CALL).max(1);
        // Each host's record is taken back before it is sent to, and put when it is proven.
        let records = 2 * forecast.hosts.div_ceil(ATTRIBUTES_PER_CALL);
        // Each cluster is looked at once more in the end.
        let last_look = groups.len();
        // GetDocument, once.
        let document = 1;
        Self {
            calls: document + forecast.commands + polls.saturating_mul(pages) + samples + records + last_look,
            seconds: round.as_secs().max(1).saturating_mul(u64::try_from(rounds).unwrap_or(u64::MAX)),
        }
    }
}

impl RegistryPlan {
    /// Why its credential is not published.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.credential {
            CredentialPlan::Unreadable { failure } => Some(failure),
            CredentialPlan::Read { .. } => self.login.failure(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "credential", rename_all = "snake_case")]
pub enum CredentialPlan {
    Read {
        fingerprint: Fingerprint,
        #[serde(flatten)]
        change: CredentialChange,
        #[serde(flatten)]
        expiry: Option<Expiry>,
        /// What was mended on the way, e.g. a trailing newline.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
    },
    /// The source failed; what is published stays.
    Unreadable { failure: Failure },
}

/// How a credential differs from the one that is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum CredentialChange {
    /// Nothing readable is published anywhere.
    New,
    /// All that is published is this one.
    None,
    /// Another password for the same user.
    Password { published: Fingerprint },
    /// Another user.
    User { published: Fingerprint },
    /// What is published could not be seen.
    Unknown,
}

/// What would become of one Secrets Manager secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SecretStep {
    pub location: LocationName,
    pub name: String,
    pub registry: RegistryName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// Copies in other Regions that it should have, as they were seen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<Replica>,
    #[serde(flatten)]
    pub action: SecretAction,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum SecretAction {
    /// It holds the credential.
    Unchanged { version: String },
    /// It does not exist.
    Create,
    /// It holds something else.
    Put { expects: String },
    /// It holds the credential, and copies of it in other Regions are missing or failed.
    Replicate { version: String },
    /// Its registry's credential could not be read, so what it holds stays.
    Held { why: Hold },
    /// It cannot be told what it holds.
    Blocked { failure: Failure },
}

/// Why something published stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// The credential's source could not be read.
    SourceFailed,
    /// The registry does not accept the credential.
    Rejected,
    /// The credential could not be tried at the registry.
    Untried,
    /// The secret in the same location could not be stored, and it comes first.
    SecretFailed,
    /// The credential cannot be written in the object's format.
    NotRenderable,
    /// The registry was not named on the command line.
    OutOfScope,
    /// The object could not be stored, and it comes first.
    ObjectFailed,
    /// The first host of the rollout, or too many, failed elsewhere.
    Halted,
    /// Another one wrote the object since it was looked at.
    Superseded,
    /// The pass was asked to stop before its turn came.
    Stopped,
    /// The time that the pass was given was nearly over before its turn came.
    Deadline,
    /// Another process took the lease before its turn came.
    LeaseLost,
    /// The rollout that it waits for was halted.
    RolloutHalted,
    /// The rollout that it waits for could not be done.
    RolloutFailed,
    /// A person paused all writers (`regcred pause`).
    Paused,
    /// The maintenance window of the fleet is closed.
    WindowClosed,
}

impl Hold {
    /// What it makes of a pass that left something undone because of it. What a person arranged is no failure: it is drift
    /// that is known and waits.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Paused | Self::WindowClosed => Verdict::Drift,
            Self::SourceFailed
            | Self::Rejected
            | Self::Untried
            | Self::SecretFailed
            | Self::NotRenderable
            | Self::OutOfScope
            | Self::ObjectFailed
            | Self::Halted
            | Self::Superseded
            | Self::Stopped
            | Self::Deadline
            | Self::LeaseLost
            | Self::RolloutHalted
            | Self::RolloutFailed => Verdict::Partial,
        }
    }
}

/// What would become of one ecs.config object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ObjectStep {
    pub ecs_config: EcsConfigName,
    pub location: LocationName,
    pub bucket: String,
    pub key: String,
    #[serde(flatten)]
    pub action: ObjectAction,
    /// Registries whose entry stays as it is published, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldEntry>,
    /// Keys of entries that no listed registry owns, and that are kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// Keys of entries that are removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<String>,
    /// What else a person may want to know of the edit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HeldEntry {
    pub registry: RegistryName,
    pub why: Hold,
    /// Whether the object has an entry of it at all.
    pub published: bool,
    /// Why it cannot be written into this object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum ObjectAction {
    /// It gives every registry its credential.
    Unchanged { revision: Revision, version: Option<String> },
    /// It does not exist.
    Create { revision: Revision },
    /// One or both of its two lines change.
    Replace { revision: Revision, from: Revision, expects: String },
    /// It cannot be told what it holds, or a right one cannot be made of it.
    Blocked { failure: Failure },
}

impl SecretStep {
    /// Whether it asks Secrets Manager to change anything.
    pub fn is_write(&self) -> bool {
        match self.action {
            SecretAction::Create | SecretAction::Put { .. } | SecretAction::Replicate { .. } => true,
            SecretAction::Unchanged { .. } | SecretAction::Held { .. } | SecretAction::Blocked { .. } => {
                false
            }
        }
    }
}

impl ObjectAction {
    /// What hosts have to load once this is done.
    pub fn revision(&self) -> Option<&Revision> {
        match self {
            Self::Unchanged { revision, .. } | Self::Create { revision } | Self::Replace { revision, .. } => {
                Some(revision)
            }
            Self::Blocked { .. } => None,
        }
    }
}

/// What would become of one fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FleetStep {
    pub fleet: FleetName,
    pub location: LocationName,
    pub ecs_config: EcsConfigName,
    /// The fleets of this pass that have to end well before it begins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<FleetName>,
    /// When its maintenance window opens, while that is closed: hosts are not restarted before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens: Option<DateTime<Utc>>,
    #[serde(flatten)]
    pub action: FleetAction,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "one a fleet, and most that are looked at closely are rollouts"
)]
pub enum FleetAction {
    /// The hosts that ECS listed as different, and what can be done about each.
    Rollout {
        revision: Revision,
        /// Registered container instances, of the clusters with a host to be restarted.
        registered: Vec<(ClusterName, usize)>,
        /// How many hosts it has, where it is told by tags or ids.
        #[serde(skip_serializing_if = "Option::is_none")]
        outside: Option<usize>,
        hosts: Vec<HostReport>,
        /// Clusters or hosts that could not be looked at.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        unseen: Vec<Failure>,
        /// Why none of them would be sent to, if that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        blocked: Option<Failure>,
        forecast: Forecast,
        max_unavailable: MaxUnavailable,
        max_errors: u32,
        estimate: Estimate,
    },
    /// Every host of it was proven to hold the revision.
    Current { revision: Revision },
    /// What it depends on failed.
    Held { why: Hold },
    /// It could not be seen.
    Blocked { failure: Failure },
}

impl Plan {
    /// Adds up what a pass would do.
    pub fn new(
        registries: Vec<RegistryPlan>,
        secrets: Vec<SecretStep>,
        objects: Vec<ObjectStep>,
        fleets: Vec<FleetStep>,
    ) -> Self {
        let secret = |step: &SecretStep| match step.action {
            // DescribeSecret, CreateSecret.
            SecretAction::Create => 2,
            // DescribeSecret, PutSecretValue, UpdateSecretVersionStage.
            SecretAction::Put { .. } => 3,
            SecretAction::Replicate { .. }
            | SecretAction::Unchanged { .. }
            | SecretAction::Held { .. }
            | SecretAction::Blocked { .. } => 0,
        };
        let copies = |step: &SecretStep| {
            let asks = step.is_write() && step.replicas.iter().any(Replica::is_wanting);
            // ReplicateSecretToRegions; DescribeSecret, until they are in sync.
            usize::from(asks) + usize::from(step.is_write() && !step.replicas.is_empty())
        };
        let object = |step: &ObjectStep| match step.action {
            // GetBucketVersioning, PutObject.
            ObjectAction::Create { .. } | ObjectAction::Replace { .. } => 2,
            ObjectAction::Unchanged { .. } | ObjectAction::Blocked { .. } => 0,
        };
        let stores: usize = secrets.iter().map(|step| secret(step) + copies(step)).sum::<usize>()
            + objects.iter().map(object).sum::<usize>();
        let mut estimate = Estimate { calls: stores, seconds: 0 };
        for step in &fleets {
            if let FleetAction::Rollout { estimate: fleet, .. } = &step.action {
                // Fleets of different locations may be rolled out side by side; it takes no longer than this.
                estimate.calls += fleet.calls;
                estimate.seconds += fleet.seconds;
            }
        }
        Self {
            version: VERSION,
            registries,
            secrets,
            objects,
            fleets,
            estimate,
            paused: None,
            max_errors_together: None,
        }
    }

    /// Whether applying it would write or restart anything.
    pub fn is_empty(&self) -> bool {
        let Self {
            version: _,
            registries: _,
            secrets,
            objects,
            fleets,
            estimate: _,
            paused: _,
            max_errors_together: _,
        } = self;
        let object = |step: &ObjectStep| match step.action {
            ObjectAction::Create { .. } | ObjectAction::Replace { .. } => true,
            ObjectAction::Unchanged { .. } | ObjectAction::Blocked { .. } => false,
        };
        let fleet = |step: &FleetStep| match &step.action {
            FleetAction::Rollout { forecast, .. } => forecast.hosts > 0,
            FleetAction::Current { .. } | FleetAction::Held { .. } | FleetAction::Blocked { .. } => false,
        };
        !(secrets.iter().any(SecretStep::is_write) || objects.iter().any(object) || fleets.iter().any(fleet))
    }

    /// Every failure that was met while planning.
    pub fn failures(&self) -> Vec<&Failure> {
        let registries = self.registries.iter().filter_map(RegistryPlan::failure);
        let secrets = self.secrets.iter().filter_map(|step| match &step.action {
            SecretAction::Blocked { failure } => Some(failure),
            SecretAction::Unchanged { .. }
            | SecretAction::Create
            | SecretAction::Put { .. }
            | SecretAction::Replicate { .. }
            | SecretAction::Held { .. } => None,
        });
        let copies = self.secrets.iter().flat_map(|step| &step.replicas).filter_map(Replica::failure);
        let objects = self.objects.iter().filter_map(|step| match &step.action {
            ObjectAction::Blocked { failure } => Some(failure),
            ObjectAction::Unchanged { .. } | ObjectAction::Create { .. } | ObjectAction::Replace { .. } => {
                None
            }
        });
        let held = self.objects.iter().flat_map(|step| &step.held).filter_map(|entry| entry.failure.as_ref());
        let fleets = self.fleets.iter().flat_map(|step| {
            let (one, others): (_, &[Failure]) = match &step.action {
                FleetAction::Blocked { failure } => (Some(failure), &[]),
                FleetAction::Rollout { unseen, blocked, .. } => (blocked.as_ref(), unseen),
                FleetAction::Current { .. } | FleetAction::Held { .. } => (None, &[]),
            };
            one.into_iter().chain(others)
        });
        registries.chain(secrets).chain(copies).chain(objects).chain(held).chain(fleets).collect()
    }

    /// Hosts that are listed as different and cannot be restarted now, of the kinds that count.
    pub fn unreached(&self) -> usize {
        let hosts = self.fleets.iter().flat_map(|step| match &step.action {
            FleetAction::Rollout { hosts, .. } => hosts.as_slice(),
            FleetAction::Current { .. } | FleetAction::Held { .. } | FleetAction::Blocked { .. } => &[],
        });
        hosts.filter(|host| !host.outcome.is_settled() && host.outcome != HostOutcome::Waiting).count()
    }

    /// Secrets and objects that do not hold, or are not known to hold, what was read from the sources.
    pub fn stale_places(&self) -> usize {
        let secret = |step: &&SecretStep| match step.action {
            SecretAction::Unchanged { .. } => !step.replicas.iter().all(Replica::is_right),
            SecretAction::Replicate { .. }
            | SecretAction::Create
            | SecretAction::Put { .. }
            | SecretAction::Held { .. }
            | SecretAction::Blocked { .. } => true,
        };
        let object = |step: &&ObjectStep| match step.action {
            ObjectAction::Unchanged { .. } => step.held.iter().any(|entry| entry.why != Hold::OutOfScope),
            ObjectAction::Create { .. } | ObjectAction::Replace { .. } | ObjectAction::Blocked { .. } => true,
        };
        self.secrets.iter().filter(secret).count() + self.objects.iter().filter(object).count()
    }

    /// What `plan` exits with.
    pub fn verdict(&self) -> Verdict {
        let failed = if self.failures().is_empty() { Verdict::Converged } else { Verdict::Partial };
        let copies = self.secrets.iter().flat_map(|step| &step.replicas).all(Replica::is_right);
        let drift = if self.is_empty() && self.unreached() == 0 && copies {
            Verdict::Converged
        } else {
            Verdict::Drift
        };
        failed.worse(drift)
    }
}
