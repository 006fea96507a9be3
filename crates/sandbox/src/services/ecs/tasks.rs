//! `RegisterTaskDefinition`, `DescribeTaskDefinition`, `CreateService`, `ListServices`, `DescribeServices`: what tells how tasks
//! pull. No task runs here.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html>

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ecs, PAGE, SERVICE, invalid, last_part, missing, page_size, start_of, with_token};
use crate::error::AwsError;
use crate::services::Context;

/// The most of one DescribeServices.
const MOST_SERVICES: usize = 10;

/// Task definitions and services of one account and Region.
#[derive(Default)]
pub(super) struct Tasks {
    /// The revisions of each family, as they are described, the first one first.
    definitions: BTreeMap<String, Vec<Value>>,
    /// Services by cluster and name, as they are described.
    services: BTreeMap<(String, String), Value>,
}

/// Keeps what was registered as it is, and adds what ECS makes of it.
pub(super) fn register(cx: &Context<'_>, ecs: &mut Ecs, input: Value) -> Result<Value, AwsError> {
    cx.authorize(SERVICE, "RegisterTaskDefinition", "*")?;
    let Some(family) = input["family"].as_str().map(str::to_owned) else {
        return Err(AwsError::new("ClientException", "Family should not be null or empty."));
    };
    let revisions = ecs.tasks.definitions.entry(family.clone()).or_default();
    let revision = revisions.len() + 1;
    let mut definition = input;
    definition["taskDefinitionArn"] = json!(cx.arn(SERVICE, &format!("task-definition/{family}:{revision}")));
    definition["revision"] = json!(revision);
    definition["status"] = json!("ACTIVE");
    revisions.push(definition.clone());
    Ok(json!({ "taskDefinition": definition }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct DescribeTaskDefinition {
    task_definition: String,
}

pub(super) fn describe(
    cx: &Context<'_>,
    ecs: &Ecs,
    request: DescribeTaskDefinition,
) -> Result<Value, AwsError> {
    cx.authorize(SERVICE, "DescribeTaskDefinition", "*")?;
    let DescribeTaskDefinition { task_definition } = request;
    let found = ecs.tasks.definition(&task_definition);
    let found =
        found.ok_or_else(|| AwsError::new("ClientException", "Unable to describe task definition."))?;
    Ok(json!({ "taskDefinition": found }))
}

impl Tasks {
    /// By a family, whose latest revision is meant, `family:revision`, or an ARN.
    fn definition(&self, reference: &str) -> Option<&Value> {
        let (family, revision) = match last_part(reference).split_once(':') {
            Some((family, revision)) => (family, Some(revision)),
            None => (last_part(reference), None),
        };
        let revisions = self.definitions.get(family)?;
        match revision {
            None => revisions.last(),
            Some(revision) => revisions.get(revision.parse::<usize>().ok()?.checked_sub(1)?),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct CreateService {
    cluster: Option<String>,
    service_name: String,
    task_definition: Option<String>,
    launch_type: Option<String>,
    platform_version: Option<String>,
    desired_count: Option<i64>,
}

pub(super) fn create_service(
    cx: &Context<'_>,
    ecs: &mut Ecs,
    request: CreateService,
) -> Result<Value, AwsError> {
    let CreateService {
        cluster,
        service_name,
        task_definition,
        launch_type,
        platform_version,
        desired_count,
    } = request;
    let (cluster, _) = ecs.cluster(cx, cluster.as_deref())?;
    let arn = cx.arn(SERVICE, &format!("service/{cluster}/{service_name}"));
    cx.authorize(SERVICE, "CreateService", &arn)?;
    let definition = task_definition.as_deref().and_then(|reference| ecs.tasks.definition(reference));
    let definition = definition.ok_or_else(|| invalid("TaskDefinition not found."))?;
    let mut service = json!({
        "serviceArn": arn,
        "serviceName": service_name,
        "clusterArn": cx.arn(SERVICE, &format!("cluster/{cluster}")),
        "status": "ACTIVE",
        "taskDefinition": definition["taskDefinitionArn"],
        "launchType": launch_type.as_deref().unwrap_or("EC2"),
        "desiredCount": desired_count.unwrap_or(0),
        "runningCount": 0,
        "pendingCount": 0,
    });
    // Fargate alone has platforms.
    if launch_type.as_deref() == Some("FARGATE") {
        service["platformVersion"] = json!(platform_version.as_deref().unwrap_or("LATEST"));
    }
    ecs.tasks.services.insert((cluster, service_name), service.clone());
    Ok(json!({ "service": service }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ListServices {
    cluster: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn list_services(
    cx: &Context<'_>,
    ecs: &mut Ecs,
    request: ListServices,
) -> Result<Value, AwsError> {
    let ListServices { cluster, max_results, next_token } = request;
    let (cluster, _) = ecs.cluster(cx, cluster.as_deref())?;
    cx.authorize(SERVICE, "ListServices", &cx.arn(SERVICE, &format!("cluster/{cluster}")))?;
    // Ten, where nothing is asked for (API_ListServices).
    let size = page_size(max_results.or(Some(MOST_SERVICES)))?.min(PAGE);
    let after = start_of(next_token.as_deref())?;
    let of_cluster = ecs.tasks.services.iter().filter(|((of, _), _)| *of == cluster);
    let mut rest = of_cluster.skip_while(|((_, name), _)| after.as_ref().is_some_and(|after| name <= after));
    let page: Vec<(&String, &Value)> = rest.by_ref().take(size).map(|((_, name), it)| (name, it)).collect();
    let last = rest.next().and(page.last()).map(|(name, _)| name.as_str());
    let arns: Vec<&Value> = page.iter().map(|(_, service)| &service["serviceArn"]).collect();
    Ok(with_token(json!({ "serviceArns": arns }), last))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct DescribeServices {
    cluster: Option<String>,
    services: Vec<String>,
}

pub(super) fn describe_services(
    cx: &Context<'_>,
    ecs: &mut Ecs,
    request: DescribeServices,
) -> Result<Value, AwsError> {
    let DescribeServices { cluster, services } = request;
    let (cluster, _) = ecs.cluster(cx, cluster.as_deref())?;
    if services.is_empty() || services.len() > MOST_SERVICES {
        return Err(invalid("Services must have 1 to 10 items"));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for reference in services {
        let name = last_part(&reference).to_owned();
        cx.authorize(SERVICE, "DescribeServices", &cx.arn(SERVICE, &format!("service/{cluster}/{name}")))?;
        match ecs.tasks.services.get(&(cluster.clone(), name)) {
            Some(service) => found.push(service.clone()),
            None => failures.push(missing(cx, "service", &reference)),
        }
    }
    Ok(json!({ "services": found, "failures": failures }))
}
