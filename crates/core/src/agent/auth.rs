//! What the agent makes of `ECS_ENGINE_AUTH_TYPE` and `ECS_ENGINE_AUTH_DATA`.
//!
//! `parseAuthData` in the agent's `agent/dockerclient/dockerauth/dockerauth.go`. Nothing in these two settings ever
//! keeps the agent from starting, and nothing is reported upward: a value that it cannot read is one line in its log,
//! and then it pulls anonymously.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::agent::go_json::{self, Value, string_field};
use crate::agent::go_text::{decode_base64, replace_invalid};
use crate::credential::Credential;
use crate::fingerprint::{FingerprintKey, Revision};
use crate::secret::Secret;

/// The two types of authentication data that the agent knows; their names are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthType {
    /// `{"registry":{"username":"…","password":"…"}}`
    Docker,
    /// `{"registry":{"auth":"base64 of username:password"}}`
    Dockercfg,
}

impl AuthType {
    pub const ALL: [Self; 2] = [Self::Docker, Self::Dockercfg];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Dockercfg => "dockercfg",
        }
    }
}

impl fmt::Display for AuthType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is neither `docker` nor `dockercfg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the type is neither `docker` nor `dockercfg`")]
pub struct UnknownAuthType;

impl FromStr for AuthType {
    type Err = UnknownAuthType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|auth_type| auth_type.as_str() == text).ok_or(UnknownAuthType)
    }
}

/// `ECS_ENGINE_AUTH_TYPE` as the agent takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthSetting {
    /// Empty or missing: no authentication, and nothing is logged.
    Off,
    Type(AuthType),
    /// Anything else: no authentication. A secret, because in a file with CR line ends the value swallows the next
    /// line, which is the authentication data (and the agent logs it).
    Unknown(Secret),
}

/// The authentication type and data that an agent has loaded, or will at its next start: what a revision names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveAuth {
    auth_type: AuthSetting,
    auth_data: Secret,
}

impl EffectiveAuth {
    /// From the variables' values. The agent trims the type; of the data, only the white space that JSON allows makes
    /// no difference, so only that is taken off.
    pub fn new(auth_type: &str, auth_data: &str) -> Self {
        let auth_type = match auth_type.trim() {
            "" => AuthSetting::Off,
            text => text.parse().map_or_else(|_| AuthSetting::Unknown(Secret::from(text)), AuthSetting::Type),
        };
        let auth_data = Secret::from(auth_data.trim_matches([' ', '\t', '\r', '\n']));
        Self { auth_type, auth_data }
    }

    /// Of an agent whose ecs.config has none of the two settings.
    pub fn none() -> Self {
        Self::new("", "")
    }

    pub fn auth_type(&self) -> &AuthSetting {
        &self.auth_type
    }

    pub fn auth_data(&self) -> &Secret {
        &self.auth_data
    }

    /// What names this type and data without telling them. An ecs.config without either has a revision too.
    pub fn revision(&self, key: &FingerprintKey) -> Revision {
        let auth_type = match &self.auth_type {
            AuthSetting::Off => "",
            AuthSetting::Type(auth_type) => auth_type.as_str(),
            AuthSetting::Unknown(text) => text.expose(),
        };
        key.revision(auth_type, &self.auth_data)
    }
}

/// A username and a password as the agent has them: either may be empty, and hold what no [`Credential`] may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub password: Secret,
}

impl Login {
    /// Whether it is this credential and no other.
    pub fn is(&self, credential: &Credential) -> bool {
        self.username == credential.username() && self.password == *credential.secret()
    }
}

/// What the Docker daemon is told to authenticate a pull with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullAuth {
    Anonymous,
    Login(Login),
    /// An identity or registry token, in data of type `docker` only. The daemon prefers it to username and password.
    Token {
        username: String,
        token: Secret,
    },
}

impl PullAuth {
    fn from_login(login: Login) -> Self {
        if login.username.is_empty() && login.password.is_empty() {
            Self::Anonymous
        } else {
            Self::Login(login)
        }
    }

    /// Whether it is a login with exactly this credential.
    pub fn is_login(&self, credential: &Credential) -> bool {
        match self {
            Self::Login(login) => login.is(credential),
            Self::Anonymous | Self::Token { .. } => false,
        }
    }
}

/// One registry's entry, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    key: String,
    value: Secret,
    reading: Reading,
    server_address: Option<String>,
}

/// What the agent makes of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    Used(PullAuth),
    /// The agent leaves this entry out, and says so in its log.
    Skipped(Skip),
}

/// Why the agent leaves out one entry and keeps the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// `auth` is not base64 of the standard alphabet with padding.
    Base64,
    /// What `auth` holds has no ':', or there is no `auth`.
    NoColon,
}

impl Entry {
    /// The key as it is written.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The key as the agent compares it.
    pub fn normalised_key(&self) -> &str {
        strip_scheme(&self.key)
    }

    /// The entry's JSON as it is written.
    pub fn value(&self) -> &Secret {
        &self.value
    }

    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// What a pull uses that picks this entry; nothing if the agent skips it.
    pub fn pull_auth(&self) -> Option<&PullAuth> {
        match &self.reading {
            Reading::Used(auth) => Some(auth),
            Reading::Skipped(_) => None,
        }
    }

    /// Whether a pull that picks this entry has a username or a password.
    pub fn is_login(&self) -> bool {
        matches!(self.reading, Reading::Used(PullAuth::Login(_) | PullAuth::Token { .. }))
    }

    /// The server address that it names, by which Docker 29 and later choose whether to use it at all
    /// (<https://github.com/aws/amazon-ecs-agent/pull/5097>).
    pub fn server_address(&self) -> Option<&str> {
        self.server_address.as_deref()
    }
}

/// A registry's key without its scheme, as the agent compares it: `stripRegistrySchema`. Nothing else is normalised.
pub fn strip_scheme(key: &str) -> &str {
    key.strip_prefix("http://").or_else(|| key.strip_prefix("https://")).unwrap_or(key)
}

/// A key as it may be printed: no user information of a URL, no control characters.
pub fn printable_key(key: &str) -> String {
    let bare = strip_scheme(key);
    let scheme = &key[..key.len() - bare.len()];
    let host_end = bare.find('/').unwrap_or(bare.len());
    let shown = match bare[..host_end].rfind('@') {
        Some(at) => format!("{scheme}…{}", &bare[at..]),
        None => key.to_owned(),
    };
    shown.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// The agent's map of registries, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthMap {
    entries: Vec<Entry>,
    problem: Option<Problem>,
}

/// Why there is no map at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    UnknownType,
    Unreadable { auth_type: AuthType, why: Unreadable },
}

/// Why the agent drops the data as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    Empty,
    /// Quotes round the value: ecs-init takes them for a part of it.
    Quoted,
    NotJson,
    NotAnObject,
    /// One entry that is no object takes all others with it.
    EntryNotAnObject {
        key: String,
    },
    /// One field that is no string takes all entries with it.
    FieldNotAString {
        key: String,
    },
}

impl AuthMap {
    /// Reads the settings as the agent does.
    pub fn read(auth: &EffectiveAuth) -> Self {
        let (entries, problem) = match auth.auth_type() {
            AuthSetting::Off => (Vec::new(), None),
            AuthSetting::Unknown(_) => (Vec::new(), Some(Problem::UnknownType)),
            AuthSetting::Type(auth_type) => match read_entries(*auth_type, auth.auth_data()) {
                Ok(entries) => (entries, None),
                Err(why) => (Vec::new(), Some(Problem::Unreadable { auth_type: *auth_type, why })),
            },
        };
        Self { entries, problem }
    }

    /// All entries in the order of the file, those included that the agent skips.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }
}

fn read_entries(auth_type: AuthType, data: &Secret) -> Result<Vec<Entry>, Unreadable> {
    let text = data.expose();
    let Some(json) = go_json::parse(text) else {
        return Err(match text.as_bytes() {
            [] => Unreadable::Empty,
            [b'\'' | b'"', ..] => Unreadable::Quoted,
            _ => Unreadable::NotJson,
        });
    };
    if json.is_null() {
        return Ok(Vec::new());
    }
    let members = json.members().ok_or(match text.as_bytes() {
        [b'"', ..] => Unreadable::Quoted,
        _ => Unreadable::NotAnObject,
    })?;
    let mut entries: Vec<Entry> = Vec::with_capacity(members.len());
    for (key, value) in members {
        let entry = read_entry(auth_type, key, value)?;
        // A key that is given twice is one entry of Go's map: the last.
        entries.retain(|earlier| earlier.key != entry.key);
        entries.push(entry);
    }
    Ok(entries)
}

/// An entry that is `null` is an empty one: Go leaves the struct as it was.
fn read_entry(auth_type: AuthType, key: String, value: Value<'_>) -> Result<Entry, Unreadable> {
    let members = match value.members() {
        Some(members) => members,
        None if value.is_null() => Vec::new(),
        None => return Err(Unreadable::EntryNotAnObject { key }),
    };
    let field = |name| {
        string_field(&members, name)
            .map(|found| found.unwrap_or_else(|| Secret::from("")))
            .map_err(|_| Unreadable::FieldNotAString { key: key.clone() })
    };
    let (reading, server_address) = match auth_type {
        AuthType::Docker => {
            // All the strings of docker's registry.AuthConfig: each that is no string spoils the whole.
            let (username, password) = (field("username")?.expose().to_owned(), field("password")?);
            let (identity, registry) = (field("identitytoken")?, field("registrytoken")?);
            let (server_address, _, _) = (field("serveraddress")?, field("auth")?, field("email")?);
            let token = if registry.is_empty() { identity } else { registry };
            let auth = if token.is_empty() {
                PullAuth::from_login(Login { username, password })
            } else {
                PullAuth::Token { username, token }
            };
            let server_address = Some(server_address.expose()).filter(|address| !address.is_empty());
            (Reading::Used(auth), server_address.map(str::to_owned))
        }
        AuthType::Dockercfg => (read_auth_field(&field("auth")?), None),
    };
    let value = Secret::from(value.text());
    Ok(Entry { key, value, reading, server_address })
}

/// `auth` of a `dockercfg` entry: base64 of username, ':' and password. Bytes that are no text are replaced when the
/// agent hands them to Docker as JSON.
fn read_auth_field(auth: &Secret) -> Reading {
    let Some(decoded) = decode_base64(auth.expose()) else {
        return Reading::Skipped(Skip::Base64);
    };
    let Some(colon) = decoded.iter().position(|&byte| byte == b':') else {
        return Reading::Skipped(Skip::NoColon);
    };
    Reading::Used(PullAuth::from_login(Login {
        username: replace_invalid(&decoded[..colon]),
        password: Secret::new(replace_invalid(&decoded[colon + 1..])),
    }))
}

/// What the agent takes for the host of a key or an image: all before the first '/'.
pub(crate) fn host_of(key: &str) -> &str {
    key.split_once('/').map_or(key, |(host, _)| host)
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Quoted => f.write_str("it is in quotes, which are taken for a part of it"),
            Self::NotJson => f.write_str("it is not JSON"),
            Self::NotAnObject => f.write_str("it is no JSON object"),
            Self::EntryNotAnObject { key } => {
                write!(f, "the value of `{}` is no JSON object", printable_key(key))
            }
            Self::FieldNotAString { key } => {
                write!(f, "a field of `{}` is no JSON string", printable_key(key))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a pull from `r.io` surely uses: nothing, `username:password`, or `username|token`.
    fn pull(auth_type: &str, data: &str) -> String {
        let map = AuthMap::read(&EffectiveAuth::new(auth_type, data));
        match map.lookup("r.io/a").certain() {
            Some(PullAuth::Anonymous) => String::new(),
            Some(PullAuth::Login(login)) => format!("{}:{}", login.username, login.password.expose()),
            Some(PullAuth::Token { username, token }) => format!("{username}|{}", token.expose()),
            None => panic!("{data} is random"),
        }
    }

    #[test]
    fn dockercfg_is_read_as_the_agent_reads_it() {
        for (data, expected) in [
            (r#"{"r.io":{"auth":"dTpw"}}"#, "u:p"),
            (r#"{"r.io":{"AUTH":"dTpw","email":"e@x","username":1}}"#, "u:p"),
            (r#"{"r.io":{"auth":"dTpwOnE="}}"#, "u:p:q"),
            (r#"{"r.io":{"auth":"dTpwCg=="}}"#, "u:p\n"),
            (r#"{"r.io":{"auth":"dT\r\npw"}}"#, "u:p"),
            (r#"{"r.io":{"auth":"dTo="}}"#, "u:"),
            (r#"{"r.io":{"auth":"OnA="}}"#, ":p"),
            (r#"{"r.io":{"auth":"Og=="}}"#, ""),
            (r#"{"r.io":{"auth":"dTr/"}}"#, "u:\u{fffd}"),
            (r#"{"r.io":{"auth":"eDp5"},"r.io":{"auth":"dTpw"}}"#, "u:p"),
            (r#"{"r.io":{"auth":"eDp5"},"r.io":null}"#, ""),
            (r#"{"r.io":{"username":"u","password":"p"}}"#, ""),
            (r#"{"r.io":{"identitytoken":"t"}}"#, ""),
            (r#"{"r.io":{"auth":"dTpwcQ"}}"#, ""),
            (r#"{"r.io":{"auth":"dTpw"},"q.io":{"auth":"junk!"}}"#, "u:p"),
            (r#"{"r.io":{"auth":"dTpw"},"q.io":{"auth":1}}"#, ""),
            (r#"{"r.io":{"auth":"dTpw"},"credsStore":"x"}"#, ""),
            (r#"{"r.io":{"auth":"dTpw"},"HttpHeaders":{"a":1}}"#, "u:p"),
            (r#"{"auths":{"r.io":{"auth":"dTpw"}}}"#, ""),
            (r#"{"r.io":{"auth":"dTpw"}},"#, ""),
        ] {
            assert_eq!(pull("dockercfg", data), expected, "{data}");
        }
    }

    #[test]
    fn docker_is_read_as_the_agent_reads_it() {
        for (data, expected) in [
            (r#"{"r.io":{"username":"u","password":"p"}}"#, "u:p"),
            (r#"{"r.io":{"Username":"u","PASSWORD":"p","email":"e","other":[]}}"#, "u:p"),
            (r#"{"r.io":{"username":"u","password":"p","identitytoken":"t"}}"#, "u|t"),
            (r#"{"r.io":{"username":"u","registrytoken":"r","identitytoken":"t"}}"#, "u|r"),
            (r#"{"r.io":{"auth":"dTpw"}}"#, ""),
            (r#"{"r.io":null}"#, ""),
            (r#"{"r.io":{"username":"u","password":"p","auth":1}}"#, ""),
            (r#"{"r.io":{"username":"u","password":"p"},"q.io":"x"}"#, ""),
            ("{}", ""),
            ("null", ""),
            ("", ""),
        ] {
            assert_eq!(pull("docker", data), expected, "{data}");
        }
    }

    #[test]
    fn only_the_exact_types_count() {
        let data = r#"{"r.io":{"username":"u","password":"p"}}"#;
        for (auth_type, expected) in [
            ("docker", "u:p"),
            (" docker\t", "u:p"),
            ("Docker", ""),
            ("\"docker\"", ""),
            ("", ""),
            ("dockercfg", ""),
        ] {
            assert_eq!(pull(auth_type, data), expected, "{auth_type}");
        }
    }

    #[test]
    fn a_revision_follows_what_an_agent_would_take() {
        let key = FingerprintKey::from_bytes([1; 32]);
        let revision = |auth_type, data| EffectiveAuth::new(auth_type, data).revision(&key);
        assert_eq!(revision("docker", "{}"), revision(" docker ", "\t{} "));
        assert_ne!(revision("docker", "{}"), revision("dockercfg", "{}"));
        assert_ne!(revision("docker", "{}"), revision("docker", "\u{a0}{}"), "which is no JSON");
        assert_eq!(revision("", ""), EffectiveAuth::none().revision(&key));
    }

    #[test]
    fn a_key_is_printed_without_what_could_be_a_secret_or_a_control_character() {
        for (key, printed) in [
            ("https://r.io/a@b", "https://r.io/a@b"),
            ("https://user:hunter2@r.io/a", "https://…@r.io/a"),
            ("user@r.io", "…@r.io"),
            ("r.io\u{1b}[2J", "r.io\\u{1b}[2J"),
        ] {
            assert_eq!(printable_key(key), printed);
        }
    }
}
