//! The probe mode, in every life: what it says of a host, and that it leaves the host as it was.

use std::time::Duration;

use regcred_core::script::{
    AgentState, Agreement, AuthSource, AuthWarnings, Outcome, Probe, ProbeReport, Reason,
};
use regcred_sandbox::hosts::Cloud;
use regcred_sandbox::hosts::{Behaviour, FetchRefusal, Host, HostSpec, Platform};

use crate::double::DoubleCloud;
use crate::lives::{Played, script};
use crate::situations::{NEW, OLD};
use crate::watched::files_below;

struct Case {
    name: &'static str,
    spec: fn(&mut HostSpec),
    before: fn(&DoubleCloud, &Host),
    /// The mode of each run before the probe.
    runs: &'static [&'static str],
    change: fn(&mut ProbeReport),
}

const NOTHING: fn(&mut HostSpec) = |_| ();
const NOTHING_BEFORE: fn(&DoubleCloud, &Host) = |_, _| ();

/// Of a host that holds the old value, while the object has the new one.
fn behind() -> ProbeReport {
    ProbeReport {
        version_id: Some(regcred_core::script::VersionId::new("v-new")),
        container_instance_arn: None,
        cluster: Some("prod".into()),
        agent: AgentState::Registered,
        agent_version: Some("1.105.1".into()),
        object_and_live: Agreement::Differs,
        object_and_file: Agreement::Differs,
        file_and_live: Agreement::Same,
        source: AuthSource::Etc,
        warnings: AuthWarnings::None,
        reason: None,
        detail: None,
    }
}

fn unread(report: &mut ProbeReport, reason: Reason) {
    report.object_and_live = Agreement::Unknown;
    report.object_and_file = Agreement::Unknown;
    report.reason = Some(reason);
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    let ordinary = || Case {
        name: "a host that is behind the object",
        spec: NOTHING,
        before: NOTHING_BEFORE,
        runs: &[],
        change: |_| (),
    };
    vec![
        ordinary(),
        Case {
            name: "a host that was refreshed",
            runs: &["apply"],
            change: |report| {
                report.object_and_live = Agreement::Same;
                report.object_and_file = Agreement::Same;
            },
            ..ordinary()
        },
        Case {
            name: "a file that somebody put back, under an agent that holds the new value",
            spec: |spec| spec.config = Some(format!("ECS_CLUSTER=prod\n{NEW}")),
            before: |_, host| host.write_config(format!("ECS_CLUSTER=prod\n{OLD}").as_bytes()).unwrap(),
            change: |report| {
                report.object_and_live = Agreement::Same;
                report.file_and_live = Agreement::Differs;
            },
            ..ordinary()
        },
        Case {
            name: "a file that no agent has loaded yet",
            before: |_, host| host.write_config(format!("ECS_CLUSTER=prod\n{NEW}").as_bytes()).unwrap(),
            change: |report| {
                report.object_and_file = Agreement::Same;
                report.file_and_live = Agreement::Differs;
            },
            ..ordinary()
        },
        Case {
            name: "a file without the pair",
            spec: |spec| spec.config = Some("ECS_CLUSTER=prod\n".into()),
            change: |report| report.source = AuthSource::None,
            ..ordinary()
        },
        Case {
            name: "a value that the agent warned of",
            spec: |spec| {
                spec.config = Some(format!("ECS_CLUSTER=prod\n{}", OLD.replace("dTpvbGQ=", "!")));
            },
            change: |report| report.warnings = AuthWarnings::Warned,
            ..ordinary()
        },
        Case {
            name: "a warning from before the last start",
            spec: |spec| {
                spec.config = Some(format!("ECS_CLUSTER=prod\n{}", OLD.replace("dTpvbGQ=", "!")));
            },
            before: |_, host| {
                host.write_config(format!("ECS_CLUSTER=prod\n{OLD}").as_bytes()).unwrap();
                host.start_agent();
                host.advance(Duration::from_secs(10));
            },
            ..ordinary()
        },
        Case {
            name: "an agent that was stopped",
            before: |_, host| host.stop_agent(),
            change: |report| {
                report.agent = AgentState::Dead;
                report.agent_version = None;
                report.cluster = None;
                report.object_and_live = Agreement::Unknown;
                report.file_and_live = Agreement::Unknown;
            },
            ..ordinary()
        },
        Case {
            name: "an agent that never came back from a restart",
            spec: |spec| spec.behaviour = Behaviour::AgentNeverReturns,
            runs: &["apply"],
            change: |report| {
                report.agent = AgentState::Silent;
                report.agent_version = None;
                report.cluster = None;
                report.object_and_live = Agreement::Same;
                report.object_and_file = Agreement::Same;
            },
            ..ordinary()
        },
        Case {
            name: "a role that may not read the object",
            before: |cloud, _| cloud.refuse(FetchRefusal::Denied),
            change: |report| {
                unread(report, Reason::FetchDenied);
                report.version_id = None;
            },
            ..ordinary()
        },
        Case {
            name: "an object that no agent could use",
            before: |cloud, _| cloud.put("v-new", "ECS_CLUSTER=prod\n"),
            change: |report| unread(report, Reason::ObjectInvalid),
            ..ordinary()
        },
        Case {
            name: "ECS Anywhere, with its region in the other file",
            spec: |spec| {
                spec.platform = Platform::EcsAnywhere;
                spec.id = "mi-0123456789abcdef0".into();
            },
            ..ordinary()
        },
        Case { name: "SUSE", spec: |spec| spec.platform = Platform::Suse, ..ordinary() },
    ]
}

async fn probe(cloud: &DoubleCloud, host: &Host) -> Probe {
    let result = host.run(&script(&cloud.endpoint(), "probe"), Duration::from_mins(1)).await.unwrap();
    assert_eq!(result.stdout.lines().count(), 1, "{result:?}");
    assert_eq!(result.stderr, "", "{result:?}");
    Probe::read(&result.stdout).unwrap_or_else(|error| panic!("{error}: {result:?}"))
}

/// All that a probe might change of a host.
fn state(host: &Host) -> (u32, String, Vec<(std::path::PathBuf, String)>) {
    let files = host.root().map(files_below).unwrap_or_default();
    // An empty lock is all that it may leave, below /run. The SSM agent of a hybrid node writes the credentials.
    let is_others = |path: &std::path::Path| {
        path.ends_with("run/regcred/lock") || path.ends_with("root/.aws/credentials")
    };
    let files = files.into_iter().filter(|(path, _)| !is_others(path)).collect();
    (host.agent().restarts, host.config().unwrap().expose().to_owned(), files)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_says_how_a_host_stands_and_changes_nothing() {
    for life in Played::everywhere() {
        for Case { name, spec, before, runs, change } in cases() {
            let cloud = DoubleCloud::start();
            cloud.put("v-new", NEW);
            let mut ordinary = HostSpec {
                config: Some(format!("ECS_CLUSTER=prod\n{OLD}")),
                ..HostSpec::new("i-0123456789abcdef0", "prod")
            };
            spec(&mut ordinary);
            let host = cloud.add(life.host(ordinary));
            before(&cloud, &host);
            for mode in runs {
                host.run(&script(&cloud.endpoint(), mode), Duration::from_mins(5)).await.unwrap();
            }
            let was = state(&host);
            let Probe::Answered(report) = probe(&cloud, &host).await else {
                panic!("{name} ({life:?}): declined");
            };
            assert!(state(&host) == was, "{name} ({life:?}) was changed");
            let mut expected = behind();
            change(&mut expected);
            if expected.agent == AgentState::Registered {
                let arn = host.agent().container_instance_arn;
                expected.container_instance_arn = Some(regcred_core::host::ContainerInstanceArn::new(arn));
            }
            assert_eq!(ProbeReport { detail: None, ..report }, expected, "{name} ({life:?})");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_the_script_does_not_know_declines() {
    for life in Played::everywhere() {
        let cloud = DoubleCloud::start();
        let host = cloud.add(life.host(HostSpec {
            platform: Platform::Bottlerocket,
            ..HostSpec::new("i-0123456789abcdef0", "prod")
        }));
        let Probe::Declined(report) = probe(&cloud, &host).await else { panic!("{life:?}: answered") };
        assert_eq!((report.outcome, report.reason), (Outcome::Refused, Some(Reason::UnsupportedPlatform)));
    }
}
