//! What the host script says when it only looks: how the object in S3, the live agent and the host's file stand to each
//! other.
//!
//! ```json
//! {"regcred":1,"outcome":"probed","version_id":"…","container_instance_arn":"…","agent":"registered",
//!  "object_and_live":"same","object_and_file":"same","file_and_live":"same","source":"etc","warnings":"none"}
//! ```
//!
//! A host cannot reckon a revision, whose key it must not have: it compares bytes, and names the version of the object
//! that it compared with.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Reason, ReportError, ScriptReport, VersionId, printable, read_line};
use crate::host::ContainerInstanceArn;

/// What a probe of one host came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    Answered(ProbeReport),
    /// The script ended before it had looked: another run was at work, or it does not know the platform.
    Declined(ScriptReport),
}

/// One report of a probe. Keys that this version does not know are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeReport {
    /// The version of the object that was compared with; `None` if it could not be read, or has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<VersionId>,
    /// As the live agent's introspection names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_instance_arn: Option<ContainerInstanceArn>,
    /// The short name of the live agent's cluster, or its ARN, as introspection names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    pub agent: AgentState,
    /// Such as `1.105.1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<String>,
    /// Whether the live agent holds the object's pair of auth type and data. If this is `Same`, `version_id` is loaded.
    pub object_and_live: Agreement,
    /// Whether the next start would load the object's pair.
    pub object_and_file: Agreement,
    /// Whether the next start would load what the agent holds now.
    pub file_and_live: Agreement,
    pub source: AuthSource,
    pub warnings: AuthWarnings,
    /// Why the object could not be compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// For a person; one line of printable text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Whether the agent runs, as the host sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AgentState {
    /// Its introspection answers, which it does from its registration on.
    Registered,
    /// Its unit runs, or is about to, and introspection does not answer.
    Silent,
    /// Its unit is dead.
    Dead,
}

/// How two pairs of auth type and data stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    Same,
    Differs,
    /// One of them could not be read.
    Unknown,
}

/// Which of the files that ecs-init reads the pair comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuthSource {
    /// `/etc/ecs/ecs.config`, which regcred writes.
    Etc,
    /// `/var/lib/ecs/ecs.config` alone, which the other one overrides.
    Var,
    /// One line from each.
    Both,
    /// Neither has a line.
    None,
}

/// What the agent has logged of its auth data since its last start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuthWarnings {
    None,
    /// It warned: it dropped some of the value, or all of it.
    Warned,
    /// The start stands in no log that is still there.
    Unknown,
}

impl Probe {
    /// The `outcome` of a probe's line.
    pub const OUTCOME: &str = "probed";

    /// Finds and reads the report in a script's output, as [`ScriptReport::read`] does.
    pub fn read(output: &str) -> Result<Self, ReportError> {
        let value = read_line(output)?;
        if value["outcome"] != Self::OUTCOME {
            return ScriptReport::read(output).map(Self::Declined);
        }
        let report: ProbeReport = serde_json::from_value(value).map_err(|_| ReportError::Malformed)?;
        Ok(Self::Answered(ProbeReport {
            cluster: report.cluster.as_deref().map(printable),
            agent_version: report.agent_version.as_deref().map(printable),
            reason: report.reason.map(Reason::printable),
            detail: report.detail.as_deref().map(printable),
            ..report
        }))
    }
}

impl ProbeReport {
    /// The line that a script with this report prints, without its line break.
    pub fn to_line(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            regcred: u64,
            outcome: &'static str,
            #[serde(flatten)]
            report: &'a ProbeReport,
        }
        serde_json::to_string(&Line { regcred: super::VERSION, outcome: Probe::OUTCOME, report: self })
            .expect("a report has no map keys to refuse")
    }
}

impl fmt::Display for AgentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registered => "its agent is registered",
            Self::Silent => "its agent does not answer",
            Self::Dead => "its agent does not run",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{LINE_LIMIT, LINE_START, Outcome};

    fn report() -> ProbeReport {
        ProbeReport {
            version_id: Some(VersionId::new("v1")),
            container_instance_arn: Some(ContainerInstanceArn::new("arn:1")),
            cluster: Some("prod".into()),
            agent: AgentState::Registered,
            agent_version: Some("1.105.1".into()),
            object_and_live: Agreement::Same,
            object_and_file: Agreement::Same,
            file_and_live: Agreement::Same,
            source: AuthSource::Etc,
            warnings: AuthWarnings::None,
            reason: None,
            detail: Some("all is well".into()),
        }
    }

    #[test]
    fn a_probe_survives_its_line() {
        let line = report().to_line();
        assert!(line.starts_with(LINE_START) && line.len() < LINE_LIMIT);
        assert_eq!(Probe::read(&line), Ok(Probe::Answered(report())));
    }

    #[test]
    fn a_script_that_did_not_look_is_told_apart_and_a_probe_is_no_report_of_a_refresh() {
        let busy = "{\"regcred\":1,\"outcome\":\"busy\",\"restarted\":false}";
        let Ok(Probe::Declined(declined)) = Probe::read(busy) else { panic!("{busy}") };
        assert_eq!(declined.outcome, Outcome::Busy);
        assert_eq!(
            ScriptReport::read(&report().to_line()),
            Err(ReportError::Outcome(Probe::OUTCOME.to_owned()))
        );
    }

    #[test]
    fn a_probe_that_lacks_what_it_is_for_is_none() {
        let cases = [
            ("", ReportError::NoLine),
            ("{\"regcred\":1,\"outcome\":\"probed\"}", ReportError::Malformed),
            ("{\"regcred\":2,\"outcome\":\"probed\"}", ReportError::Version("2".into())),
            ("{\"regcred\":1,\"outcome\":\"pro", ReportError::Truncated),
        ];
        for (output, expected) in cases {
            assert_eq!(Probe::read(output), Err(expected), "{output}");
        }
        let odd = report().to_line().replace("\"same\"", "\"alike\"");
        assert_eq!(Probe::read(&odd), Err(ReportError::Malformed));
    }
}
