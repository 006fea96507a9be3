//! Laws of the order of fleets, for many orders, endings and ways in which rollouts overtake each other.

#![allow(clippy::unwrap_used, clippy::pedantic, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use regcred_core::names::FleetName;
use regcred_core::order::{End, Lead, Order, Place, SIDE_BY_SIDE, Standing, Turn};

/// One fleet: what it comes after (by number), its location and object, how it would end, and whether it proves a host.
#[derive(Clone, Debug)]
struct Plan {
    after: BTreeSet<usize>,
    location: u8,
    object: u8,
    end: End,
    proves: bool,
}

fn name(number: usize) -> FleetName {
    FleetName::new(format!("f{number:02}"))
}

fn place(plan: &Plan) -> Place {
    Place {
        after: plan.after.iter().map(|number| name(*number)).collect(),
        location: format!("l{}", plan.location).as_str().into(),
        ecs_config: format!("o{}", plan.object).as_str().into(),
    }
}

fn order(plans: &[Plan]) -> Order {
    Order::new(plans.iter().enumerate().map(|(number, plan)| (name(number), place(plan))))
}

/// Fleets that come after others, in no order of their names, and without a ring: each waits for such as stand before it in
/// some order.
fn plans() -> impl Strategy<Value = Vec<Plan>> {
    (1_usize..10).prop_flat_map(|size| {
        let ranks = Just((0..size).collect::<Vec<_>>()).prop_shuffle();
        let plan = (
            prop::collection::btree_set(0..size, 0..3),
            0_u8..4,
            0_u8..6,
            prop_oneof![4 => Just(End::Well), 1 => Just(End::Ill)],
            any::<bool>(),
        );
        (ranks, prop::collection::vec(plan, size)).prop_map(|(ranks, plans)| {
            plans
                .into_iter()
                .enumerate()
                .map(|(number, (after, location, object, end, proves))| {
                    let after = after.into_iter().filter(|other| ranks[*other] < ranks[number]).collect();
                    Plan { after, location, object, end, proves }
                })
                .collect()
        })
    })
}

/// What became of each fleet, where `choices` say which of the running ones ends next.
fn play(plans: &[Plan], choices: &[usize]) -> BTreeMap<usize, Option<End>> {
    let order = order(plans);
    let number = |fleet: &FleetName| (0..plans.len()).find(|number| name(*number) == *fleet).unwrap();
    let mut standings: BTreeMap<FleetName, Standing> = BTreeMap::new();
    let mut outcomes = BTreeMap::new();
    let mut lead = Lead::Unproven;
    let mut choices = choices.iter().copied().cycle();
    loop {
        let turns = order.next(&standings, lead);
        let before = standings.clone();
        for turn in &turns {
            match turn {
                Turn::Begin(fleet) => {
                    assert_eq!(before.get(fleet), None, "it has had its turn");
                    let plan = &plans[number(fleet)];
                    for earlier in &plan.after {
                        assert_eq!(before.get(&name(*earlier)), Some(&Standing::Ended(End::Well)), "{fleet}");
                    }
                    standings.insert(fleet.clone(), Standing::Running);
                }
                Turn::Hold { fleet, earlier } => {
                    assert_eq!(before.get(fleet), None, "it has had its turn");
                    assert!(plans[number(fleet)].after.contains(&number(earlier)));
                    assert_eq!(before.get(earlier), Some(&Standing::Ended(End::Ill)));
                    standings.insert(fleet.clone(), Standing::Ended(End::Ill));
                    outcomes.insert(number(fleet), None);
                }
            }
        }
        let running: Vec<usize> = standings
            .iter()
            .filter(|(_, standing)| **standing == Standing::Running)
            .map(|(fleet, _)| number(fleet))
            .collect();
        let locations: BTreeSet<u8> = running.iter().map(|number| plans[*number].location).collect();
        let objects: BTreeSet<u8> = running.iter().map(|number| plans[*number].object).collect();
        assert_eq!(
            (locations.len(), objects.len()),
            (running.len(), running.len()),
            "side by side in one place"
        );
        assert!(running.len() <= if lead == Lead::Unproven { 1 } else { SIDE_BY_SIDE });
        if turns.is_empty() && running.is_empty() {
            return outcomes;
        }
        if running.is_empty() {
            continue;
        }
        let ends = running[choices.next().unwrap() % running.len()];
        standings.insert(name(ends), Standing::Ended(plans[ends].end));
        outcomes.insert(ends, Some(plans[ends].end));
        if plans[ends].proves {
            lead = Lead::Proven;
        }
    }
}

proptest! {
    /// Each fleet has one turn, and what becomes of it depends on those that it comes after alone.
    #[test]
    fn every_fleet_has_its_turn_after_those_it_names_and_no_overtaking_changes_what_is_done(
        plans in plans(),
        choices in prop::collection::vec(0_usize..8, 1..20),
    ) {
        prop_assert_eq!(order(&plans).ring(), None);
        let outcomes = play(&plans, &choices);
        prop_assert_eq!(outcomes.len(), plans.len(), "each has had its turn");
        for (number, plan) in plans.iter().enumerate() {
            let ill = plan.after.iter().any(|earlier| outcomes[earlier] != Some(End::Well));
            let expected = if ill { None } else { Some(plan.end) };
            prop_assert_eq!(outcomes[&number], expected, "f{:02}", number);
        }
        prop_assert_eq!(outcomes, play(&plans, &[0]));
    }

    /// A ring is found where there is one, and each of its fleets waits for the next.
    #[test]
    fn a_ring_is_found_and_each_of_its_fleets_waits_for_the_next(
        plans in plans(),
        from in 0_usize..10,
        to in 0_usize..10,
    ) {
        let mut plans = plans;
        let (from, to) = (from % plans.len(), to % plans.len());
        plans[from].after.insert(to);
        // A ring there is now exactly if the new edge closes one: if `to` waits for `from`, by others or itself.
        let mut reached = BTreeSet::from([to]);
        loop {
            let more: BTreeSet<usize> = reached.iter().flat_map(|number| plans[*number].after.clone()).collect();
            if more.is_subset(&reached) {
                break;
            }
            reached.extend(more);
        }
        let ring = order(&plans).ring();
        prop_assert_eq!(ring.is_some(), reached.contains(&from));
        if let Some(ring) = ring {
            for (n, fleet) in ring.iter().enumerate() {
                let next = &ring[(n + 1) % ring.len()];
                let plan = plans.iter().enumerate().find(|(number, _)| name(*number) == *fleet).unwrap().1;
                prop_assert!(plan.after.iter().any(|number| name(*number) == *next), "{:?}", ring);
            }
        }
    }
}

#[test]
fn before_a_host_is_proven_one_fleet_goes_and_then_one_in_each_location() {
    let plan = |after: &[usize], location, object| Plan {
        after: after.iter().copied().collect(),
        location,
        object,
        end: End::Well,
        proves: true,
    };
    // Two locations; the last two fleets load one object.
    let order =
        order(&[plan(&[], 0, 0), plan(&[], 0, 1), plan(&[], 1, 2), plan(&[0], 2, 3), plan(&[], 3, 3)]);
    let begins = |turns: Vec<Turn>| -> Vec<Turn> { turns };
    let begin = |number| Turn::Begin(name(number));
    let mut standings = BTreeMap::new();
    assert_eq!(begins(order.next(&standings, Lead::Unproven)), [begin(0)]);
    standings.insert(name(0), Standing::Running);
    assert_eq!(begins(order.next(&standings, Lead::Unproven)), []);
    assert_eq!(begins(order.next(&standings, Lead::Proven)), [begin(2), begin(4)]);
    standings.insert(name(0), Standing::Ended(End::Ill));
    let held = Turn::Hold { fleet: name(3), earlier: name(0) };
    assert_eq!(begins(order.next(&standings, Lead::Unproven)), [held, begin(1)]);
}

#[test]
fn a_fleet_that_is_not_in_the_pass_is_not_waited_for() {
    let place = Place { after: [name(7)].into(), location: "l".into(), ecs_config: "o".into() };
    let order = Order::new([(name(1), place)]);
    assert_eq!(order.next(&BTreeMap::new(), Lead::Unproven), [Turn::Begin(name(1))]);
}
