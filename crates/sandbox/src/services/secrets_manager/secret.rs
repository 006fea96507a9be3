//! A secret, its versions, and the rules by which labels move between them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use regcred_core::secret::Secret as Text;

use super::replication::Replication;
use crate::error::AwsError;

pub(super) const CURRENT: &str = "AWSCURRENT";
pub(super) const PREVIOUS: &str = "AWSPREVIOUS";

/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>
const MOST_LABELS: usize = 20;
const MOST_VERSIONS: usize = 100;
const LARGEST_VALUE: usize = 65_536;

#[derive(Clone, Debug)]
pub(super) struct Secret {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) kms_key: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    /// Oldest first.
    pub(super) versions: Vec<Version>,
    pub(super) created: DateTime<Utc>,
    pub(super) last_changed: DateTime<Utc>,
    /// The day of the last read of a value.
    pub(super) last_accessed: Option<DateTime<Utc>>,
    /// When it was scheduled for deletion, and when it goes.
    pub(super) deleted: Option<Deletion>,
    pub(super) rotation: Rotation,
    pub(super) owning_service: Option<String>,
    pub(super) replication: Replication,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Deletion {
    pub(super) asked: DateTime<Utc>,
    pub(super) due: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub(super) enum Rotation {
    Off,
    By { lambda_arn: String },
}

#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) content: Content,
    pub(super) labels: BTreeSet<String>,
    pub(super) created: DateTime<Utc>,
    /// The day of the last read of its value.
    pub(super) last_accessed: Option<DateTime<Utc>>,
}

/// What a version holds; `Binary` as the base64 text that the wire carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Text(Text),
    Binary(Text),
}

impl Content {
    /// The content of a request that may give one of the two, or none.
    pub(super) fn of(text: Option<String>, binary: Option<String>) -> Result<Option<Self>, AwsError> {
        let invalid = |text: &str| AwsError::new("InvalidParameterException", text);
        match (text, binary) {
            (Some(_), Some(_)) => Err(invalid("You can't specify both a binary secret value and a string.")),
            // The model counts characters; the limit is one of bytes.
            (Some(text), None) if text.len() > LARGEST_VALUE => {
                Err(invalid("The secret value can't be longer than 65536 bytes."))
            }
            (Some(text), None) => Ok(Some(Self::Text(Text::new(text)))),
            (None, Some(binary)) => Ok(Some(Self::Binary(Text::new(binary)))),
            (None, None) => Ok(None),
        }
    }
}

/// Whether a request made a version, or the one that an earlier try had made.
pub(super) enum Added {
    Made,
    AlreadyThere,
}

impl Secret {
    pub(super) fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    pub(super) fn labelled(&self, label: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.labels.contains(label))
    }

    /// Notes that a version's value was read: to the day, as Secrets Manager does.
    pub(super) fn touch(&mut self, version_id: &str, now: DateTime<Utc>) {
        let day = Some(now.date_naive().and_time(NaiveTime::MIN).and_utc());
        self.last_accessed = day;
        if let Some(version) = self.versions.iter_mut().find(|version| version.id == version_id) {
            version.last_accessed = day;
        }
    }

    /// Refuses what a secret that is scheduled for deletion refuses.
    pub(super) fn alive(&self) -> Result<(), AwsError> {
        match self.deleted {
            None => Ok(()),
            Some(_) => Err(AwsError::new(
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.",
            )),
        }
    }

    /// Adds a version under the request's token, with its labels. The same token and content again is no second version;
    /// another content under it is refused.
    pub(super) fn add(
        &mut self,
        token: &str,
        content: Content,
        labels: &[String],
        now: DateTime<Utc>,
    ) -> Result<Added, AwsError> {
        if let Some(version) = self.version(token) {
            return if version.content == content {
                Ok(Added::AlreadyThere)
            } else {
                Err(AwsError::new(
                    "ResourceExistsException",
                    format!("You can't use ClientRequestToken {token}: a version with another value has it."),
                ))
            };
        }
        self.make_room(now)?;
        // The first version of a secret is current whatever was asked for.
        let is_first = self.labelled(CURRENT).is_none();
        self.versions.push(Version {
            id: token.to_owned(),
            content,
            labels: BTreeSet::new(),
            created: now,
            last_accessed: None,
        });
        for label in labels {
            self.attach(label, token)?;
        }
        if is_first {
            self.attach(CURRENT, token)?;
        }
        self.last_changed = now;
        Ok(Added::Made)
    }

    /// About a hundred versions are kept; those without a label that are older than a day make room.
    fn make_room(&mut self, now: DateTime<Utc>) -> Result<(), AwsError> {
        while self.versions.len() >= MOST_VERSIONS {
            let is_old =
                |version: &Version| version.labels.is_empty() && now - version.created > TimeDelta::hours(24);
            let Some(oldest) = self.versions.iter().position(is_old) else {
                return Err(AwsError::new(
                    "LimitExceededException",
                    "You've exceeded the limit of versions of a secret.",
                ));
            };
            self.versions.remove(oldest);
        }
        Ok(())
    }

    /// Moves a label to a version. What loses `AWSCURRENT` becomes `AWSPREVIOUS`.
    pub(super) fn attach(&mut self, label: &str, id: &str) -> Result<(), AwsError> {
        let target = self.version(id).expect("the caller has looked the version up");
        if target.labels.contains(label) {
            return Ok(());
        }
        if target.labels.len() >= MOST_LABELS {
            return Err(AwsError::new(
                "LimitExceededException",
                "You've exceeded the limit of 20 staging labels of a version.",
            ));
        }
        let loser = self.detach(label);
        if let Some(loser) = loser.filter(|_| label == CURRENT) {
            self.detach(PREVIOUS);
            self.label(&loser, PREVIOUS);
        }
        self.label(id, label);
        Ok(())
    }

    /// Takes a label away from the version that has it, and says which one that was.
    pub(super) fn detach(&mut self, label: &str) -> Option<String> {
        let version = self.versions.iter_mut().find(|version| version.labels.contains(label))?;
        version.labels.remove(label);
        Some(version.id.clone())
    }

    fn label(&mut self, id: &str, label: &str) {
        if let Some(version) = self.versions.iter_mut().find(|version| version.id == id) {
            version.labels.insert(label.to_owned());
        }
    }
}
