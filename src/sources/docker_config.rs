//! The source `docker_config`: the file that `docker login` writes. See docs/sources/docker_config.md.

use std::path::PathBuf;

use async_trait::async_trait;
use regcred_core::formats::docker_config::{self, Found};
use regcred_core::server::Server;

use super::bytes::read_text;
use super::error::{Place, SourceError};
use super::flaw::Flaw;
use super::process::Environment;
use super::{Reading, Source, helper};

/// Docker's `config.json` with `auths`, or the older `.dockercfg` without; one server's entry in it, or the helper that
/// it names for that server.
pub(super) struct DockerConfig {
    pub(super) path: PathBuf,
    pub(super) server: Server,
    /// What a helper is given.
    pub(super) environment: Environment,
}

#[async_trait]
impl Source for DockerConfig {
    async fn read(&self) -> Result<Reading, SourceError> {
        let text = read_text(&self.path).await?;
        let found = docker_config::read(&text, &self.server)
            .map_err(|unusable| SourceError { place: self.place(), flaw: Flaw::NoEntry(unusable) })?;
        match found {
            Found::Here(credential) => Ok(Reading::of(credential)),
            Found::Kept(call) => helper::ask(&call, &self.environment)
                .await
                .map(Reading::of)
                .map_err(|flaw| SourceError { place: Place::Helper(call.helper), flaw }),
        }
    }

    fn place(&self) -> Place {
        Place::File(self.path.clone())
    }
}
