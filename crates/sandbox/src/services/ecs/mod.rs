//! ECS, as far as it knows container instances.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Operations.html>

mod attributes;
mod capacity;
mod clusters;
mod filter;
mod instance;
mod instances;
mod tasks;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

pub use filter::MissingAttribute;
use instance::Instance;
pub use instance::Status;

use super::{Context, Regional, Service, members};
use crate::error::AwsError;
use crate::hosts::{EcsListing, Host};
use crate::leeway::Leeway;
use crate::paging::{item_before, token_after};

const SERVICE: Service = Service::Ecs;

/// The clusters of one account and Region, by name.
#[derive(Default)]
pub(crate) struct Ecs {
    clusters: BTreeMap<String, Cluster>,
    tasks: tasks::Tasks,
}

/// A cluster's container instances, by the last part of their ARNs.
#[derive(Default)]
struct Cluster {
    instances: BTreeMap<String, Instance>,
}

/// Answers one call, whose members the model has approved.
pub(crate) fn handle(
    cx: &Context<'_>,
    regional: &mut Regional,
    leeway: Leeway,
    operation: &str,
    input: Value,
) -> Result<Value, AwsError> {
    let ecs = &mut regional.ecs;
    match operation {
        "ListClusters" => clusters::list(cx, ecs, members(SERVICE, input)?),
        "DescribeCapacityProviders" => capacity::describe(cx, ecs, members(SERVICE, input)?),
        "DescribeClusters" => clusters::describe(cx, ecs, members(SERVICE, input)?),
        "ListContainerInstances" => instances::list(cx, ecs, leeway, members(SERVICE, input)?),
        "DescribeContainerInstances" => instances::describe(cx, ecs, members(SERVICE, input)?),
        "PutAttributes" => attributes::put(cx, ecs, members(SERVICE, input)?),
        "DeleteAttributes" => attributes::delete(cx, ecs, members(SERVICE, input)?),
        "ListAttributes" => attributes::list(cx, ecs, members(SERVICE, input)?),
        "RegisterTaskDefinition" => tasks::register(cx, ecs, input),
        "DescribeTaskDefinition" => tasks::describe(cx, ecs, members(SERVICE, input)?),
        "CreateService" => tasks::create_service(cx, ecs, members(SERVICE, input)?),
        "ListServices" => tasks::list_services(cx, ecs, members(SERVICE, input)?),
        "DescribeServices" => tasks::describe_services(cx, ecs, members(SERVICE, input)?),
        other => Err(AwsError::not_modelled(SERVICE, format!("the operation {other}"))),
    }
}

impl Ecs {
    /// Makes a cluster, unless there is one of the name.
    pub(crate) fn create_cluster(&mut self, name: &str) {
        self.clusters.entry(name.to_owned()).or_default();
    }

    /// Takes up the ARN under which a host's agent is registered, if it is a new one and registered here.
    pub(crate) fn register(&mut self, host: &Arc<Host>, now: DateTime<Utc>) {
        match host.spec().listing {
            EcsListing::Here => {}
            EcsListing::Elsewhere => return,
        }
        self.clusters.entry(host.spec().cluster.clone()).or_default().register(host, now);
    }

    /// Forgets all container instances of a host, as of one that was terminated.
    pub(crate) fn deregister(&mut self, host: &Host) {
        if let Some(cluster) = self.clusters.get_mut(&host.spec().cluster) {
            cluster.instances.retain(|_, instance| instance.host().spec().id != host.spec().id);
        }
    }

    /// Gives a host's container instance another status, as a person drains one.
    pub(crate) fn set_status(&mut self, host: &Host, status: Status) {
        let cluster = self.clusters.get_mut(&host.spec().cluster);
        let key = host.agent().container_instance_arn;
        if let Some(instance) = cluster.and_then(|cluster| cluster.instances.get_mut(last_part(&key))) {
            instance.set_status(status);
        }
    }

    /// The custom attributes of a host's current container instance.
    pub(crate) fn recorded(&self, host: &Host, now: DateTime<Utc>) -> BTreeMap<String, String> {
        let cluster = self.clusters.get(&host.spec().cluster);
        let instance = cluster
            .and_then(|cluster| cluster.instances.get(last_part(&host.agent().container_instance_arn)));
        instance.map(|instance| instance.custom(now)).unwrap_or_default()
    }

    /// The cluster that a request names, by name or ARN; `default` when it names none.
    fn cluster(
        &mut self,
        cx: &Context<'_>,
        reference: Option<&str>,
    ) -> Result<(String, &mut Cluster), AwsError> {
        let name = cluster_name(cx, reference.unwrap_or("default"));
        let cluster = name.as_deref().and_then(|name| self.clusters.get_mut(name));
        match (name, cluster) {
            (Some(name), Some(cluster)) => Ok((name, cluster)),
            (_, None) | (None, _) => Err(AwsError::new("ClusterNotFoundException", "Cluster not found.")),
        }
    }
}

impl Cluster {
    fn register(&mut self, host: &Arc<Host>, now: DateTime<Utc>) {
        let arn = host.agent().container_instance_arn;
        if !arn.is_empty() {
            self.instances
                .entry(last_part(&arn).to_owned())
                .or_insert_with(|| Instance::new(arn, Arc::clone(host), now));
        }
    }

    /// An instance by its ARN or the ARN's last part.
    fn find(&self, reference: &str) -> Option<&Instance> {
        let instance = self.instances.get(last_part(reference))?;
        (!reference.contains(':') || reference == instance.arn()).then_some(instance)
    }

    fn find_mut(&mut self, reference: &str) -> Option<&mut Instance> {
        let instance = self.instances.get_mut(last_part(reference))?;
        (!reference.contains(':') || reference == instance.arn()).then_some(instance)
    }
}

/// The name in a name or an ARN of the caller's account and Region.
fn cluster_name(cx: &Context<'_>, reference: &str) -> Option<String> {
    if reference.contains(':') {
        reference.strip_prefix(&cx.arn(SERVICE, "cluster/")).map(str::to_owned)
    } else {
        Some(reference.to_owned())
    }
}

fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn invalid(text: impl Into<String>) -> AwsError {
    AwsError::new("InvalidParameterException", text)
}

/// The most items of a page, and what a call may ask for.
const PAGE: usize = 100;

fn page_size(asked: Option<usize>) -> Result<usize, AwsError> {
    match asked {
        None => Ok(PAGE),
        Some(size @ 1..=PAGE) => Ok(size),
        Some(_) => Err(invalid("maxResults must be between 1 and 100")),
    }
}

/// Where a page goes on.
fn start_of(token: Option<&str>) -> Result<Option<String>, AwsError> {
    token.map(|token| item_before(token).ok_or_else(|| invalid("Invalid token"))).transpose()
}

fn with_token(mut answer: Value, last: Option<&str>) -> Value {
    if let Some(last) = last {
        answer["nextToken"] = json!(token_after(last));
    }
    answer
}

/// A reference that leads nowhere, as the describing operations list it.
fn missing(cx: &Context<'_>, kind: &str, reference: &str) -> Value {
    let arn = if reference.contains(':') {
        reference.to_owned()
    } else {
        cx.arn(SERVICE, &format!("{kind}/{reference}"))
    };
    json!({"arn": arn, "reason": "MISSING"})
}
