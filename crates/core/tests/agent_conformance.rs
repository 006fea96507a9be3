//! Our copy of the agent's rules against what the real agent did with the same files: see `conformance/README.md`.

use std::collections::{BTreeMap, BTreeSet};

use regcred_core::agent::{AuthMap, Environment, PullAuth};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    config: String,
    starts: bool,
    cluster: String,
    images: BTreeMap<String, BTreeSet<Seen>>,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[serde(deny_unknown_fields)]
struct Seen {
    #[serde(default)]
    anonymous: bool,
    username: Option<String>,
    password_sha256: Option<String>,
}

impl Seen {
    const ANONYMOUS: Self = Self { anonymous: true, username: None, password_sha256: None };

    /// The cases call a pull anonymous when the agent found nothing or an empty entry. One that holds other fields, but
    /// neither username nor password, is told as two empty texts; the daemon pulls without credentials then too.
    fn told_by_the_daemon(self) -> Self {
        match (self.username.as_deref(), self.password_sha256.as_deref()) {
            (Some(""), Some("")) => Self::ANONYMOUS,
            _ => self,
        }
    }

    fn from(auth: &PullAuth) -> Self {
        match auth {
            PullAuth::Anonymous => Self::ANONYMOUS,
            PullAuth::Login(login) => Self {
                anonymous: false,
                username: Some(login.username.clone()),
                password_sha256: Some(sha256(login.password.expose())),
            },
            PullAuth::Token { .. } => panic!("no case has a token"),
        }
    }
}

/// The cases write nothing for the digest of nothing.
fn sha256(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    Sha256::digest(text).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

fn disagreements(case: Case) -> Vec<String> {
    let environment = Environment::parse(case.config.as_bytes());
    let mut found = Vec::new();
    if environment.start_faults().is_empty() != case.starts {
        found.push(format!("starts: the agent {}, ours {:?}", case.starts, environment.start_faults()));
    }
    // The cases tell the setting as it is, and an agent that is told none joins `default`.
    let cluster = if case.cluster.is_empty() { "default" } else { &case.cluster };
    if environment.cluster() != cluster {
        found.push(format!("cluster: the agent {cluster:?}, ours {:?}", environment.cluster()));
    }
    let map = AuthMap::read(&environment.auth());
    for (image, seen) in case.images {
        let seen: BTreeSet<_> = seen.into_iter().map(Seen::told_by_the_daemon).collect();
        let answer = map.lookup(&image);
        let ours: BTreeSet<_> =
            answer.candidates().iter().map(|candidate| Seen::from(&candidate.auth)).collect();
        if ours != seen || answer.is_random() != (seen.len() > 1) {
            found.push(format!("{image}: the agent {seen:?}, ours {ours:?}"));
        }
    }
    found.into_iter().map(|what| format!("{}: {what}\n    {:?}", case.id, case.config)).collect()
}

fn agrees(json: &str, count: usize) {
    let cases: Vec<Case> = serde_json::from_str(json).expect("the cases are readable");
    assert_eq!(cases.len(), count);
    let found: Vec<_> = cases.into_iter().flat_map(disagreements).collect();
    assert!(found.is_empty(), "{} disagreements:\n{}", found.len(), found.join("\n"));
}

#[test]
fn agrees_with_the_agent_in_every_lookup() {
    agrees(include_str!("conformance/ecs-agent-lookups.json"), 600);
}

#[test]
fn agrees_with_the_agent_on_odd_json() {
    agrees(include_str!("conformance/json-traps.json"), 200);
}
