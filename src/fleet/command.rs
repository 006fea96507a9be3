//! The host script, sent to hosts of a fleet by Run Command, and what came of it.
//!
//! It chooses no host and repeats no send.

use regcred_core::host::HostId;
use regcred_core::invocation;
use regcred_core::names::FleetName;
use regcred_core::report::{Failure, FailureKind};
use regcred_core::rollout::{self, CommandId, Refusal};

use super::document::{self, DocumentVersion};
use crate::aws::{AwsError, AwsErrorKind, Clients, SendOutcome, SentCommand};
use crate::config::Fleet;

/// What the script is to do on a host; its parameter `Mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Apply,
    /// The same, and a version that did not load there before is tried again.
    RetryFailed,
    /// Look, and change nothing.
    Probe,
}

impl Mode {
    /// What could not be done where a command cannot be sent.
    pub(super) fn failed(self, fleet: &FleetName) -> String {
        match self {
            Self::Apply | Self::RetryFailed => format!("cannot restart hosts of fleet `{fleet}`"),
            Self::Probe => format!("cannot look at hosts of fleet `{fleet}`"),
        }
    }
}

/// The ecs.config that the hosts load, as they are told where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObjectPlace<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    pub region: Option<&'a str>,
    /// S3's URL, where it is not AWS's usual one for a host.
    pub endpoint: Option<&'a str>,
}

/// The host script, as the hosts of one fleet get it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostScript<'a> {
    /// Of the fleet's location.
    pub clients: &'a Clients,
    pub fleet: &'a FleetName,
    pub settings: &'a Fleet,
    pub object: ObjectPlace<'a>,
    pub mode: Mode,
}

/// What is known after a send, with what a person has to be told of it.
pub(super) enum Sent {
    Accepted(CommandId),
    /// Nothing runs.
    Refused(Refusal, Failure),
    /// Nobody knows; hosts may be at work.
    Lost(Failure),
}

impl HostScript<'_> {
    /// The parameters of the document in deploy/ssm. No secret, and nothing derived from one.
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let ObjectPlace { bucket, key, region, endpoint } = self.object;
        let mode = match self.mode {
            Mode::Apply => "apply",
            Mode::RetryFailed => "retry-failed",
            Mode::Probe => "probe",
        };
        vec![
            ("Bucket", bucket.to_owned()),
            ("Key", key.to_owned()),
            ("Region", region.unwrap_or_default().to_owned()),
            ("Endpoint", endpoint.unwrap_or_default().to_owned()),
            ("Mode", mode.to_owned()),
        ]
    }

    /// One SendCommand to at most [`rollout::CHUNK`] hosts.
    pub(super) async fn send(&self, hosts: &[HostId], max_errors: u32, version: &DocumentVersion) -> Sent {
        let ids: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let seconds = self.settings.command_timeout.as_secs().clamp(30, 2_592_000);
        let command = SentCommand {
            document: &self.settings.document,
            document_version: match version {
                DocumentVersion::Default => None,
                DocumentVersion::Compared(number) => Some(number),
            },
            hosts: &ids,
            parameters: &self.parameters(),
            comment: &format!("regcred fleet {}", self.fleet),
            timeout_seconds: i32::try_from(seconds).expect("clamped below i32's end"),
            max_errors,
        };
        let what = self.mode.failed(self.fleet);
        match self.clients.ssm.send(&command).await {
            SendOutcome::Accepted { command_id } => {
                tracing::info!(fleet = %self.fleet, command = %command_id, hosts = ids.len(), "command sent");
                Sent::Accepted(CommandId::new(command_id))
            }
            SendOutcome::Unknown(error) => {
                tracing::warn!(fleet = %self.fleet, hosts = ids.len(), "the answer to a command was lost");
                Sent::Lost(error.failure(what))
            }
            SendOutcome::Refused(error) => match refusal(&error) {
                Refusal::Document => {
                    Sent::Refused(Refusal::Document, unfit_document(&error, &self.settings.document, what))
                }
                refusal => Sent::Refused(refusal, error.failure(what)),
            },
        }
    }

    /// How far a command has come on each of its hosts that SSM shows.
    pub(super) async fn invocations(
        &self,
        command: &CommandId,
    ) -> Result<Vec<rollout::Invocation>, AwsError> {
        let shown = self.clients.ssm.invocations(command.as_str()).await?;
        let shown = shown.into_iter().filter_map(|each| {
            Some(rollout::Invocation {
                host: HostId::parse(&each.host).ok()?,
                progress: invocation::read_invocation(&each.status, &each.status_details),
                output: each.output,
                exit_code: each.exit_code,
            })
        });
        Ok(shown.collect())
    }
}

/// Keeps one failure of a kind and place: a poll that is denied is denied every five seconds.
pub(crate) fn note(failures: &mut Vec<Failure>, failure: Failure) {
    if !failures.iter().any(|known| known.why == failure.why) {
        failures.push(failure);
    }
}

pub(super) fn refusal(error: &AwsError) -> Refusal {
    match error.kind {
        AwsErrorKind::Throttled => Refusal::Throttled,
        AwsErrorKind::AccessDenied | AwsErrorKind::NoCredentials => Refusal::AccessDenied,
        AwsErrorKind::NotFound
        | AwsErrorKind::Exists
        | AwsErrorKind::PreconditionFailed
        | AwsErrorKind::Conflict
        | AwsErrorKind::KeyFailed
        | AwsErrorKind::Invalid
        | AwsErrorKind::NotSent
        | AwsErrorKind::NoAnswer => match error.code.as_str() {
            "InvalidInstanceId" => Refusal::InvalidInstance,
            "InvalidDocument"
            | "InvalidDocumentVersion"
            | "InvalidParameters"
            | "UnsupportedPlatformType" => Refusal::Document,
            code => Refusal::Other(code.to_owned()),
        },
    }
}

fn unfit_document(error: &AwsError, document: &str, what: String) -> Failure {
    let place = &error.place;
    match error.kind {
        AwsErrorKind::NotFound => document::missing(error, document, what),
        _ => Failure::new(
            FailureKind::Invalid,
            what,
            format!(
                "{}: the SSM document `{document}` in {place} does not take regcred's parameters",
                error.code
            ),
            "bring it up to date with `aws ssm update-document` from deploy/ssm/regcred-refresh.json, and make the \
             new version the default",
        ),
    }
}
