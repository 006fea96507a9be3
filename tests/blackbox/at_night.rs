//! `status`, as somebody reads it who was woken up: who holds what, who was never reached, may the old password go, and
//! what expires next.

use regcred_sandbox::hosts::{HostSpec, Life};
use regcred_sandbox::{Effect, Service};
use serde_json::{Value, json};

use crate::world::{self, GOOD, World, fault, find, host, with_hosts};

fn four() -> Vec<HostSpec> {
    let places = [(GOOD[0], "web"), (GOOD[1], "web"), (GOOD[4], "batch"), (GOOD[5], "batch")];
    places.map(|(id, cluster)| host(id, cluster, Life::Memory)).into()
}

/// The hosts of the one fleet, by the revision that they were last proven to hold.
fn holdings(status: &Value) -> Vec<(Value, usize)> {
    let list = status["fleets"][0]["holdings"].as_array().expect("a status tells what hosts hold");
    let pair = |each: &Value| (each["revision"].clone(), each["hosts"].as_array().map_or(0, Vec::len));
    list.iter().map(pair).collect()
}

#[tokio::test]
async fn status_tells_who_holds_what_and_who_was_never_reached() {
    let world = World::start("status_tells_who_holds_what", with_hosts(four()), &world::swift());
    world.write(
        "secrets/harbor.json",
        r#"{"username":"robot","password":"one","expires_at":"2099-02-01T00:00:00Z"}"#,
    );
    assert_eq!(world.json(&["sync"]).await.code, 0);
    let status = world.json(&["status"]).await;
    assert_eq!(status.code, 0, "{status:#?}");
    let old = find(&status.json["fleets"], "fleet", "prod")["revision"].clone();
    assert_eq!(holdings(&status.json), [(old.clone(), 4)]);
    let text = world.run(&["status"]).await.stdout;
    assert!(text.contains("The next credential to expire is that of harbor, on 2099-02-01"), "{text}");
    assert!(text.contains("The old password may be revoked"), "{text}");

    // The object changes, and nobody may be sent to.
    world.set_harbor_password("two");
    world.client().set_faults(&[fault(Service::Ssm, "SendCommand", Effect::Deny)]).unwrap();
    assert_eq!(world.json(&["sync"]).await.code, 5);
    world.client().set_faults(&[]).unwrap();
    world.client().add_host(&host(GOOD[2], "web", Life::Memory)).expect("the sandbox answers");
    let status = world.json(&["status"]).await;
    assert_eq!(status.code, 3, "{status:#?}");
    assert_eq!(status.json["revocation"]["safe"], json!(false));
    let new = find(&status.json["fleets"], "fleet", "prod")["revision"].clone();
    assert_ne!(old, new);
    let held = holdings(&status.json);
    assert_eq!(held.iter().map(|(_, hosts)| hosts).sum::<usize>(), 5, "{held:?}");
    assert!(held.iter().any(|(revision, hosts)| *revision == old && *hosts >= 3), "{held:?}");
    assert!(held.iter().any(|(revision, _)| revision.is_null()), "the new host has no proof: {held:?}");
    let text = world.run(&["status"]).await.stdout;
    let shown = &old.as_str().expect("a revision is text")[..5];
    assert!(text.contains(&format!("last proven to hold {shown}, an older one")), "{text}");
    assert!(text.contains("not proven: no proof of this revision is on record"), "{text}");
    assert!(!text.contains("the rollout stopped before its turn"), "{text}");
    assert!(text.contains("Do not revoke the old password yet"), "{text}");
}
