//! The operations that change nothing.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::replication::{self, Replication};
use super::secret::{CURRENT, Content, Rotation, Secret, Version};
use super::{Keys, Secrets, decrypts, named};
use crate::clock::epoch_seconds;
use crate::error::AwsError;
use crate::paging::{item_before, token_after};
use crate::services::{Context, Service};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct GetSecretValue {
    #[serde(rename = "SecretId")]
    _secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

pub(super) fn get(secret: &Secret, keys: &Keys, request: GetSecretValue) -> Result<Value, AwsError> {
    secret.alive()?;
    let not_found = |what: String| {
        AwsError::new(
            "ResourceNotFoundException",
            format!("Secrets Manager can't find the specified secret value for {what}"),
        )
    };
    let version = match (request.version_id, request.version_stage) {
        (Some(id), stage) => {
            let version = secret.version(&id).ok_or_else(|| not_found(format!("VersionId: {id}")))?;
            if stage.is_some_and(|stage| !version.labels.contains(&stage)) {
                return Err(AwsError::new(
                    "InvalidRequestException",
                    "You provided a VersionStage that is not associated to the provided VersionId.",
                ));
            }
            version
        }
        (None, stage) => {
            let stage = stage.as_deref().unwrap_or(CURRENT);
            secret.labelled(stage).ok_or_else(|| not_found(format!("staging label: {stage}")))?
        }
    };
    value_of(secret, version, keys)
}

fn value_of(secret: &Secret, version: &Version, keys: &Keys) -> Result<Value, AwsError> {
    decrypts(keys, secret.kms_key.as_deref())?;
    let mut answer = named(secret);
    answer.insert("VersionId".into(), json!(version.id));
    match &version.content {
        Content::Text(text) => answer.insert("SecretString".into(), json!(text.expose())),
        Content::Binary(binary) => answer.insert("SecretBinary".into(), json!(binary.expose())),
    };
    if !version.labels.is_empty() {
        answer.insert("VersionStages".into(), json!(version.labels));
    }
    answer.insert("CreatedDate".into(), epoch_seconds(version.created));
    Ok(answer.into())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct BatchGetSecretValue {
    secret_id_list: Option<Vec<String>>,
    filters: Option<Vec<Filter>>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn batch(
    cx: &Context<'_>,
    secrets: &Secrets,
    keys: &Keys,
    request: BatchGetSecretValue,
) -> Result<Value, AwsError> {
    let BatchGetSecretValue { secret_id_list, filters, max_results, next_token } = request;
    let invalid = |text: &str| Err(AwsError::new("InvalidParameterException", text));
    let (ids, next_token) = match (secret_id_list, filters) {
        (Some(_), Some(_)) => return invalid("You can't use SecretIdList and Filters in one request."),
        (None, None) => return invalid("You must give SecretIdList or Filters."),
        (Some(_), None) if max_results.is_some() => {
            return invalid("To use MaxResults, you must also use Filters.");
        }
        (Some(_), None) if next_token.is_some() => return Err(bad_token()),
        (Some(ids), None) => (ids, None),
        (None, Some(filters)) => {
            let matching = secrets.0.values().filter(|secret| secret.deleted.is_none());
            let region = &cx.caller.region;
            let matching =
                matching.filter(|secret| filters.iter().all(|filter| filter.keeps(secret, region)));
            let page = page(matching, next_token, max_results.unwrap_or(20))?;
            (page.secrets.iter().map(|secret| secret.arn.clone()).collect(), page.next_token)
        }
    };
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for id in ids {
        match one_of_batch(cx, secrets, keys, &id) {
            Ok(value) => values.push(value),
            Err(error) => errors.push(json!({
                "SecretId": id,
                "ErrorCode": error.code,
                "Message": error.message,
            })),
        }
    }
    let mut answer = json!({"SecretValues": values, "Errors": errors});
    if let Some(token) = next_token {
        answer["NextToken"] = json!(token);
    }
    Ok(answer)
}

/// Each secret of a batch is one GetSecretValue: for its policy, its state and its key.
fn one_of_batch(cx: &Context<'_>, secrets: &Secrets, keys: &Keys, id: &str) -> Result<Value, AwsError> {
    cx.authorize(Service::SecretsManager, "GetSecretValue", &secrets.arn_of(cx, id))?;
    let secret = secrets.find_id(cx, id)?;
    let request = GetSecretValue { _secret_id: id.to_owned(), version_id: None, version_stage: None };
    get(secret, keys, request)
}

/// As a caller in `region` sees it.
pub(super) fn describe(secret: &Secret, region: &str) -> Value {
    let mut answer = listed(secret);
    replication::describe(secret, region, &mut answer);
    if let Some(versions) = answer.remove("SecretVersionsToStages") {
        answer.insert("VersionIdsToStages".into(), versions);
    }
    answer.into()
}

/// A secret as ListSecrets shows it; DescribeSecret calls one member otherwise.
fn listed(secret: &Secret) -> Map<String, Value> {
    let Secret {
        arn: _,
        name: _,
        description,
        kms_key,
        tags,
        versions,
        created,
        last_changed,
        last_accessed,
        deleted,
        rotation,
        owning_service,
        replication: _,
    } = secret;
    let mut answer = named(secret);
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            answer.insert(key.to_owned(), value);
        }
    };
    put("Description", description.as_ref().map(|text| json!(text)));
    put("KmsKeyId", kms_key.as_ref().map(|key| json!(key)));
    match rotation {
        Rotation::Off => {}
        Rotation::By { lambda_arn } => {
            put("RotationEnabled", Some(json!(true)));
            put("RotationLambdaARN", Some(json!(lambda_arn)));
        }
    }
    put("CreatedDate", Some(epoch_seconds(*created)));
    put("LastChangedDate", Some(epoch_seconds(*last_changed)));
    put("LastAccessedDate", last_accessed.map(epoch_seconds));
    put("DeletedDate", deleted.map(|deletion| epoch_seconds(deletion.asked)));
    put("OwningService", owning_service.as_ref().map(|owner| json!(owner)));
    let tags: Vec<_> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    put("Tags", Some(json!(tags)));
    let labelled: Map<_, _> = versions
        .iter()
        .filter(|version| !version.labels.is_empty())
        .map(|version| (version.id.clone(), json!(version.labels)))
        .collect();
    put("SecretVersionsToStages", (!labelled.is_empty()).then(|| labelled.into()));
    answer
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct ListSecrets {
    include_planned_deletion: Option<bool>,
    max_results: Option<usize>,
    next_token: Option<String>,
    filters: Option<Vec<Filter>>,
}

pub(super) fn list(cx: &Context<'_>, secrets: &Secrets, request: ListSecrets) -> Result<Value, AwsError> {
    let ListSecrets { include_planned_deletion, max_results, next_token, filters } = request;
    let filters = filters.unwrap_or_default();
    let deleted_too = include_planned_deletion.unwrap_or(false);
    let matching = secrets
        .0
        .values()
        .filter(|secret| deleted_too || secret.deleted.is_none())
        .filter(|secret| filters.iter().all(|filter| filter.keeps(secret, &cx.caller.region)));
    let page = page(matching, next_token, max_results.unwrap_or(100))?;
    let mut answer = json!({"SecretList": page.secrets.into_iter().map(listed).collect::<Vec<_>>()});
    if let Some(token) = page.next_token {
        answer["NextToken"] = json!(token);
    }
    Ok(answer)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct ListSecretVersionIds {
    #[serde(rename = "SecretId")]
    _secret_id: String,
    max_results: Option<usize>,
    next_token: Option<String>,
    include_deprecated: Option<bool>,
}

pub(super) fn versions(secret: &Secret, request: ListSecretVersionIds) -> Result<Value, AwsError> {
    let ListSecretVersionIds { _secret_id, max_results, next_token, include_deprecated } = request;
    let mut shown: Vec<&Version> = secret
        .versions
        .iter()
        .filter(|version| include_deprecated.unwrap_or(false) || !version.labels.is_empty())
        .collect();
    if let Some(token) = next_token {
        let last = item_before(&token).ok_or_else(bad_token)?;
        let position = shown.iter().position(|version| version.id == last).ok_or_else(bad_token)?;
        shown.drain(..=position);
    }
    let more = shown.len() > max_results.unwrap_or(100);
    shown.truncate(max_results.unwrap_or(100));
    let mut answer: Value = named(secret).into();
    if more {
        answer["NextToken"] = json!(shown.last().map(|version| token_after(&version.id)));
    }
    answer["Versions"] = shown
        .into_iter()
        .map(|version| {
            let mut entry = json!({"VersionId": version.id, "CreatedDate": epoch_seconds(version.created)});
            if !version.labels.is_empty() {
                entry["VersionStages"] = json!(version.labels);
            }
            if let Some(day) = version.last_accessed {
                entry["LastAccessedDate"] = epoch_seconds(day);
            }
            entry
        })
        .collect();
    Ok(answer)
}

struct Page<'a> {
    secrets: Vec<&'a Secret>,
    next_token: Option<String>,
}

/// One page of secrets in the order of their names.
fn page<'a>(
    matching: impl Iterator<Item = &'a Secret>,
    token: Option<String>,
    size: usize,
) -> Result<Page<'a>, AwsError> {
    let after = token.map(|token| item_before(&token).ok_or_else(bad_token)).transpose()?;
    let mut rest = matching.skip_while(|secret| after.as_ref().is_some_and(|after| secret.name <= *after));
    let secrets: Vec<_> = rest.by_ref().take(size).collect();
    let next_token = rest.next().and(secrets.last()).map(|secret| token_after(&secret.name));
    Ok(Page { secrets, next_token })
}

fn bad_token() -> AwsError {
    AwsError::new("InvalidNextTokenException", "The NextToken value is invalid.")
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Filter {
    key: FilterKey,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FilterKey {
    Description,
    Name,
    TagKey,
    TagValue,
    PrimaryRegion,
    OwningService,
    All,
}

impl Filter {
    /// Any of the values has to match the beginning; one with `!` in front must not.
    fn keeps(&self, secret: &Secret, region: &str) -> bool {
        self.values.iter().any(|value| match value.strip_prefix('!') {
            Some(unwanted) => !self.matches(secret, region, unwanted),
            None => self.matches(secret, region, value),
        })
    }

    fn matches(&self, secret: &Secret, region: &str, value: &str) -> bool {
        let described = || secret.description.as_deref().is_some_and(|text| text.starts_with(value));
        let tag_key = || secret.tags.keys().any(|key| key.starts_with(value));
        let tag_value = || secret.tags.values().any(|tag| tag.starts_with(value));
        match self.key {
            FilterKey::Description => described(),
            FilterKey::Name => secret.name.starts_with(value),
            FilterKey::TagKey => tag_key(),
            FilterKey::TagValue => tag_value(),
            FilterKey::OwningService => {
                secret.owning_service.as_deref().is_some_and(|owner| owner.starts_with(value))
            }
            // Only replicated secrets have one.
            FilterKey::PrimaryRegion => match &secret.replication {
                Replication::Alone => false,
                Replication::PrimaryOf(_) => region.starts_with(value),
                Replication::ReplicaOf { region } => region.starts_with(value),
            },
            FilterKey::All => described() || secret.name.starts_with(value) || tag_key() || tag_value(),
        }
    }
}
