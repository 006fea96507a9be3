//! Programs from outside of this repository, and ours: where they are, and how a test runs one.
//!
//! `tests/run` installs what is missing. A test that finds a tool missing all the same says so and passes; with `CI` set, it
//! fails. It must never pass in silence.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::{Child, Command};

/// A pass takes seconds and the demo less than a minute: two minutes are a program that hangs, on two busy cores too.
pub(crate) const LIMIT: Duration = Duration::from_mins(2);

/// How often a file that a program writes is looked at.
const GLANCE: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Aws,
    MotoServer,
    Ministack,
    Dash,
    Bash,
    Busybox,
    Openssl,
    DockerRegistry,
    Promtool,
}

impl Tool {
    fn file_name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::MotoServer => "moto_server",
            Self::Ministack => "ministack",
            Self::Dash => "dash",
            Self::Bash => "bash",
            Self::Busybox => "busybox",
            Self::Openssl => "openssl",
            Self::DockerRegistry => "docker-registry",
            Self::Promtool => "promtool",
        }
    }

    /// Where to look. The Python tools only where `tests/run` put them: any other version of them is another judge.
    fn folders(self) -> Vec<PathBuf> {
        match self {
            Self::Aws | Self::MotoServer | Self::Ministack => vec![python_tools()],
            Self::Dash | Self::Bash | Self::Busybox | Self::Openssl => on_path(),
            Self::DockerRegistry | Self::Promtool => on_path().into_iter().chain([python_tools()]).collect(),
        }
    }

    /// The tool's path, or `None` after it was said that `test` cannot run without it.
    ///
    /// # Panics
    /// With `CI` set, where a missing tool is a failure.
    pub(crate) fn find(self, test: &str) -> Option<PathBuf> {
        let name = self.file_name();
        let found = self.folders().into_iter().map(|folder| folder.join(name)).find(|path| path.is_file());
        if found.is_none() {
            say(&format!(
                "MISSING: {name}\n  The test `{test}` needs it, and did not run.\n  Run tests/run, which installs it."
            ));
            assert!(env::var_os("CI").is_none(), "{name} is missing, and CI is set");
        }
        found
    }
}

fn on_path() -> Vec<PathBuf> {
    env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect()
}

/// `$REGCRED_TEST_TOOLS`, which `tests/run` sets, or where it installs to.
pub(crate) fn python_tools() -> PathBuf {
    env::var_os("REGCRED_TEST_TOOLS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin"), PathBuf::from)
}

/// Where to write the calls of a test, for `tests/tools/check_wire.py` to judge: a file of its own below
/// `$REGCRED_CALL_LOG_DIR`, which `tests/run` sets; `None` in a run without it, which judges no calls.
pub(crate) fn call_log(test: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env::var_os("REGCRED_CALL_LOG_DIR")?);
    Some(folder.join(format!("{test}.jsonl")))
}

/// Says something that is seen of a passing test too: the test harness holds back only what the print macros write.
pub(crate) fn say(text: &str) {
    // Nobody is left to be told of a closed standard error.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// What an AWS client is told by its environment, and all of it: nothing is read of the user's own files, and no metadata
/// service is asked.
pub(crate) struct AwsEnvironment<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) region: &'a str,
    pub(crate) access_key_id: &'a str,
    pub(crate) secret_access_key: &'a str,
}

impl AwsEnvironment<'_> {
    pub(crate) fn variables(&self) -> [(&'static str, &str); 8] {
        let Self { endpoint, region, access_key_id, secret_access_key } = *self;
        [
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_REGION", region),
            // The aws command of version 1 reads this one alone.
            ("AWS_DEFAULT_REGION", region),
            ("AWS_ACCESS_KEY_ID", access_key_id),
            ("AWS_SECRET_ACCESS_KEY", secret_access_key),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]
    }
}

/// A program to run, with an environment that holds what is given here and nothing else.
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    folder: Option<PathBuf>,
    stdin: Vec<u8>,
    limit: Duration,
}

impl Program {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            folder: None,
            stdin: Vec::new(),
            limit: LIMIT,
        }
    }

    /// The binary under test.
    pub(crate) fn regcred() -> Self {
        Self::new(env!("CARGO_BIN_EXE_regcred"))
    }

    /// The real `aws` command; `None` as [`Tool::find`] has it.
    pub(crate) fn aws(test: &str, environment: &AwsEnvironment<'_>) -> Option<Self> {
        // A path without a terminal pager, and without the retries that hide a refusal.
        let aws = Self::new(Tool::Aws.find(test)?).aws_environment(environment);
        Some(aws.variable("AWS_PAGER", "").variable("AWS_MAX_ATTEMPTS", "1").arguments(["--output", "json"]))
    }

    pub(crate) fn arguments<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub(crate) fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    pub(crate) fn aws_environment(mut self, environment: &AwsEnvironment<'_>) -> Self {
        for (name, value) in environment.variables() {
            self = self.variable(name, value);
        }
        self
    }

    pub(crate) fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Nothing, if not given: the program reads the end of file at once.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// How long it may take, if not [`LIMIT`].
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If it cannot be started, or has not ended within its limit: it is killed then, and the message holds what it printed.
    pub(crate) async fn run(self) -> Ended {
        self.start().end().await
    }

    /// Starts it. It is killed when the returned value is dropped.
    pub(crate) fn start(self) -> Started {
        let name = self.path.file_name().unwrap_or(OsStr::new("?")).to_string_lossy().into_owned();
        // Files, not pipes: what was printed can be read at any time, and no grandchild that holds a pipe open is waited for.
        let printed = tempfile::tempdir().expect("a folder for temporary files is there");
        let file =
            |name: &str| File::create(printed.path().join(name)).expect("a new folder takes a new file");
        fs::write(printed.path().join("stdin"), &self.stdin).expect("a new folder takes a new file");

        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .stdin(File::open(printed.path().join("stdin")).expect("it was written just now"))
            .stdout(Stdio::from(file("stdout")))
            .stderr(Stdio::from(file("stderr")))
            .kill_on_drop(true);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        Started { name, child, printed, until: Instant::now() + self.limit }
    }
}

/// A program that runs.
pub(crate) struct Started {
    name: String,
    child: Child,
    printed: TempDir,
    until: Instant,
}

impl Started {
    /// Waits for the first line on its standard output.
    ///
    /// # Panics
    /// If there is none when it has ended, or at its limit.
    pub(crate) async fn first_line(&mut self) -> String {
        loop {
            // Looked at before the output is: what it printed last is not missed.
            let has_ended = self.has_ended();
            if let Some((line, _)) = self.read("stdout").split_once('\n') {
                return line.to_owned();
            }
            assert!(!has_ended, "{} ended without a line\n{}", self.name, self.read("stderr"));
            assert!(
                Instant::now() < self.until,
                "{} printed no line in time\n{}",
                self.name,
                self.read("stderr")
            );
            tokio::time::sleep(GLANCE).await;
        }
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("our own child can be asked").is_some()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// As [`Program::run`].
    pub(crate) async fn end(mut self) -> Ended {
        let left = self.until.saturating_duration_since(Instant::now());
        let Ok(status) = tokio::time::timeout(left, self.child.wait()).await else {
            let (stdout, stderr) = (self.read("stdout"), self.read("stderr"));
            panic!("{} did not end in time\nstdout:\n{stdout}\nstderr:\n{stderr}", self.name);
        };
        let code = status.expect("our own child can be waited for").code();
        Ended { code, stdout: self.read("stdout"), stderr: self.read("stderr") }
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it was not waited for yet")
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.and_then(rustix::process::Pid::from_raw).expect("it was not waited for yet");
        rustix::process::kill_process(id, signal).expect("our own child can be sent a signal");
    }

    /// Kills it as the system would, with no time to clean up, and waits until it is gone.
    pub(crate) async fn kill(mut self) -> Ended {
        self.child.kill().await.expect("our own child can be killed");
        self.end().await
    }

    /// What it printed so far: `stdout` or `stderr`.
    pub(crate) fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.printed.path().join(name)).expect("it was created at the start");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// How a program ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

#[tokio::test]
async fn a_program_sees_the_environment_it_is_given_and_nothing_else() {
    let env = Program::new("/usr/bin/env").variable("ONE", "1").run().await;
    assert_eq!((env.code, env.stdout.as_str(), env.stderr.as_str()), (Some(0), "ONE=1\n", ""));
}

#[tokio::test]
async fn a_program_reads_what_it_is_given_and_its_exit_code_and_both_outputs_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let sh =
        Program::new("/bin/sh").arguments(["-c", "cat; pwd >&2; exit 3"]).stdin("read").folder(folder.path());
    let ended = sh.run().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), "read"));
    assert_eq!(Path::new(ended.stderr.trim_end()), folder.path().canonicalize().unwrap());
}

#[tokio::test]
#[should_panic(expected = "sh did not end in time\nstdout:\nso far\n")]
async fn a_program_that_hangs_fails_the_test_with_what_it_printed_so_far() {
    let sh = Program::new("/bin/sh").arguments(["-c", "echo so far; exec /bin/sleep 600"]);
    sh.limit(Duration::from_millis(300)).run().await;
}

#[tokio::test]
async fn a_program_can_be_killed_after_its_first_line() {
    let mut sh = Program::new("/bin/sh").arguments(["-c", "echo ready; exec /bin/sleep 600"]).start();
    assert_eq!(sh.first_line().await, "ready");
    assert_eq!(sh.kill().await.code, None);
}

#[tokio::test]
async fn each_shell_that_the_host_script_runs_under_is_there() {
    for (shell, arguments) in [
        (Tool::Dash, &["-c", "echo $((6 * 7))"][..]),
        (Tool::Bash, &["--posix", "-c", "echo $((6 * 7))"]),
        (Tool::Busybox, &["sh", "-c", "echo $((6 * 7))"]),
    ] {
        let Some(path) = shell.find("each_shell_that_the_host_script_runs_under_is_there") else { continue };
        assert_eq!(
            Program::new(path).arguments(arguments.iter().copied()).run().await.stdout,
            "42\n",
            "{shell:?}"
        );
    }
}

#[tokio::test]
async fn the_binary_needs_nothing_of_its_environment_to_explain_itself() {
    let help = Program::regcred().arguments(["--help"]).run().await;
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
}
