//! Where credentials are kept: the port, and its two implementations.
//!
//! A target shows what it holds and takes a new content under a condition. It does not decide what it should hold, and
//! a lost race is an outcome, found by reading again, never by an error's text.

mod replicas;
mod s3_ecs_config;
mod secrets_manager;

use async_trait::async_trait;
use regcred_core::observed::{Observed, Precondition, Stored};
use regcred_core::report::Failure;
use regcred_core::secret::Secret;

pub(crate) use replicas::missing;
pub(crate) use s3_ecs_config::{ObjectTarget, S3EcsConfigs};
pub(crate) use secrets_manager::{OWNERSHIP_TAG, SecretTarget, SecretsManagerSecrets};

/// One kind of place, in one location, where credentials are kept.
#[async_trait]
pub(crate) trait Target: Send + Sync {
    /// One thing of this kind, by its name and what a write has to know of it.
    type Item: Sync;

    /// What each of `items` holds, in their order. One that cannot be read is `Unknown` and spoils no other.
    async fn observe(&self, items: &[Self::Item]) -> Vec<Observed>;

    /// Why `item` must not be written, if it must not: what a plan has to know before it promises a write. Looks, and
    /// writes nothing; [`Target::store`] looks again.
    async fn preflight(&self, item: &Self::Item) -> Option<Failure>;

    /// Makes `content` current, if `expects` still holds. Doing it again after a lost answer is the same write.
    async fn store(&self, item: &Self::Item, content: &Secret, expects: &Precondition) -> Stored;
}
