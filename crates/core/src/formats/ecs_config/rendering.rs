//! New authentication data: what is wanted, what is held, what is another's.

use super::edit::File;
use super::owner::{Held, Owned};
use super::{Desired, Foreign, Note, ReadBack, Refusal, Unconvertible, Wanted};
use crate::agent::auth::printable_key;
use crate::agent::lookup::HUB_KEY;
use crate::agent::{AuthSetting, AuthType, Entry, Login, PullAuth};
use crate::formats::auth_data::{self, AuthData, HostKey, compact, entry};
use crate::secret::Secret;
use crate::server::Server;

/// The new data, and what there is to say of it.
pub(super) fn render(
    auth_type: AuthType,
    before: &File,
    owned: &Owned<'_>,
    wanted: &[Wanted],
    foreign: Foreign,
) -> Result<(AuthData, Vec<Note>), Refusal> {
    let is_same_type = *before.auth.auth_type() == AuthSetting::Type(auth_type);
    let mut rendering =
        Rendering { auth_type, is_same_type, owned, data: AuthData::new(auth_type), notes: Vec::new() };
    rendering.publish(wanted)?;
    match foreign {
        Foreign::Keep => rendering.keep_foreign()?,
        Foreign::Prune => {}
    }
    rendering.add_host_keys(wanted)?;
    Ok((rendering.data, rendering.notes))
}

/// The new authentication data in the making.
struct Rendering<'a> {
    auth_type: AuthType,
    is_same_type: bool,
    owned: &'a Owned<'a>,
    data: AuthData,
    notes: Vec<Note>,
}

impl Rendering<'_> {
    fn publish(&mut self, wanted: &[Wanted]) -> Result<(), Refusal> {
        for (index, Wanted { server, desired }) in wanted.iter().enumerate() {
            match desired {
                Desired::Publish(credential) => self.data.publish(server, credential)?,
                Desired::Hold => self.hold(index, server),
            }
            let dead = self.owned.of(index).filter(|entry| is_dead(entry, server));
            let gone = dead.filter(|entry| !self.data.has_key(entry.key()));
            self.notes.extend(gone.map(|entry| Note::DeadEntry { key: printable_key(entry.key()) }));
        }
        Ok(())
    }

    /// Takes over what is published of a server: under its right key if that is one credential, else as it is.
    fn hold(&mut self, index: usize, server: &Server) {
        let entries: Vec<_> = match self.owned.held(index, server) {
            Held::Nothing => return,
            Held::One(entry) => vec![entry],
            Held::Random => self.owned.of(index).collect(),
        };
        let mut values = Vec::with_capacity(entries.len());
        for entry in entries {
            match self.carried_over(entry) {
                Ok(value) => values.extend(value.map(|value| (entry.key(), value))),
                Err(why) => self.notes.push(Note::NotConverted { server: server.clone(), why }),
            }
        }
        let is_one = values.iter().all(|(_, value)| *value == values[0].1);
        for (key, value) in values {
            self.data.insert(if is_one { server.key() } else { key.to_owned() }, value);
        }
    }

    fn keep_foreign(&mut self) -> Result<(), Refusal> {
        for entry in self.owned.foreign() {
            let key = entry.key();
            match self.carried_over(entry) {
                Ok(Some(value)) => self.data.insert(key.to_owned(), value),
                Ok(None) => self.notes.push(Note::DeadEntry { key: printable_key(key) }),
                Err(why) => return Err(Refusal::Foreign { key: key.to_owned(), why }),
            }
        }
        Ok(())
    }

    /// An entry of the old value for the new one: as it stands, or in the other type's form. None for an entry that the
    /// agent leaves out: nothing is lost with it, and what the agent logs of it would keep every host from being proven.
    fn carried_over(&self, old: &Entry) -> Result<Option<Secret>, Unconvertible> {
        if old.pull_auth().is_none() {
            return Ok(None);
        }
        if self.is_same_type {
            return Ok(Some(compact(old.value())));
        }
        let nothing = Secret::from("");
        let (username, password) = match old.pull_auth() {
            None => return Ok(None),
            Some(PullAuth::Token { .. }) => return Err(Unconvertible::Token),
            Some(PullAuth::Anonymous) => ("", &nothing),
            Some(PullAuth::Login(Login { username, password })) => (username.as_str(), password),
        };
        entry(self.auth_type, username, password).map(Some).ok_or(Unconvertible::ColonInUsername)
    }

    /// Gives the host of a path the path's credential where there is no other key of that host, and none is to come.
    /// Between several listed paths that is not for us to choose; whether a foreign one is harmed, the proof says.
    fn add_host_keys(&mut self, wanted: &[Wanted]) -> Result<(), Refusal> {
        for (index, Wanted { server, .. }) in wanted.iter().enumerate() {
            let is_listed = || wanted.iter().any(|other| other.server.key() == server.host());
            let is_neighbour = |other: &Wanted| self.is_neighbour(&other.server, server);
            match self.data.host_key(server) {
                HostKey::Lone if !is_listed() => {
                    self.data.copy_to_host(server);
                    if !self.owned.has_host_key(index, server) {
                        self.notes.push(Note::HostKey { server: server.clone() });
                    }
                }
                HostKey::Missing if wanted.iter().any(is_neighbour) => {
                    return Err(no_host_key(server.host(), wanted, self.owned));
                }
                HostKey::Present | HostKey::Lone | HostKey::Missing => {}
            }
        }
        Ok(())
    }

    /// Whether another listed server has an entry for the same host.
    fn is_neighbour(&self, other: &Server, server: &Server) -> bool {
        other != server && other.host() == server.host() && self.data.has(other)
    }
}

/// The refusal for a host without a key, which names the server whose publication brings it about: one that is not
/// published yet before one that is, so that a new server does not stop an old one's new password.
pub(super) fn no_host_key(host: &str, wanted: &[Wanted], owned: &Owned<'_>) -> Refusal {
    let on_host = wanted.iter().enumerate().filter(|(_, wanted)| wanted.server.host() == host);
    let rank = |&(index, Wanted { server, desired }): &(usize, &Wanted)| {
        let is_new = matches!(owned.held(index, server), Held::Nothing);
        (matches!(desired, Desired::Publish(_)), is_new, index)
    };
    match on_host.max_by_key(rank) {
        Some((_, wanted)) => auth_data::Refusal::NoHostKey { server: wanted.server.clone() }.into(),
        // Nobody asked for a key of this host, so an edit makes none.
        None => Refusal::NotReadBack(ReadBack::Foreign { key: host.to_owned() }),
    }
}

/// Whether an entry of a server's own is one that no agent uses.
fn is_dead(entry: &Entry, server: &Server) -> bool {
    entry.pull_auth().is_none()
        || match server {
            Server::DockerHub => entry.normalised_key() != HUB_KEY,
            Server::Other { .. } => false,
        }
}
