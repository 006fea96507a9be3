//! Restarting a fleet: which hosts are next, as a pure function.
//!
//! [`Seen`] holds every host with where it stands; [`next`] says what to do now, [`Seen::apply`] takes in what came of
//! it. The driver performs the steps over AWS and nothing else:
//!
//! ```text
//! loop {
//!     seen.apply(&policy, Event::Time, now());
//!     for step in rollout::next(&policy, &seen, now()) {
//!         match step {
//!             Step::Done(ending) => return (ending, seen.report()),
//!             Step::Wait { until } => sleep_until(until).await,
//!             step => for event in perform(step).await { seen.apply(&policy, event, now()) },
//!         }
//!     }
//! }
//! ```
//!
//! # The rules
//!
//! * Only hosts that are changed, active or draining, of a supported platform and online in SSM are sent to, in a fixed
//!   order: those whose agent is connected, then the others, then those with a recorded failure.
//! * One host first. Nothing else is sent until it is proven. If the script ran on it and it was not, the rollout halts;
//!   if nothing ran on it, another single host is next, while `max_errors` is not exceeded.
//! * Then chunks of at most [`CHUNK`] hosts, never more than `max_unavailable` of a cluster between sent and proven;
//!   those that ended without being known to run count on. A cluster gets its next hosts when half of its room or a
//!   whole chunk is free, or they would trickle out one a command.
//! * When more than `max_errors` hosts ended not proven, over the fleet and all its commands, nothing more is sent.
//!   Hosts in flight are followed to their end all the same.
//! * A host is sent to once. A command that SSM refused was not sent; one whose answer was lost was.
//! * Agents that are disconnected and were not restarted by this rollout are not counted as unavailable: it cannot make
//!   them worse, and restarting them may be what they need.
//!
//! This module must not know of AWS, of processes or of a clock. Waves, bake time, halts on an alarm and resuming come
//! into [`next`]; a record of a rollout is a [`Seen`] written down.

mod event;
mod explain;
mod forecast;
mod outcome;
mod policy;
mod seen;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::host::{ClusterName, FAILED_ATTRIBUTE, NO_FAILURE, REVISION_ATTRIBUTE};

pub use event::{Attribute, CommandId, Event, Instance, Invocation, Sample, Step};
pub use explain::Explanation;
pub use forecast::{Forecast, forecast};
pub use outcome::{Ending, Halt, HostFailure, HostOutcome, HostReport, Recorded, Refusal, Unproven};
pub use policy::{
    ATTRIBUTES_PER_CALL, CHUNK, COMMAND_SLACK, MaxUnavailable, Policy, RECORD_TIMEOUT, SAMPLES_PER_CALL,
};
pub use seen::{Desired, HostState, Seen};

use seen::{Company, Phase, Record, Shown, Tracked, later};

/// What to do now. Either steps that are all due, or one [`Step::Wait`], or one [`Step::Done`]; never nothing.
pub fn next(policy: &Policy, seen: &Seen, now: DateTime<Utc>) -> Vec<Step> {
    // Records first: a pass that dies between two steps leaves fewer hosts to ask again.
    let mut steps = seen.records();
    steps.extend(seen.send(policy));
    steps.extend(seen.looks(policy, now));
    steps.extend(seen.samples(policy, now));
    if steps.is_empty() {
        steps.push(match seen.wake(policy) {
            Some(until) => Step::Wait { until },
            None => Step::Done(seen.ending(policy)),
        });
    }
    steps
}

/// What keeps a rollout from sending more.
enum Hold {
    /// For good.
    Halted(Halt),
    Superseded,
    /// The first host is not proven yet.
    FirstHost,
}

/// How one cluster's room is used.
#[derive(Default)]
struct Room {
    limit: usize,
    /// Sent, and neither proven nor ended.
    in_flight: usize,
    /// Ended without being known to run.
    down: usize,
    waiting: usize,
}

impl Room {
    /// How many more hosts may be sent to now.
    fn free(&self) -> usize {
        let usable = self.limit.saturating_sub(self.down);
        let free = usable.saturating_sub(self.in_flight);
        let worth_a_command = CHUNK.min(usable.div_ceil(2)).min(self.waiting);
        if self.in_flight == 0 || free >= worth_a_command { free } else { 0 }
    }
}

impl Seen {
    /// The next command. One at a time: what came of it may forbid the one after it.
    fn send(&self, policy: &Policy) -> Option<Step> {
        let most = match self.hold(policy) {
            None => CHUNK,
            Some(Hold::FirstHost) if !self.in_flight() => 1,
            Some(Hold::FirstHost | Hold::Halted(_) | Hold::Superseded) => return None,
        };
        let mut free: BTreeMap<&ClusterName, usize> =
            self.rooms(policy).into_iter().map(|(cluster, room)| (cluster, room.free())).collect();
        let mut hosts = Vec::new();
        for (tracked, company) in self.queue() {
            let Some(free) = free.get_mut(&tracked.host.cluster).filter(|free| **free > 0) else { continue };
            match company {
                Company::None if hosts.is_empty() => {
                    hosts.push(tracked.host.id.clone());
                    break;
                }
                Company::None => {}
                Company::Any => {
                    *free -= 1;
                    hosts.push(tracked.host.id.clone());
                    if hosts.len() == most {
                        break;
                    }
                }
            }
        }
        let max_errors = policy.errors_left(self.errors());
        (!hosts.is_empty()).then_some(Step::Send { hosts, max_errors })
    }

    /// The hosts that wait, in the order in which they are sent to.
    fn queue(&self) -> Vec<(&Tracked, Company)> {
        let mut queue: Vec<_> = self
            .hosts
            .values()
            .filter_map(|tracked| match tracked.phase {
                Phase::Waiting { company } => Some((tracked, company)),
                Phase::Sending { .. }
                | Phase::Sent { .. }
                | Phase::Doubtful { .. }
                | Phase::Settling { .. }
                | Phase::Ended { .. } => None,
            })
            .collect();
        // A sick host as the first one would halt the rollout of all the healthy ones.
        queue.sort_by_key(|(tracked, _)| {
            let host = &tracked.host;
            (host.attributes.failed.is_some(), !host.agent_connected, &host.id)
        });
        queue
    }

    fn rooms(&self, policy: &Policy) -> BTreeMap<&ClusterName, Room> {
        let mut rooms: BTreeMap<&ClusterName, (Room, usize, usize)> = BTreeMap::new();
        for Tracked { host, phase } in self.hosts.values() {
            let (room, members, gone) = rooms.entry(&host.cluster).or_default();
            *members += 1;
            match phase {
                Phase::Waiting { .. } => room.waiting += 1,
                Phase::Sending { .. } | Phase::Sent { .. } | Phase::Settling { .. } => room.in_flight += 1,
                Phase::Doubtful { .. } => {}
                Phase::Ended { outcome: HostOutcome::Gone, .. } => *gone += 1,
                Phase::Ended { outcome, .. } => room.down += usize::from(outcome.weight().unavailable),
            }
        }
        rooms
            .into_iter()
            .map(|(cluster, (room, members, gone))| {
                let registered = self.registered.get(cluster).copied().unwrap_or(members);
                let limit = policy.max_unavailable.of(registered.saturating_sub(gone));
                (cluster, Room { limit, ..room })
            })
            .collect()
    }

    /// How many hosts ended not proven. One of which that is not sure yet counts: it is known a call later.
    fn errors(&self) -> usize {
        let is_error = |tracked: &&Tracked| match &tracked.phase {
            Phase::Doubtful { .. } => true,
            Phase::Ended { outcome, .. } => outcome.weight().error,
            Phase::Waiting { .. } | Phase::Sending { .. } | Phase::Sent { .. } | Phase::Settling { .. } => {
                false
            }
        };
        self.hosts.values().filter(is_error).count()
    }

    fn in_flight(&self) -> bool {
        self.hosts.values().any(|tracked| match tracked.phase {
            Phase::Sending { .. } | Phase::Sent { .. } | Phase::Doubtful { .. } | Phase::Settling { .. } => {
                true
            }
            Phase::Waiting { .. } | Phase::Ended { .. } => false,
        })
    }

    fn hold(&self, policy: &Policy) -> Option<Hold> {
        let ended = || {
            self.hosts.values().filter_map(|tracked| match &tracked.phase {
                Phase::Ended { outcome, .. } => Some((&tracked.host.id, outcome)),
                _ => None,
            })
        };
        let proven = ended().any(|(_, outcome)| matches!(outcome, HostOutcome::Proven { .. }));
        if !proven {
            let first = ended().find(|(_, outcome)| {
                let weight = outcome.weight();
                weight.error && weight.ran
            });
            if let Some((host, _)) = first {
                return Some(Hold::Halted(Halt::FirstHost { host: host.clone() }));
            }
        }
        let errors = self.errors();
        if policy.is_exceeded(errors) {
            return Some(Hold::Halted(Halt::Errors { errors, max_errors: policy.max_errors }));
        }
        if let Some(refusal) = &self.refused {
            return Some(Hold::Halted(Halt::SendRefused { refusal: refusal.clone() }));
        }
        if self.superseded {
            return Some(Hold::Superseded);
        }
        if proven { None } else { Some(Hold::FirstHost) }
    }

    fn looks(&self, policy: &Policy, now: DateTime<Utc>) -> Vec<Step> {
        let mut steps = Vec::new();
        for (command, looks) in self.open_commands() {
            if later(looks.polled, policy.poll_interval) <= now {
                steps.push(Step::Poll { command: command.clone() });
                let inspect = later(looks.inspected, policy.poll_interval.saturating_mul(2));
                if looks.shown == Shown::No && inspect <= now {
                    steps.push(Step::Inspect { command: command.clone() });
                }
            }
        }
        steps
    }

    /// The commands of which a host's result is outstanding.
    fn open_commands(&self) -> impl Iterator<Item = (&CommandId, &seen::Looks)> {
        let mut open: Vec<&CommandId> = self
            .hosts
            .values()
            .filter_map(|tracked| match &tracked.phase {
                Phase::Sent { command, .. } => Some(command),
                _ => None,
            })
            .collect();
        open.sort_unstable();
        open.dedup();
        open.into_iter().filter_map(|command| self.commands.get_key_value(command))
    }

    fn samples(&self, policy: &Policy, now: DateTime<Utc>) -> Vec<Step> {
        let mut due: BTreeMap<&ClusterName, Vec<Instance>> = BTreeMap::new();
        for tracked in self.hosts.values() {
            if tracked.sample_due(policy).is_some_and(|due| due <= now) {
                due.entry(&tracked.host.cluster).or_default().push(tracked.instance());
            }
        }
        due.into_iter()
            .flat_map(|(cluster, instances)| {
                let calls: Vec<_> = instances
                    .chunks(SAMPLES_PER_CALL)
                    .map(|instances| Step::Sample { cluster: cluster.clone(), instances: instances.to_vec() })
                    .collect();
                calls
            })
            .collect()
    }

    fn records(&self) -> Vec<Step> {
        let mut calls: Vec<(&ClusterName, Company, Vec<Attribute>)> = Vec::new();
        for tracked in self.hosts.values() {
            let Phase::Ended { outcome, record: Record::Due { company, .. } } = &tracked.phase else {
                continue;
            };
            let attributes = tracked.attributes(outcome, &self.desired);
            let cluster = &tracked.host.cluster;
            let with_room = calls.iter_mut().find(|(name, others, call)| {
                *name == cluster
                    && *others == Company::Any
                    && *company == Company::Any
                    && call.len() + attributes.len() <= ATTRIBUTES_PER_CALL
            });
            match with_room {
                Some((_, _, call)) => call.extend(attributes),
                None => calls.push((cluster, *company, attributes)),
            }
        }
        calls
            .into_iter()
            .map(|(cluster, _, attributes)| Step::Record { cluster: cluster.clone(), attributes })
            .collect()
    }

    /// When something is due next, if anything is in flight or outstanding.
    fn wake(&self, policy: &Policy) -> Option<DateTime<Utc>> {
        let polls = self.open_commands().map(|(_, looks)| later(looks.polled, policy.poll_interval));
        let hosts = self.hosts.values();
        let samples = hosts.clone().filter_map(|tracked| tracked.sample_due(policy));
        let deadlines = hosts.filter_map(|tracked| tracked.deadline(policy));
        polls.chain(samples).chain(deadlines).min()
    }

    fn ending(&self, policy: &Policy) -> Ending {
        let full: Vec<ClusterName> = self
            .rooms(policy)
            .into_iter()
            .filter(|(_, room)| room.waiting > 0)
            .map(|(cluster, _)| cluster.clone())
            .collect();
        match self.hold(policy) {
            Some(Hold::Halted(why)) if !full.is_empty() => return Ending::Halted { why },
            _ if self.superseded => return Ending::Superseded,
            _ if !full.is_empty() => return Ending::Halted { why: Halt::Unavailable { clusters: full } },
            Some(Hold::Halted(_) | Hold::Superseded | Hold::FirstHost) | None => {}
        }
        let converged =
            self.report().iter().all(|line| line.outcome.is_settled() && line.recorded != Recorded::No);
        if converged { Ending::Converged } else { Ending::PartlyReached }
    }
}

impl Tracked {
    fn instance(&self) -> Instance {
        Instance { host: self.host.id.clone(), arn: self.host.arn.clone() }
    }

    /// What is to be recorded of a host that ended so.
    fn attributes(&self, outcome: &HostOutcome, desired: &Desired) -> Vec<Attribute> {
        let attribute =
            |name, value: &str| Attribute { instance: self.instance(), name, value: value.to_owned() };
        let revision = desired.revision.as_str();
        match outcome {
            HostOutcome::Proven { .. } if self.host.attributes.failed.is_some() => {
                vec![attribute(REVISION_ATTRIBUTE, revision), attribute(FAILED_ATTRIBUTE, NO_FAILURE)]
            }
            HostOutcome::Proven { .. } => vec![attribute(REVISION_ATTRIBUTE, revision)],
            _ => vec![attribute(FAILED_ATTRIBUTE, revision)],
        }
    }
}

#[cfg(test)]
mod tests;
