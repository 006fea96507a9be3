//! Hosts that join while a rollout runs.

use std::collections::BTreeSet;

use super::*;

impl Rollout {
    fn take_in(&mut self, latecomers: Latecomers, hosts: impl IntoIterator<Item = Host>) -> Vec<HostId> {
        self.seen.take_in(&self.policy, latecomers, hosts, BTreeMap::new()).into_iter().collect()
    }
}

#[test]
fn a_host_that_joined_goes_by_the_same_rules() {
    let mut rollout = Rollout::with(|policy| policy.max_unavailable = MaxUnavailable::Count(2), [host(1)]);
    assert!(!rollout.seen.is_worth_a_last_look(&Ending::Converged), "nothing was sent");
    rollout.prove();
    let ending = rollout.ending();
    assert!(rollout.seen.is_worth_a_last_look(&ending), "{ending:?}");

    assert_eq!(rollout.take_in(Latecomers::RollOut, [host(1), host(2), host(3), host(4)]), ids([2, 3, 4]));
    // One was proven: there is no first host again. Of the cluster, two at a time.
    assert_eq!(rollout.prove(), ids([2, 3]));
    assert_eq!(rollout.prove(), ids([4]));
    assert_eq!(rollout.ending(), Ending::Converged);
    assert_eq!(rollout.seen.report().len(), 4);
}

#[test]
fn a_known_host_is_left_as_it_ended() {
    let mut rollout = Rollout::new([host(1)]);
    rollout.prove();
    let anew = host_with(1, |it| it.arn = ContainerInstanceArn::new("arn:another"));
    assert_eq!(rollout.take_in(Latecomers::RollOut, [anew]), []);
    assert_eq!(rollout.ending(), Ending::Converged);
    assert_eq!(rollout.outcome(1), HostOutcome::Proven { restarted: true });
}

#[test]
fn errors_of_before_count_on() {
    let mut rollout = Rollout::with(|policy| policy.max_errors = 1, [host(1), host(2), host(3)]);
    rollout.prove();
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Refused));
    rollout.tell(Event::Recorded { hosts });
    // Two errors where one is allowed, and nobody was left: not halted yet.
    let ending = rollout.ending();
    assert_eq!(ending, Ending::PartlyReached);
    assert!(rollout.seen.is_worth_a_last_look(&ending));
    rollout.take_in(Latecomers::RollOut, [host(4)]);
    assert_eq!(rollout.ending(), Ending::Halted { why: Halt::Errors { errors: 2, max_errors: 1 } });
    assert_eq!(rollout.outcome(4), HostOutcome::Waiting);
}

#[test]
fn one_that_is_only_named_is_sent_nothing_and_keeps_the_rollout_from_being_converged() {
    let mut rollout = Rollout::new([host(1)]);
    rollout.prove();
    let offline = Host { ping: Ping::ConnectionLost, ..host(3) };
    assert_eq!(rollout.take_in(Latecomers::Name, [host(2), offline]), ids([2]));
    assert_eq!(rollout.ending(), Ending::PartlyReached);
    assert_eq!(rollout.outcome(2), HostOutcome::Joined);
    assert!(matches!(rollout.outcome(3), HostOutcome::Unreachable { .. }), "{:?}", rollout.outcome(3));
}

#[test]
fn one_that_holds_the_revision_already_is_no_work() {
    let mut rollout = Rollout::new([host(1)]);
    rollout.prove();
    let mut current = host(2);
    current.attributes.recorded = Some(Revision::from_recorded("r1"));
    assert_eq!(rollout.take_in(Latecomers::Name, [current]), []);
    assert_eq!(rollout.ending(), Ending::Converged);
}

#[test]
fn of_two_registrations_of_one_that_joined_the_connected_one_counts() {
    let mut rollout = Rollout::new([host(1)]);
    rollout.prove();
    let left_over = host_with(2, |it| {
        it.arn = ContainerInstanceArn::new("arn:0");
        it.agent_connected = false;
    });
    rollout.take_in(Latecomers::RollOut, [left_over, host(2)]);
    assert_eq!(rollout.prove(), ids([2]));
    let arns: BTreeSet<String> = rollout
        .seen
        .report()
        .into_iter()
        .filter(|line| matches!(line.outcome, HostOutcome::Unsupported { .. }))
        .filter_map(|line| Some(line.container_instance_arn?.to_string()))
        .collect();
    assert_eq!(arns, BTreeSet::from(["arn:0".to_owned()]));
}

#[test]
fn what_stopped_is_not_looked_at_again() {
    let mut rollout = Rollout::new([host(1), host(2)]);
    let (hosts, command) = rollout.send();
    rollout.reports(&command, &hosts, &report(Outcome::Refused));
    rollout.tell(Event::Recorded { hosts });
    let ending = rollout.ending();
    assert!(matches!(ending, Ending::Halted { .. }), "{ending:?}");
    assert!(!rollout.seen.is_worth_a_last_look(&ending));
    assert!(!rollout.seen.is_worth_a_last_look(&Ending::Superseded));
}
