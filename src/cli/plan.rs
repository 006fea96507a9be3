//! `regcred plan`: what a sync would do, and why.

use std::path::Path;

use regcred_core::report::Verdict;

use super::arguments::PassArguments;
use super::output::Output;
use super::pass::{self, Ground};
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
    let plan = reconcile::plan(&context, arguments.failed_hosts()).await.map_err(Stop::Pass)?;
    let verdict = plan.verdict();
    output.result(&plan, human::plan);
    Ok(verdict)
}
