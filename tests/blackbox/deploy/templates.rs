//! The templates, held against the policies of deploy/iam and against what they embed.

use serde_json::{Map, Value, json};

use super::policies::{KINDS, NAMES};
use super::{assert_made, read, yaml};

const BOOTSTRAP: &str = "cloudformation/bootstrap.yaml";

/// What CloudFormation calls a variable of deploy/iam: its own, a parameter, or a resource of the template.
fn in_cloudformation(name: &str) -> &'static str {
    match name {
        "account" => "AWS::AccountId",
        "bucket" => "Bucket",
        "clusters" => "Clusters",
        "dns_suffix" => "AWS::URLSuffix",
        "document" => "DocumentName",
        "ecs_config_prefix" => "EcsConfigPrefix",
        "key_alias" => "KeyAlias",
        "partition" => "AWS::Partition",
        "region" => "AWS::Region",
        "secret_prefix" => "SecretPrefix",
        "source_parameter_prefix" => "SourceParameterPrefix",
        "source_secret_prefix" => "SourceSecretPrefix",
        "state_prefix" => "StatePrefix",
        _ => panic!("CloudFormation has no name for `{name}`"),
    }
}

/// A policy of deploy/iam as CloudFormation takes it.
fn substituted(value: &Value) -> Value {
    match value {
        Value::String(text) if text.contains("${") => {
            let text = NAMES.iter().fold(text.clone(), |text, name| {
                text.replace(&format!("${{{name}}}"), &format!("${{{}}}", in_cloudformation(name)))
            });
            json!({ "Fn::Sub": text })
        }
        Value::Array(values) => values.iter().map(substituted).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), substituted(value))).collect()
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// JSON in YAML's block style, each line indented.
fn block(value: &Value, indent: usize, lines: &mut Vec<String>) {
    let margin = " ".repeat(indent);
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let name = if name.contains(':') { format!("\"{name}\"") } else { name.clone() };
                match value {
                    Value::Object(_) | Value::Array(_) if inline(value).len() > 100 => {
                        lines.push(format!("{margin}{name}:"));
                        block(value, indent + 2, lines);
                    }
                    _ => lines.push(format!("{margin}{name}: {}", inline(value))),
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                if inline(value).len() <= 120 && !value.is_object() || value.get("Fn::Sub").is_some() {
                    lines.push(format!("{margin}- {}", inline(value)));
                    continue;
                }
                let first = lines.len();
                block(value, indent + 2, lines);
                lines[first].replace_range(indent..indent + 2, "- ");
            }
        }
        _ => lines.push(format!("{margin}{}", inline(value))),
    }
}

/// In YAML's flow style, which JSON is but for the spaces.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let all: Vec<String> =
                members.iter().map(|(name, value)| format!("\"{name}\": {}", inline(value))).collect();
            format!("{{ {} }}", all.join(", "))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(inline).collect::<Vec<_>>().join(", ")),
        _ => value.to_string(),
    }
}

/// A template with what stands below each `# from FILE` written anew from that file.
fn filled(template: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut rest = template.lines().peekable();
    while let Some(line) = rest.next() {
        lines.push(line.to_owned());
        let Some((_, file)) = line.split_once(" # from deploy/") else { continue };
        let indent = line.len() - line.trim_start().len();
        while rest.next_if(|line| line.is_empty() || line.len() - line.trim_start().len() > indent).is_some()
        {
        }
        let content: Value = serde_json::from_str(&read(file)).unwrap();
        let content = if file.starts_with("iam/") { substituted(&content) } else { content };
        block(&content, indent + 2, &mut lines);
        if rest.peek().is_some() {
            lines.push(String::new());
        }
    }
    lines.join("\n") + "\n"
}

fn bootstrap() -> Map<String, Value> {
    let Value::Object(template) = yaml(&read(BOOTSTRAP)) else { panic!("no map") };
    template
}

#[test]
fn the_blocks_of_the_bootstrap_template_are_made_of_what_they_name() {
    assert_made(BOOTSTRAP, &filled(&read(BOOTSTRAP)));
}

/// Not how it is laid out: what CloudFormation would read.
#[test]
fn the_bootstrap_template_has_the_policies_and_the_document_that_regcred_needs() {
    let template = bootstrap();
    let resources = &template["Resources"];
    let attached = |kind: &str| match kind {
        "controller" => &resources["ControllerPolicy"]["Properties"]["PolicyDocument"],
        "instance" => &resources["InstancePolicy"]["Properties"]["PolicyDocument"],
        "task-execution" => &resources["TaskExecutionPolicy"]["Properties"]["PolicyDocument"],
        "bucket" => &resources["BucketPolicy"]["Properties"]["PolicyDocument"],
        "key" => &resources["Key"]["Properties"]["KeyPolicy"],
        _ => panic!("{kind}"),
    };
    for kind in KINDS {
        let policy: Value = serde_json::from_str(&read(&format!("iam/{kind}.json"))).unwrap();
        assert_eq!(*attached(kind), substituted(&policy), "{kind}");
    }
    let document = &resources["Document"]["Properties"];
    // What it says is what regcred compares, not how it is laid out; and no number or flag is in it, which CloudFormation would
    // turn into text.
    let carried: Value = serde_json::from_str(&read("ssm/regcred-refresh.json")).unwrap();
    assert_eq!(document["Content"], carried);
    assert!(is_text_throughout(&carried));
    assert_eq!((&document["DocumentType"], &document["DocumentFormat"]), (&json!("Command"), &json!("JSON")));

    let bucket = &resources["Bucket"]["Properties"];
    assert_eq!(bucket["VersioningConfiguration"]["Status"], "Enabled");
    assert!(bucket["LifecycleConfiguration"]["Rules"][0]["NoncurrentVersionExpiration"].is_object());
    for kept in ["Bucket", "Key"] {
        assert_eq!(resources[kept]["DeletionPolicy"], "Retain", "{kept}");
    }
}

fn is_text_throughout(value: &Value) -> bool {
    match value {
        Value::String(_) => true,
        Value::Array(values) => values.iter().all(is_text_throughout),
        Value::Object(members) => members.values().all(is_text_throughout),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The parameters' defaults are the names of the example, so that a stack without any parameter fits a configuration like it.
#[test]
fn the_defaults_of_the_bootstrap_template_are_those_of_the_example() {
    let parameters = bootstrap()["Parameters"].clone();
    let example = yaml(&read("iam/example.yaml"));
    let is = |parameter: &str| parameters[parameter]["Default"].as_str().unwrap().to_owned();
    assert_eq!(is("StatePrefix"), example["state"]["prefix"]);
    for (name, registry) in example["registries"].as_object().unwrap() {
        let secret = registry["secret"]["name"].as_str().unwrap();
        assert!(secret.starts_with(&is("SecretPrefix")), "{name}");
        assert_eq!(registry["secret"]["kms_key"], is("KeyAlias"), "{name}");
    }
    let object = &example["ecs_configs"]["prod"];
    assert!(object["key"].as_str().unwrap().starts_with(&is("EcsConfigPrefix")));
    let dockerhub = &example["registries"]["dockerhub"]["source"]["secrets_manager"]["secret"];
    assert!(dockerhub.as_str().unwrap().starts_with(&is("SourceSecretPrefix")));
    let ghcr = &example["registries"]["ghcr"]["source"]["ssm_parameter"]["name"];
    assert!(ghcr.as_str().unwrap().starts_with(&is("SourceParameterPrefix")));
    // What hosts may read, and what they must not.
    assert!(!is("StatePrefix").starts_with(&is("EcsConfigPrefix")));
}

/// A quick reading of HCL, which holds for how these files are written: the lines `NAME = VALUE`.
fn assignments(text: &str) -> Vec<(&str, &str)> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect()
}

#[test]
fn the_terraform_module_takes_the_same_policies_and_gives_each_of_their_variables() {
    let (main, roles) = (read("terraform/bootstrap/main.tf"), read("terraform/bootstrap/roles.tf"));
    let both = format!("{main}{roles}");
    for kind in KINDS {
        let policy = format!("templatefile(\"${{path.module}}/../../iam/{kind}.json\", local.names)");
        assert_eq!(both.matches(&policy).count(), 1, "{kind}");
    }
    assert!(main.contains("= file(\"${path.module}/../../ssm/regcred-refresh.json\")"));
    let (_, names) = main.split_once("  names = {\n").unwrap();
    let given: Vec<&str> =
        assignments(names.split_once("\n  }\n").unwrap().0).into_iter().map(|(name, _)| name).collect();
    assert_eq!(given, NAMES);
}

#[test]
fn the_terraform_module_has_the_defaults_of_the_bootstrap_template() {
    let parameters = bootstrap()["Parameters"].clone();
    let variables = read("terraform/bootstrap/variables.tf");
    let mut compared = 0;
    for variable in variables.split("variable \"").skip(1) {
        let (name, rest) = variable.split_once('"').unwrap();
        let default =
            assignments(rest).into_iter().find(|(name, _)| *name == "default").map(|(_, value)| value);
        let parameter: String = name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        let theirs = &parameters[&parameter]["Default"];
        // CloudFormation has no null: an empty text, or an empty list, stands for it.
        let as_theirs = match default.unwrap_or_else(|| panic!("{name} has no default")) {
            "null" | "[]" => json!(""),
            value => serde_json::from_str(value).unwrap(),
        };
        assert_eq!(as_theirs, *theirs, "{name}, {parameter}");
        compared += 1;
    }
    assert_eq!(compared, parameters.as_object().unwrap().len());
}

/// Whether a pattern of EventBridge takes an event, of what the patterns here use
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>).
fn takes(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(members) => members.iter().all(|(name, pattern)| takes(pattern, &event[name])),
        Value::Array(alternatives) => alternatives.iter().any(|alternative| match alternative.as_object() {
            None => alternative == event,
            Some(filter) => match filter.iter().next().map(|(name, value)| (name.as_str(), value)).unwrap() {
                ("prefix", prefix) => event.as_str().unwrap().starts_with(prefix.as_str().unwrap()),
                ("wildcard", pattern) => fits(pattern.as_str().unwrap(), event.as_str().unwrap()),
                ("numeric", limit) if limit[0] == "<=" => event.as_f64() <= limit[1].as_f64(),
                (name, _) => panic!("no pattern here has {name}"),
            },
        }),
        _ => panic!("a pattern has lists at its ends"),
    }
}

/// A star stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    (0..=rest.len()).any(|at| rest.is_char_boundary(at) && fits(after, &rest[at..]))
}

/// The template with the defaults of its parameters in the places of `Ref`.
fn with_defaults(value: &Value, parameters: &Value) -> Value {
    match value {
        Value::Object(members) => match members.get("Ref").and_then(Value::as_str) {
            Some(name) => parameters[name]["Default"].clone(),
            None => {
                members.iter().map(|(name, value)| (name.clone(), with_defaults(value, parameters))).collect()
            }
        },
        Value::Array(values) => values.iter().map(|value| with_defaults(value, parameters)).collect(),
        _ => value.clone(),
    }
}

#[test]
fn the_rules_of_the_lambda_take_the_events_of_sources_and_of_hosts_that_join() {
    let template = yaml(&read("lambda/template.yaml"));
    let events =
        with_defaults(&template["Resources"]["Function"]["Properties"]["Events"], &template["Parameters"]);
    let event = |name: &str| -> Value {
        serde_json::from_str(&read(&format!("../tests/events/{name}.json"))).unwrap()
    };
    let (secret, host) = (event("secret-label-updated"), event("container-instance-state-change"));
    let changed = |event: &Value, name: &str, value: Value| {
        let mut event = event.clone();
        event["detail"][name] = value;
        event
    };
    let pattern = &events["SourceChanged"]["Properties"]["Pattern"];
    let of_source = changed(&secret, "name", json!("regcred/sources/hub"));
    assert!(takes(pattern, &of_source));
    for other in [secret, changed(&of_source, "labelUpdated", json!("MINE")), host.clone()] {
        assert!(!takes(pattern, &other), "{other}");
    }
    let pattern = &events["HostJoined"]["Properties"]["Pattern"];
    let joined = changed(&host, "version", json!(3));
    assert!(takes(pattern, &joined));
    for other in [
        host,
        changed(&joined, "agentConnected", json!(false)),
        changed(&joined, "status", json!("DRAINING")),
        of_source,
    ] {
        assert!(!takes(pattern, &other), "{other}");
    }
}

#[test]
fn the_lambda_is_given_what_is_built_and_told_by_a_variable_that_is_read() {
    let template = yaml(&read("lambda/template.yaml"));
    let function = &template["Resources"]["Function"]["Properties"];
    assert_eq!(function["CodeUri"], "../../target/regcred-lambda-x86_64.zip");
    assert!(read("../package/run").contains("$target/regcred-lambda-$arch.zip"));
    let variables = read("../src/config/env.rs");
    for name in function["Environment"]["Variables"].as_object().unwrap().keys() {
        assert!(variables.contains(&format!("= \"{name}\";")), "{name}");
    }
    assert_eq!(
        (&function["Runtime"], &function["Handler"]),
        (&json!("provided.al2023"), &json!("bootstrap"))
    );
}
