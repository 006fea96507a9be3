//! S3, as regcred calls it: whole small objects, read and written under conditions.

use aws_config::SdkConfig;
use aws_sdk_s3 as sdk;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use chrono::{DateTime, Utc};
use regcred_core::doctor::{Expiry, PublicAccess};
use regcred_core::observed::Version;
use regcred_core::report::Failure;
use regcred_core::secret::Secret;
use sdk::primitives::ByteStream;
use sdk::types::{BucketVersioningStatus, ExpirationStatus, ServerSideEncryption};
use zeroize::Zeroizing;

use super::{AwsError, AwsErrorKind, Place};

#[derive(Clone, Debug)]
pub(crate) struct S3 {
    client: sdk::Client,
    place: Place,
    endpoint: Option<String>,
}

/// What a read found.
#[derive(Debug)]
pub(crate) enum ObjectRead {
    Present(ObjectContent),
    /// S3 said NoSuchKey, which it says only to those who may list the bucket.
    Absent,
    Failed(AwsError),
}

#[derive(Debug)]
pub(crate) struct ObjectContent {
    /// `None` when the bytes are no UTF-8, or more than [`LARGEST`].
    pub content: Option<Secret>,
    pub version: Version,
    pub modified: Option<DateTime<Utc>>,
}

/// What a read of an object's bytes found.
#[derive(Debug)]
pub(crate) enum BytesRead {
    Present(Zeroizing<Vec<u8>>),
    /// It is larger than [`LARGEST`].
    TooLarge,
    Absent,
    Failed(Box<AwsError>),
}

enum Fetched {
    /// The bytes are none when there are more than [`LARGEST`].
    Present(Option<Zeroizing<Vec<u8>>>, Version, Option<DateTime<Utc>>),
    Absent,
    Failed(AwsError),
}

/// The largest object that is read whole: an ecs.config that is near this is broken anyway (the agent cannot start on
/// a variable of 128 KiB).
pub(crate) const LARGEST: i64 = 1024 * 1024;

impl S3 {
    pub(super) fn new(config: &SdkConfig, place: Place, endpoint: Option<String>) -> Self {
        let config = sdk::config::Builder::from(config)
            .retry_partition(place.retry_partition("s3"))
            .interceptor(place.attempts.clone())
            // A bucket is no host name under an endpoint of one's own.
            .force_path_style(endpoint.is_some())
            .build();
        Self { client: sdk::Client::from_conf(config), place, endpoint }
    }

    /// `eu (eu-west-1)`.
    pub(crate) fn place(&self) -> &str {
        &self.place.text
    }

    fn arn(&self, bucket: &str, key: &str) -> String {
        format!("arn:{}:s3:::{bucket}/{key}", self.place.partition())
    }

    pub(crate) fn region(&self) -> Option<&str> {
        self.place.region.as_deref()
    }

    /// The endpoint in use, when it is not AWS's own.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    pub(crate) async fn read(&self, bucket: &str, key: &str) -> ObjectRead {
        match self.fetch(bucket, key).await {
            Fetched::Present(bytes, version, modified) => {
                let content = bytes.and_then(|bytes| std::str::from_utf8(&bytes).ok().map(Secret::from));
                ObjectRead::Present(ObjectContent { content, version, modified })
            }
            Fetched::Absent => ObjectRead::Absent,
            Fetched::Failed(error) => ObjectRead::Failed(error),
        }
    }

    /// An object as it is, text or not.
    pub(crate) async fn read_bytes(&self, bucket: &str, key: &str) -> BytesRead {
        match self.fetch(bucket, key).await {
            Fetched::Present(Some(bytes), _, _) => BytesRead::Present(bytes),
            Fetched::Present(None, _, _) => BytesRead::TooLarge,
            Fetched::Absent => BytesRead::Absent,
            Fetched::Failed(error) => BytesRead::Failed(Box::new(error)),
        }
    }

    async fn fetch(&self, bucket: &str, key: &str) -> Fetched {
        let answer = match self.client.get_object().bucket(bucket).key(key).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let missing = error
                    .as_service_error()
                    .is_some_and(sdk::operation::get_object::GetObjectError::is_no_such_key);
                if missing {
                    return Fetched::Absent;
                }
                let arn = self.arn(bucket, key);
                return Fetched::Failed(AwsError::of("s3:GetObject", arn, &self.place.text, &error));
            }
        };
        let version = Version {
            tag: answer.e_tag.clone().unwrap_or_default(),
            id: answer.version_id.clone().filter(|id| id != "null"),
        };
        let modified = answer.last_modified.as_ref().and_then(super::time);
        if answer.content_length.unwrap_or_default() > LARGEST {
            return Fetched::Present(None, version, modified);
        }
        match answer.body.collect().await {
            Ok(body) => Fetched::Present(Some(Zeroizing::new(body.to_vec())), version, modified),
            Err(_) => {
                Fetched::Failed(AwsError::cut_off("s3:GetObject", self.arn(bucket, key), &self.place.text))
            }
        }
    }

    /// The three lines for an object that could not be read. S3 says AccessDenied for a missing object too, to a caller
    /// who may not list the bucket.
    pub(crate) fn cannot_read(&self, error: &AwsError, what: String, bucket: &str, key: &str) -> Failure {
        let failure = error.failure(what);
        if error.kind != AwsErrorKind::AccessDenied {
            return failure;
        }
        let remedy = format!(
            "allow s3:GetObject on {} and s3:ListBucket on arn:{}:s3:::{bucket} (without the second, S3 does not tell a \
             missing object from a forbidden one)",
            self.arn(bucket, key),
            self.place.partition()
        );
        Failure { remedy, ..failure }
    }

    /// Writes the whole object if it still has the ETag `expects`, or, with `None`, if there is none yet.
    pub(crate) async fn write(
        &self,
        bucket: &str,
        key: &str,
        content: &Secret,
        expects: Option<&str>,
        kms_key: Option<&str>,
    ) -> Result<Version, AwsError> {
        let mut call = self
            .client
            .put_object()
            .bucket(bucket)
            .key(key)
            .content_type("application/octet-stream")
            .body(ByteStream::from(content.expose().as_bytes().to_vec()));
        call = match expects {
            Some(etag) => call.if_match(etag),
            None => call.if_none_match("*"),
        };
        if let Some(kms_key) = kms_key {
            call = call
                .server_side_encryption(ServerSideEncryption::AwsKms)
                .ssekms_key_id(kms_key)
                .bucket_key_enabled(true);
        }
        match call.send().await {
            Ok(answer) => Ok(Version {
                tag: answer.e_tag.unwrap_or_default(),
                id: answer.version_id.filter(|id| id != "null"),
            }),
            Err(error) => Err(AwsError::of("s3:PutObject", self.arn(bucket, key), &self.place.text, &error)),
        }
    }

    /// Whether the bucket keeps old versions.
    pub(crate) async fn is_versioned(&self, bucket: &str) -> Result<bool, AwsError> {
        match self.client.get_bucket_versioning().bucket(bucket).send().await {
            Ok(answer) => Ok(answer.status == Some(BucketVersioningStatus::Enabled)),
            Err(error) => Err(AwsError::of(
                "s3:GetBucketVersioning",
                format!("arn:{}:s3:::{bucket}", self.place.partition()),
                &self.place.text,
                &error,
            )),
        }
    }

    /// Whether the bucket is there and may be listed: what `s3:ListBucket` allows.
    pub(crate) async fn head_bucket(&self, bucket: &str) -> Result<(), AwsError> {
        match self.client.head_bucket().bucket(bucket).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.of_bucket("s3:ListBucket", bucket, &error)),
        }
    }

    /// Whether an enabled lifecycle rule removes noncurrent versions.
    pub(crate) async fn noncurrent_expiry(&self, bucket: &str) -> Result<Expiry, AwsError> {
        match self.client.get_bucket_lifecycle_configuration().bucket(bucket).send().await {
            Ok(answer) => {
                let removes = answer.rules.unwrap_or_default().iter().any(|rule| {
                    rule.status == ExpirationStatus::Enabled && rule.noncurrent_version_expiration.is_some()
                });
                Ok(if removes { Expiry::Some } else { Expiry::None })
            }
            // A bucket without rules has no configuration.
            Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => Ok(Expiry::None),
            Err(error) => Err(self.of_bucket("s3:GetLifecycleConfiguration", bucket, &error)),
        }
    }

    /// Whether the bucket's own public access block is on in all four ways.
    pub(crate) async fn public_access(&self, bucket: &str) -> Result<PublicAccess, AwsError> {
        match self.client.get_public_access_block().bucket(bucket).send().await {
            Ok(answer) => {
                let all = answer.public_access_block_configuration.is_some_and(|block| {
                    [
                        block.block_public_acls,
                        block.ignore_public_acls,
                        block.block_public_policy,
                        block.restrict_public_buckets,
                    ]
                    .iter()
                    .all(|setting| *setting == Some(true))
                });
                Ok(if all { PublicAccess::Blocked } else { PublicAccess::NotBlocked })
            }
            Err(error) if error.code() == Some("NoSuchPublicAccessBlockConfiguration") => {
                Ok(PublicAccess::NotBlocked)
            }
            Err(error) => Err(self.of_bucket("s3:GetBucketPublicAccessBlock", bucket, &error)),
        }
    }

    fn of_bucket<E>(&self, action: &'static str, bucket: &str, error: &SdkError<E, HttpResponse>) -> AwsError
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let arn = format!("arn:{}:s3:::{bucket}", self.place.partition());
        AwsError::of(action, arn, &self.place.text, error)
    }

    /// The keys in the bucket that begin with `prefix`.
    pub(crate) async fn keys(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, AwsError> {
        let mut pages = self.client.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.of_bucket("s3:ListBucket", bucket, &error))?;
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
        }
        Ok(keys)
    }

    /// Deletes the current version; in a versioned bucket, a marker hides it.
    pub(crate) async fn delete(&self, bucket: &str, key: &str) -> Result<(), AwsError> {
        match self.client.delete_object().bucket(bucket).key(key).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(AwsError::of("s3:DeleteObject", self.arn(bucket, key), &self.place.text, &error))
            }
        }
    }

    /// Whether the endpoint honours `If-None-Match`: the second of two conditional creations of `key` has to fail.
    /// Some S3-compatible stores ignore the header and would let the last writer win, silently.
    pub(crate) async fn honours_conditions(&self, bucket: &str, key: &str) -> Result<bool, AwsError> {
        let probe = Secret::from("conditional writes?");
        self.write(bucket, key, &probe, None, None).await?;
        let second = self.write(bucket, key, &probe, None, None).await;
        // A probe that stays behind harms nobody; a role without s3:DeleteObject must not fail for it.
        let _ = self.client.delete_object().bucket(bucket).key(key).send().await;
        match second {
            Ok(_) => Ok(false),
            Err(error) if error.kind == AwsErrorKind::PreconditionFailed => Ok(true),
            Err(error) => Err(error),
        }
    }
}
