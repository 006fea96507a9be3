//! `regcred lint`: what in a file agents would not read as it is meant.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use regcred_core::document::{Document, Form};
use regcred_core::lint::{Finding, Mended, Rule, lint, mend};
use regcred_core::report::{Failure, FailureKind, Verdict};
use regcred_core::secret::Secret;
use schemars::JsonSchema;
use serde::Serialize;

use super::output::Output;
use super::papers::{self, Paper};
use super::{Stop, human};
use crate::artefact::Artefact;

#[derive(Debug, Args)]
pub(crate) struct LintArguments {
    /// An ecs.config, Docker's config.json, or the value of ECS_ENGINE_AUTH_DATA: a path, s3://bucket/key, or - for standard
    /// input
    #[arg(value_name = "FILE")]
    pub file: Artefact,
    /// The location of the configuration whose role reads s3://…
    #[arg(long, value_name = "NAME")]
    pub location: Option<String>,
    /// Write what can be mended without a guess to FILE.fixed, for an object to one in the working folder; never in place
    #[arg(long)]
    pub fix: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Linted {
    version: u32,
    pub file: String,
    form: Form,
    pub findings: Vec<Finding>,
    /// With `--fix`, where anything could be mended.
    pub fixed: Option<Fixed>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Fixed {
    pub path: PathBuf,
    /// The rules that the mended file does not break any more.
    pub mended: Vec<Rule>,
    /// What is left for a person to do.
    pub left: Vec<Finding>,
    /// The mended file names another cluster than agents read in it before.
    pub moves_cluster: bool,
}

/// The version of the shape in JSON.
const VERSION: u32 = 1;

pub(crate) async fn run(
    path: Option<&Path>,
    arguments: LintArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let LintArguments { file, location, fix } = arguments;
    let beside = if fix { Some(beside(&file).map_err(Stop::Usage)?) } else { None };
    let Paper { from, document } = papers::named(path, &file, location.as_deref()).await?;
    let findings = lint(&document);
    let fixed = match beside {
        Some(beside) => write_mended(&document, beside).map_err(Stop::Usage)?,
        None => None,
    };
    let verdict = if findings.is_empty() { Verdict::Converged } else { Verdict::Drift };
    let linted = Linted { version: VERSION, file: from, form: document.form(), findings, fixed };
    output.result(&linted, verdict, human::linted)
}

/// Where the mended file goes.
fn beside(file: &Artefact) -> Result<PathBuf, Failure> {
    let named = |path: &Path| {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".fixed");
        path.with_file_name(name)
    };
    match file {
        Artefact::File(path) => Ok(named(path)),
        Artefact::Object { bucket: _, key } => {
            let name = key.rsplit('/').find(|part| !part.is_empty()).unwrap_or("ecs.config");
            Ok(named(Path::new(name)))
        }
        Artefact::Stdin => Err(Failure::new(
            FailureKind::Refused,
            "cannot write a mended file",
            "standard input has no name to write it beside",
            "name the file",
        )),
    }
}

fn write_mended(document: &Document, path: PathBuf) -> Result<Option<Fixed>, Failure> {
    let Mended { text, is_changed, mended, left, moves_cluster } = mend(document);
    if !is_changed {
        return Ok(None);
    }
    write_privately(&path, &text).map_err(|error| {
        Failure::new(
            FailureKind::Refused,
            format!("cannot write {}", path.display()),
            error.to_string(),
            "run it where you may write, or mend the file by hand: every finding says how",
        )
    })?;
    Ok(Some(Fixed { path, mended, left, moves_cluster }))
}

/// Writes a file that its owner alone may read. It is made under another name first, so that nothing is written through a
/// link, and nobody sees half of it.
fn write_privately(path: &Path, text: &Secret) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let making = path.with_file_name(name);
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&making)
        .and_then(|mut file| {
            file.write_all(text.expose().as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&making, path));
    if written.is_err() {
        // What was begun holds a secret.
        let _ = std::fs::remove_file(&making);
    }
    written
}
