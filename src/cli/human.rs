//! Results as a person reads them at night: every line answers a question, none is printed that answers none.

use regcred_core::plan::Plan;
use regcred_core::report::{Report, Status};
use regcred_core::rollout::HostOutcome;

pub(super) fn plan(plan: &Plan) -> String {
    format!("{plan:#?}")
}

pub(super) fn report(report: &Report) -> String {
    format!("{report:#?}")
}

pub(super) fn status(status: &Status) -> String {
    format!("{status:#?}")
}

pub(super) fn outcome(outcome: &HostOutcome) -> String {
    format!("{outcome:?}")
}
