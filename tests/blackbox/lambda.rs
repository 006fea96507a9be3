//! The Lambda: the real binary under the name `bootstrap`, driven by a double of Lambda's runtime API.

mod runtime;

use std::time::Duration;

use regcred_sandbox::hosts::Life;
use regcred_sandbox::{Effect, Options, Role, Service, Statement, Trust};
use serde_json::{Value, json};

use self::runtime::{Outcome, RuntimeApi};
use crate::messages::errors;
use crate::schemas;
use crate::tools::{Ended, Program, Started};
use crate::world::{
    self, ACCOUNT, Call, FAILING, GOOD, HARBOR_IMAGE, REGION, World, assert_shows_no_password, bare, count,
    fault, find, host, sha256, twelve, with_hosts, writes,
};

/// The longest that Lambda gives.
const LONG: Duration = Duration::from_mins(15);

/// One registry, whose source Secrets Manager tells events of; one object; one fleet.
fn config() -> String {
    format!(
        "
locations: {{ eu: {{ region: {REGION} }} }}
state: {{ bucket: acme-regcred }}
registries:
  harbor:
    server: harbor.example.com
    verify: {{ enabled: false }}
    source: {{ secrets_manager: {{ secret: sources/harbor }} }}
    secret: {{ name: ecs/registry/harbor }}
ecs_configs:
  prod: {{ bucket: acme-ecs, key: prod/ecs.config, registries: [harbor] }}
fleets:
  prod:
    ecs_config: prod
    clusters: [web, batch]
    max_unavailable: 100%
    poll_interval: 100ms
    settle_interval: 100ms
    settle_timeout: 10s
    command_timeout: 30s
"
    )
}

fn pair(password: &str) -> String {
    json!({ "username": "robot", "password": password }).to_string()
}

/// A function, as Lambda has one: its package's root, its environment, and a runtime API of its own.
struct Function {
    api: RuntimeApi,
    process: Started,
}

impl Function {
    async fn start(world: &World) -> Self {
        let api = RuntimeApi::start().await;
        let bootstrap = world.path("bootstrap");
        let _ = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_regcred"), &bootstrap);
        let mut program = Program::new(bootstrap).folder(world.path("")).limit(LONG);
        for (name, value) in world.variables() {
            program = program.variable(name, value);
        }
        let process = program.variable("AWS_LAMBDA_RUNTIME_API", api.address()).start();
        Self { api, process }
    }

    /// One invocation, with all the time that there is.
    async fn invoke(&self, payload: &Value) -> Outcome {
        let outcome = self.api.invoke(payload, LONG).await;
        assert_shows_no_password("the Lambda's answer", &format!("{outcome:?}"));
        outcome
    }

    /// An invocation that is answered, and its calls, those of hosts not among them.
    async fn watched(&self, world: &World, payload: &Value) -> (Value, Vec<Call>) {
        world.client().clear_calls().expect("the sandbox answers");
        let answer = self.invoke(payload).await.answer();
        (answer, world.calls().into_iter().filter(|call| !call.is_of_host()).collect())
    }

    /// Ends it as Lambda does, without a word. What it logged.
    async fn end(self) -> Vec<Value> {
        let Ended { stdout, stderr, .. } = self.process.kill().await;
        assert_eq!(stdout, "");
        assert_shows_no_password("the Lambda's log", &stderr);
        let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        stderr.lines().map(line).collect()
    }
}

/// The three lines of an error that an invocation ended with.
fn told(outcome: Outcome) -> (String, [String; 3]) {
    let (error_type, message) = outcome.error();
    let mut told = errors(&format!("error: {message}"));
    assert_eq!(told.len(), 1, "{message}");
    (error_type, told.remove(0))
}

fn event(text: &str) -> Value {
    serde_json::from_str(text).expect("a fixture is JSON")
}

fn label_moved(name: &str) -> Value {
    let mut event = event(include_str!("../events/secret-label-updated.json"));
    event["time"] = json!(chrono::Utc::now());
    event["detail"]["name"] = json!(name);
    event["resources"] = json!([format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-a1b2c3")]);
    event
}

fn host_changed(id: &str, cluster: &str) -> Value {
    let mut event = event(include_str!("../events/container-instance-state-change.json"));
    event["time"] = json!(chrono::Utc::now());
    event["detail"]["ec2InstanceId"] = json!(id);
    event["detail"]["clusterArn"] = json!(format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{cluster}"));
    event
}

async fn start(test: &str, options: Options, config: &str) -> World {
    let world = World::start(test, options, config);
    world.sdk().create_secret("sources/harbor", &pair("harbor-password-1"), &[]).await;
    world
}

fn two() -> Options {
    with_hosts(vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)])
}

#[tokio::test]
async fn each_event_of_a_schedule_is_a_whole_pass() {
    let world = start("each_event_of_a_schedule", two(), &config()).await;
    let function = Function::start(&world).await;
    let first = event(include_str!("../events/scheduler-default.json"));
    let (report, _) = function.watched(&world, &first).await;
    schemas::assert_documented("sync", &report);
    assert_eq!(
        (&report["verdict"], &report["revocation"]["safe"]),
        (&json!("converged"), &json!(true)),
        "{report:#}"
    );
    assert_eq!(world.pulls_with(GOOD[0], HARBOR_IMAGE), Some(sha256("harbor-password-1")));
    for payload in [event(include_str!("../events/scheduled-rule.json")), json!({}), Value::Null] {
        let (report, calls) = function.watched(&world, &payload).await;
        assert_eq!(report["verdict"], "converged", "{report:#}");
        assert_eq!((writes(&calls), calls.len()), (vec![], 6), "{calls:#?}");
    }
    assert_eq!(world.restarts().values().copied().collect::<Vec<_>>(), [1, 1]);

    // What nobody waits for is in the log: how it went, and the report, under the id of its request.
    let log = function.end().await;
    let id = "8476a536-e9f4-11e8-9739-000000000001";
    let of_first: Vec<&Value> = log.iter().filter(|line| line["span"]["requestId"] == id).collect();
    assert!(of_first.iter().any(|line| line["message"] == "host proven"), "{log:#?}");
    let reported: Vec<&Value> = log.iter().filter(|line| line["report"].is_object()).collect();
    assert_eq!(reported.len(), 4);
    assert_eq!(
        (&reported[0]["requestId"], &reported[0]["report"]["verdict"]),
        (&json!(id), &json!("converged"))
    );
    let all: Vec<String> = log.iter().map(Value::to_string).collect();
    assert!(!all.join("\n").contains("harbor-password-1"));
}

#[tokio::test]
async fn a_moved_label_begins_a_pass_where_it_is_a_sources_and_nothing_otherwise() {
    let world = start("a_moved_label_begins_a_pass", two(), &config()).await;
    let function = Function::start(&world).await;
    function.invoke(&json!({})).await.answer();

    world.sdk().put_secret("sources/harbor", &pair("harbor-password-2")).await;
    let (report, _) = function.watched(&world, &label_moved("sources/harbor")).await;
    assert_eq!(
        (&report["verdict"], &report["secrets"][0]["outcome"]),
        (&json!("converged"), &json!("replaced")),
        "{report:#}"
    );
    assert_eq!(world.pulls_with(GOOD[4], HARBOR_IMAGE), Some(sha256("harbor-password-2")));

    let mut another = label_moved("sources/harbor");
    another["detail"]["labelUpdated"] = json!("NEXT");
    let mut as_documented = event(include_str!("../events/secret-label-updated.json"));
    as_documented["time"] = json!(chrono::Utc::now());
    // What regcred publishes makes events as well.
    for payload in [as_documented, another, label_moved("ecs/registry/harbor")] {
        let (answer, calls) = function.watched(&world, &payload).await;
        schemas::assert_documented("lambda", &answer);
        assert!(answer["nothing_to_do"].as_str().unwrap().contains("no registry is read from"), "{answer}");
        assert!(calls.is_empty(), "{calls:#?}");
    }
}

#[tokio::test]
async fn a_host_that_joins_is_proven_when_ecs_tells_of_it_and_one_that_is_known_begins_nothing() {
    let world = start("a_host_that_joins_is_proven", two(), &config()).await;
    let function = Function::start(&world).await;
    function.invoke(&json!({})).await.answer();

    world.client().add_host(&host(GOOD[1], "web", Life::Memory)).unwrap();
    let (report, calls) = function.watched(&world, &host_changed(GOOD[1], "web")).await;
    assert_eq!(find(&report["fleets"][0]["hosts"], "host", GOOD[1])["outcome"], "proven", "{report:#}");
    assert_eq!(count(&calls, "SendCommand"), 1);
    assert_eq!(world.pulls_with(GOOD[1], HARBOR_IMAGE), Some(sha256("harbor-password-1")));

    let mut as_documented = event(include_str!("../events/container-instance-state-change.json"));
    as_documented["time"] = json!(chrono::Utc::now());
    // Of before the last pass, which left nothing undone.
    let mut late = host_changed(GOOD[1], "web");
    late["time"] = json!("2016-12-06T16:41:06Z");
    let mut known = host_changed(GOOD[1], "web");
    known["detail"]["attributes"] = json!([{ "name": "regcred.revision", "value": "r0123456789abcdef" }]);
    let mut away = host_changed(GOOD[1], "web");
    away["detail"]["agentConnected"] = json!(false);
    for (payload, why) in [
        (as_documented, "no fleet has cluster `default`"),
        (known, "a pass has seen to"),
        (away, "is not connected"),
        (late, "left nothing undone"),
    ] {
        let (answer, calls) = function.watched(&world, &payload).await;
        assert!(answer["nothing_to_do"].as_str().unwrap().contains(why), "{answer}");
        assert!(calls.is_empty(), "{calls:#?}");
    }
}

#[tokio::test]
async fn a_command_is_answered_with_its_result_whatever_that_is() {
    let hosts =
        twelve(Life::Memory).into_iter().filter(|host| [GOOD[0], GOOD[4], FAILING].contains(&&*host.id));
    let world = start("a_command_is_answered", with_hosts(hosts.collect()), &config()).await;
    let function = Function::start(&world).await;
    let (plan, calls) = function.watched(&world, &json!({ "command": "plan" })).await;
    schemas::assert_documented("plan", &plan);
    assert_eq!((&plan["fleets"][0]["action"], writes(&calls)), (&json!("rollout"), vec![]), "{plan:#}");

    let (report, _) = function.watched(&world, &json!({ "command": "sync" })).await;
    schemas::assert_documented("sync", &report);
    let failing = find(&report["fleets"][0]["hosts"], "host", FAILING);
    assert_ne!(
        (&report["verdict"], &failing["outcome"]),
        (&json!("converged"), &json!("proven")),
        "{report:#}"
    );

    let (status, _) = function.watched(&world, &json!({ "command": "status", "fleet": ["prod"] })).await;
    schemas::assert_documented("status", &status);
    assert_eq!(status["revocation"]["coverage"], "part");

    // The same of a schedule is a failure: nobody reads its answer, and an alarm counts it.
    let (error_type, [what, why, to_do]) = told(function.invoke(&json!({})).await);
    assert_eq!(error_type, "Function.Partial", "{what} {why}");
    assert!(why.contains("1 host with an older credential"), "{why}");
    assert!(to_do.contains("the report, one line of this invocation's log"), "{to_do}");
    let log = function.end().await;
    assert!(log.iter().any(|line| line["report"]["verdict"] == "partial"), "{log:#?}");
    assert!(
        log.iter().any(|line| line["errorType"] == "Function.Partial" && line["level"] == "ERROR"),
        "{log:#?}"
    );
}

#[tokio::test]
async fn what_is_no_event_is_told_in_three_lines_and_the_next_one_is_handled() {
    let world = start("what_is_no_event_is_told", two(), &config()).await;
    let function = Function::start(&world).await;
    for (payload, said) in [
        (json!({ "command": "snyc" }), "unknown variant `snyc`"),
        (json!({ "comand": "sync" }), "it has no `command`"),
        (
            json!({ "source": "aws.ec2", "detail-type": "EC2 Spot Instance Interruption Warning" }),
            "no event that regcred acts on",
        ),
        (json!({ "command": "sync", "fleet": ["pord"] }), "the config has: prod"),
    ] {
        let (error_type, [what, why, _]) = told(function.invoke(&payload).await);
        assert_eq!(error_type, "Function.Event");
        assert!(why.contains(said), "{what}: {why}");
    }
    assert_eq!(function.invoke(&json!({})).await.answer()["verdict"], "converged");
}

#[tokio::test]
async fn the_configuration_is_read_anew_from_s3_and_a_role_is_taken_on_once() {
    let role = "arn:aws:iam::111111111111:role/regcred";
    let config =
        config().replace(&format!("region: {REGION}"), &format!("region: {REGION}, role_arn: '{role}'"));
    let everything = vec![Statement::allow(&["*"], &["*"])];
    let roles = vec![Role {
        account: ACCOUNT.into(),
        name: "regcred".into(),
        trust: Trust::default(),
        statements: everything,
    }];
    let mut world = start("the_configuration_is_read_anew", Options { roles, ..two() }, &config).await;
    world.set("REGCRED_CONFIG", "s3://acme-regcred/regcred.yaml");
    let sdk = world.sdk();
    let function = Function::start(&world).await;

    let (error_type, [what, why, to_do]) = told(function.invoke(&json!({})).await);
    assert_eq!((&*error_type, &*why), ("Function.Missing", "there is no such object"), "{what}");
    assert!(to_do.contains("aws s3 cp regcred.yaml s3://acme-regcred/regcred.yaml"), "{to_do}");

    sdk.put_object("acme-regcred", "regcred.yaml", &config.replace("clusters", "clutsers")).await;
    let (error_type, message) = function.invoke(&json!({})).await.error();
    assert_eq!(error_type, "Function.Config");
    assert!(
        message.starts_with("the configuration s3://acme-regcred/regcred.yaml is not valid\n"),
        "{message}"
    );
    assert!(message.contains("did you mean `clusters`?"), "{message}");

    world.client().clear_calls().unwrap();
    sdk.put_object("acme-regcred", "regcred.yaml", &config).await;
    assert_eq!(function.invoke(&json!({})).await.answer()["verdict"], "converged");
    // Another object, the same places.
    sdk.put_object("acme-regcred", "regcred.yaml", &config.replace("prod/ecs.config", "next/ecs.config"))
        .await;
    let (report, calls) = function.watched(&world, &json!({})).await;
    assert_eq!(
        (&report["objects"][0]["key"], &report["objects"][0]["outcome"]),
        (&json!("next/ecs.config"), &json!("created"))
    );
    assert_eq!(count(&calls, "AssumeRole"), 0, "{calls:#?}");

    // A configuration that is not valid is not papered over by the last one that was.
    sdk.put_object("acme-regcred", "regcred.yaml", "state: {").await;
    let (error_type, _) = function.invoke(&json!({})).await.error();
    assert_eq!(error_type, "Function.Config");
}

#[tokio::test]
async fn the_configuration_is_read_from_a_parameter_and_what_cannot_be_read_is_told() {
    let mut world = start("the_configuration_is_read_from_a_parameter", two(), &config()).await;
    world.sdk().put_parameter("/regcred/config", &config()).await;
    world.set("REGCRED_CONFIG", "ssm:/regcred/config");
    let function = Function::start(&world).await;
    assert_eq!(function.invoke(&json!({ "command": "status" })).await.answer()["version"], 1);

    for (named, error_type, said) in [
        ("ssm:/regcred/none", "Function.Missing", "parameter/regcred/none"),
        ("none.yaml", "Function.Missing", "No such file"),
        ("s3://acme-regcred", "Function.Invalid", "one of them is missing"),
    ] {
        world.set("REGCRED_CONFIG", named);
        let function = Function::start(&world).await;
        let (told_type, [what, why, to_do]) = told(function.invoke(&json!({})).await);
        assert_eq!(told_type, error_type, "{what}: {why}");
        assert!([&what, &why, &to_do].iter().any(|line| line.contains(said)), "{what}: {why}: {to_do}");
        assert!(what.contains(named), "{what}");
    }
}

#[tokio::test]
async fn without_a_runtime_api_it_ends_and_says_so_and_with_arguments_it_is_a_command_line() {
    let world = World::start("without_a_runtime_api", bare(), &world::DEMO);
    let ended = world.regcred(&[]).variable("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1").run().await;
    assert_eq!((ended.code, &*ended.stdout), (Some(1), ""));
    assert!(
        ended.stderr.contains("cannot take invocations") && ended.stderr.contains("127.0.0.1:1"),
        "{ended:?}"
    );
    let ended = world.regcred(&["check"]).variable("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1").run().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn it_asks_for_its_first_event_without_a_call() {
    let world = start("it_asks_for_its_first_event", two(), &config()).await;
    world.client().clear_calls().unwrap();
    let function = Function::start(&world).await;
    function.api.until_asked(1).await;
    assert_eq!(world.calls().len(), 0);
}

#[tokio::test]
async fn a_pass_stops_before_its_deadline_in_the_midst_of_a_fleet_and_the_next_tick_goes_on() {
    let hosts = GOOD[..6].iter().map(|id| host(id, "web", Life::Memory)).collect();
    // One host after the other, a second and more for each: all of them take longer than the first invocation has.
    let slow = config()
        .replace("max_unavailable: 100%", "max_unavailable: 1")
        .replace("clusters: [web, batch]", "clusters: [web]")
        .replace("settle_interval: 100ms", "settle_interval: 2s");
    let world = start("a_pass_stops_before_its_deadline", with_hosts(hosts), &slow).await;
    let function = Function::start(&world).await;
    let report = function.api.invoke(&json!({}), Duration::from_secs(10)).await.answer();
    schemas::assert_documented("sync", &report);
    let fleet = &report["fleets"][0];
    assert_eq!(
        (&report["verdict"], &fleet["ending"], &fleet["why"]),
        (&json!("partial"), &json!("stopped"), &json!("deadline"))
    );
    assert_eq!(report["revocation"]["safe"], false);
    let waiting = |report: &Value| {
        let hosts = report["fleets"][0]["hosts"].as_array().unwrap();
        hosts.iter().filter(|host| host["outcome"] == "waiting").count()
    };
    assert!((1..6).contains(&waiting(&report)), "{report:#}");

    let report = function.invoke(&json!({})).await.answer();
    assert_eq!(
        (&report["verdict"], &report["revocation"]["safe"]),
        (&json!("converged"), &json!(true)),
        "{report:#}"
    );
    assert!(world.restarts().values().all(|restarts| *restarts == 1), "{:?}", world.restarts());
}

#[tokio::test]
async fn a_pass_that_was_dropped_leaves_nothing_behind_that_renews_its_lease() {
    let config = config().replace("bucket: acme-regcred", "bucket: acme-regcred, lease: 1s");
    let world = start("a_pass_that_was_dropped", two(), &config).await;
    let function = Function::start(&world).await;
    world.client().set_faults(&[fault(Service::Ssm, "SendCommand", Effect::HoldBefore)]).unwrap();
    let (_, [what, ..]) = told(function.api.invoke(&json!({}), Duration::from_secs(4)).await);
    assert!(what.contains("did not end in the time"), "{what}");
    world.client().set_faults(&[]).unwrap();
    // Another configuration, and so another holder, who has to wait for nobody but the one before.
    world.write("regcred.yaml", &config.replace("max_unavailable: 100%", "max_unavailable: 50%"));
    let answer = function.invoke(&json!({})).await.answer();
    assert_eq!(answer["verdict"], "converged", "{answer:#}");
    assert!(world.restarts().values().all(|restarts| *restarts == 1), "{:?}", world.restarts());
}

#[tokio::test]
async fn a_pass_whose_time_is_over_before_it_did_anything_is_a_failure_and_the_environment_goes_on() {
    let world = start("a_pass_whose_time_is_over", two(), &config()).await;
    let function = Function::start(&world).await;
    world
        .client()
        .set_faults(&[fault(Service::SecretsManager, "BatchGetSecretValue", Effect::HoldBefore)])
        .unwrap();
    let (error_type, [what, why, _]) = told(function.api.invoke(&json!({}), Duration::from_secs(3)).await);
    assert_eq!(error_type, "Function.Stopped", "{what}");
    assert!(why.contains("nothing was written"), "{why}");
    world.client().set_faults(&[]).unwrap();
    assert_eq!(function.invoke(&json!({})).await.answer()["verdict"], "converged");
}
