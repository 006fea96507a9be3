//! Mends of the data. Each gives the whole file anew, or nothing where it has nothing to do.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::set;
use super::proof::{is_no_worse, trimmed};
use crate::agent::auth::{host_of, strip_scheme};
use crate::agent::env_file::ENGINE_AUTH_DATA;
use crate::agent::go_text::decode_base64;
use crate::agent::lookup::HUB_KEY;
use crate::agent::{AuthType, Entry, Login, PullAuth, go_json};
use crate::document::{Document, Form, JSON_SPACE};
use crate::formats::ascii_json::{MOST_PER_BYTE, push_string};
use crate::formats::auth_data::{compact, entry as render};
use crate::lint::logins::{Fields, mended_base64};
use crate::lint::place::written;
use crate::lint::settings::{DockerMember, alone};
use crate::secret::Secret;
use crate::server::{DOCKER_HUB_HOSTS, DOCKER_HUB_KEY};

/// An entry: its key and its JSON.
type Pair = (String, Secret);

pub(super) fn is_object(text: &str) -> bool {
    go_json::parse(text).is_some_and(|json| json.named_members().is_some())
}

/// The entries of the data, each key once. None, if the data is no object.
fn pairs(document: &Document) -> Option<Vec<Pair>> {
    document.data().filter(|data| is_object(data.text))?;
    let mut keys: BTreeSet<String> = BTreeSet::new();
    // The last one counts where a key stands several times, so they are met from behind.
    let mut pairs: Vec<Pair> = written(document)
        .iter()
        .rev()
        .map(|entry| (entry.key(), entry))
        .filter(|(key, _)| keys.insert(key.clone()))
        .map(|(key, entry)| (key, Secret::from(entry.value.text())))
        .collect();
    pairs.reverse();
    Some(pairs)
}

/// The document's text with these entries in place of its own.
fn replaced(document: &Document, pairs: &[Pair]) -> Option<Secret> {
    let length: usize = pairs.iter().map(|(key, value)| MOST_PER_BYTE * (key.len() + value.len()) + 4).sum();
    let mut json = String::with_capacity(length + 2);
    json.push('{');
    for (key, value) in pairs {
        if json.len() > 1 {
            json.push(',');
        }
        push_string(&mut json, key);
        json.push(':');
        json.push_str(compact(value).expose());
    }
    json.push('}');
    let value = Secret::new(json);
    match document.form() {
        Form::EcsConfig => set(document, ENGINE_AUTH_DATA, &value),
        Form::DockerConfig | Form::AuthValue => Some(value),
    }
}

/// The entries out of `auths`, without what is no registry.
pub(super) fn unwrap(document: &Document) -> Option<Secret> {
    let pairs = pairs(document)?;
    if document.form() == Form::DockerConfig {
        return if pairs.is_empty() { None } else { replaced(document, &pairs) };
    }
    let mut flat: Vec<Pair> = Vec::new();
    let mut wrapped: Vec<Pair> = Vec::new();
    let mut is_changed = false;
    for (key, value) in pairs {
        match DockerMember::of(&key) {
            None => flat.push((key, value)),
            Some(DockerMember::Helper | DockerMember::Setting) => is_changed = true,
            Some(DockerMember::Auths) => {
                is_changed = true;
                let members = go_json::parse(value.expose()).and_then(go_json::Value::members);
                wrapped.extend(members?.into_iter().map(|(key, value)| (key, Secret::from(value.text()))));
            }
        }
    }
    let keys: BTreeSet<&str> = flat.iter().map(|(key, _)| key.as_str()).collect();
    wrapped.retain(|(key, _)| !keys.contains(key.as_str()));
    flat.extend(wrapped);
    is_changed.then(|| replaced(document, &flat))?
}

/// Logins in the form that the type has.
pub(super) fn logins(document: &Document) -> Option<Secret> {
    /// So many entries are tried one by one; a file with more is mended as a whole or not at all.
    const MOST_TRIED: usize = 100;
    let auth_type = document.auth_type()?;
    let old = pairs(document)?;
    let new: Vec<Option<Secret>> =
        old.iter().map(|(key, value)| mended_value(auth_type, key, value)).collect();
    let with = |is_taken: &dyn Fn(usize) -> bool| {
        let value = |(index, (key, old)): (usize, &Pair)| {
            let new = new[index].as_ref().filter(|_| is_taken(index));
            (key.clone(), new.unwrap_or(old).clone())
        };
        replaced(document, &old.iter().enumerate().map(value).collect::<Vec<_>>())
    };
    let is_safe = |text: &Secret| is_no_worse(document, &document.with(text.clone()));
    if new.iter().all(Option::is_none) {
        return None;
    }
    let all = with(&|_| true)?;
    if is_safe(&all) || old.len() > MOST_TRIED {
        return Some(all);
    }
    let mut taken: Vec<usize> = Vec::new();
    for index in (0..old.len()).filter(|index| new[*index].is_some()) {
        if with(&|other| other == index || taken.contains(&other)).is_some_and(|text| is_safe(&text)) {
            taken.push(index);
        }
    }
    if taken.is_empty() { None } else { with(&|index| taken.contains(&index)) }
}

/// An entry's JSON as it should be, if it is not and that can be told.
fn mended_value(auth_type: AuthType, key: &str, value: &Secret) -> Option<Secret> {
    let map = alone(auth_type, key, value.expose());
    let entry = map.entries().first()?;
    let fields = Fields::of(entry);
    let from_auth = |auth: &Secret| {
        let map = alone(AuthType::Dockercfg, key, &format!("{{\"auth\":\"{}\"}}", auth.expose()));
        map.entries().first().and_then(Entry::pull_auth).cloned()
    };
    match (entry.pull_auth(), auth_type) {
        (Some(PullAuth::Login(login)), _) => {
            let trimmed = trimmed(login);
            let names_another =
                entry.server_address().is_some_and(|host| host != host_of(entry.normalised_key()));
            let is_odd = trimmed != *login && !trimmed.username.is_empty() && !trimmed.password.is_empty();
            (is_odd || names_another).then(|| render(auth_type, &trimmed.username, &trimmed.password))?
        }
        (None, AuthType::Dockercfg) if fields.auth.is_empty() => {
            let is_whole = !fields.username.is_empty() && !fields.password.is_empty();
            is_whole.then(|| render(auth_type, fields.username.expose(), &fields.password))?
        }
        (None, AuthType::Dockercfg) => match from_auth(&mended_base64(&fields.auth)?.1)? {
            PullAuth::Login(Login { username, password }) => render(auth_type, &username, &password),
            PullAuth::Anonymous | PullAuth::Token { .. } => None,
        },
        (Some(PullAuth::Anonymous), AuthType::Docker) => {
            decode_base64(fields.auth.expose()).filter(|bytes| std::str::from_utf8(bytes).is_ok())?;
            match from_auth(&fields.auth)? {
                PullAuth::Login(Login { username, password }) => render(auth_type, &username, &password),
                PullAuth::Anonymous | PullAuth::Token { .. } => None,
            }
        }
        (Some(PullAuth::Anonymous | PullAuth::Token { .. }), _) | (None, AuthType::Docker) => None,
    }
}

/// What the agent makes of each entry.
fn auths(auth_type: AuthType, pairs: &[Pair]) -> Vec<Option<PullAuth>> {
    let auth = |(key, value): &Pair| {
        let map = alone(auth_type, key, value.expose());
        map.entries().first().and_then(Entry::pull_auth).cloned()
    };
    pairs.iter().map(auth).collect()
}

/// Docker Hub under the one key that counts. Keys that are never used go; where they differ, which is right is for a
/// person to say.
pub(super) fn docker_hub(document: &Document) -> Option<Secret> {
    let auth_type = document.auth_type()?;
    let pairs = pairs(document)?;
    let auths = auths(auth_type, &pairs);
    let is_dead = |key: &str| {
        let bare = strip_scheme(key);
        DOCKER_HUB_HOSTS.contains(&host_of(bare)) && bare != HUB_KEY
    };
    let mut dead = pairs.iter().zip(&auths).filter(|((key, _), auth)| is_dead(key) && auth.is_some());
    let ((_, value), first) = dead.next()?;
    let has_live = pairs.iter().any(|(key, _)| strip_scheme(key) == HUB_KEY);
    if !has_live && dead.any(|(_, auth)| auth != first) {
        return None;
    }
    let mut kept: Vec<Pair> = Vec::new();
    for ((key, value), auth) in pairs.iter().zip(&auths) {
        if !is_dead(key) || auth.is_none() {
            kept.push((key.clone(), value.clone()));
        }
    }
    if !has_live {
        kept.push((DOCKER_HUB_KEY.to_owned(), value.clone()));
    }
    replaced(document, &kept)
}

/// Keys that are one to the agent, and have one credential, become one.
pub(super) fn same_keys(document: &Document) -> Option<Secret> {
    let auth_type = document.auth_type()?;
    let pairs = pairs(document)?;
    let auths = auths(auth_type, &pairs);
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, (key, _)) in pairs.iter().enumerate().filter(|(index, _)| auths[*index].is_some()) {
        groups.entry(strip_scheme(key)).or_default().push(index);
    }
    let is_one =
        |group: &&Vec<usize>| group.len() > 1 && group.iter().all(|index| auths[*index] == auths[group[0]]);
    let gone: BTreeSet<usize> =
        groups.values().filter(is_one).flat_map(|group| group[1..].iter().copied()).collect();
    without(document, &pairs, &gone)
}

fn without(document: &Document, pairs: &[Pair], gone: &BTreeSet<usize>) -> Option<Secret> {
    let kept = pairs.iter().enumerate().filter(|(index, _)| !gone.contains(index));
    let kept: Vec<Pair> = kept.map(|(_, pair)| pair.clone()).collect();
    if gone.is_empty() { None } else { replaced(document, &kept) }
}

/// A host's key that the same key with a '/' takes the place of for every image.
pub(super) fn shadowed_hosts(document: &Document) -> Option<Secret> {
    let auth_type = document.auth_type()?;
    let mut pairs = pairs(document)?;
    let auths = auths(auth_type, &pairs);
    let usable = |index: usize| auths[index].is_some();
    let mut gone = BTreeSet::new();
    for index in (0..pairs.len()).filter(|index| usable(*index)) {
        let Some(host) = strip_scheme(&pairs[index].0).strip_suffix('/').filter(|host| !host.contains('/'))
        else {
            continue;
        };
        let host = host.to_owned();
        let shadowed: Vec<usize> = (0..pairs.len())
            .filter(|other| usable(*other) && strip_scheme(&pairs[*other].0) == host)
            .collect();
        if !shadowed.is_empty() {
            gone.extend(shadowed);
            pairs[index].0 = host;
        }
    }
    without(document, &pairs, &gone)
}

/// A key for the host alone, where all keys of the host have one credential.
pub(super) fn hosts(document: &Document) -> Option<Secret> {
    let auth_type = document.auth_type()?;
    let mut pairs = pairs(document)?;
    let auths = auths(auth_type, &pairs);
    let mut by_host: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, (key, _)) in pairs.iter().enumerate().filter(|(index, _)| auths[*index].is_some()) {
        by_host.entry(host_of(strip_scheme(key)).to_owned()).or_default().push(index);
    }
    let before = pairs.len();
    for (host, indices) in by_host {
        let is_there = indices.iter().any(|index| strip_scheme(&pairs[*index].0) == host);
        let is_one = indices.iter().all(|index| auths[*index] == auths[indices[0]]);
        if !is_there && is_one && !host.is_empty() && !DOCKER_HUB_HOSTS.contains(&host.as_str()) {
            let value = pairs[indices[0]].1.clone();
            pairs.push((host, value));
        }
    }
    if pairs.len() == before { None } else { replaced(document, &pairs) }
}

/// Data in ASCII, each key once.
pub(super) fn ascii(document: &Document) -> Option<Secret> {
    let data = document.data()?;
    let is_ascii = data.text.chars().all(|c| matches!(c, ' '..='~') || JSON_SPACE.contains(&c));
    let pairs = pairs(document)?;
    if (is_ascii && written(document).len() == pairs.len()) || document.form() == Form::DockerConfig {
        return None;
    }
    replaced(document, &pairs)
}
