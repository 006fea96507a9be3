//! What is not AWS's is refused, loudly, and so that no SDK tries again.

use serde_json::json;

use crate::world::{World, refused, some_secret};

/// moto: HTTP 500 and a page of HTML.
#[test]
fn an_operation_that_is_not_there_is_a_client_error() {
    let world = World::empty("unknown-operation");
    let reply = world.admin.secrets_manager("GetSecretVaule", json!({}));
    assert_eq!(reply.refusal(), refused("UnknownOperationException"));
    let reply = world.admin.ssm("StartSession", json!({"Target": "i-00000000000000001"}));
    assert_eq!(reply.refusal(), refused("UnknownOperationException"));
    assert_eq!(world.admin.sts("GetSessionToken", &[]).refusal(), (400, "InvalidAction".into()));
    let reply = world.admin.s3("GET", "/acme?policy", &[], b"");
    assert_eq!(reply.refusal(), (400, "NotImplemented".into()));
}

#[test]
fn a_member_that_the_model_has_not_is_refused() {
    let world = World::empty("unknown-member");
    let reply = world.admin.secrets_manager("CreateSecret", json!({"Name": "a", "SecretSting": "b"}));
    assert_eq!(reply.refusal(), refused("ValidationException"));
    assert!(reply.text.contains(".SecretSting: no such member"), "{}", reply.text);
}

#[test]
fn a_member_that_the_model_has_and_the_double_has_not_is_refused_too() {
    let world = World::empty("unmodelled-member");
    let managed = json!({"Name": "a", "SecretString": "b", "Type": "SomebodyElses"});
    assert_eq!(
        world.admin.secrets_manager("CreateSecret", managed).refusal(),
        refused("SerializationException")
    );
    let targets = json!({"DocumentName": "regcred-refresh", "Targets": [{"Key": "tag:a", "Values": ["b"]}]});
    assert_eq!(world.admin.ssm("SendCommand", targets).refusal(), refused("SerializationException"));
    let acl = world.admin.put("/acme/k", &[("x-amz-acl", "private")], "");
    assert_eq!(acl.refusal(), (400, "NotImplemented".into()));
}

#[test]
fn members_are_held_against_the_models_limits() {
    let world = World::empty("limits");
    for (operation, body) in [
        ("GetSecretValue", json!({})),
        ("GetSecretValue", json!({"SecretId": 7})),
        ("GetSecretValue", json!({"SecretId": "a", "VersionId": "short"})),
        ("BatchGetSecretValue", json!({"SecretIdList": vec!["a"; 21]})),
        ("ListSecrets", json!({"SortOrder": "sideways"})),
    ] {
        let reply = world.admin.secrets_manager(operation, body);
        assert_eq!(reply.refusal(), refused("ValidationException"), "{operation}");
    }
}

/// An error tells which member is wrong, and never what was in it.
#[test]
fn a_refusal_does_not_repeat_a_value() {
    let world = World::empty("no-echo");
    let secret = "hunter2".repeat(10_000);
    let reply = world.admin.secrets_manager("CreateSecret", json!({"Name": "a", "SecretString": secret}));
    assert_eq!(reply.status, 400);
    assert!(!reply.text.contains("hunter2"));
}

#[test]
fn accounts_and_regions_see_nothing_of_each_other() {
    let world = World::empty("accounts");
    world.admin.secrets_manager("CreateSecret", some_secret("a")).ok();
    let id = json!({"SecretId": "a"});
    let other_region = world.admin.in_region("us-east-1").secrets_manager("GetSecretValue", id.clone());
    assert_eq!(other_region.refusal(), refused("ResourceNotFoundException"));
    let other_account =
        world.admin.as_key("222222222222", "test", None).secrets_manager("GetSecretValue", id);
    assert_eq!(other_account.refusal(), refused("ResourceNotFoundException"));
}
