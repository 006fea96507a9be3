//! A plan that is saved, looked at and applied: what it promises, and what happens when the world moved meanwhile.

use regcred_sandbox::hosts::Life;
use regcred_sandbox::{BucketSeed, Options};
use serde_json::Value;

use crate::world::{
    self, Call, GOOD, HARBOR_IMAGE, HARBOR_PASSWORD, Told, World, bare, bucket, find, host, object, sha256,
    with_hosts, writes,
};

const NEW_PASSWORD: &str = "harbor-password-of-today";

/// A synced world in which harbor's password has just changed at its source.
async fn changed(test: &str) -> World {
    let hosts = GOOD[..6].iter().zip(["web", "web", "web", "web", "batch", "batch"]);
    let hosts = hosts.map(|(id, cluster)| host(id, cluster, Life::Memory)).collect();
    let world = World::start(test, with_hosts(hosts), &world::swift());
    assert_eq!(world.json(&["sync"]).await.code, 0);
    world.set_harbor_password(NEW_PASSWORD);
    world
}

async fn save(world: &World) -> String {
    let (told, calls) = world.watched(&["plan", "--out", "saved.json"]).await;
    assert_eq!(told.code, 3, "{told:#?}");
    assert_eq!(writes(&calls), Vec::<&str>::new(), "a plan writes nothing to AWS");
    let saved = std::fs::read_to_string(world.path("saved.json")).expect("the plan was written");
    let parsed: Value = serde_json::from_str(&saved).expect("a plan is JSON");
    assert_eq!(parsed["plan"], told.json, "whoever reviews the file reads what plan printed");
    saved
}

/// Applies the saved plan, which must do nothing, and gives what it said.
async fn refused(world: &World) -> String {
    world.client().clear_calls().expect("the sandbox answers");
    let ended = world.run(&["sync", "--plan", "saved.json"]).await;
    let calls: Vec<Call> = world.calls().into_iter().filter(|call| !call.is_of_host()).collect();
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    assert_eq!(ended.stdout, "");
    assert_eq!(writes(&calls), Vec::<&str>::new(), "{ended:#?}");
    assert!(ended.stderr.contains("to do:   make a new one with `regcred plan --out FILE`"), "{ended:#?}");
    ended.stderr
}

#[tokio::test]
async fn a_saved_plan_holds_no_secret_and_is_applied_as_it_was_reviewed() {
    let world = changed("a_saved_plan_is_applied").await;
    let saved = save(&world).await;
    for secret in [NEW_PASSWORD, HARBOR_PASSWORD, "ghcr-token-of-the-demo", "docker-hub-token-of-the-demo"] {
        assert!(!saved.contains(secret), "{secret}");
    }
    let told = world.json(&["sync", "--plan", "saved.json"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    for id in &GOOD[..6] {
        assert_eq!(world.pulls_with(id, HARBOR_IMAGE), Some(sha256(NEW_PASSWORD)), "{id}");
    }
    // It was made for the world before it: a second time it would do something else.
    let said = refused(&world).await;
    assert!(said.contains("secret ecs/registry/harbor in ambient was written"), "{said}");
}

#[tokio::test]
async fn a_saved_plan_is_not_applied_when_anything_moved_and_what_moved_is_told() {
    let world = changed("a_saved_plan_is_not_applied").await;
    save(&world).await;

    world.set_harbor_password("a-third-one");
    let said = refused(&world).await;
    assert!(said.contains("the source of registry harbor gives another credential"), "{said}");
    world.set_harbor_password(NEW_PASSWORD);

    let sdk = world.sdk();
    let by_hand = format!("{}# by hand\n", world.object().await);
    sdk.put_object("acme-ecs", "prod/ecs.config", &by_hand).await;
    let said = refused(&world).await;
    assert!(said.contains("ecs.config prod was written, or would become another one"), "{said}");

    save(&world).await;
    world.client().add_host(&host(GOOD[6], "batch", Life::Memory)).expect("the sandbox answers");
    let said = refused(&world).await;
    assert!(said.contains(&format!("in fleet prod it would restart {} too", GOOD[6])), "{said}");

    // A host that left is no obstacle: less is done than was reviewed.
    save(&world).await;
    world.client().remove_host(GOOD[6]).expect("the sandbox answers");
    let told = world.json(&["sync", "--plan", "saved.json"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert_eq!(world.pulls_with(GOOD[0], HARBOR_IMAGE), Some(sha256(NEW_PASSWORD)));
}

#[tokio::test]
async fn before_the_first_sync_a_saved_plan_can_be_applied_too() {
    let world = World::start(
        "before_the_first_sync",
        with_hosts(vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)]),
        &world::swift(),
    );
    save(&world).await;
    let told = world.json(&["sync", "--plan", "saved.json"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
}

#[tokio::test]
async fn what_was_named_for_the_plan_is_what_it_is_applied_to() {
    let mut world = changed("what_was_named_for_the_plan").await;
    world.set("DOCKERHUB_TOKEN", "another-docker-hub-token");
    let planned = world.json(&["plan", "--registry", "harbor", "--out", "saved.json"]).await;
    assert_eq!(planned.code, 3, "{planned:#?}");
    let told = world.json(&["sync", "--plan", "saved.json"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    let names: Vec<&Value> =
        told.json["registries"].as_array().unwrap().iter().map(|each| &each["name"]).collect();
    assert_eq!(names, ["harbor"]);
    assert_eq!(world.pulls_with(GOOD[0], HARBOR_IMAGE), Some(sha256(NEW_PASSWORD)));
    let hub = world.pulls_with(GOOD[0], world::DOCKER_HUB_IMAGE);
    assert_eq!(hub, Some(sha256("docker-hub-token-of-the-demo")), "docker hub was not named");
}

#[tokio::test]
async fn a_file_that_is_no_plan_is_refused_in_three_lines() {
    let world = World::start("a_file_that_is_no_plan", bare(), &world::DEMO);
    for (content, why) in [
        (None, "No such file"),
        (Some("password: x"), "it is no plan that regcred saved"),
        (Some("{\"version\": 1}"), "it is no plan that regcred saved"),
        (Some("{\"saved_plan\": 1}"), "it has form 1, and this regcred writes and reads form 2"),
    ] {
        if let Some(content) = content {
            world.write("saved.json", content);
        }
        let ended = world.run(&["sync", "--plan", "saved.json"]).await;
        assert_eq!(ended.code, Some(2), "{ended:#?}");
        assert!(ended.stderr.starts_with("error: cannot read the plan `saved.json`\n"), "{ended:#?}");
        assert!(ended.stderr.contains(why), "{ended:#?}");
        assert_eq!(ended.stderr.lines().count(), 3, "{ended:#?}");
    }
    let ended = world.run(&["sync", "--plan", "saved.json", "--registry", "harbor"]).await;
    assert_eq!(ended.code, Some(2), "a plan says by itself what it is about: {ended:#?}");
    let ended = world.run(&["sync", "--plan", "saved.json", "--retry-rejected"]).await;
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    let ended = world.run(&["plan", "--out", "no/such/folder/saved.json"]).await;
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.stderr.contains("cannot write the plan to `no/such/folder/saved.json`"), "{ended:#?}");
}

/// What a plan says of the one item, and what a sync says of it then.
fn both<'a>(plan: &'a Told, sync: &'a Told, list: &str, member: &str, value: &str) -> [&'a Value; 2] {
    [find(&plan.json[list], member, value), find(&sync.json[list], member, value)]
}

#[tokio::test]
async fn a_plan_promises_nothing_that_a_sync_would_refuse() {
    let buckets: Vec<BucketSeed> =
        vec![BucketSeed { versioned: false, ..bucket("acme-ecs") }, bucket("acme-regcred")];
    let options = Options { buckets, objects: vec![object("ECS_LOGLEVEL=info\n")], ..bare() };
    let world = World::start("a_plan_promises_nothing", options, &world::swift());
    world.sdk().create_secret("ecs/registry/harbor", r#"{"username":"robot","password":"old"}"#, &[]).await;

    let (plan, calls) = world.watched(&["plan"]).await;
    assert_eq!(writes(&calls), Vec::<&str>::new());
    let sync = world.json(&["sync"]).await;
    assert_eq!((plan.code, sync.code), (4, 4));
    for (list, member, value, why) in [
        ("secrets", "registry", "harbor", "it was not made by regcred"),
        ("objects", "ecs_config", "prod", "versioning of bucket `acme-ecs` is off"),
    ] {
        let [planned, synced] = both(&plan, &sync, list, member, value);
        assert_eq!(planned["action"], "blocked", "{planned:#}");
        assert_eq!(planned["failure"], synced["failure"], "{planned:#} {synced:#}");
        assert!(planned["failure"]["why"].as_str().unwrap_or_default().contains(why), "{planned:#}");
    }
}

#[tokio::test]
async fn a_saved_plan_is_not_applied_under_other_settings_and_which_is_told() {
    let config = world::swift();
    let world = changed("a_saved_plan_under_other_settings").await;
    save(&world).await;
    for (from, to, what) in [
        ("key: prod/ecs.config", "key: prod/another.config", "ecs.config prod"),
        ("server: harbor.example.com", "server: harbor2.example.com", "registry harbor"),
        ("name: ecs/registry/harbor,", "name: ecs/registry/harbor, tags: { team: a },", "registry harbor"),
        ("max_errors: 2", "max_errors: 3", "fleet prod"),
        ("bucket: acme-regcred", "bucket: acme-ecs", "the state"),
    ] {
        assert!(config.contains(from), "{from}");
        world.write("regcred.yaml", &config.replace(from, to));
        let said = refused(&world).await;
        assert!(said.contains(&format!("the config says something else of {what}")), "{from}: {said}");
    }
    // Comments and the order of its lines are no settings.
    world.write("regcred.yaml", &format!("# reviewed on Friday\n{config}"));
    let told = world.json(&["sync", "--plan", "saved.json"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
}

#[tokio::test]
async fn a_plan_that_is_written_through_a_link_leaves_the_link() {
    let world = changed("a_plan_through_a_link").await;
    world.write("where/it/is.json", "");
    std::os::unix::fs::symlink(world.path("where/it/is.json"), world.path("saved.json")).unwrap();
    save(&world).await;
    assert!(std::fs::symlink_metadata(world.path("saved.json")).unwrap().is_symlink());
    let told = world.json(&["sync", "--plan", "where/it/is.json"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
}
