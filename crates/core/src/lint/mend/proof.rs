//! The proof that a mend makes nothing worse, by the agent's own rules.

use super::usable::is_none_lost;
use crate::agent::auth::host_of;
use crate::agent::lookup::Candidate;
use crate::agent::{AuthMap, Entry, Login, PullAuth};
use crate::document::Document;
use crate::secret::Secret;

/// Whether every image gets what it got before, or got nothing before, and none gets it by chance that did not; and no key
/// loses the only login that the file has for it.
pub(super) fn is_no_worse(before: &Document, after: &Document) -> bool {
    let starts = |document: &Document| document.environment().start_faults().is_empty();
    if starts(before) && !starts(after) {
        return false;
    }
    if !is_none_lost(before, after) {
        return false;
    }
    images(before.map(), after.map()).iter().all(|image| {
        let (old, new) = (before.map().lookup(image), after.map().lookup(image));
        match (old.certain(), new.certain()) {
            (Some(PullAuth::Anonymous), new) => new.is_some(),
            (Some(old), Some(new)) => is_same(old, new),
            (Some(_), None) => false,
            (None, _) => are_among(new.candidates(), old.candidates()),
        }
    })
}

/// Whether each of `new` is one of `old`. Both are in the order of their files, so the next is the one as a rule: a host
/// with thousands of keys would take the square of their number otherwise.
fn are_among(new: &[Candidate<'_>], old: &[Candidate<'_>]) -> bool {
    let mut next = 0;
    new.iter().all(|new| {
        let is_it = |old: &Candidate<'_>| is_same(old.auth, new.auth);
        let found = if old.get(next).is_some_and(is_it) { Some(next) } else { old.iter().position(is_it) };
        next = found.map_or(next, |at| at + 1);
        found.is_some()
    })
}

/// Images of every kind that some key of the two maps could tell apart.
fn images(before: &AuthMap, after: &AuthMap) -> Vec<String> {
    let mut images = vec!["busybox".to_owned()];
    for key in before.entries().iter().chain(after.entries()).map(Entry::normalised_key) {
        let below = key.trim_end_matches('/');
        images.push(format!("{}/image-of-the-host", host_of(key)));
        images.push(format!("{below}/image-below-the-key"));
        images.push(format!("{below}-image-that-goes-on"));
        images.push(key.to_owned());
    }
    images.sort_unstable();
    images.dedup();
    images
}

/// Whether both are the same but for what no registry accepts at the end of a username or password.
fn is_same(one: &PullAuth, other: &PullAuth) -> bool {
    match (one, other) {
        (PullAuth::Login(one), PullAuth::Login(other)) => {
            trim(&one.username) == trim(&other.username)
                && trim(one.password.expose()) == trim(other.password.expose())
        }
        _ => one == other,
    }
}

/// A login without the line breaks and NULs at the ends of its parts.
pub(super) fn trimmed(login: &Login) -> Login {
    Login {
        username: trim(&login.username).to_owned(),
        password: Secret::from(trim(login.password.expose())),
    }
}

fn trim(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n', '\0'])
}
