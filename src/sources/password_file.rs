//! The source `file` with `username` and `password_path`: a file that holds the password alone, as Docker, Kubernetes
//! and systemd hand secrets to a process. See docs/sources/file.md.

use std::path::PathBuf;

use async_trait::async_trait;
use regcred_core::credential::Credential;
use regcred_core::secret::Secret;

use super::bytes::read_text;
use super::error::{Place, SourceError};
use super::{Note, Reading, Source};

/// A username, and a file that holds the password alone.
pub(super) struct PasswordFile {
    pub(super) username: String,
    pub(super) path: PathBuf,
}

#[async_trait]
impl Source for PasswordFile {
    async fn read(&self) -> Result<Reading, SourceError> {
        let text = read_text(&self.path).await?;
        let (password, notes) = match without_trailing_line_break(&text) {
            Some(password) => (password, vec![Note::TrailingLineBreakTrimmed { path: self.path.clone() }]),
            None => (text, Vec::new()),
        };
        Credential::new(self.username.clone(), password, None)
            .map(|credential| Reading { credential, notes })
            .map_err(|error| SourceError { place: self.place(), flaw: error.into() })
    }

    fn place(&self) -> Place {
        Place::File(self.path.clone())
    }
}

/// The text without the one line break that ends it, if one does. A second one is left, and refused as a line break
/// inside: whoever put it there may have meant it.
fn without_trailing_line_break(text: &Secret) -> Option<Secret> {
    let line = text.expose().strip_suffix('\n')?;
    Some(Secret::from(line.strip_suffix('\r').unwrap_or(line)))
}
