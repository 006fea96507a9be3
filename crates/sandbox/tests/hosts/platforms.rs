//! Each platform of the table in `core::platform`: the real script, in every shell, does there what the table says.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use regcred_core::platform::{ENV_FILE_NAME, HostPlatform, Manager, RESTART_PROGRAM, Restart, Treatment};
use regcred_core::script::{Outcome, Reason, ScriptReport};
use regcred_sandbox::hosts::{Behaviour, Cloud, Host, HostSpec, Life, Platform, Shell};

use crate::double::DoubleCloud;
use crate::lives::{Played, script};
use crate::situations::{NEW, OLD};

/// As the sandbox calls it; `None` for what has no host that a command could reach.
fn pretended(platform: HostPlatform) -> Option<Platform> {
    Some(match platform {
        HostPlatform::AmazonLinux2023 => Platform::AmazonLinux2023,
        HostPlatform::AmazonLinux2 => Platform::AmazonLinux2,
        HostPlatform::Debian => Platform::Ubuntu,
        HostPlatform::Rhel => Platform::Rhel,
        HostPlatform::Suse => Platform::Suse,
        HostPlatform::EcsAnywhere => Platform::EcsAnywhere,
        HostPlatform::AmazonLinux1 => Platform::AmazonLinux1,
        HostPlatform::Docker => Platform::PlainDocker,
        HostPlatform::Bottlerocket => Platform::Bottlerocket,
        HostPlatform::Windows | HostPlatform::ManagedInstances | HostPlatform::Fargate => return None,
    })
}

struct World {
    cloud: Arc<DoubleCloud>,
    host: Arc<Host>,
}

fn world(shell: &Played, platform: Platform, behaviour: Behaviour) -> World {
    let Played::In(shell) = shell.clone() else { panic!("in a shell") };
    let cloud = DoubleCloud::start();
    cloud.put("v-new", NEW);
    let id = match platform {
        Platform::EcsAnywhere => "mi-0123456789abcdef0",
        _ => "i-0123456789abcdef0",
    };
    let spec = HostSpec {
        platform,
        behaviour,
        shell,
        life: Life::Shell,
        config: Some(format!("ECS_CLUSTER=prod\n{OLD}")),
        ..HostSpec::new(id, "prod")
    };
    let host = cloud.add(spec);
    World { cloud, host }
}

impl World {
    async fn run(&self) -> ScriptReport {
        let text = script(&self.cloud.endpoint(), "apply");
        let result = self.host.run(&text, Duration::from_mins(5)).await.unwrap();
        ScriptReport::read(&result.stdout).unwrap_or_else(|error| panic!("{error}: {result:?}"))
    }

    fn file(&self, path: &str) -> PathBuf {
        self.host.root().unwrap().join(path.trim_start_matches('/'))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_platform_is_restarted_by_the_commands_of_the_table_or_refused() {
    for shell in Played::in_shells() {
        for platform in HostPlatform::ALL {
            let Some(pretended) = pretended(platform) else { continue };
            let world = world(&shell, pretended, Behaviour::Normal);
            let report = world.run().await;
            let what = format!("{platform:?} in {shell:?}: {report:?}");
            match platform.treatment() {
                Treatment::Restarted(Restart { commands, .. }) => {
                    assert_eq!(report.outcome, Outcome::Loaded, "{what}");
                    assert_eq!(world.host.acts(), commands, "{what}");
                    assert_eq!(
                        world.host.config().unwrap().expose(),
                        format!("ECS_CLUSTER=prod\n{NEW}"),
                        "{what}"
                    );
                }
                Treatment::NotRestarted(_) => {
                    let expected = (Outcome::Refused, Some(Reason::UnsupportedPlatform));
                    assert_eq!((report.outcome, report.reason.clone()), expected, "{what}");
                    assert_eq!(world.host.acts(), Vec::<String>::new(), "{what}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_that_is_written_is_the_last_one_of_the_table() {
    let shell = Played::In(Shell::Sh);
    for platform in HostPlatform::ALL {
        let (Some(pretended), Treatment::Restarted(Restart { files, manager, .. })) =
            (pretended(platform), platform.treatment())
        else {
            continue;
        };
        let world = world(&shell, pretended, Behaviour::Normal);
        let file = world.file(files.last().unwrap());
        if manager == Manager::Operator {
            // The usual file, where none is named; the pretended docker reads it through a link.
            fs::rename(world.file("/opt/ecs/agent.env"), &file).unwrap();
            symlink(&file, world.file("/opt/ecs/agent.env")).unwrap();
            fs::remove_file(world.file(ENV_FILE_NAME)).unwrap();
        }
        world.run().await;
        assert!(fs::read_to_string(&file).unwrap().ends_with(NEW), "{platform:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_program_wins_over_a_unit() {
    let world = world(&Played::in_a_shell(), Platform::AmazonLinux2023, Behaviour::Normal);
    fs::create_dir_all(world.file("/etc/regcred")).unwrap();
    fs::set_permissions(world.file("/etc/regcred"), fs::Permissions::from_mode(0o755)).unwrap();
    let program = world.file(RESTART_PROGRAM);
    // As it would be for a unit of the operator's own; what it says is shown to nobody.
    fs::write(
        &program,
        "#!/bin/sh\necho a-password\necho a-password >&2\nexec systemctl restart ecs.service\n",
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    let text = script(&world.cloud.endpoint(), "apply");
    let result = world.host.run(&text, Duration::from_mins(5)).await.unwrap();
    assert_eq!(ScriptReport::read(&result.stdout).unwrap().outcome, Outcome::Loaded, "{result:?}");
    assert_eq!(world.host.acts(), ["systemctl restart ecs.service"]);
    assert!(!(result.stdout + &result.stderr).contains("a-password"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_program_that_fails_is_told_and_the_old_file_is_back() {
    let world = world(&Played::in_a_shell(), Platform::PlainDocker, Behaviour::Normal);
    let program = world.file(RESTART_PROGRAM);
    fs::write(&program, "#!/bin/sh\nexit 3\n").unwrap();
    let report = world.run().await;
    // The container is the old one, so that nothing was lost.
    assert_eq!((report.outcome, report.reason), (Outcome::Restored, Some(Reason::EnvDiffers)));
    assert!(report.detail.unwrap().contains("restart-agent ended with 3"));
    assert_eq!(world.host.config().unwrap().expose(), format!("ECS_CLUSTER=prod\n{OLD}"));
}

type Spoil = fn(&World);

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_another_than_root_could_have_a_hand_in_is_not_run() {
    let cases: [(&str, Spoil); 11] = [
        ("not executable", |world| chmod(world, RESTART_PROGRAM, 0o644)),
        ("the group may write it", |world| chmod(world, RESTART_PROGRAM, 0o775)),
        ("all may write it", |world| chmod(world, RESTART_PROGRAM, 0o757)),
        ("all may write its folder", |world| chmod(world, "/etc/regcred", 0o777)),
        ("a link", |world| {
            let program = world.file(RESTART_PROGRAM);
            fs::rename(&program, world.file("/etc/elsewhere")).unwrap();
            symlink(world.file("/etc/elsewhere"), program).unwrap();
        }),
        ("a link to nothing", |world| {
            fs::remove_file(world.file(RESTART_PROGRAM)).unwrap();
            symlink("/nonexistent", world.file(RESTART_PROGRAM)).unwrap();
        }),
        ("a folder", |world| {
            fs::remove_file(world.file(RESTART_PROGRAM)).unwrap();
            fs::create_dir(world.file(RESTART_PROGRAM)).unwrap();
        }),
        ("the group may write the name of the env file", |world| chmod(world, ENV_FILE_NAME, 0o664)),
        ("the env file is named from somewhere", |world| name_env_file(world, "opt/ecs/agent.env\n")),
        ("the env file is named by a way around", |world| name_env_file(world, "/opt/../etc/shadow\n")),
        ("the env file's name has what a shell could take", |world| name_env_file(world, "/opt/$(id)\n")),
    ];
    for (what, spoil) in cases {
        for shell in Played::in_shells() {
            let world = world(&shell, Platform::PlainDocker, Behaviour::Normal);
            spoil(&world);
            let report = world.run().await;
            let expected = (Outcome::Refused, Some(Reason::UnsafeRestartAgent));
            assert_eq!((report.outcome, report.reason), expected, "{what} in {shell:?}");
            assert_eq!(world.host.acts(), Vec::<String>::new(), "{what}");
            assert_eq!(world.host.config().unwrap().expose(), format!("ECS_CLUSTER=prod\n{OLD}"), "{what}");
        }
    }
    // Another owner cannot be had without being root.
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        let world = world(&Played::in_a_shell(), Platform::PlainDocker, Behaviour::Normal);
        std::os::unix::fs::chown(world.file(RESTART_PROGRAM), Some(1234), None).unwrap();
        assert_eq!(world.run().await.reason, Some(Reason::UnsafeRestartAgent));
    }
    let world = world(&Played::in_a_shell(), Platform::PlainDocker, Behaviour::Normal);
    chmod(&world, RESTART_PROGRAM, 0o500);
    assert_eq!(world.run().await.outcome, Outcome::Loaded, "what root alone may run is fine");
}

fn chmod(world: &World, path: &str, mode: u32) {
    fs::set_permissions(world.file(path), fs::Permissions::from_mode(mode)).unwrap();
}

fn name_env_file(world: &World, text: &str) {
    fs::write(world.file(ENV_FILE_NAME), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_docker_run_does_not_read_is_refused_there_alone() {
    // docker/cli pkg/kvfile/kvfile.go reads 65,535 bytes a line; ecs-init reads any, and Linux takes 131,071.
    let auth = format!("dTpw{}", "cHBw".repeat(16_500));
    let object = format!(
        "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={{\"ghcr.io\":{{\"auth\":\"{auth}\"}}}}\n"
    );
    for (platform, expected) in [
        (Platform::PlainDocker, (Outcome::Failed, Some(Reason::ObjectInvalid))),
        (Platform::AmazonLinux2023, (Outcome::Loaded, None)),
    ] {
        let world = world(&Played::in_a_shell(), platform, Behaviour::Normal);
        world.cloud.put("v-long", &object);
        let report = world.run().await;
        assert_eq!((report.outcome, report.reason), expected, "{platform:?}");
    }
}
