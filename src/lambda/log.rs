//! What a Lambda writes to its log: one JSON object a line on stderr, each with the id of the request. Nothing else in
//! [`super`] prints, and no secret is handed to this.

use std::error::Error as _;
use std::io::{self, Write as _};

use chrono::{SecondsFormat, Utc};
use regcred_core::report::Report;
use regcred_core::rollout::HostOutcome;
use serde::Serialize;

use super::error::LambdaError;
use super::runtime_api::ApiError;
use crate::config::env;
use crate::progress::{Progress, ProgressSink};

/// The report of a pass that nobody waits for, as a line that CloudWatch Logs Insights can be asked about.
#[derive(Serialize)]
struct ReportLine<'a> {
    timestamp: String,
    level: &'a str,
    #[serde(rename = "requestId")]
    request_id: &'a str,
    report: &'a Report,
}

pub(super) fn report(request_id: &str, report: &Report) {
    let timestamp = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    let line = ReportLine { timestamp, level: "INFO", request_id, report };
    let text = serde_json::to_string(&line).expect("a report is plain data with text keys");
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Why an invocation failed.
pub(super) fn error(error: &LambdaError) {
    let LambdaError { of, message } = error;
    tracing::error!(errorType = %of, "{message}");
}

/// Lambda did not take the answer of an invocation, which has ended all the same.
pub(super) fn lost_answer(error: &ApiError) {
    tracing::error!("Lambda did not take an answer: {error}");
}

/// Why there are no more invocations.
pub(super) fn no_api(error: &ApiError) {
    let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
    tracing::error!(
        "cannot take invocations\n  because: {error}{cause}\n  to do:   see that {api} names Lambda's runtime API, or unset it \
         to run a command",
        api = env::AWS_LAMBDA_RUNTIME_API,
    );
}

/// Something odd about the configuration.
pub(super) fn warning(text: &str) {
    tracing::warn!("{text}");
}

/// Tells a pass as it goes.
#[derive(Debug)]
pub(super) struct ProgressLog;

impl ProgressSink for ProgressLog {
    fn tell(&self, progress: Progress) {
        match progress {
            Progress::LeaseHeld { holder } => tracing::info!(%holder, "waiting for the lease"),
            Progress::SecretStored { registry, location, name } => {
                tracing::info!(%registry, %location, %name, "secret stored");
            }
            Progress::ObjectStored { ecs_config, location, revision } => {
                tracing::info!(%ecs_config, %location, %revision, "ecs.config stored");
            }
            Progress::RolloutBegins { fleet, hosts } => tracing::info!(%fleet, hosts, "rollout begins"),
            Progress::Sending { fleet, hosts } => {
                tracing::info!(%fleet, hosts = hosts.len(), "sending to hosts");
            }
            Progress::HostsJoined { fleet, hosts } => tracing::info!(%fleet, hosts, "hosts joined meanwhile"),
            Progress::HostEnded { fleet, host } => match host.outcome {
                HostOutcome::Proven { restarted } => {
                    tracing::info!(%fleet, host = %host.host, restarted, "host proven");
                }
                outcome => tracing::warn!(%fleet, host = %host.host, ?outcome, "host not proven"),
            },
            Progress::RolloutEnded { fleet } => tracing::info!(%fleet, "rollout ended"),
        }
    }
}
