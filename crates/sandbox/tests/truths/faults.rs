//! Faults, and what of a call is left when one strikes.

use std::thread;
use std::time::{Duration, Instant};

use regcred_sandbox::hosts::HostSpec;
use regcred_sandbox::{Effect, Fault, Match, Options, Service};
use serde_json::{Value, json};

use crate::world::{World, host_id, refused, some_secret};

fn strike(world: &World, calls: Match, effect: Effect) {
    world.control.set_faults(&[Fault { calls, effect }]).unwrap();
}

fn once(service: Service, operation: &str) -> Match {
    Match { service: Some(service), operation: Some(operation.into()), times: Some(1), ..Match::default() }
}

fn exists(world: &World, name: &str) -> bool {
    world.admin.secrets_manager("DescribeSecret", json!({"SecretId": name})).status == 200
}

fn log(world: &World) -> Vec<Value> {
    world.control.calls().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn send(world: &World, name: &str) -> Result<u16, ()> {
    let body = some_secret(name).to_string();
    let headers =
        [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "secretsmanager.CreateSecret")];
    let reply = world.admin.send("secretsmanager", "POST", "/", &headers, body.as_bytes());
    reply.map(|reply| reply.status).map_err(drop)
}

#[test]
fn throttles_and_denials_are_said_in_each_services_words() {
    let world = World::with_bucket("fault-words");
    for (effect, json_code, s3, sts) in [
        (Effect::Throttle, "ThrottlingException", (503, "SlowDown"), (400, "Throttling")),
        (Effect::Deny, "AccessDeniedException", (403, "AccessDenied"), (403, "AccessDenied")),
    ] {
        strike(&world, Match::default(), effect);
        assert_eq!(world.admin.secrets_manager("ListSecrets", json!({})).refusal(), refused(json_code));
        assert_eq!(world.admin.ecs("ListClusters", json!({})).refusal(), refused(json_code));
        assert_eq!(world.admin.put("/acme/k", &[], "").refusal(), (s3.0, s3.1.into()));
        assert_eq!(world.admin.sts("GetCallerIdentity", &[]).refusal(), (sts.0, sts.1.into()));
    }
    world.control.set_faults(&[]).unwrap();
    assert_eq!(world.admin.get("/acme/k").status, 404, "nothing was done");
}

#[test]
fn a_conflict_is_s3s_409_and_nothing_is_written() {
    let world = World::with_bucket("fault-conflict");
    strike(&world, once(Service::S3, "PutObject"), Effect::Conflict);
    let put = || world.admin.put("/acme/k", &[("if-none-match", "*")], "1");
    assert_eq!(put().refusal(), (409, "ConditionalRequestConflict".into()));
    assert_eq!(put().status, 200);
}

#[test]
fn a_dropped_call_was_done_or_not_as_the_fault_says() {
    let world = World::empty("fault-drop");
    strike(&world, once(Service::SecretsManager, "CreateSecret"), Effect::DropBefore);
    assert_eq!(send(&world, "before"), Err(()));
    strike(&world, once(Service::SecretsManager, "CreateSecret"), Effect::DropAfter);
    assert_eq!(send(&world, "after"), Err(()));
    let log = log(&world);
    assert_eq!((&log[0]["status"], &log[0]["response"]), (&Value::Null, &Value::Null));
    assert_eq!((&log[1]["status"], &log[1]["response"]["Name"]), (&json!(200), &json!("after")));
    assert!(!exists(&world, "before"));
    assert!(exists(&world, "after"));
}

#[test]
fn a_held_call_is_told_and_ends_when_it_is_released() {
    let world = World::empty("fault-hold");
    for (effect, done) in [(Effect::HoldBefore, false), (Effect::HoldAfter, true)] {
        strike(&world, once(Service::SecretsManager, "CreateSecret"), effect);
        let name = format!("held-{done}");
        thread::scope(|scope| {
            let caller = scope.spawn(|| send(&world, &name));
            let begun = Instant::now();
            let held = loop {
                match world.control.held().unwrap().pop() {
                    Some(held) => break held,
                    None => assert!(begun.elapsed() < Duration::from_secs(10), "the call is not held"),
                }
            };
            assert_eq!((held.operation.as_str(), held.done), ("CreateSecret", done));
            assert!(!caller.is_finished());
            assert_eq!(exists(&world, &name), done);
            world.control.set_faults(&[]).unwrap();
            assert_eq!(caller.join().unwrap(), Err(()));
        });
        assert!(world.control.held().unwrap().is_empty());
    }
}

#[test]
fn a_delayed_answer_is_late_and_right() {
    let world = World::empty("fault-delay");
    strike(&world, once(Service::SecretsManager, "CreateSecret"), Effect::DelayMs(200));
    let begun = Instant::now();
    assert_eq!(send(&world, "a"), Ok(200));
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[test]
fn the_nth_call_of_any_kind_is_struck() {
    let world = World::empty("fault-nth");
    strike(&world, Match { nth: Some(3), times: Some(1), ..Match::default() }, Effect::Throttle);
    let identity = || world.admin.sts("GetCallerIdentity", &[]).status;
    let secrets = || world.admin.secrets_manager("ListSecrets", json!({})).status;
    assert_eq!([identity(), secrets(), identity(), secrets()], [200, 200, 400, 200]);
}

#[test]
fn an_attribute_is_seen_late() {
    let hosts = vec![HostSpec::new(host_id(1), "web")];
    let world = World::start("fault-late", Options { hosts, ..Options::default() });
    strike(&world, once(Service::Ecs, "PutAttributes"), Effect::LateVisibilityMs(60_000));
    let listed = |filter: &str| {
        let body = json!({"cluster": "web", "filter": filter});
        let answer = world.admin.ecs("ListContainerInstances", body).ok();
        answer["containerInstanceArns"].as_array().unwrap().clone()
    };
    let arn = listed("agentConnected == true")[0].clone();
    let attributes = json!([{"name": "a", "value": "b", "targetId": arn}]);
    world.admin.ecs("PutAttributes", json!({"cluster": "web", "attributes": attributes})).ok();
    assert!(listed("attribute:a exists").is_empty());
    world.control.advance(Duration::from_mins(1)).unwrap();
    assert_eq!(listed("attribute:a exists"), [arn]);
}
