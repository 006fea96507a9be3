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
