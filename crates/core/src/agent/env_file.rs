//! ecs.config as ecs-init reads it into the environment of the agent's container.
//!
//! `getEnvVars` in the agent repository's `ecs-init/docker/docker.go`: the file is split at "\n", each line trimmed of
//! white space and split at its first '='. There are no quotes, no comments, no escapes and no `export`; a byte order
//! mark belongs to the first name; a line without '=' is no variable; the last of several lines wins. (It trims the
//! whole file first, which changes nothing: every line is trimmed as well.)
//!
//! systemd reads the same file by other rules into the environment of ecs-init itself; that never reaches the agent and
//! is not described here.

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use crate::agent::auth::EffectiveAuth;
use crate::agent::go_text::replace_invalid;
use crate::secret::Secret;

/// Which kind of authentication the agent reads from [`ENGINE_AUTH_DATA`].
pub const ENGINE_AUTH_TYPE: &str = "ECS_ENGINE_AUTH_TYPE";
/// The registries' credentials.
pub const ENGINE_AUTH_DATA: &str = "ECS_ENGINE_AUTH_DATA";
/// The cluster that the agent joins.
pub const CLUSTER: &str = "ECS_CLUSTER";

/// The cluster of an agent that is told none (`DefaultClusterName` in `agent/config/config.go`).
pub const DEFAULT_CLUSTER: &str = "default";

/// The most bytes of one `NAME=value` with its closing NUL that Linux starts a process with, `MAX_ARG_STRLEN`: 32 pages
/// (execve(2)). A longer one is E2BIG, and the agent's container does not start.
pub const MAX_VARIABLE_BYTES: usize = 131_072;

/// The most bytes of all variables, each with its NUL and its pointer: a quarter of the stack limit of 8 MiB that
/// containers get (execve(2)).
pub const MAX_ENVIRONMENT_BYTES: usize = 2 * 1024 * 1024;

/// What one line sets, as ecs-init reads it: name and value, or nothing.
pub fn assignment(line: &str) -> Option<(&str, &str)> {
    line.trim().split_once('=')
}

/// The variables that an agent is started with.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Environment {
    variables: BTreeMap<String, Variable>,
}

/// A variable's value, which may hold a secret, and the line that set it.
#[derive(Clone, PartialEq, Eq)]
struct Variable {
    value: Secret,
    line: usize,
}

/// What keeps the agent's container from starting. The variable is named by its line, counted from 1: in a broken file
/// a name can be part of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StartFault {
    #[error(
        "line {line} is {bytes} bytes long as a variable, and Linux starts no process with one of \
         {MAX_VARIABLE_BYTES} or more"
    )]
    TooLong { line: usize, bytes: usize },
    #[error("line {line} has a NUL byte, with which no process can be started")]
    Nul { line: usize },
    #[error(
        "line {line} sets a variable without a name, for which Docker refuses to create the agent's container"
    )]
    NoName { line: usize },
    #[error(
        "all variables together take {bytes} bytes, and Linux starts no process with more than \
         {MAX_ENVIRONMENT_BYTES}"
    )]
    TooMuch { bytes: usize },
}

/// Why a file would not be read as it is meant. Lines are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Misread {
    #[error("line {line} is not UTF-8 text: each byte of it that is none becomes U+FFFD")]
    NotText { line: usize },
    #[error("line {line} has a NUL byte, with which no process can be started")]
    Nul { line: usize },
    #[error("it begins with a byte order mark, which becomes a part of its first variable's name")]
    ByteOrderMark,
    #[error("line {line} has a carriage return inside, and what follows it is taken for the same line")]
    CarriageReturn { line: usize },
}

/// The first thing in a file that its author cannot have meant as agents read it; none: its lines are what they seem.
pub fn misread(file: &[u8]) -> Option<Misread> {
    file.split(|&byte| byte == b'\n').enumerate().find_map(|(index, bytes)| {
        let line = index + 1;
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Some(Misread::NotText { line });
        };
        let text = text.trim();
        // Before a comment the mark harms nobody; before a variable it becomes a part of its name.
        let marked =
            text.strip_prefix('\u{feff}').filter(|rest| index == 0 && !rest.trim_start().starts_with('#'));
        if text.contains('\0') {
            Some(Misread::Nul { line })
        } else if text.contains('\r') {
            Some(Misread::CarriageReturn { line })
        } else if marked.is_some_and(|rest| rest.contains('=')) {
            Some(Misread::ByteOrderMark)
        } else {
            None
        }
    })
}

impl Environment {
    /// Reads a file's bytes. Every input is a file; what does not read as a variable is none.
    pub fn parse(file: &[u8]) -> Self {
        // ecs-init hands bytes that are no text to Docker as JSON, which replaces them; white space, '=' and line ends
        // are the same before and after.
        let text = Secret::new(replace_invalid(file));
        let mut variables = BTreeMap::new();
        for (index, line) in text.expose().split('\n').enumerate() {
            if let Some((name, value)) = assignment(line) {
                variables.insert(name.to_owned(), Variable { value: Secret::from(value), line: index + 1 });
            }
        }
        Self { variables }
    }

    /// What the agent of an instance with both files is started with: `/var/lib/ecs/ecs.config` first, each of whose
    /// variables `/etc/ecs/ecs.config` overrides, also by an empty value.
    #[must_use]
    pub fn overridden_by(mut self, other: Self) -> Self {
        self.variables.extend(other.variables);
        self
    }

    /// The value of a variable, which may be empty.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.variables.get(name).map(|variable| &variable.value)
    }

    /// The names of all variables. In a broken file a name can be part of a secret: not to be printed.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// The cluster that the agent joins: `default` where the file names none. In a broken file (lines ended by CR
    /// alone) the value can be anything.
    pub fn cluster(&self) -> &str {
        match self.get(CLUSTER).map(|value| value.expose().trim()) {
            None | Some("") => DEFAULT_CLUSTER,
            Some(cluster) => cluster,
        }
    }

    /// The authentication that the agent takes from these variables.
    pub fn auth(&self) -> EffectiveAuth {
        let text = |name| self.get(name).map_or("", Secret::expose);
        EffectiveAuth::new(text(ENGINE_AUTH_TYPE), text(ENGINE_AUTH_DATA))
    }

    /// Everything that keeps an agent with these variables from starting, in the order of the lines; none: it starts.
    pub fn start_faults(&self) -> Vec<StartFault> {
        let mut faults = Vec::new();
        let mut total = 0;
        let mut by_line: Vec<_> = self.variables.iter().collect();
        by_line.sort_by_key(|(_, variable)| variable.line);
        for (name, &Variable { ref value, line }) in by_line {
            // `NAME=value` and the NUL that ends it.
            let bytes = name.len() + value.len() + 2;
            total += bytes + size_of::<u64>();
            if name.is_empty() {
                faults.push(StartFault::NoName { line });
            }
            if name.contains('\0') || value.expose().contains('\0') {
                faults.push(StartFault::Nul { line });
            }
            if bytes > MAX_VARIABLE_BYTES {
                faults.push(StartFault::TooLong { line, bytes: bytes - 1 });
            }
        }
        if total > MAX_ENVIRONMENT_BYTES {
            faults.push(StartFault::TooMuch { bytes: total });
        }
        faults
    }

    /// The variables but those of these names.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Self {
        let mut rest = self.clone();
        rest.variables.retain(|name, _| !names.contains(&name.as_str()));
        rest
    }

    /// Whether both hold the same variables with the same values, wherever they stand.
    pub fn is_same(&self, other: &Self) -> bool {
        self.variables.len() == other.variables.len()
            && self.variables.iter().all(|(name, variable)| other.get(name) == Some(&variable.value))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("variables", &self.variables.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(file: &[u8], name: &str) -> Option<String> {
        Environment::parse(file).get(name).map(|value| value.expose().to_owned())
    }

    #[test]
    fn lines_are_read_as_ecs_init_reads_them() {
        for (file, name, expected) in [
            ("A=1\nB=2", "B", Some("2")),
            ("A=1\r\nB=2\r\n", "A", Some("1")),
            ("A=1\rB=2\r", "A", Some("1\rB=2")),
            ("\n \n\t A=1 \u{a0}\u{2028}\n", "A", Some("1")),
            ("A=1\nA=2", "A", Some("2")),
            ("A=1\nA=", "A", Some("")),
            ("A=b=c", "A", Some("b=c")),
            ("A= 1", "A", Some(" 1")),
            ("A =1", "A", None),
            ("A =1", "A ", Some("1")),
            ("export A=1", "A", None),
            ("#A=1", "#A", Some("1")),
            ("A=1 # x", "A", Some("1 # x")),
            ("A=\"1\"", "A", Some("\"1\"")),
            ("A", "A", None),
            ("\u{feff}A=1", "A", None),
            ("\u{feff}A=1", "\u{feff}A", Some("1")),
            ("A=1\\\nB=2", "A", Some("1\\")),
            ("", "A", None),
        ] {
            assert_eq!(value(file.as_bytes(), name).as_deref(), expected, "{file:?}");
        }
        assert_eq!(value(b"A=\xe2\x82\n", "A").as_deref(), Some("\u{fffd}\u{fffd}"));
    }

    #[test]
    fn the_second_file_overrides_the_first_even_with_nothing() {
        let both = Environment::parse(b"A=1\nB=1\nC=1").overridden_by(Environment::parse(b"A=2\nB=\n"));
        let text = |name| both.get(name).map(Secret::expose);
        assert_eq!((text("A"), text("B"), text("C")), (Some("2"), Some(""), Some("1")));
    }

    #[test]
    fn the_cluster_is_default_where_none_is_named() {
        for (file, cluster) in [
            ("ECS_CLUSTER=prod", "prod"),
            ("ECS_CLUSTER= prod ", "prod"),
            ("ECS_CLUSTER=", "default"),
            ("", "default"),
            ("\u{feff}ECS_CLUSTER=prod", "default"),
            ("ECS_CLUSTER=a\nECS_CLUSTER=b", "b"),
        ] {
            assert_eq!(Environment::parse(file.as_bytes()).cluster(), cluster, "{file:?}");
        }
    }

    #[test]
    fn a_variable_of_128_kib_keeps_the_agent_from_starting() {
        // `ECS_ENGINE_AUTH_DATA=<value>` of 131,071 bytes starts, one byte more does not.
        let file = |bytes: usize| {
            let value = "x".repeat(bytes - ENGINE_AUTH_DATA.len() - 1);
            format!("A=1\n{ENGINE_AUTH_DATA}={value}\n")
        };
        assert_eq!(Environment::parse(file(131_071).as_bytes()).start_faults(), []);
        assert_eq!(
            Environment::parse(file(131_072).as_bytes()).start_faults(),
            [StartFault::TooLong { line: 2, bytes: 131_072 }]
        );
    }

    #[test]
    fn nul_no_name_and_too_much_keep_the_agent_from_starting() {
        assert_eq!(Environment::parse(b"A=1\nB=\0").start_faults(), [StartFault::Nul { line: 2 }]);
        assert_eq!(Environment::parse(b"A\0=1").start_faults(), [StartFault::Nul { line: 1 }]);
        assert_eq!(Environment::parse(b"no variable\0").start_faults(), []);
        assert_eq!(Environment::parse(b"A=1\n =x").start_faults(), [StartFault::NoName { line: 2 }]);
        let many: Vec<_> = (0..30).map(|n| format!("A{n}={}", "x".repeat(100_000))).collect();
        assert!(matches!(
            Environment::parse(many.join("\n").as_bytes()).start_faults()[..],
            [StartFault::TooMuch { bytes: 3_000_000.. }]
        ));
    }

    #[test]
    fn files_that_are_not_what_they_seem_are_told() {
        for (file, expected) in [
            (&b"A=1\nB=2\r\n\r\n \r"[..], None),
            (b"A=1\rB=2\r", Some(Misread::CarriageReturn { line: 1 })),
            (b"A=1\n# a\rb\n", Some(Misread::CarriageReturn { line: 2 })),
            (b"\xef\xbb\xbfA=1", Some(Misread::ByteOrderMark)),
            (b"\xef\xbb\xbf# A=1\nB=1", None),
            (b"\xef\xbb\xbf\nB=1", None),
            (b"A=1\nB=\xff", Some(Misread::NotText { line: 2 })),
            (b"A=1\nB\0", Some(Misread::Nul { line: 2 })),
            (b"", None),
        ] {
            assert_eq!(misread(file), expected, "{file:?}");
        }
    }

    #[test]
    fn debug_shows_neither_names_nor_values() {
        let shown = format!("{:?}", Environment::parse(b"hunter2=hunter3"));
        assert!(!shown.contains("hunter"), "{shown}");
    }
}
