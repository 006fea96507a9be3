//! Progress on stderr: bars on a terminal, lines elsewhere; JSON, as the logs beside it, where the result is JSON too.

use std::collections::BTreeMap;
use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};

use chrono::{Local, SecondsFormat, Utc};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use regcred_core::names::FleetName;
use regcred_core::rollout::HostOutcome;
use serde::Serialize;

use super::arguments::Form;
use super::output::{self, Output, Volume};
use crate::progress::{Progress, ProgressSink};

/// Shows what a pass tells.
#[derive(Debug)]
pub(crate) struct Display {
    manner: Manner,
    /// All bars: rollouts of several locations run side by side.
    bars: MultiProgress,
    /// Guards the counts alone; nothing waits while it is held.
    fleets: Mutex<BTreeMap<FleetName, FleetProgress>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Bars,
    Lines,
    Records,
    Silence,
}

/// One line of progress, for machines.
#[derive(Serialize)]
struct Record<'a> {
    timestamp: String,
    progress: &'a str,
    message: &'a str,
}

#[derive(Debug)]
struct FleetProgress {
    hosts: usize,
    ended: usize,
    proven: usize,
    bar: ProgressBar,
    shown: usize,
    sent: usize,
    is_over: bool,
}

/// A rollout that has begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnderWay {
    pub(crate) fleet: FleetName,
    /// Of these hosts, some may have ended since.
    pub(crate) sent: usize,
    pub(crate) hosts: usize,
}

impl Display {
    pub(crate) fn new(output: Output) -> Self {
        let manner = match output {
            Output { volume: Volume::Quiet, form: _ } => Manner::Silence,
            _ if stderr().is_terminal() => Manner::Bars,
            Output { form: Form::Human, volume: _ } => Manner::Lines,
            Output { form: Form::Json, volume: _ } => Manner::Records,
        };
        Self { manner, bars: MultiProgress::new(), fleets: Mutex::new(BTreeMap::new()) }
    }

    fn line(&self, subject: &str, text: &str) {
        match self.manner {
            Manner::Silence => {}
            Manner::Bars | Manner::Lines => {
                let now = Local::now().format("%H:%M:%S");
                self.bars.suspend(|| output::message(format_args!("{now} {subject:<10} {text}")));
            }
            Manner::Records => {
                let timestamp = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
                let record = Record { timestamp, progress: subject, message: text };
                output::message(serde_json::to_string(&record).expect("a record is plain data"));
            }
        }
    }

    /// The rollouts that have begun and not ended.
    pub(crate) fn under_way(&self) -> Vec<UnderWay> {
        let fleets = self.fleets.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = fleets.iter().filter(|(_, state)| !state.is_over);
        under_way
            .map(|(fleet, state)| UnderWay { fleet: fleet.clone(), sent: state.sent, hosts: state.hosts })
            .collect()
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
            Progress::LeaseHeld { holder } => {
                self.line("lease", &format!("waiting for another regcred, which holds the lease: {holder}"));
            }
            Progress::SecretStored { registry, location, name } => {
                self.line("secret", &format!("{name} in {location} holds the credential of {registry}"));
            }
            Progress::ObjectStored { ecs_config, location, revision } => {
                self.line("object", &format!("{ecs_config} in {location} is revision {}", revision.short()));
            }
            Progress::RolloutBegins { fleet, hosts } => {
                let bar = if self.manner == Manner::Bars {
                    self.bars.add(ProgressBar::new(hosts as u64))
                } else {
                    ProgressBar::hidden()
                };
                let style = ProgressStyle::with_template("         {prefix:<10} {bar:30} {pos}/{len} {msg}");
                bar.set_style(style.expect("the template is fixed and well formed"));
                bar.set_prefix(fleet.to_string());
                fleets.insert(
                    fleet,
                    FleetProgress { hosts, ended: 0, proven: 0, bar, shown: 0, sent: 0, is_over: false },
                );
            }
            Progress::Sending { fleet, hosts } => {
                let Some(state) = fleets.get_mut(&fleet) else { return };
                let is_first = state.sent == 0;
                state.sent += hosts.len();
                if is_first && let Some(first) = hosts.first() {
                    self.line(fleet.as_str(), &format!("restarting one host first: {first}"));
                }
            }
            Progress::HostsJoined { fleet, hosts } => {
                if let Some(state) = fleets.get_mut(&fleet) {
                    state.hosts += hosts;
                    state.bar.set_length(state.hosts as u64);
                    let noun = if hosts == 1 { "host" } else { "hosts" };
                    self.line(fleet.as_str(), &format!("{hosts} {noun} joined meanwhile"));
                }
            }
            Progress::HostEnded { fleet, host } => {
                let Some(state) = fleets.get_mut(&fleet) else { return };
                state.ended += 1;
                state.bar.inc(1);
                let proven = matches!(host.outcome, HostOutcome::Proven { .. });
                state.proven += usize::from(proven);
                if !proven {
                    let cluster = host.cluster.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
                    let text = format!("{}{cluster}: {}", host.host, super::human::outcome(&host.outcome));
                    self.line(fleet.as_str(), &text);
                } else if state.proven == 1 {
                    self.line(fleet.as_str(), &format!("first host proven: {}", host.host));
                } else if self.manner != Manner::Bars && is_milestone(state.ended, state.shown, state.hosts) {
                    state.shown = state.ended;
                    self.line(fleet.as_str(), &format!("{}/{}", state.proven, state.hosts));
                }
            }
            Progress::RolloutEnded { fleet } => {
                if let Some(state) = fleets.get_mut(&fleet) {
                    state.is_over = true;
                    state.bar.finish_and_clear();
                    if state.hosts > 0 {
                        self.line(fleet.as_str(), &format!("{}/{} proven", state.proven, state.hosts));
                    }
                }
            }
        }
    }
}

/// Every tenth of the hosts is worth a line.
fn is_milestone(ended: usize, shown: usize, hosts: usize) -> bool {
    ended - shown >= hosts.div_ceil(10).max(1)
}
