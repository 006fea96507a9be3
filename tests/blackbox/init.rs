//! `init`: whatever is found, the draft is one that `check` accepts, with no secret in it and nothing overwritten.

use regcred_sandbox::hosts::Life;
use regcred_sandbox::{ClusterSeed, Effect, Options, Service};
use serde_json::json;

use crate::messages::errors;
use crate::tools::Program;
use crate::world::{ACCOUNT, GOOD, REGION, World, bare, fault, host, object, with_hosts, writes};

/// What Docker's file may be: logins, a helper, the file of old, nothing of use, none at all.
const DOCKER: [Option<&str>; 6] = [
    None,
    Some("{}"),
    Some(
        r#"{"auths":{"https://index.docker.io/v1/":{"auth":"YWNtZTpodW50ZXItaHVi"},"ghcr.io":{"auth":"Ym90Omh1bnRlci1naGNy"}}}"#,
    ),
    Some(
        r#"{"auths":{"ghcr.io":{}},"credsStore":"desktop","credHelpers":{"europe-docker.pkg.dev":"gcloud"},"currentContext":"x"}"#,
    ),
    Some(
        r#"{"r.io:5000":{"auth":"dTpodW50ZXItb2xk","email":"e@x"},"[::1]:5000":{"auth":"dTpodW50ZXItb2xk"}}"#,
    ),
    Some(
        r#"{"auths":{"1.dkr.ecr.eu-west-1.amazonaws.com":{"auth":"dTpodW50ZXItZWNy"},"myorg":{},"a b":{},"r.io\n: x":{},"r.io/a":{},"r.io:a":{}}}"#,
    ),
];

/// What the object may be: none that is named, the one by hand, one that agents find nothing in, an empty one.
fn objects() -> [Option<String>; 4] {
    let by_hand = format!("{}{}", crate::world::OBJECT_HEAD, crate::world::BY_HAND);
    let quoted = by_hand.replace("DATA={", "DATA='{");
    [None, Some(by_hand), Some(quoted), Some(String::new())]
}

fn clusters(test: &str, content: Option<&str>, hosts: bool) -> World {
    let fargate = ClusterSeed { name: "7".into(), account: ACCOUNT.into(), region: REGION.into() };
    let hosts = if hosts {
        vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "null", Life::Memory)]
    } else {
        Vec::new()
    };
    let objects = content.map(object).into_iter().collect();
    World::start(test, Options { objects, clusters: vec![fargate], ..with_hosts(hosts) }, "nothing: here\n")
}

#[tokio::test]
async fn whatever_is_found_check_accepts_the_draft_and_no_secret_is_in_it() {
    let mut drafts = 0;
    for content in objects() {
        for hosts in [true, false] {
            let mut world = clusters("whatever_is_found", content.as_deref(), hosts);
            for docker in DOCKER {
                world.set("DOCKER_CONFIG", &world.path("docker").display().to_string());
                match docker {
                    Some(text) => world.write("docker/config.json", text),
                    None => world.set("DOCKER_CONFIG", "/nowhere"),
                }
                let mut arguments = vec!["init"];
                arguments.extend(content.as_ref().map(|_| "--ecs-config=s3://acme-ecs/prod/ecs.config"));
                let told = world.json(&arguments).await;
                let text = told.json["text"].as_str().unwrap();
                assert_eq!((told.code, &told.json["failures"]), (0, &json!([])), "{told:#?}");
                for secret in ["hunter", "aHVudGVy", "password-of", "Omh1bnRlc"] {
                    assert!(!text.contains(secret), "{secret}: {text}");
                }
                world.write("drafted.yaml", text);
                let checked = world.json(&["check", "--config", "drafted.yaml"]).await;
                assert_eq!(
                    (checked.code, &checked.json["problems"]),
                    (0, &json!([])),
                    "{text}\n{checked:#?}"
                );
                let fleets = usize::from(content.is_some() && hosts);
                assert_eq!(checked.json["fleets"], json!(fleets), "{text}");
                assert_eq!(checked.json["ecs_configs"], json!(usize::from(content.is_some())), "{text}");
                drafts += 1;
            }
        }
    }
    assert_eq!(drafts, 4 * 2 * 6);
}

#[tokio::test]
async fn the_draft_names_what_was_found_where_and_asks_aws_to_change_nothing() {
    let mut world = clusters("the_draft_names_what_was_found", objects()[1].as_deref(), true);
    world.write("home/.docker/config.json", DOCKER[2].unwrap());
    world.set("HOME", &world.path("home").display().to_string());
    let (told, calls) = world.watched(&["init", "--ecs-config", "s3://acme-ecs/prod/ecs.config"]).await;
    assert!(writes(&calls).is_empty(), "{calls:#?}");
    assert_eq!(told.json["registries"], json!(["dockerhub", "ghcr.io", "harbor.example.com", "quay.io"]));
    let text = told.json["text"].as_str().unwrap();
    for line in [
        "    source: { docker_config: { path: \"HOME/.docker/config.json\" } }",
        "    source: { env: { username: QUAY_IO_USERNAME, password: QUAY_IO_PASSWORD } }",
        "  hosts: { bucket: \"acme-ecs\", key: \"prod/ecs.config\", registries: [\"harbor.example.com\", \"quay.io\"] }",
        "    clusters: [\"null\", \"web\"]",
        "# Without container instances: 7.",
    ] {
        let line = line.replace("HOME", &world.path("home").display().to_string());
        assert!(text.lines().any(|each| each == line), "{line}\n{text}");
    }
    // For people it is the same text, to be piped into a file.
    let human = world.run(&["init", "--ecs-config", "s3://acme-ecs/prod/ecs.config"]).await;
    assert_eq!((human.code, human.stdout.trim_end()), (Some(0), text.trim_end()), "{human:#?}");
}

#[tokio::test]
async fn a_file_is_written_once_and_never_again() {
    let world = clusters("a_file_is_written_once", None, true);
    let told = world.run(&["init", "--out", "first.yaml"]).await;
    assert_eq!(told.code, Some(0), "{told:#?}");
    assert!(told.stdout.contains("regcred check --config first.yaml"), "{}", told.stdout);
    let text = std::fs::read_to_string(world.path("first.yaml")).unwrap();
    assert!(text.contains("state: {"), "{text}");
    let again = world.run(&["init", "--out", "first.yaml"]).await;
    assert_eq!((again.code, again.stdout.as_str()), (Some(2), ""), "{again:#?}");
    assert!(errors(&again.stderr)[0][1].contains("never overwritten"), "{}", again.stderr);
    assert_eq!(std::fs::read_to_string(world.path("first.yaml")).unwrap(), text);
    // A link that leads nowhere would be written through.
    std::os::unix::fs::symlink(world.path("elsewhere"), world.path("link.yaml")).unwrap();
    assert_eq!(world.run(&["init", "--out", "link.yaml"]).await.code, Some(2));
    assert!(!world.path("elsewhere").exists());
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_said_and_what_was_asked_for_by_name_is_not_left_out() {
    let mut world = World::start("what_cannot_be_looked_at", bare(), "nothing: here\n");
    world.client().set_faults(&[fault(Service::Ecs, "ListClusters", Effect::Deny)]).unwrap();
    let told = world.json(&["init"]).await;
    assert_eq!((told.code, &told.json["failures"][0]["kind"]), (0, &json!("access_denied")), "{told:#?}");
    assert!(told.stderr.contains("ecs:ListClusters"), "{}", told.stderr);
    assert!(told.json["text"].as_str().unwrap().contains("could not be seen"), "{told:#?}");

    for (arguments, code, said) in [
        (["init", "--ecs-config=s3://acme-ecs/none"], 4, "there is no such object"),
        (["init", "--ecs-config=/etc/ecs/ecs.config"], 2, "s3://BUCKET/KEY"),
        (["init", "--out=/nowhere/regcred.yaml"], 2, "/nowhere/regcred.yaml"),
    ] {
        let ended = world.run(&arguments).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{ended:#?}");
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
    world.sdk().put_object("acme-ecs", "a b", "").await;
    let odd = world.run(&["init", "--ecs-config=s3://acme-ecs/a b"]).await;
    assert_eq!(odd.code, Some(2), "{odd:#?}");
    assert!(odd.stderr.contains("cannot be the key of an `ecs.config`"), "{}", odd.stderr);

    world.write("docker/config.json", "[]");
    world.set("DOCKER_CONFIG", &world.path("docker").display().to_string());
    let broken = world.run(&["init"]).await;
    assert_eq!(broken.code, Some(2), "{broken:#?}");
    assert!(broken.stderr.contains("no JSON object"), "{}", broken.stderr);

    // Without a Region, and without anything: a draft all the same.
    let nothing = Program::regcred().arguments(["init"]).variable("AWS_EC2_METADATA_DISABLED", "true");
    let nothing = nothing.folder(world.path(".")).run().await;
    assert_eq!(nothing.code, Some(0), "{nothing:#?}");
    assert!(nothing.stderr.contains("AWS_REGION") && nothing.stdout.contains("dockerhub"), "{nothing:#?}");
}
