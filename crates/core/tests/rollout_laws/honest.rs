//! A fleet that does what hosts do, and remembers it from pass to pass: for what holds over several passes.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use regcred_core::fingerprint::Revision;
use regcred_core::host::{
    Attributes, FAILED_ATTRIBUTE, FailedHosts, InstanceStatus, Membership, Ping, Platform,
    REVISION_ATTRIBUTE, RecordedFailure, Registration,
};
use regcred_core::invocation::Progress;
use regcred_core::plan::Estimate;
use regcred_core::rollout::{Forecast, HostState, MaxUnavailable, forecast};
use regcred_core::script::{Outcome, Reason, ScriptReport};
use regcred_core::stop::StopReason;

use super::hostile::report_of;
use super::{
    ClusterName, CommandId, Ending, Event, Host, HostId, Invocation, Latecomers, Policy, Sample, Seen, Step,
    arn, at, desired, id, next,
};

#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    hosts: BTreeMap<HostId, SimHost>,
    policy: Policy,
    commands: usize,
    seconds: u64,
    /// How long a script runs, in seconds.
    script: u64,
    spent: Spent,
    /// Those that join while the next pass runs.
    late: Vec<SimHost>,
}

/// What passes have cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) calls: usize,
    pub(crate) down_at_once: usize,
}

#[derive(Clone, Debug)]
struct SimHost {
    /// None of a host outside ECS's view.
    cluster: Option<ClusterName>,
    number: usize,
    health: Health,
    attributes: BTreeMap<&'static str, String>,
    loaded: bool,
    /// What the script remembers.
    failed: bool,
    restarts: u32,
    /// The script was at work on it.
    ran: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Well,
    /// Its agent does not take the new value.
    Rejects,
    /// Its script does not touch it.
    Refuses,
}

pub(crate) fn fleet() -> impl Strategy<Value = Fleet> {
    let health = prop_oneof![8 => Just(Health::Well), 1 => Just(Health::Rejects), 1 => Just(Health::Refuses)];
    // A fleet is one of clusters, or outside ECS's view, never both.
    let host = (0_usize..3, health);
    (prop::collection::vec(host, 1..13), 0_u32..4, 1_u32..5, any::<bool>()).prop_map(
        |(hosts, max_errors, max_unavailable, in_clusters)| {
            let hosts = hosts
                .into_iter()
                .enumerate()
                .map(|(n, (cluster, health))| {
                    (id(n), SimHost::new(n, in_clusters.then_some(cluster), health))
                })
                .collect();
            Fleet {
                hosts,
                policy: policy(MaxUnavailable::Count(max_unavailable), max_errors),
                commands: 0,
                seconds: 0,
                script: 0,
                spent: Spent::default(),
                late: Vec::new(),
            }
        },
    )
}

fn policy(max_unavailable: MaxUnavailable, max_errors: u32) -> Policy {
    Policy {
        max_unavailable,
        max_errors,
        poll_interval: Duration::from_secs(5),
        settle_interval: Duration::from_secs(15),
        command_timeout: Duration::from_mins(10),
        settle_timeout: Duration::from_mins(3),
        failed_hosts: FailedHosts::LeaveAlone,
    }
}

impl SimHost {
    fn new(number: usize, cluster: Option<usize>, health: Health) -> Self {
        Self {
            cluster: cluster.map(|number| ClusterName::new(format!("c{number}"))),
            number,
            health,
            attributes: BTreeMap::new(),
            loaded: false,
            failed: false,
            restarts: 0,
            ran: false,
        }
    }

    fn host(&self) -> Host {
        let attribute = |name| self.attributes.get(name).map(String::as_str);
        Host {
            id: id(self.number),
            membership: self.cluster.clone().map_or(Membership::Outside, |cluster| {
                Membership::Registered(Registration {
                    cluster,
                    arn: arn(self.number),
                    status: InstanceStatus::Active,
                    agent_connected: true,
                })
            }),
            attributes: Attributes {
                platform: Platform::Linux,
                recorded: attribute(REVISION_ATTRIBUTE).map(Revision::from_recorded),
                failed: attribute(FAILED_ATTRIBUTE).and_then(RecordedFailure::read),
            },
            ping: Ping::Online,
        }
    }

    /// What the host script does.
    fn run(&mut self) -> ScriptReport {
        self.ran = true;
        let report =
            ScriptReport { container_instance_arn: Some(arn(self.number)), ..report_of(Outcome::Loaded) };
        if self.loaded {
            return ScriptReport { outcome: Outcome::Unchanged, ..report };
        }
        if self.failed {
            return ScriptReport { outcome: Outcome::Tried, ..report };
        }
        match self.health {
            Health::Well => {
                self.restarts += 1;
                self.loaded = true;
                report
            }
            Health::Rejects => {
                self.restarts += 2;
                self.failed = true;
                ScriptReport { outcome: Outcome::Restored, reason: Some(Reason::EnvDiffers), ..report }
            }
            Health::Refuses => {
                ScriptReport { outcome: Outcome::Refused, reason: Some(Reason::ClusterMismatch), ..report }
            }
        }
    }
}

impl Fleet {
    pub(crate) fn healthy(hosts: usize, clusters: usize) -> Self {
        let hosts = (0..hosts).map(|n| (id(n), SimHost::new(n, Some(n % clusters), Health::Well))).collect();
        Self {
            hosts,
            policy: policy(MaxUnavailable::Percent(10), 0),
            commands: 0,
            seconds: 0,
            script: 0,
            spent: Spent::default(),
            late: Vec::new(),
        }
    }

    /// The same fleet, whose scripts take this long.
    pub(crate) fn with_scripts_of(self, seconds: u64) -> Self {
        Self { script: seconds, ..self }
    }

    /// What a plan says of the next pass.
    pub(crate) fn forecast(&self) -> (Forecast, Estimate) {
        let hosts: Vec<Host> = self.hosts.values().map(SimHost::host).collect();
        let seen = Seen::new(&self.policy, desired(), hosts, BTreeMap::new());
        let forecast = forecast(&self.policy, &seen);
        let estimate = Estimate::of_rollout(&self.policy, &forecast, &seen.report());
        (forecast, estimate)
    }

    /// What all passes have cost.
    pub(crate) fn spent(&self) -> &Spent {
        &self.spent
    }

    pub(crate) fn clock(&self) -> u64 {
        self.seconds
    }

    /// Hosts on which the script ran, and that did not take the value.
    pub(crate) fn bad(&self) -> usize {
        let bad = |host: &&SimHost| host.health != Health::Well && host.ran;
        self.hosts.values().filter(bad).count()
    }

    pub(crate) fn len(&self) -> usize {
        self.hosts.len()
    }

    fn host(&mut self, id: &HostId) -> &mut SimHost {
        self.hosts.get_mut(id).expect("only hosts of the fleet are named")
    }

    pub(crate) fn restarts(&self) -> Vec<u32> {
        self.hosts.values().map(|host| host.restarts).collect()
    }

    pub(crate) fn sends(&self) -> usize {
        self.commands
    }

    /// So many healthy hosts join the next pass while it runs, of the first cluster.
    pub(crate) fn joined_by(&mut self, late: usize) {
        let first = self.hosts.len();
        let cluster = self.first_cluster();
        self.late = (first..first + late).map(|n| SimHost::new(n, cluster, Health::Well)).collect();
    }

    fn first_cluster(&self) -> Option<usize> {
        self.hosts.values().any(|host| host.cluster.is_some()).then_some(0)
    }

    /// How many hosts may be down at once when so many more have joined.
    pub(crate) fn room_with(&self, late: usize) -> usize {
        let mut clusters: BTreeMap<Option<ClusterName>, usize> = BTreeMap::new();
        let first = self.first_cluster().map(|_| ClusterName::new("c0"));
        let first = std::iter::repeat_n(first, late);
        for cluster in self.hosts.values().map(|host| host.cluster.clone()).chain(first) {
            *clusters.entry(cluster).or_default() += 1;
        }
        clusters.values().map(|size| self.policy.max_unavailable.of(*size).min(*size)).sum()
    }

    /// One pass: the hosts are read anew, and once more at its end. With a cut it is killed after so many calls, each of
    /// which was done.
    pub(crate) fn pass(&mut self, cut: Option<usize>) -> Ending {
        self.run(cut, None)
    }

    /// One pass that is made to stop after so many calls. Nothing is sent from then on, and nothing is left in flight.
    pub(crate) fn pass_that_is_stopped(&mut self, after: usize) -> Ending {
        self.run(None, Some(after))
    }

    fn run(&mut self, cut: Option<usize>, stop: Option<usize>) -> Ending {
        let mut stop = stop.map(|after| self.spent.calls + after);
        let mut sent_at_stop = None;
        let mut calls = 0..cut.unwrap_or(usize::MAX);
        let mut reports: BTreeMap<CommandId, (u64, Vec<Invocation>)> = BTreeMap::new();
        let hosts: Vec<Host> = self.hosts.values().map(SimHost::host).collect();
        let mut seen = Seen::new(&self.policy, desired(), hosts, BTreeMap::new());
        self.hosts.extend(std::mem::take(&mut self.late).into_iter().map(|host| (id(host.number), host)));
        let mut looked = false;
        loop {
            if stop.take_if(|after| *after <= self.spent.calls).is_some() {
                seen.apply(&self.policy, Event::Stopped { why: StopReason::Asked }, at(self.seconds));
                sent_at_stop = Some(self.commands);
            }
            seen.apply(&self.policy, Event::Time, at(self.seconds));
            for step in next(&self.policy, &seen, at(self.seconds)) {
                let event = match step {
                    Step::Done(ending) => {
                        let in_flight = seen.hosts().any(|(_, state)| state == HostState::InFlight);
                        assert!(!in_flight, "a rollout ended, and hosts are in flight");
                        if let Some(sent) = sent_at_stop {
                            assert_eq!(self.commands, sent, "something was sent after the stop");
                            let waits = seen.hosts().any(|(_, state)| state == HostState::Waiting);
                            assert!(waits || !matches!(ending, Ending::Stopped { .. }), "nobody was left");
                        }
                        if std::mem::replace(&mut looked, true) || !seen.is_worth_a_last_look(&ending) {
                            return ending;
                        }
                        let hosts: Vec<Host> = self.hosts.values().map(SimHost::host).collect();
                        seen.take_in(&self.policy, Latecomers::RollOut, hosts, BTreeMap::new());
                        self.spent.calls += 1;
                        continue;
                    }
                    Step::Wait { until } => {
                        self.seconds += super::seconds(until - at(self.seconds));
                        continue;
                    }
                    Step::Send { hosts, .. } => {
                        let command = CommandId::new(format!("c{}", self.commands));
                        self.commands += 1;
                        let invocations = hosts.iter().map(|id| {
                            let report = self.host(id).run();
                            Invocation {
                                host: id.clone(),
                                progress: Progress::Ended,
                                output: report.to_line(),
                                exit_code: Some(0),
                            }
                        });
                        let invocations = invocations.collect();
                        reports.insert(command.clone(), (self.seconds + self.script, invocations));
                        Event::SendAccepted { hosts, command }
                    }
                    Step::Poll { command } => {
                        let (end, mut invocations) = reports[&command].clone();
                        if self.seconds < end {
                            for invocation in &mut invocations {
                                invocation.progress = Progress::Running;
                            }
                        }
                        Event::Polled { command, invocations }
                    }
                    Step::Inspect { command } => Event::Inspected { command, state: None },
                    Step::Sample { instances, .. } => {
                        let samples =
                            instances.into_iter().map(|each| (each.host, Sample::Connected)).collect();
                        Event::Sampled { samples }
                    }
                    Step::Record { attributes, .. } => {
                        let mut hosts = Vec::new();
                        for attribute in attributes {
                            let host = self.host(&attribute.instance.host);
                            host.attributes.insert(attribute.name, attribute.value);
                            hosts.push(attribute.instance.host);
                        }
                        Event::Recorded { hosts }
                    }
                    Step::Note { notes } => {
                        let hosts = notes.iter().map(|note| note.host.clone()).collect();
                        for note in notes {
                            self.host(&note.host).attributes.insert(note.name, note.value);
                        }
                        Event::Recorded { hosts }
                    }
                };
                self.spent.calls += 1;
                if calls.next().is_none() {
                    return Ending::PartlyReached;
                }
                seen.apply(&self.policy, event, at(self.seconds));
                let down = seen.hosts().filter(|(_, state)| *state == HostState::InFlight).count();
                self.spent.down_at_once = self.spent.down_at_once.max(down);
            }
        }
    }

    /// What heals, and is well from now on.
    pub(crate) fn heal_those_that_refuse(&mut self) {
        for host in self.hosts.values_mut().filter(|host| host.health == Health::Refuses) {
            host.health = Health::Well;
        }
    }

    /// Whether hosts refuse, which are sent to in every pass.
    pub(crate) fn some_refuse(&self) -> bool {
        self.hosts.values().any(|host| host.health == Health::Refuses)
    }

    /// Every healthy host is restarted once and recorded; one that rejects the value was tried once, put back, and
    /// recorded; one that refuses was not touched.
    pub(crate) fn assert_reached(&self) {
        for (id, host) in &self.hosts {
            let recorded = |name| host.attributes.get(name).map(String::as_str);
            match host.health {
                Health::Well => {
                    assert_eq!((host.restarts, recorded(REVISION_ATTRIBUTE)), (1, Some("r1")), "{id}");
                }
                Health::Rejects => {
                    assert_eq!((host.restarts, recorded(FAILED_ATTRIBUTE)), (2, Some("r1")), "{id}");
                }
                Health::Refuses => {
                    assert_eq!((host.restarts, recorded(REVISION_ATTRIBUTE)), (0, None), "{id}");
                }
            }
        }
    }
}
