//! A status, as a person reads it.

use regcred_core::fingerprint::Revision;
use regcred_core::host::HostId;
use regcred_core::plan::{CredentialPlan, Plan, RegistryPlan};
use regcred_core::platform::FARGATE;
use regcred_core::report::{FleetSight, FleetStatus, Holding, HostCounts, LeaseSight, Status};

use super::report::revocation;
use super::{Page, counted, hosts, number, pausing, plan, words};
use crate::cli::output::three_lines;

pub(crate) fn status(status: &Status) -> String {
    let Status {
        version: _,
        registries,
        secrets,
        objects,
        fleets,
        revocation: may_revoke,
        lease,
        paused,
        verdict: _,
    } = status;
    let mut page = Page::default();
    pausing::paused(&mut page, paused.as_ref());
    match lease {
        LeaseSight::Free => {}
        LeaseSight::Held { holder } => page.line(format!("At work, by the lease: {holder}")),
        LeaseSight::Unknown { failure } => page.line(three_lines(failure)),
    }
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
            FleetSight::Seen { revision, hosts: seen, holdings, empty, unseen } => {
                for failure in unseen {
                    page.line(three_lines(failure));
                }
                for cluster in empty {
                    page.line(format!(
                        "{}: cluster {cluster} has no container instance; {}, and tasks there need no restart",
                        fleet.fleet, FARGATE.why
                    ));
                }
                older(&mut page, fleet, revision, holdings);
                hosts::not_updated(&mut page, &fleet.fleet, seen, hosts::Told::AtAnyTime);
            }
            FleetSight::NoObject => {
                page.line(format!("fleet {}: there is no ecs.config that its hosts could hold", fleet.fleet));
            }
            FleetSight::Failed { failure } => page.line(three_lines(failure)),
        }
    }
    next_to_expire(&mut page, registries);
    revocation(&mut page, may_revoke);
    page.0
}

/// Who was last proven to hold what is not published any more.
fn older(page: &mut Page, fleet: &FleetStatus, published: &Revision, holdings: &[Holding]) {
    for Holding { revision, hosts } in holdings {
        let Some(revision) = revision.as_ref().filter(|revision| *revision != published) else { continue };
        let ids: Vec<&str> = hosts.iter().map(HostId::as_str).take(SHOWN_IDS).collect();
        let more = match hosts.len().saturating_sub(SHOWN_IDS) {
            0 => String::new(),
            more => format!(" and {} more", number(more)),
        };
        page.line(format!(
            "{}: {} last proven to hold {}, an older one: {}{more}",
            fleet.fleet,
            counted(hosts.len(), "host"),
            revision.short(),
            ids.join(" ")
        ));
    }
}

/// A screen's width of ids; `--output json` has all.
const SHOWN_IDS: usize = 4;

/// Which credential has to be seen to first.
fn next_to_expire(page: &mut Page, registries: &[RegistryPlan]) {
    let expiry = |registry: &RegistryPlan| match registry.credential {
        CredentialPlan::Read { expiry: Some(expiry), .. } => Some((expiry.expires, registry.name.clone())),
        CredentialPlan::Read { expiry: None, .. } | CredentialPlan::Unreadable { .. } => None,
    };
    if let Some((expires, name)) = registries.iter().filter_map(expiry).min() {
        page.line(format!("The next credential to expire is that of {name}, on {}.", words::day(expires)));
    }
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
            number(counts.unsupported + counts.exempt)
        ));
    }
}
