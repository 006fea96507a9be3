//! The sandbox's time: the machine's, moved forward by control.
//!
//! Only what AWS's side decides by time uses it (a command's expiry, a deletion's date). Signatures and sessions are held
//! against the machine's own time, because the client signs and refreshes by its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead_millis: AtomicU64,
}

impl Clock {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        let ahead = i64::try_from(self.ahead_millis.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        Utc::now() + TimeDelta::try_milliseconds(ahead).unwrap_or(TimeDelta::MAX)
    }

    pub(crate) fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.ahead_millis.fetch_add(millis, Ordering::Relaxed);
    }
}

/// Seconds since the epoch with milliseconds, as the JSON services carry time.
pub(crate) fn epoch_seconds(at: DateTime<Utc>) -> serde_json::Value {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds stay exact in a double until the year 287396"
    )]
    let seconds = at.timestamp_millis() as f64 / 1000.0;
    serde_json::json!(seconds)
}
