//! Results as a person reads them at night: every line answers a question, and none is printed that answers none.
//!
//! Texts are made here and printed by [`super::output`].

mod audit;
mod doctor;
mod explain;
mod first_config;
mod hosts;
mod lint;
mod pausing;
mod plan;
mod policies;
mod release;
mod report;
mod snippet;
mod status;
mod verification;
mod words;

pub(super) use audit::audit;
pub(super) use doctor::diagnosis;
pub(super) use explain::explanations;
pub(super) use first_config::first_config;
pub(super) use lint::linted;
pub(super) use pausing::pausing;
pub(super) use plan::plan;
pub(super) use policies::policies;
pub(super) use release::release;
pub(super) use report::report;
pub(super) use snippet::snippets;
pub(super) use status::status;
pub(super) use verification::verification;
pub(super) use words::{hold, outcome};

/// Lines of text, made one by one.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, text: impl AsRef<str>) {
        self.0.push_str(text.as_ref().trim_end());
        self.0.push('\n');
    }
}

/// `2,873`.
fn number(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 host`, `2,000 hosts`.
fn counted(count: usize, noun: &str) -> String {
    match (count, noun) {
        (1, _) => format!("1 {noun}"),
        (_, "registry") => format!("{} registries", number(count)),
        _ => format!("{} {noun}s", number(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (value, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (2_872_001, "2,872,001")] {
            assert_eq!(number(value), text);
        }
        assert_eq!(counted(1, "host"), "1 host");
        assert_eq!(counted(2, "registry"), "2 registries");
    }
}
