//! A fleet's hosts: seen through ECS and SSM, and driven through a rollout that `core` decides.
//!
//! The driver performs what [`rollout::next`] asks for and tells what came of it; it chooses no host, counts no error
//! and repeats no send.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use regcred_core::fingerprint::Revision;
use regcred_core::host::{
    Attributes, ClusterName, ContainerInstanceArn, FailedHosts, Host, HostId, InstanceStatus, Ping,
    REVISION_ATTRIBUTE, Standing,
};
use regcred_core::invocation::{self, Progress as InvocationProgress};
use regcred_core::names::FleetName;
use regcred_core::report::{Failure, FailureKind};
use regcred_core::rollout::{
    self, CommandId, Ending, Event, HostOutcome, Instance, Policy, Refusal, Sample, Seen, Step,
};

use crate::aws::{self, AwsError, AwsErrorKind, Clients, Recording, SendOutcome, SentCommand};
use crate::config::{ClusterPattern, Fleet};
use crate::progress::{Progress, ProgressSink};

/// The hosts of a fleet that ECS lists as different from a revision.
#[derive(Debug, Default)]
pub(crate) struct FleetObservation {
    pub hosts: Vec<Host>,
    /// Registered container instances, of the clusters that have a host to be restarted.
    pub registered: BTreeMap<ClusterName, usize>,
    /// Why a cluster or a host could not be looked at. It spoils no other.
    pub unseen: Vec<Failure>,
}

/// Which hosts to look at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Listing<'a> {
    /// Those that ECS does not list with this revision: one call a page of them, one for a cluster that is clean.
    Different(&'a Revision),
    /// Every host.
    All,
}

/// The names of the clusters that a fleet's patterns mean now. Costs a call only where there is a pattern.
pub(crate) async fn clusters(
    clients: &Clients,
    name: &FleetName,
    fleet: &Fleet,
) -> Result<Vec<ClusterName>, Failure> {
    let mut names: BTreeSet<String> =
        fleet.clusters.iter().filter_map(ClusterPattern::as_exact).map(str::to_owned).collect();
    if names.len() < fleet.clusters.len() {
        let all = clients.ecs.clusters().await;
        let all =
            all.map_err(|error| error.failure(format!("cannot list the clusters of fleet `{name}`")))?;
        names.extend(
            all.into_iter().filter(|each| fleet.clusters.iter().any(|pattern| pattern.matches(each))),
        );
    }
    Ok(names.into_iter().map(ClusterName::new).collect())
}

/// Looks at the hosts of `clusters`. SSM and the clusters' sizes are asked for only when a host could be restarted.
pub(crate) async fn observe(
    clients: &Clients,
    name: &FleetName,
    clusters: &[ClusterName],
    listing: Listing<'_>,
    desired: &Revision,
) -> Result<FleetObservation, Failure> {
    let filter = match listing {
        // What `!=` means for an instance without the attribute is not documented, so that is asked for too, and what
        // comes back is judged by the attributes themselves.
        Listing::Different(revision) => Some(format!(
            "attribute:{REVISION_ATTRIBUTE} not_exists or attribute:{REVISION_ATTRIBUTE} != {revision}"
        )),
        Listing::All => None,
    };
    let what = || format!("cannot see the hosts of fleet `{name}`");
    let mut hosts = Vec::new();
    let mut unseen = Vec::new();
    for cluster in clusters {
        match instances(clients, cluster, filter.as_deref()).await {
            Ok(instances) => {
                for instance in instances {
                    match host(cluster, instance) {
                        Ok(host) => hosts.push(host),
                        Err(why) => unseen.push(Failure::new(
                            FailureKind::Invalid,
                            what(),
                            why,
                            "deregister it, or report this as a bug",
                        )),
                    }
                }
            }
            Err(error) => {
                unseen.push(missing_cluster(&error, cluster, name).unwrap_or_else(|| error.failure(what())));
            }
        }
    }
    let could_restart = |host: &&mut Host| host.standing(desired, FailedHosts::Retry) == Standing::Changed;
    let mut candidates: Vec<&mut Host> = hosts.iter_mut().filter(could_restart).collect();
    if candidates.is_empty() {
        return Ok(FleetObservation { hosts, registered: BTreeMap::new(), unseen });
    }
    let ids: Vec<String> = candidates.iter().map(|host| host.id.to_string()).collect();
    let pings = clients.ssm.pings(&ids).await.map_err(|error| error.failure(what()))?;
    let mut touched = BTreeSet::new();
    for host in &mut candidates {
        host.ping = pings.get(host.id.as_str()).map_or(Ping::NotManaged, |status| Ping::read(status));
        touched.insert(host.cluster.to_string());
    }
    let touched: Vec<String> = touched.into_iter().collect();
    let sizes = clients.ecs.cluster_sizes(&touched).await.map_err(|error| error.failure(what()))?;
    let registered = sizes.into_iter().map(|(cluster, size)| (ClusterName::new(cluster), size)).collect();
    Ok(FleetObservation { hosts, registered, unseen })
}

async fn instances(
    clients: &Clients,
    cluster: &ClusterName,
    filter: Option<&str>,
) -> Result<Vec<aws::Instance>, AwsError> {
    let arns = clients.ecs.list(cluster.as_str(), filter).await?;
    if arns.is_empty() { Ok(Vec::new()) } else { clients.ecs.describe(cluster.as_str(), &arns).await }
}

/// A container instance as core sees it; SSM is not asked yet. `Err` says why it is none that SSM could know.
fn host(cluster: &ClusterName, instance: aws::Instance) -> Result<Host, String> {
    let aws::Instance { arn, id, status, agent_connected, attributes } = instance;
    let id = HostId::parse(&id)
        .map_err(|error| format!("container instance {arn} of cluster `{cluster}`: {error}"))?;
    Ok(Host {
        id,
        cluster: cluster.clone(),
        arn: ContainerInstanceArn::new(arn),
        attributes: Attributes::read(
            attributes.iter().map(|(name, value)| (name.as_str(), value.as_deref())),
        ),
        status: InstanceStatus::read(&status),
        agent_connected,
        ping: Ping::Online,
    })
}

fn missing_cluster(error: &AwsError, cluster: &ClusterName, name: &FleetName) -> Option<Failure> {
    (error.kind == AwsErrorKind::NotFound).then(|| {
        Failure::new(
            FailureKind::Missing,
            format!("cannot see the hosts of fleet `{name}`"),
            format!("there is no cluster `{cluster}` in {}", error.place),
            format!("correct fleets.{name}.clusters, or create the cluster"),
        )
    })
}

/// What a rollout needs to know besides whom to restart.
#[derive(Debug)]
pub(crate) struct Driver<'a> {
    pub clients: &'a Clients,
    pub fleet: &'a FleetName,
    pub document: &'a str,
    pub parameters: &'a [(&'static str, String)],
    pub policy: &'a Policy,
    pub progress: &'a dyn ProgressSink,
}

/// How a rollout ended, and what went wrong with calls on the way.
#[derive(Debug)]
pub(crate) struct Driven {
    pub ending: Ending,
    pub failures: Vec<Failure>,
}

impl Driver<'_> {
    /// Drives `seen` to its end.
    pub(crate) async fn run(&self, seen: &mut Seen) -> Driven {
        let mut failures = Vec::new();
        let mut told = BTreeMap::new();
        loop {
            seen.apply(self.policy, Event::Time, now());
            for step in rollout::next(self.policy, seen, now()) {
                match step {
                    Step::Done(ending) => {
                        self.tell(seen, &mut told);
                        return Driven { ending, failures };
                    }
                    Step::Wait { until } => {
                        self.tell(seen, &mut told);
                        let wait = (until - now()).to_std().unwrap_or_default();
                        tokio::time::sleep(wait).await;
                    }
                    Step::Send { hosts, max_errors } => {
                        seen.apply(self.policy, Event::Sending { hosts: hosts.clone() }, now());
                        let event = self.send(hosts, max_errors, &mut failures).await;
                        seen.apply(self.policy, event, now());
                    }
                    Step::Poll { command } => {
                        let event = self.poll(command, &mut failures).await;
                        seen.apply(self.policy, event, now());
                    }
                    Step::Inspect { command } => {
                        let event = self.inspect(command, &mut failures).await;
                        seen.apply(self.policy, event, now());
                    }
                    Step::Sample { cluster, instances } => {
                        let event = self.sample(&cluster, &instances, &mut failures).await;
                        seen.apply(self.policy, event, now());
                    }
                    Step::Record { cluster, attributes } => {
                        let event = self.record(&cluster, attributes, &mut failures).await;
                        seen.apply(self.policy, event, now());
                    }
                }
            }
        }
    }

    /// Tells of the hosts that ended since the last time.
    fn tell(&self, seen: &Seen, told: &mut BTreeMap<HostId, HostOutcome>) {
        for line in seen.report() {
            let ended = match &line.outcome {
                HostOutcome::Proven { .. }
                | HostOutcome::Restored { .. }
                | HostOutcome::Refused { .. }
                | HostOutcome::Failed { .. } => true,
                HostOutcome::Current
                | HostOutcome::Unproven { .. }
                | HostOutcome::Unsupported { .. }
                | HostOutcome::Unreachable { .. }
                | HostOutcome::FailedBefore { .. }
                | HostOutcome::Superseded
                | HostOutcome::Waiting
                | HostOutcome::Gone => false,
            };
            if ended && told.insert(line.host.clone(), line.outcome.clone()).is_none() {
                tracing::info!(fleet = %self.fleet, host = %line.host, outcome = ?line.outcome, "host ended");
                self.progress.tell(Progress::HostEnded { fleet: self.fleet.clone(), host: line });
            }
        }
    }

    async fn send(&self, hosts: Vec<HostId>, max_errors: u32, failures: &mut Vec<Failure>) -> Event {
        self.progress.tell(Progress::Sending { fleet: self.fleet.clone(), hosts: hosts.clone() });
        let ids: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let seconds = self.policy.command_timeout.as_secs().clamp(30, 2_592_000);
        let command = SentCommand {
            document: self.document,
            hosts: &ids,
            parameters: self.parameters,
            comment: &format!("regcred fleet {}", self.fleet),
            timeout_seconds: i32::try_from(seconds).expect("clamped below i32's end"),
            max_errors,
        };
        let what = || format!("cannot restart hosts of fleet `{}`", self.fleet);
        match self.clients.ssm.send(&command).await {
            SendOutcome::Accepted { command_id } => {
                tracing::info!(fleet = %self.fleet, command = %command_id, hosts = ids.len(), "command sent");
                Event::SendAccepted { hosts, command: CommandId::new(command_id) }
            }
            SendOutcome::Unknown(error) => {
                tracing::warn!(fleet = %self.fleet, hosts = ids.len(), "the answer to a command was lost");
                note(failures, error.failure(what()));
                Event::SendLost { hosts }
            }
            SendOutcome::Refused(error) => {
                let refusal = refusal(&error);
                if refusal == Refusal::Document {
                    note(failures, missing_document(&error, self.document, what()));
                } else {
                    note(failures, error.failure(what()));
                }
                Event::SendRefused { hosts, refusal }
            }
        }
    }

    async fn poll(&self, command: CommandId, failures: &mut Vec<Failure>) -> Event {
        let invocations = match self.clients.ssm.invocations(command.as_str()).await {
            Ok(invocations) => invocations
                .into_iter()
                .filter_map(|each| {
                    let progress: InvocationProgress =
                        invocation::read_invocation(&each.status, &each.status_details);
                    Some(rollout::Invocation {
                        host: HostId::parse(&each.host).ok()?,
                        progress,
                        output: each.output,
                        exit_code: each.exit_code,
                    })
                })
                .collect(),
            Err(error) => {
                note(failures, error.failure(format!("cannot follow command {command}")));
                Vec::new()
            }
        };
        Event::Polled { command, invocations }
    }

    async fn inspect(&self, command: CommandId, failures: &mut Vec<Failure>) -> Event {
        let state = match self.clients.ssm.command(command.as_str()).await {
            Ok(state) => state.map(|(status, details)| invocation::read_command(&status, &details)),
            Err(error) => {
                note(failures, error.failure(format!("cannot follow command {command}")));
                None
            }
        };
        Event::Inspected { command, state }
    }

    async fn sample(
        &self,
        cluster: &ClusterName,
        instances: &[Instance],
        failures: &mut Vec<Failure>,
    ) -> Event {
        let arns: Vec<String> = instances.iter().map(|instance| instance.arn.to_string()).collect();
        let samples = match self.clients.ecs.describe(cluster.as_str(), &arns).await {
            Ok(described) => {
                let seen: BTreeMap<&str, _> =
                    described.iter().map(|each| (each.arn.as_str(), each)).collect();
                let sample = |instance: &Instance| match seen.get(instance.arn.as_str()) {
                    None => Sample::Gone,
                    Some(each) => match InstanceStatus::read(&each.status) {
                        InstanceStatus::Inactive | InstanceStatus::Deregistering => Sample::Gone,
                        _ if each.agent_connected => Sample::Connected,
                        _ => Sample::Disconnected,
                    },
                };
                instances.iter().map(|instance| (instance.host.clone(), sample(instance))).collect()
            }
            Err(error) => {
                note(failures, error.failure(format!("cannot see the agents of cluster `{cluster}`")));
                instances.iter().map(|instance| (instance.host.clone(), Sample::Unknown)).collect()
            }
        };
        Event::Sampled { samples }
    }

    async fn record(
        &self,
        cluster: &ClusterName,
        attributes: Vec<rollout::Attribute>,
        failures: &mut Vec<Failure>,
    ) -> Event {
        let hosts: BTreeSet<HostId> = attributes.iter().map(|each| each.instance.host.clone()).collect();
        let hosts: Vec<HostId> = hosts.into_iter().collect();
        let recordings: Vec<Recording> = attributes
            .into_iter()
            .map(|each| Recording {
                instance_arn: each.instance.arn.to_string(),
                attribute: each.name,
                value: each.value,
            })
            .collect();
        match self.clients.ecs.record(cluster.as_str(), &recordings).await {
            Ok(()) => Event::Recorded { hosts },
            Err(error) => {
                if hosts.len() == 1 {
                    note(failures, error.failure(format!("cannot record the revision of {}", hosts[0])));
                }
                Event::RecordFailed { hosts }
            }
        }
    }
}

/// Keeps one failure of a kind and place: a poll that is denied is denied every five seconds.
fn note(failures: &mut Vec<Failure>, failure: Failure) {
    if !failures.iter().any(|known| known.why == failure.why) {
        failures.push(failure);
    }
}

fn refusal(error: &AwsError) -> Refusal {
    match error.kind {
        AwsErrorKind::Throttled => Refusal::Throttled,
        AwsErrorKind::AccessDenied | AwsErrorKind::NoCredentials => Refusal::AccessDenied,
        AwsErrorKind::NotFound
        | AwsErrorKind::Exists
        | AwsErrorKind::PreconditionFailed
        | AwsErrorKind::Conflict
        | AwsErrorKind::Invalid
        | AwsErrorKind::NotSent
        | AwsErrorKind::NoAnswer => match error.code.as_str() {
            "InvalidInstanceId" => Refusal::InvalidInstance,
            "InvalidDocument"
            | "InvalidDocumentVersion"
            | "InvalidParameters"
            | "UnsupportedPlatformType" => Refusal::Document,
            code => Refusal::Other(code.to_owned()),
        },
    }
}

fn missing_document(error: &AwsError, document: &str, what: String) -> Failure {
    let place = &error.place;
    match error.kind {
        AwsErrorKind::NotFound => Failure::new(
            FailureKind::Missing,
            what,
            format!("there is no SSM document `{document}` in {place}"),
            format!(
                "aws ssm create-document --name {document} --document-type Command --document-format JSON \
                 --content file://deploy/ssm/regcred-refresh.json"
            ),
        ),
        _ => Failure::new(
            FailureKind::Invalid,
            what,
            format!(
                "{}: the SSM document `{document}` in {place} does not take regcred's parameters",
                error.code
            ),
            "bring it up to date with `aws ssm update-document` from deploy/ssm/regcred-refresh.json, and make the \
             new version the default",
        ),
    }
}

fn now() -> DateTime<Utc> {
    Utc::now()
}
