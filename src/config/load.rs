//! From a path or a text to a configuration, or to everything that is wrong with it.

use std::io::Read;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::problem::{Findings, KeyPath, Problem, Severity, has_errors};
use super::structure::{Readable, hold_against_schema};
use super::{Config, env, raw, rules, tree};

/// Looked for in the working folder when neither `--config` nor the environment tells another.
pub(crate) const DEFAULT_PATH: &str = "regcred.yaml";

/// No configuration is that large; a path that was meant for another file may be.
const MAX_BYTES: u64 = 4 << 20;

/// A valid configuration, and what is odd about it all the same.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// Where it was read.
    pub(crate) path: PathBuf,
    pub(crate) config: Config,
    /// Of [`Severity::Warning`] only.
    pub(crate) warnings: Vec<Problem>,
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub(crate) enum LoadError {
    /// Three lines: what, why, what to do.
    #[error(
        "cannot read the configuration {}\n  because: {why}\n  to do:   {}", .path.display(), to_do(*.chosen_by)
    )]
    Unreadable { path: PathBuf, chosen_by: ChosenBy, why: String },
    /// Everything that is wrong, and the warnings; three lines each.
    #[error("the configuration {} is not valid{}", .path.display(), listed(.path, .problems))]
    Invalid { path: PathBuf, problems: Vec<Problem> },
}

/// What told the path of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChosenBy {
    /// `--config`.
    Argument,
    /// `$REGCRED_CONFIG`.
    Environment,
    /// Nothing: [`DEFAULT_PATH`].
    Default,
}

/// Where the configuration is: `--config`, else `$REGCRED_CONFIG`, else `regcred.yaml`. An empty variable is none.
pub(crate) fn choose_path(
    argument: Option<&Path>,
    environment: Option<std::ffi::OsString>,
) -> (PathBuf, ChosenBy) {
    match (argument, environment.filter(|value| !value.is_empty())) {
        (Some(path), _) => (path.to_owned(), ChosenBy::Argument),
        (None, Some(path)) => (path.into(), ChosenBy::Environment),
        (None, None) => (DEFAULT_PATH.into(), ChosenBy::Default),
    }
}

/// [`choose_path`] with the environment of this process, and [`load`].
pub(crate) fn find_and_load(argument: Option<&Path>) -> Result<Loaded, LoadError> {
    let (path, chosen_by) = choose_path(argument, std::env::var_os(env::CONFIG));
    load(&path, chosen_by)
}

/// Reads the file at `path` and holds it against every rule.
pub(crate) fn load(path: &Path, chosen_by: ChosenBy) -> Result<Loaded, LoadError> {
    let text = read(path).map_err(|why| LoadError::Unreadable { path: path.to_owned(), chosen_by, why })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let path = path.to_owned();
    match parse(&text, folder) {
        Ok((config, warnings)) => Ok(Loaded { path, config, warnings }),
        Err(problems) => Err(LoadError::Invalid { path, problems }),
    }
}

fn read(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("it is larger than {} MiB, which no configuration is", MAX_BYTES >> 20));
    }
    Ok(text)
}

/// Holds a text against every rule. Relative paths in it start at `folder`. The problems come in the order of the
/// text: those of its syntax alone, else those of its structure, and where that can be read those of its rules too. With a
/// configuration come warnings only.
pub(crate) fn parse(text: &str, folder: &Path) -> Result<(Config, Vec<Problem>), Vec<Problem>> {
    let (tree, mut problems) = tree::read(text).map_err(|problem| vec![*problem])?;
    let mut findings = Findings::of(&tree);
    let readable = hold_against_schema(&tree, &mut findings);
    let raw: raw::Config;
    let mut config = None;
    if readable == Readable::Yes {
        match deserialize(text) {
            Ok(read) => {
                raw = read;
                config = rules::apply(&raw, folder, &mut findings);
            }
            Err(at) => {
                let path = at.map_or_else(KeyPath::default, |at| tree.path_at(at));
                problems.push(out_of_range(at, path));
            }
        }
    }
    problems.extend(findings.into_problems());
    problems.sort_by_key(|problem| (problem.at, problem.severity));
    match config {
        Some(config) if !has_errors(&problems) => Ok((config, problems)),
        Some(_) | None => Err(problems),
    }
}

/// What is known already is skipped here: unknown keys, and all but the first of a key that is written twice.
fn deserialize(text: &str) -> Result<raw::Config, Option<tree::Position>> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::FirstWins,
        merge_keys: serde_saphyr::MergeKeyPolicy::AsOrdinary,
        strict_booleans: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let location = error.location()?;
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Some(tree::Position { line: number(location.line()), column: number(location.column()) })
    })
}

/// The structure is right and yet a value could not be read: a number that is too large, say. The library's own text is
/// left out, since it quotes the value.
fn out_of_range(at: Option<tree::Position>, path: KeyPath) -> Problem {
    Problem {
        severity: Severity::Error,
        at,
        path,
        what: "this value cannot be read".to_owned(),
        why: "it is of the right kind, but too large or written in an unusual way".to_owned(),
        to_do: "write it plainly; docs/CONFIG.md says what can stand here".to_owned(),
    }
}

fn to_do(chosen_by: ChosenBy) -> String {
    match chosen_by {
        ChosenBy::Argument => "name the file that exists with `--config`".to_owned(),
        ChosenBy::Environment => format!("correct ${}, or name the file with `--config`", env::CONFIG),
        ChosenBy::Default => {
            format!(
                "name the file with `--config` or ${}; config/minimal.yaml is one to start from",
                env::CONFIG
            )
        }
    }
}

fn listed(path: &Path, problems: &[Problem]) -> String {
    let file = path.display();
    let blocks = problems.iter().map(|problem| problem.in_file(&file));
    std::iter::once(String::new()).chain(blocks).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_argument_counts_before_the_environment_and_that_before_the_working_folder() {
        let some = |text: &str| Some(text.into());
        for (argument, environment, path, chosen_by) in [
            (Some(Path::new("a")), some("b"), "a", ChosenBy::Argument),
            (None, some("b"), "b", ChosenBy::Environment),
            (None, some(""), DEFAULT_PATH, ChosenBy::Default),
            (None, None, DEFAULT_PATH, ChosenBy::Default),
        ] {
            assert_eq!(choose_path(argument, environment), (path.into(), chosen_by));
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_in_three_lines() {
        let folder = TempDir::new().unwrap();
        let missing = folder.path().join("none.yaml");
        let large = folder.path().join("large.yaml");
        std::fs::write(&large, " ".repeat(usize::try_from(MAX_BYTES).unwrap() + 1)).unwrap();
        let binary = folder.path().join("binary.yaml");
        std::fs::write(&binary, b"\xFF\xFE").unwrap();
        for (path, why) in [
            (missing.as_path(), "No such file"),
            (folder.path(), "Is a directory"),
            (&large, "larger than 4 MiB"),
            (&binary, "valid UTF-8"),
        ] {
            for chosen_by in [ChosenBy::Argument, ChosenBy::Environment, ChosenBy::Default] {
                let message = load(path, chosen_by).unwrap_err().to_string();
                let lines: Vec<_> = message.lines().collect();
                assert_eq!(lines.len(), 3, "{message}");
                assert_eq!(lines[0], format!("cannot read the configuration {}", path.display()));
                assert!(lines[1].contains(why), "{message}");
                assert!(lines[2].contains("--config"), "{message}");
            }
        }
    }

    #[test]
    fn relative_paths_start_at_the_folder_of_the_file() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("regcred.yaml");
        std::fs::write(&path, include_str!("../../config/demo.yaml")).unwrap();
        let Loaded { config, .. } = load(&path, ChosenBy::Argument).unwrap();
        assert_eq!(
            config.registries["harbor"].source,
            super::super::SourceReference::JsonFile { path: folder.path().join("secrets/harbor.json") }
        );
    }
}
