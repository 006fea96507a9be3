//! The hosts of a fleet that is told by tags or ids of SSM, seen through SSM and the fleet's record. Writes nothing.
//!
//! Nobody here knows where their agents are registered, so ECS is not asked.

use std::collections::{BTreeMap, BTreeSet};

use regcred_core::host::{HostId, Ping, Platform};
use regcred_core::names::FleetName;
use regcred_core::outside::{self, Node};
use regcred_core::report::{Failure, FailureKind};

use super::observe::{FleetObservation, unseen_by};
use super::records::RecordStore;
use crate::aws::{self, AwsError, Clients, S3};
use crate::config;

/// Where the record of a fleet is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordPlace<'a> {
    /// Of the state's location.
    pub s3: &'a S3,
    pub state: &'a config::State,
}

/// Looks at every host that has each of `tags`: one name and its values. Costs a call a page of hosts for each tag, and one
/// for the record.
pub(crate) async fn observe_tagged<'a>(
    clients: &Clients,
    place: RecordPlace<'a>,
    name: &FleetName,
    tags: &BTreeMap<String, Vec<String>>,
) -> Result<FleetObservation<'a>, Failure> {
    let listing = async {
        let mut by_tag = Vec::new();
        for (tag, values) in tags {
            by_tag.push(read(clients.ssm.nodes_with_tag(tag, values).await?));
        }
        Ok(outside::with_every_tag(by_tag))
    };
    let nodes = listing.await.map_err(|error: AwsError| error.failure(unseen_by(name)))?;
    let ids: Vec<HostId> = nodes.keys().cloned().collect();
    let mut observation = observe(place, name, ids, &nodes).await?;
    if nodes.is_empty() {
        observation.unseen.push(Failure::new(
            FailureKind::Missing,
            unseen_by(name),
            format!("SSM lists no managed node with these tags in {}", clients.ssm.place()),
            format!("correct fleets.{name}.tags, or tag the hosts (of `mi-…`, the managed node itself)"),
        ));
    }
    Ok(observation)
}

/// Looks at the hosts of these ids. Costs a call for fifty of them, and one for the record.
pub(crate) async fn observe_named<'a>(
    clients: &Clients,
    place: RecordPlace<'a>,
    name: &FleetName,
    ids: &[HostId],
) -> Result<FleetObservation<'a>, Failure> {
    let asked: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let nodes = clients.ssm.nodes(&asked).await.map_err(|error| error.failure(unseen_by(name)))?;
    observe(place, name, ids.to_vec(), &read(nodes)).await
}

async fn observe<'a>(
    RecordPlace { s3, state }: RecordPlace<'a>,
    name: &FleetName,
    ids: Vec<HostId>,
    nodes: &BTreeMap<HostId, Node>,
) -> Result<FleetObservation<'a>, Failure> {
    let mut records = RecordStore::read(s3, state, name).await?;
    // One that SSM does not list now is asked again when it does.
    records.keep(&nodes.keys().cloned().collect::<BTreeSet<_>>());
    let hosts = outside::hosts(ids, nodes, records.records());
    Ok(FleetObservation { hosts, records: Some(records), ..FleetObservation::default() })
}

/// An id that is none is left out: SSM names its own nodes, and could be sent no command to it either.
fn read(nodes: Vec<aws::Node>) -> BTreeMap<HostId, Node> {
    let node = |node: aws::Node| {
        let aws::Node { id, ping, platform_type, platform_name } = node;
        let platform = Platform::of_node(&platform_type, &platform_name);
        Some((HostId::parse(&id).ok()?, Node { ping: Ping::read(&ping), platform }))
    };
    nodes.into_iter().filter_map(node).collect()
}
