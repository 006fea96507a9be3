//! Why a source gave no credential, in the three lines that a person reads.

use std::fmt;
use std::path::PathBuf;

use regcred_core::report::Failure;
use thiserror::Error;

use super::flaw::Flaw;

/// A source that gave no credential: which place failed, and how. Tells nothing of what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot read {place}\n  because: {}\n  to do:   {}", .flaw.why(.place), .flaw.to_do(.place))]
pub(crate) struct SourceError {
    pub(crate) place: Place,
    pub(crate) flaw: Flaw,
}

impl SourceError {
    /// The three lines, as data.
    pub(crate) fn into_failure(self) -> Failure {
        let Self { place, flaw } = self;
        Failure::new(flaw.kind(), format!("cannot read {place}"), flaw.why(&place), flaw.to_do(&place))
    }
}

/// What was being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// An environment variable, by its name.
    Variable(String),
    File(PathBuf),
    /// A credential helper, by what stands behind `docker-credential-` in its name.
    Helper(String),
    /// The output of a command, by its program.
    Command(PathBuf),
    /// A secret in Secrets Manager. `location` is as [`crate::aws`] names it: `eu (111111111111, eu-west-1)`.
    Secret {
        id: String,
        location: String,
    },
    /// A parameter in SSM's Parameter Store.
    Parameter {
        name: String,
        location: String,
    },
    /// A secret in Vault, by the path that a policy there has, and the server.
    Vault {
        path: String,
        address: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Helper(name) => write!(f, "the credential helper docker-credential-{name}"),
            Self::Command(program) => write!(f, "the output of the command {}", program.display()),
            Self::Secret { id, location } => write!(f, "the secret `{id}` in {location}"),
            Self::Parameter { name, location } => write!(f, "the parameter `{name}` in {location}"),
            Self::Vault { path, address } => write!(f, "the secret `{path}` in Vault at {address}"),
        }
    }
}
