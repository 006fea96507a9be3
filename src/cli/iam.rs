//! `regcred iam`: the least policies for the configuration at hand. Asks AWS for nothing.

use std::collections::BTreeSet;
use std::path::Path;

use clap::{Args, ValueEnum};
use regcred_core::iam::{
    self, Hosts, Needs, ReadSource, RestartedFleet, Site, StatePlace, WrittenObject, WrittenSecret,
};
use regcred_core::names::LocationName;
use regcred_core::report::{Failure, FailureKind, Verdict};
use regcred_core::snippet::AccountId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::output::Output;
use super::{Stop, human};
use crate::aws::Locations;
use crate::config::load::{Loaded, find_and_load};
use crate::config::{Config, Fleet, Location, Members, SourceReference};

#[derive(Debug, Args)]
pub(crate) struct IamArguments {
    /// Whose policy, or of what
    #[arg(value_enum)]
    pub of: PolicyOf,
    /// Only this location
    #[arg(long, value_name = "NAME")]
    pub location: Option<String>,
    /// The account of the locations whose `role_arn` does not tell it; without it a policy has `*` in its place
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<AccountId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PolicyOf {
    /// regcred itself
    Controller,
    /// The container instances: to fetch the ecs.config
    Instance,
    /// The tasks' execution role: to read the secrets
    TaskExecution,
    /// The buckets: what they refuse
    Bucket,
    /// A key of your own: what it refuses
    Key,
    /// What `regcred release` needs besides the policy of the controller
    Release,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct IamPolicies {
    version: u32,
    of: PolicyOf,
    pub policies: Vec<IamPolicy>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct IamPolicy {
    /// None for the policy of whoever takes on the roles of all locations.
    pub location: Option<LocationName>,
    /// What it is attached to.
    pub attach_to: String,
    pub policy: Value,
}

/// The version of the shape in JSON.
const VERSION: u32 = 1;

pub(crate) async fn run(
    path: Option<&Path>,
    arguments: IamArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let IamArguments { of, location, account } = arguments;
    let Loaded { config, .. } = find_and_load(path).map_err(Stop::Config)?;
    if let Some(name) = location.as_deref().filter(|name| !config.locations.contains_key(*name)) {
        return Err(Stop::Usage(unknown_location(&config, name)));
    }
    let clients = Locations::load(&config.locations).await;
    let mut policies = Vec::new();
    for (name, place) in &config.locations {
        if location.as_deref().is_some_and(|only| only != name.as_str()) {
            continue;
        }
        let region = clients.at(name).s3.region().unwrap_or("*").to_owned();
        let site = Site { region, account: account_of(place, account.as_ref()) };
        policies
            .extend(policies_of(of, &config, name, place, &needs(&config, name, site)).map_err(Stop::Usage)?);
    }
    let roles = config.locations.values().filter_map(|place| Some(place.role.as_ref()?.arn.clone()));
    let roles: Vec<String> = roles.collect();
    if of == PolicyOf::Controller && location.is_none() && !roles.is_empty() {
        let attach_to = "whoever starts regcred".to_owned();
        policies.push(IamPolicy { location: None, attach_to, policy: iam::assume(&roles) });
    }
    output.result(&IamPolicies { version: VERSION, of, policies }, Verdict::Converged, human::policies)
}

/// The policies of one location; none where there is nothing to allow.
fn policies_of(
    of: PolicyOf,
    config: &Config,
    name: &LocationName,
    place: &Location,
    needs: &Needs,
) -> Result<Vec<IamPolicy>, Failure> {
    let made =
        |attach_to: String, policy: Value| IamPolicy { location: Some(name.clone()), attach_to, policy };
    Ok(match of {
        PolicyOf::Controller => {
            let attach_to =
                place.role.as_ref().map_or("the role or user that regcred runs as", |role| &role.arn);
            vec![made(attach_to.to_owned(), iam::controller(needs))]
        }
        PolicyOf::Release => {
            let policy = iam::release(needs);
            if policy["Statement"].as_array().is_none_or(Vec::is_empty) {
                return Ok(Vec::new());
            }
            let attach_to =
                place.role.as_ref().map_or("the role or user that regcred runs as", |role| &role.arn);
            vec![made(attach_to.to_owned(), policy)]
        }
        PolicyOf::Instance if needs.objects.is_empty() => Vec::new(),
        PolicyOf::Instance => {
            vec![made("the role of the container instances".to_owned(), iam::instance(needs))]
        }
        PolicyOf::TaskExecution if needs.secrets.is_empty() => Vec::new(),
        PolicyOf::TaskExecution => {
            vec![made("the task execution role".to_owned(), iam::task_execution(needs))]
        }
        PolicyOf::Bucket => {
            let objects = needs.objects.iter().map(|object| &object.bucket);
            let buckets: BTreeSet<&String> =
                objects.chain(needs.state.iter().map(|place| &place.bucket)).collect();
            let policy = |bucket: &&String| made(format!("the bucket {bucket}"), iam::bucket(needs, bucket));
            buckets.iter().map(policy).collect()
        }
        PolicyOf::Key => {
            if needs.site.account == "*" {
                return Err(Failure::new(
                    FailureKind::Missing,
                    format!("cannot write the policy of a key in location `{name}`"),
                    "a key's policy names its account, and nothing tells which that is",
                    "name it with --account",
                ));
            }
            keys(config, name)
                .into_iter()
                .map(|key| made(format!("the key {key}"), iam::key(&needs.site)))
                .collect()
        }
    })
}

/// The keys of one's own that are named in a location.
fn keys<'a>(config: &'a Config, name: &LocationName) -> BTreeSet<&'a str> {
    let secrets = config.registries.values().filter_map(|registry| registry.secret.as_ref());
    let of_secrets =
        secrets.filter(|secret| secret.locations.contains(name)).filter_map(|it| it.kms_key.as_deref());
    let objects = config.ecs_configs.values().filter(|object| object.location == *name);
    of_secrets.chain(objects.filter_map(|it| it.kms_key.as_deref())).collect()
}

/// What the configuration has in one location.
pub(super) fn needs(config: &Config, name: &LocationName, site: Site) -> Needs {
    let Config {
        state,
        locations: _,
        registries,
        ecs_configs,
        fleets,
        schedules: _,
        windows: _,
        daemon: _,
        rollout: _,
    } = config;
    let place = StatePlace { bucket: state.bucket.clone(), prefix: state.prefix.clone() };
    let secrets = registries.values().filter_map(|registry| registry.secret.as_ref());
    let secrets = secrets.filter(|secret| secret.locations.contains(name));
    let objects = ecs_configs.values().filter(|object| object.location == *name);
    Needs {
        site,
        state: (state.location == *name).then_some(place),
        secrets: secrets
            .map(|secret| WrittenSecret {
                name: secret.name.clone(),
                kms_key: secret.kms_key.clone(),
                replicate_to: secret.replicate_to.clone(),
            })
            .collect(),
        objects: objects
            .map(|object| WrittenObject {
                bucket: object.bucket.clone(),
                key: object.key.clone(),
                kms_key: object.kms_key.clone(),
            })
            .collect(),
        fleets: fleets.values().filter(|fleet| fleet.location == *name).map(restarted).collect(),
        sources: registries.values().filter_map(|registry| read_source(&registry.source, name)).collect(),
    }
}

fn restarted(fleet: &Fleet) -> RestartedFleet {
    let hosts = match &fleet.members {
        Members::Clusters(patterns) => Hosts::Clusters(patterns.iter().map(ToString::to_string).collect()),
        Members::Tags(_) | Members::Instances(_) => Hosts::Managed,
    };
    RestartedFleet { hosts, document: fleet.document.clone() }
}

/// What AWS is asked for a source in this location.
fn read_source(source: &SourceReference, name: &LocationName) -> Option<ReadSource> {
    match source {
        SourceReference::SecretsManager { location, id, stage: _, shape: _ } => {
            (location == name).then(|| ReadSource::Secret(id.clone()))
        }
        SourceReference::SsmParameter { location, name: parameter, shape: _ } => {
            (location == name).then(|| ReadSource::Parameter(parameter.clone()))
        }
        // Vault's login by AWS signs a request for GetCallerIdentity, which needs no permission.
        SourceReference::Vault(_)
        | SourceReference::Env { .. }
        | SourceReference::JsonFile { .. }
        | SourceReference::PasswordFile { .. }
        | SourceReference::DockerConfig { .. }
        | SourceReference::DockerAuthConfig { .. }
        | SourceReference::CredentialHelper { .. }
        | SourceReference::Exec { .. } => None,
    }
}

/// The account of a location: its role's, or else the one that is named.
pub(super) fn account_of(place: &Location, named: Option<&AccountId>) -> String {
    let of_role = place.role.as_ref().and_then(|role| role.arn.split(':').nth(4));
    let named = named.map(ToString::to_string);
    of_role.map(str::to_owned).or(named).unwrap_or_else(|| "*".to_owned())
}

fn unknown_location(config: &Config, name: &str) -> Failure {
    let there: Vec<&str> = config.locations.keys().map(LocationName::as_str).collect();
    Failure::new(
        FailureKind::Missing,
        format!("cannot write policies for location `{name}`"),
        "the configuration has no location of that name",
        format!("name one of {}", there.join(", ")),
    )
}
