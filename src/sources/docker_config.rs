//! The source `docker_config`: the file that `docker login` writes. See docs/sources/docker_config.md.

use std::path::PathBuf;

use async_trait::async_trait;
use regcred_core::formats::docker_config;
use regcred_core::server::Server;

use super::bytes::read_text;
use super::error::{Flaw, Place, SourceError};
use super::{Reading, Source};

/// Docker's `config.json` with `auths`, or the older `.dockercfg` without; one server's entry in it.
pub(super) struct DockerConfig {
    pub(super) path: PathBuf,
    pub(super) server: Server,
}

#[async_trait]
impl Source for DockerConfig {
    async fn read(&self) -> Result<Reading, SourceError> {
        let text = read_text(&self.path).await?;
        docker_config::read(&text, &self.server)
            .map(Reading::of)
            .map_err(|unusable| SourceError { place: self.place(), flaw: Flaw::NoEntry(unusable) })
    }

    fn place(&self) -> Place {
        Place::File(self.path.clone())
    }
}
