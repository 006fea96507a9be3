//! A plan, as a person reads it.

use std::collections::BTreeMap;
use std::time::Duration;

use regcred_core::credential::Expiry;
use regcred_core::host::ClusterName;
use regcred_core::names::FleetName;
use regcred_core::plan::{
    CredentialPlan, FleetAction, FleetStep, HeldEntry, ObjectAction, ObjectStep, Plan, RegistryPlan,
    SecretAction, SecretStep,
};
use regcred_core::replica::ReplicaState;
use regcred_core::rollout::{Forecast, HostOutcome, HostReport};

use super::{Page, counted, number, pausing, words};
use crate::cli::output::three_lines;

pub(crate) fn plan(plan: &Plan) -> String {
    let mut page = Page::default();
    pausing::paused(&mut page, plan.paused.as_ref());
    registries(&mut page, &plan.registries);
    secrets(&mut page, &plan.secrets);
    objects(&mut page, &plan.objects);
    fleets(&mut page, &plan.fleets);
    for failure in plan.failures() {
        page.line(three_lines(failure));
    }
    if plan.is_empty() {
        if plan.failures().is_empty() && plan.unreached() == 0 {
            page.line("Nothing to do: every secret, object and host holds its credential.");
        } else {
            page.line("Nothing that can be done now.");
        }
    } else {
        policies(&mut page, &plan.fleets);
        if let Some(most) = plan.max_errors_together {
            let next = ordinal(u64::from(most) + 1);
            page.line(format!("All fleets together stop at the {next} failure."));
        }
        let hosts: usize = plan.fleets.iter().map(may_hold_old).sum();
        if hosts > 0 {
            page.line(format!("Keep the old password valid: {} may still hold it.", counted(hosts, "host")));
        }
        let about = words::about(Duration::from_secs(plan.estimate.seconds));
        let longest = match longest(&plan.fleets) {
            Duration::ZERO => String::new(),
            longest => format!(", {} at most", words::span(longest)),
        };
        page.line(format!(
            "{}{}{longest}; about {}. Nothing was written.",
            about[..1].to_uppercase(),
            &about[1..],
            counted(plan.estimate.calls, "call")
        ));
    }
    page.0
}

pub(super) fn registries(page: &mut Page, registries: &[RegistryPlan]) {
    for RegistryPlan { name, server, credential, login, published_since } in registries {
        match credential {
            CredentialPlan::Read { fingerprint, change, expiry, notes } => {
                let expires = expiry.map_or_else(String::new, |Expiry { expires, .. }| {
                    format!("; expires {}", words::day(expires))
                });
                let changed = words::change(change, fingerprint.short());
                let trial = words::trial(login).map_or_else(String::new, |trial| format!("; {trial}"));
                page.line(format!("{name}: {changed}{expires}{trial}"));
                if login.hold().is_some() {
                    page.line(format!("  {}", words::stays(server, change, *published_since)));
                }
                if let Some(warning) = expiry.as_ref().and_then(words::expires_soon) {
                    page.line(format!("  {warning}"));
                }
                for note in notes {
                    page.line(format!("  note: {note}"));
                }
            }
            CredentialPlan::Unreadable { .. } => {
                page.line(format!(
                    "{name}: its source could not be read; what is published of {server} stays{}",
                    words::there_since(*published_since)
                ));
            }
        }
    }
}

pub(super) fn secrets(page: &mut Page, steps: &[SecretStep]) {
    let mut groups: BTreeMap<(char, &str), Vec<&SecretStep>> = BTreeMap::new();
    for step in steps {
        let mark = match step.action {
            SecretAction::Create => '+',
            SecretAction::Put { .. } => '~',
            SecretAction::Unchanged { .. }
            | SecretAction::Replicate { .. }
            | SecretAction::Held { .. }
            | SecretAction::Blocked { .. } => {
                continue;
            }
        };
        groups.entry((mark, &step.name)).or_default().push(step);
    }
    for ((mark, name), steps) in groups {
        let places = match steps.as_slice() {
            [one] => format!("in {}", one.location),
            many => format!("in {}", counted(many.len(), "location")),
        };
        page.line(format!("{mark} secret    {name:<26}  {places}; task definitions need no restart"));
    }
    for step in steps {
        for replica in &step.replicas {
            let SecretStep { location, name, .. } = step;
            let region = &replica.region;
            if step.is_write() && replica.is_wanting() {
                page.line(format!("+ copy      {name:<26}  in {region}, of the secret in {location}"));
            } else if replica.state == ReplicaState::InProgress {
                page.line(format!(
                    "! copy      {name:<26}  in {region} is not in sync yet with the secret in {location}"
                ));
            }
        }
    }
}

pub(super) fn objects(page: &mut Page, steps: &[ObjectStep]) {
    for ObjectStep { ecs_config, location, bucket, key, action, held, kept, pruned, notes } in steps {
        let name = format!("s3://{bucket}/{key}");
        match action {
            ObjectAction::Create { .. } => {
                page.line(format!("+ object    {name:<26}  in {location}"));
            }
            ObjectAction::Replace { revision, from, .. } => {
                let what = if revision == from {
                    "lines that no agent reads; restarts nobody".to_owned()
                } else {
                    format!("the ECS_ENGINE_AUTH lines only ({} → {})", from.short(), revision.short())
                };
                page.line(format!("~ object    {name:<26}  in {location}; {what}"));
            }
            ObjectAction::Unchanged { .. } | ObjectAction::Blocked { .. } => {}
        }
        foreign(page, kept, pruned);
        for note in notes {
            page.line(format!("  note: {note}"));
        }
        for HeldEntry { registry, why, published, failure: _ } in held {
            let stays = if *published { "stays as it is published" } else { "is not published" };
            page.line(format!("  {registry} {stays} in {ecs_config}: {}", words::hold(*why)));
        }
    }
}

pub(super) fn foreign(page: &mut Page, kept: &[String], pruned: &[String]) {
    if !kept.is_empty() {
        page.line(format!("  keeps {} (not in the config)", kept.join(", ")));
    }
    if !pruned.is_empty() {
        page.line(format!("  removes {} (not in the config, and prune is on)", pruned.join(", ")));
    }
}

fn fleets(page: &mut Page, steps: &[FleetStep]) {
    for FleetStep { fleet, location, ecs_config: _, after, opens, action } in steps {
        match action {
            FleetAction::Current { .. } | FleetAction::Blocked { .. } => {}
            FleetAction::Held { why } => {
                page.line(format!(
                    "! fleet     {fleet}: no host is restarted, because {}",
                    words::hold(*why)
                ));
            }
            FleetAction::Rollout { registered, outside, hosts, forecast, .. } => {
                let all: usize = registered.iter().map(|(_, size)| size).chain(outside).sum();
                let groups = match outside {
                    Some(_) => format!("fleet {fleet}"),
                    None => counted(registered.len(), "cluster"),
                };
                if forecast.hosts > 0 {
                    page.line(format!(
                        "~ restart   {:<26}  {groups} in {location}{}",
                        format!("{} of {} hosts", number(forecast.hosts), number(all)),
                        words::after(after),
                    ));
                    if let Some(opens) = opens {
                        page.line(format!(
                            "  not before {}: its maintenance window is closed",
                            words::minute(*opens)
                        ));
                    }
                    for (cluster, size) in registered {
                        let changed = |host: &&HostReport| {
                            host.cluster.as_ref() == Some(cluster) && host.outcome == HostOutcome::Waiting
                        };
                        let changed = hosts.iter().filter(changed).count();
                        page.line(format!(
                            "  {:<24} {:>6} of {}",
                            cluster.as_str(),
                            number(changed),
                            number(*size)
                        ));
                    }
                }
                aside(page, fleet, hosts);
            }
        }
    }
}

/// A screen's width of ids; `--output json` has all.
const SHOWN_IDS: usize = 4;

/// Those that are listed as different and will not be restarted, by reason and cluster.
pub(super) fn aside(page: &mut Page, fleet: &FleetName, hosts: &[HostReport]) {
    let mut groups: BTreeMap<(&str, String), BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for host in hosts {
        let group = match &host.outcome {
            HostOutcome::Unsupported { why } => ("unsupported", why.to_string()),
            HostOutcome::Unreachable { why } => ("unreachable", format!("{why}; the next pass tries again")),
            HostOutcome::FailedBefore { .. } => {
                ("failed", "before, on this very revision; --retry-failed tries again".to_owned())
            }
            HostOutcome::Current
            | HostOutcome::Proven { .. }
            | HostOutcome::Unproven { .. }
            | HostOutcome::Restored { .. }
            | HostOutcome::Refused { .. }
            | HostOutcome::Failed { .. }
            | HostOutcome::Superseded
            | HostOutcome::Waiting
            | HostOutcome::Joined
            | HostOutcome::Gone => continue,
        };
        // Hosts without a cluster are told by their fleet.
        let place = host.cluster.as_ref().map_or(fleet.as_str(), ClusterName::as_str);
        groups.entry(group).or_default().entry(place).or_default().push(host.host.as_str());
    }
    for ((kind, why), clusters) in groups {
        let ids: Vec<&str> = clusters.values().flatten().copied().collect();
        let places: Vec<String> =
            clusters.iter().map(|(cluster, ids)| format!("{cluster} {}", number(ids.len()))).collect();
        page.line(format!("! {kind:<11} {:>5}  {} ({why})", number(ids.len()), places.join(", ")));
        let more = match ids.len().saturating_sub(SHOWN_IDS) {
            0 => String::new(),
            more => format!(" and {} more", number(more)),
        };
        page.line(format!("  {}{more}", ids.into_iter().take(SHOWN_IDS).collect::<Vec<_>>().join(" ")));
    }
}

fn policies(page: &mut Page, steps: &[FleetStep]) {
    let mut said: Vec<String> = Vec::new();
    for step in steps {
        let FleetAction::Rollout { forecast, max_unavailable, max_errors, .. } = &step.action else {
            continue;
        };
        let Forecast { hosts, down_at_once, failures, .. } = forecast;
        let text = match hosts {
            0 => continue,
            1 => "One host is restarted.".to_owned(),
            _ => format!(
                "One host first, then at most {} unproven at a time ({} at once); stops at the {} failure, at most \
                 {} fail before that.",
                words::max_unavailable(*max_unavailable),
                number(*down_at_once),
                ordinal(u64::from(*max_errors) + 1),
                counted(*failures, "host"),
            ),
        };
        let text = if steps.len() > 1 { format!("{}: {text}", step.fleet) } else { text };
        if !said.contains(&text) {
            page.line(&text);
            said.push(text);
        }
    }
}

/// However fleets are rolled out side by side, it takes no longer than one after another.
fn longest(steps: &[FleetStep]) -> Duration {
    let of_fleet = |step: &FleetStep| match &step.action {
        FleetAction::Rollout { forecast, .. } => forecast.longest_seconds,
        FleetAction::Current { .. } | FleetAction::Held { .. } | FleetAction::Blocked { .. } => 0,
    };
    Duration::from_secs(steps.iter().map(of_fleet).sum())
}

fn may_hold_old(step: &FleetStep) -> usize {
    match &step.action {
        FleetAction::Rollout { hosts, .. } => hosts
            .iter()
            .filter(|host| !matches!(host.outcome, HostOutcome::Unsupported { .. } | HostOutcome::Gone))
            .count(),
        FleetAction::Current { .. } | FleetAction::Held { .. } | FleetAction::Blocked { .. } => 0,
    }
}

fn ordinal(number: u64) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_english() {
        for (number, text) in
            [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (21, "21st"), (112, "112th")]
        {
            assert_eq!(ordinal(number), text);
        }
    }
}
