//! Ctrl-C, and the signal that a service is ended with: nothing that regcred started is left, and a person knows what goes on.

use std::time::Duration;

use regcred_sandbox::hosts::Life;
use rustix::process::Signal;

use crate::messages::errors;
use crate::processes;
use crate::world::{self, GOOD, World, bare, host, with_hosts};

/// A registry whose source waits for ever.
const HANGING: &str = "state: { bucket: acme-regcred }
registries:
  odd:
    server: odd.example.com
    verify: { enabled: false }
    source_timeout: 2m
    source: { exec: { command: [hang], environment: [ASKED] } }
    secret: { name: published/odd }
";

/// How often is looked whether something has come about.
const GLANCE: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_signal_ends_the_programs_of_sources_too() {
    let programs = format!("{}/tests/programs:/usr/bin:/bin", env!("CARGO_MANIFEST_DIR"));
    for (command, signal, code) in
        [("plan", Signal::INT, 130), ("sync", Signal::TERM, 143), ("verify", Signal::INT, 130)]
    {
        let mut world = World::start("a_signal_ends_the_programs", bare(), HANGING);
        world.set("PATH", &programs);
        world.set("ASKED", &world.path("asked").display().to_string());
        let mut regcred = world.regcred(&[command]).start();
        let child = loop {
            let asked = std::fs::read_to_string(world.path("asked")).unwrap_or_default();
            if asked.ends_with('\n') {
                break asked.trim().to_owned();
            }
            assert!(!regcred.has_ended(), "{command} ended by itself");
            tokio::time::sleep(GLANCE).await;
        };
        regcred.signal(signal);
        let ended = regcred.end().await;
        assert_eq!(ended.code, Some(code), "{command}: {ended:?}");
        let told = errors(&ended.stderr);
        assert!(told.len() == 1 && told[0][0].contains("interrupted"), "{command}: {told:#?}");
        assert!(processes::is_gone(&child).await, "{command}: its child {child} goes on");
    }
}

#[tokio::test]
async fn a_rollout_that_is_cut_says_what_goes_on_and_the_next_pass_goes_on_from_there() {
    let hosts = vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)];
    let world = World::start("a_rollout_that_is_cut", with_hosts(hosts), &world::swift());
    let mut regcred = world.regcred(&["sync"]).start();
    while !world.calls().iter().any(|call| call.operation == "SendCommand") {
        assert!(!regcred.has_ended(), "it ended by itself");
        tokio::time::sleep(GLANCE).await;
    }
    regcred.signal(Signal::INT);
    let ended = regcred.end().await;
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let told = errors(&ended.stderr);
    assert_eq!(told.len(), 1, "{ended:?}");
    let [what, why, to_do] = &told[0];
    assert!(what.contains("interrupted before the pass ended"), "{what}");
    assert!(why.contains("of 2 hosts of fleet `prod` were sent to, which go on by themselves"), "{why}");
    assert!(to_do.contains("run `regcred sync` again"), "{to_do}");
    assert_eq!(world.json(&["sync"]).await.code, 0);
    assert_eq!(world.json(&["sync"]).await.code, 0);
    for (id, restarts) in world.restarts() {
        assert_eq!(restarts, 1, "{id} was restarted by the pass that was cut, or by the next one");
    }
}
