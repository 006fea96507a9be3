//! Taking marks away, those that are there and this configuration's. What fails leaves the others alone; but while a tag or an
//! attribute is left, the objects stay.

use std::collections::BTreeMap;

use regcred_core::release::{Mark, Outcome, OwnObject, Released};

use super::is_object;
use crate::lease::Lease;
use crate::observe::Context;
use crate::targets::OWNERSHIP_TAG;

/// Container instances of one DeleteAttributes, which takes ten attributes: each has two at most.
const INSTANCES: usize = 5;

/// Whether all was seen that may be marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Whole,
    Part,
}

/// Who takes marks away, and holds the lease meanwhile.
pub(super) struct Taker<'a> {
    pub context: &'a Context<'a>,
    pub lease: &'a Lease,
}

/// A container instance whose attributes are to go.
struct Marked<'a> {
    outcome: &'a mut Outcome,
    /// Its ARN and the name of an attribute.
    pairs: Vec<(String, String)>,
}

impl Taker<'_> {
    /// Takes away `marks`, which are in the order in which they go.
    pub(super) async fn take(&self, marks: &mut [Released], sight: Sight) {
        self.attributes(marks).await;
        self.tags(marks).await;
        let is_left = |released: &Released| match released.outcome {
            Outcome::Gone | Outcome::Left { .. } => false,
            Outcome::There | Outcome::Failed { .. } => !is_object(released),
        };
        match sight {
            Sight::Whole if !marks.iter().any(is_left) => self.objects(marks).await,
            Sight::Whole | Sight::Part => {}
        }
    }

    async fn attributes(&self, marks: &mut [Released]) {
        let mut by_cluster: BTreeMap<_, Vec<Marked<'_>>> = BTreeMap::new();
        for Released { mark, outcome } in
            marks.iter_mut().filter(|released| released.outcome == Outcome::There)
        {
            match mark {
                Mark::Attributes { location, cluster, container_instance_arn, names, fleet: _, host: _ } => {
                    let pairs = names.iter().map(|name| (container_instance_arn.to_string(), name.clone()));
                    let place = (location.clone(), cluster.clone());
                    by_cluster.entry(place).or_default().push(Marked { outcome, pairs: pairs.collect() });
                }
                Mark::Tag { .. } | Mark::Object { .. } => {}
            }
        }
        for ((location, cluster), mut hosts) in by_cluster {
            let ecs = &self.context.locations.at(&location).ecs;
            for chunk in hosts.chunks_mut(INSTANCES) {
                let pairs: Vec<(String, String)> =
                    chunk.iter().flat_map(|marked| marked.pairs.clone()).collect();
                let forgotten = ecs.forget(&cluster, &pairs).await;
                for Marked { outcome, pairs: _ } in chunk {
                    **outcome = match &forgotten {
                        Ok(()) => Outcome::Gone,
                        Err(error) => Outcome::Failed {
                            failure: error
                                .failure(format!("cannot take attributes off hosts of cluster `{cluster}`")),
                        },
                    };
                }
            }
        }
    }

    async fn tags(&self, marks: &mut [Released]) {
        for Released { mark, outcome } in
            marks.iter_mut().filter(|released| released.outcome == Outcome::There)
        {
            let (location, name, arn) = match mark {
                Mark::Tag { location, name, arn, registry: _ } => (location, name, arn),
                Mark::Attributes { .. } | Mark::Object { .. } => continue,
            };
            let client = &self.context.locations.at(location).secrets_manager;
            *outcome = match client.untag(arn, OWNERSHIP_TAG).await {
                Ok(()) => Outcome::Gone,
                Err(error) => Outcome::Failed {
                    failure: error
                        .failure(format!("cannot take the tag off secret `{name}` in {}", client.place())),
                },
            };
        }
    }

    async fn objects(&self, marks: &mut [Released]) {
        for Released { mark, outcome } in
            marks.iter_mut().filter(|released| released.outcome == Outcome::There)
        {
            let (location, bucket, key, kind) = match mark {
                Mark::Object { location, bucket, key, kind } => (location, bucket, key, kind),
                Mark::Attributes { .. } | Mark::Tag { .. } => continue,
            };
            // It is the last one. Somebody else may take it from here on, and finds nothing to do.
            if *kind == OwnObject::Lease {
                self.lease.release().await;
            }
            let s3 = &self.context.locations.at(location).s3;
            *outcome = match s3.delete(bucket, key).await {
                Ok(()) => Outcome::Gone,
                Err(error) => Outcome::Failed {
                    failure: error.failure(format!("cannot delete `s3://{bucket}/{key}` in {}", s3.place())),
                },
            };
            // What comes behind one that stays has to stay too: the state goes before the lease.
            if *outcome != Outcome::Gone {
                return;
            }
        }
    }
}
