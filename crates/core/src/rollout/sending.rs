//! Who is sent to, and what keeps a rollout from sending more: the rules of [`super`], one function each.

use std::collections::BTreeMap;

use crate::host::{ClusterName, RecordedFailure};
use crate::rollout::event::{Others, Step};
use crate::rollout::outcome::{Ending, Halt, HostOutcome, Left, Recorded};
use crate::rollout::phase::{Company, Phase, Tracked};
use crate::rollout::policy::{CHUNK, Policy};
use crate::rollout::seen::Seen;
use crate::stop::StopReason;

/// What keeps a rollout from sending more.
enum Hold {
    /// For good.
    Halted(Halt),
    Superseded,
    Stopped(StopReason),
    /// The first host is not proven yet.
    FirstHost,
}

/// How the room of one cluster, or of the hosts outside ECS's view, is used.
#[derive(Default)]
pub(super) struct Room {
    pub(super) limit: usize,
    /// Sent, and neither proven nor ended.
    in_flight: usize,
    /// Ended without being known to run.
    down: usize,
    pub(super) waiting: usize,
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
    pub(super) fn send(&self, policy: &Policy) -> Option<Step> {
        let most = match self.hold(policy) {
            None => CHUNK,
            Some(Hold::FirstHost) if !self.in_flight() => 1,
            Some(Hold::FirstHost | Hold::Halted(_) | Hold::Superseded | Hold::Stopped(_)) => return None,
        };
        let mut free: BTreeMap<Option<&ClusterName>, usize> =
            self.rooms(policy).into_iter().map(|(cluster, room)| (cluster, room.free())).collect();
        let mut hosts = Vec::new();
        for (tracked, company) in self.queue() {
            let Some(free) = free.get_mut(&tracked.host.cluster()).filter(|free| **free > 0) else {
                continue;
            };
            match company {
                Company::Nobody if hosts.is_empty() => {
                    hosts.push(tracked.host.id.clone());
                    break;
                }
                Company::Nobody => {}
                Company::Any => {
                    *free -= 1;
                    hosts.push(tracked.host.id.clone());
                    if hosts.len() == most {
                        break;
                    }
                }
            }
        }
        let max_errors = self.errors_left(policy);
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
            let times = host.attributes.failed.as_ref().map_or(0, RecordedFailure::times);
            let disconnected = host.registration().is_some_and(|known| !known.agent_connected);
            (host.failed_with(&self.desired.revision), times, disconnected, &host.id)
        });
        queue
    }

    /// The room of each cluster, and, without a name, that of the hosts outside ECS's view.
    pub(super) fn rooms(&self, policy: &Policy) -> BTreeMap<Option<&ClusterName>, Room> {
        let mut rooms: BTreeMap<Option<&ClusterName>, (Room, usize, usize)> = BTreeMap::new();
        for Tracked { host, phase } in self.hosts.values() {
            let (room, members, gone) = rooms.entry(host.cluster()).or_default();
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
                let registered =
                    cluster.and_then(|name| self.registered.get(name)).copied().unwrap_or(members);
                let limit = policy.max_unavailable.of(registered.saturating_sub(gone));
                (cluster, Room { limit, ..room })
            })
            .collect()
    }

    /// How many more hosts of this fleet may end not proven.
    fn errors_left(&self, policy: &Policy) -> u32 {
        let own = policy.errors_left(self.errors());
        self.others.map_or(own, |Others { errors, max_errors }| {
            let all = u32::try_from(errors.saturating_add(self.errors())).unwrap_or(u32::MAX);
            own.min(max_errors.saturating_sub(all))
        })
    }

    /// Whether a host of it was proven.
    pub fn has_proven(&self) -> bool {
        let is_proven = |tracked: &Tracked| {
            matches!(tracked.phase, Phase::Ended { outcome: HostOutcome::Proven { .. }, .. })
        };
        self.hosts.values().any(is_proven)
    }

    /// How many hosts ended not proven. One of which that is not sure yet counts: it is known a call later.
    pub fn errors(&self) -> usize {
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
        let proven = self.has_proven();
        if !proven {
            let first = ended().find(|(_, outcome)| {
                let weight = outcome.weight();
                weight.error && weight.ran
            });
            if let Some((host, _)) = first {
                return Some(Hold::Halted(Halt::FirstHost { host: host.clone(), left: self.left() }));
            }
        }
        let errors = self.errors();
        if policy.is_exceeded(errors) {
            return Some(Hold::Halted(Halt::Errors { errors, max_errors: policy.max_errors }));
        }
        if let Some(Others { errors: elsewhere, max_errors }) = self.others {
            let errors = errors.saturating_add(elsewhere);
            if u32::try_from(errors).map_or(true, |errors| errors > max_errors) {
                return Some(Hold::Halted(Halt::ErrorsTogether { errors, max_errors }));
            }
        }
        if let Some(refusal) = &self.refused {
            return Some(Hold::Halted(Halt::SendRefused { refusal: refusal.clone() }));
        }
        if self.superseded {
            return Some(Hold::Superseded);
        }
        if let Some(why) = self.stopped {
            return Some(Hold::Stopped(why));
        }
        if proven { None } else { Some(Hold::FirstHost) }
    }

    fn left(&self) -> Left {
        let is_healthy = |(tracked, _): (&Tracked, Company)| tracked.host.attributes.failed.is_none();
        if self.queue().into_iter().any(is_healthy) { Left::Healthy } else { Left::FailedBefore }
    }

    pub(super) fn ending(&self, policy: &Policy) -> Ending {
        let mut full = self.rooms(policy);
        full.retain(|_, room| room.waiting > 0);
        match self.hold(policy) {
            Some(Hold::Halted(why)) if !full.is_empty() => return Ending::Halted { why },
            _ if self.superseded => return Ending::Superseded,
            Some(Hold::Stopped(why)) if !full.is_empty() => return Ending::Stopped { why },
            _ if !full.is_empty() => {
                let clusters = full.into_keys().flatten().cloned().collect();
                return Ending::Halted { why: Halt::Unavailable { clusters } };
            }
            Some(Hold::Halted(_) | Hold::Superseded | Hold::Stopped(_) | Hold::FirstHost) | None => {}
        }
        let converged =
            self.report().iter().all(|line| line.outcome.is_settled() && line.recorded != Recorded::No);
        if converged { Ending::Converged } else { Ending::PartlyReached }
    }
}
