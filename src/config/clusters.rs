//! Names of clusters with wildcards, and whether two of them can mean the same cluster.

use std::fmt;

use thiserror::Error;

/// A cluster's name, or a pattern of names: `*` stands for any characters, also none, and `?` for exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClusterPattern(String);

/// Why a text is no name of a cluster and no pattern of names.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum ClusterPatternError {
    #[error("the name of a cluster is not empty")]
    Empty,
    #[error("the name of a cluster has at most 255 characters")]
    TooLong,
    #[error("the name of a cluster has letters, digits, `-` and `_` only, and here is {0:?}")]
    Character(char),
}

impl ClusterPattern {
    /// Accepts what ECS accepts as a cluster's name, and wildcards
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html>, `clusterName`).
    pub(crate) fn parse(text: &str) -> Result<Self, ClusterPatternError> {
        if text.is_empty() {
            return Err(ClusterPatternError::Empty);
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || "-_*?".contains(*c);
        if let Some(odd) = text.chars().find(|c| !allowed(c)) {
            return Err(ClusterPatternError::Character(odd));
        }
        if text.len() > 255 {
            return Err(ClusterPatternError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name, when it is one and not a pattern: such a cluster need not be looked for.
    pub(crate) fn as_exact(&self) -> Option<&str> {
        (!self.0.contains(['*', '?'])).then_some(&*self.0)
    }

    /// Whether the cluster of this name is meant.
    pub(crate) fn matches(&self, name: &str) -> bool {
        // A name is a pattern that only itself matches.
        have_common_word(self.0.as_bytes(), name.as_bytes())
    }

    /// Whether there can be a cluster that both patterns mean.
    pub(crate) fn intersects(&self, other: &Self) -> bool {
        have_common_word(self.0.as_bytes(), other.0.as_bytes())
    }
}

/// Whether some text matches both patterns. Exact, by the product of the two automata, walked from the ends: cell
/// `j` of a row tells whether the rest of `a` from `i` and the rest of `b` from `j` have a word in common.
fn have_common_word(a: &[u8], b: &[u8]) -> bool {
    let mut below: Vec<bool> = Vec::new();
    for i in (0..=a.len()).rev() {
        let mut row = vec![false; b.len() + 1];
        for j in (0..=b.len()).rev() {
            let (head_a, head_b) = (a.get(i), b.get(j));
            row[j] = match (head_a, head_b) {
                (None, None) => true,
                // A star stands for nothing, or takes the other side's next symbol and stays.
                (Some(b'*'), None) => below[j],
                (None, Some(b'*')) => row[j + 1],
                (Some(b'*'), Some(_)) | (Some(_), Some(b'*')) => below[j] || row[j + 1],
                (Some(x), Some(y)) => (x == y || *x == b'?' || *y == b'?') && below[j + 1],
                (Some(_), None) | (None, Some(_)) => false,
            };
        }
        below = row;
    }
    below[0]
}

impl fmt::Display for ClusterPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> ClusterPattern {
        ClusterPattern::parse(text).unwrap()
    }

    #[test]
    fn a_pattern_means_the_clusters_a_person_expects() {
        for (text, name, expected) in [
            ("web", "web", true),
            ("web", "web-1", false),
            ("web-*", "web-1", true),
            ("web-*", "web-", true),
            ("web-?", "web-", false),
            ("web-?", "web-1", true),
            ("*", "anything", true),
            ("*-prod", "eu-west-prod", true),
            ("a*b*c", "abbc", true),
            ("a*b*c", "acb", false),
        ] {
            assert_eq!(pattern(text).matches(name), expected, "{text} {name}");
        }
    }

    #[test]
    fn two_patterns_intersect_when_some_name_fits_both() {
        for (a, b, expected) in [
            ("web", "web", true),
            ("web", "w?b", true),
            ("web-*", "*-prod", true),
            ("web-*", "batch-*", false),
            ("a*", "?b", true),
            ("a?", "??b", false),
            ("*a", "*b", false),
            ("*a*", "*b*", true),
            ("*", "?", true),
        ] {
            assert_eq!(pattern(a).intersects(&pattern(b)), expected, "{a} {b}");
            assert_eq!(pattern(b).intersects(&pattern(a)), expected, "{b} {a}");
        }
    }

    #[test]
    fn refuses_what_ecs_would_not_take_as_a_name() {
        assert_eq!(ClusterPattern::parse(""), Err(ClusterPatternError::Empty));
        assert_eq!(ClusterPattern::parse("arn:x"), Err(ClusterPatternError::Character(':')));
        assert_eq!(ClusterPattern::parse(&"c".repeat(256)), Err(ClusterPatternError::TooLong));
    }

    /// Every name of up to `length` letters out of three: two for the patterns, one that no pattern spells out.
    fn names(length: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut longest = 0;
        for _ in 0..length {
            let next: Vec<_> =
                all[longest..].iter().flat_map(|n| ["a", "b", "c"].map(|c| n.clone() + c)).collect();
            longest = all.len();
            all.extend(next);
        }
        all
    }

    /// The textbook matcher, for the clever one to be held against.
    fn matches_plainly(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => {
                matches_plainly(rest, name) || (!name.is_empty() && matches_plainly(pattern, &name[1..]))
            }
            ([b'?', rest @ ..], [_, tail @ ..]) => matches_plainly(rest, tail),
            ([c, rest @ ..], [d, tail @ ..]) => c == d && matches_plainly(rest, tail),
            _ => false,
        }
    }

    proptest! {
        /// A shortest common name is no longer than both patterns together, so looking that far decides it.
        #[test]
        fn the_intersection_is_exact(a in "[ab?*]{1,3}", b in "[ab?*]{1,3}") {
            let by_search = names(a.len() + b.len())
                .iter()
                .any(|n| matches_plainly(a.as_bytes(), n.as_bytes()) && matches_plainly(b.as_bytes(), n.as_bytes()));
            prop_assert_eq!(pattern(&a).intersects(&pattern(&b)), by_search);
        }

        #[test]
        fn matching_is_exact(a in "[ab?*]{1,5}", name in "[abc]{0,6}") {
            prop_assert_eq!(pattern(&a).matches(&name), matches_plainly(a.as_bytes(), name.as_bytes()));
        }
    }
}
