//! The end of regcred's ownership: what marks things as regcred's, and what became of each mark.
//!
//! Marks alone go. What a secret, an ecs.config or a host's file holds stays as it is, so every pull works on as before. This
//! module decides what is a mark and what is not; it must not take one away.

use schemars::JsonSchema;
use serde::Serialize;

use crate::host::{ContainerInstanceArn, FAILED_ATTRIBUTE, HostId, REVISION_ATTRIBUTE};
use crate::names::{FleetName, LocationName, RegistryName};
use crate::report::{Failure, Verdict};

/// The version of the serialised form.
pub const VERSION: u32 = 1;

/// Every mark that was found, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Release {
    pub version: u32,
    pub marks: Vec<Released>,
    /// What could not be looked at: there may be marks in it.
    pub unseen: Vec<Failure>,
    pub verdict: Verdict,
}

/// One mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Released {
    #[serde(flatten)]
    pub mark: Mark,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What says that something is regcred's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(tag = "mark", rename_all = "snake_case")]
pub enum Mark {
    /// Attributes of a container instance: what it was proven to hold, and how it failed.
    Attributes {
        location: LocationName,
        fleet: FleetName,
        cluster: String,
        host: HostId,
        container_instance_arn: ContainerInstanceArn,
        names: Vec<String>,
    },
    /// The tag of a secret.
    Tag { location: LocationName, registry: RegistryName, name: String, arn: String },
    /// An object of regcred's own.
    Object { location: LocationName, bucket: String, key: String, kind: OwnObject },
}

/// What became of a mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It is there, and was left: nobody said yes.
    There,
    Gone,
    /// It is not this configuration's to take away.
    Left {
        why: String,
    },
    Failed {
        failure: Failure,
    },
}

/// An object below the prefix of the state. In the order in which they go: the lease keeps others out to the end, and without the
/// state everything would have to be asked anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnObject {
    /// What is recorded of the hosts of a fleet by tags or instances.
    Hosts,
    State,
    Lease,
    /// Not one that this version makes. It is left.
    Unknown,
}

impl OwnObject {
    /// Tells an object by what its key has behind the prefix.
    pub fn of(rest: &str) -> Self {
        match rest {
            "state.json" => Self::State,
            "lease.json" => Self::Lease,
            _ => match rest.strip_prefix("hosts/").and_then(|rest| rest.strip_suffix(".json")) {
                Some(fleet) if !fleet.is_empty() && !fleet.contains('/') => Self::Hosts,
                Some(_) | None => Self::Unknown,
            },
        }
    }
}

/// Those of a container instance's attributes that are regcred's.
pub fn own_attributes<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let is_own = |name: &&str| [REVISION_ATTRIBUTE, FAILED_ATTRIBUTE].contains(name);
    names.into_iter().filter(is_own).map(str::to_owned).collect()
}

/// Whose a secret's tag says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    Nobody,
    ThisRegistry,
    /// A registry that another configuration, or an older one, calls so.
    Other(&'a str),
}

impl<'a> Owner<'a> {
    /// Reads the value of the tag, if there is one.
    pub fn of(registry: &RegistryName, tag: Option<&'a str>) -> Self {
        match tag {
            None => Self::Nobody,
            Some(owner) if owner == registry.as_str() => Self::ThisRegistry,
            Some(owner) => Self::Other(owner),
        }
    }
}

impl Release {
    pub fn new(marks: Vec<Released>, unseen: Vec<Failure>) -> Self {
        let of_unseen = if unseen.is_empty() { Verdict::Converged } else { Verdict::Partial };
        let verdict = marks.iter().map(Released::verdict).fold(of_unseen, Verdict::worse);
        Self { version: VERSION, marks, unseen, verdict }
    }
}

impl Released {
    fn verdict(&self) -> Verdict {
        match self.outcome {
            Outcome::Gone | Outcome::Left { .. } => Verdict::Converged,
            Outcome::There => Verdict::Drift,
            Outcome::Failed { .. } => Verdict::Partial,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::FailureKind;

    #[test]
    fn an_object_is_told_by_its_key_and_what_is_not_known_is_left() {
        for (rest, kind) in [
            ("state.json", OwnObject::State),
            ("lease.json", OwnObject::Lease),
            ("hosts/prod.json", OwnObject::Hosts),
            ("hosts/.json", OwnObject::Unknown),
            ("hosts/a/b.json", OwnObject::Unknown),
            ("hosts/prod.yaml", OwnObject::Unknown),
            ("old/state.json", OwnObject::Unknown),
            ("", OwnObject::Unknown),
        ] {
            assert_eq!(OwnObject::of(rest), kind, "{rest}");
        }
        assert!(OwnObject::Hosts < OwnObject::State && OwnObject::State < OwnObject::Lease);
    }

    #[test]
    fn regcreds_own_attributes_are_two_and_a_tag_is_only_that_of_the_very_registry() {
        let names = ["ecs.os-type", "regcred.revision", "regcred", "regcred.failed", "team"];
        assert_eq!(own_attributes(names), ["regcred.revision", "regcred.failed"]);
        let registry = RegistryName::new("hub");
        for (tag, owner) in
            [(None, Owner::Nobody), (Some("hub"), Owner::ThisRegistry), (Some("Hub"), Owner::Other("Hub"))]
        {
            assert_eq!(Owner::of(&registry, tag), owner);
        }
    }

    #[test]
    fn what_is_left_to_do_is_drift_and_what_failed_or_was_not_seen_is_partial() {
        let of = |outcome| Released {
            mark: Mark::Object {
                location: "eu".into(),
                bucket: "b".into(),
                key: "k".into(),
                kind: OwnObject::State,
            },
            outcome,
        };
        let failure = || Failure::new(FailureKind::AccessDenied, "", "", "");
        for (marks, unseen, verdict) in [
            (vec![], vec![], Verdict::Converged),
            (vec![of(Outcome::Gone), of(Outcome::Left { why: String::new() })], vec![], Verdict::Converged),
            (vec![of(Outcome::There), of(Outcome::Gone)], vec![], Verdict::Drift),
            (vec![of(Outcome::There), of(Outcome::Failed { failure: failure() })], vec![], Verdict::Partial),
            (vec![of(Outcome::There)], vec![failure()], Verdict::Partial),
        ] {
            assert_eq!(Release::new(marks, unseen).verdict, verdict);
        }
    }
}
