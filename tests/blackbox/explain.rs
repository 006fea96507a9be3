//! `explain` and `lint`, from outside: for a stranger with a broken host and no configuration, and for the objects of one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use regcred_sandbox::hosts::Life;
use regcred_sandbox::{Effect, Service};
use serde_json::{Value, json};

use crate::tools::Ended;
use crate::world::{
    self, BY_HAND, DOCKER_HUB_IMAGE, GOOD, HARBOR_IMAGE, OBJECT_HEAD, QUAY_IMAGE, World, bare, fault, host,
    object, with_hosts,
};

/// A broken file as it is found on hosts: written on Windows, by hand, from Docker's own file.
const BROKEN: &str = "\u{feff}ECS_CLUSTER=prod\r\nexport ECS_ENGINE_AUTH_TYPE=dockercfg\r\nECS_ENGINE_AUTH_DATA='{\"auths\":{\"docker.io\":{\"auth\":\"YWNtZTpodW50ZXIyLWh1bnRlcjI=\"}}}'";

/// A folder without any configuration.
fn stranger(test: &str) -> World {
    let world = World::start(test, bare(), &world::DEMO);
    fs::remove_file(world.path("regcred.yaml")).expect("the world has one");
    world
}

fn rules(list: &Value) -> Vec<&str> {
    let list = list.as_array().expect("it is a list");
    list.iter().map(|item| item["rule"].as_str().or(item.as_str()).expect("each is a rule")).collect()
}

#[tokio::test]
async fn a_stranger_with_a_broken_host_is_told_why_it_pulls_anonymously_and_gets_a_mended_file() {
    let world = stranger("a_stranger_with_a_broken_host");
    world.write("ecs.config", BROKEN);
    let told = world.json(&["explain", "acme/app:1", "--from", "ecs.config"]).await;
    assert_eq!((told.code, &told.json["version"], &told.json["from"]), (0, &json!(1), &json!("ecs.config")));
    let image = &told.json["images"][0];
    let members: Vec<_> = image.as_object().expect("it is an object").keys().cloned().collect();
    assert_eq!(members, ["answer", "candidates", "image", "reasons"]);
    assert_eq!((&image["image"], &image["answer"]), (&json!("acme/app:1"), &json!("anonymous")));
    assert_eq!(image["candidates"], json!([{ "key": null, "username": null }]));
    let reasons = image["reasons"].to_string();
    assert!(reasons.contains("export") && reasons.contains("quoted-value"), "{reasons}");

    let linted = world.json(&["lint", "ecs.config", "--fix"]).await;
    assert_eq!(linted.code, 3);
    assert_eq!(
        rules(&linted.json["findings"]),
        ["byte-order-mark", "crlf", "export", "no-final-newline", "quoted-value"]
    );
    assert_eq!((&linted.json["form"], &linted.json["version"]), (&json!("ecs_config"), &json!(1)));
    assert_eq!(linted.json["findings"][4]["line"], 3);
    assert_eq!(linted.json["fixed"]["left"], json!([]));
    assert_eq!(linted.json["fixed"]["moves_cluster"], true);
    assert_eq!(fs::read_to_string(world.path("ecs.config")).unwrap(), BROKEN, "never in place");
    let fixed = world.path("ecs.config.fixed");
    let mode = fs::metadata(&fixed).expect("it was written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let told = world.json(&["explain", "acme/app:1", "--from", "ecs.config.fixed"]).await;
    assert_eq!(
        told.json["images"][0]["candidates"],
        json!([{ "key": "https://index.docker.io/v1/", "username": "acme" }])
    );
    let clean = world.run(&["lint", "ecs.config.fixed"]).await;
    assert_eq!(clean.code, Some(0), "{}", clean.stdout);
    assert!(clean.stdout.contains("agents read it as it is meant"), "{}", clean.stdout);
    assert!(world.calls().is_empty(), "a local file needs no AWS");
}

#[tokio::test]
async fn each_finding_is_three_lines_with_its_place_and_its_rule() {
    let world = stranger("each_finding_is_three_lines");
    world.write("ecs.config", BROKEN);
    let Ended { code, stdout, .. } = world.run(&["lint", "ecs.config"]).await;
    assert_eq!(code, Some(3), "{stdout}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 5 * 3 + 1, "{stdout}");
    assert_eq!(lines[12], "error: ecs.config:3:22: the data is in quotes [quoted-value]");
    for finding in lines[..15].chunks(3) {
        assert!(finding[1].starts_with("  because: ") && finding[2].starts_with("  to do:   "), "{stdout}");
    }
    assert!(lines[15].starts_with("ecs.config: 3 errors, 1 warning, 1 note"), "{stdout}");
    assert!(!stdout.contains("hunter2"), "{stdout}");
}

#[tokio::test]
async fn standard_input_dockers_file_and_a_bare_value_are_read_too() {
    let world = stranger("standard_input_dockers_file");
    let config = r#"{"auths":{"r.io":{"auth":"dTpw"}},"credsStore":"desktop"}"#;
    for (text, form, username) in [
        (config, "docker_config", "u"),
        (r#"{"r.io":{"username":"v","password":"p"}}"#, "auth_value", "v"),
        (
            "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"r.io\":{\"auth\":\"dTpw\"}}\n",
            "ecs_config",
            "u",
        ),
    ] {
        let explain =
            world.regcred(&["explain", "r.io/a", "--from", "-", "--output", "json"]).stdin(text).run().await;
        let told: Value = serde_json::from_str(&explain.stdout).expect("it is JSON");
        assert_eq!(
            told["images"][0]["candidates"],
            json!([{ "key": "r.io", "username": username }]),
            "{text}"
        );
        let lint = world.regcred(&["lint", "-", "--output", "json"]).stdin(text).run().await;
        let told: Value = serde_json::from_str(&lint.stdout).expect("it is JSON");
        assert_eq!(told["form"], form, "{text}");
        assert_eq!(lint.code, Some(if form == "docker_config" { 3 } else { 0 }), "{}", lint.stdout);
    }
    let fix = world.regcred(&["lint", "-", "--fix"]).stdin(config).run().await;
    assert_eq!(fix.code, Some(2));
    assert!(fix.stderr.contains("no name to write it beside"), "{}", fix.stderr);
}

#[tokio::test]
async fn what_cannot_be_read_ends_in_2_with_what_to_do() {
    let world = stranger("what_cannot_be_read_ends_in_2");
    world.client().set_faults(&[]).unwrap();
    for (arguments, said) in [
        (&["lint", "absent"][..], "cannot read absent"),
        (&["explain", "r.io/a", "--from", "absent"], "cannot read absent"),
        (&["lint", "s3://acme-ecs/absent"], "no such object"),
        (&["lint", "s3://nobodys/absent"], "NoSuchBucket"),
        (&["explain", "r.io/a"], "regcred.yaml"),
        (&["explain", "--from", "absent"], "IMAGE"),
    ] {
        let Ended { code, stdout, stderr } = world.run(arguments).await;
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
    let denied = fault(Service::S3, "GetObject", Effect::Deny);
    world.client().set_faults(&[denied]).unwrap();
    let Ended { code, stderr, .. } = world.run(&["lint", "s3://acme-ecs/prod/ecs.config"]).await;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("allow s3:GetObject on arn:aws:s3:::acme-ecs/prod/ecs.config"), "{stderr}");
}

#[tokio::test]
async fn an_object_is_explained_and_linted_where_it_is_with_and_without_a_configuration() {
    let hosts = vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)];
    let world = World::start("an_object_is_explained_and_linted", with_hosts(hosts), &world::swift());
    for arguments in [
        &["explain", QUAY_IMAGE, DOCKER_HUB_IMAGE][..],
        &["explain", QUAY_IMAGE, DOCKER_HUB_IMAGE, "--ecs-config", "prod"],
        &["explain", QUAY_IMAGE, DOCKER_HUB_IMAGE, "--fleet", "prod"],
        &["explain", QUAY_IMAGE, DOCKER_HUB_IMAGE, "--from", "s3://acme-ecs/prod/ecs.config"],
    ] {
        let told = world.json(arguments).await;
        assert_eq!(
            (told.code, &told.json["from"]),
            (0, &json!("s3://acme-ecs/prod/ecs.config")),
            "{told:#?}"
        );
        assert_eq!(told.json["images"][0]["candidates"], json!([{ "key": "quay.io", "username": "acme" }]));
        assert_eq!(told.json["images"][1]["answer"], "anonymous");
    }
    let unknown = world.run(&["explain", "busybox", "--fleet", "prd"]).await;
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("name one of prod"), "{}", unknown.stderr);

    assert_eq!(world.json(&["sync"]).await.code, 0);
    let told = world.run(&["explain", HARBOR_IMAGE, DOCKER_HUB_IMAGE]).await;
    assert!(told.stdout.contains("pulled as `robot` of `harbor.example.com`"), "{}", told.stdout);
    assert!(told.stdout.contains("pulled as `acme` of `https://index.docker.io/v1/`"), "{}", told.stdout);
    let linted = world.json(&["lint", "s3://acme-ecs/prod/ecs.config"]).await;
    // What stands above regcred's two lines is another's: its ECS_CLUSTER is added by user data.
    assert_eq!((linted.code, rules(&linted.json["findings"])), (3, vec!["no-cluster"]), "{linted:#?}");

    // Without a configuration, the account of the environment is asked.
    fs::remove_file(world.path("regcred.yaml")).expect("the world has one");
    let told = world.json(&["explain", HARBOR_IMAGE, "--from", "s3://acme-ecs/prod/ecs.config"]).await;
    assert_eq!(told.json["images"][0]["answer"], "credential", "{told:#?}");
}

#[tokio::test]
async fn an_object_is_mended_into_the_working_folder_and_stays_as_it_is() {
    let broken = format!("{OBJECT_HEAD}{BY_HAND}").replace('\n', "\r\n");
    let options = regcred_sandbox::Options { objects: vec![object(&broken)], ..bare() };
    let world = World::start("an_object_is_mended_into_the_working_folder", options, &world::DEMO);
    let linted = world.json(&["lint", "s3://acme-ecs/prod/ecs.config", "--fix"]).await;
    assert_eq!((linted.code, &linted.json["fixed"]["path"]), (3, &json!("ecs.config.fixed")), "{linted:#?}");
    assert_eq!(world.object().await, broken);
    assert_eq!(
        fs::read_to_string(world.path("ecs.config.fixed")).unwrap(),
        format!("{OBJECT_HEAD}{BY_HAND}")
    );
}
