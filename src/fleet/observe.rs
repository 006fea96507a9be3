//! A fleet's hosts, seen through ECS and SSM. Writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use regcred_core::audit;
use regcred_core::fingerprint::Revision;
use regcred_core::host::{
    Attributes, ClusterName, ContainerInstanceArn, FailedHosts, Host, HostId, InstanceStatus, Membership,
    Ping, REVISION_ATTRIBUTE, Registration, Standing,
};
use regcred_core::names::FleetName;
use regcred_core::report::{Failure, FailureKind};

use super::managed;
use super::records::RecordStore;
use crate::aws::{self, AwsError, AwsErrorKind, Clients};
use crate::config::ClusterPattern;

/// The hosts of a fleet: of one of clusters, those that ECS lists as different from a revision.
#[derive(Debug, Default)]
pub(crate) struct FleetObservation<'a> {
    pub hosts: Vec<Host>,
    /// Registered container instances, of the clusters that have a host to be restarted.
    pub registered: BTreeMap<ClusterName, usize>,
    /// Why a cluster or a host could not be looked at. It spoils no other.
    pub unseen: Vec<Failure>,
    /// The clusters of which no host was listed.
    pub empty: Vec<ClusterName>,
    /// Where it is recorded what hosts outside ECS's view hold; `None` of a fleet of clusters.
    pub records: Option<RecordStore<'a>>,
}

/// Which hosts to look at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Listing<'a> {
    /// Those that ECS does not list with this revision: one call a page of them, one for a cluster that is clean.
    Different(&'a Revision),
    /// Every host.
    All,
}

/// The names of the clusters that a fleet's patterns mean now, and a failure for each pattern that means none. Costs a
/// call only where there is a pattern.
pub(crate) async fn clusters(
    clients: &Clients,
    name: &FleetName,
    patterns: &[ClusterPattern],
) -> Result<(Vec<ClusterName>, Vec<Failure>), Failure> {
    let mut names: BTreeSet<String> =
        patterns.iter().filter_map(ClusterPattern::as_exact).map(str::to_owned).collect();
    let mut unseen = Vec::new();
    if patterns.iter().any(|pattern| pattern.as_exact().is_none()) {
        let all = clients.ecs.clusters().await;
        let all =
            all.map_err(|error| error.failure(format!("cannot list the clusters of fleet `{name}`")))?;
        for pattern in patterns.iter().filter(|pattern| pattern.as_exact().is_none()) {
            let meant: Vec<&String> = all.iter().filter(|each| pattern.matches(each)).collect();
            if meant.is_empty() {
                unseen.push(Failure::new(
                    FailureKind::Missing,
                    format!("cannot see the hosts of fleet `{name}`"),
                    format!("no cluster is called like `{pattern}`"),
                    format!("correct or remove it in fleets.{name}.clusters"),
                ));
            }
            names.extend(meant.into_iter().cloned());
        }
    }
    Ok((names.into_iter().map(ClusterName::new).collect(), unseen))
}

/// Looks at the hosts of `clusters`. SSM and the clusters' sizes are asked for only when a host could be restarted.
pub(crate) async fn observe(
    clients: &Clients,
    name: &FleetName,
    clusters: &[ClusterName],
    listing: Listing<'_>,
    desired: &Revision,
) -> Result<FleetObservation<'static>, Failure> {
    let filter = match listing {
        // What `!=` means for an instance without the attribute is not documented, so that is asked for too, and what
        // comes back is judged by the attributes themselves.
        Listing::Different(revision) => Some(format!(
            "attribute:{REVISION_ATTRIBUTE} not_exists or attribute:{REVISION_ATTRIBUTE} != {revision}"
        )),
        Listing::All => None,
    };
    let Listed { mut hosts, mut unseen, empty, providers, agent_versions: _ } =
        listed(clients, name, clusters, filter.as_deref()).await;
    let could_restart = |host: &&mut Host| host.standing(desired, FailedHosts::Retry) == Standing::Changed;
    let mut candidates: Vec<&mut Host> = hosts.iter_mut().filter(could_restart).collect();
    if candidates.is_empty() {
        return Ok(FleetObservation { hosts, unseen, empty, ..FleetObservation::default() });
    }
    ping(clients, name, &mut candidates).await?;
    let touched: BTreeSet<String> =
        candidates.iter().filter_map(|host| host.cluster()).map(ToString::to_string).collect();
    unseen.extend(managed::tell(clients, name, &mut hosts, &providers).await);
    let touched: Vec<String> = touched.into_iter().collect();
    let sizes = clients.ecs.cluster_sizes(&touched).await.map_err(|error| error.failure(unseen_by(name)))?;
    let registered = sizes.into_iter().map(|(cluster, size)| (ClusterName::new(cluster), size)).collect();
    Ok(FleetObservation { hosts, registered, unseen, empty, records: None })
}

/// Looks at every host of `clusters`.
pub(crate) async fn observe_everyone(
    clients: &Clients,
    name: &FleetName,
    clusters: &[ClusterName],
) -> Result<Everyone, Failure> {
    let Listed { mut hosts, mut unseen, empty: _, providers, agent_versions } =
        listed(clients, name, clusters, None).await;
    let mut candidates: Vec<&mut Host> =
        hosts.iter_mut().filter(|host| audit::may_ask(host).is_ok()).collect();
    if !candidates.is_empty() {
        ping(clients, name, &mut candidates).await?;
        unseen.extend(managed::tell(clients, name, &mut hosts, &providers).await);
    }
    Ok(Everyone { hosts, agent_versions, unseen })
}

/// Every host of some clusters, with what SSM says of each that the script could run on.
#[derive(Debug)]
pub(crate) struct Everyone {
    pub hosts: Vec<Host>,
    /// Of the agents whose version ECS knows.
    pub agent_versions: BTreeMap<HostId, String>,
    /// Why a cluster or a host could not be looked at.
    pub unseen: Vec<Failure>,
}

/// The sizes of `clusters`, as a rollout asks for them.
pub(crate) async fn sizes(
    clients: &Clients,
    name: &FleetName,
    clusters: &[ClusterName],
) -> Result<BTreeMap<ClusterName, usize>, Failure> {
    let clusters: Vec<String> = clusters.iter().map(ToString::to_string).collect();
    let sizes = clients.ecs.cluster_sizes(&clusters).await.map_err(|error| error.failure(unseen_by(name)))?;
    Ok(sizes.into_iter().map(|(cluster, size)| (ClusterName::new(cluster), size)).collect())
}

/// What ECS lists.
struct Listed {
    hosts: Vec<Host>,
    /// Why a cluster or a host could not be looked at.
    unseen: Vec<Failure>,
    /// The clusters of which none is listed.
    empty: Vec<ClusterName>,
    providers: managed::Providers,
    agent_versions: BTreeMap<HostId, String>,
}

/// The hosts of `clusters` as ECS lists them by `filter`.
async fn listed(
    clients: &Clients,
    name: &FleetName,
    clusters: &[ClusterName],
    filter: Option<&str>,
) -> Listed {
    let mut hosts = Vec::new();
    let mut unseen = Vec::new();
    let mut empty = Vec::new();
    let mut providers = managed::Providers::new();
    let mut agent_versions = BTreeMap::new();
    for cluster in clusters {
        match instances(clients, cluster, filter).await {
            Ok(instances) => {
                if instances.is_empty() {
                    empty.push(cluster.clone());
                }
                for instance in instances {
                    let provider = instance.capacity_provider.clone();
                    let agent_version = instance.agent_version.clone();
                    match host(cluster, instance) {
                        Ok(host) => {
                            providers.extend(provider.map(|name| (host.id.clone(), (cluster.clone(), name))));
                            agent_versions.extend(agent_version.map(|version| (host.id.clone(), version)));
                            hosts.push(host);
                        }
                        Err(why) => unseen.push(Failure::new(
                            FailureKind::Invalid,
                            unseen_by(name),
                            why,
                            "deregister it, or report this as a bug",
                        )),
                    }
                }
            }
            Err(error) => unseen.push(
                missing_cluster(&error, cluster, name).unwrap_or_else(|| error.failure(unseen_by(name))),
            ),
        }
    }
    Listed { hosts, unseen, empty, providers, agent_versions }
}

/// Asks SSM whether it reaches these hosts.
async fn ping(clients: &Clients, name: &FleetName, hosts: &mut [&mut Host]) -> Result<(), Failure> {
    let ids: Vec<String> = hosts.iter().map(|host| host.id.to_string()).collect();
    let pings = clients.ssm.pings(&ids).await.map_err(|error| error.failure(unseen_by(name)))?;
    for host in hosts {
        host.ping = pings.get(host.id.as_str()).map_or(Ping::NotManaged, |status| Ping::read(status));
    }
    Ok(())
}

pub(super) fn unseen_by(name: &FleetName) -> String {
    format!("cannot see the hosts of fleet `{name}`")
}

async fn instances(
    clients: &Clients,
    cluster: &ClusterName,
    filter: Option<&str>,
) -> Result<Vec<aws::Instance>, AwsError> {
    let arns = clients.ecs.list(cluster.as_str(), filter).await?;
    if arns.is_empty() { Ok(Vec::new()) } else { clients.ecs.describe(cluster.as_str(), &arns).await }
}

/// A container instance as core sees it; SSM is not asked yet. `Err` says why it is none that SSM could know.
fn host(cluster: &ClusterName, instance: aws::Instance) -> Result<Host, String> {
    let aws::Instance {
        arn,
        id,
        status,
        agent_connected,
        attributes,
        capacity_provider: _,
        agent_version: _,
    } = instance;
    let id = HostId::parse(&id)
        .map_err(|error| format!("container instance {arn} of cluster `{cluster}`: {error}"))?;
    Ok(Host {
        id,
        membership: Membership::Registered(Registration {
            cluster: cluster.clone(),
            arn: ContainerInstanceArn::new(arn),
            status: InstanceStatus::read(&status),
            agent_connected,
        }),
        attributes: Attributes::read(
            attributes.iter().map(|(name, value)| (name.as_str(), value.as_deref())),
        ),
        ping: Ping::Online,
    })
}

fn missing_cluster(error: &AwsError, cluster: &ClusterName, name: &FleetName) -> Option<Failure> {
    (error.kind == AwsErrorKind::NotFound).then(|| {
        Failure::new(
            FailureKind::Missing,
            unseen_by(name),
            format!("there is no cluster `{cluster}` in {}", error.place),
            format!("correct fleets.{name}.clusters, or create the cluster"),
        )
    })
}
