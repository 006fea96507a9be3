//! What a rollout would do at most, for the plan.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::host::ClusterName;
use crate::rollout::policy::{CHUNK, Policy};
use crate::rollout::seen::Seen;

/// Bounds on a rollout that has not begun, from its policy and hosts alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// How many hosts are to be sent to.
    pub hosts: usize,
    /// How many of them are not known to run at the same time, at most.
    pub down_at_once: usize,
    /// The same, of each cluster with hosts to be sent to.
    pub down_at_once_by_cluster: BTreeMap<ClusterName, usize>,
    /// How many can end not proven before the rollout has stopped, at most: those that exceed `max_errors`, and those
    /// that are in flight at that time.
    pub failures: usize,
    /// How many commands it takes if all goes well and all hosts are equally fast.
    pub commands: usize,
}

/// Reckons what a rollout in this state would do at most.
pub fn forecast(policy: &Policy, seen: &Seen) -> Forecast {
    let rooms: Vec<(ClusterName, usize, usize)> = seen
        .rooms(policy)
        .into_iter()
        .filter(|(_, room)| room.waiting > 0)
        .map(|(name, room)| (name.clone(), room.limit, room.waiting))
        .collect();
    let by_cluster: BTreeMap<ClusterName, usize> =
        rooms.iter().map(|(name, limit, waiting)| (name.clone(), (*limit).min(*waiting))).collect();
    let hosts: usize = rooms.iter().map(|(_, _, waiting)| waiting).sum();
    let down: usize = by_cluster.values().sum();
    let max_errors = usize::try_from(policy.max_errors).unwrap_or(usize::MAX);
    Forecast {
        hosts,
        down_at_once: down,
        down_at_once_by_cluster: by_cluster,
        failures: failures(hosts, down, max_errors),
        commands: commands(rooms.into_iter().map(|(_, limit, waiting)| (limit, waiting)).collect()),
    }
}

/// Either nobody is proven, and the first hosts fail one by one; or one is, and `max_errors` others fail before the
/// last chunk is sent and fails as a whole.
fn failures(hosts: usize, down: usize, max_errors: usize) -> usize {
    let one_by_one = max_errors.saturating_add(1).min(hosts);
    let in_chunks = max_errors.saturating_add(down).min(hosts.saturating_sub(1));
    one_by_one.max(in_chunks)
}

/// One for the first host, then rounds in which each cluster's limit is used up. `rooms` are pairs of limit and hosts.
fn commands(mut rooms: Vec<(usize, usize)>) -> usize {
    let Some(first) = rooms.first_mut() else { return 0 };
    first.1 -= 1;
    let mut commands = 1;
    loop {
        let round: usize = rooms
            .iter_mut()
            .map(|(limit, left)| {
                let sent = (*limit).min(*left);
                *left -= sent;
                sent
            })
            .sum();
        if round == 0 {
            return commands;
        }
        commands += round.div_ceil(CHUNK);
    }
}
