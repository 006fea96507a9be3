//! Copies that Secrets Manager keeps of a secret in other Regions of its account.
//!
//! A copy is asked for, made some time later, and brought up to date some time after each change: at the next call of the
//! account, or as much later as a fault says.
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html>

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::secret::{Rotation, Secret};
use super::{KeyState, named};
use crate::error::AwsError;
use crate::services::kms::Kms;
use crate::services::{Context, Regions};

/// What a secret is among its copies.
#[derive(Clone, Debug, Default)]
pub(super) enum Replication {
    #[default]
    Alone,
    PrimaryOf(Vec<Replica>),
    ReplicaOf {
        region: String,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Replica {
    region: String,
    kms_key: Option<String>,
    onto_another: OntoAnother,
    state: ReplicaState,
}

/// What is done about another secret of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OntoAnother {
    Refuse,
    Overwrite,
}

#[derive(Clone, Debug)]
enum ReplicaState {
    Due(DateTime<Utc>),
    InSync,
    Failed(&'static str),
}

/// As requests name it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct ReplicaRegion {
    region: String,
    kms_key_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct ReplicateSecretToRegions {
    #[serde(rename = "SecretId")]
    _secret_id: String,
    add_replica_regions: Vec<ReplicaRegion>,
    force_overwrite_replica_secret: Option<bool>,
}

pub(super) fn replicate(
    cx: &Context<'_>,
    secret: &mut Secret,
    request: ReplicateSecretToRegions,
) -> Result<Value, AwsError> {
    let ReplicateSecretToRegions { _secret_id, add_replica_regions, force_overwrite_replica_secret } =
        request;
    secret.alive()?;
    add(cx, secret, add_replica_regions, force_overwrite_replica_secret)?;
    let mut answer = named(secret);
    answer.remove("Name");
    answer.insert("ReplicationStatus".into(), statuses(&secret.replication));
    Ok(answer.into())
}

/// Asks for copies in these Regions; one that had failed is tried again.
pub(super) fn add(
    cx: &Context<'_>,
    secret: &mut Secret,
    regions: Vec<ReplicaRegion>,
    force_overwrite: Option<bool>,
) -> Result<(), AwsError> {
    let invalid = |text: &str| Err(AwsError::new("InvalidParameterException", text));
    if regions.iter().any(|added| added.region == cx.caller.region) {
        return invalid("Invalid replica region: a secret can't be replicated to its own Region.");
    }
    let mut replicas = match std::mem::take(&mut secret.replication) {
        Replication::PrimaryOf(replicas) => replicas,
        Replication::Alone | Replication::ReplicaOf { .. } => Vec::new(),
    };
    for ReplicaRegion { region, kms_key_id } in regions {
        replicas.retain(|replica| replica.region != region);
        let onto_another =
            if force_overwrite == Some(true) { OntoAnother::Overwrite } else { OntoAnother::Refuse };
        let state = ReplicaState::Due(cx.visible_from);
        replicas.push(Replica { region, kms_key: kms_key_id, onto_another, state });
    }
    secret.replication = Replication::PrimaryOf(replicas);
    Ok(())
}

/// Notes that a secret has changed, so that its copies have to follow. One that never came to be stays failed.
pub(super) fn follow(cx: &Context<'_>, secret: &mut Secret) {
    if let Replication::PrimaryOf(replicas) = &mut secret.replication {
        for replica in replicas {
            if !matches!(replica.state, ReplicaState::Failed(_)) {
                replica.state = ReplicaState::Due(cx.visible_from);
            }
        }
    }
}

/// Refuses what only a primary takes, and a deletion that would leave copies behind.
pub(super) fn permits(secret: &Secret, operation: &str) -> Result<(), AwsError> {
    const OF_PRIMARIES: [&str; 7] = [
        "DeleteSecret",
        "PutSecretValue",
        "ReplicateSecretToRegions",
        "RotateSecret",
        "TagResource",
        "UntagResource",
        "UpdateSecretVersionStage",
    ];
    let refuse = |text: &str| Err(AwsError::new("InvalidRequestException", text));
    match &secret.replication {
        Replication::ReplicaOf { .. } if OF_PRIMARIES.contains(&operation) => refuse(
            "Operation not permitted on a replica secret. Call must be made in primary secret's region.",
        ),
        Replication::PrimaryOf(replicas) if operation == "DeleteSecret" && !replicas.is_empty() => {
            refuse("You can't delete secret that still has replica regions.")
        }
        Replication::Alone | Replication::PrimaryOf(_) | Replication::ReplicaOf { .. } => Ok(()),
    }
}

/// What DescribeSecret tells of copies.
pub(super) fn describe(secret: &Secret, region: &str, answer: &mut Map<String, Value>) {
    match &secret.replication {
        Replication::Alone => {}
        Replication::PrimaryOf(_) => {
            answer.insert("PrimaryRegion".into(), json!(region));
            answer.insert("ReplicationStatus".into(), statuses(&secret.replication));
        }
        Replication::ReplicaOf { region } => {
            answer.insert("PrimaryRegion".into(), json!(region));
        }
    }
}

pub(super) fn statuses(replication: &Replication) -> Value {
    let replicas = match replication {
        Replication::PrimaryOf(replicas) => replicas.as_slice(),
        Replication::Alone | Replication::ReplicaOf { .. } => &[],
    };
    let status = |replica: &Replica| {
        let Replica { region, kms_key, onto_another: _, state } = replica;
        let (status, message) = match state {
            ReplicaState::Due(_) => ("InProgress", None),
            ReplicaState::InSync => ("InSync", None),
            ReplicaState::Failed(message) => ("Failed", Some(*message)),
        };
        let key = kms_key.as_deref().unwrap_or("alias/aws/secretsmanager");
        let mut shown = json!({"Region": region, "KmsKeyId": key, "Status": status});
        if let Some(message) = message {
            shown["StatusMessage"] = json!(message);
        }
        shown
    };
    replicas.iter().map(status).collect()
}

/// A copy that is due, and where it goes.
struct DueCopy {
    primary_region: String,
    replica: Replica,
    copy: Secret,
}

/// Makes the copies of an account's secrets that are due.
pub(crate) fn settle(regions: &mut Regions, kms: &mut Kms, account: &str, now: DateTime<Utc>) {
    for DueCopy { primary_region, replica, copy } in due(regions, account, now) {
        let name = copy.name.clone();
        let there = &mut regions.at(account, &replica.region).secrets.0;
        let is_other = there.get(&name).is_some_and(|other| {
            !matches!(&other.replication, Replication::ReplicaOf { region } if *region == primary_region)
        });
        let key = replica.kms_key.as_deref().map(|key| kms.at(account, &replica.region).state(key));
        let state = match key.unwrap_or(KeyState::Enabled) {
            _ if is_other && replica.onto_another == OntoAnother::Refuse => ReplicaState::Failed(
                "Replication failed: Secret name already exists in this region. Use ForceOverwriteReplicaSecret to overwrite.",
            ),
            KeyState::Disabled | KeyState::Missing => {
                ReplicaState::Failed("Replication failed: the KMS key is disabled or not found.")
            }
            KeyState::Enabled => {
                there.insert(name.clone(), copy);
                ReplicaState::InSync
            }
        };
        let primary = regions.at(account, &primary_region).secrets.0.get_mut(&name);
        if let Some(Replication::PrimaryOf(replicas)) = primary.map(|primary| &mut primary.replication)
            && let Some(kept) = replicas.iter_mut().find(|kept| kept.region == replica.region)
        {
            kept.state = state;
        }
    }
}

fn due(regions: &Regions, account: &str, now: DateTime<Utc>) -> Vec<DueCopy> {
    let mut due = Vec::new();
    for (_, region, regional) in regions.all().filter(|(owner, ..)| *owner == account) {
        for secret in regional.secrets.0.values() {
            let Replication::PrimaryOf(replicas) = &secret.replication else { continue };
            for replica in replicas {
                if matches!(replica.state, ReplicaState::Due(at) if at <= now) {
                    due.push(DueCopy {
                        primary_region: region.to_owned(),
                        replica: replica.clone(),
                        copy: copy(secret, region, replica),
                    });
                }
            }
        }
    }
    due
}

/// A replica has the ARN of its primary but for the Region, and its tags and versions; its key is its own.
fn copy(secret: &Secret, region: &str, replica: &Replica) -> Secret {
    Secret {
        arn: secret.arn.replacen(&format!(":{region}:"), &format!(":{}:", replica.region), 1),
        kms_key: replica.kms_key.clone(),
        last_accessed: None,
        rotation: Rotation::Off,
        replication: Replication::ReplicaOf { region: region.to_owned() },
        ..secret.clone()
    }
}
