//! Where credentials come from: the port [`Source`] and its implementations, one file each.
//!
//! A source only reads. What it read lives in a [`regcred_core::secret::Secret`] from the first byte; no note and no
//! error here tells anything of a value. A source must not decide what becomes of its credential, and must not retry:
//! the next pass does.

mod bytes;
mod docker_auth_config;
mod docker_config;
mod env;
mod error;
mod exec;
mod flaw;
mod helper;
mod json_file;
mod pair;
mod password_file;
mod process;
mod secrets_manager;
mod shape;
mod ssm_parameter;
mod vault;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream;
use regcred_core::credential::Credential;
use regcred_core::formats::docker_config::{HelperCall, docker_host};
use regcred_core::names::RegistryName;
use regcred_core::server::Server;
use tokio::time::timeout;

pub(crate) use self::error::{Place, SourceError};
pub(crate) use self::flaw::Flaw;
use crate::aws::Locations;
use crate::config::{Registry, SourceReference, VaultLogin};

/// Something that holds a registry's credential.
#[async_trait]
pub(crate) trait Source: Send + Sync {
    /// Reads the credential as it is now. Nothing is kept between two calls.
    async fn read(&self) -> Result<Reading, SourceError>;

    /// What a message names when reading takes too long.
    fn place(&self) -> Place;
}

/// A credential, and what a person should know about how it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) credential: Credential,
    pub(crate) notes: Vec<Note>,
}

impl Reading {
    fn of(credential: Credential) -> Self {
        Self { credential, notes: Vec::new() }
    }
}

/// Something done in reading that a person may not expect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// The line break that editors put at the end of a text was not taken for a part of the password.
    TrailingLineBreakTrimmed { place: Place },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrailingLineBreakTrimmed { place } => {
                write!(f, "the line break at the end of {place} is not taken for a part of the password")
            }
        }
    }
}

/// Sources read at a time. A file costs a thread and a helper a process, of which a thousand would not fit; AWS answers
/// GetParameter 40 times a second in an account before it throttles (its default quota). Sixteen that all hang until
/// their limit of ten seconds hold up the others by as long.
const SIDE_BY_SIDE: usize = 16;

/// Reads the sources of all `registries` side by side, sixteen at a time, each within its time limit. One that fails fails alone; so does one
/// whose credential has expired at `now`.
pub(crate) async fn read_all<'a>(
    registries: impl IntoIterator<Item = (&'a RegistryName, &'a Registry)>,
    locations: &Locations,
    now: DateTime<Utc>,
) -> BTreeMap<RegistryName, Result<Reading, SourceError>> {
    let readings = registries.into_iter().map(|(name, registry)| async move {
        let source = open(&registry.source, &registry.server, locations);
        (name.clone(), read(&*source, registry.source_timeout, now).await)
    });
    stream::iter(readings).buffer_unordered(SIDE_BY_SIDE).collect().await
}

async fn read(source: &dyn Source, limit: Duration, now: DateTime<Utc>) -> Result<Reading, SourceError> {
    let flawed = |flaw| SourceError { place: source.place(), flaw };
    let reading =
        timeout(limit, source.read()).await.unwrap_or_else(|_| Err(flawed(Flaw::TimedOut(limit))))?;
    match reading.credential.expires() {
        Some(at) if reading.credential.is_expired(now) => Err(flawed(Flaw::Expired { at })),
        Some(_) | None => Ok(reading),
    }
}

/// The source that a registry names; adding one is one more arm here.
fn open(reference: &SourceReference, server: &Server, locations: &Locations) -> Box<dyn Source> {
    match reference.clone() {
        SourceReference::Env { username, password } => {
            Box::new(env::Env { username, password, look_up: |name: &str| std::env::var_os(name) })
        }
        SourceReference::JsonFile { path } => Box::new(json_file::JsonFile { path }),
        SourceReference::PasswordFile { username, password_path } => {
            Box::new(password_file::PasswordFile { username, path: password_path })
        }
        SourceReference::DockerConfig { path, environment } => Box::new(docker_config::DockerConfig {
            path,
            server: server.clone(),
            environment: process::environment(&environment),
        }),
        SourceReference::DockerAuthConfig { variable } => Box::new(docker_auth_config::DockerAuthConfig {
            variable,
            server: server.clone(),
            look_up: |name: &str| std::env::var_os(name),
        }),
        SourceReference::CredentialHelper { name, environment } => Box::new(helper::CredentialHelper {
            call: HelperCall { helper: name, server: docker_host(server) },
            environment: process::environment(&environment),
        }),
        SourceReference::Exec { program, arguments, folder, environment } => Box::new(exec::Exec {
            program,
            arguments,
            environment: process::environment(&environment),
            folder,
        }),
        SourceReference::SecretsManager { location, id, stage, shape } => {
            let client = locations.at(&location).secrets_manager.clone();
            Box::new(secrets_manager::SecretsManagerSecret { client, id, stage, shape })
        }
        SourceReference::SsmParameter { location, name, shape } => {
            let client = locations.at(&location).ssm.clone();
            Box::new(ssm_parameter::SsmParameter { client, name, shape })
        }
        SourceReference::Vault(settings) => {
            let identity = match &settings.login {
                VaultLogin::AwsIam { location, .. } => Some(locations.at(location).identity.clone()),
                VaultLogin::Token(_) | VaultLogin::AppRole { .. } => None,
            };
            Box::new(vault::VaultSecret { settings: *settings, identity })
        }
    }
}
