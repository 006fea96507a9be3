//! The settings of the buckets.

use std::collections::BTreeMap;

use futures_util::future;
use regcred_core::doctor::{BucketSettings, BucketUse, Check, Subject};
use regcred_core::names::LocationName;

use crate::observe::Context;

/// Looks at every bucket in scope, and at that of the state: four calls for a bucket of ecs.configs, two for one of the state alone.
pub(super) async fn all(context: &Context<'_>) -> Vec<Check> {
    let state = &context.config.state;
    let mut buckets: BTreeMap<(&LocationName, &str), BucketUse> = BTreeMap::new();
    buckets.insert((&state.location, &state.bucket), BucketUse::StateAlone);
    for (_, object) in
        context.config.ecs_configs.iter().filter(|(name, _)| context.scope.has_ecs_config(name))
    {
        buckets.insert((&object.location, &object.bucket), BucketUse::EcsConfigs);
    }
    let looks = buckets.into_iter().map(|((location, bucket), usage)| async move {
        let settings = Box::pin(settings(context, location, bucket, usage)).await;
        let place = format!("bucket `{bucket}` in {}", context.locations.at(location).s3.place());
        let check = |(aspect, outcome)| {
            let subject = Subject::Bucket { location: location.clone(), bucket: bucket.to_owned() };
            Check::new(subject, aspect, outcome)
        };
        settings.judge(usage, bucket, &place).into_iter().map(check).collect::<Vec<_>>()
    });
    future::join_all(looks).await.into_iter().flatten().collect()
}

async fn settings(
    context: &Context<'_>,
    location: &LocationName,
    bucket: &str,
    usage: BucketUse,
) -> BucketSettings {
    let s3 = &context.locations.at(location).s3;
    let what = |of: &str| format!("cannot see {of} of bucket `{bucket}` in {}", s3.place());
    let of_versions = async {
        match usage {
            // Not judged, and so not asked for.
            BucketUse::StateAlone => (Ok(true), Ok(regcred_core::doctor::Expiry::Some)),
            BucketUse::EcsConfigs => tokio::join!(s3.is_versioned(bucket), s3.noncurrent_expiry(bucket)),
        }
    };
    let (listable, (versioned, expiry), public_access) =
        tokio::join!(s3.head_bucket(bucket), of_versions, s3.public_access(bucket));
    BucketSettings {
        listable: listable
            .map_err(|error| error.failure(format!("cannot list bucket `{bucket}` in {}", s3.place()))),
        versioned: versioned.map_err(|error| error.failure(what("the versioning"))),
        expiry: expiry.map_err(|error| error.failure(what("the lifecycle rules"))),
        public_access: public_access.map_err(|error| error.failure(what("the public access block"))),
    }
}
