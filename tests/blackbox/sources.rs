//! Sources that fail, each told in three lines, while the others go on; and when a credential ends.

use regcred_sandbox::{KeySeed, Options, Role, Statement, Trust};
use serde_json::json;

use crate::messages::errors;
use crate::processes;
use crate::tools::{Ended, Program};
use crate::world::{ACCOUNT, HARBOR_PASSWORD, REGION, World, bare, find, writes};

/// Two registries, each with a secret: the one that the test is about, and one whose source is a good file.
fn config(source: &str) -> String {
    format!(
        "state: {{ bucket: acme-regcred }}
registries:
  odd:
    server: odd.example.com
    verify: {{ enabled: false }}
    source_timeout: 1s
    source: {{ {source} }}
    secret: {{ name: published/odd }}
  harbor:
    server: harbor.example.com
    verify: {{ enabled: false }}
    source: {{ file: {{ path: secrets/harbor.json }} }}
    secret: {{ name: published/harbor }}
"
    )
}

fn programs() -> String {
    format!("{}/tests/programs:/usr/bin:/bin", env!("CARGO_MANIFEST_DIR"))
}

/// Runs `sync`, and tells the three lines about the odd source; the other one is published, and nothing of this one.
async fn odd(world: &World, name: &str) -> [String; 3] {
    let Ended { code, stdout, stderr } = world.run(&["sync"]).await;
    assert_eq!(code, Some(4), "{name}: {stdout}{stderr}");
    let told = errors(&stdout);
    assert_eq!(told.len(), 1, "{name}: {told:#?}");
    let sdk = world.sdk();
    let (published, _) = sdk.secret("published/harbor").await.expect("the other one goes on");
    assert!(published.contains(HARBOR_PASSWORD), "{name}");
    assert_eq!(sdk.secret("published/odd").await, None, "{name}");
    told.into_iter().next().expect("there is one")
}

#[tokio::test]
async fn a_source_that_is_not_there_is_told_in_three_lines_and_holds_up_nothing_else() {
    for (source, what, to_do) in [
        ("env: { username: ODD_USER, password: ODD_PASSWORD }", "ODD_USER", "set ODD_USER"),
        ("docker_auth_config: {}", "DOCKER_AUTH_CONFIG", "set DOCKER_AUTH_CONFIG"),
        ("file: { path: nowhere.json }", "nowhere.json", "correct the path"),
        ("docker_config: { path: nowhere.json }", "nowhere.json", "correct the path"),
        (
            "docker_config: { path: store.json }",
            "docker-credential-nobody",
            "install docker-credential-nobody",
        ),
        (
            "credential_helper: { name: nobody }",
            "docker-credential-nobody",
            "install docker-credential-nobody",
        ),
        ("exec: { command: [no-such-program] }", "no-such-program", "source.exec.command"),
        ("secrets_manager: { secret: nowhere }", "`nowhere`", "create arn:aws:secretsmanager:"),
        ("ssm_parameter: { name: /nowhere }", "`/nowhere`", "create arn:aws:ssm:"),
        (
            "vault: { address: 'http://127.0.0.1:9', path: x, auth: { token: { path: secrets/harbor.json } } }",
            "`secret/data/x` in Vault",
            "correct `address`",
        ),
    ] {
        let mut world = World::start("a_source_that_is_not_there", bare(), &config(source));
        world.set("PATH", &programs());
        world.write("store.json", r#"{"credsStore":"nobody"}"#);
        let [said, _, remedy] = odd(&world, source).await;
        assert!(said.contains(what), "{source}: {said}");
        assert!(remedy.contains(to_do), "{source}: {remedy}");
    }
}

#[tokio::test]
async fn a_helper_that_is_silent_is_killed_at_its_time_limit_and_told() {
    for source in [
        "credential_helper: { name: hang, environment: [ASKED] }",
        "exec: { command: [hang], environment: [ASKED] }",
    ] {
        let mut world = World::start("a_helper_that_is_silent", bare(), &config(source));
        world.set("PATH", &programs());
        world.set("ASKED", &world.path("asked").display().to_string());
        let [_, why, to_do] = odd(&world, source).await;
        assert!(why.contains("no answer within 1s"), "{why}");
        assert!(to_do.contains("source_timeout") && to_do.contains("killed"), "{to_do}");
        let child = std::fs::read_to_string(world.path("asked")).expect("it began");
        assert!(processes::is_gone(&child).await, "its child {child} goes on");
    }
}

#[tokio::test]
async fn a_helper_that_has_nothing_or_a_token_is_told_and_nothing_that_it_printed() {
    for (answer, code, why_said) in [
        ("credentials not found in native keychain", "1", "no username and password for `odd.example.com`"),
        (
            r#"{"ServerURL":"","Username":"","Secret":""}"#,
            "0",
            "no username and password for `odd.example.com`",
        ),
        (r#"{"Username":"<token>","Secret":"hunter2"}"#, "0", "identity token"),
        ("hunter2", "2", "exit code 2"),
        ("hunter2", "0", "something else than a helper's JSON"),
    ] {
        let source = "credential_helper: { name: test, environment: [ANSWER, CODE] }";
        let mut world = World::start("a_helper_that_has_nothing", bare(), &config(source));
        world.write("answer", answer);
        world.set("PATH", &programs());
        world.set("ANSWER", &world.path("answer").display().to_string());
        world.set("CODE", code);
        let told = odd(&world, answer).await;
        assert!(told[1].contains(why_said), "{answer}: {told:#?}");
        assert!(!told.concat().contains("hunter2"), "{told:#?}");
    }
}

const ROLE: &str = "reader";

/// A location whose role may do what it needs to publish, and these things besides; and a key of the account's own.
fn as_role(source: &str, actions: &[&str]) -> (String, Options) {
    let own = config(source);
    let config = format!(
        "locations:\n  here: {{ region: {REGION}, role_arn: \"arn:aws:iam::{ACCOUNT}:role/{ROLE}\" }}\n{own}"
    );
    let usual = Statement::allow(
        &["s3:*", "secretsmanager:*"],
        &["arn:aws:s3:::*", "arn:aws:secretsmanager:*:published/*", "*"],
    );
    let statements = vec![
        usual,
        Statement::deny(&["secretsmanager:*"], &["arn:aws:secretsmanager:*:secret:kept/*"]),
        Statement::allow(actions, &["*"]),
    ];
    let role = Role { account: ACCOUNT.into(), name: ROLE.into(), trust: Trust::default(), statements };
    let key =
        KeySeed { alias: "alias/acme".into(), account: ACCOUNT.into(), region: REGION.into(), enabled: true };
    (config, Options { roles: vec![role], keys: vec![key], ..bare() })
}

#[tokio::test]
async fn a_store_that_is_denied_is_told_with_the_action_and_the_arn() {
    let arn = |service: &str, resource: &str| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}");
    for (source, allowed, remedy) in [
        (
            "secrets_manager: { secret: kept/odd }",
            &[][..],
            format!("allow secretsmanager:GetSecretValue on {}", arn("secretsmanager", "secret:kept/odd-*")),
        ),
        (
            "ssm_parameter: { name: /kept/odd }",
            &[][..],
            format!("allow ssm:GetParameter on {}", arn("ssm", "parameter/kept/odd")),
        ),
    ] {
        let (config, options) = as_role(source, allowed);
        let world = World::start("a_store_that_is_denied", options, &config);
        world.sdk().put_secret("kept/odd", "{}").await;
        world.sdk().put_parameter("/kept/odd", "x").await;
        let [_, _, to_do] = odd(&world, source).await;
        assert!(to_do.starts_with(&remedy), "{to_do}");
    }
}

#[tokio::test]
async fn a_key_that_may_not_be_used_or_is_disabled_is_told() {
    let (config, options) = as_role("ssm_parameter: { name: /kept/odd, username: u }", &["ssm:GetParameter"]);
    let world = World::start("a_key_that_may_not_be_used", options, &config);
    let call = world.sdk().ssm.put_parameter().name("/kept/odd").value("hunter2").key_id("alias/acme");
    let kind = aws_sdk_ssm::types::ParameterType::SecureString;
    call.r#type(kind).send().await.expect("the administrator may");
    let [_, why, to_do] = odd(&world, "denied").await;
    assert!(why.contains("kms:Decrypt on resource: arn:aws:kms:"), "{why}");
    assert!(to_do.contains("and kms:Decrypt on its key"), "{to_do}");

    let disabled = json!({ "alias": "alias/acme", "account": ACCOUNT, "region": REGION, "enabled": false });
    world.client().exchange("PUT", "keys", disabled.to_string().as_bytes()).expect("the sandbox answers");
    let [_, why, to_do] = odd(&world, "disabled").await;
    assert!(why.contains("InvalidKeyId"), "{why}");
    assert!(to_do.contains("enable the KMS key"), "{to_do}");
}

#[tokio::test]
async fn a_secret_of_another_form_is_told_with_what_it_lacks() {
    for (value, why_said) in [
        (r#"{"username":"u","token":"hunter2"}"#, "it has no `password`"),
        ("hunter2", "it is no JSON from line 1, column 1 on"),
        (r#"{"username":"u","password":7}"#, "no object with one text for each part"),
    ] {
        let world = World::start(
            "a_secret_of_another_form",
            bare(),
            &config("secrets_manager: { secret: kept/odd }"),
        );
        world.sdk().put_secret("kept/odd", value).await;
        let told = odd(&world, value).await;
        assert!(told[1].contains(why_said), "{told:#?}");
        assert!(!told.concat().contains("hunter2"), "{told:#?}");
    }
}

#[tokio::test]
async fn a_version_that_is_not_there_is_told_as_such_and_not_as_a_secret_that_is_not() {
    for (source, why_said, to_do_said) in [
        (
            "secrets_manager: { secret: kept/odd, version_stage: AWSPREVIOUS }",
            "it is there, and none of its versions has the stage `AWSPREVIOUS`",
            "list-secret-version-ids --secret-id kept/odd",
        ),
        (
            "secrets_manager: { secret: nowhere, version_stage: AWSPREVIOUS }",
            "secret:nowhere-* does not exist",
            "create arn:aws:secretsmanager:",
        ),
        (
            "ssm_parameter: { name: '/kept/odd:9', username: u }",
            "it is there, and has no version or label `9`",
            "get-parameter-history --name /kept/odd ",
        ),
    ] {
        let world = World::start("a_version_that_is_not_there", bare(), &config(source));
        world.sdk().put_secret("kept/odd", r#"{"username":"u","password":"p"}"#).await;
        world.sdk().put_parameter("/kept/odd", "p").await;
        let [_, why, to_do] = odd(&world, source).await;
        assert!(why.contains(why_said), "{source}: {why}");
        assert!(to_do.contains(to_do_said), "{source}: {to_do}");
    }
}

#[tokio::test]
async fn a_variable_of_dockers_is_named_and_what_to_set_it_to() {
    for (value, why_said, to_do_said) in [
        ("", "it is empty", r#"set ODD_AUTH to {"auths":{"HOST":{"auth":"base64 of username:password"}}}"#),
        ("{", "it is no JSON object", "set ODD_AUTH to"),
        (r#"{"auths":{}}"#, "it has no entry for `odd.example.com`", r#"add "odd.example.com":{"auth":"#),
        (
            r#"{"auths":{"odd.example.com":{"auth":"hunter2"}}}"#,
            "is not base64 of username, ':' and password",
            r#"set "odd.example.com":{"auth":"base64 of username:password"} in ODD_AUTH anew"#,
        ),
    ] {
        let mut world = World::start(
            "a_variable_of_dockers",
            bare(),
            &config("docker_auth_config: { variable: ODD_AUTH }"),
        );
        world.set("ODD_AUTH", value);
        let told = odd(&world, value).await;
        assert!(told[0].contains("the environment variable ODD_AUTH"), "{told:#?}");
        assert!(told[1].contains(why_said) && told[2].contains(to_do_said), "{told:#?}");
        assert!(!told.concat().contains("hunter2") && !told.concat().contains("file"), "{told:#?}");
    }
}

#[tokio::test]
async fn a_file_of_certificates_without_an_end_holds_up_nothing() {
    for file in ["/dev/zero", "pipe", ".", "large.pem"] {
        let source = format!(
            "vault: {{ address: 'https://127.0.0.1:9', ca_file: {file}, path: x, auth: {{ token: {{ path: secrets/harbor.json }} }} }}"
        );
        let tried = config(&source).replacen(
            "verify: { enabled: false }\n    source: { file",
            &format!("verify: {{ endpoint: 'https://127.0.0.1:9', ca_file: {file} }}\n    source: {{ file"),
            1,
        );
        let world = World::start("a_file_of_certificates_without_an_end", bare(), &tried);
        world.write("large.pem", &"x".repeat(1024 * 1024 + 1));
        let made = Program::new("/usr/bin/mkfifo").arguments([world.path("pipe")]).run().await;
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let Ended { code, stdout, stderr } = world.run(&["verify"]).await;
        assert_eq!(code, Some(4), "{file}: {stdout}{stderr}");
        let why = if file == "large.pem" { "larger than 1024 KiB" } else { "a folder, a pipe or a device" };
        assert!(stdout.matches(why).count() >= 2, "{file}: {stdout}{stderr}");
        assert!(
            stdout.matches("`ca_file`").count() + stdout.matches("verify.ca_file").count() >= 2,
            "{stdout}"
        );
    }
}

#[tokio::test]
async fn a_credentials_end_is_shown_warned_of_in_its_last_week_and_refused_once_it_has_come() {
    let world =
        World::start("a_credentials_end_is_shown", bare(), &config("file: { path: secrets/odd.json }"));
    let ends = |at: &str| {
        let pair = json!({ "username": "u", "password": format!("until-{at}"), "expires_at": at });
        world.write("secrets/odd.json", &pair.to_string());
    };
    let in_days = |days| (chrono::Utc::now() + chrono::TimeDelta::days(days)).format("%FT%TZ").to_string();

    ends("2127-02-01T00:00:00Z");
    let plan = world.json(&["plan"]).await;
    let registry = find(&plan.json["registries"], "name", "odd");
    assert_eq!(
        (&registry["expires"], &registry["expires_soon"]),
        (&json!("2127-02-01T00:00:00Z"), &json!(false))
    );
    assert!(find(&plan.json["registries"], "name", "harbor").get("expires").is_none());
    for command in ["plan", "sync", "status"] {
        let said = world.run(&[command]).await.stdout;
        assert!(said.contains("expires 2127-02-01") && !said.contains("warning"), "{command}: {said}");
    }

    let soon = in_days(3);
    ends(&soon);
    for command in ["plan", "sync", "status"] {
        let said = world.run(&[command]).await.stdout;
        assert!(said.contains(&format!("warning: it expires {}", &soon[..10])), "{command}: {said}");
        let told = world.json(&[command]).await;
        let registry = find(&told.json["registries"], "name", "odd");
        assert_eq!((&registry["expires"], &registry["expires_soon"]), (&json!(soon), &json!(true)));
    }

    let (before, _) = world.sdk().secret("published/odd").await.expect("it was published");
    ends(&in_days(-1));
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    let registry = find(&told.json["registries"], "name", "odd");
    let failure = &registry["failure"];
    assert!(
        failure["why"].as_str().is_some_and(|why| why.contains("its credential expired")),
        "{registry:#}"
    );
    assert_eq!(writes(&calls), Vec::<&str>::new());
    assert_eq!(world.sdk().secret("published/odd").await.expect("it stays").0, before);
}
