//! Secrets Manager, as regcred calls it.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager as sdk;
use chrono::{DateTime, Utc};
use regcred_core::secret::Secret;
use sdk::operation::describe_secret::DescribeSecretError;
use sdk::types::{ReplicaRegionType, ReplicationStatusType, StatusType, Tag};

use super::{AwsError, Place};

const BATCH_GET: &str = "secretsmanager:BatchGetSecretValue";
/// The most ids of one BatchGetSecretValue.
const BATCH: usize = 20;

#[derive(Clone, Debug)]
pub(crate) struct SecretsManager {
    client: sdk::Client,
    place: Place,
}

/// What one id of a batch turned out to be.
#[derive(Debug)]
pub(crate) enum SecretRead {
    /// The current version. `content` is `None` for a secret that holds binary data.
    Current {
        arn: String,
        version_id: String,
        content: Option<Secret>,
        /// When the version was made.
        created: Option<DateTime<Utc>>,
    },
    /// No such secret, or one that has no current version.
    Absent,
    /// Its state forbids reading: it is scheduled for deletion.
    InvalidState,
    Failed(AwsError),
}

/// What DescribeSecret tells that decides about a write.
#[derive(Debug)]
pub(crate) struct SecretDescription {
    pub arn: String,
    pub tags: HashMap<String, String>,
    pub current_version: Option<String>,
    pub scheduled_for_deletion: bool,
    pub rotation_enabled: bool,
    pub owning_service: Option<String>,
    /// As it was given: an alias, an id, or an ARN; `None` for the key that AWS manages.
    pub kms_key: Option<String>,
    /// Of a secret that is copied to other Regions, and of each copy: where the one is that is written to.
    pub primary_region: Option<String>,
    /// Its copies in other Regions.
    pub replicas: Vec<ReplicaSight>,
}

/// What is told of a copy in another Region.
#[derive(Debug)]
pub(crate) struct ReplicaSight {
    pub region: String,
    pub status: ReplicaStatus,
}

#[derive(Debug)]
pub(crate) enum ReplicaStatus {
    InSync,
    InProgress,
    Failed {
        said: String,
    },
    /// A word that the service's model does not have yet.
    Other {
        status: String,
    },
}

impl SecretsManager {
    pub(super) fn new(config: &SdkConfig, place: Place) -> Self {
        let partition = place.retry_partition("secretsmanager");
        let config = sdk::config::Builder::from(config)
            .retry_partition(partition)
            .interceptor(place.attempts.clone())
            .build();
        Self { client: sdk::Client::from_conf(config), place }
    }

    /// `eu (eu-west-1)`.
    pub(crate) fn place(&self) -> &str {
        &self.place.text
    }

    /// The Region of the location, where it is known.
    pub(crate) fn region(&self) -> Option<&str> {
        self.place.region.as_deref()
    }

    /// The ARN of a secret by its name, as a policy has it: Secrets Manager appends six characters of its own.
    fn arn(&self, name: &str) -> String {
        if name.starts_with("arn:") {
            name.to_owned()
        } else {
            self.place.arn("secretsmanager", &format!("secret:{name}-*"))
        }
    }

    /// Reads the current version of each of `names`, twenty a call; the answers are in the order of `names`.
    pub(crate) async fn read(&self, names: &[&str]) -> Vec<SecretRead> {
        let batches = names.chunks(BATCH).map(|batch| self.read_batch(batch));
        futures_util::future::join_all(batches).await.into_iter().flatten().collect()
    }

    /// The text of the version that has a stage; `None` where it is binary data.
    pub(crate) async fn value(&self, id: &str, stage: &str) -> Result<Option<Secret>, AwsError> {
        let call = self.client.get_secret_value().secret_id(id).version_stage(stage);
        match call.send().await {
            Ok(answer) => Ok(answer.secret_string.map(Secret::new)),
            Err(error) => {
                Err(AwsError::of("secretsmanager:GetSecretValue", self.arn(id), &self.place.text, &error))
            }
        }
    }

    async fn read_batch(&self, names: &[&str]) -> Vec<SecretRead> {
        let mut found: HashMap<String, SecretRead> = HashMap::new();
        let mut token: Option<String> = None;
        loop {
            let call = self
                .client
                .batch_get_secret_value()
                .set_secret_id_list(Some(names.iter().map(|&name| name.to_owned()).collect()))
                .set_next_token(token);
            let answer = match call.send().await {
                Ok(answer) => answer,
                Err(error) => {
                    let error = AwsError::of(BATCH_GET, "*", &self.place.text, &error);
                    return names.iter().map(|_| SecretRead::Failed(error.clone())).collect();
                }
            };
            for value in answer.secret_values.unwrap_or_default() {
                let arn = value.arn.unwrap_or_default();
                let read = SecretRead::Current {
                    arn: arn.clone(),
                    version_id: value.version_id.unwrap_or_default(),
                    content: value.secret_string.map(Secret::new),
                    created: value.created_date.as_ref().and_then(super::time),
                };
                found.insert(value.name.unwrap_or(arn), read);
            }
            for error in answer.errors.unwrap_or_default() {
                let id = error.secret_id.unwrap_or_default();
                let read = match error.error_code.as_deref().unwrap_or_default() {
                    "ResourceNotFoundException" => SecretRead::Absent,
                    "InvalidRequestException" => SecretRead::InvalidState,
                    code => SecretRead::Failed(AwsError::of_entry(
                        "secretsmanager:GetSecretValue",
                        self.arn(&id),
                        &self.place.text,
                        code,
                    )),
                };
                found.insert(id, read);
            }
            token = answer.next_token;
            if token.is_none() {
                break;
            }
        }
        // A secret that the answer does not mention at all: nothing says that it is missing.
        let unmentioned = |name: &str| {
            SecretRead::Failed(AwsError::of_entry(BATCH_GET, self.arn(name), &self.place.text, "NotInAnswer"))
        };
        names.iter().map(|&name| found.remove(name).unwrap_or_else(|| unmentioned(name))).collect()
    }

    /// What a write has to respect; `None` when there is no such secret.
    pub(crate) async fn describe(&self, name: &str) -> Result<Option<SecretDescription>, AwsError> {
        let answer = match self.client.describe_secret().secret_id(name).send().await {
            Ok(answer) => answer,
            Err(error) if is_not_found(&error) => return Ok(None),
            Err(error) => {
                return Err(AwsError::of(
                    "secretsmanager:DescribeSecret",
                    self.arn(name),
                    &self.place.text,
                    &error,
                ));
            }
        };
        let tags = answer.tags.unwrap_or_default();
        let current_version = answer
            .version_ids_to_stages
            .unwrap_or_default()
            .into_iter()
            .find(|(_, stages)| stages.iter().any(|stage| stage == "AWSCURRENT"))
            .map(|(id, _)| id);
        Ok(Some(SecretDescription {
            arn: answer.arn.unwrap_or_default(),
            tags: tags.into_iter().filter_map(|tag| Some((tag.key?, tag.value?))).collect(),
            current_version,
            scheduled_for_deletion: answer.deleted_date.is_some(),
            rotation_enabled: answer.rotation_enabled.unwrap_or(false),
            owning_service: answer.owning_service.filter(|service| !service.is_empty()),
            kms_key: answer.kms_key_id.filter(|key| !key.ends_with("alias/aws/secretsmanager")),
            primary_region: answer.primary_region,
            replicas: answer.replication_status.unwrap_or_default().into_iter().map(replica).collect(),
        }))
    }

    /// Creates a secret; AWS makes the version current at once. Returns the ARN and the version id.
    pub(crate) async fn create(
        &self,
        name: &str,
        token: &str,
        content: &Secret,
        kms_key: Option<&str>,
        description: &str,
        tags: &[(String, String)],
    ) -> Result<(String, String), AwsError> {
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
        let call = self
            .client
            .create_secret()
            .name(name)
            .client_request_token(token)
            .secret_string(content.expose())
            .set_kms_key_id(kms_key.map(str::to_owned))
            .description(description)
            .set_tags(Some(tags));
        match call.send().await {
            Ok(answer) => Ok((answer.arn.unwrap_or_default(), answer.version_id.unwrap_or_default())),
            // Tags at the creation take the second permission, and the answer does not always say which of them lacks.
            Err(error) => {
                let actions = "secretsmanager:CreateSecret and secretsmanager:TagResource";
                Err(AwsError::of(actions, self.arn(name), &self.place.text, &error))
            }
        }
    }

    /// Puts a version as AWSPENDING. With the same token and content this is the same version; its id is the token.
    pub(crate) async fn put_pending(&self, arn: &str, token: &str, content: &Secret) -> Result<(), AwsError> {
        let call = self
            .client
            .put_secret_value()
            .secret_id(arn)
            .client_request_token(token)
            .secret_string(content.expose())
            .version_stages("AWSPENDING");
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(AwsError::of("secretsmanager:PutSecretValue", arn, &self.place.text, &error)),
        }
    }

    /// Moves AWSCURRENT from the version that was observed to `version`: a compare-and-swap. A lost race is
    /// `Invalid`, which does not tell it from a broken request: read again to know who won.
    pub(crate) async fn promote(&self, arn: &str, version: &str, from: Option<&str>) -> Result<(), AwsError> {
        let call = self
            .client
            .update_secret_version_stage()
            .secret_id(arn)
            .version_stage("AWSCURRENT")
            .move_to_version_id(version)
            .set_remove_from_version_id(from.map(str::to_owned));
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(AwsError::of("secretsmanager:UpdateSecretVersionStage", arn, &self.place.text, &error))
            }
        }
    }

    /// Asks for copies in these Regions, each under a key that is there. Another secret of the name stays as it is, and the
    /// copy fails.
    pub(crate) async fn replicate(&self, id: &str, regions: &[(&str, Option<&str>)]) -> Result<(), AwsError> {
        let region = |(region, key): &(&str, Option<&str>)| {
            ReplicaRegionType::builder().region(*region).set_kms_key_id(key.map(str::to_owned)).build()
        };
        let regions = regions.iter().map(region).collect();
        let call =
            self.client.replicate_secret_to_regions().secret_id(id).set_add_replica_regions(Some(regions));
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let action = "secretsmanager:ReplicateSecretToRegions";
                Err(AwsError::of(action, self.arn(id), &self.place.text, &error))
            }
        }
    }

    pub(crate) async fn untag(&self, arn: &str, key: &str) -> Result<(), AwsError> {
        match self.client.untag_resource().secret_id(arn).tag_keys(key).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(AwsError::of("secretsmanager:UntagResource", arn, &self.place.text, &error)),
        }
    }

    pub(crate) async fn tag(&self, arn: &str, tags: &[(String, String)]) -> Result<(), AwsError> {
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
        match self.client.tag_resource().secret_id(arn).set_tags(Some(tags)).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(AwsError::of("secretsmanager:TagResource", arn, &self.place.text, &error)),
        }
    }
}

fn replica(told: ReplicationStatusType) -> ReplicaSight {
    let status = match told.status {
        Some(StatusType::InSync) => ReplicaStatus::InSync,
        Some(StatusType::InProgress) => ReplicaStatus::InProgress,
        Some(StatusType::Failed) => {
            ReplicaStatus::Failed { said: told.status_message.unwrap_or_else(|| "nothing".to_owned()) }
        }
        Some(other) => ReplicaStatus::Other { status: other.as_str().to_owned() },
        None => ReplicaStatus::Other { status: String::new() },
    };
    ReplicaSight { region: told.region.unwrap_or_default(), status }
}

fn is_not_found<R>(error: &aws_smithy_runtime_api::client::result::SdkError<DescribeSecretError, R>) -> bool {
    error.as_service_error().is_some_and(DescribeSecretError::is_resource_not_found_exception)
}
