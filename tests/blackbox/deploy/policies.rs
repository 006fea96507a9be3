//! deploy/iam: the printed policies of an example, with variables for what differs from account to account.

use regcred_sandbox::Statement;
use serde_json::Value;

use super::{assert_made, path, read};
use crate::iam;
use crate::tools::Program;
use crate::world::{ACCOUNT as SANDBOX_ACCOUNT, REGION, with_hosts};

/// Whose policies there are.
pub(super) const KINDS: [&str; 5] = ["controller", "instance", "task-execution", "bucket", "key"];

const ACCOUNT: &str = "111122223333";

/// What the example is called, and the variable that stands for it: the first that fits. Where the variable is a prefix, a star
/// stands for the rest.
const VARIABLES: [(&str, &str); 14] = [
    ("arn:aws:", "arn:${partition}:"),
    (ACCOUNT, "${account}"),
    (".eu-west-1.amazonaws.com", ".${region}.${dns_suffix}"),
    ("eu-west-1", "${region}"),
    ("acme-regcred/ecs/prod.config", "${bucket}/${ecs_config_prefix}*"),
    ("acme-regcred/regcred/*", "${bucket}/${state_prefix}*"),
    ("acme-regcred", "${bucket}"),
    ("alias/regcred", "${key_alias}"),
    ("secret:ecs/registry/", "secret:${secret_prefix}*"),
    ("secret:regcred/sources/", "secret:${source_secret_prefix}*"),
    ("parameter/regcred/sources/", "parameter${source_parameter_prefix}*"),
    ("cluster/prod-*", "cluster/${clusters}"),
    ("container-instance/prod-*/*", "container-instance/${clusters}/*"),
    ("document/regcred-refresh", "document/${document}"),
];

/// All names of variables.
pub(super) const NAMES: [&str; 13] = [
    "account",
    "bucket",
    "clusters",
    "dns_suffix",
    "document",
    "ecs_config_prefix",
    "key_alias",
    "partition",
    "region",
    "secret_prefix",
    "source_parameter_prefix",
    "source_secret_prefix",
    "state_prefix",
];

async fn printed(kind: &str) -> Value {
    let ended = Program::regcred()
        .arguments(["iam", kind, "--account", ACCOUNT, "--config"])
        .arguments([path("iam/example.yaml")])
        .run()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

/// The policy with variables. Of resources that become one, one is left.
fn generalised(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(with_variables(text)),
        Value::Array(values) => {
            let mut all: Vec<Value> = values.iter().map(generalised).collect();
            all.dedup();
            Value::Array(all)
        }
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), generalised(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn with_variables(text: &str) -> String {
    let mut text = text.to_owned();
    for (example, variable) in VARIABLES {
        let Some(at) = text.find(example) else { continue };
        // A prefix takes the name behind it along.
        let end = if variable.ends_with("_prefix}*") && !example.contains("acme-regcred") {
            text.len()
        } else {
            at + example.len()
        };
        text.replace_range(at..end, variable);
    }
    text
}

/// The variables that stand in a text.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).map(|rest| rest.split_once('}').unwrap().0)
}

#[tokio::test]
async fn the_policies_are_what_is_printed_of_the_example_with_variables_for_its_names() {
    for kind in KINDS {
        let policy = generalised(&printed(kind).await);
        let text = serde_json::to_string_pretty(&policy).unwrap() + "\n";
        for left in ["acme", "prod", "eu-west-1", ACCOUNT, "dockerhub", "ghcr", "arn:aws:"] {
            assert!(!text.contains(left), "{kind}: {left} has no variable:\n{text}");
        }
        for name in variables(&text) {
            assert!(NAMES.contains(&name), "{kind}: nothing gives `{name}`");
        }
        assert_made(&format!("iam/{kind}.json"), &text);
    }
}

#[tokio::test]
async fn the_example_is_a_valid_configuration() {
    let ended =
        Program::regcred().arguments(["check", "--config"]).arguments([path("iam/example.yaml")]).run().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>: of a managed policy, white space not counted.
#[test]
fn the_policies_of_roles_fit_into_a_managed_policy() {
    for kind in ["controller", "instance", "task-execution"] {
        let policy: Value = serde_json::from_str(&read(&format!("iam/{kind}.json"))).unwrap();
        // Long names of an operator's have room for half as much again.
        let length = policy.to_string().len();
        assert!(length < 4_096, "{kind}: {length}");
    }
}

/// A prefix stands for more than the printed policy names, and for nothing less: the main job is done under the template's own
/// text, with values for its variables. Its statements about keys have conditions, which the sandbox does not judge, and are left
/// out: the world there has no key.
#[tokio::test]
async fn a_controller_with_the_templates_policy_does_all_of_its_work() {
    let values = |name: &str| match name {
        "account" => SANDBOX_ACCOUNT,
        // The world has a bucket for the state and another one for objects.
        "bucket" => "acme-*",
        "clusters" => "*",
        "document" => "regcred-refresh",
        "dns_suffix" => "amazonaws.com",
        "ecs_config_prefix" => "prod/",
        "key_alias" => "alias/regcred",
        "partition" => "aws",
        "region" => REGION,
        "secret_prefix" => "ecs/registry/",
        "source_parameter_prefix" => "/sources/",
        "source_secret_prefix" => "sources/",
        "state_prefix" => "regcred/",
        _ => panic!("{name} has no value here"),
    };
    let text = NAMES
        .iter()
        .fold(read("iam/controller.json"), |text, name| text.replace(&format!("${{{name}}}"), values(name)));
    let mut policy: Value = serde_json::from_str(&text).unwrap();
    policy["Statement"].as_array_mut().unwrap().retain(|statement| statement.get("Condition").is_none());
    let mut statements = iam::statements(&policy, None);
    // The example copies no secret to other Regions, and this world does.
    statements.push(Statement::allow(&["secretsmanager:ReplicateSecretToRegions"], &["*"]));
    let world =
        iam::start("a_controller_with_the_templates_policy", statements, with_hosts(iam::hosts())).await;
    iam::main_job(&world).await.unwrap_or_else(|ended| panic!("{}{}", ended.stdout, ended.stderr));
}
