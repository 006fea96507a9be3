//! Rules of `locations` and `state`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use regcred_core::lease::LONGEST;
use regcred_core::names::LocationName;

use super::{Bounds, Rules, aws};
use crate::config::names::AMBIENT;
use crate::config::problem::{End, KeyPath};
use crate::config::{Location, Role, State, raw};

const LEASE: Bounds = Bounds {
    least: Duration::from_secs(1),
    most: LONGEST,
    why: "a short one is renewed all the time, and after a crash nobody writes for as long as it is",
};

impl<'a> Rules<'a, '_> {
    /// The names that may be referred to.
    pub(super) fn location_names(&self) -> Vec<&'a str> {
        match &self.raw.locations {
            Some(declared) => declared.keys().map(String::as_str).collect(),
            None => vec![AMBIENT],
        }
    }

    pub(super) fn locations(&mut self) -> BTreeMap<LocationName, Location> {
        let Some(declared) = &self.raw.locations else {
            let ambient = Location { region: None, role: None, endpoint_url: None };
            return BTreeMap::from([(LocationName::new(AMBIENT), ambient)]);
        };
        let top = KeyPath::top("locations");
        if declared.is_empty() {
            self.error(
                &top,
                "no location is named here",
                "without the key there is one, the account and Region of the environment",
                "remove the key, or add a location such as `eu: { region: eu-west-1 }`",
            );
        }
        declared
            .keys()
            .filter_map(|name| Some((LocationName::new(name), self.declared_location(name)?)))
            .collect()
    }

    fn declared_location(&mut self, name: &str) -> Option<Location> {
        let path = KeyPath::top("locations").key(name);
        let raw = self.raw.locations.as_ref()?.get(name)?;
        let named = self.own_name(name, &path);
        if name == AMBIENT {
            self.findings.error(
                &path,
                End::Key,
                format!("no location may be called `{AMBIENT}`"),
                "that is the account and Region of the environment, which has no settings",
                "choose another name",
            );
        }
        let region = self.hold(&path.key("region"), "this is not an AWS Region", aws::region(&raw.region));
        let role = self.hold_given(
            &path.key("role_arn"),
            "this is not the ARN of a role",
            raw.role_arn.as_ref(),
            aws::role_arn,
        );
        let external = raw.external_id.as_ref();
        let id = self.hold_given(
            &path.key("external_id"),
            "this cannot be an external id",
            external,
            aws::external_id,
        );
        if raw.external_id.is_some() && raw.role_arn.is_none() {
            self.findings.error(
                &path.key("external_id"),
                End::Key,
                "there is an external id and no role",
                "it is told to a role when that is assumed, and to nobody else",
                "add `role_arn`, or remove `external_id`",
            );
        }
        let url = raw.endpoint_url.as_ref();
        let endpoint =
            self.hold_given(&path.key("endpoint_url"), "this cannot be an endpoint", url, aws::endpoint_url);
        named.and(region).and(role).and(id).and(endpoint)?;
        Some(Location {
            region: Some(raw.region.clone()),
            role: raw.role_arn.clone().map(|arn| Role { arn, external_id: raw.external_id.clone() }),
            endpoint_url: raw.endpoint_url.clone(),
        })
    }

    pub(super) fn state(&mut self) -> Option<State> {
        let raw = &self.raw.state;
        let path = KeyPath::top("state");
        let bucket =
            self.hold(&path.key("bucket"), "this cannot be the name of a bucket", aws::bucket(&raw.bucket));
        let prefix =
            self.hold(&path.key("prefix"), "this cannot be a prefix of keys", aws::key_prefix(&raw.prefix));
        let location = self.location(raw.location.as_deref(), &path.key("location"));
        let lease = self.span(&raw.lease, &path.key("lease"), &LEASE);
        bucket.and(prefix)?;
        Some(State {
            location: location?,
            bucket: raw.bucket.clone(),
            prefix: raw.prefix.clone(),
            lease: lease?,
        })
    }

    /// Warns of what nothing refers to: more likely a forgotten reference than a spare part.
    pub(super) fn everything_is_used(&mut self) {
        let raw = self.raw;
        let published = |name: &String| {
            raw.registries.get(name).is_some_and(|registry| registry.secret.is_some())
                || raw.ecs_configs.values().any(|ecs_config| ecs_config.registries.contains(name))
        };
        for name in raw.registries.keys().filter(|name| !published(name)) {
            self.findings.warning(
                &KeyPath::top("registries").key(name),
                End::Key,
                "the credential of this registry goes nowhere",
                "it has no `secret`, and no entry of `ecs_configs` lists it",
                "add a `secret`, list it in an entry of `ecs_configs`, or remove it",
            );
        }
        let secrets = raw.registries.values().filter_map(|registry| registry.secret.as_ref());
        let read = raw.registries.values().filter_map(|registry| match &registry.source {
            raw::Source::SecretsManager(source) => source.location.as_ref(),
            raw::Source::SsmParameter(source) => source.location.as_ref(),
            raw::Source::Vault(source) => match &source.auth {
                raw::VaultAuth::Aws(aws) => aws.location.as_ref(),
                raw::VaultAuth::Token(_) | raw::VaultAuth::AppRole(_) => None,
            },
            raw::Source::Env(_)
            | raw::Source::File(_)
            | raw::Source::DockerConfig(_)
            | raw::Source::DockerAuthConfig(_)
            | raw::Source::CredentialHelper(_)
            | raw::Source::Exec(_) => None,
        });
        let used: BTreeSet<&String> = secrets
            .flat_map(|secret| secret.locations.iter().flatten())
            .chain(read)
            .chain(&raw.state.location)
            .chain(raw.ecs_configs.values().filter_map(|ecs_config| ecs_config.location.as_ref()))
            .chain(raw.fleets.values().filter_map(|fleet| fleet.location.as_ref()))
            .collect();
        // The only one there is need not be named to be used.
        let declared = raw.locations.iter().flatten().filter(|_| self.location_names().len() > 1);
        let unused: Vec<_> = declared.map(|(name, _)| name).filter(|name| !used.contains(name)).collect();
        for name in unused {
            self.findings.warning(
                &KeyPath::top("locations").key(name),
                End::Key,
                "nothing is in this location",
                "no source, no secret, no `ecs.config`, no fleet and not the state name it",
                "name it where it belongs, or remove it",
            );
        }
    }
}

/// Whether two locations are surely the same account and Region. Two of which one has a role and the other has not may
/// be; that shows only when AWS is asked.
pub(super) fn are_one_place(a: &Location, b: &Location) -> bool {
    are_one_account(a, b) && a.region == b.region
}

/// As [`are_one_place`], of the account alone.
pub(super) fn are_one_account(a: &Location, b: &Location) -> bool {
    let account = |location: &Location| match &location.role {
        Some(role) => aws::role_account(&role.arn).map(str::to_owned),
        None => None,
    };
    account(a) == account(b) && a.endpoint_url == b.endpoint_url
}
