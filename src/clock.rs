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

    /// Waits until it is this time or later; or until the clock was set back, since by then another time may be the next.
    pub(crate) async fn until(&self, time: DateTime<Utc>) {
        let glance = match self {
            Self::Machine => GLANCE,
            #[cfg(feature = "sandbox")]
            Self::Sandbox(_) => SANDBOX_GLANCE,
        };
        let mut latest = self.now();
        loop {
            let now = self.now();
            let left = (time - now).to_std().unwrap_or_default();
            if left.is_zero() || now < latest {
                return;
            }
            latest = now;
            tokio::time::sleep(left.min(glance)).await;
        }
    }
}

#[cfg(all(test, feature = "sandbox"))]
mod tests {
    use chrono::TimeDelta;
    use regcred_sandbox::client::Client;
    use regcred_sandbox::{Options, Sandbox};

    use super::*;

    #[tokio::test]
    async fn whoever_waits_for_a_time_is_told_when_the_clock_is_set_back() {
        let sandbox = Sandbox::start(Options::default()).unwrap();
        let client = Client::new(&sandbox.endpoint());
        client.advance(Duration::from_hours(48)).unwrap();
        let clock = Clock::Sandbox(client);
        let time = clock.now() + TimeDelta::hours(1);
        let waiting = tokio::spawn(async move { clock.until(time).await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!waiting.is_finished(), "an hour is not over");
        // Without the sandbox it is the machine's time, two days earlier.
        drop(sandbox);
        tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("it was told").unwrap();
    }
}
