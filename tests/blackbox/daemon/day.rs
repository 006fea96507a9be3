//! A day of two daemons on one fleet: what may go wrong in it goes wrong, and it ends with everything as it should be.

use regcred_sandbox::{Effect, Fault, Match, Origin};

use super::{Running, advance_to, now, two_hosts, until};
use crate::messages::errors;
use crate::world::{ACCOUNT, GHCR_IMAGE, GOOD, HARBOR_IMAGE, LEASE, World, held, sha256, swift, with_hosts};
use regcred_sandbox::Service;
use rustix::process::Signal;
use serde_json::Value;

/// A pass every half hour, one more at an hour that the clock does not show on this day, and a window in which alone hosts
/// are restarted.
const UNATTENDED: &str = "    windows: [night]
daemon: { listen: none }
schedules:
  often: { cron: '0,30 * * * *', time_zone: Europe/Berlin }
  lost: { cron: '15 2 * * *', time_zone: Europe/Berlin }
windows:
  night: { opens: '0 1 * * *', time_zone: Europe/Berlin, length: 3h }
";

/// Moves the time on, and waits until each daemon has ended a pass that it began since.
async fn tick(world: &World, time: &str, daemons: [&Running; 2]) {
    let before = daemons.map(|daemon| daemon.reports().len());
    advance_to(world, time);
    for (daemon, before) in daemons.into_iter().zip(before) {
        daemon.report(before).await;
    }
}

async fn holder(world: &World) -> Value {
    let text = world.sdk().object("acme-regcred", LEASE).await.0;
    serde_json::from_str::<Value>(&text).unwrap()["holder"].clone()
}

fn last(daemon: &Running) -> Value {
    daemon.reports().pop().expect("it has ended a pass")
}

#[tokio::test]
async fn a_day_with_nobody_watching_ends_with_everything_as_it_should_be() {
    let world = World::start(
        "a_day_with_nobody_watching",
        with_hosts(two_hosts()),
        &format!("{}{UNATTENDED}", swift()),
    );
    let restarts = || world.restarts().values().sum::<u32>();

    // An evening. The first publishes, and restarts nobody: the window is closed.
    advance_to(&world, "2027-03-27T22:40:00+01:00");
    let first = Running::start(&world);
    let report = first.report(0).await;
    assert_eq!(
        (&report["verdict"], &report["fleets"][0]["why"]),
        (&"drift".into(), &"window_closed".into()),
        "{report:#}"
    );
    assert_eq!(report["fleets"][0]["opens"], "2027-03-28T00:00:00Z", "{report:#}");
    let second = Running::start(&world);
    assert_eq!(second.report(0).await["verdict"], "drift");
    assert_eq!(holder(&world).await, Value::Null, "a pass that may restart nobody has nothing to do");
    tick(&world, "2027-03-27T23:00:00+01:00", [&first, &second]).await;
    assert_eq!(restarts(), 0);

    // The window opens. One of them works, and is lost in the middle of it; the other takes over within its length.
    world.client().set_faults(&[held(Service::Ssm, "SendCommand", 1)]).unwrap();
    advance_to(&world, "2027-03-28T01:00:00+01:00");
    world.until_held("SendCommand").await;
    let name = holder(&world).await["name"].as_str().unwrap().to_owned();
    let is_leader = |daemon: &Running| name.contains(&format!("process {})", daemon.0.id()));
    let (leader, other) = if is_leader(&first) { (first, second) } else { (second, first) };
    assert!(is_leader(&leader) && !is_leader(&other), "{name}");
    let before = other.reports().len();
    leader.0.kill().await;
    world.client().set_faults(&[]).unwrap();
    until("the other one takes over", async || other.reports().len() > before).await;
    assert_eq!(last(&other)["verdict"], "converged", "{:#}", last(&other));
    assert!(world.restarts().values().all(|restarts| *restarts == 1), "{:?}", world.restarts());
    let another = Running::start(&world);
    another.report(0).await;

    // The clock goes from two to three. What is due at a quarter past two is due once, when the clock has gone.
    tick(&world, "2027-03-28T01:30:00+01:00", [&other, &another]).await;
    let before = [other.reports().len(), another.reports().len()];
    advance_to(&world, "2027-03-28T01:59:50+01:00");
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!([other.reports().len(), another.reports().len()], before, "nothing is due before");
    tick(&world, "2027-03-28T03:00:00+02:00", [&other, &another]).await;
    advance_to(&world, "2027-03-28T03:20:00+02:00");
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(other.reports().len(), before[0] + 1, "the two schedules that met are one pass");
    assert!(!other.stderr().contains("error: "), "{}", other.stderr());

    // A configuration that cannot be used: the one before stays, and the next pass runs on it.
    let good = std::fs::read_to_string(world.path("regcred.yaml")).unwrap();
    world.write("regcred.yaml", &good.replace("registries:", "registires:"));
    for daemon in [&other, &another] {
        daemon.0.signal(Signal::HUP);
        until("the bad one is told", async || daemon.stderr().contains("stays in use")).await;
    }
    world.write("regcred.yaml", &good);

    // A password changes in the window that has closed meanwhile: it is published at once, and nobody is restarted.
    world.set_harbor_password("harbor-password-of-sunday");
    tick(&world, "2027-03-28T05:00:00+02:00", [&other, &another]).await;
    assert!(world.object().await.contains("harbor.example.com"));
    let (published, _) = world.sdk().secret("ecs/registry/harbor").await.unwrap();
    assert!(published.contains("harbor-password-of-sunday"));
    assert_eq!(restarts(), 2);
    assert_ne!(world.pulls_with(GOOD[0], HARBOR_IMAGE), Some(sha256("harbor-password-of-sunday")));

    // The account is throttled for hours. What cannot be read is told, nothing is done, and the daemons go on.
    let throttled = Fault {
        calls: Match { account: Some(ACCOUNT.into()), origin: Some(Origin::Controller), ..Match::default() },
        effect: Effect::Throttle,
    };
    world.client().set_faults(&[throttled]).unwrap();
    let said = [other.stderr().len(), another.stderr().len()];
    advance_to(&world, "2027-03-28T05:30:00+02:00");
    for (daemon, said) in [&other, &another].into_iter().zip(said) {
        until("the throttling is told", async || daemon.stderr()[said..].contains("  to do: ")).await;
        let [what, why, _] = &errors(&daemon.stderr()[said..])[0];
        assert!(what.contains("cannot read the state") && why.contains("SlowDown"), "{what}: {why}");
    }
    world.client().set_faults(&[]).unwrap();
    tick(&world, "2027-03-28T06:00:00+02:00", [&other, &another]).await;

    // The next night. Whoever is first restarts both, and everything is as it should be.
    advance_to(&world, "2027-03-29T01:00:00+02:00");
    until("both hosts hold the new password", async || {
        [GOOD[0], GOOD[4]].iter().all(|id| {
            world.pulls_with(id, HARBOR_IMAGE) == Some(sha256("harbor-password-of-sunday"))
                && world.pulls_with(id, GHCR_IMAGE).is_some()
        })
    })
    .await;
    tick(&world, "2027-03-29T02:00:00+02:00", [&other, &another]).await;
    for daemon in [&other, &another] {
        assert_eq!(last(daemon)["verdict"], "converged", "{:#}", last(daemon));
        assert_eq!(last(daemon)["revocation"]["safe"], true, "{:#}", last(daemon));
    }
    assert!(world.restarts().values().all(|restarts| *restarts == 2), "{:?}", world.restarts());
    assert_eq!(holder(&world).await, Value::Null);
    for daemon in [other, another] {
        let ended = daemon.told_to_end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    assert!(now(&world).to_rfc3339().starts_with("2027-03-29"));
}
