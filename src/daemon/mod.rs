//! `regcred run`: the pass of `regcred sync`, with nobody watching, whenever a schedule is due.
//!
//! Ticks need no queue: however many there were while a pass ran, one more pass answers them all, and one at the start
//! answers those that were missed. Of several daemons one works; the others wait for its lease and take over when it falls
//! silent. A configuration that is read anew and is not valid changes nothing.
//!
//! Nothing here decides what a pass does, and nothing waits for a pass by blocking: signals are answered while one runs.

mod ground;
mod journal;
mod signals;
mod watchers;

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use regcred_core::host::FailedHosts;
use regcred_core::login::RejectedCandidates;
use regcred_core::names::ScheduleName;
use regcred_core::report::{Failure, FailureKind, Report};
use regcred_core::schedule::{self, Due, Why};
use regcred_core::stop::StopReason;

pub(crate) use self::ground::{Ground, Unusable};
use self::journal::Journal;
pub(crate) use self::signals::EndSignal;
use self::signals::{Signal, Signals};
pub(crate) use self::watchers::Watchers;
use crate::clock::Clock;
use crate::lease::Patience;
use crate::observe::Context;
use crate::reconcile::{self, Orders, Windows};
use crate::stopping::{StopSwitch, Urgency};

/// Whom a daemon tells how it goes. None of it may wait.
pub(crate) trait Audience {
    /// It answers signals from here on.
    fn begun(&mut self, ground: &Ground);
    /// The loop goes round: said at least every [`BEAT`], while it waits and while a pass runs.
    fn beat(&mut self);
    fn pass_begins(&mut self);
    fn pass_ended(&mut self, report: Result<&Report, &Failure>);
    /// The configuration is about to be read anew.
    fn reloading(&mut self);
    /// The configuration that was read anew cannot be used; the one before stays.
    fn reload_refused(&mut self, why: &Unusable);
    fn reloaded(&mut self, ground: &Ground);
    /// It was told to end, and finishes the step in hand.
    fn stopping(&mut self);
}

/// A supervisor that waits for ten of these has met a loop that hangs.
pub(crate) const BEAT: Duration = Duration::from_secs(5);

/// How a daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// As asked: between two steps, with nothing under way.
    InOrder,
    /// As asked a second time, by this signal: where it was.
    AtOnce(EndSignal),
}

/// A daemon that has begun.
pub(crate) struct Daemon<A> {
    /// Where the configuration is read anew, as the command line had it.
    path: Option<PathBuf>,
    ground: Ground,
    clock: Clock,
    signals: Signals,
    audience: A,
    /// When the last pass began.
    begun: Option<DateTime<Utc>>,
    /// Another one held the lease when there was something to do.
    standby: bool,
}

/// What ended a time of waiting.
enum Woken {
    /// A pass may be due.
    Time,
    /// The lease may be had, and there was something to do.
    LeaseIsFree,
    By(Signal),
}

/// What a pass left behind.
enum Left {
    Nothing,
    /// SIGHUP came meanwhile.
    ToReload,
    /// SIGTERM or SIGINT did.
    ToEnd(Ended),
}

/// A lease that cannot be read is tried again this much later: its failure is logged each time.
const LEASE_RETRY: Duration = Duration::from_secs(30);

impl<A: Audience> Daemon<A> {
    /// From here on signals are answered.
    pub(crate) fn begin(
        path: Option<PathBuf>,
        ground: Ground,
        clock: Clock,
        audience: A,
    ) -> std::io::Result<Self> {
        let signals = Signals::listen()?;
        let mut audience = audience;
        audience.begun(&ground);
        Ok(Self { path, ground, clock, signals, audience, begun: None, standby: false })
    }

    /// Runs until it is told to end.
    pub(crate) async fn run(mut self) -> Ended {
        loop {
            let left = match schedule::due(&self.ground.config.schedules, &mut self.begun, self.clock.now()) {
                Due::Now(why) => self.pass(&said(&why)).await,
                Due::At { schedule, time } => {
                    tracing::debug!(%schedule, %time, "waiting for the next pass");
                    match self.wait(Some(time)).await {
                        Woken::Time => Left::Nothing,
                        Woken::LeaseIsFree => self.pass("the lease may be had").await,
                        Woken::By(Signal::End(_)) => Left::ToEnd(Ended::InOrder),
                        Woken::By(Signal::Reload) => Left::ToReload,
                    }
                }
                // From the year 2100 on.
                Due::Never => match self.wait(None).await {
                    Woken::Time | Woken::LeaseIsFree => Left::Nothing,
                    Woken::By(Signal::End(_)) => Left::ToEnd(Ended::InOrder),
                    Woken::By(Signal::Reload) => Left::ToReload,
                },
            };
            match left {
                Left::Nothing => {}
                Left::ToReload => self.reload().await,
                Left::ToEnd(ended) => {
                    self.audience.stopping();
                    return ended;
                }
            }
        }
    }

    /// Waits for a time, for the lease where that is wanted, or for a signal.
    async fn wait(&mut self, time: Option<DateTime<Utc>>) -> Woken {
        let Self { ground, clock, signals, standby, audience, path: _, begun: _ } = self;
        let mut beat = tokio::time::interval(BEAT);
        let time = async {
            match time {
                Some(time) => clock.until(time).await,
                None => std::future::pending().await,
            }
        };
        let lease = async {
            if !*standby {
                std::future::pending::<()>().await;
            }
            while let Err(failure) = ground.lease.until_it_may_be_taken().await {
                tracing::warn!(why = failure.why, "the lease cannot be looked at");
                tokio::time::sleep(LEASE_RETRY).await;
            }
        };
        tokio::pin!(time);
        let mut lease = Box::pin(lease);
        loop {
            tokio::select! {
                signal = signals.next() => return Woken::By(signal),
                () = &mut time => return Woken::Time,
                () = &mut lease => return Woken::LeaseIsFree,
                _ = beat.tick() => audience.beat(),
            }
        }
    }

    /// One pass. Signals are answered meanwhile.
    async fn pass(&mut self, why: &str) -> Left {
        let Self { ground, clock, signals, audience, begun, standby, path: _ } = self;
        *begun = Some(clock.now());
        tracing::info!(why, "a pass is due");
        let stop = StopSwitch::new();
        let context = Context {
            config: &ground.config,
            locations: &ground.locations,
            scope: &ground.scope,
            clock,
            stop: &stop,
        };
        let orders = Orders {
            failed: FailedHosts::LeaveAlone,
            rejected: RejectedCandidates::LeaveAlone,
            agreed: None,
            lease: &ground.lease,
            // Whoever holds it is waited for between passes.
            patience: Patience::None,
            windows: Windows::Heed,
            progress: &Journal,
        };
        audience.pass_begins();
        let mut left = Left::Nothing;
        let mut beat = tokio::time::interval(BEAT);
        let mut pass = Box::pin(reconcile::sync(&context, &orders));
        let ended = loop {
            tokio::select! {
                biased;
                signal = signals.next() => match (signal, &left) {
                    (Signal::End(by), Left::ToEnd(_)) => {
                        tracing::warn!("told to end a second time: what is under way goes on by itself");
                        drop(pass);
                        ground.lease.release_in_haste().await;
                        return Left::ToEnd(Ended::AtOnce(by));
                    }
                    (Signal::End(_), Left::Nothing | Left::ToReload) => {
                        tracing::info!("told to end: the step in hand is finished first");
                        stop.ask(StopReason::Asked, Urgency::AfterStep);
                        audience.stopping();
                        left = Left::ToEnd(Ended::InOrder);
                    }
                    (Signal::Reload, Left::Nothing) => left = Left::ToReload,
                    (Signal::Reload, Left::ToReload | Left::ToEnd(_)) => {}
                },
                ended = &mut pass => break ended,
                _ = beat.tick() => audience.beat(),
            }
        };
        // Then there is something to do, and whoever has the lease may be gone before the next tick.
        *standby = match &ended {
            Ok(report) => report.has_lost_lease(),
            Err(failure) => failure.kind == FailureKind::Leased,
        };
        audience.pass_ended(ended.as_ref());
        left
    }

    /// Reads the configuration anew; one that cannot be used changes nothing.
    async fn reload(&mut self) {
        self.audience.reloading();
        let attempts = self.ground.locations.attempts().clone();
        match Ground::load(self.path.as_deref(), attempts).await {
            Ok(ground) => {
                tracing::info!(config = %ground.path.display(), "the configuration was read anew");
                self.ground = ground;
                self.audience.reloaded(&self.ground);
            }
            Err(unusable) => self.audience.reload_refused(&unusable),
        }
    }
}

fn said(why: &Why) -> String {
    match why {
        Why::Start => "it has just begun, and nobody knows what was missed".to_owned(),
        Why::Ticks(schedules) => {
            let names: Vec<&str> = schedules.iter().map(ScheduleName::as_str).collect();
            format!("schedule {}", names.join(", "))
        }
    }
}
