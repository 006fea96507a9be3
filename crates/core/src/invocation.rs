//! One total mapping of the statuses of SSM Run Command.
//!
//! SSM's own verdict on a command counts only some of these as failures, and calls a command a success that reached no
//! host; so regcred reads each invocation and counts itself. This module must not judge what the script did: that
//! stands in the script's report (see [`crate::script`]).
//!
//! Source of the values: the service model's `CommandInvocationStatus`, and
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html> for the details.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// How far a command has come on one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not at its end yet.
    Running,
    /// The script ran to its end, whatever its exit code; its output is to be read.
    Ended,
    /// The script never started.
    NothingRan(NothingRan),
    /// The script started, or may have, and was cut off; what it did is unknown.
    CutOff(CutOff),
    /// A spelling that this version does not know, as it was seen. Never taken for "still running".
    Unknown(String),
}

/// Why the script never started on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NothingRan {
    /// The instance does not exist or does not respond.
    Undeliverable,
    /// It did not come to fetch the command in time.
    DeliveryTimedOut,
    /// The command had exceeded its `MaxErrors` before this host's turn.
    Terminated,
    /// The account has too many invocations pending.
    RateExceeded,
    /// The document does not support the platform.
    InvalidPlatform,
    /// The sender may not send to this host.
    AccessDenied,
    /// No host was named.
    NoInstancesInTag,
    /// `SendCommand` refused its id: it is no managed node (any more), or not in this account and Region.
    InvalidInstance,
    /// `SendCommand` was throttled until its sender gave up.
    Throttled,
}

impl NothingRan {
    /// Whether the host may have left the cluster, so that ECS should be asked before it is called a failure.
    pub fn may_be_gone(self) -> bool {
        match self {
            Self::Undeliverable | Self::DeliveryTimedOut | Self::InvalidInstance => true,
            Self::Terminated
            | Self::RateExceeded
            | Self::InvalidPlatform
            | Self::AccessDenied
            | Self::NoInstancesInTag
            | Self::Throttled => false,
        }
    }
}

impl fmt::Display for NothingRan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Undeliverable => "SSM could not deliver the command to it",
            Self::DeliveryTimedOut => "it did not fetch the command in time",
            Self::Terminated => "SSM stopped the command at its MaxErrors before this host's turn",
            Self::RateExceeded => "the account has too many invocations pending",
            Self::InvalidPlatform => "the SSM document does not support its platform",
            Self::AccessDenied => "regcred's role may not send to it",
            Self::NoInstancesInTag => "SSM found no host that the command names",
            Self::InvalidInstance => "SSM knows no such managed node in this account and Region",
            Self::Throttled => "SSM throttled the command until it was given up",
        })
    }
}

/// What cut the script off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CutOff {
    /// It took longer than the document's `timeoutSeconds`, and was killed.
    ExecutionTimedOut,
    /// Somebody cancelled the command; a cancelled script may have run all the same.
    Cancelled,
    /// It timed out, and SSM did not say whether before or after the start.
    TimedOut,
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExecutionTimedOut => "its script took too long and was killed",
            Self::Cancelled => "the command was cancelled",
            Self::TimedOut => "the command timed out",
        })
    }
}

/// How far a command as a whole has come, as far as it says something of its hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandState {
    /// Not at its end yet.
    Running,
    /// At its end: its invocations say how, host by host.
    Ended,
    /// It was given up before any host's turn; there are no invocations.
    NothingRan(NothingRan),
    /// A spelling that this version does not know, as it was seen.
    Unknown(String),
}

/// Reads `Status` and `StatusDetails` of a `CommandInvocation`. The details decide, being the finer of the two; without
/// them, the status. Spaces and case do not matter: the documentation writes "Delivery Timed Out" and
/// "`DeliveryTimedOut`", an event "Canceled".
pub fn read_invocation(status: &str, details: &str) -> Progress {
    let known_status = matches!(
        squeeze(status).as_str(),
        "pending"
            | "inprogress"
            | "delayed"
            | "success"
            | "cancelled"
            | "canceled"
            | "timedout"
            | "failed"
            | "cancelling"
            | "canceling"
    );
    let decisive = if squeeze(details).is_empty() { status } else { details };
    match squeeze(decisive).as_str() {
        _ if !known_status => Progress::Unknown(as_seen(status, details)),
        "pending" | "inprogress" | "delayed" | "cancelling" | "canceling" => Progress::Running,
        "success" | "failed" => Progress::Ended,
        "deliverytimedout" => Progress::NothingRan(NothingRan::DeliveryTimedOut),
        "undeliverable" => Progress::NothingRan(NothingRan::Undeliverable),
        "terminated" => Progress::NothingRan(NothingRan::Terminated),
        "rateexceeded" => Progress::NothingRan(NothingRan::RateExceeded),
        "invalidplatform" => Progress::NothingRan(NothingRan::InvalidPlatform),
        "accessdenied" => Progress::NothingRan(NothingRan::AccessDenied),
        "noinstancesintag" => Progress::NothingRan(NothingRan::NoInstancesInTag),
        "executiontimedout" => Progress::CutOff(CutOff::ExecutionTimedOut),
        "cancelled" | "canceled" => Progress::CutOff(CutOff::Cancelled),
        "timedout" => Progress::CutOff(CutOff::TimedOut),
        _ => Progress::Unknown(as_seen(status, details)),
    }
}

/// Reads `Status` and `StatusDetails` of a `Command`. Only what holds for every host of it is told apart: a command
/// that "timed out" or is "incomplete" may have run on some.
pub fn read_command(status: &str, details: &str) -> CommandState {
    let decisive = if squeeze(details).is_empty() { status } else { details };
    match squeeze(decisive).as_str() {
        "pending" | "inprogress" | "delayed" | "cancelling" | "canceling" => CommandState::Running,
        "success" | "failed" | "incomplete" | "cancelled" | "canceled" | "timedout" | "deliverytimedout"
        | "executiontimedout" => CommandState::Ended,
        "rateexceeded" => CommandState::NothingRan(NothingRan::RateExceeded),
        "accessdenied" => CommandState::NothingRan(NothingRan::AccessDenied),
        "noinstancesintag" => CommandState::NothingRan(NothingRan::NoInstancesInTag),
        _ => CommandState::Unknown(as_seen(status, details)),
    }
}

fn squeeze(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect()
}

fn as_seen(status: &str, details: &str) -> String {
    if details.is_empty() { status.to_owned() } else { format!("{status}/{details}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `CommandInvocationStatus` of the service model.
    const STATUSES: [&str; 8] =
        ["Pending", "InProgress", "Delayed", "Success", "Cancelled", "TimedOut", "Failed", "Cancelling"];

    /// The details of an invocation, in the spellings of the user guide.
    fn details() -> Vec<(&'static str, Progress)> {
        vec![
            ("Pending", Progress::Running),
            ("In Progress", Progress::Running),
            ("Delayed", Progress::Running),
            ("Cancelling", Progress::Running),
            ("Success", Progress::Ended),
            ("Failed", Progress::Ended),
            ("Delivery Timed Out", Progress::NothingRan(NothingRan::DeliveryTimedOut)),
            ("Execution Timed Out", Progress::CutOff(CutOff::ExecutionTimedOut)),
            ("Cancelled", Progress::CutOff(CutOff::Cancelled)),
            ("Undeliverable", Progress::NothingRan(NothingRan::Undeliverable)),
            ("Terminated", Progress::NothingRan(NothingRan::Terminated)),
            ("Invalid Platform", Progress::NothingRan(NothingRan::InvalidPlatform)),
            ("Access Denied", Progress::NothingRan(NothingRan::AccessDenied)),
            ("Rate Exceeded", Progress::NothingRan(NothingRan::RateExceeded)),
            ("No Instances In Tag", Progress::NothingRan(NothingRan::NoInstancesInTag)),
        ]
    }

    #[test]
    fn the_details_decide_beside_every_status_and_in_every_spelling() {
        for status in STATUSES {
            for (spelling, expected) in details() {
                for details in [spelling.to_owned(), spelling.replace(' ', ""), spelling.to_uppercase()] {
                    assert_eq!(read_invocation(status, &details), expected, "{status}, {details}");
                }
            }
        }
    }

    #[test]
    fn without_details_the_status_decides() {
        let expected = [
            Progress::Running,
            Progress::Running,
            Progress::Running,
            Progress::Ended,
            Progress::CutOff(CutOff::Cancelled),
            Progress::CutOff(CutOff::TimedOut),
            Progress::Ended,
            Progress::Running,
        ];
        for (status, expected) in STATUSES.into_iter().zip(expected) {
            assert_eq!(read_invocation(status, ""), expected, "{status}");
        }
        // As EventBridge spells it.
        assert_eq!(read_invocation("Canceled", ""), Progress::CutOff(CutOff::Cancelled));
    }

    #[test]
    fn a_spelling_that_nobody_knows_is_kept_and_never_taken_for_running() {
        for (status, details, seen) in [
            ("InProgress", "Queued", "InProgress/Queued"),
            ("Queued", "Success", "Queued/Success"),
            ("Queued", "", "Queued"),
            ("", "", ""),
        ] {
            assert_eq!(read_invocation(status, details), Progress::Unknown(seen.to_owned()));
        }
    }

    #[test]
    fn a_command_says_of_its_hosts_only_what_holds_for_all() {
        let cases = [
            ("Pending", "Pending", CommandState::Running),
            ("InProgress", "In Progress", CommandState::Running),
            ("InProgress", "Delayed", CommandState::Running),
            ("Cancelling", "", CommandState::Running),
            ("Success", "Success", CommandState::Ended),
            ("TimedOut", "Delivery Timed Out", CommandState::Ended),
            ("TimedOut", "ExecutionTimedOut", CommandState::Ended),
            ("TimedOut", "", CommandState::Ended),
            ("Failed", "Failed", CommandState::Ended),
            ("Failed", "Incomplete", CommandState::Ended),
            ("Cancelled", "Cancelled", CommandState::Ended),
            ("Failed", "Rate Exceeded", CommandState::NothingRan(NothingRan::RateExceeded)),
            ("Failed", "AccessDenied", CommandState::NothingRan(NothingRan::AccessDenied)),
            ("Failed", "No Instances In Tag", CommandState::NothingRan(NothingRan::NoInstancesInTag)),
            ("Failed", "Odd", CommandState::Unknown("Failed/Odd".into())),
        ];
        for (status, details, expected) in cases {
            assert_eq!(read_command(status, details), expected, "{status}, {details}");
        }
    }
}
