//! A report, as a person reads it.

use regcred_core::plan::{CredentialPlan, HeldEntry};
use regcred_core::replica::{Replica, ReplicaState};
use regcred_core::report::{
    Coverage, FleetOutcome, FleetReport, HostCounts, ObjectReport, Outcome, Report, Revocation, SecretReport,
};
use regcred_core::rollout::Ending;

use super::plan::foreign;
use super::{Page, counted, hosts, number, pausing, words};
use crate::cli::output::three_lines;

pub(crate) fn report(report: &Report) -> String {
    let mut page = Page::default();
    pausing::paused(&mut page, report.paused.as_ref());
    for registry in &report.registries {
        match &registry.credential {
            CredentialPlan::Read { change, expiry, notes, fingerprint: _ } => {
                if let Some(expiry) = expiry {
                    let said = words::expires_soon(expiry)
                        .unwrap_or_else(|| format!("expires {}", words::day(expiry.expires)));
                    page.line(format!("{}: {said}", registry.name));
                }
                if let Some(trial) = words::trial(&registry.login) {
                    page.line(format!("{}: {trial}", registry.name));
                }
                if let Some(failure) = registry.login.failure() {
                    page.line(three_lines(failure));
                    page.line(format!(
                        "  {}",
                        words::stays(&registry.server, change, registry.published_since)
                    ));
                }
                for note in notes {
                    page.line(format!("{}: note: {note}", registry.name));
                }
            }
            CredentialPlan::Unreadable { failure } => {
                page.line(three_lines(failure));
                let since = words::there_since(registry.published_since);
                page.line(format!("  what is published of {} stays{since}", registry.server));
            }
        }
    }
    secrets(&mut page, &report.secrets);
    objects(&mut page, &report.objects);
    for fleet in &report.fleets {
        self::fleet(&mut page, fleet);
    }
    let counts = HostCounts::of(report.fleets.iter().flat_map(FleetReport::hosts));
    let tally = hosts::tally(&counts);
    if !tally.is_empty() {
        page.line(tally);
    }
    if report.is_idle() {
        page.line("Nothing was written, and nobody was restarted.");
    }
    revocation(&mut page, &report.revocation);
    page.0
}

fn secrets(page: &mut Page, reports: &[SecretReport]) {
    if reports.is_empty() {
        return;
    }
    let right = reports.iter().filter(|each| each.is_right()).count();
    let written = reports.iter().filter(|each| each.outcome.is_write()).count();
    page.line(format!("secrets {}/{}{}", number(right), number(reports.len()), changed(written)));
    for SecretReport { location, name, registry, arn, replicas, outcome } in reports {
        match outcome {
            Outcome::Created | Outcome::Replaced => {
                page.line(format!("  {registry}: {}", arn.as_deref().unwrap_or(name)));
            }
            Outcome::Unchanged | Outcome::Replicated => {}
            Outcome::Superseded => {
                page.line(format!(
                    "  {name} in {location}: another writer came first; the next pass decides"
                ));
            }
            Outcome::Held { why } => {
                page.line(format!("  {name} in {location} stays: {}", words::hold(*why)));
            }
            Outcome::Failed { failure } => page.line(three_lines(failure)),
        }
        for Replica { region, state } in replicas {
            match state {
                ReplicaState::InSync if outcome.is_write() => {
                    page.line(format!("  {registry}: its copy in {region} is in sync"));
                }
                ReplicaState::InSync => {}
                ReplicaState::InProgress => page.line(format!(
                    "  {name} in {location}: its copy in {region} is not in sync yet; the next pass looks again"
                )),
                ReplicaState::Missing => {
                    page.line(format!("  {name} in {location}: there is no copy in {region} yet"));
                }
                ReplicaState::Failed { failure } | ReplicaState::Unknown { failure } => {
                    page.line(three_lines(failure));
                }
            }
        }
    }
}

fn objects(page: &mut Page, reports: &[ObjectReport]) {
    if reports.is_empty() {
        return;
    }
    let right = reports.iter().filter(|each| each.is_right()).count();
    let written = reports.iter().filter(|each| each.outcome.is_write()).count();
    page.line(format!("objects {}/{}{}", number(right), number(reports.len()), changed(written)));
    for object in reports {
        let ObjectReport {
            ecs_config,
            location,
            bucket,
            key,
            revision,
            object_version: _,
            outcome,
            held,
            kept,
            pruned,
            notes,
        } = object;
        match outcome {
            Outcome::Created | Outcome::Replaced => {
                let revision = revision.as_ref().map_or("", |revision| revision.short());
                page.line(format!("  s3://{bucket}/{key} is revision {revision}"));
                foreign(page, kept, pruned);
            }
            Outcome::Unchanged | Outcome::Replicated => {}
            Outcome::Superseded => {
                page.line(format!(
                    "  {ecs_config} in {location}: another writer came first; the next pass decides"
                ));
            }
            Outcome::Held { why } => {
                page.line(format!("  {ecs_config} in {location} stays: {}", words::hold(*why)));
            }
            Outcome::Failed { failure } => page.line(three_lines(failure)),
        }
        for note in notes {
            page.line(format!("  note: {note}"));
        }
        for HeldEntry { registry, why, published, failure } in held {
            let stays = if *published { "stays as it is published" } else { "is not published" };
            page.line(format!("  {registry} {stays} in {ecs_config}: {}", words::hold(*why)));
            if let Some(failure) = failure {
                page.line(three_lines(failure));
            }
        }
    }
}

fn changed(written: usize) -> String {
    if written == 0 { String::new() } else { format!(", {} written", number(written)) }
}

fn fleet(page: &mut Page, report: &FleetReport) {
    let FleetReport { fleet, location: _, opens, outcome } = report;
    if let Some(opens) = opens {
        page.line(format!("fleet {fleet}: its maintenance window opens {}", words::minute(*opens)));
    }
    match outcome {
        FleetOutcome::Current { revision } => {
            page.line(format!("fleet {fleet}: every host holds revision {}", revision.short()));
        }
        FleetOutcome::Held { why } => {
            page.line(format!("fleet {fleet}: no host was touched, because {}", words::hold(*why)));
        }
        FleetOutcome::HeldAfter { fleet: earlier, why } => {
            page.line(format!(
                "fleet {fleet}: no host was touched; it comes after {earlier}, which did not end well: {}",
                words::hold(*why)
            ));
        }
        FleetOutcome::Failed { failure } => page.line(three_lines(failure)),
        FleetOutcome::RolledOut { revision, ending, hosts: reports, unseen, failures } => {
            let said = match ending {
                Ending::Converged => "every host that can be reached holds it".to_owned(),
                Ending::PartlyReached => "not every host holds it".to_owned(),
                Ending::Halted { why } => format!("HALTED: {why}"),
                Ending::Superseded => "a newer object appeared meanwhile; the next pass decides".to_owned(),
                Ending::Stopped { why } => {
                    format!("stopped, because {}; the next pass goes on", words::hold((*why).into()))
                }
            };
            page.line(format!("fleet {fleet}: revision {}; {said}", revision.short()));
            for failure in unseen.iter().chain(failures) {
                page.line(three_lines(failure));
            }
            hosts::not_updated(page, fleet, reports, hosts::Told::AfterRollout);
        }
    }
}

/// The question behind every rotation: may the old passwords go?
pub(super) fn revocation(page: &mut Page, revocation: &Revocation) {
    let Revocation { safe, old, unknown, unsupported, places, unwatched, untried, coverage } = *revocation;
    if safe {
        page.line(
            "The old password may be revoked: everything in the config is known to hold the current one.",
        );
        return;
    }
    let verb = |count, one, many| if count == 1 { one } else { many };
    let mut reasons = Vec::new();
    if old > 0 {
        reasons.push(format!("{} {} it", counted(old, "host"), verb(old, "holds", "hold")));
    }
    if unknown > 0 {
        let hosts = if old > 0 { number(unknown) } else { counted(unknown, "host") };
        reasons.push(format!("{hosts} {} unknown", verb(unknown, "is", "are")));
    }
    if unsupported > 0 {
        reasons.push(format!("{} unsupported, and cannot be looked into", counted(unsupported, "host")));
    }
    if places > 0 {
        let places =
            if places == 1 { "1 place is".to_owned() } else { format!("{} places are", number(places)) };
        reasons.push(format!("{places} not up to date (see above)"));
    }
    if untried > 0 {
        let credentials = counted(untried, "credential");
        reasons.push(format!("{credentials} {} published untried", verb(untried, "was", "were")));
    }
    if unwatched > 0 {
        reasons
            .push(format!("no fleet loads {}, so its hosts are unknown", counted(unwatched, "ecs.config")));
    }
    if coverage == Coverage::Part {
        reasons.push("only a part of the config was looked at".to_owned());
    }
    page.line(format!("Do not revoke the old password yet: {}.", reasons.join("; ")));
}
