//! The `ecs.config` objects in S3: read whole, written under If-Match, in versioned buckets alone.

use async_trait::async_trait;
use regcred_core::observed::{Observed, Precondition, Published, Stored};
use regcred_core::report::{Failure, FailureKind};
use regcred_core::secret::Secret;

use super::Target;
use crate::aws::{AwsErrorKind, ObjectRead, S3};

/// The objects of one location.
#[derive(Debug)]
pub(crate) struct S3EcsConfigs<'a> {
    pub client: &'a S3,
}

/// One object.
#[derive(Clone, Debug)]
pub(crate) struct ObjectTarget {
    pub bucket: String,
    pub key: String,
    pub kms_key: Option<String>,
}

#[async_trait]
impl Target for S3EcsConfigs<'_> {
    type Item = ObjectTarget;

    async fn observe(&self, items: &[ObjectTarget]) -> Vec<Observed> {
        futures_util::future::join_all(items.iter().map(|item| self.observe_one(item))).await
    }

    /// A bucket without versions would lose the only copy of a working config to a mistake, and could not name what a
    /// host loaded.
    async fn preflight(&self, item: &ObjectTarget) -> Option<Failure> {
        match self.client.is_versioned(&item.bucket).await {
            Ok(true) => None,
            Ok(false) => Some(Failure::new(
                FailureKind::Refused,
                self.what("store", item),
                format!(
                    "versioning of bucket `{}` is off, so an older ecs.config could not be had back",
                    item.bucket
                ),
                format!(
                    "aws s3api put-bucket-versioning --bucket {} --versioning-configuration Status=Enabled",
                    item.bucket
                ),
            )),
            Err(error) => Some(error.failure(self.what("store", item))),
        }
    }

    async fn store(&self, item: &ObjectTarget, content: &Secret, expects: &Precondition) -> Stored {
        if let Some(failure) = self.preflight(item).await {
            return Stored::Failed(failure);
        }
        let etag = match expects {
            Precondition::Absent => None,
            Precondition::Holds(version) => Some(version.tag.as_str()),
        };
        let written =
            self.client.write(&item.bucket, &item.key, content, etag, item.kms_key.as_deref()).await;
        match written {
            Ok(version) => Stored::Written { version, arn: None },
            // A condition that did not hold: a lost race, or this very write, whose first answer was lost and which
            // the SDK tried again. What is there now tells.
            Err(error) => match error.kind {
                AwsErrorKind::PreconditionFailed
                | AwsErrorKind::Conflict
                | AwsErrorKind::NotFound
                | AwsErrorKind::NoAnswer => match self.observe_one(item).await {
                    Observed::Present(now) if now.content == *content => {
                        Stored::Written { version: now.version, arn: None }
                    }
                    Observed::Present(_) | Observed::Absent if error.kind != AwsErrorKind::NoAnswer => {
                        Stored::Superseded
                    }
                    Observed::Present(_) | Observed::Absent | Observed::Unknown(_) => {
                        Stored::Failed(error.failure(self.what("store", item)))
                    }
                },
                AwsErrorKind::Exists
                | AwsErrorKind::AccessDenied
                | AwsErrorKind::NoCredentials
                | AwsErrorKind::Throttled
                | AwsErrorKind::KeyFailed
                | AwsErrorKind::Invalid
                | AwsErrorKind::NotSent => Stored::Failed(error.failure(self.what("store", item))),
            },
        }
    }
}

impl S3EcsConfigs<'_> {
    fn what(&self, verb: &str, item: &ObjectTarget) -> String {
        format!("cannot {verb} `s3://{}/{}` in {}", item.bucket, item.key, self.client.place())
    }

    async fn observe_one(&self, item: &ObjectTarget) -> Observed {
        match self.client.read(&item.bucket, &item.key).await {
            ObjectRead::Present(object) => match object.content {
                Some(content) => Observed::Present(Published {
                    content,
                    version: object.version,
                    arn: None,
                    since: object.modified,
                }),
                None => Observed::Unknown(Failure::new(
                    FailureKind::Refused,
                    self.what("use", item),
                    "it is no UTF-8 text, or larger than 1 MiB: the ECS agent would misread it",
                    "look at it with `aws s3 cp`, and put a readable ecs.config in its place",
                )),
            },
            ObjectRead::Absent => Observed::Absent,
            ObjectRead::Failed(error) => Observed::Unknown(self.client.cannot_read(
                &error,
                self.what("read", item),
                &item.bucket,
                &item.key,
            )),
        }
    }
}
