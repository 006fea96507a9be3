//! What a sandbox begins with.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::hosts::HostSpec;
use crate::identity::{Role, Statement};
use crate::registries::RegistrySeed;
use crate::services::ssm::ParameterKind;

/// How a sandbox is started, and what is there from the start. The default is an empty one on a free port.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The account of the access key `test`.
    pub default_account: String,
    /// The file that each call is appended to.
    pub call_log: Option<PathBuf>,
    pub buckets: Vec<BucketSeed>,
    /// Objects in those buckets.
    pub objects: Vec<ObjectSeed>,
    /// Clusters without a host; those of `hosts` are there by themselves.
    pub clusters: Vec<ClusterSeed>,
    pub hosts: Vec<HostSpec>,
    pub documents: Vec<DocumentSeed>,
    pub parameters: Vec<ParameterSeed>,
    pub keys: Vec<KeySeed>,
    pub roles: Vec<Role>,
    /// Container registries, each on a port of its own.
    pub registries: Vec<RegistrySeed>,
    /// What the role of an instance profile may do when `roles` does not name it.
    pub host_statements: Vec<Statement>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            default_account: "111111111111".into(),
            call_log: None,
            buckets: Vec::new(),
            objects: Vec::new(),
            clusters: Vec::new(),
            hosts: Vec::new(),
            documents: Vec::new(),
            parameters: Vec::new(),
            keys: Vec::new(),
            roles: Vec::new(),
            registries: Vec::new(),
            host_statements: vec![Statement::allow(&["s3:GetObject"], &["arn:aws:s3:::*/*"])],
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketSeed {
    pub name: String,
    pub account: String,
    pub region: String,
    pub versioned: bool,
}

/// An object of text, in a bucket of the seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectSeed {
    pub bucket: String,
    pub key: String,
    pub content: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSeed {
    pub name: String,
    pub account: String,
    pub region: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentSeed {
    pub name: String,
    pub account: String,
    pub region: String,
    /// The document in JSON.
    pub content: String,
}

/// A parameter of SSM's Parameter Store; a SecureString under `alias/aws/ssm`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterSeed {
    pub name: String,
    pub account: String,
    pub region: String,
    pub kind: ParameterKind,
    pub value: String,
}

/// A KMS key, by its alias. `alias/aws/secretsmanager` and `alias/aws/s3` are in every account and Region.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySeed {
    /// `alias/regcred`.
    pub alias: String,
    pub account: String,
    pub region: String,
    pub enabled: bool,
}
