//! The Parameter Store: <https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-parameter-store.html>.
//!
//! Standard parameters, put and read one by one; labels, policies and the advanced tier are refused.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use regcred_core::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{SERVICE, Ssm};
use crate::clock::epoch_seconds;
use crate::error::{AwsError, Refusal};
use crate::services::Context;
use crate::services::kms::{KeyState, Keys};

/// The key of SSM's own, which every account and Region has.
const OWN_KEY: &str = "alias/aws/ssm";
/// Of a standard parameter, in bytes.
const LARGEST_VALUE: usize = 4096;

/// The parameters of one account and Region, by name.
#[derive(Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, Parameter>);

#[derive(Debug)]
struct Parameter {
    kind: Kind,
    key: Option<String>,
    /// Version 1 first.
    versions: Vec<Version>,
}

#[derive(Debug)]
struct Version {
    value: Secret,
    modified: DateTime<Utc>,
}

/// How a parameter is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    String,
    StringList,
    SecureString,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::StringList => "StringList",
            Self::SecureString => "SecureString",
        }
    }
}

impl Parameters {
    /// Adds one, or replaces the one of its name.
    pub(super) fn add(&mut self, name: String, kind: Kind, value: String, now: DateTime<Utc>) {
        let key = (kind == Kind::SecureString).then(|| OWN_KEY.to_owned());
        let versions = vec![Version { value: Secret::new(value), modified: now }];
        self.0.insert(name, Parameter { kind, key, versions });
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct PutParameter {
    name: String,
    value: String,
    #[serde(rename = "Type")]
    kind: Option<Kind>,
    key_id: Option<String>,
    overwrite: Option<bool>,
}

pub(super) fn put(
    cx: &Context<'_>,
    ssm: &mut Ssm,
    keys: &Keys,
    request: PutParameter,
) -> Result<Value, AwsError> {
    let PutParameter { name, value, kind, key_id, overwrite } = request;
    let value = Secret::new(value);
    cx.authorize(SERVICE, "PutParameter", &arn(cx, &name))?;
    let invalid = |text: &str| AwsError::new("ValidationException", text);
    if value.len() > LARGEST_VALUE {
        return Err(invalid(
            "Standard tier parameters support a maximum parameter value of 4096 characters.",
        ));
    }
    let all = &mut ssm.parameters.0;
    let kind = match all.get(&name) {
        Some(_) if overwrite != Some(true) => {
            return Err(AwsError::new(
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
            ));
        }
        Some(parameter) if kind.is_some_and(|kind| kind != parameter.kind) => {
            return Err(AwsError::new(
                "HierarchyTypeMismatchException",
                "Parameter Store does not support changing a parameter type.",
            ));
        }
        Some(parameter) => parameter.kind,
        None => kind.ok_or_else(|| invalid("A parameter type is required when you create a parameter."))?,
    };
    let key = match kind {
        Kind::SecureString => Some(key_id.unwrap_or_else(|| OWN_KEY.to_owned())),
        Kind::String | Kind::StringList if key_id.is_some() => {
            return Err(invalid("KeyId is required for SecureString type parameter only."));
        }
        Kind::String | Kind::StringList => None,
    };
    if let Some(key) = &key {
        use_key(cx, keys, key, "kms:Encrypt")?;
    }
    let version = Version { value, modified: cx.now };
    let parameter = all.entry(name).or_insert(Parameter { kind, key: None, versions: Vec::new() });
    parameter.key = key;
    parameter.versions.push(version);
    Ok(json!({"Version": parameter.versions.len(), "Tier": "Standard"}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct GetParameter {
    name: String,
    with_decryption: Option<bool>,
}

pub(super) fn get(
    cx: &Context<'_>,
    ssm: &Ssm,
    keys: &Keys,
    request: GetParameter,
) -> Result<Value, AwsError> {
    let GetParameter { name, with_decryption } = request;
    let prefix = cx.arn(SERVICE, "parameter");
    let reference = match name.strip_prefix(&prefix) {
        Some(path) if path.matches('/').count() == 1 => &path[1..],
        Some(path) => path,
        None => &name,
    };
    let (bare, selector) = match reference.split_once(':') {
        Some((bare, selector)) => (bare, Some(selector)),
        None => (reference, None),
    };
    cx.authorize(SERVICE, "GetParameter", &arn(cx, bare))?;
    let missing = || AwsError::new("ParameterNotFound", "");
    let Parameter { kind, key, versions } = ssm.parameters.0.get(bare).ok_or_else(missing)?;
    let number = match selector {
        None => versions.len(),
        Some(text) => text.parse().map_err(|_| AwsError::not_modelled(SERVICE, "a parameter's label"))?,
    };
    let version = number.checked_sub(1).and_then(|index| versions.get(index)).ok_or_else(|| {
        AwsError::new("ParameterVersionNotFound", "Systems Manager could not find the version.")
    })?;
    let value = match key {
        Some(key) if with_decryption == Some(true) => {
            use_key(cx, keys, key, "kms:Decrypt")?;
            version.value.expose().to_owned()
        }
        // What KMS made of it: whoever forgets to ask for the decryption gets something of no use.
        Some(_) => "AQICAHg".repeat(20),
        None => version.value.expose().to_owned(),
    };
    Ok(json!({"Parameter": {
        "ARN": arn(cx, bare),
        "DataType": "text",
        "LastModifiedDate": epoch_seconds(version.modified),
        "Name": bare,
        "Type": kind.name(),
        "Value": value,
        "Version": number,
    }}))
}

/// The ARN has one `/` behind `parameter`, whether the name begins with one or not.
fn arn(cx: &Context<'_>, name: &str) -> String {
    cx.arn(SERVICE, &format!("parameter/{}", name.trim_start_matches('/')))
}

/// Under a key of the account's own, the caller itself has to be allowed; the policy of SSM's key allows all that may use
/// the parameter.
fn use_key(cx: &Context<'_>, keys: &Keys, key: &str, action: &str) -> Result<(), AwsError> {
    match keys.state(key) {
        KeyState::Enabled => {}
        KeyState::Disabled => {
            return Err(AwsError::new("InvalidKeyId", format!("{key} is disabled. (Service: AWSKMS)")));
        }
        KeyState::Missing => {
            return Err(AwsError::new("InvalidKeyId", format!("Invalid keyId {key} (Service: AWSKMS)")));
        }
    }
    let resource = cx.arn(SERVICE, key).replacen(":ssm:", ":kms:", 1);
    if key == OWN_KEY || cx.permissions.allow(action, &resource) {
        return Ok(());
    }
    Err(Refusal::Denied { caller: cx.caller.arn(), action: action.to_owned(), resource }.by(SERVICE))
}
