//! The fleets: their SSM documents and their hosts.

use std::collections::BTreeMap;

use futures_util::{StreamExt, future, stream};
use regcred_core::audit::AuditSight;
use regcred_core::doctor::{Aspect, Check, Outcome, Secrets, SeenHost, Subject, told_by_host};
use regcred_core::host::{Host, HostId};
use regcred_core::names::FleetName;
use regcred_core::report::{Failure, FailureKind};

use crate::audit;
use crate::aws::{AwsError, AwsErrorKind, Clients};
use crate::config::{DocumentCheck, Fleet, Members};
use crate::fleet::{self, FleetObservation, RecordPlace};
use crate::observe::Context;

/// Fleets that are looked at side by side: ECS and SSM throttle an account as a whole.
const SIDE_BY_SIDE: usize = 4;

/// Looks at every fleet in scope, through ECS and SSM alone.
pub(super) async fn all(context: &Context<'_>) -> Vec<Check> {
    let fleets = context.config.fleets.iter().filter(|(name, _)| context.scope.has_fleet(name));
    let looks = fleets.map(|(name, settings)| async move {
        let clients = context.locations.at(&settings.location);
        let (document, followed, hosts) = tokio::join!(
            document(clients, name, settings),
            commands(clients, name),
            hosts(context, name, settings)
        );
        [document, followed].into_iter().chain(hosts).collect::<Vec<_>>()
    });
    let looked: Vec<Vec<Check>> = stream::iter(looks).buffered(SIDE_BY_SIDE).collect().await;
    looked.into_iter().flatten().collect()
}

async fn document(clients: &Clients, name: &FleetName, settings: &Fleet) -> Check {
    let outcome = match settings.document_check {
        DocumentCheck::Own => Outcome::Exempt { why: "document_check is `own`".to_owned() },
        DocumentCheck::Carried => Outcome::of_need(fleet::unsendable(clients, name, settings).await),
    };
    let subject = Subject::Document { fleet: name.clone(), document: settings.document.clone() };
    Check::new(subject, Aspect::Carried, outcome)
}

/// No command has this id. Whoever may ask for commands is told of none, or that the id is none: both are an answer.
const NO_COMMAND: &str = "00000000-0000-0000-0000-000000000000";

async fn commands(clients: &Clients, name: &FleetName) -> Check {
    let (listed, invoked) =
        tokio::join!(clients.ssm.command(NO_COMMAND), clients.ssm.invocations(NO_COMMAND));
    let refused = |error: AwsError| match error.kind {
        AwsErrorKind::Invalid | AwsErrorKind::NotFound => None,
        AwsErrorKind::Exists
        | AwsErrorKind::PreconditionFailed
        | AwsErrorKind::Conflict
        | AwsErrorKind::AccessDenied
        | AwsErrorKind::NoCredentials
        | AwsErrorKind::Throttled
        | AwsErrorKind::KeyFailed
        | AwsErrorKind::NotSent
        | AwsErrorKind::NoAnswer => {
            Some(error.failure(format!("cannot follow the commands of fleet `{name}`")))
        }
    };
    let failure = listed.err().and_then(refused).or(invoked.err().and_then(refused));
    let subject = Subject::Fleet { fleet: name.clone() };
    Check::new(subject, Aspect::CommandsFollowed, Outcome::of_need(failure))
}

/// What was seen of a fleet.
struct Sight {
    hosts: Vec<Host>,
    agent_versions: BTreeMap<HostId, String>,
    unseen: Vec<Failure>,
}

async fn hosts(context: &Context<'_>, name: &FleetName, settings: &Fleet) -> Vec<Check> {
    let of_fleet = |failure| {
        let subject = Subject::Fleet { fleet: name.clone() };
        Check::new(subject, Aspect::Readable, Outcome::of_need(failure))
    };
    let Sight { hosts, agent_versions, unseen } = match sight(context, name, settings).await {
        Ok(sight) => sight,
        Err(failure) => return vec![of_fleet(Some(failure))],
    };
    let publishes = context.config.registries.values().any(|registry| registry.secret.is_some());
    let secrets = if publishes { Secrets::Published } else { Secrets::None };
    let mut checks: Vec<Check> = unseen.into_iter().map(|failure| of_fleet(Some(failure))).collect();
    if checks.is_empty() {
        checks.push(of_fleet(None));
    }
    for host in &hosts {
        let agent_version = agent_versions.get(&host.id).map(String::as_str);
        let judged = SeenHost { host, agent_version, secrets }.judge();
        checks.extend(judged.into_iter().map(|(aspect, outcome)| of_host(name, &host.id, aspect, outcome)));
    }
    checks
}

fn of_host(fleet: &FleetName, host: &HostId, aspect: Aspect, outcome: Outcome) -> Check {
    Check::new(Subject::Host { fleet: fleet.clone(), host: host.clone() }, aspect, outcome)
}

async fn sight(context: &Context<'_>, name: &FleetName, settings: &Fleet) -> Result<Sight, Failure> {
    let clients = context.locations.at(&settings.location);
    let state = &context.config.state;
    let place = RecordPlace { s3: &context.locations.at(&state.location).s3, state };
    let of_nodes = |observation: FleetObservation<'_>| Sight {
        hosts: observation.hosts,
        agent_versions: BTreeMap::new(),
        unseen: observation.unseen,
    };
    match &settings.members {
        Members::Clusters(patterns) => {
            let (clusters, unmeant) = fleet::clusters(clients, name, patterns).await?;
            let (everyone, sizes) = future::join(
                fleet::observe_everyone(clients, name, &clusters),
                fleet::sizes(clients, name, &clusters),
            )
            .await;
            let fleet::Everyone { hosts, agent_versions, mut unseen } = everyone?;
            unseen.extend(unmeant);
            unseen.extend(sizes.err());
            if hosts.is_empty() && unseen.is_empty() {
                unseen.push(Failure::new(
                    FailureKind::Missing,
                    format!("fleet `{name}` has no host"),
                    "its clusters have no container instance; Fargate has no host, and needs none",
                    format!("correct fleets.{name}.clusters, or remove the fleet"),
                ));
            }
            Ok(Sight { hosts, agent_versions, unseen })
        }
        Members::Tags(tags) => fleet::observe_tagged(clients, place, name, tags).await.map(of_nodes),
        Members::Instances(ids) => fleet::observe_named(clients, place, name, ids).await.map(of_nodes),
    }
}

/// Asks the hosts of every fleet in scope what they hold.
pub(super) async fn asked(context: &Context<'_>) -> Result<Vec<Check>, Failure> {
    let audit = audit::hosts(context).await?;
    let mut checks = Vec::new();
    for fleet in audit.fleets {
        match fleet.sight {
            AuditSight::Failed { failure } => {
                let subject = Subject::Fleet { fleet: fleet.fleet };
                checks.push(Check::new(subject, Aspect::AuthLoaded, Outcome::of_need(Some(failure))));
            }
            AuditSight::Asked { revision: _, hosts, unseen: _, failures } => {
                checks.extend(
                    hosts.iter().map(|host| {
                        of_host(&fleet.fleet, &host.host, Aspect::AuthLoaded, told_by_host(host))
                    }),
                );
                checks.extend(failures.into_iter().map(|failure| {
                    let subject = Subject::Fleet { fleet: fleet.fleet.clone() };
                    Check::new(subject, Aspect::AuthLoaded, Outcome::of_need(Some(failure)))
                }));
            }
        }
    }
    Ok(checks)
}
