//! `regcred pause` and `regcred resume`: a person's wish that nobody writes, kept where every writer looks.

use std::path::Path;

use chrono::Utc;
use clap::Args;
use regcred_core::pause::Pause;
use regcred_core::report::{Failure, FailureKind, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

use super::arguments::ScopeArguments;
use super::output::Output;
use super::pass::{self, Ground};
use super::{Stop, human};
use crate::state::State;

#[derive(Debug, Args)]
pub(crate) struct PauseArguments {
    /// Why, for whoever meets it: an incident, a change, a name
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Whether regcred is paused now, and was before.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Pausing {
    version: u32,
    pub paused: Option<Pause>,
    pub before: Option<Pause>,
}

/// The version of the shape in JSON.
const VERSION: u32 = 1;

/// What a status can show on a line or two.
const LONGEST_REASON: usize = 200;

pub(crate) async fn pause(
    path: Option<&Path>,
    arguments: PauseArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let PauseArguments { reason } = arguments;
    if let Some(flaw) = reason.as_deref().and_then(flaw_of) {
        return Err(Stop::Usage(flaw));
    }
    let system = rustix::system::uname();
    let user = rustix::process::getuid().as_raw();
    let by = format!("user {user} on {}", system.nodename().to_string_lossy());
    set(path, Some(Pause { since: Utc::now(), by, reason }), output).await
}

pub(crate) async fn resume(path: Option<&Path>, output: Output) -> Result<Verdict, Stop> {
    set(path, None, output).await
}

async fn set(path: Option<&Path>, pause: Option<Pause>, output: Output) -> Result<Verdict, Stop> {
    let everything = ScopeArguments { registry: Vec::new(), fleet: Vec::new() };
    let Ground { config, locations, scope: _ } = pass::prepare(path, &everything, output).await?;
    let place = &config.state;
    let s3 = &locations.at(&place.location).s3;
    let state = State::read(s3, place).await.map_err(Stop::Pass)?;
    let before = state.set_pause(s3, place, pause.clone()).await.map_err(Stop::Pass)?;
    let pausing = Pausing { version: VERSION, paused: pause, before };
    output.result(&pausing, Verdict::Converged, human::pausing)
}

fn flaw_of(reason: &str) -> Option<Failure> {
    let why = if reason.trim().is_empty() {
        "the reason is empty"
    } else if reason.chars().any(char::is_control) {
        "the reason holds a line break or another control character"
    } else if reason.len() > LONGEST_REASON {
        "the reason is longer than 200 bytes"
    } else {
        return None;
    };
    let remedy = "write one short line; it is shown by `regcred status`, and must hold no secret";
    Some(Failure::new(FailureKind::Invalid, "cannot pause", why, remedy))
}
