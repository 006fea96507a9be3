//! What becomes of hosts that were sent to: polls, samples, records, and what is given up when.

use super::*;
use crate::invocation::{CommandState, CutOff, NothingRan};

/// How a rollout comes to a phase.
type Reach = fn(&mut Rollout);

/// One host that the script calls loaded.
fn settling() -> Rollout {
    let mut rollout = Rollout::new([host(0)]);
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Loaded));
    rollout
}

#[test]
fn unchanged_is_proven_without_a_restart() {
    let mut rollout = Rollout::new([host(0)]);
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Unchanged));
    rollout.sample(&hosts, Sample::Connected);
    rollout.pass(15);
    rollout.sample(&hosts, Sample::Connected);
    assert_eq!(rollout.outcome(0), HostOutcome::Proven { restarted: false });
}

#[test]
fn two_samples_too_close_together_prove_nothing() {
    let mut rollout = settling();
    rollout.sample(&ids([0]), Sample::Connected);
    rollout.pass(14);
    rollout.sample(&ids([0]), Sample::Connected);
    assert!(matches!(rollout.outcome(0), HostOutcome::Unproven { .. }));
    rollout.pass(1);
    rollout.sample(&ids([0]), Sample::Connected);
    assert_eq!(rollout.outcome(0), HostOutcome::Proven { restarted: true });
}

#[test]
fn a_disconnected_sample_restarts_the_count_and_an_unknown_one_does_not() {
    let cases = [
        (Sample::Disconnected, HostOutcome::Unproven { why: Unproven::NotConnected }),
        (Sample::Unknown, HostOutcome::Proven { restarted: true }),
    ];
    for (between, expected) in cases {
        let mut rollout = settling();
        for sample in [Sample::Connected, between, Sample::Connected] {
            rollout.sample(&ids([0]), sample);
            rollout.pass(15);
        }
        assert_eq!(rollout.outcome(0), expected, "after {between:?}");
    }
}

#[test]
fn an_agent_that_flaps_is_unproven_in_the_end() {
    let mut rollout = settling();
    let mut looks = 0;
    while !matches!(rollout.next()[..], [Step::Record { .. }]) {
        rollout.sample(&ids([0]), if looks % 2 == 0 { Sample::Connected } else { Sample::Disconnected });
        rollout.pass(15);
        looks += 1;
    }
    assert_eq!(looks, 12);
    assert_eq!(rollout.outcome(0), HostOutcome::Unproven { why: Unproven::NotConnected });
    rollout.tell(Event::Recorded { hosts: ids([0]) });
    assert_eq!(rollout.ending(), Ending::PartlyReached);
}

#[test]
fn every_phase_that_waits_for_somebody_is_given_up() {
    let result = 10 * 60 + 10 * 60 + 60;
    let lost = HostOutcome::Unproven { why: Unproven::SendLost };
    let no_result = HostOutcome::Unproven { why: Unproven::NoResult };
    let not_connected = HostOutcome::Unproven { why: Unproven::NotConnected };
    let nothing_ran =
        HostOutcome::Unreachable { why: crate::host::Unreachable::NothingRan(NothingRan::Undeliverable) };
    let proven = HostOutcome::Proven { restarted: true };
    let cases: [(&str, Reach, u64, HostOutcome); 5] = [
        ("sending", |rollout| rollout.tell(Event::Sending { hosts: ids([0]) }), result, lost),
        ("sent", |rollout| drop(rollout.send()), result, no_result),
        (
            "doubtful",
            |rollout| {
                let (hosts, command) = rollout.send();
                rollout.progress(&command, &hosts, &Progress::NothingRan(NothingRan::Undeliverable), "");
            },
            180,
            nothing_ran,
        ),
        (
            "settling",
            |rollout| {
                let (hosts, command) = rollout.send();
                rollout.reports(&command, &hosts, &report(Outcome::Loaded));
            },
            180,
            not_connected,
        ),
        (
            "to be recorded",
            |rollout| {
                let (hosts, command) = rollout.send();
                rollout.reports(&command, &hosts, &report(Outcome::Loaded));
                rollout.sample(&hosts, Sample::Connected);
                rollout.pass(15);
                rollout.sample(&hosts, Sample::Connected);
            },
            120,
            proven,
        ),
    ];
    for (phase, reach, seconds, expected) in cases {
        let mut rollout = Rollout::new([host(0)]);
        reach(&mut rollout);
        rollout.pass(seconds - 1);
        assert!(!matches!(rollout.next()[..], [Step::Done(_)]), "{phase} is given up too early");
        rollout.pass(1);
        assert_eq!(rollout.outcome(0), expected, "{phase}");
        rollout.tell(Event::Recorded { hosts: ids([0]) });
        assert_eq!(rollout.ending(), Ending::PartlyReached, "{phase}");
    }
}

#[test]
fn a_host_out_of_reach_is_an_error_only_if_it_is_still_there() {
    let cases = [
        (Sample::Gone, HostOutcome::Gone, Ending::Converged),
        (
            Sample::Disconnected,
            HostOutcome::Unreachable {
                why: crate::host::Unreachable::NothingRan(NothingRan::DeliveryTimedOut),
            },
            Ending::PartlyReached,
        ),
    ];
    for (sample, outcome, ending) in cases {
        let mut rollout = Rollout::new([host(0)]);
        let (hosts, command) = rollout.send();
        rollout.progress(&command, &hosts, &Progress::NothingRan(NothingRan::DeliveryTimedOut), "");
        rollout.sample(&hosts, sample);
        assert_eq!((rollout.outcome(0), rollout.ending()), (outcome, ending));
    }
}

#[test]
fn a_command_without_invocations_is_looked_at_itself() {
    let mut rollout = Rollout::new([host(0)]);
    let (_, command) = rollout.send();
    rollout.pass(5);
    assert_eq!(rollout.next(), [Step::Poll { command: command.clone() }]);
    rollout.tell(Event::Polled { command: command.clone(), invocations: Vec::new() });
    rollout.pass(5);
    assert_eq!(
        rollout.next(),
        [Step::Poll { command: command.clone() }, Step::Inspect { command: command.clone() }]
    );
    // An ended command whose invocations lag says nothing of a host; one that never ran does.
    rollout.tell(Event::Inspected { command: command.clone(), state: Some(CommandState::Ended) });
    assert_eq!(rollout.outcome(0), HostOutcome::Unproven { why: Unproven::NoResult });
    let state = Some(CommandState::NothingRan(NothingRan::RateExceeded));
    rollout.tell(Event::Inspected { command, state });
    assert_eq!(rollout.ending(), Ending::PartlyReached);
}

#[test]
fn a_command_that_may_not_be_followed_ends_its_hosts_at_once_and_no_others() {
    let mut rollout = Rollout::with(|policy| policy.max_errors = 9, (0..4).map(host));
    rollout.prove();
    let (hosts, command) = rollout.send();
    assert_eq!(hosts, ids(1..4));
    rollout.reports(&command, &ids([1]), &report(Outcome::Loaded));
    rollout.tell(Event::Unfollowable { command: CommandId::new("another") });
    assert_eq!(rollout.outcome(2), HostOutcome::Unproven { why: Unproven::NoResult });
    rollout.tell(Event::Unfollowable { command: command.clone() });
    let not_followed = HostOutcome::Unproven { why: Unproven::NotFollowed };
    // Who was shown before is on the way, and nobody is asked about the command any more.
    assert_eq!(rollout.outcome(1), HostOutcome::Unproven { why: Unproven::NotConnected });
    assert_eq!([rollout.outcome(2), rollout.outcome(3)], [not_followed.clone(), not_followed]);
    rollout.pass(5);
    assert!(!rollout.next().contains(&Step::Poll { command }));
    // It says nothing of a host, so nothing is recorded.
    assert_eq!(recorded(&rollout), Vec::<Vec<HostId>>::new());
}

#[test]
fn an_invocation_that_was_seen_is_not_overruled_by_its_command() {
    let mut rollout = Rollout::new([host(0)]);
    let (hosts, command) = rollout.send();
    rollout.progress(&command, &hosts, &Progress::Running, "");
    let state = Some(CommandState::NothingRan(NothingRan::RateExceeded));
    rollout.tell(Event::Inspected { command: command.clone(), state });
    rollout.pass(10);
    assert_eq!(rollout.next(), [Step::Poll { command }]);
}

#[test]
fn attributes_are_put_ten_a_call_and_one_by_one_after_a_failure() {
    let mut rollout =
        Rollout::with(|policy| policy.max_unavailable = MaxUnavailable::Count(50), (0..13).map(host));
    rollout.prove();
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Loaded));
    rollout.sample(&hosts, Sample::Connected);
    rollout.pass(15);
    rollout.sample(&hosts, Sample::Connected);
    assert_eq!(recorded(&rollout), [ids(1..11), ids(11..13)]);
    rollout.tell(Event::Recorded { hosts: ids(1..11) });
    rollout.tell(Event::RecordFailed { hosts: ids(11..13) });
    assert_eq!(recorded(&rollout), [ids([11]), ids([12])]);
    rollout.tell(Event::Recorded { hosts: ids([11]) });
    rollout.tell(Event::RecordFailed { hosts: ids([12]) });
    assert_eq!(rollout.ending(), Ending::PartlyReached);
    let lines = rollout.seen.report();
    assert_eq!((lines[11].recorded, lines[12].recorded), (Recorded::Yes, Recorded::No));
    assert_eq!(lines[12].outcome, HostOutcome::Proven { restarted: true });
}

/// The hosts of each call that puts attributes.
fn recorded(rollout: &Rollout) -> Vec<Vec<HostId>> {
    let hosts = |attributes: Vec<Attribute>| attributes.into_iter().map(|each| each.instance.host).collect();
    rollout
        .next()
        .into_iter()
        .filter_map(|step| match step {
            Step::Record { attributes, .. } => Some(hosts(attributes)),
            _ => None,
        })
        .collect()
}

/// The attributes that are to be put now.
fn attributes(rollout: &Rollout) -> Vec<(&'static str, String)> {
    let steps = rollout.next().into_iter().filter_map(|step| match step {
        Step::Record { attributes, .. } => Some(attributes),
        _ => None,
    });
    steps.flatten().map(|attribute| (attribute.name, attribute.value)).collect()
}

#[test]
fn a_failure_is_recorded_as_the_revisions_where_that_was_condemned_and_counted_otherwise() {
    let because = |outcome, reason| ScriptReport { reason: Some(reason), ..report(outcome) };
    let newer = |outcome| ScriptReport { version_id: Some(VersionId::new("v2")), ..report(outcome) };
    let cases = [
        (because(Outcome::Restored, Reason::EnvDiffers), Some("r1")),
        (report(Outcome::Restored), Some("r1")),
        (report(Outcome::Tried), Some("r1")),
        (because(Outcome::Failed, Reason::RestoreFailed), Some("r1")),
        (because(Outcome::Failed, Reason::FetchDenied), Some("unproven-1")),
        (report(Outcome::Failed), Some("unproven-1")),
        (report(Outcome::Refused), Some("unproven-1")),
        (report(Outcome::Unproven), Some("unproven-1")),
        (report(Outcome::Busy), None),
        // Another version: it is not known to have the desired revision.
        (newer(Outcome::Restored), None),
        (newer(Outcome::Tried), None),
        (newer(Outcome::Loaded), None),
    ];
    for (report, expected) in cases {
        let mut rollout = Rollout::new([host(0)]);
        let (hosts, command) = rollout.send();
        rollout.reports(&command, &hosts, &report);
        let expected: Vec<_> =
            expected.map(|value| ("regcred.failed", value.to_owned())).into_iter().collect();
        assert_eq!(attributes(&rollout), expected, "{report:?}");
    }
}

#[test]
fn a_script_that_gives_no_report_or_no_end_is_counted() {
    let ends: [(&str, Reach); 3] = [
        ("no report", |rollout| {
            let (hosts, command) = rollout.send();
            rollout.progress(&command, &hosts, &Progress::Ended, "cannot fork");
        }),
        ("cut off", |rollout| {
            let (hosts, command) = rollout.send();
            rollout.progress(&command, &hosts, &Progress::CutOff(CutOff::ExecutionTimedOut), "");
        }),
        ("no result", |rollout| {
            rollout.send();
            rollout.pass(10_000);
        }),
    ];
    for (end, reach) in ends {
        let mut rollout = Rollout::new([with_setbacks(0, 4)]);
        reach(&mut rollout);
        assert_eq!(attributes(&rollout), [("regcred.failed", "unproven-5".to_owned())], "{end}");
    }
}

#[test]
fn a_verdict_on_the_revision_is_not_overwritten_by_a_count() {
    let mut rollout =
        Rollout::with(|policy| policy.failed_hosts = FailedHosts::Retry, [with_failure(0, "r1")]);
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Refused));
    assert_eq!(attributes(&rollout), [("regcred.failed", "r1".to_owned())]);
}

#[test]
fn a_proven_host_loses_its_recorded_failure_in_the_same_call() {
    let mut rollout =
        Rollout::with(|policy| policy.failed_hosts = FailedHosts::Retry, [with_failure(0, "r1")]);
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Loaded));
    rollout.sample(&hosts, Sample::Connected);
    rollout.pass(15);
    rollout.sample(&hosts, Sample::Connected);
    let [Step::Record { attributes, .. }] = &rollout.next()[..] else { panic!("{:?}", rollout.next()) };
    let attributes: Vec<_> = attributes.iter().map(|each| (each.name, each.value.as_str())).collect();
    assert_eq!(attributes, [("regcred.revision", "r1"), ("regcred.failed", "none")]);
}

#[test]
fn an_answer_that_comes_too_late_changes_nothing() {
    let mut rollout = Rollout::new([host(0)]);
    let (hosts, command) = rollout.send();
    rollout.pass(10_000);
    let before = rollout.seen.report();
    rollout.reports(&command, &hosts, &report(Outcome::Loaded));
    rollout.tell(Event::Gone { host: id(0) });
    rollout.tell(Event::SendAccepted { hosts, command: CommandId::new("other") });
    assert_eq!(rollout.seen.report(), before);
}
