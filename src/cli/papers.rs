//! Which file `explain` and `lint` are about, and its bytes. Neither needs a configuration for a file that is named.

use std::collections::BTreeMap;
use std::path::Path;

use regcred_core::document::Document;
use regcred_core::names::{EcsConfigName, LocationName};
use regcred_core::report::{Failure, FailureKind};
use zeroize::Zeroizing;

use super::Stop;
use crate::artefact::Artefact;
use crate::aws::Locations;
use crate::config::load::{ChosenBy, LoadError, Loaded, find_and_load};
use crate::config::names::AMBIENT;
use crate::config::{Config, EcsConfig, Location};

/// A file that was read.
pub(super) struct Paper {
    /// As a person names it.
    pub(super) from: String,
    pub(super) document: Document,
}

/// Reads the file that is named. An object is read with the clients of the location that the configuration has for it; without
/// a configuration, with those of the environment.
pub(super) async fn named(
    path: Option<&Path>,
    artefact: &Artefact,
    location: Option<&str>,
) -> Result<Paper, Stop> {
    let bytes = bytes(path, artefact, location).await?;
    Ok(Paper { from: artefact.to_string(), document: Document::read(&bytes) })
}

async fn bytes(
    path: Option<&Path>,
    artefact: &Artefact,
    location: Option<&str>,
) -> Result<Zeroizing<Vec<u8>>, Stop> {
    let Artefact::Object { bucket, key } = artefact else {
        return artefact.read_here().map_err(Stop::Usage);
    };
    let all = match find_and_load(path) {
        Ok(Loaded { config, .. }) => config,
        Err(LoadError::Unreadable { chosen_by: ChosenBy::Default, .. }) if location.is_none() => {
            return ambient(artefact, bucket, key).await;
        }
        Err(error) => return Err(Stop::Config(error)),
    };
    let location = choose_location(&all, bucket, location).map_err(Stop::Usage)?;
    let clients =
        Locations::load(&BTreeMap::from([(location.clone(), all.locations[location].clone())])).await;
    artefact.read_object(clients.at(location), bucket, key).await.map_err(Stop::Usage)
}

async fn ambient(artefact: &Artefact, bucket: &str, key: &str) -> Result<Zeroizing<Vec<u8>>, Stop> {
    let name = LocationName::new(AMBIENT);
    let here = Location { region: None, role: None, endpoint_url: None };
    let clients = Locations::load(&BTreeMap::from([(name.clone(), here)])).await;
    artefact.read_object(clients.at(&name), bucket, key).await.map_err(Stop::Usage)
}

/// The location that is named, that of an `ecs.config` in the same bucket, or the only one.
fn choose_location<'a>(
    config: &'a Config,
    bucket: &str,
    named: Option<&str>,
) -> Result<&'a LocationName, Failure> {
    let there = || config.locations.keys().map(LocationName::as_str).collect::<Vec<_>>().join(", ");
    if let Some(named) = named {
        let found = config.locations.get_key_value(named).map(|(name, _)| name);
        return found.ok_or_else(|| {
            Failure::new(
                FailureKind::Missing,
                format!("cannot use the location `{named}`"),
                "the configuration has none of that name",
                format!("name one of {}", there()),
            )
        });
    }
    let known =
        config.ecs_configs.values().find(|object| object.bucket == bucket).map(|object| &object.location);
    let mut all = config.locations.keys();
    known.or_else(|| all.next().filter(|_| all.next().is_none())).ok_or_else(|| {
        Failure::new(
            FailureKind::Missing,
            format!("cannot tell in which location the bucket `{bucket}` is"),
            "no ecs_config is in it, and there are several locations",
            format!("name one with `--location`: {}", there()),
        )
    })
}

/// Reads the objects of the configuration: those named, those that the fleets named load, or all.
pub(super) async fn of_config(
    path: Option<&Path>,
    ecs_configs: &[String],
    fleets: &[String],
) -> Result<Vec<Paper>, Stop> {
    let Loaded { config, .. } = find_and_load(path).map_err(Stop::Config)?;
    let names = chosen(&config, ecs_configs, fleets).map_err(Stop::Usage)?;
    let locations = Locations::load(&config.locations).await;
    let mut papers = Vec::new();
    for name in names {
        let EcsConfig { location, bucket, key, .. } = &config.ecs_configs[name];
        let artefact = Artefact::Object { bucket: bucket.clone(), key: key.clone() };
        let read = artefact.read_object(locations.at(location), bucket, key).await;
        let bytes = read.map_err(Stop::Usage)?;
        papers.push(Paper { from: artefact.to_string(), document: Document::ecs_config(&bytes) });
    }
    Ok(papers)
}

fn chosen<'a>(
    config: &'a Config,
    ecs_configs: &[String],
    fleets: &[String],
) -> Result<Vec<&'a EcsConfigName>, Failure> {
    let unknown = |kind: &str, name: &str, there: Vec<&str>| {
        Failure::new(
            FailureKind::Missing,
            format!("cannot use the {kind} `{name}`"),
            format!("the configuration has no {kind} of that name"),
            if there.is_empty() {
                "name a file with `--from`".to_owned()
            } else {
                format!("name one of {}", there.join(", "))
            },
        )
    };
    let mut chosen = Vec::new();
    for name in ecs_configs {
        let there = || config.ecs_configs.keys().map(EcsConfigName::as_str).collect();
        let found = config.ecs_configs.get_key_value(name.as_str());
        chosen.push(found.map(|(name, _)| name).ok_or_else(|| unknown("ecs_config", name, there()))?);
    }
    for name in fleets {
        let there = || config.fleets.keys().map(regcred_core::names::FleetName::as_str).collect();
        let fleet = config.fleets.get(name.as_str()).ok_or_else(|| unknown("fleet", name, there()))?;
        chosen.push(&fleet.ecs_config);
    }
    if ecs_configs.is_empty() && fleets.is_empty() {
        chosen.extend(config.ecs_configs.keys());
    }
    if chosen.is_empty() {
        return Err(Failure::new(
            FailureKind::Missing,
            "cannot tell which file is meant",
            "the configuration has no ecs_config",
            "name a file with `--from`",
        ));
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}
