//! The operations that change something.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};

use super::replication::{self, ReplicaRegion, Replication};
use super::secret::{Added, CURRENT, Content, Deletion, Rotation, Secret};
use super::{Keys, Secrets, Tag, encrypts, named, not_found};
use crate::clock::epoch_seconds;
use crate::error::AwsError;
use crate::services::{Context, Service};

const MOST_TAGS: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct CreateSecret {
    name: String,
    client_request_token: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    tags: Option<Vec<Tag>>,
    add_replica_regions: Option<Vec<ReplicaRegion>>,
    force_overwrite_replica_secret: Option<bool>,
}

pub(super) fn create(
    cx: &Context<'_>,
    secrets: &mut Secrets,
    keys: &Keys,
    request: CreateSecret,
) -> Result<Value, AwsError> {
    let CreateSecret {
        name,
        client_request_token,
        description,
        kms_key_id,
        secret_string,
        secret_binary,
        tags,
        add_replica_regions,
        force_overwrite_replica_secret,
    } = request;
    let is_name_character = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
    if !name.chars().all(is_name_character) {
        return Err(AwsError::new(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        ));
    }
    let content = Content::of(secret_string, secret_binary)?;
    let token = client_request_token.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    if let Some(secret) = secrets.0.get(&name) {
        return again(secret, &token, content.as_ref());
    }
    encrypts(keys, kms_key_id.as_deref())?;
    let tags = tags.unwrap_or_default();
    if !tags.is_empty() {
        // "If you include tags in the secret, you also need secretsmanager:TagResource":
        // https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
        let arn = cx.arn(Service::SecretsManager, &format!("secret:{name}-{}", super::NOT_CHOSEN));
        cx.authorize(Service::SecretsManager, "TagResource", &arn)?;
    }
    let mut secret = Secret {
        arn: cx.arn(Service::SecretsManager, &format!("secret:{name}-{}", arn_suffix())),
        name: name.clone(),
        description,
        kms_key: kms_key_id.filter(|key| !key.is_empty()),
        tags: BTreeMap::new(),
        versions: Vec::new(),
        created: cx.now,
        last_changed: cx.now,
        last_accessed: None,
        deleted: None,
        rotation: Rotation::Off,
        owning_service: None,
        replication: Replication::Alone,
    };
    put_tags(&mut secret, tags)?;
    let mut answer = named(&secret);
    if let Some(content) = content {
        secret.add(&token, content, &[CURRENT.to_owned()], cx.now)?;
        answer.insert("VersionId".into(), json!(token));
    }
    if let Some(regions) = add_replica_regions {
        // "To add replica Regions, you must also have secretsmanager:ReplicateSecretToRegions" (the same page).
        cx.authorize(Service::SecretsManager, "ReplicateSecretToRegions", &secret.arn)?;
        replication::add(cx, &mut secret, regions, force_overwrite_replica_secret)?;
        answer.insert("ReplicationStatus".into(), replication::statuses(&secret.replication));
    }
    secrets.0.insert(name, secret);
    Ok(answer.into())
}

/// A creation over a secret that is there: the same request again, or a refusal.
fn again(secret: &Secret, token: &str, content: Option<&Content>) -> Result<Value, AwsError> {
    if secret.deleted.is_some() {
        return Err(AwsError::new(
            "InvalidRequestException",
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
        ));
    }
    if !secret.version(token).is_some_and(|version| Some(&version.content) == content) {
        return Err(AwsError::new(
            "ResourceExistsException",
            format!("The operation failed because the secret {} already exists.", secret.name),
        ));
    }
    let mut answer = named(secret);
    answer.insert("VersionId".into(), json!(token));
    Ok(answer.into())
}

/// Six random characters end each ARN, so that a secret made anew is another one.
fn arn_suffix() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..6].to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct PutSecretValue {
    #[serde(rename = "SecretId")]
    _secret_id: String,
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    version_stages: Option<Vec<String>>,
}

pub(super) fn put(
    cx: &Context<'_>,
    secret: &mut Secret,
    keys: &Keys,
    request: PutSecretValue,
) -> Result<Value, AwsError> {
    let PutSecretValue { _secret_id, client_request_token, secret_string, secret_binary, version_stages } =
        request;
    secret.alive()?;
    let content = Content::of(secret_string, secret_binary)?.ok_or_else(|| {
        AwsError::new("InvalidParameterException", "You must provide either SecretString or SecretBinary.")
    })?;
    encrypts(keys, secret.kms_key.as_deref())?;
    let token = client_request_token.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let labels = version_stages.unwrap_or_else(|| vec![CURRENT.to_owned()]);
    match secret.add(&token, content, &labels, cx.now)? {
        Added::Made | Added::AlreadyThere => {}
    }
    let mut answer = named(secret);
    let labels = secret.version(&token).map(|version| version.labels.clone()).unwrap_or_default();
    if !labels.is_empty() {
        answer.insert("VersionStages".into(), json!(labels));
    }
    answer.insert("VersionId".into(), json!(token));
    Ok(answer.into())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct UpdateSecretVersionStage {
    #[serde(rename = "SecretId")]
    _secret_id: String,
    version_stage: String,
    remove_from_version_id: Option<String>,
    move_to_version_id: Option<String>,
}

/// The compare-and-swap of a secret: a label that is attached elsewhere than `RemoveFromVersionId` says does not move.
pub(super) fn update_stage(
    cx: &Context<'_>,
    secret: &mut Secret,
    request: UpdateSecretVersionStage,
) -> Result<Value, AwsError> {
    let UpdateSecretVersionStage {
        _secret_id,
        version_stage: label,
        remove_from_version_id,
        move_to_version_id,
    } = request;
    let invalid = |text: String| AwsError::new("InvalidParameterException", text);
    secret.alive()?;
    for id in remove_from_version_id.iter().chain(&move_to_version_id) {
        if secret.version(id).is_none() {
            return Err(AwsError::new(
                "ResourceNotFoundException",
                format!("Secrets Manager can't find the specified secret version: {id}."),
            ));
        }
    }
    let holder = secret.labelled(&label).map(|version| version.id.clone());
    match (&remove_from_version_id, &holder) {
        (Some(from), holder) if Some(from) != holder.as_ref() => {
            return Err(invalid(format!(
                "Staging label {label} isn't currently attached to version {from}."
            )));
        }
        (None, Some(holder)) if move_to_version_id.as_ref() != Some(holder) => {
            return Err(invalid(format!(
                "The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to \
                 version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
            )));
        }
        (Some(_) | None, _) => {}
    }
    match move_to_version_id {
        Some(to) => secret.attach(&label, &to)?,
        None if label == CURRENT => {
            return Err(invalid(
                "You can only move the staging label AWSCURRENT to a different secret version.".into(),
            ));
        }
        None => {
            secret.detach(&label);
        }
    }
    secret.last_changed = cx.now;
    Ok(named(secret).into())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct TagResource {
    #[serde(rename = "SecretId")]
    _secret_id: String,
    tags: Vec<Tag>,
}

pub(super) fn tag(secret: &mut Secret, request: TagResource) -> Result<Value, AwsError> {
    secret.alive()?;
    put_tags(secret, request.tags)?;
    Ok(json!({}))
}

fn put_tags(secret: &mut Secret, tags: Vec<Tag>) -> Result<(), AwsError> {
    let mut after = secret.tags.clone();
    for Tag { key, value } in tags {
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(AwsError::new(
                "InvalidParameterException",
                "Tag keys that begin with aws: are reserved.",
            ));
        }
        after.insert(key, value);
    }
    if after.len() > MOST_TAGS {
        return Err(AwsError::new("InvalidParameterException", "A secret can't have more than 50 tags."));
    }
    secret.tags = after;
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct UntagResource {
    #[serde(rename = "SecretId")]
    _secret_id: String,
    tag_keys: Vec<String>,
}

pub(super) fn untag(secret: &mut Secret, request: UntagResource) -> Result<Value, AwsError> {
    secret.alive()?;
    for key in request.tag_keys {
        secret.tags.remove(&key);
    }
    Ok(json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct DeleteSecret {
    secret_id: String,
    recovery_window_in_days: Option<i64>,
    force_delete_without_recovery: Option<bool>,
}

pub(super) fn delete(
    cx: &Context<'_>,
    secrets: &mut Secrets,
    request: DeleteSecret,
) -> Result<Value, AwsError> {
    let DeleteSecret { secret_id, recovery_window_in_days, force_delete_without_recovery } = request;
    let invalid = |text: &str| AwsError::new("InvalidParameterException", text);
    let name = secrets.name_of(cx, &secret_id).ok_or_else(not_found)?;
    let secret = secrets.find_id_mut(cx, &secret_id)?;
    let at_once = force_delete_without_recovery.unwrap_or(false);
    let days = match recovery_window_in_days {
        Some(_) if at_once => {
            return Err(invalid(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
            ));
        }
        Some(days) if !(7..=30).contains(&days) => {
            return Err(invalid("RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."));
        }
        Some(days) => days,
        None if at_once => 0,
        None => 30,
    };
    if !at_once {
        secret.alive()?;
    }
    let due = cx.now + TimeDelta::days(days);
    secret.deleted = Some(Deletion { asked: cx.now, due });
    let mut answer = named(secret);
    answer.insert("DeletionDate".into(), epoch_seconds(due));
    if at_once {
        secrets.0.remove(&name);
    }
    Ok(answer.into())
}

pub(super) fn restore(secret: &mut Secret) -> Value {
    secret.deleted = None;
    named(secret).into()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct RotateSecret {
    #[serde(rename = "SecretId")]
    _secret_id: String,
    /// Of the version that a rotation at once would make.
    #[serde(rename = "ClientRequestToken")]
    _client_request_token: Option<String>,
    #[serde(rename = "RotationLambdaARN")]
    rotation_lambda_arn: Option<String>,
    #[serde(rename = "RotationRules")]
    _rotation_rules: Option<Value>,
    rotate_immediately: Option<bool>,
}

/// Switches rotation on. No function is ever called: nothing rotates here but regcred.
pub(super) fn rotate(secret: &mut Secret, request: RotateSecret) -> Result<Value, AwsError> {
    let RotateSecret {
        _secret_id,
        _client_request_token,
        rotation_lambda_arn,
        _rotation_rules,
        rotate_immediately,
    } = request;
    secret.alive()?;
    if rotate_immediately.unwrap_or(true) {
        return Err(AwsError::not_modelled(
            Service::SecretsManager,
            "a rotation at once; give RotateImmediately: false",
        ));
    }
    match (rotation_lambda_arn, &secret.rotation) {
        (Some(lambda_arn), _) => secret.rotation = Rotation::By { lambda_arn },
        (None, Rotation::By { .. }) => {}
        (None, Rotation::Off) => {
            return Err(AwsError::new(
                "InvalidRequestException",
                "No Lambda rotation function ARN is associated with this secret.",
            ));
        }
    }
    let mut answer = named(secret);
    if let Some(version) = secret.labelled(CURRENT) {
        answer.insert("VersionId".into(), json!(version.id));
    }
    Ok(answer.into())
}
