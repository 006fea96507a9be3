//! `regcred status`: what holds what now.

use std::path::Path;

use regcred_core::report::Verdict;

use super::arguments::ScopeArguments;
use super::output::Output;
use super::pass::{self, Ground};
use super::{Stop, human};
use crate::clock::Clock;
use crate::observe::Context;
use crate::reconcile;
use crate::stopping::StopSwitch;

pub(crate) async fn run(
    path: Option<&Path>,
    arguments: ScopeArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let Ground { config, locations, scope } = pass::prepare(path, &arguments, output).await?;
    let stop = StopSwitch::new();
    let context = Context {
        config: &config,
        locations: &locations,
        scope: &scope,
        clock: &Clock::Machine,
        stop: &stop,
    };
    let status = reconcile::status(&context).await.map_err(Stop::Pass)?;
    output.result(&status, status.verdict, human::status)
}
