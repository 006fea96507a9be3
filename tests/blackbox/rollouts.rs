//! How a rollout goes wrong, and what is not done then.

use regcred_sandbox::hosts::{Behaviour, HostSpec, Life};
use regcred_sandbox::{Effect, Fault, Match, Service};
use serde_json::{Value, json};

use crate::world::{
    self, GOOD, HARBOR_IMAGE, HARBOR_PASSWORD, World, by_name, count, fault, find, host, hosts_of, sha256,
    with_hosts, writes,
};

fn pair() -> Vec<HostSpec> {
    vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)]
}

/// A fault on one call alone.
fn once(service: Service, operation: &str, effect: Effect) -> Fault {
    let Fault { calls, effect } = fault(service, operation, effect);
    Fault { calls: Match { times: Some(1), ..calls }, effect }
}

fn failures(fleet: &Value) -> String {
    fleet["failures"].to_string() + &fleet["failure"].to_string()
}

#[tokio::test]
async fn a_first_host_that_fails_halts_the_rollout_and_nothing_more_is_sent() {
    let mut hosts = pair();
    // The first one by id is the first one to be restarted.
    hosts[0].behaviour = Behaviour::RejectsChangedAuth;
    let world = World::start("a_first_host_that_fails_halts", with_hosts(hosts), &world::swift());
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, &told.json["verdict"]), (5, &json!("halted")), "{told:#?}");
    let fleet = &told.json["fleets"][0];
    assert_eq!(
        (&fleet["ending"], &fleet["why"]["because"]),
        (&json!("halted"), &json!("first_host")),
        "{fleet:#}"
    );
    assert_eq!(
        hosts_of(&told),
        [(GOOD[0].into(), "restored".into()), (GOOD[4].into(), "waiting".into())].into()
    );
    assert_eq!(count(&calls, "SendCommand"), 1);
    assert_eq!(world.restarts()[GOOD[4]], 0);

    // The sick one is known now: the next pass begins with a healthy one, and the object need not be written again.
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, count(&calls, "SendCommand")), (4, 1), "{told:#?}");
    assert_eq!(
        hosts_of(&told),
        [(GOOD[0].into(), "failed_before".into()), (GOOD[4].into(), "proven".into())].into()
    );
    assert!(!writes(&calls).contains(&"PutObject"), "{calls:#?}");
}

#[tokio::test]
async fn a_halted_rollout_says_so_to_a_person() {
    let mut hosts = pair();
    hosts[0].behaviour = Behaviour::ScriptBreaks { exit_code: 1 };
    let world = World::start("a_halted_rollout_says_so", with_hosts(hosts), &world::swift());
    let told = world.run(&["sync"]).await;
    assert_eq!(told.code, Some(5), "{}", told.stderr);
    assert!(told.stdout.contains("HALTED"), "{}", told.stdout);
    assert!(told.stdout.contains(GOOD[0]) && told.stdout.contains(GOOD[4]), "{}", told.stdout);
    assert!(told.stdout.contains("Do not revoke the old password yet"), "{}", told.stdout);
}

#[tokio::test]
async fn more_failures_than_allowed_stop_a_rollout_over_all_its_clusters() {
    // `max_errors` is 2 in the demo: the third one stops it.
    let ids = ["i-00000000000000001", "i-00000000000000002", "i-00000000000000003", "i-00000000000000004"];
    let sick =
        |id: &&str| HostSpec { behaviour: Behaviour::RejectsChangedAuth, ..host(id, "web", Life::Memory) };
    let mut hosts: Vec<HostSpec> = ids.iter().map(sick).collect();
    let well = (10..16).map(|n| host(&format!("i-000000000000000{n}"), "batch", Life::Memory));
    hosts.extend(well);
    hosts[0].behaviour = Behaviour::Normal;
    let config = world::swift().replace("max_unavailable: 50%", "max_unavailable: 1");
    let world = World::start("more_failures_than_allowed", with_hosts(hosts), &config);
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 5, "{told:#?}");
    assert_eq!(told.json["fleets"][0]["why"]["because"], "errors", "{told:#?}");
    let ends = hosts_of(&told);
    assert_eq!(ends.values().filter(|end| *end == "restored").count(), 3, "{ends:#?}");
    assert!(ends.values().any(|end| end == "waiting"), "{ends:#?}");
}

#[tokio::test]
async fn a_throttled_send_is_tried_again() {
    let world = World::start("a_throttled_send_is_tried_again", with_hosts(pair()), &world::swift());
    world.client().set_faults(&[once(Service::Ssm, "SendCommand", Effect::Throttle)]).unwrap();
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    let sends: Vec<_> = calls.iter().filter(|call| call.operation == "SendCommand").collect();
    assert_eq!(sends.len(), 3, "the first one twice");
    assert_eq!(sends[0].response["__type"], "ThrottlingException");
    assert_eq!(sends[0].request, sends[1].request);
    assert!(world.restarts().values().all(|restarts| *restarts == 1));
}

#[tokio::test]
async fn a_send_whose_answer_is_lost_is_not_tried_again_and_the_next_pass_restarts_nobody_twice() {
    let world = World::start("a_send_whose_answer_is_lost", with_hosts(pair()), &world::swift());
    world.client().set_faults(&[once(Service::Ssm, "SendCommand", Effect::DropAfter)]).unwrap();
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(count(&calls, "SendCommand"), 1, "{told:#?}");
    assert_eq!(told.code, 5, "nobody knows of the first host: {told:#?}");
    assert_eq!(hosts_of(&told)[GOOD[0]], "unproven");
    assert_eq!(world.restarts()[GOOD[4]], 0);

    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(hosts_of(&told).values().all(|end| end == "proven"), "{told:#?}");
    assert_eq!(world.restarts(), [(GOOD[0].into(), 1), (GOOD[4].into(), 1)].into());
    assert_eq!(world.pulls_with(GOOD[0], HARBOR_IMAGE), Some(sha256(HARBOR_PASSWORD)));
}

#[tokio::test]
async fn a_server_error_on_a_send_is_not_tried_again() {
    let error = Effect::Error { code: "InternalServerError".into(), status: 500 };
    let world = World::start("a_server_error_on_a_send", with_hosts(pair()), &world::swift());
    world.client().set_faults(&[once(Service::Ssm, "SendCommand", error)]).unwrap();
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, count(&calls, "SendCommand")), (5, 1), "{told:#?}");
    assert_eq!(hosts_of(&told)[GOOD[0]], "unproven", "it may be at work");
}

#[tokio::test]
async fn a_command_that_may_not_be_followed_is_told_at_once_and_its_hosts_are_asked_again_by_the_next_pass() {
    // Hosts are given up after `command_timeout`, the script's own time and some slack: more than ten minutes.
    let world = World::start("a_command_that_may_not_be_followed", with_hosts(pair()), &world::swift());
    world.client().set_faults(&[fault(Service::Ssm, "ListCommandInvocations", Effect::Deny)]).unwrap();
    let began = std::time::Instant::now();
    let (told, calls) = world.watched(&["sync"]).await;
    assert!(began.elapsed() < std::time::Duration::from_secs(60), "{:?}", began.elapsed());
    assert_eq!((told.code, count(&calls, "ListCommandInvocations")), (5, 1), "{told:#?}");
    let line = find(&told.json["fleets"][0]["hosts"], "host", GOOD[0]);
    assert_eq!((&line["outcome"], &line["why"]["because"]), (&json!("unproven"), &json!("not_followed")));
    assert!(failures(&told.json["fleets"][0]).contains("allow ssm:ListCommandInvocations on *"), "{told:#?}");
    assert_eq!(world.restarts()[GOOD[4]], 0, "one host is sent to, not all");

    world.client().set_faults(&[]).unwrap();
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert_eq!(world.restarts(), [(GOOD[0].into(), 1), (GOOD[4].into(), 1)].into());
}

#[tokio::test]
async fn a_missing_cluster_is_named_and_what_is_stored_stays_stored() {
    let config = world::swift().replace("clusters: [web, batch]", "clusters: [web, bacth]");
    let world = World::start("a_missing_cluster_is_named", with_hosts(pair()), &config);
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    let said = told.json["fleets"][0].to_string();
    assert!(said.contains("there is no cluster `bacth`"), "{said}");
    assert!(said.contains("fleets.prod.clusters"), "{said}");
    assert_eq!(by_name(&told.json["objects"], "ecs_config", "outcome")["prod"], "replaced");
}

#[tokio::test]
async fn an_attribute_that_cannot_be_put_costs_no_restart_in_the_next_pass() {
    let world = World::start("an_attribute_that_cannot_be_put", with_hosts(pair()), &world::swift());
    world.client().set_faults(&[fault(Service::Ecs, "PutAttributes", Effect::Deny)]).unwrap();
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    assert!(failures(&told.json["fleets"][0]).contains("allow ecs:PutAttributes"), "{told:#?}");
    world.client().set_faults(&[]).unwrap();
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert_eq!(world.restarts(), [(GOOD[0].into(), 1), (GOOD[4].into(), 1)].into());
}

#[tokio::test]
async fn a_pass_that_was_overtaken_leaves_alone_the_hosts_that_hold_what_is_newer() {
    let world = World::start("a_pass_that_was_overtaken", with_hosts(pair()), &world::swift());
    assert_eq!(world.json(&["sync"]).await.code, 0);

    // A pass that reads everything and then hears of it late; meanwhile another one changes a password, and proves it.
    let late = once(Service::Ecs, "ListContainerInstances", Effect::DelayMs(6_000));
    world.client().add_host(&host(GOOD[1], "web", Life::Memory)).unwrap();
    world.client().set_faults(&[late]).unwrap();
    world.client().clear_calls().unwrap();
    let overtaken = world.json(&["sync"]);
    let other = async {
        // Once the fault has struck, nothing is late any more.
        while !world.calls().iter().any(|call| call.operation == "ListContainerInstances") {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        world.client().set_faults(&[]).unwrap();
        world.set_harbor_password("a-newer-password");
        world.json(&["sync"]).await
    };
    let (overtaken, other) = tokio::join!(overtaken, other);
    assert_eq!(other.code, 0, "{other:#?}");
    let fleet = &overtaken.json["fleets"][0];
    assert_eq!((overtaken.code, &fleet["outcome"], &fleet["why"]), (4, &json!("held"), &json!("superseded")));

    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(
        (told.code, count(&calls, "SendCommand")),
        (0, 0),
        "what was proven is proven still: {told:#?}"
    );
}
