//! Finding the marks. Writes nothing.

use std::collections::BTreeSet;

use futures_util::{StreamExt, future, stream};
use regcred_core::host::{ContainerInstanceArn, FAILED_ATTRIBUTE, HostId, REVISION_ATTRIBUTE};
use regcred_core::names::FleetName;
use regcred_core::release::{Mark, Outcome, OwnObject, Owner, Released, own_attributes};
use regcred_core::report::Failure;

use crate::aws::Instance;
use crate::config::{Fleet, Members};
use crate::fleet;
use crate::observe::Context;
use crate::targets::OWNERSHIP_TAG;

/// Looks in flight at a time: each is a call or two, and ECS throttles an account as a whole.
const SIDE_BY_SIDE: usize = 4;

/// The marks, in the order in which they go.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub marks: Vec<Released>,
    /// Why something could not be looked at.
    pub unseen: Vec<Failure>,
}

impl Found {
    fn mark(&mut self, mark: Mark, outcome: Outcome) {
        self.marks.push(Released { mark, outcome });
    }

    fn join(mut self, other: Self) -> Self {
        self.marks.extend(other.marks);
        self.unseen.extend(other.unseen);
        self
    }
}

pub(super) async fn all(context: &Context<'_>) -> Found {
    let (attributes, tags, objects) =
        future::join3(Box::pin(attributes(context)), Box::pin(tags(context)), Box::pin(objects(context)))
            .await;
    attributes.join(tags).join(objects)
}

async fn attributes(context: &Context<'_>) -> Found {
    let looks = context.config.fleets.iter().map(|(name, settings)| of_fleet(context, name, settings));
    let found: Vec<Found> = stream::iter(looks).buffered(SIDE_BY_SIDE).collect().await;
    found.into_iter().fold(Found::default(), Found::join)
}

/// The attributes of a fleet's hosts: of one of clusters, since others have a record in their place.
async fn of_fleet(context: &Context<'_>, name: &FleetName, settings: &Fleet) -> Found {
    let patterns = match &settings.members {
        Members::Clusters(patterns) => patterns,
        Members::Tags(_) | Members::Instances(_) => return Found::default(),
    };
    let clients = context.locations.at(&settings.location);
    let mut found = Found::default();
    let clusters = match fleet::clusters(clients, name, patterns).await {
        Ok((clusters, unmeant)) => {
            found.unseen.extend(unmeant);
            clusters
        }
        Err(failure) => return Found { marks: Vec::new(), unseen: vec![failure] },
    };
    let filter = format!("attribute:{REVISION_ATTRIBUTE} exists or attribute:{FAILED_ATTRIBUTE} exists");
    for cluster in clusters {
        let listing = async {
            let arns = clients.ecs.list(cluster.as_str(), Some(&filter)).await?;
            if arns.is_empty() { Ok(Vec::new()) } else { clients.ecs.describe(cluster.as_str(), &arns).await }
        };
        let instances: Vec<Instance> = match listing.await {
            Ok(instances) => instances,
            Err(error) => {
                let what = format!("cannot see the hosts of cluster `{cluster}` of fleet `{name}`");
                found.unseen.push(error.failure(what));
                continue;
            }
        };
        for Instance { arn, id, attributes, .. } in instances {
            let names = own_attributes(attributes.iter().map(|(name, _)| name.as_str()));
            let Ok(host) = HostId::parse(&id) else { continue };
            if names.is_empty() {
                continue;
            }
            let mark = Mark::Attributes {
                location: settings.location.clone(),
                fleet: name.clone(),
                cluster: cluster.to_string(),
                host,
                container_instance_arn: ContainerInstanceArn::new(arn),
                names,
            };
            found.mark(mark, Outcome::There);
        }
    }
    found
}

async fn tags(context: &Context<'_>) -> Found {
    let mut places = Vec::new();
    for (registry, settings) in &context.config.registries {
        if let Some(secret) = &settings.secret {
            places.extend(secret.locations.iter().map(|location| (registry, &secret.name, location)));
        }
    }
    let looks = places.into_iter().map(|(registry, name, location)| async move {
        let client = &context.locations.at(location).secrets_manager;
        let mut found = Found::default();
        match client.describe(name).await {
            Ok(None) => {}
            Ok(Some(described)) => {
                let tag = described.tags.get(OWNERSHIP_TAG).map(String::as_str);
                let outcome = match Owner::of(registry, tag) {
                    Owner::Nobody => return found,
                    Owner::ThisRegistry => Outcome::There,
                    Owner::Other(owner) => Outcome::Left {
                        why: format!("its tag names registry `{owner}`, which is another one"),
                    },
                };
                let mark = Mark::Tag {
                    location: location.clone(),
                    registry: registry.clone(),
                    name: name.clone(),
                    arn: described.arn,
                };
                found.mark(mark, outcome);
            }
            Err(error) => {
                found
                    .unseen
                    .push(error.failure(format!("cannot look at secret `{name}` in {}", client.place())));
            }
        }
        found
    });
    let found: Vec<Found> = stream::iter(looks).buffered(SIDE_BY_SIDE).collect().await;
    found.into_iter().fold(Found::default(), Found::join)
}

async fn objects(context: &Context<'_>) -> Found {
    let place = &context.config.state;
    let s3 = &context.locations.at(&place.location).s3;
    let mut found = Found::default();
    let keys = match s3.keys(&place.bucket, &place.prefix).await {
        Ok(keys) => keys,
        Err(error) => {
            let what = format!("cannot list `s3://{}/{}` in {}", place.bucket, place.prefix, s3.place());
            found.unseen.push(error.failure(what));
            return found;
        }
    };
    let told: BTreeSet<(OwnObject, String)> = keys
        .into_iter()
        .map(|key| (OwnObject::of(key.strip_prefix(&place.prefix).unwrap_or_default()), key))
        .collect();
    for (kind, key) in told {
        let outcome = match kind {
            OwnObject::Hosts | OwnObject::State | OwnObject::Lease => Outcome::There,
            OwnObject::Unknown => {
                Outcome::Left { why: "this regcred makes no object of such a name".to_owned() }
            }
        };
        let mark = Mark::Object { location: place.location.clone(), bucket: place.bucket.clone(), key, kind };
        found.mark(mark, outcome);
    }
    found
}
