//! A plan that somebody looked at, and what must still hold when it is applied.
//!
//! Applying one is an ordinary pass with one more question: would it do now what it said then? Nothing here holds a
//! secret, and nothing here is a second way to write.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::fingerprint::{Fingerprint, Revision, hex};
use crate::host::{FailedHosts, HostId};
use crate::login::RejectedCandidates;
use crate::names::{EcsConfigName, FleetName, LocationName, RegistryName};
use crate::plan::{
    CredentialPlan, FleetAction, FleetStep, ObjectAction, ObjectStep, Plan, RegistryPlan, SecretAction,
    SecretStep,
};
use crate::rollout::{HostOutcome, MaxUnavailable};

/// The form of the file. Another number is another form, and no plan of one is read as the other.
pub const VERSION: u32 = 2;

/// A plan as `plan --out` writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    pub saved_plan: u32,
    pub made_at: DateTime<Utc>,
    /// What the plan was made with, and will be applied with.
    pub command: SavedCommand,
    pub preconditions: Preconditions,
    /// The plan itself, for whoever reviews it. It is not read back.
    pub plan: Value,
}

/// What was named on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SavedCommand {
    pub registries: Vec<String>,
    pub fleets: Vec<String>,
    pub failed_hosts: FailedHosts,
    pub rejected_candidates: RejectedCandidates,
}

/// What tells one text from another, and nothing of either: half a SHA-256. Texts that hold a secret have none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    pub fn of(text: &str) -> Self {
        let hash = Sha256::digest(text.as_bytes());
        Self(hex(&hash[..16]))
    }
}

/// What has to be so, for applying a plan to be what was reviewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Preconditions {
    /// The settings of each item, by its name: another bucket, role or server is another plan. Another version of regcred
    /// may digest the same settings to something else; then the plan is made anew.
    pub settings: BTreeMap<String, Digest>,
    /// The credential of each registry, as its source gave it. `None` for one that could not be read, or where there
    /// was no key yet to compare it under: before the first sync, nothing keeps one.
    pub registries: BTreeMap<RegistryName, Option<Fingerprint>>,
    pub secrets: Vec<SecretPrecondition>,
    pub objects: BTreeMap<EcsConfigName, ObjectPrecondition>,
    pub fleets: BTreeMap<FleetName, FleetPrecondition>,
}

/// One secret in one location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretPrecondition {
    pub location: LocationName,
    pub name: String,
    pub holds: Holds,
    pub write: Written,
}

/// One ecs.config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectPrecondition {
    pub holds: Holds,
    pub write: Written,
    /// What it will hold, under the state's key; `None` where there was none.
    pub revision: Option<Revision>,
}

/// What was seen of a target's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "is", content = "version")]
pub enum Holds {
    Absent,
    /// A Secrets Manager version id, or an S3 ETag or version id.
    Version(String),
    /// It stays as it is, whatever it holds.
    Anything,
}

/// Whether a target is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    Yes,
    No,
}

/// One fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetPrecondition {
    /// The hosts that may be restarted.
    pub hosts: BTreeSet<HostId>,
    /// How carefully; `None` where nobody is.
    pub max_unavailable: Option<MaxUnavailable>,
    pub max_errors: Option<u32>,
}

/// One thing that is not as it was when the plan was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// What the config says of an item is not what it said.
    Settings {
        of: String,
    },
    /// The config names something else, or less, or more.
    Config {
        what: String,
    },
    Credential {
        registry: RegistryName,
    },
    Secret {
        location: LocationName,
        name: String,
    },
    Object {
        ecs_config: EcsConfigName,
    },
    Hosts {
        fleet: FleetName,
        joined: BTreeSet<HostId>,
    },
    Limits {
        fleet: FleetName,
    },
}

/// Whether values made under the state's key can be compared from one run to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyIs {
    Kept,
    /// There is no state yet, so the key is this run's own.
    Passing,
}

impl SavedPlan {
    pub fn new(
        plan: &Plan,
        key: KeyIs,
        settings: BTreeMap<String, Digest>,
        command: SavedCommand,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            saved_plan: VERSION,
            made_at: now,
            command,
            preconditions: Preconditions::of(plan, key, settings),
            plan: serde_json::to_value(plan).expect("a plan is plain data with text keys"),
        }
    }
}

impl Preconditions {
    /// Those of `hosts` that nobody agreed to restart in this fleet.
    pub fn joined(&self, fleet: &FleetName, hosts: &BTreeSet<HostId>) -> BTreeSet<HostId> {
        self.fleets.get(fleet).map_or_else(|| hosts.clone(), |agreed| agreed.joined(hosts))
    }

    pub fn of(plan: &Plan, key: KeyIs, settings: BTreeMap<String, Digest>) -> Self {
        let Plan {
            version: _,
            registries,
            secrets,
            objects,
            fleets,
            estimate: _,
            paused: _,
            max_errors_together: _,
        } = plan;
        let registry = |plan: &RegistryPlan| {
            let RegistryPlan { name, server: _, credential, login: _, published_since: _ } = plan;
            let fingerprint = match (credential, key) {
                (CredentialPlan::Read { fingerprint, .. }, KeyIs::Kept) => Some(fingerprint.clone()),
                (CredentialPlan::Read { .. }, KeyIs::Passing) | (CredentialPlan::Unreadable { .. }, _) => {
                    None
                }
            };
            (name.clone(), fingerprint)
        };
        Self {
            settings,
            registries: registries.iter().map(registry).collect(),
            secrets: secrets.iter().map(secret).collect(),
            objects: objects.iter().map(|step| (step.ecs_config.clone(), object(step, key))).collect(),
            fleets: fleets.iter().map(|step| (step.fleet.clone(), fleet(step))).collect(),
        }
    }

    /// What is different in `now`. A host that left, or is not to be restarted any more, is no obstacle: less is done
    /// than was reviewed, never more.
    pub fn moved(&self, now: &Self) -> Vec<Moved> {
        let Self { settings, registries, secrets, objects, fleets } = self;
        let mut moved = Vec::new();
        // An item that is gone or new is told below, by what is there of it.
        for (name, then) in settings {
            if now.settings.get(name).is_some_and(|now| now != then) {
                moved.push(Moved::Settings { of: name.clone() });
            }
        }
        compare(registries, &now.registries, "registry", &mut moved, |name, then, now| {
            let changed = matches!((then, now), (Some(then), Some(now)) if then != now)
                || then.is_some() && now.is_none();
            changed.then(|| Moved::Credential { registry: name.clone() }).into_iter().collect()
        });
        let by_place = |list: &[SecretPrecondition]| -> BTreeMap<String, SecretPrecondition> {
            list.iter().map(|each| (format!("{} in {}", each.name, each.location), each.clone())).collect()
        };
        compare(&by_place(secrets), &by_place(&now.secrets), "secret", &mut moved, |_, then, now| {
            let SecretPrecondition { location, name, holds, write } = then;
            let differs = *holds != now.holds || *write != now.write;
            differs
                .then(|| Moved::Secret { location: location.clone(), name: name.clone() })
                .into_iter()
                .collect()
        });
        compare(objects, &now.objects, "ecs.config", &mut moved, |name, then, now| {
            let ObjectPrecondition { holds, write, revision } = then;
            let revised = matches!((revision, &now.revision), (Some(then), Some(now)) if then != now);
            let differs = *holds != now.holds || *write != now.write || revised;
            differs.then(|| Moved::Object { ecs_config: name.clone() }).into_iter().collect()
        });
        compare(fleets, &now.fleets, "fleet", &mut moved, |name, then, now| {
            let mut moved = Vec::new();
            let joined = then.joined(&now.hosts);
            if !joined.is_empty() {
                moved.push(Moved::Hosts { fleet: name.clone(), joined });
            }
            let limits = |each: &FleetPrecondition| (each.max_unavailable, each.max_errors);
            if !now.hosts.is_empty() && !then.hosts.is_empty() && limits(then) != limits(now) {
                moved.push(Moved::Limits { fleet: name.clone() });
            }
            moved
        });
        moved
    }
}

impl FleetPrecondition {
    fn joined(&self, hosts: &BTreeSet<HostId>) -> BTreeSet<HostId> {
        hosts.difference(&self.hosts).cloned().collect()
    }
}

/// Walks two maps side by side: a name in one of them alone is a change of the config.
fn compare<Name: Ord + fmt::Display, Then>(
    then: &BTreeMap<Name, Then>,
    now: &BTreeMap<Name, Then>,
    kind: &str,
    moved: &mut Vec<Moved>,
    differences: impl Fn(&Name, &Then, &Then) -> Vec<Moved>,
) {
    for (name, before) in then {
        match now.get(name) {
            Some(after) => moved.extend(differences(name, before, after)),
            None => moved.push(Moved::Config { what: format!("{kind} {name} is gone from the config") }),
        }
    }
    for name in now.keys().filter(|name| !then.contains_key(name)) {
        moved.push(Moved::Config { what: format!("{kind} {name} is new in the config") });
    }
}

fn secret(step: &SecretStep) -> SecretPrecondition {
    let SecretStep { location, name, registry: _, arn: _, replicas: _, action } = step;
    let (holds, write) = match action {
        SecretAction::Create => (Holds::Absent, Written::Yes),
        SecretAction::Put { expects: version } | SecretAction::Replicate { version } => {
            (Holds::Version(version.clone()), Written::Yes)
        }
        SecretAction::Unchanged { version } => (Holds::Version(version.clone()), Written::No),
        SecretAction::Held { .. } | SecretAction::Blocked { .. } => (Holds::Anything, Written::No),
    };
    SecretPrecondition { location: location.clone(), name: name.clone(), holds, write }
}

fn object(step: &ObjectStep, key: KeyIs) -> ObjectPrecondition {
    let (holds, write) = match &step.action {
        ObjectAction::Create { .. } => (Holds::Absent, Written::Yes),
        ObjectAction::Replace { expects, .. } => (Holds::Version(expects.clone()), Written::Yes),
        ObjectAction::Unchanged { version: Some(version), .. } => {
            (Holds::Version(version.clone()), Written::No)
        }
        ObjectAction::Unchanged { version: None, .. } | ObjectAction::Blocked { .. } => {
            (Holds::Anything, Written::No)
        }
    };
    let revision = match key {
        KeyIs::Kept => step.action.revision().cloned(),
        KeyIs::Passing => None,
    };
    ObjectPrecondition { holds, write, revision }
}

fn fleet(step: &FleetStep) -> FleetPrecondition {
    match &step.action {
        FleetAction::Rollout { hosts, max_unavailable, max_errors, .. } => {
            let restarted = hosts.iter().filter(|host| host.outcome == HostOutcome::Waiting);
            FleetPrecondition {
                hosts: restarted.map(|host| host.host.clone()).collect(),
                max_unavailable: Some(*max_unavailable),
                max_errors: Some(*max_errors),
            }
        }
        FleetAction::Current { .. } | FleetAction::Held { .. } | FleetAction::Blocked { .. } => {
            FleetPrecondition { hosts: BTreeSet::new(), max_unavailable: None, max_errors: None }
        }
    }
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings { of } => write!(f, "the config says something else of {of}"),
            Self::Config { what } => f.write_str(what),
            Self::Credential { registry } => {
                write!(f, "the source of registry {registry} gives another credential")
            }
            Self::Secret { location, name } => {
                write!(f, "secret {name} in {location} was written, or would be treated otherwise")
            }
            Self::Object { ecs_config } => {
                write!(f, "ecs.config {ecs_config} was written, or would become another one")
            }
            Self::Hosts { fleet, joined } => {
                let shown: Vec<&str> = joined.iter().take(SHOWN_HOSTS).map(HostId::as_str).collect();
                let more = joined.len().saturating_sub(SHOWN_HOSTS);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                write!(f, "in fleet {fleet} it would restart {}{more} too", shown.join(", "))
            }
            Self::Limits { fleet } => write!(f, "the limits of fleet {fleet} are others"),
        }
    }
}

/// Three ids tell which hosts are meant; a thousand would hide the other reasons.
const SHOWN_HOSTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn preconditions() -> Preconditions {
        let host = |id| HostId::parse(id).unwrap();
        Preconditions {
            settings: [("registry harbor".into(), Digest::of("then"))].into(),
            registries: [("harbor".into(), Some(serde_json::from_str("\"k0123456789abcdef\"").unwrap()))]
                .into(),
            secrets: vec![SecretPrecondition {
                location: "eu".into(),
                name: "ecs/registry/harbor".into(),
                holds: Holds::Version("v1".into()),
                write: Written::Yes,
            }],
            objects: [(
                "prod".into(),
                ObjectPrecondition {
                    holds: Holds::Version("etag".into()),
                    write: Written::Yes,
                    revision: Some(Revision::from_recorded("r1")),
                },
            )]
            .into(),
            fleets: [(
                "prod".into(),
                FleetPrecondition {
                    hosts: [host("i-00000001"), host("i-00000002")].into(),
                    max_unavailable: Some(MaxUnavailable::Percent(10)),
                    max_errors: Some(1),
                },
            )]
            .into(),
        }
    }

    /// What `change` makes of a world that is otherwise as it was.
    fn moved_by(change: impl Fn(&mut Preconditions)) -> Vec<String> {
        let then = preconditions();
        let mut now = then.clone();
        change(&mut now);
        then.moved(&now).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_did_not_move_is_no_obstacle() {
        assert_eq!(moved_by(|_| {}), [""; 0]);
    }

    #[test]
    fn each_thing_that_moved_is_told_by_name() {
        let told = |change: fn(&mut Preconditions)| moved_by(change).join("; ");
        for (text, change) in [
            (
                "the source of registry harbor gives another credential",
                (|now: &mut Preconditions| {
                    let other = serde_json::from_str("\"kffffffffffffffff\"").unwrap();
                    now.registries.insert("harbor".into(), Some(other));
                }) as fn(&mut Preconditions),
            ),
            ("the source of registry harbor gives another credential", |now| {
                now.registries.insert("harbor".into(), None);
            }),
            ("the config says something else of registry harbor", |now| {
                now.settings.insert("registry harbor".into(), Digest::of("now"));
            }),
            ("registry ghcr is new in the config", |now| {
                now.registries.insert("ghcr".into(), None);
            }),
            ("registry harbor is gone from the config", |now| now.registries.clear()),
            ("secret ecs/registry/harbor in eu was written, or would be treated otherwise", |now| {
                now.secrets[0].holds = Holds::Version("v2".into());
            }),
            ("secret ecs/registry/harbor in eu was written, or would be treated otherwise", |now| {
                now.secrets[0].write = Written::No;
            }),
            ("ecs.config prod was written, or would become another one", |now| {
                now.objects.get_mut("prod").unwrap().holds = Holds::Absent;
            }),
            ("ecs.config prod was written, or would become another one", |now| {
                now.objects.get_mut("prod").unwrap().revision = Some(Revision::from_recorded("r2"));
            }),
            ("in fleet prod it would restart i-00000003 too", |now| {
                now.fleets.get_mut("prod").unwrap().hosts.insert(HostId::parse("i-00000003").unwrap());
            }),
            ("the limits of fleet prod are others", |now| {
                now.fleets.get_mut("prod").unwrap().max_errors = Some(5);
            }),
            ("fleet prod is gone from the config", |now| now.fleets.clear()),
        ] {
            assert_eq!(told(change), text);
        }
    }

    #[test]
    fn a_host_that_left_is_no_obstacle() {
        let left = |now: &mut Preconditions| {
            now.fleets.get_mut("prod").unwrap().hosts.pop_first();
        };
        assert_eq!(moved_by(left), [""; 0]);
    }

    #[test]
    fn without_a_key_that_is_kept_nothing_made_under_one_is_compared() {
        let mut then = preconditions();
        then.registries.insert("harbor".into(), None);
        then.objects.get_mut("prod").unwrap().revision = None;
        assert_eq!(then.moved(&preconditions()), []);
    }
}
