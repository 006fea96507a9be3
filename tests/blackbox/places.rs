//! Several accounts and Regions: one that fails, or throttles, leaves the others alone.

use std::collections::{BTreeMap, BTreeSet};

use regcred_sandbox::hosts::{Behaviour, DOCUMENT, DOCUMENT_NAME, HostSpec, Life};
use regcred_sandbox::{
    BucketSeed, DocumentSeed, Effect, Fault, Match, ObjectSeed, Options, Role, Service, Statement, Trust,
};
use serde_json::Value;

use crate::sdk::Aws;
use crate::tools::AwsEnvironment;
use crate::world::{
    self, ACCOUNT, BY_HAND, Call, HARBOR_IMAGE, HARBOR_PASSWORD, OBJECT_HEAD, REGION, Told, UNTRIED, World,
    bare, by_name, count, find, sha256,
};

/// An account with a role, a bucket, a document and two hosts of its own, called as `one`, `two`, `three`.
#[derive(Clone, Copy, Debug)]
struct Account {
    name: &'static str,
    number: &'static str,
    hosts: [&'static str; 2],
}

const ACCOUNTS: [Account; 3] = [
    Account { name: "one", number: "222222222222", hosts: ["i-0a1d7c30e5b2f4201", "i-0a1d7c30e5b2f4202"] },
    Account { name: "three", number: "444444444444", hosts: ["i-0a1d7c30e5b2f4401", "i-0a1d7c30e5b2f4402"] },
    Account { name: "two", number: "333333333333", hosts: ["i-0a1d7c30e5b2f4301", "i-0a1d7c30e5b2f4302"] },
];

impl Account {
    fn role_arn(&self) -> String {
        format!("arn:aws:iam::{}:role/regcred", self.number)
    }

    fn external_id(&self) -> String {
        format!("acme-{}", self.name)
    }
}

/// Three accounts, each with a role that trusts the first one's callers and asks for an external id.
fn three_accounts() -> Options {
    let Options { mut buckets, mut documents, .. } = bare();
    let (mut objects, mut hosts, mut roles) = (Vec::new(), Vec::new(), Vec::new());
    for account in ACCOUNTS {
        let Account { name, number, hosts: ids } = account;
        let bucket = format!("acme-ecs-{name}");
        buckets.push(BucketSeed {
            name: bucket.clone(),
            account: number.into(),
            region: REGION.into(),
            versioned: true,
        });
        objects.push(ObjectSeed {
            bucket,
            key: "ecs.config".into(),
            content: format!("{OBJECT_HEAD}{BY_HAND}"),
        });
        documents.push(DocumentSeed {
            name: DOCUMENT_NAME.into(),
            account: number.into(),
            region: REGION.into(),
            content: DOCUMENT.into(),
        });
        roles.push(Role {
            account: number.into(),
            name: "regcred".into(),
            trust: Trust { accounts: vec![ACCOUNT.into()], external_id: Some(account.external_id()) },
            statements: vec![Statement::allow(&["*"], &["*"])],
        });
        hosts.extend(
            ids.map(|id| HostSpec { account: number.into(), ..world::host(id, "web", Life::Memory) }),
        );
    }
    Options { buckets, objects, documents, hosts, roles, ..bare() }
}

/// One registry, whose secret is in all three accounts, and in each an object and a fleet.
fn config() -> String {
    let mut text = "locations:\n  home: { region: eu-west-1 }\n".to_owned();
    for account in ACCOUNTS {
        text += &format!(
            "  {}: {{ region: {REGION}, role_arn: '{}', external_id: {} }}\n",
            account.name,
            account.role_arn(),
            account.external_id()
        );
    }
    text += &format!(
        "state: {{ bucket: acme-regcred, location: home }}
registries:
  harbor:
    server: harbor.example.com
    source: {{ file: {{ path: secrets/harbor.json }} }}
    secret: {{ name: ecs/registry/harbor, locations: [one, two, three] }}
    {UNTRIED}
ecs_configs:
"
    );
    for Account { name, .. } in ACCOUNTS {
        text += &format!(
            "  {name}: {{ location: {name}, bucket: acme-ecs-{name}, key: ecs.config, registries: [harbor] }}\n"
        );
    }
    text += "fleets:\n";
    for Account { name, .. } in ACCOUNTS {
        text += &format!(
            "  {name}: {{ ecs_config: {name}, clusters: [web], max_unavailable: 100%, poll_interval: 100ms, \
             settle_interval: 100ms, settle_timeout: 30s }}\n"
        );
    }
    text
}

/// The clients of an account's administrator.
fn administrator(world: &World, account: &str) -> Aws {
    let endpoint = world.endpoint();
    Aws::new(&AwsEnvironment {
        endpoint: &endpoint,
        region: REGION,
        access_key_id: account,
        secret_access_key: regcred_sandbox::STATIC_SECRET_KEY,
    })
}

/// Which of a result's items belong to which location, and what became of them.
fn by_location(list: &Value) -> BTreeMap<String, String> {
    by_name(list, "location", "outcome")
}

fn assert_converged(world: &World, told: &Told, account: Account, password: &str) {
    let fleet = find(&told.json["fleets"], "fleet", account.name);
    assert_eq!(
        (&fleet["outcome"], &fleet["ending"]),
        (&"rolled_out".into(), &"converged".into()),
        "{fleet:#}"
    );
    for id in account.hosts {
        assert_eq!(world.pulls_with(id, HARBOR_IMAGE), Some(sha256(password)), "{id}");
    }
}

fn assumed(calls: &[Call]) -> usize {
    count(calls, "AssumeRole")
}

#[tokio::test]
async fn a_wrong_external_id_is_told_with_its_role_and_key_and_the_other_accounts_converge() {
    let wrong = config().replace("external_id: acme-two", "external_id: acme-too");
    let world = World::start("a_wrong_external_id", three_accounts(), &wrong);
    let [one, three, two] = ACCOUNTS;
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, &told.json["verdict"]), (4, &"partial".into()), "{told:#?}");
    for good in [one, three] {
        assert_converged(&world, &told, good, HARBOR_PASSWORD);
    }
    let secrets = by_location(&told.json["secrets"]);
    assert_eq!(secrets["one"], "created");
    assert_eq!(secrets["two"], "failed");
    let failure = &find(&told.json["secrets"], "location", "two")["failure"];
    let line = |member: &str| failure[member].as_str().unwrap_or_default().to_owned();
    assert_eq!(failure["kind"], "access_denied");
    assert!(
        line("what").contains("secret `ecs/registry/harbor` in two (333333333333, eu-west-1)"),
        "{failure:#}"
    );
    assert!(line("why").contains("AccessDenied") && line("why").contains(&two.role_arn()), "{failure:#}");
    for said in [
        "locations.two.external_id",
        "locations.two.role_arn",
        "trust policy",
        "sts:AssumeRole",
        &two.role_arn(),
    ] {
        assert!(line("remedy").contains(said), "{said}: {failure:#}");
    }
    assert_eq!(find(&told.json["fleets"], "fleet", "two")["why"], "object_failed");
    for id in two.hosts {
        assert_eq!(world.restarts()[id], 0, "{id}");
    }
    let by_account: BTreeSet<_> =
        calls.iter().filter(|call| call.is_write()).map(|call| call.account.as_str()).collect();
    assert!(!by_account.contains(two.number), "{by_account:?}");

    // With the right one, that account is brought up to date, and the others are left alone.
    world.write("regcred.yaml", &config());
    let (told, _) = world.watched(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert_converged(&world, &told, two, HARBOR_PASSWORD);
    assert_eq!(find(&told.json["fleets"], "fleet", "one")["outcome"], "current");
}

#[tokio::test]
async fn a_location_without_an_external_id_is_told_which_key_is_missing() {
    let without = config().replace(", external_id: acme-one", "");
    let world = World::start("a_location_without_an_external_id", three_accounts(), &without);
    let told = world.json(&["plan"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    let failure = &find(&told.json["secrets"], "location", "one")["failure"];
    let remedy = failure["remedy"].as_str().unwrap_or_default();
    assert!(remedy.contains("add `locations.one.external_id` if it asks for one"), "{failure:#}");
}

#[tokio::test]
async fn a_role_is_taken_on_once_a_pass_whatever_is_done_with_it() {
    let world = World::start("a_role_is_taken_on_once", three_accounts(), &config());
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(calls.len() > 40, "a pass with work to do: {}", calls.len());
    assert_eq!(assumed(&calls), ACCOUNTS.len());
    world.set_harbor_password("another-password");
    for command in ["plan", "status", "sync", "sync"] {
        let (told, calls) = world.watched(&[command]).await;
        assert_eq!(assumed(&calls), ACCOUNTS.len(), "{command}: {told:#?}");
    }
    for account in ACCOUNTS {
        let (value, _) = administrator(&world, account.number).secret("ecs/registry/harbor").await.unwrap();
        assert!(value.contains("another-password"), "{}", account.name);
    }
}

/// A configuration of `many` registries whose sources are secrets of account `one`, beside [`config`].
fn with_sources_in_one(many: usize) -> String {
    let mut sources = String::new();
    for n in 0..many {
        sources += &format!(
            "  s{n:02}: {{ server: s{n:02}.example.com, source_timeout: 2m, source: {{ secrets_manager: {{ secret: \
             sources/s{n:02}, location: one }} }}, secret: {{ name: ecs/registry/s{n:02}, locations: [one] }}, {UNTRIED} }}\n"
        );
    }
    config().replace("ecs_configs:\n", &format!("{sources}ecs_configs:\n"))
}

/// The SDK's standard retries draw on a bucket of 500 tokens, five a retry after a throttle, and there is one for each
/// partition (aws-smithy-runtime, `client/retries/token_bucket.rs`). Forty sources with four retries each are more than that.
const MORE_THAN_A_BUCKET: usize = 40;

#[tokio::test]
async fn an_account_that_throttles_every_call_uses_up_no_other_accounts_retries() {
    let world =
        World::start("an_account_that_throttles", three_accounts(), &with_sources_in_one(MORE_THAN_A_BUCKET));
    let [one, three, two] = ACCOUNTS;
    let throttled = |account: &str, operation: Option<&str>, times| Fault {
        calls: Match {
            account: Some(account.into()),
            service: Some(Service::SecretsManager),
            operation: operation.map(str::to_owned),
            times,
            ..Match::default()
        },
        effect: Effect::Throttle,
    };
    // All of the one account, and of the others what one retry outlasts.
    let faults = [
        throttled(one.number, None, None),
        throttled(two.number, Some("CreateSecret"), Some(2)),
        throttled(three.number, Some("BatchGetSecretValue"), Some(2)),
    ];
    world.client().set_faults(&faults).unwrap();
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    for good in [two, three] {
        assert_eq!(find(&told.json["secrets"], "location", good.name)["outcome"], "created", "{told:#?}");
        assert_converged(&world, &told, good, HARBOR_PASSWORD);
    }
    let secrets = told.json["secrets"].as_array().unwrap();
    let in_one = secrets.iter().filter(|secret| secret["location"] == "one");
    assert!(in_one.clone().count() == MORE_THAN_A_BUCKET + 1, "{told:#?}");
    assert!(in_one.clone().all(|secret| secret["outcome"] != "created"), "{told:#?}");
    // Its bucket was empty: some source was given up before its last try.
    let tries =
        calls.iter().filter(|call| call.account == one.number && call.operation == "GetSecretValue").count();
    assert!((100..MORE_THAN_A_BUCKET * 5).contains(&tries), "{tries}");
    let failure = &find(&told.json["secrets"], "registry", "harbor")["failure"];
    assert!(failure["why"].as_str().unwrap_or_default().contains("throttled"), "{failure:#}");
}

#[tokio::test]
async fn while_one_account_throttles_writes_the_others_are_written_and_rolled_out() {
    let world = World::start("while_one_account_throttles", three_accounts(), &config());
    let [one, three, two] = ACCOUNTS;
    let calls = Match {
        account: Some(one.number.into()),
        operation: Some("CreateSecret".into()),
        ..Match::default()
    };
    world.client().set_faults(&[Fault { calls, effect: Effect::Throttle }]).unwrap();
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    for good in [two, three] {
        assert_converged(&world, &told, good, HARBOR_PASSWORD);
    }
    let position = |account: Account, last: bool| {
        let mut creations = calls
            .iter()
            .enumerate()
            .filter(|(_, call)| call.account == account.number && call.operation == "CreateSecret")
            .map(|(position, _)| position);
        if last { creations.next_back() } else { creations.next() }.expect("each account was written to")
    };
    for good in [two, three] {
        assert!(position(good, false) < position(one, true), "{} waited for {}", good.name, one.name);
    }
}

/// Where a line of progress stands that has all of these parts.
fn line(told: &Told, parts: &[&str]) -> usize {
    let found = told.stderr.lines().position(|line| parts.iter().all(|part| line.contains(part)));
    found.unwrap_or_else(|| panic!("nothing was said of {parts:?}:\n{}", told.stderr))
}

#[tokio::test]
async fn fleets_go_in_their_order_and_the_first_host_of_the_first_before_all_others() {
    let ordered = config().replace("ecs_config: one,", "ecs_config: one, after: [two],");
    let world = World::start("fleets_go_in_their_order", three_accounts(), &ordered);
    let plan = world.json(&["plan"]).await;
    assert_eq!(find(&plan.json["fleets"], "fleet", "one")["after"], serde_json::json!(["two"]), "{plan:#?}");
    let shown = world.run(&["plan"]).await;
    assert!(shown.stdout.contains("in one; after two"), "{}", shown.stdout);

    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    for account in ACCOUNTS {
        assert_converged(&world, &told, account, HARBOR_PASSWORD);
    }
    // By their names, `three` is the first of those that wait for nobody.
    let [one, three, two] = ACCOUNTS;
    let begins = |account: Account| line(&told, &["restarting one host first", account.hosts[0]]);
    let proven = line(&told, &["first host proven", three.hosts[0]]);
    assert!(begins(three) < proven && proven < begins(two), "{}", told.stderr);
    assert!(line(&told, &["two", "2/2 proven"]) < begins(one), "{}", told.stderr);
    let sends: Vec<&str> = calls
        .iter()
        .filter(|call| call.operation == "SendCommand")
        .map(|call| call.account.as_str())
        .collect();
    assert_eq!(sends.len(), 6, "{sends:?}");
    assert!(sends[0] == three.number && sends[4..] == [one.number, one.number], "{sends:?}");
    // What a report lists is in the order of the names, whoever ended first.
    let names: Vec<&str> =
        told.json["fleets"].as_array().unwrap().iter().map(|it| it["fleet"].as_str().unwrap()).collect();
    assert_eq!(names, ["one", "three", "two"]);
}

/// Another password than the hosts have.
const ANOTHER: &str = "another-password";

/// [`three_accounts`], in which this host takes no changed value.
fn with_failing(id: &str) -> Options {
    let Options { hosts, .. } = three_accounts();
    let fails = |host: HostSpec| match host.id == id {
        true => HostSpec { behaviour: Behaviour::RejectsChangedAuth, ..host },
        false => host,
    };
    Options { hosts: hosts.into_iter().map(fails).collect(), ..three_accounts() }
}

#[tokio::test]
async fn a_fleet_whose_forerunner_halts_is_left_alone_and_the_others_are_rolled_out() {
    let ordered = config().replace("ecs_config: one,", "ecs_config: one, after: [two],");
    let [one, three, two] = ACCOUNTS;
    let world = World::start("a_fleet_whose_forerunner_halts", with_failing(two.hosts[0]), &ordered);
    world.set_harbor_password(ANOTHER);
    let told = world.json(&["sync"]).await;
    assert_eq!((told.code, &told.json["verdict"]), (5, &"halted".into()), "{told:#?}");
    assert_converged(&world, &told, three, ANOTHER);
    assert_eq!(find(&told.json["fleets"], "fleet", "two")["ending"], "halted");
    let held = find(&told.json["fleets"], "fleet", "one");
    assert_eq!(
        (&held["outcome"], &held["earlier"], &held["why"]),
        (&"held_after".into(), &"two".into(), &"rollout_halted".into()),
        "{held:#}"
    );
    for id in one.hosts {
        assert_eq!(world.restarts()[id], 0, "{id}");
    }
    assert_eq!(told.json["revocation"]["safe"], false);
    // Named alone, it waits for nobody: a person chose it.
    let told = world.json(&["sync", "--fleet", "one"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert_converged(&world, &told, one, ANOTHER);
}

#[tokio::test]
async fn the_errors_of_all_fleets_together_stop_all_of_them() {
    let [one, three, two] = ACCOUNTS;
    // Two fleets that come one after the other, and each of which would allow an error.
    let limited = config()
        .replace("max_unavailable: 100%", "max_unavailable: 1, max_errors: 1")
        .replace("ecs_config: one,", "ecs_config: one, after: [three],")
        .replace("ecs_config: two,", "ecs_config: two, after: [one],");
    let world = World::start("the_errors_of_all_fleets", with_failing(three.hosts[1]), &limited);
    world.write("regcred.yaml", &format!("{limited}rollout: {{ max_errors: 0 }}\n"));
    world.set_harbor_password(ANOTHER);
    let shown = world.run(&["plan"]).await;
    assert!(shown.stdout.contains("All fleets together stop at the 1st failure."), "{}", shown.stdout);
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 5, "{told:#?}");
    assert_eq!(find(&told.json["fleets"], "fleet", "three")["ending"], "partly_reached", "{told:#?}");
    let stopped = find(&told.json["fleets"], "fleet", "one");
    assert_eq!(
        (&stopped["ending"], &stopped["why"]["because"], &stopped["why"]["errors"]),
        (&"halted".into(), &"errors_together".into(), &1.into()),
        "{stopped:#}"
    );
    assert_eq!(find(&told.json["fleets"], "fleet", "two")["outcome"], "held_after");
    for id in one.hosts.into_iter().chain(two.hosts) {
        assert_eq!(world.restarts()[id], 0, "{id}");
    }

    // Without that limit, each fleet's own holds alone.
    world.write("regcred.yaml", &limited);
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    for account in [one, two] {
        assert_converged(&world, &told, account, ANOTHER);
    }
}
