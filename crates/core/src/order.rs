//! In which order the fleets of one pass are rolled out, as a pure function.
//!
//! The rules:
//!
//! * A fleet begins when every fleet that it comes `after` ended well, and never if one of these did not. Names of fleets that
//!   are not part of the pass are not waited for.
//! * Until a host was proven in this pass, one fleet is rolled out at a time: the first host of the first fleet is before all
//!   others.
//! * From then on, fleets of different locations are rolled out side by side, [`SIDE_BY_SIDE`] at most. Those of one location
//!   share its quotas and go one after another; so do those that load the same ecs.config, since a halt in one keeps the
//!   others from it.
//! * Of several that could begin, the first by name does.
//!
//! This module must not know how a fleet is rolled out.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::{EcsConfigName, FleetName, LocationName};

/// Rollouts at a time. Each asks SSM every few seconds, and holds its hosts in memory: sixteen are a handful of calls a second.
pub const SIDE_BY_SIDE: usize = 16;

/// The fleets of one pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order(BTreeMap<FleetName, Place>);

/// What of a fleet decides when its turn is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The fleets that have to end well before it begins.
    pub after: BTreeSet<FleetName>,
    pub location: LocationName,
    pub ecs_config: EcsConfigName,
}

/// Where a fleet stands that has had its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Running,
    Ended(End),
}

/// How a fleet ended, for those that come after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Well,
    /// Hosts were left, or nothing is known of it.
    Ill,
}

/// Whether a host was proven in this pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lead {
    #[default]
    Unproven,
    Proven,
}

/// What happens to a fleet whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    Begin(FleetName),
    /// `earlier`, which it comes after, ended ill.
    Hold {
        fleet: FleetName,
        earlier: FleetName,
    },
}

impl Order {
    pub fn new(fleets: impl IntoIterator<Item = (FleetName, Place)>) -> Self {
        let mut order = Self(fleets.into_iter().collect());
        let names: BTreeSet<FleetName> = order.0.keys().cloned().collect();
        for place in order.0.values_mut() {
            place.after.retain(|name| names.contains(name));
        }
        order
    }

    /// Fleets that wait for each other, or for themselves, in a ring; none where there is an order.
    pub fn ring(&self) -> Option<Vec<FleetName>> {
        let mut left: BTreeMap<&FleetName, &Place> = self.0.iter().collect();
        // Whatever waits for nothing that is left can be taken away, until only rings and what waits for them are left.
        loop {
            let free: Vec<&FleetName> = left
                .iter()
                .filter(|(_, place)| !place.after.iter().any(|name| left.contains_key(name)))
                .map(|(name, _)| *name)
                .collect();
            if free.is_empty() {
                break;
            }
            left.retain(|name, _| !free.contains(name));
        }
        let mut path: Vec<FleetName> = Vec::new();
        let mut at = (*left.keys().next()?).clone();
        while !path.contains(&at) {
            let next = self.0[&at].after.iter().find(|name| left.contains_key(name)).cloned();
            path.push(at);
            at = next.expect("what is left waits for something that is left");
        }
        let start = path.iter().position(|name| *name == at).unwrap_or(0);
        Some(path.split_off(start))
    }

    /// Whose turn it is now. Nothing while fleets are running that have to end first, and nothing when all have ended.
    pub fn next(&self, standings: &BTreeMap<FleetName, Standing>, lead: Lead) -> Vec<Turn> {
        let waiting = || self.0.iter().filter(|(name, _)| !standings.contains_key(*name));
        let mut turns: Vec<Turn> = waiting()
            .filter_map(|(name, place)| {
                let ill = |earlier: &&FleetName| standings.get(*earlier) == Some(&Standing::Ended(End::Ill));
                let earlier = place.after.iter().find(ill)?.clone();
                Some(Turn::Hold { fleet: name.clone(), earlier })
            })
            .collect();
        let mut running: Vec<&Place> = standings
            .iter()
            .filter(|(_, standing)| **standing == Standing::Running)
            .filter_map(|(name, _)| self.0.get(name))
            .collect();
        let most = match lead {
            Lead::Unproven => 1,
            Lead::Proven => SIDE_BY_SIDE,
        };
        for (name, place) in waiting() {
            let may_begin =
                place.after.iter().all(|earlier| standings.get(earlier) == Some(&Standing::Ended(End::Well)));
            let is_alone = running
                .iter()
                .all(|other| other.location != place.location && other.ecs_config != place.ecs_config);
            if may_begin && is_alone && running.len() < most {
                turns.push(Turn::Begin(name.clone()));
                running.push(place);
            }
        }
        turns
    }
}
