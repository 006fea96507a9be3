//! Hosts of a sandbox: what they may do there, and what is left of them.

use std::path::Path;

use regcred_sandbox::client::Client;
use regcred_sandbox::hosts::{HostSpec, Life};
use regcred_sandbox::{DocumentSeed, Options, Sandbox, Statement};
use serde_json::{Value, json};

use crate::commands::{
    ECS_CONFIG, command, ended, fleet, invocations, options, ordinary, pause, request, send, with,
};
use crate::world::{ACCOUNT, REGION, World, host_id};

fn in_a_shell(number: usize) -> HostSpec {
    HostSpec { life: Life::Shell, ..ordinary(number) }
}

/// The request of a person whose S3 is the sandbox: a real shell would ask AWS's otherwise.
fn for_key(world: &World, key: &str) -> Value {
    let endpoint = &world.admin.endpoint;
    with(
        request(&[host_id(1)]),
        "Parameters",
        json!({"Bucket": ["acme"], "Key": [key], "Region": [REGION], "Endpoint": [endpoint]}),
    )
}

fn report(world: &World, command: &str) -> Value {
    ended(world, command);
    let output = invocations(world, command)[0]["CommandPlugins"][0]["Output"].clone();
    let line = output.as_str().unwrap().lines().next().unwrap_or_default().to_owned();
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("no report: {output}"))
}

/// The reads of objects in the log: who, and with what answer.
fn reads(world: &World) -> Vec<(String, u64)> {
    let calls = world.control.calls().unwrap();
    let calls = calls.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let reads = calls.filter(|call| call["operation"] == "GetObject");
    reads
        .map(|call| (call["caller"].as_str().unwrap().to_owned(), call["status"].as_u64().unwrap()))
        .collect()
}

/// One host in a real shell, one in memory: the same script or its contract, the same object, the same policy.
#[test]
fn a_host_fetches_under_its_own_role() {
    for (test, host) in [("hosts-shell", in_a_shell(1)), ("hosts-memory", ordinary(1))] {
        let world = fleet(test, vec![host]);
        let id = send(&world, for_key(&world, "prod/ecs.config"));
        assert_eq!(report(&world, &id)["outcome"], "loaded", "{test}");
        let role = "arn:aws:sts::111111111111:assumed-role/ecsInstanceRole/i-host";
        assert_eq!(reads(&world), [(role.to_owned(), 200)], "{test}");
        let loaded = world.control.host(&host_id(1)).unwrap().loaded.unwrap();
        assert_eq!(Some(loaded.object.unwrap().version_id), text(&report(&world, &id)["version_id"]));
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[test]
fn a_host_cannot_read_what_its_role_may_not() {
    let statements = vec![
        Statement::allow(&["s3:GetObject"], &["arn:aws:s3:::acme/*"]),
        Statement::deny(&["s3:*"], &["arn:aws:s3:::acme/state/*"]),
    ];
    for (test, host) in [("denied-shell", in_a_shell(1)), ("denied-memory", ordinary(1))] {
        let world =
            World::start(test, Options { host_statements: statements.clone(), ..options(vec![host]) });
        assert_eq!(world.admin.put("/acme/state/ecs.config", &[], ECS_CONFIG).status, 200);
        let id = send(&world, for_key(&world, "state/ecs.config"));
        assert_eq!(report(&world, &id)["reason"], "fetch-denied", "{test}");
        assert!(reads(&world).iter().all(|(_, status)| *status == 403), "{test}");
        assert_eq!(world.control.host(&host_id(1)).unwrap().restarts, 0, "{test}");
    }
}

/// A document whose script waits for a file to be there.
fn waiting(timeout_seconds: u32) -> DocumentSeed {
    let content = json!({
        "schemaVersion": "2.2",
        "parameters": {"Gate": {"type": "String", "allowedPattern": "^[A-Za-z0-9/._-]+$"}},
        "mainSteps": [{
            "action": "aws:runShellScript",
            "name": "wait",
            "inputs": {
                "runCommand": ["until [ -e '{{ Gate }}' ]; do sleep 1; done", "echo through"],
                "timeoutSeconds": timeout_seconds.to_string(),
            },
        }],
    });
    let content = content.to_string();
    DocumentSeed { name: "wait".into(), account: ACCOUNT.into(), region: REGION.into(), content }
}

fn wait_for(gate: &Path) -> Value {
    let gate = gate.to_str().unwrap();
    json!({"DocumentName": "wait", "InstanceIds": [host_id(1)], "Parameters": {"Gate": [gate]}})
}

fn in_progress(world: &World) -> usize {
    let filters = json!([{"key": "Status", "value": "InProgress"}]);
    let answer = world.admin.ssm("ListCommandInvocations", json!({"Filters": filters})).ok();
    answer["CommandInvocations"].as_array().unwrap().len()
}

/// `Mds.CommandWorkersLimit` of amazon-ssm-agent.
#[test]
fn five_commands_run_on_a_host_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    let documents = vec![waiting(60)];
    let world = World::start("hosts-workers", Options { documents, ..options(vec![in_a_shell(1)]) });
    let ids: Vec<String> = (0..7).map(|_| send(&world, wait_for(&gate))).collect();
    while in_progress(&world) < 5 {
        pause();
    }
    // As long as the others would have taken to begin.
    for _ in 0..10 {
        pause();
        assert_eq!(in_progress(&world), 5);
    }
    std::fs::write(&gate, "").unwrap();
    for id in &ids {
        assert_eq!(ended(&world, id), [(host_id(1), "Success".into())]);
        assert_eq!(invocations(&world, id)[0]["CommandPlugins"][0]["Output"], "through\n");
    }
}

#[test]
fn a_script_that_takes_too_long_is_killed_and_one_that_is_cancelled_ends_as_that() {
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    let documents = vec![waiting(1)];
    let world = World::start("hosts-timeout", Options { documents, ..options(vec![in_a_shell(1)]) });
    let id = send(&world, wait_for(&gate));
    assert_eq!(ended(&world, &id), [(host_id(1), "ExecutionTimedOut".into())]);
    // SSM counts it, unlike what was never delivered.
    assert_eq!(command(&world, &id)["ErrorCount"], 1);
    let id = send(&world, wait_for(&gate));
    while in_progress(&world) < 1 {
        pause();
    }
    world.admin.ssm("CancelCommand", json!({"CommandId": id})).ok();
    assert_eq!(ended(&world, &id), [(host_id(1), "Cancelled".into())]);
}

#[test]
fn nothing_of_a_host_is_left_when_the_sandbox_has_stopped() {
    // Another one than in any other run of this test, so that what others left is not taken for ours.
    let id = host_id(std::process::id() as usize);
    let folders = || {
        let prefix = format!("regcred-{id}-");
        let names = std::fs::read_dir(std::env::temp_dir()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with(&prefix)).count()
    };
    let host = HostSpec { life: Life::Shell, ..HostSpec::new(&id, "web") };
    let sandbox = Sandbox::start(options(vec![host])).unwrap();
    let control = Client::new(&sandbox.endpoint());
    assert_eq!((control.hosts().unwrap().len(), folders()), (1, 1));
    sandbox.stop();
    assert_eq!(folders(), 0);
    assert!(control.hosts().is_err());
}

#[test]
fn a_sandbox_is_stopped_from_async_code_too() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { Sandbox::start(Options::default()).unwrap().stop() });
}
