//! Those who watch a daemon: systemd, whoever asks its endpoints, and Prometheus.
//!
//! This module tells them what the loop says, and must not decide anything. Where the endpoints are is read once, at the
//! start: a reload that moved them could leave a daemon that nobody can see.

use chrono::{DateTime, Utc};
use regcred_core::report::{Failure, FailureKind, Report};
use tokio::time::Instant;

use super::ground::{Ground, Unusable};
use super::{Audience, BEAT};
use crate::clock::Clock;
use crate::endpoints::{Endpoints, Health, Serving};
use crate::lease::{Lease, Sight};
use crate::metrics::Metrics;
use crate::systemd::{Notice, Systemd};

/// All of them.
#[derive(Debug)]
pub(crate) struct Watchers {
    systemd: Systemd,
    health: Health,
    metrics: Metrics,
    clock: Clock,
    lease: Lease,
    /// When the pass under way began.
    began: DateTime<Utc>,
    /// Ends with the daemon; none where the configuration wants none.
    _serving: Option<Serving>,
}

impl Watchers {
    /// Serves the endpoints, as the configuration has them. Nobody is told yet that the daemon has begun.
    pub(crate) async fn assemble(ground: &Ground, clock: Clock) -> Result<Self, Failure> {
        let systemd = Systemd::of_environment();
        if let Some(interval) = systemd.watchdog_interval().filter(|interval| *interval < BEAT) {
            tracing::warn!(?interval, beat = ?BEAT, "systemd's WatchdogSec is shorter than the loop can be told to have come round");
        }
        let health = Health::new(Instant::now(), "the first pass has not ended");
        let metrics = Metrics::new(ground.locations.attempts().clone());
        let serving = match ground.config.daemon.listen {
            None => None,
            Some(address) => {
                let endpoints = Endpoints::bind(address).await?;
                tracing::info!(address = %endpoints.address(), "/livez, /readyz and /metrics are served");
                Some(endpoints.serve(health.clone(), metrics.clone()))
            }
        };
        let (lease, began) = (ground.lease.clone(), clock.now());
        Ok(Self { systemd, health, metrics, clock, lease, began, _serving: serving })
    }

    fn tell_of_lease(&self) {
        match self.lease.sight() {
            Sight::Held => self.metrics.lease_taken(),
            Sight::NotHeld => self.metrics.lease_left(),
            // The next beat knows.
            Sight::Changing => {}
        }
    }
}

impl Audience for Watchers {
    fn begun(&mut self, _: &Ground) {
        self.systemd.notify(&[Notice::Ready, Notice::Status("waiting for the first pass")]);
    }

    fn beat(&mut self) {
        self.health.beat(Instant::now());
        self.tell_of_lease();
        // Told at each beat, which is at least as often as systemd asks for.
        if self.systemd.watchdog_interval().is_some() {
            self.systemd.notify(&[Notice::Watchdog]);
        }
    }

    fn pass_begins(&mut self) {
        self.began = self.clock.now();
        self.systemd.notify(&[Notice::Status("a pass runs")]);
    }

    fn pass_ended(&mut self, ended: Result<&Report, &Failure>) {
        let now = self.clock.now();
        self.metrics.pass_ended(ended, self.began, now);
        self.tell_of_lease();
        let time = now.format("%Y-%m-%d %H:%M:%S UTC");
        let status = match ended {
            Ok(report) => {
                self.health.ready();
                format!("the pass that ended at {time}: {:?}", report.verdict)
            }
            Err(failure) if failure.kind == FailureKind::Leased => {
                self.health.ready();
                format!("standing by since {time}: another regcred is at work")
            }
            Err(failure) => {
                self.health.first_pass_failed("the first pass could not be made; the log says why");
                format!("the pass of {time} could not be made: {}", failure.what)
            }
        };
        self.systemd.notify(&[Notice::Status(&status)]);
    }

    fn reloading(&mut self) {
        self.systemd.notify(&[Notice::Reloading]);
    }

    fn reload_refused(&mut self, _: &Unusable) {
        self.metrics.config_rejected();
        let status = "the configuration was read anew and cannot be used; the one before stays";
        self.systemd.notify(&[Notice::Ready, Notice::Status(status)]);
    }

    fn reloaded(&mut self, ground: &Ground) {
        self.metrics.config_accepted();
        self.lease = ground.lease.clone();
        self.systemd.notify(&[Notice::Ready, Notice::Status("the configuration was read anew")]);
    }

    fn stopping(&mut self) {
        self.health.not_ready("it was told to end");
        self.systemd.notify(&[Notice::Stopping, Notice::Status("told to end: finishing the step in hand")]);
    }
}

/// Two audiences hear the same.
impl<A: Audience, B: Audience> Audience for (A, B) {
    fn begun(&mut self, ground: &Ground) {
        self.0.begun(ground);
        self.1.begun(ground);
    }

    fn beat(&mut self) {
        self.0.beat();
        self.1.beat();
    }

    fn pass_begins(&mut self) {
        self.0.pass_begins();
        self.1.pass_begins();
    }

    fn pass_ended(&mut self, ended: Result<&Report, &Failure>) {
        self.0.pass_ended(ended);
        self.1.pass_ended(ended);
    }

    fn reloading(&mut self) {
        self.0.reloading();
        self.1.reloading();
    }

    fn reload_refused(&mut self, why: &Unusable) {
        self.0.reload_refused(why);
        self.1.reload_refused(why);
    }

    fn reloaded(&mut self, ground: &Ground) {
        self.0.reloaded(ground);
        self.1.reloaded(ground);
    }

    fn stopping(&mut self) {
        self.0.stopping();
        self.1.stopping();
    }
}
