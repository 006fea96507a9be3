//! What an invocation answers: the same JSON as the command prints, or why there was nothing to do.

use regcred_core::plan::Plan;
use regcred_core::report::{Failure, FailureKind, Report, Status};
use schemars::JsonSchema;
use serde::Serialize;

use super::error::{ErrorType, LambdaError};

/// The version of the serialised form of [`Idle`].
const VERSION: u32 = 1;

/// What Lambda takes as an answer to whoever waits
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>, invocation payload).
const LARGEST: usize = 6 * 1024 * 1024;

/// The answer of an invocation.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Answer {
    Report(Box<Report>),
    Plan(Box<Plan>),
    Status(Box<Status>),
    Idle(Idle),
}

/// An event that began nothing.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Idle {
    /// The version of this form.
    version: u32,
    /// Why there was nothing to do.
    nothing_to_do: String,
}

impl Idle {
    pub(super) fn new(why: String) -> Self {
        Self { version: VERSION, nothing_to_do: why }
    }
}

impl Answer {
    /// As JSON, unless there is more of it than Lambda takes.
    pub(super) fn into_json(self) -> Result<Vec<u8>, LambdaError> {
        let json = serde_json::to_vec(&self).expect("results are plain data with text keys");
        if json.len() <= LARGEST {
            return Ok(json);
        }
        let what = "cannot answer with the whole result; what was asked for is done";
        let why = format!("it has {} bytes, and Lambda takes {LARGEST}", json.len());
        let remedy = r#"ask for less at a time: {"command": "status", "fleet": ["NAME"]}"#;
        Err(LambdaError::new(ErrorType::TooLarge, &Failure::new(FailureKind::Refused, what, why, remedy)))
    }
}
