//! Secrets Manager secrets, as `repositoryCredentials` of a task definition reads them.
//!
//! A change is put as AWSPENDING and promoted by a compare-and-swap. The resource policy is left alone.

use std::collections::BTreeMap;

use async_trait::async_trait;
use regcred_core::fingerprint::FingerprintKey;
use regcred_core::names::RegistryName;
use regcred_core::observed::{Observed, Precondition, Published, Stored, Version};
use regcred_core::report::{Failure, FailureKind};
use regcred_core::secret::Secret;

use super::Target;
use crate::aws::{AwsError, AwsErrorKind, SecretDescription, SecretRead, SecretsManager};

/// The tag by which regcred knows its own; its value is the registry's name.
pub(crate) const OWNERSHIP_TAG: &str = "regcred:registry";

/// The secrets of one location.
#[derive(Debug)]
pub(crate) struct SecretsManagerSecrets<'a> {
    pub client: &'a SecretsManager,
    /// Request tokens, and so version ids, are derived under it.
    pub key: &'a FingerprintKey,
}

/// One secret.
#[derive(Clone, Debug)]
pub(crate) struct SecretTarget {
    pub registry: RegistryName,
    pub name: String,
    pub kms_key: Option<String>,
    pub description: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub adopt: bool,
    /// The Regions that Secrets Manager has to copy it to.
    pub replicate_to: Vec<String>,
}

#[async_trait]
impl Target for SecretsManagerSecrets<'_> {
    type Item = SecretTarget;

    async fn observe(&self, items: &[SecretTarget]) -> Vec<Observed> {
        let names: Vec<&str> = items.iter().map(|item| item.name.as_str()).collect();
        let reads = self.client.read(&names).await;
        items.iter().zip(reads).map(|(item, read)| self.observed(item, read)).collect()
    }

    async fn preflight(&self, item: &SecretTarget) -> Option<Failure> {
        match self.client.describe(&item.name).await {
            Ok(described) => self.objection(item, &described?),
            Err(error) => Some(error.failure(self.what("store", item))),
        }
    }

    async fn store(&self, item: &SecretTarget, content: &Secret, expects: &Precondition) -> Stored {
        match self.try_store(item, content, expects).await {
            Ok(stored) => stored,
            Err(error) => Stored::Failed(error.failure(self.what("store", item))),
        }
    }
}

impl SecretsManagerSecrets<'_> {
    fn what(&self, verb: &str, item: &SecretTarget) -> String {
        format!("cannot {verb} secret `{}` in {}", item.name, self.client.place())
    }

    fn observed(&self, item: &SecretTarget, read: SecretRead) -> Observed {
        match read {
            SecretRead::Current { arn, version_id, content: Some(content), created } => {
                let version = Version { tag: version_id.clone(), id: Some(version_id) };
                Observed::Present(Published { content, version, arn: Some(arn), since: created })
            }
            SecretRead::Current { content: None, .. } => Observed::Unknown(Failure::new(
                FailureKind::Refused,
                self.what("use", item),
                "it holds binary data, which the ECS agent does not read",
                format!("name another secret for registry `{}`", item.registry),
            )),
            SecretRead::Absent => Observed::Absent,
            SecretRead::InvalidState => Observed::Unknown(self.scheduled_for_deletion(item)),
            SecretRead::Failed(error) => Observed::Unknown(error.failure(self.what("read", item))),
        }
    }

    async fn try_store(
        &self,
        item: &SecretTarget,
        content: &Secret,
        expects: &Precondition,
    ) -> Result<Stored, AwsError> {
        let Some(described) = self.client.describe(&item.name).await? else {
            return match expects {
                Precondition::Absent => self.create(item, content).await,
                Precondition::Holds(_) => Ok(Stored::Superseded),
            };
        };
        let observed = match expects {
            Precondition::Absent => None,
            Precondition::Holds(version) => Some(version.tag.as_str()),
        };
        if described.current_version.as_deref() != observed {
            return Ok(Stored::Superseded);
        }
        if let Some(failure) = self.objection(item, &described) {
            return Ok(Stored::Failed(failure));
        }
        if !is_owned(item, &described) {
            self.client.tag(&described.arn, &ownership(item)).await?;
        }
        let token = self.key.request_token(&described.arn, observed, content);
        self.client.put_pending(&described.arn, &token, content).await?;
        let promoted = self.client.promote(&described.arn, &token, observed).await;
        match promoted {
            Ok(()) => Ok(written(token, described.arn)),
            // A lost race, or our own earlier try whose answer was lost: whoever is current now has won.
            Err(error) if matches!(error.kind, AwsErrorKind::Invalid | AwsErrorKind::NoAnswer) => {
                match self.client.describe(&described.arn).await? {
                    Some(now) if now.current_version.as_deref() == Some(&token) => {
                        Ok(written(token, described.arn))
                    }
                    Some(now) if now.current_version.as_deref() == observed => Err(error),
                    Some(_) | None => Ok(Stored::Superseded),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn create(&self, item: &SecretTarget, content: &Secret) -> Result<Stored, AwsError> {
        // There is no ARN yet: its last six characters are Secrets Manager's to choose.
        let token = self.key.request_token(&item.name, None, content);
        let mut tags = ownership(item);
        tags.extend(item.tags.iter().map(|(key, value)| (key.clone(), value.clone())));
        let default = format!("Credential of registry {}, kept by regcred", item.registry);
        let description = item.description.as_deref().unwrap_or(&default);
        let created = self
            .client
            .create(&item.name, &token, content, item.kms_key.as_deref(), description, &tags)
            .await;
        match created {
            Ok((arn, version)) => Ok(written(version, arn)),
            Err(error) if error.kind == AwsErrorKind::Exists => Ok(Stored::Superseded),
            Err(error) => Err(error),
        }
    }

    /// Why a secret must not be written, if it must not.
    fn objection(&self, item: &SecretTarget, described: &SecretDescription) -> Option<Failure> {
        let SecretDescription {
            arn,
            tags,
            current_version: _,
            scheduled_for_deletion,
            rotation_enabled,
            owning_service,
            kms_key: _,
            primary_region,
            replicas: _,
        } = described;
        let refused = |why: String, remedy: String| {
            Some(Failure::new(FailureKind::Refused, self.what("store", item), why, remedy))
        };
        if *scheduled_for_deletion {
            return Some(self.scheduled_for_deletion(item));
        }
        if let Some(service) = owning_service {
            return refused(
                format!("it is managed by the AWS service `{service}`, which would overwrite it"),
                format!("name another secret for registry `{}`", item.registry),
            );
        }
        if let Some(primary) =
            primary_region.as_deref().filter(|primary| Some(*primary) != self.client.region())
        {
            return refused(
                format!(
                    "it is Secrets Manager's copy of the secret in {primary}, which alone can be written to"
                ),
                format!(
                    "take the location from registries.{}.secret.locations, and have the secret in {primary} copied by \
                     `replicate_to`",
                    item.registry
                ),
            );
        }
        if *rotation_enabled {
            return refused(
                "Secrets Manager rotates it by itself; two writers would replace each other's credential"
                    .into(),
                format!(
                    "turn that off with `aws secretsmanager cancel-rotate-secret --secret-id {arn}`, or name \
                     another secret"
                ),
            );
        }
        if is_owned(item, described) || item.adopt {
            return None;
        }
        match tags.get(OWNERSHIP_TAG) {
            Some(other) => refused(
                format!("its tag `{OWNERSHIP_TAG}` says that it belongs to registry `{other}` of regcred"),
                format!(
                    "name another secret, or set `adopt: true` below registries.{}.secret",
                    item.registry
                ),
            ),
            None => refused(
                format!("it was not made by regcred: it has no tag `{OWNERSHIP_TAG}`"),
                format!(
                    "set `adopt: true` below registries.{}.secret to let regcred take it over",
                    item.registry
                ),
            ),
        }
    }

    fn scheduled_for_deletion(&self, item: &SecretTarget) -> Failure {
        Failure::new(
            FailureKind::Refused,
            self.what("use", item),
            "it is scheduled for deletion",
            format!(
                "keep it with `aws secretsmanager restore-secret --secret-id {}`, or name another one",
                item.name
            ),
        )
    }
}

fn ownership(item: &SecretTarget) -> Vec<(String, String)> {
    vec![(OWNERSHIP_TAG.to_owned(), item.registry.to_string())]
}

fn is_owned(item: &SecretTarget, described: &SecretDescription) -> bool {
    described.tags.get(OWNERSHIP_TAG).is_some_and(|owner| owner == item.registry.as_str())
}

fn written(version: String, arn: String) -> Stored {
    Stored::Written { version: Version { tag: version.clone(), id: Some(version) }, arn: Some(arn) }
}
