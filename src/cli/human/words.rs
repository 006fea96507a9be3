//! What data is called in a sentence.

use std::time::Duration;

use chrono::{DateTime, Utc};
use regcred_core::credential::Expiry;
use regcred_core::login::{Trial, Unreachable};
use regcred_core::names::FleetName;
use regcred_core::plan::{CredentialChange, Hold};
use regcred_core::rollout::{Explanation, HostOutcome, MaxUnavailable};
use regcred_core::server::Server;

/// How one host ended, in a word.
pub(super) fn ended(outcome: &HostOutcome) -> &'static str {
    match outcome {
        HostOutcome::Current | HostOutcome::Proven { .. } => "proven",
        HostOutcome::Unproven { .. } => "unproven",
        HostOutcome::Restored { .. } => "restored",
        HostOutcome::Refused { .. } => "refused",
        HostOutcome::Failed { .. } => "failed",
        HostOutcome::Unsupported { .. } => "unsupported",
        HostOutcome::Unreachable { .. } => "unreachable",
        HostOutcome::FailedBefore { .. } => "failed before",
        HostOutcome::Superseded => "superseded",
        HostOutcome::Waiting => "not restarted",
        HostOutcome::Joined => "joined late",
        HostOutcome::Gone => "gone",
    }
}

/// How one host ended, and why.
pub(crate) fn outcome(outcome: &HostOutcome) -> String {
    match outcome.explain() {
        Some(Explanation { why, .. }) => format!("{}: {why}", ended(outcome)),
        None => ended(outcome).to_owned(),
    }
}

/// Why something published stays.
pub(crate) fn hold(why: Hold) -> &'static str {
    match why {
        Hold::SourceFailed => "its source could not be read",
        Hold::Rejected => "the registry does not accept its new credential",
        Hold::Untried => "its new credential could not be tried at the registry",
        Hold::SecretFailed => "its secret, which comes first, could not be stored",
        Hold::NotRenderable => "its credential does not fit the format",
        Hold::OutOfScope => "it was not named",
        Hold::ObjectFailed => "its ecs.config, which comes first, is not as it should be",
        Hold::Superseded => {
            "another regcred, or a person, has written its ecs.config meanwhile; the next pass decides"
        }
        Hold::Stopped => "the pass was asked to stop",
        Hold::Deadline => "the time for this pass is over",
        Hold::LeaseLost => "another process took the lease",
        Hold::Paused => "regcred is paused",
        Hold::WindowClosed => "the maintenance window is closed",
        Hold::RolloutHalted => "its rollout was halted",
        Hold::RolloutFailed => "it could not be rolled out",
        Hold::Halted => "the rollout of the same ecs.config was halted in another fleet",
    }
}

/// `; after stage, edge`: behind what has to end well before.
pub(super) fn after(fleets: &[FleetName]) -> String {
    if fleets.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = fleets.iter().map(FleetName::as_str).collect();
    format!("; after {}", names.join(", "))
}

/// How a registry's credential compares to what is published. `shown` is the fingerprint of the one that was read.
pub(super) fn change(change: &CredentialChange, shown: &str) -> String {
    match change {
        CredentialChange::New => format!("not published yet ({shown})"),
        CredentialChange::None => format!("unchanged ({shown})"),
        CredentialChange::Password { published } => {
            format!("password changed ({} → {shown}), user same", published.short())
        }
        CredentialChange::User { published } => format!("user changed ({} → {shown})", published.short()),
        CredentialChange::Unknown => format!("{shown}; what is published could not be seen"),
    }
}

/// `2027-02-01`.
pub(super) fn day(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d").to_string()
}

/// `2027-02-01 03:00 UTC`.
pub(super) fn minute(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// The warning of a credential whose end is near, to the minute.
pub(super) fn expires_soon(expiry: &Expiry) -> Option<String> {
    let Expiry { expires, expires_soon } = expiry;
    expires_soon.then(|| {
        format!(
            "warning: it expires {}; put its successor at the source before then",
            expires.format("%Y-%m-%d %H:%M UTC")
        )
    })
}

/// What is known of a candidate, where there is anything to say.
pub(super) fn trial(trial: &Trial) -> Option<String> {
    match trial {
        Trial::NoCandidate | Trial::Unneeded => None,
        Trial::Unseen => {
            Some("not tried at the registry, as nothing that should hold it could be seen".to_owned())
        }
        Trial::Pending => Some("not tried at the registry yet".to_owned()),
        Trial::Untried => Some("published untried, and not tried at the registry since".to_owned()),
        Trial::Off => Some("not tried at the registry, as verify.enabled is false".to_owned()),
        Trial::Accepted(accepted) => Some(format!("accepted {accepted}")),
        Trial::Rejected { .. } => Some("REJECTED by the registry".to_owned()),
        Trial::RejectedBefore { .. } => {
            Some("rejected by the registry before, and not tried again".to_owned())
        }
        Trial::CannotTell { unreachable: Unreachable::Hold, .. } => {
            Some("could not be tried at the registry".to_owned())
        }
        Trial::CannotTell { unreachable: Unreachable::Publish, failure, .. } => {
            Some(format!("published untried, as verify.unreachable is `publish`: {}", failure.why))
        }
    }
}

/// What stays published in place of a candidate, and since when it is there. An object's date is that of its last change,
/// whatever was changed.
pub(super) fn stays(server: &Server, change: &CredentialChange, since: Option<DateTime<Utc>>) -> String {
    match (change, since) {
        (CredentialChange::New, _) => format!("nothing is published of {server} so far"),
        (CredentialChange::Unknown, _) => {
            format!("whatever is published of {server} stays; it could not be seen")
        }
        (
            CredentialChange::None | CredentialChange::Password { .. } | CredentialChange::User { .. },
            since,
        ) => format!("what is published of {server} stays{}", there_since(since)),
    }
}

/// `; it is there since 2026-11-30 10:02 UTC or longer`.
pub(super) fn there_since(since: Option<DateTime<Utc>>) -> String {
    since.map_or_else(String::new, |since| {
        format!("; it is there since {} or longer", since.format("%Y-%m-%d %H:%M UTC"))
    })
}

pub(super) fn max_unavailable(limit: MaxUnavailable) -> String {
    match limit {
        MaxUnavailable::Count(count) => format!("{count} of a cluster"),
        MaxUnavailable::Percent(percent) => format!("{percent} % of a cluster"),
    }
}

/// `about 30 s`, `about 3 min`, `about 2 h`.
pub(super) fn about(duration: Duration) -> String {
    format!("about {}", span(duration))
}

/// `30 s`, `3 min`, `2 h`, rounded up.
pub(super) fn span(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..90 => format!("{} s", seconds.max(1)),
        seconds @ 90..5400 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", seconds.div_ceil(3600)),
    }
}
