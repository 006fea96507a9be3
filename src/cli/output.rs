//! The only place that prints: results to stdout, messages and progress to stderr.

use std::fmt;
use std::io::{self, Write};

use regcred_core::report::{Failure, Report, Verdict};
use serde::Serialize;

use super::Stop;
use super::arguments::Form;

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Volume {
    Normal,
    /// What went wrong, and nothing else: no progress, no note, and no result for a person where there is nothing to
    /// do about it. A result for a machine is printed all the same.
    Quiet,
}

/// Where a command's result and messages go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub form: Form,
    pub volume: Volume,
}

impl Output {
    /// Prints a command's result in the form that was asked for, and ends the command with `verdict`.
    pub(crate) fn result<T: Serialize>(
        self,
        value: &T,
        verdict: Verdict,
        human: impl FnOnce(&T) -> String,
    ) -> Result<Verdict, Stop> {
        match (self.form, self.volume) {
            (Form::Human, Volume::Quiet) if verdict == Verdict::Converged => {}
            (Form::Human, _) => text(human(value).trim_end())?,
            (Form::Json, _) => json(value)?,
        }
        Ok(verdict)
    }

    /// Prints what one pass of many came to. A pass that found nothing to do says nothing to a person.
    pub(crate) fn pass(self, report: &Report, human: impl FnOnce(&Report) -> String) -> Result<(), Stop> {
        match self.form {
            Form::Human if report.is_idle() && report.verdict == Verdict::Converged => Ok(()),
            Form::Human => text(human(report).trim_end()),
            Form::Json => json_line(report),
        }
    }

    /// Prints to stderr what is good to know.
    pub(crate) fn note(self, text: impl fmt::Display) {
        match self.volume {
            Volume::Normal => message(text),
            Volume::Quiet => {}
        }
    }
}

/// Prints a value as JSON to stdout.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Stop> {
    text(&serde_json::to_string_pretty(value).expect("results are plain data with text keys"))
}

/// Prints a value as one line of JSON to stdout.
pub(crate) fn json_line<T: Serialize>(value: &T) -> Result<(), Stop> {
    text(&serde_json::to_string(value).expect("results are plain data with text keys"))
}

/// Prints a text to stdout. A reader that went away ends nothing, as the exit code still tells the result; a text that
/// is lost otherwise, on a full disk, is an error.
pub(crate) fn text(text: &str) -> Result<(), Stop> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Stop::Output(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Prints a message to stderr.
pub(crate) fn message(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints the three lines to stderr.
pub(crate) fn failure(failure: &Failure) {
    message(three_lines(failure));
}

/// What could not be done, why, and what to do about it.
pub(crate) fn three_lines(failure: &Failure) -> String {
    let Failure { kind: _, what, why, remedy } = failure;
    format!("error: {what}\n  because: {why}\n  to do:   {remedy}")
}
