//! What in a file agents would not read as it is meant: dropped without a word, misread, or enough to keep them from
//! starting.
//!
//! What agents make of a file is asked of [`crate::agent`], never decided here again: each of its warnings, faults and
//! misreadings becomes a finding. Nothing that is said tells a secret: no value is ever shown, and a name or a key only where
//! it is one.

mod keys;
mod lines;
mod logins;
mod mend;
mod place;
mod rule;
mod settings;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::Serialize;

use crate::document::{Document, Form};

pub use mend::{Mended, mend};
use place::Place;
pub use rule::{Rule, Severity};

/// One thing that is wrong, as the three lines that a person sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    pub rule: Rule,
    pub severity: Severity,
    /// Counted from 1; none for the file as a whole.
    pub line: Option<usize>,
    /// In characters, counted from 1; none for the whole line.
    pub column: Option<usize>,
    /// What is there.
    pub what: String,
    /// What an agent makes of it.
    pub why: String,
    /// What to write instead.
    pub to_do: String,
}

/// Everything that is wrong with a file, in the order of its lines; nothing: agents read it as it is meant.
pub fn lint(document: &Document) -> Vec<Finding> {
    let mut findings = Findings { document, found: Vec::new() };
    lines::check(&mut findings);
    settings::check(&mut findings);
    keys::check(&mut findings);
    logins::check(&mut findings);
    let mut found = findings.found;
    found.sort_by_key(|finding| (finding.line, finding.column, finding.rule));
    found
}

/// The findings so far.
struct Findings<'a> {
    document: &'a Document,
    found: Vec<Finding>,
}

impl Findings<'_> {
    fn add(
        &mut self,
        rule: Rule,
        at: Place,
        what: impl Into<String>,
        why: impl Into<String>,
        to_do: impl Into<String>,
    ) {
        let Place { line, column } = at;
        let severity = rule.severity();
        let (what, why, to_do) = (what.into(), why.into(), to_do.into());
        self.found.push(Finding { rule, severity, line, column, what, why, to_do });
    }

    fn has(&self, rule: Rule) -> bool {
        self.found.iter().any(|finding| finding.rule == rule)
    }

    fn is_ecs_config(&self) -> bool {
        match self.document.form() {
            Form::EcsConfig => true,
            Form::DockerConfig | Form::AuthValue => false,
        }
    }
}
