//! Many calls in several locations: some of each at a time, and all locations side by side.
//!
//! It must not know what the calls are.

use std::collections::BTreeMap;

use futures_util::{StreamExt, future, stream};
use regcred_core::names::LocationName;

/// In one location, at a time: Secrets Manager takes 50 writes a second of one account (its quotas page), and a secret is
/// three.
const AT_A_TIME: usize = 8;

/// What came of each of `calls`, in their order. Quotas are an account's and Region's own, so no location waits for
/// another: one that throttles, or is slow to refuse, holds up nobody.
pub(crate) async fn by_location<Call: Future>(
    calls: impl IntoIterator<Item = (LocationName, Call)>,
) -> Vec<Call::Output> {
    let mut lanes: BTreeMap<LocationName, Vec<_>> = BTreeMap::new();
    for (position, (location, call)) in calls.into_iter().enumerate() {
        lanes.entry(location).or_default().push(async move { (position, call.await) });
    }
    let lanes = lanes.into_values().map(|lane| stream::iter(lane).buffered(AT_A_TIME).collect::<Vec<_>>());
    let mut done: Vec<_> = future::join_all(lanes).await.into_iter().flatten().collect();
    done.sort_unstable_by_key(|(position, _)| *position);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn a_location_that_waits_holds_up_no_other_and_the_order_is_that_of_the_calls() {
        // Calls in `a` end when those in `b` have; the other way round they never would.
        let (released, under_way, most) = (Semaphore::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let call = |number: usize| {
            let (released, under_way, most) = (&released, &under_way, &most);
            let location = if number < 20 { "a" } else { "b" };
            let call = async move {
                most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                match location {
                    "a" => released.acquire().await.expect("it is never closed").forget(),
                    _ => released.add_permits(5),
                }
                under_way.fetch_sub(1, Ordering::SeqCst);
                number
            };
            (LocationName::new(location), call)
        };
        let done = tokio::time::timeout(Duration::from_secs(30), by_location((0..24).map(call)));
        let done = done.await.expect("`b` does not wait for `a`");
        assert!(done.iter().copied().eq(0..24), "{done:?}");
        assert!(most.load(Ordering::SeqCst) <= 2 * AT_A_TIME, "{most:?}");
    }
}
