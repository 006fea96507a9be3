//! A credential as JSON: an object with a text for each part, and perhaps one that says when it ends.
//!
//! Nothing here knows where the text came from.

use std::fmt;

use chrono::{DateTime, Utc};
use regcred_core::credential::Credential;
use regcred_core::secret::Secret;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, de};

use super::flaw::Flaw;
pub(super) use crate::config::Keys;
use crate::config::UsernameFrom;

/// When the credential ends, in RFC 3339. No registry or secret store has a name of its own for it.
pub(super) const EXPIRES_AT: &str = "expires_at";

/// Reads a credential by its keys. What else the object holds is ignored.
pub(super) fn parse(text: &Secret, keys: &Keys) -> Result<Credential, Flaw> {
    if text.expose().trim().is_empty() {
        return Err(Flaw::Empty);
    }
    let mut deserializer = serde_json::Deserializer::from_str(text.expose());
    // The library's own texts quote what they stumbled over.
    let fields = Fields { keys }
        .deserialize(&mut deserializer)
        .and_then(|fields| deserializer.end().map(|()| fields))
        .map_err(|error| {
            let (line, column) = (error.line().max(1), error.column().max(1));
            match error.classify() {
                serde_json::error::Category::Data => Flaw::NotAPair { line, column },
                _ => Flaw::NotJson { line, column },
            }
        })?;
    fields.into_credential(keys)
}

/// What was found under the keys.
#[derive(Default)]
pub(super) struct Found {
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) expires_at: Option<String>,
}

impl Found {
    pub(super) fn into_credential(self, keys: &Keys) -> Result<Credential, Flaw> {
        let Self { username, password, expires_at } = self;
        let username = match &keys.username {
            UsernameFrom::Fixed(name) => name.clone(),
            UsernameFrom::Key(key) => username.ok_or_else(|| Flaw::Lacks { key: key.clone() })?,
        };
        let password = password.ok_or_else(|| Flaw::Lacks { key: keys.password.clone() })?;
        let expires = expires_at.as_deref().map(time).transpose()?;
        Ok(Credential::new(username, password, expires)?)
    }
}

fn time(text: &str) -> Result<DateTime<Utc>, Flaw> {
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).map_err(|_| Flaw::NoTime)
}

/// Takes the texts under the keys out of an object.
#[derive(Clone, Copy)]
pub(super) struct Fields<'k> {
    pub(super) keys: &'k Keys,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let mut found = Found::default();
        while let Some(key) = map.next_key::<String>()? {
            let is_username = matches!(&self.keys.username, UsernameFrom::Key(name) if *name == key);
            let is_again = if is_username {
                let value = map.next_value()?;
                std::mem::replace(&mut found.username, value).is_some()
            } else if key == self.keys.password {
                let value = map.next_value::<Option<String>>()?.map(Secret::new);
                std::mem::replace(&mut found.password, value).is_some()
            } else if key == EXPIRES_AT {
                let value = map.next_value()?;
                std::mem::replace(&mut found.expires_at, value).is_some()
            } else {
                map.next_value::<IgnoredAny>()?;
                false
            };
            if is_again {
                return Err(de::Error::custom("which of two counts is not said"));
            }
        }
        Ok(found)
    }
}

/// For a field that is a secret.
pub(super) fn secret<'de, D: de::Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|text| text.map(Secret::new))
}

/// The text without the one line break that ends it, if one does. A second one is left, and refused as a line break
/// inside: whoever put it there may have meant it.
pub(super) fn without_trailing_line_break(text: &Secret) -> Option<Secret> {
    let line = text.expose().strip_suffix('\n')?;
    Some(Secret::from(line.strip_suffix('\r').unwrap_or(line)))
}
