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

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::host::ContainerInstanceArn;

mod carried;
mod probe;
mod reason;

pub use carried::{Difference as DocumentDifference, difference as document_difference};
pub use probe::{AgentState, Agreement, AuthSource, AuthWarnings, Probe, ProbeReport};
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, JsonSchema)]
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
        let value = read_line(output)?;
        match &value["outcome"] {
            Value::String(outcome) if Outcome::read(outcome).is_none() => {
                return Err(ReportError::Outcome(printable(outcome)));
            }
            _ => {}
        }
        let report: Self = serde_json::from_value(value).map_err(|_| ReportError::Malformed)?;
        let reason = report.reason.map(Reason::printable);
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

/// The line that is a report of this version of the contract, whatever it says.
fn read_line(output: &str) -> Result<Value, ReportError> {
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
        version if version.as_u64() == Some(VERSION) => Ok(value),
        other => Err(ReportError::Version(printable(&other.to_string()))),
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

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = include_str!("../../../../deploy/ssm/refresh.sh");
    const DOCUMENT: &str = include_str!("../../../../deploy/ssm/regcred-refresh.json");

    fn full() -> ScriptReport {
        ScriptReport {
            outcome: Outcome::Restored,
            reason: Some(Reason::EnvDiffers),
            version_id: Some(VersionId::new("3sL4kqtJlcpXroDTDmJ")),
            container_instance_arn: Some(ContainerInstanceArn::new("arn:1")),
            restarted: Some(true),
            seconds: Some(12),
            detail: Some("the old file is back".into()),
        }
    }

    #[test]
    fn a_report_survives_its_line() {
        let line = full().to_line();
        assert!(line.starts_with(LINE_START) && line.len() < LINE_LIMIT);
        assert_eq!(ScriptReport::read(&line), Ok(full()));
    }

    #[test]
    fn only_the_outcome_has_to_be_there() {
        let report =
            ScriptReport::read(r#"{"regcred":1,"outcome":"loaded","key of the future":[1]}"#).unwrap();
        let nothing = ScriptReport {
            outcome: Outcome::Loaded,
            reason: None,
            version_id: None,
            container_instance_arn: None,
            restarted: None,
            seconds: None,
            detail: None,
        };
        assert_eq!(report, nothing);
    }

    #[test]
    fn the_first_report_is_found_among_other_output() {
        let output = "{\"regcredible\":1}\nwarning: clock\r\n{\"regcred\":1,\"outcome\":\"unchanged\"}\r\n\
                      {\"regcred\":1,\"outcome\":\"failed\"}\n\n----------ERROR-------\n+ set -eu\n";
        assert_eq!(ScriptReport::read(output).unwrap().outcome, Outcome::Unchanged);
    }

    #[test]
    fn what_cannot_be_read_is_told_apart() {
        let long =
            format!("{{\"regcred\":1,\"outcome\":\"loaded\",\"detail\":\"{}\"}}", "x".repeat(LINE_LIMIT));
        let cases = [
            ("", ReportError::NoLine),
            ("sh: not found\n----------ERROR-------\nexit status 127", ReportError::NoLine),
            (" {\"regcred\":1,\"outcome\":\"loaded\"}", ReportError::NoLine),
            ("{\"regcred\":1,\"outcome\":\"loa", ReportError::Truncated),
            ("{\"regcred\":1,\"outcome\":\"loaded\"", ReportError::Truncated),
            ("{\"regcred\":1,\"outcome\":\"loaded\"} trailing", ReportError::Malformed),
            ("{\"regcred\":1}", ReportError::Malformed),
            ("{\"regcred\":1,\"outcome\":7}", ReportError::Malformed),
            ("{\"regcred\":1,\"outcome\":\"loaded\",\"restarted\":\"yes\"}", ReportError::Malformed),
            ("{\"regcred\":2,\"outcome\":\"loaded\"}", ReportError::Version("2".into())),
            ("{\"regcred\":\"1\",\"outcome\":\"loaded\"}", ReportError::Version("\"1\"".into())),
            ("{\"regcred\":1,\"outcome\":\"melted\"}", ReportError::Outcome("melted".into())),
            (&long, ReportError::TooLong(long.len())),
        ];
        for (output, expected) in cases {
            assert_eq!(ScriptReport::read(output), Err(expected), "{output}");
        }
    }

    #[test]
    fn what_a_host_says_cannot_steer_a_terminal() {
        let report = ScriptReport::read(
            r#"{"regcred":1,"outcome":"failed","reason":"odd\u001b[2J","detail":"a\u001b]0;b\u0007\nc"}"#,
        );
        let report = report.unwrap();
        assert_eq!(report.reason, Some(Reason::Other("odd [2J".into())));
        assert_eq!(report.detail.as_deref(), Some("a ]0;b  c"));
    }

    #[test]
    fn every_outcome_and_reason_of_the_host_script_is_known() {
        let mut outcomes = 0;
        let mut reasons = 0;
        for line in SCRIPT.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            for pair in words.windows(3).filter(|words| words[0] == "finish") {
                let is_outcome = Outcome::read(pair[1]).is_some() || pair[1] == Probe::OUTCOME;
                assert!(is_outcome, "outcome in: {line}");
                outcomes += 1;
                reasons += is_known(pair[2], line);
            }
            for pair in words.windows(2).filter(|words| words[0] == "restore") {
                reasons += is_known(pair[1], line);
            }
            if let Some(reason) = line.strip_prefix("doing=") {
                reasons += is_known(reason.split_whitespace().next().unwrap_or(reason), line);
            }
        }
        assert!(
            outcomes >= 20 && reasons >= 20,
            "found {outcomes} outcomes and {reasons} reasons in the script"
        );
    }

    /// 1 for a reason that is known; 0 for none, or one in a variable.
    fn is_known(word: &str, line: &str) -> usize {
        let word = word.trim_matches('\'');
        if word.is_empty() || word.starts_with(['"', '$']) {
            return 0;
        }
        let reason: Reason = serde_json::from_value(Value::String(word.to_owned())).unwrap();
        assert!(!matches!(reason, Reason::Other(_)), "reason in: {line}");
        1
    }

    #[test]
    fn the_ssm_document_allows_the_script_the_time_that_a_result_is_awaited() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let seconds = &document["mainSteps"][0]["inputs"]["timeoutSeconds"];
        assert_eq!(seconds.as_str(), Some(TIMEOUT.as_secs().to_string().as_str()));
    }
}
