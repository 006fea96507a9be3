//! Secrets Manager.

use regcred_sandbox::{KeySeed, Options};
use serde_json::{Value, json};

use crate::world::{ACCOUNT, REGION, World, refused, some_secret};

const TOKENS: [&str; 3] = [
    "token-one-one-one-one-one-one-one-one",
    "token-two-two-two-two-two-two-two-two",
    "token-three-three-three-three-three",
];

/// A secret `a` with the value `one` under the first token.
fn with_a_secret(test: &str) -> World {
    let world = World::empty(test);
    let first = json!({"Name": "a", "SecretString": "one", "ClientRequestToken": TOKENS[0]});
    world.admin.secrets_manager("CreateSecret", first).ok();
    world
}

fn put(world: &World, token: &str, value: &str, stages: &[&str]) -> Value {
    let body = json!({
        "SecretId": "a", "SecretString": value, "ClientRequestToken": token, "VersionStages": stages,
    });
    world.admin.secrets_manager("PutSecretValue", body).ok()
}

fn promote(world: &World, from: &str, to: &str) -> (u16, String) {
    let body = json!({
        "SecretId": "a", "VersionStage": "AWSCURRENT", "RemoveFromVersionId": from, "MoveToVersionId": to,
    });
    world.admin.secrets_manager("UpdateSecretVersionStage", body).refusal()
}

fn read(world: &World, body: Value) -> Value {
    world.admin.secrets_manager("GetSecretValue", body).ok()["SecretString"].clone()
}

fn stages(world: &World) -> Value {
    world.admin.secrets_manager("DescribeSecret", json!({"SecretId": "a"})).ok()["VersionIdsToStages"].clone()
}

/// moto goes on to answer the old value, alone and in a batch (lie 1).
#[test]
fn after_a_promotion_every_reader_sees_the_new_value() {
    let world = with_a_secret("promotion");
    put(&world, TOKENS[1], "two", &["AWSPENDING"]);
    assert_eq!(read(&world, json!({"SecretId": "a"})), "one");
    assert_eq!(promote(&world, TOKENS[0], TOKENS[1]), (200, String::new()));
    assert_eq!(read(&world, json!({"SecretId": "a"})), "two");
    assert_eq!(read(&world, json!({"SecretId": "a", "VersionStage": "AWSPREVIOUS"})), "one");
    let batch = world.admin.secrets_manager("BatchGetSecretValue", json!({"SecretIdList": ["a"]})).ok();
    assert_eq!(batch["SecretValues"][0]["SecretString"], "two");
    // The pending label stays where it was put.
    assert_eq!(stages(&world), json!({TOKENS[0]: ["AWSPREVIOUS"], TOKENS[1]: ["AWSCURRENT", "AWSPENDING"]}));
}

/// moto leaves two current versions (lie 2).
#[test]
fn one_version_is_current_and_one_previous() {
    let world = with_a_secret("one-current");
    put(&world, TOKENS[1], "two", &["AWSPENDING"]);
    promote(&world, TOKENS[0], TOKENS[1]);
    put(&world, TOKENS[2], "three", &["AWSCURRENT"]);
    assert_eq!(stages(&world), json!({TOKENS[1]: ["AWSPENDING", "AWSPREVIOUS"], TOKENS[2]: ["AWSCURRENT"]}));
    assert_eq!(read(&world, json!({"SecretId": "a", "VersionStage": "AWSCURRENT"})), "three");
}

/// moto overwrites the version without a word (lie 3).
#[test]
fn a_token_names_one_value_for_ever() {
    let world = with_a_secret("token");
    put(&world, TOKENS[1], "two", &["AWSPENDING"]);
    put(&world, TOKENS[1], "two", &["AWSPENDING"]);
    let other = json!({"SecretId": "a", "SecretString": "other", "ClientRequestToken": TOKENS[1]});
    let reply = world.admin.secrets_manager("PutSecretValue", other);
    assert_eq!(reply.refusal(), refused("ResourceExistsException"));
    assert_eq!(read(&world, json!({"SecretId": "a", "VersionStage": "AWSPENDING"})), "two");
}

#[test]
fn a_creation_is_idempotent_by_its_token() {
    let world = with_a_secret("create-again");
    let same = json!({"Name": "a", "SecretString": "one", "ClientRequestToken": TOKENS[0]});
    assert_eq!(world.admin.secrets_manager("CreateSecret", same).ok()["VersionId"], TOKENS[0]);
    let reply = world.admin.secrets_manager("CreateSecret", some_secret("a"));
    assert_eq!(reply.refusal(), refused("ResourceExistsException"));
}

/// Both moto and AWS: the loser is told no more than that.
#[test]
fn a_lost_race_is_an_invalid_parameter() {
    let world = with_a_secret("race");
    put(&world, TOKENS[1], "two", &["AWSPENDING"]);
    put(&world, TOKENS[2], "three", &["other"]);
    assert_eq!(promote(&world, TOKENS[0], TOKENS[1]), (200, String::new()));
    assert_eq!(promote(&world, TOKENS[0], TOKENS[2]), refused("InvalidParameterException"));
    let blind = json!({"SecretId": "a", "VersionStage": "AWSCURRENT", "MoveToVersionId": TOKENS[2]});
    let reply = world.admin.secrets_manager("UpdateSecretVersionStage", blind);
    assert_eq!(reply.refusal(), refused("InvalidParameterException"));
    assert_eq!(read(&world, json!({"SecretId": "a"})), "two");
}

/// moto: 404 (lie 4).
#[test]
fn a_secret_that_is_not_there_is_a_plain_client_error() {
    let world = World::empty("absent");
    let reply = world.admin.secrets_manager("GetSecretValue", json!({"SecretId": "absent"}));
    assert_eq!(reply.refusal(), refused("ResourceNotFoundException"));
}

/// moto never looks at the key (lie 5).
#[test]
fn a_key_has_to_be_there_and_enabled() {
    let key = |enabled| KeySeed {
        alias: "alias/k".into(),
        account: ACCOUNT.into(),
        region: REGION.into(),
        enabled,
    };
    let world = World::start("kms", Options { keys: vec![key(true)], ..Options::default() });
    let create = |name: &str, key: &str| {
        let body = json!({"Name": name, "SecretString": "s", "KmsKeyId": key});
        world.admin.secrets_manager("CreateSecret", body)
    };
    assert_eq!(create("a", "alias/absent").refusal(), refused("EncryptionFailure"));
    create("a", "alias/k").ok();
    world.control.put("PUT", "keys", &key(false)).unwrap();
    let body = json!({"SecretId": "a", "SecretString": "t"});
    assert_eq!(world.admin.secrets_manager("PutSecretValue", body).refusal(), refused("EncryptionFailure"));
    let id = json!({"SecretId": "a"});
    assert_eq!(world.admin.secrets_manager("GetSecretValue", id).refusal(), refused("DecryptionFailure"));
    let batch = world.admin.secrets_manager("BatchGetSecretValue", json!({"SecretIdList": ["a"]})).ok();
    assert_eq!(batch["Errors"][0]["ErrorCode"], "DecryptionFailure");
}

#[test]
fn a_keys_arn_is_told_by_its_alias_or_its_id() {
    let key =
        KeySeed { alias: "alias/k".into(), account: ACCOUNT.into(), region: REGION.into(), enabled: true };
    let world = World::start("kms_describe", Options { keys: vec![key], ..Options::default() });
    let describe = |id: &str| world.admin.kms("DescribeKey", json!({"KeyId": id}));
    let told = describe("alias/k").ok();
    let (id, arn) =
        (told["KeyMetadata"]["KeyId"].as_str().unwrap(), told["KeyMetadata"]["Arn"].as_str().unwrap());
    assert_eq!(arn, format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}"));
    for reference in [id, arn, &format!("arn:aws:kms:{REGION}:{ACCOUNT}:alias/k")] {
        assert_eq!(describe(reference).ok(), told, "{reference}");
    }
    assert_eq!(describe("alias/absent").refusal(), refused("NotFoundException"));
}

/// moto writes to it, and says ResourceExists of a new one over it (lie 6).
#[test]
fn a_secret_that_is_scheduled_for_deletion_takes_nothing() {
    let world = with_a_secret("deleted");
    let id = json!({"SecretId": "a"});
    world.admin.secrets_manager("DeleteSecret", json!({"SecretId": "a", "RecoveryWindowInDays": 7})).ok();
    for (operation, body) in [
        ("GetSecretValue", id.clone()),
        ("PutSecretValue", json!({"SecretId": "a", "SecretString": "t"})),
        ("TagResource", json!({"SecretId": "a", "Tags": [{"Key": "k", "Value": "v"}]})),
        ("CreateSecret", some_secret("a")),
    ] {
        let reply = world.admin.secrets_manager(operation, body);
        assert_eq!(reply.refusal(), refused("InvalidRequestException"), "{operation}");
    }
    let batch = world.admin.secrets_manager("BatchGetSecretValue", json!({"SecretIdList": ["a"]})).ok();
    assert_eq!(batch["Errors"][0]["ErrorCode"], "InvalidRequestException");
    assert!(world.admin.secrets_manager("DescribeSecret", id.clone()).ok()["DeletedDate"].is_number());
    let all = world.admin.secrets_manager("ListSecrets", json!({})).ok();
    assert_eq!(all["SecretList"], json!([]));
    world.admin.secrets_manager("RestoreSecret", id.clone()).ok();
    assert_eq!(read(&world, id), "one");
}

/// moto has no limit at all (lie 7).
#[test]
fn values_labels_tags_and_names_have_limits() {
    let world = with_a_secret("sm-limits");
    let put_value = |value: &str| {
        let body = json!({"SecretId": "a", "SecretString": value});
        world.admin.secrets_manager("PutSecretValue", body)
    };
    put_value(&"x".repeat(65_536)).ok();
    assert_eq!(put_value(&"x".repeat(65_537)).status, 400);
    // Fewer characters than the limit, and more bytes.
    assert_eq!(put_value(&"\u{e9}".repeat(40_000)).refusal(), refused("InvalidParameterException"));

    let label = |name: &str| {
        let body = json!({"SecretId": "a", "VersionStage": name, "MoveToVersionId": TOKENS[1]});
        world.admin.secrets_manager("UpdateSecretVersionStage", body)
    };
    put(&world, TOKENS[1], "two", &["label-0"]);
    for number in 1..20 {
        label(&format!("label-{number}")).ok();
    }
    assert_eq!(label("label-20").refusal(), refused("LimitExceededException"));

    let tags: Vec<Value> = (0..51).map(|n| json!({"Key": format!("k{n}"), "Value": "v"})).collect();
    let reply = world.admin.secrets_manager("TagResource", json!({"SecretId": "a", "Tags": tags}));
    assert_eq!(reply.refusal(), refused("InvalidParameterException"));

    let reply = world.admin.secrets_manager("CreateSecret", some_secret("no spaces"));
    assert_eq!(reply.refusal(), refused("ValidationException"));
}

/// moto lists them for ever, with empty labels, whatever is asked (lie 7).
#[test]
fn versions_without_a_label_are_listed_when_asked_for() {
    let world = with_a_secret("deprecated");
    put(&world, TOKENS[1], "two", &["AWSPENDING"]);
    put(&world, TOKENS[2], "three", &["AWSPENDING"]);
    let list = |body: Value| world.admin.secrets_manager("ListSecretVersionIds", body).ok();
    let labelled = list(json!({"SecretId": "a"}));
    assert_eq!(labelled["Versions"].as_array().unwrap().len(), 2);
    // moto: the name (lie 12).
    assert!(labelled["ARN"].as_str().unwrap().starts_with("arn:aws:secretsmanager:"));
    let all = list(json!({"SecretId": "a", "IncludeDeprecated": true}));
    assert_eq!(all["Versions"].as_array().unwrap().len(), 3);
}

/// moto takes both, and answers a version that has not the label (lie 8).
#[test]
fn contradictions_are_refused() {
    let world = with_a_secret("contradictions");
    let both = json!({"SecretId": "a", "SecretString": "s", "SecretBinary": "cw=="});
    let reply = world.admin.secrets_manager("PutSecretValue", both);
    assert_eq!(reply.refusal(), refused("InvalidParameterException"));
    let neither = world.admin.secrets_manager("PutSecretValue", json!({"SecretId": "a"}));
    assert_eq!(neither.refusal(), refused("InvalidParameterException"));
    let other = json!({"SecretId": "a", "VersionId": TOKENS[0], "VersionStage": "AWSPENDING"});
    let reply = world.admin.secrets_manager("GetSecretValue", other);
    assert_eq!(reply.refusal(), refused("InvalidRequestException"));
}

/// moto's rotation "succeeds" without a function, and leaves a pending version behind (lie 10).
#[test]
fn rotation_needs_a_function_and_makes_no_version_by_itself() {
    let world = with_a_secret("rotation");
    let rotate = |body: Value| world.admin.secrets_manager("RotateSecret", body);
    let reply = rotate(json!({"SecretId": "a", "RotateImmediately": false}));
    assert_eq!(reply.refusal(), refused("InvalidRequestException"));
    let lambda = "arn:aws:lambda:eu-west-1:111111111111:function:f";
    let with_token = json!({
        "SecretId": "a", "RotateImmediately": false, "RotationLambdaARN": lambda, "ClientRequestToken": TOKENS[1],
    });
    rotate(with_token).ok();
    let described = world.admin.secrets_manager("DescribeSecret", json!({"SecretId": "a"})).ok();
    assert_eq!(described["RotationEnabled"], true);
    assert_eq!(stages(&world), json!({TOKENS[0]: ["AWSCURRENT"]}));
}

/// moto fails the whole batch with 404, and a bad token with 500 (lie 11).
#[test]
fn a_batch_by_filter_survives_a_secret_without_a_value() {
    let world = with_a_secret("batch-filter");
    world.admin.secrets_manager("CreateSecret", json!({"Name": "a-empty"})).ok();
    let batch = |body: Value| world.admin.secrets_manager("BatchGetSecretValue", body);
    let filters = json!([{"Key": "name", "Values": ["a"]}]);
    let answer = batch(json!({"Filters": filters})).ok();
    assert_eq!(answer["SecretValues"].as_array().unwrap().len(), 1);
    assert_eq!(answer["Errors"][0]["ErrorCode"], "ResourceNotFoundException");
    let reply = batch(json!({"Filters": filters, "NextToken": "garbage"}));
    assert_eq!(reply.refusal(), refused("InvalidNextTokenException"));
}

/// moto never tells it (lie 12).
#[test]
fn a_read_is_noted_to_the_day() {
    let world = with_a_secret("last-accessed");
    let described = || world.admin.secrets_manager("DescribeSecret", json!({"SecretId": "a"})).ok();
    assert_eq!(described()["LastAccessedDate"], Value::Null);
    read(&world, json!({"SecretId": "a"}));
    let day = described()["LastAccessedDate"].as_f64().unwrap();
    assert!(day > 0.0 && day % 86_400.0 == 0.0, "{day}");
}

#[test]
fn listings_come_in_pages() {
    let world = World::empty("sm-pages");
    for number in 0..5 {
        world.admin.secrets_manager("CreateSecret", some_secret(&format!("s{number}"))).ok();
    }
    let mut names = Vec::new();
    let mut request = json!({"MaxResults": 2});
    loop {
        let answer = world.admin.secrets_manager("ListSecrets", request).ok();
        let page = answer["SecretList"].as_array().unwrap();
        assert!(page.len() <= 2);
        names.extend(page.iter().map(|secret| secret["Name"].as_str().unwrap().to_owned()));
        match answer["NextToken"].as_str() {
            Some(token) => request = json!({"MaxResults": 2, "NextToken": token}),
            None => break,
        }
    }
    assert_eq!(names, ["s0", "s1", "s2", "s3", "s4"]);
}

#[test]
fn a_secret_is_found_by_its_arn_with_and_without_its_last_characters() {
    let world = with_a_secret("arns");
    let arn = world.admin.secrets_manager("DescribeSecret", json!({"SecretId": "a"})).ok()["ARN"].clone();
    let arn = arn.as_str().unwrap();
    let (partial, _) = arn.rsplit_once('-').unwrap();
    for id in [arn, partial] {
        assert_eq!(read(&world, json!({"SecretId": id})), "one");
    }
    let other = format!("{partial}-zzzzzz");
    let reply = world.admin.secrets_manager("GetSecretValue", json!({"SecretId": other}));
    assert_eq!(reply.refusal(), refused("ResourceNotFoundException"));
}

/// What DescribeSecret says of each copy, by Region.
fn copies(world: &World) -> Vec<(String, String)> {
    let described = world.admin.secrets_manager("DescribeSecret", json!({"SecretId": "a"})).ok();
    let text = |copy: &Value, member: &str| copy[member].as_str().unwrap_or_default().to_owned();
    let copies = described["ReplicationStatus"].as_array().into_iter().flatten();
    copies.map(|copy| (text(copy, "Region"), text(copy, "Status"))).collect()
}

fn replicate(world: &World, region: &str) -> Value {
    let body = json!({"SecretId": "a", "AddReplicaRegions": [{"Region": region}]});
    world.admin.secrets_manager("ReplicateSecretToRegions", body).ok()
}

#[test]
fn a_copy_in_another_region_is_made_follows_and_is_written_by_nobody_else() {
    let world = with_a_secret("replication");
    let us = world.admin.in_region("us-east-1");
    let asked = replicate(&world, "us-east-1");
    assert_eq!(asked["ReplicationStatus"][0]["Status"], "InProgress");
    assert_eq!(copies(&world), [("us-east-1".to_owned(), "InSync".to_owned())]);
    let there = |body: Value| us.secrets_manager("GetSecretValue", body).ok();
    assert_eq!(there(json!({"SecretId": "a"}))["SecretString"], "one");
    put(&world, TOKENS[1], "two", &["AWSPENDING"]);
    promote(&world, TOKENS[0], TOKENS[1]);
    assert_eq!(there(json!({"SecretId": "a"}))["SecretString"], "two");

    let described = us.secrets_manager("DescribeSecret", json!({"SecretId": "a"})).ok();
    assert_eq!(described["PrimaryRegion"], REGION);
    let arn = described["ARN"].as_str().unwrap().to_owned();
    assert_eq!(arn.replace(":us-east-1:", &format!(":{REGION}:")), asked["ARN"].as_str().unwrap());
    for (operation, more) in [
        ("PutSecretValue", json!({"SecretString": "three"})),
        ("TagResource", json!({"Tags": [{"Key": "k", "Value": "v"}]})),
        ("DeleteSecret", json!({})),
    ] {
        let mut body = more;
        body["SecretId"] = json!("a");
        assert_eq!(
            us.secrets_manager(operation, body).refusal(),
            refused("InvalidRequestException"),
            "{operation}"
        );
    }
    // Nor is the primary deleted from under its copies.
    let reply = world.admin.secrets_manager("DeleteSecret", json!({"SecretId": "a"}));
    assert_eq!(reply.refusal(), refused("InvalidRequestException"));
    let own = json!({"SecretId": "a", "AddReplicaRegions": [{"Region": REGION}]});
    let reply = world.admin.secrets_manager("ReplicateSecretToRegions", own);
    assert_eq!(reply.refusal(), refused("InvalidParameterException"));
}

#[test]
fn a_copy_that_cannot_be_made_fails_and_is_made_when_it_is_asked_for_again() {
    let keys = vec![KeySeed {
        alias: "alias/own".into(),
        account: ACCOUNT.into(),
        region: "us-east-1".into(),
        enabled: false,
    }];
    let world = World::start("replication-fails", Options { keys, ..Options::default() });
    let us = world.admin.in_region("us-east-1");
    us.secrets_manager("CreateSecret", some_secret("a")).ok();
    let mut first = some_secret("a");
    first["AddReplicaRegions"] = json!([{"Region": "us-east-1"}, {"Region": "us-west-2"}, {"Region": "us-east-2", "KmsKeyId": "alias/own"}]);
    let created = world.admin.secrets_manager("CreateSecret", first).ok();
    assert_eq!(created["ReplicationStatus"][0]["Status"], "InProgress");
    let status = |region: &str| {
        let copies = copies(&world);
        copies.into_iter().find(|(name, _)| name == region).map(|(_, status)| status).unwrap_or_default()
    };
    // Another secret has the name; the key is in another Region.
    assert_eq!(["us-east-1", "us-west-2", "us-east-2"].map(status), ["Failed", "InSync", "Failed"]);
    us.secrets_manager("DeleteSecret", json!({"SecretId": "a", "ForceDeleteWithoutRecovery": true})).ok();
    replicate(&world, "us-east-1");
    replicate(&world, "us-east-2");
    assert_eq!(["us-east-1", "us-west-2", "us-east-2"].map(status), ["InSync"; 3]);
}
