//! Everything that is known of a rollout so far, and how an event changes it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::fingerprint::Revision;
use crate::host::{ClusterName, Host, HostId, Standing, Unreachable, Unsupported};
use crate::invocation::{CommandState, NothingRan, Progress};
use crate::rollout::event::{CommandId, Event, Invocation, Sample};
use crate::rollout::outcome::{HostFailure, HostOutcome, HostReport, Recorded, Refusal, Unproven};
use crate::rollout::policy::{Policy, RECORD_TIMEOUT};
use crate::script::{self, Reason, ScriptReport, VersionId};

/// What the hosts are to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    pub revision: Revision,
    /// The version of the object that has this revision, as it was observed or written by this pass.
    pub version_id: VersionId,
}

/// Everything that is known of one fleet's rollout. Built by [`Seen::new`], changed by [`Seen::apply`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub(super) desired: Desired,
    pub(super) hosts: BTreeMap<HostId, Tracked>,
    /// Registrations that another one of the same instance has replaced.
    stale: Vec<Host>,
    pub(super) registered: BTreeMap<ClusterName, usize>,
    pub(super) commands: BTreeMap<CommandId, Looks>,
    /// A host loaded another version than the planned one.
    pub(super) superseded: bool,
    /// A refusal that every other host would meet too.
    pub(super) refused: Option<Refusal>,
}

/// Where a host stands, as far as others need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostState<'a> {
    /// To be sent to.
    Waiting,
    /// Sent to, and its end is outstanding.
    InFlight,
    Ended(&'a HostOutcome),
}

/// A host and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tracked {
    pub(super) host: Host,
    pub(super) phase: Phase,
}

/// Where a host stands. Each phase but the first and the last ends by itself, see [`Tracked::deadline`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// To be sent to, and not sent to yet.
    Waiting { company: Company },
    /// The command is on its way to SSM.
    Sending { since: DateTime<Utc> },
    /// SSM took the command.
    Sent { command: CommandId, since: DateTime<Utc>, invocation: Shown },
    /// SSM says that it could not reach the host, which may be because it is gone: ECS is asked.
    Doubtful { why: NothingRan, since: DateTime<Utc>, looked: Option<DateTime<Utc>> },
    /// The script says that the live agent holds the value: ECS has to see it connected twice.
    Settling {
        restarted: bool,
        since: DateTime<Utc>,
        looked: Option<DateTime<Utc>>,
        connected_since: Option<DateTime<Utc>>,
    },
    /// At its end; what is to be recorded may be outstanding.
    Ended { outcome: HostOutcome, record: Record },
}

/// Whom a host may share a command with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    Any,
    /// A command that named it among others was refused for one of them.
    None,
}

/// Whether an invocation of the command on the host has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    No,
    Yes,
}

/// How far the recording of what was learnt of a host has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Nothing,
    Due { since: DateTime<Utc>, company: Company },
    Done,
    GivenUp,
}

/// When a command was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Looks {
    pub(super) polled: DateTime<Utc>,
    pub(super) inspected: DateTime<Utc>,
    pub(super) shown: Shown,
}

impl Seen {
    /// A rollout that has not begun.
    ///
    /// `registered` is each cluster's count of registered container instances (`DescribeClusters`); a cluster that is
    /// not in it counts as having the given hosts alone, which is never too many. Of several registrations of one
    /// instance the connected one counts, and the others end as [`Unsupported::StaleRegistration`].
    pub fn new(
        policy: &Policy,
        desired: Desired,
        hosts: impl IntoIterator<Item = Host>,
        registered: BTreeMap<ClusterName, usize>,
    ) -> Self {
        let mut live: BTreeMap<HostId, Host> = BTreeMap::new();
        let mut stale = Vec::new();
        for host in hosts {
            match live.remove(&host.id) {
                None => drop(live.insert(host.id.clone(), host)),
                Some(other) => {
                    let rank = |host: &Host| (!host.agent_connected, host.arn.clone());
                    let (kept, left) = if rank(&host) < rank(&other) { (host, other) } else { (other, host) };
                    stale.push(left);
                    live.insert(kept.id.clone(), kept);
                }
            }
        }
        let hosts = live
            .into_iter()
            .map(|(id, host)| {
                let phase = first_phase(host.standing(&desired.revision, policy.failed_hosts));
                (id, Tracked { host, phase })
            })
            .collect();
        Self {
            desired,
            hosts,
            stale,
            registered,
            commands: BTreeMap::new(),
            superseded: false,
            refused: None,
        }
    }

    /// What the hosts are to load.
    pub fn desired(&self) -> &Desired {
        &self.desired
    }

    /// Each host that is not a stale registration, with where it stands, for a progress display.
    pub fn hosts(&self) -> impl Iterator<Item = (&Host, HostState<'_>)> {
        self.hosts.values().map(|Tracked { host, phase }| {
            let state = match phase {
                Phase::Waiting { .. } => HostState::Waiting,
                Phase::Sending { .. }
                | Phase::Sent { .. }
                | Phase::Doubtful { .. }
                | Phase::Settling { .. } => HostState::InFlight,
                Phase::Ended { outcome, .. } => HostState::Ended(outcome),
            };
            (host, state)
        })
    }

    pub fn host(&self, id: &HostId) -> Option<&Host> {
        self.hosts.get(id).map(|tracked| &tracked.host)
    }

    /// How each host stands, those in flight as what they would be if the rollout were cut off now.
    pub fn report(&self) -> Vec<HostReport> {
        let stale = self.stale.iter().map(|host| {
            let outcome = HostOutcome::Unsupported { why: Unsupported::StaleRegistration };
            line(host, outcome, Recorded::Nothing)
        });
        let tracked = self.hosts.values().map(|Tracked { host, phase }| {
            let (outcome, recorded) = match phase {
                Phase::Waiting { .. } => (HostOutcome::Waiting, Recorded::Nothing),
                Phase::Sending { .. } => (unproven(Unproven::SendLost), Recorded::Nothing),
                Phase::Sent { .. } => (unproven(Unproven::NoResult), Recorded::Nothing),
                Phase::Settling { .. } => (unproven(Unproven::NotConnected), Recorded::Nothing),
                Phase::Doubtful { why, .. } => (nothing_ran(*why), Recorded::Nothing),
                Phase::Ended { outcome, record } => (
                    outcome.clone(),
                    match record {
                        Record::Nothing => Recorded::Nothing,
                        Record::Done => Recorded::Yes,
                        Record::Due { .. } | Record::GivenUp => Recorded::No,
                    },
                ),
            };
            line(host, outcome, recorded)
        });
        tracked.chain(stale).collect()
    }

    /// Takes an event in. Total: any event at any time is fine, and one that means nothing any more changes nothing.
    pub fn apply(&mut self, policy: &Policy, event: Event, now: DateTime<Utc>) {
        match event {
            Event::Time => self.expire(policy, now),
            Event::Sending { hosts } => {
                for tracked in self.unsent(&hosts) {
                    tracked.phase = Phase::Sending { since: now };
                }
            }
            Event::SendAccepted { hosts, command } => {
                for tracked in self.unsent(&hosts) {
                    let command = command.clone();
                    tracked.phase = Phase::Sent { command, since: now, invocation: Shown::No };
                }
                self.commands.entry(command).or_insert(Looks {
                    polled: now,
                    inspected: now,
                    shown: Shown::No,
                });
            }
            Event::SendRefused { hosts, refusal } => self.refuse(&hosts, refusal, now),
            Event::SendLost { hosts } => {
                for tracked in self.unsent(&hosts) {
                    tracked.end(unproven(Unproven::SendLost));
                }
            }
            Event::Polled { command, invocations } => self.poll(&command, invocations, now),
            Event::Inspected { command, state } => self.inspect(&command, state, now),
            Event::Sampled { samples } => {
                for (host, sample) in samples {
                    if let Some(tracked) = self.hosts.get_mut(&host) {
                        tracked.sample(policy, sample, now);
                    }
                }
            }
            Event::Recorded { hosts } => {
                for record in self.due(&hosts) {
                    *record = Record::Done;
                }
            }
            Event::RecordFailed { hosts } => {
                let alone = hosts.iter().collect::<BTreeSet<_>>().len() == 1;
                for record in self.due(&hosts) {
                    *record = match *record {
                        Record::Due { since, .. } if !alone => Record::Due { since, company: Company::None },
                        _ => Record::GivenUp,
                    };
                }
            }
            Event::Gone { host } => {
                if let Some(tracked) = self.hosts.get_mut(&host) {
                    tracked.leave();
                }
            }
        }
    }

    /// Those of the hosts of which SSM has not answered for a send yet.
    fn unsent<'a>(&'a mut self, hosts: &'a [HostId]) -> impl Iterator<Item = &'a mut Tracked> {
        let hosts: BTreeSet<&HostId> = hosts.iter().collect();
        self.hosts.values_mut().filter(move |tracked| {
            hosts.contains(&tracked.host.id)
                && matches!(tracked.phase, Phase::Waiting { .. } | Phase::Sending { .. })
        })
    }

    /// The outstanding records of the hosts.
    fn due<'a>(&'a mut self, hosts: &'a [HostId]) -> impl Iterator<Item = &'a mut Record> {
        let hosts: BTreeSet<&HostId> = hosts.iter().collect();
        self.hosts.values_mut().filter_map(move |tracked| match &mut tracked.phase {
            Phase::Ended { record: record @ Record::Due { .. }, .. } if hosts.contains(&tracked.host.id) => {
                Some(record)
            }
            _ => None,
        })
    }

    fn refuse(&mut self, hosts: &[HostId], refusal: Refusal, now: DateTime<Utc>) {
        let alone = hosts.iter().collect::<BTreeSet<_>>().len() == 1;
        for tracked in self.unsent(hosts) {
            match &refusal {
                Refusal::InvalidInstance if alone => tracked.doubt(NothingRan::InvalidInstance, now),
                Refusal::InvalidInstance => tracked.phase = Phase::Waiting { company: Company::None },
                Refusal::Throttled => tracked.end(nothing_ran(NothingRan::Throttled)),
                Refusal::AccessDenied | Refusal::Document | Refusal::Other(_) => {
                    tracked.phase = Phase::Waiting { company: Company::Any };
                }
            }
        }
        match refusal {
            Refusal::InvalidInstance | Refusal::Throttled => {}
            Refusal::AccessDenied | Refusal::Document | Refusal::Other(_) => self.refused = Some(refusal),
        }
    }

    fn poll(&mut self, command: &CommandId, invocations: Vec<Invocation>, now: DateTime<Utc>) {
        if let Some(looks) = self.commands.get_mut(command) {
            looks.polled = now;
            if !invocations.is_empty() {
                looks.shown = Shown::Yes;
            }
        }
        for Invocation { host, progress, output, exit_code } in invocations {
            let Some(tracked) = self.hosts.get_mut(&host) else { continue };
            match &mut tracked.phase {
                Phase::Sent { command: sent, invocation, .. } if sent == command => *invocation = Shown::Yes,
                _ => continue,
            }
            match progress {
                Progress::Running => {}
                Progress::Ended => match ScriptReport::read(&output) {
                    Ok(report) => {
                        self.superseded |= tracked.judge(report, &self.desired.version_id, now);
                    }
                    Err(error) => tracked.end(failed(HostFailure::NoReport { error, exit_code })),
                },
                Progress::NothingRan(why) => tracked.doubt(why, now),
                Progress::CutOff(by) => tracked.end(unproven(Unproven::CutOff { by })),
                Progress::Unknown(seen) => tracked.end(failed(HostFailure::UnknownStatus { seen })),
            }
        }
    }

    fn inspect(&mut self, command: &CommandId, state: Option<CommandState>, now: DateTime<Utc>) {
        if let Some(looks) = self.commands.get_mut(command) {
            looks.inspected = now;
        }
        let unseen = self.hosts.values_mut().filter(|tracked| match &tracked.phase {
            Phase::Sent { command: sent, invocation: Shown::No, .. } => sent == command,
            _ => false,
        });
        match state {
            // An ended command without an invocation of a host: SSM's lists lag, and the time-out decides.
            None | Some(CommandState::Running | CommandState::Ended) => {}
            Some(CommandState::NothingRan(why)) => unseen.for_each(|tracked| tracked.doubt(why, now)),
            Some(CommandState::Unknown(seen)) => {
                unseen.for_each(|tracked| {
                    tracked.end(failed(HostFailure::UnknownStatus { seen: seen.clone() }));
                });
            }
        }
    }

    fn expire(&mut self, policy: &Policy, now: DateTime<Utc>) {
        for tracked in self.hosts.values_mut() {
            if tracked.deadline(policy).is_none_or(|deadline| now < deadline) {
                continue;
            }
            match &mut tracked.phase {
                Phase::Waiting { .. } => {}
                Phase::Sending { .. } => tracked.end(unproven(Unproven::SendLost)),
                Phase::Sent { .. } => tracked.end(unproven(Unproven::NoResult)),
                Phase::Doubtful { why, .. } => {
                    let why = *why;
                    tracked.end(nothing_ran(why));
                }
                Phase::Settling { .. } => tracked.end(unproven(Unproven::NotConnected)),
                Phase::Ended { record, .. } => *record = Record::GivenUp,
            }
        }
    }
}

impl Tracked {
    /// When this phase is given up, if it is one that can be.
    pub(super) fn deadline(&self, policy: &Policy) -> Option<DateTime<Utc>> {
        match &self.phase {
            Phase::Sending { since } | Phase::Sent { since, .. } => {
                Some(later(*since, policy.result_timeout()))
            }
            Phase::Doubtful { since, .. } | Phase::Settling { since, .. } => {
                Some(later(*since, policy.settle_timeout))
            }
            Phase::Ended { record: Record::Due { since, .. }, .. } => Some(later(*since, RECORD_TIMEOUT)),
            Phase::Waiting { .. }
            | Phase::Ended { record: Record::Nothing | Record::Done | Record::GivenUp, .. } => None,
        }
    }

    /// When ECS is to be asked about this host, if it is.
    pub(super) fn sample_due(&self, policy: &Policy) -> Option<DateTime<Utc>> {
        match &self.phase {
            Phase::Doubtful { since, looked, .. } | Phase::Settling { since, looked, .. } => {
                Some(looked.map_or(*since, |looked| later(looked, policy.settle_interval)))
            }
            Phase::Waiting { .. } | Phase::Sending { .. } | Phase::Sent { .. } | Phase::Ended { .. } => None,
        }
    }

    fn end(&mut self, outcome: HostOutcome) {
        self.phase = Phase::Ended { outcome, record: Record::Nothing };
    }

    fn end_recorded(&mut self, outcome: HostOutcome, now: DateTime<Utc>) {
        self.phase = Phase::Ended { outcome, record: Record::Due { since: now, company: Company::Any } };
    }

    fn leave(&mut self) {
        match self.phase {
            Phase::Ended { .. } => {}
            Phase::Waiting { .. }
            | Phase::Sending { .. }
            | Phase::Sent { .. }
            | Phase::Doubtful { .. }
            | Phase::Settling { .. } => self.end(HostOutcome::Gone),
        }
    }

    fn doubt(&mut self, why: NothingRan, now: DateTime<Utc>) {
        if why.may_be_gone() {
            self.phase = Phase::Doubtful { why, since: now, looked: None };
        } else {
            self.end(nothing_ran(why));
        }
    }

    fn sample(&mut self, policy: &Policy, sample: Sample, now: DateTime<Utc>) {
        if sample == Sample::Gone {
            self.leave();
            return;
        }
        match &mut self.phase {
            Phase::Doubtful { why, looked, .. } => match sample {
                Sample::Connected | Sample::Disconnected => {
                    let why = *why;
                    self.end(nothing_ran(why));
                }
                Sample::Unknown | Sample::Gone => *looked = Some(now),
            },
            Phase::Settling { restarted, looked, connected_since, .. } => {
                *looked = Some(now);
                match (sample, *connected_since) {
                    (Sample::Connected, None) => *connected_since = Some(now),
                    (Sample::Connected, Some(first)) if later(first, policy.settle_interval) <= now => {
                        let restarted = *restarted;
                        self.end_recorded(HostOutcome::Proven { restarted }, now);
                    }
                    (Sample::Disconnected, _) => *connected_since = None,
                    (Sample::Connected | Sample::Unknown | Sample::Gone, _) => {}
                }
            }
            Phase::Waiting { .. } | Phase::Sending { .. } | Phase::Sent { .. } | Phase::Ended { .. } => {}
        }
    }

    /// Takes the script's report in, and says whether the host saw another version of the object than the planned one.
    fn judge(&mut self, report: ScriptReport, planned: &VersionId, now: DateTime<Utc>) -> bool {
        let ScriptReport {
            outcome,
            reason,
            version_id,
            container_instance_arn,
            restarted,
            seconds: _,
            detail,
        } = report;
        let superseded = version_id.as_ref().is_some_and(|version| version != planned);
        // Only of the planned version is it known that it has the desired revision.
        let is_planned = version_id.as_ref() == Some(planned);
        match outcome {
            script::Outcome::Loaded | script::Outcome::Unchanged => {
                let same_instance = container_instance_arn.is_none_or(|arn| arn == self.host.arn);
                if superseded {
                    self.end(HostOutcome::Superseded);
                } else if !is_planned {
                    self.end(unproven(Unproven::VersionMissing));
                } else if !same_instance && outcome == script::Outcome::Unchanged {
                    // No restart, so no new registration either: the one that ECS listed was left over already.
                    self.end(HostOutcome::Unsupported { why: Unsupported::StaleRegistration });
                } else if !same_instance {
                    self.end(unproven(Unproven::ArnChanged));
                } else {
                    let restarted = restarted.unwrap_or(outcome == script::Outcome::Loaded);
                    self.phase =
                        Phase::Settling { restarted, since: now, looked: None, connected_since: None };
                }
            }
            script::Outcome::Restored if is_planned => {
                self.end_recorded(HostOutcome::Restored { reason, detail }, now);
            }
            script::Outcome::Restored => self.end(HostOutcome::Restored { reason, detail }),
            script::Outcome::Unproven => self.end(unproven(Unproven::SlowRegistration { reason, detail })),
            script::Outcome::Refused => self.end(HostOutcome::Refused { reason, detail }),
            // A failure of another kind may pass, and the host remembers by itself what it has restarted for.
            script::Outcome::Failed
                if is_planned && reason.as_ref().is_some_and(Reason::is_verdict_on_the_value) =>
            {
                self.end_recorded(failed(HostFailure::Reported { reason, detail }), now);
            }
            script::Outcome::Failed => self.end(failed(HostFailure::Reported { reason, detail })),
            script::Outcome::Tried if is_planned => {
                self.end_recorded(HostOutcome::FailedBefore { detail }, now);
            }
            script::Outcome::Tried => self.end(HostOutcome::FailedBefore { detail }),
            script::Outcome::Busy => self.end(unproven(Unproven::Busy)),
        }
        superseded
    }
}

fn first_phase(standing: Standing) -> Phase {
    let outcome = match standing {
        Standing::Changed => return Phase::Waiting { company: Company::Any },
        Standing::Current => HostOutcome::Current,
        Standing::FailedBefore => HostOutcome::FailedBefore { detail: None },
        Standing::Unsupported(why) => HostOutcome::Unsupported { why },
        Standing::Unreachable(why) => HostOutcome::Unreachable { why },
        Standing::Gone => HostOutcome::Gone,
    };
    Phase::Ended { outcome, record: Record::Nothing }
}

fn line(host: &Host, outcome: HostOutcome, recorded: Recorded) -> HostReport {
    HostReport {
        host: host.id.clone(),
        cluster: host.cluster.clone(),
        container_instance_arn: host.arn.clone(),
        outcome,
        recorded,
    }
}

fn unproven(why: Unproven) -> HostOutcome {
    HostOutcome::Unproven { why }
}

fn failed(why: HostFailure) -> HostOutcome {
    HostOutcome::Failed { why }
}

fn nothing_ran(why: NothingRan) -> HostOutcome {
    HostOutcome::Unreachable { why: Unreachable::NothingRan(why) }
}

/// A point in time and a span after it. A span that leads out of the calendar leads to its end.
pub(super) fn later(time: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    chrono::TimeDelta::from_std(span)
        .ok()
        .and_then(|span| time.checked_add_signed(span))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
