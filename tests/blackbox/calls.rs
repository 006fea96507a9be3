//! What a pass with nothing to do costs: ceil(registries / 20) + objects + clusters, and one more for the state.

use regcred_sandbox::hosts::{HostSpec, Life};

use crate::world::{Call, UNTRIED, World, bare, count, host, writes};

/// `registries` of them, in `objects` objects; each object with a fleet over two clusters of its own.
fn config(registries: usize, objects: usize) -> String {
    let mut text = "state: { bucket: acme-regcred }\nregistries:\n".to_owned();
    let names: Vec<String> = (0..registries).map(|n| format!("r{n:02}")).collect();
    for name in &names {
        text += &format!(
            "  {name}: {{ server: {name}.example.com, source: {{ file: {{ path: secrets/harbor.json }} }}, secret: {{ \
             name: ecs/registry/{name} }}, {UNTRIED} }}\n"
        );
    }
    text += "ecs_configs:\n";
    for n in 0..objects {
        let registries = names.join(", ");
        text +=
            &format!("  o{n}: {{ bucket: acme-ecs, key: o{n}/ecs.config, registries: [{registries}] }}\n");
    }
    text += "fleets:\n";
    for n in 0..objects {
        text += &format!(
            "  o{n}: {{ ecs_config: o{n}, clusters: [c{n}-a, c{n}-b], max_unavailable: 100%, poll_interval: 100ms, \
             settle_interval: 100ms, settle_timeout: 30s }}\n"
        );
    }
    text
}

fn hosts(cluster: &str, first: usize, many: usize) -> Vec<HostSpec> {
    (first..first + many).map(|n| host(&format!("i-{n:017}"), cluster, Life::Memory)).collect()
}

fn assert_costs(calls: &[Call], registries: usize, objects: usize, clusters: usize, what: &str) {
    assert_eq!(writes(calls), Vec::<&str>::new(), "{what}");
    assert_eq!(count(calls, "BatchGetSecretValue"), registries.div_ceil(20), "{what}");
    assert_eq!(count(calls, "GetObject"), objects + 1, "the objects, and the state: {what}");
    assert_eq!(count(calls, "ListContainerInstances"), clusters, "{what}");
    let all: Vec<_> = calls.iter().map(|call| (call.service, &call.operation)).collect();
    assert_eq!(all.len(), registries.div_ceil(20) + objects + clusters + 1, "{what}: {all:?}");
}

#[tokio::test]
async fn a_pass_with_nothing_to_do_costs_a_call_for_twenty_registries_one_an_object_and_one_a_cluster() {
    for (registries, objects, hosts_a_cluster) in [(1, 1, 1), (20, 1, 1), (21, 2, 1), (1, 1, 100)] {
        let what = format!("{registries} registries, {objects} objects, {hosts_a_cluster} hosts a cluster");
        let clusters = 2 * objects;
        let mut fleet = Vec::new();
        for object in 0..objects {
            for (n, side) in ["a", "b"].into_iter().enumerate() {
                let first = 1000 * (2 * object + n);
                fleet.extend(hosts(&format!("c{object}-{side}"), first, hosts_a_cluster));
            }
        }
        let options = regcred_sandbox::Options { hosts: fleet, ..bare() };
        let world = World::start("a_pass_with_nothing_to_do", options, &config(registries, objects));
        let told = world.json(&["sync"]).await;
        assert_eq!(told.code, 0, "{what}: {told:#?}");
        assert!(world.restarts().values().all(|restarts| *restarts == 1), "{what}");
        for command in ["sync", "plan"] {
            let (told, calls) = world.watched(&[command]).await;
            assert_eq!(told.code, 0, "{what}: {told:#?}");
            assert_costs(&calls, registries, objects, clusters, &format!("{command}: {what}"));
        }
    }
}

#[tokio::test]
async fn two_hundred_hosts_of_one_cluster_change_nothing_of_what_a_pass_with_nothing_to_do_costs() {
    let mut fleet = hosts("c0-a", 0, 200);
    fleet.extend(hosts("c0-b", 1000, 1));
    let options = regcred_sandbox::Options { hosts: fleet, ..bare() };
    let world = World::start("two_hundred_hosts_of_one_cluster", options, &config(3, 1));
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    // One host first; then fifty a command.
    assert!(count(&calls, "SendCommand") >= 5, "{}", count(&calls, "SendCommand"));
    let largest = calls.iter().filter_map(|call| call.request["InstanceIds"].as_array()).map(Vec::len).max();
    assert_eq!(largest, Some(50));
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert_costs(&calls, 3, 1, 2, "200 hosts");
}
