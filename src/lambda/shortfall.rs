//! What of a pass that nobody waited for a person has to look at.

use regcred_core::plan::Hold;
use regcred_core::replica::Replica;
use regcred_core::report::{FleetOutcome, FleetReport, HostCounts, Outcome, Report, Verdict};
use regcred_core::rollout::{Ending, HostOutcome};
use regcred_core::stop::StopReason;

/// How a pass ended short of what it is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortfall {
    /// A person has to look: something failed, was not reached, or was halted.
    Look,
    /// Its time was over, and it had done nothing: the next one will fare alike.
    NothingDone,
    /// Its time was over, and all that it did went well: the next one goes on.
    Unfinished,
}

/// `None` where all is well, or as somebody arranged it: paused, or outside of a maintenance window.
pub(super) fn of(report: &Report) -> Option<Shortfall> {
    match report.verdict {
        Verdict::Converged | Verdict::Drift => None,
        Verdict::Internal | Verdict::Usage | Verdict::Leased | Verdict::Halted => Some(Shortfall::Look),
        Verdict::Partial if !is_for_want_of_time(report) => Some(Shortfall::Look),
        Verdict::Partial if report.is_idle() => Some(Shortfall::NothingDone),
        Verdict::Partial => Some(Shortfall::Unfinished),
    }
}

/// What is not as it should be, counted.
pub(super) fn summary(report: &Report) -> String {
    let registries = report.registries.iter().filter(|each| each.failure().is_some()).count();
    let secrets = report.secrets.iter().filter(|each| !each.is_right()).count();
    let objects = report.objects.iter().filter(|each| !each.is_right()).count();
    let counts = HostCounts::of(report.fleets.iter().flat_map(FleetReport::hosts));
    let parts = [
        (registries, "registry", "registries", "without a credential that works"),
        (secrets, "secret", "secrets", "not up to date"),
        (objects, "ecs.config", "ecs.configs", "not up to date"),
        (counts.old(), "host", "hosts", "with an older credential"),
        (counts.unknown(), "host", "hosts", "of which it is not known what they hold"),
    ];
    let said: Vec<String> = parts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many, how)| format!("{count} {} {how}", if count == 1 { one } else { many }))
        .collect();
    if said.is_empty() { "a fleet could not be looked at".to_owned() } else { said.join(", ") }
}

/// Whether the deadline is all that kept anything from being done.
fn is_for_want_of_time(report: &Report) -> bool {
    let waits = |outcome: &Outcome| match outcome {
        Outcome::Unchanged | Outcome::Created | Outcome::Replaced | Outcome::Replicated => true,
        Outcome::Held { why } => *why == Hold::Deadline,
        Outcome::Superseded | Outcome::Failed { .. } => false,
    };
    let is_arranged = |why: Hold| matches!(why, Hold::Deadline | Hold::OutOfScope | Hold::WindowClosed);
    report.registries.iter().all(|each| each.failure().is_none())
        && report
            .secrets
            .iter()
            .all(|each| waits(&each.outcome) && each.replicas.iter().all(Replica::is_right))
        && report
            .objects
            .iter()
            .all(|each| waits(&each.outcome) && each.held.iter().all(|entry| is_arranged(entry.why)))
        && report.fleets.iter().all(|fleet| match &fleet.outcome {
            FleetOutcome::Current { .. } => true,
            FleetOutcome::Held { why } | FleetOutcome::HeldAfter { fleet: _, why } => is_arranged(*why),
            FleetOutcome::Failed { .. } => false,
            FleetOutcome::RolledOut { ending, hosts, unseen, failures, revision: _ } => {
                let ending = match ending {
                    Ending::Converged => true,
                    Ending::Stopped { why } => matches!(why, StopReason::Deadline | StopReason::WindowClosed),
                    Ending::PartlyReached | Ending::Superseded | Ending::Halted { .. } => false,
                };
                let is_well = |outcome: &HostOutcome| match outcome {
                    HostOutcome::Current
                    | HostOutcome::Proven { .. }
                    | HostOutcome::Unsupported { .. }
                    | HostOutcome::Waiting
                    | HostOutcome::Joined
                    | HostOutcome::Gone
                    // What was in flight when the time was over.
                    | HostOutcome::Unproven { .. } => true,
                    HostOutcome::Restored { .. }
                    | HostOutcome::Refused { .. }
                    | HostOutcome::Failed { .. }
                    | HostOutcome::Unreachable { .. }
                    | HostOutcome::FailedBefore { .. }
                    | HostOutcome::Superseded => false,
                };
                ending
                    && unseen.is_empty()
                    && failures.is_empty()
                    && hosts.iter().all(|host| is_well(&host.outcome))
            }
        })
}
