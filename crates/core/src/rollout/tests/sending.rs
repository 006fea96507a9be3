//! Who is sent to, when, and when no more.

use super::*;
use crate::invocation::{CutOff, NothingRan};

#[test]
fn the_first_host_is_alone_and_has_the_best_prospects() {
    let disconnected = host_with(2, |it| it.agent_connected = false);
    let mut rollout = Rollout::new([with_failure(0, "r0"), with_failure(1, "r0"), disconnected, host(3)]);
    assert_eq!(rollout.prove(), ids([3]));
    assert_eq!(rollout.to_send(), ids([2, 0, 1]));
}

#[test]
fn a_host_that_failed_comes_after_those_that_failed_less_often_and_last_if_this_revision_failed_on_it() {
    let retried = with_failure(0, "r1");
    let hosts = [retried, with_setbacks(1, 3), with_setbacks(2, 1), with_setbacks(3, 2)];
    let rollout = |hosts: &[Host]| {
        Rollout::with(|policy| policy.failed_hosts = FailedHosts::Retry, hosts.iter().cloned())
    };
    let mut order = Vec::new();
    let mut left = hosts.to_vec();
    while !left.is_empty() {
        let first = rollout(&left).to_send();
        left.retain(|host| host.id != first[0]);
        order.extend(first);
    }
    assert_eq!(order, ids([2, 3, 1, 0]));
}

#[test]
fn a_host_that_refuses_is_the_first_of_one_rollout_only() {
    let refused = with_setbacks(0, 1);
    let mut rollout = Rollout::new([refused, host(1), host(2)]);
    assert_eq!((rollout.prove(), rollout.to_send()), (ids([1]), ids([2, 0])));
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts[..1], &report(Outcome::Loaded));
    rollout.reports(&command, &hosts[1..], &report(Outcome::Refused));
    assert!(matches!(rollout.outcome(0), HostOutcome::Refused { .. }));
}

#[test]
fn a_halt_says_when_all_that_are_left_had_failed_before() {
    let mut rollout = Rollout::with(
        |policy| policy.failed_hosts = FailedHosts::Retry,
        [with_failure(0, "r1"), with_setbacks(1, 2), with_failure(2, "r1")],
    );
    let (hosts, command) = rollout.send();
    assert_eq!(hosts, ids([1]));
    rollout.reports(&command, &hosts, &report(Outcome::Refused));
    rollout.tell(Event::Recorded { hosts });
    let why = Halt::FirstHost { host: id(1), left: Left::FailedBefore };
    assert_eq!(rollout.ending(), Ending::Halted { why });
}

#[test]
fn hosts_that_cannot_or_need_not_be_sent_to_are_left_out() {
    let current = {
        let mut host = host(1);
        host.attributes.recorded = Some(Revision::from_recorded("r1"));
        host
    };
    let bottlerocket = {
        let mut host = host(2);
        host.attributes.platform = Platform::Bottlerocket;
        host
    };
    let offline = Host { ping: Ping::ConnectionLost, ..host(3) };
    let draining = host_with(4, |it| it.status = InstanceStatus::Draining);
    let hosts = [current, bottlerocket, offline, draining, with_failure(5, "r1")];
    let mut rollout = Rollout::new(hosts.clone());
    assert_eq!(rollout.prove(), ids([4]));
    assert_eq!(rollout.ending(), Ending::PartlyReached);
    let mut rollout = Rollout::with(|policy| policy.failed_hosts = FailedHosts::Retry, hosts);
    assert_eq!((rollout.prove(), rollout.prove()), (ids([4]), ids([5])));
}

#[test]
fn a_first_host_on_which_the_script_ran_halts_the_rollout_unless_it_is_proven() {
    let loaded_elsewhere = ScriptReport {
        container_instance_arn: Some(ContainerInstanceArn::new("arn:other")),
        ..report(Outcome::Loaded)
    };
    let loaded_something = ScriptReport { version_id: None, ..report(Outcome::Loaded) };
    let ended = |report: &ScriptReport| (Progress::Ended, report.to_line());
    let cases = [
        ended(&report(Outcome::Restored)),
        ended(&report(Outcome::Unproven)),
        ended(&report(Outcome::Refused)),
        ended(&report(Outcome::Failed)),
        ended(&report(Outcome::Busy)),
        ended(&loaded_elsewhere),
        ended(&loaded_something),
        (Progress::Ended, "no report".into()),
        (Progress::CutOff(CutOff::ExecutionTimedOut), String::new()),
        (Progress::CutOff(CutOff::Cancelled), String::new()),
        (Progress::Unknown("Odd".into()), String::new()),
    ];
    for (progress, output) in cases {
        // However many errors are allowed.
        let mut rollout = Rollout::with(|policy| policy.max_errors = 9, (0..5).map(host));
        let (hosts, command) = rollout.send();
        rollout.progress(&command, &hosts, &progress, &output);
        assert_eq!(rollout.to_send(), [], "after {progress:?} {output}");
        rollout.tell(Event::Recorded { hosts });
        assert_eq!(
            rollout.ending(),
            Ending::Halted { why: Halt::FirstHost { host: id(0), left: Left::Healthy } },
            "after {progress:?} {output}"
        );
        assert_eq!(rollout.outcome(4), HostOutcome::Waiting);
    }
}

#[test]
fn a_lost_answer_to_the_first_send_halts_the_rollout_and_is_never_repeated() {
    let mut rollout = Rollout::with(|policy| policy.max_errors = 9, (0..3).map(host));
    let hosts = rollout.to_send();
    rollout.tell(Event::Sending { hosts: hosts.clone() });
    rollout.tell(Event::SendLost { hosts });
    assert_eq!(
        rollout.ending(),
        Ending::Halted { why: Halt::FirstHost { host: id(0), left: Left::Healthy } }
    );
    assert_eq!(rollout.outcome(0), HostOutcome::Unproven { why: Unproven::SendLost });
}

#[test]
fn a_first_host_on_which_nothing_ran_is_an_error_and_another_single_host_is_next() {
    let mut rollout = Rollout::with(|policy| policy.max_errors = 2, (0..5).map(host));
    for n in 0..3 {
        let (hosts, command) = rollout.send();
        assert_eq!(hosts, ids([n]));
        rollout.progress(&command, &hosts, &Progress::NothingRan(NothingRan::RateExceeded), "");
    }
    assert_eq!(rollout.ending(), Ending::Halted { why: Halt::Errors { errors: 3, max_errors: 2 } });
}

#[test]
fn a_first_host_that_failed_before_or_is_gone_or_left_over_is_followed_by_another_single_one() {
    let left_over = ScriptReport {
        container_instance_arn: Some(ContainerInstanceArn::new("arn:other")),
        ..report(Outcome::Unchanged)
    };
    let mut rollout = Rollout::new((0..5).map(host));
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Tried));
    let (hosts, _) = rollout.send();
    rollout.tell(Event::Gone { host: hosts[0].clone() });
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &left_over);
    assert_eq!(rollout.to_send(), ids([3]));
}

#[test]
fn a_cluster_has_never_more_out_than_max_unavailable() {
    let hosts = (0..20).map(|n| host_of(if n < 10 { "batch" } else { "web" }, n));
    let mut rollout = Rollout::with(|policy| policy.max_unavailable = MaxUnavailable::Percent(40), hosts);
    assert_eq!(rollout.prove(), ids([0]));
    let (sent, command) = rollout.send();
    assert_eq!(sent, ids((1..5).chain(10..14)));
    assert_eq!(rollout.to_send(), []);
    // One proven of four: not worth a command yet. Two are.
    for (n, expected) in [(1, ids([])), (2, ids([5, 6]))] {
        rollout.reports(&command, &ids([n]), &report(Outcome::Loaded));
        rollout.sample(&ids([n]), Sample::Connected);
        rollout.pass(15);
        rollout.sample(&ids([n]), Sample::Connected);
        rollout.tell(Event::Recorded { hosts: ids([n]) });
        assert_eq!(rollout.to_send(), expected);
    }
}

#[test]
fn hosts_that_may_be_down_keep_their_room_and_others_give_it_back() {
    let cases = [
        (Outcome::Failed, 3),
        (Outcome::Unproven, 3),
        (Outcome::Busy, 3),
        (Outcome::Restored, 4),
        (Outcome::Refused, 4),
        (Outcome::Tried, 4),
    ];
    for (outcome, room) in cases {
        let change = |policy: &mut Policy| {
            policy.max_unavailable = MaxUnavailable::Count(4);
            policy.max_errors = 9;
        };
        let mut rollout = Rollout::with(change, (0..20).map(host));
        rollout.prove();
        let (sent, command) = rollout.send();
        rollout.reports(&command, &sent[..1], &report(outcome));
        let others = &sent[1..];
        rollout.reports(&command, others, &report(Outcome::Loaded));
        rollout.sample(others, Sample::Connected);
        rollout.pass(15);
        rollout.sample(others, Sample::Connected);
        assert_eq!(rollout.to_send().len(), room, "after {outcome:?}");
    }
}

#[test]
fn a_rollout_ends_when_hosts_that_may_be_down_use_up_all_room() {
    let change = |policy: &mut Policy| {
        policy.max_unavailable = MaxUnavailable::Count(1);
        policy.max_errors = 9;
    };
    let mut rollout = Rollout::with(change, (0..4).map(host));
    rollout.prove();
    let (sent, command) = rollout.send();
    rollout.reports(&command, &sent, &report(Outcome::Unproven));
    rollout.tell(Event::Recorded { hosts: sent });
    let clusters = vec![ClusterName::new("web")];
    assert_eq!(rollout.ending(), Ending::Halted { why: Halt::Unavailable { clusters } });
}

#[test]
fn a_command_names_at_most_fifty_hosts() {
    let mut rollout =
        Rollout::with(|policy| policy.max_unavailable = MaxUnavailable::Percent(100), (0..120).map(host));
    rollout.prove();
    let sent: Vec<usize> = (0..3).map(|_| rollout.send().0.len()).collect();
    assert_eq!(sent, [50, 50, 19]);
    assert_eq!(rollout.to_send(), []);
}

#[test]
fn errors_are_counted_over_all_commands_and_hosts_in_flight_are_followed_to_their_end() {
    let change = |policy: &mut Policy| {
        policy.max_unavailable = MaxUnavailable::Count(4);
        policy.max_errors = 1;
    };
    let mut rollout = Rollout::with(change, (0..20).map(host));
    rollout.prove();
    let (first, command) = rollout.send();
    rollout.reports(&command, &first[..2], &report(Outcome::Refused));
    assert_eq!(rollout.to_send(), []);
    rollout.reports(&command, &first[2..], &report(Outcome::Loaded));
    rollout.sample(&first[2..], Sample::Connected);
    rollout.pass(15);
    rollout.sample(&first[2..], Sample::Connected);
    assert_eq!(rollout.to_send(), []);
    rollout.tell(Event::Recorded { hosts: first });
    assert_eq!(rollout.ending(), Ending::Halted { why: Halt::Errors { errors: 2, max_errors: 1 } });
    assert_eq!(rollout.outcome(4), HostOutcome::Proven { restarted: true });
}

#[test]
fn ssms_own_fence_is_what_is_left_of_max_errors() {
    let change = |policy: &mut Policy| {
        policy.max_unavailable = MaxUnavailable::Count(2);
        policy.max_errors = 3;
    };
    let mut rollout = Rollout::with(change, (0..20).map(host));
    rollout.prove();
    let (sent, command) = rollout.send();
    rollout.reports(&command, &sent, &report(Outcome::Refused));
    rollout.tell(Event::Recorded { hosts: sent });
    assert_eq!(rollout.next(), [Step::Send { hosts: ids([3, 4]), max_errors: 1 }]);
}

#[test]
fn errors_with_nobody_left_to_send_to_are_no_halt() {
    let mut rollout = Rollout::new([host(1)]);
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Refused));
    rollout.tell(Event::Recorded { hosts });
    assert_eq!(rollout.ending(), Ending::PartlyReached);
}

#[test]
fn another_version_than_the_planned_one_ends_the_rollout_quietly() {
    let newer = ScriptReport { version_id: Some(VersionId::new("v2")), ..report(Outcome::Loaded) };
    let mut rollout = Rollout::new((0..20).map(host));
    rollout.prove();
    let (sent, command) = rollout.send();
    rollout.reports(&command, &sent[..1], &newer);
    assert_eq!(rollout.to_send(), []);
    rollout.reports(&command, &sent[1..], &newer);
    assert_eq!(rollout.ending(), Ending::Superseded);
    assert_eq!(rollout.outcome(1), HostOutcome::Superseded);
}

#[test]
fn a_refusal_that_every_host_would_meet_halts_and_sends_to_nobody() {
    for refusal in
        [Refusal::AccessDenied, Refusal::Document, Refusal::ForeignDocument, Refusal::Other("Odd".into())]
    {
        let mut rollout = Rollout::with(|policy| policy.max_errors = 9, (0..3).map(host));
        let hosts = rollout.to_send();
        rollout.tell(Event::Sending { hosts: hosts.clone() });
        rollout.tell(Event::SendRefused { hosts, refusal: refusal.clone() });
        assert_eq!(rollout.ending(), Ending::Halted { why: Halt::SendRefused { refusal } });
        assert_eq!(rollout.outcome(0), HostOutcome::Waiting);
    }
}

#[test]
fn a_throttled_send_is_an_error_of_each_of_its_hosts() {
    let mut rollout = Rollout::with(|policy| policy.max_errors = 1, (0..3).map(host));
    for _ in 0..2 {
        let hosts = rollout.to_send();
        rollout.tell(Event::SendRefused { hosts, refusal: Refusal::Throttled });
    }
    assert_eq!(rollout.ending(), Ending::Halted { why: Halt::Errors { errors: 2, max_errors: 1 } });
}

#[test]
fn a_send_refused_for_one_of_its_hosts_is_repeated_one_by_one_to_find_it() {
    let mut rollout = Rollout::with(|policy| policy.max_errors = 1, (0..4).map(host));
    rollout.prove();
    let hosts = rollout.to_send();
    assert_eq!(hosts, ids([1, 2, 3]));
    rollout.tell(Event::Sending { hosts: hosts.clone() });
    rollout.tell(Event::SendRefused { hosts, refusal: Refusal::InvalidInstance });
    assert_eq!(rollout.to_send(), ids([1]));
    rollout.tell(Event::SendRefused { hosts: ids([1]), refusal: Refusal::InvalidInstance });
    // It may have left the cluster: ECS is asked before it is called an error.
    let instances = vec![Instance { host: id(1), arn: ContainerInstanceArn::new("arn:1") }];
    assert!(rollout.next().contains(&Step::Sample { cluster: ClusterName::new("web"), instances }));
    rollout.sample(&ids([1]), Sample::Gone);
    assert_eq!(rollout.outcome(1), HostOutcome::Gone);
    assert_eq!((rollout.prove(), rollout.prove()), (ids([2]), ids([3])));
    assert_eq!(rollout.ending(), Ending::Converged);
}

#[test]
fn a_host_that_was_refused_in_company_is_not_sent_to_in_company_again() {
    let hosts = [host_of("batch", 0), host_of("batch", 1), host_of("batch", 2), host_of("web", 3)];
    let mut rollout = Rollout::with(|policy| policy.max_unavailable = MaxUnavailable::Count(1), hosts);
    rollout.prove();
    let hosts = rollout.to_send();
    assert_eq!(hosts, ids([1, 3]));
    rollout.tell(Event::SendRefused { hosts, refusal: Refusal::InvalidInstance });
    let sent: Vec<_> = (0..3).map(|_| rollout.prove()).collect();
    assert_eq!(sent, [ids([1]), ids([2]), ids([3])]);
    assert_eq!(rollout.ending(), Ending::Converged);
}

#[test]
fn of_two_registrations_of_one_instance_the_connected_one_is_sent_to() {
    let old = host_with(1, |it| {
        it.arn = ContainerInstanceArn::new("arn:0");
        it.agent_connected = false;
    });
    for hosts in [[old.clone(), host(1)], [host(1), old]] {
        let mut rollout = Rollout::new(hosts);
        assert_eq!(rollout.prove(), ids([1]));
        assert_eq!(rollout.ending(), Ending::Converged);
        let report = rollout.seen.report();
        let outcomes: Vec<_> = report
            .iter()
            .map(|line| (line.container_instance_arn.as_ref().unwrap().as_str(), line.outcome.is_settled()))
            .collect();
        assert_eq!(outcomes, [("arn:1", true), ("arn:0", true)]);
    }
}

#[test]
fn max_unavailable_is_a_count_or_a_share_rounded_down_and_at_least_one() {
    let cases = [
        (MaxUnavailable::Count(3), 100, 3),
        (MaxUnavailable::Count(0), 100, 1),
        (MaxUnavailable::Percent(10), 100, 10),
        (MaxUnavailable::Percent(10), 19, 1),
        (MaxUnavailable::Percent(10), 9, 1),
        (MaxUnavailable::Percent(33), 10, 3),
        (MaxUnavailable::Percent(100), 7, 7),
        (MaxUnavailable::Percent(50), 0, 1),
    ];
    for (limit, registered, hosts) in cases {
        assert_eq!(limit.of(registered), hosts, "{limit:?} of {registered}");
    }
}

/// A command, ten minutes to begin and ten to run, and a minute until that shows; three to be seen connected, two to be
/// recorded, and a look.
const LONGEST_ROUND: u64 = (10 + 10 + 1 + 3 + 2) * 60 + 5;

#[test]
fn the_forecast_bounds_what_can_be_down_and_what_can_fail() {
    let hosts = (0..30).map(|n| host_of(if n < 20 { "batch" } else { "web" }, n));
    let change = |policy: &mut Policy| {
        policy.max_unavailable = MaxUnavailable::Percent(20);
        policy.max_errors = 3;
    };
    let rollout = Rollout::with(change, hosts);
    assert_eq!(
        forecast(&rollout.policy, &rollout.seen),
        Forecast {
            hosts: 30,
            down_at_once: 6,
            down_at_once_by_cluster: [(ClusterName::new("batch"), 4), (ClusterName::new("web"), 2)].into(),
            failures: 9,
            commands: 6,
            // 4 one by one, then 20 rounds of the batch cluster, where 3 of 4 places may be lost to hosts that hang.
            longest_seconds: 24 * LONGEST_ROUND,
        }
    );
    let nobody = Rollout::new([]);
    assert_eq!(forecast(&nobody.policy, &nobody.seen).commands, 0);
    assert_eq!(nobody.ending(), Ending::Converged);
}

#[test]
fn the_errors_of_the_other_fleets_count_where_there_is_a_limit_for_all_of_them() {
    let mut rollout = Rollout::with(|policy| policy.max_errors = 9, (0..3).map(host));
    rollout.tell(Event::Others(Others { errors: 2, max_errors: 2 }));
    assert_eq!(rollout.next(), [Step::Send { hosts: ids([0]), max_errors: 0 }]);
    rollout.tell(Event::Others(Others { errors: 3, max_errors: 2 }));
    assert_eq!(rollout.ending(), Ending::Halted { why: Halt::ErrorsTogether { errors: 3, max_errors: 2 } });
    assert_eq!(rollout.outcome(0), HostOutcome::Waiting);
}
