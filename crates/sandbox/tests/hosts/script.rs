//! What only real shells show of the host script: what leaks, what a kill leaves, and what the host's files look like.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use regcred_core::agent::Environment;
use regcred_core::script::{LINE_LIMIT, Outcome, Reason, ScriptReport};
use regcred_sandbox::hosts::{
    Behaviour, Cloud, FetchRefusal, Host, HostSpec, Platform, RoleCredentials, ScriptResult,
};
use regcred_sandbox::{BucketSeed, ObjectSeed, Options, Sandbox};
use tokio::task::JoinSet;

use crate::double::{ACCESS_KEY_ID, DoubleCloud, SECRET_ACCESS_KEY, SESSION_TOKEN};
use crate::lives::{Played, aws, script, script_for};
use crate::situations::{NEW, OLD};
use crate::watched::{Watched, files_below};

const OLD_DATA: &str = "dTpvbGQ=";
const NEW_DATA: &str = "dTpuZXc=";
const PATIENCE: Duration = Duration::from_mins(5);

struct World {
    cloud: Arc<DoubleCloud>,
    host: Arc<Host>,
}

/// A host that has the old credential, and an object with the new one.
fn world(life: &Played, change: impl FnOnce(&mut HostSpec)) -> World {
    let cloud = DoubleCloud::start();
    cloud.put("v-new", NEW);
    let mut spec = HostSpec {
        config: Some(format!("ECS_CLUSTER=prod\n{OLD}")),
        ..HostSpec::new("i-0123456789abcdef0", "prod")
    };
    change(&mut spec);
    let host = cloud.add(life.host(spec));
    World { cloud, host }
}

fn ordinary(life: &Played) -> World {
    world(life, |_| ())
}

impl World {
    async fn run(&self) -> (ScriptReport, ScriptResult) {
        self.run_text(&self.script()).await
    }

    async fn run_text(&self, text: &str) -> (ScriptReport, ScriptResult) {
        let result = self.host.run(text, PATIENCE).await.unwrap();
        (ScriptReport::read(&result.stdout).unwrap_or_else(|error| panic!("{error}: {result:?}")), result)
    }

    fn script(&self) -> String {
        script(&self.cloud.endpoint(), "apply")
    }

    fn file(&self, path: &str) -> PathBuf {
        self.host.root().unwrap().join(path)
    }

    fn config(&self) -> String {
        fs::read_to_string(self.file("etc/ecs/ecs.config")).unwrap()
    }
}

fn old_config() -> String {
    format!("ECS_CLUSTER=prod\n{OLD}")
}

fn new_config() -> String {
    format!("ECS_CLUSTER=prod\n{NEW}")
}

#[track_caller]
fn assert_no_secret(what: &str, text: &str) {
    for secret in [OLD_DATA, NEW_DATA, SECRET_ACCESS_KEY, SESSION_TOKEN, "AQAEAsandbox"] {
        assert!(!text.contains(secret), "{secret} is in {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_argument_environment_output_or_trace() {
    for life in Played::in_shells() {
        for behaviour in [Behaviour::Normal, Behaviour::RejectsChangedAuth] {
            let world = world(&life, |spec| spec.behaviour = behaviour);
            let watched = Watched::over(&world.host);
            let (report, result) =
                world.run_text(&world.script().replacen("#!/bin/sh\n", "set -x\n", 1)).await;
            assert!(matches!(report.outcome, Outcome::Loaded | Outcome::Restored), "{report:?}");
            assert!(result.stderr.contains("+ read_object"), "{life:?}: not a trace: {}", result.stderr);
            assert_no_secret("the output", &result.stdout);
            assert_no_secret("the trace", &result.stderr);
            let seen = watched.seen();
            assert!(seen.contains("--aws-sigv4") && seen.contains("restart"), "nothing was watched: {seen}");
            assert_no_secret("an argument or a variable", &seen);
            let probe = script(&world.cloud.endpoint(), "probe").replacen("#!/bin/sh\n", "set -x\n", 1);
            let result = world.host.run(&probe, PATIENCE).await.unwrap();
            assert!(
                result.stdout.contains("\"probed\"") && result.stderr.contains("+ agreement"),
                "{result:?}"
            );
            assert_no_secret("the output of a probe", &result.stdout);
            assert_no_secret("the trace of a probe", &result.stderr);
            let seen = watched.seen();
            assert_no_secret("an argument or a variable of a probe", &seen);
            // What signs is no secret, and shows that the run went the way with a signature.
            assert!(!seen.contains(ACCESS_KEY_ID));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stays_behind_but_the_new_one_in_ecs_config() {
    for life in Played::in_shells() {
        let world = ordinary(&life);
        world.run().await;
        assert_eq!(world.config(), new_config());
        for (path, content) in files_below(world.host.root().unwrap()) {
            if !path.ends_with("etc/ecs/ecs.config") {
                assert_no_secret(&path.display().to_string(), &content);
            }
        }
        assert!(!world.file("run/regcred/work").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_restart_is_unproven_the_old_file_is_kept_for_root_alone() {
    let world = world(&Played::in_a_shell(), |spec| spec.behaviour = Behaviour::AgentNeverReturns);
    let (report, _) = world.run().await;
    assert_eq!(report.outcome, Outcome::Unproven);
    let previous = world.file("var/lib/regcred/previous");
    assert_eq!(fs::read_to_string(&previous).unwrap(), old_config());
    assert_eq!(fs::metadata(&previous).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(world.file("var/lib/regcred")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(world.file("run/regcred")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unproven_restart_that_ends_in_a_dead_unit_is_undone_by_the_next_run() {
    for life in [Played::InMemory, Played::in_a_shell()] {
        let world = world(&life, |spec| spec.behaviour = Behaviour::AgentNeverReturns);
        let (report, _) = world.run().await;
        assert_eq!(report.outcome, Outcome::Unproven);
        world.host.stop_agent();
        world.host.set_behaviour(Behaviour::Normal);
        let (report, _) = world.run().await;
        assert_eq!((report.outcome, report.reason), (Outcome::Restored, Some(Reason::UnitDead)), "{life:?}");
        assert_eq!(world.host.config().unwrap().expose(), old_config());
        assert!(world.host.agent().connected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unproven_restart_of_which_the_agent_warned_is_undone_by_the_next_run() {
    for life in [Played::InMemory, Played::in_a_shell()] {
        let world = world(&life, |spec| spec.behaviour = Behaviour::RegistersSlowly { seconds: 150 });
        world.cloud.put("v-bad", &NEW.replace(NEW_DATA, "*"));
        let (report, _) = world.run().await;
        assert_eq!(report.outcome, Outcome::Unproven);
        world.host.set_behaviour(Behaviour::Normal);
        let (report, _) = world.run().await;
        assert_eq!(
            (report.outcome, report.reason),
            (Outcome::Restored, Some(Reason::AuthWarning)),
            "{life:?}"
        );
        assert_eq!(world.host.config().unwrap().expose(), old_config());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_an_operator_changed_meanwhile_survives_going_back() {
    for life in [Played::InMemory, Played::in_a_shell()] {
        let world = world(&life, |spec| spec.behaviour = Behaviour::AgentNeverReturns);
        world.run().await;
        world.host.write_config(format!("{}ECS_LABEL=x\n", new_config()).as_bytes()).unwrap();
        world.host.stop_agent();
        world.host.set_behaviour(Behaviour::Normal);
        let (report, _) = world.run().await;
        assert_eq!(report.outcome, Outcome::Restored);
        assert_eq!(
            world.host.config().unwrap().expose(),
            format!("{}ECS_LABEL=x\n", old_config()),
            "{life:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_anywhere_is_finished_by_the_next_one_with_one_restart_in_all() {
    let changes = {
        let world = ordinary(&Played::in_a_shell());
        let watched = Watched::over(&world.host);
        world.run().await;
        watched.changes()
    };
    assert!(changes > 20, "{changes}");
    let mut playing = JoinSet::new();
    for change in 1..=changes {
        if playing.len() == 4 {
            playing.join_next().await.unwrap().unwrap();
        }
        playing.spawn(async move {
            let world = ordinary(&Played::in_a_shell());
            let watched = Watched::over(&world.host);
            watched.kill_before(change);
            let killed = world.host.run(&world.script(), PATIENCE).await.unwrap();
            assert_eq!(killed.exit_code, 137, "change {change} of {changes}: {killed:?}");
            // At any moment the file is the old one or the new one, never half of one.
            let config = world.config();
            assert!(config == old_config() || config == new_config(), "change {change}: {config}");
            watched.let_live();
            let (report, result) = world.run().await;
            assert!(
                matches!(report.outcome, Outcome::Loaded | Outcome::Unchanged),
                "change {change}: {result:?}"
            );
            assert_eq!(world.config(), new_config(), "change {change}");
            assert_eq!(world.host.agent().restarts, 1, "change {change}");
            for (path, content) in files_below(world.host.root().unwrap()) {
                if !path.ends_with("etc/ecs/ecs.config") {
                    assert_no_secret(&format!("{} (change {change})", path.display()), &content);
                }
            }
        });
    }
    playing.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_on_its_way_back_is_finished_by_the_next_one_with_the_old_file() {
    let mut playing = JoinSet::new();
    for behaviour in [Behaviour::RejectsChangedAuth, Behaviour::RestartKeepsOldEnvironment] {
        let changes = {
            let world = world(&Played::in_a_shell(), |spec| spec.behaviour = behaviour);
            let watched = Watched::over(&world.host);
            world.run().await;
            watched.changes()
        };
        // Until the restart nothing differs from a run that ends well.
        for change in changes / 2..=changes {
            if playing.len() == 4 {
                playing.join_next().await.unwrap().unwrap();
            }
            playing.spawn(async move {
                let what = format!("{behaviour:?}, change {change} of {changes}");
                let world = world(&Played::in_a_shell(), |spec| spec.behaviour = behaviour);
                let watched = Watched::over(&world.host);
                watched.kill_before(change);
                let killed = world.host.run(&world.script(), PATIENCE).await.unwrap();
                assert_eq!(killed.exit_code, 137, "{what}: {killed:?}");
                watched.let_live();
                let (report, result) = world.run().await;
                assert!(matches!(report.outcome, Outcome::Restored | Outcome::Tried), "{what}: {result:?}");
                assert_eq!(world.config(), old_config(), "{what}");
                assert_eq!(world.host.loaded().unwrap(), Environment::parse(OLD.as_bytes()).auth(), "{what}");
                assert!(world.host.agent().connected && world.host.agent().restarts <= 3, "{what}");
                for (path, content) in files_below(world.host.root().unwrap()) {
                    if !path.ends_with("etc/ecs/ecs.config") {
                        assert_no_secret(&format!("{} ({what})", path.display()), &content);
                    }
                }
            });
        }
    }
    playing.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_runs_at_once_one_restarts() {
    for life in Played::everywhere() {
        let world = ordinary(&life);
        let ((one, _), (other, _)) = tokio::join!(world.run(), world.run());
        let outcomes = [one.outcome, other.outcome];
        assert!(outcomes.contains(&Outcome::Loaded), "{life:?}: {outcomes:?}");
        assert!(
            outcomes.iter().any(|outcome| matches!(outcome, Outcome::Unchanged | Outcome::Busy)),
            "{life:?}: {outcomes:?}"
        );
        assert_eq!(world.host.agent().restarts, 1, "{life:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_get_the_lock_touches_nothing() {
    for life in Played::in_shells() {
        let world = ordinary(&life);
        fs::create_dir_all(world.file("run/regcred")).unwrap();
        let mut holder = Command::new("flock")
            .arg(world.file("run/regcred/lock"))
            .args(["sh", "-c", "echo held; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut held = [0; 5];
        std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut held).unwrap();
        let (report, result) = world.run().await;
        drop(holder.stdin.take());
        holder.wait().unwrap();
        assert_eq!((report.outcome, result.exit_code), (Outcome::Busy, 0), "{life:?}");
        assert_eq!(world.config(), old_config());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_killed_with_all_that_it_started_at_its_timeout() {
    let world = ordinary(&Played::in_a_shell());
    let text = "echo begun; tail -f /dev/null & tail -f /dev/null\n";
    let result = world.host.run(text, Duration::from_secs(3)).await.unwrap();
    assert_eq!((result.exit_code, result.timed_out, result.stdout.as_str()), (137, true, "begun\n"));
    // The kernel takes a moment to bury those that are not the leader.
    let root = world.host.root().unwrap().to_str().unwrap();
    let killed = Instant::now();
    while lives_below(root) {
        assert!(killed.elapsed() < Duration::from_secs(20), "something was left running");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a process runs whose environment names the folder.
fn lives_below(folder: &str) -> bool {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.unwrap().path().join("environ")).ok())
        .any(|environment| String::from_utf8_lossy(&environment).contains(folder))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_written_file_is_for_its_owner_alone() {
    for life in Played::in_shells() {
        let world = ordinary(&life);
        let config = world.file("etc/ecs/ecs.config");
        fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        if is_root {
            std::os::unix::fs::chown(&config, Some(1234), Some(1235)).unwrap();
        }
        let before = fs::metadata(&config).unwrap();
        world.run().await;
        let after = fs::metadata(&config).unwrap();
        assert_eq!(after.permissions().mode() & 0o7777, 0o600, "{life:?}");
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()), "{life:?}");
        assert_ne!(after.ino(), before.ino(), "the file was changed in place");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_symbolic_link_is_refused_and_so_is_no_file() {
    for life in Played::in_shells() {
        let world = ordinary(&life);
        let (config, target) = (world.file("etc/ecs/ecs.config"), world.file("etc/target"));
        fs::rename(&config, &target).unwrap();
        symlink(&target, &config).unwrap();
        let (report, result) = world.run().await;
        assert_eq!((report.outcome, report.reason), (Outcome::Refused, Some(Reason::Symlink)), "{life:?}");
        assert_eq!(result.exit_code, 10);
        assert_eq!(fs::read_to_string(&target).unwrap(), old_config());

        fs::remove_file(&config).unwrap();
        let (report, _) = world.run().await;
        assert_eq!((report.outcome, report.reason), (Outcome::Refused, Some(Reason::NoConfig)), "{life:?}");
        assert_eq!(world.host.agent().restarts, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_unforeseen_is_a_report_too_and_leaves_the_file() {
    for life in Played::in_shells() {
        let world = ordinary(&life);
        Watched::over(&world.host).wrap("cp", "echo 'cp: No space left on device' >&2; exit 1");
        let (report, result) = world.run().await;
        assert_eq!((report.outcome, report.reason), (Outcome::Failed, Some(Reason::WriteFailed)), "{life:?}");
        assert_eq!(result.exit_code, 13);
        assert!(result.stderr.contains("No space left"));
        assert_eq!(world.config(), old_config());
        assert_eq!(world.host.agent().restarts, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_is_found_in_a_log_that_was_rotated_away() {
    for life in Played::in_shells() {
        let world = ordinary(&life);
        world.cloud.put("v-bad", &NEW.replace(NEW_DATA, "*"));
        fs::write(world.file("var/log/ecs/ecs-agent.log"), "level=info msg=\"an old line\"\n").unwrap();
        let log = world.file("var/log/ecs/ecs-agent.log");
        Watched::over(&world.host).wrap(
            "systemctl",
            &format!(
                "if [ \"$1\" = restart ]; then\n\
                 \treal \"$@\" || exit\n\
                 \t/bin/mv '{log}' '{log}.2026-01-01-00'\n\
                 \techo 'level=info msg=\"a new file\"' >'{log}'\n\
                 \texit 0\n\
                 fi",
                log = log.display()
            ),
        );
        let (report, _) = world.run().await;
        assert_eq!(
            (report.outcome, report.reason),
            (Outcome::Restored, Some(Reason::AuthWarning)),
            "{life:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_curl_that_cannot_sign_a_session_token_is_not_tried() {
    for life in Played::in_shells() {
        let world = ordinary(&life);
        let watched = Watched::over(&world.host);
        let old = "if [ \"$1\" = --version ]; then echo 'curl 7.85.0 (x86_64-pc-linux-gnu)'; exit 0; fi";
        watched.wrap("curl", old);
        let (report, _) = world.run().await;
        assert_eq!((report.outcome, report.reason), (Outcome::Failed, Some(Reason::NoFetchTool)), "{life:?}");
        watched.wrap("curl", &old.replace("7.85.0", "8.0.1"));
        assert_eq!(world.run().await.0.outcome, Outcome::Loaded, "{life:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_a_role_has_no_credentials() {
    for life in Played::in_shells() {
        let world = world(&life, |spec| spec.role = String::new());
        let (report, _) = world.run().await;
        assert_eq!(
            (report.outcome, report.reason),
            (Outcome::Failed, Some(Reason::NoCredentials)),
            "{life:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_command_is_used_where_there_is_one() {
    let Some(aws) = aws() else { return };
    for platform in [Platform::AmazonLinux2023, Platform::EcsAnywhere] {
        let world = world(&Played::in_a_shell(), |spec| {
            spec.platform = platform;
            spec.aws_cli = Some(aws.clone());
        });
        let watched = Watched::over(&world.host);
        let (report, result) = world.run().await;
        assert_eq!(report.outcome, Outcome::Loaded, "{platform:?}: {result:?}");
        assert_eq!(report.version_id.unwrap().as_str(), "v-new");
        assert!(!watched.seen().contains("--aws-sigv4"), "{platform:?}: curl fetched");
        assert_no_secret("an argument or a variable", &watched.seen());
        for (refusal, reason) in
            [(FetchRefusal::Denied, Reason::FetchDenied), (FetchRefusal::NotFound, Reason::FetchNotFound)]
        {
            world.cloud.refuse(refusal);
            let (report, _) = world.run().await;
            assert_eq!((report.outcome, report.reason), (Outcome::Failed, Some(reason)));
        }
    }
}

/// Of the sandbox's own S3, which checks the signature as AWS does, not of the double.
#[tokio::test(flavor = "multi_thread")]
async fn what_curl_and_aws_sign_is_what_s3_checks() {
    const KEYS: [&str; 3] = ["ecs.config", "a/b-c_d.e~f/g", "x!(1)*+,:=@/y"];
    let [bucket, dotted] = ["acme-ecs", "acme.ecs"].map(|name| BucketSeed {
        name: name.into(),
        account: "111111111111".into(),
        region: "eu-west-1".into(),
        versioned: true,
    });
    let objects = [&bucket, &dotted].into_iter().flat_map(|bucket| {
        KEYS.map(|key| ObjectSeed { bucket: bucket.name.clone(), key: key.into(), content: NEW.into() })
    });
    let sandbox = Sandbox::start(Options {
        objects: objects.collect(),
        hosts: vec![HostSpec::new("i-0123456789abcdef0", "prod")],
        buckets: vec![bucket.clone(), dotted.clone()],
        ..Options::default()
    })
    .unwrap();
    for aws in std::iter::once(None).chain(aws().map(Some)) {
        let world = world(&Played::in_a_shell(), |spec| spec.aws_cli = aws);
        world.cloud.hand_out(credentials_of_a_host(&sandbox));
        for bucket in [&bucket.name, &dotted.name] {
            for key in KEYS {
                let text = script_for(bucket, key, &sandbox.endpoint(), "apply");
                let (report, _) = world.run_text(&text).await;
                assert!(
                    matches!(report.outcome, Outcome::Loaded | Outcome::Unchanged)
                        && report.version_id.is_some(),
                    "{bucket} {key}: {report:?}"
                );
            }
        }
        let text = script_for(&bucket.name, "not-there", &sandbox.endpoint(), "apply");
        // Whoever may not list a bucket is not told what is missing in it.
        assert_eq!(world.run_text(&text).await.0.reason, Some(Reason::FetchDenied));
    }
}

/// As the sandbox's metadata service tells them.
fn credentials_of_a_host(sandbox: &Sandbox) -> RoleCredentials {
    let ask = |arguments: &[&str], path: &str| {
        let url = format!("{}/_sandbox/host/i-0123456789abcdef0/imds/latest/{path}", sandbox.endpoint());
        let output =
            Command::new("curl").args(["-q", "-sS", "--fail"]).args(arguments).arg(url).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let token = ask(&["-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60"], "api/token");
    let header = format!("X-aws-ec2-metadata-token: {token}");
    let answer = ask(&["-H", &header], "meta-data/iam/security-credentials/ecsInstanceRole");
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let member = |name: &str| answer[name].as_str().unwrap().to_owned();
    RoleCredentials {
        access_key_id: member("AccessKeyId"),
        secret_access_key: member("SecretAccessKey").into(),
        token: member("Token").into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_is_tried_where_the_aws_command_does_not_work() {
    let world = world(&Played::in_a_shell(), |spec| spec.aws_cli = Some("/nonexistent/aws".into()));
    let (report, _) = world.run().await;
    assert_eq!(report.outcome, Outcome::Loaded);
    assert!(report.detail.unwrap().contains("curl was tried"));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_in_other_places_are_named() {
    let world = ordinary(&Played::in_a_shell());
    fs::write(world.file("etc/ecs/ecs.config.json"), "{\"EngineAuthType\": \"docker\"}").unwrap();
    fs::write(world.file("var/lib/ecs/ecs.config"), "ECS_ENGINE_AUTH_TYPE=docker\n").unwrap();
    let (report, result) = world.run().await;
    assert_eq!(report.outcome, Outcome::Loaded);
    let detail = report.detail.unwrap();
    assert!(detail.contains("ecs.config.json") && detail.contains("/var/lib/ecs/ecs.config"), "{detail}");
    assert!(result.stdout.len() < LINE_LIMIT);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_the_object_is_that_of_its_partition_and_style() {
    let cases = [
        ("prod-ecs", "eu-west-1", "", "https://prod-ecs.s3.eu-west-1.amazonaws.com/a/b%3D1"),
        ("acme.ecs", "eu-west-1", "", "https://s3.eu-west-1.amazonaws.com/acme.ecs/a/b%3D1"),
        ("prod-ecs", "cn-north-1", "", "https://prod-ecs.s3.cn-north-1.amazonaws.com.cn/a/b%3D1"),
        ("prod-ecs", "us-gov-west-1", "", "https://prod-ecs.s3.us-gov-west-1.amazonaws.com/a/b%3D1"),
        ("prod-ecs", "eusc-de-east-1", "", "https://prod-ecs.s3.eusc-de-east-1.amazonaws.eu/a/b%3D1"),
        (
            "prod-ecs",
            "eu-west-1",
            "https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com",
            "https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com/prod-ecs/a/b%3D1",
        ),
        (
            "prod-ecs",
            "eu-west-1",
            "https://proxy.example:8443/",
            "https://proxy.example:8443/prod-ecs/a/b%3D1",
        ),
    ];
    let world = ordinary(&Played::in_a_shell());
    let watched = Watched::over(&world.host);
    // Nothing of the network is asked.
    watched.wrap("curl", "case $* in *https://*) exit 7 ;; esac");
    for (bucket, region, endpoint, url) in cases {
        let parameters = format!(
            "REGCRED_BUCKET='{bucket}'\nREGCRED_KEY='a/b=1'\nREGCRED_REGION='{region}'\nREGCRED_ENDPOINT='{endpoint}'\n"
        );
        let (report, _) = world.run_text(&(parameters + &crate::document::script())).await;
        assert_eq!((report.outcome, report.reason), (Outcome::Failed, Some(Reason::FetchFailed)));
        let seen = watched.seen();
        assert!(seen.lines().any(|line| line == url), "{url} was not asked");
        assert!(seen.lines().any(|line| line == format!("aws:amz:{region}:s3")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_shell_ends_without_a_report() {
    for life in [Played::InMemory, Played::in_a_shell()] {
        let world = world(&life, |spec| spec.behaviour = Behaviour::ScriptBreaks { exit_code: 2 });
        let result = world.host.run(&world.script(), PATIENCE).await.unwrap();
        assert_eq!((result.exit_code, result.stdout.as_str()), (2, ""));
    }
}
