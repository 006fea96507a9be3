//! The time of day, as the daemon and maintenance windows go by it.
//!
//! Polls, time-outs and the lease do not: they count elapsed time.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Tells the time, and waits for it.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    Machine,
    /// That of an embedded AWS, which whoever tries things out moves forward.
    #[cfg(feature = "sandbox")]
    Sandbox(regcred_sandbox::client::Client),
}

/// The machine's clock may be set, or the machine may sleep: whether the time has come is looked at this often.
const GLANCE: Duration = Duration::from_secs(30);
/// A clock that is moved by hours must be seen to move.
#[cfg(feature = "sandbox")]
const SANDBOX_GLANCE: Duration = Duration::from_millis(20);

impl Clock {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        match self {
            Self::Machine => Utc::now(),
            // On loopback, and from memory. One that is gone tells no time; the machine's is as good as any.
            #[cfg(feature = "sandbox")]
            Self::Sandbox(client) => client.now().unwrap_or_else(|_| Utc::now()),
        }
    }

    /// Waits until it is this time or later.
    pub(crate) async fn until(&self, time: DateTime<Utc>) {
        let glance = match self {
            Self::Machine => GLANCE,
            #[cfg(feature = "sandbox")]
            Self::Sandbox(_) => SANDBOX_GLANCE,
        };
        loop {
            let left = (time - self.now()).to_std().unwrap_or_default();
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(glance)).await;
        }
    }
}
