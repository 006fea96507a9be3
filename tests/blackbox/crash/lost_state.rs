//! The state is lost, or cannot be read. Only comparing depends on it: without the key, every revision has another name,
//! and each host is asked once more what it holds.

use regcred_sandbox::{Effect, Service};

use super::cut::{Cut, Fate, Which};
use super::laws::{Mending, Publication, etags, recover};
use super::{FIRST, Scene, Stage};
use crate::sdk::Aws;
use crate::world::{Call, fault};

async fn lose_state(aws: &Aws) {
    let call = aws.s3.delete_object().bucket("acme-regcred").key("regcred/state.json");
    call.send().await.expect("the bucket is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_lost_publishes_nothing_and_restarts_nobody() {
    let Stage { world, aws, .. } = Stage::set("crash_lost_state", Scene::PasswordChange).await;
    let restarts = world.restarts();
    let objects = etags(&aws).await;
    lose_state(&aws).await;
    let mut publication = Publication::begin(&world, &aws, FIRST).await;
    assert_eq!(
        recover(&mut publication).await,
        Mending::Something,
        "one pass asks every host, and records what it was told"
    );
    assert_eq!(world.restarts(), restarts, "a host was restarted for what it held");
    assert_eq!(etags(&aws).await, objects, "the object was written");
    publication.published_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_lost_in_the_middle_of_a_change_costs_no_second_restart() {
    let mut stage = Stage::set("crash_lost_state_in_between", Scene::PasswordChange).await;
    let of = |service, operation: &str, nth| Which::Of(service, operation.to_owned(), nth);
    for (which, fate) in [
        (of(Service::SecretsManager, "PutSecretValue", 1), Fate::KilledAfter),
        (of(Service::SecretsManager, "UpdateSecretVersionStage", 1), Fate::KilledAfter),
        (Which::Put("prod/ecs.config"), Fate::KilledAfter),
        (of(Service::Ssm, "SendCommand", 1), Fate::KilledAfter),
        (of(Service::Ssm, "SendCommand", 2), Fate::KilledAfter),
        (of(Service::Ecs, "PutAttributes", 2), Fate::KilledBefore),
    ] {
        let cut = Cut { which, fate };
        let password = stage.next_password();
        let mut publication = Publication::begin(&stage.world, &stage.aws, &password).await;
        stage.world.set_harbor_password(&password);
        cut.strike(&stage.world).await.assert_met(&cut);
        publication.hold().await;
        lose_state(&stage.aws).await;
        recover(&mut publication).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_may_not_be_read_ends_the_pass_before_it_writes() {
    let mut stage = Stage::set("crash_denied_state", Scene::PasswordChange).await;
    let password = stage.next_password();
    let mut publication = Publication::begin(&stage.world, &stage.aws, &password).await;
    stage.world.set_harbor_password(&password);
    // The object that hosts load may not be read either: nothing tells the two reads apart here.
    let client = stage.world.client();
    client.set_faults(&[fault(Service::S3, "GetObject", Effect::Deny)]).expect("the sandbox answers");
    let before = stage.world.calls().len();
    let ended = stage.world.run(&["sync"]).await;
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("s3:GetObject"), "{}", ended.stderr);
    assert!(!stage.world.calls().iter().skip(before).any(Call::is_write), "a pass without its state wrote");
    publication.hold().await;
    client.set_faults(&[]).expect("the sandbox answers");
    assert_eq!(recover(&mut publication).await, Mending::Something, "the next pass does everything");
}
