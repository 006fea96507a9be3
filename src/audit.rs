//! Asking the hosts of the fleets what they hold, by the host script's probe mode.
//!
//! Nothing is written and no host changes, so no limit of a rollout holds. This module must not judge what a host says: that
//! is for [`regcred_core::audit`].

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};
use regcred_core::agent::Environment;
use regcred_core::audit::{self, Audit, AuditSight, FleetAudit, Published, may_ask};
use regcred_core::fingerprint::FingerprintKey;
use regcred_core::host::HostId;
use regcred_core::names::FleetName;
use regcred_core::observed::Observed;
use regcred_core::report::{Failure, FailureKind};
use regcred_core::script::VersionId;

use crate::config::{Fleet, Members};
use crate::fleet::{self, Everyone, FleetObservation, HostScript, Mode, ObjectPlace, Probed, RecordPlace};
use crate::observe::{self, Context, SeenObject};
use crate::state::State;

/// Fleets that are asked side by side: each sends and polls for itself, and SSM throttles an account as a whole.
const SIDE_BY_SIDE: usize = 4;

/// Asks all hosts of the fleets in scope. Only a state that cannot be read ends it: without the fingerprint key, no record
/// could be compared.
pub(crate) async fn hosts(context: &Context<'_>) -> Result<Audit, Failure> {
    let place = &context.config.state;
    let state = State::read(&context.locations.at(&place.location).s3, place);
    let (state, objects) = tokio::join!(state, observe::look_at_objects(context));
    let key = state?.key;
    let fleets = context.config.fleets.iter().filter(|(name, _)| context.scope.has_fleet(name));
    let asked = fleets.map(|(name, fleet)| {
        let object = objects.iter().find(|object| object.spec.name == fleet.ecs_config);
        let object = object.expect("the object of a fleet in scope is in scope");
        let key = &key;
        async move {
            let sight = match ask(context, name, fleet, object, key).await {
                Ok(sight) => sight,
                Err(failure) => AuditSight::Failed { failure },
            };
            FleetAudit { fleet: name.clone(), location: fleet.location.clone(), sight }
        }
    });
    Ok(Audit::new(stream::iter(asked).buffered(SIDE_BY_SIDE).collect().await))
}

async fn ask(
    context: &Context<'_>,
    name: &FleetName,
    fleet: &Fleet,
    object: &SeenObject,
    key: &FingerprintKey,
) -> Result<AuditSight, Failure> {
    let SeenObject { spec, target, observed, map: _ } = object;
    let published = match observed {
        Observed::Present(published) => published,
        Observed::Unknown(failure) => return Err(failure.clone()),
        Observed::Absent => return Err(no_object(name, &target.bucket, &target.key)),
    };
    let published = Published {
        revision: Environment::parse(published.content.expose().as_bytes()).auth().revision(key),
        version_id: published.version.id.clone().map(VersionId::new),
    };
    let clients = context.locations.at(&fleet.location);
    let state = &context.config.state;
    let place = RecordPlace { s3: &context.locations.at(&state.location).s3, state };
    let (hosts, unseen) = match &fleet.members {
        Members::Clusters(patterns) => {
            let (clusters, unmeant) = fleet::clusters(clients, name, patterns).await?;
            let Everyone { hosts, agent_versions: _, mut unseen } =
                fleet::observe_everyone(clients, name, &clusters).await?;
            unseen.extend(unmeant);
            (hosts, unseen)
        }
        Members::Tags(tags) => {
            let FleetObservation { hosts, registered: _, unseen, empty: _, records: _ } =
                fleet::observe_tagged(clients, place, name, tags).await?;
            (hosts, unseen)
        }
        Members::Instances(ids) => {
            let FleetObservation { hosts, registered: _, unseen, empty: _, records: _ } =
                fleet::observe_named(clients, place, name, ids).await?;
            (hosts, unseen)
        }
    };
    let s3 = &context.locations.at(&spec.location).s3;
    let host_endpoint = &context.config.ecs_configs[&spec.name].host_endpoint;
    let script = HostScript {
        clients,
        fleet: name,
        settings: fleet,
        object: ObjectPlace {
            bucket: &target.bucket,
            key: &target.key,
            region: s3.region(),
            endpoint: host_endpoint.as_deref().or(s3.endpoint()),
        },
        mode: Mode::Probe,
    };
    let online = hosts.iter().filter(|host| may_ask(host).is_ok()).map(|host| host.id.clone());
    let online: BTreeSet<HostId> = online.collect();
    tracing::info!(fleet = %name, hosts = online.len(), "asking hosts");
    let Probed { hosts: probes, failures } = fleet::probe(&script, &online).await;
    let hosts = audit::judge(&published, &hosts, &probes);
    Ok(AuditSight::Asked { revision: published.revision, hosts, unseen, failures })
}

fn no_object(name: &FleetName, bucket: &str, key: &str) -> Failure {
    Failure::new(
        FailureKind::Missing,
        format!("cannot ask the hosts of fleet `{name}`"),
        format!("there is no `s3://{bucket}/{key}` that they could be compared with"),
        "run `regcred sync`, which makes it",
    )
}
