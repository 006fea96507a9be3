//! `regcred sync`: the whole pass, once.

use std::path::Path;

use regcred_core::report::Verdict;

use super::arguments::PassArguments;
use super::output::Output;
use super::pass::{self, Ground};
use super::progress::Display;
use super::{Stop, human};
use crate::observe::Context;
use crate::reconcile;

pub(crate) async fn run(
    path: Option<&Path>,
    arguments: PassArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let Ground { config, locations, scope } = pass::prepare(path, &arguments.scope).await?;
    let context = Context { config: &config, locations: &locations, scope: &scope };
    let display = Display::new();
    let report = reconcile::sync(&context, arguments.failed_hosts(), &display).await.map_err(Stop::Pass)?;
    display.finish();
    let verdict = report.verdict;
    output.result(&report, human::report);
    Ok(verdict)
}
