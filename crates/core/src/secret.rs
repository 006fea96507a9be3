//! The type that every secret lives in from the first byte read.
//!
//! It redacts itself, is wiped when dropped, and has no `Display` and no `Serialize`, so that a value which holds one
//! can be logged, compared and reported without a thought. Reading the bytes takes a call of [`Secret::expose`], whose
//! uses can be listed by one search: one in each output format.

use std::fmt;

use zeroize::Zeroizing;

/// A secret string: a password, a token, or a rendered value that contains one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of `value`; no other copy is left behind.
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The bytes themselves. Only a format that writes a secret to where it belongs, and a keyed hash, may ask.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is anything in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The length in bytes, which limits are held against.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_the_value_nor_its_length() {
        assert_eq!(format!("{:?}", Secret::from("hunter2")), "[redacted]");
        assert_eq!(format!("{:#?}", Secret::from("")), "[redacted]");
    }
}
