//! `DescribeCapacityProviders`, of those that the instances of a cluster came from.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Cluster, Ecs, PAGE, SERVICE, invalid, missing};
use crate::error::AwsError;
use crate::hosts::Platform;
use crate::services::Context;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct DescribeCapacityProviders {
    capacity_providers: Option<Vec<String>>,
    cluster: Option<String>,
}

/// By name, in a cluster: what the double does not know of, it could not answer for.
pub(super) fn describe(
    cx: &Context<'_>,
    ecs: &mut Ecs,
    request: DescribeCapacityProviders,
) -> Result<Value, AwsError> {
    let DescribeCapacityProviders { capacity_providers, cluster } = request;
    let (Some(names), Some(cluster)) = (capacity_providers, cluster) else {
        return Err(AwsError::not_modelled(SERVICE, "capacity providers without their names and a cluster"));
    };
    if names.len() > PAGE {
        return Err(invalid("Up to 100 capacity providers can be described in an action."));
    }
    let (cluster_name, cluster) = ecs.cluster(cx, Some(&cluster))?;
    let known = known(cluster);
    let (mut providers, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        let arn = cx.arn(SERVICE, &format!("capacity-provider/{name}"));
        cx.authorize(SERVICE, "DescribeCapacityProviders", &arn)?;
        match known.get(name.as_str()) {
            None => failures.push(missing(cx, "capacity-provider", &name)),
            Some(Kind::AutoScaling) => providers.push(json!({
                "capacityProviderArn": arn, "name": name, "status": "ACTIVE", "type": "EC2_AUTOSCALING",
            })),
            Some(Kind::ManagedInstances) => providers.push(json!({
                "capacityProviderArn": arn, "name": name, "status": "ACTIVE", "type": "MANAGED_INSTANCES",
                "cluster": cluster_name,
            })),
        }
    }
    Ok(json!({"capacityProviders": providers, "failures": failures}))
}

#[derive(Clone, Copy)]
enum Kind {
    AutoScaling,
    ManagedInstances,
}

fn known(cluster: &Cluster) -> BTreeMap<&str, Kind> {
    let kinds = cluster.instances.values().filter_map(|instance| {
        let spec = instance.host().spec();
        let kind = match spec.platform {
            Platform::ManagedInstances => Kind::ManagedInstances,
            _ => Kind::AutoScaling,
        };
        Some((spec.capacity_provider.as_deref()?, kind))
    });
    kinds.collect()
}
