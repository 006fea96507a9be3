//! What an operator may have got wrong, or AWS may be short of: each is three lines that name it and the way out, and
//! spoils nothing beside it. (Sources, registries, hosts and stores have tests of their own.)

use regcred_sandbox::hosts::Life;
use regcred_sandbox::{Effect, Service};
use serde_json::json;

use crate::world::{self, DEMO, GOOD, World, bare, by_name, fault, find, host, object, with_hosts};

/// The failures that a text for people tells, each as one text.
fn failures(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = lines.iter().enumerate().filter(|(_, line)| line.starts_with("error: "));
    starts.map(|(n, _)| lines[n..(n + 3).min(lines.len())].join("\n")).collect()
}

/// The demo's stores alone.
fn stores() -> &'static str {
    DEMO.split_once("fleets:\n").expect("it has fleets").0
}

#[tokio::test]
async fn each_wrong_place_is_named_with_what_to_do_about_it() {
    // What is wrong, the config with it, and what the failure says.
    let cases: [(&str, String, [&str; 3]); 4] = [
        (
            "a bucket that is not there",
            stores().replace("bucket: acme-ecs", "bucket: acme-nowhere"),
            [
                "`s3://acme-nowhere/prod/ecs.config`",
                "NoSuchBucket",
                "create arn:aws:s3:::acme-nowhere, or correct",
            ],
        ),
        (
            "a state bucket that is not there",
            stores().replace("bucket: acme-regcred", "bucket: acme-nowhere"),
            ["`s3://acme-nowhere/regcred/", "NoSuchBucket", "create arn:aws:s3:::acme-nowhere, or correct"],
        ),
        (
            "a key for a secret that is not there",
            stores().replace(
                "{ name: ecs/registry/ghcr }",
                "{ name: ecs/registry/ghcr, kms_key: alias/nobodys }",
            ),
            ["`ecs/registry/ghcr`", "EncryptionFailure: the KMS key", "correct `kms_key` in the config"],
        ),
        (
            "a key for an object that is not there",
            stores().replace("bucket: acme-ecs,", "bucket: acme-ecs, kms_key: alias/nobodys,"),
            [
                "`s3://acme-ecs/prod/ecs.config`",
                "KMS.NotFoundException: the KMS key",
                "correct `kms_key` in the config",
            ],
        ),
    ];
    for (wrong, config, said) in cases {
        assert_ne!(config, stores(), "{wrong}");
        let world = World::start("each_wrong_place_is_named", bare(), &config);
        let ended = world.run(&["sync"]).await;
        assert_eq!(ended.code, Some(4), "{wrong}: {ended:#?}");
        let told = failures(&format!("{}\n{}", ended.stdout, ended.stderr));
        let is_told = |failure: &String| said.iter().all(|part| failure.contains(part));
        assert!(told.iter().any(is_told), "{wrong}: {told:#?}");
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_encrypted_spoils_no_other() {
    let config = stores()
        .replace("{ name: ecs/registry/ghcr }", "{ name: ecs/registry/ghcr, kms_key: alias/nobodys }");
    let world = World::start("a_secret_that_cannot_be_encrypted", bare(), &config);
    let told = world.json(&["sync"]).await;
    let outcomes = by_name(&told.json["secrets"], "registry", "outcome");
    assert_eq!(outcomes["dockerhub"], "created");
    assert_eq!(outcomes["harbor"], "created");
    assert_eq!(outcomes["ghcr"], "failed");
    assert_eq!(find(&told.json["objects"], "ecs_config", "prod")["outcome"], "created", "{told:#?}");
}

#[tokio::test]
async fn a_call_that_is_throttled_on_every_try_is_left_to_the_next_pass() {
    let world = World::start("a_call_that_is_throttled", with_hosts(Vec::new()), stores());
    world
        .client()
        .set_faults(&[fault(Service::SecretsManager, "BatchGetSecretValue", Effect::Throttle)])
        .unwrap();
    let ended = world.run(&["sync"]).await;
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    let told = failures(&ended.stdout);
    assert!(told.iter().any(|failure| failure.contains("was throttled on every try")), "{told:#?}");
    assert!(
        told.iter().any(|failure| failure.contains("to do:   nothing: the next pass tries again")),
        "{told:#?}"
    );
    world.client().set_faults(&[]).unwrap();
    assert_eq!(world.json(&["sync"]).await.code, 0);
}

#[tokio::test]
async fn an_ecs_config_that_somebody_broke_is_mended_and_its_other_lines_stay() {
    let broken = "ECS_LOGLEVEL=info\nECS_ENGINE_AUTH_TYPE=\"dockercfg\"\nECS_ENGINE_AUTH_DATA={\"quay.io\": {\"auth\"\n# end";
    let options = regcred_sandbox::Options { objects: vec![object(broken)], ..bare() };
    let world = World::start("an_ecs_config_that_somebody_broke", options, stores());
    let told = world.json(&["sync"]).await;
    assert_eq!((told.code, &told.json["objects"][0]["outcome"]), (0, &json!("replaced")), "{told:#?}");
    let text = world.object().await;
    assert!(text.starts_with("ECS_LOGLEVEL=info\n") && text.contains("# end"), "{text}");
    assert!(text.contains("ECS_ENGINE_AUTH_TYPE=dockercfg\n"), "{text}");
    assert!(text.contains("harbor.example.com"), "{text}");
}

#[tokio::test]
async fn ten_mistakes_in_a_config_are_ten_failures_at_once() {
    let config = "\
state: { bucket: Acme_Regcred, prefix: regcred }
registries:
  harbor:
    server: 123456789012.dkr.ecr.eu-west-1.amazonaws.com
    source_timeout: 5 minutes
    source: { file: { pth: secrets/harbor.json } }
  hub:
    server: https://docker.io
    source: { env: { username: hub-user, password: HUB_PASSWORD } }
    secrt: { name: x }
ecs_configs:
  prod: { bucket: acme-ecs, key: /prod/ecs.config, registries: [harbor, hubb] }
fleets:
  prod: { ecs_config: prdo, clusters: [], max_unavailable: 0% }
";
    let world = World::start("ten_mistakes_in_a_config", bare(), config);
    let ended = world.run(&["check"]).await;
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    let told = failures(&ended.stdout);
    assert!(told.len() >= 10, "{} are told: {told:#?}", told.len());
    for failure in &told {
        assert!(failure.contains("\n  because: ") && failure.contains("\n  to do:   "), "{failure}");
    }
}

#[tokio::test]
async fn two_passes_at_once_end_in_one_truth() {
    let hosts = GOOD[..4].iter().map(|id| host(id, "web", Life::Memory)).chain([host(
        GOOD[4],
        "batch",
        Life::Memory,
    )]);
    let world = World::start("two_passes_at_once", with_hosts(hosts.collect()), &world::swift());
    let (one, other) = tokio::join!(world.run(&["sync"]), world.run(&["sync"]));
    for ended in [&one, &other] {
        assert!(matches!(ended.code, Some(0 | 4 | 5 | 6)), "{ended:#?}");
    }
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    for (id, restarts) in world.restarts() {
        assert!(restarts <= 1, "{id} was restarted {restarts} times for one revision");
    }
}
