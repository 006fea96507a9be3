//! `regcred check`: is this configuration valid, and if not, everything that is wrong with it.
//!
//! It reads the configuration file and nothing else: no source, no AWS.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::load::{LoadError, Loaded, find_and_load};
use crate::config::problem::{Problem, Severity};

/// The version of the serialised form.
const VERSION: u32 = 1;

/// What `check` found. Its `Display` is for a person, its JSON is stable.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct CheckResult {
    /// The version of this form.
    version: u32,
    path: PathBuf,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Debug, JsonSchema, Serialize)]
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
            version: VERSION,
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
            CheckResult { version: VERSION, path, verdict: Verdict::Invalid { problems } }
        }
        Err(error @ LoadError::Unreadable { .. }) => {
            let message = error.to_string();
            let LoadError::Unreadable { path, why, .. } = error else { unreachable!("it was matched above") };
            CheckResult { version: VERSION, path, verdict: Verdict::Unreadable { why, message } }
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::*;

    fn check(text: &str) -> (CheckResult, Value, String) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("c.yaml");
        std::fs::write(&path, text).unwrap();
        let result = run(Some(&path));
        let mut json = serde_json::to_value(&result).unwrap();
        assert_eq!(json["path"].take(), json!(path));
        let text = result.to_string().replace(&path.display().to_string(), "c.yaml");
        (result, json, text)
    }

    #[test]
    fn a_valid_configuration_is_counted() {
        let (result, json, text) = check(include_str!("../../config/minimal.yaml"));
        assert!(result.is_valid());
        assert_eq!(text, "c.yaml is valid: 1 registry, 1 ecs.config, 1 fleet, 1 location");
        assert_eq!(
            json,
            json!({ "version": 1, "path": null, "verdict": "valid", "registries": 1, "ecs_configs": 1, "fleets": 1, "locations": 1,
                    "problems": [] })
        );
    }

    #[test]
    fn every_problem_of_an_invalid_one_is_listed() {
        let minimal = include_str!("../../config/minimal.yaml");
        let (result, json, text) = check(&minimal.replace("clusters:", "max_unavailble: 3, clusters:"));
        assert!(!result.is_valid());
        let text: Vec<_> = text.lines().collect();
        assert_eq!(text[0], "error: c.yaml:14:29: fleets.prod.max_unavailble: this key is not known");
        assert_eq!(text[2], "  to do:   did you mean `max_unavailable`?");
        assert_eq!(text[3], "c.yaml is not valid: 1 error");
        assert_eq!(json["verdict"], "invalid");
        let mut problem = json["problems"][0].clone();
        assert!(problem["why"].take().is_string());
        assert_eq!(
            problem,
            json!({ "severity": "error", "line": 14, "column": 29, "key": "fleets.prod.max_unavailble",
                    "what": "this key is not known", "why": null, "to_do": "did you mean `max_unavailable`?" })
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_no_configuration() {
        let result = run(Some(Path::new("/nowhere/c.yaml")));
        assert!(!result.is_valid());
        assert!(result.to_string().starts_with("error: cannot read the configuration /nowhere/c.yaml\n"));
        let json = serde_json::to_value(&result).unwrap();
        assert_eq!(json["verdict"], "unreadable");
        assert!(json["why"].as_str().unwrap().contains("No such file"));
    }
}
