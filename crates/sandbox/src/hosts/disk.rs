//! A host's files: a folder, or a map in memory, under the same names.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Mutex;

use super::lock;

pub(super) const CONFIG: &str = "etc/ecs/ecs.config";
pub(super) const BASE_CONFIG: &str = "var/lib/ecs/ecs.config";
/// What the operator's `docker run` of a host without ecs-init is given as `--env-file`, and the file that says so.
pub(super) const ENV_FILE: &str = "opt/ecs/agent.env";
pub(super) const ENV_FILE_NAME: &str = "etc/regcred/env-file";
pub(super) const RESTART_PROGRAM: &str = "etc/regcred/restart-agent";
pub(super) const AGENT_LOG: &str = "var/log/ecs/ecs-agent.log";
pub(super) const OS_RELEASE: &str = "etc/os-release";
pub(super) const SHARED_CREDENTIALS: &str = "root/.aws/credentials";

/// The folders that a host has from the start.
const FOLDERS: [&str; 6] = ["etc/ecs", "var/lib/ecs", "var/log/ecs", "var/lib", "run", "root/.aws"];

pub(super) enum Disk {
    Folder(PathBuf),
    Memory(Mutex<BTreeMap<&'static str, Vec<u8>>>),
}

impl Disk {
    pub(super) fn in_folder(root: PathBuf) -> io::Result<Self> {
        for folder in FOLDERS {
            std::fs::create_dir_all(root.join(folder))?;
        }
        Ok(Self::Folder(root))
    }

    pub(super) fn in_memory() -> Self {
        Self::Memory(Mutex::default())
    }

    /// The file's content; nothing where it is missing or cannot be read, which is one to whoever starts an agent.
    pub(super) fn read(&self, path: &'static str) -> Option<Vec<u8>> {
        match self {
            Self::Folder(root) => std::fs::read(root.join(path)).ok(),
            Self::Memory(files) => lock(files).get(path).cloned(),
        }
    }

    pub(super) fn write(&self, path: &'static str, content: &[u8]) -> io::Result<()> {
        match self {
            Self::Folder(root) => std::fs::write(root.join(path), content),
            Self::Memory(files) => {
                lock(files).insert(path, content.to_vec());
                Ok(())
            }
        }
    }

    pub(super) fn append_line(&self, path: &'static str, line: &str) -> io::Result<()> {
        match self {
            Self::Folder(root) => {
                let mut file = std::fs::OpenOptions::new().create(true).append(true).open(root.join(path))?;
                writeln!(file, "{line}")
            }
            Self::Memory(files) => {
                let mut files = lock(files);
                let content = files.entry(path).or_default();
                content.extend_from_slice(line.as_bytes());
                content.push(b'\n');
                Ok(())
            }
        }
    }
}
