use super::*;
use crate::host::{Attributes, Membership, RecordedFailure, Registration};
use crate::invocation::NothingRan;
use crate::script::AuthSource;

type Change = fn(&mut ProbeReport);

const REVISION: &str = "r1";

fn published() -> Published {
    Published { revision: Revision::from_recorded(REVISION), version_id: Some(VersionId::new("v1")) }
}

fn host(recorded: Option<&str>) -> Host {
    Host {
        id: HostId::parse("i-12345678").unwrap(),
        membership: Membership::Registered(registration(|_| {})),
        attributes: Attributes {
            platform: Platform::Linux,
            recorded: recorded.map(Revision::from_recorded),
            failed: None,
        },
        ping: Ping::Online,
    }
}

fn registration(change: impl FnOnce(&mut Registration)) -> Registration {
    let mut registration = Registration {
        cluster: ClusterName::new("web"),
        arn: ContainerInstanceArn::new("arn:1"),
        status: InstanceStatus::Active,
        agent_connected: true,
    };
    change(&mut registration);
    registration
}

/// Of a host that is as it should be.
fn report() -> ProbeReport {
    ProbeReport {
        version_id: Some(VersionId::new("v1")),
        container_instance_arn: Some(ContainerInstanceArn::new("arn:1")),
        cluster: Some("web".into()),
        agent: AgentState::Registered,
        agent_version: Some("1.105.1".into()),
        object_and_live: Agreement::Same,
        object_and_file: Agreement::Same,
        file_and_live: Agreement::Same,
        source: AuthSource::Etc,
        warnings: AuthWarnings::None,
        reason: None,
        detail: None,
    }
}

fn answered(change: impl FnOnce(&mut ProbeReport)) -> HostProbe {
    let mut report = report();
    change(&mut report);
    HostProbe::Answered { report }
}

fn found(host: &Host, probe: HostProbe) -> Finding {
    let mut judged =
        judge(&published(), std::slice::from_ref(host), &BTreeMap::from([(host.id.clone(), probe)]));
    judged.pop().expect("it is a host of the fleet").finding
}

fn differs(differences: &[Difference]) -> Finding {
    Finding::Differs { differences: differences.to_vec() }
}

/// (object, live), (object, file), (file, live)
fn compared(object_and_live: Agreement, object_and_file: Agreement, file_and_live: Agreement) -> HostProbe {
    answered(|report| {
        report.object_and_live = object_and_live;
        report.object_and_file = object_and_file;
        report.file_and_live = file_and_live;
    })
}

#[test]
fn the_file_the_agent_and_the_record_have_to_agree() {
    use Agreement::{Differs, Same, Unknown};
    use Difference::{
        Behind, FailedBefore, FileAndAgentDiffer, FileDiffers, NotLoaded, NotRecorded, RecordLies,
    };
    let right = host(Some(REVISION));
    let old = host(Some("r0"));
    let pending = host(Some(PENDING_REVISION));
    let mut failed = host(Some("r0"));
    failed.attributes.failed = Some(RecordedFailure::Revision(Revision::from_recorded(REVISION)));
    let cases = [
        (&right, compared(Same, Same, Same), Finding::Agrees),
        (&right, compared(Same, Differs, Differs), differs(&[FileDiffers])),
        (&right, compared(Differs, Differs, Same), differs(&[RecordLies])),
        (&right, compared(Differs, Same, Differs), differs(&[RecordLies, NotLoaded])),
        (&right, compared(Differs, Differs, Differs), differs(&[RecordLies, FileAndAgentDiffer])),
        (&old, compared(Differs, Differs, Same), differs(&[Behind])),
        (&failed, compared(Differs, Differs, Same), differs(&[FailedBefore])),
        (&old, compared(Differs, Same, Differs), differs(&[Behind, NotLoaded])),
        (&old, compared(Same, Same, Same), differs(&[NotRecorded])),
        (&pending, compared(Same, Differs, Differs), differs(&[FileDiffers, NotRecorded])),
        // The agent does not tell what it holds.
        (&right, compared(Unknown, Differs, Unknown), differs(&[FileDiffers])),
        // The object could not be read: what can be said without it is said.
        (&right, compared(Unknown, Unknown, Differs), differs(&[FileAndAgentDiffer])),
    ];
    for (host, probe, expected) in cases {
        assert_eq!(found(host, probe.clone()), expected, "{host:?} {probe:?}");
    }
}

#[test]
fn an_agent_that_is_not_well_is_a_difference_whatever_it_holds() {
    let right = host(Some(REVISION));
    let cases: [(Change, Difference); 4] = [
        (|report| report.agent = AgentState::Dead, Difference::AgentDead),
        (|report| report.agent = AgentState::Silent, Difference::AgentSilent),
        (|report| report.warnings = AuthWarnings::Warned, Difference::AgentWarned),
        (
            |report| report.container_instance_arn = Some(ContainerInstanceArn::new("arn:2")),
            Difference::OtherRegistration { arn: ContainerInstanceArn::new("arn:2") },
        ),
    ];
    for (change, difference) in cases {
        assert_eq!(found(&right, answered(change)), differs(&[difference]));
    }
}

#[test]
fn what_was_compared_with_another_version_says_nothing_of_this_one() {
    let moved = answered(|report| {
        report.version_id = Some(VersionId::new("v2"));
        report.object_and_live = Agreement::Differs;
        report.object_and_file = Agreement::Differs;
    });
    let cannot_tell = |why| Finding::CannotTell { why };
    assert_eq!(found(&host(Some(REVISION)), moved), cannot_tell(Untold::ObjectMoved));
    let unread = answered(|report| {
        report.version_id = None;
        report.object_and_live = Agreement::Unknown;
        report.object_and_file = Agreement::Unknown;
        report.reason = Some(Reason::FetchDenied);
    });
    let expected = Untold::ObjectUnread { reason: Some(Reason::FetchDenied), detail: None };
    assert_eq!(found(&host(Some(REVISION)), unread), cannot_tell(expected));
}

#[test]
fn in_a_bucket_without_versions_the_bytes_alone_are_compared() {
    let unversioned = Published { version_id: None, ..published() };
    let host = host(Some(REVISION));
    let probe = answered(|report| report.version_id = None);
    let judged =
        judge(&unversioned, std::slice::from_ref(&host), &BTreeMap::from([(host.id.clone(), probe)]));
    assert_eq!(judged[0].finding, Finding::Agrees);
}

#[test]
fn a_registration_that_is_left_over_is_told_from_the_live_one() {
    let live = host(Some(REVISION));
    let left_over = registration(|it| it.arn = ContainerInstanceArn::new("arn:0"));
    let stale = Host { membership: Membership::Registered(left_over), ..host(None) };
    let probes = BTreeMap::from([(live.id.clone(), answered(|_| ()))]);
    let findings: Vec<Finding> =
        judge(&published(), &[stale, live], &probes).into_iter().map(|host| host.finding).collect();
    let unsupported = Finding::Unsupported { why: Unsupported::StaleRegistration };
    assert_eq!(findings, [unsupported, Finding::Agrees]);
}

#[test]
fn a_host_that_was_not_asked_says_why() {
    let cannot_tell = |why| Finding::CannotTell { why };
    let unreachable = |why| cannot_tell(Untold::Unreachable { why });
    let offline = Host { ping: Ping::ConnectionLost, ..host(Some(REVISION)) };
    let not_online = unreachable(Unreachable::NotOnline(Ping::ConnectionLost));
    assert_eq!(found(&offline, HostProbe::NoResult), not_online);
    let right = host(Some(REVISION));
    let cases = [
        (HostProbe::Busy, cannot_tell(Untold::Busy)),
        (HostProbe::NoResult, cannot_tell(Untold::NoResult)),
        (HostProbe::NotFollowed, cannot_tell(Untold::NotFollowed)),
        (
            HostProbe::nothing_ran(NothingRan::Undeliverable),
            unreachable(Unreachable::NothingRan(NothingRan::Undeliverable)),
        ),
        (HostProbe::NotSent { refusal: None }, cannot_tell(Untold::NotSent { refusal: None })),
    ];
    for (probe, expected) in cases {
        assert_eq!(found(&right, probe), expected);
    }
    let windows = Host {
        attributes: Attributes { platform: Platform::Windows, recorded: None, failed: None },
        ..host(None)
    };
    assert_eq!(found(&windows, HostProbe::NoResult), Finding::Unsupported { why: Unsupported::Windows });
    let inactive = registration(|it| it.status = InstanceStatus::Inactive);
    let gone = Host { membership: Membership::Registered(inactive), ..host(None) };
    assert_eq!(judge(&published(), &[gone], &BTreeMap::new()), []);
}

#[test]
fn what_differs_is_drift_and_what_cannot_be_told_is_worse() {
    let right = host(Some(REVISION));
    let audit = |probe: HostProbe| {
        let hosts =
            judge(&published(), std::slice::from_ref(&right), &BTreeMap::from([(right.id.clone(), probe)]));
        let revision = published().revision;
        let sight = AuditSight::Asked { revision, hosts, unseen: Vec::new(), failures: Vec::new() };
        Audit::new(vec![FleetAudit { fleet: "prod".into(), location: "eu".into(), sight }]).verdict
    };
    assert_eq!(audit(answered(|_| ())), Verdict::Converged);
    assert_eq!(audit(answered(|report| report.agent = AgentState::Dead)), Verdict::Drift);
    assert_eq!(audit(HostProbe::Busy), Verdict::Partial);
}

#[test]
fn a_host_that_is_not_in_order_is_explained_by_what_to_see_to_first() {
    let old = host(Some("r0"));
    let probe = compared(Agreement::Differs, Agreement::Same, Agreement::Differs);
    let probes = BTreeMap::from([(old.id.clone(), probe)]);
    let told = judge(&published(), std::slice::from_ref(&old), &probes)[0].told().unwrap();
    assert_eq!(
        told.what,
        "differs: its agent does not hold what is published; its file has what is published, and its agent has not \
         loaded it"
    );
    assert_eq!(told.remedy, Remedy::Do("regcred sync"));
    let lies = compared(Agreement::Differs, Agreement::Differs, Agreement::Same);
    let right = host(Some(REVISION));
    let probes = BTreeMap::from([(right.id.clone(), lies)]);
    let told = judge(&published(), std::slice::from_ref(&right), &probes)[0].told().unwrap();
    let registration = registration(|_| {});
    let place = |instances| RecordPlace::Attributes { cluster: &registration.cluster, instances };
    let command = told.remedy.text(&place(vec![&registration.arn]));
    assert!(command.contains("--cluster web") && command.contains("targetId=arn:1;"), "{command}");
    let command = told.remedy.text(&place(vec![&registration.arn, &registration.arn]));
    assert!(command.contains("targetId=ARN for the ARN of each"), "{command}");
    let command = told.remedy.text(&RecordPlace::Object { fleet: &"edge".into() });
    assert!(command.contains("hosts/edge.json"), "{command}");
}

#[test]
fn a_host_outside_ecs_may_be_registered_as_it_likes() {
    let outside = Host { membership: Membership::Outside, ..host(Some(REVISION)) };
    let elsewhere =
        answered(|report| report.container_instance_arn = Some(ContainerInstanceArn::new("arn:9")));
    assert_eq!(found(&outside, elsewhere), Finding::Agrees);
}
