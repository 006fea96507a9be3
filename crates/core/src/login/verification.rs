//! What `verify` found: what the registries say of each credential, with nothing changed.

use schemars::JsonSchema;
use serde::Serialize;

use super::trial::{rejected, untold};
use super::verdict::Login;
use crate::fingerprint::Fingerprint;
use crate::names::{EcsConfigName, LocationName, RegistryName};
use crate::report::{Failure, FailureKind, Verdict};
use crate::server::Server;

/// The version of the serialised form.
pub const VERSION: u32 = 1;

/// What the registries say of each credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Verification {
    pub version: u32,
    pub credentials: Vec<Verified>,
    /// Why what was learnt of rejected credentials could not be kept in mind; not there where it could, or nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unkept: Option<Failure>,
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
    /// Agents take one of these keys of the object, another one at each start, and their credentials differ.
    Random { keys: Vec<String> },
    /// `verify.enabled` is false.
    Off,
}

impl Verification {
    /// Adds up what was found: 4 where nothing can be told of one, or what was learnt is lost; 3 where one is rejected,
    /// missing or taken at random.
    pub fn new(credentials: Vec<Verified>, unkept: Option<Failure>) -> Self {
        let kept = match &unkept {
            None => Verdict::Converged,
            Some(_) => Verdict::Partial,
        };
        let verdict = credentials.iter().map(Verified::verdict).fold(kept, Verdict::worse);
        Self { version: VERSION, credentials, unkept, verdict }
    }
}

impl Verified {
    fn verdict(&self) -> Verdict {
        match &self.outcome {
            VerifiedOutcome::Tried { login: Login::Accepted(_) } | VerifiedOutcome::Off => Verdict::Converged,
            VerifiedOutcome::Tried { login: Login::Rejected(_) }
            | VerifiedOutcome::Absent
            | VerifiedOutcome::Random { .. } => Verdict::Drift,
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
            VerifiedOutcome::Random { keys } => Some(Failure::new(
                FailureKind::Refused,
                format!("what is published of `{}` at {} is no one credential", self.registry, self.server),
                format!(
                    "agents take one of the keys {} at random, another one at each start, and their credentials differ",
                    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
                ),
                format!(
                    "run `regcred sync --registry {}`: it leaves one of them, with what the source holds",
                    self.registry
                ),
            )),
            VerifiedOutcome::Tried { login: Login::Accepted(_) }
            | VerifiedOutcome::Absent
            | VerifiedOutcome::Off => None,
        }
    }
}
