//! Which credential an agent would pull an image with, and why.
//!
//! The answer is [`crate::agent::lookup`]'s and this module must not come to another: it only tells the rule by which
//! the agent came there, and what in the file stands in the way of something better. It tells usernames and keys, never
//! what is secret.

mod reason;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::agent::auth::{Reading, host_of, printable_key};
use crate::agent::lookup::registry_host;
use crate::agent::warning::Warning;
use crate::agent::{AuthSetting, Entry, PullAuth, Rule, lookup};
use crate::document::{Document, Form};
use crate::lint::{self, Severity};
use crate::server::DOCKER_HUB_HOSTS;

pub use reason::{NearMiss, Reason};

/// What a pull of one image would use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Explanation {
    /// As it was asked for.
    pub image: String,
    pub answer: Answer,
    /// What the agent could take, in the order of the file. Not empty; more than one where it answers at random, or
    /// where several keys have the same credential.
    pub candidates: Vec<Candidate>,
    /// Why, the most important first. Sentences for a person.
    #[schemars(with = "Vec<String>")]
    pub reasons: Vec<Reason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// One username and password, or one token.
    Credential,
    /// A pull without any.
    Anonymous,
    /// Another one at each start of the agent.
    Random,
}

/// One thing that the agent could take.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Candidate {
    /// The key as it stands in the file, but for a password in it; none for a pull without credentials.
    pub key: Option<String>,
    /// None for a pull without credentials.
    pub username: Option<String>,
}

/// Explains what an agent that was given this file would pull `image` with.
pub fn explain(document: &Document, image: &str) -> Explanation {
    let found = document.map().lookup(image);
    let answer = match found.certain() {
        None => Answer::Random,
        Some(PullAuth::Anonymous) => Answer::Anonymous,
        Some(PullAuth::Login(_) | PullAuth::Token { .. }) => Answer::Credential,
    };
    let mut candidates = Vec::new();
    for candidate in found.candidates().iter().map(Candidate::of) {
        if !candidates.contains(&candidate) {
            candidates.push(candidate);
        }
    }
    let reasons = reasons(document, image, &found, answer);
    Explanation { image: image.to_owned(), answer, candidates, reasons }
}

impl Candidate {
    fn of(candidate: &lookup::Candidate<'_>) -> Self {
        let username = match candidate.auth {
            PullAuth::Anonymous => return Self { key: None, username: None },
            PullAuth::Login(login) => &login.username,
            PullAuth::Token { username, token: _ } => username,
        };
        Self { key: candidate.key.map(without_password), username: Some(username.clone()) }
    }
}

/// A key as it stands in the file, unless it holds a URL's user information, which can be a password.
fn without_password(key: &str) -> String {
    let has_user = host_of(crate::agent::auth::strip_scheme(key)).contains('@');
    if has_user { printable_key(key) } else { key.to_owned() }
}

fn reasons(document: &Document, image: &str, found: &lookup::Answer<'_>, answer: Answer) -> Vec<Reason> {
    let mut reasons: Vec<Reason> =
        document.environment().start_faults().into_iter().map(Reason::NoStart).collect();
    let host = registry_host(image);
    match ecr(host) {
        Some(Ecr::Private) => reasons.push(Reason::Ecr),
        Some(Ecr::Public) => reasons.push(Reason::PublicEcr),
        None => {}
    }
    reasons.extend(misnamed(image, host));
    let picked = found.candidates().iter().filter_map(|candidate| picked(candidate, image, host));
    reasons.extend(picked);
    match answer {
        Answer::Credential if found.candidates().len() > 1 => reasons.push(Reason::SameCredential),
        Answer::Credential => {}
        Answer::Random => reasons.push(Reason::Random),
        Answer::Anonymous => reasons.extend(missing(document, image, host)),
    }
    if answer != Answer::Credential {
        reasons.extend(linted(document));
    }
    match document.form() {
        Form::EcsConfig => {}
        Form::DockerConfig => reasons.push(Reason::DockerConfig),
        Form::AuthValue => reasons.extend(document.auth_type().map(Reason::BareValue)),
    }
    reasons.push(Reason::RepositoryCredentials);
    reasons
}

fn picked(candidate: &lookup::Candidate, image: &str, host: &str) -> Option<Reason> {
    let key = printable_key(candidate.key?);
    let host = host.to_owned();
    let how = match candidate.rule {
        Rule::DockerHub => Reason::DockerHub { key },
        Rule::Host => Reason::Host { key, host },
        Rule::LongestPrefix => Reason::Prefix { key, image: image.to_owned() },
        Rule::FirstMet => Reason::FirstMet { key, host },
        Rule::NoEntry => return None,
    };
    Some(match &candidate.auth {
        PullAuth::Anonymous => Reason::Empty(Box::new(how)),
        PullAuth::Token { .. } => Reason::Token(Box::new(how)),
        PullAuth::Login(_) => how,
    })
}

/// Amazon's own registries.
enum Ecr {
    Private,
    Public,
}

/// The hosts of ECR in every partition, FIPS and dual-stack endpoints included
/// (<https://docs.aws.amazon.com/general/latest/gr/ecr.html>).
fn ecr(host: &str) -> Option<Ecr> {
    if host == "public.ecr.aws" || host == "ecr-public.aws.com" {
        return Some(Ecr::Public);
    }
    let (account, rest) = host.split_once('.')?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let is_ecr =
        ["dkr.ecr.", "dkr.ecr-fips.", "dkr-ecr.", "dkr-ecr-fips."].iter().any(|part| rest.starts_with(part));
    (is_account && is_ecr).then_some(Ecr::Private)
}

/// Whether a key is for images of private ECR, which ECS gives a token of their own.
pub(crate) fn is_private_ecr(host: &str) -> bool {
    matches!(ecr(host), Some(Ecr::Private))
}

/// What a person may have meant by an image that the agent takes otherwise.
fn misnamed(image: &str, host: &str) -> Option<Reason> {
    if let Some((scheme @ ("http" | "https"), _)) = image.split_once("://") {
        return Some(Reason::Scheme { scheme: scheme.to_owned() });
    }
    let (first, _) = image.split_once('/')?;
    let is_taken_for_hub = DOCKER_HUB_HOSTS.contains(&host) && !DOCKER_HUB_HOSTS.contains(&first);
    (is_taken_for_hub && first != "library").then(|| Reason::HubUser { user: first.to_owned() })
}

/// Why nothing applies to an image that gets no credential.
fn missing(document: &Document, image: &str, host: &str) -> Vec<Reason> {
    let (auth, map) = (document.auth(), document.map());
    let is_whole = |warning: &Warning| match warning {
        Warning::UnknownType | Warning::Unreadable { .. } | Warning::Wrapped { .. } => true,
        Warning::Skipped { .. }
        | Warning::NoLogin { .. }
        | Warning::DeadHubKey { .. }
        | Warning::SameKey { .. }
        | Warning::NoHostKey { .. }
        | Warning::ServerAddress { .. }
        | Warning::LineBreak { .. } => false,
    };
    let mut reasons: Vec<Reason> = map.warnings().into_iter().filter(is_whole).map(Reason::Warning).collect();
    if *auth.auth_type() == AuthSetting::Off {
        reasons.push(if auth.auth_data().is_empty() { Reason::NoSettings } else { Reason::NoType });
        return reasons;
    }
    if map.problem().is_none() && map.lookup(image).candidates().iter().all(|found| found.key.is_none()) {
        reasons.push(Reason::NoEntry { host: host.to_owned(), entries: map.entries().len() });
    }
    reasons.extend(map.entries().iter().filter_map(|entry| near_miss(entry, host)));
    reasons
}

/// What an entry would have to be like to apply to images of this host, if it nearly does.
fn near_miss(entry: &Entry, host: &str) -> Option<Reason> {
    let (key, normalised) = (printable_key(entry.key()), entry.normalised_key());
    let of_key = host_of(normalised);
    let is_hub = DOCKER_HUB_HOSTS.contains(&host);
    let miss = if is_hub {
        let names_hub = DOCKER_HUB_HOSTS.contains(&of_key) || of_key == "hub.docker.com";
        (names_hub && normalised != lookup::HUB_KEY).then_some(NearMiss::DeadHubKey)
    } else if let (Reading::Skipped(why), true) = (entry.reading(), of_key == host) {
        Some(NearMiss::Skipped(*why))
    } else if of_key == host {
        None
    } else if of_key.eq_ignore_ascii_case(host) {
        Some(NearMiss::Case)
    } else if host_name(of_key) == host_name(host) {
        Some(NearMiss::Port)
    } else {
        None
    };
    let skipped_hub = match entry.reading() {
        Reading::Skipped(why) if is_hub && normalised == lookup::HUB_KEY => Some(NearMiss::Skipped(*why)),
        Reading::Skipped(_) | Reading::Used(_) => None,
    };
    miss.or(skipped_hub).map(|why| Reason::NearMiss { key, why })
}

fn host_name(host: &str) -> &str {
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// What a check of the whole file finds, where that may be why.
fn linted(document: &Document) -> Option<Reason> {
    let findings = lint::lint(document);
    let rules: BTreeSet<_> = findings
        .iter()
        .map(|finding| finding.rule)
        .filter(|rule| rule.severity() == Severity::Error)
        .map(lint::Rule::id)
        .collect();
    (!rules.is_empty()).then(|| Reason::Linted { rules: rules.into_iter().collect() })
}
