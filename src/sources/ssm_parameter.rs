//! The source `ssm_parameter`: a SecureString in SSM's Parameter Store, in any location. See
//! docs/sources/ssm_parameter.md.

use async_trait::async_trait;

use super::error::{Place, SourceError};
use super::flaw::Flaw;
use super::{Reading, Source, shape};
use crate::aws::{Encryption, Ssm};
use crate::config::Shape;

/// One parameter.
pub(super) struct SsmParameter {
    pub(super) client: Ssm,
    /// A name, perhaps with `:version` or `:label`, or the ARN.
    pub(super) name: String,
    pub(super) shape: Shape,
}

#[async_trait]
impl Source for SsmParameter {
    async fn read(&self) -> Result<Reading, SourceError> {
        let Self { client, name, shape } = self;
        let read = async {
            let (text, encryption) =
                client.parameter(name).await.map_err(|error| match error.code.as_str() {
                    "ParameterVersionNotFound" => {
                        Flaw::NoVersion { version: name.rsplit(':').next().unwrap_or_default().to_owned() }
                    }
                    _ => error.into(),
                })?;
            match encryption {
                Encryption::None => Err(Flaw::NotEncrypted),
                Encryption::Secure => shape::read(text, shape, || self.place()),
            }
        };
        read.await.map_err(|flaw| SourceError { place: self.place(), flaw })
    }

    fn place(&self) -> Place {
        Place::Parameter { name: self.name.clone(), location: self.client.place().to_owned() }
    }
}
