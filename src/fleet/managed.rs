//! ECS Managed Instances among the hosts that SSM does not know: they need no restart, and nobody could do one.
//!
//! Asked for only where such a host came from a capacity provider, so that a fleet that SSM knows costs nothing here.

use std::collections::{BTreeMap, BTreeSet};

use regcred_core::host::{ClusterName, Host, HostId, Ping, Platform};
use regcred_core::names::FleetName;
use regcred_core::report::Failure;

use crate::aws::Clients;

/// The capacity provider that a host came from, by the host's id.
pub(super) type Providers = BTreeMap<HostId, (ClusterName, String)>;

/// Tells those of `hosts` that are ECS Managed Instances. Costs a call for a cluster with a host that could be one, and
/// returns why some could not be told.
pub(super) async fn tell(
    clients: &Clients,
    name: &FleetName,
    hosts: &mut [Host],
    providers: &Providers,
) -> Vec<Failure> {
    let could_be = |host: &Host| match (&host.ping, host.attributes.platform) {
        (Ping::NotManaged, Platform::Linux) => providers.get(&host.id),
        (
            Ping::NotManaged,
            Platform::Bottlerocket | Platform::Windows | Platform::ManagedInstance | Platform::MacOs,
        )
        | (Ping::Online | Ping::ConnectionLost | Ping::Inactive | Ping::Other(_), _) => None,
    };
    let mut asked: BTreeMap<&ClusterName, BTreeSet<&String>> = BTreeMap::new();
    for (cluster, provider) in hosts.iter().filter_map(could_be) {
        asked.entry(cluster).or_default().insert(provider);
    }
    let mut managed: BTreeSet<(ClusterName, String)> = BTreeSet::new();
    let mut failures = Vec::new();
    for (cluster, names) in asked {
        let names: Vec<String> = names.into_iter().cloned().collect();
        match clients.ecs.managed_instances_providers(cluster.as_str(), &names).await {
            Ok(found) => managed.extend(found.into_iter().map(|provider| (cluster.clone(), provider))),
            Err(error) => failures.push(error.failure(format!(
                "cannot tell which hosts of fleet `{name}` in cluster `{cluster}` are ECS Managed Instances"
            ))),
        }
    }
    for host in hosts.iter_mut() {
        if could_be(host).is_some_and(|place| managed.contains(place)) {
            host.attributes.platform = Platform::ManagedInstance;
        }
    }
    failures
}
