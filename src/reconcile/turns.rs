//! The fleets of a pass, each in its turn: [`regcred_core::order`] says whose it is, and this waits for them.
//!
//! Nothing here knows what a rollout is.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use regcred_core::names::FleetName;
use regcred_core::order::{End, Lead, Order, Place, Standing, Turn};
use regcred_core::report::{Failure, FleetOutcome};

use super::fleets_in_scope;
use crate::fleet::Together;
use crate::observe::Context;

/// The order of the fleets in scope.
fn order(context: &Context<'_>) -> Order {
    Order::new(fleets_in_scope(context).map(|(name, fleet)| {
        let place = Place {
            after: fleet.after.clone(),
            location: fleet.location.clone(),
            ecs_config: fleet.ecs_config.clone(),
        };
        (name.clone(), place)
    }))
}

/// Gives every fleet its turn, and returns what became of each.
///
/// # Errors
/// What a rollout could not go on without. Those that run by then are followed to their end.
pub(super) async fn take<Rollout>(
    context: &Context<'_>,
    together: &Together,
    begin: impl Fn(FleetName, &BTreeMap<FleetName, FleetOutcome>) -> Rollout,
) -> Result<BTreeMap<FleetName, FleetOutcome>, Failure>
where
    Rollout: Future<Output = Result<FleetOutcome, Failure>>,
{
    let order = order(context);
    let mut standings: BTreeMap<FleetName, Standing> = BTreeMap::new();
    let mut outcomes: BTreeMap<FleetName, FleetOutcome> = BTreeMap::new();
    let mut running = FuturesUnordered::new();
    let mut failed: Option<Failure> = None;
    loop {
        let turns = if failed.is_none() { order.next(&standings, together.lead()) } else { Vec::new() };
        let is_idle = turns.is_empty();
        for turn in turns {
            match turn {
                Turn::Begin(fleet) => {
                    let rollout = begin(fleet.clone(), &outcomes);
                    standings.insert(fleet.clone(), Standing::Running);
                    running.push(async move { (fleet, rollout.await) });
                }
                Turn::Hold { fleet, earlier } => {
                    let why = outcomes[&earlier].hold().expect("it ended ill, so there is a reason");
                    standings.insert(fleet.clone(), Standing::Ended(End::Ill));
                    outcomes.insert(fleet, FleetOutcome::HeldAfter { fleet: earlier, why });
                }
            }
        }
        if running.is_empty() {
            if is_idle {
                break;
            }
            continue;
        }
        let ended = tokio::select! {
            ended = running.next() => ended,
            () = together.until_proven(), if together.lead() == Lead::Unproven => None,
        };
        match ended {
            Some((fleet, Ok(outcome))) => {
                let end = if outcome.hold().is_none() { End::Well } else { End::Ill };
                standings.insert(fleet.clone(), Standing::Ended(end));
                outcomes.insert(fleet, outcome);
            }
            Some((fleet, Err(failure))) => {
                standings.insert(fleet, Standing::Ended(End::Ill));
                failed.get_or_insert(failure);
            }
            // A host was proven: others may begin.
            None => {}
        }
    }
    match failed {
        Some(failure) => Err(failure),
        None => Ok(outcomes),
    }
}
