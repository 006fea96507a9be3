//! Laws of trying: nothing is published that its registry did not accept, but for what the operator lets through untried.

use std::collections::BTreeMap;

use chrono::DateTime;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use regcred_core::agent::{AuthMap, Environment, Login as AgentLogin, PullAuth};
use regcred_core::credential::Credential;
use regcred_core::desired::{SourceReading, Wish};
use regcred_core::formats::repository_credentials;
use regcred_core::login::verdict::RetryAfter;
use regcred_core::login::{
    Accepted, Canary, Evidence, Login, NoAnswer, Obstacle, Party, RealmRefusal, Rejection, Stage, Trial,
    Unreachable,
};
use regcred_core::names::RegistryName;
use regcred_core::observed::Observed;
use regcred_core::report::{Failure, FailureKind};
use regcred_core::server::Server;

use super::world::{SERVERS, World, world};

/// How the username of each candidate begins, and of nothing else in a generated world.
const CANDIDATE: &str = "candidate-";

/// Whether a registry's candidate may come anywhere, told by what was generated and not by the code under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Published,
    Nowhere,
}

fn server(index: usize) -> Server {
    Server::parse(SERVERS[index]).expect("it is one")
}

fn canary() -> Canary {
    Canary::new(&server(1), "team/app", "latest").expect("it is one")
}

fn party() -> impl Strategy<Value = Party> {
    select(vec![Party::Registry, Party::TokenServer { host: "auth.example.com".into() }])
}

fn accepted() -> impl Strategy<Value = Login> {
    let canary = canary();
    let evidence = select(vec![
        Evidence::Identity,
        Evidence::TokenForAll,
        Evidence::Pull { canary: canary.clone() },
        Evidence::Seen { canary: canary.clone() },
        Evidence::TagMissing { canary: canary.clone() },
        Evidence::Public { canary },
    ]);
    (party(), evidence).prop_map(|(by, evidence)| Login::Accepted(Accepted { by, evidence }))
}

fn rejected() -> impl Strategy<Value = Login> {
    let stage = select(vec![Stage::Login, Stage::Pull { canary: canary() }]);
    (party(), stage, select(vec![401, 403, 404]))
        .prop_map(|(by, stage, status)| Login::Rejected(Rejection { by, stage, status }))
}

/// The registry or its token server is not there.
fn outage() -> impl Strategy<Value = Login> {
    (party(), 0..6_usize).prop_map(|(by, which)| {
        Login::CannotTell(match which {
            0 => Obstacle::Throttled { by, retry_after: Some(RetryAfter::Seconds(60)) },
            1 => Obstacle::ServerError { by, status: 503 },
            2 => Obstacle::NoAnswer { from: by, why: NoAnswer::TimedOut { limit: "15s".into() } },
            3 => Obstacle::NoAnswer { from: by, why: NoAnswer::Tls { why: "UnknownIssuer".into() } },
            4 => Obstacle::NoAnswer { from: by, why: NoAnswer::Resolve { host: "r.example.com".into() } },
            _ => Obstacle::NoAnswer { from: by, why: NoAnswer::CutOff },
        })
    })
}

/// Something is there, and it is not what it should be.
fn misfit() -> impl Strategy<Value = Login> {
    (party(), 0..10_usize).prop_map(|(by, which)| {
        let (host, address) = ("auth.example.com".to_owned(), "10.0.0.1".to_owned());
        Login::CannotTell(match which {
            0 => Obstacle::RealmRefused { realm: "http://10.0.0.1/".into(), refusal: RealmRefusal::NoUrl },
            1 => Obstacle::OpenToAll,
            2 => Obstacle::NoRegistry,
            3 => Obstacle::NoChallenge,
            4 => Obstacle::TokenNotTaken { status: 401 },
            5 => Obstacle::CanaryNotFound { canary: canary() },
            6 => Obstacle::NoAnswer { from: by, why: NoAnswer::Refused { host, address } },
            7 => Obstacle::NoAnswer { from: by, why: NoAnswer::Never { host, address } },
            8 => Obstacle::NoAnswer { from: by, why: NoAnswer::Protocol { why: "invalid HTTP".into() } },
            _ => Obstacle::Unexpected { by, status: 418 },
        })
    })
}

/// What a pass may know of a candidate that was read, and what is due then.
fn trial(index: usize) -> impl Strategy<Value = (Trial, Due)> {
    let name = RegistryName::new(format!("r{index}"));
    let of = move |unreachable, due| {
        let name = name.clone();
        move |login| (Trial::of(login, &name, &server(index), unreachable), due)
    };
    let before =
        |stage| Trial::rejected_before(DateTime::UNIX_EPOCH, stage, &RegistryName::new("r"), &server(index));
    let before = select(vec![before(Stage::Login), before(Stage::Pull { canary: canary() })]);
    prop_oneof![
        accepted().prop_map(of(Unreachable::Hold, Due::Published)),
        accepted().prop_map(of(Unreachable::Publish, Due::Published)),
        rejected().prop_map(of(Unreachable::Hold, Due::Nowhere)),
        rejected().prop_map(of(Unreachable::Publish, Due::Nowhere)),
        outage().prop_map(of(Unreachable::Hold, Due::Nowhere)),
        outage().prop_map(of(Unreachable::Publish, Due::Published)),
        misfit().prop_map(of(Unreachable::Hold, Due::Nowhere)),
        misfit().prop_map(of(Unreachable::Publish, Due::Nowhere)),
        before.prop_map(|before| (before, Due::Nowhere)),
        Just((Trial::Off, Due::Published)),
    ]
}

fn candidate() -> impl Strategy<Value = Credential> {
    ("[a-z]{1,6}", "[ -~é€]{1,8}").prop_map(|(username, password)| {
        Credential::new(format!("{CANDIDATE}{username}"), password.into(), None).expect("no part is empty")
    })
}

/// A world whose wishes come of trying, and what is due to each of its registries.
fn judged() -> impl Strategy<Value = (World, Vec<(RegistryName, Server, Due)>)> {
    let trials = (trial(0), trial(1), trial(2), trial(3)).prop_map(|(a, b, c, d)| [a, b, c, d]);
    (world(), vec(candidate(), SERVERS.len()), trials).prop_map(|(mut world, candidates, trials)| {
        let mut dues = Vec::new();
        let mut wishes = BTreeMap::new();
        for (index, (credential, (trial, due))) in candidates.into_iter().zip(trials).enumerate() {
            let name = RegistryName::new(format!("r{index}"));
            if world.wishes.contains_key(&name) {
                let reading = SourceReading::Read { credential, notes: Vec::new() };
                wishes.insert(name.clone(), Wish::of(&reading, &trial));
                dues.push((name, server(index), due));
            }
        }
        world.wishes = wishes;
        (world, dues)
    })
}

/// Whether a secret or an entry holds a candidate.
fn is_candidate(login: Option<&AgentLogin>) -> bool {
    login.is_some_and(|login| login.username.starts_with(CANDIDATE))
}

fn in_secret(observed: &Observed) -> bool {
    let published = observed.published();
    is_candidate(published.and_then(|it| repository_credentials::parse(&it.content).ok()).as_ref())
}

fn in_object(observed: &Observed, server: &Server) -> bool {
    let Some(published) = observed.published() else { return false };
    let map = AuthMap::read(&Environment::parse(published.content.expose().as_bytes()).auth());
    let image = match server {
        Server::DockerHub => "docker.io/library/x".to_owned(),
        Server::Other { .. } => format!("{server}/x"),
    };
    match map.lookup(&image).certain() {
        Some(PullAuth::Login(login)) => is_candidate(Some(login)),
        Some(_) | None => false,
    }
}

/// An object that an edit can keep right: whatever it is refused for otherwise has nothing to do with trying.
fn is_editable(world: &World) -> bool {
    world.plan().objects.iter().all(|step| step.action.revision().is_some())
}

proptest! {
    #[test]
    fn nothing_is_published_that_its_registry_did_not_accept((mut world, dues) in judged()) {
        let editable = is_editable(&world);
        world.pass(usize::MAX);
        for (name, server, due) in dues {
            let (_, secret) = world.secrets.iter().find(|(spec, _)| spec.registry == name).expect("each has one");
            match due {
                Due::Nowhere => {
                    prop_assert!(!in_secret(secret), "{name} in its secret");
                    prop_assert!(!in_object(&world.object.1, &server), "{name} in the object");
                }
                Due::Published => {
                    prop_assert!(in_secret(secret) || matches!(secret, Observed::Unknown(_)), "{name} not in its secret");
                    prop_assert!(in_object(&world.object.1, &server) || !editable, "{name} not in the object");
                }
            }
        }
    }

    #[test]
    fn what_was_not_accepted_is_in_no_byte_of_what_is_written((mut world, mut dues) in judged()) {
        dues.retain(|(_, _, due)| *due == Due::Published);
        for (name, _, _) in &dues {
            world.wishes.remove(name);
        }
        // Without those that are due, no candidate is left to be written: neither as it is nor in base64.
        let names: Vec<RegistryName> = dues.into_iter().map(|(name, _, _)| name).collect();
        world.secrets.retain(|(spec, _)| !names.contains(&spec.registry));
        world.pass(usize::MAX);
        for content in world.contents().into_iter().flatten() {
            prop_assert!(!content.expose().contains(CANDIDATE));
            // "candidate-" at the start of what is encoded, as in `auth`.
            prop_assert!(!content.expose().contains("Y2FuZGlkYXRlL"));
        }
    }

    #[test]
    fn a_source_that_fails_is_held_whatever_is_known_of_it((trial, _) in trial(0)) {
        let failure = Failure::new(FailureKind::Missing, "cannot read it", "it is gone", "bring it back");
        let wish = Wish::of(&SourceReading::Failed(failure), &trial);
        prop_assert!(matches!(wish, Wish::Hold(regcred_core::plan::Hold::SourceFailed)), "{wish:?}");
    }
}
