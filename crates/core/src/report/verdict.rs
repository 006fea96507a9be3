//! The documented exit codes, and which of several wins.

use schemars::JsonSchema;
use serde::Serialize;

/// The documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// 0: everything holds what it should.
    Converged,
    /// 1: regcred itself failed.
    Internal,
    /// 2: wrong usage, or a config that is not valid.
    Usage,
    /// 3: `plan` or `status` found something to do.
    Drift,
    /// 4: something failed, or not every host was reached.
    Partial,
    /// 5: a rollout was halted.
    Halted,
    /// 6: another process holds the lease.
    Leased,
}

impl Verdict {
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Converged => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Drift => 3,
            Self::Partial => 4,
            Self::Halted => 5,
            Self::Leased => 6,
        }
    }

    /// Of several verdicts, the one to exit with: the first of 1, 2, 6, 5, 4, 3.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if self.rank() <= other.rank() { self } else { other }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Internal => 0,
            Self::Usage => 1,
            Self::Leased => 2,
            Self::Halted => 3,
            Self::Partial => 4,
            Self::Drift => 5,
            Self::Converged => 6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_codes_are_the_documented_ones() {
        let all = [
            (Verdict::Converged, 0),
            (Verdict::Internal, 1),
            (Verdict::Usage, 2),
            (Verdict::Drift, 3),
            (Verdict::Partial, 4),
            (Verdict::Halted, 5),
            (Verdict::Leased, 6),
        ];
        for (verdict, code) in all {
            assert_eq!(verdict.exit_code(), code);
        }
    }

    #[test]
    fn the_first_of_1_2_6_5_4_3_wins() {
        let order = [
            Verdict::Internal,
            Verdict::Usage,
            Verdict::Leased,
            Verdict::Halted,
            Verdict::Partial,
            Verdict::Drift,
            Verdict::Converged,
        ];
        for (i, first) in order.iter().enumerate() {
            for second in &order[i..] {
                assert_eq!(first.worse(*second), *first);
                assert_eq!(second.worse(*first), *first);
            }
        }
    }
}
