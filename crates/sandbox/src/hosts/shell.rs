//! The life with a shell: the real script, in a real shell, on a folder as its root.
//!
//! The script finds in its PATH the few tools that it needs, as links, and the stand-ins; nothing else of the machine,
//! so that a tool that it comes to need is noticed. It is started as the SSM agent starts one: a file, run by `sh`, as
//! the leader of its own process group, which is killed as a whole at the timeout.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::process::Command;

use super::disk::{ENV_FILE, ENV_FILE_NAME, RESTART_PROGRAM, SHARED_CREDENTIALS};
use super::host::{Host, ScriptResult};
use super::spec::{HostSpec, Platform, Shell};

/// What the script calls and no shell has built in.
const TOOLS: [&str; 17] = [
    "awk", "cat", "chmod", "cp", "cut", "date", "flock", "grep", "mkdir", "mv", "rm", "sed", "stat", "sync",
    "tail", "tr", "wc",
];

const DOCKER: &str = include_str!("stand-ins/docker.sh");
const SYSTEMCTL: &str = include_str!("stand-ins/systemctl.sh");
const INITCTL: &str = include_str!("stand-ins/initctl.sh");
const RESTART_AGENT: &str = include_str!("stand-ins/restart-agent.sh");
const CLOUD_INIT: &str = include_str!("stand-ins/cloud-init.sh");
const SLEEP: &str = include_str!("stand-ins/sleep.sh");
const CURL: &str = include_str!("stand-ins/curl.sh");
const AWS: &str = include_str!("stand-ins/aws.sh");

/// The exit code that the SSM agent reports for a script that it killed.
const KILLED: i32 = 137;

pub(super) struct ShellLife {
    folder: TempDir,
    runs: AtomicU64,
    curl: PathBuf,
}

impl ShellLife {
    pub(super) fn new(spec: &HostSpec) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(&format!("regcred-{}-", spec.id)).tempdir()?;
        let life = Self { folder, runs: AtomicU64::new(0), curl: find("curl")? };
        fs::create_dir(life.root())?;
        fs::create_dir(life.runs())?;
        life.fill_path(spec)?;
        Ok(life)
    }

    pub(super) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn runs(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    fn fill_path(&self, spec: &HostSpec) -> io::Result<()> {
        let bin = self.bin();
        fs::create_dir(&bin)?;
        for tool in TOOLS {
            let target = match (&spec.shell, tool) {
                // Its applets too are another implementation of the tools. Not all builds have a flock.
                (Shell::Busybox { path }, _) if tool != "flock" => path.clone(),
                (_, "awk") => find(awk_of(spec.platform)).or_else(|_| find("awk"))?,
                (Shell::Sh | Shell::Other { .. } | Shell::Busybox { .. }, _) => find(tool)?,
            };
            symlink(target, bin.join(tool))?;
        }
        let mut stand_ins = vec![("sleep", SLEEP), ("curl", CURL)];
        match spec.platform {
            // A command runs in the control container there, which has neither.
            Platform::Bottlerocket | Platform::Windows | Platform::ManagedInstances => {}
            Platform::AmazonLinux2023
            | Platform::AmazonLinux2
            | Platform::Ubuntu
            | Platform::Rhel
            | Platform::Suse => {
                stand_ins.extend([("docker", DOCKER), ("systemctl", SYSTEMCTL), ("cloud-init", CLOUD_INIT)]);
            }
            Platform::EcsAnywhere => stand_ins.extend([("docker", DOCKER), ("systemctl", SYSTEMCTL)]),
            Platform::AmazonLinux1 => {
                stand_ins.extend([("docker", DOCKER), ("initctl", INITCTL), ("cloud-init", CLOUD_INIT)]);
            }
            Platform::PlainDocker => {
                stand_ins.extend([("docker", DOCKER), ("systemctl", SYSTEMCTL), ("cloud-init", CLOUD_INIT)]);
                self.hand_to_docker()?;
            }
        }
        if spec.aws_cli.is_some() {
            stand_ins.push(("aws", AWS));
        }
        for (name, text) in stand_ins {
            write_program(&bin.join(name), text)?;
        }
        Ok(())
    }

    /// What docs/PLATFORMS.md asks of an operator who starts the agent with `docker run`.
    fn hand_to_docker(&self) -> io::Result<()> {
        let program = self.root().join(RESTART_PROGRAM);
        let folders =
            [&program, &self.root().join(ENV_FILE)].map(|file| file.parent().map(Path::to_path_buf));
        for folder in folders.into_iter().flatten() {
            fs::create_dir_all(&folder)?;
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        }
        let name = self.root().join(ENV_FILE_NAME);
        fs::write(&name, format!("/{ENV_FILE}\n"))?;
        fs::set_permissions(&name, fs::Permissions::from_mode(0o644))?;
        write_program(&program, RESTART_AGENT)
    }

    pub(super) async fn run(&self, host: &Host, script: &str, timeout: Duration) -> io::Result<ScriptResult> {
        if host.spec().platform == Platform::EcsAnywhere {
            self.refresh_shared_credentials(host)?;
        }
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let run = self.runs().join(number.to_string());
        fs::create_dir(&run)?;
        let (file, stdout, stderr) = (run.join("_script.sh"), run.join("stdout"), run.join("stderr"));
        fs::write(&file, script)?;
        let mut command = self.command(host, &file);
        // Into files: a pipe would stay open for as long as any descendant holds it.
        command.stdout(File::create(&stdout)?).stderr(File::create(&stderr)?);
        let mut child = command.spawn()?;
        let mut group = Group::of(child.id());
        let (exit_code, timed_out) = match tokio::time::timeout(timeout, child.wait()).await {
            Ok(status) => {
                group.release();
                (exit_code(status?), false)
            }
            Err(_elapsed) => {
                group.kill();
                child.wait().await?;
                (KILLED, true)
            }
        };
        let read = |path: &Path| Ok::<_, io::Error>(String::from_utf8_lossy(&fs::read(path)?).into_owned());
        let result = ScriptResult { exit_code, stdout: read(&stdout)?, stderr: read(&stderr)?, timed_out };
        fs::remove_dir_all(&run)?;
        Ok(result)
    }

    fn command(&self, host: &Host, script: &Path) -> Command {
        let mut command = match &host.spec().shell {
            Shell::Sh => Command::new("/bin/sh"),
            Shell::Other { path, arguments } => {
                let mut command = Command::new(path);
                command.args(arguments);
                command
            }
            Shell::Busybox { path } => {
                let mut command = Command::new(path);
                command.arg("sh");
                command
            }
        };
        command
            .arg(script)
            .env_clear()
            .env("PATH", self.bin())
            .env("HOME", self.root().join("root"))
            .env("REGCRED_ROOT", self.root())
            .env("SANDBOX_HOST", format!("{}/_sandbox/host/{}", host.cloud().endpoint(), host.spec().id))
            .env("SANDBOX_CURL", &self.curl)
            .current_dir(self.root())
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(aws) = &host.spec().aws_cli {
            command.env("SANDBOX_AWS", aws).env("SANDBOX_PATH", std::env::var_os("PATH").unwrap_or_default());
        }
        command
    }

    /// What the SSM agent does on a hybrid node every half hour.
    fn refresh_shared_credentials(&self, host: &Host) -> io::Result<()> {
        let credentials = host.mint_credentials();
        let path = self.root().join(SHARED_CREDENTIALS);
        let text = format!(
            "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
            credentials.access_key_id,
            credentials.secret_access_key.expose(),
            credentials.token.expose()
        );
        fs::write(path, text)
    }
}

fn write_program(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// Each has its own limits and its own view of bytes.
fn awk_of(platform: Platform) -> &'static str {
    match platform {
        Platform::Ubuntu => "mawk",
        Platform::AmazonLinux2023
        | Platform::AmazonLinux2
        | Platform::Rhel
        | Platform::Suse
        | Platform::AmazonLinux1
        | Platform::PlainDocker
        | Platform::EcsAnywhere
        | Platform::Bottlerocket
        | Platform::Windows
        | Platform::ManagedInstances => "gawk",
    }
}

/// A script and all that it started: killed with this value, so that a run that is given up leaves nothing behind.
struct Group(Option<Pid>);

impl Group {
    fn of(leader: Option<u32>) -> Self {
        Self(leader.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// The leader has ended by itself: what it left running is none of ours, as it is none of the SSM agent's.
    fn release(&mut self) {
        self.0 = None;
    }

    fn kill(&self) {
        if let Some(leader) = self.0 {
            // It fails when all are gone, which is what is wanted.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// As a shell says it: 128 and the signal's number for a script that a signal ended.
fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(KILLED)
}

/// A tool of this machine, where an ordinary PATH has it.
fn find(tool: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(tool))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("a host with a shell needs `{tool}`, which is not in PATH; install it"),
            )
        })
}
