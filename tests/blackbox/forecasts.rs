//! What a plan foretells of a rollout, held against what then happened: the calls that AWS got, the hosts that were down,
//! and how many failed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use regcred_sandbox::hosts::{Behaviour, HostSpec, Life};
use serde_json::Value;

use crate::world::{self, Call, World, count, host, hosts_of, with_hosts};

/// `many` hosts in each of `clusters`; ids tell which are which.
fn fleet(clusters: &[&str], many: usize) -> Vec<HostSpec> {
    let of = |(number, cluster): (usize, &&str)| -> Vec<HostSpec> {
        (0..many).map(|n| host(&format!("i-{number}{n:016}"), cluster, Life::Memory)).collect()
    };
    clusters.iter().enumerate().flat_map(of).collect()
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))).unwrap()
}

/// The most hosts that were sent to and not yet recorded as proven, together and of each cluster.
fn most_down(calls: &[Call], cluster_of: &BTreeMap<String, String>) -> (usize, BTreeMap<String, usize>) {
    let mut down: BTreeSet<String> = BTreeSet::new();
    let mut most = (0, BTreeMap::new());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let described = calls.iter().filter_map(|call| call.response["containerInstances"].as_array()).flatten();
    let id_of: BTreeMap<String, String> =
        described.map(|each| (text(&each["containerInstanceArn"]), text(&each["ec2InstanceId"]))).collect();
    for call in calls {
        match call.operation.as_str() {
            "SendCommand" => down.extend(call.request["InstanceIds"].as_array().unwrap().iter().map(text)),
            "PutAttributes" => {
                for attribute in call.request["attributes"].as_array().unwrap() {
                    let is_proof = attribute["name"] == "regcred.revision" && attribute["value"] != "pending";
                    if is_proof {
                        let id = &id_of[&text(&attribute["targetId"])];
                        assert!(down.remove(id), "{id} was sent to, and is proven once");
                    }
                }
            }
            _ => {}
        }
        most.0 = most.0.max(down.len());
        for cluster in cluster_of.values() {
            let of_cluster = down.iter().filter(|id| cluster_of[*id] == *cluster).count();
            let known: &mut usize = most.1.entry(cluster.clone()).or_default();
            *known = of_cluster.max(*known);
        }
    }
    most
}

#[tokio::test]
async fn a_rollout_takes_about_the_calls_and_never_more_of_anything_than_its_plan_foretold() {
    let hosts = fleet(&["web", "batch"], 12);
    let cluster_of = hosts.iter().map(|host| (host.id.to_string(), host.cluster.to_string())).collect();
    let config = world::swift()
        .replace("max_unavailable: 50%", "max_unavailable: 100%")
        .replace("lease: 1s", "lease: 1m")
        // A restart is reckoned with half a minute: with this, and no less, that is a handful of questions for each command.
        .replace("poll_interval: 100ms", "poll_interval: 10s");
    assert!(config.contains("poll_interval: 10s"), "{config}");
    let world = World::start("a_rollout_takes_about_the_calls", with_hosts(hosts), &config);

    let planned = world.json(&["plan"]).await;
    assert_eq!(planned.code, 3, "{planned:#?}");
    let (step, estimate) = (&planned.json["fleets"][0], &planned.json["estimate"]);
    let forecast = &step["forecast"];
    assert_eq!((number(&forecast["hosts"]), number(&forecast["down_at_once"])), (24, 24), "{step:#}");

    // A plan has looked already, so what looking costs is no part of what it foretells.
    let (_, looks) = world.watched(&["plan"]).await;
    let started = Instant::now();
    let (told, calls) = world.watched(&["sync"]).await;
    let seconds = started.elapsed().as_secs();
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(hosts_of(&told).values().all(|outcome| outcome == "proven"), "{told:#?}");

    assert_eq!(count(&calls, "SendCommand"), number(&forecast["commands"]), "{step:#}");
    let (all, by_cluster) = most_down(&calls, &cluster_of);
    assert!(all <= number(&forecast["down_at_once"]) && all > 1, "{all}, of {forecast:#}");
    for (cluster, down) in by_cluster {
        assert!(down <= number(&forecast["down_at_once_by_cluster"][&cluster]), "{cluster}: {down}");
    }
    assert!(seconds <= forecast["longest_seconds"].as_u64().unwrap(), "{seconds} s, of {forecast:#}");

    let foretold = number(&estimate["calls"]);
    let took = calls.len() - looks.len();
    assert!(took <= foretold && 2 * took >= foretold, "{took} calls, and {foretold} were foretold");
}

#[tokio::test]
async fn a_rollout_that_goes_wrong_fails_no_more_hosts_than_its_plan_foretold() {
    let mut hosts = fleet(&["web", "batch"], 10);
    // The first one is well, and nearly all others are not.
    for host in hosts.iter_mut().skip(1) {
        host.behaviour = Behaviour::RejectsChangedAuth;
    }
    let config = world::swift().replace("max_unavailable: 50%", "max_unavailable: 2");
    let world = World::start("a_rollout_that_goes_wrong_fails_no_more", with_hosts(hosts), &config);
    let planned = world.json(&["plan"]).await;
    let forecast = &planned.json["fleets"][0]["forecast"];
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 5, "{told:#?}");
    let failed = hosts_of(&told).values().filter(|outcome| *outcome == "restored").count();
    // `max_errors` is 2: the third one stops it, and others were on their way.
    assert!((3..=number(&forecast["failures"])).contains(&failed), "{failed}, of {forecast:#}");
    assert_eq!(hosts_of(&told).values().filter(|outcome| *outcome == "waiting").count(), 20 - 1 - failed);
}
