//! Progress on stderr: bars on a terminal, lines elsewhere.

use std::collections::BTreeMap;
use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};

use chrono::Local;
use indicatif::{ProgressBar, ProgressStyle};
use regcred_core::names::FleetName;
use regcred_core::rollout::HostOutcome;

use super::output;
use crate::progress::{Progress, ProgressSink};

/// Shows what a pass tells.
#[derive(Debug)]
pub(crate) struct Display {
    terminal: bool,
    /// Guards the counts alone; nothing waits while it is held.
    fleets: Mutex<BTreeMap<FleetName, FleetProgress>>,
}

#[derive(Debug)]
struct FleetProgress {
    hosts: usize,
    ended: usize,
    proven: usize,
    bar: ProgressBar,
    shown: usize,
    has_sent: bool,
}

impl Display {
    pub(crate) fn new() -> Self {
        Self { terminal: stderr().is_terminal(), fleets: Mutex::new(BTreeMap::new()) }
    }

    /// Takes bars off the screen.
    pub(crate) fn finish(&self) {
        for fleet in self.fleets.lock().unwrap_or_else(PoisonError::into_inner).values() {
            fleet.bar.finish_and_clear();
        }
    }
}

impl ProgressSink for Display {
    fn tell(&self, progress: Progress) {
        let mut fleets = self.fleets.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Progress::SecretStored { registry, location, name } => {
                line("secret", &format!("{name} in {location} holds the credential of {registry}"));
            }
            Progress::ObjectStored { ecs_config, location, revision } => {
                line("object", &format!("{ecs_config} in {location} is revision {}", revision.short()));
            }
            Progress::RolloutBegins { fleet, hosts } => {
                let bar = if self.terminal { ProgressBar::new(hosts as u64) } else { ProgressBar::hidden() };
                let style = ProgressStyle::with_template("         {prefix:<10} {bar:30} {pos}/{len} {msg}");
                bar.set_style(style.expect("the template is fixed and well formed"));
                bar.set_prefix(fleet.to_string());
                fleets.insert(
                    fleet,
                    FleetProgress { hosts, ended: 0, proven: 0, bar, shown: 0, has_sent: false },
                );
            }
            Progress::Sending { fleet, hosts } => {
                if let Some(state) = fleets.get_mut(&fleet)
                    && !std::mem::replace(&mut state.has_sent, true)
                    && let Some(first) = hosts.first()
                {
                    state
                        .bar
                        .suspend(|| line(fleet.as_str(), &format!("restarting one host first: {first}")));
                }
            }
            Progress::HostEnded { fleet, host } => {
                let Some(state) = fleets.get_mut(&fleet) else { return };
                state.ended += 1;
                state.bar.inc(1);
                let proven = matches!(host.outcome, HostOutcome::Proven { .. });
                state.proven += usize::from(proven);
                if !proven {
                    let text =
                        format!("{} ({}): {}", host.host, host.cluster, super::human::outcome(&host.outcome));
                    state.bar.suspend(|| line(fleet.as_str(), &text));
                } else if state.proven == 1 {
                    state.bar.suspend(|| line(fleet.as_str(), &format!("first host proven: {}", host.host)));
                } else if !self.terminal && is_milestone(state.ended, state.shown, state.hosts) {
                    state.shown = state.ended;
                    line(fleet.as_str(), &format!("{}/{}", state.proven, state.hosts));
                }
            }
            Progress::RolloutEnded { fleet } => {
                if let Some(state) = fleets.get(&fleet) {
                    state.bar.finish_and_clear();
                    if state.hosts > 0 {
                        line(fleet.as_str(), &format!("{}/{} proven", state.proven, state.hosts));
                    }
                }
            }
        }
    }
}

fn line(subject: &str, text: &str) {
    output::message(format_args!("{} {subject:<10} {text}", Local::now().format("%H:%M:%S")));
}

/// Every tenth of the hosts is worth a line.
fn is_milestone(ended: usize, shown: usize, hosts: usize) -> bool {
    ended - shown >= hosts.div_ceil(10).max(1)
}
