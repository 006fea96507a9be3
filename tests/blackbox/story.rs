//! The main job, as an operator would do it: one changed password, carried all the way.

use std::collections::BTreeMap;

use regcred_sandbox::hosts::{Behaviour, Life};
use serde_json::{Value, json};

use crate::world::{
    self, BOTTLEROCKET, Call, DOCKER_HUB_IMAGE, FAILING, GHCR_IMAGE, GOOD, HARBOR_IMAGE, HARBOR_PASSWORD,
    LIAR, OBJECT_HEAD, OFFLINE, QUAY_IMAGE, Told, World, by_name, count, find, host, host_config, hosts_of,
    sha256, with_hosts, writes,
};

const NEW_PASSWORD: &str = "harbor-password-of-today";

/// What the demo's hosts end as in a rollout that tries each of them.
fn ends_of_all() -> BTreeMap<String, String> {
    let mut ends: BTreeMap<String, String> = GOOD.iter().map(|id| ((*id).into(), "proven".into())).collect();
    for (id, end) in
        [(LIAR, "restored"), (FAILING, "restored"), (OFFLINE, "unreachable"), (BOTTLEROCKET, "unsupported")]
    {
        ends.insert(id.into(), end.into());
    }
    ends
}

/// What they are listed as when there is nothing left to try.
fn ends_of_the_rest() -> BTreeMap<String, String> {
    [
        (LIAR, "failed_before"),
        (FAILING, "failed_before"),
        (OFFLINE, "unreachable"),
        (BOTTLEROCKET, "unsupported"),
    ]
    .map(|(id, end)| (id.into(), end.into()))
    .into()
}

fn is_auth_line(line: &str) -> bool {
    line.starts_with("ECS_ENGINE_AUTH_")
}

/// The lines of a file that are not regcred's, whole.
fn other_lines(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !is_auth_line(line)).collect()
}

fn auth_lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| is_auth_line(line)).collect()
}

/// The entries of an ecs.config, by their keys.
fn entries(text: &str) -> Value {
    let data = text.lines().find_map(|line| line.strip_prefix("ECS_ENGINE_AUTH_DATA=")).expect("it has one");
    serde_json::from_str(data).expect("the value is JSON")
}

/// Whether each good host holds this password of harbor, and everything else that the object gives it.
async fn assert_good_hosts_hold(world: &World, password: &str) {
    let object = world.object().await;
    for id in GOOD {
        assert_eq!(world.pulls_with(id, HARBOR_IMAGE), Some(sha256(password)), "{id}");
        assert_eq!(world.pulls_with(id, GHCR_IMAGE), Some(sha256("ghcr-token-of-the-demo")), "{id}");
        assert_eq!(world.pulls_with(id, QUAY_IMAGE), Some(sha256("quay-password")), "{id}");
        let hub = world.pulls_with(id, DOCKER_HUB_IMAGE);
        assert_eq!(hub, Some(sha256("docker-hub-token-of-the-demo")), "{id}");
        let file = world.client().config(id).unwrap();
        assert_eq!(other_lines(&file), other_lines(&host_config(&world.host(id).cluster)), "{id}");
        assert_eq!(auth_lines(&file), auth_lines(&object), "{id}");
    }
}

/// The restarts since `before`, of those hosts that had any.
fn restarted_since(world: &World, before: &BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    let changed = |(id, now): (String, u32)| {
        let count = now - before.get(&id).copied().unwrap_or(0);
        (count > 0).then_some((id, count))
    };
    world.restarts().into_iter().filter_map(changed).collect()
}

/// One restart for each good host. The failing one is restarted into the value and back; the one that lies says so, and
/// counts as its stand-in counts.
fn assert_each_good_host_restarted_once(restarted: &BTreeMap<String, u32>) {
    for id in GOOD {
        assert_eq!(restarted.get(id), Some(&1), "{id}: {restarted:?}");
    }
    assert_eq!(restarted.get(FAILING), Some(&2), "{restarted:?}");
    for id in [OFFLINE, BOTTLEROCKET] {
        assert_eq!(restarted.get(id), None, "{restarted:?}");
    }
}

fn revision(told: &Told) -> String {
    told.json["objects"][0]["revision"].as_str().expect("the object has a revision").to_owned()
}

#[tokio::test]
async fn one_changed_password_is_carried_all_the_way_and_restarts_each_host_once() {
    let hosts = world::twelve(Life::Shell);
    let world =
        World::start("one_changed_password_is_carried_all_the_way", with_hosts(hosts), &world::patient());
    let untouched = world.restarts();

    let (plan, calls) = world.watched(&["plan"]).await;
    assert_eq!(plan.code, 3, "{plan:#?}");
    assert_eq!(writes(&calls), Vec::<&str>::new(), "a plan writes nothing");
    assert_eq!(restarted_since(&world, &untouched), BTreeMap::new());
    let fleet = &plan.json["fleets"][0];
    assert_eq!(fleet["action"], "rollout");
    assert_eq!(fleet["forecast"]["hosts"], 10, "all but the one offline and the one without an ecs.config");

    let (first, calls) = world.watched(&["sync"]).await;
    assert_eq!((first.code, &first.json["verdict"]), (4, &json!("partial")), "{first:#?}");
    assert_eq!(by_name(&first.json["secrets"], "registry", "outcome").len(), 3);
    assert!(
        by_name(&first.json["secrets"], "registry", "outcome").values().all(|outcome| outcome == "created")
    );
    assert_eq!(first.json["objects"][0]["outcome"], "replaced");
    assert_eq!(first.json["objects"][0]["kept"], json!(["quay.io"]));
    assert_eq!(hosts_of(&first), ends_of_all());
    assert_eq!(first.json["revocation"]["safe"], false);
    assert_eq!(count(&calls, "GetCommandInvocation"), 0, "never a call per host");
    assert_each_good_host_restarted_once(&restarted_since(&world, &untouched));
    for id in GOOD {
        assert_eq!(world.host(id).attributes["regcred.revision"], revision(&first), "{id}");
    }
    assert_good_hosts_hold(&world, HARBOR_PASSWORD).await;

    let before = world.restarts();
    let (second, calls) = world.watched(&["sync"]).await;
    assert_eq!(second.code, 4, "what failed and what is offline is still to be told: {second:#?}");
    assert_eq!(writes(&calls), Vec::<&str>::new());
    assert_eq!(hosts_of(&second), ends_of_the_rest());
    let third = world.run(&["sync"]).await;
    assert_eq!(third.code, Some(4), "{}", third.stderr);
    assert!(third.stdout.contains("Nothing was written, and nobody was restarted."), "{}", third.stdout);
    assert_eq!(restarted_since(&world, &before), BTreeMap::new());

    let (sdk, object) = (world.sdk(), world.object().await);
    let other_secret = sdk.secret("ecs/registry/ghcr").await;
    world.set_harbor_password(NEW_PASSWORD);
    let plan = world.json(&["plan"]).await;
    assert_eq!(plan.code, 3);
    let actions = by_name(&plan.json["secrets"], "registry", "action");
    assert_eq!(
        (&*actions["harbor"], &*actions["ghcr"], &*actions["dockerhub"]),
        ("put", "unchanged", "unchanged")
    );
    assert_eq!(find(&plan.json["registries"], "name", "harbor")["change"], "password");

    let (changed, calls) = world.watched(&["sync"]).await;
    assert_eq!(changed.code, 4, "{changed:#?}");
    assert_eq!(hosts_of(&changed), ends_of_all());
    let stored: Vec<&str> = writes(&calls)
        .into_iter()
        .filter(|operation| !["SendCommand", "PutAttributes"].contains(operation))
        .collect();
    assert_eq!(stored, ["PutSecretValue", "UpdateSecretVersionStage", "PutObject"], "only what changed");
    assert_each_good_host_restarted_once(&restarted_since(&world, &before));
    assert_good_hosts_hold(&world, NEW_PASSWORD).await;
    for id in [FAILING, LIAR, OFFLINE, BOTTLEROCKET] {
        assert_eq!(
            world.pulls_with(id, HARBOR_IMAGE),
            Some(sha256(HARBOR_PASSWORD)),
            "{id} goes on as before"
        );
    }

    let (harbor, _) = sdk.secret("ecs/registry/harbor").await.unwrap();
    assert_eq!(harbor, format!(r#"{{"username":"robot","password":"{NEW_PASSWORD}"}}"#));
    assert_eq!(sdk.secret("ecs/registry/ghcr").await, other_secret);
    let now = world.object().await;
    assert_eq!((other_lines(&now), other_lines(&object)), (OBJECT_HEAD.into(), OBJECT_HEAD.into()));
    let foreign = json!({ "auth": "YWNtZTpxdWF5LXBhc3N3b3Jk", "email": "ops@acme.example" });
    assert_eq!(entries(&now)["quay.io"], foreign);
    assert_eq!(entries(&now)["ghcr.io"], entries(&object)["ghcr.io"]);
    assert_ne!(entries(&now)["harbor.example.com"], entries(&object)["harbor.example.com"]);

    // The offline one comes back, and is brought up to date alone.
    let before = world.restarts();
    world.client().set_behaviour(OFFLINE, Behaviour::Normal).unwrap();
    let (caught_up, calls) = world.watched(&["sync"]).await;
    assert_eq!(caught_up.code, 4, "{caught_up:#?}");
    assert_eq!(hosts_of(&caught_up)[OFFLINE], "proven");
    assert_eq!(count(&calls, "SendCommand"), 1);
    assert_eq!(restarted_since(&world, &before), BTreeMap::from([(OFFLINE.to_owned(), 1)]));
    assert_eq!(world.pulls_with(OFFLINE, HARBOR_IMAGE), Some(sha256(NEW_PASSWORD)));
}

#[tokio::test]
async fn a_fleet_without_odd_hosts_converges_and_the_second_sync_writes_nothing_and_says_so() {
    let hosts = vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)];
    let world = World::start("a_fleet_without_odd_hosts_converges", with_hosts(hosts), &world::swift());
    let first = world.run(&["sync"]).await;
    assert_eq!(first.code, Some(0), "{}\n{}", first.stdout, first.stderr);
    assert!(first.stdout.contains("The old password may be revoked"), "{}", first.stdout);
    assert!(!first.stdout.contains("Nothing was written"), "{}", first.stdout);

    world.client().clear_calls().unwrap();
    let second = world.run(&["sync"]).await;
    assert_eq!(second.code, Some(0), "{}\n{}", second.stdout, second.stderr);
    assert_eq!(writes(&world.calls()), Vec::<&str>::new());
    assert!(second.stdout.contains("Nothing was written, and nobody was restarted."), "{}", second.stdout);
    let plan = world.json(&["plan"]).await;
    assert_eq!(plan.code, 0, "{plan:#?}");
    let status = world.json(&["status"]).await;
    assert_eq!((status.code, &status.json["revocation"]["safe"]), (0, &json!(true)), "{status:#?}");
}

#[tokio::test]
async fn a_host_that_joins_is_the_only_one_that_is_restarted() {
    let hosts = vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)];
    let world = World::start("a_host_that_joins", with_hosts(hosts), &world::swift());
    assert_eq!(world.json(&["sync"]).await.code, 0);
    world.client().add_host(&host(GOOD[1], "web", Life::Memory)).unwrap();
    let before = world.restarts();
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(
        (told.code, hosts_of(&told)),
        (0, [(GOOD[1].to_owned(), "proven".to_owned())].into()),
        "{told:#?}"
    );
    assert_eq!(writes(&calls), ["SendCommand", "PutAttributes"]);
    assert_eq!(restarted_since(&world, &before), BTreeMap::from([(GOOD[1].to_owned(), 1)]));
    assert_eq!(world.pulls_with(GOOD[1], HARBOR_IMAGE), Some(sha256(HARBOR_PASSWORD)));
}

#[tokio::test]
async fn a_host_that_failed_is_left_alone_until_somebody_asks_for_it() {
    let hosts = vec![host(GOOD[0], "web", Life::Memory), {
        let behaviour = Behaviour::RejectsChangedAuth;
        regcred_sandbox::hosts::HostSpec { behaviour, ..host(FAILING, "batch", Life::Memory) }
    }];
    let world = World::start("a_host_that_failed_is_left_alone", with_hosts(hosts), &world::swift());
    let first = world.json(&["sync"]).await;
    assert_eq!((first.code, &*hosts_of(&first)[FAILING]), (4, "restored"), "{first:#?}");
    assert_eq!(world.pulls_with(FAILING, HARBOR_IMAGE), Some(sha256(HARBOR_PASSWORD)), "on its old file");

    world.client().set_behaviour(FAILING, Behaviour::Normal).unwrap();
    let before = world.restarts();
    let second = world.json(&["sync"]).await;
    assert_eq!((second.code, &*hosts_of(&second)[FAILING]), (4, "failed_before"), "{second:#?}");
    assert_eq!(restarted_since(&world, &before), BTreeMap::new());
    let plan = world.run(&["plan"]).await;
    assert!(plan.stdout.contains("--retry-failed"), "{}", plan.stdout);

    let third = world.json(&["sync", "--retry-failed"]).await;
    assert_eq!((third.code, &*hosts_of(&third)[FAILING]), (0, "proven"), "{third:#?}");
    assert_eq!(restarted_since(&world, &before), BTreeMap::from([(FAILING.to_owned(), 1)]));
    assert_eq!(world.json(&["sync"]).await.json["fleets"][0]["outcome"], "current");
}

/// Two objects and two fleets, of which one shares a registry with the other.
fn two_fleets() -> String {
    world::swift()
        .replace(
            "\nfleets:\n",
            "  edge: { bucket: acme-ecs, key: edge/ecs.config, registries: [harbor] }\n\nfleets:\n",
        )
        .replace("clusters: [web, batch]", "clusters: [web]")
        + "  edge:
    ecs_config: edge
    clusters: [batch]
    poll_interval: 100ms
    settle_interval: 100ms
    settle_timeout: 10s
"
}

#[tokio::test]
async fn a_registry_and_a_fleet_can_be_named_and_all_else_stays_as_it_is() {
    let hosts = vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)];
    let world = World::start("a_registry_and_a_fleet_can_be_named", with_hosts(hosts), &two_fleets());
    let sdk = world.sdk();

    // One registry: its secret and its entries. The others' entries are not touched, and were never published.
    let told = world.json(&["sync", "--registry", "harbor", "--fleet", "edge"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert_eq!(
        by_name(&told.json["fleets"], "fleet", "outcome"),
        [("edge".into(), "rolled_out".into())].into()
    );
    assert_eq!(sdk.keys("acme-ecs").await, ["edge/ecs.config", "prod/ecs.config"]);
    assert!(sdk.secret("ecs/registry/harbor").await.is_some());
    assert_eq!(sdk.secret("ecs/registry/ghcr").await, None);
    assert_eq!(world.restarts(), [(GOOD[0].into(), 0), (GOOD[4].into(), 1)].into());

    let (told, calls) = world.watched(&["sync", "--registry", "ghcr"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert_eq!(
        by_name(&told.json["registries"], "name", "credential"),
        [("ghcr".into(), "read".into())].into()
    );
    let object = entries(&world.object().await);
    assert!(
        object.get("ghcr.io").is_some() && object.get("https://index.docker.io/v1/").is_none(),
        "{object}"
    );
    assert_eq!(count(&calls, "CreateSecret"), 1);
    assert_eq!(world.restarts(), [(GOOD[0].into(), 1), (GOOD[4].into(), 1)].into(), "the edge has no ghcr");

    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(sdk.secret("ecs/registry/dockerhub").await.is_some());
    assert_eq!(world.restarts(), [(GOOD[0].into(), 2), (GOOD[4].into(), 1)].into());
}

#[tokio::test]
async fn a_source_that_fails_leaves_what_is_published_and_the_others_go_on() {
    let hosts = vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)];
    let mut world = World::start("a_source_that_fails_leaves", with_hosts(hosts), &world::swift());
    assert_eq!(world.json(&["sync"]).await.code, 0);
    let (sdk, before) = (world.sdk(), entries(&world.object().await));
    let harbor = sdk.secret("ecs/registry/harbor").await;

    world.write("secrets/harbor.json", "{\"username\": \"robot\", \"password\": \"half a fi");
    world.set("DOCKERHUB_TOKEN", "another-docker-hub-token");
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, &told.json["verdict"]), (4, &json!("partial")), "{told:#?}");
    assert_eq!(find(&told.json["registries"], "name", "harbor")["credential"], "unreadable");
    let secrets = by_name(&told.json["secrets"], "registry", "outcome");
    assert_eq!(
        (&*secrets["harbor"], &*secrets["dockerhub"], &*secrets["ghcr"]),
        ("held", "replaced", "unchanged")
    );
    assert_eq!(told.json["objects"][0]["held"][0]["why"], "source_failed");
    assert_eq!(count(&calls, "PutSecretValue"), 1);

    assert_eq!(sdk.secret("ecs/registry/harbor").await, harbor);
    let now = entries(&world.object().await);
    assert_eq!(now["harbor.example.com"], before["harbor.example.com"]);
    assert_ne!(now["https://index.docker.io/v1/"], before["https://index.docker.io/v1/"]);
    for id in [GOOD[0], GOOD[4]] {
        assert_eq!(world.pulls_with(id, HARBOR_IMAGE), Some(sha256(HARBOR_PASSWORD)), "{id}");
        assert_eq!(world.pulls_with(id, DOCKER_HUB_IMAGE), Some(sha256("another-docker-hub-token")), "{id}");
    }
    let human = world.run(&["sync"]).await;
    assert!(human.stdout.contains("harbor") && !human.stdout.contains("half a fi"), "{}", human.stdout);
    assert!(calls.iter().all(|call: &Call| call.operation != "DeleteSecret"));
}
