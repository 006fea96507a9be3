//! What makes a rollout send nothing more from outside: a stop that was asked for, a maintenance window that closes, or the
//! errors of the other fleets.
//!
//! What a rollout then does is [`regcred_core::rollout`]'s.

use chrono::{DateTime, Utc};
use regcred_core::schedule::Window;
use regcred_core::stop::StopReason;

use super::together::Together;
use crate::clock::Clock;
use crate::config::{Config, Fleet};
use crate::stopping::{Stop, StopSwitch, Urgency};

/// Looked at before each step.
#[derive(Clone, Debug)]
pub(crate) struct Brakes<'a> {
    pub openings: Openings<'a>,
    pub clock: &'a Clock,
    pub stop: &'a StopSwitch,
    pub together: &'a Together,
}

/// When the hosts of a fleet may be restarted.
#[derive(Clone, Debug)]
pub(crate) enum Openings<'a> {
    Always,
    /// While one of these is open.
    During(Vec<&'a Window>),
}

impl<'a> Openings<'a> {
    pub(crate) fn of(config: &'a Config, fleet: &Fleet) -> Self {
        match fleet.windows.as_slice() {
            [] => Self::Always,
            windows => Self::During(windows.iter().map(|name| &config.windows[name]).collect()),
        }
    }

    pub(crate) fn is_open(&self, now: DateTime<Utc>) -> bool {
        match self {
            Self::Always => true,
            Self::During(windows) => windows.iter().any(|window| window.is_open(now)),
        }
    }

    /// When one opens next, while none is open.
    pub(crate) fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Always => None,
            Self::During(_) if self.is_open(now) => None,
            Self::During(windows) => windows.iter().filter_map(|window| window.next_opening(now)).min(),
        }
    }
}

impl Brakes<'_> {
    /// Why nothing more may be sent, if so.
    pub(crate) fn stop(&self) -> Option<Stop> {
        let closed = || {
            let closed = !self.openings.is_open(self.clock.now());
            closed.then_some(Stop { why: StopReason::WindowClosed, urgency: Urgency::AfterStep })
        };
        self.stop.asked().or_else(closed)
    }
}
