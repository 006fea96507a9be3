//! The pass: look, try, decide, store, roll out, report. The daemon, the Lambda and the command line all run this.
//!
//! A pass takes no hint of what changed, and every one could be the first. `plan` is the same pass, stopped before the
//! first write. Nothing here names an adapter or makes a decision about a host.

mod decide;
mod fleets;
mod turns;

use std::collections::{BTreeMap, BTreeSet};

use regcred_core::desired::Wish;
use regcred_core::host::FailedHosts;
use regcred_core::login::RejectedCandidates;
use regcred_core::names::{EcsConfigName, FleetName, RegistryName};
use regcred_core::plan::{FleetAction, FleetStep, Hold, ObjectAction, ObjectStep, Plan, SecretAction};
use regcred_core::report::{
    Failure, FailureKind, FleetOutcome, FleetReport, FleetSight, FleetStatus, ObjectReport, Outcome, Report,
    Status,
};
use regcred_core::rollout::Ending;
use regcred_core::saved_plan::{KeyIs, Moved, Preconditions};
use regcred_core::stop::StopReason;

use self::decide::{decide_objects, decide_secrets, registry_plans, wishes};
use self::fleets::{Fleets, see_all};
use crate::apply;
use crate::config::Fleet;
use crate::fleet::{Openings, Together};
use crate::lease::{self, Lease, Patience, Taken};
use crate::observe::{self, Context, Sighting};
use crate::preflight;
use crate::progress::ProgressSink;
use crate::settings::settings;
use crate::state::Store;
use crate::stopping::{Urgency, before_a_report};
use crate::verify;

/// What would be done, and why. Writes nothing; a credential that is to be published is tried at its registry.
pub(crate) async fn plan(
    context: &Context<'_>,
    failed: FailedHosts,
    rejected: RejectedCandidates,
) -> Result<Planned, Failure> {
    let mut sighting = observe::look(context).await?;
    verify::try_candidates(context, &mut sighting, rejected).await;
    let key = if sighting.state.is_new() { KeyIs::Passing } else { KeyIs::Kept };
    Ok(Planned { plan: plan_of(context, &sighting, failed).await, key })
}

/// A plan, and whether what it was made under can be compared with another one.
#[derive(Debug)]
pub(crate) struct Planned {
    pub plan: Plan,
    pub key: KeyIs,
}

/// What would be done about what was seen.
async fn plan_of(context: &Context<'_>, sighting: &Sighting, failed: FailedHosts) -> Plan {
    let wishes = wishes(sighting);
    let key = &sighting.state.key;
    let secrets = preflight::secrets(context.locations, key, decide_secrets(sighting, &wishes)).await;
    let blocked = secrets.iter().filter(|step| matches!(step.action, SecretAction::Blocked { .. }));
    let failed_secrets =
        blocked.map(|step| ((step.location.clone(), step.registry.clone()), Hold::SecretFailed)).collect();
    let objects = decide_objects(sighting, &wishes, &failed_secrets);
    let objects = preflight::objects(context.locations, objects).await;
    let mut fleets = Vec::new();
    let together = Together::new(context.config.rollout.max_errors);
    let rollouts = Fleets::new(context, failed, None, &together);
    for (name, fleet) in fleets_in_scope(context) {
        let object = objects.iter().find(|step| step.ecs_config == fleet.ecs_config);
        let action = match object.and_then(|step| step.action.revision()) {
            None => FleetAction::Held { why: Hold::ObjectFailed },
            Some(revision) => {
                let action = rollouts.plan(name, fleet, revision).await;
                preflight::fleet(context.locations, name, fleet, action).await
            }
        };
        let opens = match &action {
            FleetAction::Rollout { .. } => Openings::of(context.config, fleet).next(context.clock.now()),
            FleetAction::Current { .. } | FleetAction::Held { .. } | FleetAction::Blocked { .. } => None,
        };
        fleets.push(FleetStep {
            opens,
            fleet: name.clone(),
            location: fleet.location.clone(),
            ecs_config: fleet.ecs_config.clone(),
            after: fleet.after.iter().filter(|name| context.scope.has_fleet(name)).cloned().collect(),
            action,
        });
    }
    let plan = Plan::new(registry_plans(context, sighting), secrets, objects, fleets);
    let estimate = plan.estimate.under_lease(context.config.state.lease);
    let max_errors_together = context.config.rollout.max_errors;
    Plan { paused: sighting.state.pause.clone(), estimate, max_errors_together, ..plan }
}

/// Whether maintenance windows hold restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Windows {
    Heed,
    /// A person said so.
    Ignore,
}

/// What a pass is to do besides what the configuration says.
#[derive(Debug)]
pub(crate) struct Orders<'a> {
    pub failed: FailedHosts,
    pub rejected: RejectedCandidates,
    /// What was agreed to; then that is done or nothing.
    pub agreed: Option<&'a Preconditions>,
    pub lease: &'a Lease,
    pub patience: Patience,
    pub windows: Windows,
    pub progress: &'a dyn ProgressSink,
}

/// The whole pass. It holds the lease while it writes, and gives it back.
pub(crate) async fn sync(context: &Context<'_>, orders: &Orders<'_>) -> Result<Report, Failure> {
    tracing::info!("pass begins");
    let attempts = context.locations.attempts();
    // A daemon's clients count on from pass to pass.
    let (tried, throttled) = (attempts.total(), attempts.throttled());
    let _tenure = orders.lease.tenure();
    let ended = under_lease(context, orders).await;
    orders.lease.release().await;
    let report = ended?;
    let (tried, throttled) = (attempts.total() - tried, attempts.throttled() - throttled);
    tracing::info!(verdict = ?report.verdict, aws_requests = tried, throttled, "pass ended");
    Ok(report)
}

/// Does it, unless the pass has to stop at once meanwhile.
async fn unless_at_once<T>(context: &Context<'_>, work: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::select! {
        done = work => Ok(done),
        stop = context.stop.until(Urgency::AtOnce) => Err(before_a_report(stop.why)),
    }
}

async fn under_lease(context: &Context<'_>, orders: &Orders<'_>) -> Result<Report, Failure> {
    let Orders { failed, rejected, agreed, lease, patience, windows: _, progress } = *orders;
    let (mut sighting, wishes) = loop {
        let mut sighting = unless_at_once(context, Box::pin(observe::look(context))).await??;
        heed_pause(context, &sighting);
        if sighting.state.pause.is_some() {
            // Nothing is published, so nothing is tried. What a registry said could not be kept in mind either, and a wrong
            // password would be shown to it by every pass until the account is locked.
            verify::expect(context, &mut sighting);
        } else {
            // For the same reason nothing is tried without the lease: whoever may not write keeps nothing in mind.
            if verify::would_ask(context, &sighting, rejected)
                && context.stop.reason().is_none()
                && lease.take(patience, context.stop, progress).await? == Taken::AfterWaiting
            {
                continue;
            }
            let tries = Box::pin(verify::try_candidates(context, &mut sighting, rejected));
            unless_at_once(context, tries).await?;
            verify::remember(&mut sighting);
        }
        if let Some(agreed) = agreed
            && sighting.state.pause.is_none()
        {
            let key = if sighting.state.is_new() { KeyIs::Passing } else { KeyIs::Kept };
            let now = Preconditions::of(
                &plan_of(context, &sighting, failed).await,
                key,
                settings(context.config, context.scope),
            );
            let moved = agreed.moved(&now);
            if !moved.is_empty() {
                return Err(superseded("cannot apply this plan", &moved));
            }
        }
        let wishes = wishes(&sighting);
        if Writes::of(context, &sighting, &wishes).is_none() || context.stop.reason().is_some() {
            break (sighting, wishes);
        }
        match lease.take(patience, context.stop, progress).await? {
            Taken::AtOnce => break (sighting, wishes),
            // Whoever held it may have done all that was to do.
            Taken::AfterWaiting => {}
        }
    };
    let registries = registry_plans(context, &sighting);
    if context.stop.reason().is_none() {
        prepare(context, &mut sighting, &wishes).await?;
        // Whoever wrote the state meanwhile may have paused regcred.
        heed_pause(context, &sighting);
    }

    let steps = decide_secrets(&sighting, &wishes);
    let secrets = apply::secrets(context.locations, context.stop, &sighting.state.key, steps, progress).await;
    let failed_secrets = secrets
        .iter()
        .filter(|report| !report.outcome.is_right())
        .map(|report| {
            let why = match report.outcome {
                Outcome::Held { why } => why,
                Outcome::Unchanged
                | Outcome::Created
                | Outcome::Replaced
                | Outcome::Replicated
                | Outcome::Superseded
                | Outcome::Failed { .. } => Hold::SecretFailed,
            };
            ((report.location.clone(), report.registry.clone()), why)
        })
        .collect();
    let steps = decide_objects(&sighting, &wishes, &failed_secrets);
    let objects = apply::objects(context.locations, context.stop, steps, progress).await;

    let together = Together::new(context.config.rollout.max_errors);
    let rollouts = Fleets::new(context, failed, agreed, &together);
    let outcomes = turns::take(context, &together, |name, before| {
        let fleet = &context.config.fleets[&name];
        let object = objects.iter().find(|report| report.ecs_config == fleet.ecs_config);
        let is_halted = before.iter().any(|(other, outcome)| {
            context.config.fleets[other].ecs_config == fleet.ecs_config
                && matches!(outcome, FleetOutcome::RolledOut { ending: Ending::Halted { .. }, .. })
        });
        let rollouts = &rollouts;
        async move {
            match object.filter(|report| report.outcome.is_right()) {
                None => Ok(FleetOutcome::Held { why: hold_of(object) }),
                Some(_) if is_halted => Ok(FleetOutcome::Held { why: Hold::Halted }),
                Some(object) => rollouts.roll_out(&name, fleet, object, orders).await,
            }
        }
    })
    .await?;
    let mut fleets: Vec<FleetReport> = Vec::new();
    for (name, outcome) in outcomes {
        let fleet = &context.config.fleets[&name];
        let mut report = FleetReport { fleet: name, location: fleet.location.clone(), opens: None, outcome };
        if report.is_held_by_window() {
            report.opens = Openings::of(context.config, fleet).next(context.clock.now());
        }
        fleets.push(report);
    }
    let report = Report::new(registries, secrets, objects, fleets, context.scope.ground(context.config));
    Ok(Report { paused: sighting.state.pause, ..report })
}

/// Stops the pass where the state says that a person paused regcred.
fn heed_pause(context: &Context<'_>, sighting: &Sighting) {
    if let Some(pause) = &sighting.state.pause {
        tracing::info!(%pause, "regcred is paused: nothing is written");
        context.stop.ask(StopReason::Paused, Urgency::AfterStep);
    }
}

/// Why a fleet is left alone whose object is not right.
fn hold_of(object: Option<&ObjectReport>) -> Hold {
    match object.map(|object| &object.outcome) {
        Some(Outcome::Held { why }) => *why,
        _ => Hold::ObjectFailed,
    }
}

/// What holds what now. Writes nothing, and looks at every host.
pub(crate) async fn status(context: &Context<'_>) -> Result<Status, Failure> {
    let mut sighting = observe::look(context).await?;
    verify::expect(context, &mut sighting);
    let wishes = wishes(&sighting);
    let secrets = decide_secrets(&sighting, &wishes).into_iter().map(|(_, step, _)| step).collect();
    let objects: Vec<ObjectStep> =
        decide_objects(&sighting, &wishes, &BTreeMap::new()).into_iter().map(|(_, step, _)| step).collect();
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
    let place = &context.config.state;
    let lease = lease::look(&context.locations.at(&place.location).s3, place).await;
    let status = Status::new(registry_plans(context, &sighting), secrets, objects, fleets, lease, ground);
    Ok(Status { paused: sighting.state.pause, ..status })
}

/// What a pass has to write besides what hosts load.
struct Writes {
    /// The objects that are written.
    objects: BTreeSet<EcsConfigName>,
}

impl Writes {
    /// `None` where there is nothing to write.
    fn of(context: &Context<'_>, sighting: &Sighting, wishes: &BTreeMap<RegistryName, Wish>) -> Option<Self> {
        let secrets = decide_secrets(sighting, wishes).iter().any(|(_, step, _)| step.is_write());
        let objects: BTreeSet<EcsConfigName> = decide_objects(sighting, wishes, &BTreeMap::new())
            .into_iter()
            .filter(|(_, _, write)| write.is_some())
            .map(|(_, step, _)| step.ecs_config)
            .collect();
        let touches_hosts = fleets_in_scope(context).next().is_some();
        let first = touches_hosts && sighting.state.is_new();
        let any = secrets || !objects.is_empty() || first || sighting.state.has_learnt();
        any.then_some(Self { objects })
    }
}

/// Before the first write of a pass: the key that revisions are made under is stored, and every store is one that
/// honours conditions.
async fn prepare(
    context: &Context<'_>,
    sighting: &mut Sighting,
    wishes: &BTreeMap<RegistryName, Wish>,
) -> Result<(), Failure> {
    let Some(Writes { objects: written }) = Writes::of(context, sighting, wishes) else { return Ok(()) };
    let Sighting { state, objects, .. } = sighting;
    let stores: Vec<Store<'_>> = objects
        .iter()
        .filter(|seen| written.contains(&seen.spec.name))
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

/// What a saved plan was made of is not there any more.
fn superseded(what: impl Into<String>, moved: &[Moved]) -> Failure {
    let moved: Vec<String> = moved.iter().map(ToString::to_string).collect();
    Failure::new(
        FailureKind::Superseded,
        what,
        format!("since it was made: {}", moved.join("; ")),
        "make a new one with `regcred plan --out FILE`, and look at it",
    )
}
