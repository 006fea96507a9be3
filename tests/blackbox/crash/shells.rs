//! The same laws where every host runs the real script in a real shell: scripts go on after the controller is killed, and
//! are met by those of the next pass; and a script is killed itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use regcred_sandbox::Service;
use regcred_sandbox::hosts::Life;

use super::cut::{Cut, Fate, Which};
use super::laws::{Publication, recover};
use super::{Scene, Stage};
use crate::tools::Started;
use crate::world::{GOOD, World};

#[tokio::test(flavor = "multi_thread")]
async fn what_real_shells_are_at_is_met_by_the_next_pass() {
    let mut stage = Stage::set_with("crash_in_shells", Scene::PasswordChange, Life::Shell).await;
    for (operation, nth, fate) in [
        ("SendCommand", 1, Fate::KilledAfter),
        ("SendCommand", 2, Fate::KilledAfter),
        ("SendCommand", 2, Fate::AnswerDropped),
        ("ListCommandInvocations", 3, Fate::KilledBefore),
    ] {
        let cut = Cut { which: Which::Of(Service::Ssm, operation.to_owned(), nth), fate };
        stage.strike(&cut).await.0.assert_met(&cut);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_is_killed_in_the_middle_is_finished_by_the_next_pass() {
    let mut stage = Stage::set_with("crash_of_a_script", Scene::PasswordChange, Life::Shell).await;
    // The first host of a rollout, after which it halts, and one of a later wave.
    for (host, code) in [(GOOD[0], 5), (GOOD[2], 4)] {
        // A busy machine may let the script get away.
        let killed = 'tries: {
            for _ in 0..5 {
                let password = stage.next_password();
                let mut publication = Publication::begin(&stage.world, &stage.aws, &password).await;
                stage.world.set_harbor_password(&password);
                let mut pass = stage.world.regcred(&["sync"]).start();
                let killed = kill_in_a_trial(&stage.world, host, &mut pass).await;
                let ended = pass.end().await;
                publication.hold().await;
                recover(&mut publication).await;
                if killed {
                    assert_eq!(ended.code, Some(code), "{}", ended.stdout);
                    break 'tries true;
                }
            }
            false
        };
        assert!(killed, "the script on {host} got away each time");
    }
}

/// A script that runs on a host.
struct Script {
    /// It leads its process group.
    leader: u32,
    /// The host's `/`.
    root: PathBuf,
}

impl Script {
    /// Found by the environment that the sandbox gives it.
    fn on(world: &World, host: &str) -> Option<Self> {
        let at_host = format!("SANDBOX_HOST={}/_sandbox/host/{host}", world.endpoint());
        let processes = fs::read_dir("/proc").expect("Linux has /proc");
        processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).find_map(
            |process: u32| {
                let read = |name: &str| fs::read(format!("/proc/{process}/{name}")).unwrap_or_default();
                let environment = String::from_utf8_lossy(&read("environ")).into_owned();
                let mut variables = environment.split('\0');
                let is_leader = String::from_utf8_lossy(&read("cmdline")).contains("_script.sh")
                    && group_of(process) == Some(process);
                let is_here = is_leader && variables.clone().any(|variable| variable == at_host);
                let root = variables.find_map(|variable| variable.strip_prefix("REGCRED_ROOT="))?;
                is_here.then(|| Self { leader: process, root: PathBuf::from(root) })
            },
        )
    }

    fn is_in_a_trial(&self) -> bool {
        self.root.join("var/lib/regcred/trial").exists()
    }

    /// Whether it was still there to be killed.
    fn kill(&self) -> bool {
        let kill = format!("kill -s KILL -- -{}", self.leader);
        Command::new("/bin/sh").args(["-c", &kill]).status().expect("there is a shell").success()
    }
}

fn group_of(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat")).ok()?;
    // proc(5): `pid (command) state ppid pgrp …`; the command may hold anything, a parenthesis too.
    stat.rsplit(')').next()?.split_whitespace().nth(2)?.parse().ok()
}

/// Kills the host's script, with all that it started, between its first write and its proof. Whether it was met there.
async fn kill_in_a_trial(world: &World, host: &str, pass: &mut Started) -> bool {
    while !pass.has_ended() {
        if let Some(script) = Script::on(world, host).filter(Script::is_in_a_trial) {
            return script.kill();
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    false
}
