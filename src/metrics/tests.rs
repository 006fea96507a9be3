use std::collections::{BTreeMap, BTreeSet};

use regcred_core::credential::{Credential, Expiry};
use regcred_core::fingerprint::{Fingerprint, FingerprintKey, Revision};
use regcred_core::host::{HostId, Unsupported};
use regcred_core::login::{Obstacle, Stage, Trial, Unreachable};
use regcred_core::names::{FleetName, RegistryName};
use regcred_core::pause::Pause;
use regcred_core::plan::{CredentialChange, CredentialPlan, Hold, RegistryPlan};
use regcred_core::report::{
    Coverage, FailureKind, FleetOutcome, FleetReport, Ground, ObjectReport, Outcome, SecretReport, Verdict,
};
use regcred_core::rollout::{Ending, Halt, HostOutcome, HostReport, Left, Recorded};
use regcred_core::server::Server;

use super::labels::{CredentialState, FleetState, HostState};
use super::*;

const REGISTRIES: [&str; 3] = ["hub", "ghcr.io", "odd"];
const FLEETS: [&str; 3] = ["web", "batch", "edge"];

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// As Prometheus has a point in time.
fn seconds(text: &str) -> f64 {
    f64::from(u32::try_from(at(text).timestamp()).unwrap())
}

fn failure() -> Failure {
    Failure::new(FailureKind::Source, "cannot read it", "it is not there", "put it there")
}

fn read(change: CredentialChange) -> CredentialPlan {
    let expiry = Expiry { expires: at("2027-03-01T00:00:00Z"), expires_soon: false };
    CredentialPlan::Read { fingerprint: fingerprint(), change, expiry: Some(expiry), notes: Vec::new() }
}

fn fingerprint() -> Fingerprint {
    let credential = Credential::new("u".into(), "p".into(), None).unwrap();
    FingerprintKey::from_bytes([7; FingerprintKey::LENGTH]).credential(&credential)
}

fn registry(name: &str, credential: CredentialPlan, login: Trial, since: Option<&str>) -> RegistryPlan {
    RegistryPlan {
        name: RegistryName::new(name),
        server: Server::parse("docker.io").unwrap(),
        credential,
        login,
        published_since: since.map(at),
    }
}

fn host(outcome: HostOutcome) -> HostReport {
    HostReport {
        host: HostId::parse("i-0a1b2c3d").unwrap(),
        cluster: None,
        container_instance_arn: None,
        outcome,
        recorded: Recorded::Nothing,
    }
}

fn revision() -> Revision {
    Revision::from_recorded("r0123456789abcdef")
}

fn fleet(name: &str, outcome: FleetOutcome) -> FleetReport {
    FleetReport { fleet: FleetName::new(name), location: "eu".into(), opens: None, outcome }
}

/// A pass after which one registry's new password is everywhere but on two hosts, and another's source failed.
fn report() -> Report {
    let changed = CredentialChange::Password { published: fingerprint() };
    let registries = vec![
        registry("hub", read(changed), Trial::Off, Some("2026-01-01T00:00:00Z")),
        registry("ghcr.io", read(CredentialChange::None), Trial::Unneeded, Some("2026-02-01T00:00:00Z")),
        registry("odd", CredentialPlan::Unreadable { failure: failure() }, Trial::NoCandidate, None),
    ];
    let secret = |registry: &str, outcome| SecretReport {
        location: "eu".into(),
        name: format!("ecs/{registry}"),
        registry: registry.into(),
        arn: None,
        replicas: Vec::new(),
        outcome,
    };
    let secrets = vec![
        secret("hub", Outcome::Replaced),
        secret("ghcr.io", Outcome::Unchanged),
        secret("odd", Outcome::Held { why: Hold::SourceFailed }),
    ];
    let objects = vec![ObjectReport {
        ecs_config: "prod".into(),
        location: "eu".into(),
        bucket: "acme".into(),
        key: "ecs.config".into(),
        revision: Some(revision()),
        object_version: None,
        outcome: Outcome::Replaced,
        held: Vec::new(),
        kept: Vec::new(),
        pruned: Vec::new(),
        notes: Vec::new(),
    }];
    let hosts = vec![
        host(HostOutcome::Proven { restarted: true }),
        host(HostOutcome::Proven { restarted: false }),
        host(HostOutcome::Restored { reason: None, detail: None }),
        host(HostOutcome::Unsupported { why: Unsupported::Bottlerocket }),
        host(HostOutcome::Waiting),
    ];
    let halt = Halt::FirstHost { host: HostId::parse("i-0a1b2c3d").unwrap(), left: Left::Healthy };
    let fleets = vec![
        fleet(
            "web",
            FleetOutcome::RolledOut {
                revision: revision(),
                ending: Ending::Halted { why: halt },
                hosts,
                unseen: Vec::new(),
                failures: Vec::new(),
            },
        ),
        fleet("batch", FleetOutcome::Current { revision: revision() }),
        fleet("edge", FleetOutcome::Held { why: Hold::Halted }),
    ];
    Report::new(registries, secrets, objects, fleets, Ground { coverage: Coverage::Whole, unwatched: 0 })
}

/// One line of the exposition.
#[derive(Clone, Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Reads the text format 0.0.4, as far as it is written here: no label's value has a quote or a comma.
fn samples(text: &str) -> Vec<Sample> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix('}').unwrap();
            let pairs = labels.split(',').filter(|pair| !pair.is_empty());
            let labels = pairs.map(|pair| {
                let (name, value) = pair.split_once('=').unwrap();
                (name.to_owned(), value.trim_matches('"').to_owned())
            });
            Sample { name: name.to_owned(), labels: labels.collect(), value: value.parse().unwrap() }
        })
        .collect()
}

fn value(text: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let labels: BTreeMap<String, String> =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    samples(text)
        .into_iter()
        .find(|sample| sample.name == name && sample.labels == labels)
        .map(|each| each.value)
}

/// Everything that there is to tell was told once.
fn fed() -> Metrics {
    let metrics = Metrics::new(Attempts::with(&[
        (Operation::SendCommand, Attempt::Throttled, 2),
        (Operation::SendCommand, Attempt::Answered, 1),
    ]));
    let (began, ended) = (at("2026-11-01T00:00:00Z"), at("2026-11-01T00:00:42Z"));
    metrics.pass_ended(Ok(&report()), began, ended);
    metrics.pass_ended(Err(&failure()), ended, at("2026-11-01T00:00:43Z"));
    metrics.config_rejected();
    metrics.lease_taken();
    metrics
}

/// The values that a label of a metric may have. A label that is not here is refused by the test.
fn allowed(name: &str, label: &str) -> BTreeSet<String> {
    fn words<C: Closed>() -> BTreeSet<String> {
        C::ALL.iter().map(|each| each.word().to_owned()).collect()
    }
    let of = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    match (name, label) {
        ("regcred_build_info", "version") => of(&[env!("CARGO_PKG_VERSION")]),
        ("regcred_passes_total", "outcome") => words::<PassOutcome>(),
        ("regcred_corrections_total" | "regcred_drift", "kind") => words::<Kind>(),
        ("regcred_config_reloads_total", "outcome") => words::<Reload>(),
        ("regcred_credential_state", "state") => words::<CredentialState>(),
        ("regcred_fleet_state", "state") => words::<FleetState>(),
        ("regcred_hosts", "state") => words::<HostState>(),
        ("regcred_aws_attempts_total", "service") => {
            Operation::ALL.iter().map(|each| each.service().to_owned()).collect()
        }
        ("regcred_aws_attempts_total", "operation") => {
            Operation::ALL.iter().map(|each| each.name().to_owned()).collect()
        }
        ("regcred_aws_attempts_total", "outcome") => of(&Attempt::ALL.map(Attempt::word)),
        ("regcred_pass_duration_seconds_bucket", "le") => {
            SECONDS.iter().map(|bound| format!("{bound}")).chain(["+Inf".to_owned()]).collect()
        }
        (_, "registry") => of(&REGISTRIES),
        (_, "fleet") => of(&FLEETS),
        (name, label) => panic!("{name} has a label that nobody thought of: {label}"),
    }
}

#[test]
fn every_label_has_a_closed_set_of_values() {
    let text = fed().render();
    for Sample { name, labels, .. } in samples(&text) {
        for (label, value) in labels {
            assert!(allowed(&name, &label).contains(&value), "{name}: {label}={value}");
        }
    }
}

#[test]
fn no_series_is_told_twice_and_each_family_once() {
    let text = fed().render();
    let mut series = BTreeSet::new();
    for line in text.lines() {
        let key = match line.strip_prefix("# ") {
            Some(comment) => comment.split(' ').take(2).collect::<Vec<_>>().join(" "),
            None => line.rsplit_once(' ').unwrap().0.to_owned(),
        };
        assert!(series.insert(key.clone()), "{key}");
    }
}

#[test]
fn the_documentation_has_each_metric_its_type_and_its_labels() {
    let documented: BTreeSet<String> = include_str!("../../docs/METRICS.md")
        .lines()
        .filter(|line| line.starts_with("| `regcred_"))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let labels: BTreeSet<&str> =
                cells[3].split(',').map(|label| label.trim().trim_matches('`')).collect();
            format!("{} {} {labels:?}", cells[1].trim_matches('`'), cells[2])
        })
        .collect();
    let text = fed().render();
    let samples = samples(&text);
    let told: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| {
            let of_it = samples.iter().filter(|sample| sample.name.starts_with(name));
            let labels: BTreeSet<&str> = of_it
                .flat_map(|sample| sample.labels.keys())
                .map(String::as_str)
                .filter(|name| *name != "le")
                .collect();
            let labels = if labels.is_empty() { BTreeSet::from([""]) } else { labels };
            format!("{name} {kind} {labels:?}")
        })
        .collect();
    assert_eq!(told, documented);
}

#[test]
fn a_pass_is_told() {
    let text = fed().render();
    let is = |name: &str, labels: &[(&str, &str)], expected: f64| {
        assert_eq!(value(&text, name, labels), Some(expected), "{name} {labels:?}\n{text}");
    };
    is("regcred_passes_total", &[("outcome", "halted")], 1.0);
    is("regcred_passes_total", &[("outcome", "failed")], 1.0);
    is("regcred_passes_total", &[("outcome", "converged")], 0.0);
    is("regcred_pass_duration_seconds_sum", &[], 43.0);
    is("regcred_pass_duration_seconds_bucket", &[("le", "15")], 1.0);
    is("regcred_last_pass_timestamp_seconds", &[], seconds("2026-11-01T00:00:43Z"));
    is("regcred_last_success_timestamp_seconds", &[], 0.0);
    for (kind, drift, corrected) in
        [("credential", 1.0, 0.0), ("secret", 1.0, 1.0), ("object", 0.0, 1.0), ("host", 2.0, 2.0)]
    {
        is("regcred_drift", &[("kind", kind)], drift);
        is("regcred_corrections_total", &[("kind", kind)], corrected);
    }
    is("regcred_credential_state", &[("registry", "odd"), ("state", "source_failed")], 1.0);
    is("regcred_credential_state", &[("registry", "odd"), ("state", "right")], 0.0);
    is("regcred_credential_state", &[("registry", "hub"), ("state", "right")], 1.0);
    is("regcred_fleet_state", &[("fleet", "web"), ("state", "halted")], 1.0);
    is("regcred_fleet_state", &[("fleet", "batch"), ("state", "current")], 1.0);
    is("regcred_fleet_state", &[("fleet", "edge"), ("state", "held")], 1.0);
    is("regcred_hosts", &[("fleet", "web"), ("state", "proven")], 2.0);
    is("regcred_hosts", &[("fleet", "web"), ("state", "waiting")], 1.0);
    is("regcred_hosts", &[("fleet", "batch"), ("state", "waiting")], 0.0);
    is("regcred_old_password_revocable", &[], 0.0);
    is("regcred_lease_held", &[], 1.0);
    is("regcred_paused", &[], 0.0);
    is("regcred_config_reloads_total", &[("outcome", "rejected")], 1.0);
    is("regcred_config_last_reload_successful", &[], 0.0);
    let sends = |outcome| [("service", "ssm"), ("operation", "SendCommand"), ("outcome", outcome)];
    is("regcred_aws_attempts_total", &sends("throttled"), 2.0);
    is("regcred_aws_attempts_total", &sends("answered"), 1.0);
}

#[test]
fn a_credential_is_as_old_as_the_pass_that_brought_it_everywhere() {
    let text = fed().render();
    let published =
        |name| value(&text, "regcred_credential_published_timestamp_seconds", &[("registry", name)]);
    assert_eq!(published("hub"), Some(seconds("2026-11-01T00:00:42Z")));
    assert_eq!(published("ghcr.io"), Some(seconds("2026-02-01T00:00:00Z")));
    assert_eq!(published("odd"), None);
    let expiry = value(&text, "regcred_credential_expiry_timestamp_seconds", &[("registry", "hub")]);
    assert_eq!(expiry, Some(seconds("2027-03-01T00:00:00Z")));

    let mut failed = report();
    failed.objects[0].outcome = Outcome::Failed { failure: failure() };
    let sight = Sight::of(&failed, at("2026-11-01T00:00:42Z"));
    let hub = &sight.credentials[&RegistryName::new("hub")];
    assert_eq!(hub.published, Some(at("2026-01-01T00:00:00Z")), "one of its places may hold the old one");
}

#[test]
fn what_left_the_configuration_leaves_the_metrics() {
    let metrics = fed();
    assert!(metrics.render().contains("fleet=\"edge\""));
    let mut smaller = report();
    smaller.fleets.pop();
    smaller.registries.pop();
    metrics.pass_ended(Ok(&smaller), at("2026-11-01T01:00:00Z"), at("2026-11-01T01:00:01Z"));
    let text = metrics.render();
    assert!(!text.contains("fleet=\"edge\"") && !text.contains("registry=\"odd\""), "{text}");
    assert!(text.contains("fleet=\"web\""));
}

#[test]
fn a_good_end_is_remembered_and_a_clock_that_was_set_back_does_no_harm() {
    let metrics = Metrics::new(Attempts::default());
    let mut good = report();
    good.verdict = Verdict::Converged;
    metrics.pass_ended(Ok(&good), at("2026-11-01T01:00:00Z"), at("2026-11-01T00:59:00Z"));
    let text = metrics.render();
    assert_eq!(value(&text, "regcred_pass_duration_seconds_sum", &[]), Some(0.0));
    let success = value(&text, "regcred_last_success_timestamp_seconds", &[]);
    assert_eq!(success, Some(seconds("2026-11-01T00:59:00Z")));
    assert_eq!(value(&text, "regcred_passes_total", &[("outcome", "converged")]), Some(1.0));
}

#[test]
fn a_name_of_the_configuration_cannot_break_out_of_its_label() {
    let mut odd = report();
    odd.fleets[0].fleet = FleetName::new("a\"} 1\nregcred_paused 7\\");
    let metrics = Metrics::new(Attempts::default());
    metrics.pass_ended(Ok(&odd), at("2026-11-01T01:00:00Z"), at("2026-11-01T01:00:00Z"));
    let text = metrics.render();
    assert!(
        !text.lines().any(|line| line == "regcred_paused 7\\" || line.starts_with("regcred_paused 7")),
        "{text}"
    );
    assert!(text.contains(r#"fleet="a\"} 1\nregcred_paused 7\\""#), "{text}");
}

#[test]
fn a_credential_that_was_not_accepted_is_not_called_right() {
    let cannot_tell =
        |unreachable| Trial::CannotTell { obstacle: Obstacle::OpenToAll, unreachable, failure: failure() };
    let at = at("2026-11-01T00:00:00Z");
    for (login, state) in [
        (Trial::Untried, CredentialState::Untried),
        (cannot_tell(Unreachable::Publish), CredentialState::Untried),
        (cannot_tell(Unreachable::Hold), CredentialState::CannotTell),
        (Trial::RejectedBefore { at, stage: Stage::Login, failure: failure() }, CredentialState::Rejected),
    ] {
        let mut report = report();
        report.registries[0].login = login;
        assert_eq!(Sight::of(&report, at).credentials[&RegistryName::new("hub")].state, state);
    }
}

#[test]
fn what_is_over_is_told_too() {
    let metrics = fed();
    metrics.config_accepted();
    metrics.lease_left();
    let text = metrics.render();
    for (name, expected) in
        [("regcred_config_last_reload_successful", 1.0), ("regcred_lease_held", 0.0), ("regcred_paused", 0.0)]
    {
        assert_eq!(value(&text, name, &[]), Some(expected), "{name}");
    }
    assert_eq!(value(&text, "regcred_config_reloads_total", &[("outcome", "accepted")]), Some(1.0));
}

#[test]
fn what_a_person_arranged_is_told_apart_from_what_failed() {
    let now = at("2026-11-01T00:00:00Z");
    for (outcome, state) in [
        (FleetOutcome::Held { why: Hold::WindowClosed }, FleetState::WindowClosed),
        (FleetOutcome::Held { why: Hold::Paused }, FleetState::Paused),
        (FleetOutcome::Held { why: Hold::ObjectFailed }, FleetState::Held),
        (FleetOutcome::Held { why: Hold::LeaseLost }, FleetState::Stopped),
    ] {
        let mut report = report();
        report.fleets[0].outcome = outcome;
        assert_eq!(Sight::of(&report, now).fleets[&FleetName::new("web")].state, state);
    }
    let metrics = Metrics::new(Attempts::default());
    for kind in [FailureKind::Leased, FailureKind::Stopped, FailureKind::Internal] {
        metrics.pass_ended(Err(&Failure { kind, ..failure() }), now, now);
    }
    let mut waiting = report();
    waiting.verdict = Verdict::Drift;
    waiting.paused = Some(Pause { since: now, by: "ops".into(), reason: None });
    metrics.pass_ended(Ok(&waiting), now, now);
    let text = metrics.render();
    for outcome in ["leased", "stopped", "failed", "waiting"] {
        assert_eq!(value(&text, "regcred_passes_total", &[("outcome", outcome)]), Some(1.0), "{outcome}");
    }
    assert_eq!(value(&text, "regcred_last_success_timestamp_seconds", &[]), Some(0.0));
    assert_eq!(value(&text, "regcred_paused", &[]), Some(1.0));
}
