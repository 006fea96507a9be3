//! Looking: sources, the state, and every target, side by side. Writes nothing and decides nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::future;
use regcred_core::agent::AuthMap;
use regcred_core::desired::{ObjectSpec, PublishedLogins, SecretSpec, SourceReading, auth_map};
use regcred_core::fingerprint::FingerprintKey;
use regcred_core::formats::ecs_config::Foreign;
use regcred_core::login::Trial;
use regcred_core::names::{LocationName, RegistryName};
use regcred_core::observed::Observed;
use regcred_core::replica::Replica;
use regcred_core::report::Failure;
use regcred_core::server::Server;

use crate::aws::Locations;
use crate::clock::Clock;
use crate::config::{Config, EcsConfig};
use crate::scope::Scope;
use crate::sources::{self, Reading, SourceError};
use crate::state::State;
use crate::stopping::StopSwitch;
use crate::targets::{self, ObjectTarget, S3EcsConfigs, SecretTarget, SecretsManagerSecrets, Target};

/// What a pass works with.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub config: &'a Config,
    pub locations: &'a Locations,
    pub scope: &'a Scope,
    /// For the time of day.
    pub clock: &'a Clock,
    /// Looked at between two steps.
    pub stop: &'a StopSwitch,
}

/// Everything that was seen before anything was decided, hosts excepted.
#[derive(Debug)]
pub(crate) struct Sighting {
    /// When it was begun, by this machine's clock.
    pub at: DateTime<Utc>,
    pub state: State,
    pub sources: BTreeMap<RegistryName, SourceReading>,
    /// What is known of each credential that was read; empty until [`crate::verify`] has seen to it.
    pub trials: BTreeMap<RegistryName, Trial>,
    pub secrets: Vec<SeenSecret>,
    pub objects: Vec<SeenObject>,
}

#[derive(Debug)]
pub(crate) struct SeenSecret {
    pub spec: SecretSpec,
    pub target: SecretTarget,
    pub observed: Observed,
    /// The copies in other Regions that it should have; nothing where it cannot be told what it holds itself.
    pub replicas: Vec<Replica>,
}

#[derive(Debug)]
pub(crate) struct SeenObject {
    pub spec: ObjectSpec,
    pub target: ObjectTarget,
    pub observed: Observed,
    /// What agents make of it.
    pub map: AuthMap,
}

impl Sighting {
    /// What is published of a registry now, as far as it was seen.
    pub(crate) fn published(&self, name: &RegistryName, server: &Server) -> PublishedLogins {
        let mut published = PublishedLogins::default();
        for secret in self.secrets.iter().filter(|secret| secret.spec.registry == *name) {
            published.add_secret(&secret.observed);
        }
        for object in &self.objects {
            if object.spec.registries.iter().any(|(registry, _)| registry == name) {
                published.add_object(&object.observed, &object.map, server);
            }
        }
        published
    }
}

/// Looks at everything in scope. Only a state that cannot be read ends the pass: without the fingerprint key, nothing
/// could be compared.
pub(crate) async fn look(context: &Context<'_>) -> Result<Sighting, Failure> {
    let Context { config, locations, scope: _, clock: _, stop: _ } = context;
    let at = Utc::now();
    let state = State::read(&locations.at(&config.state.location).s3, &config.state);
    let sources = read_sources(context, at);
    let secrets = look_at_secrets(context);
    let objects = look_at_objects(context);
    let (state, sources, secrets, objects) = tokio::join!(state, sources, secrets, objects);
    Ok(Sighting { at, state: state?, sources, trials: BTreeMap::new(), secrets, objects })
}

/// Looks at the sources and the objects in scope alone, for what shows no fingerprint and writes nothing.
pub(crate) async fn look_without_state(
    context: &Context<'_>,
) -> (BTreeMap<RegistryName, SourceReading>, Vec<SeenObject>) {
    tokio::join!(read_sources(context, Utc::now()), look_at_objects(context))
}

pub(crate) async fn read_sources(
    context: &Context<'_>,
    now: DateTime<Utc>,
) -> BTreeMap<RegistryName, SourceReading> {
    let Context { config, locations, scope, clock: _, stop: _ } = context;
    let in_scope = config.registries.iter().filter(|(name, _)| scope.has_registry(name));
    let read = |reading| match reading {
        Ok(Reading { credential, notes }) => {
            SourceReading::Read { credential, notes: notes.iter().map(ToString::to_string).collect() }
        }
        Err(error) => SourceReading::Failed(SourceError::into_failure(error)),
    };
    let readings = sources::read_all(in_scope, locations, now).await;
    readings.into_iter().map(|(name, reading)| (name, read(reading))).collect()
}

pub(crate) async fn look_at_secrets(context: &Context<'_>) -> Vec<SeenSecret> {
    let Context { config, locations, scope, clock: _, stop: _ } = context;
    let mut by_location: BTreeMap<&LocationName, Vec<(SecretSpec, SecretTarget)>> = BTreeMap::new();
    for (registry, settings) in &config.registries {
        let Some(secret) = settings.secret.as_ref().filter(|_| scope.has_registry(registry)) else {
            continue;
        };
        for location in &secret.locations {
            let spec = SecretSpec {
                location: location.clone(),
                name: secret.name.clone(),
                registry: registry.clone(),
            };
            let target = SecretTarget {
                registry: registry.clone(),
                name: secret.name.clone(),
                kms_key: secret.kms_key.clone(),
                description: secret.description.clone(),
                tags: secret.tags.clone(),
                adopt: secret.adopt,
                replicate_to: secret.replicate_to.clone(),
            };
            by_location.entry(location).or_default().push((spec, target));
        }
    }
    // Reading needs no request token.
    let no_key = FingerprintKey::from_bytes([0; FingerprintKey::LENGTH]);
    let looks = by_location.into_iter().map(|(location, items)| {
        let no_key = &no_key;
        async move {
            let secrets =
                SecretsManagerSecrets { client: &locations.at(location).secrets_manager, key: no_key };
            let (specs, targets): (Vec<_>, Vec<_>) = items.into_iter().unzip();
            let observed = secrets.observe(&targets).await;
            let secrets = &secrets;
            let both = specs.into_iter().zip(targets).zip(observed);
            let looks = both.map(|((spec, target), observed)| async move {
                // One more call for each that is copied: reading a value tells nothing of its copies.
                let replicas = match &observed {
                    Observed::Present(_) => secrets.replicas(&target).await,
                    Observed::Absent => targets::missing(&target),
                    Observed::Unknown(_) => Vec::new(),
                };
                SeenSecret { spec, target, observed, replicas }
            });
            future::join_all(looks).await
        }
    });
    future::join_all(looks).await.into_iter().flatten().collect()
}

pub(crate) async fn look_at_objects(context: &Context<'_>) -> Vec<SeenObject> {
    let Context { config, locations, scope, clock: _, stop: _ } = context;
    let looks = config.ecs_configs.iter().filter(|(name, _)| scope.has_ecs_config(name)).map(
        |(name, settings)| async move {
            let EcsConfig { location, bucket, key, format, registries, kms_key, host_endpoint: _, prune } =
                settings;
            let spec = ObjectSpec {
                name: name.clone(),
                location: location.clone(),
                bucket: bucket.clone(),
                key: key.clone(),
                auth_type: *format,
                registries: registries
                    .iter()
                    .map(|registry| (registry.clone(), config.registries[registry].server.clone()))
                    .collect(),
                foreign: if *prune { Foreign::Prune } else { Foreign::Keep },
            };
            let target = ObjectTarget { bucket: bucket.clone(), key: key.clone(), kms_key: kms_key.clone() };
            let objects = S3EcsConfigs { client: &locations.at(location).s3 };
            let mut observed = objects.observe(std::slice::from_ref(&target)).await;
            let observed = observed.pop().expect("one item was asked for, so one was answered");
            let map = auth_map(&observed);
            SeenObject { spec, target, observed, map }
        },
    );
    future::join_all(looks).await
}
