//! docs/LINT.md has a heading for each rule, says how bad it is and whether it is mended, and has an example that shows it.

use std::collections::BTreeMap;

use regcred_core::document::Document;
use regcred_core::lint::{Rule, Severity, lint, mend};

/// What the page says of one rule.
struct Told {
    /// The first words: the severity, and whether `--fix` mends it.
    label: String,
    example: Vec<u8>,
}

fn page() -> BTreeMap<String, Told> {
    let page = include_str!("../../../docs/LINT.md");
    let sections = page.split("\n### ").skip(1).map(|section| {
        let section = section.split("\n## ").next().unwrap_or_default();
        let (rule, rest) = section.split_once('\n').expect("a heading has a text");
        let label = rest.trim_start().split(". ").next().unwrap_or_default().to_owned();
        let lines: Vec<&str> = rest.lines().filter_map(|line| line.strip_prefix("    ")).collect();
        (rule.to_owned(), Told { label, example: decoded(&format!("{}\n", lines.join("\n"))) })
    });
    sections.collect()
}

/// The example as the bytes that it stands for.
fn decoded(example: &str) -> Vec<u8> {
    let (before, repeated) = match example.split_once("x×") {
        None => (example, String::new()),
        Some((before, count)) => (before, "x".repeat(count.trim().parse().expect("a number follows")) + "\n"),
    };
    let text = format!("{before}{repeated}");
    let text = text.replace('␍', "\r").replace('␀', "\0").replace("<BOM>", "\u{feff}").replace("⤓\n", "");
    let mut bytes = Vec::new();
    for (index, part) in text.split("<FF>").enumerate() {
        if index > 0 {
            bytes.push(0xff);
        }
        bytes.extend(part.as_bytes());
    }
    bytes
}

#[test]
fn each_rule_has_its_heading_its_severity_and_an_example_that_shows_it() {
    let mut page = page();
    let mut wrong = Vec::new();
    for &rule in Rule::ALL {
        let Some(Told { label, example }) = page.remove(rule.id()) else {
            wrong.push(format!("{rule} has no heading"));
            continue;
        };
        let document = Document::read(&example);
        let found = lint(&document);
        if found.iter().all(|finding| finding.rule != rule) {
            let found: Vec<_> = found.iter().map(|finding| finding.rule.id()).collect();
            wrong.push(format!("the example of {rule} shows {found:?}"));
        }
        let severity = match rule.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let mended = mend(&document);
        let is_mended = mended.mended.contains(&rule);
        let expected = format!("{severity}, {}", if is_mended { "mended" } else { "not mended" });
        if label != expected {
            wrong.push(format!("{rule} is called `{label}`, and is `{expected}`"));
        }
        let again = Document::read(mended.text.expose().as_bytes());
        if is_mended && lint(&again).iter().any(|finding| finding.rule == rule) {
            wrong.push(format!("{rule} is found in what was mended"));
        }
        if is_mended && !mended.left.is_empty() {
            wrong.push(format!("the example of {rule} is not clean when it is mended: {:?}", mended.left));
        }
    }
    wrong.extend(page.keys().map(|rule| format!("there is no rule {rule}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
