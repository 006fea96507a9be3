//! The script of deploy/instance, which runs before each start of the agent, in real shells; and the user data that installs it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use regcred_core::agent::Environment;
use regcred_core::script::{Outcome, Reason, ScriptReport};
use regcred_sandbox::hosts::{Behaviour, Cloud, FetchRefusal, Host, HostSpec, Platform, ScriptResult};

use crate::document;
use crate::double::{ACCESS_KEY_ID, BUCKET, DoubleCloud, KEY, SECRET_ACCESS_KEY, SESSION_TOKEN};
use crate::lives::{Played, aws, script};
use crate::situations::{NEW, OLD};
use crate::watched::{Watched, files_below};

const PATIENCE: Duration = Duration::from_mins(2);
/// EC2's limit on user data, before it is encoded
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html>).
const USER_DATA_LIMIT: usize = 16_384;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/instance").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap()
}

/// The script with the variables that the unit's EnvironmentFile gives it.
fn boot_script(endpoint: &str) -> String {
    let script = read("fetch-auth.sh");
    let (first, rest) = script.split_once('\n').unwrap();
    format!(
        "{first}\nREGCRED_BUCKET='{BUCKET}' REGCRED_KEY='{KEY}' REGCRED_REGION=eu-west-1 REGCRED_ENDPOINT='{endpoint}'\n{rest}"
    )
}

struct World {
    cloud: Arc<DoubleCloud>,
    host: Arc<Host>,
}

/// A host whose file has the old credential, and an object with the new one.
fn world(life: &Played, change: impl FnOnce(&mut HostSpec)) -> World {
    let cloud = DoubleCloud::start();
    cloud.put("v-new", NEW);
    let mut spec = HostSpec { config: Some(old_config()), ..HostSpec::new("i-0123456789abcdef0", "prod") };
    change(&mut spec);
    let host = cloud.add(life.host(spec));
    World { cloud, host }
}

impl World {
    async fn boot(&self) -> ScriptResult {
        self.host.run(&boot_script(&self.cloud.endpoint()), PATIENCE).await.unwrap()
    }

    fn file(&self, path: &str) -> PathBuf {
        self.host.root().unwrap().join(path)
    }

    fn config(&self) -> String {
        fs::read_to_string(self.file("etc/ecs/ecs.config")).unwrap()
    }

    /// What nothing but a whole run may leave beside the file.
    fn leavings(&self) -> Vec<PathBuf> {
        ["run/regcred/work", "etc/ecs/.ecs.config.regcred"]
            .map(|path| self.file(path))
            .into_iter()
            .filter(|path| path.exists())
            .collect()
    }
}

fn old_config() -> String {
    format!("# by hand\n{OLD}ECS_CLUSTER=prod")
}

/// Its auth lines in their places, and the missing end of the last line.
fn new_config() -> String {
    format!("# by hand\n{NEW}ECS_CLUSTER=prod\n")
}

#[track_caller]
fn assert_left(world: &World, ended: &ScriptResult, reason: &str, config: &str, situation: &str) {
    assert_eq!(ended.exit_code, 1, "{situation}: {ended:?}");
    assert!(ended.stderr.contains(&format!("as it is ({reason})")), "{situation}: {ended:?}");
    assert_eq!(world.config(), config, "{situation}");
    assert_eq!(world.leavings(), Vec::<PathBuf>::new(), "{situation}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_starts_with_what_the_object_holds_in_every_shell() {
    for life in Played::in_shells() {
        for aws in [None, aws()] {
            let world = world(&life, |spec| spec.aws_cli.clone_from(&aws));
            let ended = world.boot().await;
            assert_eq!((ended.exit_code, ended.stdout.as_str()), (0, ""), "{life:?}: {ended:?}");
            assert!(ended.stderr.contains("wrote the auth lines of version v-new"), "{ended:?}");
            assert_eq!(world.config(), new_config(), "{life:?}");
            let mode = fs::metadata(world.file("etc/ecs/ecs.config")).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600);
            assert_eq!(
                (world.host.agent().restarts, world.host.acts()),
                (0, Vec::new()),
                "nothing is restarted"
            );
            world.host.start_agent();
            assert_eq!(world.host.loaded().unwrap(), Environment::parse(NEW.as_bytes()).auth(), "{life:?}");

            let written = || fs::metadata(world.file("etc/ecs/ecs.config")).unwrap().modified().unwrap();
            let before = written();
            let ended = world.boot().await;
            assert!(ended.stderr.contains("has the auth lines of version v-new already"), "{ended:?}");
            assert_eq!(written(), before, "an equal file is not written");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_an_external_instance_fetches_too() {
    for aws in [None, aws()] {
        let world = world(&Played::in_a_shell(), |spec| {
            spec.platform = Platform::EcsAnywhere;
            spec.aws_cli = aws;
        });
        let ended = world.boot().await;
        assert_eq!((ended.exit_code, world.config()), (0, new_config()), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_s3_answers_but_the_object_leaves_the_file_as_it_is() {
    for life in Played::in_shells() {
        for aws in [None, aws()] {
            let world = world(&life, |spec| spec.aws_cli.clone_from(&aws));
            for (refusal, reason) in [
                (FetchRefusal::Denied, "fetch-denied"),
                (FetchRefusal::NotFound, "fetch-not-found"),
                (FetchRefusal::Failed, "fetch-failed"),
            ] {
                // The real command tries a 503 again for longer than a unit has: what ends it is `timeout` in the drop-in.
                if aws.is_some() && matches!(refusal, FetchRefusal::Failed) {
                    continue;
                }
                world.cloud.refuse(refusal);
                let ended = world.boot().await;
                assert_left(&world, &ended, reason, &old_config(), reason);
            }
        }
        let world = world(&life, |_| ());
        // Nobody listens there.
        let nowhere = boot_script("http://127.0.0.1:1");
        let ended = world.host.run(&nowhere, PATIENCE).await.unwrap();
        assert_left(&world, &ended, "fetch-failed", &old_config(), "nobody answers");
    }
}

/// What the drop-in puts in front, with less patience: the script and all that it started are gone, and nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn an_s3_that_does_not_answer_costs_the_time_that_the_unit_gives_and_leaves_the_file_as_it_is() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    for aws in [None, aws()] {
        let world = world(&Played::in_a_shell(), |spec| spec.aws_cli = aws);
        let script = world.host.root().unwrap().parent().unwrap().join("boot.sh");
        fs::write(&script, boot_script(&endpoint)).unwrap();
        let line = read("50-regcred.conf");
        let line = line.lines().find_map(|line| line.strip_prefix("ExecStartPre=-")).unwrap();
        let line = line
            .replace(" 45 /usr/local/sbin/regcred-fetch-auth", &format!(" 3 /bin/sh {}", script.display()));
        assert!(line.starts_with("/usr/bin/timeout --kill-after=5 3 "), "{line}");
        let began = std::time::Instant::now();
        let ended = world.host.run(&format!("#!/bin/sh\n{line}\n"), PATIENCE).await.unwrap();
        assert!(began.elapsed() < Duration::from_mins(1), "{ended:?}");
        assert_ne!(ended.exit_code, 0, "{ended:?}");
        assert_eq!((world.config(), world.leavings()), (old_config(), Vec::new()), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_no_agent_could_use_leaves_the_file_as_it_is() {
    let long = format!("{OLD}#{}\n", "x".repeat(1_000_001));
    for life in Played::in_shells() {
        let world = world(&life, |_| ());
        for (what, object) in [
            ("empty", ""),
            ("without the lines", "ECS_CLUSTER=prod\n"),
            ("with one of the lines", "ECS_ENGINE_AUTH_TYPE=dockercfg\n"),
            ("of another type", &NEW.replace("dockercfg", "token")),
            ("no JSON", &NEW.replace("{\"", "[\"")),
            ("an empty map", "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={}\n"),
            ("with a NUL", &NEW.replace("ghcr", "gh\0cr")),
            ("too large", &long),
        ] {
            world.cloud.put("v-bad", object);
            let ended = world.boot().await;
            assert_left(&world, &ended, "object-invalid", &old_config(), what);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_host_scripts_is_left_to_it() {
    for life in Played::in_shells() {
        let world = world(&life, |_| ());
        fs::create_dir_all(world.file("var/lib/regcred")).unwrap();
        fs::write(world.file("var/lib/regcred/failed"), "v-new\n").unwrap();
        let ended = world.boot().await;
        assert_left(&world, &ended, "tried", &old_config(), "a version that did not load here");

        world.cloud.put("v-newer", NEW);
        fs::write(world.file("var/lib/regcred/trial"), "v\narn\n0 0\n").unwrap();
        let ended = world.boot().await;
        assert_left(&world, &ended, "unproven", &old_config(), "a restart that is not proven");

        fs::remove_file(world.file("var/lib/regcred/trial")).unwrap();
        let locked = fs::File::open(world.file("run/regcred/lock")).unwrap();
        locked.lock().unwrap();
        let ended = world.boot().await;
        assert_left(&world, &ended, "busy", &old_config(), "another run at work");
        locked.unlock().unwrap();
        assert_eq!((world.boot().await.exit_code, world.config()), (0, new_config()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_made_and_an_odd_one_left() {
    for life in Played::in_shells() {
        let world = world(&life, |_| ());
        let path = world.file("etc/ecs/ecs.config");
        fs::remove_file(&path).unwrap();
        world.cloud.refuse(FetchRefusal::Denied);
        assert_eq!(world.boot().await.exit_code, 1);
        assert!(!path.exists(), "{life:?}: no file is made of nothing");
        world.cloud.put("v-new", NEW);
        let ended = world.boot().await;
        assert_eq!((ended.exit_code, world.config().as_str()), (0, NEW), "{life:?}: {ended:?}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let with_nul = old_config().replace("by hand", "by\0hand");
        fs::write(&path, &with_nul).unwrap();
        let ended = world.boot().await;
        assert_left(&world, &ended, "config-invalid", &with_nul, "a NUL byte");

        fs::rename(&path, world.file("etc/elsewhere")).unwrap();
        symlink(world.file("etc/elsewhere"), &path).unwrap();
        let ended = world.boot().await;
        assert_left(&world, &ended, "symlink", &with_nul, "a symbolic link");
        assert!(path.is_symlink());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_are_none_are_refused() {
    let world = world(&Played::in_a_shell(), |_| ());
    let good = boot_script(&world.cloud.endpoint());
    for (from, to) in [
        (BUCKET, ""),
        (BUCKET, "Not a bucket"),
        (KEY, "$(id)"),
        ("eu-west-1", "'eu west'"),
        ("http://", "ftp://"),
    ] {
        let odd = good.replacen(from, to, 1);
        let ended = world.host.run(&odd, PATIENCE).await.unwrap();
        assert_left(&world, &ended, "bad-parameter", &old_config(), to);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_anywhere_leaves_a_whole_file() {
    let life = Played::in_a_shell();
    let changes = {
        let world = world(&life, |_| ());
        let watched = Watched::over(&world.host);
        world.boot().await;
        watched.changes()
    };
    assert!(changes > 8, "{changes}");
    for change in 1..=changes {
        let world = world(&life, |_| ());
        let watched = Watched::over(&world.host);
        watched.kill_before(change);
        world.boot().await;
        let left = world.config();
        assert!(left == old_config() || left == new_config(), "killed before change {change}: {left}");
        watched.let_live();
        assert_eq!((world.boot().await.exit_code, world.config()), (0, new_config()), "{change}");
        assert_eq!(world.leavings(), Vec::<PathBuf>::new(), "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_argument_environment_output_or_trace() {
    for life in Played::in_shells() {
        for object in [NEW, &NEW.replace("dockercfg", "token")] {
            let world = world(&life, |_| ());
            world.cloud.put("v-new", object);
            let watched = Watched::over(&world.host);
            let traced = boot_script(&world.cloud.endpoint()).replacen("#!/bin/sh\n", "set -x\n", 1);
            let ended = world.host.run(&traced, PATIENCE).await.unwrap();
            assert!(ended.stderr.contains("+ read_object"), "{life:?}: not a trace: {}", ended.stderr);
            let seen = watched.seen();
            assert!(seen.contains("--aws-sigv4"), "nothing was watched: {seen}");
            let all = format!("{}{}{seen}", ended.stdout, ended.stderr);
            for secret in ["dTpvbGQ=", "dTpuZXc=", SECRET_ACCESS_KEY, SESSION_TOKEN, ACCESS_KEY_ID] {
                assert!(!all.contains(secret), "{life:?}: {secret} shows");
            }
            for (path, content) in files_below(world.host.root().unwrap()) {
                let at_its_place = path.ends_with("etc/ecs/ecs.config");
                assert!(at_its_place || !content.contains("dTpuZXc="), "it stays in {}", path.display());
            }
        }
    }
}

/// Whoever restarts the agent through its unit has the drop-in run, the host script too.
#[tokio::test(flavor = "multi_thread")]
async fn the_host_script_loads_proves_and_goes_back_on_a_host_with_the_drop_in() {
    for life in Played::in_shells() {
        for (behaviour, outcome, reason, config) in [
            (Behaviour::Normal, Outcome::Loaded, None, new_config()),
            // The old credential is back in the file: the drop-in has not put the new one there again.
            (
                Behaviour::RejectsChangedAuth,
                Outcome::Restored,
                Some(Reason::AuthWarning),
                old_config() + "\n",
            ),
        ] {
            let world = world(&life, |spec| spec.behaviour = behaviour);
            let watched = Watched::over(&world.host);
            let boot = world.host.root().unwrap().parent().unwrap().join("boot.sh");
            fs::write(&boot, boot_script(&world.cloud.endpoint())).unwrap();
            let said = boot.with_extension("said");
            watched.wrap(
                "systemctl",
                &format!(
                    "[ \"$1\" != restart ] || /bin/sh '{}' >>'{}' 2>&1 || :",
                    boot.display(),
                    said.display()
                ),
            );
            let host_script = script(&world.cloud.endpoint(), "apply");
            let result = world.host.run(&host_script, PATIENCE).await.unwrap();
            let report = ScriptReport::read(&result.stdout).unwrap();
            assert_eq!((report.outcome, report.reason), (outcome, reason), "{life:?}: {result:?}");
            assert_eq!(world.config().trim_end(), config.trim_end(), "{life:?}");
            let said = fs::read_to_string(said).unwrap();
            assert!(said.contains("another run of regcred is at work"), "the drop-in did not run: {said}");
            // A start by somebody else, later.
            world.boot().await;
            assert_eq!(world.config().trim_end(), config.trim_end(), "{life:?}");
        }
    }
}

/// The functions of a script: a name at the start of a line, up to the brace at the start of another.
fn functions(script: &str) -> BTreeMap<&str, &str> {
    let mut found = BTreeMap::new();
    let mut rest = script;
    while let Some(at) = rest.find("() {\n") {
        let start = rest[..at].rfind('\n').map_or(0, |at| at + 1);
        let end = at + rest[at..].find("\n}\n").unwrap() + 3;
        found.insert(&rest[start..at], &rest[start..end]);
        rest = &rest[end..];
    }
    found
}

#[test]
fn functions_of_the_same_name_are_the_same_text_in_both_scripts() {
    let (boot, refresh) = (read("fetch-auth.sh"), document::script());
    let (own, theirs) = (functions(&boot), functions(&refresh));
    let differ = ["clean_up", "finish", "main"];
    let mut shared = 0;
    for (name, text) in &own {
        match theirs.get(name) {
            Some(other) if differ.contains(name) => assert_ne!(text, other, "{name}"),
            Some(other) => {
                shared += 1;
                assert_eq!(
                    text, other,
                    "{name} of deploy/instance/fetch-auth.sh is not that of deploy/ssm/refresh.sh"
                );
            }
            None => assert_eq!(*name, "lock_or_leave", "a function that refresh.sh does not have"),
        }
    }
    assert!(shared >= 25, "{shared}: {:?}", own.keys());
    let grammar = |script: &str| {
        let (_, after) = script.split_once("\ngetenvvars='\n").unwrap();
        after.split_once("\n'\n").unwrap().0.to_owned()
    };
    assert_eq!(grammar(&boot), grammar(&refresh), "the rules of ecs-init");
}

/// Lines of a file without those that are comments: nothing in the two files needs one.
fn without_comments(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.is_empty());
    lines.map(|line| line.to_owned() + "\n").collect()
}

fn user_data() -> String {
    let (script, drop_in) = (read("fetch-auth.sh"), read("50-regcred.conf"));
    format!(
        "#!/bin/sh\n\
         # User data of container instances: has each start of the ECS agent begin with the credentials that the ecs.config in S3\n\
         # holds. Set the five values; the rest is deploy/instance/fetch-auth.sh and 50-regcred.conf, without their comments, and\n\
         # written by: BLESS=1 cargo test -p regcred-sandbox --test hosts boot\n\
         cluster=prod\n\
         bucket=acme-regcred\n\
         key=ecs/prod.config\n\
         region=eu-west-1\n\
         endpoint=\n\
         \n\
         set -eu\n\
         root=${{REGCRED_ROOT:-}} # empty on a real host\n\
         umask 022\n\
         mkdir -p \"$root/etc/ecs\" \"$root/etc/regcred\" \"$root/usr/local/sbin\"\n\
         # One that an image brought stays.\n\
         grep -qs '^ *ECS_CLUSTER=' \"$root/etc/ecs/ecs.config\" || printf '\\nECS_CLUSTER=%s\\n' \"$cluster\" >>\"$root/etc/ecs/ecs.config\"\n\
         printf 'REGCRED_BUCKET=%s\\nREGCRED_KEY=%s\\nREGCRED_REGION=%s\\nREGCRED_ENDPOINT=%s\\n' \"$bucket\" \"$key\" \"$region\" \"$endpoint\" \\\n\
         \x20   >\"$root/etc/regcred/ecs-config\"\n\
         cat >\"$root/usr/local/sbin/regcred-fetch-auth\" <<'end of the script'\n\
         #!/bin/sh\n\
         {}end of the script\n\
         chmod 755 \"$root/usr/local/sbin/regcred-fetch-auth\"\n\
         # SUSE's unit has another name; a drop-in of a unit that is not there does nothing.\n\
         for unit in ecs amazon-ecs; do\n\
         \x20   mkdir -p \"$root/etc/systemd/system/$unit.service.d\"\n\
         \x20   cat >\"$root/etc/systemd/system/$unit.service.d/50-regcred.conf\" <<'end of the drop-in'\n\
         {}end of the drop-in\n\
         done\n\
         # Not started here: the unit waits for cloud-init, which waits for this script.\n\
         systemctl daemon-reload\n",
        without_comments(&script),
        without_comments(&drop_in)
    )
}

#[test]
fn the_user_data_is_what_the_script_and_the_drop_in_make() {
    let made = user_data();
    assert!(made.len() <= USER_DATA_LIMIT, "{} bytes", made.len());
    if std::env::var_os("BLESS").is_some() {
        fs::write(file("user-data.sh"), &made).unwrap();
        return;
    }
    assert!(
        read("user-data.sh") == made,
        "deploy/instance/user-data.sh is not what fetch-auth.sh and 50-regcred.conf make; to write it anew:\n\
         BLESS=1 cargo test -p regcred-sandbox --test hosts boot"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_data_installs_what_then_runs() {
    for life in Played::in_shells() {
        let world = world(&life, |spec| spec.config = Some("ECS_LABEL=x".into()));
        for round in ["first", "second"] {
            let result = world.host.run(&user_data(), PATIENCE).await.unwrap();
            assert_eq!(result.exit_code, 0, "{life:?}, {round}: {result:?}");
            assert_eq!(world.config(), "ECS_LABEL=x\nECS_CLUSTER=prod\n", "{life:?}, {round}");
        }
        let read = |path: &str| fs::read_to_string(world.file(path)).unwrap();
        assert_eq!(
            read("etc/regcred/ecs-config"),
            "REGCRED_BUCKET=acme-regcred\nREGCRED_KEY=ecs/prod.config\nREGCRED_REGION=eu-west-1\nREGCRED_ENDPOINT=\n"
        );
        let drop_in = read("etc/systemd/system/ecs.service.d/50-regcred.conf");
        assert_eq!(drop_in, read("etc/systemd/system/amazon-ecs.service.d/50-regcred.conf"));
        let start = drop_in.lines().find_map(|line| line.strip_prefix("ExecStartPre=-")).unwrap();
        let installed = start.split(' ').next_back().unwrap();
        assert_eq!(drop_in.lines().next(), Some("[Service]"));
        let mode = fs::metadata(world.file(&installed[1..])).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);

        // The installed text, as the unit would run it.
        let text = read(&installed[1..]);
        let (first, rest) = text.split_once('\n').unwrap();
        let (_, head) = boot_script(&world.cloud.endpoint())
            .split_once('\n')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        let variables = head.lines().next().unwrap();
        let result = world.host.run(&format!("{first}\n{variables}\n{rest}"), PATIENCE).await.unwrap();
        assert_eq!(result.exit_code, 0, "{life:?}: {result:?}");
        assert_eq!(world.config(), format!("ECS_LABEL=x\nECS_CLUSTER=prod\n{NEW}"), "{life:?}");
    }
}
