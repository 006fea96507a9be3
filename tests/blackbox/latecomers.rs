//! Hosts that join a fleet while a pass restarts its hosts.

use std::collections::BTreeMap;

use regcred_sandbox::hosts::{HostSpec, Life};
use regcred_sandbox::{Fault, Service};
use serde_json::{Value, json};

use crate::schemas;
use crate::tools::Ended;
use crate::world::{
    self, Call, GOOD, HARBOR_IMAGE, HARBOR_PASSWORD, World, by_name, count, held, host, sha256, with_hosts,
};

fn pair() -> Vec<HostSpec> {
    vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)]
}

/// Runs a command, and has a host join each time that a call is held. What the command told, and its calls.
async fn joined_during(
    world: &World,
    arguments: &[&str],
    joins: impl IntoIterator<Item = (Fault, HostSpec)>,
) -> (Option<i32>, Value, Vec<Call>) {
    let client = world.client();
    client.clear_calls().unwrap();
    let mut started = None;
    for (hold, spec) in joins {
        client.set_faults(std::slice::from_ref(&hold)).unwrap();
        let arguments = arguments.iter().copied().chain(["--output", "json"]).collect::<Vec<_>>();
        started.get_or_insert_with(|| world.regcred(&arguments).start());
        world.until_held(hold.calls.operation.as_deref().unwrap()).await;
        client.add_host(&spec).unwrap();
    }
    client.set_faults(&[]).unwrap();
    let Ended { code, stdout, stderr } = started.expect("something joins").end().await;
    let told: Value =
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"));
    schemas::assert_documented(arguments[0], &told);
    let calls = world.calls().into_iter().filter(|call| !call.is_of_host()).collect();
    (code, told, calls)
}

fn outcomes(told: &Value) -> BTreeMap<String, String> {
    by_name(&told["fleets"][0]["hosts"], "host", "outcome")
}

#[tokio::test]
async fn a_host_that_joins_during_a_pass_is_proven_by_the_same_pass() {
    let world = World::start("a_host_that_joins_during_a_pass", with_hosts(pair()), &world::swift());
    // It boots with the old file, while the second host is followed.
    let joins = [(held(Service::Ssm, "ListCommandInvocations", 2), host(GOOD[1], "web", Life::Memory))];
    let (code, told, calls) = joined_during(&world, &["sync"], joins).await;
    assert_eq!((code, &told["verdict"]), (Some(0), &json!("converged")), "{told:#}");
    let proven = [GOOD[0], GOOD[1], GOOD[4]].map(|id| (id.to_owned(), "proven".to_owned()));
    assert_eq!(outcomes(&told), proven.into());
    assert_eq!(world.restarts().values().copied().collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(world.pulls_with(GOOD[1], HARBOR_IMAGE), Some(sha256(HARBOR_PASSWORD)));
    // Each cluster is listed first, after the rollout, and after its second round.
    assert_eq!(count(&calls, "ListContainerInstances"), 3 * 2);

    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, count(&calls, "SendCommand")), (0, 0), "{told:#?}");
    assert_eq!(count(&calls, "ListContainerInstances"), 2, "nothing was restarted, so nobody looks twice");
}

#[tokio::test]
async fn a_host_that_joins_during_the_second_round_is_named_and_left_to_the_next_pass() {
    let world =
        World::start("a_host_that_joins_during_the_second_round", with_hosts(pair()), &world::swift());
    let joins = [
        (held(Service::Ssm, "ListCommandInvocations", 2), host(GOOD[1], "web", Life::Memory)),
        // Counts begin anew: one look is left of the first round, at the held command.
        (held(Service::Ecs, "ListContainerInstances", 3), host(GOOD[2], "web", Life::Memory)),
    ];
    let (code, told, calls) = joined_during(&world, &["sync"], joins).await;
    assert_eq!((code, &told["verdict"]), (Some(4), &json!("partial")), "{told:#}");
    assert_eq!(told["fleets"][0]["ending"], "partly_reached", "{told:#}");
    let ends = outcomes(&told);
    assert_eq!((ends[GOOD[1]].as_str(), ends[GOOD[2]].as_str()), ("proven", "joined"), "{told:#}");
    assert_eq!(count(&calls, "SendCommand"), 3);
    assert_eq!(world.restarts()[GOOD[2]], 0);
    assert_eq!((&told["revocation"]["safe"], &told["revocation"]["unknown"]), (&json!(false), &json!(1)));

    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, count(&calls, "SendCommand")), (0, 1), "{told:#?}");
    assert_eq!(world.restarts().values().copied().collect::<Vec<_>>(), [1, 1, 1, 1]);
}

#[tokio::test]
async fn a_saved_plan_restarts_no_host_that_joined_since() {
    let world = World::start("a_saved_plan_restarts_no_host", with_hosts(pair()), &world::swift());
    // A first pass, so that the plan is made under a key that is kept.
    assert_eq!(world.json(&["sync"]).await.code, 0);
    world.set_harbor_password("another-password");
    assert_eq!(world.json(&["plan", "--out", "agreed.json"]).await.code, 3);
    let joins = [(held(Service::Ssm, "ListCommandInvocations", 2), host(GOOD[1], "web", Life::Memory))];
    let (code, told, _) = joined_during(&world, &["sync", "--plan", "agreed.json"], joins).await;
    assert_eq!(code, Some(4), "{told:#}");
    assert_eq!(outcomes(&told)[GOOD[1]], "joined", "{told:#}");
    assert_eq!(world.restarts()[GOOD[1]], 0);
}
