//! What a person is told of a host and of a halt: why, how it stands now, and what can be done.

use std::fmt;

use crate::host::{Ping, Unreachable, Unsupported};
use crate::invocation::NothingRan;
use crate::platform;
use crate::rollout::outcome::{Halt, HostFailure, HostOutcome, Left, Refusal, Unproven};
use crate::script::{Reason, ReportError};

/// What a person is told of a host that is not proven. Lowercase fragments without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Follows "because: ".
    pub why: String,
    /// How the host stands now.
    pub now: &'static str,
    /// Follows "to do: ".
    pub remedy: &'static str,
}

/// Where nothing has to be done but to wait for the next pass.
const NEXT_PASS: &str = "nothing; the next pass looks at it again";

const UNTOUCHED: &str = "it was not touched";
const UNKNOWN: &str = "what its agent holds is unknown";

impl HostOutcome {
    /// Why the host is not proven, how it stands, and what to do. `None` where there is nothing to explain.
    pub fn explain(&self) -> Option<Explanation> {
        let (why, now, remedy) = match self {
            Self::Current | Self::Proven { .. } | Self::Gone => return None,
            Self::Unproven { why } => (why.to_string(), UNKNOWN, why.remedy()),
            Self::Restored { reason, detail } => (
                reported(reason.as_ref(), detail.as_deref()),
                "the old file is back, and its agent runs on it",
                remedy(
                    reason.as_ref(),
                    "look at the agent's log on the host, then regcred sync --retry-failed",
                ),
            ),
            Self::Refused { reason, detail } => {
                (reported(reason.as_ref(), detail.as_deref()), UNTOUCHED, remedy(reason.as_ref(), NEXT_PASS))
            }
            Self::Failed { why } => (why.to_string(), why.now(), why.remedy()),
            Self::Unsupported { why } => (why.to_string(), UNTOUCHED, why.remedy()),
            Self::Unreachable { why } => (why.to_string(), UNTOUCHED, why.remedy()),
            Self::FailedBefore { detail } => (
                reported_or(None, detail.as_deref(), "this revision failed on it before"),
                "it is on the old file, and is left alone until the object changes",
                "mend what failed there, then regcred sync --retry-failed",
            ),
            Self::Superseded => (
                "it loaded a newer version of the object than was planned".to_owned(),
                "it holds what somebody else has written since",
                NEXT_PASS,
            ),
            Self::Waiting => (
                "the rollout stopped before its turn".to_owned(),
                UNTOUCHED,
                "mend what stopped the rollout, and run it again",
            ),
            Self::Joined => ("it joined while the rollout ended".to_owned(), UNTOUCHED, NEXT_PASS),
        };
        Some(Explanation { why, now, remedy })
    }
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SendLost => f.write_str("SSM's answer was lost, so the command may run"),
            Self::NoResult => f.write_str("SSM showed no result in time"),
            Self::NotFollowed => f.write_str("regcred may not read what came of the command"),
            Self::CutOff { by } => by.fmt(f),
            Self::SlowRegistration { reason, detail } => f.write_str(&reported_or(
                reason.as_ref(),
                detail.as_deref(),
                "its agent was restarted, and did not register in time",
            )),
            Self::NotConnected => f.write_str("ECS did not see its agent connected for long enough"),
            Self::ArnChanged => f.write_str("its agent came back as another container instance"),
            Self::VersionMissing => {
                f.write_str("its script did not say which version of the object it loaded")
            }
            Self::Busy => f.write_str("another run was at work on it"),
        }
    }
}

impl Unproven {
    fn remedy(&self) -> &'static str {
        match self {
            Self::SendLost | Self::NoResult | Self::CutOff { .. } | Self::NotConnected => NEXT_PASS,
            Self::NotFollowed => {
                "allow ssm:ListCommandInvocations to regcred's role; the next pass looks at it again"
            }
            Self::SlowRegistration { reason, .. } => remedy(reason.as_ref(), NEXT_PASS),
            Self::ArnChanged => remedy(Some(&Reason::ArnChanged), NEXT_PASS),
            Self::VersionMissing => "turn on versioning for the bucket, or bring the SSM document up to date",
            Self::Busy => "see that one regcred alone works on this fleet",
        }
    }
}

impl fmt::Display for HostFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported { reason, detail } => f.write_str(&reported(reason.as_ref(), detail.as_deref())),
            Self::NoReport { error, exit_code: Some(code) } => write!(f, "{error} (exit code {code})"),
            Self::NoReport { error, exit_code: None } => error.fmt(f),
            Self::UnknownStatus { seen } => {
                write!(f, "SSM shows a status that regcred does not know: {seen}")
            }
        }
    }
}

impl HostFailure {
    fn now(&self) -> &'static str {
        match self {
            Self::Reported { reason: Some(reason), .. } if reason.precedes_a_restart() => {
                "its agent was not restarted"
            }
            Self::Reported { .. } | Self::NoReport { .. } | Self::UnknownStatus { .. } => {
                "its agent may be down"
            }
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::Reported { reason, .. } => {
                remedy(reason.as_ref(), "look at the agent on the host: journalctl -u ecs")
            }
            Self::NoReport { error: ReportError::Version(_) | ReportError::Outcome(_), .. } => {
                "bring the SSM document up to date from deploy/ssm/regcred-refresh.json"
            }
            Self::NoReport { .. } => "look at the command's output in SSM, and at the SSM document",
            Self::UnknownStatus { .. } => "look at the command in SSM, and update regcred",
        }
    }
}

impl Unsupported {
    /// What to do about such a host.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::Bottlerocket => platform::BOTTLEROCKET.instead,
            Self::Windows => platform::WINDOWS.instead,
            Self::ManagedInstance => platform::MANAGED_INSTANCES.instead,
            Self::MacOs => platform::MACOS.instead,
            Self::StaleRegistration => "deregister this container instance",
        }
    }
}

impl Unreachable {
    /// What to do about such a host.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::NotOnline(Ping::NotManaged) => "run the SSM Agent on it, with a role that allows it",
            Self::NotOnline(Ping::Online | Ping::ConnectionLost | Ping::Inactive | Ping::Other(_)) => {
                "bring it back online; the next pass tries it again"
            }
            Self::NothingRan(NothingRan::AccessDenied) => {
                "allow ssm:SendCommand on the instance to regcred's role"
            }
            Self::NothingRan(NothingRan::InvalidPlatform) => "leave it out of the fleet",
            Self::NotActive(_)
            | Self::NothingRan(
                NothingRan::Undeliverable
                | NothingRan::DeliveryTimedOut
                | NothingRan::Terminated
                | NothingRan::RateExceeded
                | NothingRan::NoInstancesInTag
                | NothingRan::InvalidInstance
                | NothingRan::Throttled,
            ) => NEXT_PASS,
        }
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstHost { host, left: Left::Healthy } => {
                write!(f, "the first host, {host}, was not proven")
            }
            Self::FirstHost { host, left: Left::FailedBefore } => write!(
                f,
                "the first host, {host}, was not proven; the hosts that are left are all such as had failed before"
            ),
            Self::Errors { errors, max_errors } => {
                let hosts = if *errors == 1 { "host was" } else { "hosts were" };
                write!(f, "{errors} {hosts} not proven, and max_errors is {max_errors}")
            }
            Self::ErrorsTogether { errors, max_errors } => {
                let hosts = if *errors == 1 { "host was" } else { "hosts were" };
                write!(
                    f,
                    "{errors} {hosts} not proven in all fleets together, and rollout.max_errors is {max_errors}"
                )
            }
            Self::SendRefused { refusal } => write!(f, "no command could be sent: {refusal}"),
            Self::Unavailable { clusters } => {
                if clusters.is_empty() {
                    return f.write_str("hosts that may be down use up max_unavailable");
                }
                let names: Vec<&str> = clusters.iter().map(crate::host::ClusterName::as_str).collect();
                write!(f, "hosts that may be down use up max_unavailable of {}", names.join(", "))
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidInstance => "a host is no managed node",
            Self::Throttled => "it throttled all tries",
            Self::AccessDenied => "access denied",
            Self::Document => "the document is not there, or does not take these parameters",
            Self::ForeignDocument => "the document is not the one that regcred carries",
            Self::Unrecorded => "what is recorded of its hosts could not be taken back",
            Self::Other(code) => code,
        })
    }
}

fn remedy(reason: Option<&Reason>, otherwise: &'static str) -> &'static str {
    reason.and_then(Reason::remedy).unwrap_or(otherwise)
}

/// The script's reason and its own words for it, or that it gave none.
pub(crate) fn reported(reason: Option<&Reason>, detail: Option<&str>) -> String {
    reported_or(reason, detail, "its script did not say why")
}

/// The script's reason, and its own words for it.
fn reported_or(reason: Option<&Reason>, detail: Option<&str>, otherwise: &str) -> String {
    let why = reason.map_or_else(|| otherwise.to_owned(), ToString::to_string);
    match detail {
        Some(detail) if !detail.is_empty() => format!("{why} ({detail})"),
        _ => why,
    }
}
