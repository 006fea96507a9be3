//! The source `file` with `path`: a JSON file that holds both parts. See docs/sources/file.md.

use std::path::PathBuf;

use async_trait::async_trait;

use super::bytes::read_text;
use super::error::{Place, SourceError};
use super::pair::{self, Keys};
use super::{Reading, Source};

/// A file that holds `{"username":"…","password":"…"}`, and perhaps `expires_at`. Other members are ignored.
pub(super) struct JsonFile {
    pub(super) path: PathBuf,
}

#[async_trait]
impl Source for JsonFile {
    async fn read(&self) -> Result<Reading, SourceError> {
        let text = read_text(&self.path).await?;
        pair::parse(&text, &Keys::usual())
            .map(Reading::of)
            .map_err(|flaw| SourceError { place: self.place(), flaw })
    }

    fn place(&self) -> Place {
        Place::File(self.path.clone())
    }
}
