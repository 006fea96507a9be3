//! A task definition that a person named, and the services that run it.

use std::collections::BTreeMap;

use futures_util::future;
use regcred_core::doctor::{
    Aspect, Check, InEcsConfig, KeptRegistry, KeptSecret, Outcome, Subject, TaskDefinition,
};
use regcred_core::names::LocationName;

use crate::config::Config;
use crate::observe::Context;

/// What a person named.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskPlace<'a> {
    pub location: &'a LocationName,
    /// A family, `family:revision`, or an ARN.
    pub task_definition: &'a str,
    /// Whose services are looked at.
    pub cluster: Option<&'a str>,
}

/// One call for the definition, one for each registry with a secret in its location, and two for a page of a cluster's services.
pub(super) async fn all(context: &Context<'_>, place: TaskPlace<'_>) -> Vec<Check> {
    let TaskPlace { location, task_definition, cluster } = place;
    let clients = context.locations.at(location);
    let subject =
        |name: &str| Subject::TaskDefinition { location: location.clone(), task_definition: name.to_owned() };
    let what = || format!("cannot look at task definition `{task_definition}` in {}", clients.s3.place());
    let (described, kept) =
        future::join(clients.ecs.task_definition(task_definition), kept(context, location)).await;
    let definition = match described {
        Ok(definition) => definition,
        Err(error) => {
            let outcome = Outcome::of_need(Some(error.failure(what())));
            return vec![Check::new(subject(task_definition), Aspect::Readable, outcome)];
        }
    };
    let TaskDefinition { name, containers, execution_role: _, requires: _ } = &definition;
    let (aspect, outcome) = definition.judge_role();
    let mut checks = vec![Check::new(subject(name), aspect, outcome)];
    checks.extend(containers.iter().map(|container| {
        let (aspect, outcome) = definition.judge_container(container, &kept);
        let subject = Subject::Container { task_definition: name.clone(), container: container.name.clone() };
        Check::new(subject, aspect, outcome)
    }));
    let Some(cluster) = cluster else { return checks };
    match clients.ecs.services_of(cluster, name).await {
        Ok(services) => checks.extend(services.into_iter().map(|service| {
            let (aspect, outcome) = service.judge();
            let subject = Subject::Service { cluster: cluster.to_owned(), service: service.name };
            Check::new(subject, aspect, outcome)
        })),
        Err(error) => {
            let failure = error.failure(format!("cannot see the services of cluster `{cluster}`"));
            checks.push(Check::new(subject(name), Aspect::PlatformVersion, Outcome::of_need(Some(failure))));
        }
    }
    checks
}

/// The registries of the configuration, with what tasks in this location can read of them. A secret that cannot be looked at has
/// a check of its own.
async fn kept(context: &Context<'_>, location: &LocationName) -> Vec<KeptRegistry> {
    let Config { registries, ecs_configs, .. } = context.config;
    let client = &context.locations.at(location).secrets_manager;
    let here = registries.iter().filter_map(|(registry, settings)| {
        let secret = settings.secret.as_ref().filter(|secret| secret.locations.contains(location))?;
        Some((registry, secret.name.as_str()))
    });
    let looks = here.map(|(registry, name)| async move {
        let arn = client.describe(name).await.ok().flatten().map(|described| described.arn);
        (registry, KeptSecret { name: name.to_owned(), arn })
    });
    let mut secrets: BTreeMap<_, KeptSecret> = future::join_all(looks).await.into_iter().collect();
    let holds = |name| ecs_configs.values().any(|object| object.registries.contains(name));
    registries
        .iter()
        .map(|(name, settings)| KeptRegistry {
            name: name.clone(),
            server: settings.server.clone(),
            secret: secrets.remove(name),
            in_ecs_config: if holds(name) { InEcsConfig::Yes } else { InEcsConfig::No },
        })
        .collect()
}
