//! `regcred run`: passes with nobody watching, by the clock of the sandbox.

mod day;
mod watched;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use regcred_sandbox::Service;
use regcred_sandbox::hosts::{HostSpec, Life};
use rustix::process::Signal;
use serde_json::Value;

use crate::messages::errors;
use crate::schemas;
use crate::tools::{Ended, Started};
use crate::world::{
    GOOD, LEASE, World, assert_shows_no_password, count, held, held_put, host, swift, with_hosts, writes,
};

/// Tests run side by side, and have no port of their own; where they are asked for, the endpoints are at a free one.
const SCHEDULE: &str =
    "schedules: { often: { cron: '0,30 * * * *', time_zone: Europe/Berlin } }\ndaemon: { listen: none }\n";

/// Waits until something holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let limit = Instant::now() + Duration::from_mins(2);
    while !holds().await {
        assert!(Instant::now() < limit, "it never came about that {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A daemon that goes by the time of its world.
struct Running(Started);

impl Running {
    fn start(world: &World) -> Self {
        let endpoint = world.endpoint();
        Self(world.regcred(&["run", "--output", "json", "--clock", &endpoint]).start())
    }

    /// The reports of its passes so far.
    fn reports(&self) -> Vec<Value> {
        let printed = self.0.read("stdout");
        let whole = printed.rfind('\n').map_or("", |end| &printed[..end]);
        let reports: Vec<Value> =
            whole.lines().map(|line| serde_json::from_str(line).expect("a line is a report")).collect();
        for report in &reports {
            schemas::assert_documented("sync", report);
        }
        reports
    }

    /// Waits for the report after so many.
    async fn report(&self, after: usize) -> Value {
        until(&format!("a pass ends after {after}: {}", self.0.read("stderr")), async || {
            self.reports().len() > after
        })
        .await;
        self.reports().swap_remove(after)
    }

    fn stderr(&self) -> String {
        self.0.read("stderr")
    }

    async fn told_to_end(self) -> Ended {
        self.0.signal(Signal::TERM);
        let ended = self.0.end().await;
        assert_shows_no_password("the daemon's reports", &ended.stdout);
        assert_shows_no_password("the daemon's log", &ended.stderr);
        ended
    }
}

/// Moves a world's time forward to this one.
fn advance_to(world: &World, time: &str) {
    let time = DateTime::parse_from_rfc3339(time).expect("a test's time").to_utc();
    let left: Duration = (time - now(world)).to_std().expect("time goes forward");
    world.client().advance(left + Duration::from_secs(1)).expect("the sandbox answers");
}

fn now(world: &World) -> DateTime<Utc> {
    world.client().now().expect("the sandbox answers")
}

fn two_hosts() -> Vec<HostSpec> {
    vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)]
}

fn daemon_world(test: &str) -> World {
    World::start(test, with_hosts(two_hosts()), &format!("{}{SCHEDULE}", swift()))
}

#[tokio::test]
async fn a_pass_runs_at_the_start_and_whenever_a_schedule_is_due_and_any_number_of_missed_ticks_is_one() {
    let world = daemon_world("a_pass_runs_at_the_start");
    advance_to(&world, "2027-01-11T12:10:00+01:00");
    let daemon = Running::start(&world);
    assert_eq!(daemon.report(0).await["verdict"], "converged");
    assert!(world.restarts().values().all(|restarts| *restarts == 1));
    advance_to(&world, "2027-01-11T12:20:00+01:00");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(daemon.reports().len(), 1, "nothing was due");
    advance_to(&world, "2027-01-11T12:30:00+01:00");
    daemon.report(1).await;
    advance_to(&world, "2027-01-11T18:10:00+01:00");
    daemon.report(2).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(daemon.reports().len(), 3, "eleven ticks were missed, and one pass is for all of them");
    let ended = daemon.told_to_end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn told_to_end_it_finishes_the_step_in_hand_and_told_twice_it_ends_at_once() {
    let world = daemon_world("told_to_end_it_finishes");
    world.client().set_faults(&[held(Service::Ssm, "ListCommandInvocations", 1)]).unwrap();
    let daemon = Running::start(&world);
    world.until_held("ListCommandInvocations").await;
    daemon.0.signal(Signal::TERM);
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.client().set_faults(&[]).unwrap();
    let ended = daemon.0.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (&report["fleets"][0]["ending"], &report["fleets"][0]["why"]),
        (&"stopped".into(), &"asked".into())
    );
    let hosts: Vec<&str> = report["fleets"][0]["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|host| host["outcome"].as_str().unwrap())
        .collect();
    assert!(hosts.contains(&"proven") && hosts.contains(&"waiting"), "{report:#}");
    assert_eq!(world.restarts().values().sum::<u32>(), 1, "one host first, and no other");
    let lease: Value = serde_json::from_str(&world.sdk().object("acme-regcred", LEASE).await.0).unwrap();
    assert_eq!(lease["holder"], Value::Null);

    world.client().set_faults(&[held(Service::Ssm, "SendCommand", 1)]).unwrap();
    let daemon = Running::start(&world);
    world.until_held("SendCommand").await;
    daemon.0.signal(Signal::TERM);
    tokio::time::sleep(Duration::from_millis(300)).await;
    daemon.0.signal(Signal::TERM);
    let ended = daemon.0.end().await;
    assert_eq!(ended.code, Some(143), "{ended:?}");
    let [what, why, _] = &errors(&ended.stderr)[0];
    assert!(what.contains("in the middle of a pass") && why.contains("second time"), "{ended:?}");

    world.client().set_faults(&[]).unwrap();
    assert_eq!(world.json(&["sync"]).await.code, 0);
    assert!(world.restarts().values().all(|restarts| *restarts == 1), "{:?}", world.restarts());
}

#[tokio::test]
async fn told_twice_it_ends_at_once_although_its_lease_cannot_be_given_back() {
    let config = format!("{}{SCHEDULE}", swift().replacen("lease: 1s", "lease: 1m", 1));
    let world = World::start("told_twice_it_ends_at_once", with_hosts(two_hosts()), &config);
    let mut never_answered = held_put(LEASE, 2);
    never_answered.calls.times = None;
    world.client().set_faults(&[held(Service::Ssm, "SendCommand", 1), never_answered]).unwrap();
    let daemon = Running::start(&world);
    world.until_held("SendCommand").await;
    daemon.0.signal(Signal::INT);
    until("the first is heard", async || daemon.stderr().contains("told to end")).await;
    let began = Instant::now();
    daemon.0.signal(Signal::INT);
    let ended = daemon.0.end().await;
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(errors(&ended.stderr)[0][1].contains("SIGINT (Ctrl-C) came a second time"), "{ended:?}");
}

#[tokio::test]
async fn one_that_lost_the_lease_goes_on_as_soon_as_it_may_be_had_and_not_at_the_next_tick() {
    let world = daemon_world("one_that_lost_the_lease_goes_on");
    advance_to(&world, "2027-01-11T12:10:00+01:00");
    world.client().set_faults(&[held(Service::Ssm, "ListCommandInvocations", 1)]).unwrap();
    let daemon = Running::start(&world);
    world.until_held("ListCommandInvocations").await;
    let theirs = serde_json::json!({ "version": 1, "holder": {
        "name": "regcred run on another", "id": "theirs", "since": "2026-01-01T00:00:00Z", "length_ms": 1000, "renewals": 0,
    }});
    world.sdk().put_object("acme-regcred", LEASE, &theirs.to_string()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.client().set_faults(&[]).unwrap();
    assert_eq!(daemon.report(0).await["fleets"][0]["why"], "lease_lost");
    assert_eq!(daemon.report(1).await["verdict"], "converged", "whoever took it fell silent");
    assert!(world.restarts().values().all(|restarts| *restarts == 1), "{:?}", world.restarts());
    assert_eq!(daemon.told_to_end().await.code, Some(0));
}

#[tokio::test]
async fn a_reload_takes_a_good_configuration_up_and_leaves_a_bad_one_alone() {
    let world = daemon_world("a_reload_takes_a_good_configuration_up");
    advance_to(&world, "2027-01-11T12:10:00+01:00");
    let daemon = Running::start(&world);
    daemon.report(0).await;
    let good = std::fs::read_to_string(world.path("regcred.yaml")).unwrap();
    for (bad, said) in [
        ("fleets: [", "is not valid"),
        (&*good.replace("clusters:", "clutsers:"), "did you mean `clusters`?"),
        (&*good.replace(SCHEDULE, ""), "it has no schedule"),
    ] {
        let before = daemon.stderr().len();
        world.write("regcred.yaml", bad);
        daemon.0.signal(Signal::HUP);
        until("the bad one is told", async || {
            let told = &daemon.stderr()[before..];
            told.contains(said) && told.contains("stays in use")
        })
        .await;
    }
    advance_to(&world, "2027-01-11T12:30:00+01:00");
    assert_eq!(daemon.report(1).await["verdict"], "converged", "the old one is in use");
    world.write("regcred.yaml", &good.replace("clusters: [web, batch]", "clusters: [web]"));
    daemon.0.signal(Signal::HUP);
    until("the good one is told", async || daemon.stderr().contains("was read anew, and is in use")).await;
    world.set_harbor_password("harbor-password-of-today");
    advance_to(&world, "2027-01-11T13:00:00+01:00");
    assert_eq!(daemon.report(2).await["fleets"][0]["hosts"].as_array().unwrap().len(), 1, "of `web` alone");
    assert_eq!(daemon.told_to_end().await.code, Some(0));
}

#[tokio::test]
async fn what_cannot_run_unattended_is_refused_before_it_begins() {
    let windows = "windows: { night: { opens: '0 22 * * *', time_zone: Europe/Berlin, length: 6h } }\n";
    let noon = "schedules: { noon: { cron: '0 12 * * *', time_zone: Europe/Berlin } }\n";
    for (more, said) in [
        ("", "it has no schedule"),
        ("schedules: { a: { cron: '@daily' } }\n", "words that begin with `@`"),
        ("schedules: { a: { cron: '0 0 30 2 *' } }\n", "no day is ever like that"),
        (
            "schedules: { a: { cron: '0 3 * * *', time_zone: Europe/Berlim } }\n",
            "did you mean `Europe/Berlin`?",
        ),
        (
            &*format!("    windows: [night]\n{noon}{windows}"),
            "no pass ever begins while one of these windows is open",
        ),
        (&*format!("    windows: [nihgt]\n{noon}{windows}"), "did you mean `night`?"),
    ] {
        let world =
            World::start("what_cannot_run_unattended", with_hosts(Vec::new()), &format!("{}{more}", swift()));
        let ended = world.run(&["run"]).await;
        assert_eq!(ended.code, Some(2), "{more}: {ended:?}");
        assert!(ended.stderr.contains(said), "{more}: {ended:?}");
    }
}

#[tokio::test]
async fn a_window_that_is_missed_every_minute_is_refused_without_looking_at_eight_years_of_them() {
    let more = "    windows: [w]\nschedules: { s: { cron: '30 * * * * *' } }\n\
                windows: { w: { opens: '0 * * * * *', length: 10s } }\n";
    let world =
        World::start("a_window_that_is_missed", with_hosts(Vec::new()), &format!("{}{more}", swift()));
    // It took minutes.
    let ended = world.regcred(&["check"]).limit(Duration::from_secs(40)).run().await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stdout.contains("no pass ever begins while one of these windows is open"), "{ended:?}");
}

#[tokio::test]
async fn a_closed_window_holds_restarts_and_nothing_else_whoever_asks() {
    // It opens a minute before the test, or an hour after it: no test runs that long.
    let window =
        |cron: String| format!("    windows: [w]\nwindows: {{ w: {{ opens: '{cron}', length: 10m }} }}\n");
    let later = Utc::now() + chrono::TimeDelta::hours(2);
    let closed = window(later.format("%M %H * * *").to_string());
    let world = World::start(
        "a_closed_window_holds_restarts",
        with_hosts(two_hosts()),
        &format!("{}{closed}", swift()),
    );
    let opens = later.format("%Y-%m-%dT%H:%M:00Z").to_string();
    let planned = world.json(&["plan"]).await;
    assert_eq!(
        (planned.code, &planned.json["fleets"][0]["opens"]),
        (3, &Value::from(opens.clone())),
        "{planned:#?}"
    );
    let said = world.run(&["plan"]).await.stdout;
    assert!(said.contains("its maintenance window is closed"), "{said}");
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, count(&calls, "SendCommand")), (3, 0), "{told:#?}");
    assert!(count(&calls, "CreateSecret") == 3, "{calls:#?}");
    let fleet = &told.json["fleets"][0];
    assert_eq!((&fleet["why"], &fleet["opens"]), (&"window_closed".into(), &Value::from(opens)), "{fleet:#}");
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, writes(&calls)), (3, Vec::new()), "{told:#?}");
    let told = world.json(&["sync", "--ignore-windows"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(world.restarts().values().all(|restarts| *restarts == 1));

    world.set_harbor_password("harbor-password-of-today");
    let open = window((Utc::now() - chrono::TimeDelta::minutes(1)).format("%M %H * * *").to_string());
    world.write("regcred.yaml", &format!("{}{open}", swift()));
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(world.restarts().values().all(|restarts| *restarts == 2));
}
