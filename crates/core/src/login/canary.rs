//! A manifest whose sight proves that a credential may pull.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::server::Server;

/// One repository and tag of a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Canary {
    /// As the registry's API names it.
    repository: String,
    tag: String,
}

/// Why texts name no repository and tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CanaryError {
    #[error(
        "a repository is made of lower-case letters, digits and `.`, `_`, `-` between them, parted by `/`"
    )]
    Repository,
    #[error(
        "a tag is made of letters, digits and `_`, `.`, `-`, at most 128 of them, and begins with none of the last two"
    )]
    Tag,
}

impl Canary {
    /// The tag that is looked for where none is named.
    pub const DEFAULT_TAG: &str = "latest";

    /// `repository` is what stands between an image's host and its tag. On Docker Hub, official images are below
    /// `library/`. The grammar is that of the OCI distribution specification, "Pulling manifests".
    pub fn new(server: &Server, repository: &str, tag: &str) -> Result<Self, CanaryError> {
        let is_word = |word: &str| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            word.starts_with(plain)
                && word.ends_with(plain)
                && word.split(plain).all(|between| {
                    matches!(between, "" | "." | "_" | "__") || between.chars().all(|c| c == '-')
                })
        };
        // 255 is what clients and registries hold a name to.
        if repository.len() > 255 || !repository.split('/').all(is_word) {
            return Err(CanaryError::Repository);
        }
        let of_tag = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let starts = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if tag.len() > 128 || !tag.starts_with(starts) || !tag.chars().all(of_tag) {
            return Err(CanaryError::Tag);
        }
        let repository = match server {
            Server::DockerHub if !repository.contains('/') => format!("library/{repository}"),
            Server::DockerHub | Server::Other { .. } => repository.to_owned(),
        };
        Ok(Self { repository, tag: tag.to_owned() })
    }

    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// What a token is asked for (distribution, `docs/spec/auth/scope.md`).
    pub fn scope(&self) -> String {
        format!("repository:{}:pull", self.repository)
    }

    /// Below the registry's base URL.
    pub fn path(&self) -> String {
        format!("/v2/{}/manifests/{}", self.repository, self.tag)
    }
}

impl std::fmt::Display for Canary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_registries_take_as_names() {
        let harbor = Server::parse("harbor.example.com").unwrap();
        for name in ["app", "team/app", "a.b/c_d/e__f/g-h/i--j", "0/1"] {
            assert!(Canary::new(&harbor, name, "latest").is_ok(), "{name}");
        }
        for name in
            ["", "/", "a/", "/a", "a//b", "App", "a..b", "a___b", ".a", "a-", "a b", "a:b", "a?x=1", "../a"]
        {
            assert_eq!(Canary::new(&harbor, name, "latest"), Err(CanaryError::Repository), "{name}");
        }
        for tag in ["1.0", "_x", "A-b"] {
            assert!(Canary::new(&harbor, "app", tag).is_ok(), "{tag}");
        }
        for tag in ["", ".x", "-x", "a/b", "a b", &"x".repeat(129)] {
            assert_eq!(Canary::new(&harbor, "app", tag), Err(CanaryError::Tag), "{tag}");
        }
    }

    #[test]
    fn official_images_of_docker_hub_are_below_library() {
        let name = |server: &str, repository: &str| {
            Canary::new(&Server::parse(server).unwrap(), repository, "1").unwrap().scope()
        };
        assert_eq!(name("docker.io", "ubuntu"), "repository:library/ubuntu:pull");
        assert_eq!(name("docker.io", "acme/app"), "repository:acme/app:pull");
        assert_eq!(name("ghcr.io", "app"), "repository:app:pull");
    }
}
