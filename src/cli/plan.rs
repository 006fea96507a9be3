//! `regcred plan`: what a sync would do, and why.

use std::path::Path;

use regcred_core::report::Verdict;

use super::arguments::PlanArguments;
use super::interruption::{Interruption, unless_interrupted};
use super::output::Output;
use super::pass::{self, Ground};
use super::{Stop, human, saved_plan};
use crate::clock::Clock;
use crate::observe::Context;
use crate::reconcile;
use crate::settings::settings;
use crate::stopping::StopSwitch;

pub(crate) async fn run(
    path: Option<&Path>,
    arguments: PlanArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let PlanArguments { pass: arguments, out } = arguments;
    let Ground { config, locations, scope } = pass::prepare(path, &arguments.scope, output).await?;
    let stop = StopSwitch::new();
    let context = Context {
        config: &config,
        locations: &locations,
        scope: &scope,
        clock: &Clock::Machine,
        stop: &stop,
    };
    let planned = reconcile::plan(&context, arguments.failed_hosts(), arguments.rejected_candidates());
    let planned =
        unless_interrupted(Box::pin(planned)).await.map_err(Interruption::of_a_look)?.map_err(Stop::Pass)?;
    if let Some(out) = out {
        saved_plan::write(&out, &planned, settings(&config, &scope), &arguments)?;
    }
    output.result(&planned.plan, planned.plan.verdict(), human::plan)
}
