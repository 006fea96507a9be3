//! Running another program for a credential: a credential helper, or a command of the configuration.
//!
//! There is no shell. The program sees the variables that it is given, reads what it is given, and its standard output is
//! kept for the caller alone: nothing of what it prints gets into an error or a log, and its standard error is thrown
//! away. It runs in a process group of its own, which is killed as soon as nobody waits for it any more: at the time
//! limit, and when regcred is ended by SIGINT or SIGTERM, which drop the reading.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdout, Command};
use zeroize::Zeroizing;

use super::bytes::LIMIT;
use super::flaw::Flaw;

/// Variables by their names.
pub(super) type Environment = BTreeMap<OsString, OsString>;

/// What a program needs to find its own files and other programs. Whatever else it reads has to be listed.
const ALWAYS: [&str; 3] = ["HOME", "PATH", "TMPDIR"];

/// The variables of regcred's own environment that a program is given: those of [`ALWAYS`], the XDG folders, and those that
/// are `listed`.
pub(super) fn environment(listed: &[String]) -> Environment {
    let is_given = |name: &str| {
        ALWAYS.contains(&name) || name.starts_with("XDG_") || listed.iter().any(|other| other == name)
    };
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_given)).collect()
}

/// A program to run.
pub(super) struct Call<'a> {
    /// Looked for on the `PATH` that it is given, unless it has a `/`.
    pub(super) program: &'a OsStr,
    pub(super) arguments: &'a [String],
    pub(super) environment: &'a Environment,
    /// Where it is run; without one, where regcred runs.
    pub(super) folder: Option<&'a Path>,
    /// Its whole standard input. Shorter than a pipe takes at once (4 KiB at least, POSIX's `PIPE_BUF` is 512).
    pub(super) input: &'a [u8],
}

/// A program that has ended.
pub(super) struct Ended {
    /// The exit code; `None` if a signal ended it.
    pub(super) code: Option<i32>,
    /// Its standard output. It may be a secret, also where the program failed.
    pub(super) output: Zeroizing<Vec<u8>>,
}

/// Runs a program to its end. It is killed, with all that it started in its group, when the returned future is dropped.
pub(super) async fn run(call: Call<'_>) -> Result<Ended, Flaw> {
    let Call { program, arguments, environment, folder, input } = call;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
        command.current_dir(folder);
    }
    let mut child = command.spawn().map_err(|error| Flaw::from(error.kind()))?;
    let group = Group::of(child.id());
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read is not asked why: what it prints tells.
        drop(stdin.write_all(input).await);
    }
    let stdout = child.stdout.take().expect("it was piped");
    let output = read(stdout).await?;
    let status = child.wait().await.map_err(|error| Flaw::from(error.kind()))?;
    group.release();
    Ok(Ended { code: code(status), output })
}

fn code(status: ExitStatus) -> Option<i32> {
    debug_assert!(status.code().is_some() || status.signal().is_some());
    status.code()
}

/// All of it, up to [`LIMIT`]. The buffer is as large as it gets from the start: one that grew would leave pieces of the
/// secret behind.
async fn read(mut stdout: ChildStdout) -> Result<Zeroizing<Vec<u8>>, Flaw> {
    let mut output = Zeroizing::new(vec![0; LIMIT + 1]);
    let mut filled = 0;
    loop {
        match stdout.read(&mut output[filled..]).await {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) => return Err(Flaw::from(error.kind())),
        }
        if filled > LIMIT {
            return Err(Flaw::TooLarge { limit: LIMIT });
        }
    }
    output.truncate(filled);
    Ok(output)
}

/// The process group of a child that was not yet waited for: until then, its number is nobody else's.
struct Group(Option<Pid>);

impl Group {
    fn of(id: Option<u32>) -> Self {
        Self(id.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// The child has ended by itself. What it left in the background is its own affair.
    fn release(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended just now.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
