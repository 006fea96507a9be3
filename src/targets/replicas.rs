//! Copies of a secret in other Regions: what is seen of them, and asking for them.
//!
//! Nothing here writes to a copy: Secrets Manager does, from the primary.

use std::time::Duration;

use regcred_core::replica::{Replica, ReplicaState, key_elsewhere};
use regcred_core::report::{Failure, FailureKind};

use super::secrets_manager::{SecretTarget, SecretsManagerSecrets};
use crate::aws::{AwsError, ReplicaSight, ReplicaStatus};

/// How long a pass waits for copies to be in sync. AWS publishes no figure; seconds are usual, and what takes longer is left
/// to the next pass.
const PATIENCE: Duration = Duration::from_secs(20);
/// The first look is soon, since most copies are quick; each further one takes twice as long.
const FIRST_LOOK: Duration = Duration::from_millis(250);

impl SecretsManagerSecrets<'_> {
    /// What is seen of the copies that a secret, which is there, should have.
    pub(crate) async fn replicas(&self, item: &SecretTarget) -> Vec<Replica> {
        if item.replicate_to.is_empty() {
            return Vec::new();
        }
        match self.client.describe(&item.name).await {
            Ok(Some(described)) => self.seen(item, &described.replicas),
            Ok(None) => missing(item),
            Err(error) => self.unknown(item, &error),
        }
    }

    /// Asks for the copies that are missing or failed, and waits until all of them are in sync, or it takes too long.
    pub(crate) async fn replicate(&self, item: &SecretTarget, seen: Vec<Replica>) -> Vec<Replica> {
        let wanting: Vec<(&str, Option<&str>)> = seen
            .iter()
            .filter(|replica| replica.is_wanting())
            .map(|replica| (replica.region.as_str(), item.kms_key.as_deref().and_then(key_elsewhere)))
            .collect();
        if !wanting.is_empty()
            && let Err(error) = self.client.replicate(&item.name, &wanting).await
        {
            return self.not_asked(item, seen, &error);
        }
        let mut wait = FIRST_LOOK;
        let mut waited = Duration::ZERO;
        loop {
            tokio::time::sleep(wait).await;
            waited += wait;
            wait *= 2;
            let replicas = self.replicas(item).await;
            let is_under_way = replicas.iter().any(|replica| replica.state == ReplicaState::InProgress);
            if !is_under_way || waited + wait > PATIENCE {
                return replicas;
            }
        }
    }

    /// The copies that the configuration asks for; others are not regcred's.
    fn seen(&self, item: &SecretTarget, sights: &[ReplicaSight]) -> Vec<Replica> {
        let replica = |region: &String| {
            let sight = sights.iter().find(|sight| sight.region == *region);
            let state = match sight.map(|sight| &sight.status) {
                None => ReplicaState::Missing,
                Some(ReplicaStatus::InSync) => ReplicaState::InSync,
                Some(ReplicaStatus::InProgress) => ReplicaState::InProgress,
                Some(ReplicaStatus::Failed { said }) => {
                    ReplicaState::Failed { failure: self.failed(item, region, said) }
                }
                Some(ReplicaStatus::Other { status }) => ReplicaState::Unknown {
                    failure: Failure::new(
                        FailureKind::Invalid,
                        self.what_copy(item, region),
                        format!(
                            "Secrets Manager calls its state `{status}`, which this version does not know"
                        ),
                        "look at it with `aws secretsmanager describe-secret`, or update regcred",
                    ),
                },
            };
            Replica { region: region.clone(), state }
        };
        item.replicate_to.iter().map(replica).collect()
    }

    fn failed(&self, item: &SecretTarget, region: &str, said: &str) -> Failure {
        Failure::new(
            FailureKind::Refused,
            self.what_copy(item, region),
            format!("Secrets Manager says: {said}"),
            format!(
                "each pass tries again; if a secret of that name is in {region} already, delete it there or name another \
                 one; if it is the key, see that `kms_key` of registries.{}.secret is there and enabled",
                item.registry
            ),
        )
    }

    fn what_copy(&self, item: &SecretTarget, region: &str) -> String {
        format!("cannot copy secret `{}` in {} to {region}", item.name, self.client.place())
    }

    fn unknown(&self, item: &SecretTarget, error: &AwsError) -> Vec<Replica> {
        let replica = |region: &String| Replica {
            region: region.clone(),
            state: ReplicaState::Unknown { failure: error.failure(self.what_copy(item, region)) },
        };
        item.replicate_to.iter().map(replica).collect()
    }

    fn not_asked(&self, item: &SecretTarget, mut seen: Vec<Replica>, error: &AwsError) -> Vec<Replica> {
        for replica in seen.iter_mut().filter(|replica| replica.is_wanting()) {
            let failure = error.failure(self.what_copy(item, &replica.region));
            replica.state = ReplicaState::Unknown { failure };
        }
        seen
    }
}

/// Of a secret that is not there, none of the copies is.
pub(crate) fn missing(item: &SecretTarget) -> Vec<Replica> {
    let replica = |region: &String| Replica { region: region.clone(), state: ReplicaState::Missing };
    item.replicate_to.iter().map(replica).collect()
}
