//! As much of KMS as the other services need: which keys there are, and whether they are enabled.

use std::collections::{BTreeMap, HashMap};

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
        let name = match (reference.rsplit_once(":key/"), reference.rsplit_once(":alias/")) {
            (Some((_, id)), _) => id.to_owned(),
            (None, Some((_, alias))) => format!("alias/{alias}"),
            (None, None) => reference.to_owned(),
        };
        if name.starts_with("alias/aws/") {
            return KeyState::Enabled;
        }
        match self.0.get(&name).or_else(|| self.0.values().find(|key| key.id == name)) {
            None => KeyState::Missing,
            Some(Key { enabled: true, .. }) => KeyState::Enabled,
            Some(Key { enabled: false, .. }) => KeyState::Disabled,
        }
    }
}
