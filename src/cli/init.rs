//! `regcred init`: a first configuration, drafted from what is found on this machine and in the account. It reads; the one
//! thing that it writes is a new file.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use regcred_core::draft::{Clusters, Draft, Finds, LeftOut, ObjectName};
use regcred_core::names::{LocationName, RegistryName};
use regcred_core::report::{Failure, FailureKind, Verdict};
use regcred_core::secret::Secret;
use schemars::JsonSchema;
use serde::Serialize;

use super::output::{self, Output};
use super::{Stop, human};
use crate::artefact::Artefact;
use crate::aws::{AwsError, Clients, Locations};
use crate::config::names::AMBIENT;
use crate::config::problem::{Problem, Severity};
use crate::config::{Location, env, load};

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// The ecs.config that hosts read now: its registries are taken in, its bucket and key too
    #[arg(long, value_name = "s3://BUCKET/KEY")]
    pub ecs_config: Option<Artefact>,
    /// Write it to this file, which must not be there yet; without it, to stdout
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FirstConfig {
    version: u32,
    /// The file that was written; none where the text was printed.
    pub path: Option<PathBuf>,
    /// The configuration. It holds no secret.
    pub text: String,
    /// The registries that were found.
    pub registries: Vec<RegistryName>,
    /// Entries of the files that were read which became no registry.
    pub left_out: Vec<LeftOut>,
    /// What could not be looked at, and so is not in it.
    pub failures: Vec<Failure>,
}

/// The version of the shape in JSON.
const VERSION: u32 = 1;

pub(crate) async fn run(arguments: InitArguments, output: Output) -> Result<Verdict, Stop> {
    let InitArguments { ecs_config, out } = arguments;
    if let Some(path) = out.as_deref().filter(|path| path.symlink_metadata().is_ok()) {
        return Err(Stop::Usage(is_there(path)));
    }
    let docker = docker_config().map_err(Stop::Usage)?;
    let here = LocationName::new(AMBIENT);
    let location = Location { region: None, role: None, endpoint_url: None };
    let locations = Locations::load(&BTreeMap::from([(here.clone(), location)])).await;
    let clients = locations.at(&here);
    let object = match &ecs_config {
        Some(artefact) => Some(read_object(clients, artefact).await?),
        None => None,
    };
    let (clusters, failures) = match clusters(clients).await {
        Ok(clusters) => (clusters, Vec::new()),
        Err(failure) => (Clusters::NotSeen, vec![failure]),
    };
    let finds = Finds {
        docker_config: docker.as_ref().map(|(path, content)| (path.as_str(), content)),
        ecs_config: object.as_ref().map(|(name, content)| (name.clone(), content.as_slice())),
        clusters,
        region: clients.s3.region().map(str::to_owned),
    };
    let draft = Draft::new(&finds).map_err(|why| {
        let path = docker.as_ref().map_or("", |(path, _)| path);
        let remedy = format!("mend it, or set {} to the folder of another one", env::DOCKER_CONFIG);
        let what = format!("cannot draft a configuration from {path}");
        Stop::Usage(Failure::new(FailureKind::Source, what, why.to_string(), remedy))
    })?;
    let text = draft.to_string();
    hold_against_rules(&text).map_err(Stop::Usage)?;
    if let Some(path) = &out {
        write_new(path, &text).map_err(Stop::Usage)?;
    }
    for failure in &failures {
        output::failure(failure);
    }
    let (registries, left_out) = (draft.registries(), draft.left_out().to_vec());
    let first = FirstConfig { version: VERSION, path: out, text, registries, left_out, failures };
    output.result(&first, Verdict::Converged, human::first_config)
}

/// Docker's file, where Docker looks for it; none where there is none.
fn docker_config() -> Result<Option<(String, Secret)>, Failure> {
    let folder = match std::env::var_os(env::DOCKER_CONFIG).filter(|value| !value.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => match std::env::var_os(env::HOME).filter(|value| !value.is_empty()) {
            Some(home) => Path::new(&home).join(".docker"),
            None => return Ok(None),
        },
    };
    // A source's path starts at the folder of the configuration, wherever that will be.
    let Ok(path) = std::path::absolute(folder.join("config.json")) else { return Ok(None) };
    if !path.exists() {
        return Ok(None);
    }
    let bytes = Artefact::File(path.clone()).read_here().map_err(|failure| Failure {
        remedy: format!("run it as a user who may read it, or set {} to another folder", env::DOCKER_CONFIG),
        ..failure
    })?;
    let text = std::str::from_utf8(&bytes).ok().zip(path.to_str());
    let (content, path) = text.ok_or_else(|| {
        Failure::new(
            FailureKind::Source,
            format!("cannot read {}", path.display()),
            "it, or its path, is no UTF-8 text",
            format!("mend it, or set {} to the folder of another one", env::DOCKER_CONFIG),
        )
    })?;
    Ok(Some((path.to_owned(), Secret::from(content))))
}

async fn read_object(
    clients: &Clients,
    artefact: &Artefact,
) -> Result<(ObjectName, zeroize::Zeroizing<Vec<u8>>), Stop> {
    let Artefact::Object { bucket, key } = artefact else {
        return Err(Stop::Usage(Failure::new(
            FailureKind::Invalid,
            format!("cannot draft a configuration from {artefact}"),
            "regcred keeps an ecs.config in S3, and hosts fetch it from there",
            "name an object: --ecs-config s3://BUCKET/KEY; a file on a host is explained by `regcred lint`",
        )));
    };
    let content = artefact.read_object(clients, bucket, key).await.map_err(Stop::Pass)?;
    Ok((ObjectName { bucket: bucket.clone(), key: key.clone() }, content))
}

/// The clusters of the environment's account and Region. Costs a call a page of them, and one a hundred.
async fn clusters(clients: &Clients) -> Result<Clusters, Failure> {
    if clients.s3.region().is_none() {
        return Err(Failure::new(
            FailureKind::Missing,
            "cannot list the clusters of the account",
            "the environment names no Region",
            "set AWS_REGION, or write the clusters below `fleets` by hand",
        ));
    }
    let failure = |error: AwsError| error.failure("cannot list the clusters of the account");
    let mut names = clients.ecs.clusters().await.map_err(failure)?;
    names.sort_unstable();
    let sizes: BTreeMap<String, usize> =
        clients.ecs.cluster_sizes(&names).await.map_err(failure)?.into_iter().collect();
    let (with_hosts, without) =
        names.into_iter().partition(|name| sizes.get(name).is_some_and(|size| *size > 0));
    Ok(Clusters::Seen { with_hosts, without })
}

/// Nothing is printed that `regcred check` would refuse. What it refuses was named by a person: a key of the object with an odd
/// character, or a path.
fn hold_against_rules(text: &str) -> Result<(), Failure> {
    let Err(problems) = load::parse(text, Path::new("/")) else { return Ok(()) };
    let first = problems.into_iter().find(|problem| problem.severity == Severity::Error);
    let (why, remedy) = match first {
        Some(Problem { path, what, why, to_do, severity: _, at: _ }) => {
            (format!("{path}: {what}: {why}"), to_do)
        }
        None => ("it is refused for no reason".to_owned(), "report this as a bug".to_owned()),
    };
    Err(Failure::new(FailureKind::Invalid, "cannot draft a configuration that is valid", why, remedy))
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let written = OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => is_there(path),
        _ => Failure::new(
            FailureKind::Refused,
            format!("cannot write {}", path.display()),
            error.to_string(),
            "name a file where you may write, or leave out --out",
        ),
    })
}

fn is_there(path: &Path) -> Failure {
    Failure::new(
        FailureKind::Refused,
        format!("cannot write {}", path.display()),
        "it is there already, and a configuration is never overwritten",
        "name another file, or remove this one",
    )
}
