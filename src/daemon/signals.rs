//! What a service is told by signals.
//!
//! This module must not act on them.

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// End; said twice, end at once.
    End(EndSignal),
    /// SIGHUP: read the configuration again.
    Reload,
}

/// By what a service is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndSignal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// The signals of this process, from the moment that this is made.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Stream,
    interrupt: Stream,
    hangup: Stream,
}

impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next one. Nothing is lost by dropping this.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::End(EndSignal::Terminate),
            _ = self.interrupt.recv() => Signal::End(EndSignal::Interrupt),
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}
