//! What is kept in mind of a rejected credential, and until when: too short, and a schedule locks the account; too long, and
//! what is right by now is not published.

use regcred_sandbox::{Effect, Service};

use crate::scripted::{Heard, Reply, Scripted};
use crate::world::{LEASE, World, fault, find};

use super::hostile::{registry_with_basic, unauthorized};
use super::real::{configure, world_of_one};

/// The verdict on the one credential, and with which code the command ended.
async fn verdict(world: &World, command: &[&str]) -> (i32, String) {
    let told = world.json(command).await;
    let login = &find(&told.json["registries"], "name", "harbor")["login"];
    (told.code, login["verdict"].as_str().unwrap_or_default().to_owned())
}

fn endpoint(server: &Scripted) -> String {
    format!("endpoint: '{}', timeout: 2s", server.endpoint())
}

#[tokio::test]
async fn a_pass_that_sees_no_target_forgets_no_rejection_and_tries_nothing() {
    let server = registry_with_basic(Reply::new(401, &[], "")).await;
    let world = world_of_one("a_pass_that_sees_no_target", &endpoint(&server));
    let blind = [
        fault(Service::SecretsManager, "BatchGetSecretValue", Effect::Deny),
        fault(Service::SecretsManager, "DescribeSecret", Effect::Deny),
        fault(Service::SecretsManager, "GetSecretValue", Effect::Deny),
    ];
    // The state is in S3 too: an object in another bucket, that is not there, cannot be seen.
    let config = std::fs::read_to_string(world.path("regcred.yaml")).unwrap();
    let (only_secret, _) = config.split_once("ecs_configs:").unwrap();
    world.write("regcred.yaml", only_secret);

    // One that is not known is not shown to anybody for nothing.
    world.client().set_faults(&blind).unwrap();
    assert_eq!(verdict(&world, &["sync"]).await, (4, "unseen".into()));
    assert_eq!(server.shown().len(), 0);

    world.client().set_faults(&[]).unwrap();
    assert_eq!(verdict(&world, &["sync"]).await, (4, "rejected".into()));
    assert_eq!(server.shown().len(), 1);
    world.client().set_faults(&blind).unwrap();
    for command in ["plan", "sync", "status"] {
        assert_eq!(verdict(&world, &[command]).await, (4, "rejected_before".into()), "{command}");
    }
    world.client().set_faults(&[]).unwrap();
    assert_eq!(verdict(&world, &["sync"]).await, (4, "rejected_before".into()));
    assert_eq!(server.shown().len(), 0);
}

#[tokio::test]
async fn what_is_published_and_was_rejected_since_is_kept_in_mind() {
    let world = world_of_one("what_is_published_and_was_rejected_since", "enabled: true");
    let right = registry_with_basic(Reply::new(200, &[], "{}")).await;
    configure(&world, &endpoint(&right));
    assert_eq!(verdict(&world, &["sync"]).await, (0, "accepted".into()));
    // Somebody asks, and it is refused by now.
    let wrong = registry_with_basic(Reply::new(401, &[], "")).await;
    configure(&world, &endpoint(&wrong));
    assert_eq!(world.json(&["verify"]).await.code, 3);
    assert_eq!(verdict(&world, &["sync"]).await, (0, "unneeded".into()));
    // Where it would be written anew, it is not shown again.
    world
        .sdk()
        .put_secret("ecs/registry/harbor", r#"{"username":"robot","password":"of-another-tool"}"#)
        .await;
    wrong.heard();
    assert_eq!(verdict(&world, &["sync"]).await, (4, "rejected_before".into()));
    assert_eq!(wrong.heard().len(), 0);
}

#[tokio::test]
async fn one_that_was_not_let_pull_is_tried_again_when_another_image_is_named() {
    let server = Scripted::start(|heard: &Heard| match (heard.path(), heard.authorization()) {
        (_, None) => unauthorized(&["Basic realm=\"tests\"".to_owned()]),
        ("/v2/" | "/v2/team/app/manifests/latest", Some(_)) => Reply::new(200, &[], ""),
        _ => Reply::new(403, &[], ""),
    })
    .await;
    let of = |image: &str| format!("{}{image}", endpoint(&server));
    let world = world_of_one("one_that_was_not_let_pull", &of(", repository: other/app"));
    assert_eq!(verdict(&world, &["sync"]).await, (4, "rejected".into()));
    let person = world.run(&["sync"]).await.stdout;
    assert!(person.contains("this very one was not let pull other/app:latest on "), "{person}");
    assert!(person.contains("name another image in registries.harbor.verify.repository"), "{person}");
    server.heard();
    assert_eq!(verdict(&world, &["sync"]).await, (4, "rejected_before".into()));
    assert_eq!(server.heard().len(), 0);

    configure(&world, &of(", repository: team/app"));
    assert_eq!(verdict(&world, &["status"]).await, (3, "pending".into()));
    assert_eq!(verdict(&world, &["sync"]).await, (0, "accepted".into()));
    assert_eq!(verdict(&world, &["sync"]).await, (0, "unneeded".into()));
}

#[tokio::test]
async fn verify_that_cannot_keep_what_it_learnt_says_so_in_its_result() {
    let server = registry_with_basic(Reply::new(200, &[], "{}")).await;
    let world = world_of_one("verify_that_cannot_keep_what_it_learnt", &endpoint(&server));
    world.client().set_faults(&[fault(Service::S3, "GetObject", Effect::Deny)]).unwrap();
    let told = world.json(&["verify"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    assert_eq!(told.json["credentials"][0]["outcome"]["verdict"], "accepted", "{told:#?}");
    assert_eq!(told.json["unkept"]["kind"], "access_denied", "{told:#?}");
    assert_eq!(told.stderr, "");
    let person = world.run(&["verify"]).await;
    assert_eq!(person.code, Some(4));
    assert!(person.stdout.contains("error: cannot read the state"), "{}", person.stdout);

    world.client().set_faults(&[]).unwrap();
    let told = world.json(&["verify"]).await;
    assert_eq!((told.code, told.json.get("unkept")), (0, None), "{told:#?}");
}

#[tokio::test]
async fn keys_that_collide_are_told_as_what_agents_choose_among() {
    let server = registry_with_basic(Reply::new(200, &[], "{}")).await;
    let world = world_of_one("keys_that_collide_are_told", &endpoint(&server));
    assert_eq!(world.json(&["sync"]).await.code, 0);
    let entry =
        |key: &str, password: &str| format!(r#""{key}":{{"username":"robot","password":"{password}"}}"#);
    let data = [entry("harbor.example.com", "one"), entry("https://harbor.example.com", "other")].join(",");
    let object = format!("ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={{{data}}}\n");
    world.sdk().put_object("acme-ecs", "prod/ecs.config", &object).await;
    server.heard();
    let told = world.json(&["verify", "--published"]).await;
    assert_eq!(told.code, 3, "{told:#?}");
    let credentials = told.json["credentials"].as_array().unwrap();
    let outcomes: Vec<_> = credentials.iter().map(|each| &each["outcome"]).collect();
    assert_eq!(outcomes[1]["outcome"], "random", "{told:#?}");
    assert_eq!(outcomes[1]["keys"], serde_json::json!(["harbor.example.com", "https://harbor.example.com"]));
    // Of the two none is tried; the secret's is.
    assert_eq!(server.shown().len(), 1);
    let person = world.run(&["verify", "--published"]).await.stdout;
    let line = "agents take one of the keys `harbor.example.com`, `https://harbor.example.com` at random";
    assert!(person.contains(line) && !person.contains("not published"), "{person}");
    // What it says to do helps.
    assert_eq!(world.json(&["sync", "--registry", "harbor"]).await.code, 0);
    assert_eq!(world.json(&["verify", "--published"]).await.code, 0);
}

#[tokio::test]
async fn what_was_published_untried_is_tried_until_its_registry_says_whether_it_works() {
    let down = registry_with_basic(Reply::new(503, &[], "")).await;
    let publish = |server: &Scripted| format!("{}, unreachable: publish", endpoint(server));
    for (answer, code, word) in [(200, 0, "accepted"), (401, 4, "rejected")] {
        let world = world_of_one("what_was_published_untried_is_tried", &publish(&down));
        // No fleet loads the object here, so the old password is never safe to revoke; the count tells of the credential alone.
        let untried =
            async |command: &str| world.json(&[command]).await.json["revocation"]["untried"].clone();
        assert_eq!(untried("sync").await, 1);
        assert_eq!(untried("status").await, 1);
        assert_eq!(verdict(&world, &["status"]).await.1, "untried");
        // It is down still: nothing is written, and the old password may not go still.
        let (told, calls) = world.watched(&["sync"]).await;
        assert_eq!((told.code, &told.json["revocation"]["untried"]), (0, &1.into()), "{told:#?}");
        assert_eq!(crate::world::writes(&calls), Vec::<&str>::new());

        let up = registry_with_basic(Reply::new(answer, &[], "{}")).await;
        configure(&world, &publish(&up));
        assert_eq!(verdict(&world, &["sync"]).await, (code, word.into()));
        assert_eq!(up.shown().len(), 1);
        let told = world.json(&["sync"]).await;
        assert_eq!(up.shown().len(), 0, "it is known now, and not tried again");
        let login = &find(&told.json["registries"], "name", "harbor")["login"]["verdict"];
        if code == 0 {
            assert_eq!((told.code, login), (0, &"unneeded".into()));
            assert_eq!(untried("status").await, 0);
        } else {
            assert_eq!((told.code, login), (4, &"rejected_before".into()));
            assert_eq!(told.json["revocation"]["safe"], false);
        }
    }
}

#[tokio::test]
async fn a_pass_that_waits_for_the_lease_shows_a_wrong_password_once() {
    let server = registry_with_basic(Reply::new(401, &[], "")).await;
    let world = world_of_one("a_pass_that_waits_for_the_lease", &endpoint(&server));
    let dead = r#"{"version":1,"holder":{"name":"one that died","id":"dead","since":"2026-01-01T00:00:00Z","length_ms":300,"renewals":0}}"#;
    // The first finds no state, the second finds one; the third is asked to try it once more.
    for (password, command) in
        [("wrong", &["sync"][..]), ("as wrong", &["sync"]), ("as wrong", &["sync", "--retry-rejected"])]
    {
        world.set_harbor_password(password);
        world.sdk().put_object("acme-regcred", LEASE, dead).await;
        assert_eq!(verdict(&world, command).await, (4, "rejected".into()));
        assert_eq!(server.shown().len(), 1, "{password} {command:?}");
    }
}

#[tokio::test]
async fn whoever_may_not_write_shows_no_password_to_a_registry() {
    let server = registry_with_basic(Reply::new(401, &[], "")).await;
    let world = world_of_one("whoever_may_not_write_shows_no_password", &endpoint(&server));
    let alive = r#"{"version":1,"holder":{"name":"one at work","id":"alive","since":"2026-01-01T00:00:00Z","length_ms":1000,"renewals":RENEWALS}}"#;
    world.set_harbor_password("wrong");
    for _ in 0..2 {
        world.sdk().put_object("acme-regcred", LEASE, &alive.replace("RENEWALS", "0")).await;
        let pass = world.regcred(&["sync"]).start();
        for renewals in 1..8 {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            let renewed = alive.replace("RENEWALS", &renewals.to_string());
            world.sdk().put_object("acme-regcred", LEASE, &renewed).await;
        }
        let ended = pass.end().await;
        assert_eq!(ended.code, Some(6), "{ended:?}");
    }
    assert_eq!(server.shown().len(), 0, "it could not keep in mind what it would have learnt");
}

#[tokio::test]
async fn a_paused_pass_publishes_nothing_and_so_tries_nothing() {
    let server = registry_with_basic(Reply::new(401, &[], "")).await;
    let world = world_of_one("a_paused_pass_publishes_nothing", &endpoint(&server));
    assert_eq!(world.json(&["pause"]).await.code, 0);
    for _ in 0..3 {
        assert_eq!(verdict(&world, &["sync"]).await, (3, "pending".into()));
    }
    assert_eq!(server.shown().len(), 0, "a password that nobody could keep in mind as a wrong one");
    assert_eq!(world.json(&["resume"]).await.code, 0);
    assert_eq!(verdict(&world, &["sync"]).await, (4, "rejected".into()));
    assert_eq!(server.shown().len(), 1);
}
