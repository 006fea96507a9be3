//! Hosts outside ECS's view.

use super::*;

fn outside(n: usize) -> Host {
    Host { membership: Membership::Outside, ..host(n) }
}

fn note(n: usize, name: &'static str, value: &str) -> Note {
    Note { host: id(n), name, value: value.to_owned() }
}

#[test]
fn a_host_outside_is_proven_by_its_script_alone_and_noted() {
    let mut rollout = Rollout::new([outside(1)]);
    let (hosts, command) = rollout.send();
    // Which container instance that is, nobody could say here.
    let arn = Some(ContainerInstanceArn::new("arn:somewhere"));
    let loaded = ScriptReport { container_instance_arn: arn, ..report(Outcome::Loaded) };
    rollout.reports(&command, &hosts, &loaded);
    assert_eq!(rollout.outcome(1), HostOutcome::Proven { restarted: true });
    assert_eq!(rollout.next(), [Step::Note { notes: vec![note(1, "regcred.revision", "r1")] }]);
    rollout.tell(Event::Recorded { hosts });
    assert_eq!(rollout.ending(), Ending::Converged);
}

#[test]
fn all_hosts_outside_are_one_group() {
    let limit = |policy: &mut Policy| policy.max_unavailable = MaxUnavailable::Percent(50);
    let mut rollout = Rollout::with(limit, (1..=6).map(outside));
    let forecast = forecast(&rollout.policy, &rollout.seen);
    assert_eq!((forecast.hosts, forecast.down_at_once), (6, 3));
    assert!(forecast.down_at_once_by_cluster.is_empty());
    let (hosts, command) = rollout.send();
    assert_eq!(hosts, ids([1]));
    rollout.reports(&command, &hosts, &report(Outcome::Loaded));
    assert_eq!(rollout.send().0, ids([2, 3, 4]));
}

#[test]
fn what_is_noted_waits_for_the_others_of_its_command_but_not_for_long() {
    let mut rollout = Rollout::new((1..=3).map(outside));
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Loaded));
    rollout.tell(Event::Recorded { hosts });
    let (hosts, command) = rollout.send();
    assert_eq!(hosts, ids([2, 3]));
    rollout.reports(&command, &ids([2]), &report(Outcome::Loaded));
    let notes = |rollout: &Rollout| {
        rollout.next().into_iter().find_map(|step| match step {
            Step::Note { notes } => Some(notes),
            _ => None,
        })
    };
    assert_eq!(notes(&rollout), None);
    rollout.pass(29);
    assert_eq!(notes(&rollout), None);
    rollout.pass(1);
    assert_eq!(notes(&rollout), Some(vec![note(2, "regcred.revision", "r1")]));
    rollout.reports(&command, &ids([3]), &report(Outcome::Loaded));
    let both = vec![note(2, "regcred.revision", "r1"), note(3, "regcred.revision", "r1")];
    assert_eq!(notes(&rollout), Some(both));
}

#[test]
fn a_record_that_cannot_be_written_is_given_up_at_once() {
    let mut rollout = Rollout::new((1..=2).map(outside));
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Loaded));
    rollout.tell(Event::Recorded { hosts });
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Loaded));
    rollout.tell(Event::RecordFailed { hosts });
    assert_eq!(rollout.ending(), Ending::PartlyReached);
    assert_eq!(rollout.outcome(2), HostOutcome::Proven { restarted: true });

    // Of several, too: none of them is the cause.
    let mut rollout = Rollout::new((1..=3).map(outside));
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Loaded));
    rollout.tell(Event::Recorded { hosts });
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Loaded));
    rollout.tell(Event::RecordFailed { hosts });
    assert_eq!(rollout.ending(), Ending::PartlyReached);
}

#[test]
fn ecs_is_never_asked_about_one_that_could_not_be_reached() {
    let mut rollout = Rollout::with(|policy| policy.max_errors = 1, [outside(1), outside(2)]);
    let (hosts, command) = rollout.send();
    rollout.progress(
        &command,
        &hosts,
        &Progress::NothingRan(crate::invocation::NothingRan::Undeliverable),
        "",
    );
    assert!(matches!(rollout.outcome(1), HostOutcome::Unreachable { .. }), "{:?}", rollout.outcome(1));
    assert_eq!(rollout.to_send(), ids([2]));
}

#[test]
fn a_setback_is_noted_in_the_words_of_the_attributes() {
    let mut rollout = Rollout::new([outside(1)]);
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Restored));
    assert_eq!(rollout.next(), [Step::Note { notes: vec![note(1, "regcred.failed", "r1")] }]);

    let sick = Host { membership: Membership::Outside, ..with_setbacks(1, 2) };
    let mut rollout = Rollout::new([sick.clone()]);
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Refused));
    assert_eq!(rollout.next(), [Step::Note { notes: vec![note(1, "regcred.failed", "unproven-3")] }]);

    let mut rollout = Rollout::new([sick]);
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Unchanged));
    let notes = vec![note(1, "regcred.revision", "r1"), note(1, "regcred.failed", "none")];
    assert_eq!(rollout.next(), [Step::Note { notes }]);
}
