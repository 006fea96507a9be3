//! What a write would be refused for, looked at before a plan promises it.
//!
//! A sync needs none of this: each store looks by itself, right before it writes. Nothing here writes.

use regcred_core::desired::Write;
use regcred_core::fingerprint::FingerprintKey;
use regcred_core::names::FleetName;
use regcred_core::plan::{FleetAction, ObjectAction, ObjectStep, SecretAction, SecretStep};

use crate::aws::Locations;
use crate::config::Fleet;
use crate::fleet;
use crate::observe::{SeenObject, SeenSecret};
use crate::side_by_side::by_location;
use crate::targets::{S3EcsConfigs, SecretsManagerSecrets, Target};

/// The steps, with those blocked that must not be taken.
pub(crate) async fn secrets(
    locations: &Locations,
    key: &FingerprintKey,
    steps: Vec<(&SeenSecret, SecretStep, Option<Write>)>,
) -> Vec<SecretStep> {
    let looks = steps.into_iter().map(|(seen, step, write)| {
        (step.location.clone(), async move {
            if write.is_none() {
                return step;
            }
            let client = &locations.at(&step.location).secrets_manager;
            match (SecretsManagerSecrets { client, key }).preflight(&seen.target).await {
                None => step,
                Some(failure) => SecretStep { action: SecretAction::Blocked { failure }, ..step },
            }
        })
    });
    by_location(looks).await
}

/// The steps, with those blocked that must not be taken.
pub(crate) async fn objects(
    locations: &Locations,
    steps: Vec<(&SeenObject, ObjectStep, Option<Write>)>,
) -> Vec<ObjectStep> {
    let looks = steps.into_iter().map(|(seen, step, write)| {
        (step.location.clone(), async move {
            if write.is_none() {
                return step;
            }
            match (S3EcsConfigs { client: &locations.at(&step.location).s3 }).preflight(&seen.target).await {
                None => step,
                Some(failure) => ObjectStep { action: ObjectAction::Blocked { failure }, ..step },
            }
        })
    });
    by_location(looks).await
}

/// The action, with what would keep every host of it from being sent to. Costs a call where one would be.
pub(crate) async fn fleet(
    locations: &Locations,
    name: &FleetName,
    settings: &Fleet,
    mut action: FleetAction,
) -> FleetAction {
    if let FleetAction::Rollout { blocked, forecast, .. } = &mut action
        && forecast.hosts > 0
    {
        *blocked = fleet::unsendable(locations.at(&settings.location), name, settings).await;
    }
    action
}
