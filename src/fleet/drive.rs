//! Driving a rollout: performing what [`rollout::next`] asks for, and telling what came of it.
//!
//! The driver chooses no host, counts no error and repeats no send.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use regcred_core::host::{
    ClusterName, HostId, InstanceStatus, Membership, PENDING_REVISION, REVISION_ATTRIBUTE,
};
use regcred_core::invocation;
use regcred_core::report::{Failure, FailureKind};
use regcred_core::rollout::{
    self, ATTRIBUTES_PER_CALL, CommandId, Ending, Event, HostOutcome, HostReport, Instance, Note, Others,
    Policy, Refusal, Sample, Seen, Step,
};
use tokio::sync::OnceCell;

use super::brakes::Brakes;
use super::command::{HostScript, Sent, note, refusal};
use super::document::{self, DocumentVersion, Unsendable};
use super::records::RecordStore;
use crate::aws::{AwsError, AwsErrorKind, Recording};
use crate::progress::{Progress, ProgressSink};
use crate::stopping::{Stop, Urgency};

/// What a rollout needs to know besides whom to restart.
#[derive(Debug)]
pub(crate) struct Driver<'a> {
    pub script: HostScript<'a>,
    pub policy: &'a Policy,
    pub progress: &'a dyn ProgressSink,
    pub brakes: Brakes<'a>,
    /// The document is looked at before the first send, and not again.
    document: OnceCell<Result<DocumentVersion, Unsendable>>,
}

/// How a rollout ended, and what went wrong with calls on the way.
#[derive(Debug)]
pub(crate) struct Driven {
    pub ending: Ending,
    pub failures: Vec<Failure>,
}

impl<'a> Driver<'a> {
    pub(crate) fn new(
        script: HostScript<'a>,
        policy: &'a Policy,
        progress: &'a dyn ProgressSink,
        brakes: Brakes<'a>,
    ) -> Self {
        Self { script, policy, progress, brakes, document: OnceCell::new() }
    }

    async fn document(&self) -> &Result<DocumentVersion, Unsendable> {
        let HostScript { clients, fleet, settings, object: _, mode } = self.script;
        self.document.get_or_init(|| document::check(clients, fleet, settings, mode)).await
    }

    /// Drives `seen` to its end; of one that was driven before, the rest. `records` is where it is recorded what hosts
    /// outside ECS's view hold, if the fleet has such.
    pub(crate) async fn run(&self, seen: &mut Seen, records: &mut Option<RecordStore<'_>>) -> Driven {
        let mut failures = Vec::new();
        let mut told = ended(seen).into_iter().map(|line| line.host).collect();
        loop {
            if let Some(Stop { why, urgency }) = self.brakes.stop() {
                seen.apply(self.policy, Event::Stopped { why }, now());
                if urgency == Urgency::AtOnce {
                    self.tell(seen, &mut told);
                    return Driven { ending: Ending::Stopped { why }, failures };
                }
            }
            let others = self.look_around(seen);
            seen.apply(self.policy, Event::Time, now());
            for step in rollout::next(self.policy, seen, now()) {
                match step {
                    Step::Done(ending) => {
                        self.look_around(seen);
                        self.tell(seen, &mut told);
                        return Driven { ending, failures };
                    }
                    Step::Wait { until } => {
                        self.tell(seen, &mut told);
                        let wait = (until - now()).to_std().unwrap_or_default();
                        tokio::select! {
                            () = tokio::time::sleep(wait) => {}
                            _ = self.brakes.stop.until(Urgency::AtOnce) => {}
                        }
                    }
                    // Another fleet has used up what was left meanwhile, or some of it.
                    Step::Send { .. } if self.look_around(seen) != others => break,
                    Step::Send { hosts, max_errors } => match self.document().await {
                        Err(Unsendable { refusal, failure }) => {
                            note(&mut failures, failure.clone());
                            let refusal = refusal.clone();
                            seen.apply(self.policy, Event::SendRefused { hosts, refusal }, now());
                        }
                        Ok(version) => {
                            let (ready, refused) = self.disown(seen, hosts, records, &mut failures).await;
                            for event in refused {
                                seen.apply(self.policy, event, now());
                            }
                            if !ready.is_empty() {
                                seen.apply(self.policy, Event::Sending { hosts: ready.clone() }, now());
                                let event = self.send(ready, max_errors, version, &mut failures).await;
                                seen.apply(self.policy, event, now());
                            }
                        }
                    },
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
                    Step::Note { notes } => {
                        let hosts = notes.iter().map(|note| note.host.clone()).collect();
                        let event = match note_all(records, &notes).await {
                            Ok(()) => Event::Recorded { hosts },
                            Err(failure) => {
                                note(&mut failures, failure);
                                Event::RecordFailed { hosts }
                            }
                        };
                        seen.apply(self.policy, event, now());
                    }
                }
            }
        }
    }

    /// Says how this rollout stands, and takes in how the others do.
    fn look_around(&self, seen: &mut Seen) -> Option<Others> {
        let others = self.brakes.together.tell(self.script.fleet, seen);
        if let Some(others) = others {
            seen.apply(self.policy, Event::Others(others), now());
        }
        others
    }

    /// Tells of the hosts that ended since the last time.
    fn tell(&self, seen: &Seen, told: &mut BTreeSet<HostId>) {
        for line in ended(seen) {
            if told.insert(line.host.clone()) {
                tracing::info!(fleet = %self.script.fleet, host = %line.host, outcome = ?line.outcome, "host ended");
                self.progress.tell(Progress::HostEnded { fleet: self.script.fleet.clone(), host: line });
            }
        }
    }

    /// Takes back what is recorded of these hosts, before anything runs on them. A host of which that cannot be done is
    /// not sent to: its record would tell of a revision that it may not hold any more. Returns the hosts that may be
    /// sent to, and what became of the others.
    async fn disown(
        &self,
        seen: &Seen,
        hosts: Vec<HostId>,
        records: &mut Option<RecordStore<'_>>,
        failures: &mut Vec<Failure>,
    ) -> (Vec<HostId>, Vec<Event>) {
        let mut ready = Vec::new();
        let mut recorded: BTreeMap<&ClusterName, Vec<(HostId, Recording)>> = BTreeMap::new();
        let mut noted = Vec::new();
        for id in hosts {
            match seen.host(&id) {
                Some(host) if host.attributes.recorded.is_some() => match &host.membership {
                    Membership::Registered(registration) => {
                        let recording = Recording {
                            instance_arn: registration.arn.to_string(),
                            attribute: REVISION_ATTRIBUTE,
                            value: PENDING_REVISION.to_owned(),
                        };
                        recorded.entry(&registration.cluster).or_default().push((id, recording));
                    }
                    Membership::Outside => noted.push(id),
                },
                Some(_) | None => ready.push(id),
            }
        }
        let mut refused = Vec::new();
        if !noted.is_empty() {
            let pending = |id: &HostId| Note {
                host: id.clone(),
                name: REVISION_ATTRIBUTE,
                value: PENDING_REVISION.to_owned(),
            };
            match note_all(records, &noted.iter().map(pending).collect::<Vec<_>>()).await {
                Ok(()) => ready.extend(noted),
                Err(failure) => {
                    note(failures, failure);
                    refused.push(Event::SendRefused { hosts: noted, refusal: Refusal::Unrecorded });
                }
            }
        }
        for (cluster, pairs) in recorded {
            for chunk in pairs.chunks(ATTRIBUTES_PER_CALL) {
                let (ids, recordings): (Vec<HostId>, Vec<Recording>) = chunk.iter().cloned().unzip();
                if self.script.clients.ecs.record(cluster.as_str(), &recordings).await.is_ok() {
                    ready.extend(ids);
                    continue;
                }
                // One that is gone must not keep the others from being restarted.
                for (id, recording) in ids.into_iter().zip(recordings) {
                    match self.script.clients.ecs.record(cluster.as_str(), &[recording]).await {
                        Ok(()) => ready.push(id),
                        Err(error) => {
                            let refusal = match error.kind {
                                AwsErrorKind::NotFound => Refusal::InvalidInstance,
                                _ => refusal(&error),
                            };
                            note(failures, error.failure(format!("cannot take back the revision of {id}")));
                            refused.push(Event::SendRefused { hosts: vec![id], refusal });
                        }
                    }
                }
            }
        }
        (ready, refused)
    }

    async fn send(
        &self,
        hosts: Vec<HostId>,
        max_errors: u32,
        version: &DocumentVersion,
        failures: &mut Vec<Failure>,
    ) -> Event {
        self.progress.tell(Progress::Sending { fleet: self.script.fleet.clone(), hosts: hosts.clone() });
        match self.script.send(&hosts, max_errors, version).await {
            Sent::Accepted(command) => Event::SendAccepted { hosts, command },
            Sent::Lost(failure) => {
                note(failures, failure);
                Event::SendLost { hosts }
            }
            Sent::Refused(refusal, failure) => {
                note(failures, failure);
                Event::SendRefused { hosts, refusal }
            }
        }
    }

    async fn poll(&self, command: CommandId, failures: &mut Vec<Failure>) -> Event {
        match self.script.invocations(&command).await {
            Ok(invocations) => Event::Polled { command, invocations },
            Err(error) => {
                note(failures, error.failure(format!("cannot follow command {command}")));
                match error.kind {
                    // Each later poll would be denied as well, until the hosts are given up after many minutes.
                    AwsErrorKind::AccessDenied => {
                        tracing::warn!(fleet = %self.script.fleet, %command, "the command may not be followed");
                        Event::Unfollowable { command }
                    }
                    AwsErrorKind::NotFound
                    | AwsErrorKind::Exists
                    | AwsErrorKind::PreconditionFailed
                    | AwsErrorKind::Conflict
                    | AwsErrorKind::NoCredentials
                    | AwsErrorKind::Throttled
                    | AwsErrorKind::KeyFailed
                    | AwsErrorKind::Invalid
                    | AwsErrorKind::NotSent
                    | AwsErrorKind::NoAnswer => Event::Polled { command, invocations: Vec::new() },
                }
            }
        }
    }

    async fn inspect(&self, command: CommandId, failures: &mut Vec<Failure>) -> Event {
        let state = match self.script.clients.ssm.command(command.as_str()).await {
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
        let samples = match self.script.clients.ecs.describe(cluster.as_str(), &arns).await {
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
        match self.script.clients.ecs.record(cluster.as_str(), &recordings).await {
            Ok(()) => Event::Recorded { hosts },
            Err(error) => {
                if let ([host], Some(recording)) = (hosts.as_slice(), recordings.first()) {
                    note(failures, not_recorded(&error, host, cluster, &recording.instance_arn));
                }
                Event::RecordFailed { hosts }
            }
        }
    }
}

fn not_recorded(error: &AwsError, host: &HostId, cluster: &ClusterName, arn: &str) -> Failure {
    let what = format!("cannot record the revision of {host}");
    if error.code != "AttributeLimitExceededException" {
        return error.failure(what);
    }
    Failure::new(
        FailureKind::Refused,
        what,
        format!("{}: {arn} has ten custom attributes, which is all that ECS takes", error.code),
        format!(
            "take one away that nobody needs: aws ecs delete-attributes --cluster {cluster} --attributes \
             name=NAME,targetId={arn}"
        ),
    )
}

async fn note_all(records: &mut Option<RecordStore<'_>>, notes: &[Note]) -> Result<(), Failure> {
    records.as_mut().expect("hosts outside ECS's view are seen together with their record").note(notes).await
}

/// The hosts whose end is sure, and worth telling of at once.
fn ended(seen: &Seen) -> Vec<HostReport> {
    let is_end = |line: &HostReport| match &line.outcome {
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
        | HostOutcome::Joined
        | HostOutcome::Gone => false,
    };
    seen.report().into_iter().filter(is_end).collect()
}

fn now() -> DateTime<Utc> {
    Utc::now()
}
