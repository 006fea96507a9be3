//! Rules about the type and the data as a whole.

use std::collections::BTreeSet;

use super::lines::{is_meant, joined, settings, uncommented, unquoted};
use super::place::{Place, Written, written};
use super::{Findings, Rule};
use crate::agent::auth::{Problem, Unreadable, printable_key};
use crate::agent::env_file::{ENGINE_AUTH_DATA, ENGINE_AUTH_TYPE};
use crate::agent::{AuthMap, AuthSetting, AuthType, EffectiveAuth, Entry, go_json};
use crate::document::{Data, Document, Form, JSON_SPACE, OF_DOCKER_CONFIG};

/// The other members of Docker's config.json that people carry along (`cli/config/configfile/file.go` of
/// <https://github.com/docker/cli>).
const DOCKER_SETTINGS: [&str; 14] = [
    "HttpHeaders",
    "aliases",
    "cliPluginsExtraDirs",
    "configFormat",
    "currentContext",
    "detachKeys",
    "experimental",
    "features",
    "imagesFormat",
    "plugins",
    "proxies",
    "psFormat",
    "pruneFilters",
    "stackOrchestrator",
];

/// What of Docker's config.json a key is, if it is no registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DockerMember {
    Auths,
    Helper,
    Setting,
}

impl DockerMember {
    pub(super) fn of(key: &str) -> Option<Self> {
        if key == OF_DOCKER_CONFIG[0] {
            Some(Self::Auths)
        } else if OF_DOCKER_CONFIG.contains(&key) {
            Some(Self::Helper)
        } else {
            DOCKER_SETTINGS.contains(&key).then_some(Self::Setting)
        }
    }
}

/// What of Docker's config.json stands among the document's entries under this key. What is below `auths` of such a file
/// are registries, whatever they are called.
pub(super) fn docker_member_of(document: &Document, key: &str) -> Option<DockerMember> {
    DockerMember::of(key).filter(|_| document.form() != Form::DockerConfig)
}

pub(super) fn check(findings: &mut Findings<'_>) {
    auth_type(findings);
    data(findings);
    entries(findings);
    if findings.document.form() == Form::DockerConfig {
        docker_config(findings);
    }
    wrong_type(findings);
}

fn auth_type(findings: &mut Findings<'_>) {
    let document = findings.document;
    let at = type_place(document);
    match document.auth().auth_type() {
        AuthSetting::Off
            if document.auth().auth_data().is_empty() || is_meant(document, ENGINE_AUTH_TYPE) => {}
        AuthSetting::Off => findings.add(
            Rule::TypeMissing,
            Place::of_data(document),
            "ECS_ENGINE_AUTH_DATA is set, and ECS_ENGINE_AUTH_TYPE is not",
            "without a type the agent ignores the data, and logs nothing",
            "add ECS_ENGINE_AUTH_TYPE=dockercfg, or =docker where the entries have username and password",
        ),
        AuthSetting::Unknown(_) if !is_told_of_type(findings) => findings.add(
            Rule::UnknownType,
            at,
            "the type is neither `docker` nor `dockercfg`",
            "the agent knows these two only, to the letter: it uses no credential at all",
            "write `dockercfg` where the entries have `auth`, `docker` where they have username and password",
        ),
        AuthSetting::Unknown(_) | AuthSetting::Type(_) => {}
    }
}

/// Whether a rule about lines has said already why the type is unknown.
fn is_told_of_type(findings: &Findings<'_>) -> bool {
    let line = type_place(findings.document).line;
    let tells = [Rule::QuotedValue, Rule::InlineComment, Rule::CarriageReturn, Rule::Continuation];
    findings.found.iter().any(|found| found.line == line && tells.contains(&found.rule))
}

fn type_place(document: &Document) -> Place {
    if document.form() != Form::EcsConfig {
        return Place::FILE;
    }
    let of_type = settings(document.text().expose()).into_iter().rfind(|set| set.name == ENGINE_AUTH_TYPE);
    of_type.map_or(Place::FILE, |set| Place::line(set.line))
}

/// Why the agent drops the data as a whole. Which type it has makes no difference to whether it is JSON.
fn data(findings: &mut Findings<'_>) {
    let document = findings.document;
    let Some(Data { start, text }) = document.data() else {
        if matches!(document.auth().auth_type(), AuthSetting::Type(_)) {
            missing(findings);
        }
        return;
    };
    if text.is_empty() {
        if matches!(document.auth().auth_type(), AuthSetting::Type(_)) {
            missing(findings);
        }
        return;
    }
    let at = Place::of_byte(document.text().expose(), start);
    if unquoted(text).is_some() || text.starts_with(['\'', '"']) {
        findings.add(
            Rule::QuotedValue,
            at,
            "the data is in quotes",
            "ecs-init takes the quotes for a part of it, and then it is no JSON object: the agent drops all of it",
            "write it without quotes, and without backslashes before those in it",
        );
    } else if joined(document).is_some() {
        findings.add(
            Rule::MultiLineData,
            at,
            "the data is spread over several lines",
            "agents read only what stands in the line of ECS_ENGINE_AUTH_DATA, which is no JSON: they drop all of it",
            "write it in one line, as `jq -c .` does",
        );
    } else if document.form() == Form::EcsConfig && uncommented(ENGINE_AUTH_DATA, text).is_some() {
        // The rules about lines have said it.
    } else if let Some(fault) = go_json::first_fault(text) {
        let is_continued = text.ends_with('\\') && findings.has(Rule::Continuation);
        if !is_continued && !marked(document) {
            findings.add(
                Rule::NotJson,
                Place::of_byte(document.text().expose(), start + fault),
                "the data is no JSON from here on",
                "the agent drops all of it, and logs one line: Could not parse '…' type auth config",
                "write one JSON object, {\"registry\":{\"auth\":\"…\"}}, and nothing behind it",
            );
        }
    } else if go_json::parse(text).is_some_and(|json| !json.is_null() && json.named_members().is_none()) {
        findings.add(
            Rule::NotAnObject,
            at,
            "the data is JSON, but no object",
            "the agent drops all of it",
            "write one JSON object, {\"registry\":{\"auth\":\"…\"}}",
        );
    } else {
        one_line(findings, text, at);
        ascii(findings, text, start);
    }
}

fn marked(document: &Document) -> bool {
    document.form() != Form::EcsConfig
        && document.text().expose().starts_with(crate::document::BYTE_ORDER_MARK)
}

fn missing(findings: &mut Findings<'_>) {
    if is_meant(findings.document, ENGINE_AUTH_DATA) {
        return;
    }
    findings.add(
        Rule::DataMissing,
        type_place(findings.document),
        "ECS_ENGINE_AUTH_TYPE is set, and ECS_ENGINE_AUTH_DATA is not",
        "the agent logs one line, and uses no credential",
        "add ECS_ENGINE_AUTH_DATA={…}, or remove the type",
    );
}

/// A bare value goes behind ECS_ENGINE_AUTH_DATA= as it is.
fn one_line(findings: &mut Findings<'_>, text: &str, at: Place) {
    if findings.document.form() == Form::AuthValue && text.contains('\n') {
        findings.add(
            Rule::MultiLineData,
            at,
            "the value is spread over several lines",
            "of a value in an ecs.config, agents read the first line only: they would drop all of it",
            "write it in one line, as `jq -c .` does",
        );
    }
}

fn ascii(findings: &mut Findings<'_>, text: &str, start: usize) {
    let odd = text.char_indices().find(|(_, c)| !matches!(c, ' '..='~') && !JSON_SPACE.contains(c));
    if let Some((at, _)) = odd
        && findings.document.form() != Form::DockerConfig
    {
        findings.add(
            Rule::NonAscii,
            Place::of_byte(findings.document.text().expose(), start + at),
            "the data has characters outside of ASCII",
            "the agent reads them; `docker run --env-file` and systemd refuse a line with a byte that they take for none",
            "write them as \\u…, which is the same to the agent",
        );
    }
}

/// What is wrong with entries by what they are, before anyone reads a login in them.
fn entries(findings: &mut Findings<'_>) {
    let document = findings.document;
    let unreadable = match document.map().problem() {
        Some(Problem::Unreadable { why, .. }) => Some(why),
        Some(Problem::UnknownType) | None => None,
    };
    let mut seen = BTreeSet::new();
    let written = written(document);
    for Written { name, value } in written.iter().rev() {
        let key = Written { name, value: *value }.key();
        let (at, shown) = (Place::of(document, name), printable_key(&key));
        if !seen.insert(key.clone()) {
            findings.add(
                Rule::RepeatedEntry,
                at,
                format!("the key `{shown}` stands again later"),
                "only its last entry counts: this one is read by nobody, and may hold an old secret",
                "remove this entry, or the later one where this is the right one",
            );
        }
        if let Some(member) = docker_member_of(document, &key) {
            docker_member(findings, member, &shown, at);
        } else if !value.is_null() && value.named_members().is_none() {
            findings.add(
                Rule::EntryNotAnObject,
                at,
                format!("the value of `{shown}` is no JSON object"),
                "one such entry, and the agent drops all of the data",
                "write {\"auth\":\"…\"} as its value, or remove the entry",
            );
        } else if let Some(Unreadable::FieldNotAString { key: first }) = unreadable
            && (*first == key || has_field_that_is_no_string(document, &key, value.text()))
        {
            findings.add(
                Rule::FieldNotAString,
                at,
                format!("a field of `{shown}` is no JSON string"),
                "one such field, and the agent drops all of the data",
                "write the field in quotes, or remove it",
            );
        }
    }
}

fn has_field_that_is_no_string(document: &Document, key: &str, value: &str) -> bool {
    let Some(auth_type) = document.auth_type() else { return false };
    let alone = alone(auth_type, key, value);
    matches!(alone.problem(), Some(Problem::Unreadable { why: Unreadable::FieldNotAString { .. }, .. }))
}

/// What the agent makes of one entry without the others.
pub(super) fn alone(auth_type: AuthType, key: &str, value: &str) -> AuthMap {
    use crate::formats::ascii_json::{MOST_PER_BYTE, push_string};
    let mut json = String::with_capacity(MOST_PER_BYTE * key.len() + value.len() + "{:}".len() + 2);
    json.push('{');
    push_string(&mut json, key);
    json.push(':');
    json.push_str(value);
    json.push('}');
    let data = crate::secret::Secret::new(json);
    AuthMap::read(&EffectiveAuth::new(auth_type.as_str(), data.expose()))
}

fn docker_member(findings: &mut Findings<'_>, member: DockerMember, key: &str, at: Place) {
    match member {
        DockerMember::Auths => findings.add(
            Rule::AuthsWrapper,
            at,
            "the entries are wrapped in `auths`, as in Docker's config.json",
            "the agent takes `auths` for a registry's name, and finds no other",
            "write what is in `auths` alone, as `jq -c .auths` does",
        ),
        DockerMember::Helper => helper(findings, key, at),
        DockerMember::Setting => findings.add(
            Rule::DockerConfigMember,
            at,
            format!("`{key}` is a setting of Docker's client"),
            "the agent takes it for a registry, and drops all of the data if it is no object",
            "remove it",
        ),
    }
}

fn helper(findings: &mut Findings<'_>, key: &str, at: Place) {
    findings.add(
        Rule::CredentialHelper,
        at,
        format!("`{key}` names a credential helper of Docker's"),
        "the agent asks none, so a credential that is kept there is not used",
        "write an entry with `auth` for each registry, which regcred does from a `docker_config` source",
    );
}

fn docker_config(findings: &mut Findings<'_>) {
    let document = findings.document;
    let Some(top) = document.data().and_then(|data| go_json::parse(data.text)) else { return };
    for (name, _) in top.named_members().unwrap_or_default() {
        let key = go_json::unquote(name);
        match DockerMember::of(&key) {
            Some(member @ (DockerMember::Auths | DockerMember::Helper)) => {
                docker_member(findings, member, &key, Place::of(document, name));
            }
            Some(DockerMember::Setting) | None => {}
        }
    }
}

/// The entries that are logins under the other type, and none under the one that the file has.
pub(super) fn of_other_type(document: &Document) -> Vec<&Entry> {
    let Some(auth_type) = document.auth_type() else { return Vec::new() };
    let other = other(auth_type);
    let is_of_other = |entry: &&Entry| {
        !entry.is_login()
            && alone(other, entry.key(), entry.value().expose()).entries().iter().any(Entry::is_login)
    };
    document.map().entries().iter().filter(is_of_other).collect()
}

pub(super) fn other(auth_type: AuthType) -> AuthType {
    match auth_type {
        AuthType::Docker => AuthType::Dockercfg,
        AuthType::Dockercfg => AuthType::Docker,
    }
}

/// Whether the type is wrong, and not one entry or another: no entry fits it, and some fit the other.
pub(super) fn is_of_wrong_type(document: &Document) -> bool {
    document.form() == Form::EcsConfig
        && !of_other_type(document).is_empty()
        && document.map().entries().iter().all(|entry| !entry.is_login())
}

fn wrong_type(findings: &mut Findings<'_>) {
    let document = findings.document;
    if let Some(auth_type) = document.auth_type()
        && is_of_wrong_type(document)
    {
        findings.add(
            Rule::WrongType,
            type_place(document),
            format!("the type is `{auth_type}`, and the entries are written for `{}`", other(auth_type)),
            match auth_type {
                AuthType::Docker => "of an entry with `auth` alone the agent takes no username and no password: pulls are anonymous",
                AuthType::Dockercfg => "the agent reads nothing but `auth`, leaves out every entry, and pulls anonymously",
            },
            format!("write ECS_ENGINE_AUTH_TYPE={}", other(auth_type)),
        );
    }
}
