//! What a daemon tells those who watch it: systemd over its socket, and a scraper over HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use regcred_sandbox::{Effect, Fault, Match, Origin, Service};
use rustix::process::Signal;

use super::{Running, SCHEDULE, advance_to, daemon_world, until};
use crate::http;
use crate::tools::{Program, Tool};
use crate::world::{LEASE, World, held};

/// What systemd gives a service that it watches.
const WATCHDOG: &str = "60000000";

/// A daemon with a service manager and endpoints at a free port.
struct Watched {
    daemon: Running,
    manager: UnixDatagram,
    /// What the manager was told so far, a line each.
    told: Vec<String>,
    endpoint: String,
}

impl Watched {
    async fn start(world: &World) -> Self {
        let config = std::fs::read_to_string(world.path("regcred.yaml")).unwrap();
        world.write("regcred.yaml", &config.replace("listen: none", "listen: '127.0.0.1:0'"));
        let path = world.path("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_nonblocking(true).unwrap();
        let clock = world.endpoint();
        let program = world
            .regcred(&["run", "--output", "json", "--clock", &clock])
            .variable("NOTIFY_SOCKET", path.to_str().unwrap())
            .variable("WATCHDOG_USEC", WATCHDOG)
            .variable("RUST_LOG", "regcred=info");
        let daemon = Running(program.start());
        let address = || {
            let log = daemon.stderr();
            let line = log.lines().find(|line| line.contains("/livez"))?;
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            Some(format!("http://{}", line["address"].as_str()?))
        };
        until("the endpoints are served", async || address().is_some()).await;
        let endpoint = address().unwrap();
        Self { daemon, manager, told: Vec::new(), endpoint }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = http::send(&self.endpoint, "GET", path, &[], b"").await.unwrap();
        (answer.status, answer.text())
    }

    async fn metrics(&self) -> BTreeMap<String, f64> {
        let (status, text) = self.get("/metrics").await;
        assert_eq!(status, 200);
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.map(|line| line.rsplit_once(' ').unwrap());
        pairs.map(|(series, value)| (series.to_owned(), value.parse().unwrap())).collect()
    }

    fn told(&mut self) -> &[String] {
        let mut bytes = [0; 4096];
        while let Ok(read) = self.manager.recv(&mut bytes) {
            let text = std::str::from_utf8(&bytes[..read]).unwrap();
            self.told.extend(text.lines().map(str::to_owned));
        }
        &self.told
    }

    async fn until_told(&mut self, line: &str) {
        until(&format!("systemd is told {line}"), async || self.told().iter().any(|told| told == line)).await;
    }
}

#[tokio::test]
async fn systemd_is_told_of_the_start_a_reload_and_the_end_and_that_the_loop_comes_round() {
    let world = daemon_world("systemd_is_told");
    let mut watched = Watched::start(&world).await;
    watched.until_told("READY=1").await;
    watched.daemon.report(0).await;
    watched.until_told("WATCHDOG=1").await;
    until("a pass is told", async || {
        watched
            .told()
            .iter()
            .any(|line| line.starts_with("STATUS=the pass that ended at") && line.ends_with(": Converged"))
    })
    .await;
    let config = std::fs::read_to_string(world.path("regcred.yaml")).unwrap();
    for (config, status) in [
        ("fleets: [", "STATUS=the configuration was read anew and cannot be used; the one before stays"),
        (&*config, "STATUS=the configuration was read anew"),
    ] {
        watched.told();
        watched.told.clear();
        world.write("regcred.yaml", config);
        watched.daemon.0.signal(Signal::HUP);
        watched.until_told(status).await;
        let told = watched.told().to_vec();
        let at = |wanted: &str| told.iter().position(|line| line.starts_with(wanted)).unwrap();
        assert_eq!(at("MONOTONIC_USEC="), at("RELOADING=1") + 1, "{told:?}");
        assert!(at("READY=1") > at("RELOADING=1"), "{told:?}");
    }
    let metrics = watched.metrics().await;
    assert_eq!(metrics["regcred_config_reloads_total{outcome=\"rejected\"}"], 1.0);
    assert_eq!(metrics["regcred_config_reloads_total{outcome=\"accepted\"}"], 1.0);
    assert_eq!(metrics["regcred_config_last_reload_successful"], 1.0);
    watched.daemon.0.signal(Signal::TERM);
    watched.until_told("STOPPING=1").await;
    assert_eq!(watched.daemon.0.end().await.code, Some(0));
}

#[tokio::test]
async fn a_watchdog_that_is_for_another_process_is_not_fed() {
    let world = daemon_world("a_watchdog_that_is_for_another_process");
    let path = world.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let clock = world.endpoint();
    let program = world
        .regcred(&["run", "--output", "json", "--clock", &clock])
        .variable("NOTIFY_SOCKET", path.to_str().unwrap())
        .variable("WATCHDOG_USEC", WATCHDOG)
        .variable("WATCHDOG_PID", "1");
    let daemon = Running(program.start());
    daemon.report(0).await;
    // The loop has come round once at least.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(daemon.told_to_end().await.code, Some(0));
    manager.set_nonblocking(true).unwrap();
    let mut bytes = [0; 4096];
    let mut told = String::new();
    while let Ok(read) = manager.recv(&mut bytes) {
        told.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    assert!(told.contains("READY=1") && told.contains("STOPPING=1"), "{told}");
    assert!(!told.contains("WATCHDOG=1"), "{told}");
}

/// The value of a label of a series.
fn label<'a>(series: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = series.split_once(&format!("{name}=\""))?;
    Some(rest.split('"').next().unwrap())
}

#[tokio::test]
async fn a_scraper_sees_passes_what_was_asked_of_aws_and_no_name_but_the_configurations() {
    let world = daemon_world("a_scraper_sees_passes");
    let throttled = Fault {
        calls: Match {
            service: Some(Service::Ecs),
            operation: Some("ListContainerInstances".into()),
            origin: Some(Origin::Controller),
            times: Some(1),
            ..Match::default()
        },
        effect: Effect::Throttle,
    };
    world.client().set_faults(&[throttled]).unwrap();
    advance_to(&world, "2027-01-11T12:10:00+01:00");
    let watched = Watched::start(&world).await;
    assert_eq!(watched.get("/livez").await, (200, "alive\n".to_owned()));
    watched.daemon.report(0).await;
    until("it is ready", async || watched.get("/readyz").await.0 == 200).await;

    // Prometheus's own judge of the text, and of the names in it.
    if let Some(promtool) = Tool::Promtool.find("a_scraper_sees_passes") {
        let (_, text) = watched.get("/metrics").await;
        let judged = Program::new(promtool).arguments(["check", "metrics"]).stdin(text).run().await;
        assert_eq!((judged.code, judged.stderr.as_str()), (Some(0), ""), "{judged:?}");
    }

    let metrics = watched.metrics().await;
    assert_eq!(metrics["regcred_passes_total{outcome=\"converged\"}"], 1.0);
    assert_eq!(metrics["regcred_corrections_total{kind=\"host\"}"], 2.0);
    assert_eq!(metrics["regcred_drift{kind=\"host\"}"], 0.0);
    assert_eq!(metrics["regcred_old_password_revocable"], 1.0);
    assert!(metrics["regcred_last_success_timestamp_seconds"] > 1_799_000_000.0, "the time is the world's");

    // Each request is counted, the throttled one too: what the other end saw of regcred.
    let mut seen: BTreeMap<String, f64> = BTreeMap::new();
    for call in world.calls().into_iter().filter(|call| !call.is_of_host() && call.service != Service::Sts) {
        *seen.entry(call.operation).or_default() += 1.0;
    }
    let mut counted: BTreeMap<String, f64> = BTreeMap::new();
    for (series, count) in
        metrics.iter().filter(|(series, _)| series.starts_with("regcred_aws_attempts_total"))
    {
        *counted.entry(label(series, "operation").unwrap().to_owned()).or_default() += count;
    }
    assert_eq!(counted, seen);
    let sum = |outcome: &str| -> f64 {
        let of_it = metrics.iter().filter(|(series, _)| label(series, "outcome") == Some(outcome));
        of_it.filter(|(series, _)| series.contains("ListContainerInstances")).map(|(_, count)| count).sum()
    };
    assert_eq!(sum("throttled"), 1.0);

    let names =
        |name: &str| -> BTreeSet<&str> { metrics.keys().filter_map(|series| label(series, name)).collect() };
    assert_eq!(names("registry"), BTreeSet::from(["dockerhub", "ghcr", "harbor"]));
    assert_eq!(names("fleet"), BTreeSet::from(["prod"]));
    assert_eq!(names("service"), BTreeSet::from(["ecs", "s3", "secretsmanager", "ssm"]));
    let labels: BTreeSet<&str> = metrics
        .keys()
        .filter_map(|series| series.split_once('{'))
        .flat_map(|(_, labels)| labels.split(',').map(|label| label.split('=').next().unwrap()))
        .collect();
    let closed = ["fleet", "kind", "le", "operation", "outcome", "registry", "service", "state", "version"];
    assert_eq!(labels, BTreeSet::from(closed));
    assert_eq!(watched.daemon.told_to_end().await.code, Some(0));
}

#[tokio::test]
async fn the_lease_shows_while_it_is_held() {
    let world = daemon_world("the_lease_shows");
    world.client().set_faults(&[held(Service::Ssm, "SendCommand", 1)]).unwrap();
    let watched = Watched::start(&world).await;
    world.until_held("SendCommand").await;
    until("the lease is seen", async || watched.metrics().await["regcred_lease_held"] == 1.0).await;
    assert_eq!(watched.get("/readyz").await.0, 503, "the first pass has not ended");
    world.client().set_faults(&[]).unwrap();
    watched.daemon.report(0).await;
    until("the lease is given back", async || watched.metrics().await["regcred_lease_held"] == 0.0).await;
    let lease: serde_json::Value =
        serde_json::from_str(&world.sdk().object("acme-regcred", LEASE).await.0).unwrap();
    assert_eq!(lease["holder"], serde_json::Value::Null);
    assert_eq!(watched.daemon.told_to_end().await.code, Some(0));
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_before_anything_is_done() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let world = daemon_world("a_port_that_is_taken");
    let config = std::fs::read_to_string(world.path("regcred.yaml")).unwrap();
    assert!(config.contains(SCHEDULE));
    world.write("regcred.yaml", &config.replace("listen: none", &format!("listen: '{address}'")));
    let ended = world.run(&["run"]).await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    let [what, _, to_do] = &crate::messages::errors(&ended.stderr)[0];
    assert!(
        what.contains(&format!("cannot listen on {address}")) && to_do.contains("daemon.listen"),
        "{ended:?}"
    );
    assert!(world.calls().is_empty(), "{:?}", world.calls());
}
