//! The SSM document is generated from the script; `BLESS=1 cargo test -p regcred-sandbox --test hosts document` writes it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use regcred_core::script::TIMEOUT;
use regcred_sandbox::hosts::DOCUMENT;
use serde::Serialize;

/// The document's parameters in their order: name, what it is, what it may be, and what it is without one.
///
/// A parameter is spliced into the script between single quotes, which works with every version of the SSM agent
/// (`interpolationType: ENV_VAR` needs 3.3.2746.0, and older ones ignore it). So no pattern may let a quote, a `$`, a
/// backtick, a backslash, white space or a brace through; and each is read twice, by Java at the API and by Go on the
/// host, so that it keeps to what both understand alike.
const PARAMETERS: [Parameter; 5] = [
    Parameter {
        name: "Bucket",
        description: "The bucket of the ecs.config.",
        allowed_pattern: "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        default: None,
    },
    Parameter {
        name: "Key",
        description: "The key of the ecs.config.",
        allowed_pattern: "^[A-Za-z0-9!_.*()/=+@:,~-]+$",
        default: None,
    },
    Parameter {
        name: "Region",
        description: "The Region of the bucket.",
        allowed_pattern: "^[a-z]{2,8}(-[a-z]{2,16}){1,3}-[0-9]{1,2}$",
        default: None,
    },
    Parameter {
        name: "Endpoint",
        description: "The URL of S3, where it is not AWS's usual one: a VPC endpoint's. Empty otherwise.",
        allowed_pattern: "^(https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?)?$",
        default: Some(""),
    },
    Parameter {
        name: "Mode",
        description: "apply; retry-failed: try a version again that did not load on this host before; probe: change nothing, and say how file, live agent and object stand to each other.",
        allowed_pattern: "^(apply|retry-failed|probe)$",
        default: Some("apply"),
    },
];

struct Parameter {
    name: &'static str,
    description: &'static str,
    allowed_pattern: &'static str,
    default: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: &'static str,
    description: &'static str,
    parameters: Parameters,
    main_steps: [Step; 1],
}

/// A map that keeps its order.
struct Parameters;

impl Serialize for Parameters {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Value {
            r#type: &'static str,
            description: &'static str,
            allowed_pattern: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            default: Option<&'static str>,
        }
        serializer.collect_map(PARAMETERS.iter().map(
            |&Parameter { name, description, allowed_pattern, default }| {
                (name, Value { r#type: "String", description, allowed_pattern, default })
            },
        ))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    action: &'static str,
    name: &'static str,
    precondition: Precondition,
    inputs: Inputs,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Precondition {
    string_equals: [&'static str; 2],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inputs {
    timeout_seconds: String,
    run_command: Vec<String>,
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/ssm").join(name)
}

pub(crate) fn script() -> String {
    std::fs::read_to_string(file("refresh.sh")).unwrap()
}

/// The script as SSM runs it: the parameters in front, and the rest of the file behind its first line.
fn commands() -> Vec<String> {
    let script = script();
    let (first, rest) = script.split_once('\n').unwrap();
    assert_eq!(first, "#!/bin/sh");
    let assignments = PARAMETERS
        .iter()
        .map(|Parameter { name, .. }| format!("REGCRED_{}='{{{{ {name} }}}}'", name.to_ascii_uppercase()));
    std::iter::once(first.to_owned()).chain(assignments).chain(rest.lines().map(str::to_owned)).collect()
}

fn document() -> String {
    let document = Document {
        schema_version: "2.2",
        description: "Brings the ECS agent of a container instance to the registry credentials that its ecs.config in S3 holds.",
        parameters: Parameters,
        main_steps: [Step {
            action: "aws:runShellScript",
            name: "refresh",
            precondition: Precondition { string_equals: ["platformType", "Linux"] },
            inputs: Inputs { timeout_seconds: TIMEOUT.as_secs().to_string(), run_command: commands() },
        }],
    };
    serde_json::to_string_pretty(&document).unwrap() + "\n"
}

#[test]
fn the_document_is_what_the_script_generates() {
    let document = document();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file("regcred-refresh.json"), &document).unwrap();
        return;
    }
    assert!(
        DOCUMENT == document,
        "deploy/ssm/regcred-refresh.json is not what deploy/ssm/refresh.sh makes; to write it anew:\n\
         BLESS=1 cargo test -p regcred-sandbox --test hosts document"
    );
}

#[test]
fn nothing_in_the_document_looks_like_a_parameter_but_the_five() {
    let in_braces: Vec<_> =
        DOCUMENT.match_indices("{{").map(|(at, _)| DOCUMENT[at..].split_once("}}").unwrap().0).collect();
    assert_eq!(in_braces, ["{{ Bucket ", "{{ Key ", "{{ Region ", "{{ Endpoint ", "{{ Mode "]);
    assert_eq!(DOCUMENT.matches("}}").count(), 5);
}

#[test]
fn the_document_and_its_parameters_fit_into_the_64_kilobytes_of_ssm() {
    assert!(DOCUMENT.len() < 60_000, "{}", DOCUMENT.len());
}

#[test]
fn no_parameter_can_leave_its_quotes_or_become_another_one() {
    for Parameter { name, allowed_pattern, .. } in PARAMETERS {
        assert!(allowed_pattern.starts_with('^') && allowed_pattern.ends_with('$'), "{name}");
        // Classes are written out, none is negated, and no dot stands outside of one: the characters that a pattern
        // lets through are those that stand in it.
        assert!(!allowed_pattern.contains("[^") && !allowed_pattern.contains('\\'), "{name}");
        for odd in ['\'', '"', '`', '\\', ' ', ';', '&', '|', '<', '>', '\n', '#'] {
            let stands_for_itself = !(odd == '|' && allowed_pattern.contains("(apply|"));
            assert!(!(stands_for_itself && allowed_pattern.contains(odd)), "{name} lets {odd:?} through");
        }
    }
}

#[test]
fn parameters_take_what_is_used_and_nothing_else() {
    let cases: [(&str, &[&str], &[&str]); 5] = [
        ("Bucket", &["acme-ecs", "a.b.c", "123"], &["", "ab", "Acme", "a_b", "-ab", "ab.", "a b", "a'b"]),
        (
            "Key",
            &["ecs.config", "env=prod/a_b-c/(1)+@:,~!*.config"],
            &["", "a b", "a'b", "a$b", "a\nb", "\u{e9}", "{{a}}"],
        ),
        (
            "Region",
            &[
                "eu-west-1",
                "us-gov-west-1",
                "ap-southeast-12",
                "us-isob-east-1",
                "eusc-de-east-1",
                "cn-north-1",
            ],
            &["", "eu-west", "EU-west-1", "eu-west-1a", "eu west 1"],
        ),
        (
            "Endpoint",
            &["", "http://127.0.0.1:4566", "https://bucket.vpce-0a-1b.s3.eu-west-1.vpce.amazonaws.com"],
            &["ftp://a", "https://", "https://a/b", "https://a:b@c", "https://a?x", "https://a b"],
        ),
        (
            "Mode",
            &["apply", "retry-failed", "probe"],
            &["", "Apply", "apply ", "apply|retry-failed", "rollback"],
        ),
    ];
    for (name, taken, refused) in cases {
        let pattern = PARAMETERS.iter().find(|parameter| parameter.name == name).unwrap().allowed_pattern;
        let pattern = regex_lite::Regex::new(pattern).unwrap();
        for value in taken {
            assert!(pattern.is_match(value), "{name} does not take {value:?}");
        }
        for value in refused {
            assert!(!pattern.is_match(value), "{name} takes {value:?}");
        }
    }
}

#[test]
fn the_script_is_killed_after_all_of_its_own_waits() {
    let script = script();
    let seconds = |name: &str| -> u64 {
        let line = script.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    // A restart may have to be undone by another one. What is left is for the restarts themselves and for fetching.
    let waits = seconds("lock_wait") + seconds("answer_wait") + 2 * seconds("verify_wait");
    assert!(TIMEOUT > Duration::from_secs(waits + 180), "{waits}");
}
