//! A registry's name, as a person writes it and as the ECS agent keys it.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A registry server: Docker Hub, or a host with an optional port and path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Server {
    /// Docker Hub under any of its aliases. The agent looks up one key only: `https://index.docker.io/v1/`.
    DockerHub,
    /// Any other registry. The agent compares hosts byte for byte, port included.
    Other { host: String, path: Option<String> },
}

/// Why a text names no registry server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ServerError {
    #[error("the server is empty")]
    Empty,
    #[error("the server contains {0:?}, which no host name, port or path has")]
    Character(char),
    #[error(
        "the host `{0}` has upper-case letters; the agent compares byte for byte, so write it as images do"
    )]
    UpperCase(String),
    #[error(
        "`{0}` is taken for a Docker Hub user by the agent: a host has a dot or a port, or is `localhost`"
    )]
    NoHost(String),
}

/// Hosts that the agent takes for Docker Hub (reference/ecs-agent.md a, lookup rule 2).
pub const DOCKER_HUB_HOSTS: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// The one key under which the agent looks for Docker Hub's credential.
pub const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

impl Server {
    /// Reads a server as a person writes it: with or without scheme, trailing slash, or Docker Hub's `/v1/`.
    pub fn parse(text: &str) -> Result<Self, ServerError> {
        let bare = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
        let bare = bare.trim_end_matches('/');
        if bare.is_empty() {
            return Err(ServerError::Empty);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:/[]~%".contains(c);
        if let Some(odd) = bare.chars().find(|&c| !allowed(c)) {
            return Err(ServerError::Character(odd));
        }
        let (host, path) = match bare.split_once('/') {
            Some((host, path)) => (host, Some(path.to_owned())),
            None => (bare, None),
        };
        if DOCKER_HUB_HOSTS.contains(&host.to_ascii_lowercase().as_str()) {
            return Ok(Self::DockerHub);
        }
        if host.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(ServerError::UpperCase(host.to_owned()));
        }
        if !(host.contains('.') || host.contains(':') || host == "localhost") {
            return Err(ServerError::NoHost(host.to_owned()));
        }
        Ok(Self::Other { host: host.to_owned(), path })
    }

    /// The key that an ecs.config holds for this server.
    pub fn key(&self) -> String {
        match self {
            Self::DockerHub => DOCKER_HUB_KEY.to_owned(),
            Self::Other { host, path: None } => host.clone(),
            Self::Other { host, path: Some(path) } => format!("{host}/{path}"),
        }
    }

    /// The host alone, with its port.
    pub fn host(&self) -> &str {
        match self {
            Self::DockerHub => "docker.io",
            Self::Other { host, .. } => host,
        }
    }

    /// Whether it is a private registry of ECR, to which ECS logs in by itself, in any spelling of its endpoints
    /// (<https://docs.aws.amazon.com/general/latest/gr/ecr.html>).
    pub fn is_ecr(&self) -> bool {
        let host = self.host().split(':').next().unwrap_or_default();
        let labels: Vec<_> = host.split('.').collect();
        let is_of_aws =
            [".amazonaws.com", ".amazonaws.com.cn", ".on.aws"].iter().any(|end| host.ends_with(end));
        is_of_aws
            && (labels.windows(2).any(|pair| pair[0] == "dkr" && pair[1].starts_with("ecr"))
                || labels.iter().any(|label| label.starts_with("dkr-ecr")))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DockerHub => f.write_str("docker.io"),
            Self::Other { host, path: None } => f.write_str(host),
            Self::Other { host, path: Some(path) } => write!(f, "{host}/{path}"),
        }
    }
}

impl Serialize for Server {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Server {
    fn schema_name() -> Cow<'static, str> {
        "Server".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A registry's server as images name it, without a scheme: `docker.io`, `ghcr.io`, \
                            `registry.example.com:5000`, or with a path.",
        })
    }
}

impl<'de> Deserialize<'de> for Server {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_of_docker_hub_is_one_server() {
        for alias in [
            "docker.io",
            "index.docker.io",
            "https://index.docker.io/v1/",
            "https://index.docker.io/v1",
            "registry-1.docker.io",
            "docker.io/",
        ] {
            assert_eq!(Server::parse(alias), Ok(Server::DockerHub), "{alias}");
        }
        assert_eq!(Server::DockerHub.key(), "https://index.docker.io/v1/");
        assert_ne!(Server::parse("registry.hub.docker.com"), Ok(Server::DockerHub));
    }

    #[test]
    fn hosts_ports_and_paths_are_kept_as_they_are() {
        for (text, key) in [
            ("ghcr.io", "ghcr.io"),
            ("https://ghcr.io/", "ghcr.io"),
            ("reg.example.com:5000", "reg.example.com:5000"),
            ("localhost", "localhost"),
            ("reg.example.com/team/a", "reg.example.com/team/a"),
        ] {
            assert_eq!(Server::parse(text).unwrap().key(), key);
        }
    }

    #[test]
    fn refuses_what_no_image_could_name() {
        assert_eq!(Server::parse("https://"), Err(ServerError::Empty));
        assert_eq!(Server::parse("a b.c"), Err(ServerError::Character(' ')));
        assert_eq!(Server::parse("GHCR.io"), Err(ServerError::UpperCase("GHCR.io".into())));
        assert_eq!(Server::parse("myorg"), Err(ServerError::NoHost("myorg".into())));
    }

    #[test]
    fn ecr_is_known_in_every_spelling_and_nothing_else_is_taken_for_it() {
        for host in [
            "111111111111.dkr.ecr.eu-west-1.amazonaws.com",
            "111111111111.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "111111111111.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "111111111111.dkr-ecr.eu-west-1.on.aws",
            "111111111111.dkr.ecr.eu-west-1.amazonaws.com:443",
        ] {
            assert!(Server::parse(host).unwrap().is_ecr(), "{host}");
        }
        for host in [
            "docker.io",
            "dkr.ecr.example.com",
            "ecr.amazonaws.com",
            "public.ecr.aws",
            "amazonaws.com.example.com",
        ] {
            assert!(!Server::parse(host).unwrap().is_ecr(), "{host}");
        }
    }
}
