//! The lives in which a situation is played: in memory, and on every shell that this machine has.

use std::path::{Path, PathBuf};

use regcred_sandbox::hosts::{HostSpec, Life, Platform, Shell};

use crate::double::{BUCKET, KEY};

#[derive(Clone, Debug)]
pub(crate) enum Played {
    InMemory,
    In(Shell),
}

impl Played {
    /// All lives. A shell that is missing is said aloud, and is a failure where CI is set.
    pub(crate) fn everywhere() -> Vec<Self> {
        std::iter::once(Self::InMemory).chain(Self::in_shells()).collect()
    }

    pub(crate) fn in_shells() -> Vec<Self> {
        let shells = [
            shell("dash", |path| Shell::Other { path, arguments: Vec::new() }),
            shell("bash", |path| Shell::Other { path, arguments: vec!["--posix".into()] }),
            shell("busybox", |path| Shell::Busybox { path }).filter(|shell| {
                let Shell::Busybox { path } = shell else { return true };
                keeps_to_path(path)
                    || missing("a busybox that keeps to PATH (Debian's busybox, not busybox-static)")
            }),
        ];
        shells.into_iter().flatten().map(Self::In).collect()
    }

    /// In one shell, for what no shell differs in.
    pub(crate) fn in_a_shell() -> Self {
        Self::In(Shell::Sh)
    }

    pub(crate) fn host(&self, spec: HostSpec) -> HostSpec {
        match self {
            Self::InMemory => HostSpec { life: Life::Memory, ..spec },
            Self::In(shell) => {
                // Where `sh` is dash, awk is mawk; Amazon Linux has bash and gawk.
                let is_dash = matches!(shell, Shell::Other { path, .. } if path.ends_with("dash"));
                let platform = match spec.platform {
                    Platform::AmazonLinux2023 if is_dash => Platform::Ubuntu,
                    platform => platform,
                };
                HostSpec { life: Life::Shell, shell: shell.clone(), platform, ..spec }
            }
        }
    }
}

fn shell(name: &str, make: impl FnOnce(PathBuf) -> Shell) -> Option<Shell> {
    let path = ["/bin", "/usr/bin", "/usr/local/bin"].map(|folder| Path::new(folder).join(name));
    let found = path.into_iter().find(|path| path.is_file());
    if found.is_none() {
        missing(name);
    }
    found.map(make)
}

/// Says it, and is always false.
#[expect(clippy::print_stderr, reason = "what was not tested has to be seen")]
fn missing(what: &str) -> bool {
    assert!(std::env::var_os("CI").is_none(), "this machine has no {what}; install it");
    eprintln!("NOT TESTED: this machine has no {what}; install it");
    false
}

/// The real `aws`, where the tests' tools were installed to or in PATH.
pub(crate) fn aws() -> Option<PathBuf> {
    let tools = std::env::var_os("REGCRED_TEST_TOOLS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = tools.into_iter().chain(std::env::split_paths(&path)).map(|folder| folder.join("aws"));
    let found = found.into_iter().find(|file| file.is_file());
    if found.is_none() {
        missing("aws");
    }
    found
}

/// Some builds run their own applets whatever PATH says, the stand-in of `sleep` then being passed over.
fn keeps_to_path(busybox: &Path) -> bool {
    !std::process::Command::new(busybox)
        .args(["sh", "-c", "PATH=/nonexistent; sleep 0"])
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap()
        .success()
}

/// The document's script with its parameters, as SSM fills them in.
pub(crate) fn script(endpoint: &str, mode: &str) -> String {
    script_for(BUCKET, KEY, endpoint, mode)
}

pub(crate) fn script_for(bucket: &str, key: &str, endpoint: &str, mode: &str) -> String {
    let document: serde_json::Value = serde_json::from_str(regcred_sandbox::hosts::DOCUMENT).unwrap();
    let commands = document["mainSteps"][0]["inputs"]["runCommand"].as_array().unwrap();
    let script: String = commands.iter().map(|line| line.as_str().unwrap().to_owned() + "\n").collect();
    script
        .replace("{{ Bucket }}", bucket)
        .replace("{{ Key }}", key)
        .replace("{{ Region }}", "eu-west-1")
        .replace("{{ Endpoint }}", endpoint)
        .replace("{{ Mode }}", mode)
}
