//! The source `file` with `path`: a JSON file that holds both parts. See docs/sources/file.md.

use std::path::PathBuf;

use async_trait::async_trait;
use regcred_core::credential::{Credential, Part};
use regcred_core::secret::Secret;
use serde::{Deserialize, Deserializer};

use super::bytes::read_text;
use super::error::{Flaw, Place, SourceError};
use super::{Reading, Source};

/// A file that holds `{"username":"…","password":"…"}`. Other members are ignored.
pub(super) struct JsonFile {
    pub(super) path: PathBuf,
}

#[derive(Deserialize)]
struct Pair {
    username: Option<String>,
    #[serde(default, deserialize_with = "secret")]
    password: Option<Secret>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|text| text.map(Secret::new))
}

#[async_trait]
impl Source for JsonFile {
    async fn read(&self) -> Result<Reading, SourceError> {
        let text = read_text(&self.path).await?;
        parse(&text).map(Reading::of).map_err(|flaw| SourceError { place: self.place(), flaw })
    }

    fn place(&self) -> Place {
        Place::File(self.path.clone())
    }
}

fn parse(text: &Secret) -> Result<Credential, Flaw> {
    if text.expose().trim().is_empty() {
        return Err(Flaw::Empty);
    }
    // serde would take a list for the fields in their order.
    if text.expose().trim_start().starts_with('[') {
        return Err(Flaw::NotAPair { line: 1, column: 1 });
    }
    // The library's own texts quote what they stumbled over.
    let pair: Pair = serde_json::from_str(text.expose()).map_err(|error| {
        let (line, column) = (error.line().max(1), error.column().max(1));
        match error.classify() {
            serde_json::error::Category::Data => Flaw::NotAPair { line, column },
            _ => Flaw::NotJson { line, column },
        }
    })?;
    let username = pair.username.ok_or(Flaw::Lacks(Part::Username))?;
    let password = pair.password.ok_or(Flaw::Lacks(Part::Password))?;
    Ok(Credential::new(username, password, None)?)
}
