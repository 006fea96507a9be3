//! What came of probing one host: the script's own word, or why there is none.
//!
//! A probe changes nothing on a host, so it counts for nothing: no limit holds for it and nothing is recorded of it. This
//! module must not decide what a host's answer means for its revision: the caller knows which version has which.

use serde::Serialize;

use crate::host::Unreachable;
use crate::invocation::{CutOff, NothingRan, Progress};
use crate::rollout::Refusal;
use crate::script::{Outcome, Probe, ProbeReport, Reason, ReportError, ScriptReport};

/// What came of probing one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "probe", rename_all = "snake_case")]
pub enum HostProbe {
    /// The script looked, and says this.
    Answered { report: ProbeReport },
    /// Another run was at work on the host.
    Busy,
    /// The script did not look.
    Declined { reason: Option<Reason>, detail: Option<String> },
    /// The script ended and its report could not be read.
    NoReport { error: ReportError, exit_code: Option<i32> },
    /// Nothing ran on it.
    Unreachable { why: Unreachable },
    /// The script was cut off.
    CutOff { by: CutOff },
    /// SSM showed no result in time.
    NoResult,
    /// The command was sent, and its results may not be read.
    NotFollowed,
    /// SSM answered with a status that this version does not know.
    UnknownStatus { seen: String },
    /// SSM refused the command, or its answer was lost.
    NotSent { refusal: Option<Refusal> },
}

impl HostProbe {
    /// What an invocation came to; `None` while it runs.
    pub fn of(progress: Progress, output: &str, exit_code: Option<i32>) -> Option<Self> {
        Some(match progress {
            Progress::Running => return None,
            Progress::Ended => match Probe::read(output) {
                Ok(Probe::Answered(report)) => Self::Answered { report },
                Ok(Probe::Declined(ScriptReport { outcome: Outcome::Busy, .. })) => Self::Busy,
                Ok(Probe::Declined(ScriptReport { reason, detail, .. })) => Self::Declined { reason, detail },
                Err(error) => Self::NoReport { error, exit_code },
            },
            Progress::NothingRan(why) => Self::nothing_ran(why),
            Progress::CutOff(by) => Self::CutOff { by },
            Progress::Unknown(seen) => Self::UnknownStatus { seen },
        })
    }

    pub fn nothing_ran(why: NothingRan) -> Self {
        Self::Unreachable { why: Unreachable::NothingRan(why) }
    }

    /// What the script says, if it looked.
    pub fn report(&self) -> Option<&ProbeReport> {
        match self {
            Self::Answered { report } => Some(report),
            Self::Busy
            | Self::Declined { .. }
            | Self::NoReport { .. }
            | Self::Unreachable { .. }
            | Self::CutOff { .. }
            | Self::NoResult
            | Self::NotFollowed
            | Self::UnknownStatus { .. }
            | Self::NotSent { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_is_read_to_its_end() {
        let probed = r#"{"regcred":1,"outcome":"probed","agent":"registered","object_and_live":"same","object_and_file":"same","file_and_live":"same","source":"etc","warnings":"none"}"#;
        let of = |progress, output| HostProbe::of(progress, output, Some(0));
        assert_eq!(of(Progress::Running, probed), None);
        let answered = of(Progress::Ended, probed).unwrap();
        assert_eq!(answered.report().unwrap().object_and_live, crate::script::Agreement::Same);
        let cases = [
            (Progress::Ended, "{\"regcred\":1,\"outcome\":\"busy\"}", HostProbe::Busy),
            (
                Progress::Ended,
                "{\"regcred\":1,\"outcome\":\"refused\",\"reason\":\"unsupported-platform\"}",
                HostProbe::Declined { reason: Some(Reason::UnsupportedPlatform), detail: None },
            ),
            (Progress::Ended, "", HostProbe::NoReport { error: ReportError::NoLine, exit_code: Some(0) }),
            (
                Progress::NothingRan(NothingRan::Undeliverable),
                "",
                HostProbe::nothing_ran(NothingRan::Undeliverable),
            ),
            (Progress::CutOff(CutOff::Cancelled), "", HostProbe::CutOff { by: CutOff::Cancelled }),
            (Progress::Unknown("Odd".into()), "", HostProbe::UnknownStatus { seen: "Odd".into() }),
        ];
        for (progress, output, expected) in cases {
            assert_eq!(of(progress, output), Some(expected), "{output}");
        }
    }

    #[test]
    fn the_json_of_a_probe_says_what_came_of_it() {
        let json = |probe: &HostProbe| serde_json::to_value(probe).unwrap();
        assert_eq!(json(&HostProbe::NoResult), serde_json::json!({"probe": "no_result"}));
        assert_eq!(
            json(&HostProbe::nothing_ran(NothingRan::DeliveryTimedOut)),
            serde_json::json!({"probe": "unreachable",
                "why": {"because": "nothing_ran", "seen": "delivery_timed_out"}})
        );
    }
}
