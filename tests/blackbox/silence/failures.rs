//! Things that go wrong: what is said of them repeats no secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regcred_sandbox::{Effect, Fault, Match, Service};

use super::planting::{CONFIG, plant, planted, start};
use super::search::{Heard, Planted, run};
use crate::world::{World, count, fault, with_hosts};

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
    // Without its lease a pass writes nothing; so that one is had.
    let object = |key: &str| {
        let Fault { calls, effect } = fail(Service::S3, "PutObject");
        Fault { calls: Match { key: Some(key.into()), ..calls }, effect }
    };
    let faults = [
        fail(Service::SecretsManager, "CreateSecret"),
        fail(Service::SecretsManager, "PutSecretValue"),
        object("prod/ecs.config"),
        object("typed/ecs.config"),
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
