//! `ListContainerInstances`, `DescribeContainerInstances`.

use std::ops::Bound;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::filter::Filter;
use super::instance::Status;
use super::{Ecs, PAGE, SERVICE, invalid, last_part, missing, page_size, start_of, with_token};
use crate::error::AwsError;
use crate::leeway::Leeway;
use crate::services::Context;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ListContainerInstances {
    cluster: Option<String>,
    filter: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
    status: Option<Status>,
}

/// A page looks at a bounded number of instances, so a filtered one may be short, or empty, with more to come.
pub(super) fn list(
    cx: &Context<'_>,
    ecs: &mut Ecs,
    leeway: Leeway,
    request: ListContainerInstances,
) -> Result<Value, AwsError> {
    let ListContainerInstances { cluster, filter, max_results, next_token, status } = request;
    let (name, cluster) = ecs.cluster(cx, cluster.as_deref())?;
    cx.authorize(SERVICE, "ListContainerInstances", &cx.arn(SERVICE, &format!("cluster/{name}")))?;
    let filter = filter.map(|text| Filter::parse(&text)).transpose();
    let filter = filter.map_err(|error| invalid(format!("Invalid filter: {error}")))?;
    let after = start_of(next_token.as_deref())?;
    let asked = page_size(max_results)?;
    let limit = if filter.is_some() { asked.min(leeway.pages.found) } else { asked };
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let (mut arns, mut moved, mut last) = (Vec::new(), Vec::new(), None);
    let mut rest = cluster.instances.range::<String, _>((from, Bound::Unbounded)).peekable();
    for _ in 0..leeway.pages.examined {
        if arns.len() == limit {
            break;
        }
        let Some((key, instance)) = rest.next() else { break };
        last = Some(key.clone());
        if instance.host().agent().container_instance_arn != instance.arn() {
            moved.push(Arc::clone(instance.host()));
        }
        let is_kept = status.is_none_or(|status| instance.status() == status)
            && filter
                .as_ref()
                .is_none_or(|filter| filter.keeps(&instance.seen(cx.now), leeway.missing_attribute));
        if is_kept {
            arns.push(instance.arn().to_owned());
        }
    }
    let is_last = rest.peek().is_none();
    // An agent that registered anew shows itself here first.
    for host in moved {
        cluster.register(&host, cx.now);
    }
    Ok(with_token(json!({"containerInstanceArns": arns}), last.as_deref().filter(|_| !is_last)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct DescribeContainerInstances {
    cluster: Option<String>,
    container_instances: Vec<String>,
}

pub(super) fn describe(
    cx: &Context<'_>,
    ecs: &mut Ecs,
    request: DescribeContainerInstances,
) -> Result<Value, AwsError> {
    let DescribeContainerInstances { cluster, container_instances } = request;
    let (name, cluster) = ecs.cluster(cx, cluster.as_deref())?;
    if container_instances.is_empty() {
        return Err(invalid("Container instance cannot be empty."));
    }
    if container_instances.len() > PAGE {
        return Err(invalid("Container instances cannot be more than 100"));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for reference in container_instances {
        if let Some(instance) = cluster.find(&reference) {
            cx.authorize(SERVICE, "DescribeContainerInstances", instance.arn())?;
            found.push(instance.seen(cx.now).described());
        } else {
            let kind = format!("container-instance/{name}");
            failures.push(missing(cx, &kind, last_part(&reference)));
        }
    }
    Ok(json!({"containerInstances": found, "failures": failures}))
}
