//! `doctor`: what is missing is found, one thing at a time, each with its fix, and nothing is written.

use std::collections::BTreeSet;

use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, ExpirationStatus, LifecycleRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration, PublicAccessBlockConfiguration,
};
use regcred_sandbox::hosts::{HostSpec, Life, Platform};
use regcred_sandbox::{BucketSeed, DocumentSeed, Effect, Options, Service};
use serde_json::Value;

use crate::messages::errors;
use crate::world::{
    self, ACCOUNT, BOTTLEROCKET, GOOD, OFFLINE, REGION, Told, World, fault, find, host, twelve, with_hosts,
    writes,
};

/// The aspects that are not good, each with its outcome and the first words of what was found.
fn wrong(told: &Told) -> Found {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks = told.json["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["outcome"] == "finding" || check["outcome"] == "cannot_tell")
        .map(|check| {
            (text(&check["aspect"]), format!("{} {}", text(&check["outcome"]), text(&check["severity"])))
        })
        .collect()
}

fn said(told: &Told) -> String {
    let checks = told.json["checks"].as_array().unwrap().iter();
    checks.filter_map(|check| check["failure"].as_object()).map(|failure| format!("{failure:?}\n")).collect()
}

fn two() -> Vec<HostSpec> {
    vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)]
}

/// A world in which all is as it should be.
async fn well(test: &str, options: Options, config: &str) -> World {
    let world = World::start(test, options, config);
    let s3 = world.sdk().s3;
    for bucket in ["acme-ecs", "acme-regcred"] {
        let block = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        s3.put_public_access_block()
            .bucket(bucket)
            .public_access_block_configuration(block)
            .send()
            .await
            .unwrap();
    }
    set_expiry(&world, ExpirationStatus::Enabled).await;
    world
}

async fn set_expiry(world: &World, status: ExpirationStatus) {
    let expiry = NoncurrentVersionExpiration::builder().noncurrent_days(7).build();
    let rule = LifecycleRule::builder()
        .status(status)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .noncurrent_version_expiration(expiry)
        .build()
        .unwrap();
    let rules = BucketLifecycleConfiguration::builder().rules(rule).build().unwrap();
    let call = world.sdk().s3.put_bucket_lifecycle_configuration().bucket("acme-ecs");
    call.lifecycle_configuration(rules).send().await.unwrap();
}

#[tokio::test]
async fn where_all_is_well_nothing_is_found_nothing_is_written_and_what_was_not_tried_is_said() {
    let world = well("where_all_is_well", with_hosts(two()), &world::swift()).await;
    for turn in ["before a sync", "after"] {
        let (told, calls) = world.watched(&["doctor"]).await;
        assert_eq!((told.code, said(&told).as_str()), (0, ""), "{turn}: {told:#?}");
        assert!(writes(&calls).is_empty(), "{turn}: {:?}", writes(&calls));
        let untried: BTreeSet<&str> = told.json["untried"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["action"].as_str().unwrap())
            .collect();
        assert!(untried.contains("ssm:SendCommand") && untried.contains("s3:PutObject"), "{untried:?}");
        let human = world.run(&["doctor"]).await;
        assert_eq!(human.code, Some(0), "{human:#?}");
        assert!(human.stdout.contains("only a write would tell: ecs:PutAttributes"), "{}", human.stdout);
        assert!(human.stdout.contains("nothing is wrong"), "{}", human.stdout);
        assert_eq!(world.json(&["sync"]).await.code, 0);
    }
    let (told, calls) = world.watched(&["doctor", "--hosts"]).await;
    assert_eq!((told.code, writes(&calls)), (0, vec!["SendCommand"]), "{told:#?}");
    let asked = told.json["checks"].as_array().unwrap().iter().filter(|it| it["aspect"] == "auth_loaded");
    assert_eq!(asked.count(), 2, "{told:#?}");
}

#[tokio::test]
async fn each_thing_that_is_not_as_it_should_be_is_found_with_its_fix() {
    let old_agent = HostSpec { agent_version: "1.18.0".into(), ..host(GOOD[1], "web", Life::Memory) };
    let other = DocumentSeed {
        name: "regcred-refresh".into(),
        account: ACCOUNT.into(),
        region: REGION.into(),
        content: r#"{"schemaVersion":"2.2","description":"x","mainSteps":[{"action":"aws:runShellScript","name":"x","inputs":{"runCommand":["true"]}}]}"#.into(),
    };
    let unversioned = BucketSeed { versioned: false, ..world::bucket("acme-ecs") };
    let cases: Vec<(&str, Options, &str, &str, &str)> = vec![
        (
            "old agent",
            with_hosts(two().into_iter().chain([old_agent]).collect()),
            "agent_version",
            "finding error",
            "update-container-agent",
        ),
        ("offline", with_hosts(twelve(Life::Memory)), "reachable", "finding error", OFFLINE),
        (
            "foreign document",
            Options { documents: vec![other], ..with_hosts(two()) },
            "carried",
            "finding error",
            "update-document",
        ),
        (
            "no document",
            Options { documents: Vec::new(), ..with_hosts(two()) },
            "carried",
            "finding error",
            "create-document",
        ),
        (
            "no host",
            with_hosts(vec![host(GOOD[0], "web", Life::Memory)]),
            "readable",
            "finding error",
            "no cluster `batch`",
        ),
        (
            "unversioned",
            Options { buckets: vec![unversioned, world::bucket("acme-regcred")], ..with_hosts(two()) },
            "versioned",
            "finding error",
            "put-bucket-versioning",
        ),
    ];
    for (name, options, aspect, outcome, fix) in cases {
        let world = well("each_thing_that_is_not", options, &world::swift()).await;
        let (told, calls) = world.watched(&["doctor"]).await;
        assert!(writes(&calls).is_empty(), "{name}: {:?}", writes(&calls));
        assert_eq!(
            wrong(&told),
            BTreeSet::from([(aspect.to_owned(), outcome.to_owned())]),
            "{name}: {told:#?}"
        );
        assert_eq!(told.code, 3, "{name}");
        assert!(said(&told).contains(fix), "{name}: {}", said(&told));
        let human = world.run(&["doctor"]).await;
        assert_eq!(human.code, Some(3), "{human:#?}");
        assert!(!errors(&human.stdout).is_empty() && human.stdout.contains(fix), "{name}: {}", human.stdout);
    }
    // What no restart can reach is not counted.
    let world = well("each_thing_that_is_not", with_hosts(twelve(Life::Memory)), &world::swift()).await;
    let told = world.json(&["doctor"]).await;
    let checks = told.json["checks"].as_array().unwrap();
    let bottlerocket: Vec<&Value> = checks
        .iter()
        .filter(|check| check["host"] == BOTTLEROCKET && check["aspect"] == "reachable")
        .collect();
    assert_eq!(bottlerocket[0]["outcome"], "exempt", "{bottlerocket:#?}");
    assert_eq!(Platform::Bottlerocket, twelve(Life::Memory)[8].platform);
}

#[tokio::test]
async fn settings_that_can_be_better_are_warnings_and_a_foreign_secret_and_a_lost_source_are_errors() {
    let world = well("settings_that_can_be_better", with_hosts(two()), &world::swift()).await;
    set_expiry(&world, ExpirationStatus::Disabled).await;
    let block = PublicAccessBlockConfiguration::builder().block_public_acls(true).build();
    let call = world.sdk().s3.put_public_access_block().bucket("acme-regcred");
    call.public_access_block_configuration(block).send().await.unwrap();
    world.sdk().create_secret("ecs/registry/harbor", r#"{"username":"a","password":"b"}"#, &[]).await;
    std::fs::remove_file(world.path("secrets/docker-config.json")).unwrap();
    let told = world.json(&["doctor"]).await;
    let warning = |aspect: &str| (aspect.to_owned(), "finding warning".to_owned());
    let error = |aspect: &str| (aspect.to_owned(), "finding error".to_owned());
    let expected = [
        warning("old_versions_expire"),
        warning("public_access_blocked"),
        error("readable"),
        error("writable"),
    ];
    assert_eq!((told.code, wrong(&told)), (3, expected.into()), "{told:#?}");
    for fix in ["NoncurrentVersionExpiration", "put-public-access-block --bucket acme-regcred", "adopt: true"]
    {
        assert!(said(&told).contains(fix), "{fix}: {}", said(&told));
    }
    // Narrowed to what is well, nothing of that is found.
    let narrow = world.json(&["doctor", "--registry", "dockerhub"]).await;
    assert!(!said(&narrow).contains("adopt: true"), "{narrow:#?}");
    let source = find(&told.json["checks"], "registry", "ghcr");
    assert_eq!(source["outcome"], "finding");
}

#[tokio::test]
async fn each_permission_that_a_look_needs_is_named_when_it_is_missing_and_what_is_throttled_is_not_told() {
    let world = well("each_permission_that_a_look_needs", with_hosts(two()), &world::swift()).await;
    assert_eq!(world.json(&["sync"]).await.code, 0);
    for (service, operation, action, code) in [
        (Service::S3, "GetObject", "s3:GetObject", 3),
        (Service::S3, "HeadBucket", "s3:ListBucket", 3),
        (Service::S3, "GetBucketVersioning", "s3:GetBucketVersioning", 3),
        (Service::S3, "GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", 4),
        (Service::S3, "GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", 4),
        (Service::SecretsManager, "BatchGetSecretValue", "secretsmanager:BatchGetSecretValue", 3),
        (Service::SecretsManager, "DescribeSecret", "secretsmanager:DescribeSecret", 3),
        (Service::Ssm, "GetDocument", "ssm:GetDocument", 3),
        (Service::Ssm, "DescribeInstanceInformation", "ssm:DescribeInstanceInformation", 3),
        (Service::Ssm, "ListCommandInvocations", "ssm:ListCommandInvocations", 3),
        (Service::Ssm, "ListCommands", "ssm:ListCommands", 3),
        (Service::Ecs, "DescribeClusters", "ecs:DescribeClusters", 3),
        (Service::Ecs, "ListContainerInstances", "ecs:ListContainerInstances", 3),
        (Service::Ecs, "DescribeContainerInstances", "ecs:DescribeContainerInstances", 3),
    ] {
        world.client().set_faults(&[fault(service, operation, Effect::Deny)]).unwrap();
        let told = world.json(&["doctor"]).await;
        assert_eq!(told.code, code, "{operation}: {told:#?}");
        assert!(said(&told).contains(action), "{operation}: {}", said(&told));
    }
    world.client().set_faults(&[fault(Service::Ssm, "GetDocument", Effect::Throttle)]).unwrap();
    let told = world.json(&["doctor"]).await;
    assert_eq!(
        (told.code, wrong(&told)),
        (4, [("carried".to_owned(), "cannot_tell ".to_owned())].into()),
        "{told:#?}"
    );
}

/// A container: its name, its image, and the secret that it names.
type Pull<'a> = (&'a str, &'a str, Option<&'a str>);

/// As [`wrong`] tells it.
type Found = BTreeSet<(String, String)>;

const OF_HARBOR: &str = "harbor.example.com/team/app:1";

async fn define(world: &World, family: &str, fargate: bool, role: Option<&str>, containers: &[Pull<'_>]) {
    use aws_sdk_ecs::types::{Compatibility, ContainerDefinition, RepositoryCredentials};
    let containers = containers.iter().map(|(name, image, credentials)| {
        let named =
            credentials.map(|it| RepositoryCredentials::builder().credentials_parameter(it).build().unwrap());
        ContainerDefinition::builder().name(*name).image(*image).set_repository_credentials(named).build()
    });
    let call = world
        .sdk()
        .ecs
        .register_task_definition()
        .family(family)
        .set_container_definitions(Some(containers.collect()));
    let call = call.set_execution_role_arn(role.map(str::to_owned));
    let call = if fargate { call.requires_compatibilities(Compatibility::Fargate) } else { call };
    call.send().await.unwrap();
}

#[tokio::test]
async fn a_task_definition_is_held_against_what_is_kept_and_the_services_against_their_platform() {
    use aws_sdk_ecs::types::LaunchType;
    let world = well("a_task_definition_is_held_against", with_hosts(two()), &world::swift()).await;
    assert_eq!(world.json(&["sync"]).await.code, 0);
    let described =
        world.sdk().secrets.describe_secret().secret_id("ecs/registry/harbor").send().await.unwrap();
    let arn = described.arn().unwrap().to_owned();
    let role = Some("arn:aws:iam::111111111111:role/ecsTaskExecutionRole");
    let error = |aspect: &str| (aspect.to_owned(), "finding error".to_owned());
    let warning = |aspect: &str| (aspect.to_owned(), "finding warning".to_owned());
    let good: &[Pull<'_>] = &[("app", OF_HARBOR, Some(&arn)), ("side", "public.ecr.aws/x/y:1", None)];
    for (family, fargate, role, containers) in [
        ("good", true, role, good),
        ("by-file", false, None, &[("app", OF_HARBOR, None)]),
        ("bare", true, role, &[("app", OF_HARBOR, None)]),
        ("no-role", true, None, &[("app", OF_HARBOR, Some(&arn))]),
        ("stranger", true, role, &[("app", OF_HARBOR, Some("another"))]),
        ("mixed-up", true, role, &[("app", "ghcr.io/acme/app:1", Some(&arn))]),
    ] {
        let expected: Found = match family {
            "good" | "by-file" => [].into(),
            "no-role" => [error("execution_role")].into(),
            "stranger" => [warning("credentials")].into(),
            _ => [error("credentials")].into(),
        };
        define(&world, family, fargate, role, containers).await;
        let (told, calls) = world.watched(&["doctor", "--task-definition", family]).await;
        assert!(writes(&calls).is_empty(), "{family}");
        assert_eq!(wrong(&told), expected, "{family}: {told:#?}");
        assert_eq!(told.code, if expected.is_empty() { 0 } else { 3 }, "{family}");
        if expected.contains(&error("credentials")) {
            assert!(said(&told).contains("regcred snippet"), "{family}: {}", said(&told));
        }
    }
    let ecs = world.sdk().ecs;
    for (service, platform) in [("new", None), ("old", Some("1.1.0")), ("fixed", Some("1.4.0"))] {
        let call = ecs.create_service().cluster("web").service_name(service).task_definition("good:1");
        call.launch_type(LaunchType::Fargate)
            .set_platform_version(platform.map(str::to_owned))
            .send()
            .await
            .unwrap();
    }
    // Another family's service is nothing to this one; and ten more are a second page.
    for number in 0..11 {
        let call = ecs
            .create_service()
            .cluster("web")
            .service_name(format!("other-{number}"))
            .task_definition("by-file");
        call.launch_type(LaunchType::Fargate).platform_version("1.0.0").send().await.unwrap();
    }
    let told = world.json(&["doctor", "--task-definition", "good", "--cluster", "web"]).await;
    assert_eq!((told.code, wrong(&told)), (3, [error("platform_version")].into()), "{told:#?}");
    assert_eq!(find(&told.json["checks"], "service", "old")["outcome"], "finding");
    assert_eq!(find(&told.json["checks"], "service", "new")["outcome"], "good");

    for (arguments, code, fix) in [
        (&["doctor", "--task-definition", "nobody"][..], 3, "DescribeTaskDefinition"),
        (&["doctor", "--task-definition", "good", "--cluster", "nowhere"], 3, "does not exist"),
    ] {
        let told = world.json(arguments).await;
        assert_eq!(told.code, code, "{told:#?}");
        assert!(said(&told).contains(fix), "{fix}: {}", said(&told));
    }
    let ended = world.run(&["doctor", "--task-definition", "good", "--location", "nowhere"]).await;
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    let ended = world.run(&["doctor", "--cluster", "web"]).await;
    assert_eq!(ended.code, Some(2), "{ended:#?}");
}
