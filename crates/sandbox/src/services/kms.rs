//! As much of KMS as the other services need: which keys there are, and whether they are enabled; and DescribeKey, which
//! tells the key of an alias.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Context, Service, members};
use crate::error::AwsError;

/// The keys of all accounts and Regions.
#[derive(Debug, Default)]
pub(crate) struct Kms(HashMap<(String, String), Keys>);

/// The keys of one account and Region, by alias. Those that AWS manages are always there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(BTreeMap<String, Key>);

#[derive(Clone, Debug)]
struct Key {
    id: String,
    enabled: bool,
}

/// What a reference to a key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyState {
    Enabled,
    Disabled,
    Missing,
}

impl Kms {
    pub(crate) fn at(&mut self, account: &str, region: &str) -> &mut Keys {
        self.0.entry((account.to_owned(), region.to_owned())).or_default()
    }
}

impl Keys {
    /// Adds the key of an alias, or switches the one that is there.
    pub(crate) fn set(&mut self, alias: &str, enabled: bool) {
        let new = || Key { id: uuid::Uuid::new_v4().to_string(), enabled };
        self.0.entry(alias.to_owned()).or_insert_with(new).enabled = enabled;
    }

    /// The state of the key that a request names: by alias, id, or the ARN of either.
    pub(crate) fn state(&self, reference: &str) -> KeyState {
        if name_of(reference).starts_with("alias/aws/") {
            return KeyState::Enabled;
        }
        match self.find(reference) {
            None => KeyState::Missing,
            Some(Key { enabled: true, .. }) => KeyState::Enabled,
            Some(Key { enabled: false, .. }) => KeyState::Disabled,
        }
    }

    fn find(&self, reference: &str) -> Option<&Key> {
        let name = name_of(reference);
        self.0.get(&name).or_else(|| self.0.values().find(|key| key.id == name))
    }
}

/// A key's alias or id, without the rest of an ARN.
fn name_of(reference: &str) -> String {
    match (reference.rsplit_once(":key/"), reference.rsplit_once(":alias/")) {
        (Some((_, id)), _) => id.to_owned(),
        (None, Some((_, alias))) => format!("alias/{alias}"),
        (None, None) => reference.to_owned(),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct DescribeKey {
    key_id: String,
}

/// Answers one call, whose members the model has approved.
pub(crate) fn handle(
    cx: &Context<'_>,
    keys: &Keys,
    operation: &str,
    input: Value,
) -> Result<Value, AwsError> {
    const SERVICE: Service = Service::Kms;
    if operation != "DescribeKey" {
        return Err(AwsError::not_modelled(SERVICE, format!("the operation {operation}")));
    }
    let DescribeKey { key_id } = members(SERVICE, input)?;
    let Some(Key { id, enabled }) = keys.find(&key_id) else {
        let name = cx.arn(SERVICE, &name_of(&key_id));
        cx.authorize(SERVICE, operation, &name)?;
        return Err(AwsError::new("NotFoundException", format!("Alias or key {name} is not found.")));
    };
    let arn = cx.arn(SERVICE, &format!("key/{id}"));
    cx.authorize(SERVICE, operation, &arn)?;
    Ok(json!({ "KeyMetadata": {
        "AWSAccountId": cx.caller.account,
        "KeyId": id,
        "Arn": arn,
        "Enabled": enabled,
        "KeyState": if *enabled { "Enabled" } else { "Disabled" },
        "KeyManager": "CUSTOMER",
        "KeyUsage": "ENCRYPT_DECRYPT",
    }}))
}
