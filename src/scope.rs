//! Which part of the configuration a command is about.

use std::collections::BTreeSet;

use regcred_core::names::{EcsConfigName, FleetName, RegistryName};
use regcred_core::report::{Coverage, Failure, FailureKind, Ground};

use crate::config::Config;

/// What was named on the command line, resolved against the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    coverage: Coverage,
    registries: BTreeSet<RegistryName>,
    ecs_configs: BTreeSet<EcsConfigName>,
    fleets: BTreeSet<FleetName>,
}

impl Scope {
    /// One object, and the registries in it.
    pub(crate) fn of_ecs_config(config: &Config, name: &str) -> Result<Self, Failure> {
        let Some((name, object)) = config.ecs_configs.get_key_value(name) else {
            return Err(unknown("ecs_config", name, config.ecs_configs.keys().map(EcsConfigName::as_str)));
        };
        Ok(Self {
            coverage: Coverage::Part,
            registries: object.registries.iter().cloned().collect(),
            ecs_configs: BTreeSet::from([name.clone()]),
            fleets: BTreeSet::new(),
        })
    }

    /// Without names, everything. `registries` leaves these registries, the objects that hold them and the fleets that
    /// read those; `fleets` leaves these fleets, their objects and the registries in them; both leave what is in both.
    pub(crate) fn new(config: &Config, registries: &[String], fleets: &[String]) -> Result<Self, Failure> {
        for name in registries {
            if !config.registries.contains_key(name.as_str()) {
                return Err(unknown("registry", name, config.registries.keys().map(RegistryName::as_str)));
            }
        }
        for name in fleets {
            if !config.fleets.contains_key(name.as_str()) {
                return Err(unknown("fleet", name, config.fleets.keys().map(FleetName::as_str)));
            }
        }
        let named = |names: &[String], name: &str| names.is_empty() || names.iter().any(|each| each == name);
        let objects_of_fleets: BTreeSet<&EcsConfigName> = config
            .fleets
            .iter()
            .filter(|(name, _)| named(fleets, name.as_str()))
            .map(|(_, fleet)| &fleet.ecs_config)
            .collect();
        let ecs_configs: BTreeSet<EcsConfigName> = config
            .ecs_configs
            .iter()
            .filter(|(name, _)| fleets.is_empty() || objects_of_fleets.contains(name))
            .filter(|(_, object)| object.registries.iter().any(|each| named(registries, each.as_str())))
            .map(|(name, _)| name.clone())
            .collect();
        let held_there = |registry: &RegistryName| {
            ecs_configs.iter().any(|name| config.ecs_configs[name].registries.contains(registry))
        };
        let whole = registries.is_empty() && fleets.is_empty();
        Ok(Self {
            coverage: if whole { Coverage::Whole } else { Coverage::Part },
            registries: config
                .registries
                .keys()
                .filter(|name| named(registries, name.as_str()))
                .filter(|name| fleets.is_empty() || held_there(name))
                .cloned()
                .collect(),
            fleets: config
                .fleets
                .iter()
                .filter(|(name, fleet)| {
                    named(fleets, name.as_str()) && ecs_configs.contains(&fleet.ecs_config)
                })
                .map(|(name, _)| name.clone())
                .collect(),
            ecs_configs,
        })
    }

    /// What is left open by the configuration and by what was named.
    pub(crate) fn ground(&self, config: &Config) -> Ground {
        let is_loaded = |name: &EcsConfigName| config.fleets.values().any(|fleet| fleet.ecs_config == *name);
        let unwatched = self.ecs_configs.iter().filter(|name| !is_loaded(name)).count();
        Ground { coverage: self.coverage, unwatched }
    }

    pub(crate) fn has_registry(&self, name: &RegistryName) -> bool {
        self.registries.contains(name)
    }

    pub(crate) fn has_ecs_config(&self, name: &EcsConfigName) -> bool {
        self.ecs_configs.contains(name)
    }

    pub(crate) fn has_fleet(&self, name: &FleetName) -> bool {
        self.fleets.contains(name)
    }
}

fn unknown<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let known: Vec<&str> = known.collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Failure::new(
        FailureKind::Invalid,
        format!("there is no {kind} `{name}`"),
        format!("the config has: {known}"),
        "name one of these",
    )
}
