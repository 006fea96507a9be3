//! Storing what was decided, secrets first: each write is conditional, and one that fails spoils no other.

use regcred_core::desired::Write;
use regcred_core::fingerprint::FingerprintKey;
use regcred_core::observed::Stored;
use regcred_core::plan::{ObjectAction, ObjectStep, SecretAction, SecretStep};
use regcred_core::report::{ObjectReport, Outcome, SecretReport};

use crate::aws::Locations;
use crate::observe::{SeenObject, SeenSecret};
use crate::progress::{Progress, ProgressSink};
use crate::side_by_side::by_location;
use crate::stopping::StopSwitch;
use crate::targets::{S3EcsConfigs, SecretsManagerSecrets, Target};

/// Stores the secrets that have to change.
pub(crate) async fn secrets(
    locations: &Locations,
    stop: &StopSwitch,
    key: &FingerprintKey,
    steps: Vec<(&SeenSecret, SecretStep, Option<Write>)>,
    progress: &dyn ProgressSink,
) -> Vec<SecretReport> {
    let writes = steps.into_iter().map(|(seen, step, write)| {
        (step.location.clone(), async move {
            let SecretStep { location, name, registry, arn, mut replicas, action } = step;
            let target = SecretsManagerSecrets { client: &locations.at(&location).secrets_manager, key };
            let (arn, outcome) = match (action, write) {
                (SecretAction::Held { why }, _) => (arn, Outcome::Held { why }),
                (SecretAction::Blocked { failure }, _) => (arn, Outcome::Failed { failure }),
                // A step that changes something always comes with its write.
                (SecretAction::Unchanged { .. }, _)
                | (SecretAction::Create | SecretAction::Put { .. }, None) => (arn, Outcome::Unchanged),
                (SecretAction::Replicate { .. }, _) => {
                    if let Some(why) = stop.reason() {
                        let outcome = Outcome::Held { why: why.into() };
                        return SecretReport { location, name, registry, arn, replicas, outcome };
                    }
                    replicas = target.replicate(&seen.target, replicas).await;
                    (arn, Outcome::Replicated)
                }
                (action @ (SecretAction::Create | SecretAction::Put { .. }), Some(write)) => {
                    if let Some(why) = stop.reason() {
                        let outcome = Outcome::Held { why: why.into() };
                        return SecretReport { location, name, registry, arn, replicas, outcome };
                    }
                    match target.store(&seen.target, &write.content, &write.expects).await {
                        Stored::Written { version, arn } => {
                            if !replicas.is_empty() {
                                replicas = target.replicate(&seen.target, replicas).await;
                            }
                            tracing::info!(%registry, %location, name, version = version.id, "secret stored");
                            progress.tell(Progress::SecretStored {
                                registry: registry.clone(),
                                location: location.clone(),
                                name: name.clone(),
                            });
                            let created = action == SecretAction::Create;
                            (arn, if created { Outcome::Created } else { Outcome::Replaced })
                        }
                        Stored::Superseded => (arn, Outcome::Superseded),
                        Stored::Failed(failure) => (arn, Outcome::Failed { failure }),
                    }
                }
            };
            SecretReport { location, name, registry, arn, replicas, outcome }
        })
    });
    by_location(writes).await
}

/// Stores the objects that have to change.
pub(crate) async fn objects(
    locations: &Locations,
    stop: &StopSwitch,
    steps: Vec<(&SeenObject, ObjectStep, Option<Write>)>,
    progress: &dyn ProgressSink,
) -> Vec<ObjectReport> {
    let writes = steps.into_iter().map(|(seen, step, write)| (step.location.clone(), async move {
        let ObjectStep { ecs_config, location, bucket, key, action, held, kept, pruned, notes } = step;
        let mut report = ObjectReport {
            ecs_config,
            location,
            bucket,
            key,
            revision: action.revision().cloned(),
            object_version: None,
            outcome: Outcome::Unchanged,
            held,
            kept,
            pruned,
            notes,
        };
        match (action, write) {
            (ObjectAction::Unchanged { version, .. }, _) => report.object_version = version,
            (ObjectAction::Blocked { failure }, _) => report.outcome = Outcome::Failed { failure },
            (ObjectAction::Create { .. } | ObjectAction::Replace { .. }, None) => {}
            (action @ (ObjectAction::Create { .. } | ObjectAction::Replace { .. }), Some(write)) => {
                if let Some(why) = stop.reason() {
                    report.outcome = Outcome::Held { why: why.into() };
                    return report;
                }
                let target = S3EcsConfigs { client: &locations.at(&report.location).s3 };
                match target.store(&seen.target, &write.content, &write.expects).await {
                    Stored::Written { version, arn: _ } => {
                        tracing::info!(ecs_config = %report.ecs_config, version = version.id, "object stored");
                        report.object_version = version.id;
                        report.outcome = match action {
                            ObjectAction::Create { .. } => Outcome::Created,
                            ObjectAction::Replace { .. }
                            | ObjectAction::Unchanged { .. }
                            | ObjectAction::Blocked { .. } => Outcome::Replaced,
                        };
                        if let Some(revision) = report.revision.clone() {
                            progress.tell(Progress::ObjectStored {
                                ecs_config: report.ecs_config.clone(),
                                location: report.location.clone(),
                                revision,
                            });
                        }
                    }
                    Stored::Superseded => report.outcome = Outcome::Superseded,
                    Stored::Failed(failure) => report.outcome = Outcome::Failed { failure },
                }
            }
        }
        report
    }));
    by_location(writes).await
}
