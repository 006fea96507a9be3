//! What is wrong with a configuration: where, what, why, and what to write instead.
//!
//! No text here may hold a value of the file unless a rule knows it for harmless: what stands at an unknown key, or
//! where a name was asked for, may be a password.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::tree::{Node, Position};

/// One flaw of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    /// None when the flaw is of the file as a whole.
    #[serde(flatten)]
    pub(crate) at: Option<Position>,
    #[serde(rename = "key")]
    #[schemars(with = "String")]
    pub(crate) path: KeyPath,
    pub(crate) what: String,
    pub(crate) why: String,
    pub(crate) to_do: String,
}

/// Whether a configuration with this flaw is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    Error,
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// The way from the top of the file to a value: `registries."ghcr.io".source.env`, `fleets.web.clusters[1]`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyPath(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Segment {
    Key(String),
    Index(usize),
}

impl KeyPath {
    /// A key at the top of the file.
    pub(crate) fn top(key: &str) -> Self {
        Self::default().key(key)
    }

    pub(crate) fn key(&self, key: &str) -> Self {
        self.with(Segment::Key(key.to_owned()))
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    fn with(&self, segment: Segment) -> Self {
        let mut longer = self.clone();
        longer.0.push(segment);
        longer
    }

    /// The key that the path ends in, if it ends in one.
    pub(crate) fn last_key(&self) -> Option<&str> {
        match self.0.last()? {
            Segment::Key(key) => Some(key),
            Segment::Index(_) => None,
        }
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.0
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => {
                    let dot = if i == 0 { "" } else { "." };
                    write!(f, "{dot}{}", shown(key))?;
                }
            }
        }
        Ok(())
    }
}

/// A key as it may be shown. `{password:hunter2}` without its space is one key, so what is no part of a word ends it.
fn shown(key: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || "-_./<".contains(c);
    let plain = key.find(|c| !word(c)).map_or(key, |end| &key[..end]);
    let cut = if plain.len() < key.len() { "…" } else { "" };
    if cut.is_empty() && (plain.is_empty() || plain.contains(['.', '/'])) {
        format!("\"{plain}\"")
    } else {
        format!("{plain}{cut}")
    }
}

/// As it is shown: a key may hold more than it should.
impl fmt::Debug for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for KeyPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Which end of a `key: value` a person has to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Key,
    Value,
}

/// The flaws found so far, each put where it is in the file.
#[derive(Debug)]
pub(crate) struct Findings<'a> {
    tree: &'a Node,
    problems: Vec<Problem>,
}

impl<'a> Findings<'a> {
    pub(crate) fn of(tree: &'a Node) -> Self {
        Self { tree, problems: Vec::new() }
    }

    pub(crate) fn error(
        &mut self,
        path: &KeyPath,
        end: End,
        what: impl Into<String>,
        why: impl fmt::Display,
        to_do: impl Into<String>,
    ) {
        self.add(Severity::Error, path, end, what.into(), why.to_string(), to_do.into());
    }

    pub(crate) fn warning(
        &mut self,
        path: &KeyPath,
        end: End,
        what: impl Into<String>,
        why: impl fmt::Display,
        to_do: impl Into<String>,
    ) {
        self.add(Severity::Warning, path, end, what.into(), why.to_string(), to_do.into());
    }

    fn add(
        &mut self,
        severity: Severity,
        path: &KeyPath,
        end: End,
        what: String,
        why: String,
        to_do: String,
    ) {
        let at = Some(self.tree.locate(path, end));
        self.problems.push(Problem { severity, at, path: path.clone(), what, why, to_do });
    }

    /// All of them, in the order of the file.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems;
        problems.sort_by_key(|problem| (problem.at, problem.severity));
        problems
    }
}

pub(crate) fn has_errors(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

impl Problem {
    /// The three lines that a person reads: where and what, why, and what to do.
    pub(crate) fn in_file(&self, file: &impl fmt::Display) -> String {
        let Self { severity, at, path, what, why, to_do } = self;
        let place = at.map_or_else(|| file.to_string(), |at| format!("{file}:{at}"));
        let path = if path.segments().is_empty() { String::new() } else { format!(" {path}:") };
        format!("{severity}: {place}:{path} {what}\n  because: {why}\n  to do:   {to_do}")
    }
}
