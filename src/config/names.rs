//! What a person may call a location, a registry, an `ecs.config` or a fleet. The types are
//! [`regcred_core::names`]'.

use thiserror::Error;

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum NameError {
    #[error("a name is not empty")]
    Empty,
    #[error("a name has at most {MAX_LENGTH} characters")]
    TooLong,
    #[error("a name begins with a letter or a digit")]
    Start,
    #[error("a name has letters, digits, `-`, `_` and `.` only, and here is {0:?}")]
    Character(char),
}

/// Names become parts of S3 keys and of command lines, and stand in columns of tables.
const MAX_LENGTH: usize = 64;

/// Whether `text` can be a name. Only characters that need no quoting in a shell, an S3 key or YAML.
pub(crate) fn check_name(text: &str) -> Result<(), NameError> {
    let Some(first) = text.chars().next() else {
        return Err(NameError::Empty);
    };
    if let Some(odd) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_.".contains(*c))) {
        return Err(NameError::Character(odd));
    }
    if !first.is_ascii_alphanumeric() {
        return Err(NameError::Start);
    }
    if text.len() > MAX_LENGTH {
        return Err(NameError::TooLong);
    }
    Ok(())
}

/// The name of the one location of a configuration that declares none: the account and Region of the environment.
pub(crate) const AMBIENT: &str = "ambient";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_needs_no_quoting_anywhere() {
        for good in ["a", "ghcr.io", "prod-eu_1", "7", &"n".repeat(64)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("", NameError::Empty),
            (".hidden", NameError::Start),
            ("-x", NameError::Start),
            ("a b", NameError::Character(' ')),
            ("a/b", NameError::Character('/')),
            ("é", NameError::Character('é')),
            (&"n".repeat(65), NameError::TooLong),
        ] {
            assert_eq!(check_name(bad), Err(why), "{bad}");
        }
    }
}
