//! What the rollouts of one pass know of each other: whether a host was proven yet, and how many ended not proven.
//!
//! What follows from it is decided by [`regcred_core::order`] and [`regcred_core::rollout`].

use std::collections::BTreeMap;

use regcred_core::names::FleetName;
use regcred_core::order::Lead;
use regcred_core::rollout::{Others, Seen};
use tokio::sync::watch;

/// Where each rollout of a pass says how it stands, and looks how the others do.
#[derive(Debug)]
pub(crate) struct Together {
    /// How many hosts may end not proven, in all fleets together.
    max_errors: Option<u32>,
    sum: watch::Sender<Sum>,
}

#[derive(Debug, Default)]
struct Sum {
    lead: Lead,
    errors: BTreeMap<FleetName, usize>,
}

impl Together {
    pub(crate) fn new(max_errors: Option<u32>) -> Self {
        Self { max_errors, sum: watch::Sender::default() }
    }

    /// Says how a fleet stands. How the others do, where there is a limit for all of them.
    pub(crate) fn tell(&self, fleet: &FleetName, seen: &Seen) -> Option<Others> {
        let mut elsewhere = 0;
        self.sum.send_if_modified(|sum| {
            let (errors, proven) = (seen.errors(), seen.has_proven());
            let before = sum.errors.insert(fleet.clone(), errors);
            elsewhere =
                sum.errors.iter().filter(|(other, _)| *other != fleet).map(|(_, errors)| errors).sum();
            let opens = proven && sum.lead == Lead::Unproven;
            if opens {
                sum.lead = Lead::Proven;
            }
            opens || before != Some(errors)
        });
        self.max_errors.map(|max_errors| Others { errors: elsewhere, max_errors })
    }

    pub(crate) fn lead(&self) -> Lead {
        self.sum.borrow().lead
    }

    /// Waits until a host of any fleet is proven.
    pub(crate) async fn until_proven(&self) {
        let mut sum = self.sum.subscribe();
        // The sender is held here, so that it cannot be gone.
        let _ = sum.wait_for(|sum| sum.lead == Lead::Proven).await;
    }
}
