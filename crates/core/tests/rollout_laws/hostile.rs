//! A fleet, an SSM and an ECS that may answer anything.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use regcred_core::fingerprint::Revision;
use regcred_core::host::{
    Attributes, FailedHosts, InstanceStatus, Membership, Ping, Platform, RecordedFailure, Registration,
};
use regcred_core::invocation::{CommandState, NothingRan, Progress};
use regcred_core::rollout::{MaxUnavailable, Others, Refusal};
use regcred_core::script::{Outcome, Reason, ScriptReport};
use regcred_core::stop::StopReason;

use super::{
    ClusterName, CommandId, ContainerInstanceArn, Event, Host, HostId, Invocation, Policy, Sample, Seen,
    VersionId, arn, desired, id,
};

/// Everything that will be answered. Lists are gone round and round.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) policy: Policy,
    pub(crate) hosts: Vec<SimHost>,
    pub(crate) registered: BTreeMap<ClusterName, usize>,
    pub(crate) sends: Vec<SendAnswer>,
    pub(crate) polls: Vec<PollAnswer>,
    pub(crate) inspections: Vec<Option<CommandState>>,
    /// Whether attributes are put.
    pub(crate) records: Vec<bool>,
    /// How long each call takes, in seconds.
    pub(crate) pace: Vec<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct SimHost {
    pub(crate) host: Host,
    /// How many polls show it at work before its end.
    pub(crate) polls: usize,
    pub(crate) fate: Fate,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// The script ends with this report.
    Reports(ScriptReport),
    /// The script ends with this output.
    Prints(String),
    /// SSM shows this status and these details.
    Shows(&'static str, &'static str),
    /// The script never ends.
    Hangs,
    /// SSM never shows an invocation.
    Invisible,
}

#[derive(Clone, Debug)]
pub(crate) enum SendAnswer {
    Accepted,
    Refused(Refusal),
    Lost,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum PollAnswer {
    Shown,
    Failed,
    Denied,
}

impl World {
    pub(crate) fn seen(&self) -> Seen {
        let hosts = self.hosts.iter().map(|each| each.host.clone());
        Seen::new(&self.policy, desired(), hosts, self.registered.clone())
    }
}

pub(crate) fn world() -> impl Strategy<Value = World> {
    // A fleet where most is well gets far; one where anything goes finds the corners.
    (any::<bool>(), 1_usize..14).prop_flat_map(|(mostly_well, count)| {
        let hosts: Vec<_> = (0..count).map(|n| sim_host(n, mostly_well)).collect();
        let well: u32 = if mostly_well { 60 } else { 4 };
        let accepted = prop_oneof![
            well => Just(SendAnswer::Accepted),
            1 => refusal().prop_map(SendAnswer::Refused),
            1 => Just(SendAnswer::Lost),
        ];
        let poll = prop_oneof![
            3 * well => Just(PollAnswer::Shown),
            well.div_ceil(4) => Just(PollAnswer::Failed),
            1 => Just(PollAnswer::Denied),
        ];
        let list = 1..8_usize;
        (
            policy(),
            hosts,
            prop::collection::btree_map(cluster(), 1_usize..40, 0..3),
            prop::collection::vec(accepted, list.clone()),
            prop::collection::vec(poll, list.clone()),
            prop::collection::vec(command_state(), list.clone()),
            prop::collection::vec(prop::bool::weighted(0.9), list.clone()),
            prop::collection::vec(0_u64..4, list),
        )
            .prop_map(|(policy, hosts, registered, sends, polls, inspections, records, pace)| {
                World { policy, hosts, registered, sends, polls, inspections, records, pace }
            })
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    let max_unavailable = prop_oneof![
        (0_u32..6).prop_map(MaxUnavailable::Count),
        (0_u8..=100).prop_map(MaxUnavailable::Percent)
    ];
    let failed_hosts = select(vec![FailedHosts::LeaveAlone, FailedHosts::Retry]);
    (max_unavailable, 0_u32..5, 1_u64..10, 1_u64..20, 30_u64..600, 0_u64..200, failed_hosts).prop_map(
        |(max_unavailable, max_errors, poll, settle, command, settle_timeout, failed_hosts)| Policy {
            max_unavailable,
            max_errors,
            poll_interval: Duration::from_secs(poll),
            settle_interval: Duration::from_secs(settle),
            command_timeout: Duration::from_secs(command),
            settle_timeout: Duration::from_secs(settle_timeout),
            failed_hosts,
        },
    )
}

fn cluster() -> impl Strategy<Value = ClusterName> {
    select(vec!["batch", "edge", "web"]).prop_map(ClusterName::new)
}

fn sim_host(n: usize, well: bool) -> impl Strategy<Value = SimHost> {
    let mostly = if well { 40 } else { 3 };
    let fate = prop_oneof![
        mostly => Just(Fate::Reports(report_of(Outcome::Loaded))),
        4 => report().prop_map(Fate::Reports),
        1 => select(vec!["", "boom\n", "{\"regcred\":1,\"outcome\":\"lo", "{\"regcred\":9,\"outcome\":\"loaded\"}"])
            .prop_map(|text| Fate::Prints(text.into())),
        2 => (select(STATUSES.to_vec()), select(DETAILS.to_vec())).prop_map(|(s, d)| Fate::Shows(s, d)),
        1 => Just(Fate::Hangs),
        1 => Just(Fate::Invisible),
    ];
    let sample = prop_oneof![
        (if well { 20 } else { 4 }) => Just(Sample::Connected),
        2 => Just(Sample::Disconnected),
        1 => Just(Sample::Unknown),
        1 => Just(Sample::Gone),
    ];
    (host(n, mostly), 0_usize..4, fate, prop::collection::vec(sample, 1..6))
        .prop_map(|(host, polls, fate, samples)| SimHost { host, polls, fate, samples })
}

fn host(n: usize, mostly: u32) -> impl Strategy<Value = Host> {
    let revision = || {
        prop_oneof![
            mostly => Just(None),
            1 => Just(Some("r0")),
            1 => Just(Some("r1")),
        ]
        .prop_map(|text| text.map(Revision::from_recorded))
    };
    let failure = prop_oneof![
        4 => revision().prop_map(|revision| revision.map(RecordedFailure::Revision)),
        1 => (0_u32..4).prop_map(|times| Some(RecordedFailure::Unproven { times })),
    ];
    let platform = prop_oneof![mostly => Just(Platform::Linux), 1 => Just(Platform::Bottlerocket), 1 => Just(Platform::Windows), 1 => Just(Platform::ManagedInstance)];
    let status = prop_oneof![
        mostly => Just("ACTIVE"),
        1 => select(vec!["DRAINING", "REGISTERING", "REGISTRATION_FAILED", "DEREGISTERING", "INACTIVE", "NEW"])
    ];
    let ping = prop_oneof![
        mostly => Just(Ping::Online),
        1 => select(vec![Ping::ConnectionLost, Ping::Inactive, Ping::NotManaged, Ping::Other("New".into())])
    ];
    // A few share their instance with another registration, and some are outside ECS's view.
    let instance = prop_oneof![mostly * 3 => Just(Some(n)), 1 => Just(Some(n / 2)), 3 => Just(None)];
    (cluster(), (platform, revision(), failure), status, any::<bool>(), ping, instance).prop_map(
        move |(cluster, (platform, recorded, failed), status, agent_connected, ping, instance)| {
            let registration =
                Registration { cluster, arn: arn(n), status: InstanceStatus::read(status), agent_connected };
            Host {
                id: id(instance.unwrap_or(n)),
                membership: instance.map_or(Membership::Outside, |_| Membership::Registered(registration)),
                attributes: Attributes { platform, recorded, failed },
                ping,
            }
        },
    )
}

pub(crate) fn report_of(outcome: Outcome) -> ScriptReport {
    ScriptReport {
        outcome,
        reason: None,
        version_id: Some(VersionId::new("planned")),
        container_instance_arn: None,
        restarted: None,
        seconds: Some(12),
        detail: None,
    }
}

fn report() -> impl Strategy<Value = ScriptReport> {
    let outcome = select(vec![
        Outcome::Loaded,
        Outcome::Unchanged,
        Outcome::Restored,
        Outcome::Unproven,
        Outcome::Refused,
        Outcome::Failed,
        Outcome::Tried,
        Outcome::Busy,
    ]);
    let version = prop_oneof![8 => Just(Some("planned")), 1 => Just(Some("newer")), 1 => Just(None)];
    let instance = prop_oneof![8 => Just(None), 1 => Just(Some(ContainerInstanceArn::new("arn:another")))];
    let reason =
        prop_oneof![Just(None), Just(Some(Reason::UnitDead)), Just(Some(Reason::Other("odd".into())))];
    (outcome, version, instance, reason, any::<Option<bool>>()).prop_map(
        |(outcome, version, container_instance_arn, reason, restarted)| ScriptReport {
            reason,
            version_id: version.map(VersionId::new),
            container_instance_arn,
            restarted,
            ..report_of(outcome)
        },
    )
}

const STATUSES: [&str; 9] =
    ["Pending", "InProgress", "Delayed", "Success", "Cancelled", "TimedOut", "Failed", "Cancelling", "Odd"];

const DETAILS: [&str; 16] = [
    "",
    "Pending",
    "In Progress",
    "Delayed",
    "Success",
    "Delivery Timed Out",
    "DeliveryTimedOut",
    "Execution Timed Out",
    "Failed",
    "Cancelled",
    "Undeliverable",
    "Terminated",
    "InvalidPlatform",
    "Access Denied",
    "Rate Exceeded",
    "Odd",
];

fn refusal() -> impl Strategy<Value = Refusal> {
    select(vec![
        Refusal::InvalidInstance,
        Refusal::Throttled,
        Refusal::AccessDenied,
        Refusal::Document,
        Refusal::ForeignDocument,
        Refusal::Unrecorded,
        Refusal::Other("Odd".into()),
    ])
}

fn command_state() -> impl Strategy<Value = Option<CommandState>> {
    select(vec![
        None,
        Some(CommandState::Running),
        Some(CommandState::Ended),
        Some(CommandState::NothingRan(NothingRan::RateExceeded)),
        Some(CommandState::Unknown("Odd".into())),
    ])
}

/// Any events, each with the seconds that pass after it.
pub(crate) fn events() -> impl Strategy<Value = Vec<(Event, u64)>> {
    let some_id = || (0_usize..16).prop_map(id);
    let hosts = || prop::collection::vec(some_id(), 0..6);
    let command = || (0_u8..4).prop_map(|n| CommandId::new(format!("c{n}")));
    let sample = select(vec![Sample::Connected, Sample::Disconnected, Sample::Unknown, Sample::Gone]);
    let progress = prop_oneof![
        4 => Just(Progress::Ended),
        1 => (select(STATUSES.to_vec()), select(DETAILS.to_vec()))
            .prop_map(|(status, details)| regcred_core::invocation::read_invocation(status, details)),
    ];
    let output = prop_oneof![4 => report().prop_map(|report| report.to_line()), 1 => Just("boom".to_owned())];
    let invocation = (some_id(), progress, output, any::<Option<i32>>())
        .prop_map(|(host, progress, output, exit_code)| Invocation { host, progress, output, exit_code });
    let event = prop_oneof![
        Just(Event::Time),
        hosts().prop_map(|hosts: Vec<HostId>| Event::Sending { hosts }),
        (hosts(), command()).prop_map(|(hosts, command)| Event::SendAccepted { hosts, command }),
        (hosts(), refusal()).prop_map(|(hosts, refusal)| Event::SendRefused { hosts, refusal }),
        hosts().prop_map(|hosts| Event::SendLost { hosts }),
        (command(), prop::collection::vec(invocation, 0..6))
            .prop_map(|(command, invocations)| Event::Polled { command, invocations }),
        command().prop_map(|command| Event::Unfollowable { command }),
        (command(), command_state()).prop_map(|(command, state)| Event::Inspected { command, state }),
        prop::collection::vec((some_id(), sample), 0..6).prop_map(|samples| Event::Sampled { samples }),
        hosts().prop_map(|hosts| Event::Recorded { hosts }),
        hosts().prop_map(|hosts| Event::RecordFailed { hosts }),
        some_id().prop_map(|host| Event::Gone { host }),
        (0_usize..6, 0_u32..6).prop_map(|(errors, max_errors)| Event::Others(Others { errors, max_errors })),
        Just(Event::Stopped { why: StopReason::LeaseLost }),
    ];
    prop::collection::vec((event, 0_u64..60), 0..60)
}
