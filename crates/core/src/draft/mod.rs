//! A first configuration, drafted from what was found: which registries there are, where each credential may be read, and
//! which hosts use them.
//!
//! It is a text for a person to finish, and a valid configuration as it stands. It holds no secret: of Docker's file and of an
//! ecs.config only the names of registries are taken. What a configuration may say is the binary's to know (`regcred check`),
//! so this module must not judge buckets, keys or paths.

mod text;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use url::Url;

use crate::agent::auth::printable_key;
use crate::agent::{AuthMap, Environment};
use crate::formats::docker_config::{self, Found, Unusable};
use crate::names::RegistryName;
use crate::secret::Secret;
use crate::server::Server;

/// What was looked at, and what it held.
#[derive(Clone, Debug, Default)]
pub struct Finds<'a> {
    /// Docker's file: its path, as a source names it, and its content.
    pub docker_config: Option<(&'a str, &'a Secret)>,
    /// The ecs.config: where it is, and its content.
    pub ecs_config: Option<(ObjectName, &'a [u8])>,
    pub clusters: Clusters,
    /// The Region of the environment.
    pub region: Option<String>,
}

/// An object in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    pub bucket: String,
    pub key: String,
}

/// The clusters of the account and Region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Clusters {
    #[default]
    NotSeen,
    /// Those that have container instances, and those that have none.
    Seen { with_hosts: Vec<String>, without: Vec<String> },
}

/// A drafted configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    registries: Vec<Registry>,
    left_out: Vec<LeftOut>,
    object: Option<Object>,
    clusters: Clusters,
    region: Option<String>,
}

/// An entry of a file that became no registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftOut {
    /// As the file has it, without user information of a URL.
    pub key: String,
    pub found_in: Origin,
    pub why: String,
}

/// Which file an entry stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    DockerConfig,
    EcsConfig,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Registry {
    name: RegistryName,
    server: Server,
    source: Source,
    /// Empty for the example that stands in for a registry where none was found.
    found_in: BTreeSet<Origin>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    /// Docker's file, and what it says of this server.
    DockerConfig { path: String, holds: Result<Holds, Unusable> },
    /// Nobody knows where it is read: two variables stand in.
    Variables,
}

/// Where Docker's file has a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Holds {
    Itself,
    InHelper(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Object {
    name: ObjectName,
    /// Agents find no entry in it.
    is_barren: bool,
}

/// Why Docker's file was no help.
pub type DockerConfigError = Unusable;

impl Draft {
    /// Drafts a configuration. A file of Docker's that is none is an error; so nobody takes the draft for all there is.
    pub fn new(finds: &Finds<'_>) -> Result<Self, DockerConfigError> {
        let Finds { docker_config, ecs_config, clusters, region } = finds;
        let mut left_out = Vec::new();
        let mut servers: BTreeMap<Server, BTreeSet<Origin>> = BTreeMap::new();
        let mut take = |key: &str, found_in: Origin| match server_of(key) {
            Ok(server) => {
                servers.entry(server).or_default().insert(found_in);
            }
            Err(why) => left_out.push(LeftOut { key: printable_key(key), found_in, why }),
        };
        if let Some((_, content)) = docker_config {
            for key in docker_config::keys(content)? {
                take(&key, Origin::DockerConfig);
            }
        }
        let mut object = None;
        if let Some((name, content)) = ecs_config {
            let map = AuthMap::read(&Environment::parse(content).auth());
            for entry in map.entries() {
                take(entry.key(), Origin::EcsConfig);
            }
            object = Some(Object { name: name.clone(), is_barren: map.entries().is_empty() });
        }
        let mut registries: Vec<Registry> = Vec::new();
        for (server, found_in) in servers {
            let source = match docker_config {
                Some((path, content)) if found_in.contains(&Origin::DockerConfig) => Source::DockerConfig {
                    path: (*path).to_owned(),
                    holds: docker_config::read(content, &server).map(|found| match found {
                        Found::Here(_) => Holds::Itself,
                        Found::Kept(call) => Holds::InHelper(call.helper),
                    }),
                },
                Some(_) | None => Source::Variables,
            };
            let name = free_name(&server, &registries);
            registries.push(Registry { name, server, source, found_in });
        }
        if registries.is_empty() {
            registries.push(Registry {
                name: "dockerhub".into(),
                server: Server::DockerHub,
                source: Source::Variables,
                found_in: BTreeSet::new(),
            });
        }
        Ok(Self { registries, left_out, object, clusters: clusters.clone(), region: region.clone() })
    }

    /// The names of the registries in it that were found, in its order.
    pub fn registries(&self) -> Vec<RegistryName> {
        let found = self.registries.iter().filter(|registry| !registry.found_in.is_empty());
        found.map(|registry| registry.name.clone()).collect()
    }

    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// The registries that the object holds now. An object without any is to hold all that were found.
    fn of_object(&self) -> Vec<&Registry> {
        let there = |registry: &&Registry| registry.found_in.contains(&Origin::EcsConfig);
        let held: Vec<&Registry> = self.registries.iter().filter(there).collect();
        if held.is_empty() { self.registries.iter().collect() } else { held }
    }
}

/// The server that a key of a file names, or why it can be no registry of regcred's.
fn server_of(key: &str) -> Result<Server, String> {
    let server = Server::parse(key).map_err(|why| why.to_string())?;
    if server.is_ecr() {
        return Err("ECS logs in to ECR by itself".to_owned());
    }
    // Its API has to have a URL, or it could never be asked.
    let has_url = Url::parse(&format!("https://{}", server.host())).is_ok_and(|url| url.has_host());
    if has_url { Ok(server) } else { Err("it is no host that a URL could have".to_owned()) }
}

/// A name for a server's registry that no other one has: at most 64 letters, digits, `-`, `_` and `.`, from a letter or digit on
/// (the binary's `config::names`).
fn free_name(server: &Server, taken: &[Registry]) -> RegistryName {
    /// With room for a number behind it.
    const LONGEST: usize = 58;
    let base: String = match server {
        Server::DockerHub => "dockerhub".to_owned(),
        Server::Other { .. } => {
            let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            let text = server.to_string();
            let plain = text.chars().map(|c| if is_part(c) { c } else { '-' }).take(LONGEST);
            plain.skip_while(|c| !c.is_ascii_alphanumeric()).collect()
        }
    };
    let base = if base.is_empty() { "registry".to_owned() } else { base };
    let is_free = |name: &str| taken.iter().all(|registry| registry.name.as_str() != name);
    let mut name = base.clone();
    let mut number = 2_u32;
    while !is_free(&name) {
        name = format!("{base}-{number}");
        number += 1;
    }
    RegistryName::new(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(docker: Option<&str>, ecs: Option<&str>) -> Draft {
        let docker = docker.map(Secret::from);
        let object = ObjectName { bucket: "acme-ecs".into(), key: "prod/ecs.config".into() };
        let finds = Finds {
            docker_config: docker.as_ref().map(|content| ("/root/.docker/config.json", content)),
            ecs_config: ecs.map(|content| (object, content.as_bytes())),
            ..Finds::default()
        };
        Draft::new(&finds).unwrap()
    }

    const DOCKER: &str = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"dTpodW50ZXItMQ=="},"ghcr.io":{},"https://r.io/team/":{"identitytoken":"hunter-2"},
        "1.dkr.ecr.eu-west-1.amazonaws.com":{"auth":"dTpw"},"myorg":{}},"credHelpers":{"ghcr.io":"pass","gcr.io":"gcloud"}}"#;
    const ECS: &str = "ECS_CLUSTER=a\nECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"https://index.docker.io/v1/\":{\"auth\":\"dTpodW50ZXItMw==\"},\"quay.io\":{\"auth\":\"junk\"}}\n";

    #[test]
    fn each_server_of_both_files_is_one_registry_and_what_can_be_none_is_named() {
        let draft = draft(Some(DOCKER), Some(ECS));
        let names: Vec<String> = draft.registries().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["dockerhub", "gcr.io", "ghcr.io", "quay.io", "r.io-team"]);
        let left: Vec<(&str, Origin)> =
            draft.left_out().iter().map(|each| (each.key.as_str(), each.found_in)).collect();
        let docker = Origin::DockerConfig;
        assert_eq!(left, [("1.dkr.ecr.eu-west-1.amazonaws.com", docker), ("myorg", docker)]);
        let of_object: Vec<&str> = draft.of_object().iter().map(|each| each.name.as_str()).collect();
        assert_eq!(of_object, ["dockerhub", "quay.io"]);
    }

    #[test]
    fn two_servers_that_would_have_one_name_have_two() {
        let draft =
            draft(Some(r#"{"auths":{"r.io/5":{},"r.io:5":{},"r.io-5":{},"[::1]:5":{},"r.io:a":{}}}"#), None);
        let names: Vec<String> = draft.registries().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["1--5", "r.io-5", "r.io-5-2", "r.io-5-3"]);
    }

    #[test]
    fn the_text_holds_nothing_of_a_credential_and_says_what_is_left_to_do() {
        let text = draft(Some(DOCKER), Some(ECS)).to_string();
        for secret in ["hunter", "dTp", "junk"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        for said in ["TODO", "docker-credential-pass", "holds a token", "`myorg`", "ECR by itself"] {
            assert!(text.contains(said), "{said}: {text}");
        }
    }

    #[test]
    fn a_file_of_dockers_that_is_none_is_no_empty_one() {
        let broken = Secret::from("[]");
        let finds = Finds { docker_config: Some(("/x", &broken)), ..Finds::default() };
        assert_eq!(Draft::new(&finds), Err(Unusable::Malformed));
    }
}
