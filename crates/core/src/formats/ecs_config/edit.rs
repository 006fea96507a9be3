//! The edit itself.

use super::owner::{Held, Owned};
use super::proof::Proof;
use super::rendering::render;
use super::text::{Document, Values};
use super::{Change, Desired, Edited, Foreign, Note, Refusal, Wanted};
use crate::agent::auth::printable_key;
use crate::agent::env_file::{ENGINE_AUTH_DATA, ENGINE_AUTH_TYPE, misread};
use crate::agent::{AuthMap, AuthSetting, AuthType, EffectiveAuth, Entry, Environment};
use crate::formats::auth_data::{self, AuthData, compact, gives, is_same_key};
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
    refuse_same_key(wanted)?;
    let text = observed.map_or("", Secret::expose);
    let before = File::read(text);
    refuse_unsafe(text, &before)?;
    let document = Document::read(text);
    let owned = Owned::new(&before.map, wanted);
    let mut notes = Note::on_lines(&document);
    let mut rendered = None;
    if !is_satisfied(&before, auth_type, wanted, foreign, &owned) {
        refuse_untyped(&before, wanted, foreign)?;
        let (data, on_data) = render(auth_type, &before, &owned, wanted, foreign)?;
        if !(data.is_empty() && before.map.entries().is_empty()) {
            rendered = Some(data.to_value().map_err(|refusal| blame(refusal, &data, &owned, wanted))?);
            notes.extend(Note::on_old_data(&before));
            notes.extend(on_data);
        }
    }
    let needs_type = *before.auth.auth_type() != AuthSetting::Type(auth_type);
    let text = document.with(&Values {
        auth_type: rendered.as_ref().filter(|_| needs_type).map(|_| auth_type.as_str()),
        auth_data: rendered.as_ref(),
    });
    let after = File::read(text.expose());
    let given_up: Vec<_> = notes.iter().filter_map(Note::given_up).collect();
    let proof = Proof {
        before: &before,
        after: &after,
        owned: &owned,
        auth_type,
        wanted,
        given_up: &given_up,
        foreign,
    };
    proof.hold()?;
    let change = if text.expose() == observed.map_or("", Secret::expose) {
        Change::None
    } else if before.auth == after.auth {
        Change::Lines
    } else {
        Change::Auth
    };
    let after_owned = Owned::new(&after.map, wanted);
    let (published, held, unpublished) = sort(wanted, &after_owned);
    let kept = keys(after_owned.foreign());
    let pruned = match foreign {
        Foreign::Keep => Vec::new(),
        Foreign::Prune => keys(owned.foreign()),
    };
    let auth = after.auth.clone();
    Ok(Edited { text, change, auth, published, held, unpublished, kept, pruned, notes })
}

/// A file, and what an agent makes of it.
pub(super) struct File {
    pub(super) environment: Environment,
    pub(super) auth: EffectiveAuth,
    pub(super) map: AuthMap,
}

impl File {
    pub(super) fn read(text: &str) -> Self {
        let environment = Environment::parse(text.as_bytes());
        let auth = environment.auth();
        let map = AuthMap::read(&auth);
        Self { environment, auth, map }
    }
}

fn refuse_same_key(wanted: &[Wanted]) -> Result<(), Refusal> {
    for (index, Wanted { server, .. }) in wanted.iter().enumerate() {
        if let Some(first) = wanted[..index].iter().find(|first| is_same_key(&first.server, server)) {
            let first = first.server.clone();
            return Err(auth_data::Refusal::SameKey { first, second: server.clone() }.into());
        }
    }
    Ok(())
}

/// What is wrong with another's line is for its owner to mend. What is wrong with ours goes when they are written.
fn refuse_unsafe(text: &str, before: &File) -> Result<(), Refusal> {
    if let Some(why) = misread(text.as_bytes()) {
        return Err(Refusal::Misread(why));
    }
    let others = before.environment.without(&[ENGINE_AUTH_TYPE, ENGINE_AUTH_DATA]);
    match others.start_faults().first() {
        Some(fault) => Err(Refusal::NoStart(*fault)),
        None => Ok(()),
    }
}

/// Data without a type may be half of what a host puts together from several files, or be nothing at all. Whether its
/// entries are in use cannot be told, so they are neither dropped nor brought to life.
fn refuse_untyped(before: &File, wanted: &[Wanted], foreign: Foreign) -> Result<(), Refusal> {
    let publishes = wanted.iter().any(|wanted| matches!(wanted.desired, Desired::Publish(_)));
    if *before.auth.auth_type() != AuthSetting::Off || !publishes {
        return Ok(());
    }
    for auth_type in AuthType::ALL {
        let map = AuthMap::read(&EffectiveAuth::new(auth_type.as_str(), before.auth.auth_data().expose()));
        let owned = Owned::new(&map, wanted);
        let on_hold = wanted
            .iter()
            .enumerate()
            .filter(|(_, wanted)| matches!(wanted.desired, Desired::Hold))
            .flat_map(|(index, _)| owned.of(index));
        let foreign = owned.foreign().filter(|_| foreign == Foreign::Keep);
        let usable: Vec<_> = on_hold.chain(foreign).filter(|entry| entry.is_login()).collect();
        if !usable.is_empty() {
            return Err(Refusal::Untyped { keys: keys(usable.into_iter()) });
        }
    }
    Ok(())
}

/// Whether the value can stay in its bytes.
fn is_satisfied(
    before: &File,
    auth_type: AuthType,
    wanted: &[Wanted],
    foreign: Foreign,
    owned: &Owned<'_>,
) -> bool {
    let is_published = |(index, Wanted { server, desired }): (usize, &Wanted)| match desired {
        Desired::Publish(credential) => {
            gives(&before.map, server, credential)
                && owned
                    .of(index)
                    .all(|entry| entry.server_address().is_none_or(|host| host == server.host()))
        }
        Desired::Hold => true,
    };
    // Whatever the agent logs of an entry keeps every host from being proven.
    let is_logged = |entry: &Entry| entry.pull_auth().is_none();
    let publishes = wanted.iter().any(|wanted| matches!(wanted.desired, Desired::Publish(_)));
    *before.auth.auth_type() == AuthSetting::Type(auth_type)
        && !(publishes && before.map.entries().iter().any(is_logged))
        && before.environment.start_faults().is_empty()
        && wanted.iter().enumerate().all(is_published)
        && (foreign == Foreign::Keep || owned.foreign().next().is_none())
}

/// A line that is too long is laid to the server whose new entry adds most to what is published of it. Without that entry
/// the others may fit.
fn blame(
    refusal: auth_data::Refusal,
    data: &AuthData,
    owned: &Owned<'_>,
    wanted: &[Wanted],
) -> auth_data::Refusal {
    let auth_data::Refusal::TooLong { bytes, .. } = refusal else { return refusal };
    let published =
        wanted.iter().enumerate().filter(|(_, wanted)| matches!(wanted.desired, Desired::Publish(_)));
    let grown = published.filter_map(|(index, Wanted { server, .. })| {
        let old = owned.of(index).map(|entry| compact(entry.value()).len()).max().unwrap_or(0);
        let new = data.entry_bytes(server);
        (new > old).then_some((new - old, new, server))
    });
    match grown.max_by_key(|(growth, new, _)| (*growth, *new)) {
        Some((_, entry_bytes, server)) => auth_data::Refusal::TooLong {
            bytes,
            key: printable_key(&server.key()),
            entry_bytes,
            server: Some(server.clone()),
        },
        None => refusal,
    }
}

/// The servers whose desired credential a file has, those of which it has what it had, and those of which it has none.
fn sort(wanted: &[Wanted], owned: &Owned<'_>) -> (Vec<Server>, Vec<Server>, Vec<Server>) {
    let (mut published, mut held, mut unpublished) = (Vec::new(), Vec::new(), Vec::new());
    for (index, Wanted { server, desired }) in wanted.iter().enumerate() {
        let list = match (desired, owned.held(index, server)) {
            (Desired::Publish(_), _) => &mut published,
            (Desired::Hold, Held::One(_) | Held::Random) => &mut held,
            (Desired::Hold, Held::Nothing) => &mut unpublished,
        };
        list.push(server.clone());
    }
    (published, held, unpublished)
}

fn keys<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<String> {
    entries.map(|entry| printable_key(entry.key())).collect()
}
