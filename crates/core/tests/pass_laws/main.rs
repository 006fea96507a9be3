//! Laws of a pass, over generated worlds: what is decided, applied and decided again comes to rest; cut anywhere, it goes
//! on to the same end; nothing is published that its registry did not accept; and nothing that can be printed holds a
//! secret.

mod trials;
mod world;

use proptest::prelude::*;
use regcred_core::agent::{AuthMap, Environment};
use regcred_core::desired::Wish;
use regcred_core::names::RegistryName;
use regcred_core::observed::Observed;
use regcred_core::plan::Hold;
use regcred_core::secret::Secret;

use world::{MARK, credential, world};

proptest! {
    #[test]
    fn what_was_planned_and_applied_leaves_nothing_to_plan(mut world in world()) {
        world.pass(usize::MAX);
        prop_assert!(world.plan().is_empty(), "{:?}", world.plan());
    }

    #[test]
    fn a_second_pass_writes_nothing(mut world in world()) {
        world.pass(usize::MAX);
        let contents = world.contents();
        prop_assert_eq!(world.pass(usize::MAX), 0);
        prop_assert_eq!(world.contents(), contents);
    }

    #[test]
    fn a_pass_that_was_cut_anywhere_goes_on_to_the_same_end(world in world(), cut in 0..6_usize) {
        let mut whole = world.clone();
        whole.pass(usize::MAX);
        let mut cut_off = world;
        cut_off.pass(cut);
        cut_off.pass(usize::MAX);
        prop_assert_eq!(cut_off.contents(), whole.contents());
        prop_assert_eq!(cut_off.pass(usize::MAX), 0);
    }

    #[test]
    fn a_plan_is_empty_exactly_where_a_pass_writes_nothing(mut world in world()) {
        prop_assert_eq!(world.plan().is_empty(), world.pass(usize::MAX) == 0);
    }

    #[test]
    fn a_new_password_changes_only_what_holds_it(mut world in world(), new in credential()) {
        world.pass(usize::MAX);
        let before = world.contents();
        let name = RegistryName::new("r0");
        world.wishes.insert(name, Wish::Publish(new));
        world.pass(usize::MAX);
        let after = world.contents();
        let last = after.len() - 1;
        prop_assert_eq!(&before[1..last], &after[1..last]);
    }

    #[test]
    fn what_is_not_known_is_never_written(world in world()) {
        let mut after = world.clone();
        after.pass(usize::MAX);
        for ((_, before), (_, after)) in world.secrets.iter().zip(&after.secrets) {
            if matches!(before, Observed::Unknown(_)) {
                prop_assert_eq!(before, after);
            }
        }
        if matches!(world.object.1, Observed::Unknown(_)) {
            prop_assert_eq!(world.object.1, after.object.1);
        }
    }

    #[test]
    fn what_a_held_registry_has_published_is_what_it_keeps(mut world in world()) {
        world.pass(usize::MAX);
        let Observed::Present(first) = &world.object.1 else { return Ok(()) };
        let image = "docker.io/library/x";
        let read = |content: &Secret| {
            AuthMap::read(&Environment::parse(content.expose().as_bytes()).auth()).lookup(image).certain().cloned()
        };
        let before = read(&first.content);
        world.wishes.insert(RegistryName::new("r0"), Wish::Hold(Hold::SourceFailed));
        world.pass(usize::MAX);
        let Observed::Present(second) = &world.object.1 else { panic!("nothing deletes an object") };
        prop_assert_eq!(before, read(&second.content));
    }

    #[test]
    fn no_plan_and_no_debug_output_holds_a_password(world in world()) {
        let plan = world.plan();
        let json = serde_json::to_string(&plan).expect("a plan is plain data");
        let debug = format!("{plan:?}{world:#?}");
        prop_assert!(!json.contains(MARK) && !debug.contains(MARK));
    }
}
