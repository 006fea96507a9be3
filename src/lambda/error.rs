//! How an invocation fails: a type out of a closed set, for alarms and destinations, and the three lines, for a person.

use std::fmt;

use regcred_core::report::{Failure, FailureKind, Report, Verdict};

use super::shortfall::{self, Shortfall};
use crate::config::load::LoadError;

/// What went wrong, as `errorType` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorType {
    /// The event is none that regcred acts on, or names what is not in the configuration.
    Event,
    /// The configuration is not valid.
    Config,
    /// The answer is larger than Lambda takes.
    TooLarge,
    /// The time was over before anything was done.
    Deadline,
    /// A pass that a schedule or an event began ended like this.
    Ended(Verdict),
    /// The configuration could not be read, or the pass could not begin.
    Failed(FailureKind),
}

/// An invocation that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LambdaError {
    pub(super) of: ErrorType,
    /// Three lines.
    pub(super) message: String,
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `Function.` and a reason, as Lambda would have it (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).
        f.write_str(match self {
            Self::Event => "Function.Event",
            Self::Config => "Function.Config",
            Self::TooLarge => "Function.TooLarge",
            Self::Deadline => "Function.Deadline",
            Self::Ended(verdict) => match verdict {
                Verdict::Converged => "Function.Converged",
                Verdict::Internal => "Function.Internal",
                Verdict::Usage => "Function.Usage",
                Verdict::Drift => "Function.Drift",
                Verdict::Partial => "Function.Partial",
                Verdict::Halted => "Function.Halted",
                Verdict::Leased => "Function.Leased",
            },
            Self::Failed(kind) => match kind {
                FailureKind::Source => "Function.Source",
                FailureKind::AccessDenied => "Function.AccessDenied",
                FailureKind::Rejected => "Function.Rejected",
                FailureKind::Missing => "Function.Missing",
                FailureKind::Refused => "Function.Refused",
                FailureKind::Superseded => "Function.Superseded",
                FailureKind::Throttled => "Function.Throttled",
                FailureKind::Unreachable => "Function.Unreachable",
                FailureKind::Invalid => "Function.Invalid",
                FailureKind::Stopped => "Function.Stopped",
                FailureKind::Leased => "Function.Leased",
                FailureKind::Internal => "Function.Internal",
            },
        })
    }
}

impl LambdaError {
    pub(super) fn new(of: ErrorType, failure: &Failure) -> Self {
        let Failure { kind: _, what, why, remedy } = failure;
        Self { of, message: format!("{what}\n  because: {why}\n  to do:   {remedy}") }
    }

    /// regcred itself broke. What it said is in the log; it is not repeated to whoever waits.
    pub(super) fn panic() -> Self {
        Self::from(Failure::new(
            FailureKind::Internal,
            "regcred broke in the midst of an invocation",
            "something happened that should not be possible; the log has where",
            "nothing for this time: the next pass goes on; and tell us what the log says",
        ))
    }

    /// What a pass came to that nobody waits for, if a person has to look.
    pub(super) fn of_report(report: &Report) -> Option<Self> {
        let (of, what) = match shortfall::of(report)? {
            Shortfall::Unfinished => return None,
            Shortfall::NothingDone => {
                (ErrorType::Deadline, "the time of the pass was over before it had done anything")
            }
            Shortfall::Look if report.verdict == Verdict::Halted => {
                (ErrorType::Ended(report.verdict), "a rollout was halted")
            }
            Shortfall::Look => (ErrorType::Ended(report.verdict), "not everything holds what it should"),
        };
        let remedy = "look at the report, one line of this invocation's log; `regcred status` tells how things stand now";
        Some(Self::new(of, &Failure::new(FailureKind::Internal, what, shortfall::summary(report), remedy)))
    }
}

impl From<Failure> for LambdaError {
    fn from(failure: Failure) -> Self {
        Self::new(ErrorType::Failed(failure.kind), &failure)
    }
}

impl From<LoadError> for LambdaError {
    fn from(error: LoadError) -> Self {
        Self { of: ErrorType::Config, message: error.to_string() }
    }
}
