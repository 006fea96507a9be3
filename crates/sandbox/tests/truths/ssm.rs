//! SSM Run Command.

use std::time::Duration;

use regcred_sandbox::hosts::{Behaviour, DOCUMENT, HostSpec, Platform};
use regcred_sandbox::{Effect, Fault, Leeway, Match, Pages, Service};
use serde_json::{Value, json};

use crate::commands::{behaving, command, ended, fleet, invocations, ordinary, pause, request, send, with};
use crate::world::{REGION, World, host_id, refused};

/// moto says Success at once, and runs nothing.
#[test]
fn a_command_runs_on_its_hosts_and_tells_what_they_said() {
    let world = fleet("ssm-runs", vec![ordinary(1)]);
    let sent = world.admin.ssm("SendCommand", request(&[host_id(1)])).ok();
    assert_eq!(sent["Command"]["StatusDetails"], "Pending");
    assert_eq!(sent["Command"]["CompletedCount"], 0);
    let id = sent["Command"]["CommandId"].as_str().unwrap();
    assert_eq!(ended(&world, id), [(host_id(1), "Success".into())]);
    let plugin = invocations(&world, id)[0]["CommandPlugins"][0].clone();
    assert_eq!((&plugin["ResponseCode"], &plugin["Status"]), (&json!(0), &json!("Success")));
    let report: Value = serde_json::from_str(plugin["Output"].as_str().unwrap()).unwrap();
    assert_eq!(report["outcome"], "loaded");
    let one = json!({"CommandId": id, "InstanceId": host_id(1)});
    let one = world.admin.ssm("GetCommandInvocation", one).ok();
    assert_eq!(one["StandardOutputContent"], plugin["Output"]);
    assert_eq!(command(&world, id)["CompletedCount"], 1);
    let host = world.control.host(&host_id(1)).unwrap();
    assert_eq!(host.restarts, 1);
    assert_eq!(host.loaded.unwrap().object.unwrap().key, "prod/ecs.config");
}

#[test]
fn without_details_no_output_is_shown() {
    let world = fleet("ssm-details", vec![ordinary(1)]);
    let id = send(&world, request(&[host_id(1)]));
    ended(&world, &id);
    let answer = world.admin.ssm("ListCommandInvocations", json!({"CommandId": id})).ok();
    assert_eq!(answer["CommandInvocations"][0]["CommandPlugins"], json!([]));
}

/// moto takes all of these for a success.
#[test]
fn what_cannot_be_sent_is_refused() {
    let world = fleet("ssm-refuses", vec![ordinary(1)]);
    let good = request(&[host_id(1)]);
    let of_command = |parameters: Value| with(good.clone(), "Parameters", parameters);
    for (body, code) in [
        (request(&[host_id(2)]), "InvalidInstanceId"),
        (request(&[host_id(1), host_id(1)]), "DuplicateInstanceId"),
        (request(&(1..=51).map(host_id).collect::<Vec<_>>()), "ValidationException"),
        (request(&["not-an-id".into()]), "ValidationException"),
        (with(good.clone(), "DocumentName", "absent"), "InvalidDocument"),
        (with(good.clone(), "DocumentVersion", "9"), "InvalidDocumentVersion"),
        (with(good.clone(), "TimeoutSeconds", 29), "ValidationException"),
        (with(good.clone(), "MaxErrors", "some"), "ValidationException"),
        (of_command(json!({"Bucket": ["acme"], "Key": ["k"]})), "InvalidParameters"),
        (
            of_command(json!({"Bucket": ["a'; rm -rf /"], "Key": ["k"], "Region": [REGION]})),
            "InvalidParameters",
        ),
        (
            of_command(json!({"Bucket": ["acme"], "Key": ["k"], "Region": [REGION], "Other": ["x"]})),
            "InvalidParameters",
        ),
    ] {
        let reply = world.admin.ssm("SendCommand", body.clone());
        assert_eq!(reply.refusal(), refused(code), "{body}");
    }
    assert_eq!(world.admin.ssm("ListCommands", json!({})).ok()["Commands"], json!([]));
    assert_eq!(world.control.host(&host_id(1)).unwrap().restarts, 0);
}

/// moto: InvalidCommandId.
#[test]
fn an_invocation_that_is_not_there_is_said() {
    let world = fleet("ssm-absent", vec![ordinary(1)]);
    let absent = json!({"CommandId": "0".repeat(36), "InstanceId": host_id(1)});
    let reply = world.admin.ssm("GetCommandInvocation", absent);
    assert_eq!(reply.refusal(), refused("InvocationDoesNotExist"));
    let reply = world.admin.ssm("ListCommandInvocations", json!({"CommandId": "0".repeat(36)}));
    assert_eq!(reply.refusal(), refused("InvalidCommandId"));
}

/// A Windows host is never sent to; a script that fails says so in code and text.
#[test]
fn each_way_to_end_has_its_words() {
    let windows = HostSpec { platform: Platform::Windows, ..ordinary(2) };
    let hosts = vec![behaving(1, Behaviour::ScriptBreaks { exit_code: 3 }), windows, ordinary(3)];
    let world = fleet("ssm-endings", hosts);
    let ids: Vec<String> = (1..=3).map(host_id).collect();
    let id = send(&world, with(request(&ids), "MaxErrors", "1"));
    let words = ended(&world, &id);
    assert_eq!(
        words,
        [
            (host_id(1), "Failed".into()),
            (host_id(2), "InvalidPlatform".into()),
            (host_id(3), "Success".into()),
        ]
    );
    let failed = invocations(&world, &id)[0]["CommandPlugins"][0].clone();
    assert_eq!(failed["ResponseCode"], 3);
    assert!(failed["Output"].as_str().unwrap().ends_with("failed to run commands: exit status 3"));
    // One of three did what was asked, and the command calls itself a success.
    let command = command(&world, &id);
    assert_eq!((&command["Status"], &command["ErrorCount"]), (&json!("Success"), &json!(1)));
    assert_eq!(command["CompletedCount"], 3);
}

#[test]
fn more_errors_than_allowed_end_what_has_not_begun() {
    let hosts = (1..=4).map(|number| behaving(number, Behaviour::ScriptBreaks { exit_code: 1 })).collect();
    let world = fleet("ssm-max-errors", hosts);
    let ids: Vec<String> = (1..=4).map(host_id).collect();
    let id = send(&world, with(with(request(&ids), "MaxErrors", "1"), "MaxConcurrency", "1"));
    let words: Vec<String> = ended(&world, &id).into_iter().map(|(_, details)| details).collect();
    assert_eq!(words, ["Failed", "Failed", "Terminated", "Terminated"]);
    assert_eq!(command(&world, &id)["StatusDetails"], "Failed");
}

#[test]
fn a_host_that_is_offline_is_waited_for_and_given_up() {
    let world = fleet("ssm-offline", vec![behaving(1, Behaviour::Offline)]);
    let id = send(&world, with(request(&[host_id(1)]), "TimeoutSeconds", 30));
    assert_eq!(invocations(&world, &id)[0]["StatusDetails"], "Pending");
    world.control.advance(Duration::from_secs(31)).unwrap();
    // The document's own timeout is added: only then has the whole command's passed.
    assert_eq!(invocations(&world, &id)[0]["StatusDetails"], "Pending");
    world.control.advance(Duration::from_hours(1)).unwrap();
    assert_eq!(ended(&world, &id), [(host_id(1), "DeliveryTimedOut".into())]);
    let command = command(&world, &id);
    assert_eq!((&command["ErrorCount"], &command["DeliveryTimedOutCount"]), (&json!(0), &json!(1)));
    world.control.set_behaviour(&host_id(1), Behaviour::Normal).unwrap();
    assert_eq!(world.control.host(&host_id(1)).unwrap().restarts, 0);
}

#[test]
fn a_host_that_comes_back_in_time_runs_what_waited() {
    let world = fleet("ssm-back", vec![behaving(1, Behaviour::Offline)]);
    let id = send(&world, request(&[host_id(1)]));
    world.control.set_behaviour(&host_id(1), Behaviour::Normal).unwrap();
    assert_eq!(ended(&world, &id), [(host_id(1), "Success".into())]);
}

#[test]
fn a_host_that_is_terminated_is_undeliverable() {
    let world = fleet("ssm-terminated", vec![behaving(1, Behaviour::Offline)]);
    let id = send(&world, request(&[host_id(1)]));
    world.control.remove_host(&host_id(1)).unwrap();
    assert_eq!(ended(&world, &id), [(host_id(1), "Undeliverable".into())]);
    let reply = world.admin.ssm("SendCommand", request(&[host_id(1)]));
    assert_eq!(reply.refusal(), refused("InvalidInstanceId"));
}

/// moto has neither.
#[test]
fn a_command_is_cancelled_where_it_has_not_begun() {
    let world = fleet("ssm-cancel", vec![ordinary(1), behaving(2, Behaviour::Offline)]);
    let id = send(&world, request(&[host_id(1), host_id(2)]));
    while invocations(&world, &id)[0]["StatusDetails"] != "Success" {
        pause();
    }
    world.admin.ssm("CancelCommand", json!({"CommandId": id})).ok();
    assert_eq!(ended(&world, &id), [(host_id(1), "Success".into()), (host_id(2), "Cancelled".into())]);
}

/// moto has no such operation.
#[test]
fn managed_nodes_are_listed_in_short_pages() {
    let mut hosts: Vec<HostSpec> = (1..=12).map(ordinary).collect();
    hosts[4].behaviour = Behaviour::Offline;
    hosts[5].platform = Platform::Bottlerocket;
    hosts[1].tags.insert("role".into(), "edge".into());
    hosts[2].tags.insert("role".into(), "other".into());
    let anywhere =
        HostSpec { platform: Platform::EcsAnywhere, ..HostSpec::new(format!("mi-{:017x}", 1), "web") };
    hosts.push(anywhere);
    let world = fleet("ssm-nodes", hosts);
    let describe = |body: Value| world.admin.ssm("DescribeInstanceInformation", body);
    let filter = |key: &str, values: Value| json!([{"Key": key, "Values": values}]);
    let offline = describe(json!({"Filters": filter("PingStatus", json!(["ConnectionLost"]))})).ok();
    assert_eq!(offline["InstanceInformationList"][0]["InstanceId"], host_id(5).as_str());
    let hybrid = describe(json!({"Filters": filter("ResourceType", json!(["ManagedInstance"]))})).ok();
    assert_eq!(hybrid["InstanceInformationList"].as_array().unwrap().len(), 1);

    world
        .control
        .set_leeway(Leeway { pages: Pages { found: 3, examined: 1000 }, ..Leeway::default() })
        .unwrap();
    let ids: Vec<String> = (1..=20).map(host_id).collect();
    let mut body = json!({"Filters": filter("InstanceIds", json!(ids)), "MaxResults": 50});
    let (mut found, mut pages) = (0, 0);
    loop {
        let page = describe(body.clone()).ok();
        found += page["InstanceInformationList"].as_array().unwrap().len();
        pages += 1;
        match page.get("NextToken") {
            Some(token) => body["NextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!((found, pages), (12, 4));
    let tagged = filter("tag:role", json!(["edge", "core"]));
    let found = describe(json!({"Filters": tagged})).ok();
    assert_eq!(found["InstanceInformationList"][0]["InstanceId"], host_id(2).as_str());
    assert_eq!(found["InstanceInformationList"].as_array().unwrap().len(), 1);
    assert_eq!(found["InstanceInformationList"][0]["PlatformName"], "Amazon Linux");
    let mut mixed = tagged.as_array().unwrap().clone();
    mixed.extend(filter("PingStatus", json!(["Online"])).as_array().unwrap().clone());
    assert_eq!(describe(json!({"Filters": mixed})).refusal(), refused("InvalidFilterKey"));
    assert_eq!(describe(json!({"MaxResults": 4})).refusal(), refused("ValidationException"));
    assert_eq!(describe(json!({"NextToken": "garbage"})).refusal(), refused("InvalidNextToken"));
}

#[test]
fn invocations_come_fifty_a_page() {
    let world = fleet("ssm-pages", (1..=50).map(ordinary).collect());
    let ids: Vec<String> = (1..=50).map(host_id).collect();
    let commands = [send(&world, request(&ids)), send(&world, request(&ids))];
    for id in &commands {
        ended(&world, id);
    }
    let first = world.admin.ssm("ListCommandInvocations", json!({})).ok();
    assert_eq!(first["CommandInvocations"].as_array().unwrap().len(), 50);
    // Newest first.
    assert_eq!(first["CommandInvocations"][0]["CommandId"], commands[1].as_str());
    let second = world.admin.ssm("ListCommandInvocations", json!({"NextToken": first["NextToken"]})).ok();
    assert_eq!(second["CommandInvocations"].as_array().unwrap().len(), 50);
    assert_eq!(second.get("NextToken"), None);
    let reply = world.admin.ssm("ListCommandInvocations", json!({"MaxResults": 51}));
    assert_eq!(reply.refusal(), refused("ValidationException"));
}

#[test]
fn listings_are_filtered_by_status_and_document() {
    let world = fleet("ssm-filters", vec![ordinary(1), behaving(2, Behaviour::Offline)]);
    let id = send(&world, request(&[host_id(1), host_id(2)]));
    while invocations(&world, &id)[0]["StatusDetails"] != "Success" {
        pause();
    }
    let list = |filters: Value| {
        let answer =
            world.admin.ssm("ListCommandInvocations", json!({"CommandId": id, "Filters": filters})).ok();
        answer["CommandInvocations"].as_array().unwrap().len()
    };
    assert_eq!(list(json!([{"key": "Status", "value": "Success"}])), 1);
    assert_eq!(list(json!([{"key": "Status", "value": "Pending"}])), 1);
    assert_eq!(list(json!([{"key": "DocumentName", "value": "other"}])), 0);
    assert_eq!(list(json!([{"key": "InvokedAfter", "value": "2000-01-01T00:00:00Z"}])), 2);
    let executing = json!({"Filters": [{"key": "ExecutionStage", "value": "Executing"}]});
    assert_eq!(world.admin.ssm("ListCommands", executing).ok()["Commands"].as_array().unwrap().len(), 1);
}

#[test]
fn documents_are_made_described_and_versioned() {
    let world = World::empty("ssm-documents");
    let name = "regcred-refresh";
    let create = json!({"Name": name, "Content": DOCUMENT, "DocumentType": "Command"});
    world.admin.ssm("CreateDocument", create.clone()).ok();
    assert_eq!(world.admin.ssm("CreateDocument", create).refusal(), refused("DocumentAlreadyExists"));
    let described = world.admin.ssm("DescribeDocument", json!({"Name": name})).ok();
    assert_eq!(described["Document"]["DocumentVersion"], "1");
    assert_eq!(world.admin.ssm("GetDocument", json!({"Name": name})).ok()["Content"], DOCUMENT);
    let mut changed: Value = serde_json::from_str(DOCUMENT).unwrap();
    changed["description"] = json!("another one");
    let update = json!({"Name": name, "Content": changed.to_string(), "DocumentVersion": "$LATEST"});
    world.admin.ssm("UpdateDocument", update.clone()).ok();
    assert_eq!(world.admin.ssm("UpdateDocument", update).refusal(), refused("DuplicateDocumentContent"));
    assert_eq!(world.admin.ssm("GetDocument", json!({"Name": name})).ok()["Content"], DOCUMENT);
    world.admin.ssm("UpdateDocumentDefaultVersion", json!({"Name": name, "DocumentVersion": "2"})).ok();
    let described = world.admin.ssm("DescribeDocument", json!({"Name": name})).ok();
    assert_eq!(described["Document"]["Description"], "another one");
    let broken = json!({"Name": "broken", "Content": "{}", "DocumentType": "Command"});
    assert_eq!(world.admin.ssm("CreateDocument", broken).refusal(), refused("InvalidDocumentContent"));
}

/// What was sent is listed a moment later only, and a client must not take its absence for "not sent".
#[test]
fn a_command_may_be_listed_late() {
    let world = fleet("ssm-late", vec![ordinary(1)]);
    let calls = Match {
        service: Some(Service::Ssm),
        operation: Some("SendCommand".into()),
        times: Some(1),
        ..Match::default()
    };
    world.control.set_faults(&[Fault { calls, effect: Effect::LateVisibilityMs(60_000) }]).unwrap();
    let id = send(&world, request(&[host_id(1)]));
    assert_eq!(invocations(&world, &id), [Value::Null; 0]);
    assert_eq!(world.admin.ssm("ListCommands", json!({"CommandId": id})).ok()["Commands"], json!([]));
    let one = world.admin.ssm("GetCommandInvocation", json!({"CommandId": id, "InstanceId": host_id(1)}));
    assert_eq!(one.refusal(), refused("InvocationDoesNotExist"));
    world.control.advance(Duration::from_mins(1)).unwrap();
    assert_eq!(ended(&world, &id), [(host_id(1), "Success".into())]);
}
