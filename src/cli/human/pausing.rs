//! Whether regcred is paused, as a person reads it.

use regcred_core::pause::Pause;

use super::Page;
use crate::cli::pause::Pausing;

pub(crate) fn pausing(pausing: &Pausing) -> String {
    let mut page = Page::default();
    match (&pausing.paused, &pausing.before) {
        (Some(paused), before) => {
            page.line(format!("Paused {paused}"));
            page.line("No regcred writes or restarts anything until `regcred resume`; a rollout under way stops between two steps.");
            if let Some(before) = before {
                page.line(format!("It was paused before: {before}"));
            }
        }
        (None, Some(before)) => {
            page.line(format!("Resumed. It was paused {before}"));
            page.line("The next pass does what is to do; `regcred sync` does it now.");
        }
        (None, None) => page.line("It was not paused."),
    }
    page.0
}

/// For a plan, a report or a status: that nothing is done, and what ends that.
pub(super) fn paused(page: &mut Page, paused: Option<&Pause>) {
    if let Some(pause) = paused {
        page.line(format!("PAUSED {pause}"));
        page.line("Nothing is written and nobody is restarted until `regcred resume`.");
    }
}
