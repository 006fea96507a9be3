//! What was seen, turned into steps: by `core`, for every item in scope.

use std::collections::BTreeMap;

use regcred_core::desired::{self, SourceReading, Wish, Write};
use regcred_core::login::Trial;
use regcred_core::names::{LocationName, RegistryName};
use regcred_core::plan::{Hold, ObjectStep, RegistryPlan, SecretStep};

use crate::observe::{Context, SeenObject, SeenSecret, Sighting};

/// What each registry in scope should have published.
pub(super) fn wishes(sighting: &Sighting) -> BTreeMap<RegistryName, Wish> {
    let wish = |(name, reading): (&RegistryName, &SourceReading)| {
        (name.clone(), Wish::of(reading, trial(sighting, name)))
    };
    sighting.sources.iter().map(wish).collect()
}

pub(super) type Decided<'a, Seen, Step> = Vec<(&'a Seen, Step, Option<Write>)>;

pub(super) fn decide_secrets<'a>(
    sighting: &'a Sighting,
    wishes: &BTreeMap<RegistryName, Wish>,
) -> Decided<'a, SeenSecret, SecretStep> {
    let decide = |seen: &'a SeenSecret| {
        let wish = wishes.get(&seen.spec.registry).unwrap_or(&Wish::Hold(Hold::OutOfScope));
        let (step, write) = desired::secret(&seen.spec, wish, &seen.observed, &seen.replicas);
        (seen, step, write)
    };
    sighting.secrets.iter().map(decide).collect()
}

/// An object depends on the secrets of its registries in its own location: where one of them is not as it should be, the
/// registry's entry stays as it is published, for this reason. A location that fails leaves the others alone.
pub(super) fn decide_objects<'a>(
    sighting: &'a Sighting,
    wishes: &BTreeMap<RegistryName, Wish>,
    failed_secrets: &BTreeMap<(LocationName, RegistryName), Hold>,
) -> Decided<'a, SeenObject, ObjectStep> {
    let decide = |seen: &'a SeenObject| {
        let mut wishes = wishes.clone();
        for ((location, registry), why) in failed_secrets {
            if let Some(wish @ Wish::Publish(_)) = wishes.get_mut(registry)
                && *location == seen.spec.location
            {
                *wish = Wish::Hold(*why);
            }
        }
        let (step, write) = desired::object(&seen.spec, &wishes, &seen.observed, &sighting.state.key);
        (seen, step, write)
    };
    sighting.objects.iter().map(decide).collect()
}

pub(super) fn registry_plans(context: &Context<'_>, sighting: &Sighting) -> Vec<RegistryPlan> {
    let plan = |(name, reading): (&RegistryName, &SourceReading)| {
        let server = &context.config.registries[name].server;
        let published = sighting.published(name, server);
        let trial = trial(sighting, name).clone();
        desired::registry(name, server, reading, &published, trial, &sighting.state.key, sighting.at)
    };
    sighting.sources.iter().map(plan).collect()
}

/// What is known of a registry's candidate. Nothing is published that was not judged.
fn trial<'a>(sighting: &'a Sighting, name: &RegistryName) -> &'a Trial {
    sighting.trials.get(name).expect("each candidate is judged before anything is decided")
}
