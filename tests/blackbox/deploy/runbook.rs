//! docs/RUNBOOK.md has each alarm, each exit code, each outcome of a host and each halt, and none that there is not.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::{read, yaml};

type Names = BTreeSet<String>;

/// A file of docs/.
fn doc(name: &str) -> String {
    read(&format!("../docs/{name}"))
}

/// What stands below a heading of the second level.
fn section(document: &str, heading: &str) -> String {
    let (_, rest) = document.split_once(&format!("\n## {heading}\n")).unwrap();
    rest.split_once("\n## ").map_or(rest, |(section, _)| section).to_owned()
}

fn headings(section: &str) -> Names {
    section.lines().filter_map(|line| Some(line.strip_prefix("### ")?.to_owned())).collect()
}

/// The first cell of each row of the tables in a section.
fn first_cells(section: &str) -> impl Iterator<Item = &str> {
    section.lines().filter_map(|line| Some(line.strip_prefix("| ")?.split_once(" | ")?.0))
}

/// The names in backticks that rows begin with.
fn rows(section: &str) -> Names {
    let cells = first_cells(section).filter_map(|cell| cell.strip_prefix('`'));
    cells
        .flat_map(|names| names.split('`').step_by(2))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The values of the member that tells the variants of a type apart, in the schema of a report.
fn variants(of: &str, member: &str) -> Names {
    let schema: Value = serde_json::from_str(&doc("schemas/report.json")).unwrap();
    let value = |variant: &Value| variant["properties"][member]["const"].as_str().unwrap().to_owned();
    schema["$defs"][of]["oneOf"].as_array().unwrap().iter().map(value).collect()
}

/// The names of a template's alarms.
fn alarms(template: &str) -> Names {
    let template = yaml(&read(template));
    let resources = template["Resources"].as_object().unwrap().values();
    let name = |resource: &Value| match resource["Type"].as_str().unwrap() {
        "AWS::CloudWatch::Alarm" => resource["Properties"]["AlarmName"].as_str().map(str::to_owned),
        "AWS::Events::Rule" => resource["Properties"]["Name"].as_str().map(str::to_owned),
        _ => None,
    };
    resources.filter_map(name).collect()
}

#[test]
fn every_alarm_has_a_heading() {
    let of_lambda = alarms("lambda/template.yaml");
    let rules = yaml(&read("prometheus/regcred.rules.yaml"));
    let rules = rules["groups"][0]["rules"].as_array().unwrap().clone();
    let of_daemon = rules.iter().map(|rule| rule["alert"].as_str().unwrap().to_owned());
    let of_task = alarms("ecs/scheduled-task.yaml");
    let all: Names = of_lambda.iter().cloned().chain(of_task).chain(of_daemon).collect();
    assert_eq!(headings(&section(&doc("RUNBOOK.md"), "Alarms")), all);

    let terraform = read("terraform/lambda/alarms.tf");
    let assigned = terraform.lines().filter_map(|line| line.split_once('='));
    let names = assigned
        .filter(|(name, _)| name.trim() == "alarm_name")
        .map(|(_, value)| value.trim().trim_matches('"'));
    assert_eq!(names.map(str::to_owned).collect::<Names>(), of_lambda);
}

#[test]
fn every_exit_code_has_a_heading() {
    let table = section(&doc("OUTPUT.md"), "Exit codes");
    let codes = first_cells(&table).filter(|cell| cell.starts_with(|first: char| first.is_ascii_digit()));
    let codes: Names = codes.map(str::to_owned).collect();
    assert!(codes.len() >= 8, "{codes:?}");
    assert_eq!(headings(&section(&doc("RUNBOOK.md"), "Exit codes")), codes);
}

#[test]
fn every_outcome_of_a_host_and_every_halt_has_a_row() {
    let runbook = doc("RUNBOOK.md");
    assert_eq!(rows(&section(&runbook, "Hosts")), variants("HostReport", "outcome"));
    assert_eq!(rows(&section(&runbook, "Exit codes")), variants("Halt", "because"));
}

/// A test that a statement rests on has to be there.
#[test]
fn every_file_that_the_threat_model_names_is_there() {
    let text = doc("THREAT_MODEL.md");
    let words = text.split(|c: char| c.is_whitespace() || "`(),;:".contains(c));
    let paths = words.map(|word| word.trim_end_matches('.'));
    let ours =
        |path: &&str| ["tests/", "crates/", "docs/", "deploy/"].iter().any(|folder| path.starts_with(folder));
    let named: BTreeSet<&str> = paths.filter(ours).collect();
    assert!(named.len() > 8, "{named:?}");
    for path in named {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(), "{path} is not there");
    }
}

/// Each metric and each value of a label that an alarm asks for is one of docs/METRICS.md, which is held to the daemon.
#[test]
fn the_alarms_ask_for_metrics_that_there_are() {
    let (rules, metrics) = (read("prometheus/regcred.rules.yaml"), doc("METRICS.md"));
    let rules: String = rules.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let mut asked = 0;
    for found in rules.split("regcred_").skip(1) {
        let name: String = found.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
        let row = metrics.lines().find(|line| line.starts_with(&format!("| `regcred_{name}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/METRICS.md has no regcred_{name}"));
        let Some(labels) = found[name.len()..].strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
            continue;
        };
        let (label, values) = labels.0.split_once(['=']).unwrap();
        assert!(row.contains(&format!("`{label}`")), "{name} has no label {label}");
        for value in values.trim_start_matches('~').trim_matches('"').split('|') {
            assert!(row.contains(&format!("`{value}`")), "{name} has no {label} {value}");
            asked += 1;
        }
    }
    assert!(asked >= 5, "{asked}");
}
