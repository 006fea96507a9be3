//! The time of day, as the daemon and maintenance windows go by it: the machine's, or a test's.
//!
//! Polls, time-outs and the lease do not: they count elapsed time.

use chrono::{DateTime, Utc};

/// Tells the time.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    Machine,
}

impl Clock {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        match self {
            Self::Machine => Utc::now(),
        }
    }
}
