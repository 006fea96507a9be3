//! The Parameter Store.

use regcred_sandbox::{KeySeed, Options, Role, Statement, Trust};
use serde_json::{Value, json};

use crate::world::{ACCOUNT, REGION, World, refused};

/// What a parameter of the tests is called, and holds.
const NAME: &str = "/registries/harbor";
const VALUE: &str = "value-of-a-parameter";

fn key(enabled: bool) -> KeySeed {
    KeySeed { alias: "alias/acme".into(), account: ACCOUNT.into(), region: REGION.into(), enabled }
}

fn put(world: &World, members: &Value) -> (u16, String) {
    let mut body = json!({"Name": NAME, "Value": VALUE, "Type": "SecureString"});
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    world.admin.ssm("PutParameter", body).refusal()
}

#[test]
fn a_secure_string_is_shown_to_those_alone_who_ask_for_its_decryption() {
    let world = World::empty("secure-string");
    assert_eq!(put(&world, &json!({})), (200, String::new()));
    let read = |body: Value| world.admin.ssm("GetParameter", body).ok()["Parameter"].clone();
    let parameter = read(json!({"Name": NAME, "WithDecryption": true}));
    assert_eq!((&parameter["Value"], &parameter["Type"]), (&json!(VALUE), &json!("SecureString")));
    assert_eq!(parameter["ARN"], format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{NAME}"));
    assert_ne!(read(json!({"Name": NAME}))["Value"], VALUE);
    let by_arn = read(json!({"Name": parameter["ARN"], "WithDecryption": true}));
    assert_eq!(by_arn["Value"], VALUE);
    let log = world.control.calls().unwrap();
    assert!(log.contains(NAME) && !log.contains(VALUE), "{log}");
}

#[test]
fn a_parameter_is_replaced_where_that_is_said_and_each_version_stays() {
    let world = World::empty("parameter-versions");
    assert_eq!(put(&world, &json!({"Type": null})).0, 400);
    let missing = world.admin.ssm("GetParameter", json!({"Name": NAME}));
    assert_eq!(missing.refusal(), refused("ParameterNotFound"));
    assert_eq!(put(&world, &json!({})), (200, String::new()));
    assert_eq!(put(&world, &json!({})), refused("ParameterAlreadyExists"));
    assert_eq!(
        put(&world, &json!({"Type": "String", "Overwrite": true})),
        refused("HierarchyTypeMismatchException")
    );
    assert_eq!(put(&world, &json!({"Value": "two", "Overwrite": true})), (200, String::new()));
    for (name, value) in
        [(NAME.to_owned(), "two"), (format!("{NAME}:1"), VALUE), (format!("{NAME}:2"), "two")]
    {
        let body = json!({"Name": name, "WithDecryption": true});
        assert_eq!(world.admin.ssm("GetParameter", body).ok()["Parameter"]["Value"], value, "{name}");
    }
    let body = json!({"Name": format!("{NAME}:3"), "WithDecryption": true});
    assert_eq!(world.admin.ssm("GetParameter", body).refusal(), refused("ParameterVersionNotFound"));
    assert_eq!(
        put(&world, &json!({"Value": "v".repeat(4097), "Overwrite": true})),
        refused("ValidationException")
    );
}

#[test]
fn a_key_that_is_disabled_or_forbidden_decrypts_nothing() {
    let role = |actions: &[&str]| Role {
        account: ACCOUNT.into(),
        name: "reader".into(),
        trust: Trust::default(),
        statements: vec![Statement::allow(actions, &["*"])],
    };
    let options =
        Options { keys: vec![key(true)], roles: vec![role(&["ssm:GetParameter"])], ..Options::default() };
    let world = World::start("parameter-keys", options);
    assert_eq!(put(&world, &json!({"KeyId": "alias/none"})), refused("InvalidKeyId"));
    assert_eq!(put(&world, &json!({"KeyId": "alias/acme"})), (200, String::new()));
    let assumed = world.admin.sts(
        "AssumeRole",
        &[("RoleArn", &format!("arn:aws:iam::{ACCOUNT}:role/reader")), ("RoleSessionName", "test")],
    );
    let reader = world.admin.as_key(
        &assumed.element("AccessKeyId"),
        &assumed.element("SecretAccessKey"),
        Some(assumed.element("SessionToken")),
    );
    let read = || reader.ssm("GetParameter", json!({"Name": NAME, "WithDecryption": true}));
    assert_eq!(read().refusal(), refused("AccessDeniedException"));
    assert!(read().text.contains("kms:Decrypt"), "{}", read().text);
    world
        .control
        .exchange("PUT", "roles", &serde_json::to_vec(&role(&["ssm:*", "kms:Decrypt"])).unwrap())
        .unwrap();
    assert_eq!(read().refusal(), (200, String::new()));
    world.control.exchange("PUT", "keys", &serde_json::to_vec(&key(false)).unwrap()).unwrap();
    assert_eq!(read().refusal(), refused("InvalidKeyId"));
}
