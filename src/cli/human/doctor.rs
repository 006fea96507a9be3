//! A diagnosis, as a person reads it: what is wrong in three lines each, and how much is right.

use std::collections::{BTreeMap, BTreeSet};

use regcred_core::doctor::{Aspect, Diagnosis, Outcome, Severity, Untried};
use regcred_core::report::Failure;

use super::{Page, counted};

pub(crate) fn diagnosis(diagnosis: &Diagnosis) -> String {
    let Diagnosis { checks, untried, version: _, verdict: _ } = diagnosis;
    let mut page = Page::default();
    let (mut good, mut exempt) = (BTreeMap::<Aspect, usize>::new(), BTreeMap::<&str, usize>::new());
    let (mut errors, mut warnings, mut untold) = (0, 0, 0);
    for check in checks {
        match &check.outcome {
            Outcome::Good => *good.entry(check.aspect).or_default() += 1,
            Outcome::Exempt { why } => *exempt.entry(why).or_default() += 1,
            Outcome::Finding { severity: Severity::Error, failure } => {
                errors += 1;
                page.line(lines("error", failure));
            }
            Outcome::Finding { severity: Severity::Warning, failure } => {
                warnings += 1;
                page.line(lines("warning", failure));
            }
            Outcome::CannotTell { failure } => {
                untold += 1;
                page.line(lines("cannot tell", failure));
            }
        }
    }
    let good: Vec<String> = good.iter().map(|(aspect, count)| format!("{aspect} {count}")).collect();
    if !good.is_empty() {
        page.line(format!("good: {}", good.join(", ")));
    }
    for (why, count) in exempt {
        page.line(format!("not counted: {}, {why}", counted(count, "check")));
    }
    let actions: BTreeSet<&str> = untried.iter().map(|Untried { action, .. }| action.as_str()).collect();
    if !actions.is_empty() {
        let actions: Vec<&str> = actions.into_iter().collect();
        page.line(format!("not tried, as only a write would tell: {}", actions.join(", ")));
    }
    page.line(match (errors, warnings, untold) {
        (0, 0, 0) => "nothing is wrong that a look can show".to_owned(),
        _ => format!(
            "{}, {}, {} that could not be told; docs/DOCTOR.md",
            counted(errors, "error"),
            counted(warnings, "warning"),
            counted(untold, "check")
        ),
    });
    page.0
}

fn lines(word: &str, failure: &Failure) -> String {
    let Failure { kind: _, what, why, remedy } = failure;
    format!("{word}: {what}\n  because: {why}\n  to do:   {remedy}")
}
