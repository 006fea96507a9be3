//! docs/RUNBOOK.md has each alarm, each exit code, each outcome of a host and each halt, and none that there is not.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{read, yaml};

const RUNBOOK: &str = include_str!("../../../docs/RUNBOOK.md");
const OUTPUT: &str = include_str!("../../../docs/OUTPUT.md");
const REPORT: &str = include_str!("../../../docs/schemas/report.json");

/// What stands below a heading of the second level.
fn section(heading: &str) -> &'static str {
    let (_, rest) = RUNBOOK.split_once(&format!("\n## {heading}\n")).unwrap();
    rest.split_once("\n## ").map_or(rest, |(section, _)| section)
}

fn headings(section: &str) -> BTreeSet<&str> {
    section.lines().filter_map(|line| line.strip_prefix("### ")).collect()
}

/// The names in backticks that the rows of a table begin with.
fn rows(section: &str) -> BTreeSet<&str> {
    let first = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once(" | ").map(|(first, _)| first));
    first.flat_map(|names| names.split('`').step_by(2)).collect()
}

/// The values of the member that tells the variants of a type apart.
fn variants(of: &str, member: &str) -> BTreeSet<String> {
    let schema: Value = serde_json::from_str(REPORT).unwrap();
    let all = schema["$defs"][of]["oneOf"].as_array().unwrap().clone();
    let value = |variant: &Value| variant["properties"][member]["const"].as_str().unwrap().to_owned();
    all.iter().map(value).collect()
}

fn owned(names: BTreeSet<&str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn every_alarm_of_the_templates_has_a_heading() {
    let mut alarms = BTreeSet::new();
    for template in ["lambda/template.yaml", "ecs/scheduled-task.yaml"] {
        for resource in yaml(&read(template))["Resources"].as_object().unwrap().values() {
            let name = match resource["Type"].as_str().unwrap() {
                "AWS::CloudWatch::Alarm" => &resource["Properties"]["AlarmName"],
                "AWS::Events::Rule" => &resource["Properties"]["Name"],
                _ => continue,
            };
            alarms.insert(name.as_str().unwrap().to_owned());
        }
    }
    for line in read("terraform/lambda/alarms.tf").lines() {
        let Some(("alarm_name", name)) =
            line.split_once('=').map(|(name, value)| (name.trim(), value.trim()))
        else {
            continue;
        };
        assert!(alarms.contains(name.trim_matches('"')), "{name} is an alarm of Terraform alone");
    }
    assert_eq!(owned(headings(section("Alarms"))), alarms);
}

#[test]
fn every_exit_code_has_a_heading() {
    let table = OUTPUT.split_once("\n## Exit codes\n").unwrap().1;
    let codes =
        table.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | ").map(|(code, _)| code));
    let codes: BTreeSet<&str> = codes
        .take_while(|code| !code.is_empty())
        .filter(|code| code.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    assert!(codes.len() >= 8, "{codes:?}");
    assert_eq!(headings(section("Exit codes")), codes);
}

#[test]
fn every_outcome_of_a_host_and_every_halt_has_a_row() {
    assert_eq!(owned(rows(section("Hosts"))), variants("HostReport", "outcome"));
    assert_eq!(owned(rows(section("Exit codes"))), variants("Halt", "because"));
}

/// A test that a statement rests on has to be there.
#[test]
fn every_file_that_the_threat_model_names_is_there() {
    let text = include_str!("../../../docs/THREAT_MODEL.md");
    let named = text.split(|c: char| c.is_whitespace() || "`(),;:".contains(c));
    let named: BTreeSet<&str> = named
        .map(|word| word.trim_end_matches('.').split('#').next().unwrap())
        .filter(|word| {
            ["tests/", "crates/", "docs/", "deploy/"].iter().any(|folder| word.starts_with(folder))
        })
        .collect();
    assert!(named.len() > 8, "{named:?}");
    for path in named {
        assert!(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(), "{path} is not there");
    }
}
