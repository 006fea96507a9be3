//! The edit itself.

use super::owner::{Held, Owned};
use super::proof::Proof;
use super::text::{Document, Values, Variable};
use super::{Change, Desired, Edited, Foreign, Note, ReadBack, Refusal, Unconvertible, Wanted};
use crate::agent::auth::{Problem, printable_key};
use crate::agent::env_file::{ENGINE_AUTH_DATA, ENGINE_AUTH_TYPE, misread};
use crate::agent::{AuthMap, AuthSetting, AuthType, EffectiveAuth, Entry, Environment, Login, PullAuth};
use crate::formats::auth_data::{self, AuthData, HostKey, entry, gives, is_same_key};
use crate::secret::Secret;
use crate::server::Server;

/// What becomes of `observed` (none: there is no such file) so that agents use the desired credential of each registry.
///
/// A value that already does so keeps its bytes. Repeated lines are made one all the same, since earlier ones are read
/// by nobody and may hold old secrets. A registry on hold keeps what is published of it; where nothing is published
/// and nothing is to be, nothing is written.
pub fn edit(
    observed: Option<&Secret>,
    auth_type: AuthType,
    wanted: &[Wanted],
    foreign: Foreign,
) -> Result<Edited, Refusal> {
    for (index, Wanted { server, .. }) in wanted.iter().enumerate() {
        if let Some(first) = wanted[..index].iter().find(|first| is_same_key(&first.server, server)) {
            let first = first.server.clone();
            return Err(auth_data::Refusal::SameKey { first, second: server.clone() }.into());
        }
    }
    let text = observed.map_or("", Secret::expose);
    if let Some(why) = misread(text.as_bytes()) {
        return Err(Refusal::Misread(why));
    }
    let document = Document::read(text);
    let before = File::read(text);
    // What is wrong with another line is for its owner to mend; what is wrong with ours is mended below.
    if let Some(fault) =
        before.environment.without(&[ENGINE_AUTH_TYPE, ENGINE_AUTH_DATA]).start_faults().first()
    {
        return Err(Refusal::NoStart(*fault));
    }
    let owned = Owned::new(&before.map, wanted);
    let mut notes = notes_on_lines(&document);
    let mut values = Values { auth_type: None, auth_data: None };
    let rendered;
    if !is_satisfied(&before, auth_type, wanted, foreign, &owned) {
        let mut rendering = Rendering::new(auth_type, &before, &owned);
        rendering.publish(wanted)?;
        if foreign == Foreign::Keep {
            rendering.keep_foreign()?;
        }
        rendering.add_host_keys(wanted)?;
        if !(rendering.data.is_empty() && before.map.entries().is_empty()) {
            rendered = rendering.data.to_value()?;
            notes.extend(notes_on_data(&before));
            notes.append(&mut rendering.notes);
            values.auth_data = Some(&rendered);
            if *before.auth.auth_type() != AuthSetting::Type(auth_type) {
                values.auth_type = Some(auth_type.as_str());
            }
        }
    }
    let text = document.with(&values);
    let after = File::read(text.expose());
    let given_up: Vec<_> = notes.iter().filter_map(given_up).collect();
    let (before, after, owned, given_up) = (&before, &after, &owned, &given_up[..]);
    Proof { before, after, owned, auth_type, wanted, given_up, foreign }.hold()?;
    let change = match observed {
        Some(observed) if *observed == text => Change::None,
        None if text.is_empty() => Change::None,
        Some(_) | None if before.auth == after.auth => Change::Lines,
        Some(_) | None => Change::Auth,
    };
    let after_owned = Owned::new(&after.map, wanted);
    let mut edited = Edited {
        change,
        published: Vec::new(),
        held: Vec::new(),
        unpublished: Vec::new(),
        kept: keys(after_owned.foreign()),
        pruned: match foreign {
            Foreign::Keep => Vec::new(),
            Foreign::Prune => keys(owned.foreign()),
        },
        notes,
        auth: after.auth.clone(),
        text,
    };
    for (index, Wanted { server, desired }) in wanted.iter().enumerate() {
        let list = match (desired, after_owned.held(index, server)) {
            (Desired::Publish(_), _) => &mut edited.published,
            (Desired::Hold, Held::One(_) | Held::Random) => &mut edited.held,
            (Desired::Hold, Held::Nothing) => &mut edited.unpublished,
        };
        list.push(server.clone());
    }
    Ok(edited)
}

/// A file, and what an agent makes of it.
pub(super) struct File {
    pub(super) environment: Environment,
    pub(super) auth: EffectiveAuth,
    pub(super) map: AuthMap,
}

impl File {
    fn read(text: &str) -> Self {
        let environment = Environment::parse(text.as_bytes());
        let auth = environment.auth();
        let map = AuthMap::read(&auth);
        Self { environment, auth, map }
    }
}

/// Whether the value can stay in its bytes.
fn is_satisfied(
    before: &File,
    auth_type: AuthType,
    wanted: &[Wanted],
    foreign: Foreign,
    owned: &Owned<'_>,
) -> bool {
    let is_published = |wanted: &Wanted| match &wanted.desired {
        Desired::Publish(credential) => gives(&before.map, &wanted.server, credential),
        Desired::Hold => true,
    };
    *before.auth.auth_type() == AuthSetting::Type(auth_type)
        && !before.map.is_unreadable()
        && before.environment.start_faults().is_empty()
        && wanted.iter().all(is_published)
        && (foreign == Foreign::Keep || owned.foreign().next().is_none())
}

/// The new authentication data in the making.
struct Rendering<'a> {
    auth_type: AuthType,
    is_same_type: bool,
    owned: &'a Owned<'a>,
    data: AuthData,
    notes: Vec<Note>,
}

impl<'a> Rendering<'a> {
    fn new(auth_type: AuthType, before: &File, owned: &'a Owned<'a>) -> Self {
        let is_same_type = *before.auth.auth_type() == AuthSetting::Type(auth_type);
        Self { auth_type, is_same_type, owned, data: AuthData::new(auth_type), notes: Vec::new() }
    }

    fn publish(&mut self, wanted: &[Wanted]) -> Result<(), Refusal> {
        for (index, Wanted { server, desired }) in wanted.iter().enumerate() {
            match desired {
                Desired::Publish(credential) => self.data.publish(server, credential)?,
                Desired::Hold => self.hold(index, server),
            }
            let dead = self.owned.of(index).filter(|entry| is_dead(entry, server));
            self.notes.extend(dead.map(|entry| Note::DeadEntry { key: printable_key(entry.key()) }));
        }
        Ok(())
    }

    /// Takes over what is published of a server: under its right key where the agent surely uses it, else as it is.
    fn hold(&mut self, index: usize, server: &Server) {
        let (entries, key): (Vec<_>, _) = match self.owned.held(index, server) {
            Held::Nothing => return,
            Held::One(entry) => (vec![entry], Some(server.key())),
            Held::Random => (self.owned.of(index).collect(), None),
        };
        for entry in entries {
            let key = key.clone().unwrap_or_else(|| entry.key().to_owned());
            match self.carry_over(key, entry) {
                Ok(()) => {}
                Err(why) => self.notes.push(Note::NotConverted { server: server.clone(), why }),
            }
        }
    }

    fn keep_foreign(&mut self) -> Result<(), Refusal> {
        for entry in self.owned.foreign() {
            self.carry_over(entry.key().to_owned(), entry)
                .map_err(|why| Refusal::Foreign { key: entry.key().to_owned(), why })?;
        }
        Ok(())
    }

    /// Writes an entry of the old value into the new one: as it stands, or in the other type's form.
    fn carry_over(&mut self, key: String, old: &Entry) -> Result<(), Unconvertible> {
        if self.is_same_type {
            self.data.keep(key, old.value());
            return Ok(());
        }
        let nothing = Secret::from("");
        let (username, password) = match old.pull_auth() {
            None => {
                self.notes.push(Note::DeadEntry { key: printable_key(old.key()) });
                return Ok(());
            }
            Some(PullAuth::Token { .. }) => return Err(Unconvertible::Token),
            Some(PullAuth::Anonymous) => ("", &nothing),
            Some(PullAuth::Login(Login { username, password })) => (username.as_str(), password),
        };
        let value = entry(self.auth_type, username, password).ok_or(Unconvertible::ColonInUsername)?;
        self.data.insert(key, value);
        Ok(())
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
            Server::DockerHub => entry.normalised_key() != crate::agent::lookup::HUB_KEY,
            Server::Other { .. } => false,
        }
}

/// The held server of which nothing is left in the new type.
fn given_up(note: &Note) -> Option<&Server> {
    match note {
        Note::NotConverted { server, .. } => Some(server),
        Note::Repeated { .. }
        | Note::Ignored { .. }
        | Note::UnreadableData { .. }
        | Note::UnknownType
        | Note::NoType
        | Note::DeadEntry { .. }
        | Note::HostKey { .. } => None,
    }
}

fn keys<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<String> {
    entries.map(|entry| printable_key(entry.key())).collect()
}

fn notes_on_lines(document: &Document<'_>) -> Vec<Note> {
    let mut notes = Vec::new();
    for variable in Variable::BOTH {
        let removed = document.count(variable).saturating_sub(1);
        if removed > 0 {
            notes.push(Note::Repeated { variable, removed });
        }
    }
    notes.extend(document.ignored_lines().into_iter().map(|line| Note::Ignored { line }));
    notes
}

/// What of the old data was used by no agent, and goes.
fn notes_on_data(before: &File) -> Option<Note> {
    match (before.map.problem(), before.auth.auth_type()) {
        (Some(Problem::Unreadable { why, .. }), _) => Some(Note::UnreadableData { why: why.clone() }),
        (Some(Problem::UnknownType), _) => Some(Note::UnknownType),
        (None, AuthSetting::Off) if !before.auth.auth_data().is_empty() => Some(Note::NoType),
        (None, AuthSetting::Off | AuthSetting::Type(_) | AuthSetting::Unknown(_)) => None,
    }
}
