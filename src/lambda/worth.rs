//! Whether an event of AWS is worth a pass.
//!
//! Events begin passes and never narrow them; so the question is only whether there may be anything to do. In doubt there is: a
//! pass that finds nothing costs a few calls, and one that was not begun waits for the schedule.

use chrono::{DateTime, TimeDelta, Utc};
use regcred_core::event::{Arrival, Event, HostChanged, LabelMoved};

use crate::config::{Config, Members, SourceReference};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    Pass { why: String },
    Nothing { why: String },
}

/// How much later than an event a pass has to have begun to have seen what the event tells of: what AWS lists lags behind, and so may
/// clocks.
const LAG: TimeDelta = TimeDelta::minutes(1);

/// Judges an event by the configuration, and by when the last pass over all of it began that left nothing undone. What is asked for
/// by a command or a schedule is always worth it.
pub(super) fn worth(event: &Event, config: &Config, settled: Option<DateTime<Utc>>) -> Worth {
    match event {
        Event::Command(_) => Worth::Pass { why: "somebody asked for it".to_owned() },
        Event::Tick => Worth::Pass { why: "its time has come".to_owned() },
        Event::LabelMoved(moved) => unless_seen(moved.at, settled).unwrap_or_else(|| of_label(moved, config)),
        Event::HostChanged(changed) => {
            unless_seen(changed.at, settled).unwrap_or_else(|| of_host(changed, config))
        }
    }
}

/// A fleet that grows sends many events of each host, which wait in line behind the pass that the first of them began.
fn unless_seen(at: Option<DateTime<Utc>>, settled: Option<DateTime<Utc>>) -> Option<Worth> {
    let (at, settled) = (at?, settled?);
    (at + LAG < settled)
        .then(|| Worth::Nothing { why: format!("a pass that began at {settled} left nothing undone") })
}

fn of_label(moved: &LabelMoved, config: &Config) -> Worth {
    let LabelMoved { name, arns, labels, at: _ } = moved;
    // A source may be read by another label than AWSCURRENT.
    let reads = |id: &str, stage: &str| {
        labels.iter().any(|label| label == stage) && (id == name || arns.iter().any(|arn| arn == id))
    };
    let source = config.registries.iter().find(|(_, registry)| match &registry.source {
        SourceReference::SecretsManager { location: _, id, stage, shape: _ } => reads(id, stage),
        SourceReference::SsmParameter { .. }
        | SourceReference::Env { .. }
        | SourceReference::JsonFile { .. }
        | SourceReference::PasswordFile { .. }
        | SourceReference::DockerConfig { .. }
        | SourceReference::DockerAuthConfig { .. }
        | SourceReference::CredentialHelper { .. }
        | SourceReference::Exec { .. }
        | SourceReference::Vault(_) => false,
    });
    let labels = labels.join(", ");
    match source {
        Some((registry, _)) => {
            Worth::Pass { why: format!("the source of `{registry}`, secret `{name}`, has a new {labels}") }
        }
        None => Worth::Nothing { why: format!("no registry is read from the {labels} of secret `{name}`") },
    }
}

fn of_host(changed: &HostChanged, config: &Config) -> Worth {
    let HostChanged { cluster, instance, arrival, at: _ } = changed;
    let fleet = config.fleets.iter().find(|(_, fleet)| match &fleet.members {
        Members::Clusters(patterns) => patterns.iter().any(|pattern| pattern.matches(cluster)),
        Members::Instances(ids) => ids.iter().any(|id| id.as_str() == instance),
        // The event names no tags. Such a host waits for the schedule.
        Members::Tags(_) => false,
    });
    match (fleet, arrival) {
        (None, _) => Worth::Nothing { why: format!("no fleet has cluster `{cluster}` or host {instance}") },
        (Some((fleet, _)), Arrival::Away) => Worth::Nothing {
            why: format!(
                "the agent of {instance} of fleet `{fleet}` is not connected, or the host is leaving"
            ),
        },
        (Some((fleet, _)), Arrival::Known) => {
            Worth::Nothing { why: format!("a pass has seen to {instance} of fleet `{fleet}` already") }
        }
        (Some((fleet, _)), Arrival::New) => {
            Worth::Pass { why: format!("{instance} joined fleet `{fleet}`, and nothing is recorded of it") }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::load::parse;

    const CURRENT: &str = "AWSCURRENT";

    const CONFIG: &str = "
state: { bucket: acme-regcred }
registries:
  hub:
    server: docker.io
    source: { secrets_manager: { secret: sources/hub } }
    secret: { name: ecs/registry/hub }
  ghcr:
    server: ghcr.io
    source: { secrets_manager: { secret: 'arn:aws:secretsmanager:eu-west-1:111111111111:secret:sources/ghcr-a1b2c3', version_stage: NEXT } }
    secret: { name: ecs/registry/ghcr }
ecs_configs:
  prod: { bucket: acme-ecs, key: prod/ecs.config, registries: [hub] }
  edge: { bucket: acme-ecs, key: edge/ecs.config, registries: [hub] }
fleets:
  prod: { ecs_config: prod, clusters: [batch, 'web-*'] }
  edge: { ecs_config: edge, instances: [i-0a1d7c30e5b2f4801] }
";

    fn config() -> Config {
        parse(CONFIG, Path::new("")).unwrap_or_else(|problems| panic!("{problems:#?}")).0
    }

    #[test]
    fn a_label_is_worth_a_pass_that_a_source_is_read_by() {
        let config = config();
        let arn = |name: &str| format!("arn:aws:secretsmanager:eu-west-1:111111111111:secret:{name}");
        for (name, suffixed, label, expected) in [
            ("sources/hub", "sources/hub-x1y2z3", CURRENT, true),
            ("sources/hub", "sources/hub-x1y2z3", "NEXT", false),
            ("sources/ghcr", "sources/ghcr-a1b2c3", "NEXT", true),
            ("sources/ghcr", "sources/ghcr-a1b2c3", CURRENT, false),
            ("sources/ghcr", "sources/ghcr-d4e5f6", "NEXT", false),
            // What regcred itself publishes begins nothing.
            ("ecs/registry/hub", "ecs/registry/hub-a1b2c3", CURRENT, false),
            ("other", "other-a1b2c3", CURRENT, false),
        ] {
            let (arns, labels) = (vec![arn(suffixed)], vec![label.to_owned()]);
            let event = Event::LabelMoved(LabelMoved { name: name.to_owned(), arns, labels, at: None });
            let worth = worth(&event, &config, None);
            assert_eq!(matches!(worth, Worth::Pass { .. }), expected, "{name} {label}: {worth:?}");
        }
    }

    #[test]
    fn a_host_is_worth_a_pass_that_is_new_in_a_fleet() {
        let config = config();
        for (cluster, instance, arrival, expected) in [
            ("web-1", "i-00000000", Arrival::New, true),
            ("batch", "i-00000000", Arrival::New, true),
            ("batch", "i-00000000", Arrival::Known, false),
            ("batch", "i-00000000", Arrival::Away, false),
            ("other", "i-00000000", Arrival::New, false),
            ("other", "i-0a1d7c30e5b2f4801", Arrival::New, true),
        ] {
            let (cluster, instance) = (cluster.to_owned(), instance.to_owned());
            let event = Event::HostChanged(HostChanged { cluster, instance, arrival, at: None });
            let worth = worth(&event, &config, None);
            assert_eq!(matches!(worth, Worth::Pass { .. }), expected, "{worth:?}");
        }
    }

    #[test]
    fn what_happened_well_before_a_pass_that_left_nothing_undone_is_not_worth_another() {
        let config = config();
        let at = |text: &str| Some(text.parse().unwrap());
        let settled = at("2026-11-30T12:00:00Z");
        for (happened, settled, expected) in [
            (at("2026-11-30T11:58:59Z"), settled, false),
            (at("2026-11-30T11:59:00Z"), settled, true),
            (at("2026-11-30T12:00:01Z"), settled, true),
            (at("2026-11-30T11:00:00Z"), None, true),
            (None, settled, true),
        ] {
            let (cluster, instance) = ("batch".to_owned(), "i-00000000".to_owned());
            let changed = HostChanged { cluster, instance, arrival: Arrival::New, at: happened };
            let worth = worth(&Event::HostChanged(changed), &config, settled);
            assert_eq!(matches!(worth, Worth::Pass { .. }), expected, "{happened:?}: {worth:?}");
        }
    }
}
