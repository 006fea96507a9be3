//! Rules of `ecs_configs`.

use std::collections::BTreeMap;

use regcred_core::agent::auth::AuthType;
use regcred_core::names::{EcsConfigName, RegistryName};

use super::{Rules, aws};
use crate::config::problem::{End, KeyPath};
use crate::config::{Config, EcsConfig, raw};

impl Rules<'_, '_> {
    pub(super) fn ecs_configs(&mut self) -> BTreeMap<EcsConfigName, EcsConfig> {
        let raw = self.raw;
        raw.ecs_configs
            .iter()
            .filter_map(|(name, raw)| Some((EcsConfigName::new(name), self.ecs_config(name, raw)?)))
            .collect()
    }

    fn ecs_config(&mut self, name: &str, raw: &raw::EcsConfig) -> Option<EcsConfig> {
        let path = KeyPath::top("ecs_configs").key(name);
        let raw::EcsConfig { location, bucket, key, format, registries, kms_key, host_endpoint, prune } = raw;
        let named = self.own_name(name, &path);
        let location = self.location(location.as_deref(), &path.key("location"));
        let in_bucket =
            self.hold(&path.key("bucket"), "this cannot be the name of a bucket", aws::bucket(bucket));
        let keyed =
            self.hold(&path.key("key"), "this cannot be the key of an `ecs.config`", aws::object_key(key));
        let encrypted = self.hold_given(
            &path.key("kms_key"),
            "this does not name a KMS key",
            kms_key.as_ref(),
            aws::kms_key,
        );
        let fetched = self.hold_given(
            &path.key("host_endpoint"),
            "this cannot be an endpoint",
            host_endpoint.as_ref(),
            aws::endpoint_url,
        );
        let registries = self.listed_registries(registries, &path.key("registries"));
        named.and(in_bucket).and(keyed).and(encrypted).and(fetched)?;
        Some(EcsConfig {
            location: location?,
            bucket: bucket.clone(),
            key: key.clone(),
            format: match format {
                raw::Format::Docker => AuthType::Docker,
                raw::Format::Dockercfg => AuthType::Dockercfg,
            },
            registries: registries?,
            kms_key: kms_key.clone(),
            host_endpoint: host_endpoint.clone(),
            prune: *prune,
        })
    }

    fn listed_registries(&mut self, listed: &[String], path: &KeyPath) -> Option<Vec<RegistryName>> {
        if listed.is_empty() {
            self.error(
                path,
                "no registry is listed",
                "an `ecs.config` without one would hold no credential",
                "list at least one of `registries`, or remove this `ecs.config`",
            );
            return None;
        }
        let declared: Vec<&str> = self.raw.registries.keys().map(String::as_str).collect();
        let named: Vec<_> = listed
            .iter()
            .enumerate()
            .filter_map(|(index, name)| {
                self.refer("registry", "registries", name, &declared, &path.index(index))?;
                Some(RegistryName::new(name))
            })
            .collect();
        (named.len() == listed.len()).then_some(named)
    }

    /// The agent keeps one credential for each server.
    pub(super) fn servers_are_listed_once(&mut self, config: &Config) {
        for (name, ecs_config) in &config.ecs_configs {
            let path = KeyPath::top("ecs_configs").key(name.as_str()).key("registries");
            let server = |registry: &RegistryName| config.registries.get(registry).map(|known| &known.server);
            for (index, registry) in ecs_config.registries.iter().enumerate() {
                let before = &ecs_config.registries[..index];
                let Some(twin) = before.iter().find(|other| {
                    *other == registry || server(other).zip(server(registry)).is_some_and(|(a, b)| a == b)
                }) else {
                    continue;
                };
                let what = if twin == registry {
                    format!("registry `{registry}` is listed twice")
                } else {
                    format!("registries `{twin}` and `{registry}` have the same server")
                };
                self.error(
                    &path.index(index),
                    what,
                    "the agent keeps one credential for each server, and the later one would win",
                    "list one of them",
                );
            }
        }
    }

    /// Two writers of one object would undo each other, and hosts that may read regcred's state could test passwords.
    pub(super) fn objects_are_written_once(&mut self, config: &Config) {
        let endpoint =
            |name| config.locations.get(name).and_then(|location| location.endpoint_url.as_deref());
        for (i, (name, ecs_config)) in config.ecs_configs.iter().enumerate() {
            let path = KeyPath::top("ecs_configs").key(name.as_str());
            let EcsConfig { location, bucket, key, .. } = ecs_config;
            // The name of a bucket is one bucket in all accounts and Regions, behind one endpoint.
            let twin = config.ecs_configs.iter().take(i).find(|(_, other)| {
                (&other.bucket, &other.key, endpoint(&other.location)) == (bucket, key, endpoint(location))
            });
            if let Some((other, _)) = twin {
                self.findings.error(
                    &path.key("key"),
                    End::Value,
                    format!("`ecs_configs.{other}` is the same object"),
                    "each would undo what the other wrote, at every pass",
                    "list all registries of the object in one of them, and remove the other",
                );
            }
            let state = &config.state;
            if *bucket == state.bucket
                && endpoint(location) == endpoint(&state.location)
                && key.starts_with(&state.prefix)
            {
                self.findings.error(
                    &path.key("key"),
                    End::Value,
                    "this object lies below the prefix of regcred's state",
                    "the hosts read this object, and must not be able to read the state beside it",
                    "choose a key outside of `state.prefix`, or another bucket",
                );
            }
        }
    }
}
