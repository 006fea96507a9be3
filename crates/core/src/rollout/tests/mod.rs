//! Each rule of a rollout, one by one. The laws that hold for all of them together are in `tests/rollout_laws`.

mod following;
mod latecomers;
mod outside;
mod reporting;
mod sending;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::*;
use crate::fingerprint::Revision;
use crate::host::{
    Attributes, ClusterName, ContainerInstanceArn, FailedHosts, Host, HostId, InstanceStatus, Membership,
    Ping, Platform, RecordedFailure, Registration,
};
use crate::invocation::Progress;
use crate::script::{Outcome, Reason, ScriptReport, VersionId};

fn id(n: usize) -> HostId {
    HostId::parse(&format!("i-{n:017}")).unwrap()
}

fn ids(numbers: impl IntoIterator<Item = usize>) -> Vec<HostId> {
    numbers.into_iter().map(id).collect()
}

fn host(n: usize) -> Host {
    host_with(n, |_| {})
}

fn host_with(n: usize, change: impl Fn(&mut Registration)) -> Host {
    let mut registration = Registration {
        cluster: ClusterName::new("web"),
        arn: ContainerInstanceArn::new(format!("arn:{n}")),
        status: InstanceStatus::Active,
        agent_connected: true,
    };
    change(&mut registration);
    Host {
        id: id(n),
        membership: Membership::Registered(registration),
        attributes: Attributes { platform: Platform::Linux, recorded: None, failed: None },
        ping: Ping::Online,
    }
}

fn host_of(cluster: &str, n: usize) -> Host {
    host_with(n, |it| it.cluster = ClusterName::new(cluster))
}

fn with_failure(n: usize, revision: &str) -> Host {
    let mut host = host(n);
    host.attributes.failed = Some(RecordedFailure::Revision(Revision::from_recorded(revision)));
    host
}

fn with_setbacks(n: usize, times: u32) -> Host {
    let mut host = host(n);
    host.attributes.failed = Some(RecordedFailure::Unproven { times });
    host
}

fn report(outcome: Outcome) -> ScriptReport {
    ScriptReport {
        outcome,
        reason: None,
        version_id: Some(VersionId::new("v1")),
        container_instance_arn: None,
        restarted: None,
        seconds: Some(12),
        detail: None,
    }
}

/// A rollout of revision `r1`, object version `v1`, with a clock that is set by hand.
struct Rollout {
    policy: Policy,
    seen: Seen,
    now: DateTime<Utc>,
    commands: usize,
}

impl Rollout {
    fn new(hosts: impl IntoIterator<Item = Host>) -> Self {
        Self::with(|_| {}, hosts)
    }

    /// Ten hosts of a cluster at a time, no error allowed, unless `change` says otherwise.
    fn with(change: impl Fn(&mut Policy), hosts: impl IntoIterator<Item = Host>) -> Self {
        let mut policy = Policy {
            max_unavailable: MaxUnavailable::Count(10),
            max_errors: 0,
            poll_interval: Duration::from_secs(5),
            settle_interval: Duration::from_secs(15),
            command_timeout: Duration::from_mins(10),
            settle_timeout: Duration::from_mins(3),
            failed_hosts: FailedHosts::LeaveAlone,
        };
        change(&mut policy);
        let desired = Desired { revision: Revision::from_recorded("r1"), version_id: VersionId::new("v1") };
        let seen = Seen::new(&policy, desired, hosts, BTreeMap::new());
        Self { policy, seen, now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(), commands: 0 }
    }

    fn next(&self) -> Vec<Step> {
        next(&self.policy, &self.seen, self.now)
    }

    fn tell(&mut self, event: Event) {
        self.seen.apply(&self.policy, event, self.now);
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.tell(Event::Time);
    }

    /// The hosts that are sent to now; none if there is no send.
    fn to_send(&self) -> Vec<HostId> {
        let sends: Vec<_> = self
            .next()
            .into_iter()
            .filter_map(|step| match step {
                Step::Send { hosts, .. } => Some(hosts),
                _ => None,
            })
            .collect();
        assert!(sends.len() <= 1, "one command at a time");
        sends.into_iter().flatten().collect()
    }

    /// Sends what is to be sent, and says to whom, in which command.
    fn send(&mut self) -> (Vec<HostId>, CommandId) {
        let hosts = self.to_send();
        assert!(!hosts.is_empty(), "nothing to send: {:?}", self.next());
        self.commands += 1;
        let command = CommandId::new(format!("c{}", self.commands));
        self.tell(Event::Sending { hosts: hosts.clone() });
        self.tell(Event::SendAccepted { hosts: hosts.clone(), command: command.clone() });
        (hosts, command)
    }

    fn progress(&mut self, command: &CommandId, hosts: &[HostId], progress: &Progress, output: &str) {
        let invocations = hosts
            .iter()
            .map(|host| Invocation {
                host: host.clone(),
                progress: progress.clone(),
                output: output.to_owned(),
                exit_code: Some(0),
            })
            .collect();
        self.tell(Event::Polled { command: command.clone(), invocations });
    }

    fn reports(&mut self, command: &CommandId, hosts: &[HostId], report: &ScriptReport) {
        self.progress(command, hosts, &Progress::Ended, &report.to_line());
    }

    fn sample(&mut self, hosts: &[HostId], sample: Sample) {
        self.tell(Event::Sampled { samples: hosts.iter().map(|host| (host.clone(), sample)).collect() });
    }

    /// Sends to whom is next, and sees all of them loaded, connected twice, and recorded.
    fn prove(&mut self) -> Vec<HostId> {
        let (hosts, command) = self.send();
        self.reports(&command, &hosts, &report(Outcome::Loaded));
        self.sample(&hosts, Sample::Connected);
        self.pass(15);
        self.sample(&hosts, Sample::Connected);
        self.tell(Event::Recorded { hosts: hosts.clone() });
        hosts
    }

    fn outcome(&self, n: usize) -> HostOutcome {
        let line = self.seen.report().into_iter().find(|line| line.host == id(n));
        line.expect("each host is in the report").outcome
    }

    /// How it ends, if nothing is in flight.
    fn ending(&self) -> Ending {
        match &self.next()[..] {
            [Step::Done(ending)] => ending.clone(),
            steps => panic!("not at its end: {steps:?}"),
        }
    }
}

#[test]
fn one_host_goes_from_waiting_to_recorded() {
    let mut rollout = Rollout::new([host(1)]);
    assert_eq!(rollout.next(), [Step::Send { hosts: ids([1]), max_errors: 0 }]);
    let (hosts, command) = rollout.send();
    assert_eq!(rollout.next(), [Step::Wait { until: rollout.now + Duration::from_secs(5) }]);
    rollout.pass(5);
    assert_eq!(rollout.next(), [Step::Poll { command: command.clone() }]);
    rollout.reports(&command, &hosts, &report(Outcome::Loaded));

    let instance = Instance { host: id(1), arn: ContainerInstanceArn::new("arn:1") };
    let sample = Step::Sample { cluster: ClusterName::new("web"), instances: vec![instance.clone()] };
    assert_eq!(rollout.next(), std::slice::from_ref(&sample));
    rollout.sample(&hosts, Sample::Connected);
    assert_eq!(rollout.next(), [Step::Wait { until: rollout.now + Duration::from_secs(15) }]);
    rollout.pass(15);
    assert_eq!(rollout.next(), [sample]);
    rollout.sample(&hosts, Sample::Connected);

    let attribute = Attribute { instance, name: "regcred.revision", value: "r1".into() };
    assert_eq!(
        rollout.next(),
        [Step::Record { cluster: ClusterName::new("web"), attributes: vec![attribute] }]
    );
    rollout.tell(Event::Recorded { hosts });
    assert_eq!(rollout.ending(), Ending::Converged);
    assert_eq!(rollout.outcome(1), HostOutcome::Proven { restarted: true });
}
