//! What an invocation of the Lambda asks for, read from its event.
//!
//! An event begins a pass, or it does not. It never tells what the pass is about: a pass looks at everything, and only whoever
//! names a command may narrow it. This module must not know the configuration, and so not whether a secret or a cluster is
//! one of it.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::host::{Attributes, FAILED_ATTRIBUTE, FailedHosts, InstanceStatus, REVISION_ATTRIBUTE};
use crate::login::RejectedCandidates;
use crate::report::{Failure, FailureKind};

/// What an invocation asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody named a command, and waits for its result.
    Command(Command),
    /// A schedule's time has come.
    Tick,
    /// A staging label of a secret moved.
    LabelMoved(LabelMoved),
    /// Something about a container instance changed.
    HostChanged(HostChanged),
}

/// A command, as a person or a program names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Sync { scope: Named, failed_hosts: FailedHosts, rejected_candidates: RejectedCandidates },
    Plan { scope: Named, failed_hosts: FailedHosts, rejected_candidates: RejectedCandidates },
    Status { scope: Named },
}

/// What a command is about, by its names in the configuration; without any, everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub registries: Vec<String>,
    pub fleets: Vec<String>,
}

/// `Secret Label Updated` of Secrets Manager
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/event-detail-secret-label-updated-secretsmanager.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMoved {
    /// The secret's name, without the six characters that AWS adds to its ARN.
    pub name: String,
    /// Whole ones.
    pub arns: Vec<String>,
    /// AWSPENDING and AWSPREVIOUS are never among them.
    pub labels: Vec<String>,
    pub at: Option<DateTime<Utc>>,
}

/// `ECS Container Instance State Change` of ECS
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_container_instance_events.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostChanged {
    /// The cluster's name.
    pub cluster: String,
    /// `i-…` or `mi-…`.
    pub instance: String,
    pub arrival: Arrival,
    pub at: Option<DateTime<Utc>>,
}

/// Whether a host may have joined with an older ecs.config. ECS tells of every task that is placed and of every time that an
/// agent connects, several times an hour and host; most of it is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Its agent is not connected, or it is leaving: nothing can be done about it now.
    Away,
    /// A pass has seen to it: what it holds is recorded, or that it was sent to.
    Known,
    /// It is there, and nobody knows what it holds.
    New,
}

impl Event {
    /// Reads an invocation's payload. What begins no known event is refused: were it taken for a schedule's, a misspelt
    /// command would be a whole pass.
    pub fn read(payload: &Value) -> Result<Self, Failure> {
        if payload.get("command").is_some() {
            return RawCommand::deserialize(payload)
                .map(|command| Self::Command(command.into()))
                .map_err(|error| unreadable(error.to_string()));
        }
        if payload.is_null() || payload.as_object().is_some_and(serde_json::Map::is_empty) {
            return Ok(Self::Tick);
        }
        let Ok(Envelope { source, detail_type, time, resources, detail }) = Envelope::deserialize(payload)
        else {
            return Err(unreadable("it has no `command`, and is no event of EventBridge".to_owned()));
        };
        match (source.as_str(), detail_type.as_str()) {
            // The Scheduler's, where its target has no input of its own; and a rule's of EventBridge.
            ("aws.scheduler" | "aws.events", "Scheduled Event") => Ok(Self::Tick),
            ("aws.secretsmanager", "Secret Label Updated") => {
                let LabelDetail { name, label_updated } = read_detail(&detail)?;
                let labels = label_updated.into();
                Ok(Self::LabelMoved(LabelMoved { name, arns: resources, labels, at: time }))
            }
            ("aws.ecs", "ECS Container Instance State Change") => {
                let detail: InstanceDetail = read_detail(&detail)?;
                Ok(Self::HostChanged(HostChanged {
                    arrival: detail.arrival(),
                    cluster: detail.cluster_arn.rsplit('/').next().unwrap_or_default().to_owned(),
                    instance: detail.ec2_instance_id,
                    at: time,
                }))
            }
            _ => Err(unreadable(format!("`{detail_type}` of `{source}` is no event that regcred acts on"))),
        }
    }
}

fn read_detail<'de, T: Deserialize<'de>>(detail: &'de Value) -> Result<T, Failure> {
    T::deserialize(detail)
        .map_err(|error| unreadable(format!("its `detail` is another than AWS documents: {error}")))
}

fn unreadable(why: String) -> Failure {
    Failure::new(
        FailureKind::Refused,
        "cannot tell what this event asks for",
        why,
        r#"send {"command": "sync"}, "plan" or "status"; give a schedule the input {}, and let rules match only the events that docs/LAMBDA.md lists"#,
    )
}

#[derive(Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
enum RawCommand {
    Sync(RawPass),
    Plan(RawPass),
    Status(RawNamed),
}

/// The names are those of the command line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPass {
    #[serde(default)]
    registry: Vec<String>,
    #[serde(default)]
    fleet: Vec<String>,
    #[serde(default)]
    retry_failed: bool,
    #[serde(default)]
    retry_rejected: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNamed {
    #[serde(default)]
    registry: Vec<String>,
    #[serde(default)]
    fleet: Vec<String>,
}

impl From<RawCommand> for Command {
    fn from(raw: RawCommand) -> Self {
        let pass = |RawPass { registry, fleet, retry_failed, retry_rejected }| {
            let failed = if retry_failed { FailedHosts::Retry } else { FailedHosts::LeaveAlone };
            let rejected =
                if retry_rejected { RejectedCandidates::Retry } else { RejectedCandidates::LeaveAlone };
            (Named { registries: registry, fleets: fleet }, failed, rejected)
        };
        match raw {
            RawCommand::Sync(raw) => {
                let (scope, failed_hosts, rejected_candidates) = pass(raw);
                Self::Sync { scope, failed_hosts, rejected_candidates }
            }
            RawCommand::Plan(raw) => {
                let (scope, failed_hosts, rejected_candidates) = pass(raw);
                Self::Plan { scope, failed_hosts, rejected_candidates }
            }
            RawCommand::Status(RawNamed { registry, fleet }) => {
                Self::Status { scope: Named { registries: registry, fleets: fleet } }
            }
        }
    }
}

/// What is around every event of EventBridge
/// (<https://docs.aws.amazon.com/eventbridge/latest/ref/overview-event-structure.html>).
#[derive(Deserialize)]
struct Envelope {
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    time: Option<DateTime<Utc>>,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    detail: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LabelDetail {
    name: String,
    label_updated: OneOrMany,
}

/// AWS's page has a text; it had a list before.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Vec<String> {
    fn from(labels: OneOrMany) -> Self {
        match labels {
            OneOrMany::One(label) => vec![label],
            OneOrMany::Many(labels) => labels,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InstanceDetail {
    cluster_arn: String,
    ec2_instance_id: String,
    agent_connected: bool,
    status: String,
    #[serde(default)]
    attributes: Vec<InstanceAttribute>,
}

#[derive(Deserialize)]
struct InstanceAttribute {
    name: String,
    value: Option<String>,
}

impl InstanceDetail {
    fn arrival(&self) -> Arrival {
        // Tasks run on a draining instance until they are moved, and pull again when they restart; others are leaving, or not
        // there yet (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerInstance.html>, `status`).
        let is_there =
            matches!(InstanceStatus::read(&self.status), InstanceStatus::Active | InstanceStatus::Draining);
        if !self.agent_connected || !is_there {
            return Arrival::Away;
        }
        let own = self
            .attributes
            .iter()
            .filter(|it| [REVISION_ATTRIBUTE, FAILED_ATTRIBUTE].contains(&it.name.as_str()));
        let Attributes { recorded, failed, .. } =
            Attributes::read(own.map(|it| (it.name.as_str(), it.value.as_deref())));
        if recorded.is_some() || failed.is_some() { Arrival::Known } else { Arrival::New }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fixture(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn why(payload: &Value) -> String {
        let failure = Event::read(payload).unwrap_err();
        assert_eq!(failure.what, "cannot tell what this event asks for");
        failure.why
    }

    #[test]
    fn a_command_is_read_with_what_it_is_about() {
        let read = Event::read(&json!({ "command": "sync" })).unwrap();
        let (failed_hosts, rejected_candidates) = (FailedHosts::LeaveAlone, RejectedCandidates::LeaveAlone);
        let sync = Command::Sync { scope: Named::default(), failed_hosts, rejected_candidates };
        assert_eq!(read, Event::Command(sync));
        let all = json!({ "command": "plan", "registry": ["a"], "fleet": ["b", "c"], "retry_failed": true, "retry_rejected": true });
        let scope = Named { registries: vec!["a".into()], fleets: vec!["b".into(), "c".into()] };
        let (failed_hosts, rejected_candidates) = (FailedHosts::Retry, RejectedCandidates::Retry);
        let plan = Command::Plan { scope, failed_hosts, rejected_candidates };
        assert_eq!(Event::read(&all).unwrap(), Event::Command(plan));
        let status = Command::Status { scope: Named::default() };
        assert_eq!(Event::read(&json!({ "command": "status" })).unwrap(), Event::Command(status));
    }

    #[test]
    fn a_misspelt_command_begins_nothing() {
        for (payload, said) in [
            (json!({ "command": "snyc" }), "unknown variant `snyc`"),
            (json!({ "command": 1 }), "expected"),
            (json!({ "command": "sync", "flet": ["a"] }), "unknown field `flet`"),
            (json!({ "command": "status", "retry_failed": true }), "unknown field `retry_failed`"),
            (json!({ "comand": "plan" }), "it has no `command`"),
            (json!("sync"), "it has no `command`"),
            (json!([]), "it has no `command`"),
            (json!({ "Records": [] }), "it has no `command`"),
            (
                json!({ "source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification", "detail": {} }),
                "`EC2 Instance State-change Notification` of `aws.ec2`",
            ),
            (
                json!({ "source": "aws.ecs", "detail-type": "ECS Container Instance State Change", "detail": {} }),
                "missing field `clusterArn`",
            ),
        ] {
            let why = why(&payload);
            assert!(why.contains(said), "{payload}: {why}");
        }
    }

    #[test]
    fn a_schedule_ticks_with_its_own_payload_and_with_none() {
        for payload in [
            json!({}),
            Value::Null,
            fixture(include_str!("../../../tests/events/scheduler-default.json")),
            fixture(include_str!("../../../tests/events/scheduled-rule.json")),
        ] {
            assert_eq!(Event::read(&payload), Ok(Event::Tick), "{payload}");
        }
    }

    #[test]
    fn a_moved_label_names_its_secret() {
        let mut payload = fixture(include_str!("../../../tests/events/secret-label-updated.json"));
        let moved = |labels: &[&str]| {
            Ok(Event::LabelMoved(LabelMoved {
                name: "mySecret".into(),
                arns: vec!["arn:aws:secretsmanager:us-west-2:012345678901:secret:mySecret-a1b2c3".into()],
                labels: labels.iter().map(ToString::to_string).collect(),
                at: Some("2024-02-06T16:43:48Z".parse().unwrap()),
            }))
        };
        assert_eq!(Event::read(&payload), moved(&["AWSCURRENT"]));
        payload["detail"]["labelUpdated"] = json!(["A", "B"]);
        assert_eq!(Event::read(&payload), moved(&["A", "B"]));
    }

    #[test]
    fn a_host_is_new_while_it_is_connected_and_nothing_is_recorded_of_it() {
        let payload = fixture(include_str!("../../../tests/events/container-instance-state-change.json"));
        let arrival = |change: &dyn Fn(&mut Value)| {
            let mut payload = payload.clone();
            change(&mut payload["detail"]);
            let Ok(Event::HostChanged(changed)) = Event::read(&payload) else { panic!("{payload}") };
            assert_eq!((changed.cluster.as_str(), changed.instance.as_str()), ("default", "i-f3a8506b"));
            changed.arrival
        };
        let attribute = |name: &str, value: &str| json!([{ "name": "ecs.os-type", "value": "linux" }, { "name": name, "value": value }]);
        assert_eq!(arrival(&|_| {}), Arrival::New);
        assert_eq!(arrival(&|detail| detail["status"] = json!("DRAINING")), Arrival::New);
        assert_eq!(arrival(&|detail| detail["agentConnected"] = json!(false)), Arrival::Away);
        for status in ["INACTIVE", "REGISTERING", "DEREGISTERING", "REGISTRATION_FAILED"] {
            assert_eq!(arrival(&|detail| detail["status"] = json!(status)), Arrival::Away, "{status}");
        }
        for (name, value) in [
            (REVISION_ATTRIBUTE, "r0123456789abcdef"),
            (REVISION_ATTRIBUTE, "pending"),
            (FAILED_ATTRIBUTE, "unproven-1"),
        ] {
            assert_eq!(
                arrival(&|detail| detail["attributes"] = attribute(name, value)),
                Arrival::Known,
                "{name}"
            );
        }
        assert_eq!(arrival(&|detail| detail["attributes"] = attribute("stack", "web")), Arrival::New);
    }
}
