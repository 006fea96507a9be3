//! Rules about the keys of entries: which image they are for.

use std::collections::BTreeMap;

use super::place::{Place, key_places};
use super::settings::docker_member_of;
use super::{Findings, Rule};
use crate::agent::Entry;
use crate::agent::auth::{host_of, printable_key};
use crate::agent::warning::Warning;
use crate::explain::is_private_ecr;
use crate::server::{DOCKER_HUB_HOSTS, DOCKER_HUB_KEY};

pub(super) fn check(findings: &mut Findings<'_>) {
    let map = findings.document.map();
    let places = key_places(findings.document);
    let place = |key: &str| places.get(key).copied().unwrap_or(Place::FILE);
    for warning in map.warnings() {
        match warning {
            Warning::DeadHubKey { key } => findings.add(
                Rule::DeadHubKey,
                place(&key),
                format!("`{}` is not the key that the agent has for Docker Hub", printable_key(&key)),
                format!("it looks for `{DOCKER_HUB_KEY}` only, to the letter: this entry is never used"),
                format!("write `{DOCKER_HUB_KEY}`"),
            ),
            Warning::SameKey { keys } => same_key(findings, &keys, &place),
            Warning::NoHostKey { host } => {
                let first = of_host(findings, &host).first().map(|entry| place(entry.key()));
                let host = printable_key(&host);
                findings.add(
                    Rule::PathWithoutHost,
                    first.unwrap_or(Place::FILE),
                    format!("there are several keys of `{host}`, and none is the host alone"),
                    "the agent takes the first that it meets, in random order, also for an image that does not begin with it",
                    format!("add an entry for `{host}` itself"),
                );
            }
            // What is wrong with the type, the data and the logins is said by the rules for those.
            Warning::UnknownType
            | Warning::Unreadable { .. }
            | Warning::Skipped { .. }
            | Warning::Wrapped { .. }
            | Warning::NoLogin { .. }
            | Warning::ServerAddress { .. }
            | Warning::LineBreak { .. } => {}
        }
    }
    for entry in map.entries() {
        if docker_member_of(findings.document, entry.key()).is_none() {
            host(findings, entry, place(entry.key()));
        }
    }
    hosts(findings, &places);
}

fn same_key(findings: &mut Findings<'_>, keys: &[String], place: &impl Fn(&str) -> Place) {
    let Some((first, others)) = keys.split_first() else { return };
    let entry = |key: &String| findings.document.map().entries().iter().find(|entry| entry.key() == key);
    let login = entry(first).and_then(Entry::pull_auth);
    let is_one = others.iter().all(|key| entry(key).and_then(Entry::pull_auth) == login);
    let shown: Vec<_> = keys.iter().map(|key| format!("`{}`", printable_key(key))).collect();
    let at = others.last().map_or(Place::FILE, |key| place(key));
    findings.add(
        Rule::SameKey,
        at,
        format!("{} are one key to the agent", shown.join(" and ")),
        if is_one {
            "it takes any of them; they have the same credential today, and nothing keeps them the same"
        } else {
            "it takes any of them at random, another one at each start, and they have different credentials"
        },
        format!("keep one of them, as `{}`", printable_key(crate::agent::auth::strip_scheme(first))),
    );
}

/// Whether images can have this text as their host: the agent takes anything else for a user of Docker Hub.
fn can_be_host(host: &str) -> bool {
    let is_host = host.contains('.') || host.contains(':') || host == "localhost";
    is_host
        && !host.ends_with(':')
        && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_' | '[' | ']'))
}

fn host(findings: &mut Findings<'_>, entry: &Entry, at: Place) {
    let host = host_of(entry.normalised_key());
    let key = printable_key(entry.key());
    if !can_be_host(host) {
        findings.add(
            Rule::NoRegistryHost,
            at,
            format!("`{key}` begins with no registry's host"),
            "the host of an image has a dot or a port, or is `localhost`, and nothing before it but what the agent takes off, \
             `http://` or `https://`: this entry is never used",
            "write the host as images name it",
        );
    } else if host.chars().any(|c| c.is_ascii_uppercase()) {
        findings.add(
            Rule::UpperCaseHost,
            at,
            format!("the host of `{key}` has capital letters"),
            "the agent compares byte for byte: the entry is for images that write the host in the same way only",
            format!("write `{}`, if images do", printable_key(&host.to_ascii_lowercase())),
        );
    } else if is_private_ecr(host) {
        findings.add(
            Rule::EcrKey,
            at,
            format!("`{key}` is a registry of ECR"),
            "ECS gives the agent tokens of its own for ECR, by the task execution role or the instance role; a password of \
             ECR is good for 12 hours anyway",
            "remove the entry, and let the role pull",
        );
    }
}

fn of_host<'a>(findings: &Findings<'a>, host: &str) -> Vec<&'a Entry> {
    let entries = findings.document.map().entries().iter();
    entries.filter(|entry| entry.pull_auth().is_some() && host_of(entry.normalised_key()) == host).collect()
}

/// What matters only for all keys of a host together.
fn hosts(findings: &mut Findings<'_>, places: &BTreeMap<String, Place>) {
    let mut by_host: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in findings.document.map().entries().iter().filter(|entry| entry.pull_auth().is_some()) {
        by_host.entry(host_of(entry.normalised_key())).or_default().push(entry);
    }
    for (host, entries) in by_host {
        if DOCKER_HUB_HOSTS.contains(&host) || !can_be_host(host) {
            continue;
        }
        let of_host = entries.iter().find(|entry| entry.normalised_key() == host);
        let all_one = entries.iter().all(|entry| entry.normalised_key() == entries[0].normalised_key());
        match of_host {
            None if all_one => {
                let at = places.get(entries[0].key()).copied().unwrap_or(Place::FILE);
                findings.add(
                    Rule::PathWithoutHost,
                    at,
                    format!("`{}` is the only key of `{host}`", printable_key(entries[0].key())),
                    "the agent uses it for every image of the host, also those that do not begin with it, until there is \
                     another key of the host; then it picks among them at random",
                    format!("add an entry for `{host}` itself"),
                );
            }
            None => {}
            Some(of_host) => {
                let slashed = entries.iter().find(|entry| {
                    entry.normalised_key().strip_suffix('/') == Some(host)
                        && entry.pull_auth() != of_host.pull_auth()
                });
                if let Some(slashed) = slashed {
                    findings.add(
                        Rule::ShadowedHostKey,
                        places.get(slashed.key()).copied().unwrap_or(Place::FILE),
                        format!("`{}` stands beside `{host}`", printable_key(slashed.key())),
                        "every image of the host begins with it, and it is longer: the entry without the slash is never used",
                        format!("keep one of them, as `{host}`"),
                    );
                }
            }
        }
    }
}
