//! What Vault answers, as far as it is needed.

use std::collections::BTreeMap;
use std::fmt;

use regcred_core::secret::Secret;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::refusal::{Refusal, Step, VaultFlaw, told};
use crate::http::{Answer, Body};
use crate::sources::pair;

/// The members of a secret by their keys; what is no text has none.
pub(super) struct Stored {
    pub(super) fields: BTreeMap<String, Option<Secret>>,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    lease_id: String,
    data: Option<Data>,
    #[serde(default)]
    errors: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct Data {
    data: Option<BTreeMap<String, Field>>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    version: u64,
    #[serde(default)]
    destroyed: bool,
}

#[derive(Deserialize)]
struct Login {
    auth: Option<Auth>,
}

#[derive(Deserialize)]
struct Auth {
    #[serde(default, deserialize_with = "pair::secret")]
    client_token: Option<Secret>,
}

/// The secret that a read answered.
pub(super) async fn stored(answer: Answer) -> Result<Stored, VaultFlaw> {
    let status = answer.status().as_u16();
    let body = match status {
        200 | 404 => body(answer).await?,
        status => return Err(VaultFlaw::Refused { step: Step::Read, refusal: Refusal::of(status) }),
    };
    let Reply { lease_id, data, errors } = body.json().map_err(|_| VaultFlaw::NotVault)?;
    // A version that was deleted answers 404 and tells of itself; one that never was does not.
    match data {
        Some(Data { data: Some(fields), metadata: Some(_) }) if status == 200 => {
            if !lease_id.is_empty() {
                return Err(VaultFlaw::Leased);
            }
            Ok(Stored { fields: fields.into_iter().map(|(key, Field(text))| (key, text)).collect() })
        }
        Some(Data { data: None, metadata: Some(Metadata { version, destroyed }) }) => {
            Err(if destroyed { VaultFlaw::Destroyed { version } } else { VaultFlaw::Deleted { version } })
        }
        None if status == 404 && errors.is_empty() => Err(VaultFlaw::Absent),
        None if status == 404 => Err(VaultFlaw::NoMount),
        // The data of a store of version 1, or of an engine that makes a secret for each who asks.
        Some(_) | None if !lease_id.is_empty() => Err(VaultFlaw::Leased),
        Some(_) | None => Err(VaultFlaw::NotKv2),
    }
}

/// The token that a login gave.
pub(super) async fn token(answer: Answer) -> Result<Secret, VaultFlaw> {
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(VaultFlaw::Refused { step: Step::Login, refusal: Refusal::of(status) });
    }
    let Login { auth } = body(answer).await?.json().map_err(|_| VaultFlaw::NotVault)?;
    auth.and_then(|auth| auth.client_token).filter(|token| !token.is_empty()).ok_or(VaultFlaw::NotVault)
}

async fn body(answer: Answer) -> Result<Body, VaultFlaw> {
    answer.body().await.map_err(|error| VaultFlaw::Unreached { why: told(&error) })
}

/// A text, or anything else, which is not looked at.
struct Field(Option<Secret>);

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text).map(Self)
    }
}

struct Text;

impl<'de> Visitor<'de> for Text {
    type Value = Option<Secret>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Secret::from(text)))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(Some(Secret::new(text)))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}
