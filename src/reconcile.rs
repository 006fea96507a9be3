//! The pass: look, decide, store, roll out, report. The daemon, the Lambda and the command line all run this.
//!
//! A pass takes no hint of what changed, and every one could be the first. `plan` is the same pass, stopped before the
//! first write. Nothing here names an adapter or makes a decision about a host.

use std::collections::{BTreeMap, BTreeSet};

use regcred_core::desired::{self, PublishedLogins, SourceReading, Wish, Write};
use regcred_core::fingerprint::Revision;
use regcred_core::host::{ClusterName, FailedHosts};
use regcred_core::names::{EcsConfigName, FleetName, LocationName, RegistryName};
use regcred_core::plan::{
    Estimate, FleetAction, FleetStep, Hold, ObjectAction, ObjectStep, Plan, RegistryPlan, SecretAction,
    SecretStep,
};
use regcred_core::report::{
    Failure, FailureKind, FleetOutcome, FleetReport, FleetSight, FleetStatus, ObjectReport, Report, Status,
};
use regcred_core::rollout::{self, Ending, HostOutcome, HostReport, Policy, Seen, forecast};
use regcred_core::script::VersionId;

use crate::apply;
use crate::config::Fleet;
use crate::fleet::{self, Driven, Driver, FleetObservation, Listing};
use crate::observe::{self, Context, SeenObject, SeenSecret, Sighting};
use crate::progress::{Progress, ProgressSink};
use crate::state::Store;

/// What would be done, and why. Writes nothing.
pub(crate) async fn plan(context: &Context<'_>, failed: FailedHosts) -> Result<Plan, Failure> {
    let sighting = observe::look(context).await?;
    let wishes = wishes(&sighting);
    let secrets: Vec<SecretStep> =
        decide_secrets(&sighting, &wishes).into_iter().map(|(_, step, _)| step).collect();
    let blocked = secrets.iter().filter(|step| matches!(step.action, SecretAction::Blocked { .. }));
    let failed_secrets = blocked.map(|step| (step.location.clone(), step.registry.clone())).collect();
    let objects: Vec<ObjectStep> =
        decide_objects(&sighting, &wishes, &failed_secrets).into_iter().map(|(_, step, _)| step).collect();
    let mut fleets = Vec::new();
    let mut meant = BTreeMap::new();
    for (name, fleet) in fleets_in_scope(context) {
        let object = objects.iter().find(|step| step.ecs_config == fleet.ecs_config);
        let action = match object.and_then(|step| step.action.revision()) {
            None => FleetAction::Held { why: Hold::ObjectFailed },
            Some(revision) => plan_fleet(context, name, fleet, revision, failed, &mut meant).await,
        };
        fleets.push(FleetStep {
            fleet: name.clone(),
            location: fleet.location.clone(),
            ecs_config: fleet.ecs_config.clone(),
            action,
        });
    }
    let registries = registry_plans(context, &sighting);
    Ok(Plan::new(registries, secrets, objects, fleets))
}

/// The whole pass.
pub(crate) async fn sync(
    context: &Context<'_>,
    failed: FailedHosts,
    progress: &dyn ProgressSink,
) -> Result<Report, Failure> {
    tracing::info!("pass begins");
    let mut sighting = observe::look(context).await?;
    let wishes = wishes(&sighting);
    let registries = registry_plans(context, &sighting);
    prepare(context, &mut sighting, &wishes).await?;

    let steps = decide_secrets(&sighting, &wishes);
    let secrets = apply::secrets(context.locations, &sighting.state.key, steps, progress).await;
    let failed_secrets = secrets
        .iter()
        .filter(|report| !report.outcome.is_right())
        .map(|report| (report.location.clone(), report.registry.clone()))
        .collect();
    let steps = decide_objects(&sighting, &wishes, &failed_secrets);
    let objects = apply::objects(context.locations, steps, progress).await;

    let mut fleets: Vec<FleetReport> = Vec::new();
    let mut meant = BTreeMap::new();
    let mut halted: BTreeSet<&EcsConfigName> = BTreeSet::new();
    for (name, fleet) in fleets_in_scope(context) {
        let object = objects.iter().find(|report| report.ecs_config == fleet.ecs_config);
        let outcome = match object.filter(|report| report.outcome.is_right()) {
            None => FleetOutcome::Held { why: Hold::ObjectFailed },
            Some(_) if halted.contains(&fleet.ecs_config) => FleetOutcome::Held { why: Hold::Halted },
            Some(object) => roll_out(context, name, fleet, object, failed, &mut meant, progress).await,
        };
        if let FleetOutcome::RolledOut { ending: Ending::Halted { .. }, .. } = &outcome {
            halted.insert(&fleet.ecs_config);
        }
        fleets.push(FleetReport { fleet: name.clone(), location: fleet.location.clone(), outcome });
    }
    let report = Report::new(registries, secrets, objects, fleets, context.scope.ground(context.config));
    tracing::info!(verdict = ?report.verdict, "pass ended");
    Ok(report)
}

/// What holds what now. Writes nothing, and looks at every host.
pub(crate) async fn status(context: &Context<'_>) -> Result<Status, Failure> {
    let sighting = observe::look(context).await?;
    let wishes = wishes(&sighting);
    let secrets = decide_secrets(&sighting, &wishes).into_iter().map(|(_, step, _)| step).collect();
    let objects: Vec<ObjectStep> =
        decide_objects(&sighting, &wishes, &BTreeSet::new()).into_iter().map(|(_, step, _)| step).collect();
    let mut fleets = Vec::new();
    for (name, fleet) in fleets_in_scope(context) {
        let object = objects.iter().find(|step| step.ecs_config == fleet.ecs_config);
        let published = object.and_then(|step| match &step.action {
            ObjectAction::Unchanged { revision, .. } | ObjectAction::Replace { from: revision, .. } => {
                Some(revision)
            }
            ObjectAction::Create { .. } | ObjectAction::Blocked { .. } => None,
        });
        let sight = match published {
            None => FleetSight::NoObject,
            Some(revision) => see_all(context, name, fleet, revision).await,
        };
        fleets.push(FleetStatus { fleet: name.clone(), location: fleet.location.clone(), sight });
    }
    let ground = context.scope.ground(context.config);
    Ok(Status::new(registry_plans(context, &sighting), secrets, objects, fleets, ground))
}

async fn see_all(context: &Context<'_>, name: &FleetName, fleet: &Fleet, revision: &Revision) -> FleetSight {
    let clients = context.locations.at(&fleet.location);
    let observation = async {
        let (clusters, unmeant) = fleet::clusters(clients, name, fleet).await?;
        let mut observation = fleet::observe(clients, name, &clusters, Listing::All, revision).await?;
        observation.unseen.extend(unmeant);
        Ok(observation)
    };
    match observation.await {
        Err(failure) => FleetSight::Failed { failure },
        Ok(FleetObservation { hosts, registered, unseen }) => {
            let desired = rollout::Desired { revision: revision.clone(), version_id: VersionId::new("") };
            let seen = Seen::new(&policy(fleet, FailedHosts::LeaveAlone), desired, hosts, registered);
            FleetSight::Seen { revision: revision.clone(), hosts: seen.report(), unseen }
        }
    }
}

/// What each registry in scope should have published.
fn wishes(sighting: &Sighting) -> BTreeMap<RegistryName, Wish> {
    let wish = |reading: &SourceReading| match reading {
        SourceReading::Read { credential, notes: _ } => Wish::Publish(credential.clone()),
        SourceReading::Failed(_) => Wish::Hold(Hold::SourceFailed),
    };
    sighting.sources.iter().map(|(name, reading)| (name.clone(), wish(reading))).collect()
}

type Decided<'a, Seen, Step> = Vec<(&'a Seen, Step, Option<Write>)>;

fn decide_secrets<'a>(
    sighting: &'a Sighting,
    wishes: &BTreeMap<RegistryName, Wish>,
) -> Decided<'a, SeenSecret, SecretStep> {
    let decide = |seen: &'a SeenSecret| {
        let wish = wishes.get(&seen.spec.registry).unwrap_or(&Wish::Hold(Hold::OutOfScope));
        let (step, write) = desired::secret(&seen.spec, wish, &seen.observed);
        (seen, step, write)
    };
    sighting.secrets.iter().map(decide).collect()
}

/// An object depends on the secrets of its registries in its own location: where one of them failed, the registry's
/// entry stays as it is published. A location that fails leaves the others alone.
fn decide_objects<'a>(
    sighting: &'a Sighting,
    wishes: &BTreeMap<RegistryName, Wish>,
    failed_secrets: &BTreeSet<(LocationName, RegistryName)>,
) -> Decided<'a, SeenObject, ObjectStep> {
    let decide = |seen: &'a SeenObject| {
        let mut wishes = wishes.clone();
        for (location, registry) in failed_secrets {
            if let Some(wish @ Wish::Publish(_)) = wishes.get_mut(registry)
                && *location == seen.spec.location
            {
                *wish = Wish::Hold(Hold::SecretFailed);
            }
        }
        let (step, write) = desired::object(&seen.spec, &wishes, &seen.observed, &sighting.state.key);
        (seen, step, write)
    };
    sighting.objects.iter().map(decide).collect()
}

fn registry_plans(context: &Context<'_>, sighting: &Sighting) -> Vec<RegistryPlan> {
    let plan = |(name, reading): (&RegistryName, &SourceReading)| {
        let server = &context.config.registries[name].server;
        let mut published = PublishedLogins::default();
        for secret in sighting.secrets.iter().filter(|secret| secret.spec.registry == *name) {
            published.add_secret(&secret.observed);
        }
        for object in &sighting.objects {
            if object.spec.registries.iter().any(|(registry, _)| registry == name) {
                published.add_object(&object.observed, server);
            }
        }
        desired::registry(name, server, reading, &published, &sighting.state.key)
    };
    sighting.sources.iter().map(plan).collect()
}

/// Before the first write of a pass: the key that revisions are made under is stored, and every store is one that
/// honours conditions.
async fn prepare(
    context: &Context<'_>,
    sighting: &mut Sighting,
    wishes: &BTreeMap<RegistryName, Wish>,
) -> Result<(), Failure> {
    let writes_secrets = decide_secrets(sighting, wishes).iter().any(|(_, _, write)| write.is_some());
    let writes_objects: BTreeSet<EcsConfigName> = decide_objects(sighting, wishes, &BTreeSet::new())
        .into_iter()
        .filter(|(_, _, write)| write.is_some())
        .map(|(_, step, _)| step.ecs_config)
        .collect();
    let touches_hosts = fleets_in_scope(context).next().is_some();
    if !writes_secrets && writes_objects.is_empty() && !(touches_hosts && sighting.state.is_new()) {
        return Ok(());
    }
    let Sighting { state, objects, .. } = sighting;
    let stores: Vec<Store<'_>> = objects
        .iter()
        .filter(|seen| writes_objects.contains(&seen.spec.name))
        .map(|seen| Store {
            s3: &context.locations.at(&seen.spec.location).s3,
            bucket: &seen.target.bucket,
            beside: &seen.target.key,
        })
        .collect();
    let place = &context.config.state;
    state.prepare(&context.locations.at(&place.location).s3, place, &stores).await
}

fn fleets_in_scope<'a>(context: &Context<'a>) -> impl Iterator<Item = (&'a FleetName, &'a Fleet)> {
    let scope = context.scope;
    context.config.fleets.iter().filter(move |(name, _)| scope.has_fleet(name))
}

/// Which fleet each cluster turned out to belong to, by location: two patterns may meet only now.
type Meant = BTreeMap<(LocationName, ClusterName), FleetName>;

async fn see_fleet(
    context: &Context<'_>,
    name: &FleetName,
    fleet: &Fleet,
    revision: &Revision,
    meant: &mut Meant,
) -> Result<FleetObservation, Failure> {
    let clients = context.locations.at(&fleet.location);
    let (clusters, unmeant) = fleet::clusters(clients, name, fleet).await?;
    for cluster in &clusters {
        let place = (fleet.location.clone(), cluster.clone());
        if let Some(other) = meant.insert(place, name.clone()).filter(|other| other != name) {
            return Err(Failure::new(
                FailureKind::Refused,
                format!("cannot roll out fleet `{name}`"),
                format!("cluster `{cluster}` belongs to fleet `{other}` too, which loads another ecs.config"),
                format!("narrow fleets.{name}.clusters or fleets.{other}.clusters"),
            ));
        }
    }
    let mut observation =
        fleet::observe(clients, name, &clusters, Listing::Different(revision), revision).await?;
    observation.unseen.extend(unmeant);
    Ok(observation)
}

async fn plan_fleet(
    context: &Context<'_>,
    name: &FleetName,
    fleet: &Fleet,
    revision: &Revision,
    failed: FailedHosts,
    meant: &mut Meant,
) -> FleetAction {
    let FleetObservation { hosts, registered, unseen } =
        match see_fleet(context, name, fleet, revision, meant).await {
            Ok(observation) => observation,
            Err(failure) => return FleetAction::Blocked { failure },
        };
    let policy = policy(fleet, failed);
    let sizes = registered.iter().map(|(cluster, size)| (cluster.clone(), *size)).collect();
    // No host loads anything by a plan, so the version's name does not matter.
    let desired = rollout::Desired { revision: revision.clone(), version_id: VersionId::new("") };
    let seen = Seen::new(&policy, desired, hosts, registered);
    let hosts = without_current(seen.report());
    if hosts.is_empty() && unseen.is_empty() {
        return FleetAction::Current { revision: revision.clone() };
    }
    let forecast = forecast(&policy, &seen);
    FleetAction::Rollout {
        revision: revision.clone(),
        registered: sizes,
        estimate: Estimate::of_rollout(&policy, &forecast, &hosts),
        hosts,
        unseen,
        forecast,
        max_unavailable: policy.max_unavailable,
        max_errors: policy.max_errors,
    }
}

async fn roll_out(
    context: &Context<'_>,
    name: &FleetName,
    fleet: &Fleet,
    object: &ObjectReport,
    failed: FailedHosts,
    meant: &mut Meant,
    progress: &dyn ProgressSink,
) -> FleetOutcome {
    let Some(revision) = object.revision.clone() else {
        return FleetOutcome::Held { why: Hold::ObjectFailed };
    };
    let FleetObservation { hosts, registered, unseen } =
        match see_fleet(context, name, fleet, &revision, meant).await {
            Ok(observation) => observation,
            Err(failure) => return FleetOutcome::Failed { failure },
        };
    if hosts.is_empty() && unseen.is_empty() {
        return FleetOutcome::Current { revision };
    }
    let Some(version) = &object.object_version else {
        return FleetOutcome::Failed { failure: unversioned(name, object) };
    };
    let policy = policy(fleet, failed);
    let desired =
        rollout::Desired { revision: revision.clone(), version_id: VersionId::new(version.clone()) };
    let mut seen = Seen::new(&policy, desired, hosts, registered);
    let waiting = seen.report().iter().filter(|line| line.outcome == HostOutcome::Waiting).count();
    progress.tell(Progress::RolloutBegins { fleet: name.clone(), hosts: waiting });
    let s3 = &context.locations.at(&object.location).s3;
    let endpoint = context.config.ecs_configs[&object.ecs_config].host_endpoint.as_deref().or(s3.endpoint());
    let parameters = host_script_parameters(object, s3.region(), endpoint, failed);
    let driver = Driver {
        clients: context.locations.at(&fleet.location),
        fleet: name,
        document: &fleet.document,
        parameters: &parameters,
        policy: &policy,
        progress,
    };
    let Driven { ending, failures } = driver.run(&mut seen).await;
    progress.tell(Progress::RolloutEnded { fleet: name.clone() });
    FleetOutcome::RolledOut { revision, ending, hosts: without_current(seen.report()), unseen, failures }
}

/// The parameters of the document in deploy/ssm. No secret, and nothing derived from one.
fn host_script_parameters(
    object: &ObjectReport,
    region: Option<&str>,
    endpoint: Option<&str>,
    failed: FailedHosts,
) -> Vec<(&'static str, String)> {
    let mode = match failed {
        FailedHosts::LeaveAlone => "apply",
        FailedHosts::Retry => "retry-failed",
    };
    vec![
        ("Bucket", object.bucket.clone()),
        ("Key", object.key.clone()),
        ("Region", region.unwrap_or_default().to_owned()),
        ("Endpoint", endpoint.unwrap_or_default().to_owned()),
        ("Mode", mode.to_owned()),
    ]
}

/// ECS may list hosts that are current, since the filter's exact meaning is not documented.
fn without_current(hosts: Vec<HostReport>) -> Vec<HostReport> {
    hosts.into_iter().filter(|host| host.outcome != HostOutcome::Current).collect()
}

fn policy(fleet: &Fleet, failed_hosts: FailedHosts) -> Policy {
    Policy {
        max_unavailable: fleet.max_unavailable,
        max_errors: fleet.max_errors,
        poll_interval: fleet.poll_interval,
        settle_interval: fleet.settle_interval,
        command_timeout: fleet.command_timeout,
        settle_timeout: fleet.settle_timeout,
        failed_hosts,
    }
}

fn unversioned(name: &FleetName, object: &ObjectReport) -> Failure {
    let ObjectReport { bucket, key, .. } = object;
    Failure::new(
        FailureKind::Refused,
        format!("cannot roll out fleet `{name}`"),
        format!("`s3://{bucket}/{key}` has no version id, so a host could not say which one it loaded"),
        format!(
            "aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled, then \
             copy the object onto itself"
        ),
    )
}
