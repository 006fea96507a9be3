//! `verify --hosts`: hosts are asked what they hold, and nothing is changed by asking.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use regcred_sandbox::hosts::{Behaviour, DOCUMENT, HostSpec, Life};
use regcred_sandbox::{DocumentSeed, Effect, Options, Service};
use serde_json::Value;

use crate::world::{
    self, BOTTLEROCKET, Call, FAILING, GOOD, LIAR, OFFLINE, Told, World, count, fault, find, host, twelve,
    with_hosts, writes,
};

/// Asks, and holds the world to what it was: its hosts, their files and attributes, the buckets.
async fn ask(world: &World) -> (Told, Vec<Call>) {
    let look = || async {
        let hosts = world.client().hosts().expect("the sandbox answers");
        let hosts: Vec<_> = hosts
            .into_iter()
            .map(|host| {
                (host.id.clone(), host.restarts, host.attributes, world.client().config(&host.id).ok())
            })
            .collect();
        (hosts, world.object().await, world.sdk().keys("acme-regcred").await)
    };
    let before = look().await;
    let (told, calls) = world.watched(&["verify", "--hosts"]).await;
    assert!(look().await == before, "asking changed something");
    let sent: BTreeSet<&str> = writes(&calls).into_iter().collect();
    assert!(sent.is_subset(&BTreeSet::from(["SendCommand"])), "{sent:?}");
    let modes = calls.iter().filter(|call| call.operation == "SendCommand");
    assert!(modes.into_iter().all(|call| call.request["Parameters"]["Mode"] == serde_json::json!(["probe"])));
    (told, calls)
}

/// What was found of each host of the first fleet.
fn found(told: &Told) -> BTreeMap<&str, (&str, String)> {
    let hosts = told.json["fleets"][0]["hosts"].as_array().expect("its hosts were asked");
    hosts
        .iter()
        .map(|host| (host["host"].as_str().unwrap(), (host["finding"].as_str().unwrap(), said(host))))
        .collect()
}

/// `record_lies not_loaded`, or why nothing is told.
fn said(host: &Value) -> String {
    let named = |list: &Value| {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(|each| each["difference"].as_str()).collect::<Vec<_>>().join(" ")
    };
    match &host["why"] {
        Value::Null => named(&host["differences"]),
        Value::String(why) => why.clone(),
        why => why["because"].as_str().unwrap_or_default().to_owned(),
    }
}

fn two(life: Life) -> Vec<HostSpec> {
    vec![host(GOOD[0], "web", life), host(GOOD[4], "batch", life)]
}

/// Starts it, and waits until it is registered.
fn start_agent(world: &World, id: &str) {
    world.client().start_agent(id).unwrap();
    world.client().advance(Duration::from_mins(1)).unwrap();
    assert!(world.host(id).agent_connected, "{id}");
}

async fn synced(test: &str, life: Life) -> World {
    let config = match life {
        Life::Memory => world::swift(),
        Life::Shell => world::patient(),
    };
    let world = World::start(test, with_hosts(two(life)), &config);
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    world
}

#[tokio::test]
async fn hosts_that_hold_what_is_published_and_recorded_agree() {
    for life in [Life::Memory, Life::Shell] {
        let world = synced(&format!("hosts_that_hold_what_is_published_{life:?}"), life).await;
        let (told, calls) = ask(&world).await;
        assert_eq!((told.code, &told.json["verdict"]), (0, &"converged".into()), "{told:#?}");
        assert_eq!(count(&calls, "SendCommand"), 1);
        let agrees = || ("agrees", String::new());
        assert_eq!(found(&told), BTreeMap::from([(GOOD[0], agrees()), (GOOD[4], agrees())]));
        let host = find(&told.json["fleets"][0]["hosts"], "host", GOOD[0]);
        assert_eq!(host["recorded"], told.json["fleets"][0]["revision"]);
        assert_eq!(host["report"]["object_and_live"], "same");

        let person = world.run(&["verify", "--hosts"]).await;
        assert!(person.stdout.ends_with("2 hosts: 2 agree\n"), "{}", person.stdout);
        assert_eq!(person.stdout.lines().count(), 1);
    }
}

#[tokio::test]
async fn a_file_that_another_tool_put_back_is_found_and_the_way_out_that_is_told_leads_out() {
    let world = synced("a_file_that_another_tool_put_back", Life::Memory).await;
    world.client().write_config(GOOD[0], &world::host_config("web")).unwrap();
    let (told, _) = ask(&world).await;
    assert_eq!(told.code, 3, "{told:#?}");
    assert_eq!(found(&told)[GOOD[0]], ("differs", "file_differs".into()));
    assert_eq!(found(&told)[GOOD[4]].0, "agrees");

    // No sync comes to a host that is on record as right.
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert_eq!(found(&ask(&world).await.0)[GOOD[0]].1, "file_differs");

    let person = world.run(&["verify", "--hosts"]).await;
    let arn = world.host(GOOD[0]).container_instance_arn;
    let way_out = format!(
        "aws ecs delete-attributes --cluster web --attributes \
         name=regcred.revision,targetType=container-instance,targetId={arn}; then regcred sync"
    );
    assert!(person.stdout.contains(&way_out), "{}", person.stdout);
    world.sdk().delete_revision("web", &arn).await;
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert_eq!(world.restarts()[GOOD[0]], 1);
    assert_eq!(ask(&world).await.0.code, 0);
}

#[tokio::test]
async fn an_attribute_that_lies_is_found() {
    for life in [Life::Memory, Life::Shell] {
        let world = synced(&format!("an_attribute_that_lies_{life:?}"), life).await;
        // The file was put back, and the host was started again.
        world.client().stop_agent(GOOD[4]).unwrap();
        world.client().write_config(GOOD[4], &world::host_config("batch")).unwrap();
        let (told, _) = ask(&world).await;
        assert_eq!(found(&told)[GOOD[4]], ("differs", "agent_dead file_differs".into()), "{told:#?}");
        start_agent(&world, GOOD[4]);
        let (told, _) = ask(&world).await;
        assert_eq!(told.code, 3, "{told:#?}");
        assert_eq!(found(&told)[GOOD[4]], ("differs", "record_lies".into()), "{told:#?}");
        assert_eq!(found(&told)[GOOD[0]].0, "agrees");
    }
}

#[tokio::test]
async fn a_host_that_never_loaded_is_told_from_one_that_is_behind() {
    let world = synced("a_host_that_never_loaded", Life::Memory).await;
    for id in [GOOD[0], GOOD[4]] {
        world.client().set_behaviour(id, Behaviour::Offline).unwrap();
    }
    world.set_harbor_password("harbor-password-of-this-year");
    assert_eq!(world.json(&["sync"]).await.code, 4);
    let (told, calls) = ask(&world).await;
    assert_eq!((told.code, count(&calls, "SendCommand")), (4, 0), "{told:#?}");
    assert_eq!(found(&told)[GOOD[0]], ("cannot_tell", "unreachable".into()));

    for id in [GOOD[0], GOOD[4]] {
        world.client().set_behaviour(id, Behaviour::Normal).unwrap();
    }
    let published = world.object().await;
    world.client().write_config(GOOD[0], &format!("ECS_CLUSTER=web\n{published}")).unwrap();
    let (told, _) = ask(&world).await;
    assert_eq!(told.code, 3, "{told:#?}");
    assert_eq!(found(&told)[GOOD[0]], ("differs", "behind not_loaded".into()));
    assert_eq!(found(&told)[GOOD[4]], ("differs", "behind".into()));

    // Somebody restarted it: it is right, and nobody knows.
    world.client().stop_agent(GOOD[0]).unwrap();
    start_agent(&world, GOOD[0]);
    assert_eq!(found(&ask(&world).await.0)[GOOD[0]], ("differs", "not_recorded".into()));
    assert_eq!(world.json(&["sync"]).await.code, 0);
    assert_eq!(ask(&world).await.0.code, 0);
}

#[tokio::test]
async fn every_host_of_a_fleet_is_told_of_the_odd_ones_too() {
    let world =
        World::start("every_host_of_a_fleet_is_told_of", with_hosts(twelve(Life::Memory)), &world::swift());
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    let (told, _) = ask(&world).await;
    assert_eq!(told.code, 4, "{told:#?}");
    let found = found(&told);
    assert_eq!(found.len(), 12);
    for id in GOOD {
        assert_eq!(found[id].0, "agrees", "{id}");
    }
    assert_eq!(found[OFFLINE], ("cannot_tell", "unreachable".into()));
    assert_eq!(found[BOTTLEROCKET], ("unsupported", "bottlerocket".into()));
    for id in [LIAR, FAILING] {
        assert_eq!(found[id], ("differs", "failed_before".into()), "{id}");
    }
    let person = world.run(&["verify", "--hosts"]).await;
    for line in [
        "12 hosts: 8 agree, 2 differ, 1 could not be asked, 1 unsupported",
        "to do: mend what failed there, then regcred sync --retry-failed",
        OFFLINE,
        LIAR,
    ] {
        assert!(person.stdout.contains(line), "{line}: {}", person.stdout);
    }
}

#[tokio::test]
async fn a_fleet_is_asked_fifty_hosts_at_a_time_before_anything_is_known_of_it() {
    let many: Vec<HostSpec> = (0..120).map(|n| host(&format!("i-0{n:016}"), "web", Life::Memory)).collect();
    let config = world::swift().replace("clusters: [web, batch]", "clusters: [web]");
    let world = World::start("a_fleet_is_asked_fifty_hosts_at_a_time", with_hosts(many), &config);
    let (told, calls) = ask(&world).await;
    assert_eq!((told.code, count(&calls, "SendCommand")), (3, 3), "{told:#?}");
    let found = found(&told);
    assert_eq!(found.len(), 120);
    assert!(found.values().all(|found| *found == ("differs", "not_recorded".to_owned())));
}

#[tokio::test]
async fn a_command_that_is_not_allowed_is_told_in_three_lines_with_the_action() {
    let world = synced("a_command_that_is_not_allowed", Life::Memory).await;
    for (operation, why) in [("SendCommand", "not_sent"), ("ListCommandInvocations", "not_followed")] {
        world.client().set_faults(&[fault(Service::Ssm, operation, Effect::Deny)]).unwrap();
        let (told, _) = ask(&world).await;
        assert_eq!(told.code, 4, "{told:#?}");
        assert_eq!(found(&told)[GOOD[0]], ("cannot_tell", why.into()));
        let person = world.run(&["verify", "--hosts"]).await;
        let lines: Vec<&str> = person.stdout.lines().collect();
        let at = lines.iter().position(|line| line.starts_with("error: ")).expect(&person.stdout);
        assert!(lines[at + 1].starts_with("  because: "), "{}", person.stdout);
        assert!(lines[at + 2].contains(&format!("ssm:{operation}")), "{}", person.stdout);
    }
}

#[tokio::test]
async fn a_host_that_may_not_read_the_object_and_a_fleet_without_one_are_told() {
    let world = synced("a_host_that_may_not_read", Life::Memory).await;
    let of_hosts = regcred_sandbox::Fault {
        calls: regcred_sandbox::Match {
            service: Some(Service::S3),
            origin: Some(regcred_sandbox::Origin::Host),
            ..regcred_sandbox::Match::default()
        },
        effect: Effect::Deny,
    };
    world.client().set_faults(&[of_hosts]).unwrap();
    let (told, _) = ask(&world).await;
    assert_eq!(
        (told.code, &found(&told)[GOOD[0]]),
        (4, &("cannot_tell", "object_unread".into())),
        "{told:#?}"
    );
    world.client().set_faults(&[fault(Service::S3, "GetObject", Effect::Deny)]).unwrap();
    let refused = world.run(&["verify", "--hosts"]).await;
    assert_eq!(refused.code, Some(4), "{}{}", refused.stdout, refused.stderr);
    assert!(format!("{}{}", refused.stdout, refused.stderr).contains("s3:GetObject"), "{}", refused.stderr);
}

#[tokio::test]
async fn another_document_than_ours_is_sent_to_nobody() {
    let options = with_hosts(two(Life::Memory));
    let altered = DOCUMENT.replacen("\"set -eu\"", "\"set -eu; :\"", 1);
    let documents =
        options.documents.iter().map(|seed| DocumentSeed { content: altered.clone(), ..seed.clone() });
    let options = Options { documents: documents.collect(), ..options };
    let world = World::start("another_document_than_ours", options, &world::swift());
    let (told, calls) = ask(&world).await;
    assert_eq!((told.code, count(&calls, "SendCommand")), (4, 0), "{told:#?}");
    assert_eq!(found(&told)[GOOD[0]], ("cannot_tell", "not_sent".into()));
    let failure = &told.json["fleets"][0]["failures"][0];
    assert_eq!(failure["what"], "cannot look at hosts of fleet `prod`");
    assert!(failure["remedy"].to_string().contains("aws ssm update-document"), "{failure}");
}

#[tokio::test]
async fn asking_hosts_and_trying_what_is_published_are_two_commands() {
    let world = World::start("asking_hosts_and_trying", with_hosts(Vec::new()), &world::swift());
    let refused = world.run(&["verify", "--hosts", "--published"]).await;
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
}
