//! The lines of an ecs.config, and the two of them that are regcred's.

use zeroize::Zeroizing;

use crate::agent::env_file::{ENGINE_AUTH_DATA, ENGINE_AUTH_TYPE, assignment};
use crate::secret::Secret;

/// One of the two variables that regcred writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    AuthType,
    AuthData,
}

impl Variable {
    pub const BOTH: [Self; 2] = [Self::AuthType, Self::AuthData];

    pub fn name(self) -> &'static str {
        match self {
            Self::AuthType => ENGINE_AUTH_TYPE,
            Self::AuthData => ENGINE_AUTH_DATA,
        }
    }
}

/// A file's lines, each with its line end.
pub(super) struct Document<'a> {
    lines: Vec<Line<'a>>,
}

struct Line<'a> {
    text: &'a str,
    sets: Option<Variable>,
}

/// The values that the two variables are to have; none: as it is.
pub(super) struct Values<'a> {
    pub(super) auth_type: Option<&'a str>,
    pub(super) auth_data: Option<&'a Secret>,
}

impl Values<'_> {
    fn of(&self, variable: Variable) -> Option<&str> {
        match variable {
            Variable::AuthType => self.auth_type,
            Variable::AuthData => self.auth_data.map(Secret::expose),
        }
    }
}

impl<'a> Document<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let line = |line| {
            let sets = assignment(line)
                .and_then(|(name, _)| Variable::BOTH.into_iter().find(|variable| variable.name() == name));
            Line { text: line, sets }
        };
        Self { lines: text.split_inclusive('\n').map(line).collect() }
    }

    /// How many lines set this variable. Only the last one counts.
    pub(super) fn count(&self, variable: Variable) -> usize {
        self.lines.iter().filter(|line| line.sets == Some(variable)).count()
    }

    /// Lines that name one of the variables in a way that ecs-init does not read, e.g. after `export` or with a space
    /// before '='; counted from 1. Comments are none.
    pub(super) fn ignored_lines(&self) -> Vec<usize> {
        let is_ignored = |line: &Line<'_>| {
            let text = line.text.trim();
            let name = text.split_once('=').map_or(text, |(name, _)| name);
            line.sets.is_none()
                && !text.starts_with('#')
                && Variable::BOTH.iter().any(|variable| {
                    name.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                        .any(|word| word == variable.name())
                })
        };
        let numbered = self.lines.iter().enumerate();
        numbered.filter(|(_, line)| is_ignored(line)).map(|(index, _)| index + 1).collect()
    }

    /// The file with these values. Each variable keeps its last line's place, is appended where it has none, and loses
    /// its earlier lines, which nobody reads and which may hold old secrets. Every other byte stays.
    pub(super) fn with(&self, values: &Values<'_>) -> Secret {
        let newline = self.newline();
        let kept: usize = self.lines.iter().map(|line| line.text.len()).sum();
        let added: usize = Variable::BOTH
            .iter()
            .map(|&variable| values.of(variable).map_or(0, |value| variable.name().len() + value.len() + 4))
            .sum();
        let mut text = Zeroizing::new(String::with_capacity(kept + added + newline.len()));
        for (index, line) in self.lines.iter().enumerate() {
            let Some(variable) = line.sets else {
                text.push_str(line.text);
                continue;
            };
            if self.lines[index + 1..].iter().any(|later| later.sets == Some(variable)) {
                continue;
            }
            match values.of(variable) {
                None => text.push_str(line.text),
                Some(value) => push_line(&mut text, variable, value, line_end(line.text).unwrap_or(newline)),
            }
        }
        for variable in Variable::BOTH {
            if let Some(value) = values.of(variable).filter(|_| self.count(variable) == 0) {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push_str(newline);
                }
                push_line(&mut text, variable, value, newline);
            }
        }
        Secret::new(std::mem::take(&mut *text))
    }

    /// The line end of the file's first line, which an appended line takes over.
    fn newline(&self) -> &'static str {
        self.lines.first().and_then(|line| line_end(line.text)).unwrap_or("\n")
    }
}

fn push_line(text: &mut String, variable: Variable, value: &str, end: &str) {
    text.push_str(variable.name());
    text.push('=');
    text.push_str(value);
    text.push_str(end);
}

fn line_end(line: &str) -> Option<&'static str> {
    if line.ends_with("\r\n") {
        Some("\r\n")
    } else if line.ends_with('\n') {
        Some("\n")
    } else {
        None
    }
}
