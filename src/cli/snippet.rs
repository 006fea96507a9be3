//! `regcred snippet`: what a task definition and its role need so that tasks use a registry's secret.

use std::path::Path;

use clap::Args;
use regcred_core::names::{LocationName, RegistryName};
use regcred_core::report::{Failure, FailureKind, Verdict};
use regcred_core::snippet::{AccountId, FoundSecret, Snippet, snippet};
use schemars::JsonSchema;
use serde::Serialize;

use super::output::Output;
use super::{Stop, human};
use crate::aws::{Clients, Locations};
use crate::config::load::{Loaded, find_and_load};
use crate::config::{Config, RepositorySecret};

#[derive(Debug, Args)]
pub(crate) struct SnippetArguments {
    /// The registry whose secret tasks should use
    #[arg(value_name = "REGISTRY")]
    pub registry: String,
    /// The account of the tasks, where it is another: then the policies of the secret and of its key are printed too
    #[arg(long, value_name = "ACCOUNT")]
    pub for_account: Option<AccountId>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Snippets {
    version: u32,
    pub registry: RegistryName,
    /// One for each location in which the secret is.
    pub locations: Vec<Snippet>,
    /// The locations of which nothing could be told.
    pub failures: Vec<Failure>,
}

/// The version of the shape in JSON.
const VERSION: u32 = 1;

pub(crate) async fn run(
    path: Option<&Path>,
    arguments: SnippetArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let SnippetArguments { registry, for_account } = arguments;
    let Loaded { config, .. } = find_and_load(path).map_err(Stop::Config)?;
    let (registry, secret) = secret_of(&config, &registry).map_err(Stop::Usage)?;
    let clients = Locations::load(&config.locations).await;
    let found = secret.locations.iter().map(|location| find(clients.at(location), location, secret));
    let found = futures_util::future::join_all(found).await;
    let (mut locations, mut failures) = (Vec::new(), Vec::new());
    for found in found {
        match found.and_then(|found| made(&found, for_account.as_ref(), registry)) {
            Ok(snippet) => locations.push(snippet),
            Err(failure) => failures.push(failure),
        }
    }
    let verdict = if failures.is_empty() { Verdict::Converged } else { Verdict::Partial };
    let snippets = Snippets { version: VERSION, registry: registry.clone(), locations, failures };
    output.result(&snippets, verdict, human::snippets)
}

fn secret_of<'a>(
    config: &'a Config,
    name: &str,
) -> Result<(&'a RegistryName, &'a RepositorySecret), Failure> {
    let what = format!("cannot tell how tasks use registry `{name}`");
    let Some((name, registry)) = config.registries.get_key_value(name) else {
        let there: Vec<&str> = config.registries.keys().map(RegistryName::as_str).collect();
        return Err(Failure::new(
            FailureKind::Missing,
            what,
            "the configuration has no registry of that name",
            format!("name one of {}", there.join(", ")),
        ));
    };
    let secret = registry.secret.as_ref().ok_or_else(|| {
        Failure::new(
            FailureKind::Missing,
            what,
            "it has no secret, which is what `repositoryCredentials` names",
            format!("add `secret: {{ name: … }}` to registries.{name}, and run `regcred sync`"),
        )
    })?;
    Ok((name, secret))
}

async fn find(
    clients: &Clients,
    location: &LocationName,
    secret: &RepositorySecret,
) -> Result<FoundSecret, Failure> {
    let what = || format!("cannot look at secret `{}` in {}", secret.name, clients.secrets_manager.place());
    let described =
        clients.secrets_manager.describe(&secret.name).await.map_err(|error| error.failure(what()))?;
    let described = described.ok_or_else(|| {
        Failure::new(
            FailureKind::Missing,
            what(),
            "there is no such secret yet, and the last six characters of its ARN are AWS's to choose",
            "run `regcred sync`, which creates it",
        )
    })?;
    let key_arn = match described.kms_key {
        None => None,
        Some(key) => Some(clients.kms.key_arn(&key).await.map_err(|error| {
            error.failure(format!(
                "cannot tell the key of secret `{}` in {}",
                secret.name,
                clients.secrets_manager.place()
            ))
        })?),
    };
    Ok(FoundSecret { location: location.clone(), arn: described.arn, key_arn })
}

fn made(
    found: &FoundSecret,
    for_account: Option<&AccountId>,
    registry: &RegistryName,
) -> Result<Snippet, Failure> {
    snippet(found, for_account).map_err(|why| {
        Failure::new(
            FailureKind::Refused,
            format!("cannot share {} with another account", found.arn),
            why.to_string(),
            format!(
                "name a key of your own in `kms_key` of registries.{registry}.secret, and encrypt the secret with it: \
                 aws secretsmanager update-secret --secret-id {} --kms-key-id …",
                found.arn
            ),
        )
    })
}
