//! KMS, as regcred calls it: it encrypts nothing, and asks only which key an alias stands for.

use aws_config::SdkConfig;
use aws_sdk_kms as sdk;

use super::{AwsError, Place};

#[derive(Clone, Debug)]
pub(crate) struct Kms {
    client: sdk::Client,
    place: Place,
}

impl Kms {
    pub(super) fn new(config: &SdkConfig, place: Place) -> Self {
        let partition = place.retry_partition("kms");
        let config = sdk::config::Builder::from(config)
            .retry_partition(partition)
            .interceptor(place.attempts.clone())
            .build();
        Self { client: sdk::Client::from_conf(config), place }
    }

    /// The ARN of the key that an alias, an id, or the ARN of either names. A policy has to name that one: an alias in a
    /// policy's `Resource` allows nothing
    /// (<https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html>).
    pub(crate) async fn key_arn(&self, reference: &str) -> Result<String, AwsError> {
        if reference.starts_with("arn:") && reference.contains(":key/") {
            return Ok(reference.to_owned());
        }
        match self.client.describe_key().key_id(reference).send().await {
            Ok(answer) => Ok(answer.key_metadata.and_then(|key| key.arn).unwrap_or_default()),
            Err(error) => {
                // IAM decides about the key, whose id nobody knows yet.
                let resource = match reference.starts_with("arn:") {
                    true => reference.to_owned(),
                    false if reference.starts_with("alias/") => self.place.arn("kms", reference),
                    false => self.place.arn("kms", &format!("key/{reference}")),
                };
                Err(AwsError::of("kms:DescribeKey", resource, &self.place.text, &error))
            }
        }
    }
}
