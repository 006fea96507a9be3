//! `release`: every mark of regcred's goes, everything else stays, and whatever cuts it half-way, the next run ends it.

use std::collections::BTreeMap;

use regcred_sandbox::hosts::{EcsListing, HostSpec, Life};
use regcred_sandbox::{Effect, Fault, Match, Service};
use serde_json::{Value, json};

use crate::world::{self, GOOD, HARBOR_IMAGE, World, fault, host, with_hosts, writes};

/// Six hosts in a cluster, so that one DeleteAttributes does not do, one in another, and one outside ECS's view.
fn hosts() -> Vec<HostSpec> {
    let mut hosts: Vec<HostSpec> = GOOD[..6].iter().map(|id| host(id, "web", Life::Memory)).collect();
    hosts.push(host(GOOD[6], "batch", Life::Memory));
    hosts.push(HostSpec {
        listing: EcsListing::Elsewhere,
        ..host("i-0a1b2c3d4e5f60718", "else", Life::Memory)
    });
    hosts
}

fn config() -> String {
    format!(
        "{}  outside:\n    ecs_config: prod\n    instances: [i-0a1b2c3d4e5f60718]\n    poll_interval: 100ms\n    \
         settle_interval: 100ms\n    settle_timeout: 10s\n    command_timeout: 30s\n    max_unavailable: 100%\n",
        world::swift()
    )
}

/// All that has to stay as it is.
async fn kept(world: &World) -> Value {
    let hosts = world.client().hosts().unwrap();
    let of_hosts: BTreeMap<String, Value> = hosts
        .iter()
        .map(|host| {
            let file = world.client().config(&host.id).ok();
            (host.id.clone(), json!([host.restarts, file, world.pulls_with(&host.id, HARBOR_IMAGE)]))
        })
        .collect();
    let sdk = world.sdk();
    json!({
        "hosts": of_hosts,
        "object": world.object().await,
        "harbor": sdk.secret("ecs/registry/harbor").await,
    })
}

async fn marks(world: &World) -> (Vec<Vec<String>>, Vec<String>, bool) {
    let hosts = world.client().hosts().unwrap();
    let attributes: Vec<Vec<String>> =
        hosts.into_iter().map(|host| host.attributes.into_keys().collect()).collect();
    let sdk = world.sdk();
    let described = sdk.secrets.describe_secret().secret_id("ecs/registry/harbor").send().await.unwrap();
    let tagged = described.tags().iter().any(|tag| tag.key() == Some("regcred:registry"));
    (attributes, sdk.keys("acme-regcred").await, tagged)
}

async fn synced(test: &str) -> World {
    let world = World::start(test, with_hosts(hosts()), &config());
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    world
}

fn is_clean((attributes, keys, tagged): (Vec<Vec<String>>, Vec<String>, bool)) -> bool {
    attributes.iter().all(Vec::is_empty) && keys.is_empty() && !tagged
}

#[tokio::test]
async fn without_a_yes_all_marks_are_named_and_with_it_they_go_and_values_and_files_stay() {
    let world = synced("without_a_yes_all_marks_are_named").await;
    let before = (kept(&world).await, marks(&world).await);
    let (told, calls) = world.watched(&["release"]).await;
    assert_eq!((told.code, writes(&calls)), (3, vec![]), "{told:#?}");
    let named: Vec<&str> =
        told.json["marks"].as_array().unwrap().iter().map(|mark| mark["mark"].as_str().unwrap()).collect();
    let count = |kind| named.iter().filter(|mark| **mark == kind).count();
    assert_eq!((count("attributes"), count("tag")), (7, 3), "{told:#?}");
    assert!(count("object") >= 2, "{told:#?}");
    assert!((kept(&world).await, marks(&world).await) == before);
    let human = world.run(&["release"]).await;
    assert!(human.code == Some(3) && human.stdout.contains("regcred release --yes"), "{human:#?}");

    let told = world.json(&["release", "--yes"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(is_clean(marks(&world).await), "{:#?}", marks(&world).await);
    assert_eq!(kept(&world).await, before.0);
    // Once more is nothing more.
    let (told, calls) = world.watched(&["release", "--yes"]).await;
    assert_eq!((told.code, writes(&calls), &told.json["marks"]), (0, vec![], &json!([])), "{told:#?}");
    let human = world.run(&["release"]).await;
    assert!(human.stdout.contains("nothing is marked"), "{human:#?}");
}

#[tokio::test]
async fn what_was_released_is_a_strangers_until_it_is_adopted() {
    let world = synced("what_was_released_is_a_strangers").await;
    assert_eq!(world.json(&["release", "--yes"]).await.code, 0);
    world.set_harbor_password("another-password-of-harbor");
    let told = world.json(&["plan"]).await;
    let step = world::find(&told.json["secrets"], "name", "ecs/registry/harbor");
    assert_eq!(step["action"], "blocked", "{told:#?}");
    assert!(step["failure"]["remedy"].as_str().unwrap().contains("adopt: true"), "{step:#?}");
}

/// A world in which a release is cut at the `nth` call of an operation, after it was done; and what had to stay.
async fn cut(service: Service, operation: &str, nth: u64) -> (World, Value) {
    let world = synced("cut_at_any_of_its_writes").await;
    let before = kept(&world).await;
    world.client().set_faults(&[nth_of(service, operation, nth, Effect::HoldAfter)]).unwrap();
    let started = world.regcred(&["release", "--yes"]).start();
    world.until_held(operation).await;
    started.kill().await;
    world.client().set_faults(&[]).unwrap();
    (world, before)
}

fn nth_of(service: Service, operation: &str, nth: u64, effect: Effect) -> Fault {
    let Fault { calls, effect } = fault(service, operation, effect);
    Fault { calls: Match { nth: Some(nth), times: Some(1), ..calls }, effect }
}

async fn assert_the_next_run_ends_it(world: &World, before: &Value, at: &str) {
    let told = world.json(&["release", "--yes"]).await;
    assert_eq!(told.code, 0, "{at}: {told:#?}");
    assert!(is_clean(marks(world).await), "{at}: {:#?}", marks(world).await);
    assert_eq!(kept(world).await, *before, "{at}");
}

#[tokio::test]
async fn cut_or_refused_at_any_of_its_writes_the_next_run_ends_it() {
    let world = synced("cut_at_any_of_its_writes_whole").await;
    let (_, calls) = world.watched(&["release", "--yes"]).await;
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    // The lease is renewed as time goes: its writes have no place among the others.
    for call in calls.iter().filter(|call| call.is_write() && call.operation != "PutObject") {
        let (service, operation) = (call.service, call.operation.as_str());
        let nth = seen.entry(operation.to_owned()).or_default();
        *nth += 1;
        let at = format!("{operation} {nth}");
        let (world, before) = cut(service, operation, *nth).await;
        assert_the_next_run_ends_it(&world, &before, &at).await;

        let world = synced("cut_at_any_of_its_writes").await;
        let before = kept(&world).await;
        world.client().set_faults(&[nth_of(service, operation, *nth, Effect::Deny)]).unwrap();
        let told = world.json(&["release", "--yes"]).await;
        assert_eq!(told.code, 4, "{at}: {told:#?}");
        world.client().set_faults(&[]).unwrap();
        // While anything is marked, the objects that go last are there.
        let (_, keys, _) = marks(&world).await;
        assert!(keys.iter().any(|key| key.ends_with("lease.json")), "{at}: {keys:?}");
        assert_the_next_run_ends_it(&world, &before, &at).await;
    }
    let counted: Vec<(&str, u64)> =
        seen.iter().map(|(operation, count)| (operation.as_str(), *count)).collect();
    assert_eq!(counted, [("DeleteAttributes", 3), ("DeleteObject", 3), ("UntagResource", 3)]);
    let (world, before) = cut(Service::S3, "PutObject", 1).await;
    assert_the_next_run_ends_it(&world, &before, "the lease").await;
}

#[tokio::test]
async fn while_another_is_at_work_nothing_is_released() {
    let world = synced("while_another_is_at_work").await;
    world.set_harbor_password("another-password-of-harbor");
    world.client().set_faults(&[world::held(Service::Ssm, "SendCommand", 1)]).unwrap();
    let pass = world.regcred(&["sync"]).start();
    world.until_held("SendCommand").await;
    let before = marks(&world).await;
    let ended = world.run(&["release", "--yes"]).await;
    assert_eq!(ended.code, Some(6), "{ended:#?}");
    assert!(marks(&world).await == before, "{ended:#?}");
    pass.kill().await;
}

#[tokio::test]
async fn what_is_not_this_configurations_is_left_and_what_cannot_be_seen_keeps_the_objects() {
    let world = synced("what_is_not_this_configurations").await;
    let sdk = world.sdk();
    sdk.put_object("acme-regcred", "regcred/notes.txt", "mine").await;
    world.client().set_faults(&[fault(Service::SecretsManager, "DescribeSecret", Effect::Deny)]).unwrap();
    let told = world.json(&["release", "--yes"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    world.client().set_faults(&[]).unwrap();
    let (attributes, keys, tagged) = marks(&world).await;
    assert!(attributes.iter().all(Vec::is_empty) && tagged, "{attributes:?}");
    assert!(keys.contains(&"regcred/state.json".to_owned()), "{keys:?}");
    let tag = aws_sdk_secretsmanager::types::Tag::builder().key("regcred:registry").value("another").build();
    sdk.secrets.tag_resource().secret_id("ecs/registry/harbor").tags(tag).send().await.unwrap();
    let told = world.json(&["release", "--yes"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    let (_, keys, tagged) = marks(&world).await;
    assert_eq!((keys, tagged), (vec!["regcred/notes.txt".to_owned()], true));
    let left = told.json["marks"].as_array().unwrap().iter().filter(|mark| mark["outcome"] == "left");
    assert_eq!(left.count(), 2, "{told:#?}");
}
