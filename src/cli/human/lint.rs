//! Findings, as a person reads them: three lines each.

use regcred_core::lint::{Finding, Rule, Severity};

use super::{Page, counted};
use crate::cli::lint::{Fixed, Linted};

pub(crate) fn linted(linted: &Linted) -> String {
    let Linted { file, findings, fixed, .. } = linted;
    let mut page = Page::default();
    for finding in findings {
        page.line(three_lines(file, finding));
    }
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    match findings.len() {
        0 => page.line(format!("{file}: agents read it as it is meant")),
        _ => page.line(format!(
            "{file}: {}, {}, {}; docs/LINT.md has a page on each rule",
            counted(of(Severity::Error), "error"),
            counted(of(Severity::Warning), "warning"),
            counted(of(Severity::Note), "note")
        )),
    }
    if let Some(Fixed { path, mended, left, moves_cluster }) = fixed {
        let names: Vec<&str> = mended.iter().copied().map(Rule::id).collect();
        page.line(format!("{}: mended {}", path.display(), names.join(", ")));
        if !left.is_empty() {
            page.line(format!("  left to you: {}", rules(left)));
        }
        if *moves_cluster {
            page.line(
                "  it names another ECS_CLUSTER than agents read before: those that joined that one end when they start \
                 with it",
            );
        }
    }
    page.0
}

fn rules(findings: &[Finding]) -> String {
    let mut rules: Vec<&str> = findings.iter().map(|finding| finding.rule.id()).collect();
    rules.dedup();
    rules.join(", ")
}

fn three_lines(file: &str, finding: &Finding) -> String {
    let Finding { rule, severity, line, column, what, why, to_do } = finding;
    let severity = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let place = match (line, column) {
        (Some(line), Some(column)) => format!(":{line}:{column}"),
        (Some(line), None) => format!(":{line}"),
        (None, _) => String::new(),
    };
    format!("{severity}: {file}{place}: {what} [{rule}]\n  because: {why}\n  to do:   {to_do}")
}
