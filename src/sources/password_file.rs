//! The source `file` with `username` and `password_path`: a file that holds the password alone, as Docker, Kubernetes
//! and systemd hand secrets to a process. See docs/sources/file.md.

use std::path::PathBuf;

use async_trait::async_trait;

use super::bytes::read_text;
use super::error::{Place, SourceError};
use super::{Reading, Source, shape};
use crate::config::Shape;

/// A username, and a file that holds the password alone.
pub(super) struct PasswordFile {
    pub(super) username: String,
    pub(super) path: PathBuf,
}

#[async_trait]
impl Source for PasswordFile {
    async fn read(&self) -> Result<Reading, SourceError> {
        let text = read_text(&self.path).await?;
        let shape = Shape::Password { username: self.username.clone() };
        shape::read(text, &shape, || self.place()).map_err(|flaw| SourceError { place: self.place(), flaw })
    }

    fn place(&self) -> Place {
        Place::File(self.path.clone())
    }
}
