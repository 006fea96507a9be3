//! Identity policies, as far as a double needs them: effect, actions, resources, with `*` and `?`.

use serde::{Deserialize, Serialize};

/// One statement. An explicit deny wins, then an allow, and what nothing allows is denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    pub effect: Effect,
    /// `s3:GetObject`, `s3:*`, `*`.
    pub actions: Vec<String>,
    /// ARNs with `*` and `?`.
    pub resources: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    Allow,
    Deny,
}

impl Statement {
    pub fn allow(actions: &[&str], resources: &[&str]) -> Self {
        Self::new(Effect::Allow, actions, resources)
    }

    pub fn deny(actions: &[&str], resources: &[&str]) -> Self {
        Self::new(Effect::Deny, actions, resources)
    }

    fn new(effect: Effect, actions: &[&str], resources: &[&str]) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Self { effect, actions: owned(actions), resources: owned(resources) }
    }

    fn is_about(&self, action: &str, resource: &str) -> bool {
        // Actions are compared without regard to case, resources with.
        let action = action.to_ascii_lowercase();
        self.actions.iter().any(|pattern| matches(&pattern.to_ascii_lowercase(), &action))
            && self.resources.iter().any(|pattern| matches(pattern, resource))
    }
}

/// What a caller may do.
#[derive(Clone, Debug)]
pub(crate) enum Permissions {
    /// An administrator's.
    Everything,
    Stated(Vec<Statement>),
}

impl Permissions {
    /// Whether `action` (`s3:GetObject`) may be done to `resource` (an ARN, or `*`).
    pub(crate) fn allow(&self, action: &str, resource: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Stated(statements) => allows(statements, action, resource),
        }
    }
}

fn allows(statements: &[Statement], action: &str, resource: &str) -> bool {
    let mut about = statements.iter().filter(|statement| statement.is_about(action, resource)).peekable();
    about.peek().is_some() && about.all(|statement| statement.effect == Effect::Allow)
}

/// IAM's wildcards: `*` is any text, `?` any one character.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // Where to go on after a mismatch: behind the last star, one character further in the text.
    let (mut p, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_iam_says() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/a/c", true),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b", false),
            ("a*b*c", "aXbYbc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("abc", "abcd", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_deny_wins_and_silence_denies() {
        let statements = [
            Statement::allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]),
            Statement::deny(&["s3:*"], &["arn:aws:s3:::b/state/*"]),
        ];
        assert!(allows(&statements, "s3:GetObject", "arn:aws:s3:::b/prod/ecs.config"));
        assert!(!allows(&statements, "s3:GetObject", "arn:aws:s3:::b/state/lease"));
        assert!(!allows(&statements, "s3:PutObject", "arn:aws:s3:::b/prod/ecs.config"));
        assert!(!allows(&[], "s3:GetObject", "arn:aws:s3:::b/x"));
    }
}
