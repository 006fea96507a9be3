//! A status, as a person reads it.

use regcred_core::plan::Plan;
use regcred_core::report::{FleetSight, FleetStatus, HostCounts, Status};

use super::report::revocation;
use super::{Page, hosts, number, plan};
use crate::cli::output::three_lines;

pub(crate) fn status(status: &Status) -> String {
    let Status { version: _, registries, secrets, objects, fleets, revocation: may_revoke, verdict: _ } =
        status;
    let mut page = Page::default();
    plan::registries(&mut page, registries);
    plan::secrets(&mut page, secrets);
    plan::objects(&mut page, objects);
    let stores = Plan::new(registries.clone(), secrets.clone(), objects.clone(), Vec::new());
    let stale = stores.stale_places();
    let all = secrets.len() + objects.len();
    page.line(format!("secrets and objects: {} of {} hold what was read", number(all - stale), number(all)));
    for failure in stores.failures() {
        page.line(three_lines(failure));
    }
    table(&mut page, fleets);
    for fleet in fleets {
        match &fleet.sight {
            FleetSight::Seen { hosts: seen, unseen, .. } => {
                for failure in unseen {
                    page.line(three_lines(failure));
                }
                hosts::not_updated(&mut page, &fleet.fleet, seen);
            }
            FleetSight::NoObject => {
                page.line(format!("fleet {}: there is no ecs.config that its hosts could hold", fleet.fleet));
            }
            FleetSight::Failed { failure } => page.line(three_lines(failure)),
        }
    }
    revocation(&mut page, may_revoke);
    page.0
}

fn table(page: &mut Page, fleets: &[FleetStatus]) {
    let seen: Vec<(&FleetStatus, &str)> = fleets
        .iter()
        .filter_map(|fleet| match &fleet.sight {
            FleetSight::Seen { revision, .. } => Some((fleet, revision.short())),
            FleetSight::NoObject | FleetSight::Failed { .. } => None,
        })
        .collect();
    if seen.is_empty() {
        return;
    }
    page.line("fleet       revision   hosts  proven     old  unknown  unsupported");
    for (fleet, revision) in seen {
        let counts = HostCounts::of(fleet.hosts());
        page.line(format!(
            "{:<10}  {:<8}  {:>6}  {:>6}  {:>6}  {:>7}  {:>11}",
            fleet.fleet.as_str(),
            revision,
            number(fleet.hosts().len()),
            number(counts.current + counts.proven),
            number(counts.old()),
            number(counts.unknown()),
            number(counts.unsupported)
        ));
    }
}
