//! The source `docker_auth_config`: what the variable `DOCKER_AUTH_CONFIG`, or another, holds for Docker. See
//! docs/sources/docker_auth_config.md.

use std::ffi::OsString;

use async_trait::async_trait;
use regcred_core::formats::docker_config;
use regcred_core::server::Server;

use super::bytes::into_secret;
use super::error::{Place, SourceError};
use super::flaw::Flaw;
use super::{Reading, Source};

/// One server's entry in a variable that holds Docker's JSON.
pub(super) struct DockerAuthConfig<F> {
    pub(super) variable: String,
    pub(super) server: Server,
    /// As in [`super::env::Env`].
    pub(super) look_up: F,
}

#[async_trait]
impl<F: Fn(&str) -> Option<OsString> + Send + Sync> Source for DockerAuthConfig<F> {
    async fn read(&self) -> Result<Reading, SourceError> {
        let read = || {
            let value = (self.look_up)(&self.variable).ok_or(Flaw::Missing)?;
            let text = into_secret(value.into_encoded_bytes())?;
            docker_config::read_variable(&text, &self.server).map_err(Flaw::NoEntry)
        };
        read().map(Reading::of).map_err(|flaw| SourceError { place: self.place(), flaw })
    }

    fn place(&self) -> Place {
        Place::Variable(self.variable.clone())
    }
}
