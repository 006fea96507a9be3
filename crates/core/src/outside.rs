//! Hosts outside ECS's view: those of a fleet that is told by tags or ids of SSM. Which ones SSM names, and what is recorded
//! of them.
//!
//! A container instance carries its record as attributes. These have none that could be reached, so one JSON text a fleet
//! holds the same words for all of them. It holds no secret: revisions are keyed fingerprints. This module must not know
//! where the text is kept.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::host::{
    Attributes, FAILED_ATTRIBUTE, Host, HostId, Membership, Ping, Platform, REVISION_ATTRIBUTE,
};

/// A managed node, as `DescribeInstanceInformation` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub ping: Ping,
    pub platform: Platform,
}

/// The nodes that have every one of several tags: SSM takes one tag a question
/// (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_InstanceInformationStringFilter.html>: tags cannot be
/// mixed with other filters).
pub fn with_every_tag(by_tag: impl IntoIterator<Item = BTreeMap<HostId, Node>>) -> BTreeMap<HostId, Node> {
    let mut by_tag = by_tag.into_iter();
    let mut nodes = by_tag.next().unwrap_or_default();
    for others in by_tag {
        nodes.retain(|id, _| others.contains_key(id));
    }
    nodes
}

/// The hosts of a fleet, as SSM and the record describe them. One of `ids` that SSM does not list is no managed node.
pub fn hosts(
    ids: impl IntoIterator<Item = HostId>,
    nodes: &BTreeMap<HostId, Node>,
    records: &HostRecords,
) -> Vec<Host> {
    let host = |id: HostId| {
        let node = nodes.get(&id).cloned();
        let Node { ping, platform } =
            node.unwrap_or(Node { ping: Ping::NotManaged, platform: Platform::Linux });
        Host {
            membership: Membership::Outside,
            attributes: Attributes { platform, ..records.attributes(&id) },
            ping,
            id,
        }
    };
    ids.into_iter().map(host).collect()
}

/// What is recorded of hosts, by host: the values that the attributes of a container instance would have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostRecords {
    hosts: BTreeMap<HostId, HostRecord>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct HostRecord {
    /// [`REVISION_ATTRIBUTE`].
    #[serde(rename = "regcred.revision", default, skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    /// [`FAILED_ATTRIBUTE`].
    #[serde(rename = "regcred.failed", default, skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
}

/// The text as it is kept.
#[derive(Serialize, Deserialize)]
struct Stored<Hosts> {
    version: u32,
    hosts: Hosts,
}

const VERSION: u32 = 1;

/// Why a text is no record of hosts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HostRecordsError {
    #[error("it is no record of hosts of regcred's")]
    Malformed,
    #[error("it was written by a newer regcred (format {0})")]
    Newer(u32),
}

impl HostRecords {
    pub fn read(text: &str) -> Result<Self, HostRecordsError> {
        let Stored { version, hosts } = serde_json::from_str::<Stored<serde_json::Value>>(text)
            .map_err(|_| HostRecordsError::Malformed)?;
        if version > VERSION {
            return Err(HostRecordsError::Newer(version));
        }
        let hosts = serde_json::from_value(hosts).map_err(|_| HostRecordsError::Malformed)?;
        Ok(Self { hosts })
    }

    pub fn to_text(&self) -> String {
        let stored = Stored { version: VERSION, hosts: &self.hosts };
        serde_json::to_string(&stored).expect("records are plain data with text keys")
    }

    /// What is recorded of a host, as its attributes would tell it.
    fn attributes(&self, id: &HostId) -> Attributes {
        let record = self.hosts.get(id).cloned().unwrap_or_default();
        let HostRecord { revision, failed } = record;
        Attributes::read([(REVISION_ATTRIBUTE, revision.as_deref()), (FAILED_ATTRIBUTE, failed.as_deref())])
    }

    /// Puts a value as [`crate::rollout::Note`] tells it.
    ///
    /// # Panics
    /// If it is neither of the two attributes.
    pub fn put(&mut self, id: &HostId, name: &'static str, value: &str) {
        let record = self.hosts.entry(id.clone()).or_default();
        let place = match name {
            REVISION_ATTRIBUTE => &mut record.revision,
            FAILED_ATTRIBUTE => &mut record.failed,
            other => panic!("regcred has no attribute {other}"),
        };
        *place = Some(value.to_owned());
    }

    /// The hosts that are recorded.
    pub fn ids(&self) -> impl Iterator<Item = &HostId> {
        self.hosts.keys()
    }

    /// Drops what is recorded of these hosts.
    pub fn forget(&mut self, ids: &BTreeSet<HostId>) {
        self.hosts.retain(|id, _| !ids.contains(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::Revision;
    use crate::host::RecordedFailure;

    fn id(n: usize) -> HostId {
        HostId::parse(&format!("i-{n:017}")).unwrap()
    }

    fn node() -> Node {
        Node { ping: Ping::Online, platform: Platform::Linux }
    }

    #[test]
    fn a_host_has_to_have_every_tag() {
        let some = |numbers: &[usize]| -> BTreeMap<HostId, Node> {
            numbers.iter().map(|n| (id(*n), node())).collect()
        };
        assert_eq!(with_every_tag([some(&[1, 2, 3]), some(&[2, 3, 4]), some(&[3, 2])]), some(&[2, 3]));
        assert_eq!(with_every_tag([some(&[1, 2])]), some(&[1, 2]));
        assert_eq!(with_every_tag([some(&[1]), some(&[])]), some(&[]));
    }

    #[test]
    fn an_id_that_ssm_does_not_list_is_no_managed_node() {
        let nodes = BTreeMap::from([(id(1), Node { ping: Ping::ConnectionLost, ..node() })]);
        let hosts = hosts([id(1), id(2)], &nodes, &HostRecords::default());
        assert_eq!(
            hosts.iter().map(|host| &host.ping).collect::<Vec<_>>(),
            [&Ping::ConnectionLost, &Ping::NotManaged]
        );
        assert!(hosts.iter().all(|host| host.membership == Membership::Outside));
    }

    #[test]
    fn a_record_holds_the_words_of_the_attributes_and_survives_its_text() {
        let mut records = HostRecords::default();
        records.put(&id(1), REVISION_ATTRIBUTE, "r1");
        records.put(&id(1), FAILED_ATTRIBUTE, "unproven-2");
        records.put(&id(2), REVISION_ATTRIBUTE, "pending");
        let text = records.to_text();
        assert_eq!(
            text,
            r#"{"version":1,"hosts":{"i-00000000000000001":{"regcred.revision":"r1","regcred.failed":"unproven-2"},"#
                .to_owned()
                + r#""i-00000000000000002":{"regcred.revision":"pending"}}}"#
        );
        let read = HostRecords::read(&text).unwrap();
        assert_eq!(read, records);
        let attributes = read.attributes(&id(1));
        assert_eq!(attributes.recorded, Some(Revision::from_recorded("r1")));
        assert_eq!(attributes.failed, Some(RecordedFailure::Unproven { times: 2 }));
        assert_eq!(read.attributes(&id(3)), Attributes::read([]));
    }

    #[test]
    fn what_is_no_record_is_told_from_what_is_too_new() {
        for text in ["", "{}", r#"{"version":1}"#, r#"{"version":1,"hosts":{"web-1":{}}}"#] {
            assert_eq!(HostRecords::read(text), Err(HostRecordsError::Malformed), "{text}");
        }
        let newer = r#"{"version":2,"hosts":[],"more":1}"#;
        assert_eq!(HostRecords::read(newer), Err(HostRecordsError::Newer(2)));
    }

    #[test]
    fn what_is_forgotten_is_gone_and_the_rest_stays() {
        let mut records = HostRecords::default();
        records.put(&id(1), REVISION_ATTRIBUTE, "r1");
        records.put(&id(2), REVISION_ATTRIBUTE, "r1");
        records.forget(&BTreeSet::from([id(1), id(3)]));
        assert_eq!(records.ids().collect::<Vec<_>>(), [&id(2)]);
    }
}
