//! Looking at all that a configuration needs, for `regcred doctor`. Writes nothing; hosts are asked only where a person wants it,
//! since that sends a command.
//!
//! This module must not judge what it sees: that is for [`regcred_core::doctor`].

mod bucket;
mod fleet;
mod task;

use futures_util::future;
use regcred_core::desired::SourceReading;
use regcred_core::doctor::{Aspect, Check, Outcome, Subject};
use regcred_core::fingerprint::FingerprintKey;
use regcred_core::observed::Observed;
use regcred_core::report::Failure;

use crate::observe::{self, Context, SeenObject, SeenSecret};
use crate::state::State;
use crate::targets::{SecretsManagerSecrets, Target};

pub(crate) use self::task::TaskPlace;

/// Whether hosts are asked by the script's probe mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    Nobody,
    Hosts,
}

/// Looks at everything in scope. One thing that cannot be looked at spoils no other.
pub(crate) async fn examine(
    context: &Context<'_>,
    asking: Asking,
    task: Option<TaskPlace<'_>>,
) -> Result<Vec<Check>, Failure> {
    let (state, sources, secrets, objects, buckets, fleets) = tokio::join!(
        state(context),
        sources(context),
        secrets(context),
        objects(context),
        bucket::all(context),
        fleet::all(context),
    );
    let mut checks = vec![state];
    checks.extend([sources, secrets, objects, buckets, fleets].into_iter().flatten());
    if let Some(place) = task {
        checks.extend(Box::pin(task::all(context, place)).await);
    }
    if asking == Asking::Hosts {
        checks.extend(fleet::asked(context).await?);
    }
    Ok(checks)
}

async fn state(context: &Context<'_>) -> Check {
    let place = &context.config.state;
    let read = State::read(&context.locations.at(&place.location).s3, place).await;
    let subject = Subject::State {
        location: place.location.clone(),
        bucket: place.bucket.clone(),
        key: crate::state::key(place),
    };
    Check::new(subject, Aspect::Readable, Outcome::of_need(read.err()))
}

async fn sources(context: &Context<'_>) -> Vec<Check> {
    let readings = observe::read_sources(context, chrono::Utc::now()).await;
    let check = |(registry, reading)| {
        let failure = match reading {
            SourceReading::Read { credential: _, notes: _ } => None,
            SourceReading::Failed(failure) => Some(failure),
        };
        Check::new(Subject::Source { registry }, Aspect::Readable, Outcome::of_need(failure))
    };
    readings.into_iter().map(check).collect()
}

fn unread(observed: &Observed) -> Option<Failure> {
    match observed {
        Observed::Present(_) | Observed::Absent => None,
        Observed::Unknown(failure) => Some(failure.clone()),
    }
}

async fn secrets(context: &Context<'_>) -> Vec<Check> {
    // Looking needs no request token.
    let no_key = FingerprintKey::from_bytes([0; FingerprintKey::LENGTH]);
    let seen = observe::look_at_secrets(context).await;
    let looks = seen.iter().map(|SeenSecret { spec, target, observed, replicas: _ }| {
        let client = &context.locations.at(&spec.location).secrets_manager;
        let no_key = &no_key;
        async move {
            let objection = SecretsManagerSecrets { client, key: no_key }.preflight(target).await;
            let of = |aspect, failure| {
                let subject = Subject::Secret { location: spec.location.clone(), name: spec.name.clone() };
                Check::new(subject, aspect, Outcome::of_need(failure))
            };
            [of(Aspect::Readable, unread(observed)), of(Aspect::Writable, objection)]
        }
    });
    future::join_all(looks).await.into_iter().flatten().collect()
}

async fn objects(context: &Context<'_>) -> Vec<Check> {
    let seen = observe::look_at_objects(context).await;
    let check = |SeenObject { spec, observed, target: _, map: _ }: &SeenObject| {
        let subject = Subject::EcsConfig { ecs_config: spec.name.clone(), location: spec.location.clone() };
        Check::new(subject, Aspect::Readable, Outcome::of_need(unread(observed)))
    };
    seen.iter().map(check).collect()
}
