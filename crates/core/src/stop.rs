//! Why a pass stops between two steps, as data.
//!
//! A step that has begun is finished, or its fate is unknown; what has not begun is left to the next pass. This module must
//! not know of signals, deadlines or clocks: it only has the words for them.

use schemars::JsonSchema;
use serde::Serialize;

use crate::plan::Hold;

/// Why nothing more is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The process was asked to end.
    Asked,
    /// The time that the pass was given is nearly over.
    Deadline,
    /// Another process took the lease, or it could not be renewed in time.
    LeaseLost,
    /// A person paused all writers.
    Paused,
    /// The maintenance window of the fleet closed.
    WindowClosed,
}

impl From<StopReason> for Hold {
    fn from(reason: StopReason) -> Self {
        match reason {
            StopReason::Asked => Self::Stopped,
            StopReason::Deadline => Self::Deadline,
            StopReason::LeaseLost => Self::LeaseLost,
            StopReason::Paused => Self::Paused,
            StopReason::WindowClosed => Self::WindowClosed,
        }
    }
}
