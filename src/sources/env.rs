//! The source `env`: two variables of regcred's own environment. See docs/sources/env.md.

use std::ffi::OsString;

use async_trait::async_trait;
use regcred_core::credential::{Credential, CredentialError, Part};
use regcred_core::secret::Secret;

use super::bytes::into_secret;
use super::error::{Place, SourceError};
use super::flaw::Flaw;
use super::{Reading, Source};

/// Two variables, by their names.
pub(super) struct Env<F> {
    pub(super) username: String,
    pub(super) password: String,
    /// The environment: [`std::env::var_os`], which a test cannot change without hurting its neighbours.
    pub(super) look_up: F,
}

impl<F: Fn(&str) -> Option<OsString> + Send + Sync> Env<F> {
    fn variable(&self, name: &str) -> Result<Secret, SourceError> {
        let flawed = |flaw| SourceError { place: Place::Variable(name.to_owned()), flaw };
        let value = (self.look_up)(name).ok_or_else(|| flawed(Flaw::Missing))?;
        into_secret(value.into_encoded_bytes()).map_err(flawed)
    }
}

#[async_trait]
impl<F: Fn(&str) -> Option<OsString> + Send + Sync> Source for Env<F> {
    async fn read(&self) -> Result<Reading, SourceError> {
        let username = self.variable(&self.username)?;
        let password = self.variable(&self.password)?;
        // The credential knows which half is wrong; here each half has a name of its own.
        Credential::new(username.expose().to_owned(), password, None).map(Reading::of).map_err(|error| {
            let part = match error {
                CredentialError::Empty(part)
                | CredentialError::Nul(part)
                | CredentialError::LineBreak(part) => part,
            };
            let name = match part {
                Part::Username => &self.username,
                Part::Password => &self.password,
            };
            SourceError { place: Place::Variable(name.clone()), flaw: error.into() }
        })
    }

    fn place(&self) -> Place {
        Place::Variable(self.password.clone())
    }
}
