//! No secret shows anywhere but where it belongs.
//!
//! Every kind of source is given a password that is found nowhere else, with characters that formats escape, and all that a
//! pass leaves behind is searched for it in every form that it could take. A search that finds nothing proves nothing by
//! itself: the same search has to find each password in the secret and in the object that were published.

mod failures;
mod planting;
mod search;
mod verification;
mod watch;

use std::collections::BTreeMap;

use regcred_sandbox::Options;
use regcred_sandbox::hosts::{Behaviour, HostSpec, Life};

use self::planting::{CONFIG, plant, planted, start};
use self::search::{Heard, found, run};
use self::watch::Watch;
use crate::tools::Program;
use crate::world::{FAILING, GOOD, LIAR, World, bare, host, sha256};

/// Hears all that AWS and the hosts show of what was done.
async fn hear_aws(world: &World, heard: &mut Heard) {
    let (sdk, client) = (world.sdk(), world.client());
    heard.hear("the log of calls", client.calls().unwrap());
    heard.hear("the hosts", client.exchange("GET", "hosts", b"").unwrap());
    heard.hear(
        "names, tags, descriptions, version ids of secrets",
        client.exchange("GET", "secrets", b"").unwrap(),
    );
    let commands = sdk.ssm.list_commands().send().await.unwrap();
    assert!(!commands.commands().is_empty(), "there are commands to look into");
    heard.hear("commands", format!("{commands:?}"));
    let mut pages = sdk.ssm.list_command_invocations().details(true).into_paginator().send();
    let mut outputs = 0;
    while let Some(page) = pages.next().await {
        for invocation in page.unwrap().command_invocations() {
            for plugin in invocation.command_plugins() {
                outputs += usize::from(plugin.output().is_some_and(|output| !output.is_empty()));
                heard.hear("a plugin's output", plugin.output().unwrap_or_default());
            }
            heard.hear("an invocation", format!("{invocation:?}"));
        }
    }
    assert!(outputs > 0, "there are outputs to look into");
    let kept = sdk.keys("acme-regcred").await;
    assert!(kept.contains(&"regcred/state.json".to_owned()), "{kept:?}");
    for key in kept {
        heard.hear(format!("s3://acme-regcred/{key}"), sdk.object("acme-regcred", &key).await.0);
    }
    for key in sdk.keys("acme-ecs").await {
        let head = sdk.s3.head_object().bucket("acme-ecs").key(&key).send().await.unwrap();
        heard.hear(format!("what S3 tells of {key}"), format!("{head:?}"));
    }
}

#[tokio::test]
async fn a_secret_that_a_source_was_given_shows_nowhere_but_where_it_belongs() {
    let first = planted("first");
    let hosts = [GOOD[0], GOOD[1], GOOD[2], LIAR, FAILING].map(|id| HostSpec {
        config: Some("ECS_CLUSTER=web\n".into()),
        behaviour: match id {
            LIAR => Behaviour::RestartKeepsOldEnvironment,
            FAILING => Behaviour::RejectsChangedAuth,
            _ => Behaviour::Normal,
        },
        ..host(id, "web", Life::Shell)
    });
    let options = Options { hosts: hosts.into(), ..bare() };
    let Some(mut world) = start("a_secret_that_a_source_was_given", options, CONFIG) else { return };
    plant(&mut world, &first).await;
    let mut heard = Heard::default();

    let watch = Watch::begin();
    let control = Program::new("/bin/sh").arguments(["-c", ": seen-by-the-watch; sleep 1; :"]).start();
    run(&world, &mut heard, &[0], &["check"]).await;
    run(&world, &mut heard, &[0], &["schema"]).await;
    run(&world, &mut heard, &[3], &["status"]).await;
    run(&world, &mut heard, &[3], &["plan"]).await;
    run(&world, &mut heard, &[4], &["sync"]).await;
    run(&world, &mut heard, &[3], &["status"]).await;
    run(&world, &mut heard, &[5], &["sync", "--retry-failed"]).await;
    run(&world, &mut heard, &[3, 4], &["verify", "--hosts"]).await;
    run(&world, &mut heard, &[0], &["verify"]).await;
    run(&world, &mut heard, &[0], &["verify", "--published"]).await;
    run(&world, &mut heard, &[0], &["explain", "env.example.com/a", "json.example.com/a"]).await;
    run(&world, &mut heard, &[0], &["explain", "config.example.com/a", "--from", "planted/config.json"])
        .await;
    run(&world, &mut heard, &[0], &["lint", "s3://acme-ecs/prod/ecs.config", "--fix"]).await;
    run(&world, &mut heard, &[3], &["lint", "planted/config.json", "--fix"]).await;
    run(&world, &mut heard, &[0, 3], &["lint", "planted/dockercfg"]).await;
    run(&world, &mut heard, &[0], &["render", "prod"]).await;
    run(&world, &mut heard, &[0], &["render", "typed"]).await;
    run(&world, &mut heard, &[0], &["snippet", "env"]).await;
    world.set("DOCKER_CONFIG", &world.path("planted").display().to_string());
    run(&world, &mut heard, &[0], &["init", "--ecs-config", "s3://acme-ecs/prod/ecs.config"]).await;
    run(&world, &mut heard, &[3, 4], &["doctor", "--hosts"]).await;
    run(&world, &mut heard, &[3], &["release"]).await;
    control.end().await;
    let seen = watch.end();
    for what in ["seen-by-the-watch", "sync --output json", "curl "] {
        assert!(
            seen.iter().any(|line| line.contains(what)),
            "the watch saw no {what} among {} command lines",
            seen.len()
        );
    }
    for line in seen {
        heard.hear(format!("the process list: {line}"), line.clone());
    }
    hear_aws(&world, &mut heard).await;

    // The positive control: where the secrets belong, the same search finds every one of them.
    let sdk = world.sdk();
    let (object, _) = sdk.object("acme-ecs", "prod/ecs.config").await;
    for secret in &first {
        let (value, _) = sdk.secret(&format!("planted/{}", secret.registry)).await.unwrap();
        let one = std::slice::from_ref(secret);
        assert!(!found(one, &value).is_empty(), "{} is not found in its secret", secret.registry);
        assert!(!found(one, &object).is_empty(), "{} is not found in the object", secret.registry);
        let pulled = world.pulls_with(GOOD[0], &format!("{}/app:1", secret.server));
        assert_eq!(pulled, Some(sha256(&secret.password)), "{}", secret.registry);
    }
    heard.assert_silent(&first);
    let variables: BTreeMap<_, _> = world.variables().into_iter().collect();
    heard.assert_lacks(&variables["PLANTED_VAULT_TOKEN"]);
}
