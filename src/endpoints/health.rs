//! Whether the daemon lives, and whether it is ready: told by its loop, asked by the endpoints.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How old the loop's last beat may be. The loop beats every few seconds, while a pass runs too; a minute without is a loop
/// that hangs, not a machine that is busy.
pub(super) const LIVE: Duration = Duration::from_mins(1);

/// What is known of the daemon. Cheap to clone; clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Health(Arc<Mutex<State>>);

#[derive(Clone, Debug)]
struct State {
    beat: Instant,
    readiness: Readiness,
}

/// Whether the daemon does its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// Not yet, or not now, and why.
    NotReady(&'static str),
}

/// Whether the loop runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Alive,
    /// Nothing was heard of it for so long.
    Silent(Duration),
}

impl Health {
    /// Alive from `now` on, and not ready for this reason.
    pub(crate) fn new(now: Instant, why: &'static str) -> Self {
        Self(Arc::new(Mutex::new(State { beat: now, readiness: Readiness::NotReady(why) })))
    }

    /// The loop came round.
    pub(crate) fn beat(&self, now: Instant) {
        self.lock().beat = now;
    }

    /// The configuration is loaded, and the first pass ended, or another one does the work.
    pub(crate) fn ready(&self) {
        self.lock().readiness = Readiness::Ready;
    }

    /// A pass could not be made: a reason, unless an earlier one could.
    pub(crate) fn first_pass_failed(&self, why: &'static str) {
        let mut state = self.lock();
        if state.readiness != Readiness::Ready {
            state.readiness = Readiness::NotReady(why);
        }
    }

    pub(crate) fn not_ready(&self, why: &'static str) {
        self.lock().readiness = Readiness::NotReady(why);
    }

    pub(super) fn readiness(&self) -> Readiness {
        self.lock().readiness.clone()
    }

    pub(super) fn life(&self, now: Instant) -> Life {
        let silent = now.saturating_duration_since(self.lock().beat);
        if silent <= LIVE { Life::Alive } else { Life::Silent(silent) }
    }

    /// Each field is set at once.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
