//! A source of each kind, and a password of its own for each.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regcred_sandbox::Options;

use super::search::Planted;
use crate::bao;
use crate::world::World;

/// One for each kind of source. `turn` makes another one of each.
pub(super) fn planted(turn: &str) -> Vec<Planted> {
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

pub(super) const CONFIG: &str = "\
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
pub(super) fn start(test: &str, options: Options, config: &str) -> Option<World> {
    let (bao, path) = (bao::shared()?, bao::unused_path());
    let config = config.replace("VAULT_ADDRESS", &bao.address()).replace("VAULT_PATH", &path);
    let mut world = World::start(test, options, &config);
    world.set("PLANTED_VAULT_PATH", &path);
    Some(world)
}

/// Gives each source its credential.
pub(super) async fn plant(world: &mut World, secrets: &[Planted]) {
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
