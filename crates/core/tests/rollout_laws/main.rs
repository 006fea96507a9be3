//! Laws of a rollout: what holds whatever a fleet answers.
//!
//! Each law is checked by an oracle that keeps its own books of what it told the rollout, and shares no code with it.

mod honest;
mod hostile;
mod oracle;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use honest::Fleet;
use proptest::prelude::*;
use regcred_core::host::{ClusterName, ContainerInstanceArn, Host, HostId};
use regcred_core::rollout::{
    CommandId, Desired, Ending, Event, HostOutcome, HostState, Invocation, Latecomers, Others, Policy,
    Sample, Seen, Step, next,
};
use regcred_core::script::VersionId;

fn at(seconds: u64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000 + seconds)
}

fn seconds(span: chrono::TimeDelta) -> u64 {
    u64::try_from(span.num_seconds()).expect("time goes forward")
}

fn id(n: usize) -> HostId {
    HostId::parse(&format!("i-{n:017}")).expect("an id of 17 digits is one")
}

fn arn(n: usize) -> ContainerInstanceArn {
    ContainerInstanceArn::new(format!("arn:aws:ecs:eu-west-1:111111111111:container-instance/web/{n}"))
}

fn desired() -> Desired {
    Desired {
        revision: regcred_core::fingerprint::Revision::from_recorded("r1"),
        version_id: VersionId::new("planned"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bounded blast, the first host alone, nothing after a halt, one send a host, only hosts that may be sent to,
    /// proof before "proven", a bounded end, an honest report: see [`oracle::Oracle`].
    #[test]
    fn whatever_a_fleet_answers_the_rollout_keeps_its_promises_and_ends(world in hostile::world()) {
        oracle::watch(&world);
    }

    /// Totality: any events in any order, about any hosts and commands, and what has ended stays as it ended.
    #[test]
    fn any_event_is_taken_at_any_time(world in hostile::world(), events in hostile::events()) {
        let mut seen = world.seen();
        let mut now = 0;
        for (event, seconds) in events {
            let before = ended(&seen);
            seen.apply(&world.policy, event, at(now));
            let after = ended(&seen);
            for (host, outcome) in before {
                prop_assert_eq!(after.get(&host), Some(&outcome), "{} changed after its end", host);
            }
            now += seconds;
            let steps = next(&world.policy, &seen, at(now));
            prop_assert!(!steps.is_empty());
            let alone = steps.iter().any(|step| matches!(step, Step::Wait { .. } | Step::Done(_)));
            prop_assert!(!alone || steps.len() == 1, "{:?}", steps);
        }
        // Whatever is in flight is given up in the end, without another word from the driver.
        let far = at(now + 10_000_000);
        seen.apply(&world.policy, Event::Time, far);
        prop_assert!(!seen.hosts().any(|(_, state)| state == HostState::InFlight));
    }

    /// One limit for all fleets: nothing is sent while the errors of this fleet and the others exceed it, SSM is never allowed
    /// more than is left of it, and one that is far away changes nothing.
    #[test]
    fn nothing_is_sent_once_the_errors_of_all_fleets_are_used_up(
        world in hostile::world(),
        events in hostile::events(),
        errors in 0_usize..6,
        max_errors in 0_u32..6,
    ) {
        let (mut limited, mut alone) = (world.seen(), world.seen());
        limited.apply(&world.policy, Event::Others(Others { errors, max_errors }), at(0));
        let mut now = 0;
        for (event, seconds) in events {
            if matches!(event, Event::Others(_)) {
                continue;
            }
            limited.apply(&world.policy, event.clone(), at(now));
            alone.apply(&world.policy, event, at(now));
            now += seconds;
            let all = u32::try_from(limited.errors() + errors).expect("the worlds are small");
            for step in next(&world.policy, &limited, at(now)) {
                if let Step::Send { max_errors: left, .. } = step {
                    prop_assert!(all + left <= max_errors, "{} of {}, and {} more", all, max_errors, left);
                }
            }
            let mut far = alone.clone();
            far.apply(&world.policy, Event::Others(Others { errors, max_errors: u32::MAX }), at(now));
            prop_assert_eq!(next(&world.policy, &far, at(now)), next(&world.policy, &alone, at(now)));
        }
    }

    /// Crash anywhere, and idempotence: however often a pass is cut, the ones after it reach every healthy host, and no
    /// host is restarted twice for one revision (a bad one twice: into the new value, and back).
    #[test]
    fn passes_that_are_cut_anywhere_converge_and_restart_nobody_twice(
        fleet in honest::fleet(),
        cuts in prop::collection::vec(0_usize..40, 0..6),
    ) {
        let mut fleet = fleet;
        for cut in cuts {
            fleet.pass(Some(cut));
        }
        // Each pass may halt at one more host that fails: it is left aside, or its turn is after the others from then on.
        for _ in 0..=fleet.len() {
            fleet.pass(None);
        }
        fleet.assert_reached();
        if fleet.some_refuse() {
            // However many refuse: each has its turn, and is reached when it is mended.
            fleet.heal_those_that_refuse();
            for _ in 0..=fleet.len() {
                fleet.pass(None);
            }
            fleet.assert_reached();
        }
        let restarts = fleet.restarts();
        let sends = fleet.sends();
        let ending = fleet.pass(None);
        prop_assert!(!matches!(ending, Ending::Halted { .. }), "{:?}", ending);
        prop_assert_eq!(fleet.restarts(), restarts);
        prop_assert_eq!(fleet.sends(), sends, "a pass with nothing to do sent something");
    }

    /// Made to stop anywhere, a pass sends nothing more and leaves nobody in flight, and the ones after it go on.
    #[test]
    fn passes_that_are_made_to_stop_anywhere_send_nothing_more_and_the_next_ones_go_on(
        fleet in honest::fleet(),
        stops in prop::collection::vec(0_usize..40, 1..6),
    ) {
        let mut fleet = fleet;
        for stop in stops {
            fleet.pass_that_is_stopped(stop);
        }
        for _ in 0..=fleet.len() {
            fleet.pass(None);
        }
        fleet.assert_reached();
    }

    /// Hosts that join while a pass runs are reached by it, within its limits, and no host is restarted twice.
    #[test]
    fn hosts_that_join_during_a_pass_are_reached_by_its_last_look(
        fleet in honest::fleet(),
        late in 1_usize..6,
    ) {
        let mut fleet = fleet;
        let before = fleet.len();
        let limit = fleet.room_with(late);
        fleet.joined_by(late);
        let ending = fleet.pass(None);
        prop_assert!(fleet.spent().down_at_once <= limit, "{:?} of {}", fleet.spent(), limit);
        let reached = fleet.restarts().split_off(before);
        match ending {
            // Nothing is wrong with those that joined: each is restarted, once.
            Ending::Converged | Ending::PartlyReached => prop_assert_eq!(reached, vec![1; late]),
            Ending::Halted { .. } => prop_assert!(reached.iter().all(|restarts| *restarts <= 1)),
            Ending::Superseded => prop_assert!(false, "nobody wrote another object"),
            Ending::Stopped { .. } => prop_assert!(false, "nobody made it stop"),
        }
        for _ in 0..=fleet.len() {
            fleet.pass(None);
        }
        fleet.assert_reached();
    }

    /// What a plan says of its blast radius is what can happen at most, whatever part of a fleet is bad.
    #[test]
    fn no_pass_exceeds_what_its_plan_foretold(fleet in honest::fleet(), script in 0_u64..120) {
        let mut fleet = fleet.with_scripts_of(script);
        let (forecast, _) = fleet.forecast();
        fleet.pass(None);
        let reached = fleet.restarts().iter().filter(|count| **count > 0).count();
        prop_assert!(reached <= forecast.hosts);
        prop_assert!(fleet.spent().down_at_once <= forecast.down_at_once, "{:?} {:?}", fleet.spent(), forecast);
        prop_assert!(fleet.bad() <= forecast.failures, "{} {:?}", fleet.bad(), forecast);
        prop_assert!(fleet.clock() <= forecast.longest_seconds, "{} {:?}", fleet.clock(), forecast);
    }
}

#[test]
fn what_a_healthy_fleet_costs_is_about_what_its_plan_foretold() {
    for (hosts, clusters) in [(1, 1), (12, 2), (200, 2), (1_000, 10), (3_000, 6)] {
        let mut fleet = Fleet::healthy(hosts, clusters).with_scripts_of(30);
        let (forecast, estimate) = fleet.forecast();
        assert_eq!(fleet.pass(None), Ending::Converged);
        let spent = fleet.spent().clone();
        // "About" is within a half: good enough to choose an evening by.
        let is_about = |said: u64, was: u64| was * 2 <= said * 3 && said * 2 <= was * 3;
        let (calls, seconds) = (spent.calls as u64, fleet.clock());
        assert!(
            is_about(estimate.calls as u64, calls),
            "{hosts} hosts: {estimate:?}, and it was {calls} calls"
        );
        assert!(is_about(estimate.seconds, seconds), "{hosts} hosts: {estimate:?}, and it was {seconds} s");
        let (most, down) = (forecast.down_at_once, spent.down_at_once);
        assert!(
            (most.div_ceil(2)..=most).contains(&down),
            "{hosts} hosts: {down} of {most} were down at once"
        );
    }
}

#[test]
fn a_healthy_fleet_of_thousands_is_proven_with_few_commands() {
    let mut fleet = Fleet::healthy(3_000, 6);
    assert_eq!(fleet.pass(None), Ending::Converged);
    fleet.assert_reached();
    // 3,000 hosts in 6 clusters at 10 %: ten rounds of 300, and what the rounding of chunks costs.
    assert!((60..200).contains(&fleet.sends()), "{} commands", fleet.sends());
    assert_eq!(fleet.restarts(), vec![1; 3_000]);
}

fn ended(seen: &Seen) -> BTreeMap<HostId, HostOutcome> {
    seen.hosts()
        .filter_map(|(host, state)| match state {
            HostState::Ended(outcome) => Some((host.id.clone(), outcome.clone())),
            HostState::Waiting | HostState::InFlight => None,
        })
        .collect()
}
