//! The control surface: what may be asked of a sandbox, and done to it, over HTTP below `/_sandbox/`.
//!
//! JSON in, JSON out; no signature. An unknown path is 404, a body that is not understood 400, both with `{"error": "…"}`.
//! The types here are the bodies, and [`crate::client::Client`] speaks them.
//!
//! | request | body | does, answers |
//! |---|---|---|
//! | `GET hosts` | | a list of [`HostView`] |
//! | `POST hosts` | [`HostSpec`](crate::hosts::HostSpec) | boots a host and registers it; [`HostView`] |
//! | `GET hosts/ID` | | [`HostView`] |
//! | `DELETE hosts/ID` | | terminates it: ECS and SSM forget it |
//! | `POST hosts/ID/stop` | | stops the agent's unit |
//! | `POST hosts/ID/start` | | starts it, as a boot does |
//! | `POST hosts/ID/break` | | the script fails on it from now on |
//! | `POST hosts/ID/behaviour` | [`Behaviour`] | behaves so from now on |
//! | `POST hosts/ID/status` | [`StatusChange`] | the container instance's status in ECS |
//! | `GET hosts/ID/config` | | the text of its `/etc/ecs/ecs.config` |
//! | `PUT hosts/ID/config` | text | another `/etc/ecs/ecs.config`, put there by hand; restarts nothing |
//! | `GET hosts/ID/pull?image=…` | | [`PullView`]: what a pull of the image would use now |
//! | `GET faults` | | the list of [`Fault`](crate::Fault) that is set |
//! | `PUT faults` | list of [`Fault`](crate::Fault) | replaces them, counts begin anew, held calls are cut |
//! | `GET held` | | a list of [`HeldCall`]: calls that a fault holds now |
//! | `GET calls` | | the log of calls, a line of JSON each (see below) |
//! | `DELETE calls` | | empties it |
//! | `GET time` | | [`Time`] |
//! | `POST time` | [`Advance`] | moves the sandbox's time, and the hosts', forward; [`Time`] |
//! | `PUT keys` | [`KeySeed`](crate::KeySeed) | adds a KMS key, enables or disables one |
//! | `PUT roles` | [`Role`](crate::Role) | declares a role, or replaces it |
//! | `GET secrets` | | a list of [`SecretView`]: metadata, never a value |
//! | `PUT secrets/owning-service` | [`OwningService`] | as if a service of AWS managed the secret |
//! | `GET registries` | | a list of [`RegistryView`](crate::RegistryView) |
//! | `PUT registries/NAME/accounts` | list of [`Account`](crate::Account) | replaces the registry's accounts |
//! | `DELETE registries/NAME/logins` | | forgets the registry's logins |
//! | `GET leeway`, `PUT leeway` | [`Leeway`](crate::Leeway) | how what AWS leaves open is filled |
//!
//! A line of the log is `{"service", "operation", "status", "request", "response"}` with the bodies of the JSON services as
//! they were. An answer that was made and then dropped is there as it was made; a call that was never answered has a
//! `null` status. Beside them stand `number` (of all calls, from 1), `account`, `region`, `caller`, and for S3 `bucket`
//! and `key`. Secrets Manager's sensitive texts, and values of the Parameter Store, are fillers of their length.
//!
//! Below `/_sandbox/host/ID/` hosts' stand-ins are answered; that is theirs alone.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use regcred_core::agent::AuthType;
use serde::{Deserialize, Serialize};

use crate::hosts::{Behaviour, Life, Platform};
use crate::services::Service;
pub use crate::services::ecs::Status;

/// A host as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostView {
    pub id: String,
    pub account: String,
    pub region: String,
    pub cluster: String,
    pub platform: Platform,
    pub life: Life,
    pub behaviour: Behaviour,
    /// Whether SSM reaches it.
    pub online: bool,
    pub agent_connected: bool,
    pub container_instance_arn: String,
    /// How often its agent was restarted.
    pub restarts: u32,
    pub running_tasks: u32,
    /// What its agent was started with; `None` without auth, or without an agent.
    pub loaded: Option<LoadedView>,
    /// The custom attributes that were put on its container instance.
    pub attributes: BTreeMap<String, String>,
    /// The standard output of the last script that ended on it.
    pub last_output: Option<String>,
}

/// What an agent was started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedView {
    /// `None` for a type that the agent does not know.
    pub auth_type: Option<AuthType>,
    /// The newest version of an object in its account's buckets that holds the same; `None` when none does.
    pub object: Option<ObjectVersion>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectVersion {
    pub bucket: String,
    pub key: String,
    pub version_id: String,
}

/// What a pull would present to its registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullView {
    /// No agent runs.
    NoAgent,
    Certain(Presented),
    /// The agent would take one of these; which, changes from start to start.
    Random(Vec<Presented>),
}

/// A credential, without telling it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presented {
    Anonymous,
    Login {
        username: String,
        /// In hexadecimal. The sandbox's passwords protect nothing.
        password_sha256: String,
    },
    /// A registry's token in place of a password.
    Token,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusChange {
    pub status: Status,
}

/// A call that gets no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldCall {
    /// Its number in the log.
    pub number: u64,
    pub service: Service,
    pub operation: String,
    /// Whether what it asked for was done.
    pub done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Time {
    pub now: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advance {
    pub seconds: u64,
}

/// What is known of a secret but its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecretView {
    pub account: String,
    pub region: String,
    /// As DescribeSecret shows it.
    pub described: serde_json::Value,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwningService {
    pub account: String,
    pub region: String,
    /// The secret's name.
    pub name: String,
    /// `rds`, or nothing.
    pub owning_service: Option<String>,
}
