//! Where one host stands, what ends a phase, and what the script's report and ECS's samples make of it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::host::{Host, Membership, Standing, Unreachable, Unsupported};
use crate::invocation::NothingRan;
use crate::rollout::event::{CommandId, Sample};
use crate::rollout::outcome::{HostFailure, HostOutcome, Lesson, Unproven};
use crate::rollout::policy::{Policy, RECORD_TIMEOUT};
use crate::script::{self, ScriptReport, VersionId};

/// Where a host stands, as far as others need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostState<'a> {
    /// To be sent to.
    Waiting,
    /// Sent to, and its end is outstanding.
    InFlight,
    Ended(&'a HostOutcome),
}

/// A host and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tracked {
    pub(super) host: Host,
    pub(super) phase: Phase,
}

/// Where a host stands. Each phase but the first and the last ends by itself, see [`Tracked::deadline`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// To be sent to, and not sent to yet.
    Waiting { company: Company },
    /// The command is on its way to SSM.
    Sending { since: DateTime<Utc> },
    /// SSM took the command.
    Sent { command: CommandId, since: DateTime<Utc>, invocation: Shown },
    /// SSM says that it could not reach the host, which may be because it is gone: ECS is asked. Never of a host outside
    /// ECS's view.
    Doubtful { why: NothingRan, since: DateTime<Utc>, looked: Option<DateTime<Utc>> },
    /// The script says that the live agent holds the value: ECS has to see it connected twice. Never of a host outside
    /// ECS's view.
    Settling {
        restarted: bool,
        since: DateTime<Utc>,
        looked: Option<DateTime<Utc>>,
        connected_since: Option<DateTime<Utc>>,
    },
    /// At its end; what is to be recorded may be outstanding.
    Ended { outcome: HostOutcome, record: Record },
}

/// Whom a host may share a call with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    Any,
    /// With nobody: a call that named it among others was refused for one of them.
    Nobody,
}

/// Whether an invocation of the command on the host has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    No,
    Yes,
}

/// How far the recording of what was learnt of a host has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Nothing,
    Due { since: DateTime<Utc>, company: Company },
    Done,
    GivenUp,
}

impl Tracked {
    /// When this phase is given up, if it is one that can be.
    pub(super) fn deadline(&self, policy: &Policy) -> Option<DateTime<Utc>> {
        match &self.phase {
            Phase::Sending { since } | Phase::Sent { since, .. } => {
                Some(later(*since, policy.result_timeout()))
            }
            Phase::Doubtful { since, .. } | Phase::Settling { since, .. } => {
                Some(later(*since, policy.settle_timeout))
            }
            Phase::Ended { record: Record::Due { since, .. }, .. } => Some(later(*since, RECORD_TIMEOUT)),
            Phase::Waiting { .. }
            | Phase::Ended { record: Record::Nothing | Record::Done | Record::GivenUp, .. } => None,
        }
    }

    /// When ECS is to be asked about this host, if it is.
    pub(super) fn sample_due(&self, policy: &Policy) -> Option<DateTime<Utc>> {
        match &self.phase {
            Phase::Doubtful { since, looked, .. } | Phase::Settling { since, looked, .. } => {
                Some(looked.map_or(*since, |looked| later(looked, policy.settle_interval)))
            }
            Phase::Waiting { .. } | Phase::Sending { .. } | Phase::Sent { .. } | Phase::Ended { .. } => None,
        }
    }

    /// Ends the host, and has what it teaches recorded; a verdict on the revision only where the script is known to have
    /// seen that.
    pub(super) fn end(&mut self, outcome: HostOutcome, now: DateTime<Utc>) {
        let record = match outcome.lesson() {
            Lesson::Nothing | Lesson::RevisionFailed => Record::Nothing,
            Lesson::Proven | Lesson::Unproven => Record::Due { since: now, company: Company::Any },
        };
        self.phase = Phase::Ended { outcome, record };
    }

    /// Ends the host, whose script saw the planned version of the object if `is_planned`.
    fn end_judged(&mut self, outcome: HostOutcome, is_planned: bool, now: DateTime<Utc>) {
        match outcome.lesson() {
            Lesson::RevisionFailed if is_planned => {
                self.phase =
                    Phase::Ended { outcome, record: Record::Due { since: now, company: Company::Any } };
            }
            Lesson::RevisionFailed | Lesson::Nothing | Lesson::Proven | Lesson::Unproven => {
                self.end(outcome, now);
            }
        }
    }

    pub(super) fn leave(&mut self) {
        match self.phase {
            Phase::Ended { .. } => {}
            Phase::Waiting { .. }
            | Phase::Sending { .. }
            | Phase::Sent { .. }
            | Phase::Doubtful { .. }
            | Phase::Settling { .. } => {
                self.phase = Phase::Ended { outcome: HostOutcome::Gone, record: Record::Nothing };
            }
        }
    }

    pub(super) fn doubt(&mut self, why: NothingRan, now: DateTime<Utc>) {
        match &self.host.membership {
            Membership::Registered(_) if why.may_be_gone() => {
                self.phase = Phase::Doubtful { why, since: now, looked: None };
            }
            Membership::Registered(_) | Membership::Outside => self.end(nothing_ran(why), now),
        }
    }

    pub(super) fn sample(&mut self, policy: &Policy, sample: Sample, now: DateTime<Utc>) {
        if sample == Sample::Gone {
            self.leave();
            return;
        }
        match &mut self.phase {
            Phase::Doubtful { why, looked, .. } => match sample {
                Sample::Connected | Sample::Disconnected => {
                    let why = *why;
                    self.end(nothing_ran(why), now);
                }
                Sample::Unknown | Sample::Gone => *looked = Some(now),
            },
            Phase::Settling { restarted, looked, connected_since, .. } => {
                *looked = Some(now);
                match (sample, *connected_since) {
                    (Sample::Connected, None) => *connected_since = Some(now),
                    (Sample::Connected, Some(first)) if later(first, policy.settle_interval) <= now => {
                        let restarted = *restarted;
                        self.end(HostOutcome::Proven { restarted }, now);
                    }
                    (Sample::Disconnected, _) => *connected_since = None,
                    (Sample::Connected | Sample::Unknown | Sample::Gone, _) => {}
                }
            }
            Phase::Waiting { .. } | Phase::Sending { .. } | Phase::Sent { .. } | Phase::Ended { .. } => {}
        }
    }

    /// Takes the script's report in, and says whether the host saw another version of the object than the planned one.
    pub(super) fn judge(&mut self, report: ScriptReport, planned: &VersionId, now: DateTime<Utc>) -> bool {
        let ScriptReport {
            outcome,
            reason,
            version_id,
            container_instance_arn,
            restarted,
            seconds: _,
            detail,
        } = report;
        let superseded = version_id.as_ref().is_some_and(|version| version != planned);
        // Only of the planned version is it known that it has the desired revision.
        let is_planned = version_id.as_ref() == Some(planned);
        match outcome {
            script::Outcome::Loaded | script::Outcome::Unchanged => {
                let registration = self.host.registration();
                let same_instance = registration
                    .zip(container_instance_arn)
                    .is_none_or(|(registration, arn)| arn == registration.arn);
                if superseded {
                    self.end(HostOutcome::Superseded, now);
                } else if !is_planned {
                    self.end(unproven(Unproven::VersionMissing), now);
                } else if !same_instance && outcome == script::Outcome::Unchanged {
                    // No restart, so no new registration either: the one that ECS listed was left over already.
                    self.end(HostOutcome::Unsupported { why: Unsupported::StaleRegistration }, now);
                } else if !same_instance {
                    self.end(unproven(Unproven::ArnChanged), now);
                } else {
                    let restarted = restarted.unwrap_or(outcome == script::Outcome::Loaded);
                    match &self.host.membership {
                        Membership::Registered(_) => {
                            self.phase = Phase::Settling {
                                restarted,
                                since: now,
                                looked: None,
                                connected_since: None,
                            };
                        }
                        // Nobody else can be asked: the script saw the agent registered, and with what it runs.
                        Membership::Outside => self.end(HostOutcome::Proven { restarted }, now),
                    }
                }
            }
            script::Outcome::Restored => {
                self.end_judged(HostOutcome::Restored { reason, detail }, is_planned, now);
            }
            script::Outcome::Unproven => {
                self.end(unproven(Unproven::SlowRegistration { reason, detail }), now);
            }
            script::Outcome::Refused => self.end(HostOutcome::Refused { reason, detail }, now),
            script::Outcome::Failed => {
                self.end_judged(failed(HostFailure::Reported { reason, detail }), is_planned, now);
            }
            script::Outcome::Tried => {
                self.end_judged(HostOutcome::FailedBefore { detail }, is_planned, now);
            }
            script::Outcome::Busy => self.end(unproven(Unproven::Busy), now),
        }
        superseded
    }
}

pub(super) fn first_phase(standing: Standing) -> Phase {
    let outcome = match standing {
        Standing::Changed => return Phase::Waiting { company: Company::Any },
        Standing::Current => HostOutcome::Current,
        Standing::FailedBefore => HostOutcome::FailedBefore { detail: None },
        Standing::Unsupported(why) => HostOutcome::Unsupported { why },
        Standing::Unreachable(why) => HostOutcome::Unreachable { why },
        Standing::Gone => HostOutcome::Gone,
    };
    Phase::Ended { outcome, record: Record::Nothing }
}

pub(super) fn unproven(why: Unproven) -> HostOutcome {
    HostOutcome::Unproven { why }
}

pub(super) fn failed(why: HostFailure) -> HostOutcome {
    HostOutcome::Failed { why }
}

pub(super) fn nothing_ran(why: NothingRan) -> HostOutcome {
    HostOutcome::Unreachable { why: Unreachable::NothingRan(why) }
}

/// A point in time and a span after it. A span that leads out of the calendar leads to its end.
pub(super) fn later(time: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    chrono::TimeDelta::from_std(span)
        .ok()
        .and_then(|span| time.checked_add_signed(span))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
