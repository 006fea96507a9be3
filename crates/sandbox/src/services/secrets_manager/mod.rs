//! Secrets Manager: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Operations.html>.

mod read;
mod replication;
mod secret;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::kms::{KeyState, Keys};
use super::{Context, Regional, Service, members};
use crate::error::AwsError;
pub(crate) use replication::settle;
use secret::Secret;

/// The secrets of one account and Region, by name.
#[derive(Debug, Default)]
pub(crate) struct Secrets(BTreeMap<String, Secret>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct SecretId {
    secret_id: String,
}

/// A tag, as requests and answers carry it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

/// Answers one call, whose members the model has approved.
pub(crate) fn handle(
    cx: &Context<'_>,
    regional: &mut Regional,
    keys: &Keys,
    operation: &str,
    input: Value,
) -> Result<Value, AwsError> {
    let secrets = &mut regional.secrets;
    secrets.sweep(cx);
    authorize(cx, secrets, operation, &input)?;
    if let Ok(secret) = secrets.find(cx, &input) {
        replication::permits(secret, operation)?;
    }
    let id = secret_id(&input).to_owned();
    let answer = answer(cx, secrets, keys, operation, input)?;
    let changes = ["PutSecretValue", "UpdateSecretVersionStage", "TagResource", "UntagResource"];
    if changes.contains(&operation) {
        replication::follow(cx, secrets.find_id_mut(cx, &id)?);
    }
    Ok(answer)
}

fn answer(
    cx: &Context<'_>,
    secrets: &mut Secrets,
    keys: &Keys,
    operation: &str,
    input: Value,
) -> Result<Value, AwsError> {
    const SERVICE: Service = Service::SecretsManager;
    match operation {
        "BatchGetSecretValue" => {
            let answer = read::batch(cx, secrets, keys, members(SERVICE, input)?)?;
            for value in answer["SecretValues"].as_array().into_iter().flatten() {
                secrets.touch(cx, value);
            }
            Ok(answer)
        }
        "GetSecretValue" => {
            let value = read::get(secrets.find(cx, &input)?, keys, members(SERVICE, input)?)?;
            secrets.touch(cx, &value);
            Ok(value)
        }
        "DescribeSecret" => {
            let SecretId { secret_id } = members(SERVICE, input)?;
            Ok(read::describe(secrets.find_id(cx, &secret_id)?, &cx.caller.region))
        }
        "ListSecrets" => read::list(cx, secrets, members(SERVICE, input)?),
        "ReplicateSecretToRegions" => {
            replication::replicate(cx, secrets.find_mut(cx, &input)?, members(SERVICE, input)?)
        }
        "ListSecretVersionIds" => read::versions(secrets.find(cx, &input)?, members(SERVICE, input)?),
        "CreateSecret" => write::create(cx, secrets, keys, members(SERVICE, input)?),
        "PutSecretValue" => write::put(cx, secrets.find_mut(cx, &input)?, keys, members(SERVICE, input)?),
        "UpdateSecretVersionStage" => {
            write::update_stage(cx, secrets.find_mut(cx, &input)?, members(SERVICE, input)?)
        }
        "TagResource" => write::tag(secrets.find_mut(cx, &input)?, members(SERVICE, input)?),
        "UntagResource" => write::untag(secrets.find_mut(cx, &input)?, members(SERVICE, input)?),
        "DeleteSecret" => write::delete(cx, secrets, members(SERVICE, input)?),
        "RestoreSecret" => {
            let SecretId { secret_id } = members(SERVICE, input)?;
            Ok(write::restore(secrets.find_id_mut(cx, &secret_id)?))
        }
        "RotateSecret" => write::rotate(secrets.find_mut(cx, &input)?, members(SERVICE, input)?),
        other => Err(AwsError::not_modelled(SERVICE, format!("the operation {other}"))),
    }
}

/// The policy is asked about the secret's ARN; about one that does not exist, under the name it would have.
/// In place of the six characters of a secret that is to be created
/// (<https://github.com/iann0036/iam-dataset/pull/22>, tried on AWS: a policy without them does not allow it).
const NOT_CHOSEN: &str = "000000";

fn authorize(cx: &Context<'_>, secrets: &Secrets, operation: &str, input: &Value) -> Result<(), AwsError> {
    let text = |member: &str| input.get(member).and_then(Value::as_str);
    let resource = match (text("SecretId"), text("Name")) {
        (Some(id), _) => secrets.arn_of(cx, id),
        (None, Some(name)) => cx.arn(Service::SecretsManager, &format!("secret:{name}-{NOT_CHOSEN}")),
        (None, None) => "*".to_owned(),
    };
    cx.authorize(Service::SecretsManager, operation, &resource)
}

impl Secrets {
    /// Drops the secrets whose deletion is due.
    fn sweep(&mut self, cx: &Context<'_>) {
        self.0.retain(|_, secret| secret.deleted.is_none_or(|deletion| deletion.due > cx.now));
    }

    /// The name of the secret that an id means: a name, an ARN, or an ARN without its six random characters.
    fn name_of(&self, cx: &Context<'_>, id: &str) -> Option<String> {
        if self.0.contains_key(id) {
            return Some(id.to_owned());
        }
        let rest = id.strip_prefix(&cx.arn(Service::SecretsManager, "secret:"))?;
        if self.0.contains_key(rest) {
            return Some(rest.to_owned());
        }
        let (name, _) = rest.rsplit_once('-')?;
        self.0.get(name).filter(|secret| secret.arn == id).map(|secret| secret.name.clone())
    }

    /// What a caller's policies are asked about. A secret that is not there has no suffix: a policy for `NAME-??????` alone does
    /// not allow to learn that (<https://github.com/ministackorg/ministack/pull/1737>, which measured AWS).
    fn arn_of(&self, cx: &Context<'_>, id: &str) -> String {
        match self.name_of(cx, id) {
            Some(name) => self.0[&name].arn.clone(),
            None if id.starts_with("arn:") => id.to_owned(),
            None => cx.arn(Service::SecretsManager, &format!("secret:{id}")),
        }
    }

    fn find_id(&self, cx: &Context<'_>, id: &str) -> Result<&Secret, AwsError> {
        self.name_of(cx, id).and_then(|name| self.0.get(&name)).ok_or_else(not_found)
    }

    fn find_id_mut(&mut self, cx: &Context<'_>, id: &str) -> Result<&mut Secret, AwsError> {
        self.name_of(cx, id).and_then(|name| self.0.get_mut(&name)).ok_or_else(not_found)
    }

    fn find(&self, cx: &Context<'_>, input: &Value) -> Result<&Secret, AwsError> {
        self.find_id(cx, secret_id(input))
    }

    fn find_mut(&mut self, cx: &Context<'_>, input: &Value) -> Result<&mut Secret, AwsError> {
        self.find_id_mut(cx, secret_id(input))
    }

    /// Notes the read of a value that was just answered.
    fn touch(&mut self, cx: &Context<'_>, value: &Value) {
        let text = |member: &str| value.get(member).and_then(Value::as_str).unwrap_or_default();
        if let Some(secret) = self.0.get_mut(text("Name")) {
            secret.touch(text("VersionId"), cx.now);
        }
    }

    /// What control may ask of a secret: nothing of its value.
    pub(crate) fn metadata<'a>(&'a self, region: &'a str) -> impl Iterator<Item = Value> + 'a {
        self.0.values().map(move |secret| read::describe(secret, region))
    }

    /// Marks a secret as managed by another service, as control asks. `false` when there is none of that name.
    pub(crate) fn set_owning_service(&mut self, name: &str, owner: Option<String>) -> bool {
        self.0.get_mut(name).map(|secret| secret.owning_service = owner).is_some()
    }
}

fn secret_id(input: &Value) -> &str {
    input.get("SecretId").and_then(Value::as_str).unwrap_or_default()
}

fn not_found() -> AwsError {
    AwsError::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

/// Refuses a write under a key that cannot encrypt.
fn encrypts(keys: &Keys, key: Option<&str>) -> Result<(), AwsError> {
    match key.map_or(KeyState::Enabled, |key| keys.state(key)) {
        KeyState::Enabled => Ok(()),
        KeyState::Disabled | KeyState::Missing => Err(AwsError::new(
            "EncryptionFailure",
            "Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS key is \
             available, enabled, and not in an invalid state.",
        )),
    }
}

/// Refuses a read under a key that cannot decrypt.
fn decrypts(keys: &Keys, key: Option<&str>) -> Result<(), AwsError> {
    match key.map_or(KeyState::Enabled, |key| keys.state(key)) {
        KeyState::Enabled => Ok(()),
        KeyState::Disabled | KeyState::Missing => Err(AwsError::new(
            "DecryptionFailure",
            "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
        )),
    }
}

/// ARN and name: what the answers of most writes begin with.
fn named(secret: &Secret) -> serde_json::Map<String, Value> {
    serde_json::Map::from_iter([
        ("ARN".to_owned(), json!(secret.arn)),
        ("Name".to_owned(), json!(secret.name)),
    ])
}
