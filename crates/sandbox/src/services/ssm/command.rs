//! A command and its invocations: the state, and the rules by which it moves.
//!
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::document::{Document, Script};
use crate::hosts::{Host, Ping, ScriptResult};
use crate::services::Pending;

pub(super) struct Command {
    pub(super) id: String,
    pub(super) document_name: String,
    pub(super) document_version: String,
    pub(super) document: Arc<Document>,
    pub(super) script: Arc<Script>,
    pub(super) comment: String,
    pub(super) parameters: BTreeMap<String, Vec<String>>,
    pub(super) requested: DateTime<Utc>,
    /// From when on listings show it.
    pub(super) visible_from: DateTime<Utc>,
    /// `TimeoutSeconds`: how long delivery may take.
    pub(super) timeout_seconds: u32,
    /// When all that has not ended is given up: `TimeoutSeconds` and the execution's own timeout after the request.
    pub(super) expires: DateTime<Utc>,
    pub(super) max_concurrency: Amount,
    pub(super) max_errors: Amount,
    pub(super) is_cancelled: bool,
    /// Whether it was one too many: then it has no invocations.
    pub(super) pending: Pending,
    /// In the request's order.
    pub(super) invocations: Vec<Invocation>,
}

pub(super) struct Invocation {
    pub(super) host: Arc<Host>,
    pub(super) state: State,
}

/// `10` or `10%` of the targets.
#[derive(Clone, Debug)]
pub(super) struct Amount(pub(super) String);

impl Amount {
    /// The model has approved its form.
    pub(super) fn of(&self, targets: usize) -> usize {
        match self.0.strip_suffix('%') {
            Some(percent) => percent.parse::<usize>().unwrap_or(0) * targets / 100,
            None => self.0.parse().unwrap_or(0),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum State {
    /// Not yet among the `MaxConcurrency`.
    Waiting,
    /// Sent; the host has not been reached.
    Undelivered,
    /// With the host, which has not begun.
    Delivered,
    Running {
        since: DateTime<Utc>,
        cancelled: bool,
    },
    Ended {
        ending: Ending,
        ran: Option<Ran>,
    },
}

/// How an invocation ended, in SSM's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Success,
    Failed,
    ExecutionTimedOut,
    DeliveryTimedOut,
    Cancelled,
    Terminated,
    InvalidPlatform,
    Undeliverable,
}

/// What a script that ran left behind.
#[derive(Clone, Debug)]
pub(super) struct Ran {
    pub(super) exit_code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) started: DateTime<Utc>,
    pub(super) finished: DateTime<Utc>,
}

/// `Status` and `StatusDetails`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) status: &'static str,
    pub(super) details: &'static str,
}

const fn words(status: &'static str, details: &'static str) -> Words {
    Words { status, details }
}

impl State {
    pub(super) fn words(&self) -> Words {
        match self {
            Self::Waiting | Self::Undelivered | Self::Delivered => words("Pending", "Pending"),
            Self::Running { cancelled: false, .. } => words("InProgress", "InProgress"),
            Self::Running { cancelled: true, .. } => words("Cancelling", "Cancelling"),
            Self::Ended { ending, .. } => match ending {
                Ending::Success => words("Success", "Success"),
                Ending::Failed => words("Failed", "Failed"),
                Ending::ExecutionTimedOut => words("TimedOut", "ExecutionTimedOut"),
                Ending::DeliveryTimedOut => words("TimedOut", "DeliveryTimedOut"),
                Ending::Cancelled => words("Cancelled", "Cancelled"),
                Ending::Terminated => words("Cancelled", "Terminated"),
                Ending::InvalidPlatform => words("Failed", "InvalidPlatform"),
                Ending::Undeliverable => words("Failed", "Undeliverable"),
            },
        }
    }

    fn ending(&self) -> Option<Ending> {
        match self {
            Self::Waiting | Self::Undelivered | Self::Delivered | Self::Running { .. } => None,
            Self::Ended { ending, .. } => Some(*ending),
        }
    }

    fn end(ending: Ending) -> Self {
        Self::Ended { ending, ran: None }
    }
}

/// `TargetCount` and its parts.
pub(super) struct Counts {
    pub(super) targets: usize,
    pub(super) completed: usize,
    /// Failed and execution timed out: all that SSM counts as errors.
    pub(super) errors: usize,
    pub(super) delivery_timed_out: usize,
}

impl Command {
    pub(super) fn counts(&self) -> Counts {
        let count = |wanted: &[Ending]| {
            self.invocations
                .iter()
                .filter(|invocation| invocation.state.ending().is_some_and(|ending| wanted.contains(&ending)))
                .count()
        };
        Counts {
            targets: self.invocations.len(),
            completed: self.invocations.iter().filter(|each| each.state.ending().is_some()).count(),
            errors: count(&[Ending::Failed, Ending::ExecutionTimedOut]),
            delivery_timed_out: count(&[Ending::DeliveryTimedOut]),
        }
    }

    /// The command's own status. Its Success says little: one success is enough when nothing else is an error.
    pub(super) fn words(&self) -> Words {
        if self.pending == Pending::OverQuota {
            return words("Failed", "RateExceeded");
        }
        let Counts { targets, completed, errors, delivery_timed_out } = self.counts();
        let ended_well =
            self.invocations.iter().filter(|each| each.state.ending() == Some(Ending::Success)).count();
        let has_begun =
            self.invocations.iter().any(|each| !matches!(each.state, State::Waiting | State::Undelivered));
        if completed < targets {
            return match (self.is_cancelled, has_begun) {
                (true, _) => words("Cancelling", "Cancelling"),
                (false, true) => words("InProgress", "InProgress"),
                (false, false) => words("Pending", "Pending"),
            };
        }
        if self.is_cancelled {
            words("Cancelled", "Cancelled")
        } else if errors > self.max_errors.of(targets) {
            words("Failed", "Failed")
        } else if ended_well > 0 {
            words("Success", "Success")
        } else if delivery_timed_out == targets {
            words("TimedOut", "DeliveryTimedOut")
        } else {
            words("Failed", "Incomplete")
        }
    }

    /// Gives up what has not ended in time.
    pub(super) fn settle(&mut self, now: DateTime<Utc>) {
        if now < self.expires {
            return;
        }
        for invocation in &mut self.invocations {
            if invocation.state.ending().is_none() {
                invocation.state = State::end(Ending::DeliveryTimedOut);
            }
        }
    }

    /// Sends to as many more hosts as `MaxConcurrency` lets, unless `MaxErrors` is exceeded. The hosts that were reached.
    pub(super) fn advance(&mut self) -> Vec<Arc<Host>> {
        let targets = self.invocations.len();
        let most = self.max_concurrency.of(targets).max(1);
        let tolerated = self.max_errors.of(targets);
        let mut reached = Vec::new();
        for position in 0..targets {
            if !matches!(self.invocations[position].state, State::Waiting) {
                continue;
            }
            if self.counts().errors > tolerated {
                self.invocations[position].state = State::end(Ending::Terminated);
                continue;
            }
            let is_out = |state: &State| !matches!(state, State::Waiting | State::Ended { .. });
            if self.invocations.iter().filter(|each| is_out(&each.state)).count() >= most {
                break;
            }
            let invocation = &mut self.invocations[position];
            invocation.state = if self.document.runs_on(invocation.host.spec().platform) {
                State::Undelivered
            } else {
                State::end(Ending::InvalidPlatform)
            };
            reached.extend(invocation.deliver());
        }
        reached
    }

    pub(super) fn invocation_mut(&mut self, id: &str) -> Option<&mut Invocation> {
        self.invocations.iter_mut().find(|invocation| invocation.host.spec().id == id)
    }

    /// Cancels what has not begun, and asks what runs to end.
    pub(super) fn cancel(&mut self, ids: &[String]) {
        self.is_cancelled |= ids.is_empty();
        for invocation in &mut self.invocations {
            if !ids.is_empty() && !ids.contains(&invocation.host.spec().id) {
                continue;
            }
            match &mut invocation.state {
                State::Waiting | State::Undelivered | State::Delivered => {
                    invocation.state = State::end(Ending::Cancelled);
                }
                State::Running { cancelled, .. } => *cancelled = true,
                State::Ended { .. } => {}
            }
        }
    }
}

impl Invocation {
    /// Hands an undelivered invocation to its host, if that can be reached.
    pub(super) fn deliver(&mut self) -> Option<Arc<Host>> {
        match (&self.state, self.host.ping()) {
            (State::Undelivered, Ping::Online) => {
                self.state = State::Delivered;
                Some(Arc::clone(&self.host))
            }
            (
                State::Undelivered
                | State::Waiting
                | State::Delivered
                | State::Running { .. }
                | State::Ended { .. },
                Ping::Online | Ping::ConnectionLost,
            ) => None,
        }
    }

    /// The host is gone for good.
    pub(super) fn give_up(&mut self) {
        if matches!(self.state, State::Waiting | State::Undelivered | State::Delivered) {
            self.state = State::end(Ending::Undeliverable);
        }
    }

    /// Whether the host may begin: it may have been cancelled or expired since.
    pub(super) fn begin(&mut self, now: DateTime<Utc>) -> bool {
        let may = matches!(self.state, State::Delivered);
        if may {
            self.state = State::Running { since: now, cancelled: false };
        }
        may
    }

    /// Takes the result, unless SSM has given it up meanwhile.
    pub(super) fn finish(&mut self, result: std::io::Result<ScriptResult>, now: DateTime<Utc>) {
        let State::Running { since, cancelled } = self.state else { return };
        let result = result.unwrap_or_else(|error| ScriptResult {
            exit_code: 1,
            stdout: String::new(),
            stderr: format!("failed to start: {error}"),
            timed_out: false,
        });
        let ScriptResult { exit_code, stdout, mut stderr, timed_out } = result;
        let ending = match (cancelled, timed_out, exit_code) {
            (true, _, _) => Ending::Cancelled,
            (false, true, _) => Ending::ExecutionTimedOut,
            (false, false, 0) => Ending::Success,
            (false, false, _) => Ending::Failed,
        };
        if exit_code != 0 {
            // As amazon-ssm-agent 3.3 was seen to end it.
            stderr.extend(["failed to run commands: exit status ", &exit_code.to_string()]);
        }
        let ran = Some(Ran { exit_code, stdout, stderr, started: since, finished: now });
        self.state = State::Ended { ending, ran };
    }
}
