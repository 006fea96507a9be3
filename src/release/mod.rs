//! Taking regcred's marks away, for `regcred release`: attributes of hosts, tags of secrets, objects of its own. In this order, and
//! the state last, so that whatever is cut half-way is found again by the next run: what is still marked is looked for anew each
//! time, and nothing is remembered.
//!
//! No value, no ecs.config and no file of a host is touched here.

mod find;
mod take;

use regcred_core::release::{Mark, Outcome, Release, Released};
use regcred_core::report::Failure;

use crate::lease::{Lease, Patience};
use crate::observe::Context;
use crate::progress::ProgressSink;

/// Looks for every mark of the configuration.
pub(crate) async fn look(context: &Context<'_>) -> Release {
    let find::Found { marks, unseen } = find::all(context).await;
    Release::new(marks, unseen)
}

/// Looks for every mark of the configuration, and takes them away, under the lease, if there is any. A pause is no hindrance: it
/// keeps the others from marking things anew.
///
/// # Errors
/// What [`Lease::take`] says.
pub(crate) async fn take_away(
    context: &Context<'_>,
    lease: &Lease,
    progress: &dyn ProgressSink,
) -> Result<Release, Failure> {
    let before = look(context).await;
    if !before.marks.iter().any(|released| released.outcome == Outcome::There) {
        return Ok(before);
    }
    lease.take(Patience::OneLength, context.stop, progress).await?;
    // Whoever held it before may have changed anything, and the lease is an object now.
    let find::Found { mut marks, unseen } = find::all(context).await;
    let taker = take::Taker { context, lease };
    let sight = if unseen.is_empty() { take::Sight::Whole } else { take::Sight::Part };
    taker.take(&mut marks, sight).await;
    lease.release().await;
    Ok(Release::new(marks, unseen))
}

fn is_object(released: &Released) -> bool {
    match released.mark {
        Mark::Object { .. } => true,
        Mark::Attributes { .. } | Mark::Tag { .. } => false,
    }
}
