//! Hosts that get no restart: those that need none, and those that nobody can reach, each by name and with its reason.

use regcred_sandbox::hosts::{Behaviour, HostSpec, Life, Platform};
use regcred_sandbox::{ClusterSeed, Effect, Options, Service};
use serde_json::json;

use crate::messages::errors;
use crate::world::{self, ACCOUNT, GOOD, REGION, World, count, fault, find, host, hosts_of, with_hosts};

const MANAGED: &str = "i-0d0c0b0a090807060";
const UNKNOWN_TO_SSM: &str = "i-0a1b2c3d4e5f60718";

fn of(platform: Platform, id: &str, provider: &str) -> HostSpec {
    HostSpec { platform, capacity_provider: Some(provider.into()), ..host(id, "web", Life::Memory) }
}

fn managed() -> HostSpec {
    of(Platform::ManagedInstances, MANAGED, "managed")
}

/// Of an ordinary Auto Scaling group, without an SSM Agent.
fn without_ssm() -> HostSpec {
    HostSpec { behaviour: Behaviour::NoSsmAgent, ..of(Platform::AmazonLinux2023, UNKNOWN_TO_SSM, "asg") }
}

fn ordinary() -> Vec<HostSpec> {
    vec![of(Platform::AmazonLinux2023, GOOD[0], "asg"), host(GOOD[4], "batch", Life::Memory)]
}

fn start(test: &str, odd: impl IntoIterator<Item = HostSpec>) -> World {
    World::start(test, with_hosts(ordinary().into_iter().chain(odd).collect()), &world::swift())
}

#[tokio::test]
async fn managed_instances_need_no_restart_and_are_told_so_and_not_counted() {
    let world = start("managed_instances_need_no_restart", [managed()]);
    let (told, calls) = world.watched(&["sync"]).await;
    // At each of the two looks of a pass that restarts hosts.
    assert_eq!((told.code, count(&calls, "DescribeCapacityProviders")), (0, 2), "{told:#?}");
    assert_eq!(told.json["revocation"]["safe"], json!(true), "they hold no password: {told:#?}");
    let line = find(&told.json["fleets"][0]["hosts"], "host", MANAGED);
    assert_eq!((&line["outcome"], &line["why"]), (&json!("unsupported"), &json!("managed_instance")));
    assert_eq!(world.restarts()[MANAGED], 0);
    let told = world.json(&["verify", "--hosts"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    for command in ["plan", "sync", "status"] {
        let ended = world.run(&[command]).await;
        assert_eq!(ended.code, Some(0), "{command}: {ended:#?}");
        let text = ended.stdout;
        assert!(
            text.contains(MANAGED) && text.contains("ECS Managed Instances have no ecs.config"),
            "{command}: {text}"
        );
    }
}

#[tokio::test]
async fn a_host_that_ssm_does_not_know_is_named_with_what_to_do() {
    let world = start("a_host_that_ssm_does_not_know", [without_ssm()]);
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, count(&calls, "DescribeCapacityProviders")), (4, 2), "{told:#?}");
    assert_eq!(told.json["revocation"]["safe"], json!(false), "{told:#?}");
    let line = find(&told.json["fleets"][0]["hosts"], "host", UNKNOWN_TO_SSM);
    assert_eq!((&line["outcome"], &line["why"]["seen"]), (&json!("unreachable"), &json!("not_managed")));
    for (command, code) in [("plan", 3), ("sync", 4), ("status", 3)] {
        let ended = world.run(&[command]).await;
        assert_eq!(ended.code, Some(code), "{command}: {ended:#?}");
        let text = ended.stdout;
        assert!(
            text.contains(UNKNOWN_TO_SSM) && text.contains("it is no managed node of SSM"),
            "{command}: {text}"
        );
    }
    let text = world.run(&["status"]).await.stdout;
    assert!(text.contains("to do: run the SSM Agent on it, with a role that allows it"), "{text}");
}

#[tokio::test]
async fn where_capacity_providers_may_not_be_seen_managed_instances_are_not_taken_for_well() {
    let world = start("where_capacity_providers_may_not_be_seen", [managed()]);
    world.client().set_faults(&[fault(Service::Ecs, "DescribeCapacityProviders", Effect::Deny)]).unwrap();
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    assert_eq!(hosts_of(&told)[MANAGED], "unreachable");
    let text = world.run(&["sync"]).await.stdout;
    let denied = errors(&text).into_iter().find(|[what, _, _]| what.contains("are ECS Managed Instances"));
    let [_, _, to_do] = denied.unwrap_or_else(|| panic!("it is not said: {text}"));
    assert!(to_do.starts_with("allow ecs:DescribeCapacityProviders on arn:aws:ecs:"), "{to_do}");
}

#[tokio::test]
async fn a_cluster_without_hosts_is_named_by_status() {
    let hosts = vec![host(GOOD[4], "batch", Life::Memory)];
    let web = ClusterSeed { name: "web".into(), account: ACCOUNT.into(), region: REGION.into() };
    let options = Options { clusters: vec![web], ..with_hosts(hosts) };
    let world = World::start("a_cluster_without_hosts", options, &world::swift());
    assert_eq!(world.json(&["sync"]).await.code, 0);
    let told = world.json(&["status"]).await;
    assert_eq!((told.code, &told.json["fleets"][0]["empty"]), (0, &json!(["web"])), "{told:#?}");
    let text = world.run(&["status"]).await.stdout;
    assert!(text.contains("cluster web has no container instance; Fargate has no host"), "{text}");
}
