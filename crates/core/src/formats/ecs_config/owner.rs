//! Which entry of an ecs.config belongs to which registry.

use crate::agent::auth::{host_of, strip_scheme};
use crate::agent::{AuthMap, Entry, PullAuth};
use crate::formats::ecs_config::Wanted;
use crate::formats::image::image_below;
use crate::server::{DOCKER_HUB_HOSTS, Server};

/// The entries of a published map, each with the registry that owns it, if a listed one does.
pub(super) struct Owned<'a> {
    map: &'a AuthMap,
    /// The place of the owner in the list of registries, for each entry.
    owners: Vec<Option<usize>>,
}

/// What is published for a registry under keys of its own.
#[derive(Clone, Copy)]
pub(super) enum Held<'a> {
    /// Nothing that the agent would use.
    Nothing,
    /// The entry that the agent uses.
    One(&'a Entry),
    /// Different credentials, of which the agent uses any.
    Random,
}

impl<'a> Owned<'a> {
    pub(super) fn new(map: &'a AuthMap, wanted: &[Wanted]) -> Self {
        let servers: Vec<_> = wanted.iter().map(|wanted| &wanted.server).collect();
        let owners = map.entries().iter().map(|entry| owner(entry.normalised_key(), &servers)).collect();
        let mut owned = Self { map, owners };
        for (index, server) in servers.iter().enumerate() {
            owned.adopt_host_key(index, server);
        }
        owned
    }

    /// A host's key that no listed registry is for, and that holds the credential of a listed path of the host, was
    /// written for that path and moves with it.
    fn adopt_host_key(&mut self, index: usize, server: &Server) {
        let (Server::Other { host, path: Some(_) }, Held::One(entry)) = (server, self.held(index, server))
        else {
            return;
        };
        for (other, owner) in self.map.entries().iter().zip(&mut self.owners) {
            if owner.is_none() && other.normalised_key() == host && other.pull_auth() == entry.pull_auth() {
                *owner = Some(index);
            }
        }
    }

    /// All entries that no listed registry owns.
    pub(super) fn foreign(&self) -> impl Iterator<Item = &'a Entry> {
        let map = self.map;
        map.entries().iter().zip(&self.owners).filter(|(_, owner)| owner.is_none()).map(|(entry, _)| entry)
    }

    /// The entries of one registry.
    pub(super) fn of(&self, index: usize) -> impl Iterator<Item = &'a Entry> {
        let map = self.map;
        map.entries()
            .iter()
            .zip(&self.owners)
            .filter(move |(_, owner)| **owner == Some(index))
            .map(|(entry, _)| entry)
    }

    /// Whether a path's credential is published for its host as well.
    pub(super) fn has_host_key(&self, index: usize, server: &Server) -> bool {
        match server {
            Server::Other { host, path: Some(_) } => {
                self.of(index).any(|entry| entry.normalised_key() == host)
            }
            Server::DockerHub | Server::Other { path: None, .. } => false,
        }
    }

    /// What the agent uses of a registry's own entries for an image of it.
    pub(super) fn held(&self, index: usize, server: &Server) -> Held<'a> {
        let Some(image) = image_below(&server.to_string(), self.map) else {
            return Held::Nothing;
        };
        let answer = self.map.lookup(&image);
        let used = answer.candidates().iter().filter(|candidate| *candidate.auth != PullAuth::Anonymous);
        let mut entries =
            used.filter_map(|candidate| self.of(index).find(|entry| Some(entry.key()) == candidate.key));
        match entries.next() {
            None => Held::Nothing,
            Some(first) if entries.all(|entry| entry.pull_auth() == first.pull_auth()) => Held::One(first),
            Some(_) => Held::Random,
        }
    }
}

/// The registry that a key belongs to: the one whose host and path it has, whatever scheme and closing slash it is
/// written with; failing that, the one whose Docker API it is the address of (`/v1/`, `/v2/`), as old versions of
/// `docker login` wrote it. All keys of Docker Hub's hosts are Docker Hub's, although the agent looks at one only.
fn owner(normalised_key: &str, servers: &[&Server]) -> Option<usize> {
    let address = normalised_key.trim_end_matches('/');
    let of_hub = DOCKER_HUB_HOSTS.contains(&host_of(address));
    let position = |address: &str| {
        servers.iter().position(|server| match server {
            Server::DockerHub => of_hub,
            Server::Other { .. } => strip_scheme(&server.key()) == address,
        })
    };
    let api = |version| address.strip_suffix(version).filter(|host| !host.contains('/'));
    position(address).or_else(|| position(api("/v1").or_else(|| api("/v2"))?))
}
