//! ECS, as regcred calls it: who is in a cluster, who differs, and the attribute that says so.

use aws_config::SdkConfig;
use aws_sdk_ecs as sdk;
use futures_util::StreamExt;
use regcred_core::doctor::{Compatibility, Container, Service, TaskDefinition};
use sdk::types::{Attribute, CapacityProviderType, TargetType};

use super::{AwsError, Place};

/// The most of one DescribeServices.
const SERVICES: usize = 10;
/// The most of one DescribeContainerInstances.
const DESCRIBE: usize = 100;
/// Reads of a cluster's pages in flight: reads are 20 a second for the whole account (ECS API throttling quotas).
const SIDE_BY_SIDE: usize = 4;

#[derive(Clone, Debug)]
pub(crate) struct Ecs {
    client: sdk::Client,
    place: Place,
}

/// A container instance, in AWS's own words.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub arn: String,
    /// `i-…`, or `mi-…` on ECS Anywhere.
    pub id: String,
    pub status: String,
    pub agent_connected: bool,
    pub attributes: Vec<(String, Option<String>)>,
    /// Such as `1.105.1`.
    pub agent_version: Option<String>,
    /// The name of the one that it came from.
    pub capacity_provider: Option<String>,
}

/// What is to be recorded on one container instance.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    pub instance_arn: String,
    pub attribute: &'static str,
    pub value: String,
}

impl Ecs {
    pub(super) fn new(config: &SdkConfig, place: Place) -> Self {
        let partition = place.retry_partition("ecs");
        let config = sdk::config::Builder::from(config)
            .retry_partition(partition)
            .interceptor(place.attempts.clone())
            .build();
        Self { client: sdk::Client::from_conf(config), place }
    }

    /// The names of all clusters of the location: what a pattern is held against.
    pub(crate) async fn clusters(&self) -> Result<Vec<String>, AwsError> {
        let mut pages = self.client.list_clusters().into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| AwsError::of("ecs:ListClusters", "*", &self.place.text, &error))?;
            names.extend(page.cluster_arns.unwrap_or_default().iter().map(|arn| last_part(arn).to_owned()));
        }
        Ok(names)
    }

    /// How many container instances each of `clusters` has; one that is not there is left out.
    pub(crate) async fn cluster_sizes(&self, clusters: &[String]) -> Result<Vec<(String, usize)>, AwsError> {
        let mut sizes = Vec::new();
        for chunk in clusters.chunks(DESCRIBE) {
            let answer = self.client.describe_clusters().set_clusters(Some(chunk.to_vec())).send().await;
            let answer = answer.map_err(|error| {
                AwsError::of(
                    "ecs:DescribeClusters",
                    self.place.arn("ecs", "cluster/*"),
                    &self.place.text,
                    &error,
                )
            })?;
            sizes.extend(answer.clusters.unwrap_or_default().into_iter().filter_map(|cluster| {
                let size = usize::try_from(cluster.registered_container_instances_count).unwrap_or(0);
                Some((cluster.cluster_name?, size))
            }));
        }
        Ok(sizes)
    }

    /// The ARNs of the container instances of `cluster` that `filter` (cluster query language) leaves; all without it.
    /// Pages may be short, or empty, before the last: only a missing token ends them.
    pub(crate) async fn list(&self, cluster: &str, filter: Option<&str>) -> Result<Vec<String>, AwsError> {
        let call =
            self.client.list_container_instances().cluster(cluster).set_filter(filter.map(str::to_owned));
        let mut pages = call.into_paginator().send();
        let mut arns = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                AwsError::of(
                    "ecs:ListContainerInstances",
                    self.place.arn("ecs", &format!("cluster/{cluster}")),
                    &self.place.text,
                    &error,
                )
            })?;
            arns.extend(page.container_instance_arns.unwrap_or_default());
        }
        Ok(arns)
    }

    /// The container instances of `arns`, a hundred a call. One that is gone is left out.
    pub(crate) async fn describe(&self, cluster: &str, arns: &[String]) -> Result<Vec<Instance>, AwsError> {
        let calls = arns.chunks(DESCRIBE).map(|chunk| async move {
            let call = self
                .client
                .describe_container_instances()
                .cluster(cluster)
                .set_container_instances(Some(chunk.to_vec()));
            call.send().await.map_err(|error| {
                AwsError::of(
                    "ecs:DescribeContainerInstances",
                    self.place.arn("ecs", &format!("container-instance/{cluster}/*")),
                    &self.place.text,
                    &error,
                )
            })
        });
        let answers: Vec<_> = futures_util::stream::iter(calls).buffered(SIDE_BY_SIDE).collect().await;
        let mut instances = Vec::with_capacity(arns.len());
        for answer in answers {
            instances.extend(answer?.container_instances.unwrap_or_default().into_iter().map(|instance| {
                let attributes = instance.attributes.unwrap_or_default();
                Instance {
                    arn: instance.container_instance_arn.unwrap_or_default(),
                    id: instance.ec2_instance_id.unwrap_or_default(),
                    status: instance.status.unwrap_or_default(),
                    agent_connected: instance.agent_connected,
                    agent_version: instance.version_info.and_then(|info| info.agent_version),
                    attributes: attributes.into_iter().map(|each| (each.name, each.value)).collect(),
                    capacity_provider: instance.capacity_provider_name,
                }
            }));
        }
        Ok(instances)
    }

    /// Those of `names` that are capacity providers of ECS Managed Instances in `cluster`, a hundred a call.
    pub(crate) async fn managed_instances_providers(
        &self,
        cluster: &str,
        names: &[String],
    ) -> Result<Vec<String>, AwsError> {
        let mut managed = Vec::new();
        for chunk in names.chunks(DESCRIBE) {
            let call = self.client.describe_capacity_providers().cluster(cluster);
            let answer = call.set_capacity_providers(Some(chunk.to_vec())).send().await.map_err(|error| {
                let resource = self.place.arn("ecs", "capacity-provider/*");
                AwsError::of("ecs:DescribeCapacityProviders", resource, &self.place.text, &error)
            })?;
            let providers = answer.capacity_providers.unwrap_or_default().into_iter();
            managed.extend(
                providers
                    .filter(|each| each.r#type == Some(CapacityProviderType::ManagedInstances))
                    .filter_map(|each| each.name),
            );
        }
        Ok(managed)
    }

    /// Puts at most ten attributes in one call, each on an instance of its own. Nothing is recorded if it fails.
    pub(crate) async fn record(&self, cluster: &str, recordings: &[Recording]) -> Result<(), AwsError> {
        let attributes = recordings
            .iter()
            .map(|recording| {
                Attribute::builder()
                    .name(recording.attribute)
                    .value(&recording.value)
                    .target_type(TargetType::ContainerInstance)
                    .target_id(&recording.instance_arn)
                    .build()
                    .expect("the name, the one required member, is set")
            })
            .collect();
        let call = self.client.put_attributes().cluster(cluster).set_attributes(Some(attributes));
        call.send().await.map(|_| ()).map_err(|error| {
            AwsError::of(
                "ecs:PutAttributes",
                self.place.arn("ecs", &format!("container-instance/{cluster}/*")),
                &self.place.text,
                &error,
            )
        })
    }

    /// Deletes at most ten attributes in one call: pairs of a container instance's ARN and a name. None is deleted if it fails.
    pub(crate) async fn forget(
        &self,
        cluster: &str,
        attributes: &[(String, String)],
    ) -> Result<(), AwsError> {
        let attributes = attributes
            .iter()
            .map(|(arn, name)| {
                let attribute = Attribute::builder().name(name).target_type(TargetType::ContainerInstance);
                attribute.target_id(arn).build().expect("the name, the one required member, is set")
            })
            .collect();
        let call = self.client.delete_attributes().cluster(cluster).set_attributes(Some(attributes));
        call.send().await.map(|_| ()).map_err(|error| {
            AwsError::of(
                "ecs:DeleteAttributes",
                self.place.arn("ecs", &format!("container-instance/{cluster}/*")),
                &self.place.text,
                &error,
            )
        })
    }

    /// A task definition, by its family (the latest revision), `family:revision` or ARN.
    pub(crate) async fn task_definition(&self, name: &str) -> Result<TaskDefinition, AwsError> {
        let answer = self.client.describe_task_definition().task_definition(name).send().await;
        let answer = answer
            .map_err(|error| AwsError::of("ecs:DescribeTaskDefinition", "*", &self.place.text, &error))?;
        let Some(described) = answer.task_definition else {
            return Err(AwsError::cut_off("ecs:DescribeTaskDefinition", name, &self.place.text));
        };
        let compatibility = |each: &sdk::types::Compatibility| match each {
            sdk::types::Compatibility::Fargate => Compatibility::Fargate,
            // Whatever else there will be has instances.
            _ => Compatibility::Instances,
        };
        let containers = described.container_definitions.unwrap_or_default().into_iter().map(|container| {
            let credentials = container.repository_credentials.map(|it| it.credentials_parameter);
            Container {
                name: container.name.unwrap_or_default(),
                image: container.image.unwrap_or_default(),
                credentials,
            }
        });
        Ok(TaskDefinition {
            name: described.task_definition_arn.as_deref().map_or(name, last_part).to_owned(),
            execution_role: described.execution_role_arn,
            requires: described
                .requires_compatibilities
                .unwrap_or_default()
                .iter()
                .map(compatibility)
                .collect(),
            containers: containers.collect(),
        })
    }

    /// The services of `cluster` that run a revision of the family of `task_definition` (`family:revision`), ten a call.
    pub(crate) async fn services_of(
        &self,
        cluster: &str,
        task_definition: &str,
    ) -> Result<Vec<Service>, AwsError> {
        let family = |name: &str| name.split(':').next().unwrap_or(name).to_owned();
        let mut pages = self.client.list_services().cluster(cluster).into_paginator().send();
        let mut arns = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                let resource = self.place.arn("ecs", &format!("cluster/{cluster}"));
                AwsError::of("ecs:ListServices", resource, &self.place.text, &error)
            })?;
            arns.extend(page.service_arns.unwrap_or_default());
        }
        let mut services = Vec::new();
        for chunk in arns.chunks(SERVICES) {
            let call = self.client.describe_services().cluster(cluster);
            let answer = call.set_services(Some(chunk.to_vec())).send().await.map_err(|error| {
                let resource = self.place.arn("ecs", &format!("service/{cluster}/*"));
                AwsError::of("ecs:DescribeServices", resource, &self.place.text, &error)
            })?;
            services.extend(answer.services.unwrap_or_default().into_iter().filter_map(|service| {
                let runs = service.task_definition?;
                (family(last_part(&runs)) == family(task_definition)).then_some(Service {
                    name: service.service_name?,
                    platform_version: service.platform_version,
                })
            }));
        }
        Ok(services)
    }
}

fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
