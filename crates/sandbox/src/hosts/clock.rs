//! A host's own time: real time, which a wait on the host or the sandbox's control lets run ahead.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts from the moment when the host was made.
pub(super) struct Clock {
    made: Instant,
    ahead_ms: AtomicU64,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { made: Instant::now(), ahead_ms: AtomicU64::new(0) }
    }

    pub(super) fn now(&self) -> Duration {
        self.made.elapsed() + Duration::from_millis(self.ahead_ms.load(Ordering::Relaxed))
    }

    pub(super) fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX / 2);
        self.ahead_ms.fetch_add(by, Ordering::Relaxed);
    }
}
