//! What data is called in a sentence.

use std::time::Duration;

use regcred_core::host::{InstanceStatus, Ping, Unreachable, Unsupported};
use regcred_core::invocation::{CutOff, NothingRan};
use regcred_core::plan::{CredentialChange, Hold};
use regcred_core::rollout::{Halt, HostFailure, HostOutcome, MaxUnavailable, Refusal, Unproven};
use regcred_core::script::Reason;

use super::counted;

/// How one host ended, and why.
pub(crate) fn outcome(outcome: &HostOutcome) -> String {
    match outcome {
        HostOutcome::Current => "holds it".to_owned(),
        HostOutcome::Proven { restarted: true } => "restarted and proven".to_owned(),
        HostOutcome::Proven { restarted: false } => "held it already".to_owned(),
        HostOutcome::Unproven { why } => format!("unproven: {}", unproven(why)),
        HostOutcome::Restored { reason, detail } => {
            format!("restored: {}", because(reason.as_ref(), detail.as_deref(), "the new value did not load"))
        }
        HostOutcome::Refused { reason, detail } => {
            format!(
                "refused, untouched: {}",
                because(reason.as_ref(), detail.as_deref(), "a restart would do harm")
            )
        }
        HostOutcome::Failed { why } => format!("failed: {}", host_failure(why)),
        HostOutcome::Unsupported { why } => format!("unsupported: {}", unsupported(*why)),
        HostOutcome::Unreachable { why } => format!("unreachable: {}", unreachable(why)),
        HostOutcome::FailedBefore { .. } => "failed before on this very revision, not tried again".to_owned(),
        HostOutcome::Superseded => "loaded a newer object than was planned".to_owned(),
        HostOutcome::Waiting => "not restarted".to_owned(),
        HostOutcome::Gone => "left the cluster".to_owned(),
    }
}

fn because(reason: Option<&Reason>, detail: Option<&str>, otherwise: &str) -> String {
    let reason = reason.map_or_else(|| otherwise.to_owned(), self::reason);
    match detail {
        Some(detail) if !detail.is_empty() => format!("{reason} ({detail})"),
        Some(_) | None => reason,
    }
}

fn reason(reason: &Reason) -> String {
    match reason {
        Reason::ClusterMismatch => "its ecs.config names another cluster, so its agent would not start again",
        Reason::NoDatadir => "its agent keeps no state (no ECS_DATADIR) and would lose its running tasks",
        Reason::Symlink => "its ecs.config is a symbolic link",
        Reason::NoConfig => "it has no ecs.config",
        Reason::NoAgent => "it has no agent container",
        Reason::FetchDenied => "its role may not read the object",
        Reason::FetchNotFound => "it does not find the object",
        Reason::FetchFailed => "it cannot fetch the object",
        Reason::NoFetchTool => "it has neither the AWS CLI nor curl 7.75 or later",
        Reason::NoCredentials => "it has no credentials of an instance role",
        Reason::ObjectInvalid => "the object has no usable pair of ECS_ENGINE_AUTH lines",
        Reason::WriteFailed => "its ecs.config cannot be written",
        Reason::UnitDead => "the agent's unit died",
        Reason::EnvDiffers => "the agent came up without the new value",
        Reason::AuthWarning => "the agent warned of the new value",
        Reason::NoIntrospection => "no introspection answer in time",
        Reason::ArnChanged => "the agent registered as another container instance",
        Reason::RestoreFailed => "the old file could not be put back",
        Reason::UnsupportedPlatform => "the script does not know its platform",
        Reason::BadParameter => "the script does not take a parameter that it was given",
        Reason::Other(text) => return text.clone(),
    }
    .to_owned()
}

fn unproven(why: &Unproven) -> String {
    match why {
        Unproven::SendLost => "the answer to the command was lost; it may be running".to_owned(),
        Unproven::NoResult => "the command did not end in time".to_owned(),
        Unproven::CutOff { by: CutOff::ExecutionTimedOut } => {
            "its script ran too long and was killed".to_owned()
        }
        Unproven::CutOff { by: CutOff::Cancelled } => "somebody cancelled the command".to_owned(),
        Unproven::CutOff { by: CutOff::TimedOut } => "the command timed out".to_owned(),
        Unproven::SlowRegistration { reason, detail } => {
            because(reason.as_ref(), detail.as_deref(), "the agent has not registered yet")
        }
        Unproven::NotConnected => "ECS did not see its agent connected for long enough".to_owned(),
        Unproven::ArnChanged => {
            "its agent is another container instance than the one in the cluster".to_owned()
        }
        Unproven::VersionMissing => "its script does not say which version it loaded".to_owned(),
        Unproven::Busy => "another run of the script is at work on it".to_owned(),
    }
}

fn host_failure(why: &HostFailure) -> String {
    match why {
        HostFailure::Reported { reason, detail } => {
            because(reason.as_ref(), detail.as_deref(), "its script gives no reason")
        }
        HostFailure::NoReport { error, exit_code: Some(code) } => format!("{error} (exit status {code})"),
        HostFailure::NoReport { error, exit_code: None } => error.to_string(),
        HostFailure::UnknownStatus { seen } => format!("SSM says `{seen}`, which this version does not know"),
    }
}

pub(super) fn unsupported(why: Unsupported) -> &'static str {
    match why {
        Unsupported::Bottlerocket => "Bottlerocket",
        Unsupported::Windows => "Windows",
        Unsupported::StaleRegistration => "a leftover registration",
    }
}

pub(super) fn unreachable(why: &Unreachable) -> String {
    match why {
        Unreachable::NotOnline(Ping::ConnectionLost) => "offline in SSM".to_owned(),
        Unreachable::NotOnline(Ping::Inactive) => "inactive in SSM".to_owned(),
        Unreachable::NotOnline(Ping::NotManaged) => "not a managed node of SSM".to_owned(),
        Unreachable::NotOnline(Ping::Other(seen)) => format!("SSM says `{seen}`"),
        Unreachable::NotOnline(Ping::Online) => "not online in SSM".to_owned(),
        Unreachable::NotActive(InstanceStatus::Registering) => "still registering in ECS".to_owned(),
        Unreachable::NotActive(InstanceStatus::RegistrationFailed) => {
            "its registration in ECS failed".to_owned()
        }
        Unreachable::NotActive(InstanceStatus::Other(seen)) => format!("ECS says `{seen}`"),
        Unreachable::NotActive(
            InstanceStatus::Active
            | InstanceStatus::Draining
            | InstanceStatus::Deregistering
            | InstanceStatus::Inactive,
        ) => "not active in ECS".to_owned(),
        Unreachable::NothingRan(why) => nothing_ran(*why).to_owned(),
    }
}

fn nothing_ran(why: NothingRan) -> &'static str {
    match why {
        NothingRan::Undeliverable => "SSM could not deliver the command",
        NothingRan::DeliveryTimedOut => "it did not fetch the command in time",
        NothingRan::Terminated => "SSM ended the command before its turn",
        NothingRan::RateExceeded => "the account has too many commands pending",
        NothingRan::InvalidPlatform => "the document does not support its platform",
        NothingRan::AccessDenied => "the caller may not send to it",
        NothingRan::NoInstancesInTag => "SSM found no host",
        NothingRan::InvalidInstance => "SSM does not know its id",
        NothingRan::Throttled => "SendCommand was throttled",
    }
}

/// Why something published stays.
pub(super) fn hold(why: Hold) -> &'static str {
    match why {
        Hold::SourceFailed => "its source could not be read",
        Hold::SecretFailed => "its secret, which comes first, could not be stored",
        Hold::NotRenderable => "its credential does not fit the format",
        Hold::OutOfScope => "it was not named",
        Hold::ObjectFailed => "its ecs.config, which comes first, is not as it should be",
        Hold::Halted => "the rollout of the same ecs.config was halted in another fleet",
    }
}

pub(super) fn halt(why: &Halt) -> String {
    match why {
        Halt::FirstHost { host } => format!("the first host, {host}, was not proven"),
        Halt::Errors { errors, max_errors } => {
            format!("{} not proven, and max_errors is {max_errors}", counted(*errors, "host"))
        }
        Halt::SendRefused { refusal } => format!("SSM refused the command: {}", refused(refusal)),
        Halt::Unavailable { clusters } => {
            let names: Vec<&str> = clusters.iter().map(|cluster| cluster.as_str()).collect();
            format!("hosts that may be down use up max_unavailable in {}", names.join(", "))
        }
    }
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::InvalidInstance => "it does not know a host".to_owned(),
        Refusal::Throttled => "throttled".to_owned(),
        Refusal::AccessDenied => "access denied".to_owned(),
        Refusal::Document => "the document is missing or takes other parameters".to_owned(),
        Refusal::Other(code) => code.clone(),
    }
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

pub(super) fn max_unavailable(limit: MaxUnavailable) -> String {
    match limit {
        MaxUnavailable::Count(count) => format!("{count} of a cluster"),
        MaxUnavailable::Percent(percent) => format!("{percent} % of a cluster"),
    }
}

/// `about 30 s`, `about 3 min`, `about 2 h`.
pub(super) fn about(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..90 => format!("about {} s", seconds.max(1)),
        seconds @ 90..5400 => format!("about {} min", seconds.div_ceil(60)),
        seconds => format!("about {} h", seconds.div_ceil(3600)),
    }
}
