//! What a configuration with one flaw is told, rule by rule; and that the examples have none.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::problem::{Problem, Severity};
use super::*;

/// A configuration that breaks no rule, as the ground for one flaw.
const GOOD: &str = r"
state: { bucket: acme-regcred }
registries:
  hub: { server: docker.io, source: { env: { username: HUB_USER, password: HUB_TOKEN } } }
  ghcr: { server: ghcr.io, source: { file: { path: secrets/ghcr.json } }, secret: { name: ecs/ghcr } }
ecs_configs:
  prod: { bucket: acme-ecs, key: prod/ecs.config, registries: [hub, ghcr] }
fleets:
  prod: { ecs_config: prod, clusters: [prod-a, 'web-*'] }
";

fn parse(text: &str) -> Result<(Config, Vec<Problem>), Vec<Problem>> {
    load::parse(text, Path::new("/etc/regcred"))
}

/// All problems of a text, errors and warnings alike.
fn problems(text: &str) -> Vec<Problem> {
    match parse(text) {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    }
}

/// As a person reads them.
fn messages(text: &str) -> Vec<String> {
    problems(text).iter().map(|problem| problem.in_file(&"f")).collect()
}

/// Where and what, for tables.
fn told(text: &str) -> Vec<String> {
    problems(text).iter().map(|Problem { path, what, .. }| format!("{path}: {what}")).collect()
}

/// The good configuration with `from` replaced by `to`.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

#[test]
fn a_configuration_without_a_flaw_is_taken_without_a_word() {
    let (config, warnings) = parse(GOOD).unwrap();
    assert_eq!(warnings, []);
    let ambient = LocationName::new("ambient");
    assert_eq!(config.locations.keys().collect::<Vec<_>>(), [&ambient]);
    assert_eq!(
        config.state,
        State {
            location: ambient.clone(),
            bucket: "acme-regcred".into(),
            prefix: "regcred/".into(),
            lease: Duration::from_mins(1),
        }
    );
    let fleet = &config.fleets["prod"];
    assert_eq!(fleet.location, ambient);
    assert_eq!(fleet.max_unavailable, MaxUnavailable::Percent(10));
    assert_eq!(fleet.max_errors, 0);
    assert_eq!(fleet.command_timeout, Duration::from_mins(10));
    assert_eq!(
        config.registries["ghcr"].source,
        SourceReference::JsonFile { path: "/etc/regcred/secrets/ghcr.json".into() }
    );
    assert_eq!(config.registries["ghcr"].secret.as_ref().unwrap().locations, [ambient]);
}

#[test]
fn a_misspelt_key_is_told_where_it_is_with_what_was_meant() {
    assert_eq!(
        messages(&with("clusters:", "max_unavailble: 3, clusters:")),
        ["error: f:9:29: fleets.prod.max_unavailble: this key is not known\n  \
          because: the keys here are `after`, `clusters`, `command_timeout`, `document`, `document_check`, `ecs_config`, `instances`, \
          `location`, `max_errors`, `max_unavailable`, `poll_interval`, `settle_interval`, `settle_timeout`, `tags` and `windows`\n  \
          to do:   did you mean `max_unavailable`?"]
    );
}

/// Each row is one edit of the good configuration, and all that it is told.
#[test]
fn a_flaw_of_structure_is_told_with_its_key() {
    let source = "{ env: { username: HUB_USER, password: HUB_TOKEN } }";
    for (from, to, expected) in [
        ("name: ecs/ghcr", "nmae: ecs/ghcr", "registries.ghcr.secret.nmae: this key is not known"),
        ("name: ecs/ghcr", "adopt: true", "registries.ghcr.secret: the key `name` is missing"),
        (
            "name: ecs/ghcr",
            "name: ecs/ghcr, name: x",
            "registries.ghcr.secret.name: this key is written twice",
        ),
        ("name: ecs/ghcr", "name: ~", "registries.ghcr.secret.name: a single value is needed here"),
        ("name: ecs/ghcr", "name: [x]", "registries.ghcr.secret.name: a single value is needed here"),
        (
            "name: ecs/ghcr",
            "name: x, adopt: yes",
            "registries.ghcr.secret.adopt: true or false is needed here",
        ),
        ("name: ecs/ghcr", "name: x, tags: [a]", "registries.ghcr.secret.tags: a map is needed here"),
        ("{ name: ecs/ghcr }", "[]", "registries.ghcr.secret: a map is needed here"),
        (
            source,
            "{}",
            "registries.hub.source: exactly one of `credential_helper`, `docker_auth_config`, `docker_config`, `env`, `exec`, `file`, `secrets_manager`, `ssm_parameter` and `vault` is needed here",
        ),
        (source, "env", "registries.hub.source: a map with one key is needed here"),
        (source, "{ enw: { username: A } }", "registries.hub.source.enw: this key is not known"),
        (source, "{ env: [A, B] }", "registries.hub.source.env: a map is needed here"),
        (
            source,
            "{ env: { username: A, password:B } }",
            "registries.hub.source.env.password…: there is no space behind `password:`",
        ),
        (
            source,
            "{ file: { path: x }, docker_config: { path: x } }",
            "registries.hub.source: exactly one of `credential_helper`, `docker_auth_config`, `docker_config`, `env`, `exec`, `file`, `secrets_manager`, `ssm_parameter` and `vault` is needed here",
        ),
        ("clusters: [prod-a, 'web-*']", "clusters: prod-a", "fleets.prod.clusters: a list is needed here"),
        ("prod-a, 'web-*'", "a, {b: c}", "fleets.prod.clusters[1]: a single value is needed here"),
        ("prod-a, 'web-*'", "a, ~", "fleets.prod.clusters[1]: a single value is needed here"),
        ("clusters:", "max_errors: -1, clusters:", "fleets.prod.max_errors: a whole number is needed here"),
        ("clusters:", "max_errors: '1', clusters:", "fleets.prod.max_errors: a whole number is needed here"),
        (
            "clusters:",
            "max_errors: 99999999999, clusters:",
            "fleets.prod.max_errors: this value cannot be read",
        ),
        (
            "key:",
            "format: dokercfg, key:",
            "ecs_configs.prod.format: one of `dockercfg` and `docker` is needed here",
        ),
        ("state:", "<<: {}\nstate:", "<<: merge keys are not expanded"),
        ("state:", "fleet: {}\nstate:", "fleet: this key is not known"),
        (
            "bucket: acme-regcred",
            "bucket: !!str acme-regcred",
            "state.bucket: there is a tag, a word that begins with `!`",
        ),
    ] {
        assert_eq!(told(&with(from, to)), [expected], "{to}");
    }
}

#[test]
fn a_text_that_is_no_map_is_told_where_it_ends_to_be_one() {
    for (text, expected) in [
        ("", ["f:1:1: the file is empty"].as_slice()),
        ("# only a comment\n", &["f:1:1: the file is empty"]),
        ("a", &["f:1:1: a map is needed here"]),
        ("[]", &["f:1:1: a map is needed here"]),
        ("a: b\n---\nc: d", &["f:2:1: there is a second document in the file"]),
        ("a: &x [*x]", &["f:1:8: a[0]: an alias stands inside of what it repeats"]),
        ("? [a]\n: b", &["f:1:3: a key is not a word"]),
        ("state: {\n  bucket: 'x\n", &["f:2:11: this is not YAML"]),
        ("state:\n\tbucket: x\n", &["f:2:2: this is not YAML"]),
        ("state: *nowhere", &["f:1:8: this is not YAML"]),
    ] {
        let lines = messages(text).iter().map(|m| m.lines().next().unwrap().to_owned()).collect::<Vec<_>>();
        let expected: Vec<_> = expected.iter().map(|line| format!("error: {line}")).collect();
        assert_eq!(lines, expected, "{text:?}");
    }
    let deep = "[".repeat(10_000);
    assert_eq!(told(&deep).len(), 1);
    let bomb = (1..40)
        .fold("a0: &a0 [x, x]\n".to_owned(), |text, n| format!("{text}a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1));
    assert!(told(&bomb)[0].contains("repeats itself too often"), "{:?}", told(&bomb));
}

#[test]
fn an_alias_stands_for_what_it_repeats() {
    let text = with("clusters: [prod-a, 'web-*']", "clusters: &names [prod-a]")
        .replace("fleets:", "fleets:\n  other: { ecs_config: prod, clusters: [b] }")
        + "  third: { ecs_config: prod, clusters: *names }\n";
    assert_eq!(told(&text), ["fleets.third.clusters[0]: cluster `prod-a` is in fleet `prod` too"]);
}

#[test]
fn unknown_keys_and_broken_rules_are_told_at_once_in_the_order_of_the_file() {
    let text = GOOD
        .replace("server: ghcr.io", "server: ghcr.io, sourc: 1")
        .replace("acme-regcred", "Acme")
        .replace("clusters:", "max_error: 3, max_unavailable: 0, clusters:");
    assert_eq!(
        told(&text),
        [
            "state.bucket: this cannot be the name of a bucket",
            "registries.ghcr.sourc: this key is not known",
            "fleets.prod.max_error: this key is not known",
            "fleets.prod.max_unavailable: this is not a limit",
        ]
    );
}

/// Each row is one edit of the good configuration, and what it is told first: a cluster that is in two fleets may be
/// told for each of its names.
fn assert_told(rows: &[(&str, &str, &str)]) {
    for (from, to, expected) in rows {
        let told = told(&with(from, to));
        assert_eq!(told.first().map(String::as_str), Some(*expected), "{to}: {told:#?}");
    }
}

#[test]
fn a_broken_rule_of_a_place_is_told_with_its_key() {
    assert_told(&[
        (
            "  hub:",
            "  hub: { server: quay.io, source: { file: { path: x } }, secret: { name: q } }\n  'h b':",
            "registries.h…: this cannot be a name",
        ),
        ("acme-regcred", "s3://acme", "state.bucket: this cannot be the name of a bucket"),
        (
            "bucket: acme-regcred",
            "bucket: acme-regcred, prefix: regcred",
            "state.prefix: this cannot be a prefix of keys",
        ),
        (
            "bucket: acme-regcred",
            "bucket: acme-regcred, location: eu",
            "state.location: there is no location `eu`",
        ),
        ("state:", "locations: {}\nstate:", "locations: no location is named here"),
        (
            "state:",
            "locations: { ambient: { region: eu-west-1 } }\nstate:",
            "locations.ambient: no location may be called `ambient`",
        ),
        (
            "state:",
            "locations: { eu: { region: europe } }\nstate:",
            "locations.eu.region: this is not an AWS Region",
        ),
        (
            "state:",
            "locations: { eu: { region: eu-west-1, external_id: abc } }\nstate:",
            "locations.eu.external_id: there is an external id and no role",
        ),
        (
            "state:",
            "locations: { eu: { region: eu-west-1, role_arn: 'arn:aws:iam::1:role/x' } }\nstate:",
            "locations.eu.role_arn: this is not the ARN of a role",
        ),
        (
            "state:",
            "locations: { eu: { region: eu-west-1, endpoint_url: 'http://proxy.example.com' } }\nstate:",
            "locations.eu.endpoint_url: this cannot be an endpoint",
        ),
    ]);
}

#[test]
fn a_broken_rule_of_a_registry_is_told_with_its_key() {
    let source = "{ env: { username: HUB_USER, password: HUB_TOKEN } }";
    assert_told(&[
        ("docker.io", "my registry", "registries.hub.server: this does not name a registry"),
        (
            "docker.io",
            "111111111111.dkr.ecr.eu-west-1.amazonaws.com",
            "registries.hub.server: ECR needs no credential here",
        ),
        (
            "docker.io",
            "docker.io, source_timeout: 1h",
            "registries.hub.source_timeout: this span of time is too long",
        ),
        (
            "docker.io",
            "docker.io, source_timeout: 5",
            "registries.hub.source_timeout: this is not a span of time",
        ),
        (
            "HUB_TOKEN",
            "hub_token",
            "registries.hub.source.env.password: this is not the name of an environment variable",
        ),
        (source, "{ file: {} }", "registries.hub.source.file: it is not clear which file holds what"),
        (
            source,
            "{ file: { username: x } }",
            "registries.hub.source.file: it is not clear which file holds what",
        ),
        (
            source,
            "{ file: { path: x, username: y, password_path: z } }",
            "registries.hub.source.file: it is not clear which file holds what",
        ),
        (
            source,
            "{ file: { username: '', password_path: x } }",
            "registries.hub.source.file.username: this cannot be a username",
        ),
        (
            source,
            "{ file: { path: ~/x } }",
            "registries.hub.source.file.path: this is not the path of a file",
        ),
        (
            source,
            "{ docker_config: { path: '' } }",
            "registries.hub.source.docker_config.path: this is not the path of a file",
        ),
        (
            source,
            "{ docker_config: { path: $HOME/x } }",
            "registries.hub.source.docker_config.path: there is a `$` in this path",
        ),
    ]);
}

#[test]
fn a_broken_rule_of_a_source_is_told_with_its_key() {
    let source = "{ env: { username: HUB_USER, password: HUB_TOKEN } }";
    let arn = "arn:aws:secretsmanager:eu-west-1:111111111111:secret";
    let rows = [
        (
            "docker_auth_config: { variable: a b }",
            "docker_auth_config.variable: this is not the name of an environment variable",
        ),
        (
            "credential_helper: { name: docker-credential-pass }",
            "credential_helper.name: this cannot be the name of a helper",
        ),
        ("credential_helper: { name: ../sh }", "credential_helper.name: this cannot be the name of a helper"),
        (
            "credential_helper: { name: pass, environment: [A=b] }",
            "credential_helper.environment[0]: this is not the name of an environment variable",
        ),
        (
            "docker_config: { path: x, environment: [a, 1b] }",
            "docker_config.environment[1]: this is not the name of an environment variable",
        ),
        ("exec: { command: [] }", "exec.command: there is no command"),
        ("exec: { command: [pass show x] }", "exec.command[0]: this cannot be the name of a program"),
        ("exec: { command: [~/bin/x] }", "exec.command[0]: this is not the path of a file"),
        ("exec: { command: [''] }", "exec.command[0]: this is not the path of a file"),
        ("exec: { command: [x, \"a\\0b\"] }", "exec.command[1]: this cannot be an argument"),
        ("secrets_manager: { secret: a b }", "secrets_manager.secret: this does not name a secret"),
        (
            "secrets_manager: { secret: 'arn:aws:secretsmanager:eu-west-1:1:secret:x-abcdef' }",
            "secrets_manager.secret: this does not name a secret",
        ),
        ("secrets_manager: { secret: x, location: eu }", "secrets_manager: there is no location `eu`"),
        (
            "secrets_manager: { secret: x, version_stage: '' }",
            "secrets_manager.version_stage: this cannot be a staging label",
        ),
        (
            "secrets_manager: { secret: x, username: a, username_key: b }",
            "secrets_manager: it is said twice what the username is",
        ),
        (
            "secrets_manager: { secret: x, password_key: '' }",
            "secrets_manager.password_key: this cannot be a key",
        ),
        (
            "secrets_manager: { secret: x, username_key: k, password_key: k }",
            "secrets_manager.username_key: this cannot be the username's key",
        ),
        ("ssm_parameter: { name: a b }", "ssm_parameter.name: this does not name a parameter"),
        (
            "ssm_parameter: { name: /aws/reference/secretsmanager/x }",
            "ssm_parameter.name: this does not name a parameter",
        ),
        ("ssm_parameter: { name: 'x:1:2' }", "ssm_parameter.name: this does not name a parameter"),
        ("ssm_parameter: { name: x, username: '' }", "ssm_parameter.username: this cannot be a username"),
    ];
    for (to, expected) in rows {
        let found = told(&with(source, &format!("{{ {to} }}")));
        assert_eq!(found, [format!("registries.hub.source.{expected}")], "{to}");
    }
    let good = [
        "docker_auth_config: {}".to_owned(),
        "exec: { command: [pass, show, a b] }".to_owned(),
        format!("secrets_manager: {{ secret: '{arn}:a/b-abcdef', username: a, password_key: b }}"),
        "ssm_parameter: { name: '/a/b:3', username_key: a }".to_owned(),
        "ssm_parameter: { name: 'arn:aws:ssm:eu-west-1:111111111111:parameter/a' }".to_owned(),
    ];
    for to in good {
        assert_eq!(told(&with(source, &format!("{{ {to} }}"))), Vec::<String>::new(), "{to}");
    }
}

#[test]
fn a_broken_rule_of_a_vault_is_told_with_its_key() {
    let source = "{ env: { username: HUB_USER, password: HUB_TOKEN } }";
    let good = "address: 'https://v.example.com', path: a/b, auth: { token: { variable: VAULT_TOKEN } }";
    for (from, to, expected) in [
        ("https://v.example.com", "http://v.example.com", "address: this cannot be the address of a server"),
        (
            "https://v.example.com",
            "https://u:p@v.example.com",
            "address: this cannot be the address of a server",
        ),
        (
            "https://v.example.com",
            "https://v.example.com/?x",
            "address: this cannot be the address of a server",
        ),
        ("https://v.example.com", "v.example.com", "address: this cannot be the address of a server"),
        ("path: a/b", "path: data/a/b", "path: this cannot be the path of a secret"),
        ("path: a/b", "path: /a/b", "path: this cannot be the path of a secret"),
        ("path: a/b", "path: a/../b", "path: this cannot be the path of a secret"),
        ("path: a/b", "path: a/b, mount: secret/", "mount: this cannot be a mount"),
        ("path: a/b", "path: a/b, namespace: a b", "namespace: this cannot be a namespace"),
        ("path: a/b", "path: a/b, ca_file: ''", "ca_file: this is not the path of a file"),
        ("path: a/b", "path: a/b, password_key: ''", "password_key: this cannot be a key"),
        ("VAULT_TOKEN", "hvs.x", "auth.token.variable: this is not the name of an environment variable"),
        ("variable: VAULT_TOKEN", "path: ~/t", "auth.token.path: this is not the path of a file"),
        (
            "{ variable: VAULT_TOKEN }",
            "{}",
            "auth.token: exactly one of `path` and `variable` is needed here",
        ),
        (
            "{ token: { variable: VAULT_TOKEN } }",
            "{}",
            "auth: exactly one of `app_role`, `aws` and `token` is needed here",
        ),
        (
            "token: { variable: VAULT_TOKEN }",
            "app_role: { role_id: '', secret_id: { path: x } }",
            "auth.app_role.role_id: this is no name of Vault's",
        ),
        (
            "token: { variable: VAULT_TOKEN }",
            "aws: { role: a b }",
            "auth.aws.role: this is no name of Vault's",
        ),
        (
            "token: { variable: VAULT_TOKEN }",
            "aws: { role: x, location: eu }",
            "auth.aws: there is no location `eu`",
        ),
        (
            "token: { variable: VAULT_TOKEN }",
            "aws: { role: x, sts_endpoint: 'http://sts.amazonaws.com' }",
            "auth.aws.sts_endpoint: this cannot be the address of a server",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let found = told(&with(source, &format!("{{ vault: {{ {} }} }}", good.replacen(from, to, 1))));
        assert_eq!(found, [format!("registries.hub.source.vault.{expected}")], "{to}");
    }
    for to in [good, &good.replace("https://v.example.com", "http://127.0.0.1:8200/behind/a/proxy")] {
        assert_eq!(told(&with(source, &format!("{{ vault: {{ {to} }} }}"))), Vec::<String>::new(), "{to}");
    }
}

#[test]
fn a_source_that_is_the_secret_its_registry_is_published_as_is_refused() {
    let refused = [
        "registries.ghcr.source.secrets_manager.secret: this is the secret that the registry is published as",
    ];
    let arn = "arn:aws:secretsmanager:eu-west-1:111111111111:secret";
    for (secret, expected) in [
        ("ecs/ghcr".to_owned(), &refused[..]),
        (format!("{arn}:ecs/ghcr-a1B2c3"), &refused[..]),
        ("ecs/ghcr2".to_owned(), &[]),
        (format!("{arn}:ecs/ghcr2-a1B2c3"), &[]),
    ] {
        let to = format!("secrets_manager: {{ secret: '{secret}' }}");
        assert_eq!(told(&with("file: { path: secrets/ghcr.json }", &to)), expected, "{secret}");
    }
    // In another account or Region, it is another secret.
    let locations =
        "locations: { eu: { region: eu-west-1 }, us: { region: us-east-1 } }\nstate: { location: eu,";
    let elsewhere =
        with("file: { path: secrets/ghcr.json }", "secrets_manager: { secret: ecs/ghcr, location: us }")
            .replace("state: {", locations)
            .replace("name: ecs/ghcr", "name: ecs/ghcr, locations: [eu]")
            .replace("prod: { bucket", "prod: { location: eu, bucket");
    assert_eq!(told(&elsewhere), Vec::<String>::new());
    let here = elsewhere.replace("location: us }", "location: eu }");
    let unused = "locations.us: nothing is in this location".to_owned();
    assert_eq!(told(&here), [unused, refused[0].to_owned()]);
    let arn = elsewhere.replace("secret: ecs/ghcr", &format!("secret: '{arn}:x-abcdef'"));
    assert_eq!(
        told(&arn),
        ["registries.ghcr.source.secrets_manager.secret: this cannot be read in its location"]
    );
}

#[test]
fn a_broken_rule_of_a_secret_is_told_with_its_key() {
    assert_told(&[
        (
            "name: ecs/ghcr",
            "name: ecs/ghcr-abc123",
            "registries.ghcr.secret.name: this cannot be the name of a secret",
        ),
        (
            "name: ecs/ghcr",
            "name: x, kms_key: key",
            "registries.ghcr.secret.kms_key: this does not name a KMS key",
        ),
        (
            "name: ecs/ghcr",
            "name: x, tags: { regcred:owner: x }",
            "registries.ghcr.secret.tags.regcred…: this cannot be a tag",
        ),
        (
            "name: ecs/ghcr",
            "name: x, locations: []",
            "registries.ghcr.secret.locations: no location is listed",
        ),
        (
            "name: ecs/ghcr",
            "name: x, locations: [ambient, ambient]",
            "registries.ghcr.secret.locations: the locations `ambient` and `ambient` are one place",
        ),
        (
            "HUB_TOKEN } }",
            "HUB_TOKEN } }, secret: { name: ecs/ghcr }",
            "registries.hub.secret.name: registry `ghcr` publishes the same secret in location `ambient`",
        ),
    ]);
}

#[test]
fn a_broken_rule_of_an_object_is_told_with_its_key() {
    assert_told(&[
        ("[hub, ghcr]", "[hub, gchr]", "ecs_configs.prod.registries[1]: there is no registry `gchr`"),
        ("[hub, ghcr]", "[hub, ghcr, hub]", "ecs_configs.prod.registries[2]: registry `hub` is listed twice"),
        (
            "server: ghcr.io",
            "server: index.docker.io",
            "ecs_configs.prod.registries[1]: registries `hub` and `ghcr` have the same server",
        ),
        ("prod/ecs.config", "prod/'x'", "ecs_configs.prod.key: this cannot be the key of an `ecs.config`"),
        (
            "key: prod",
            "host_endpoint: http://10.0.0.1, key: prod",
            "ecs_configs.prod.host_endpoint: this cannot be an endpoint",
        ),
        (
            "bucket: acme-ecs, key: prod",
            "bucket: acme-regcred, key: regcred",
            "ecs_configs.prod.key: this object lies below the prefix of regcred's state",
        ),
        (
            "ecs_configs:",
            "ecs_configs:\n  a: { bucket: acme-ecs, key: prod/ecs.config, registries: [hub] }",
            "ecs_configs.prod.key: `ecs_configs.a` is the same object",
        ),
    ]);
}

#[test]
fn a_broken_rule_of_a_fleet_is_told_with_its_key() {
    assert_told(&[
        ("ecs_config: prod", "ecs_config: prd", "fleets.prod.ecs_config: there is no `ecs.config` `prd`"),
        ("prod-a, 'web-*'", "", "fleets.prod.clusters: no cluster is listed"),
        ("prod-a, 'web-*'", "a, a", "fleets.prod.clusters[1]: `a` is listed twice"),
        (
            "prod-a, 'web-*'",
            "'arn:aws:ecs:x'",
            "fleets.prod.clusters[0]: this cannot be the name of a cluster",
        ),
        ("clusters:", "max_unavailable: 0%, clusters:", "fleets.prod.max_unavailable: this is not a limit"),
        ("clusters:", "max_unavailable: 101%, clusters:", "fleets.prod.max_unavailable: this is not a limit"),
        ("clusters:", "max_unavailable: 0, clusters:", "fleets.prod.max_unavailable: this is not a limit"),
        ("clusters:", "max_unavailable: +5%, clusters:", "fleets.prod.max_unavailable: this is not a limit"),
        (
            "clusters:",
            "document: 'a b', clusters:",
            "fleets.prod.document: this cannot be the name of an SSM document",
        ),
        (
            "clusters:",
            "poll_interval: 10ms, clusters:",
            "fleets.prod.poll_interval: this span of time is too short",
        ),
        (
            "clusters:",
            "command_timeout: 20s, clusters:",
            "fleets.prod.command_timeout: this span of time is too short",
        ),
        (
            "clusters:",
            "command_timeout: 30500ms, clusters:",
            "fleets.prod.command_timeout: this is not a whole number of seconds",
        ),
        (
            "clusters:",
            "settle_timeout: 20s, clusters:",
            "fleets.prod.settle_timeout: a host could never be proven in this time",
        ),
        (
            "fleets:",
            "fleets:\n  a: { ecs_config: prod, clusters: ['*'] }",
            "fleets.prod.clusters[0]: cluster `prod-a` is in fleet `a` too",
        ),
        (
            "fleets:",
            "fleets:\n  a: { ecs_config: prod, clusters: ['*-eu'] }",
            "fleets.prod.clusters[1]: `web-*`, and `*-eu` of fleet `a`, can mean one cluster",
        ),
    ]);
}

#[test]
fn a_fleet_is_told_by_exactly_one_of_clusters_tags_and_instances() {
    const CLUSTERS: &str = "clusters: [prod-a, 'web-*']";
    assert_told(&[
        (CLUSTERS, "max_errors: 1", "fleets.prod: it is not said which hosts these are"),
        (
            "clusters:",
            "tags: { ecs: [prod] }, clusters:",
            "fleets.prod: it is said in several ways which hosts these are",
        ),
        (
            CLUSTERS,
            "tags: { ecs: [prod] }, instances: [i-12345678]",
            "fleets.prod: it is said in several ways which hosts these are",
        ),
        (CLUSTERS, "tags: {}", "fleets.prod.tags: no tag is listed"),
        (CLUSTERS, "tags: { 'a*': [b] }", "fleets.prod.tags.a…: this cannot be the name of a tag"),
        (CLUSTERS, "tags: { a: [] }", "fleets.prod.tags.a: no value is listed"),
        (CLUSTERS, "tags: { a: [a, b, c, d, e, f] }", "fleets.prod.tags.a: these are too many values"),
        (CLUSTERS, "tags: { a: [b, ''] }", "fleets.prod.tags.a[1]: this cannot be the value of a tag"),
        (CLUSTERS, "tags: { a: [b, b] }", "fleets.prod.tags.a[1]: `b` is listed twice"),
        (CLUSTERS, "instances: []", "fleets.prod.instances: no instance is listed"),
        (
            CLUSTERS,
            "instances: [i-12345678, web-1]",
            "fleets.prod.instances[1]: this is not the id of an instance",
        ),
        (
            CLUSTERS,
            "instances: [i-12345678, i-12345678]",
            "fleets.prod.instances[1]: `i-12345678` is listed twice",
        ),
        (
            "fleets:",
            "fleets:\n  a: { ecs_config: prod, instances: [i-12345678] }\n  b: { ecs_config: prod, instances: [i-12345678] }",
            "fleets.b.instances: `i-12345678` is in fleet `a` too",
        ),
    ]);
    let (config, _) = parse(&with(CLUSTERS, "tags: { 'aws:autoscaling:groupName': [web] }")).unwrap();
    let tags = [("aws:autoscaling:groupName".to_owned(), vec!["web".to_owned()])].into();
    assert_eq!(config.fleets["prod"].members, Members::Tags(tags));
    let (config, _) = parse(&with(CLUSTERS, "instances: [mi-0123456789abcdef0]")).unwrap();
    let id = HostId::parse("mi-0123456789abcdef0").unwrap();
    assert_eq!(config.fleets["prod"].members, Members::Instances(vec![id]));
}

#[test]
fn what_nothing_uses_is_a_warning() {
    let text = with("[hub, ghcr]", "[ghcr]");
    assert_eq!(told(&text), ["registries.hub: the credential of this registry goes nowhere"]);
    let (_, warnings) = parse(&text).unwrap();
    assert_eq!(warnings[0].severity, Severity::Warning);
    assert!(problems(&with(", secret: { name: ecs/ghcr }", "")).is_empty(), "an ecs.config is use enough");
}

/// Several locations, of which two are one account and Region under two names.
#[test]
fn locations_are_told_apart_by_account_and_region_and_not_by_name() {
    let locations = "locations:
  eu: { region: eu-west-1, role_arn: 'arn:aws:iam::111111111111:role/a' }
  eu2: { region: eu-west-1, role_arn: 'arn:aws:iam::111111111111:role/b' }
  us: { region: us-east-1, role_arn: 'arn:aws:iam::111111111111:role/a' }
state: { location: eu, bucket: acme-regcred }
registries:
  hub: { server: docker.io, source: { file: { path: x } }, secret: { name: hub, locations: [eu, FIRST] } }
ecs_configs:
  one: { location: eu, bucket: acme-ecs, key: one, registries: [hub] }
  two: { location: SECOND, bucket: acme-ecs, key: two, registries: [hub] }
fleets:
  one: { ecs_config: one, clusters: [web] }
  two: { ecs_config: two, clusters: ['w*'] }
";
    let told = |first, second| told(&locations.replace("FIRST", first).replace("SECOND", second));
    assert_eq!(told("us", "us"), ["locations.eu2: nothing is in this location"]);
    assert_eq!(
        told("eu2", "us"),
        ["registries.hub.secret.locations: the locations `eu` and `eu2` are one place"]
    );
    assert_eq!(told("us", "eu2"), ["fleets.two.clusters[0]: cluster `web` is in fleet `one` too"]);
    assert_eq!(
        told("us, eu3", "us")[1..],
        ["registries.hub.secret.locations[2]: there is no location `eu3`"],
        "after the warning"
    );
}

#[test]
fn fleets_that_wait_for_none_for_themselves_or_for_each_other_are_refused() {
    let config = |one: &str, two: &str| {
        format!(
            "{GOOD}  one: {{ ecs_config: prod, clusters: [one], after: [{one}] }}
  two: {{ ecs_config: prod, clusters: [two], after: [{two}] }}
"
        )
    };
    let told = |one: &str, two: &str| told(&config(one, two));
    assert_eq!(told("prod", "one, prod"), [""; 0]);
    assert_eq!(told("prdo", ""), ["fleets.one.after[0]: there is no fleet `prdo`"]);
    assert_eq!(told("", "prod, two"), ["fleets.two.after[1]: a fleet cannot come after itself"]);
    assert_eq!(told("two", "one"), ["fleets.one.after: these fleets wait for each other"]);
    let shown = messages(&config("two", "one")).join("\n");
    assert!(shown.contains("`one`, `two`, `one`: each comes after the next one"), "{shown}");
    assert!(shown.contains("take one of them out"), "{shown}");
}

/// Two Regions of one account and one of another, and a secret that is copied from the first.
#[test]
fn a_copy_of_a_secret_is_in_no_other_ones_way() {
    let config = |secret: &str| {
        format!(
            "locations:
  eu: {{ region: eu-west-1, role_arn: 'arn:aws:iam::111111111111:role/a' }}
  us: {{ region: us-east-1, role_arn: 'arn:aws:iam::111111111111:role/b' }}
  other: {{ region: us-east-1, role_arn: 'arn:aws:iam::222222222222:role/a' }}
state: {{ location: eu, bucket: acme-regcred }}
registries:
  hub: {{ server: docker.io, source: {{ file: {{ path: x }} }}, secret: {{ name: hub, {secret} }} }}
  quay: {{ server: quay.io, source: {{ file: {{ path: x }} }}, secret: {{ name: quay, locations: [us, other] }} }}
"
        )
    };
    let told = |secret: &str| told(&config(secret));
    let problem = |what: &str| vec![format!("registries.hub.secret.{what}")];
    assert_eq!(told("locations: [eu], replicate_to: [us-east-1, ap-south-1]"), [""; 0]);
    assert_eq!(told("locations: [eu, other], replicate_to: [ap-south-1], kms_key: alias/own"), [""; 0]);
    for (secret, what) in [
        ("locations: [eu], replicate_to: [mars]", "replicate_to[0]: this is not an AWS Region"),
        (
            "locations: [eu], replicate_to: [us-east-1, us-east-1]",
            "replicate_to[1]: this Region is listed twice",
        ),
        (
            "locations: [eu], replicate_to: [eu-west-1]",
            "replicate_to[0]: location `eu` has the secret in this Region already",
        ),
        (
            "locations: [eu, us], replicate_to: [us-east-1]",
            "replicate_to[0]: location `us` has the secret in this Region already",
        ),
        (
            "locations: [eu, us], replicate_to: [ap-south-1]",
            "replicate_to[0]: the secret in location `eu` is copied to this Region already",
        ),
        (
            "locations: [eu], replicate_to: [cn-north-1]",
            "replicate_to[0]: no secret in location `eu` can be copied to this Region",
        ),
        (
            "locations: [eu], replicate_to: [us-east-1], kms_key: 1234abcd-12ab-34cd-56ef-1234567890ab",
            "kms_key: this key cannot encrypt copies in other Regions",
        ),
    ] {
        assert_eq!(told(secret).into_iter().take(1).collect::<Vec<_>>(), problem(what), "{secret}");
    }
    // A secret of another registry counts by its name.
    let same = config("locations: [eu], replicate_to: [us-east-1]").replace("name: quay", "name: hub");
    assert_eq!(
        self::told(&same),
        problem("replicate_to[0]: location `us` has the secret in this Region already")
    );
}

#[test]
fn what_is_not_said_is_the_only_location_there_is() {
    let (config, _) = parse(&format!("locations: {{ eu: {{ region: eu-west-1 }} }}\n{GOOD}")).unwrap();
    let eu = LocationName::new("eu");
    assert_eq!(config.state.location, eu);
    assert_eq!(config.ecs_configs["prod"].location, eu);
    assert_eq!(config.fleets["prod"].location, eu);
    assert_eq!(config.registries["ghcr"].secret.as_ref().unwrap().locations, [eu]);
    let two = format!("locations: {{ eu: {{ region: eu-west-1 }}, us: {{ region: us-east-1 }} }}\n{GOOD}");
    assert_eq!(
        told(&two),
        [
            "state.location: it is not said in which location this is",
            "registries.ghcr.secret.locations: it is not said which locations hold this secret",
            "ecs_configs.prod.location: it is not said in which location this is",
        ]
    );
}

/// A secret in the place of any value, or at an unknown key, is not repeated to anyone. Only where a name of another
/// part of the file is asked for, a text that could be such a name is.
#[test]
fn no_message_repeats_a_value() {
    let full = include_str!("../../config/full.yaml");
    let code = |line: &'static str| line.split('#').next().unwrap_or_default().trim_end();
    let lines: Vec<&str> = full.lines().map(code).filter(|line| !line.is_empty()).collect();
    // For each line, the registry that it is a part of.
    let mut registry: Vec<Option<usize>> = Vec::new();
    let mut section = "";
    for (n, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        if indent == 0 {
            section = line;
        }
        registry.push(match indent {
            _ if !section.starts_with("registries:") => None,
            0 => None,
            2 => Some(n),
            _ => registry.last().copied().flatten(),
        });
    }
    let mut messages = 0;
    for (n, line) in lines.iter().enumerate() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let beside =
            ["password: hunter2", "token: {x: hunter2}", "passwd:hunter2: x", "hunter2", "- hunter2"];
        let mut edits: Vec<String> = beside.map(|other| format!("{line}\n{indent}{other}")).into();
        let key = line.split_once(": ").map_or("", |(key, _)| key);
        if !key.is_empty() {
            let values = [
                "\"hunter 2$x\"",
                "hunter2",
                "[hunter2]",
                "{ x: hunter2 }",
                "!hunter2",
                "'hunter2",
                "*hunter2",
            ];
            edits.extend(values.map(|value| format!("{key}: {value}")));
        }
        // Names of other parts of the file are told.
        let name = matches!(key.trim(), "location" | "ecs_config" | "registries" | "locations" | "server");
        // The other registries would be read as often as this one is edited.
        let around = |other: usize| registry[other].is_none() || registry[other] == registry[n];
        for edited in edits {
            let text: Vec<&str> = lines
                .iter()
                .enumerate()
                .filter(|(other, _)| around(*other))
                .map(|(other, line)| if other == n { edited.as_str() } else { line })
                .collect();
            for problem in problems(&text.join("\n")) {
                messages += 1;
                let json = serde_json::to_string(&problem).unwrap();
                let told = format!("{json} {} {problem:?}", problem.in_file(&"f"));
                assert!(name || !told.contains("hunter"), "{edited}\n{told}");
            }
        }
    }
    assert!(messages > 500, "{messages}");
}

#[test]
fn the_examples_are_valid() {
    for (name, text) in [
        ("minimal", include_str!("../../config/minimal.yaml")),
        ("full", include_str!("../../config/full.yaml")),
        ("demo", include_str!("../../config/demo.yaml")),
    ] {
        let (_, warnings) = parse(text).unwrap_or_else(|problems| panic!("{name}: {problems:#?}"));
        assert_eq!(warnings, [], "{name}");
    }
}

proptest! {
    /// Whatever stands in the file, it is judged: no panic, no endless loop, and no error without a place.
    #[test]
    fn any_text_is_judged(text in "[a-c:{}\\[\\], \n\t&*!'\"#|>%@`?<-]{0,80}") {
        prop_assert!(parse(&text).is_err());
        prop_assert!(problems(&text).iter().all(|problem| problem.at.is_some()));
    }

    /// Any bytes at all, alone or within a good file: judged in messages of three lines, at lines that the text has.
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in vec(any::<u8>(), 0..60), at in any::<Index>(), alone in any::<bool>()) {
        let junk = String::from_utf8_lossy(&bytes);
        let mut text = junk.clone().into_owned();
        if !alone {
            text = GOOD.to_owned();
            text.insert_str(at.index(GOOD.len() + 1), &junk);
        }
        // A flaw of what is missing can be at the end.
        let lines = text.split(['\n', '\r']).count() + 1;
        for problem in problems(&text) {
            prop_assert_eq!(problem.in_file(&"f").lines().count(), 3, "{}", problem.in_file(&"f"));
            prop_assert!(problem.at.is_none_or(|at| (1..=lines).contains(&at.line)), "{:?}", problem.at);
        }
    }

    /// A file that lost a piece is judged, and what is left of it is either whole or told to be broken.
    #[test]
    fn a_torn_file_is_judged(start in 0_usize..600, length in 1_usize..80) {
        let mut text = GOOD.to_owned();
        let start = start.min(text.len());
        let end = (start + length).min(text.len());
        text.replace_range(start..end, "");
        if let Err(problems) = parse(&text) {
            prop_assert!(problems.iter().any(|problem| problem.severity == Severity::Error));
        }
    }
}

#[test]
fn the_daemon_listens_on_loopback_unless_it_is_told_otherwise() {
    let listen = |text: &str| {
        let (config, warnings) = parse(&format!("{GOOD}daemon: {{ listen: '{text}' }}\n")).unwrap();
        let warnings: Vec<_> = warnings.into_iter().map(|problem| problem.what).collect();
        (config.daemon.listen.map(|address| address.to_string()), warnings)
    };
    let default = |text: &str| parse(&format!("{GOOD}{text}")).unwrap().0.daemon.listen.unwrap().to_string();
    assert_eq!(default(""), "127.0.0.1:9464");
    assert_eq!(default("daemon: {}\n"), "127.0.0.1:9464");
    assert_eq!(listen("none"), (None, vec![]));
    assert_eq!(listen("[::1]:9000"), (Some("[::1]:9000".to_owned()), vec![]));
    let reachable = vec!["others than this machine can read the daemon's endpoints".to_owned()];
    assert_eq!(listen("0.0.0.0:9464"), (Some("0.0.0.0:9464".to_owned()), reachable.clone()));
    assert_eq!(listen("10.0.0.7:1"), (Some("10.0.0.7:1".to_owned()), reachable));
    for text in
        ["localhost:9464", "127.0.0.1", "9464", "127.0.0.1:70000", "http://127.0.0.1:9464", "None", ""]
    {
        assert_eq!(
            told(&format!("{GOOD}daemon: {{ listen: '{text}' }}\n")),
            ["daemon.listen: this is not an address to listen on"],
            "{text}"
        );
    }
}
