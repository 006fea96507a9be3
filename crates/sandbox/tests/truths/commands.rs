//! A fleet that commands can be sent to, and what comes of them.

use std::thread::sleep;
use std::time::{Duration, Instant};

use regcred_sandbox::hosts::{Behaviour, DOCUMENT, DOCUMENT_NAME, HostSpec};
use regcred_sandbox::{DocumentSeed, Options};
use serde_json::{Value, json};

use crate::world::{ACCOUNT, REGION, World, bucket, host_id};

pub(crate) const ECS_CONFIG: &str =
    "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"auth\":\"dTpw\"}}\n";

pub(crate) fn options(hosts: Vec<HostSpec>) -> Options {
    let document = DocumentSeed {
        name: DOCUMENT_NAME.into(),
        account: ACCOUNT.into(),
        region: REGION.into(),
        content: DOCUMENT.into(),
    };
    Options { hosts, buckets: vec![bucket("acme")], documents: vec![document], ..Options::default() }
}

pub(crate) fn fleet(test: &str, hosts: Vec<HostSpec>) -> World {
    let world = World::start(test, options(hosts));
    assert_eq!(world.admin.put("/acme/prod/ecs.config", &[], ECS_CONFIG).status, 200);
    world
}

pub(crate) fn ordinary(number: usize) -> HostSpec {
    HostSpec::new(host_id(number), "web")
}

pub(crate) fn behaving(number: usize, behaviour: Behaviour) -> HostSpec {
    HostSpec { behaviour, ..ordinary(number) }
}

pub(crate) fn request(ids: &[String]) -> Value {
    json!({
        "DocumentName": DOCUMENT_NAME,
        "InstanceIds": ids,
        "Parameters": {"Bucket": ["acme"], "Key": ["prod/ecs.config"], "Region": [REGION]},
    })
}

pub(crate) fn with(mut body: Value, member: &str, value: impl Into<Value>) -> Value {
    body[member] = value.into();
    body
}

pub(crate) fn send(world: &World, body: Value) -> String {
    let answer = world.admin.ssm("SendCommand", body).ok();
    answer["Command"]["CommandId"].as_str().unwrap().to_owned()
}

pub(crate) fn invocations(world: &World, command: &str) -> Vec<Value> {
    let body = json!({"CommandId": command, "Details": true});
    let answer = world.admin.ssm("ListCommandInvocations", body).ok();
    answer["CommandInvocations"].as_array().unwrap().clone()
}

/// Waits until every invocation of a command has left the states in between.
pub(crate) fn ended(world: &World, command: &str) -> Vec<(String, String)> {
    let begun = Instant::now();
    loop {
        let words: Vec<(String, String)> = invocations(world, command)
            .iter()
            .map(|each| {
                let text = |member: &str| each[member].as_str().unwrap().to_owned();
                (text("InstanceId"), text("StatusDetails"))
            })
            .collect();
        if words
            .iter()
            .all(|(_, details)| !["Pending", "InProgress", "Cancelling"].contains(&details.as_str()))
        {
            return words;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{words:?}");
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "a plain test waits for another thread's work")]
pub(crate) fn pause() {
    sleep(Duration::from_millis(20));
}

pub(crate) fn command(world: &World, id: &str) -> Value {
    world.admin.ssm("ListCommands", json!({"CommandId": id})).ok()["Commands"][0].clone()
}
