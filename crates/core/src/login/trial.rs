//! What a pass knows of a candidate: whether it was tried, and whether it may be published.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::verdict::{Accepted, Cause, Login, Obstacle, Rejection, Stage};
use crate::names::RegistryName;
use crate::plan::Hold;
use crate::report::{Failure, FailureKind};
use crate::server::Server;

/// What becomes of a candidate of which nothing can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unreachable {
    /// What is published stays.
    Hold,
    /// It is published untried, and that is said.
    Publish,
}

/// What to do about a candidate that was rejected before, and has not changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectedCandidates {
    #[default]
    LeaveAlone,
    /// Somebody says that it is right.
    Retry,
}

/// What a pass knows of a registry's candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Trial {
    /// Its source could not be read: there is none.
    NoCandidate,
    /// Everything that could be seen holds it already; it was tried when it was published.
    Unneeded,
    /// None of the places that should hold it could be seen, so that it is written nowhere and not tried for nothing.
    Unseen,
    /// It would be tried by a pass; this command tries nothing.
    Pending,
    /// The same, of one that was published while its registry could not be asked.
    Untried,
    /// `verify.enabled` is false.
    Off,
    Accepted(Accepted),
    Rejected {
        #[serde(flatten)]
        rejection: Rejection,
        failure: Failure,
    },
    /// This very one was rejected before, and is not tried again by itself: wrong tries lock accounts out.
    RejectedBefore {
        at: DateTime<Utc>,
        stage: Stage,
        failure: Failure,
    },
    CannotTell {
        #[serde(flatten)]
        obstacle: Obstacle,
        /// What becomes of it. That is `hold` for all but an outage, whatever the configuration says.
        unreachable: Unreachable,
        failure: Failure,
    },
}

impl Trial {
    /// What a login means for a pass. `unreachable` is what the operator said of outages.
    pub fn of(login: Login, name: &RegistryName, server: &Server, unreachable: Unreachable) -> Self {
        match login {
            Login::Accepted(accepted) => Self::Accepted(accepted),
            Login::Rejected(rejection) => {
                let failure = rejected(&rejection, name, server);
                Self::Rejected { rejection, failure }
            }
            Login::CannotTell(obstacle) => {
                let failure = untold(&obstacle, name, server);
                let (unreachable, failure) = match (obstacle.cause(), unreachable) {
                    (Cause::Outage, unreachable) => (unreachable, failure),
                    (Cause::Misfit, Unreachable::Hold) => (Unreachable::Hold, failure),
                    (Cause::Misfit, Unreachable::Publish) => {
                        let why = format!("{} (`unreachable: publish` is for outages alone)", failure.why);
                        (Unreachable::Hold, Failure { why, ..failure })
                    }
                };
                Self::CannotTell { obstacle, unreachable, failure }
            }
        }
    }

    /// One that was rejected at `at`, and has not changed since.
    pub fn rejected_before(at: DateTime<Utc>, stage: Stage, name: &RegistryName, server: &Server) -> Self {
        let date = at.format("%Y-%m-%d %H:%M UTC");
        let (why, remedy) = match &stage {
            Stage::Login => (
                format!(
                    "this very one was rejected on {date}, and trying it again and again would lock the account"
                ),
                format!(
                    "correct it at its source; or, if the registry was wrong, run `regcred verify --registry {name}`"
                ),
            ),
            Stage::Pull { canary } => (
                format!(
                    "this very one was not let pull {canary} on {date}, and is not tried again by itself"
                ),
                stage.remedy(name),
            ),
        };
        let failure = Failure::new(FailureKind::Rejected, what(name, server), why, remedy);
        Self::RejectedBefore { at, stage, failure }
    }

    /// Why the candidate must not be published; `None` where it may be.
    pub fn hold(&self) -> Option<Hold> {
        match self {
            Self::NoCandidate => Some(Hold::SourceFailed),
            Self::Rejected { .. } | Self::RejectedBefore { .. } => Some(Hold::Rejected),
            Self::CannotTell { unreachable: Unreachable::Hold, .. } => Some(Hold::Untried),
            Self::CannotTell { unreachable: Unreachable::Publish, .. }
            | Self::Unneeded
            | Self::Unseen
            | Self::Pending
            | Self::Untried
            | Self::Off
            | Self::Accepted(_) => None,
        }
    }

    /// Whether it is published although nobody could say whether it works, and somebody wanted to know.
    pub fn is_published_untried(&self) -> bool {
        match self {
            Self::CannotTell { unreachable: Unreachable::Publish, .. } | Self::Untried => true,
            Self::CannotTell { unreachable: Unreachable::Hold, .. }
            | Self::NoCandidate
            | Self::Unneeded
            | Self::Unseen
            | Self::Pending
            | Self::Off
            | Self::Accepted(_)
            | Self::Rejected { .. }
            | Self::RejectedBefore { .. } => false,
        }
    }

    /// As it is called in the JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NoCandidate => "no_candidate",
            Self::Unneeded => "unneeded",
            Self::Unseen => "unseen",
            Self::Pending => "pending",
            Self::Untried => "untried",
            Self::Off => "off",
            Self::Accepted(_) => "accepted",
            Self::Rejected { .. } => "rejected",
            Self::RejectedBefore { .. } => "rejected_before",
            Self::CannotTell { .. } => "cannot_tell",
        }
    }

    /// Why the candidate is not published, for a person.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Rejected { failure, .. }
            | Self::RejectedBefore { failure, .. }
            | Self::CannotTell { failure, unreachable: Unreachable::Hold, .. } => Some(failure),
            Self::CannotTell { unreachable: Unreachable::Publish, .. }
            | Self::NoCandidate
            | Self::Unneeded
            | Self::Unseen
            | Self::Pending
            | Self::Untried
            | Self::Off
            | Self::Accepted(_) => None,
        }
    }
}

/// What a registry that refuses a credential is told as.
pub fn rejected(rejection: &Rejection, name: &RegistryName, server: &Server) -> Failure {
    Failure::new(FailureKind::Rejected, what(name, server), rejection.why(), rejection.stage.remedy(name))
}

/// What a credential that cannot be tried is told as.
pub fn untold(obstacle: &Obstacle, name: &RegistryName, server: &Server) -> Failure {
    let kind = match obstacle {
        Obstacle::Throttled { .. } => FailureKind::Throttled,
        Obstacle::RealmRefused { .. } | Obstacle::RedirectRefused { .. } | Obstacle::OpenToAll => {
            FailureKind::Refused
        }
        Obstacle::ServerError { .. }
        | Obstacle::NoAnswer { .. }
        | Obstacle::TokenNotTaken { .. }
        | Obstacle::NoRegistry
        | Obstacle::NoChallenge
        | Obstacle::NoToken { .. }
        | Obstacle::Unexpected { .. } => FailureKind::Unreachable,
        Obstacle::CanaryNotFound { .. } => FailureKind::Missing,
    };
    let what = format!("cannot try the credential of `{name}` at {server}");
    Failure::new(kind, what, obstacle.why(), obstacle.remedy(name.as_str()))
}

fn what(name: &RegistryName, server: &Server) -> String {
    format!("the credential of `{name}` is not accepted by {server}")
}
