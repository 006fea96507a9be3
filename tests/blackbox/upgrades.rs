//! What the last version left, and this one finds: records, published credentials, and the SSM document of a time before.
//!
//! The files beside this one were written by an earlier binary, under a key of its own; docs/UPGRADES.md says how they are made
//! anew. Whatever changes in how a revision is made, a secret is written or a record is read shows here as a host that would
//! be restarted for nothing.

use std::collections::{BTreeMap, BTreeSet};

use regcred_sandbox::hosts::{DOCUMENT, DOCUMENT_NAME, EcsListing, HostSpec, Life};
use regcred_sandbox::{ObjectSeed, Options};
use serde_json::Value;

use crate::messages::errors;
use crate::world::{
    self, FAILING, GOOD, HARBOR_IMAGE, LIAR, World, count, host, hosts_of, object, patient, sha256, writes,
};

/// `<prefix>state.json`.
const STATE: &str = include_str!("upgrades/state.json");
/// The object of the demo, as it was published.
const OBJECT: &str = include_str!("upgrades/ecs.config");
/// What the secrets hold, and their tags.
const SECRETS: &str = include_str!("upgrades/secrets.json");
/// What was recorded of each container instance.
const ATTRIBUTES: &str = include_str!("upgrades/attributes.json");
/// `<prefix>hosts/edge.json`: the same of a host outside ECS's view.
const RECORDED: &str = include_str!("upgrades/hosts.json");
/// The SSM document that went with it.
const LAST_DOCUMENT: &str = include_str!("upgrades/regcred-refresh.json");

/// A second fleet, of a host that ECS does not show.
const EDGE: &str = "  edge: { ecs_config: prod, instances: [i-0d83b6e2f90a1c574], poll_interval: 100ms }\n";

/// A host that loaded what the object holds.
fn loaded(id: &str, cluster: &str, life: Life) -> HostSpec {
    let lines: Vec<&str> = OBJECT.lines().filter(|line| line.starts_with("ECS_ENGINE_AUTH_")).collect();
    let config = format!("ECS_CLUSTER={cluster}\nECS_LOGLEVEL=info\n{}\n", lines.join("\n"));
    HostSpec { config: Some(config), ..host(id, cluster, life) }
}

/// What the last version left, its document among it, and these hosts.
async fn left(test: &str, hosts: Vec<HostSpec>, config: &str) -> World {
    let mut options = Options { objects: vec![object(OBJECT)], hosts, ..world::bare() };
    for (key, content) in [("regcred/state.json", STATE), ("regcred/hosts/edge.json", RECORDED)] {
        options.objects.push(ObjectSeed {
            bucket: "acme-regcred".into(),
            key: key.into(),
            content: content.trim_end().into(),
        });
    }
    for document in &mut options.documents {
        document.content = LAST_DOCUMENT.into();
    }
    let world = World::start(test, options, config);
    let sdk = world.sdk();
    let secrets: Vec<Value> = serde_json::from_str(SECRETS).expect("the fixture is JSON");
    for secret in &secrets {
        let text = |member: &str| secret[member].as_str().expect("the fixture has it").to_owned();
        let tags: BTreeMap<String, String> =
            serde_json::from_value(secret["tags"].clone()).expect("the fixture has them");
        let tags: Vec<(&str, &str)> =
            tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        sdk.create_secret(&text("name"), &text("value"), &tags).await;
    }
    let attributes: BTreeMap<String, BTreeMap<String, String>> =
        serde_json::from_str(ATTRIBUTES).expect("the fixture is JSON");
    for host in world.client().hosts().expect("the sandbox answers") {
        for (name, value) in attributes.get(&host.id).into_iter().flatten() {
            sdk.put_attribute(&host.cluster, &host.container_instance_arn, name, value).await;
        }
    }
    world
}

/// Three proven hosts in two clusters, two on which the revision failed, and one that ECS does not show.
fn all() -> Vec<HostSpec> {
    vec![
        loaded(GOOD[0], "web", Life::Memory),
        loaded(GOOD[1], "web", Life::Memory),
        loaded(GOOD[4], "batch", Life::Memory),
        host(LIAR, "web", Life::Memory),
        host(FAILING, "batch", Life::Memory),
        HostSpec { listing: EcsListing::Elsewhere, ..loaded(GOOD[2], "theirs", Life::Memory) },
    ]
}

fn with_edge() -> String {
    format!("{}{EDGE}", world::swift())
}

#[tokio::test]
async fn an_upgrade_restarts_nobody_and_writes_nothing() {
    let world = left("an_upgrade_restarts_nobody", all(), &with_edge()).await;
    let plan = world.json(&["plan"]).await;
    for items in ["secrets", "objects"] {
        let actions: BTreeSet<&str> = plan.json[items]
            .as_array()
            .expect("a plan lists them")
            .iter()
            .filter_map(|item| item["action"].as_str())
            .collect();
        assert_eq!(actions.into_iter().collect::<Vec<_>>(), ["unchanged"], "{plan:#?}");
    }
    let (told, calls) = world.watched(&["sync"]).await;
    // Not converged: two hosts did not take the revision then, and are not tried again by an upgrade.
    assert_eq!(told.code, 4, "{told:#?}");
    let failed = [LIAR, FAILING].map(|id| (id.to_owned(), "failed_before".to_owned()));
    assert_eq!(hosts_of(&told), failed.into(), "{told:#?}");
    assert_eq!(told.json["fleets"][0]["outcome"], "current", "the fleet outside ECS's view: {told:#?}");
    assert_eq!((writes(&calls), count(&calls, "SendCommand")), (Vec::new(), 0), "{calls:#?}");
    assert!(world.restarts().values().all(|restarts| *restarts == 0), "{:?}", world.restarts());

    let status = world.json(&["status"]).await;
    let current = [GOOD[0], GOOD[1], GOOD[2], GOOD[4]];
    for (id, state) in hosts_of(&status) {
        let expected = if current.contains(&id.as_str()) { "current" } else { "failed_before" };
        assert_eq!(state, expected, "{id}");
    }
}

#[tokio::test]
async fn a_change_under_the_last_document_is_published_and_restarts_nobody_until_the_document_is_new() {
    let hosts = vec![loaded(GOOD[0], "web", Life::Memory), loaded(GOOD[4], "batch", Life::Memory)];
    let world = left("a_change_under_the_last_document", hosts, &world::swift()).await;
    world.set_harbor_password("password-of-the-next-year");
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 5, "{told:#?}");
    assert!(world.object().await != OBJECT, "the object waits for nobody");
    assert!(world.restarts().values().all(|restarts| *restarts == 0));
    let ended = world.run(&["sync"]).await;
    let all = errors(&format!("{}\n{}", ended.stdout, ended.stderr));
    let remedy = "aws ssm update-document --name regcred-refresh";
    assert!(all.iter().any(|[_, _, to_do]| to_do.contains(remedy)), "{ended:#?}");

    let number = world.sdk().update_document(DOCUMENT_NAME, DOCUMENT).await;
    world.sdk().set_default_document_version(DOCUMENT_NAME, &number).await;
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    for (id, restarts) in world.restarts() {
        assert_eq!(restarts, 1, "{id}");
        assert_eq!(world.pulls_with(&id, HARBOR_IMAGE), Some(sha256("password-of-the-next-year")), "{id}");
    }
}

/// Where the document is the operator's own business, two versions meet: this binary, and the script of the last one.
#[tokio::test]
async fn the_last_versions_script_and_this_binary_understand_each_other() {
    let hosts = vec![loaded(GOOD[0], "web", Life::Shell), loaded(GOOD[4], "batch", Life::Shell)];
    let config = patient().replace("max_errors:", "document_check: own\n    max_errors:");
    let world = left("the_last_versions_script", hosts, &config).await;
    world.set_harbor_password("password-of-the-next-year");
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    let hosts = [GOOD[0], GOOD[4]];
    assert_eq!(hosts_of(&told), hosts.map(|id| (id.to_owned(), "proven".to_owned())).into(), "{told:#?}");
    for id in hosts {
        assert_eq!(world.pulls_with(id, HARBOR_IMAGE), Some(sha256("password-of-the-next-year")), "{id}");
    }
}

/// An upgrade that begins with the document leaves the last binary at work for a while.
#[test]
fn this_document_takes_what_the_last_binary_sends() {
    let parameters = |text: &str| -> serde_json::Map<String, Value> {
        let document: Value = serde_json::from_str(text).expect("a document is JSON");
        document["parameters"].as_object().expect("it has parameters").clone()
    };
    let (last, this) = (parameters(LAST_DOCUMENT), parameters(DOCUMENT));
    for (name, known) in &last {
        let now = this.get(name).unwrap_or_else(|| panic!("parameter {name} is gone"));
        for rule in ["type", "allowedPattern", "allowedValues", "default"] {
            assert_eq!(now.get(rule), known.get(rule), "{name}: {rule}");
        }
    }
    for (name, new) in this.iter().filter(|(name, _)| !last.contains_key(*name)) {
        assert!(new.get("default").is_some(), "the last binary sends no {name}");
    }
}

#[tokio::test]
async fn records_with_members_of_a_later_version_are_read() {
    let world = left("records_with_members_of_a_later_version", all(), &with_edge()).await;
    let later = |text: &str| {
        let mut record: Value = serde_json::from_str(text).expect("the fixture is JSON");
        record["later"] = serde_json::json!({ "is": ["not", "known", "here"] });
        record.to_string()
    };
    let sdk = world.sdk();
    sdk.put_object("acme-regcred", "regcred/state.json", &later(STATE)).await;
    sdk.put_object("acme-regcred", "regcred/hosts/edge.json", &later(RECORDED)).await;
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, writes(&calls)), (4, Vec::new()), "{told:#?}");
    assert!(world.restarts().values().all(|restarts| *restarts == 0));
}

#[tokio::test]
async fn a_record_of_a_later_format_is_left_alone() {
    let world = left("a_record_of_a_later_format", all(), &with_edge()).await;
    let newer = STATE.replacen("\"version\":1", "\"version\":2", 1);
    world.sdk().put_object("acme-regcred", "regcred/state.json", &newer).await;
    let ended = world.run(&["sync"]).await;
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    let [_, why, to_do] = &errors(&ended.stderr)[0];
    assert!(why.contains("newer regcred (format 2)"), "{why}");
    assert_eq!(to_do, "use that version here too");
    assert_eq!(world.sdk().object("acme-regcred", "regcred/state.json").await.0, newer);
}
