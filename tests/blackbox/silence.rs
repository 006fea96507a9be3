//! No secret shows anywhere but where it belongs.
//!
//! Every kind of source is given a password that is found nowhere else, with characters that formats escape, and all that a
//! pass leaves behind is searched for it in every form that it could take. A search that finds nothing proves nothing by
//! itself: the same search has to find each password in the secret and in the object that were published.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regcred_sandbox::hosts::{Behaviour, HostSpec, Life};
use regcred_sandbox::{Effect, Options, Service};

use crate::bao;
use crate::tools::Program;
use crate::world::{FAILING, GOOD, LIAR, World, bare, count, fault, host, sha256, with_hosts};

/// A credential whose password is found nowhere else.
struct Planted {
    /// The registry, which is named for the kind of its source.
    registry: &'static str,
    server: &'static str,
    username: &'static str,
    password: String,
}

/// One for each kind of source. `turn` makes another one of each.
fn planted(turn: &str) -> Vec<Planted> {
    let plant = |registry, server, username, odd: &str| Planted {
        registry,
        server,
        username,
        password: format!("zQ7-{registry}-{turn}-{odd}-Xw4"),
    };
    vec![
        plant("env", "env.example.com", "env-user", r#"a"b\c'd"#),
        plant("json-file", "json.example.com", "json user", "é€😀/<>&=+%"),
        plant("password-file", "password.example.com", "robot$ecs", "\tspace $(x) `y` :z"),
        plant("config-json", "config.example.com", "docker-user", "{}[]:,;#!~^"),
        plant("dockercfg", "older.example.com", "older", "ünï/\\\"%s%n"),
        plant("docker-auth", "auth.example.com", "auth-user", "{\"a\":[1]}"),
        plant("helper", "helper.example.com", "helper-user", "$(id) `id` \\"),
        plant("exec", "exec.example.com", "exec-user", "'\"; exit #"),
        plant("store", "store.example.com", "store-user", "é\"\\/<>"),
        plant("parameter", "parameter.example.com", "parameter-user", " {{ssm:x}} "),
        plant("vault", "vault.example.com", "vault-user", "\\u0041\"é;"),
    ]
}

/// Every form in which a text could show: itself, escaped, encoded, or as a digest that tells whether a guess is right.
fn forms(Planted { username, password, .. }: &Planted) -> Vec<(String, String)> {
    let quoted = |text: &str| {
        let quoted = serde_json::to_string(text).expect("a text is JSON");
        quoted[1..quoted.len() - 1].to_owned()
    };
    let ascii = |text: &str| {
        let units = |c: char| {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}"));
            if c.is_ascii() { c.to_string() } else { units.collect() }
        };
        quoted(text).chars().map(units).collect::<String>()
    };
    let pair = format!("{username}:{password}");
    let mut forms = vec![
        ("raw", password.clone()),
        // Of letters, digits and hyphens alone: no way of escaping changes it.
        ("the beginning", password.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect()),
        ("as JSON", quoted(password)),
        ("as JSON in JSON", quoted(&quoted(password))),
        ("as ASCII JSON", ascii(password)),
        ("as ASCII JSON in JSON", quoted(&ascii(password))),
        ("as Rust's debug text", format!("{password:?}").trim_matches('"').to_owned()),
        ("in a query", percent_encoding(password)),
        ("SHA-256", sha256(password)),
        ("SHA-256 of the pair", sha256(&pair)),
        ("base64", STANDARD.encode(password)),
        ("base64 of the pair", STANDARD.encode(&pair)),
    ];
    // What base64 makes of the bytes in the middle of something longer, for each place modulo three.
    for skipped in 0..3 {
        let whole = &password.as_bytes()[skipped..];
        let whole = &whole[..whole.len() - whole.len() % 3];
        forms.push(("base64 inside of something", STANDARD.encode(whole)));
    }
    forms.into_iter().map(|(name, form)| (format!("{name} of {password:?}"), form)).collect()
}

fn percent_encoding(text: &str) -> String {
    let encode = |byte: u8| {
        let plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encode).collect()
}

/// Which forms of which password a text holds.
fn found(secrets: &[Planted], text: &str) -> Vec<String> {
    secrets.iter().flat_map(forms).filter(|(_, form)| text.contains(form)).map(|(name, _)| name).collect()
}

/// What is said where, to be searched in the end.
#[derive(Default)]
struct Heard(Vec<(String, String)>);

impl Heard {
    fn hear(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    fn assert_lacks(&self, token: &str) {
        let leaks: Vec<_> =
            self.0.iter().filter(|(_, text)| text.contains(token)).map(|(place, _)| place).collect();
        assert!(leaks.is_empty(), "a token shows in {leaks:#?}");
    }

    fn assert_silent(&self, secrets: &[Planted]) {
        let mut leaks = BTreeSet::new();
        for (place, text) in &self.0 {
            leaks.extend(found(secrets, text).into_iter().map(|form| format!("{place}: {form}")));
        }
        assert!(leaks.is_empty(), "secrets show in {} of {} places:\n{leaks:#?}", leaks.len(), self.0.len());
    }
}

/// Looks at the command line of every process of the machine, again and again, until it is told to stop.
struct Watch {
    stop: Arc<AtomicBool>,
    seen: JoinHandle<BTreeSet<String>>,
}

impl Watch {
    fn begin() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let seen = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !told.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc").expect("Linux has /proc").flatten() {
                    // A process may be gone by now, and most entries are none.
                    if let Ok(line) = fs::read(entry.path().join("cmdline")) {
                        seen.insert(String::from_utf8_lossy(&line).replace('\0', " "));
                    }
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            seen
        });
        Self { stop, seen }
    }

    fn end(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.seen.join().expect("it only reads")
    }
}

const CONFIG: &str = "\
state: { bucket: acme-regcred }
registries:
  env:
    server: env.example.com
    verify: { enabled: false }
    source: { env: { username: PLANTED_USERNAME, password: PLANTED_PASSWORD } }
    secret: { name: planted/env, description: From the environment, tags: { team: platform } }
  json-file:
    server: json.example.com
    verify: { enabled: false }
    source: { file: { path: planted/pair.json } }
    secret: { name: planted/json-file }
  password-file:
    server: password.example.com
    verify: { enabled: false }
    source: { file: { username: robot$ecs, password_path: planted/password } }
    secret: { name: planted/password-file }
  config-json:
    server: config.example.com
    verify: { enabled: false }
    source: { docker_config: { path: planted/config.json } }
    secret: { name: planted/config-json }
  dockercfg:
    server: older.example.com
    verify: { enabled: false }
    source: { docker_config: { path: planted/dockercfg } }
    secret: { name: planted/dockercfg }
  docker-auth:
    server: auth.example.com
    verify: { enabled: false }
    source: { docker_auth_config: { variable: PLANTED_AUTH } }
    secret: { name: planted/docker-auth }
  helper:
    server: helper.example.com
    verify: { enabled: false }
    source: { docker_config: { path: planted/helpers.json, environment: [ANSWER, CODE] } }
    secret: { name: planted/helper }
  exec:
    server: exec.example.com
    verify: { enabled: false }
    source: { exec: { command: [print, planted/printed], environment: [CODE] } }
    secret: { name: planted/exec }
  store:
    server: store.example.com
    verify: { enabled: false }
    source: { secrets_manager: { secret: source/store, password_key: token } }
    secret: { name: planted/store }
  parameter:
    server: parameter.example.com
    verify: { enabled: false }
    source: { ssm_parameter: { name: /source/parameter, username: parameter-user } }
    secret: { name: planted/parameter }
  vault:
    server: vault.example.com
    verify: { enabled: false }
    source:
      vault:
        address: VAULT_ADDRESS
        path: VAULT_PATH
        password_key: token
        auth: { token: { variable: PLANTED_VAULT_TOKEN } }
    secret: { name: planted/vault }
ecs_configs:
  prod:
    bucket: acme-ecs
    key: prod/ecs.config
    registries: [env, json-file, password-file, config-json, dockercfg, docker-auth, helper, exec, store, parameter, vault]
  typed: { bucket: acme-ecs, key: typed/ecs.config, format: docker, registries: [env, json-file] }
fleets:
  prod:
    ecs_config: prod
    clusters: [web]
    max_unavailable: 50%
    max_errors: 2
    poll_interval: 200ms
    settle_interval: 200ms
    settle_timeout: 2m
    command_timeout: 4m
";

/// A world whose configuration names a real OpenBao; `None` after it was said that there is none.
fn start(test: &str, options: Options, config: &str) -> Option<World> {
    let (bao, path) = (bao::shared()?, bao::unused_path());
    let config = config.replace("VAULT_ADDRESS", &bao.address()).replace("VAULT_PATH", &path);
    let mut world = World::start(test, options, &config);
    world.set("PLANTED_VAULT_PATH", &path);
    Some(world)
}

/// Gives each source its credential.
async fn plant(world: &mut World, secrets: &[Planted]) {
    for Planted { registry, server: _, username, password } in secrets {
        match *registry {
            "env" => {
                world.set("PLANTED_USERNAME", username);
                world.set("PLANTED_PASSWORD", password);
            }
            "json-file" => {
                let pair = serde_json::json!({ "username": username, "password": password });
                world.write("planted/pair.json", &pair.to_string());
            }
            "password-file" => world.write("planted/password", &format!("{password}\n")),
            "config-json" => {
                let auth = STANDARD.encode(format!("{username}:{password}"));
                let config = serde_json::json!({ "auths": { "config.example.com": { "auth": auth } } });
                world.write("planted/config.json", &config.to_string());
            }
            "dockercfg" => {
                let entry = serde_json::json!({ "username": username, "password": password });
                let config = serde_json::json!({ "older.example.com": entry });
                world.write("planted/dockercfg", &config.to_string());
            }
            "docker-auth" => {
                let auth = STANDARD.encode(format!("{username}:{password}"));
                let config = serde_json::json!({ "auths": { "auth.example.com": { "auth": auth } } });
                world.set("PLANTED_AUTH", &config.to_string());
            }
            "helper" => {
                world.write("planted/helpers.json", r#"{"credsStore":"test"}"#);
                let answer = serde_json::json!({ "Username": username, "Secret": password });
                world.write("planted/answer", &answer.to_string());
                world.set("ANSWER", &world.path("planted/answer").display().to_string());
                world.set("PATH", &format!("{}/tests/programs:/usr/bin:/bin", env!("CARGO_MANIFEST_DIR")));
            }
            "exec" => {
                let pair = serde_json::json!({ "username": username, "password": password });
                world.write("planted/printed", &pair.to_string());
            }
            "store" => {
                let pair = serde_json::json!({ "username": username, "token": password });
                world.sdk().put_secret("source/store", &pair.to_string()).await;
            }
            "vault" => {
                let data = serde_json::json!({ "username": username, "token": password });
                let variables: BTreeMap<_, _> = world.variables().into_iter().collect();
                let bao = bao::shared().expect("the world was started with it");
                bao.write_to(&variables["PLANTED_VAULT_PATH"], &data);
                world.set("PLANTED_VAULT_TOKEN", &bao.reader());
            }
            "parameter" => world.sdk().put_parameter("/source/parameter", password).await,
            other => panic!("no source is named {other}"),
        }
    }
}

/// Runs a command three times: as a person does, for a machine, and with all logs on; its exit code has to be one of `codes`.
async fn run(world: &World, heard: &mut Heard, codes: &[i32], arguments: &[&str]) {
    for (form, level) in [("human", "trace"), ("json", "trace"), ("human", "warn")] {
        let program = world.regcred(arguments).arguments(["--output", form]).variable("RUST_LOG", level);
        let ended = program.run().await;
        let name = format!("{arguments:?} --output {form} at {level}");
        assert!(ended.code.is_some_and(|code| codes.contains(&code)), "{name}: {ended:#?}");
        assert!(!ended.stdout.is_empty() || !ended.stderr.is_empty(), "{name} said nothing");
        heard.hear(format!("stdout of {name}"), ended.stdout);
        heard.hear(format!("stderr of {name}"), ended.stderr);
    }
}

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
    run(&world, &mut heard, &[0], &["explain", "env.example.com/a", "json.example.com/a"]).await;
    run(&world, &mut heard, &[0], &["explain", "config.example.com/a", "--from", "planted/config.json"])
        .await;
    run(&world, &mut heard, &[0], &["lint", "s3://acme-ecs/prod/ecs.config", "--fix"]).await;
    run(&world, &mut heard, &[3], &["lint", "planted/config.json", "--fix"]).await;
    run(&world, &mut heard, &[0, 3], &["lint", "planted/dockercfg"]).await;
    run(&world, &mut heard, &[0], &["render", "prod"]).await;
    run(&world, &mut heard, &[0], &["render", "typed"]).await;
    run(&world, &mut heard, &[0], &["snippet", "env"]).await;
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

/// A way to fail.
struct Way {
    name: &'static str,
    fail: fn(&mut World, &[Planted]),
    /// What `sync` may end in.
    codes: &'static [i32],
    /// Calls that have to be met on the way.
    meets: &'static [&'static str],
}

/// What a source's file may hold by mistake.
const BROKEN_SOURCES: [Way; 8] = [
    Way {
        name: "half a file",
        fail: |world, secrets| {
            let pair = format!("{{\"username\":\"u\",\"password\":{}", json_text(&secrets[1].password));
            world.write("planted/pair.json", &pair);
        },
        codes: &[4],
        meets: &[],
    },
    Way {
        name: "other types",
        fail: |world, secrets| {
            let pair = format!("{{\"username\":{},\"password\":[7]}}", json_text(&secrets[1].password));
            world.write("planted/pair.json", &pair);
        },
        codes: &[4],
        meets: &[],
    },
    Way {
        name: "no JSON, and a line break",
        fail: |world, secrets| {
            world.write("planted/pair.json", &format!("{}\n", secrets[1].password));
            world.write("planted/password", &format!("{}\nand more\n", secrets[2].password));
        },
        codes: &[4],
        meets: &[],
    },
    Way {
        name: "Docker's config that is none",
        fail: |world, secrets| {
            let auth = STANDARD.encode(&secrets[3].password);
            let config = format!("{{\"auths\":{{\"config.example.com\":{{\"auth\":\"{auth}\"}}}}}}");
            world.write("planted/config.json", &config);
            let config = format!("{{\"older.example.com\": {}}}", json_text(&secrets[4].password));
            world.write("planted/dockercfg", &config);
        },
        codes: &[4],
        meets: &[],
    },
    Way {
        name: "programs that fail and print what they have all the same",
        fail: |world, _| world.set("CODE", "3"),
        codes: &[4],
        meets: &[],
    },
    Way {
        name: "programs that print something else",
        fail: |world, secrets| {
            world.write("planted/answer", &secrets[6].password);
            world.write("planted/printed", &format!("{{\"password\":{}", json_text(&secrets[7].password)));
            world.set("PLANTED_AUTH", &format!("{{\"auths\":{}}}", json_text(&secrets[5].password)));
        },
        codes: &[4],
        meets: &[],
    },
    Way {
        name: "stores that refuse",
        fail: |world, _| {
            world.set("PLANTED_VAULT_TOKEN", "another");
            let faults = [
                fault(Service::SecretsManager, "GetSecretValue", Effect::Deny),
                fault(Service::Ssm, "GetParameter", Effect::Deny),
            ];
            world.client().set_faults(&faults).unwrap();
        },
        codes: &[4],
        meets: &["GetSecretValue", "GetParameter"],
    },
    Way {
        name: "a user that does not fit the format",
        fail: |world, secrets| {
            let pair = serde_json::json!({ "username": "a:b", "password": secrets[1].password });
            world.write("planted/pair.json", &pair.to_string());
        },
        codes: &[4],
        meets: &[],
    },
];

const WRITES: &[&str] = &["CreateSecret", "PutSecretValue", "PutObject"];

fn fail_writes(world: &World, effect: impl Fn(&str) -> Effect) {
    let fail = |service, operation: &str| fault(service, operation, effect(operation));
    let faults = [
        fail(Service::SecretsManager, "CreateSecret"),
        fail(Service::SecretsManager, "PutSecretValue"),
        fail(Service::S3, "PutObject"),
    ];
    world.client().set_faults(&faults).unwrap();
}

const FAILING_WRITES: [Way; 3] = [
    Way {
        name: "denied writes",
        fail: |world, _| fail_writes(world, |_| Effect::Deny),
        codes: &[4],
        meets: WRITES,
    },
    Way {
        name: "rejected writes",
        fail: |world, _| {
            fail_writes(world, |operation| {
                let code = match operation {
                    "CreateSecret" => "ValidationException",
                    "PutSecretValue" => "InvalidParameterException",
                    _ => "InvalidRequest",
                };
                Effect::Error { code: code.into(), status: 400 }
            });
        },
        codes: &[4],
        meets: WRITES,
    },
    // They are done all the same: a later pass finds nothing left to do.
    Way {
        name: "writes without an answer",
        fail: |world, _| fail_writes(world, |_| Effect::DropAfter),
        codes: &[0, 4],
        meets: WRITES,
    },
];

const PASSWORD_IN_THE_CONFIG: Way = Way {
    name: "a password in the config",
    fail: |world, secrets| {
        let inline = format!("password: {}", json_text(&secrets[0].password));
        world.write("regcred.yaml", &without_fleets().replace("password: PLANTED_PASSWORD", &inline));
    },
    codes: &[2],
    meets: &[],
};

/// Runs every command while things fail in one way, and searches what was said.
async fn listen_to(Way { name, fail, codes, meets }: Way) {
    let options = with_hosts(Vec::new());
    let Some(mut world) = start("a_secret_shows_in_no_failure", options, &without_fleets()) else { return };
    // One registry is published before, so that there is something to create and something to replace.
    let mut secrets = planted("before");
    plant(&mut world, &secrets).await;
    let before = world.json(&["sync", "--registry", "env"]).await;
    assert_eq!(before.code, 0, "{name}: {before:#?}");
    let failing = planted("failing");
    plant(&mut world, &failing).await;
    fail(&mut world, &failing);
    secrets.extend(failing);
    world.client().clear_calls().unwrap();

    let mut heard = Heard::default();
    let is_valid = codes != [2];
    for command in ["plan", "status"] {
        run(&world, &mut heard, if is_valid { &[3, 4] } else { &[2] }, &[command]).await;
    }
    run(&world, &mut heard, codes, &["sync"]).await;
    run(&world, &mut heard, if is_valid { &[0] } else { &[2] }, &["check"]).await;
    for operation in meets {
        assert!(count(&world.calls(), operation) > 0, "{name}: {operation} was never called");
    }
    heard.hear(format!("the log of calls: {name}"), world.client().calls().unwrap());
    heard.assert_silent(&secrets);
}

#[tokio::test]
async fn a_source_that_cannot_be_read_shows_nothing_of_what_is_in_it() {
    for way in BROKEN_SOURCES {
        listen_to(way).await;
    }
}

#[tokio::test]
async fn a_write_that_is_refused_or_lost_shows_nothing_of_what_was_written() {
    futures_util::future::join_all(FAILING_WRITES.map(listen_to)).await;
}

#[tokio::test]
async fn a_password_that_stands_in_the_config_by_mistake_is_not_repeated() {
    listen_to(PASSWORD_IN_THE_CONFIG).await;
}

/// The stores alone. One registry is in the objects and has no secret: its entry is written whatever fails before.
fn without_fleets() -> String {
    let (stores, _) = CONFIG.split_once("fleets:\n").expect("it has fleets");
    stores.replace("    secret: { name: planted/dockercfg }\n", "")
}

fn json_text(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

#[test]
fn the_search_finds_a_secret_in_each_form_and_in_the_middle_of_other_things() {
    let secrets = planted("control");
    for secret in &secrets {
        let one = std::slice::from_ref(secret);
        let Planted { username, password, .. } = secret;
        let longer = |before: &str| STANDARD.encode(format!("{before}{password}tail"));
        let document =
            serde_json::json!({ "value": password, "inner": serde_json::json!([password]).to_string() });
        let texts: BTreeMap<&str, String> = [
            ("raw", format!("x{password}x")),
            ("debug", format!("{:?}", (1, password))),
            ("JSON", document.to_string()),
            ("base64", STANDARD.encode(format!("{username}:{password}"))),
            ("base64 + 0", longer("")),
            ("base64 + 1", longer("1")),
            ("base64 + 2", longer("12")),
            ("digest", sha256(password)),
        ]
        .into();
        for (form, text) in texts {
            assert!(!found(one, &text).is_empty(), "{form} of {password:?} is not found in {text}");
        }
        assert_eq!(found(one, &planted("another")[0].password), Vec::<String>::new());
    }
}
