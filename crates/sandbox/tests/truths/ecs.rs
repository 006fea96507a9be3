//! ECS.

use regcred_sandbox::hosts::{HostSpec, Platform};
use regcred_sandbox::{Leeway, MissingAttribute, Options, Pages};
use serde_json::{Value, json};

use crate::world::{World, host_id, refused};

fn fleet(test: &str, hosts: usize) -> World {
    let hosts = (1..=hosts).map(|number| HostSpec::new(host_id(number), "web")).collect();
    World::start(test, Options { hosts, ..Options::default() })
}

/// One page.
fn list(world: &World, more: Value) -> Value {
    let mut body = json!({"cluster": "web"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.admin.ecs("ListContainerInstances", body).ok()
}

fn arns(page: &Value) -> Vec<String> {
    let arns = page["containerInstanceArns"].as_array().unwrap();
    arns.iter().map(|arn| arn.as_str().unwrap().to_owned()).collect()
}

/// All pages, and how many there were.
fn list_all(world: &World, more: Value) -> (Vec<String>, usize) {
    let (mut all, mut pages, mut request) = (Vec::new(), 0, more);
    loop {
        let page = list(world, request.clone());
        all.extend(arns(&page));
        pages += 1;
        match page.get("nextToken") {
            Some(token) => request["nextToken"] = token.clone(),
            None => return (all, pages),
        }
    }
}

fn attribute(arn: &str, name: &str, value: &str) -> Value {
    json!({"name": name, "value": value, "targetType": "container-instance", "targetId": arn})
}

fn put(world: &World, attributes: &[Value]) -> (u16, String) {
    world.admin.ecs("PutAttributes", json!({"cluster": "web", "attributes": attributes})).refusal()
}

/// moto returns all, and no token.
#[test]
fn a_listing_comes_in_the_pages_that_were_asked_for() {
    let world = fleet("ecs-pages", 12);
    let first = list(&world, json!({"maxResults": 5}));
    assert_eq!(arns(&first).len(), 5);
    let (all, pages) = list_all(&world, json!({"maxResults": 5}));
    assert_eq!((all.len(), pages), (12, 3));
    let reply = world.admin.ecs("ListContainerInstances", json!({"cluster": "web", "maxResults": 101}));
    assert_eq!(reply.refusal(), refused("InvalidParameterException"));
}

/// moto ignores the filter.
#[test]
fn a_filter_leaves_what_it_says() {
    let world = fleet("ecs-filter", 4);
    let (all, _) = list_all(&world, json!({}));
    put(
        &world,
        &[attribute(&all[0], "regcred.revision", "r1"), attribute(&all[1], "regcred.revision", "r2")],
    );
    let filtered = |filter: &str| list_all(&world, json!({"filter": filter})).0;
    assert_eq!(filtered("attribute:regcred.revision == r1"), [all[0].clone()]);
    assert_eq!(filtered("attribute:regcred.revision exists"), all[..2]);
    assert_eq!(filtered("attribute:regcred.revision != r1"), [all[1].clone()]);
    let not_r1 = "attribute:regcred.revision not_exists or attribute:regcred.revision != r1";
    assert_eq!(filtered(not_r1), all[1..]);
    assert_eq!(filtered("agentConnected == false"), [""; 0]);
    let leeway = Leeway { missing_attribute: MissingAttribute::DiffersFromAny, ..Leeway::default() };
    world.control.set_leeway(leeway).unwrap();
    assert_eq!(filtered("attribute:regcred.revision != r1"), all[1..]);
    let reply =
        world.admin.ecs("ListContainerInstances", json!({"cluster": "web", "filter": "attribute:a ~~ b"}));
    assert_eq!(reply.refusal(), refused("InvalidParameterException"));
}

#[test]
fn a_filtered_page_may_be_short_or_empty_before_the_last() {
    let world = fleet("ecs-short", 10);
    let (all, _) = list_all(&world, json!({}));
    let last_two: Vec<Value> = all[8..].iter().map(|arn| attribute(arn, "a", "b")).collect();
    put(&world, &last_two);
    world.control.set_leeway(Leeway { pages: Pages { found: 1, examined: 4 }, ..Leeway::default() }).unwrap();
    let first = list(&world, json!({"filter": "attribute:a == b"}));
    assert!(arns(&first).is_empty() && first.get("nextToken").is_some());
    let (found, pages) = list_all(&world, json!({"filter": "attribute:a == b"}));
    assert_eq!((found.as_slice(), pages), (&all[8..], 4));
}

#[test]
fn a_clean_cluster_of_any_size_is_one_page() {
    let world = fleet("ecs-clean", 300);
    let (all, _) = list_all(&world, json!({}));
    for ten in all.chunks(10) {
        let attributes: Vec<Value> = ten.iter().map(|arn| attribute(arn, "regcred.revision", "r1")).collect();
        assert_eq!(put(&world, &attributes), (200, String::new()));
    }
    let filter = "attribute:regcred.revision not_exists or attribute:regcred.revision != r1";
    assert_eq!(list_all(&world, json!({"filter": filter})), (vec![], 1));
}

/// moto ignores the status.
#[test]
fn a_status_is_filtered_by() {
    let world = fleet("ecs-status", 3);
    world.control.set_status(&host_id(1), regcred_sandbox::control::Status::Draining).unwrap();
    assert_eq!(list_all(&world, json!({"status": "DRAINING"})).0.len(), 1);
    assert_eq!(list_all(&world, json!({"status": "ACTIVE"})).0.len(), 2);
    assert_eq!(list_all(&world, json!({})).0.len(), 3);
}

/// moto: always true, version 1.0.0.
#[test]
fn an_agent_that_is_gone_is_not_connected() {
    let world = fleet("ecs-agent", 1);
    let (all, _) = list_all(&world, json!({}));
    let describe = || {
        let body = json!({"cluster": "web", "containerInstances": all});
        world.admin.ecs("DescribeContainerInstances", body).ok()["containerInstances"][0].clone()
    };
    assert_eq!(describe()["agentConnected"], true);
    assert_eq!(describe()["ec2InstanceId"], host_id(1).as_str());
    world.control.stop_agent(&host_id(1)).unwrap();
    assert_eq!(describe()["agentConnected"], false);
    assert_eq!(list_all(&world, json!({"filter": "agentConnected != true"})).0, all);
}

/// moto takes the last part of an ARN alone, and lists nothing.
#[test]
fn attributes_are_put_by_arn_or_by_type_and_id_and_listed() {
    let world = fleet("ecs-attributes", 2);
    let (all, _) = list_all(&world, json!({}));
    let short = all[1].rsplit('/').next().unwrap();
    let by_arn = json!({"name": "a", "value": "1", "targetId": all[0]});
    let by_id = attribute(short, "a", "2");
    assert_eq!(put(&world, &[by_arn, by_id]), (200, String::new()));
    let without_type = json!({"name": "a", "value": "2", "targetId": short});
    assert_eq!(put(&world, &[without_type]), refused("InvalidParameterException"));
    let list = |more: Value| {
        let mut body = json!({"cluster": "web", "targetType": "container-instance", "attributeName": "a"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.admin.ecs("ListAttributes", body).ok()
    };
    assert_eq!(list(json!({}))["attributes"].as_array().unwrap().len(), 2);
    assert_eq!(list(json!({"attributeValue": "2"}))["attributes"][0]["targetId"], all[1].as_str());
    let first = list(json!({"maxResults": 1}));
    let second = list(json!({"maxResults": 1, "nextToken": first["nextToken"]}));
    assert_eq!(second["attributes"][0]["targetId"], all[1].as_str());
    assert_eq!(second.get("nextToken"), None);
}

#[test]
fn attributes_have_limits() {
    let world = fleet("ecs-attribute-limits", 2);
    let (all, _) = list_all(&world, json!({}));
    let numbered = |from: usize, to: usize| -> Vec<Value> {
        (from..to).map(|number| attribute(&all[0], &format!("a{number}"), "v")).collect()
    };
    assert_eq!(put(&world, &numbered(0, 11)), refused("InvalidParameterException"));
    assert_eq!(put(&world, &numbered(0, 10)), (200, String::new()));
    assert_eq!(put(&world, &numbered(10, 11)), refused("AttributeLimitExceededException"));
    assert_eq!(put(&world, &[attribute(&all[1], "a b", "v")]), refused("InvalidParameterException"));
    assert_eq!(put(&world, &[attribute(&all[1], "a", "v\u{e9}")]), refused("InvalidParameterException"));
    // One target that is not there, and none is written.
    let absent = attribute(&format!("{}0", all[1]), "b", "v");
    assert_eq!(put(&world, &[attribute(&all[1], "b", "v"), absent]), refused("TargetNotFoundException"));
    assert_eq!(list_all(&world, json!({"filter": "attribute:b exists"})).0, [""; 0]);
}

/// moto describes any number.
#[test]
fn a_hundred_are_described_at_once_and_the_missing_are_named() {
    let world = fleet("ecs-describe", 1);
    let (mut ids, _) = list_all(&world, json!({}));
    ids.push("0".repeat(32));
    let describe = |ids: &[String]| {
        world.admin.ecs("DescribeContainerInstances", json!({"cluster": "web", "containerInstances": ids}))
    };
    let answer = describe(&ids).ok();
    assert_eq!(answer["containerInstances"].as_array().unwrap().len(), 1);
    assert_eq!(answer["failures"][0]["reason"], "MISSING");
    assert_eq!(describe(&vec!["0".repeat(32); 101]).refusal(), refused("InvalidParameterException"));
}

#[test]
fn a_cluster_that_is_not_there_is_said() {
    let world = fleet("ecs-clusters", 3);
    let reply = world.admin.ecs("ListContainerInstances", json!({"cluster": "absent"}));
    assert_eq!(reply.refusal(), refused("ClusterNotFoundException"));
    let answer = world.admin.ecs("DescribeClusters", json!({"clusters": ["web", "absent"]})).ok();
    assert_eq!(answer["clusters"][0]["registeredContainerInstancesCount"], 3);
    assert_eq!(answer["failures"][0]["reason"], "MISSING");
}

#[test]
fn platforms_are_told_by_attributes() {
    let platforms = [Platform::AmazonLinux2023, Platform::Bottlerocket, Platform::Windows];
    let hosts = platforms
        .into_iter()
        .zip(1..)
        .map(|(platform, number)| HostSpec { platform, ..HostSpec::new(host_id(number), "web") })
        .collect();
    let world = World::start("ecs-platforms", Options { hosts, ..Options::default() });
    assert_eq!(list_all(&world, json!({"filter": "attribute:bottlerocket.variant exists"})).0.len(), 1);
    assert_eq!(list_all(&world, json!({"filter": "attribute:ecs.os-type == windows"})).0.len(), 1);
}

#[test]
fn an_agent_without_its_state_registers_anew_and_leaves_the_old_instance_behind() {
    let host = HostSpec { datadir: false, ..HostSpec::new(host_id(1), "web") };
    let world = World::start("ecs-anew", Options { hosts: vec![host], ..Options::default() });
    let (before, _) = list_all(&world, json!({}));
    world.control.start_agent(&host_id(1)).unwrap();
    world.control.advance(std::time::Duration::from_mins(1)).unwrap();
    let (after, _) = list_all(&world, json!({}));
    let (after, _) = if after.len() < 2 { list_all(&world, json!({})) } else { (after, 0) };
    assert_eq!(after.len(), 2);
    assert!(after.contains(&before[0]));
    let connected = list_all(&world, json!({"filter": "agentConnected == true"})).0;
    assert_eq!(connected.len(), 1);
    assert_ne!(connected, before);
}
