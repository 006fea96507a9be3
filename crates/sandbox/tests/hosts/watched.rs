//! A host whose every process is watched: each tool and stand-in in its PATH first writes down its arguments and its
//! environment, and does what a test has put in its way.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use regcred_sandbox::hosts::Host;

/// The tools that change something on a host, or let time pass. Between two of them nothing comes to be but files that
/// every run begins by removing, so that a kill is the same wherever it falls.
const CHANGE: [&str; 9] = ["cat", "chmod", "cp", "mkdir", "mv", "rm", "sleep", "sync", "systemctl"];

pub(crate) struct Watched {
    folder: PathBuf,
}

impl Watched {
    /// Puts itself in front of everything in the host's PATH.
    pub(crate) fn over(host: &Host) -> Self {
        let folder = host.root().unwrap().parent().unwrap().to_owned();
        let watched = Self { folder };
        fs::create_dir(watched.real()).unwrap();
        let names: Vec<_> =
            fs::read_dir(watched.bin()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        for name in names {
            let name = name.to_str().unwrap();
            fs::rename(watched.bin().join(name), watched.real().join(name)).unwrap();
            watched.wrap(name, "");
        }
        watched
    }

    /// Runs `commands` before the tool; its arguments are in `$@`, and `real` runs the tool itself.
    pub(crate) fn wrap(&self, name: &str, commands: &str) {
        let folder = self.folder.display();
        let real = self.real().join(name);
        let real = real.display();
        let count = match name {
            "systemctl" => "[ \"$1\" = show ] || count",
            _ if CHANGE.contains(&name) => "count",
            _ => ":",
        };
        let text = format!(
            "#!/bin/sh\n\
             {{ printf '%s\\n' '{name}' \"$@\"; export -p; }} >>'{folder}/seen'\n\
             count() {{\n\
             \tprintf . >>'{folder}/changes'\n\
             \t[ -f '{folder}/kill-at' ] || return 0\n\
             \tread -r at <'{folder}/kill-at'\n\
             \t[ \"$(/usr/bin/stat -c %s '{folder}/changes')\" -lt \"$at\" ] || kill -9 0\n\
             }}\n\
             {count}\n\
             real() {{ '{real}' \"$@\"; }}\n\
             {commands}\n\
             exec '{real}' \"$@\"\n"
        );
        // Another file, moved into place: the one there may be running.
        let new = self.folder.join("wrapper");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(new, self.bin().join(name)).unwrap();
    }

    /// Kills the whole run right before this change, counted from 1.
    pub(crate) fn kill_before(&self, change: usize) {
        let _ = fs::remove_file(self.folder.join("changes"));
        fs::write(self.folder.join("kill-at"), format!("{change}\n")).unwrap();
    }

    pub(crate) fn let_live(&self) {
        let _ = fs::remove_file(self.folder.join("kill-at"));
    }

    /// How many changes there were.
    pub(crate) fn changes(&self) -> usize {
        fs::read(self.folder.join("changes")).unwrap().len()
    }

    /// Every argument and every variable of all processes so far.
    pub(crate) fn seen(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("seen")).unwrap()).into_owned()
    }

    fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }

    fn real(&self) -> PathBuf {
        self.folder.join("real")
    }
}

/// All files below a folder, with what is in them.
pub(crate) fn files_below(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push((path.clone(), String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()));
        }
    }
    files
}
