//! Each rule of a rollout, one by one. The laws that hold for all of them together are in `tests/rollout_laws.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::*;
use crate::fingerprint::Revision;
use crate::host::{
    Attributes, ContainerInstanceArn, FailedHosts, Host, HostId, InstanceStatus, Ping, Platform,
};
use crate::invocation::Progress;
use crate::script::{Outcome, ScriptReport, VersionId};

fn policy() -> Policy {
    Policy {
        max_unavailable: MaxUnavailable::Count(10),
        max_errors: 0,
        poll_interval: Duration::from_secs(5),
        settle_interval: Duration::from_secs(15),
        command_timeout: Duration::from_mins(10),
        settle_timeout: Duration::from_mins(3),
        failed_hosts: FailedHosts::LeaveAlone,
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn id(n: usize) -> HostId {
    HostId::parse(&format!("i-{n:017}")).unwrap()
}

fn host(n: usize) -> Host {
    Host {
        id: id(n),
        cluster: ClusterName::new("web"),
        arn: ContainerInstanceArn::new(format!("arn:{n}")),
        attributes: Attributes { platform: Platform::Linux, recorded: None, failed: None },
        status: InstanceStatus::Active,
        agent_connected: true,
        ping: Ping::Online,
    }
}

fn desired() -> Desired {
    Desired { revision: Revision::from_recorded("r1"), version_id: VersionId::new("v1") }
}

fn seen(hosts: impl IntoIterator<Item = Host>) -> Seen {
    Seen::new(&policy(), desired(), hosts, BTreeMap::new())
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

fn invocation(host: HostId, report: &ScriptReport) -> Invocation {
    Invocation { host, progress: Progress::Ended, output: report.to_line(), exit_code: Some(0) }
}

#[test]
fn one_host_goes_from_waiting_to_recorded() {
    let policy = policy();
    let mut seen = seen([host(1)]);
    assert_eq!(next(&policy, &seen, at(0)), [Step::Send { hosts: vec![id(1)], max_errors: 0 }]);
    seen.apply(&policy, Event::Sending { hosts: vec![id(1)] }, at(0));
    let command = CommandId::new("c");
    seen.apply(&policy, Event::SendAccepted { hosts: vec![id(1)], command: command.clone() }, at(1));
    assert_eq!(next(&policy, &seen, at(1)), [Step::Wait { until: at(6) }]);
    assert_eq!(next(&policy, &seen, at(6)), [Step::Poll { command: command.clone() }]);
    let invocations = vec![invocation(id(1), &report(Outcome::Loaded))];
    seen.apply(&policy, Event::Polled { command, invocations }, at(6));
    for now in [6, 21] {
        let [Step::Sample { instances, .. }] = &next(&policy, &seen, at(now))[..] else { panic!() };
        assert_eq!(instances, &[Instance { host: id(1), arn: ContainerInstanceArn::new("arn:1") }]);
        seen.apply(&policy, Event::Sampled { samples: vec![(id(1), Sample::Connected)] }, at(now));
    }
    let [Step::Record { attributes, .. }] = &next(&policy, &seen, at(21))[..] else { panic!() };
    assert_eq!((attributes[0].name, attributes[0].value.as_str()), ("regcred.revision", "r1"));
    seen.apply(&policy, Event::Recorded { hosts: vec![id(1)] }, at(21));
    assert_eq!(next(&policy, &seen, at(21)), [Step::Done(Ending::Converged)]);
    assert_eq!(seen.report()[0].outcome, HostOutcome::Proven { restarted: true });
}
