//! Trying credentials at their registries before anything is published.
//!
//! A pass tries a candidate once, and only one that it would write anywhere: a pass with nothing to do logs in nowhere. One
//! that was rejected is kept in mind, since a schedule that tries a wrong password every quarter of an hour locks the
//! account out. This module must not decide what becomes of a secret or an object.

use std::collections::BTreeMap;

use chrono::Utc;
use futures_util::{StreamExt, stream};
use regcred_core::credential::Credential;
use regcred_core::desired::{Presence, PublishedLogins, SourceReading, keys_at_random};
use regcred_core::fingerprint::FingerprintKey;
use regcred_core::login::verification::{CredentialPlace, Verification, Verified, VerifiedOutcome};
use regcred_core::login::{Canary, Login, RejectedCandidates, Stage, Trial, Unreachable};
use regcred_core::names::RegistryName;
use regcred_core::observed::Observed;
use regcred_core::report::Failure;
use regcred_core::server::Server;

use crate::config::{self, Verify};
use crate::observe::{self, Context, Sighting};
use crate::registries;
use crate::state::State;

/// Tries in flight at a time: each is a connection or two to another server.
pub(crate) const SIDE_BY_SIDE: usize = 16;

/// Tries every candidate that a pass would publish.
pub(crate) async fn try_candidates(
    context: &Context<'_>,
    sighting: &mut Sighting,
    rejected: RejectedCandidates,
) {
    let tries: Vec<_> = sighting
        .sources
        .iter()
        .map(|(name, reading)| (name.clone(), course(context, sighting, rejected, name, reading)))
        .collect();
    let tries = tries.into_iter().map(|(name, course)| async move {
        let trial = match course {
            Course::Known(trial) => trial,
            Course::Try { credential, server, verification } => {
                let login = check_login(server, verification, credential).await;
                let trial = Trial::of(login, &name, server, verification.unreachable);
                tracing::info!(registry = %name, verdict = trial.word(), "candidate tried");
                trial
            }
        };
        (name, trial)
    });
    let trials: BTreeMap<RegistryName, Trial> = stream::iter(tries).buffered(SIDE_BY_SIDE).collect().await;
    sighting.trials = trials;
}

/// Whether [`try_candidates`] would ask any registry.
pub(crate) fn would_ask(context: &Context<'_>, sighting: &Sighting, rejected: RejectedCandidates) -> bool {
    sighting.sources.iter().any(|(name, reading)| match course(context, sighting, rejected, name, reading) {
        Course::Known(_) => false,
        Course::Try { .. } => true,
    })
}

/// As [`try_candidates`], for a command that asks no registry.
pub(crate) fn expect(context: &Context<'_>, sighting: &mut Sighting) {
    let expected = |(name, reading): (&RegistryName, &SourceReading)| {
        let trial = match course(context, sighting, RejectedCandidates::LeaveAlone, name, reading) {
            Course::Known(trial) => trial,
            Course::Try { credential, .. } => {
                let fingerprint = sighting.state.key.credential(credential);
                if sighting.state.is_untried(name, &fingerprint) { Trial::Untried } else { Trial::Pending }
            }
        };
        (name.clone(), trial)
    };
    sighting.trials = sighting.sources.iter().map(expected).collect();
}

/// Keeps in mind what was rejected, and forgets what is not so any more. Whoever may write stores it.
pub(crate) fn remember(sighting: &mut Sighting) {
    let Sighting { state, sources, trials, .. } = sighting;
    for (name, trial) in trials {
        let Some(SourceReading::Read { credential, notes: _ }) = sources.get(name) else { continue };
        match trial {
            Trial::Rejected { rejection, failure: _ } => {
                keep(state, name, credential, Kept::Rejected(&rejection.stage));
            }
            Trial::Accepted(_) => keep(state, name, credential, Kept::Accepted),
            Trial::Unneeded => keep(state, name, credential, Kept::Published),
            Trial::CannotTell { unreachable: Unreachable::Publish, .. } => {
                keep(state, name, credential, Kept::PublishedUntried);
            }
            Trial::NoCandidate
            | Trial::Unseen
            | Trial::Pending
            | Trial::Untried
            | Trial::Off
            | Trial::RejectedBefore { .. }
            | Trial::CannotTell { unreachable: Unreachable::Hold, .. } => {}
        }
    }
}

/// What is known of a credential now.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kept<'a> {
    Rejected(&'a Stage),
    Accepted,
    /// It is where it should be. Its registry may have rejected it since, so that only another one is forgotten.
    Published,
    /// It goes where it should be, and its registry could not be asked.
    PublishedUntried,
}

/// Notes in the state, which is not written yet, what a registry said of a source's credential.
pub(crate) fn keep(state: &mut State, name: &RegistryName, credential: &Credential, what: Kept<'_>) {
    match what {
        Kept::Rejected(refused_at) => {
            let fingerprint = state.key.credential(credential);
            state.remember_rejected(name, fingerprint, Utc::now(), refused_at);
        }
        Kept::Accepted => {
            state.forget_rejected(name);
            state.forget_untried(name);
        }
        Kept::PublishedUntried => {
            let fingerprint = state.key.credential(credential);
            state.remember_untried(name, fingerprint);
        }
        Kept::Published => {
            let fingerprint = state.key.credential(credential);
            state.forget_other(name, &fingerprint);
        }
    }
}

/// Asks the registry, once.
pub(crate) async fn check_login(
    server: &Server,
    verification: &config::Verification,
    credential: &Credential,
) -> Login {
    match registries::open(server, verification) {
        Ok(registry) => registry.check_login(credential).await,
        Err(obstacle) => Login::CannotTell(obstacle),
    }
}

/// What is to be done about one candidate.
enum Course<'a> {
    Known(Trial),
    Try { credential: &'a Credential, server: &'a Server, verification: &'a config::Verification },
}

fn course<'a>(
    context: &Context<'a>,
    sighting: &'a Sighting,
    rejected: RejectedCandidates,
    name: &RegistryName,
    reading: &'a SourceReading,
) -> Course<'a> {
    let registry = &context.config.registries[name];
    let SourceReading::Read { credential, notes: _ } = reading else {
        return Course::Known(Trial::NoCandidate);
    };
    let fingerprint = sighting.state.key.credential(credential);
    let presence = match sighting.published(name, &registry.server).presence(credential) {
        // Published while nobody could be asked: it is owed a try, though nothing would be written.
        Presence::Held if sighting.state.is_untried(name, &fingerprint) => Presence::Lacking,
        Presence::Held => return Course::Known(Trial::Unneeded),
        presence @ (Presence::Lacking | Presence::Unseen) => presence,
    };
    let Verify::On(verification) = &registry.verify else { return Course::Known(Trial::Off) };
    let before = sighting.state.rejection(name, &fingerprint);
    let before = before.filter(|(_, stage)| stands(stage, verification.canary.as_ref()));
    match (before, rejected, presence) {
        (Some((at, stage)), RejectedCandidates::LeaveAlone, _) => {
            Course::Known(Trial::rejected_before(at, stage, name, &registry.server))
        }
        (_, _, Presence::Held | Presence::Unseen) => Course::Known(Trial::Unseen),
        (Some(_), RejectedCandidates::Retry, Presence::Lacking) | (None, _, Presence::Lacking) => {
            Course::Try { credential, server: &registry.server, verification }
        }
    }
}

/// Whether a rejection answers what would be asked now. One that was not let pull an image was let in: to ask for another
/// image locks nobody out.
fn stands(stage: &Stage, canary: Option<&Canary>) -> bool {
    match stage {
        Stage::Login => true,
        Stage::Pull { canary: refused } => canary == Some(refused),
    }
}

/// What the registries say of what the sources hold now. Each is tried, one that was rejected before too: somebody asks.
/// What was learnt is kept in mind where there is a state; the failure of that keeps no credential from being tried.
pub(crate) async fn of_sources(context: &Context<'_>) -> Verification {
    let place = &context.config.state;
    let s3 = &context.locations.at(&place.location).s3;
    let (mut state, sources) =
        tokio::join!(State::read(s3, place), observe::read_sources(context, Utc::now()));
    let key = state.as_ref().ok().map(|state| state.key.clone());
    let checks = sources.into_iter().map(|(name, reading)| {
        let places = vec![CredentialPlace::Source];
        match reading {
            SourceReading::Failed(failure) => {
                Check::known(name, places, VerifiedOutcome::Unreadable { failure })
            }
            SourceReading::Read { credential, notes: _ } => Check::of(name, places, credential),
        }
    });
    let verified = check_all(context, checks.collect(), key.as_ref()).await;
    if let Ok(state) = &mut state {
        for (verified, credential) in &verified {
            let (VerifiedOutcome::Tried { login }, Some(credential)) = (&verified.outcome, credential) else {
                continue;
            };
            match login {
                Login::Accepted(_) => keep(state, &verified.registry, credential, Kept::Accepted),
                Login::Rejected(rejection) => {
                    keep(state, &verified.registry, credential, Kept::Rejected(&rejection.stage));
                }
                Login::CannotTell(_) => {}
            }
        }
    }
    let kept = match state {
        Ok(mut state) if state.has_learnt() => state.prepare(s3, place, &[]).await,
        Ok(_) => Ok(()),
        Err(failure) => Err(failure),
    };
    Verification::new(verified.into_iter().map(|(verified, _)| verified).collect(), kept.err())
}

/// What the registries say of what is published now. A credential that is in several places is tried once.
pub(crate) async fn of_published(context: &Context<'_>) -> Result<Verification, Failure> {
    let place = &context.config.state;
    let state = State::read(&context.locations.at(&place.location).s3, place);
    let (state, secrets, objects) =
        tokio::join!(state, observe::look_at_secrets(context), observe::look_at_objects(context));
    let key = state?.key;
    let mut checks: Vec<Check> = Vec::new();
    for seen in &secrets {
        let place =
            CredentialPlace::Secret { location: seen.spec.location.clone(), name: seen.spec.name.clone() };
        let mut published = PublishedLogins::default();
        published.add_secret(&seen.observed);
        Check::add(&mut checks, &seen.spec.registry, place, &seen.observed, &published);
    }
    for seen in &objects {
        for (registry, server) in
            seen.spec.registries.iter().filter(|(name, _)| context.scope.has_registry(name))
        {
            let place = CredentialPlace::Object {
                location: seen.spec.location.clone(),
                ecs_config: seen.spec.name.clone(),
            };
            let keys = keys_at_random(&seen.map, server);
            if !keys.is_empty() {
                let random = VerifiedOutcome::Random { keys };
                checks.push(Check::known(registry.clone(), vec![place], random));
                continue;
            }
            let mut published = PublishedLogins::default();
            published.add_object(&seen.observed, &seen.map, server);
            Check::add(&mut checks, registry, place, &seen.observed, &published);
        }
    }
    let verified = check_all(context, checks, Some(&key)).await;
    Ok(Verification::new(verified.into_iter().map(|(verified, _)| verified).collect(), None))
}

/// One credential to be tried, or what is known without.
struct Check {
    registry: RegistryName,
    places: Vec<CredentialPlace>,
    what: Result<Credential, VerifiedOutcome>,
}

impl Check {
    fn of(registry: RegistryName, places: Vec<CredentialPlace>, credential: Credential) -> Self {
        Self { registry, places, what: Ok(credential) }
    }

    fn known(registry: RegistryName, places: Vec<CredentialPlace>, outcome: VerifiedOutcome) -> Self {
        Self { registry, places, what: Err(outcome) }
    }

    /// Adds what one place holds, to the check of the same credential if there is one.
    fn add(
        checks: &mut Vec<Self>,
        registry: &RegistryName,
        place: CredentialPlace,
        observed: &Observed,
        published: &PublishedLogins,
    ) {
        let what = match (observed, published.credentials().next()) {
            (Observed::Unknown(failure), _) => Err(VerifiedOutcome::Unreadable { failure: failure.clone() }),
            (Observed::Absent | Observed::Present(_), None) => Err(VerifiedOutcome::Absent),
            (Observed::Absent | Observed::Present(_), Some(credential)) => Ok(credential),
        };
        let same = checks.iter_mut().find(|known| known.registry == *registry && known.what == what);
        match same {
            Some(known) => known.places.push(place),
            None => checks.push(Self { registry: registry.clone(), places: vec![place], what }),
        }
    }
}

/// Tries all of them, in their order.
async fn check_all(
    context: &Context<'_>,
    checks: Vec<Check>,
    key: Option<&FingerprintKey>,
) -> Vec<(Verified, Option<Credential>)> {
    let tries = checks.into_iter().map(|Check { registry, places, what }| async move {
        let config::Registry { server, verify, .. } = &context.config.registries[&registry];
        let (outcome, credential) = match (what, verify) {
            (Err(known), _) => (known, None),
            (Ok(credential), Verify::Off) => (VerifiedOutcome::Off, Some(credential)),
            (Ok(credential), Verify::On(verification)) => {
                let login = check_login(server, verification, &credential).await;
                (VerifiedOutcome::Tried { login }, Some(credential))
            }
        };
        let fingerprint = key.zip(credential.as_ref()).map(|(key, credential)| key.credential(credential));
        (Verified { registry, server: server.clone(), places, fingerprint, outcome }, credential)
    });
    stream::iter(tries).buffered(SIDE_BY_SIDE).collect().await
}
