//! What the binary prints as JSON, held against docs/schemas: every result of every test goes through here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

/// The schema of each command's result.
const SCHEMAS: [(&str, &str); 17] = [
    ("check", include_str!("../../docs/schemas/check.json")),
    ("doctor", include_str!("../../docs/schemas/doctor.json")),
    ("explain", include_str!("../../docs/schemas/explain.json")),
    ("iam", include_str!("../../docs/schemas/iam.json")),
    ("init", include_str!("../../docs/schemas/init.json")),
    ("lambda", include_str!("../../docs/schemas/lambda.json")),
    ("lint", include_str!("../../docs/schemas/lint.json")),
    ("pause", include_str!("../../docs/schemas/pause.json")),
    ("plan", include_str!("../../docs/schemas/plan.json")),
    ("release", include_str!("../../docs/schemas/release.json")),
    ("render", include_str!("../../docs/schemas/render.json")),
    ("resume", include_str!("../../docs/schemas/pause.json")),
    ("snippet", include_str!("../../docs/schemas/snippet.json")),
    ("status", include_str!("../../docs/schemas/status.json")),
    ("sync", include_str!("../../docs/schemas/report.json")),
    ("verify", include_str!("../../docs/schemas/verify.json")),
    ("verify --hosts", include_str!("../../docs/schemas/verify-hosts.json")),
];

/// Holds what a command printed against its schema.
///
/// # Panics
/// If there is no schema of it, or it is not what the schema says.
pub(crate) fn assert_documented(command: &str, result: &Value) {
    static VALIDATORS: LazyLock<BTreeMap<&str, Validator>> = LazyLock::new(|| {
        let validator = |(command, schema): (&'static str, &str)| (command, compile(schema));
        SCHEMAS.into_iter().map(validator).collect()
    });
    let validator = VALIDATORS.get(command).unwrap_or_else(|| panic!("no schema describes `{command}`"));
    let flaws = flaws(validator, result);
    assert!(flaws.is_empty(), "`{command}` is not what docs/schemas says:\n{}", flaws.join("\n"));
}

fn compile(schema: &str) -> Validator {
    let schema = serde_json::from_str(schema).expect("docs/schemas holds JSON");
    jsonschema::draft202012::new(&schema).expect("docs/schemas holds schemas")
}

fn flaws(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn a_schema_takes_no_member_that_it_does_not_name_and_misses_none_that_it_does() {
    let validator = compile(include_str!("../../docs/schemas/plan.json"));
    let estimate = json!({ "calls": 0, "seconds": 0 });
    let plan = json!({
        "version": 1, "registries": [], "secrets": [], "objects": [], "fleets": [], "estimate": estimate,
    });
    assert_eq!(flaws(&validator, &plan), [""; 0]);
    for (member, value) in [("more", json!(1)), ("version", json!("1")), ("estimate", json!({ "calls": 0 }))]
    {
        let mut changed = plan.clone();
        changed[member] = value;
        assert!(!flaws(&validator, &changed).is_empty(), "{member}");
    }
    let step =
        json!({ "location": "eu", "name": "n", "registry": "r", "action": "unchanged", "version": "v" });
    let mut changed = plan.clone();
    changed["secrets"] = json!([step]);
    assert_eq!(flaws(&validator, &changed), [""; 0]);
    for (member, value) in [("action", json!("untouched")), ("more", json!(1))] {
        let mut wrong = changed.clone();
        wrong["secrets"][0][member] = value;
        assert!(!flaws(&validator, &wrong).is_empty(), "{member}");
    }
}
