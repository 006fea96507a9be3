//! `regcred check`: is this configuration valid, and if not, everything that is wrong with it.
//!
//! It reads the configuration file and nothing else: no source, no AWS.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::load::{LoadError, Loaded, find_and_load};
use crate::config::problem::{Problem, Severity};

/// What `check` found. Its `Display` is for a person, its JSON is stable.
#[derive(Debug, Serialize)]
pub(crate) struct CheckResult {
    path: PathBuf,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Debug, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
enum Verdict {
    Valid {
        registries: usize,
        ecs_configs: usize,
        fleets: usize,
        locations: usize,
        problems: Vec<Problem>,
    },
    Invalid {
        problems: Vec<Problem>,
    },
    Unreadable {
        why: String,
        #[serde(skip)]
        message: String,
    },
}

/// Judges the configuration that `argument` names, else the environment, else the working folder.
pub(crate) fn run(argument: Option<&Path>) -> CheckResult {
    match find_and_load(argument) {
        Ok(Loaded { path, config, warnings }) => CheckResult {
            path,
            verdict: Verdict::Valid {
                registries: config.registries.len(),
                ecs_configs: config.ecs_configs.len(),
                fleets: config.fleets.len(),
                locations: config.locations.len(),
                problems: warnings,
            },
        },
        Err(LoadError::Invalid { path, problems }) => {
            CheckResult { path, verdict: Verdict::Invalid { problems } }
        }
        Err(error @ LoadError::Unreadable { .. }) => {
            let message = error.to_string();
            let LoadError::Unreadable { path, why, .. } = error else { unreachable!("it was matched above") };
            CheckResult { path, verdict: Verdict::Unreadable { why, message } }
        }
    }
}

impl CheckResult {
    /// Whether the other commands would accept this configuration.
    pub(crate) fn is_valid(&self) -> bool {
        matches!(self.verdict, Verdict::Valid { .. })
    }
}

impl fmt::Display for CheckResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.path.display();
        match &self.verdict {
            Verdict::Unreadable { message, why: _ } => write!(f, "error: {message}"),
            Verdict::Invalid { problems } => {
                for problem in problems {
                    writeln!(f, "{}", problem.in_file(&file))?;
                }
                let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
                write!(f, "{file} is not valid: {}", counted(errors, "error"))
            }
            Verdict::Valid { registries, ecs_configs, fleets, locations, problems } => {
                for problem in problems {
                    writeln!(f, "{}", problem.in_file(&file))?;
                }
                write!(
                    f,
                    "{file} is valid: {}, {}, {}, {}",
                    counted(*registries, "registry"),
                    counted(*ecs_configs, "ecs.config"),
                    counted(*fleets, "fleet"),
                    counted(*locations, "location"),
                )
            }
        }
    }
}

fn counted(count: usize, noun: &str) -> String {
    match (count, noun) {
        (1, _) => format!("1 {noun}"),
        (_, "registry") => format!("{count} registries"),
        (_, _) => format!("{count} {noun}s"),
    }
}
