//! A mended file, as far as that can be done without a guess.
//!
//! A mend is made only if no image would get a worse credential for it: what an agent surely used before, it uses still,
//! nothing comes to depend on chance, and no key loses its only usable login, read by agents or not. That is proven by the agent's own rules after each mend; one that does not hold is
//! left out, and the finding stays.

mod data;
mod lines;
mod proof;
mod usable;

use std::collections::BTreeSet;

use super::{Finding, Rule, lint};
use crate::document::Document;
use crate::secret::Secret;

/// A file after everything was mended that can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// All of it.
    pub text: Secret,
    /// Whether it differs from the file that was given.
    pub is_changed: bool,
    /// The rules that the file broke before and does not any more.
    pub mended: Vec<Rule>,
    /// What is left for a person to do.
    pub left: Vec<Finding>,
    /// Whether the mended file names another cluster than agents read in it before: they joined that one, and end when
    /// they are started for another.
    pub moves_cluster: bool,
}

type Mend = fn(&Document) -> Option<Secret>;

/// In this order: what a line says can be told only once it is one.
const MENDS: [Mend; 19] = [
    lines::byte_order_mark,
    lines::line_ends,
    lines::carriage_returns,
    lines::names,
    lines::quotes,
    lines::comments,
    lines::one_line,
    lines::repeated,
    lines::final_newline,
    lines::known_type,
    data::unwrap,
    lines::missing_type,
    lines::wrong_type,
    data::logins,
    data::docker_hub,
    data::same_keys,
    data::shadowed_hosts,
    data::hosts,
    data::ascii,
];

/// One mend can bring to light what another one mends; no file has more layers than this.
const MOST_ROUNDS: usize = 6;

/// Mends a file. One with bytes that are no text stays as it is: its text has lost them already, and what is written of
/// it would be another file.
pub fn mend(document: &Document) -> Mended {
    let before = lint(document);
    if !document.foreign_lines().is_empty() {
        let text = document.text().clone();
        return Mended { text, is_changed: false, mended: Vec::new(), left: before, moves_cluster: false };
    }
    let mut now = document.clone();
    for _ in 0..MOST_ROUNDS {
        let mut is_changed = false;
        for mend in MENDS {
            let Some(text) = mend(&now).filter(|text| text != now.text()) else { continue };
            let next = now.with(text);
            if proof::is_no_worse(&now, &next) {
                now = next;
                is_changed = true;
            }
        }
        if !is_changed {
            break;
        }
    }
    let mut left = lint(&now);
    let left_rules: BTreeSet<Rule> = left.iter().map(|finding| finding.rule).collect();
    // What a helper keeps is in no file: its name goes, and its credential stays missing.
    let helpers = before.iter().filter(|finding| finding.rule == Rule::CredentialHelper);
    left.extend(helpers.filter(|_| !left_rules.contains(&Rule::CredentialHelper)).cloned());
    let left_rules: BTreeSet<Rule> = left.iter().map(|finding| finding.rule).collect();
    let broken: BTreeSet<Rule> = before.iter().map(|finding| finding.rule).collect();
    let mended = broken.into_iter().filter(|rule| !left_rules.contains(rule)).collect();
    let moves_cluster = now.environment().cluster() != document.environment().cluster();
    let is_changed = now.text() != document.text();
    Mended { text: now.text().clone(), is_changed, mended, left, moves_cluster }
}
