//! The SSM document is looked at before anything is sent: only the one that regcred carries reaches a host.

use regcred_sandbox::hosts::{DOCUMENT, DOCUMENT_NAME, HostSpec, Life};
use regcred_sandbox::{DocumentSeed, Options};

use crate::messages::errors;
use crate::world::{self, GOOD, World, count, host, hosts_of, with_hosts, writes};

fn pair() -> Vec<HostSpec> {
    vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)]
}

/// Hosts, and a document of this content.
fn with_document(content: String) -> Options {
    let options = with_hosts(pair());
    let documents =
        options.documents.iter().map(|seed| DocumentSeed { content: content.clone(), ..seed.clone() });
    Options { documents: documents.collect(), ..options }
}

/// Somebody had it run something of their own.
fn altered() -> String {
    let altered = DOCUMENT.replacen("\"set -eu\"", "\"set -eu; :\"", 1);
    assert_ne!(altered, DOCUMENT);
    altered
}

/// The three lines that a command tells of the document.
async fn told_of_document(world: &World, command: &str) -> [String; 3] {
    let ended = world.run(&[command]).await;
    let all = errors(&format!("{}\n{}", ended.stdout, ended.stderr));
    let found = all.iter().find(|[_, why, _]| why.contains(&format!("SSM document `{DOCUMENT_NAME}`")));
    found.unwrap_or_else(|| panic!("{command} says nothing of the document: {ended:#?}")).clone()
}

#[tokio::test]
async fn a_missing_document_is_named_with_the_command_that_creates_it() {
    let options = Options { documents: Vec::new(), ..with_hosts(pair()) };
    let world = World::start("a_missing_document_is_named", options, &world::swift());
    for command in ["plan", "sync"] {
        let [what, why, to_do] = told_of_document(&world, command).await;
        assert_eq!(what, "cannot restart hosts of fleet `prod`");
        assert!(why.starts_with("there is no SSM document `regcred-refresh`"), "{why}");
        assert!(to_do.starts_with("aws ssm create-document --name regcred-refresh"), "{to_do}");
    }
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, writes(&calls)), (5, Vec::new()), "{told:#?}");
    assert!(hosts_of(&told).values().all(|end| end == "waiting"), "{told:#?}");
    assert!(world.restarts().values().all(|restarts| *restarts == 0));
}

#[tokio::test]
async fn an_altered_document_reaches_no_host_until_it_is_mended_and_made_the_default() {
    let world = World::start("an_altered_document", with_document(altered()), &world::swift());
    for command in ["plan", "sync"] {
        let [what, why, to_do] = told_of_document(&world, command).await;
        assert_eq!(what, "cannot restart hosts of fleet `prod`");
        assert!(why.contains("version 1 of") && why.contains("its script is another one"), "{why}");
        assert!(to_do.contains("aws ssm update-document --name regcred-refresh"), "{to_do}");
        assert!(to_do.contains("fleets.prod.document_check"), "{to_do}");
    }
    // Plan's exit code is that of a failure, and it lists the hosts all the same.
    let told = world.json(&["plan"]).await;
    assert_eq!((told.code, hosts_of(&told).len()), (4, 2), "{told:#?}");
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, writes(&calls)), (5, Vec::new()), "{told:#?}");
    let why = &told.json["fleets"][0]["why"];
    assert_eq!(
        (&why["because"], &why["refusal"]["kind"]),
        (&"send_refused".into(), &"foreign_document".into())
    );

    // An update leaves the default as it is, and then that is all there is to do.
    let number = world.sdk().update_document(DOCUMENT_NAME, DOCUMENT).await;
    let [_, _, to_do] = told_of_document(&world, "sync").await;
    let mend = format!(
        "aws ssm update-document-default-version --name regcred-refresh --document-version {number};"
    );
    assert!(to_do.starts_with(&mend), "{to_do}");
    assert!(world.restarts().values().all(|restarts| *restarts == 0));

    world.sdk().set_default_document_version(DOCUMENT_NAME, &number).await;
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, count(&calls, "GetDocument")), (0, 1), "{told:#?}");
    // What was looked at is what is sent, whatever becomes the default meanwhile.
    let sends: Vec<_> = calls.iter().filter(|call| call.operation == "SendCommand").collect();
    assert!(
        !sends.is_empty() && sends.iter().all(|call| call.request["DocumentVersion"] == *number),
        "{sends:#?}"
    );
}

#[tokio::test]
async fn a_document_that_only_looks_otherwise_is_the_same_one() {
    let value: serde_json::Value = serde_json::from_str(DOCUMENT).expect("the document is JSON");
    let world = World::start("a_document_that_only_looks", with_document(value.to_string()), &world::swift());
    assert_eq!(world.json(&["sync"]).await.code, 0);
}

#[tokio::test]
async fn an_operators_own_document_is_sent_unseen() {
    let config = world::swift().replace("max_errors:", "document_check: own\n    max_errors:");
    assert_ne!(config, world::swift());
    let world = World::start("an_operators_own_document", with_document(altered()), &config);
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, count(&calls, "GetDocument")), (0, 0), "{told:#?}");
    assert!(calls.iter().all(|call| call.request["DocumentVersion"].is_null()), "{calls:#?}");
}
