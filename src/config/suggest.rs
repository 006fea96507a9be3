//! "Did you mean": the known word that an unknown one was probably meant to be.

/// The one of `known` that is nearest to `word`, when it is near enough to be a slip of the hand.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_by(known, |candidate| distance(word, candidate))
}

/// As [`nearest`], for a word that must not be seen.
pub(crate) fn nearest_by<'a>(
    known: impl IntoIterator<Item = &'a str>,
    distance: impl Fn(&str) -> usize,
) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(edits, candidate)| *edits <= tolerance(candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions, and swaps of neighbours; upper and lower case, and `-` and `_`, are one.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    strsim::damerau_levenshtein(&plain(a), &plain(b))
}

/// A third of the word may be wrong, but at least one letter and at most three.
fn tolerance(word: &str) -> usize {
    (word.len() / 3).clamp(1, 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_recognised_and_another_word_is_not() {
        let known = ["max_unavailable", "max_errors", "clusters", "key", "kms_key"];
        for (word, expected) in [
            ("max_unavailble", Some("max_unavailable")),
            ("max-errors", Some("max_errors")),
            ("maxErrors", Some("max_errors")),
            ("cluster", Some("clusters")),
            ("kye", Some("key")),
            ("KEY", Some("key")),
            ("timeout", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }
}
