//! Where credentials come from: the port [`Source`] and its implementations, one file each.
//!
//! A source only reads. What it read lives in a [`regcred_core::secret::Secret`] from the first byte; no note and no
//! error here tells anything of a value. A source must not decide what becomes of its credential, and must not retry:
//! the next pass does.

mod bytes;
mod docker_config;
mod env;
mod error;
mod json_file;
mod password_file;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use futures_util::future::join_all;
use regcred_core::credential::Credential;
use regcred_core::names::RegistryName;
use regcred_core::server::Server;
use tokio::time::timeout;

pub(crate) use self::error::{Flaw, Place, SourceError};
use crate::config::{Registry, SourceReference};

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
    /// The line break that editors put at the end of a file was not taken for a part of the password.
    TrailingLineBreakTrimmed { path: PathBuf },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrailingLineBreakTrimmed { path } => {
                write!(
                    f,
                    "the line break at the end of {} is not taken for a part of the password",
                    path.display()
                )
            }
        }
    }
}

/// Reads the sources of all `registries` side by side, each within its time limit. One that fails fails alone.
pub(crate) async fn read_all<'a>(
    registries: impl IntoIterator<Item = (&'a RegistryName, &'a Registry)>,
) -> BTreeMap<RegistryName, Result<Reading, SourceError>> {
    let readings = registries.into_iter().map(|(name, registry)| async move {
        let source = open(&registry.source, &registry.server);
        let reading = match timeout(registry.source_timeout, source.read()).await {
            Ok(reading) => reading,
            Err(_) => {
                Err(SourceError { place: source.place(), flaw: Flaw::TimedOut(registry.source_timeout) })
            }
        };
        (name.clone(), reading)
    });
    join_all(readings).await.into_iter().collect()
}

/// The source that a registry names; adding one is one more arm here.
fn open(reference: &SourceReference, server: &Server) -> Box<dyn Source> {
    match reference.clone() {
        SourceReference::Env { username, password } => {
            Box::new(env::Env { username, password, look_up: |name: &str| std::env::var_os(name) })
        }
        SourceReference::JsonFile { path } => Box::new(json_file::JsonFile { path }),
        SourceReference::PasswordFile { username, password_path } => {
            Box::new(password_file::PasswordFile { username, path: password_path })
        }
        SourceReference::DockerConfig { path } => {
            Box::new(docker_config::DockerConfig { path, server: server.clone() })
        }
    }
}
