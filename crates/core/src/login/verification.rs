//! What `verify` found: what the registries say of each credential, with nothing changed.

use schemars::JsonSchema;
use serde::Serialize;

use super::trial::{rejected, untold};
use super::verdict::Login;
use crate::fingerprint::Fingerprint;
use crate::names::{EcsConfigName, LocationName, RegistryName};
use crate::report::{Failure, Verdict};
use crate::server::Server;

/// The version of the serialised form.
pub const VERSION: u32 = 1;

/// What the registries say of each credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Verification {
    pub version: u32,
    pub credentials: Vec<Verified>,
    pub verdict: Verdict,
}

/// One credential of one registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Verified {
    pub registry: RegistryName,
    pub server: Server,
    /// Where it is; several, where one credential is published in several places.
    pub places: Vec<CredentialPlace>,
    /// Of a credential that could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    pub outcome: VerifiedOutcome,
}

/// Where a credential is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "place", rename_all = "snake_case")]
pub enum CredentialPlace {
    Source,
    Secret { location: LocationName, name: String },
    Object { location: LocationName, ecs_config: EcsConfigName },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum VerifiedOutcome {
    Tried {
        #[serde(flatten)]
        login: Login,
    },
    /// There is nothing to try: it could not be read.
    Unreadable { failure: Failure },
    /// There is none.
    Absent,
    /// `verify.enabled` is false.
    Off,
}

impl Verification {
    /// Adds up what was found: 4 where nothing can be told of one, 3 where one is rejected or missing.
    pub fn new(credentials: Vec<Verified>) -> Self {
        let verdict = credentials.iter().map(Verified::verdict).fold(Verdict::Converged, Verdict::worse);
        Self { version: VERSION, credentials, verdict }
    }
}

impl Verified {
    fn verdict(&self) -> Verdict {
        match &self.outcome {
            VerifiedOutcome::Tried { login: Login::Accepted(_) } | VerifiedOutcome::Off => Verdict::Converged,
            VerifiedOutcome::Tried { login: Login::Rejected(_) } | VerifiedOutcome::Absent => Verdict::Drift,
            VerifiedOutcome::Tried { login: Login::CannotTell(_) } | VerifiedOutcome::Unreadable { .. } => {
                Verdict::Partial
            }
        }
    }

    /// What is wrong, for a person.
    pub fn failure(&self) -> Option<Failure> {
        match &self.outcome {
            VerifiedOutcome::Tried { login: Login::Rejected(rejection) } => {
                Some(rejected(rejection, &self.registry, &self.server))
            }
            VerifiedOutcome::Tried { login: Login::CannotTell(obstacle) } => {
                Some(untold(obstacle, &self.registry, &self.server))
            }
            VerifiedOutcome::Unreadable { failure } => Some(failure.clone()),
            VerifiedOutcome::Tried { login: Login::Accepted(_) }
            | VerifiedOutcome::Absent
            | VerifiedOutcome::Off => None,
        }
    }
}
