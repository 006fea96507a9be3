//! What regcred will not write, and why; and what becomes of a write that another writer came before.

use std::time::{Duration, Instant};

use regcred_sandbox::control::OwningService;
use regcred_sandbox::hosts::Life;
use regcred_sandbox::{Effect, Fault, Match, Options, Role, Service, Statement, Trust};
use serde_json::{Value, json};

use crate::sdk::Aws;
use crate::world::{
    self, ACCOUNT, GOOD, HARBOR_IMAGE, HARBOR_PASSWORD, REGION, UNTRIED, World, bare, by_name, count, fault,
    find, host, hosts_of, object, sha256, with_hosts, writes,
};

const OWNER: &str = "regcred:registry";

/// One registry with a secret for each name, all from the one file of harbor, and an object that holds them all.
fn config(names: &[&str]) -> String {
    let mut text = "state: { bucket: acme-regcred }\nregistries:\n".to_owned();
    for name in names {
        text += &format!(
            "  {name}:\n    server: {name}.example.com\n    source: {{ file: {{ path: secrets/harbor.json }} }}\n    \
             secret: {{ name: ecs/registry/{name} }}\n    {UNTRIED}\n"
        );
    }
    text + &format!(
        "ecs_configs:\n  prod: {{ bucket: acme-ecs, key: prod/ecs.config, registries: [{}] }}\n",
        names.join(", ")
    )
}

fn failure<'a>(list: &'a Value, member: &str, value: &str) -> &'a Value {
    let item = find(list, member, value);
    assert_eq!(item["outcome"], "failed", "{item:#}");
    &item["failure"]
}

/// The remedy of a failure has to name the way out.
fn assert_says(failure: &Value, why: &str, remedy: &str) {
    let text = |member: &str| failure[member].as_str().unwrap_or_default().to_owned();
    assert!(text("why").contains(why), "{failure:#}");
    assert!(text("remedy").contains(remedy), "{failure:#}");
}

#[tokio::test]
async fn a_secret_that_is_not_ours_to_write_is_refused_with_the_way_out_and_the_others_are_published() {
    let names = ["ours", "foreign", "other", "rotated", "deleted", "managed"];
    let world = World::start("a_secret_that_is_not_ours", bare(), &config(&names));
    let (sdk, old) = (world.sdk(), r#"{"username":"robot","password":"old"}"#);
    sdk.create_secret("ecs/registry/foreign", old, &[]).await;
    sdk.create_secret("ecs/registry/other", old, &[(OWNER, "somebody-else")]).await;
    for name in ["rotated", "deleted", "managed"] {
        sdk.create_secret(&format!("ecs/registry/{name}"), old, &[(OWNER, name)]).await;
    }
    let rotation = sdk.secrets.rotate_secret().secret_id("ecs/registry/rotated");
    let rules =
        aws_sdk_secretsmanager::types::RotationRulesType::builder().automatically_after_days(30).build();
    rotation
        .rotation_lambda_arn("arn:aws:lambda:eu-west-1:111111111111:function:rotate")
        .rotation_rules(rules)
        .rotate_immediately(false)
        .send()
        .await
        .expect("the secret is there");
    sdk.secrets.delete_secret().secret_id("ecs/registry/deleted").send().await.expect("the secret is there");
    let service = OwningService {
        account: ACCOUNT.into(),
        region: REGION.into(),
        name: "ecs/registry/managed".into(),
        owning_service: Some("rds".into()),
    };
    world.client().put("PUT", "secrets/owning-service", &service).unwrap();

    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    let secrets = &told.json["secrets"];
    assert_eq!(find(secrets, "registry", "ours")["outcome"], "created");
    assert_says(failure(secrets, "registry", "foreign"), "was not made by regcred", "adopt: true");
    assert_says(failure(secrets, "registry", "other"), "`somebody-else`", "adopt: true");
    assert_says(
        failure(secrets, "registry", "rotated"),
        "rotates it",
        "aws secretsmanager cancel-rotate-secret",
    );
    assert_says(failure(secrets, "registry", "deleted"), "scheduled for deletion", "restore-secret");
    assert_says(failure(secrets, "registry", "managed"), "`rds`", "name another secret");
    assert_eq!(count(&calls, "CreateSecret"), 1);
    assert_eq!(count(&calls, "PutSecretValue") + count(&calls, "UpdateSecretVersionStage"), 0);
    for name in ["foreign", "other", "rotated", "managed"] {
        assert_eq!(sdk.secret(&format!("ecs/registry/{name}")).await.unwrap().0, old, "{name}");
    }
    // A registry whose secret failed has no entry in the object either: the secret comes first.
    let held = by_name(&told.json["objects"][0]["held"], "registry", "why");
    assert_eq!(held.len(), 5, "{held:?}");
    assert!(held.values().all(|why| why == "secret_failed"), "{held:?}");
    let published = world.object().await;
    assert!(published.contains("ours.example.com") && !published.contains("foreign.example.com"));

    // Told to take them over, it does, tags them, and the old value is the previous one.
    let adopting = config(&names)
        .replace("name: ecs/registry/foreign", "adopt: true, name: ecs/registry/foreign")
        .replace("name: ecs/registry/other", "adopt: true, name: ecs/registry/other");
    world.write("regcred.yaml", &adopting);
    let told = world.json(&["sync"]).await;
    for name in ["foreign", "other"] {
        assert_eq!(find(&told.json["secrets"], "registry", name)["outcome"], "replaced", "{told:#?}");
        let (value, _) = sdk.secret(&format!("ecs/registry/{name}")).await.unwrap();
        assert_eq!(value, format!(r#"{{"username":"robot","password":"{HARBOR_PASSWORD}"}}"#));
        let described =
            sdk.secrets.describe_secret().secret_id(format!("ecs/registry/{name}")).send().await.unwrap();
        let owner = described.tags().iter().find(|tag| tag.key() == Some(OWNER)).and_then(|tag| tag.value());
        assert_eq!(owner, Some(name));
    }
    // Adopted once, it is regcred's own: the switch may go.
    world.write("regcred.yaml", &config(&names));
    world.set_harbor_password("after-adoption");
    let told = world.json(&["sync", "--registry", "foreign"]).await;
    assert_eq!(find(&told.json["secrets"], "registry", "foreign")["outcome"], "replaced", "{told:#?}");
}

#[tokio::test]
async fn an_unversioned_bucket_is_refused_with_the_command_that_turns_versioning_on() {
    let mut options =
        with_hosts(vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)]);
    options.buckets[0].versioned = false;
    let world = World::start("an_unversioned_bucket_is_refused", options, &world::swift());
    let before = world.object().await;
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    let refusal = failure(&told.json["objects"], "ecs_config", "prod");
    let command =
        "aws s3api put-bucket-versioning --bucket acme-ecs --versioning-configuration Status=Enabled";
    assert_says(refusal, "versioning of bucket `acme-ecs`", command);
    assert_eq!(told.json["fleets"][0]["outcome"], "held");
    assert_eq!(count(&calls, "SendCommand"), 0);
    assert_eq!(world.object().await, before);
    let secrets = by_name(&told.json["secrets"], "registry", "outcome");
    assert!(secrets.values().all(|outcome| outcome == "created"), "secrets need no bucket: {secrets:?}");

    // With the command, all goes on.
    let status = aws_sdk_s3::types::BucketVersioningStatus::Enabled;
    let on = aws_sdk_s3::types::VersioningConfiguration::builder().status(status).build();
    let sdk = world.sdk();
    sdk.s3.put_bucket_versioning().bucket("acme-ecs").versioning_configuration(on).send().await.unwrap();
    assert_eq!(world.json(&["sync"]).await.code, 0);
}

/// A world in which regcred has a role of its own, that may do all but list the object's bucket.
fn without_listing(options: Options) -> Options {
    let everything_else = Statement::allow(&["secretsmanager:*", "ecs:*", "ssm:*", "kms:*"], &["*"]);
    let state = Statement::allow(&["s3:*"], &["arn:aws:s3:::acme-regcred", "arn:aws:s3:::acme-regcred/*"]);
    let objects = Statement::allow(&["s3:GetObject", "s3:PutObject"], &["arn:aws:s3:::acme-ecs/*"]);
    let versioning = Statement::allow(&["s3:GetBucketVersioning"], &["arn:aws:s3:::acme-ecs"]);
    let role = Role {
        account: ACCOUNT.into(),
        name: "regcred".into(),
        trust: Trust::default(),
        statements: vec![everything_else, state, objects, versioning],
    };
    Options { roles: vec![role], ..options }
}

fn under_a_role(config: &str) -> String {
    format!(
        "locations:\n  eu: {{ region: {REGION}, role_arn: \"arn:aws:iam::{ACCOUNT}:role/regcred\" }}\n{config}"
    )
}

#[tokio::test]
async fn an_object_that_may_be_missing_or_forbidden_is_never_created() {
    let options = without_listing(bare());
    let world = World::start("an_object_that_may_be_missing", options, &under_a_role(&config(&["harbor"])));
    let plan = world.json(&["plan"]).await;
    assert_eq!(plan.code, 4, "{plan:#?}");
    assert_eq!(plan.json["objects"][0]["action"], "blocked");
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    let refusal = failure(&told.json["objects"], "ecs_config", "prod");
    assert_eq!(refusal["kind"], "access_denied");
    assert_says(refusal, "AccessDenied", "s3:ListBucket on arn:aws:s3:::acme-ecs");
    let put =
        |call: &world::Call| call.operation == "PutObject" && call.key.as_deref() == Some("prod/ecs.config");
    assert!(!calls.iter().any(put), "{:?}", writes(&calls));
    assert_eq!(world.sdk().keys("acme-ecs").await, Vec::<String>::new());
}

#[tokio::test]
async fn an_object_that_is_there_needs_no_permission_to_list() {
    let options = without_listing(Options { objects: vec![object("ECS_LOGLEVEL=info\n")], ..bare() });
    let world = World::start("an_object_that_is_there", options, &under_a_role(&config(&["harbor"])));
    let told = world.json(&["sync"]).await;
    assert_eq!((told.code, &told.json["objects"][0]["outcome"]), (0, &json!("replaced")), "{told:#?}");
}

/// Holds the first call of an operation until `meanwhile` is done; the caller then tries it again.
async fn during(world: &World, service: Service, operation: &str, meanwhile: impl AsyncFnOnce(&Aws)) {
    let until = Instant::now() + Duration::from_mins(1);
    while world.client().held().unwrap().is_empty() {
        assert!(Instant::now() < until, "{operation} of {service:?} never came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    meanwhile(&world.sdk()).await;
    world.client().set_faults(&[]).unwrap();
}

fn held(service: Service, operation: &str) -> Fault {
    let Fault { calls, effect } = fault(service, operation, Effect::HoldBefore);
    Fault { calls: Match { times: Some(1), ..calls }, effect }
}

#[tokio::test]
async fn an_object_that_another_writer_wrote_first_is_left_to_the_next_pass() {
    let hosts = vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)];
    let world = World::start("an_object_that_another_writer_wrote_first", with_hosts(hosts), &world::swift());
    // Between the look at the object and the write.
    world.client().set_faults(&[held(Service::S3, "GetBucketVersioning")]).unwrap();
    let started = world.regcred(&["sync", "--output", "json"]).start();
    let theirs = format!("# theirs\n{}", world::BY_HAND);
    during(&world, Service::S3, "GetBucketVersioning", async |sdk: &Aws| {
        sdk.put_object("acme-ecs", "prod/ecs.config", &theirs).await;
    })
    .await;
    let ended = started.end().await;
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told["objects"][0]["outcome"], "superseded", "{told:#}");
    assert_eq!(told["fleets"][0]["outcome"], "held", "{told:#}");
    assert_eq!(world.object().await, theirs);
    assert_eq!(count(&world.calls(), "SendCommand"), 0);

    assert_eq!(world.json(&["sync"]).await.code, 0);
    assert!(world.object().await.starts_with("# theirs\n"));
}

#[tokio::test]
async fn a_host_that_loaded_a_newer_object_than_was_planned_stops_the_rollout_and_the_next_pass_decides() {
    let hosts = vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)];
    let world = World::start("a_host_that_loaded_a_newer_object", with_hosts(hosts), &world::swift());
    // Between the write of the object and the first command.
    world.client().set_faults(&[held(Service::Ssm, "DescribeInstanceInformation")]).unwrap();
    let started = world.regcred(&["sync", "--output", "json"]).start();
    during(&world, Service::Ssm, "DescribeInstanceInformation", async |sdk: &Aws| {
        sdk.put_object("acme-ecs", "prod/ecs.config", &format!("# theirs\n{}", world::BY_HAND)).await;
    })
    .await;
    let ended = started.end().await;
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(ended.code, Some(4), "{told:#}");
    assert_eq!(told["fleets"][0]["ending"], "superseded", "{told:#}");
    assert_eq!(count(&world.calls(), "SendCommand"), 1, "nothing more is sent");
    assert!(world.restarts().values().all(|restarts| *restarts <= 1));

    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(hosts_of(&told).values().all(|outcome| outcome == "proven"), "{told:#?}");
    for id in [GOOD[0], GOOD[4]] {
        assert_eq!(world.pulls_with(id, HARBOR_IMAGE), Some(sha256(HARBOR_PASSWORD)), "{id}");
    }
}

#[tokio::test]
async fn a_secret_that_another_writer_changed_first_is_left_to_the_next_pass() {
    let world = World::start("a_secret_that_another_writer_changed_first", bare(), &config(&["harbor"]));
    assert_eq!(world.json(&["sync"]).await.code, 0);
    world.set_harbor_password("ours-after-theirs");
    // Between the look at the secret and the promotion of the new version.
    world.client().set_faults(&[held(Service::SecretsManager, "PutSecretValue")]).unwrap();
    let started = world.regcred(&["sync", "--output", "json"]).start();
    let theirs = r#"{"username":"robot","password":"theirs"}"#;
    during(&world, Service::SecretsManager, "PutSecretValue", async |sdk: &Aws| {
        let put = sdk.secrets.put_secret_value().secret_id("ecs/registry/harbor").secret_string(theirs);
        put.send().await.expect("the secret is there");
    })
    .await;
    let ended = started.end().await;
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, &told["secrets"][0]["outcome"]), (Some(4), &json!("superseded")), "{told:#}");
    assert_eq!(world.sdk().secret("ecs/registry/harbor").await.unwrap().0, theirs);

    assert_eq!(world.json(&["sync"]).await.code, 0);
    let (value, _) = world.sdk().secret("ecs/registry/harbor").await.unwrap();
    assert_eq!(value, r#"{"username":"robot","password":"ours-after-theirs"}"#);
}
