//! The file of `plan --out` and `sync --plan`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use chrono::Utc;
use regcred_core::report::{Failure, FailureKind};
use regcred_core::saved_plan::{self, Digest, SavedCommand, SavedPlan};
use serde::Deserialize;

use super::Stop;
use super::arguments::PassArguments;
use crate::reconcile::Planned;

/// Writes a plan beside its place and moves it there, so that a reader never meets half of one.
pub(super) fn write(
    path: &Path,
    planned: &Planned,
    settings: BTreeMap<String, Digest>,
    arguments: &PassArguments,
) -> Result<(), Stop> {
    let command = SavedCommand {
        registries: arguments.scope.registry.clone(),
        fleets: arguments.scope.fleet.clone(),
        failed_hosts: arguments.failed_hosts(),
        rejected_candidates: arguments.rejected_candidates(),
    };
    let saved = SavedPlan::new(&planned.plan, planned.key, settings, command, Utc::now());
    let mut text = serde_json::to_vec_pretty(&saved).expect("a plan is plain data with text keys");
    text.push(b'\n');
    replace(path, &text).map_err(|error| {
        Stop::Usage(Failure::new(
            FailureKind::Invalid,
            format!("cannot write the plan to `{}`", path.display()),
            error.to_string(),
            "name a file in a folder that may be written to",
        ))
    })
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    // A link stays one, wherever it leads; and something that is no file, such as a pipe, cannot be replaced. /dev/stdout is a
    // link to a link to what may be a file, which is written to where it stands.
    let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    if is_link || (path.exists() && !path.is_file()) {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        return file.write_all(content);
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    fs::write(&beside, content).and_then(|()| fs::rename(&beside, path)).inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

/// The one member that every form has.
#[derive(Deserialize)]
struct Form {
    saved_plan: u32,
}

/// Reads what [`write()`] wrote.
pub(super) fn read(path: &Path) -> Result<SavedPlan, Stop> {
    let refused = |why: String| {
        Stop::Usage(Failure::new(
            FailureKind::Invalid,
            format!("cannot read the plan `{}`", path.display()),
            why,
            "make one with `regcred plan --out FILE`",
        ))
    };
    let text = fs::read(path).map_err(|error| refused(error.to_string()))?;
    let form: Form = serde_json::from_slice(&text)
        .map_err(|error| refused(format!("it is no plan that regcred saved ({error})")))?;
    if form.saved_plan != saved_plan::VERSION {
        return Err(refused(format!(
            "it has form {}, and this regcred writes and reads form {}",
            form.saved_plan,
            saved_plan::VERSION
        )));
    }
    serde_json::from_slice(&text)
        .map_err(|error| refused(format!("it is no plan that regcred saved ({error})")))
}
