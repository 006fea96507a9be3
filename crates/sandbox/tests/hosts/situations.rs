//! One table of situations, played in every life: what the script says, how often it restarts, and the file it leaves.

use std::time::Duration;

use regcred_core::script::{Outcome, Reason, ScriptReport};
use regcred_sandbox::hosts::{Behaviour, Cloud, FetchRefusal, Host, HostSpec, Platform};

use tokio::task::JoinSet;

use crate::double::DoubleCloud;
use crate::lives::{Played, script};

pub(crate) const OLD: &str =
    "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"auth\":\"dTpvbGQ=\"}}\n";
pub(crate) const NEW: &str =
    "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"auth\":\"dTpuZXc=\"}}\n";

/// A shell waits for its children most of the time.
const AT_ONCE: usize = 6;

/// A situation, as the steps that lead into it and what is to come of the last run.
struct Situation {
    name: &'static str,
    spec: fn(&mut HostSpec),
    object: &'static str,
    before: fn(&DoubleCloud, &Host),
    /// The mode of each run; what is expected is of the last one.
    runs: &'static [&'static str],
    expected: Expected,
}

#[derive(Debug, PartialEq, Eq)]
struct Expected {
    outcome: Outcome,
    reason: Option<Reason>,
    restarts: u32,
    config: &'static str,
}

const NOTHING: fn(&mut HostSpec) = |_| ();
const NOTHING_BEFORE: fn(&DoubleCloud, &Host) = |_, _| ();

const OLD_CONFIG: &str = "ECS_CLUSTER=prod\nECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"auth\":\"dTpvbGQ=\"}}\n";
const NEW_CONFIG: &str = "ECS_CLUSTER=prod\nECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"auth\":\"dTpuZXc=\"}}\n";

fn expect(outcome: Outcome, reason: Option<Reason>, restarts: u32, config: &'static str) -> Expected {
    Expected { outcome, reason, restarts, config }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn situations() -> Vec<Situation> {
    let ordinary = || Situation {
        name: "a changed object is loaded with one restart",
        spec: NOTHING,
        object: NEW,
        before: NOTHING_BEFORE,
        runs: &["apply"],
        expected: expect(Outcome::Loaded, None, 1, NEW_CONFIG),
    };
    vec![
        ordinary(),
        Situation {
            name: "a second run restarts nothing",
            runs: &["apply", "apply"],
            expected: expect(Outcome::Unchanged, None, 1, NEW_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "an object that is a whole ecs.config of another cluster changes the auth lines alone",
            object: "ECS_CLUSTER=other\n# all\nECS_ENGINE_AUTH_TYPE=dockercfg\r\nECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"auth\":\"dTpuZXc=\"}}",
            ..ordinary()
        },
        Situation {
            name: "of several lines in the object the last wins",
            object: "ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={\"x.io\":{}}\n  ECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"auth\":\"dTpuZXc=\"}} \nECS_ENGINE_AUTH_TYPE=dockercfg\n",
            ..ordinary()
        },
        Situation {
            name: "every other byte of the file survives",
            spec: |spec| {
                spec.config = Some(
                    "# ECS_ENGINE_AUTH_DATA=no\r\nECS_CLUSTER=prod\r\n\tECS_ENGINE_AUTH_DATA = keep\n ECS_ENGINE_AUTH_DATA={}\n\n\
                     ECS_LABEL='a \\ $HOME `x` \u{e9}'\nECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA=\nexport X=1"
                        .into(),
                );
            },
            expected: expect(
                Outcome::Loaded,
                None,
                1,
                "# ECS_ENGINE_AUTH_DATA=no\r\nECS_CLUSTER=prod\r\n\tECS_ENGINE_AUTH_DATA = keep\n\
                 ECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"auth\":\"dTpuZXc=\"}}\n\n\
                 ECS_LABEL='a \\ $HOME `x` \u{e9}'\nECS_ENGINE_AUTH_TYPE=dockercfg\nexport X=1\n",
            ),
            ..ordinary()
        },
        Situation {
            name: "a file without auth lines gets them behind a mended last line",
            spec: |spec| spec.config = Some("ECS_CLUSTER=prod".into()),
            ..ordinary()
        },
        Situation {
            name: "an empty file is an agent of the default cluster",
            spec: |spec| {
                spec.cluster = "default".into();
                spec.config = Some(String::new());
            },
            expected: expect(Outcome::Loaded, None, 1, NEW),
            ..ordinary()
        },
        Situation {
            name: "odd characters of a password come through",
            object: "ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"username\":\"u\",\"password\":\"'\\\" \\\\ $(x) `y` %s %% & ; \u{e9} \u{1f511}\"}}\n",
            expected: expect(
                Outcome::Loaded,
                None,
                1,
                "ECS_CLUSTER=prod\nECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"username\":\"u\",\"password\":\"'\\\" \\\\ $(x) `y` %s %% & ; \u{e9} \u{1f511}\"}}\n",
            ),
            ..ordinary()
        },
        Situation {
            name: "a file that lags behind the live agent is mended without a restart",
            spec: |spec| spec.config = Some(NEW_CONFIG.into()),
            before: |_, host| host.write_config(OLD_CONFIG.as_bytes()).unwrap(),
            expected: expect(Outcome::Unchanged, None, 0, NEW_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "a file that is ahead of the live agent is loaded by a restart",
            before: |_, host| host.write_config(NEW_CONFIG.as_bytes()).unwrap(),
            ..ordinary()
        },
        Situation {
            name: "a restart into another cluster is refused",
            spec: |spec| spec.config = Some(OLD_CONFIG.replace("prod", "other")),
            expected: expect(
                Outcome::Refused,
                Some(Reason::ClusterMismatch),
                0,
                "ECS_CLUSTER=other\nECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"auth\":\"dTpvbGQ=\"}}\n",
            ),
            ..ordinary()
        },
        Situation {
            name: "a file that lost its cluster is refused",
            before: |_, host| host.write_config(OLD.as_bytes()).unwrap(),
            expected: expect(Outcome::Refused, Some(Reason::ClusterMismatch), 0, OLD),
            ..ordinary()
        },
        Situation {
            name: "an agent without a data directory is not restarted under tasks",
            spec: |spec| {
                spec.datadir = false;
                spec.tasks_running = 2;
            },
            expected: expect(Outcome::Refused, Some(Reason::NoDatadir), 0, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "an agent without a data directory comes back as another instance",
            spec: |spec| spec.datadir = false,
            expected: expect(Outcome::Unproven, Some(Reason::ArnChanged), 1, NEW_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "a file with a NUL is refused",
            before: |_, host| host.write_config(b"ECS_CLUSTER=prod\nA=\0\n").unwrap(),
            expected: expect(Outcome::Refused, Some(Reason::ConfigInvalid), 0, "ECS_CLUSTER=prod\nA=\0\n"),
            ..ordinary()
        },
        Situation {
            name: "a slow registration within two minutes is waited for",
            spec: |spec| spec.behaviour = Behaviour::RegistersSlowly { seconds: 100 },
            ..ordinary()
        },
        Situation {
            name: "a slower registration is left alone",
            spec: |spec| spec.behaviour = Behaviour::RegistersSlowly { seconds: 400 },
            expected: expect(Outcome::Unproven, Some(Reason::NoIntrospection), 1, NEW_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "a slower registration is proven by a later run without another restart",
            spec: |spec| spec.behaviour = Behaviour::RegistersSlowly { seconds: 150 },
            runs: &["apply", "apply"],
            expected: expect(Outcome::Unchanged, None, 1, NEW_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "an agent that never returns is left alone by later runs too",
            spec: |spec| spec.behaviour = Behaviour::AgentNeverReturns,
            runs: &["apply", "apply"],
            expected: expect(Outcome::Unproven, Some(Reason::NoIntrospection), 1, NEW_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "a dead unit gets the old file back",
            spec: |spec| spec.behaviour = Behaviour::UnitDies { restarts: 1, exit_status: 5 },
            expected: expect(Outcome::Restored, Some(Reason::UnitDead), 2, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "a file that was ahead of the live agent goes back to what that agent held",
            spec: |spec| spec.behaviour = Behaviour::UnitDies { restarts: 1, exit_status: 5 },
            before: |_, host| host.write_config(NEW_CONFIG.as_bytes()).unwrap(),
            expected: expect(Outcome::Restored, Some(Reason::UnitDead), 2, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "a unit that is started over and over is dead",
            spec: |spec| {
                spec.platform = Platform::Ubuntu;
                spec.behaviour = Behaviour::UnitDies { restarts: 1, exit_status: 5 };
            },
            expected: expect(Outcome::Restored, Some(Reason::UnitDead), 2, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "a unit that stays dead is said to be",
            spec: |spec| spec.behaviour = Behaviour::UnitDies { restarts: 9, exit_status: 5 },
            expected: expect(Outcome::Failed, Some(Reason::RestoreFailed), 2, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "a version that did not load is not tried again",
            spec: |spec| spec.behaviour = Behaviour::UnitDies { restarts: 1, exit_status: 5 },
            runs: &["apply", "apply"],
            expected: expect(Outcome::Tried, None, 2, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "a version that did not load is tried again when told to",
            spec: |spec| spec.behaviour = Behaviour::UnitDies { restarts: 1, exit_status: 5 },
            runs: &["apply", "retry-failed"],
            expected: expect(Outcome::Loaded, None, 3, NEW_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "an agent that keeps its environment gets the old file back",
            spec: |spec| spec.behaviour = Behaviour::RestartKeepsOldEnvironment,
            expected: expect(Outcome::Restored, Some(Reason::EnvDiffers), 2, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "an agent that warns of the value gets the old file back",
            spec: |spec| spec.behaviour = Behaviour::RejectsChangedAuth,
            expected: expect(Outcome::Restored, Some(Reason::AuthWarning), 2, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "a value that the agent cannot parse gets the old file back",
            object: "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"auth\":\"not base64\"}}\n",
            expected: expect(Outcome::Restored, Some(Reason::AuthWarning), 2, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "an old warning in the log is no warning of the new value",
            spec: |spec| {
                spec.config = Some(OLD_CONFIG.replace("dTpvbGQ=", "!"));
            },
            before: |_, host| host.start_agent(),
            expected: expect(Outcome::Loaded, None, 2, NEW_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "without an agent nothing is done",
            before: |_, host| host.stop_agent(),
            expected: expect(Outcome::Refused, Some(Reason::NoAgent), 0, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "a host's role that may not read the object is told from an object that is not there",
            before: |cloud, _| cloud.refuse(FetchRefusal::Denied),
            expected: expect(Outcome::Failed, Some(Reason::FetchDenied), 0, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "an object that is not there is told",
            before: |cloud, _| cloud.refuse(FetchRefusal::NotFound),
            expected: expect(Outcome::Failed, Some(Reason::FetchNotFound), 0, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "an S3 that cannot answer is told",
            before: |cloud, _| cloud.refuse(FetchRefusal::Failed),
            expected: expect(Outcome::Failed, Some(Reason::FetchFailed), 0, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "an object without auth lines is refused",
            object: "ECS_CLUSTER=prod\n#ECS_ENGINE_AUTH_DATA={\"a\":1}\n",
            expected: expect(Outcome::Failed, Some(Reason::ObjectInvalid), 0, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "an object with half of the pair is refused",
            object: "ECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"auth\":\"dTpuZXc=\"}}\n",
            expected: expect(Outcome::Failed, Some(Reason::ObjectInvalid), 0, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "an object with a quoted value is refused",
            object: "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA='{\"ghcr.io\":{\"auth\":\"dTpuZXc=\"}}'\n",
            expected: expect(Outcome::Failed, Some(Reason::ObjectInvalid), 0, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "an object with an unknown type is refused",
            object: "ECS_ENGINE_AUTH_TYPE=Docker\nECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"auth\":\"dTpuZXc=\"}}\n",
            expected: expect(Outcome::Failed, Some(Reason::ObjectInvalid), 0, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "an object that names no registry is refused",
            object: "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={ }\n",
            expected: expect(Outcome::Failed, Some(Reason::ObjectInvalid), 0, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "an object with a NUL is refused",
            object: "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"auth\":\"dTpuZXc=\"}}\nA=\0\n",
            expected: expect(Outcome::Failed, Some(Reason::ObjectInvalid), 0, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "SUSE's unit is called otherwise",
            spec: |spec| spec.platform = Platform::Suse,
            ..ordinary()
        },
        Situation {
            name: "ECS Anywhere has its credentials in a file",
            spec: |spec| {
                spec.platform = Platform::EcsAnywhere;
                spec.id = "mi-0123456789abcdef0".into();
            },
            ..ordinary()
        },
        Situation {
            name: "while cloud-init runs the restart is queued, and waited for",
            spec: |spec| spec.cloud_init_running = true,
            ..ordinary()
        },
        Situation {
            name: "Amazon Linux 1 has a job of upstart",
            spec: |spec| spec.platform = Platform::AmazonLinux1,
            ..ordinary()
        },
        Situation {
            name: "a job of upstart that dies gets the old file back",
            spec: |spec| {
                spec.platform = Platform::AmazonLinux1;
                spec.behaviour = Behaviour::UnitDies { restarts: 1, exit_status: 1 };
            },
            expected: expect(Outcome::Restored, Some(Reason::UnitDead), 2, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "a job of upstart that does not run is left alone",
            spec: |spec| spec.platform = Platform::AmazonLinux1,
            before: |_, host| host.stop_agent(),
            expected: expect(Outcome::Refused, Some(Reason::NoAgent), 0, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "an agent that ECS does not hear of on Amazon Linux 1 is unproven",
            spec: |spec| {
                spec.platform = Platform::AmazonLinux1;
                spec.behaviour = Behaviour::AgentNeverReturns;
            },
            expected: expect(Outcome::Unproven, Some(Reason::NoIntrospection), 1, NEW_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "on plain Docker the operator's command restarts the agent",
            spec: |spec| spec.platform = Platform::PlainDocker,
            ..ordinary()
        },
        Situation {
            name: "on plain Docker the cluster may stand in the operator's command",
            spec: |spec| {
                spec.platform = Platform::PlainDocker;
                spec.config = Some(OLD.into());
            },
            expected: expect(Outcome::Loaded, None, 1, NEW),
            ..ordinary()
        },
        Situation {
            name: "on plain Docker another cluster in the file is refused",
            spec: |spec| {
                spec.platform = Platform::PlainDocker;
                spec.config = Some(OLD_CONFIG.replace("prod", "other"));
            },
            expected: expect(
                Outcome::Refused,
                Some(Reason::ClusterMismatch),
                0,
                "ECS_CLUSTER=other\nECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"auth\":\"dTpvbGQ=\"}}\n",
            ),
            ..ordinary()
        },
        Situation {
            name: "a container that is started over and over gets the old file back",
            spec: |spec| {
                spec.platform = Platform::PlainDocker;
                spec.behaviour = Behaviour::UnitDies { restarts: 1, exit_status: 5 };
            },
            expected: expect(Outcome::Restored, Some(Reason::UnitDead), 2, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "a container that the operator's command did not replace is put back",
            spec: |spec| {
                spec.platform = Platform::PlainDocker;
                spec.behaviour = Behaviour::RestartKeepsOldEnvironment;
            },
            expected: expect(Outcome::Restored, Some(Reason::EnvDiffers), 2, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "a container that ended is left alone",
            spec: |spec| spec.platform = Platform::PlainDocker,
            before: |_, host| host.stop_agent(),
            expected: expect(Outcome::Refused, Some(Reason::NoAgent), 0, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "Bottlerocket is refused",
            spec: |spec| spec.platform = Platform::Bottlerocket,
            expected: expect(Outcome::Refused, Some(Reason::UnsupportedPlatform), 0, OLD_CONFIG),
            ..ordinary()
        },
        Situation {
            name: "an unknown mode is a bad parameter",
            runs: &["rollback"],
            expected: expect(Outcome::Failed, Some(Reason::BadParameter), 0, OLD_CONFIG),
            ..ordinary()
        },
    ]
}

async fn play(situation: &Situation, life: &Played) -> Vec<String> {
    let cloud = DoubleCloud::start();
    cloud.put("v-new", situation.object);
    let mut spec =
        HostSpec { config: Some(OLD_CONFIG.into()), ..HostSpec::new("i-0123456789abcdef0", "prod") };
    (situation.spec)(&mut spec);
    let host = cloud.add(life.host(spec));
    (situation.before)(&cloud, &host);
    let arn = host.agent().container_instance_arn;

    let mut last = None;
    for mode in situation.runs {
        let result = host.run(&script(&cloud.endpoint(), mode), Duration::from_mins(5)).await.unwrap();
        last = Some(result);
    }
    let result = last.unwrap();
    let mut wrong = Vec::new();
    let report = match ScriptReport::read(&result.stdout) {
        Ok(report) => report,
        Err(error) => return vec![format!("{error}: {result:?}")],
    };
    let seen = (report.outcome, report.reason.clone(), host.agent().restarts, host.config().unwrap());
    let Expected { outcome, reason, restarts, config } = &situation.expected;
    if (seen.0, &seen.1, seen.2, seen.3.expose()) != (*outcome, reason, *restarts, *config) {
        wrong.push(format!(
            "expected {:?}, got {:?} {:?} {} restarts, file {:?}\n{result:?}",
            situation.expected,
            seen.0,
            seen.1,
            seen.2,
            seen.3.expose()
        ));
    }
    if result.stdout.lines().count() != 1 {
        wrong.push(format!("more than the report on stdout: {:?}", result.stdout));
    }
    if report.container_instance_arn.as_ref().is_some_and(|seen| seen.as_str() != arn) {
        wrong.push(format!("another ARN: {report:?}"));
    }
    let is_fetched = !matches!(
        reason,
        Some(
            Reason::FetchDenied
                | Reason::FetchNotFound
                | Reason::FetchFailed
                | Reason::NoAgent
                | Reason::UnsupportedPlatform
                | Reason::BadParameter
        )
    );
    if is_fetched
        != (report.version_id.as_ref().map(regcred_core::script::VersionId::as_str) == Some("v-new"))
    {
        wrong.push(format!("the wrong version: {report:?}"));
    }
    if matches!(outcome, Outcome::Loaded | Outcome::Unchanged)
        && host.loaded().unwrap()
            != regcred_core::agent::Environment::parse(situation.object.as_bytes()).auth()
    {
        wrong.push("the live agent does not hold the object's value".into());
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn every_situation_ends_the_same_in_every_life() {
    let everywhere = Played::everywhere();
    let plays =
        everywhere.iter().flat_map(|life| situations().into_iter().map(move |situation| (life, situation)));
    let mut wrong = Vec::new();
    let mut playing = JoinSet::new();
    for (life, situation) in plays {
        if playing.len() == AT_ONCE {
            wrong.extend(playing.join_next().await.unwrap().unwrap());
        }
        let life = life.clone();
        playing.spawn(async move {
            let complaints = play(&situation, &life).await;
            complaints
                .into_iter()
                .map(|complaint| format!("{} ({life:?}):\n{complaint}", situation.name))
                .collect::<Vec<_>>()
        });
    }
    for complaints in playing.join_all().await {
        wrong.extend(complaints);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
