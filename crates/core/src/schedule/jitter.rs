//! Jitter: of many deployments with the same schedule, each begins at a time of its own, which stays the same.

use chrono::TimeDelta;
use sha2::{Digest, Sha256};

/// How much later than its schedule something begins. Whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jitter(TimeDelta);

impl Jitter {
    pub const NONE: Self = Self(TimeDelta::zero());

    /// From nothing to `most`, by a hash of `name`, which should be unlike the names of others: the same on every
    /// machine and after every start, so that a leader's successor goes on at the same times.
    pub fn of(name: &str, most: TimeDelta) -> Self {
        let Ok(most) = u64::try_from(most.num_seconds()) else { return Self::NONE };
        let digest: [u8; 32] = Sha256::digest(name).into();
        let [a, b, c, d, ..] = digest;
        let within = u64::from(u32::from_be_bytes([a, b, c, d])) % most.saturating_add(1);
        Self(TimeDelta::seconds(i64::from(u32::try_from(within).expect("it is a remainder of a u32"))))
    }

    pub fn delay(self) -> TimeDelta {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn stays_the_same_for_a_name_and_differs_between_names() {
        let most = TimeDelta::minutes(10);
        let all: BTreeSet<TimeDelta> =
            (0..100).map(|n| Jitter::of(&format!("s3://bucket-{n}/regcred/hourly"), most).delay()).collect();
        assert!(all.len() > 80, "{}", all.len());
        assert!(all.iter().all(|delay| *delay >= TimeDelta::zero() && *delay <= most));
        // Fixed, so that a new version moves nobody.
        assert_eq!(Jitter::of("s3://acme/regcred/hourly", most).delay(), TimeDelta::seconds(37));
        assert_eq!(Jitter::of("x", TimeDelta::zero()), Jitter::NONE);
    }
}
