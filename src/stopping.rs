//! The wish that a pass stops: who has it says so once, and the pass looks between its steps.
//!
//! Nothing here ends anything. A step that has begun is finished by whoever runs it, because a call that was cut off has an
//! unknown outcome, and a known one is worth the seconds.

use regcred_core::report::{Failure, FailureKind};
use regcred_core::stop::StopReason;
use tokio::sync::watch;

/// How much a pass still does when it has to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// It begins nothing more, and follows what is in flight to its end: hosts that were sent to are waited for.
    AfterStep,
    /// It ends with the call in hand, and reports hosts in flight as unproven; they go on by themselves.
    AtOnce,
}

/// That a pass has to stop, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub why: StopReason,
    pub urgency: Urgency,
}

/// Where a stop is asked for, and where a pass looks. Clones are one switch.
#[derive(Debug, Clone)]
pub(crate) struct StopSwitch(watch::Sender<Option<Stop>>);

impl StopSwitch {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Asks for a stop. The first reason stays, and the greater urgency.
    pub(crate) fn ask(&self, why: StopReason, urgency: Urgency) {
        self.0.send_if_modified(|asked| match asked {
            None => {
                *asked = Some(Stop { why, urgency });
                true
            }
            Some(stop) if stop.urgency < urgency => {
                stop.urgency = urgency;
                true
            }
            Some(_) => false,
        });
    }

    /// What was asked for so far.
    pub(crate) fn asked(&self) -> Option<Stop> {
        *self.0.borrow()
    }

    /// Why nothing more may be begun, if so.
    pub(crate) fn reason(&self) -> Option<StopReason> {
        self.asked().map(|stop| stop.why)
    }

    /// Waits until a stop of at least this urgency is asked for.
    pub(crate) async fn until(&self, urgency: Urgency) -> Stop {
        let mut asked = self.0.subscribe();
        let asked = asked.wait_for(|asked| asked.is_some_and(|stop| stop.urgency >= urgency)).await;
        asked.ok().and_then(|asked| *asked).expect("the switch is held here, so that it cannot be gone")
    }
}

/// The three lines for a pass that was stopped before it had anything to report.
pub(crate) fn before_a_report(why: StopReason) -> Failure {
    let because = match why {
        StopReason::Asked => "the process was asked to end",
        StopReason::Deadline => "the time that it was given is over",
        StopReason::LeaseLost => "another process took the lease",
        StopReason::Paused => "regcred was paused",
        StopReason::WindowClosed => "the maintenance window closed",
    };
    Failure::new(
        FailureKind::Stopped,
        "stopped before the pass had seen everything",
        format!("{because}; nothing was written"),
        "nothing: the next pass begins anew",
    )
}
