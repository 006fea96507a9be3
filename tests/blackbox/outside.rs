//! Fleets that are told by tags or ids: hosts of which ECS shows nothing here.

use std::collections::BTreeMap;

use regcred_sandbox::hosts::{Behaviour, EcsListing, HostSpec, Life, Platform};
use regcred_sandbox::{Effect, Fault, Match, Service};
use serde_json::{Value, json};

use crate::schemas;
use crate::tools::Ended;
use crate::world::{
    self, Call, GOOD, HARBOR_IMAGE, World, by_name, count, fault, held, held_put, host, hosts_of, sha256,
    with_hosts,
};

const RECORD: &str = "regcred/hosts/prod.json";

/// An id that SSM does not know.
const NOBODY: &str = "i-0123456789abcdef0";

/// A host with tags, whose agent is registered in another account.
fn elsewhere(id: &str, tags: &[(&str, &str)]) -> HostSpec {
    let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    HostSpec { tags, listing: EcsListing::Elsewhere, ..host(id, "theirs", Life::Memory) }
}

/// Three hosts with both tags, one of them hybrid; and two that lack one.
fn tagged() -> Vec<HostSpec> {
    let both = [("role", "ecs"), ("env", "prod")];
    vec![
        elsewhere(GOOD[0], &both),
        elsewhere(GOOD[1], &[("role", "ecs"), ("env", "stage")]),
        HostSpec { platform: Platform::EcsAnywhere, ..elsewhere(GOOD[7], &both) },
        elsewhere(GOOD[2], &[("role", "ecs"), ("env", "dev")]),
        elsewhere(GOOD[3], &[("env", "prod")]),
    ]
}

const MEMBERS: [&str; 3] = [GOOD[0], GOOD[1], GOOD[7]];

fn by_tags() -> String {
    world::swift().replace("clusters: [web, batch]", "tags: { role: [ecs], env: [prod, stage] }")
}

fn by_ids(ids: &[&str]) -> String {
    world::swift().replace("clusters: [web, batch]", &format!("instances: [{}]", ids.join(", ")))
}

/// The record of the fleet's hosts, by host and attribute.
async fn record(world: &World) -> BTreeMap<String, BTreeMap<String, String>> {
    let (text, _) = world.sdk().object("acme-regcred", RECORD).await;
    let record: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(record["version"], 1);
    serde_json::from_value(record["hosts"].clone()).unwrap()
}

/// How often the record was written.
fn writes_of_the_record(calls: &[Call]) -> usize {
    calls.iter().filter(|call| call.operation == "PutObject" && call.key.as_deref() == Some(RECORD)).count()
}

#[tokio::test]
async fn hosts_with_every_tag_are_restarted_and_recorded_and_no_others() {
    let world = World::start("hosts_with_every_tag", with_hosts(tagged()), &by_tags());
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert_eq!(hosts_of(&told), MEMBERS.map(|id| (id.to_owned(), "proven".to_owned())).into());
    assert!(calls.iter().all(|call| call.service != Service::Ecs), "ECS knows nothing of them");
    // One host first, then two at once: a write for each, since nothing had been recorded that would have to be taken back.
    assert_eq!((count(&calls, "SendCommand"), writes_of_the_record(&calls)), (3, 3), "{calls:#?}");
    let recorded = record(&world).await;
    assert_eq!(recorded.keys().map(String::as_str).collect::<Vec<_>>(), MEMBERS);

    world.set_harbor_password("password-of-the-next-year");
    let (plan, _) = world.watched(&["plan", "--out", "agreed.json"]).await;
    assert_eq!(plan.code, 3, "{plan:#?}");
    let (told, calls) = world.watched(&["sync", "--plan", "agreed.json"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    for (id, restarts) in world.restarts() {
        assert_eq!(restarts, if MEMBERS.contains(&id.as_str()) { 2 } else { 0 }, "{id}");
    }
    for id in MEMBERS {
        assert_eq!(world.pulls_with(id, HARBOR_IMAGE), Some(sha256("password-of-the-next-year")), "{id}");
    }
    // Before each command, and after it.
    assert_eq!(writes_of_the_record(&calls), 2 * count(&calls, "SendCommand"));
    assert_ne!(record(&world).await, recorded);

    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, &told.json["fleets"][0]["outcome"]), (0, &json!("current")), "{told:#?}");
    assert_eq!(world::writes(&calls), Vec::<&str>::new());
    assert_eq!(count(&calls, "DescribeInstanceInformation"), 2, "one a tag");
    let status = world.json(&["status"]).await;
    assert_eq!(status.code, 0, "{status:#?}");
    assert_eq!(hosts_of(&status), MEMBERS.map(|id| (id.to_owned(), "current".to_owned())).into());
    let audit = world.json(&["verify", "--hosts"]).await;
    assert_eq!(audit.code, 0, "{audit:#?}");
    let found = by_name(&audit.json["fleets"][0]["hosts"], "host", "finding");
    assert_eq!(found, MEMBERS.map(|id| (id.to_owned(), "agrees".to_owned())).into());
    let said = world.run(&["explain", HARBOR_IMAGE, "--fleet", "prod"]).await;
    assert_eq!(said.code, Some(0), "{said:#?}");
}

#[tokio::test]
async fn the_real_script_proves_a_host_of_which_ecs_shows_nothing() {
    let hosts = vec![HostSpec { life: Life::Shell, ..elsewhere(GOOD[0], &[]) }];
    let config = world::patient().replace("clusters: [web, batch]", &format!("instances: [{}]", GOOD[0]));
    let world = World::start("the_real_script_proves_a_host", with_hosts(hosts), &config);
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert_eq!(world.pulls_with(GOOD[0], HARBOR_IMAGE), Some(sha256(world::HARBOR_PASSWORD)));
    assert_eq!((world.restarts()[GOOD[0]], record(&world).await.len()), (1, 1));
}

#[tokio::test]
async fn a_person_is_told_of_such_a_fleet_without_a_cluster() {
    let mut hosts = tagged();
    hosts[1].behaviour = Behaviour::Offline;
    let world = World::start("a_person_is_told_of_such_a_fleet", with_hosts(hosts), &by_tags());
    let plan = world.run(&["plan"]).await;
    assert!(plan.stdout.contains("2 of 3 hosts"), "{}", plan.stdout);
    assert!(plan.stdout.contains("fleet prod in ambient"), "{}", plan.stdout);
    let told = world.run(&["sync"]).await;
    assert_eq!(told.code, Some(4), "{}", told.stderr);
    assert!(told.stdout.contains(&format!("{} (prod)", GOOD[1])), "{}", told.stdout);
    assert!(told.stdout.contains("SSM has lost the connection to it"), "{}", told.stdout);
}

#[tokio::test]
async fn an_offline_host_an_unknown_id_and_other_platforms_are_named_and_the_others_are_proven() {
    let bare = |id, platform| HostSpec { platform, ..elsewhere(id, &[]) };
    let hosts = vec![
        elsewhere(GOOD[0], &[]),
        HostSpec { behaviour: Behaviour::Offline, ..elsewhere(GOOD[1], &[]) },
        bare(GOOD[2], Platform::Bottlerocket),
        bare(GOOD[3], Platform::Windows),
    ];
    let ids = [GOOD[0], GOOD[1], GOOD[2], GOOD[3], NOBODY];
    let world = World::start("an_offline_host_an_unknown_id", with_hosts(hosts), &by_ids(&ids));
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, &told.json["verdict"]), (4, &json!("partial")), "{told:#?}");
    let hosts = &told.json["fleets"][0]["hosts"];
    let why = |id| world::find(hosts, "host", id)["why"].clone();
    assert_eq!(hosts_of(&told)[GOOD[0]], "proven");
    assert_eq!(why(GOOD[1]), json!({"because": "not_online", "seen": "connection_lost"}));
    assert_eq!(why(NOBODY), json!({"because": "not_online", "seen": "not_managed"}));
    assert_eq!((why(GOOD[2]), why(GOOD[3])), (json!("bottlerocket"), json!("windows")));
    let sent: Vec<&Value> = calls
        .iter()
        .filter(|call| call.operation == "SendCommand")
        .map(|call| &call.request["InstanceIds"])
        .collect();
    assert_eq!(sent, [&json!([GOOD[0]])]);
    assert_eq!(count(&calls, "DescribeInstanceInformation"), 2, "and one for the last look");
}

#[tokio::test]
async fn a_pass_that_dies_before_it_can_record_costs_no_second_restart() {
    let world = World::start("a_pass_that_dies_before_it_can_record", with_hosts(tagged()), &by_tags());
    assert_eq!(world.json(&["sync"]).await.code, 0);
    let cuts = [
        // What is taken back of the first host, and what is recorded of it when it was restarted.
        (held_put(RECORD, 2), "PutObject", 1),
        (held(Service::Ssm, "SendCommand", 1), "SendCommand", 0),
    ];
    for (n, (cut, operation, restarted)) in (1..).zip(cuts) {
        world.set_harbor_password(&format!("password-number-{n}"));
        world.client().set_faults(&[cut]).unwrap();
        let pass = world.regcred(&["sync"]).start();
        world.until_held(operation).await;
        pass.kill().await;
        world.client().set_faults(&[]).unwrap();
        assert_eq!(world.restarts()[GOOD[0]], n + restarted, "{operation}");
        // Nothing is left on record that may not be so any more.
        assert_eq!(record(&world).await[GOOD[0]]["regcred.revision"], "pending", "{operation}");

        let told = world.json(&["sync"]).await;
        assert_eq!(told.code, 0, "{told:#?}");
        assert!(MEMBERS.iter().all(|id| world.restarts()[*id] == n + 1), "{:?}", world.restarts());
        assert!(record(&world).await.values().all(|of_host| of_host["regcred.revision"] != "pending"));
    }
}

#[tokio::test]
async fn without_its_record_every_host_is_asked_again_and_none_is_restarted() {
    let world = World::start("without_its_record_every_host", with_hosts(tagged()), &by_tags());
    assert_eq!(world.json(&["sync"]).await.code, 0);
    let sdk = world.sdk();
    sdk.s3.delete_object().bucket("acme-regcred").key(RECORD).send().await.unwrap();
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(MEMBERS.iter().all(|id| world.restarts()[*id] == 1), "{:?}", world.restarts());
    assert_eq!(record(&world).await.len(), 3);

    sdk.put_object("acme-regcred", RECORD, "mangled").await;
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    let failure = &told.json["fleets"][0]["failure"];
    assert_eq!(failure["kind"], "invalid", "{told:#?}");
    assert!(failure["remedy"].as_str().unwrap().contains("delete it"), "{failure:#}");
}

#[tokio::test]
async fn of_two_writers_of_one_record_neither_loses_what_the_other_wrote() {
    let world = World::start("of_two_writers_of_one_record", with_hosts(tagged()), &by_tags());
    assert_eq!(world.json(&["sync"]).await.code, 0);
    world.set_harbor_password("password-of-the-next-year");
    // What is taken back of the first host, and what is recorded of it when it was restarted.
    world.client().set_faults(&[held_put(RECORD, 2)]).unwrap();
    let ours = world.regcred(&["sync", "--output", "json"]).start();
    world.until_held("PutObject").await;
    // What another regcred would have proven meanwhile, of a host that ours does not know.
    let mut theirs = json!({"version": 1, "hosts": record(&world).await});
    theirs["hosts"][GOOD[5]] = json!({"regcred.revision": "theirs"});
    world.sdk().put_object("acme-regcred", RECORD, &theirs.to_string()).await;
    world.client().set_faults(&[]).unwrap();
    let Ended { code, stdout, stderr } = ours.end().await;
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let recorded = record(&world).await;
    assert_eq!(recorded[GOOD[5]]["regcred.revision"], "theirs");
    assert_eq!(recorded.len(), 4, "{recorded:#?}");
    assert!(recorded.values().all(|of_host| of_host["regcred.revision"] != "pending"), "{recorded:#?}");

    // The next pass sees that SSM lists no such host, and drops it with its first write.
    world.set_harbor_password("another-password");
    assert_eq!(world.json(&["sync"]).await.code, 0);
    assert_eq!(record(&world).await.keys().map(String::as_str).collect::<Vec<_>>(), MEMBERS);
}

#[tokio::test]
async fn two_passes_at_once_end_with_every_host_on_the_new_credential() {
    let world = World::start("two_passes_at_once", with_hosts(tagged()), &by_tags());
    assert_eq!(world.json(&["sync"]).await.code, 0);
    world.set_harbor_password("password-of-the-next-year");
    let passes = [(); 2].map(|()| world.regcred(&["sync", "--output", "json"]).start());
    for pass in passes {
        let ended = pass.end().await;
        let told: Value =
            serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:#?}"));
        schemas::assert_documented("sync", &told);
    }
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    for id in MEMBERS {
        assert_eq!(world.pulls_with(id, HARBOR_IMAGE), Some(sha256("password-of-the-next-year")), "{id}");
        assert_eq!(world.restarts()[id], 2, "{id}");
    }
    assert_eq!(record(&world).await.len(), 3);
}

#[tokio::test]
async fn a_tagged_host_that_joins_during_a_pass_is_proven_by_the_same_pass() {
    let world = World::start("a_tagged_host_that_joins", with_hosts(tagged()), &by_tags());
    world.client().set_faults(&[held(Service::Ssm, "ListCommandInvocations", 2)]).unwrap();
    let pass = world.regcred(&["sync", "--output", "json"]).start();
    world.until_held("ListCommandInvocations").await;
    world.client().add_host(&elsewhere(GOOD[4], &[("role", "ecs"), ("env", "prod")])).unwrap();
    world.client().set_faults(&[]).unwrap();
    let ended = pass.end().await;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(by_name(&told["fleets"][0]["hosts"], "host", "outcome")[GOOD[4]], "proven", "{told:#}");
    assert_eq!(record(&world).await.len(), 4);
}

#[tokio::test]
async fn a_record_that_cannot_be_written_says_what_is_missing_and_sends_nothing_that_it_would_belie() {
    let world = World::start("a_record_that_cannot_be_written", with_hosts(tagged()), &by_tags());
    assert_eq!(world.json(&["sync"]).await.code, 0);
    world.set_harbor_password("another-password");
    let Fault { calls, effect } = fault(Service::S3, "PutObject", Effect::Deny);
    let key = Some(RECORD.to_owned());
    world.client().set_faults(&[Fault { calls: Match { key, ..calls }, effect }]).unwrap();
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, count(&calls, "SendCommand")), (5, 0), "{told:#?}");
    let fleet = &told.json["fleets"][0];
    assert_eq!(
        fleet["why"],
        json!({"because": "send_refused", "refusal": {"kind": "unrecorded"}}),
        "{fleet:#}"
    );
    let said = fleet["failures"].to_string();
    assert!(said.contains("s3:PutObject") && said.contains(RECORD), "{said}");
    assert!(world.restarts().values().all(|restarts| *restarts <= 1));

    world.client().set_faults(&[]).unwrap();
    assert_eq!(world.json(&["sync"]).await.code, 0);
}

#[tokio::test]
async fn tags_that_no_node_has_are_a_mistake_and_are_named() {
    let config = by_tags().replace("env: [prod, stage]", "env: [prd]");
    let world = World::start("tags_that_no_node_has", with_hosts(tagged()), &config);
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    let said = told.json["fleets"][0].to_string();
    assert!(said.contains("no managed node with these tags") && said.contains("fleets.prod.tags"), "{said}");
}

#[tokio::test]
async fn a_host_that_two_fleets_mean_is_restarted_for_neither_in_turn() {
    let two = by_tags()
        + "  other:\n    ecs_config: prod\n    tags: { env: [stage] }\n    poll_interval: 100ms\n    settle_interval: \
           100ms\n    settle_timeout: 10s\n";
    let world = World::start("a_host_that_two_fleets_mean", with_hosts(tagged()), &two);
    let told = world.json(&["plan"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    let said = told.json["fleets"].to_string();
    assert!(said.contains(&format!("host `{}` belongs to fleet `other` too", GOOD[1])), "{said}");
    assert!(said.contains("narrow fleets.prod.tags or fleets.other.tags"), "{said}");
}
