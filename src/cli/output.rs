//! The only place that prints: results to stdout, messages and progress to stderr.

use std::fmt;
use std::io::{self, Write};

use regcred_core::report::Failure;
use serde::Serialize;

use super::arguments::Form;

/// Where a command's result and messages go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    form: Form,
}

impl Output {
    pub(crate) fn new(form: Form) -> Self {
        Self { form }
    }

    /// Prints a command's result in the form that was asked for.
    pub(crate) fn result<T: Serialize>(self, value: &T, human: impl FnOnce(&T) -> String) {
        match self.form {
            Form::Human => text(human(value).trim_end()),
            Form::Json => json(value),
        }
    }
}

/// Prints a value as JSON to stdout.
pub(crate) fn json<T: Serialize>(value: &T) {
    text(&serde_json::to_string_pretty(value).expect("results are plain data with text keys"));
}

/// Prints a value as one line of JSON to stdout.
#[cfg(feature = "sandbox")]
pub(crate) fn json_line<T: Serialize>(value: &T) {
    text(&serde_json::to_string(value).expect("results are plain data with text keys"));
}

/// Prints a text to stdout. A reader that went away ends nothing: the exit code still tells the result.
pub(crate) fn text(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
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
