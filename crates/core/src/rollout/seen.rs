//! Everything that is known of a rollout so far, and how an event changes it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::fingerprint::Revision;
use crate::host::{ClusterName, Host, HostId, Membership, Unsupported};
use crate::invocation::{CommandState, NothingRan, Progress};
use crate::rollout::event::{CommandId, Event, Invocation, Others};
use crate::rollout::outcome::{HostFailure, HostOutcome, HostReport, Recorded, Refusal, Unproven};
use crate::rollout::phase::{
    Company, HostState, Phase, Record, Shown, Tracked, failed, first_phase, nothing_ran, unproven,
};
use crate::rollout::policy::Policy;
use crate::script::{ScriptReport, VersionId};
use crate::stop::StopReason;

/// What the hosts are to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    pub revision: Revision,
    /// The version of the object that has this revision, as it was observed or written by this pass.
    pub version_id: VersionId,
}

/// Everything that is known of one fleet's rollout. Built by [`Seen::new`], changed by [`Seen::apply`], and
/// by [`Seen::take_in`] between two runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub(super) desired: Desired,
    pub(super) hosts: BTreeMap<HostId, Tracked>,
    /// Registrations that another one of the same instance has replaced.
    pub(super) stale: Vec<Host>,
    pub(super) registered: BTreeMap<ClusterName, usize>,
    pub(super) commands: BTreeMap<CommandId, Looks>,
    /// A host loaded another version than the planned one.
    pub(super) superseded: bool,
    /// A refusal that every other host would meet too.
    pub(super) refused: Option<Refusal>,
    /// Nothing more may be sent, for a reason that lies outside the rollout.
    pub(super) stopped: Option<StopReason>,
    /// How the other fleets stand, where that matters.
    pub(super) others: Option<Others>,
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
        let (live, stale) = Self::registrations(hosts);
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
            stopped: None,
            others: None,
        }
    }

    /// The registration of each instance that counts, and those that are left over.
    pub(super) fn registrations(
        hosts: impl IntoIterator<Item = Host>,
    ) -> (BTreeMap<HostId, Host>, Vec<Host>) {
        let mut live: BTreeMap<HostId, Host> = BTreeMap::new();
        let mut stale = Vec::new();
        for host in hosts {
            match live.remove(&host.id) {
                None => drop(live.insert(host.id.clone(), host)),
                Some(other) => {
                    let rank = |host: &Host| {
                        host.registration().map(|known| (!known.agent_connected, known.arn.clone()))
                    };
                    let (kept, left) = if rank(&host) < rank(&other) { (host, other) } else { (other, host) };
                    stale.push(left);
                    live.insert(kept.id.clone(), kept);
                }
            }
        }
        (live, stale)
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
                    tracked.end(unproven(Unproven::SendLost), now);
                }
            }
            Event::Polled { command, invocations } => self.poll(&command, invocations, now),
            Event::Unfollowable { command } => {
                for tracked in self.sent_by(&command) {
                    tracked.end(unproven(Unproven::NotFollowed), now);
                }
            }
            Event::Inspected { command, state } => self.inspect(&command, state, now),
            Event::Sampled { samples } => {
                for (host, sample) in samples {
                    if let Some(tracked) = self.hosts.get_mut(&host) {
                        tracked.sample(policy, sample, now);
                    }
                }
            }
            Event::Recorded { hosts } => {
                for (_, record) in self.due(&hosts) {
                    *record = Record::Done;
                }
            }
            Event::RecordFailed { hosts } => {
                let alone = hosts.iter().collect::<BTreeSet<_>>().len() == 1;
                for (membership, record) in self.due(&hosts) {
                    *record = match (membership, &*record) {
                        (Membership::Registered(_), Record::Due { since, .. }) if !alone => {
                            Record::Due { since: *since, company: Company::Nobody }
                        }
                        // One object holds what is noted of those outside: that it cannot be written lies with none of them.
                        (Membership::Registered(_) | Membership::Outside, _) => Record::GivenUp,
                    };
                }
            }
            Event::Others(others) => self.others = Some(others),
            Event::Stopped { why } => {
                self.stopped.get_or_insert(why);
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

    /// The hosts of a command of which no result is known yet.
    fn sent_by<'a>(&'a mut self, command: &'a CommandId) -> impl Iterator<Item = &'a mut Tracked> {
        self.hosts.values_mut().filter(move |tracked| match &tracked.phase {
            Phase::Sent { command: sent, .. } => sent == command,
            Phase::Waiting { .. }
            | Phase::Sending { .. }
            | Phase::Doubtful { .. }
            | Phase::Settling { .. }
            | Phase::Ended { .. } => false,
        })
    }

    /// The outstanding records of the hosts.
    fn due<'a>(&'a mut self, hosts: &'a [HostId]) -> impl Iterator<Item = (&'a Membership, &'a mut Record)> {
        let hosts: BTreeSet<&HostId> = hosts.iter().collect();
        self.hosts.values_mut().filter_map(move |Tracked { host, phase }| match phase {
            Phase::Ended { record: record @ Record::Due { .. }, .. } if hosts.contains(&host.id) => {
                Some((&host.membership, record))
            }
            _ => None,
        })
    }

    fn refuse(&mut self, hosts: &[HostId], refusal: Refusal, now: DateTime<Utc>) {
        let alone = hosts.iter().collect::<BTreeSet<_>>().len() == 1;
        for tracked in self.unsent(hosts) {
            match &refusal {
                Refusal::InvalidInstance if alone => tracked.doubt(NothingRan::InvalidInstance, now),
                Refusal::InvalidInstance => tracked.phase = Phase::Waiting { company: Company::Nobody },
                Refusal::Throttled => tracked.end(nothing_ran(NothingRan::Throttled), now),
                Refusal::AccessDenied
                | Refusal::Document
                | Refusal::ForeignDocument
                | Refusal::Unrecorded
                | Refusal::Other(_) => {
                    tracked.phase = Phase::Waiting { company: Company::Any };
                }
            }
        }
        match refusal {
            Refusal::InvalidInstance | Refusal::Throttled => {}
            Refusal::AccessDenied
            | Refusal::Document
            | Refusal::ForeignDocument
            | Refusal::Unrecorded
            | Refusal::Other(_) => self.refused = Some(refusal),
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
                    Err(error) => tracked.end(failed(HostFailure::NoReport { error, exit_code }), now),
                },
                Progress::NothingRan(why) => tracked.doubt(why, now),
                Progress::CutOff(by) => tracked.end(unproven(Unproven::CutOff { by }), now),
                Progress::Unknown(seen) => tracked.end(failed(HostFailure::UnknownStatus { seen }), now),
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
                    tracked.end(failed(HostFailure::UnknownStatus { seen: seen.clone() }), now);
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
                Phase::Sending { .. } => tracked.end(unproven(Unproven::SendLost), now),
                Phase::Sent { .. } => tracked.end(unproven(Unproven::NoResult), now),
                Phase::Doubtful { why, .. } => {
                    let why = *why;
                    tracked.end(nothing_ran(why), now);
                }
                Phase::Settling { .. } => tracked.end(unproven(Unproven::NotConnected), now),
                Phase::Ended { record, .. } => *record = Record::GivenUp,
            }
        }
    }
}

fn line(host: &Host, outcome: HostOutcome, recorded: Recorded) -> HostReport {
    HostReport {
        host: host.id.clone(),
        cluster: host.cluster().cloned(),
        container_instance_arn: host.registration().map(|registration| registration.arn.clone()),
        outcome,
        recorded,
    }
}
