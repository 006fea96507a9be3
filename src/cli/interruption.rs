//! Ctrl-C, and the signal that a service is ended with: what is being done is dropped where it is, and a person is told what
//! goes on without regcred.
//!
//! Dropping is what ends the programs that sources run ([`crate::sources`]); the signal alone would leave them behind, each in
//! a process group of its own. Nothing here waits for a step to end: a pass may be cut anywhere, and the next one goes on.

use std::future::{Future, pending};

use regcred_core::report::{Failure, FailureKind};
use tokio::signal::unix::{SignalKind, signal};

use super::Stop;
use super::progress::UnderWay;

/// What a command was ended by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interruption {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Interruption {
    /// 128 and the signal's number, as shells tell it of a program that a signal ended.
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT (Ctrl-C)",
            Self::Terminate => "SIGTERM",
        }
    }

    /// A command that changes nothing was ended.
    pub(super) fn of_a_look(self) -> Stop {
        let name = self.name();
        let why = format!("{name} came; nothing was being changed, and no program of a source goes on");
        self.stop("interrupted before there was a result".to_owned(), why, "run it again")
    }

    /// A pass was ended, in which these rollouts had begun.
    pub(super) fn of_a_pass(self, under_way: &[UnderWay]) -> Stop {
        let name = self.name();
        let fleets: Vec<String> = under_way
            .iter()
            .map(|UnderWay { fleet, sent, hosts }| format!("{sent} of {hosts} hosts of fleet `{fleet}`"))
            .collect();
        let why = if fleets.is_empty() {
            format!("{name} came; no rollout was under way, and what was stored stays")
        } else {
            format!("{name} came after {} were sent to, which go on by themselves", fleets.join(" and "))
        };
        let remedy = "run `regcred sync` again: it asks each host what it holds, and goes on from there";
        self.stop("interrupted before the pass ended".to_owned(), why, remedy)
    }

    /// A daemon was told to end a second time.
    pub(super) fn of_a_daemon(self) -> Stop {
        let name = self.name();
        let why = format!("{name} came a second time; hosts that were sent to go on by themselves");
        let remedy = "start it again: the first pass asks each host what it holds, and goes on from there";
        self.stop("ended in the middle of a pass".to_owned(), why, remedy)
    }

    /// A release was ended.
    pub(super) fn of_a_release(self) -> Stop {
        let why = format!("{} came; some marks may be gone, and some not", self.name());
        self.stop(
            "interrupted before all was released".to_owned(),
            why,
            "run it again: it goes on from there",
        )
    }

    fn stop(self, what: String, why: String, remedy: &str) -> Stop {
        Stop::Interrupted { by: self, failure: Failure::new(FailureKind::Refused, what, why, remedy) }
    }
}

/// What `work` comes to, unless a signal comes first; then it is dropped.
pub(super) async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Result<T, Interruption> {
    tokio::select! {
        // First, so that the signals are waited for before anything is begun.
        biased;
        by = interruption() => Err(by),
        ended = work => Ok(ended),
    }
}

async fn interruption() -> Interruption {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // They end the process as they did, then.
        return pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => Interruption::Interrupt,
        _ = terminate.recv() => Interruption::Terminate,
    }
}
