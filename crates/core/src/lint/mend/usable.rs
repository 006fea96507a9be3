//! What no mend may throw away: the logins of a file that a registry could accept, also those that no agent reads.
//!
//! An agent reads the last of several lines or entries, and one key of Docker Hub's. Where that one is broken or empty, the
//! other may be the only credential that is left of the registry: which of them counts is then for a person to say. Nothing
//! here looks at what an image gets; that is [`super::proof`]'s.

use std::collections::BTreeSet;

use super::data::is_object;
use crate::agent::auth::{host_of, strip_scheme};
use crate::agent::env_file::{ENGINE_AUTH_DATA, assignment};
use crate::agent::{AuthType, Entry, Login, PullAuth, go_json};
use crate::document::{Document, Form, members};
use crate::lint::place::written;
use crate::lint::settings::{DockerMember, alone};
use crate::server::DOCKER_HUB_HOSTS;

/// Whether each key that has a usable login before has one after as well, the same or another.
pub(super) fn is_none_lost(before: &Document, after: &Document) -> bool {
    let (old, new) = (before.auth_type(), after.auth_type());
    // A type that is not known yet says nothing of which logins are whole: what it becomes does.
    keys_of(before, old.or(new)).is_subset(&keys_of(after, new.or(old)))
}

/// The keys that have a usable login anywhere in the file.
fn keys_of(document: &Document, auth_type: Option<AuthType>) -> BTreeSet<String> {
    match document.form() {
        Form::EcsConfig => {
            let lines = document.text().expose().split('\n').filter_map(assignment);
            let data = lines.filter(|(name, _)| *name == ENGINE_AUTH_DATA).map(|(_, value)| value);
            data.flat_map(|data| usable_keys(auth_type, data)).collect()
        }
        Form::DockerConfig => {
            let entries = written(document);
            let usable = entries.iter().filter_map(|entry| usable_key(auth_type, &entry.key(), entry.value));
            usable.collect()
        }
        Form::AuthValue => document.data().map(|data| usable_keys(auth_type, data.text)).unwrap_or_default(),
    }
}

/// The keys that have a usable login in the data; none, if the data is no object. Those in Docker's `auths` count.
pub(super) fn usable_keys(auth_type: Option<AuthType>, data: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    if !is_object(data) {
        return keys;
    }
    for (key, value) in members(data).unwrap_or_default() {
        match DockerMember::of(&key) {
            Some(DockerMember::Auths) => {
                let wrapped = value.members().unwrap_or_default();
                keys.extend(wrapped.iter().filter_map(|(key, value)| usable_key(auth_type, key, *value)));
            }
            Some(DockerMember::Helper | DockerMember::Setting) => {}
            None => keys.extend(usable_key(auth_type, &key, value)),
        }
    }
    keys
}

/// What the key of an entry stands for, if the entry has a usable login: under the type, or under either where there is none.
fn usable_key(auth_type: Option<AuthType>, key: &str, value: go_json::Value<'_>) -> Option<String> {
    let is_login = |auth_type: AuthType| {
        let map = alone(auth_type, key, value.text());
        map.entries().iter().filter_map(Entry::pull_auth).any(is_usable)
    };
    let is_login = match auth_type {
        Some(auth_type) => is_login(auth_type),
        None => AuthType::ALL.into_iter().any(is_login),
    };
    is_login.then(|| {
        let bare = strip_scheme(key);
        // Docker Hub has one credential, whatever its key is called.
        if DOCKER_HUB_HOSTS.contains(&host_of(bare)) {
            DOCKER_HUB_HOSTS[0]
        } else {
            bare.trim_end_matches('/')
        }
        .to_owned()
    })
}

/// Whether a registry could accept it: no part of it is missing, or was lost where bytes were no text.
fn is_usable(auth: &PullAuth) -> bool {
    match auth {
        PullAuth::Anonymous => false,
        PullAuth::Token { .. } => true,
        PullAuth::Login(Login { username, password }) => {
            let parts = [username.as_str(), password.expose()];
            parts.iter().all(|part| !part.is_empty() && !part.contains(char::REPLACEMENT_CHARACTER))
        }
    }
}
