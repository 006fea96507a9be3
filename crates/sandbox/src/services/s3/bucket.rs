//! Buckets, objects, versions: the state, and the rules of versioning.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use md5::{Digest, Md5};
use regcred_core::agent::{AuthSetting, EffectiveAuth, Environment};

use super::checksum::{Algorithm, Checksum};
use super::settings::Settings;
use crate::sigv4::hex;

#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) owner: String,
    pub(super) region: String,
    pub(super) created: DateTime<Utc>,
    pub(super) versioning: Versioning,
    pub(super) settings: Settings,
    /// The versions of each key, oldest first.
    pub(super) objects: BTreeMap<String, Vec<Version>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Versioning {
    /// Never switched on.
    Off,
    Enabled,
    Suspended,
}

#[derive(Clone, Debug)]
pub(super) struct Version {
    /// `null` for what was written while versioning was not on.
    pub(super) id: String,
    pub(super) modified: DateTime<Utc>,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Object(Box<Object>),
    DeleteMarker,
}

#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) body: Bytes,
    /// With its quotes.
    pub(super) etag: String,
    pub(super) content_type: String,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) encryption: Encryption,
    pub(super) checksum: Checksum,
    /// What an agent would take from it, if it is an ecs.config: so that control can say which version an agent holds.
    pub(super) auth: Option<EffectiveAuth>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    /// S3's own keys: what every object has at least, since January 2023.
    S3,
    Kms {
        key: String,
        bucket_key: bool,
    },
}

impl Object {
    /// An object as a plain upload makes it.
    pub(super) fn plain(body: Bytes) -> Self {
        Self {
            etag: format!("\"{}\"", hex(&Md5::digest(&body))),
            content_type: "binary/octet-stream".to_owned(),
            metadata: BTreeMap::new(),
            encryption: Encryption::S3,
            checksum: Checksum::of(Algorithm::Crc64Nvme, &body),
            auth: auth_of(&body),
            body,
        }
    }
}

impl Version {
    /// Whether an agent would take this from it.
    pub(super) fn holds(&self, auth: &EffectiveAuth) -> bool {
        match &self.content {
            Content::Object(object) => object.auth.as_ref() == Some(auth),
            Content::DeleteMarker => false,
        }
    }
}

pub(super) const NULL_VERSION: &str = "null";

/// What an agent would take from a file.
pub(super) fn auth_of(body: &[u8]) -> Option<EffectiveAuth> {
    Some(Environment::parse(body).auth()).filter(|auth| *auth.auth_type() != AuthSetting::Off)
}

impl Bucket {
    /// The current object of a key; `None` when there is none or a delete marker hides it.
    pub(super) fn current(&self, key: &str) -> Option<(&Version, &Object)> {
        let version = self.objects.get(key)?.last()?;
        match &version.content {
            Content::Object(object) => Some((version, object)),
            Content::DeleteMarker => None,
        }
    }

    pub(super) fn version(&self, key: &str, id: &str) -> Option<&Version> {
        self.objects.get(key)?.iter().find(|version| version.id == id)
    }

    /// Writes a version by the bucket's versioning, and says what its id became.
    pub(super) fn push(&mut self, key: &str, content: Content, now: DateTime<Utc>) -> String {
        let id = match self.versioning {
            Versioning::Enabled => uuid::Uuid::new_v4().simple().to_string(),
            Versioning::Off | Versioning::Suspended => NULL_VERSION.to_owned(),
        };
        let versions = self.objects.entry(key.to_owned()).or_default();
        versions.retain(|version| id != NULL_VERSION || version.id != NULL_VERSION);
        versions.push(Version { id: id.clone(), modified: now, content });
        id
    }

    /// Deletes for good; what there was.
    pub(super) fn remove(&mut self, key: &str, id: &str) -> Option<Version> {
        let versions = self.objects.get_mut(key)?;
        let position = versions.iter().position(|version| version.id == id)?;
        let removed = versions.remove(position);
        if versions.is_empty() {
            self.objects.remove(key);
        }
        Some(removed)
    }
}
