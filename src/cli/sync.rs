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
use crate::clock::Clock;
use crate::lease::{Lease, Patience, process_name};
use crate::observe::Context;
use crate::reconcile::{self, Orders, Windows};
use crate::stopping::StopSwitch;

pub(crate) async fn run(
    path: Option<&Path>,
    arguments: SyncArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let SyncArguments { pass: arguments, plan, ignore_windows } = arguments;
    let windows = if ignore_windows { Windows::Ignore } else { Windows::Heed };
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
    let stop = StopSwitch::new();
    let context = Context {
        config: &config,
        locations: &locations,
        scope: &scope,
        clock: &Clock::Machine,
        stop: &stop,
    };
    let display = Display::new(output);
    let agreed = saved.as_ref().map(|saved| &saved.preconditions);
    let place = &config.state;
    let lease = Lease::new(&locations.at(&place.location).s3, place, process_name("regcred sync"))
        .map_err(Stop::Pass)?;
    let orders = Orders {
        failed,
        rejected,
        agreed,
        lease: &lease,
        patience: Patience::OneLength,
        windows,
        progress: &display,
    };
    let pass = reconcile::sync(&context, &orders);
    let report = match unless_interrupted(Box::pin(pass)).await {
        Ok(report) => report.map_err(Stop::Pass)?,
        Err(by) => {
            // Nobody has to wait for one that is gone. A second signal ends this too.
            let _ = unless_interrupted(Box::pin(lease.release_in_haste())).await;
            display.finish();
            return Err(by.of_a_pass(&display.under_way()));
        }
    };
    display.finish();
    output.result(&report, report.verdict, human::report)
}
