//! Our copy of the agent's rules against what the real agent did with the same files: see `conformance/README.md`.

use std::collections::{BTreeMap, BTreeSet};

use regcred_core::agent::{AuthMap, Environment, PullAuth};
use regcred_core::document::{Document, Form};
use regcred_core::explain::{self, Answer};
use regcred_core::lint::{Severity, lint, mend};
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
    let document = Document::read(case.config.as_bytes());
    if document.form() != Form::EcsConfig {
        found.push(format!("it is taken for {:?}", document.form()));
    }
    if !case.starts && lint(&document).iter().all(|finding| finding.severity != Severity::Error) {
        found.push("nothing is found in a file that keeps the agent from starting".to_owned());
    }
    let mended = Environment::parse(mend(&document).text.expose().as_bytes());
    let mended = AuthMap::read(&mended.auth());
    for (image, seen) in case.images {
        let seen: BTreeSet<_> = seen.into_iter().map(Seen::told_by_the_daemon).collect();
        found.extend(misexplained(&document, &image, &seen));
        if let [Seen { username: Some(username), .. }] = seen.iter().collect::<Vec<_>>()[..] {
            let still = mended.lookup(&image);
            let login = still.certain().map(Seen::from);
            let trimmed = |name: &str| name.trim_end_matches(['\r', '\n', '\0']).to_owned();
            let login = login.and_then(|login| login.username);
            if login.as_deref().map(trimmed) != Some(trimmed(username)) {
                found.push(format!("{image}: mended, it is no more the credential of {username:?}"));
            }
        }
        let answer = map.lookup(&image);
        let ours: BTreeSet<_> =
            answer.candidates().iter().map(|candidate| Seen::from(candidate.auth)).collect();
        if ours != seen || answer.is_random() != (seen.len() > 1) {
            found.push(format!("{image}: the agent {seen:?}, ours {ours:?}"));
        }
    }
    found.into_iter().map(|what| format!("{}: {what}\n    {:?}", case.id, case.config)).collect()
}

/// What `explain` says otherwise than what the agent was seen to do.
fn misexplained(document: &Document, image: &str, seen: &BTreeSet<Seen>) -> Option<String> {
    let told = explain::explain(document, image);
    let answer = match seen.iter().collect::<Vec<_>>()[..] {
        [] => panic!("a pull uses something, or nothing"),
        [Seen { anonymous: true, .. }] => Answer::Anonymous,
        [_] => Answer::Credential,
        [_, ..] => Answer::Random,
    };
    let usernames: BTreeSet<_> = seen.iter().map(|seen| seen.username.clone()).collect();
    let told_usernames: BTreeSet<_> = told.candidates.iter().map(|told| told.username.clone()).collect();
    let keys_agree = told.candidates.iter().all(|told| told.key.is_some() == told.username.is_some());
    let is_same =
        told.answer == answer && told_usernames == usernames && keys_agree && !told.reasons.is_empty();
    (!is_same).then(|| format!("{image}: the agent {seen:?}, explained as {told:?}"))
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
