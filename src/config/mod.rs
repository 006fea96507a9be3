//! The configuration: the file as written ([`raw`]), held against every rule, becomes a [`Config`].
//!
//! A [`Config`] is what the rest of the program needs and nothing else: names are typed, references resolve, spans of
//! time are spans of time, paths stand by themselves, and defaults are filled in. Whoever holds one need not check it
//! again. It holds no secret: only where to read one.
//!
//! This module must not read a source, the network, or any file but the configuration.

pub(crate) mod clusters;
pub(crate) mod env;
pub(crate) mod load;
pub(crate) mod names;
pub(crate) mod problem;
pub(crate) mod raw;
#[cfg(test)]
mod reference;
mod rules;
mod source;
pub(crate) mod span;
pub(crate) mod structure;
mod suggest;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use regcred_core::agent::auth::AuthType;
use regcred_core::host::HostId;
use regcred_core::login::{Authority, Canary, Unreachable};
use regcred_core::names::{EcsConfigName, FleetName, LocationName, RegistryName, ScheduleName, WindowName};
use regcred_core::rollout::MaxUnavailable;
use regcred_core::schedule::{Schedule, Window};
use regcred_core::server::Server;
use url::Url;

pub(crate) use self::clusters::ClusterPattern;
pub(crate) use self::source::{KeptSecret, Keys, Shape, SourceReference, UsernameFrom, Vault, VaultLogin};

/// A valid configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) state: State,
    /// Never empty: without `locations` in the file it holds the ambient one. Every [`LocationName`] in a [`Config`]
    /// is a key of it.
    pub(crate) locations: BTreeMap<LocationName, Location>,
    pub(crate) registries: BTreeMap<RegistryName, Registry>,
    pub(crate) ecs_configs: BTreeMap<EcsConfigName, EcsConfig>,
    pub(crate) fleets: BTreeMap<FleetName, Fleet>,
    pub(crate) rollout: Rollout,
    /// When `regcred run` begins a pass.
    pub(crate) schedules: BTreeMap<ScheduleName, Schedule>,
    /// When hosts may be restarted. Every [`WindowName`] in a [`Config`] is a key of it.
    pub(crate) windows: BTreeMap<WindowName, Window>,
    pub(crate) daemon: Daemon,
}

/// What `regcred run` alone reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Daemon {
    /// Where its endpoints are served; `None` is nowhere.
    pub(crate) listen: Option<SocketAddr>,
}

/// What holds for the rollouts of all fleets together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rollout {
    /// How many hosts may fail in one pass.
    pub(crate) max_errors: Option<u32>,
}

/// Where regcred keeps what it has to remember.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) location: LocationName,
    pub(crate) bucket: String,
    /// What every key begins with; ends with `/`.
    pub(crate) prefix: String,
    /// Whoever holds the lease renews it well within this time.
    pub(crate) lease: Duration,
}

/// An account and a Region, and the role to use there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// Without one, the Region of the environment.
    pub(crate) region: Option<String>,
    /// Without one, the credentials of the environment.
    pub(crate) role: Option<Role>,
    /// Instead of AWS's own endpoint, for every service.
    pub(crate) endpoint_url: Option<String>,
}

/// A role to assume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) external_id: Option<String>,
}

/// A registry whose credential is kept right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registry {
    pub(crate) server: Server,
    pub(crate) source: SourceReference,
    /// How long reading the source may take.
    pub(crate) source_timeout: Duration,
    pub(crate) secret: Option<RepositorySecret>,
    pub(crate) verify: Verify,
}

/// Whether and how a credential is tried at its registry before it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verify {
    Off,
    On(Box<Verification>),
}

/// How a credential is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verification {
    pub(crate) canary: Option<Canary>,
    pub(crate) unreachable: Unreachable,
    /// Empty where the operator names none.
    pub(crate) realm_hosts: Vec<Authority>,
    pub(crate) ca_file: Option<PathBuf>,
    /// The base of the registry's API: `https://`, or `http://` on a loopback address.
    pub(crate) endpoint: Url,
    /// For the whole try.
    pub(crate) timeout: Duration,
}

/// A secret in AWS Secrets Manager, as `repositoryCredentials` reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RepositorySecret {
    pub(crate) name: String,
    pub(crate) kms_key: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    /// In the order of the file; not empty, none twice.
    pub(crate) locations: Vec<LocationName>,
    /// Whether a secret that regcred did not create may be taken over.
    pub(crate) adopt: bool,
    /// The Regions that Secrets Manager copies it to, from each of `locations`; none twice.
    pub(crate) replicate_to: Vec<String>,
}

/// An `ecs.config` object in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EcsConfig {
    pub(crate) location: LocationName,
    pub(crate) bucket: String,
    /// Only characters that are plain text to every shell.
    pub(crate) key: String,
    pub(crate) format: AuthType,
    /// In the order of the file; not empty, no two of the same server.
    pub(crate) registries: Vec<RegistryName>,
    pub(crate) kms_key: Option<String>,
    /// For the hosts; without it, the endpoint that regcred itself uses.
    pub(crate) host_endpoint: Option<String>,
    /// Whether entries that no listed registry owns are removed.
    pub(crate) prune: bool,
}

/// Which SSM document the hosts of a fleet may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DocumentCheck {
    /// The one that this regcred carries.
    Carried,
    /// The operator's own, whatever it is.
    Own,
}

/// Which hosts a fleet has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Members {
    /// The container instances of these clusters. Not empty; no cluster is meant by patterns of two fleets in one account
    /// and Region.
    Clusters(Vec<ClusterPattern>),
    /// The managed nodes of SSM that have each of these tags, with one of its values. Neither is empty.
    Tags(BTreeMap<String, Vec<String>>),
    /// The hosts of these ids. Not empty, none twice, and none in two fleets of one account and Region.
    Instances(Vec<HostId>),
}

impl Members {
    /// The key of the file that tells them.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Clusters(_) => "clusters",
            Self::Tags(_) => "tags",
            Self::Instances(_) => "instances",
        }
    }
}

/// The hosts that read one `ecs.config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fleet {
    pub(crate) ecs_config: EcsConfigName,
    pub(crate) location: LocationName,
    pub(crate) members: Members,
    pub(crate) max_unavailable: MaxUnavailable,
    pub(crate) max_errors: u32,
    /// Fleets that have to end well before it begins. There is no ring of them.
    pub(crate) after: BTreeSet<FleetName>,
    /// One of them has to be open for a host to be restarted; none where that may be at any time. None twice.
    pub(crate) windows: Vec<WindowName>,
    /// The name of the SSM document, in the fleet's location.
    pub(crate) document: String,
    pub(crate) document_check: DocumentCheck,
    pub(crate) poll_interval: Duration,
    pub(crate) settle_interval: Duration,
    pub(crate) settle_timeout: Duration,
    /// Whole seconds, at least 30: SSM's `TimeoutSeconds`, within which a host has to begin.
    pub(crate) command_timeout: Duration,
}
