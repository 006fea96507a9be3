//! What becomes of an ending: its JSON, which is a promise, and its words.

use serde_json::json;

use super::*;
use crate::host::{Unreachable, Unsupported};
use crate::invocation::{CutOff, NothingRan};
use crate::script::ReportError;

fn outcomes() -> Vec<(HostOutcome, serde_json::Value)> {
    let detail = Some("word".to_owned());
    vec![
        (HostOutcome::Current, json!({"outcome": "current"})),
        (HostOutcome::Proven { restarted: true }, json!({"outcome": "proven", "restarted": true})),
        (
            HostOutcome::Unproven { why: Unproven::SendLost },
            json!({"outcome": "unproven", "why": {"because": "send_lost"}}),
        ),
        (
            HostOutcome::Unproven { why: Unproven::NotFollowed },
            json!({"outcome": "unproven", "why": {"because": "not_followed"}}),
        ),
        (
            HostOutcome::Unproven { why: Unproven::CutOff { by: CutOff::ExecutionTimedOut } },
            json!({"outcome": "unproven", "why": {"because": "cut_off", "by": "execution_timed_out"}}),
        ),
        (
            HostOutcome::Unproven {
                why: Unproven::SlowRegistration {
                    reason: Some(Reason::NoIntrospection),
                    detail: detail.clone(),
                },
            },
            json!({"outcome": "unproven", "why": {
                "because": "slow_registration", "reason": "no-introspection", "detail": "word"}}),
        ),
        (
            HostOutcome::Restored { reason: Some(Reason::UnitDead), detail: None },
            json!({"outcome": "restored", "reason": "unit-dead", "detail": null}),
        ),
        (
            HostOutcome::Refused { reason: Some(Reason::Other("odd".into())), detail },
            json!({"outcome": "refused", "reason": "odd", "detail": "word"}),
        ),
        (
            HostOutcome::Failed {
                why: HostFailure::Reported { reason: Some(Reason::FetchDenied), detail: None },
            },
            json!({"outcome": "failed", "why": {"because": "reported", "reason": "fetch-denied", "detail": null}}),
        ),
        (
            HostOutcome::Failed {
                why: HostFailure::NoReport { error: ReportError::NoLine, exit_code: Some(1) },
            },
            json!({"outcome": "failed", "why": {
                "because": "no_report", "error": {"problem": "no_line"}, "exit_code": 1}}),
        ),
        (
            HostOutcome::Failed { why: HostFailure::UnknownStatus { seen: "Odd".into() } },
            json!({"outcome": "failed", "why": {"because": "unknown_status", "seen": "Odd"}}),
        ),
        (
            HostOutcome::Unsupported { why: Unsupported::Bottlerocket },
            json!({"outcome": "unsupported", "why": "bottlerocket"}),
        ),
        (
            HostOutcome::Unreachable { why: Unreachable::NotOnline(Ping::ConnectionLost) },
            json!({"outcome": "unreachable", "why": {"because": "not_online", "seen": "connection_lost"}}),
        ),
        (
            HostOutcome::Unreachable { why: Unreachable::NothingRan(NothingRan::DeliveryTimedOut) },
            json!({"outcome": "unreachable", "why": {"because": "nothing_ran", "seen": "delivery_timed_out"}}),
        ),
        (
            HostOutcome::Unreachable { why: Unreachable::NotActive(InstanceStatus::Other("NEW".into())) },
            json!({"outcome": "unreachable", "why": {"because": "not_active", "seen": "NEW"}}),
        ),
        (HostOutcome::FailedBefore { detail: None }, json!({"outcome": "failed_before", "detail": null})),
        (HostOutcome::Superseded, json!({"outcome": "superseded"})),
        (HostOutcome::Waiting, json!({"outcome": "waiting"})),
        (HostOutcome::Gone, json!({"outcome": "gone"})),
    ]
}

#[test]
fn the_json_of_an_outcome_is_stable() {
    for (outcome, expected) in outcomes() {
        assert_eq!(serde_json::to_value(&outcome).unwrap(), expected);
    }
}

#[test]
fn the_json_of_an_ending_is_stable() {
    let web = ClusterName::new("web");
    let cases = [
        (Ending::Converged, json!({"ending": "converged"})),
        (Ending::PartlyReached, json!({"ending": "partly_reached"})),
        (Ending::Superseded, json!({"ending": "superseded"})),
        (
            Ending::Halted { why: Halt::FirstHost { host: id(1), left: Left::Healthy } },
            json!({"ending": "halted", "why": {
                "because": "first_host", "host": "i-00000000000000001", "left": "healthy"}}),
        ),
        (
            Ending::Halted { why: Halt::Errors { errors: 2, max_errors: 1 } },
            json!({"ending": "halted", "why": {"because": "errors", "errors": 2, "max_errors": 1}}),
        ),
        (
            Ending::Halted { why: Halt::SendRefused { refusal: Refusal::Other("Odd".into()) } },
            json!({"ending": "halted", "why": {"because": "send_refused", "refusal": {"kind": "other", "code": "Odd"}}}),
        ),
        (
            Ending::Halted { why: Halt::Unavailable { clusters: vec![web] } },
            json!({"ending": "halted", "why": {"because": "unavailable", "clusters": ["web"]}}),
        ),
    ];
    for (ending, expected) in cases {
        assert_eq!(serde_json::to_value(&ending).unwrap(), expected);
    }
}

#[test]
fn a_line_of_the_report_names_the_host_and_what_became_of_it() {
    let mut rollout = Rollout::new([host(0)]);
    rollout.prove();
    assert_eq!(
        serde_json::to_value(rollout.seen.report()).unwrap(),
        json!([{
            "host": "i-00000000000000000",
            "cluster": "web",
            "container_instance_arn": "arn:0",
            "outcome": "proven",
            "restarted": true,
            "recorded": "yes",
        }])
    );
}

#[test]
fn whatever_needs_an_explanation_has_one_in_fragments() {
    for (outcome, _) in outcomes() {
        let explained = outcome.explain();
        let needs_none =
            matches!(outcome, HostOutcome::Current | HostOutcome::Proven { .. } | HostOutcome::Gone);
        assert_eq!(explained.is_none(), needs_none, "{outcome:?}");
        for text in explained.iter().flat_map(|each| [each.why.as_str(), each.now, each.remedy]) {
            assert!(!text.is_empty() && !text.ends_with('.') && !text.contains('\n'), "{text}");
        }
    }
}

#[test]
fn the_scripts_own_words_follow_the_reason() {
    let detail = Some("403 for key prod/ecs.config".to_owned());
    let outcome =
        HostOutcome::Failed { why: HostFailure::Reported { reason: Some(Reason::FetchDenied), detail } };
    let explained = outcome.explain().unwrap();
    assert_eq!(explained.now, "its agent was not restarted");
    assert_eq!(explained.why, "its role may not read the object (403 for key prod/ecs.config)");
    assert_eq!(
        explained.remedy,
        "allow s3:GetObject on the object, and kms:Decrypt on its key, to the role of the host"
    );
}

#[test]
fn a_halt_says_what_stopped_it() {
    let cases = [
        (
            Halt::FirstHost { host: id(1), left: Left::Healthy },
            "the first host, i-00000000000000001, was not proven",
        ),
        (
            Halt::FirstHost { host: id(1), left: Left::FailedBefore },
            "the first host, i-00000000000000001, was not proven; the hosts that are left are all such as had failed \
             before",
        ),
        (Halt::Errors { errors: 1, max_errors: 0 }, "1 host was not proven, and max_errors is 0"),
        (Halt::Errors { errors: 4, max_errors: 3 }, "4 hosts were not proven, and max_errors is 3"),
        (
            Halt::ErrorsTogether { errors: 4, max_errors: 3 },
            "4 hosts were not proven in all fleets together, and rollout.max_errors is 3",
        ),
        (Halt::SendRefused { refusal: Refusal::AccessDenied }, "no command could be sent: access denied"),
        (
            Halt::Unavailable { clusters: vec![ClusterName::new("a"), ClusterName::new("b")] },
            "hosts that may be down use up max_unavailable of a, b",
        ),
    ];
    for (halt, text) in cases {
        assert_eq!(halt.to_string(), text);
    }
}
