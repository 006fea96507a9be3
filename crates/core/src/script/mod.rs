//! What the host script reports: one JSON line on its standard output, the contract between a host and its controller.
//!
//! ```json
//! {"regcred":1,"outcome":"loaded","version_id":"…","container_instance_arn":"…","restarted":true,"seconds":12}
//! ```
//!
//! The line is printed once, is shorter than [`LINE_LIMIT`], and holds no secret and nothing derived from one. A report
//! is what the host says of itself; this module must not decide whether it is believed (see [`crate::rollout`]).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::host::ContainerInstanceArn;

mod reason;

pub use reason::Reason;

/// The version of the contract that this module reads.
pub const VERSION: u64 = 1;

/// How a report's line begins, byte for byte; it is found by this among other output.
pub const LINE_START: &str = "{\"regcred\":";

/// A report's length in bytes is below this: SSM keeps 2,500 characters of a plugin's output in
/// `ListCommandInvocations`, and cuts the rest off.
pub const LINE_LIMIT: usize = 2_000;

/// How long the script may run: the `timeoutSeconds` of the SSM document, when SSM kills it. It waits for a lock, for a
/// restart and the agent's registration (up to 120 s), and where that fails, for both of them once more.
pub const TIMEOUT: Duration = Duration::from_mins(10);

/// Longest `detail` that is kept, in characters.
const DETAIL_LIMIT: usize = 500;

/// The name of one version of the S3 object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionId(String);

impl VersionId {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the script did on its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It restarted the agent, and the live agent holds the fetched value.
    Loaded,
    /// The live agent held the value already; no restart.
    Unchanged,
    /// The new value did not load: the old file was put back, and the agent was restarted once more.
    Restored,
    /// It restarted the agent, which has not registered yet; left alone.
    Unproven,
    /// Untouched, since a restart would do harm.
    Refused,
    /// It could not do it; the file is as before unless the reason says otherwise.
    Failed,
    /// This version failed on this host before and was not tried again.
    Tried,
    /// Another run holds the host's lock.
    Busy,
}

/// One report. Keys that the script left out are `None`; keys that this version does not know are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptReport {
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The version of the object that the script fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<VersionId>,
    /// As the live agent's introspection names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_instance_arn: Option<ContainerInstanceArn>,
    /// Whether the agent was restarted, be it into the new value or back into the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted: Option<bool>,
    /// From the restart until the agent answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// For a person; one line of printable text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Why an output holds no report that can be read. The texts never repeat the output.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize)]
#[serde(tag = "problem", content = "seen", rename_all = "snake_case")]
pub enum ReportError {
    #[error("the script printed no report")]
    NoLine,
    #[error("the script's report is cut off")]
    Truncated,
    #[error("the script's report has {0} bytes; {LINE_LIMIT} is the limit")]
    TooLong(usize),
    #[error("the script's report is not the JSON object that was agreed on")]
    Malformed,
    #[error("the script speaks version {0} of the report, not {VERSION}: update the SSM document")]
    Version(String),
    #[error("the script reports the outcome `{0}`, which is unknown: update the SSM document or regcred")]
    Outcome(String),
}

impl ScriptReport {
    /// Finds and reads the report in a script's output: the first line that begins with [`LINE_START`]. Other lines,
    /// and the standard error that SSM appends after `----------ERROR-------`, are passed over.
    pub fn read(output: &str) -> Result<Self, ReportError> {
        let line = output
            .lines()
            .map(str::trim_end)
            .find(|line| line.starts_with(LINE_START))
            .ok_or(ReportError::NoLine)?;
        if line.len() >= LINE_LIMIT {
            return Err(ReportError::TooLong(line.len()));
        }
        let value: Value = serde_json::from_str(line)
            .map_err(|error| if error.is_eof() { ReportError::Truncated } else { ReportError::Malformed })?;
        match &value["regcred"] {
            version if version.as_u64() == Some(VERSION) => {}
            other => return Err(ReportError::Version(printable(&other.to_string()))),
        }
        match &value["outcome"] {
            Value::String(outcome) if Outcome::read(outcome).is_none() => {
                return Err(ReportError::Outcome(printable(outcome)));
            }
            _ => {}
        }
        let report: Self = serde_json::from_value(value).map_err(|_| ReportError::Malformed)?;
        let reason = report.reason.map(|reason| match reason {
            Reason::Other(text) => Reason::Other(printable(&text)),
            known => known,
        });
        Ok(Self { reason, detail: report.detail.as_deref().map(printable), ..report })
    }

    /// The line that a script with this report prints, without its line break.
    pub fn to_line(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            regcred: u64,
            #[serde(flatten)]
            report: &'a ScriptReport,
        }
        serde_json::to_string(&Line { regcred: VERSION, report: self })
            .expect("a report has no map keys to refuse")
    }
}

impl Outcome {
    fn read(text: &str) -> Option<Self> {
        serde_json::from_value(Value::String(text.to_owned())).ok()
    }
}

/// What a host says is shown to a person: one line, without the control characters that could steer a terminal.
fn printable(text: &str) -> String {
    text.chars().take(DETAIL_LIMIT).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
