//! Copies of a secret in other Regions: asked for once, seen until they are in sync, and written to by nobody.

use regcred_sandbox::{Effect, Fault, KeySeed, Match, Service};
use serde_json::{Value, json};

use crate::sdk::Aws;
use crate::tools::AwsEnvironment;
use crate::world::{self, ACCOUNT, HARBOR_PASSWORD, UNTRIED, World, bare, count, find, writes};

const NAME: &str = "ecs/registry/harbor";

fn config(more: &str) -> String {
    format!(
        "locations: {{ eu: {{ region: eu-west-1 }} }}
state: {{ bucket: acme-regcred }}
registries:
  harbor:
    server: harbor.example.com
    source: {{ file: {{ path: secrets/harbor.json }} }}
    secret: {{ name: {NAME}{more} }}
    {UNTRIED}
"
    )
}

fn copied() -> String {
    config(", replicate_to: [us-east-1, ap-south-1]")
}

/// The clients of the account's administrator in another Region.
fn in_region(world: &World, region: &str) -> Aws {
    let endpoint = world.endpoint();
    Aws::new(&AwsEnvironment {
        endpoint: &endpoint,
        region,
        access_key_id: "test",
        secret_access_key: regcred_sandbox::STATIC_SECRET_KEY,
    })
}

/// The state of each copy of the one secret, in the order of the configuration.
fn copies(result: &Value) -> Vec<&str> {
    let copies = result["secrets"][0]["replicas"].as_array().map(Vec::as_slice).unwrap_or_default();
    copies.iter().map(|copy| copy["state"].as_str().unwrap_or_default()).collect()
}

fn copy<'a>(result: &'a Value, region: &str) -> &'a Value {
    find(&result["secrets"][0]["replicas"], "region", region)
}

#[tokio::test]
async fn a_secret_is_copied_and_its_copies_follow_and_one_look_a_pass_is_all_they_cost() {
    let world = World::start("a_secret_is_copied", bare(), &copied());
    let plan = world.json(&["plan"]).await;
    assert_eq!((plan.code, copies(&plan.json)), (3, vec!["missing", "missing"]), "{plan:#?}");
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, copies(&told.json)), (0, vec!["in_sync", "in_sync"]), "{told:#?}");
    assert_eq!(told.json["secrets"][0]["outcome"], "created");
    assert_eq!(count(&calls, "ReplicateSecretToRegions"), 1);
    for region in ["us-east-1", "ap-south-1"] {
        let (value, _) = in_region(&world, region).secret(NAME).await.unwrap();
        assert!(value.contains(HARBOR_PASSWORD), "{region}");
    }

    // A changed password reaches the copies by the primary alone.
    world.set_harbor_password("another-password");
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, copies(&told.json)), (0, vec!["in_sync", "in_sync"]), "{told:#?}");
    assert_eq!(writes(&calls), ["PutSecretValue", "UpdateSecretVersionStage"]);
    assert!(calls.iter().all(|call| call.region.is_empty() || call.region == "eu-west-1"), "{calls:#?}");
    let (value, _) = in_region(&world, "us-east-1").secret(NAME).await.unwrap();
    assert!(value.contains("another-password"));

    for command in ["sync", "plan", "status"] {
        let (told, calls) = world.watched(&[command]).await;
        assert_eq!((told.code, writes(&calls)), (0, Vec::<&str>::new()), "{command}: {told:#?}");
        assert_eq!(count(&calls, "DescribeSecret"), 1, "{command}");
        assert_eq!(copies(&told.json), ["in_sync", "in_sync"], "{command}");
    }
    let status = world.json(&["status"]).await;
    assert_eq!(status.json["revocation"]["safe"], true, "{status:#?}");

    // A Region that is added later is the only one that is asked for.
    world.write("regcred.yaml", &config(", replicate_to: [us-east-1, ap-south-1, us-west-2]"));
    let plan = world.json(&["plan"]).await;
    assert_eq!((plan.code, &plan.json["secrets"][0]["action"]), (3, &json!("replicate")), "{plan:#?}");
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, &told.json["secrets"][0]["outcome"]), (0, &json!("replicated")), "{told:#?}");
    assert_eq!(writes(&calls), ["ReplicateSecretToRegions"]);
    let asked = calls.iter().find(|call| call.operation == "ReplicateSecretToRegions").unwrap();
    assert_eq!(asked.request["AddReplicaRegions"], json!([{"Region": "us-west-2"}]));
}

#[tokio::test]
async fn a_copy_that_fails_or_lags_is_told_and_the_old_password_is_not_to_be_revoked() {
    let own = KeySeed {
        alias: "alias/own".into(),
        account: ACCOUNT.into(),
        region: "eu-west-1".into(),
        enabled: true,
    };
    let options = regcred_sandbox::Options { keys: vec![own.clone()], ..bare() };
    let with_key = config(", kms_key: alias/own, replicate_to: [us-east-1, ap-south-1]");
    let world = World::start("a_copy_that_fails_or_lags", options, &with_key);
    // Another secret has the name in the one Region, and the key is missing in both.
    let us = in_region(&world, "us-east-1");
    us.create_secret(NAME, "somebody-elses", &[]).await;
    let told = world.json(&["sync"]).await;
    assert_eq!((told.code, copies(&told.json)), (4, vec!["failed", "failed"]), "{told:#?}");
    assert_eq!(told.json["secrets"][0]["outcome"], "created", "the secret itself is there");
    assert_eq!(told.json["revocation"]["safe"], false);
    let failure = &copy(&told.json, "us-east-1")["failure"];
    let line = |failure: &Value, member: &str| failure[member].as_str().unwrap_or_default().to_owned();
    assert!(line(failure, "what").contains("in eu (eu-west-1) to us-east-1"), "{failure:#}");
    assert!(line(failure, "why").contains("already exists in this region"), "{failure:#}");
    assert!(line(failure, "remedy").contains("delete it there"), "{failure:#}");
    assert!(line(&copy(&told.json, "ap-south-1")["failure"], "why").contains("KMS key"));
    assert_eq!(us.secret(NAME).await.unwrap().0, "somebody-elses", "nothing is overwritten");

    // What failed is asked for again by each pass, and made once its cause is gone.
    for region in ["us-east-1", "ap-south-1"] {
        let key = KeySeed { region: region.into(), ..own.clone() };
        world.client().put("PUT", "keys", &key).unwrap();
    }
    us.secrets.delete_secret().secret_id(NAME).force_delete_without_recovery(true).send().await.unwrap();
    let told = world.json(&["sync"]).await;
    assert_eq!((told.code, copies(&told.json)), (0, vec!["in_sync", "in_sync"]), "{told:#?}");

    // A copy that takes longer than a pass waits for it is drift, and nothing is asked for twice.
    let late = |operation: &str| Fault {
        calls: Match {
            service: Some(Service::SecretsManager),
            operation: Some(operation.into()),
            ..Match::default()
        },
        effect: Effect::LateVisibilityMs(3_600_000),
    };
    world.client().set_faults(&[late("UpdateSecretVersionStage")]).unwrap();
    world.set_harbor_password("another-password");
    let told = world.json(&["sync"]).await;
    assert_eq!((told.code, copies(&told.json)), (4, vec!["in_progress", "in_progress"]), "{told:#?}");
    assert_eq!(told.json["revocation"]["safe"], false);
    let (status, calls) = world.watched(&["status"]).await;
    assert_eq!((status.code, copies(&status.json)), (3, vec!["in_progress", "in_progress"]), "{status:#?}");
    assert_eq!(count(&calls, "ReplicateSecretToRegions"), 0);
    let shown = world.run(&["status"]).await;
    assert!(shown.stdout.contains("in us-east-1 is not in sync yet"), "{}", shown.stdout);
    world.client().advance(std::time::Duration::from_hours(1)).unwrap();
    assert_eq!(world.json(&["status"]).await.code, 0);
}

#[tokio::test]
async fn a_copy_is_never_written_to_even_if_it_is_named_as_a_location() {
    let world = World::start("a_copy_is_never_written_to", bare(), &copied());
    assert_eq!(world.json(&["sync"]).await.code, 0);
    let there = config(", locations: [us]")
        .replace("{ eu: { region: eu-west-1 }", "{ eu: { region: eu-west-1 }, us: { region: us-east-1 }")
        .replace("bucket: acme-regcred", "bucket: acme-regcred, location: eu");
    world.write("regcred.yaml", &there);
    world.set_harbor_password("another-password");
    let plan = world.json(&["plan"]).await;
    assert_eq!(plan.json["secrets"][0]["action"], "blocked", "{plan:#?}");
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    let failure = &told.json["secrets"][0]["failure"];
    assert!(
        failure["why"].as_str().unwrap_or_default().contains("copy of the secret in eu-west-1"),
        "{failure:#}"
    );
    assert!(failure["remedy"].as_str().unwrap_or_default().contains("replicate_to"), "{failure:#}");
    assert_eq!(count(&calls, "PutSecretValue"), 0);
}

#[tokio::test]
async fn a_copy_that_may_not_be_asked_for_is_told_by_its_action_and_the_secret_is_published() {
    let world = World::start("a_copy_that_may_not_be_asked_for", bare(), &copied());
    let denied = world::fault(Service::SecretsManager, "ReplicateSecretToRegions", Effect::Deny);
    world.client().set_faults(&[denied]).unwrap();
    let told = world.json(&["sync"]).await;
    assert_eq!((told.code, copies(&told.json)), (4, vec!["unknown", "unknown"]), "{told:#?}");
    assert_eq!(told.json["secrets"][0]["outcome"], "created");
    let remedy = &copy(&told.json, "us-east-1")["failure"]["remedy"];
    let expected = "secretsmanager:ReplicateSecretToRegions";
    assert!(remedy.as_str().unwrap_or_default().contains(expected), "{told:#?}");
}
