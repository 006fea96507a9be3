//! What a configuration with one flaw is told, rule by rule; and that the examples have none.

use std::path::Path;

use super::problem::Problem;
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

/// All problems of a text, errors and warnings alike, as a person reads them.
fn problems(text: &str) -> Vec<String> {
    let problems = match parse(text) {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    };
    problems.iter().map(|problem| problem.in_file(&"f")).collect()
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
        State { location: ambient.clone(), bucket: "acme-regcred".into(), prefix: "regcred/".into() }
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
        problems(&with("clusters:", "max_unavailble: 3, clusters:")),
        ["error: f:9:29: fleets.prod.max_unavailble: this key is not known\n  \
          because: the keys here are `clusters`, `command_timeout`, `document`, `ecs_config`, `location`, \
          `max_errors`, `max_unavailable`, `poll_interval`, `settle_interval` and `settle_timeout`\n  \
          to do:   did you mean `max_unavailable`?"]
    );
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
