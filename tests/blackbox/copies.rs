//! `render` and `snippet`: what an operator looks at and copies.

use regcred_sandbox::{Effect, KeySeed, Options, Service};
use serde_json::{Value, json};

use crate::tools::{self, Ended, Program};
use crate::world::{self, ACCOUNT, HARBOR_PASSWORD, REGION, World, bare, count, fault, with_hosts, writes};

const KEY: &str = "alias/registries";

/// The demo with a key of its own for harbor's secret.
fn with_key() -> (Options, String) {
    let key = KeySeed { alias: KEY.into(), account: ACCOUNT.into(), region: REGION.into(), enabled: true };
    let name = "secret: { name: ecs/registry/harbor";
    assert!(world::DEMO.contains(name), "the demo has a secret for harbor");
    let config = world::DEMO.replace(name, &format!("{name}, kms_key: {KEY}"));
    (Options { keys: vec![key], ..bare() }, without_fleets(&config))
}

fn without_fleets(config: &str) -> String {
    config.split("fleets:\n").next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn what_would_be_stored_is_shown_without_its_passwords_and_nothing_is_written() {
    let world = World::start("what_would_be_stored_is_shown", with_hosts(Vec::new()), &world::DEMO);
    let (told, calls) = world.watched(&["render", "prod"]).await;
    assert_eq!((told.code, &told.json["version"]), (0, &json!(1)), "{told:#?}");
    assert!(writes(&calls).is_empty() && count(&calls, "GetObject") == 1, "{calls:#?}");
    let text = told.json["text"].as_str().expect("it is a text").to_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "# by hand, 2021; the cluster's name is added by user data",
            "ECS_LOGLEVEL=info",
            "ECS_ENGINE_AUTH_TYPE=dockercfg"
        ]
    );
    let data: Value =
        serde_json::from_str(lines[3].split_once('=').expect("it sets the data").1).expect("it is JSON");
    for key in ["harbor.example.com", "ghcr.io", "https://index.docker.io/v1/", "quay.io"] {
        assert_eq!(data[key]["auth"], "********", "{key}");
    }
    // With the passwords put in their places, it is what a sync stores.
    world.run(&["sync"]).await;
    let stored = world.object().await;
    assert_eq!(stored.lines().count(), lines.len());
    assert_eq!(stored.lines().take(3).collect::<Vec<_>>(), lines[..3]);
    let human = world.run(&["render", "prod"]).await;
    assert_eq!((human.code, human.stdout.trim_end()), (Some(0), text.trim_end()), "{}", human.stderr);
}

#[tokio::test]
async fn passwords_are_revealed_on_a_terminal_and_nowhere_else() {
    let world = World::start("passwords_are_revealed_on_a_terminal", with_hosts(Vec::new()), &world::DEMO);
    for arguments in
        [&["render", "prod", "--reveal"][..], &["render", "prod", "--reveal", "--output", "json"]]
    {
        let Ended { code, stdout, stderr } = world.run(arguments).await;
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert!(stderr.contains("stdout is no terminal"), "{stderr}");
    }
    let script = std::path::Path::new("/usr/bin/script");
    if !script.is_file() {
        tools::say("MISSING: script\n  It gives a program a terminal.\n  Install util-linux.");
        assert!(std::env::var_os("CI").is_none(), "script is missing, and CI is set");
        return;
    }
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("robot:{HARBOR_PASSWORD}"));
    for (arguments, is_shown) in [("render prod", false), ("render prod --reveal", true)] {
        let command = format!("{} {arguments}", env!("CARGO_BIN_EXE_regcred"));
        let mut program = Program::new(script).arguments(["-qec", &command, "/dev/null"]);
        for (name, value) in world.variables() {
            program = program.variable(name, value);
        }
        let ended = program.folder(world.path(".")).variable("TERM", "xterm").run().await;
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(ended.stdout.contains(&pair), is_shown, "{arguments}");
    }
}

#[tokio::test]
async fn what_cannot_be_rendered_is_told() {
    let world = World::start("what_cannot_be_rendered_is_told", with_hosts(Vec::new()), &world::DEMO);
    let unknown = world.run(&["render", "prd"]).await;
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("prod"), "{}", unknown.stderr);
    // A registry whose source fails keeps what is published of it.
    world.write("secrets/harbor.json", "{}");
    let held = world.run(&["render", "prod"]).await;
    assert_eq!(held.code, Some(4), "{}", held.stderr);
    assert!(held.stdout.contains("harbor.example.com") && held.stderr.contains("harbor"), "{held:#?}");
    world.client().set_faults(&[fault(Service::S3, "GetObject", Effect::Deny)]).unwrap();
    let denied = world.run(&["render", "prod"]).await;
    assert_eq!((denied.code, denied.stdout.as_str()), (Some(4), ""));
    assert!(
        denied.stderr.contains("allow s3:GetObject on arn:aws:s3:::acme-ecs/prod/ecs.config"),
        "{denied:#?}"
    );
}

#[tokio::test]
async fn a_task_gets_its_fragment_and_its_role_the_key_behind_the_alias() {
    let (options, config) = with_key();
    let world = World::start("a_task_gets_its_fragment", options, &config);
    let early = world.run(&["snippet", "harbor"]).await;
    assert_eq!(early.code, Some(4));
    assert!(early.stdout.contains("run `regcred sync`, which creates it"), "{}", early.stdout);
    world.run(&["sync"]).await;

    let (told, calls) = world.watched(&["snippet", "harbor", "--for-account", "222222222222"]).await;
    assert_eq!((told.code, &told.json["failures"]), (0, &json!([])), "{told:#?}");
    assert!(writes(&calls).is_empty() && count(&calls, "DescribeKey") == 1);
    let here = &told.json["locations"][0];
    let (arn, key) = (here["secret_arn"].as_str().unwrap(), here["key_arn"].as_str().unwrap());
    assert!(
        arn.starts_with(&format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:ecs/registry/harbor-")),
        "{arn}"
    );
    assert!(key.starts_with(&format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/")), "{key}");
    assert_eq!(here["container_definition"]["repositoryCredentials"]["credentialsParameter"], arn);
    let statements = here["execution_role_policy"]["Statement"].as_array().expect("a policy has statements");
    assert_eq!(
        (&statements[0]["Action"], &statements[0]["Resource"]),
        (&json!("secretsmanager:GetSecretValue"), &json!(arn))
    );
    assert_eq!((&statements[1]["Action"], &statements[1]["Resource"]), (&json!("kms:Decrypt"), &json!(key)));
    let root = "arn:aws:iam::222222222222:root";
    assert_eq!(here["resource_policy"]["Statement"][0]["Principal"]["AWS"], root);
    assert_eq!(here["key_policy_statement"]["Principal"]["AWS"], root);

    // ghcr's secret is under the key that AWS manages: a role of the same account needs no key, another account cannot.
    let own = world.json(&["snippet", "ghcr"]).await;
    assert_eq!((own.code, &own.json["locations"][0]["key_arn"]), (0, &Value::Null));
    assert_eq!(
        own.json["locations"][0]["execution_role_policy"]["Statement"].as_array().map(Vec::len),
        Some(1)
    );
    let Ended { code, stdout, .. } = world.run(&["snippet", "ghcr", "--for-account", "222222222222"]).await;
    assert_eq!(code, Some(4), "{stdout}");
    assert!(stdout.contains("no other account can use"), "{stdout}");

    let human = world.run(&["snippet", "harbor"]).await.stdout;
    assert!(human.contains("in the container definition") && human.contains(arn), "{human}");
    world.client().set_faults(&[fault(Service::Kms, "DescribeKey", Effect::Deny)]).unwrap();
    let denied = world.run(&["snippet", "harbor"]).await;
    assert_eq!(denied.code, Some(4));
    assert!(
        denied.stdout.contains(&format!("allow kms:DescribeKey on arn:aws:kms:{REGION}:")),
        "{}",
        denied.stdout
    );
}

#[tokio::test]
async fn a_snippet_of_what_is_not_there_ends_in_2() {
    let world = World::start("a_snippet_of_what_is_not_there", bare(), &without_fleets(&world::DEMO));
    for (arguments, said) in [
        (&["snippet", "habor"][..], "name one of dockerhub, ghcr, harbor"),
        (&["snippet", "harbor", "--for-account", "2222"], "twelve digits"),
    ] {
        let ended = world.run(arguments).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    assert!(world.calls().is_empty());
}
