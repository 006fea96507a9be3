//! One container instance: what ECS keeps of it, and what its host says of itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::filter::Subject;
use crate::clock::epoch_seconds;
use crate::error::AwsError;
use crate::hosts::{AgentView, Host, Platform};

/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html> (custom attributes per instance).
const MOST_CUSTOM_ATTRIBUTES: usize = 10;

pub(super) struct Instance {
    arn: String,
    host: Arc<Host>,
    registered: DateTime<Utc>,
    status: Status,
    /// What the agent registered it with.
    own: BTreeMap<&'static str, Option<String>>,
    /// What was put: every write in its order, and from when on others see it.
    puts: Vec<Put>,
    /// Counts the changes, as `version` does.
    changes: i64,
}

struct Put {
    name: String,
    /// `None`: deleted.
    value: Option<String>,
    visible_from: DateTime<Utc>,
}

/// `status` of a container instance that takes part in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Active,
    Draining,
    Registering,
    Deregistering,
    RegistrationFailed,
}

impl Instance {
    pub(super) fn new(arn: String, host: Arc<Host>, now: DateTime<Utc>) -> Self {
        let spec = host.spec();
        let mut own: BTreeMap<_, _> = spec
            .platform
            .attributes()
            .into_iter()
            .map(|(name, value)| (name, value.map(str::to_owned)))
            .collect();
        if spec.platform != Platform::EcsAnywhere {
            own.insert("ecs.availability-zone", Some(format!("{}a", spec.region)));
            own.insert("ecs.instance-type", Some("t3.large".into()));
        }
        Self { arn, host, registered: now, status: Status::Active, own, puts: Vec::new(), changes: 1 }
    }

    pub(super) fn arn(&self) -> &str {
        &self.arn
    }

    pub(super) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    pub(super) fn status(&self) -> Status {
        self.status
    }

    pub(super) fn set_status(&mut self, status: Status) {
        self.status = status;
        self.changes += 1;
    }

    /// Refuses what would be one custom attribute too many.
    pub(super) fn has_room_for<'a>(
        &'a self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), AwsError> {
        let mut after: std::collections::BTreeSet<&str> = self.latest().into_keys().collect();
        after.extend(names);
        if after.len() > MOST_CUSTOM_ATTRIBUTES {
            return Err(AwsError::new(
                "AttributeLimitExceededException",
                "You can apply up to 10 custom attributes for each resource.",
            ));
        }
        Ok(())
    }

    pub(super) fn put(&mut self, name: String, value: Option<String>, visible_from: DateTime<Utc>) {
        self.puts.push(Put { name, value, visible_from });
        self.changes += 1;
    }

    /// The custom attributes as others see them now.
    pub(super) fn custom(&self, now: DateTime<Utc>) -> BTreeMap<String, String> {
        let mut custom = BTreeMap::new();
        for put in self.puts.iter().filter(|put| put.visible_from <= now) {
            match &put.value {
                Some(value) => custom.insert(put.name.clone(), value.clone()),
                None => custom.remove(&put.name),
            };
        }
        custom
    }

    fn latest(&self) -> BTreeMap<&str, &str> {
        let mut custom = BTreeMap::new();
        for put in &self.puts {
            match &put.value {
                Some(value) => custom.insert(put.name.as_str(), value.as_str()),
                None => custom.remove(put.name.as_str()),
            };
        }
        custom
    }

    /// The instance as a filter sees it now.
    pub(super) fn seen(&self, now: DateTime<Utc>) -> Seen<'_> {
        let mut attributes: BTreeMap<String, Option<String>> =
            self.own.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        attributes.extend(self.custom(now).into_iter().map(|(name, value)| (name, Some(value))));
        let agent = self.host.agent();
        Seen { instance: self, attributes, agent }
    }
}

/// One instance at one moment.
pub(super) struct Seen<'a> {
    instance: &'a Instance,
    pub(super) attributes: BTreeMap<String, Option<String>>,
    agent: AgentView,
}

impl Seen<'_> {
    /// An agent that registered anew left this instance behind: it stays, disconnected.
    fn is_current(&self) -> bool {
        self.agent.container_instance_arn == self.instance.arn
    }

    pub(super) fn described(&self) -> Value {
        let Instance { arn, host, registered, status, changes, own: _, puts: _ } = self.instance;
        let attributes: Vec<Value> = self
            .attributes
            .iter()
            .map(|(name, value)| match value {
                Some(value) => json!({"name": name, "value": value}),
                None => json!({"name": name}),
            })
            .collect();
        let mut described = json!({
            "containerInstanceArn": arn,
            "ec2InstanceId": host.spec().id,
            "version": changes,
            "versionInfo": {
                "agentVersion": self.agent.version,
                "agentHash": "8dfceca6",
                "dockerVersion": "DockerVersion: 25.0.8",
            },
            "status": status,
            "agentConnected": self.agent_connected(),
            "runningTasksCount": self.running_tasks(),
            "pendingTasksCount": 0,
            "attributes": attributes,
            "registeredAt": epoch_seconds(*registered),
        });
        if let Some(provider) = &host.spec().capacity_provider {
            described["capacityProviderName"] = json!(provider);
        }
        described
    }
}

impl Subject for Seen<'_> {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(|value| value.as_deref().unwrap_or_default())
    }

    fn agent_connected(&self) -> bool {
        self.is_current() && self.agent.connected
    }

    fn ec2_instance_id(&self) -> &str {
        &self.instance.host.spec().id
    }

    fn running_tasks(&self) -> u32 {
        if self.is_current() { self.agent.running_tasks } else { 0 }
    }
}
