//! The labels of the metrics. The values of each come from a closed set: an enum here, or the names of the configuration.
//!
//! A label whose values anybody could make up would grow the scraper's memory without end, and could carry what it must
//! not. So there is no way to make a label of a text.

use regcred_core::names::{FleetName, RegistryName};
use regcred_core::plan::Hold;
use regcred_core::report::{FailureKind, Verdict};

/// A label as it is written: its name and its value.
pub(super) type Label = (&'static str, String);

/// A label with a closed set of values.
pub(super) trait Closed: Copy + 'static {
    const NAME: &'static str;
    const ALL: &'static [Self];

    /// Its value, as it is written.
    fn word(self) -> &'static str;

    fn label(self) -> Label {
        (Self::NAME, self.word().to_owned())
    }
}

macro_rules! closed {
    ($(#[$doc:meta])* $type:ident, $name:literal { $($(#[$of:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum $type {
            $($(#[$of])* $variant,)+
        }

        impl Closed for $type {
            const NAME: &'static str = $name;
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

closed! {
    /// How a pass ended.
    PassOutcome, "outcome" {
        /// Everything holds what it should.
        Converged = "converged",
        /// All that is left waits for what a person arranged: a pause, or a maintenance window.
        Waiting = "waiting",
        /// Something failed, or not every host was reached.
        Partial = "partial",
        /// A rollout was halted.
        Halted = "halted",
        /// Another one holds the lease.
        Leased = "leased",
        /// It was made to stop before it had a report.
        Stopped = "stopped",
        /// There is no report for another reason: it could not begin, or not go on.
        Failed = "failed",
    }
}

impl PassOutcome {
    /// What a report's verdict is. Those of a command line are none that a pass ends with; were there one, it would be no
    /// good end.
    pub(super) fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Converged => Self::Converged,
            Verdict::Drift => Self::Waiting,
            Verdict::Partial => Self::Partial,
            Verdict::Halted => Self::Halted,
            Verdict::Leased => Self::Leased,
            Verdict::Internal | Verdict::Usage => Self::Failed,
        }
    }

    /// What a pass without a report ended with.
    pub(super) fn without_report(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Leased => Self::Leased,
            FailureKind::Stopped => Self::Stopped,
            FailureKind::Source
            | FailureKind::AccessDenied
            | FailureKind::Rejected
            | FailureKind::Missing
            | FailureKind::Refused
            | FailureKind::Superseded
            | FailureKind::Throttled
            | FailureKind::Unreachable
            | FailureKind::Invalid
            | FailureKind::Internal => Self::Failed,
        }
    }
}

closed! {
    /// What may differ from what it should be.
    Kind, "kind" {
        /// A credential that may not be published: its source failed, or its registry did not accept it.
        Credential = "credential",
        Secret = "secret",
        Object = "object",
        Host = "host",
    }
}

closed! {
    /// How the credential stands that a registry's source holds.
    CredentialState, "state" {
        /// Nothing keeps it from being published.
        Right = "right",
        /// It is published though its registry could not be asked.
        Untried = "untried",
        /// Its source could not be read.
        SourceFailed = "source_failed",
        /// Its registry does not accept it.
        Rejected = "rejected",
        /// Its registry could not be asked.
        CannotTell = "cannot_tell",
    }
}

closed! {
    /// How a fleet stood when the last pass ended.
    FleetState, "state" {
        Current = "current",
        Converged = "converged",
        PartlyReached = "partly_reached",
        Halted = "halted",
        Superseded = "superseded",
        /// The pass was made to stop before, or while, its hosts were restarted.
        Stopped = "stopped",
        /// Its maintenance window is closed.
        WindowClosed = "window_closed",
        /// A person paused regcred.
        Paused = "paused",
        /// What it depends on is not right.
        Held = "held",
        Failed = "failed",
    }
}

impl FleetState {
    /// Of a fleet whose hosts were left alone, or no longer sent to.
    pub(super) fn of_held(why: Hold) -> Self {
        match why {
            Hold::WindowClosed => Self::WindowClosed,
            Hold::Paused => Self::Paused,
            Hold::Stopped | Hold::Deadline | Hold::LeaseLost => Self::Stopped,
            Hold::SourceFailed
            | Hold::Rejected
            | Hold::Untried
            | Hold::SecretFailed
            | Hold::NotRenderable
            | Hold::OutOfScope
            | Hold::ObjectFailed
            | Hold::Halted
            | Hold::RolloutHalted
            | Hold::RolloutFailed
            | Hold::Superseded => Self::Held,
        }
    }
}

closed! {
    /// How a host stood when the last pass ended: the outcomes of a report, as docs/OUTPUT.md has them.
    HostState, "state" {
        Current = "current",
        Proven = "proven",
        Unproven = "unproven",
        Restored = "restored",
        Failed = "failed",
        FailedBefore = "failed_before",
        Refused = "refused",
        Unreachable = "unreachable",
        Unsupported = "unsupported",
        Exempt = "exempt",
        Superseded = "superseded",
        Waiting = "waiting",
        Joined = "joined",
        Gone = "gone",
    }
}

closed! {
    /// What became of a configuration that was read again.
    Reload, "outcome" {
        Accepted = "accepted",
        Rejected = "rejected",
    }
}

/// A registry, by its name in the configuration.
pub(super) fn registry(name: &RegistryName) -> Label {
    ("registry", name.as_str().to_owned())
}

/// A fleet, by its name in the configuration.
pub(super) fn fleet(name: &FleetName) -> Label {
    ("fleet", name.as_str().to_owned())
}
