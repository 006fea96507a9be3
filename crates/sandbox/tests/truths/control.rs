//! The control surface, and the log of calls.

use std::time::Duration;

use regcred_sandbox::Options;
use regcred_sandbox::client::ClientError;
use regcred_sandbox::control::{OwningService, Presented, PullView, SecretView};
use regcred_sandbox::hosts::HostSpec;
use serde_json::{Value, json};

use crate::world::{ACCOUNT, REGION, World, host_id, some_secret};

const CONFIG: &str = "ECS_CLUSTER=web\nECS_ENGINE_AUTH_TYPE=dockercfg\n\
                      ECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"auth\":\"dTpw\"}}\n";

#[test]
fn a_host_is_added_looked_at_and_terminated() {
    let world = World::empty("control-hosts");
    let spec = HostSpec { config: Some(CONFIG.into()), ..HostSpec::new(host_id(1), "web") };
    let host = world.control.add_host(&spec).unwrap();
    assert!(host.online && host.agent_connected);
    assert_eq!(world.control.hosts().unwrap(), [host]);
    let expected = PullView::Certain(Presented::Login {
        username: "u".into(),
        // Of `p`.
        password_sha256: "148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940".into(),
    });
    assert_eq!(world.control.pull(&host_id(1), "ghcr.io/a/b:c").unwrap(), expected);
    let other = world.control.pull(&host_id(1), "quay.io/a/b").unwrap();
    assert_eq!(other, PullView::Certain(Presented::Anonymous));
    world.control.stop_agent(&host_id(1)).unwrap();
    assert_eq!(world.control.pull(&host_id(1), "ghcr.io/a/b").unwrap(), PullView::NoAgent);
    world.control.remove_host(&host_id(1)).unwrap();
    let gone = world.control.host(&host_id(1));
    assert!(matches!(gone, Err(ClientError::Refused { status: 404, .. })), "{gone:?}");
}

#[test]
fn a_file_that_is_put_by_hand_is_read_at_the_next_start() {
    let hosts = vec![HostSpec::new(host_id(1), "web")];
    let world = World::start("control-config", Options { hosts, ..Options::default() });
    world.control.write_config(&host_id(1), CONFIG).unwrap();
    assert_eq!(world.control.config(&host_id(1)).unwrap(), CONFIG);
    assert_eq!(world.control.host(&host_id(1)).unwrap().loaded, None);
    world.control.start_agent(&host_id(1)).unwrap();
    assert!(world.control.host(&host_id(1)).unwrap().loaded.is_some());
}

#[test]
fn time_moves_on_when_it_is_told_to() {
    let world = World::empty("control-time");
    world.admin.secrets_manager("CreateSecret", some_secret("a")).ok();
    world.admin.secrets_manager("DeleteSecret", json!({"SecretId": "a", "RecoveryWindowInDays": 7})).ok();
    world.control.advance(Duration::from_hours(24 * 8)).unwrap();
    let reply = world.admin.secrets_manager("DescribeSecret", json!({"SecretId": "a"}));
    assert_eq!(reply.code(), "ResourceNotFoundException");
}

#[test]
fn a_secret_is_shown_without_its_value_and_given_to_a_service() {
    let world = World::empty("control-secrets");
    world.admin.secrets_manager("CreateSecret", some_secret("a")).ok();
    let owning = OwningService {
        account: ACCOUNT.into(),
        region: REGION.into(),
        name: "a".into(),
        owning_service: Some("rds".into()),
    };
    world.control.put("PUT", "secrets/owning-service", &owning).unwrap();
    let views: Vec<SecretView> =
        serde_json::from_str(&world.control.exchange("GET", "secrets", b"").unwrap()).unwrap();
    assert_eq!(views[0].described["OwningService"], "rds");
    assert_eq!(views[0].described.get("SecretString"), None);
}

#[test]
fn the_log_has_every_call_and_no_secret() {
    let world = World::with_bucket("control-log");
    world.admin.secrets_manager("CreateSecret", json!({"Name": "a", "SecretString": "hunter2"})).ok();
    world.admin.secrets_manager("GetSecretValue", json!({"SecretId": "a"})).ok();
    world.admin.secrets_manager("PutSecretValue", json!({"SecretId": "b", "SecretString": "hunter2"}));
    world.admin.put("/acme/k", &[], "hunter2");
    world.admin.secrets_manager("NoSuchOperation", json!({"SecretString": "hunter2"}));
    world.admin.secrets_manager("CreateSecret", json!({"Name": "c", "SecretSting": "hunter2"}));
    let text = world.control.calls().unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let calls: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(calls.len(), 6);
    assert_eq!(calls[0]["request"]["SecretString"], "*******");
    assert_eq!(calls[1]["response"]["SecretString"], "*******");
    assert_eq!(calls[2]["response"]["__type"], "ResourceNotFoundException");
    assert_eq!(
        calls[3],
        json!({
            "number": 4, "service": "s3", "operation": "PutObject", "status": 200, "request": {}, "response": {},
            "account": ACCOUNT, "region": REGION, "caller": calls[0]["caller"], "bucket": "acme", "key": "k",
        })
    );
    world.control.clear_calls().unwrap();
    assert_eq!(world.control.calls().unwrap(), "");
}

#[test]
fn what_is_not_there_is_said() {
    let world = World::empty("control-unknown");
    for (method, tail) in
        [("GET", "nothing"), ("POST", "calls"), ("GET", "hosts/i-1"), ("GET", "host/i-1/metadata")]
    {
        let refused = world.control.exchange(method, tail, b"");
        assert!(matches!(refused, Err(ClientError::Refused { status: 404, .. })), "{method} {tail}");
    }
    let refused = world.control.exchange("PUT", "faults", b"[{\"effect\":\"explode\"}]");
    assert!(matches!(refused, Err(ClientError::Refused { status: 400, .. })));
}
