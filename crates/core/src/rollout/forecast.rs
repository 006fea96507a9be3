//! What a rollout would do at most, for the plan.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::host::ClusterName;
use crate::rollout::policy::{CHUNK, Policy, RECORD_TIMEOUT};
use crate::rollout::seen::Seen;

/// Bounds on a rollout that has not begun, from its policy and hosts alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Forecast {
    /// How many hosts are to be sent to.
    pub hosts: usize,
    /// How many of them are not known to run at the same time, at most.
    pub down_at_once: usize,
    /// The same, of each cluster with hosts to be sent to. Empty where the fleet is told by tags or ids, and is one group.
    pub down_at_once_by_cluster: BTreeMap<ClusterName, usize>,
    /// How many can end not proven before the rollout has stopped, at most: those that exceed `max_errors`, and those
    /// that are in flight at that time.
    pub failures: usize,
    /// How many commands it takes if all goes well and all hosts are equally fast.
    pub commands: usize,
    /// How long it can take at most, if every host takes all the time that it may.
    pub longest_seconds: u64,
}

/// Reckons what a rollout in this state would do at most.
pub fn forecast(policy: &Policy, seen: &Seen) -> Forecast {
    let mut rooms = seen.rooms(policy);
    rooms.retain(|_, room| room.waiting > 0);
    let by_cluster: BTreeMap<ClusterName, usize> = rooms
        .iter()
        .filter_map(|(name, room)| Some(((*name)?.clone(), room.limit.min(room.waiting))))
        .collect();
    let rooms: Vec<(usize, usize)> = rooms.into_values().map(|room| (room.limit, room.waiting)).collect();
    let hosts: usize = rooms.iter().map(|(_, waiting)| waiting).sum();
    let down: usize = rooms.iter().map(|(limit, waiting)| limit.min(waiting)).sum();
    let max_errors = usize::try_from(policy.max_errors).unwrap_or(usize::MAX);
    Forecast {
        hosts,
        down_at_once: down,
        down_at_once_by_cluster: by_cluster,
        failures: failures(hosts, down, max_errors),
        longest_seconds: longest(policy, &rooms).as_secs(),
        commands: commands(rooms),
    }
}

/// Rounds one after another, each as long as the rules let a host take: until its result is given up, until it is given
/// up as not connected, and until its record is. A host that ends unproven keeps its place, so the limit of a cluster
/// shrinks with each, down to one: with none left, the rollout halts.
fn longest(policy: &Policy, rooms: &[(usize, usize)]) -> Duration {
    let errors = usize::try_from(policy.max_errors).unwrap_or(usize::MAX);
    let of_cluster =
        |(limit, waiting): &(usize, usize)| waiting.div_ceil(limit.saturating_sub(errors).max(1));
    let Some(rounds) = rooms.iter().map(of_cluster).max() else { return Duration::ZERO };
    // Before any host is proven they go one by one, as long as each ends without having been touched.
    let first = errors.saturating_add(1).min(rooms.iter().map(|(_, waiting)| waiting).sum());
    let round = policy
        .result_timeout()
        .saturating_add(policy.settle_timeout)
        .saturating_add(RECORD_TIMEOUT)
        .saturating_add(policy.poll_interval);
    round.saturating_mul(u32::try_from(rounds.saturating_add(first)).unwrap_or(u32::MAX))
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
