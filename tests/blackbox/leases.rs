//! Of several processes one works: the others wait one length of the lease, and then take over, or say who holds it. And a
//! person can keep all of them from writing.

use std::time::{Duration, Instant};

use regcred_sandbox::hosts::Life;
use regcred_sandbox::{Effect, Fault, Match, Service};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::messages::errors;
use crate::tools::Started;
use crate::world::{
    self, GOOD, LEASE, World, count, held, held_put, host, hosts_of, swift, with_hosts, writes,
};

/// The lease of [`world::DEMO`] in tests.
const LENGTH: Duration = Duration::from_secs(1);
const STATE: &str = "regcred/state.json";

fn two_hosts(test: &str) -> World {
    let hosts = vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)];
    World::start(test, with_hosts(hosts), &swift())
}

/// A pass that holds the lease, and stands still at its first command.
async fn at_work(world: &World) -> Started {
    world.client().set_faults(&[held(Service::Ssm, "SendCommand", 1)]).unwrap();
    let pass = world.regcred(&["sync", "--output", "json"]).start();
    world.until_held("SendCommand").await;
    pass
}

/// That no renewal of the lease comes between its taking and its end, however busy the machine is.
fn with_long_lease(config: &str) -> String {
    let long = config.replacen("lease: 1s", "lease: 1m", 1);
    assert_ne!(long, config, "it says nothing of a lease of a second");
    long
}

/// What happens to the `nth` write of an object alone.
fn at_put(key: &str, nth: u64, effect: Effect) -> Fault {
    Fault { effect, ..held_put(key, nth) }
}

async fn lease(world: &World) -> Value {
    serde_json::from_str(&world.sdk().object("acme-regcred", LEASE).await.0).expect("the lease is JSON")
}

#[tokio::test]
async fn a_pass_with_nothing_to_do_takes_no_lease_and_one_that_worked_leaves_it_free() {
    let world = two_hosts("a_pass_with_nothing_to_do_takes_no_lease");
    for command in ["plan", "status", "sync"] {
        let (told, calls) = world.watched(&[command]).await;
        let of_lease = calls.iter().filter(|call| call.key.as_deref() == Some(LEASE)).count();
        match command {
            "sync" => assert!(told.code == 0 && of_lease >= 3, "{calls:#?}"),
            // A status shows who holds it.
            "status" => assert_eq!((of_lease, writes(&calls)), (1, Vec::new()), "{calls:#?}"),
            _ => assert_eq!(of_lease, 0, "{command}"),
        }
    }
    assert_eq!(lease(&world).await, json!({ "version": 1, "holder": null }));
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(calls.iter().all(|call| call.key.as_deref() != Some(LEASE)), "{calls:#?}");
}

#[tokio::test]
async fn whoever_finds_the_lease_held_waits_one_length_and_says_who_holds_it() {
    let world = two_hosts("whoever_finds_the_lease_held");
    let first = at_work(&world).await;
    let status = world.json(&["status"]).await;
    let shown = &status.json["lease"];
    assert_eq!((&shown["lease"], &shown["holder"]["length_ms"]), (&json!("held"), &json!(1000)), "{shown:#}");
    let said = world.run(&["status"]).await.stdout;
    assert!(said.contains("At work, by the lease: regcred sync on "), "{said}");
    let before = world.calls().len();
    let began = Instant::now();
    let second = world.run(&["sync"]).await;
    assert_eq!(second.code, Some(6), "{second:?}");
    assert!(began.elapsed() >= LENGTH, "{:?}", began.elapsed());
    let told = errors(&second.stderr);
    let [what, why, to_do] = &told[0];
    assert!(what.contains("another regcred is at work, and nothing was written"), "{what}");
    assert!(why.contains("regcred sync on ") && why.contains("process ") && why.contains(LEASE), "{why}");
    assert!(to_do.contains("wait until it is done"), "{to_do}");
    let calls: Vec<_> = world.calls().into_iter().skip(before).collect();
    assert_eq!(writes(&calls), Vec::<&str>::new(), "the second wrote something");
    first.kill().await;
}

#[tokio::test]
async fn one_that_died_is_taken_over_within_a_length_and_nobody_is_restarted_twice() {
    let world = two_hosts("one_that_died_is_taken_over");
    at_work(&world).await.kill().await;
    world.client().set_faults(&[]).unwrap();
    assert_ne!(lease(&world).await["holder"], Value::Null, "it could not give it back");
    let began = Instant::now();
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(began.elapsed() >= LENGTH, "it was taken over early: {:?}", began.elapsed());
    assert!(told.stderr.contains("waiting for another regcred"), "{}", told.stderr);
    assert!(world.restarts().values().all(|restarts| *restarts == 1), "{:?}", world.restarts());
    assert_eq!(lease(&world).await["holder"], Value::Null);
}

#[tokio::test]
async fn what_the_one_before_did_meanwhile_is_not_done_again() {
    let world = two_hosts("what_the_one_before_did_meanwhile");
    assert_eq!(world.json(&["sync"]).await.code, 0);
    world.set_harbor_password("harbor-password-of-today");
    // The first stands still when it gives the lease back: all is done.
    world.client().set_faults(&[held(Service::Ssm, "SendCommand", 1)]).unwrap();
    let first = world.regcred(&["sync", "--output", "json"]).start();
    world.until_held("SendCommand").await;
    let second = world.regcred(&["sync", "--output", "json"]).start();
    while !world.calls().iter().any(|call| call.operation == "ListContainerInstances") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The one that is at work is killed; the other goes on where it was.
    first.kill().await;
    world.client().set_faults(&[]).unwrap();
    let ended = second.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(world.restarts().values().all(|restarts| *restarts == 2), "{:?}", world.restarts());
    let calls = world.calls();
    assert_eq!(count(&calls, "PutSecretValue"), 1, "it was stored twice");
}

#[tokio::test]
async fn ctrl_c_gives_the_lease_back() {
    let world = two_hosts("ctrl_c_gives_the_lease_back");
    let first = at_work(&world).await;
    first.signal(Signal::INT);
    assert_eq!(first.end().await.code, Some(130));
    world.client().set_faults(&[]).unwrap();
    assert_eq!(lease(&world).await["holder"], Value::Null);
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(!told.stderr.contains("waiting for another"), "{}", told.stderr);
}

#[tokio::test]
async fn ctrl_c_gives_the_lease_back_also_while_it_is_being_taken_or_given_back() {
    // The first write takes it and the second gives it back: each is cut off, done and not done.
    for (nth, effect) in
        [(1, Effect::HoldAfter), (1, Effect::HoldBefore), (2, Effect::HoldAfter), (2, Effect::HoldBefore)]
    {
        let hosts = vec![host(GOOD[0], "web", Life::Memory)];
        let world = World::start(
            "ctrl_c_gives_the_lease_back_also_while",
            with_hosts(hosts),
            &with_long_lease(&swift()),
        );
        world.sdk().put_object("acme-regcred", LEASE, r#"{"version":1,"holder":null}"#).await;
        world.client().set_faults(&[at_put(LEASE, nth, effect.clone())]).unwrap();
        let pass = world.regcred(&["sync"]).start();
        world.until_held("PutObject").await;
        pass.signal(Signal::INT);
        assert_eq!(pass.end().await.code, Some(130));
        assert_eq!(lease(&world).await["holder"], Value::Null, "{nth}: {effect:?}");
    }
}

#[tokio::test]
async fn a_store_that_refuses_every_write_of_a_free_lease_is_not_asked_for_ever() {
    let world = two_hosts("a_store_that_refuses_every_write");
    let of_lease = Match { key: Some(LEASE.into()), operation: Some("PutObject".into()), ..Match::default() };
    world.client().set_faults(&[Fault { calls: of_lease, effect: Effect::Conflict }]).unwrap();
    let ended = world.run(&["sync"]).await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    let [what, why, to_do] = &errors(&ended.stderr)[0];
    assert!(what.contains("cannot take the lease") && what.contains(LEASE), "{what}");
    assert!(why.contains("refused the write") && to_do.contains("conditional writes"), "{why} {to_do}");
}

#[tokio::test]
async fn whoever_loses_the_lease_stops_between_two_steps_and_the_next_pass_goes_on() {
    let world = two_hosts("whoever_loses_the_lease");
    // While the first host's command is followed, another takes the lease.
    world.client().set_faults(&[held(Service::Ssm, "ListCommandInvocations", 1)]).unwrap();
    let first = world.regcred(&["sync", "--output", "json"]).start();
    world.until_held("ListCommandInvocations").await;
    let theirs = json!({ "version": 1, "holder": {
        "name": "regcred run on another", "id": "theirs", "since": "2026-01-01T00:00:00Z", "length_ms": 100, "renewals": 0,
    }});
    world.sdk().put_object("acme-regcred", LEASE, &theirs.to_string()).await;
    tokio::time::sleep(LENGTH).await;
    world.client().set_faults(&[]).unwrap();
    let ended = first.end().await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let fleet = &report["fleets"][0];
    assert_eq!((&fleet["ending"], &fleet["why"]), (&json!("stopped"), &json!("lease_lost")), "{report:#}");
    assert_eq!(lease(&world).await, theirs, "it gave back what was not its own");
    let restarts = world.restarts();
    assert_eq!((restarts[GOOD[0]] + restarts[GOOD[4]]), 1, "one host first, and no other");

    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(world.restarts().values().all(|restarts| *restarts == 1), "{:?}", world.restarts());
}

#[tokio::test]
async fn a_lease_that_is_none_and_one_that_cannot_be_written_are_told_before_anything_is() {
    let world = two_hosts("a_lease_that_is_none");
    world.sdk().put_object("acme-regcred", LEASE, "{}").await;
    let (told, calls) = {
        let before = world.calls().len();
        let ended = world.run(&["sync"]).await;
        (ended, world.calls().into_iter().skip(before).collect::<Vec<_>>())
    };
    assert_eq!((told.code, writes(&calls)), (Some(4), Vec::new()), "{told:?}");
    let [what, why, to_do] = &errors(&told.stderr)[0];
    assert!(what.contains(LEASE) && why.contains("no lease") && to_do.contains("delete it"), "{told:?}");
    world.sdk().s3.delete_object().bucket("acme-regcred").key(LEASE).send().await.unwrap();
    let mut denied = held_put(LEASE, 1);
    denied.effect = Effect::Deny;
    world.client().set_faults(&[denied]).unwrap();
    let ended = world.run(&["sync"]).await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stderr.contains("s3:PutObject") && ended.stderr.contains(LEASE), "{ended:?}");
}

#[tokio::test]
async fn a_pause_is_honoured_and_shown_and_ends_with_resume() {
    let world = two_hosts("a_pause_is_honoured");
    assert_eq!(world.json(&["sync"]).await.code, 0);
    let told = world.json(&["pause", "--reason", "a change is under way"]).await;
    assert_eq!(
        (told.code, &told.json["paused"]["reason"]),
        (0, &json!("a change is under way")),
        "{told:#?}"
    );
    // With nothing to do it changes nothing.
    assert_eq!(world.json(&["sync"]).await.code, 0);
    world.set_harbor_password("harbor-password-of-today");
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, writes(&calls)), (3, Vec::new()), "{told:#?}");
    assert_eq!(told.json["paused"]["reason"], "a change is under way");
    let harbor = world::find(&told.json["secrets"], "registry", "harbor");
    assert_eq!((&harbor["outcome"], &harbor["why"]), (&json!("held"), &json!("paused")), "{told:#?}");
    let entry = world::find(&told.json["objects"][0]["held"], "registry", "harbor");
    assert_eq!(entry["why"], "paused", "{told:#?}");
    for command in ["sync", "plan", "status"] {
        let said = world.run(&[command]).await.stdout;
        assert!(said.starts_with("PAUSED since 2"), "{command}: {said}");
        assert!(
            said.contains("a change is under way") && said.contains("regcred resume"),
            "{command}: {said}"
        );
    }
    let told = world.json(&["resume"]).await;
    assert_eq!((told.code, &told.json["paused"]), (0, &Value::Null), "{told:#?}");
    assert_eq!(told.json["before"]["reason"], "a change is under way");
    let said = world.run(&["resume"]).await.stdout;
    assert_eq!(said, "It was not paused.\n");
    assert_eq!(world.json(&["sync"]).await.code, 0);
    assert!(world.restarts().values().all(|restarts| *restarts == 2), "{:?}", world.restarts());
    for bad in ["two\nlines", " ", &"long".repeat(60)] {
        assert_eq!(world.run(&["pause", "--reason", bad]).await.code, Some(2), "{bad}");
    }
}

#[tokio::test]
async fn a_pause_whose_answer_was_lost_is_not_told_as_one_before_it() {
    let world = two_hosts("a_pause_whose_answer_was_lost");
    assert_eq!(world.json(&["sync"]).await.code, 0);
    world.client().set_faults(&[at_put(STATE, 1, Effect::DropAfter)]).unwrap();
    let told = world.json(&["pause", "--reason", "mine"]).await;
    assert_eq!((told.code, &told.json["before"]), (0, &Value::Null), "{told:#?}");
    assert_eq!(told.json["paused"]["reason"], "mine");
    world.client().set_faults(&[at_put(STATE, 1, Effect::DropAfter)]).unwrap();
    let told = world.json(&["resume"]).await;
    assert_eq!((told.code, &told.json["before"]["reason"]), (0, &json!("mine")), "{told:#?}");
}

#[tokio::test]
async fn a_pass_that_loses_the_state_to_a_pause_heeds_it_at_once() {
    let hosts = vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)];
    let world =
        World::start("a_pass_that_loses_the_state_to_a_pause", with_hosts(hosts), &with_long_lease(&swift()));
    assert_eq!(world.json(&["sync"]).await.code, 0);
    // Something to write into the state: that the endpoint honours conditions is not known any more.
    let state = world.sdk().object("acme-regcred", STATE).await.0;
    let mut state: Value = serde_json::from_str(&state).unwrap();
    state["conditional_endpoints"] = json!([]);
    world.sdk().put_object("acme-regcred", STATE, &state.to_string()).await;
    world.set_harbor_password("harbor-password-of-today");
    world.client().set_faults(&[held_put(STATE, 1)]).unwrap();
    let before = world.calls().len();
    let pass = world.regcred(&["sync", "--output", "json"]).start();
    world.until_held("PutObject").await;
    assert_eq!(world.json(&["pause"]).await.code, 0);
    world.client().set_faults(&[]).unwrap();
    let ended = pass.end().await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let calls: Vec<_> = world.calls().into_iter().skip(before).collect();
    assert_eq!(count(&calls, "PutSecretValue"), 0, "it was published in a pause");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(world::find(&report["secrets"], "registry", "harbor")["why"], "paused", "{report:#}");
    let state: Value = serde_json::from_str(&world.sdk().object("acme-regcred", STATE).await.0).unwrap();
    assert_ne!(state["pause"], Value::Null, "the pause was lost");
}

#[tokio::test]
async fn a_pause_stops_a_rollout_that_is_under_way_between_two_steps() {
    let world = two_hosts("a_pause_stops_a_rollout");
    world.client().set_faults(&[held(Service::Ssm, "ListCommandInvocations", 1)]).unwrap();
    let pass = world.regcred(&["sync", "--output", "json"]).start();
    world.until_held("ListCommandInvocations").await;
    assert_eq!(world.json(&["pause"]).await.code, 0);
    tokio::time::sleep(LENGTH).await;
    world.client().set_faults(&[]).unwrap();
    let ended = pass.end().await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["fleets"][0]["why"], "paused", "{report:#}");
    assert_eq!(world.restarts().values().sum::<u32>(), 1, "one host first, and no other");
    assert_eq!(lease(&world).await["holder"], Value::Null);
    assert_eq!(world.json(&["resume"]).await.code, 0);
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(hosts_of(&told).values().all(|outcome| outcome == "proven"), "{told:#?}");
    assert!(world.restarts().values().all(|restarts| *restarts == 1), "{:?}", world.restarts());
}
