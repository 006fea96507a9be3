//! Crash anywhere: whatever call of a pass goes wrong, and however, the next passes bring the world to where the source
//! is, and at no moment does a host hold a credential that does not work.
//!
//! A pass over twelve hosts in memory (one offline, one Bottlerocket, one that fails, one that lies) and three
//! registries is struck at one call: regcred is killed before the call is done, or after it; the call is throttled,
//! denied, or its answer dropped. [`laws`] says what has to hold then, and after the passes that follow.

mod cut;
mod laws;
mod lost_state;
mod shells;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use regcred_sandbox::Service;
use regcred_sandbox::hosts::Life;
use tokio::task::JoinSet;

use self::cut::{Cut, Fate, Queue, Struck, Which};
use self::laws::{Mending, Publication, recover};
use crate::sdk::Aws;
use crate::tools::say;
use crate::world::{Call, Told, World, patient, swift, twelve, with_hosts};

/// The password of harbor that is at its source before a first publication: the hand-written file has an older one.
const FIRST: &str = "harbor-password-of-today";

/// Worlds side by side: each waits most of the time, for a poll or for a settled agent.
const SIDE_BY_SIDE: usize = 4;

/// What a pass is about when it is struck.
#[derive(Clone, Copy, Debug)]
enum Scene {
    /// Nothing was ever published from this configuration.
    FirstPublication,
    /// All is well, and the password of one registry has changed.
    PasswordChange,
}

/// A world in which passes are struck, one after another.
struct Stage {
    world: World,
    aws: Aws,
    /// How many passwords harbor has had.
    passwords: usize,
}

impl Stage {
    /// In memory.
    async fn set(test: &str, scene: Scene) -> Self {
        Self::set_with(test, scene, Life::Memory).await
    }

    async fn set_with(test: &str, scene: Scene, life: Life) -> Self {
        let config = match life {
            // Patient nevertheless: a test is not to fail because this machine is busy.
            Life::Memory => swift().replace("settle_timeout: 10s", "settle_timeout: 2m"),
            Life::Shell => patient(),
        };
        let world = World::start(test, with_hosts(twelve(life)), &config);
        world.set_harbor_password(FIRST);
        let aws = world.sdk();
        let mut stage = Self { world, aws, passwords: 0 };
        match scene {
            Scene::FirstPublication => {}
            Scene::PasswordChange => {
                let mut publication = Publication::begin(&stage.world, &stage.aws, FIRST).await;
                assert_eq!(recover(&mut publication).await, Mending::Something, "there is everything to do");
                stage.passwords = 1;
            }
        }
        stage
    }

    /// The next password; the first time in a new world, the one that is there.
    fn next_password(&mut self) -> String {
        self.passwords += 1;
        match self.passwords {
            1 => FIRST.to_owned(),
            n => format!("harbor-password-number-{n}"),
        }
    }

    /// Publishes the next password with a pass that is struck, and holds the laws. What was left to do.
    async fn strike(&mut self, cut: &Cut) -> (Struck, Mending) {
        let password = self.next_password();
        let mut publication = Publication::begin(&self.world, &self.aws, &password).await;
        self.world.set_harbor_password(&password);
        let struck = cut.strike(&self.world).await;
        publication.hold().await;
        let mending = recover(&mut publication).await;
        (struck, mending)
    }
}

/// A pass, and the calls that it made. The log goes on.
async fn sync(world: &World) -> (Told, Vec<Call>) {
    let before = world.calls().len();
    let told = world.json(&["sync"]).await;
    (told, world.calls().into_iter().skip(before).filter(|call| !call.is_of_host()).collect())
}

/// What striking a list of calls came to.
#[derive(Default)]
struct Tally {
    struck: usize,
    /// After how many of them the next pass had something to do.
    mended: usize,
    broken: String,
}

/// Strikes each cut of the queue in a world of that scene.
async fn strike_all(test: &'static str, scene: Scene, queue: Queue) {
    let queue = Arc::new(Mutex::new(queue));
    let tally = Arc::new(Mutex::new(Tally::default()));
    let mut workers = JoinSet::new();
    for _ in 0..SIDE_BY_SIDE {
        workers.spawn(work(test, scene, Arc::clone(&queue), Arc::clone(&tally)));
    }
    while let Some(ended) = workers.join_next().await {
        ended.expect("a worker takes note of what breaks, and goes on");
    }
    let Tally { struck, mended, broken } = &*tally.lock().expect("no worker panicked");
    say(&format!("{test}: {struck} calls struck; {mended} of them left something to the next pass"));
    assert!(broken.is_empty(), "{broken}");
}

async fn work(test: &'static str, scene: Scene, queue: Arc<Mutex<Queue>>, tally: Arc<Mutex<Tally>>) {
    let mut stage: Option<Stage> = None;
    loop {
        let Some(cut) = queue.lock().expect("no worker panicked").next() else { return };
        let set = stage.take().filter(|_| matches!(scene, Scene::PasswordChange));
        let act = {
            let cut = cut.clone();
            // A task of its own, which may panic.
            tokio::spawn(async move {
                let mut stage = match set {
                    Some(stage) => stage,
                    None => Stage::set(test, scene).await,
                };
                let outcome = stage.strike(&cut).await;
                (stage, outcome)
            })
        };
        let act = act.await;
        let mut tally = tally.lock().expect("no worker panicked");
        match act {
            Ok((kept, (struck, mending))) => {
                stage = Some(kept);
                tally.mended += usize::from(mending == Mending::Something);
                if let Struck::Missed = struck {
                    queue.lock().expect("no worker panicked").miss(&cut);
                } else {
                    tally.struck += 1;
                }
            }
            Err(error) => {
                let panic = error.into_panic();
                let why = match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
                    (Some(why), _) => why,
                    (None, Some(why)) => *why,
                    (None, None) => "it panicked without a text",
                };
                writeln!(tally.broken, "{scene:?}, {cut}: {why}\n").expect("a String takes all");
            }
        }
    }
}

/// The calls of regcred's in a clean pass of a scene.
async fn clean_pass(test: &str, scene: Scene) -> Vec<Call> {
    let mut stage = Stage::set(test, scene).await;
    let password = stage.next_password();
    let mut publication = Publication::begin(&stage.world, &stage.aws, &password).await;
    stage.world.set_harbor_password(&password);
    let (told, calls) = publication.watch(sync(&stage.world)).await;
    assert_eq!(told.code, 4, "the odd hosts were not reached: {}", told.stderr);
    publication.hold().await;
    assert_eq!(
        recover(&mut publication).await,
        Mending::Nothing,
        "the pass after a clean one writes nothing"
    );
    calls
}

async fn crash_anywhere(test: &'static str, scene: Scene) {
    let calls = clean_pass(test, scene).await;
    strike_all(test, scene, Queue::like(&calls)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_publication_survives_whatever_happens_to_any_of_its_calls() {
    crash_anywhere("crash_first_publication", Scene::FirstPublication).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_survives_whatever_happens_to_any_call_of_its_pass() {
    crash_anywhere("crash_password_change", Scene::PasswordChange).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_changes_again_after_a_crash_is_the_one_that_is_published() {
    let mut stage = Stage::set("crash_and_change", Scene::PasswordChange).await;
    let of = |service, operation: &str, nth| Which::Of(service, operation.to_owned(), nth);
    for which in [
        of(Service::SecretsManager, "PutSecretValue", 1),
        of(Service::SecretsManager, "UpdateSecretVersionStage", 1),
        Which::Put("prod/ecs.config"),
        Which::Put("regcred/lease.json"),
        of(Service::Ssm, "SendCommand", 1),
        of(Service::Ssm, "SendCommand", 2),
        of(Service::Ecs, "PutAttributes", 2),
    ] {
        let cut = Cut { which, fate: Fate::KilledAfter };
        let (password, newer) = (stage.next_password(), stage.next_password());
        let mut publication = Publication::begin(&stage.world, &stage.aws, &password).await;
        stage.world.set_harbor_password(&password);
        cut.strike(&stage.world).await.assert_met(&cut);
        publication.hold().await;
        let mut publication = publication.change_again(&newer).await;
        stage.world.set_harbor_password(&newer);
        assert_eq!(recover(&mut publication).await, Mending::Something, "{cut}");
    }
}
