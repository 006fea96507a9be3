//! The source `secrets_manager`: a secret in AWS Secrets Manager, in any location. See docs/sources/secrets_manager.md.

use async_trait::async_trait;

use super::error::{Place, SourceError};
use super::flaw::Flaw;
use super::{Reading, Source, shape};
use crate::aws::{AwsErrorKind, SecretsManager};
use crate::config::Shape;

/// The stage that each secret with a value has.
const CURRENT: &str = "AWSCURRENT";

/// One version of a secret.
pub(super) struct SecretsManagerSecret {
    pub(super) client: SecretsManager,
    /// A name, or the ARN.
    pub(super) id: String,
    /// The stage of the version, such as `AWSCURRENT`.
    pub(super) stage: String,
    pub(super) shape: Shape,
}

#[async_trait]
impl Source for SecretsManagerSecret {
    async fn read(&self) -> Result<Reading, SourceError> {
        let Self { client, id, stage, shape } = self;
        let read = async {
            let text = match client.value(id, stage).await {
                Ok(text) => text.ok_or(Flaw::Binary)?,
                // The one code says either that there is no such secret or that no version of it has this stage.
                Err(error) if error.kind == AwsErrorKind::NotFound && stage != CURRENT => {
                    let is_there = client.value(id, CURRENT).await.is_ok();
                    let version = stage.clone();
                    return Err(if is_there { Flaw::NoVersion { version } } else { error.into() });
                }
                Err(error) => return Err(error.into()),
            };
            shape::read(text, shape, || self.place())
        };
        read.await.map_err(|flaw| SourceError { place: self.place(), flaw })
    }

    fn place(&self) -> Place {
        Place::Secret { id: self.id.clone(), location: self.client.place().to_owned() }
    }
}
