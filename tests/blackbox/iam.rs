//! The printed policies, tried: with them regcred and hosts do all of their work, and without any one action they say which.

use std::collections::BTreeSet;

use regcred_sandbox::hosts::{HostSpec, Life, Platform};
use regcred_sandbox::{Options, Role, Statement, Trust};
use serde_json::{Value, json};

use crate::third_party::{ROOT_ACCOUNT, ROOT_KEY, Running, ThirdParty};
use crate::tools::{AwsEnvironment, Ended, Program};
use crate::world::{self, ACCOUNT, GOOD, REGION, World, bare, host, with_hosts};

const ROLE: &str = "regcred";

/// Everything that a policy can be about: each kind of source that AWS has, secrets, an object, clusters by name and by
/// pattern. The registries are not there, so nothing is tried.
fn config() -> String {
    format!(
        "
locations: {{ eu: {{ region: {REGION}, role_arn: 'arn:aws:iam::{ACCOUNT}:role/{ROLE}' }} }}
state: {{ bucket: acme-regcred }}
registries:
  hub:
    server: docker.io
    verify: {{ enabled: false }}
    source: {{ secrets_manager: {{ secret: sources/hub }} }}
    secret: {{ name: ecs/registry/hub }}
  ghcr:
    server: ghcr.io
    verify: {{ enabled: false }}
    source: {{ ssm_parameter: {{ name: /sources/ghcr, username: bot }} }}
  harbor:
    server: harbor.example.com
    verify: {{ enabled: false }}
    source: {{ file: {{ path: secrets/harbor.json }} }}
    secret: {{ name: ecs/registry/harbor, replicate_to: [us-east-1] }}
ecs_configs:
  prod: {{ bucket: acme-ecs, key: prod/ecs.config, registries: [hub, ghcr, harbor] }}
fleets:
  prod:
    ecs_config: prod
    clusters: [web, 'bat*']
    max_unavailable: 100%
    poll_interval: 100ms
    settle_interval: 100ms
    settle_timeout: 10s
    command_timeout: 30s
"
    )
}

pub(crate) fn hosts() -> Vec<HostSpec> {
    let managed = HostSpec {
        platform: Platform::ManagedInstances,
        capacity_provider: Some("managed".into()),
        ..host(GOOD[1], "web", Life::Memory)
    };
    vec![host(GOOD[0], "web", Life::Memory), managed, host(GOOD[7], "batch", Life::Memory)]
}

/// A policy as the sandbox's roles have them. It judges no conditions; the configuration here has one, for its copies.
pub(crate) fn statements(policy: &Value, without: Option<&str>) -> Vec<Statement> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let of = |statement: &Value| {
        let condition = match statement["Sid"].as_str() {
            Some("CopySecretsToRegions") => {
                json!({ "ForAllValues:StringEquals": { "secretsmanager:AddReplicaRegions": ["us-east-1"] } })
            }
            _ => Value::Null,
        };
        assert_eq!((&statement["Effect"], &statement["Condition"]), (&json!("Allow"), &condition));
        let actions: Vec<String> = texts(&statement["Action"])
            .into_iter()
            .filter(|action| Some(action.as_str()) != without)
            .collect();
        let resources = texts(&statement["Resource"]);
        let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
        Statement::allow(&actions, &resources.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let mut all: Vec<Statement> = policy["Statement"].as_array().unwrap().iter().map(of).collect();
    // An endpoint that is not AWS's own is seen to honour conditional writes first, beside the object.
    all.push(Statement::allow(&["s3:PutObject"], &["arn:aws:s3:::acme-ecs/prod/ecs.config.regcred-probe-*"]));
    all
}

fn actions(policy: &Value) -> BTreeSet<String> {
    let all = policy["Statement"].as_array().unwrap().iter().flat_map(|it| it["Action"].as_array().unwrap());
    all.map(|action| action.as_str().unwrap().to_owned()).collect()
}

/// The printed policy of one kind, in a world that nothing has happened in.
async fn printed(kind: &str) -> Vec<Value> {
    let world = World::start("the_printed_policies", bare(), &config());
    let told = world.json(&["iam", kind]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    let policies = told.json["policies"].as_array().unwrap();
    policies.iter().map(|policy| policy["policy"].clone()).collect()
}

pub(crate) async fn start(test: &str, statements: Vec<Statement>, options: Options) -> World {
    let role = Role { account: ACCOUNT.into(), name: ROLE.into(), trust: Trust::default(), statements };
    let world = World::start(test, Options { roles: vec![role], ..options }, &config());
    let sdk = world.sdk();
    sdk.create_secret("sources/hub", r#"{"username":"acme","password":"hub-password-1"}"#, &[]).await;
    sdk.put_parameter("/sources/ghcr", "ghcr-token-1").await;
    world
}

/// The main job: a first publication, and a changed password. What it said, up to the first pass that did not end well.
pub(crate) async fn main_job(world: &World) -> Result<(), Ended> {
    for password in [None, Some("another-password-of-harbor")] {
        if let Some(password) = password {
            world.set_harbor_password(password);
        }
        let ended = world.run(&["sync"]).await;
        if ended.code != Some(0) {
            return Err(ended);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_controller_with_the_printed_policy_does_all_of_its_work_and_without_one_action_says_which() {
    let policies = printed("controller").await;
    let [policy, starter] = policies.as_slice() else { panic!("{policies:#?}") };
    assert_eq!(starter["Statement"][0]["Action"], json!(["sts:AssumeRole"]));
    assert_eq!(starter["Statement"][0]["Resource"], json!([format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}")]));

    let world =
        start("a_controller_with_the_printed_policy", statements(policy, None), with_hosts(hosts())).await;
    main_job(&world).await.unwrap_or_else(|ended| panic!("{}{}", ended.stdout, ended.stderr));

    let all = actions(policy);
    assert!(all.len() >= 19, "{all:#?}");
    for action in all {
        // Asked only of commands that show no invocation for long: the sandbox shows them at once.
        if action == "ssm:ListCommands" {
            continue;
        }
        let test = "a_controller_without_one_action";
        let world = start(test, statements(policy, Some(&action)), with_hosts(hosts())).await;
        let Err(Ended { code, stdout, stderr }) = main_job(&world).await else {
            panic!("{action} is not needed");
        };
        assert!(matches!(code, Some(4 | 5)), "{action}: {code:?}");
        let said = format!("{stdout}{stderr}");
        assert!(said.contains(&action), "{action} is not named:\n{said}");
    }
}

#[tokio::test]
async fn hosts_with_the_printed_policy_fetch_the_object_and_nothing_of_the_state() {
    let policies = printed("instance").await;
    let [policy] = policies.as_slice() else { panic!("{policies:#?}") };
    assert_eq!(actions(policy), ["s3:GetObject".to_owned()].into());
    let all = Statement::allow(&["*"], &["*"]);
    for (host_statements, code) in
        [(statements(policy, None), 0), (statements(policy, Some("s3:GetObject")), 5)]
    {
        let options = Options { host_statements, ..with_hosts(hosts()) };
        let world = start("hosts_with_the_printed_policy", vec![all.clone()], options).await;
        let told = world.json(&["sync"]).await;
        assert_eq!(told.code, code, "{told:#?}");
    }
    let resources = policy["Statement"][0]["Resource"].as_array().unwrap();
    assert!(resources.iter().all(|arn| !arn.as_str().unwrap().contains("acme-regcred")), "{resources:?}");
}

#[tokio::test]
async fn the_other_policies_are_printed_alone_to_be_piped_and_a_key_needs_its_account() {
    let world = World::start("the_other_policies", bare(), &config());
    let told = world.run(&["iam", "task-execution"]).await;
    let policy: Value = serde_json::from_str(&told.stdout).expect("one policy is JSON and nothing else");
    let secret =
        |name| format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:ecs/registry/{name}-??????");
    assert_eq!(policy["Statement"][0]["Resource"], json!([secret("harbor"), secret("hub")]));

    let buckets = world.json(&["iam", "bucket"]).await;
    let of: Vec<&str> = buckets.json["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["attach_to"].as_str().unwrap())
        .collect();
    assert_eq!(of, ["the bucket acme-ecs", "the bucket acme-regcred"]);

    // Without a role, nothing tells the account.
    let config = world::swift()
        .replace("name: ecs/registry/harbor,", "name: ecs/registry/harbor, kms_key: alias/own,");
    let world = World::start("a_key_needs_its_account", bare(), &config);
    let told = world.run(&["iam", "key"]).await;
    assert_eq!(told.code, Some(2), "{}", told.stdout);
    assert!(told.stderr.contains("--account"), "{}", told.stderr);
    let told = world.run(&["iam", "key", "--account", ACCOUNT]).await;
    let policy: Value = serde_json::from_str(&told.stdout).expect("one policy is JSON and nothing else");
    assert_eq!(policy["Statement"][0]["Principal"]["AWS"], format!("arn:aws:iam::{ACCOUNT}:root"));
    let told = world.run(&["iam", "controller", "--location", "nowhere"]).await;
    assert_eq!(told.code, Some(2), "{}", told.stdout);
    let told = world.json(&["iam", "controller"]).await;
    let statements = told.json["policies"][0]["policy"]["Statement"].as_array().unwrap();
    let by_alias =
        statements.iter().find(|it| it["Sid"] == "EncryptSecretsByAlias").expect("an alias is no resource");
    assert_eq!(
        by_alias["Condition"]["ForAnyValue:StringEquals"]["kms:ResourceAliases"],
        json!(["alias/own"])
    );
}

/// The stores, under a role and names that end with `turn`, so that one server serves many turns.
fn stores(turn: usize) -> String {
    format!(
        "
locations: {{ eu: {{ region: {REGION}, role_arn: 'arn:aws:iam::{ROOT_ACCOUNT}:role/regcred-{turn}', external_id: turn-{turn} }} }}
state: {{ bucket: acme-regcred, prefix: state-{turn}/ }}
registries:
  hub:
    server: docker.io
    verify: {{ enabled: false }}
    source: {{ secrets_manager: {{ secret: sources/hub }} }}
    secret: {{ name: ecs/registry/hub-{turn} }}
  harbor:
    server: harbor.example.com
    verify: {{ enabled: false }}
    source: {{ env: {{ username: HARBOR_USER, password: HARBOR_PASSWORD }} }}
    secret: {{ name: ecs/registry/harbor-{turn} }}
ecs_configs:
  prod: {{ bucket: acme-ecs, key: prod-{turn}/ecs.config, registries: [hub, harbor] }}
"
    )
}

/// A ministack that asks policies, with two versioned buckets and the secret that is a source.
struct Enforcing {
    server: Running,
    folder: tempfile::TempDir,
}

impl Enforcing {
    async fn start(test: &str) -> Option<Self> {
        let server = ThirdParty::EnforcingMinistack.start(test).await?;
        let enforcing = Self { server, folder: tempfile::tempdir().unwrap() };
        for bucket in ["acme-ecs", "acme-regcred"] {
            let place = format!("LocationConstraint={REGION}");
            enforcing
                .aws(&["s3api", "create-bucket", "--bucket", bucket, "--create-bucket-configuration", &place])
                .await;
            let versioned = ["--versioning-configuration", "Status=Enabled"];
            enforcing
                .aws(&["s3api", "put-bucket-versioning", "--bucket", bucket, versioned[0], versioned[1]])
                .await;
        }
        let value = r#"{"username":"acme","password":"hub-password-1"}"#;
        enforcing
            .aws(&["secretsmanager", "create-secret", "--name", "sources/hub", "--secret-string", value])
            .await;
        Some(enforcing)
    }

    fn environment(&self) -> AwsEnvironment<'_> {
        let endpoint = &self.server.endpoint;
        AwsEnvironment { endpoint, region: REGION, access_key_id: ROOT_KEY, secret_access_key: ROOT_KEY }
    }

    /// The real `aws` command, as root.
    async fn aws(&self, arguments: &[&str]) {
        let aws = Program::aws("iam", &self.environment()).expect("ministack is there, and aws beside it");
        let ended = aws.arguments(arguments.iter().copied()).run().await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
    }

    async fn regcred(&self, arguments: &[&str], password: &str) -> Ended {
        let mut program = Program::regcred().arguments(arguments.iter().copied());
        for (name, value) in self.environment().variables() {
            program = program.variable(name, value);
        }
        program = program.variable("HARBOR_USER", "robot").variable("HARBOR_PASSWORD", password);
        program.folder(self.folder.path()).run().await
    }

    /// What the controller's policy is in this turn.
    async fn policy(&self, turn: usize) -> Value {
        std::fs::write(self.folder.path().join("regcred.yaml"), stores(turn)).unwrap();
        let told = self.regcred(&["iam", "controller", "--location", "eu"], "-").await;
        serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{}{}", told.stdout, told.stderr))
    }

    /// The main job under a role with the printed policy, less one action. What it said, up to the first pass that did not
    /// end well.
    async fn main_job(&self, turn: usize, without: Option<&str>) -> Result<(), Ended> {
        let mut policy = self.policy(turn).await;
        for statement in policy["Statement"].as_array_mut().unwrap() {
            let actions = statement["Action"].as_array_mut().unwrap();
            actions.retain(|action| without.is_none_or(|without| action != without));
        }
        let statements = policy["Statement"].as_array_mut().unwrap();
        statements.retain(|statement| statement["Action"].as_array().is_some_and(|all| !all.is_empty()));
        // As in `statements`.
        let probe = format!("arn:aws:s3:::acme-ecs/prod-{turn}/ecs.config.regcred-probe-*");
        statements.push(json!({ "Effect": "Allow", "Action": "s3:PutObject", "Resource": probe }));
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{ROOT_ACCOUNT}:root") },
            "Action": "sts:AssumeRole",
            "Condition": { "StringEquals": { "sts:ExternalId": format!("turn-{turn}") } },
        }] });
        let (role, trust, policy) = (format!("regcred-{turn}"), trust.to_string(), policy.to_string());
        self.aws(&["iam", "create-role", "--role-name", &role, "--assume-role-policy-document", &trust])
            .await;
        let named = ["--role-name", &role, "--policy-name", "regcred"];
        let put =
            ["iam", "put-role-policy", named[0], named[1], named[2], named[3], "--policy-document", &policy];
        self.aws(&put).await;
        for password in ["harbor-password-1", "harbor-password-2"] {
            let ended = self.regcred(&["sync"], password).await;
            if ended.code != Some(0) {
                return Err(ended);
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn where_another_asks_the_policies_the_printed_one_is_enough_for_the_stores_and_each_action_is_needed()
{
    let Some(world) = Enforcing::start("where_another_asks_the_policies").await else { return };
    let enough = world.main_job(0, None).await;
    enough.unwrap_or_else(|ended| panic!("{}{}", ended.stdout, ended.stderr));
    let all = actions(&world.policy(0).await);
    let mut never_asked = Vec::new();
    for (turn, action) in (1..).zip(all) {
        let Err(Ended { code, stdout, stderr }) = world.main_job(turn, Some(&action)).await else {
            never_asked.push(action);
            continue;
        };
        assert_eq!(code, Some(4), "{action}");
        let said = format!("{stdout}{stderr}");
        assert!(said.contains(&action), "{action} is not named:\n{said}");
    }
    // It tells everybody that an object is missing, and lets everybody put tags on what they create. AWS does neither:
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html and API_CreateSecret.html of Secrets Manager.
    assert_eq!(never_asked, ["s3:ListBucket", "secretsmanager:TagResource"]);
}

#[tokio::test]
async fn a_release_needs_its_own_policy_besides_and_each_action_of_it() {
    let [policy, _] =
        printed("controller").await.try_into().expect("one for the role, and one for who takes it on");
    let [more] = printed("release").await.try_into().expect("one location has all");
    let all = |without: Option<&str>| [statements(&policy, None), statements(&more, without)].concat();
    let needed = actions(&more);
    assert_eq!(needed.len(), 3, "{needed:?}");
    for without in needed.iter().map(Some).chain([None]) {
        let world =
            start("a_release_needs_its_own_policy", all(without.map(String::as_str)), with_hosts(hosts()))
                .await;
        main_job(&world).await.unwrap_or_else(|ended| panic!("{}{}", ended.stdout, ended.stderr));
        let ended = world.run(&["release", "--yes"]).await;
        match without {
            None => assert_eq!(ended.code, Some(0), "{ended:#?}"),
            Some(action) => {
                assert_eq!(ended.code, Some(4), "{action}: {ended:#?}");
                assert!(ended.stdout.contains(action), "{action}: {ended:#?}");
            }
        }
    }
}
