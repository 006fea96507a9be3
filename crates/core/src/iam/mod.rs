//! The least policies for a configuration: of regcred itself, of hosts, of tasks, of buckets and of keys.
//!
//! Which actions exist, and by which resource each can be narrowed:
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>.
//! This module must not ask AWS for anything: what a configuration does not tell stays open in a policy, and is said.

mod controller;
mod readers;
mod release;
mod resource_policies;

pub use controller::{assume, controller};
pub use readers::{instance, task_execution};
pub use release::release;
pub use resource_policies::{bucket, key};

use serde_json::{Value, json};

use crate::partition;

/// Where the resources of a policy are, as the parts of their ARNs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    pub region: String,
    /// Twelve digits, or `*`.
    pub account: String,
}

/// A bucket, and what the keys of regcred's own objects in it begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatePlace {
    pub bucket: String,
    /// Ends with `/`.
    pub prefix: String,
}

/// A secret that regcred writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenSecret {
    pub name: String,
    /// The key as the configuration names it: an ARN, an id, or an alias. None: AWS's own.
    pub kms_key: Option<String>,
    /// The Regions that Secrets Manager copies it to.
    pub replicate_to: Vec<String>,
}

/// An ecs.config object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenObject {
    pub bucket: String,
    pub key: String,
    /// As of [`WrittenSecret`].
    pub kms_key: Option<String>,
}

/// How the hosts of a fleet are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// Registered in these clusters: names, or patterns of names with `*` and `?`, which IAM reads alike.
    Clusters(Vec<String>),
    /// Told by SSM alone.
    Managed,
}

/// A fleet whose agents are restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartedFleet {
    pub hosts: Hosts,
    /// The name of the SSM document.
    pub document: String,
}

/// What is only read, as a source of credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadSource {
    /// A secret in Secrets Manager, by its name or ARN.
    Secret(String),
    /// A parameter, by its name or ARN.
    Parameter(String),
}

/// Everything that a configuration has in one location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    pub site: Site,
    /// Where the state is in this location.
    pub state: Option<StatePlace>,
    pub secrets: Vec<WrittenSecret>,
    pub objects: Vec<WrittenObject>,
    pub fleets: Vec<RestartedFleet>,
    pub sources: Vec<ReadSource>,
}

impl Site {
    /// The partition that the Region is of.
    pub fn partition(&self) -> &'static str {
        partition::of_region(&self.region)
    }

    fn arn(&self, service: &str, rest: &str) -> String {
        let Self { region, account } = self;
        format!("arn:{}:{service}:{region}:{account}:{rest}", self.partition())
    }

    /// S3's names are without an account and a Region.
    fn s3_arn(&self, rest: &str) -> String {
        format!("arn:{}:s3:::{rest}", self.partition())
    }

    /// A secret that is there by its name, with the six characters that AWS adds; an ARN as it is.
    fn secret_arn(&self, name: &str) -> String {
        if name.starts_with("arn:") {
            return name.to_owned();
        }
        self.arn("secretsmanager", &format!("secret:{name}-??????"))
    }

    /// The same, for who has to learn that it is not there: of a secret without an ARN, AWS asks by the name alone
    /// (docs/UNVERIFIED.md), and would refuse to say.
    fn secret_arns(&self, name: &str) -> Vec<String> {
        let mut arns = vec![self.secret_arn(name)];
        if !name.starts_with("arn:") {
            arns.push(self.arn("secretsmanager", &format!("secret:{name}")));
        }
        arns
    }

    /// By which name a key's policies know a service of this Region.
    fn via(&self, service: &str) -> String {
        partition::via_service(self.partition(), service, &self.region)
    }
}

/// Statements, in the order in which they were added.
#[derive(Default)]
struct Policy(Vec<Value>);

impl Policy {
    fn allow(&mut self, sid: &str, actions: &[&str], resources: impl IntoIterator<Item = String>) {
        let resources = once_each(resources);
        if !resources.is_empty() {
            self.0.push(json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources }));
        }
    }

    /// As [`Policy::allow`], under a condition.
    fn allow_if(
        &mut self,
        sid: &str,
        actions: &[&str],
        resources: impl IntoIterator<Item = String>,
        condition: &Value,
    ) {
        let resources = once_each(resources);
        if !resources.is_empty() {
            self.0.push(json!({
                "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources, "Condition": condition,
            }));
        }
    }

    /// Use of the keys that these references name, through a service and no other way.
    fn allow_keys<'a>(
        &mut self,
        sid: &str,
        actions: &[&str],
        site: &Site,
        service: &str,
        references: impl IntoIterator<Item = &'a str>,
    ) {
        let (mut arns, mut aliases) = (Vec::new(), Vec::new());
        for reference in references {
            match Key::of(reference) {
                Key::Arn(arn) => arns.push(arn.to_owned()),
                Key::Id(id) => arns.push(site.arn("kms", &format!("key/{id}"))),
                Key::Alias(alias) => aliases.push(alias.to_owned()),
            }
        }
        let via = site.via(service);
        let (arns, aliases) = (once_each(arns), once_each(aliases));
        if !arns.is_empty() {
            self.0.push(json!({
                "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": arns,
                "Condition": { "StringEquals": { "kms:ViaService": via } },
            }));
        }
        if !aliases.is_empty() {
            // A policy cannot name a key by its alias: it names all keys, and asks for one that has the alias.
            self.0.push(json!({
                "Sid": format!("{sid}ByAlias"), "Effect": "Allow", "Action": actions,
                "Resource": [site.arn("kms", "key/*")],
                "Condition": {
                    "StringEquals": { "kms:ViaService": via },
                    "ForAnyValue:StringEquals": { "kms:ResourceAliases": aliases },
                },
            }));
        }
    }

    fn done(self) -> Value {
        json!({ "Version": "2012-10-17", "Statement": self.0 })
    }
}

fn once_each(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut texts: Vec<String> = texts.into_iter().collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// How a configuration names a key.
enum Key<'a> {
    Arn(&'a str),
    /// `alias/…`
    Alias(&'a str),
    Id(&'a str),
}

impl<'a> Key<'a> {
    fn of(reference: &'a str) -> Self {
        match (reference.strip_prefix("arn:"), reference.find(":alias/")) {
            (Some(_), Some(at)) => Self::Alias(&reference[at + 1..]),
            (Some(_), None) => Self::Arn(reference),
            (None, _) if reference.starts_with("alias/") => Self::Alias(reference),
            (None, _) => Self::Id(reference),
        }
    }
}
