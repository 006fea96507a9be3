//! `regcred sync`: the whole pass, once.

use std::path::Path;

use regcred_core::report::Verdict;
use regcred_core::saved_plan::SavedCommand;

use super::arguments::{ScopeArguments, SyncArguments};
use super::interruption::unless_interrupted;
use super::output::Output;
use super::pass::{self, Ground};
use super::progress::Display;
use super::{Stop, human, saved_plan};
use crate::observe::Context;
use crate::reconcile;

pub(crate) async fn run(
    path: Option<&Path>,
    arguments: SyncArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let SyncArguments { pass: arguments, plan } = arguments;
    let saved = plan.as_deref().map(saved_plan::read).transpose()?;
    let (scope, failed, rejected) = match &saved {
        None => {
            let (failed, rejected) = (arguments.failed_hosts(), arguments.rejected_candidates());
            (arguments.scope, failed, rejected)
        }
        Some(saved) => {
            let SavedCommand { registries, fleets, failed_hosts, rejected_candidates } =
                saved.command.clone();
            (ScopeArguments { registry: registries, fleet: fleets }, failed_hosts, rejected_candidates)
        }
    };
    let Ground { config, locations, scope } = pass::prepare(path, &scope, output).await?;
    let context = Context { config: &config, locations: &locations, scope: &scope };
    let display = Display::new(output);
    let agreed = saved.as_ref().map(|saved| &saved.preconditions);
    let pass = reconcile::sync(&context, failed, rejected, agreed, &display);
    let report = match unless_interrupted(Box::pin(pass)).await {
        Ok(report) => report.map_err(Stop::Pass)?,
        Err(by) => {
            display.finish();
            return Err(by.of_a_pass(&display.under_way()));
        }
    };
    display.finish();
    output.result(&report, report.verdict, human::report)
}
