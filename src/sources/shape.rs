//! A credential in a text of a store: JSON with both parts, or the password alone.

use regcred_core::credential::Credential;
use regcred_core::secret::Secret;

use super::error::Place;
use super::flaw::Flaw;
use super::pair::{self, without_trailing_line_break};
use super::{Note, Reading};
use crate::config::Shape;

/// Reads a credential in the shape that the configuration says. A line break at the end of a password alone is not taken
/// for a part of it, and a note says so of the `place`.
pub(super) fn read(text: Secret, shape: &Shape, place: impl FnOnce() -> Place) -> Result<Reading, Flaw> {
    match shape {
        Shape::Json(keys) => pair::parse(&text, keys).map(Reading::of),
        Shape::Password { username } => {
            let (password, notes) = match without_trailing_line_break(&text) {
                Some(password) => (password, vec![Note::TrailingLineBreakTrimmed { place: place() }]),
                None => (text, Vec::new()),
            };
            let credential = Credential::new(username.clone(), password, None)?;
            Ok(Reading { credential, notes })
        }
    }
}
