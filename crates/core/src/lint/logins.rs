//! Rules about what entries hold: the username and the password.

use super::place::{Place, key_places};
use super::settings::{docker_member_of, is_of_wrong_type, of_other_type};
use super::{Findings, Rule};
use crate::agent::auth::{Reading, Skip, host_of, printable_key};
use crate::agent::go_json::string_field;
use crate::agent::go_text::decode_base64;
use crate::agent::{AuthType, Entry, Login, PullAuth};
use crate::document::members;
use crate::secret::Secret;

pub(super) fn check(findings: &mut Findings<'_>) {
    let document = findings.document;
    let Some(auth_type) = document.auth_type() else { return };
    let places = key_places(document);
    let of_other: Vec<&str> = if is_of_wrong_type(document) {
        of_other_type(document).into_iter().map(Entry::key).collect()
    } else {
        Vec::new()
    };
    for entry in document.map().entries() {
        if docker_member_of(findings.document, entry.key()).is_some() || of_other.contains(&entry.key()) {
            continue;
        }
        let at = places.get(entry.key()).copied().unwrap_or(Place::FILE);
        let fields = Fields::of(entry);
        match entry.reading() {
            Reading::Skipped(Skip::Base64) => base64(findings, entry, &fields, at),
            Reading::Skipped(Skip::NoColon) => no_colon(findings, entry, &fields, at),
            Reading::Used(PullAuth::Anonymous) => no_login(findings, entry, auth_type, at),
            Reading::Used(PullAuth::Token { .. }) => server_address(findings, entry, at),
            Reading::Used(PullAuth::Login(login)) => {
                server_address(findings, entry, at);
                characters(findings, entry, login, &fields, at);
                halves(findings, entry, login, &fields, at);
            }
        }
    }
}

/// The fields of an entry that matter beyond what the agent reads, as the agent would read them.
pub(super) struct Fields {
    pub(super) auth: Secret,
    pub(super) username: Secret,
    pub(super) password: Secret,
    pub(super) identity_token: Secret,
}

impl Fields {
    pub(super) fn of(entry: &Entry) -> Self {
        let members = members(entry.value().expose()).unwrap_or_default();
        let field = |name| {
            let found = string_field(&members, name).ok().flatten();
            found.unwrap_or_else(|| Secret::from(""))
        };
        Self {
            auth: field("auth"),
            username: field("username"),
            password: field("password"),
            identity_token: field("identitytoken"),
        }
    }
}

/// Standard base64 with padding of a text that is written in another base64, if it is.
pub(super) fn mended_base64(auth: &Secret) -> Option<(Rule, Secret)> {
    let compact: String = auth.expose().chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let is_url_safe = compact.contains(['-', '_']);
    let mut standard = compact.trim_end_matches('=').replace('-', "+").replace('_', "/");
    while !standard.len().is_multiple_of(4) {
        standard.push('=');
    }
    let (compact, standard) = (Secret::new(compact), Secret::new(standard));
    let has_colon = decode_base64(standard.expose())?.contains(&b':');
    let rule = if is_url_safe {
        Rule::Base64UrlSafe
    } else if compact.len() == auth.len() {
        Rule::Base64Unpadded
    } else {
        // White space in the middle.
        Rule::Base64Invalid
    };
    has_colon.then_some((rule, standard))
}

fn base64(findings: &mut Findings<'_>, entry: &Entry, fields: &Fields, at: Place) {
    let key = printable_key(entry.key());
    let why =
        "the agent reads standard base64 with padding only: it leaves out the entry, and pulls anonymously";
    let rule = mended_base64(&fields.auth).map_or(Rule::Base64Invalid, |(rule, _)| rule);
    let (what, to_do) = match rule {
        Rule::Base64UrlSafe => (
            format!("the `auth` of `{key}` is base64 with the alphabet of URLs, `-` and `_`"),
            "encode it with `+` and `/`, as the command base64 does",
        ),
        Rule::Base64Unpadded => (
            format!("the `auth` of `{key}` is base64 without its padding"),
            "write the missing `=` behind it",
        ),
        _ => (
            format!("the `auth` of `{key}` is no base64"),
            "write the base64 of username:password: printf %s 'user:password' | base64 -w0",
        ),
    };
    findings.add(rule, at, what, why, to_do);
}

fn no_colon(findings: &mut Findings<'_>, entry: &Entry, fields: &Fields, at: Place) {
    let key = printable_key(entry.key());
    if !fields.auth.is_empty() {
        findings.add(
            Rule::NoColon,
            at,
            format!("what the `auth` of `{key}` holds has no ':'"),
            "the agent finds no end of the username: it leaves out the entry, and pulls anonymously",
            "write the base64 of username:password: printf %s 'user:password' | base64 -w0",
        );
    } else if fields.identity_token.is_empty() {
        let has_pair = !fields.username.is_empty() || !fields.password.is_empty();
        findings.add(
            Rule::NoAuth,
            at,
            if has_pair {
                format!("`{key}` has username and password in place of `auth`")
            } else {
                format!("`{key}` has no `auth`")
            },
            "of type `dockercfg` the agent reads `auth` alone: it leaves out the entry, and pulls anonymously",
            "write {\"auth\":\"…\"} with the base64 of username:password",
        );
        colon(findings, entry, fields, at);
    } else {
        identity_token(findings, entry, at);
    }
}

fn identity_token(findings: &mut Findings<'_>, entry: &Entry, at: Place) {
    findings.add(
        Rule::IdentityToken,
        at,
        format!("`{}` holds an identity token", printable_key(entry.key())),
        "of type `dockercfg` the agent reads `auth` alone: the token is not used",
        "log in with an access token or a robot account that has a password",
    );
}

fn no_login(findings: &mut Findings<'_>, entry: &Entry, auth_type: AuthType, at: Place) {
    let to_do = match auth_type {
        AuthType::Docker => "write {\"username\":\"…\",\"password\":\"…\"}, or remove the entry",
        AuthType::Dockercfg => {
            "write {\"auth\":\"…\"} with the base64 of username:password, or remove the entry"
        }
    };
    findings.add(
        Rule::NoLogin,
        at,
        format!("`{}` has no username and no password", printable_key(entry.key())),
        "pulls that come to this entry are anonymous, and the agent logs nothing",
        to_do,
    );
}

fn server_address(findings: &mut Findings<'_>, entry: &Entry, at: Place) {
    if entry.server_address().is_some_and(|address| address != host_of(entry.normalised_key())) {
        findings.add(
            Rule::ServerAddress,
            at,
            format!("`{}` has a `serveraddress` that is not its host", printable_key(entry.key())),
            "the agent hands it to Docker, which from version 29 on uses a credential for exactly that host only",
            "remove `serveraddress`",
        );
    }
}

fn characters(findings: &mut Findings<'_>, entry: &Entry, login: &Login, fields: &Fields, at: Place) {
    let key = printable_key(entry.key());
    let either = |odd: &[char]| login.username.contains(odd) || login.password.expose().contains(odd);
    if either(&['\r', '\n']) {
        findings.add(
            Rule::LineBreak,
            at,
            format!("the username or password of `{key}` has a line break"),
            "it is sent to the registry as a part of it, which answers 401; `echo` writes one unless it is told `-n`",
            "encode it again without: printf %s 'user:password' | base64 -w0",
        );
    }
    if either(&['\0']) {
        findings.add(
            Rule::NulInLogin,
            at,
            format!("the username or password of `{key}` has a NUL"),
            "Docker's client takes it off, the agent does not: it is sent to the registry, which answers 401",
            "encode it again without: printf %s 'user:password' | base64 -w0",
        );
    }
    if decode_base64(fields.auth.expose()).is_some_and(|bytes| std::str::from_utf8(&bytes).is_err()) {
        findings.add(
            Rule::LoginNotUtf8,
            at,
            format!("the username or password of `{key}` is no UTF-8"),
            "on the way to Docker each byte that is none becomes U+FFFD, and the registry answers 401",
            "encode it again as UTF-8",
        );
    }
}

fn halves(findings: &mut Findings<'_>, entry: &Entry, login: &Login, fields: &Fields, at: Place) {
    if findings.document.auth_type() == Some(AuthType::Dockercfg) {
        if !fields.identity_token.is_empty() && login.password.is_empty() {
            identity_token(findings, entry, at);
            return;
        }
        colon(findings, entry, fields, at);
    }
    if login.username.is_empty() || login.password.is_empty() {
        let half = if login.username.is_empty() { "username" } else { "password" };
        findings.add(
            Rule::HalfALogin,
            at,
            format!("the {half} of `{}` is empty", printable_key(entry.key())),
            "the agent uses the entry as it is; hardly any registry accepts it",
            format!("write the {half}"),
        );
    }
}

fn colon(findings: &mut Findings<'_>, entry: &Entry, fields: &Fields, at: Place) {
    if fields.username.expose().contains(':') {
        findings.add(
            Rule::ColonInUsername,
            at,
            format!("the username of `{}` has a ':'", printable_key(entry.key())),
            "type `dockercfg` ends the username at the first ':', so the rest of it is taken for the password",
            "use ECS_ENGINE_AUTH_TYPE=docker, or a username without ':'",
        );
    }
}
