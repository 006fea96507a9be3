//! `ListClusters`, `DescribeClusters`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::instance::Status;
use super::{Cluster, Ecs, PAGE, SERVICE, cluster_name, invalid, missing, page_size, start_of, with_token};
use crate::error::AwsError;
use crate::services::Context;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ListClusters {
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn list(cx: &Context<'_>, ecs: &Ecs, request: ListClusters) -> Result<Value, AwsError> {
    let ListClusters { max_results, next_token } = request;
    cx.authorize(SERVICE, "ListClusters", "*")?;
    let size = page_size(max_results)?;
    let after = start_of(next_token.as_deref())?;
    let mut names = ecs.clusters.keys().skip_while(|name| after.as_ref().is_some_and(|after| *name <= after));
    let page: Vec<&String> = names.by_ref().take(size).collect();
    let last = names.next().and(page.last()).map(|name| name.as_str());
    let arns: Vec<String> = page.iter().map(|name| cx.arn(SERVICE, &format!("cluster/{name}"))).collect();
    Ok(with_token(json!({"clusterArns": arns}), last))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct DescribeClusters {
    clusters: Option<Vec<String>>,
}

pub(super) fn describe(cx: &Context<'_>, ecs: &Ecs, request: DescribeClusters) -> Result<Value, AwsError> {
    let references = request.clusters.filter(|clusters| !clusters.is_empty());
    let references = references.unwrap_or_else(|| vec!["default".into()]);
    if references.len() > PAGE {
        return Err(invalid("Clusters cannot be more than 100"));
    }
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for reference in references {
        let name = cluster_name(cx, &reference);
        match name.as_ref().and_then(|name| Some((name, ecs.clusters.get(name)?))) {
            Some((name, cluster)) => {
                let arn = cx.arn(SERVICE, &format!("cluster/{name}"));
                cx.authorize(SERVICE, "DescribeClusters", &arn)?;
                clusters.push(described(&arn, name, cluster));
            }
            None => failures.push(missing(cx, "cluster", &reference)),
        }
    }
    Ok(json!({"clusters": clusters, "failures": failures}))
}

fn described(arn: &str, name: &str, cluster: &Cluster) -> Value {
    let registered = cluster
        .instances
        .values()
        .filter(|instance| matches!(instance.status(), Status::Active | Status::Draining))
        .count();
    json!({
        "clusterArn": arn,
        "clusterName": name,
        "status": "ACTIVE",
        "registeredContainerInstancesCount": registered,
        "runningTasksCount": 0,
        "pendingTasksCount": 0,
        "activeServicesCount": 0,
    })
}
