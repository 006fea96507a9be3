//! Reading one server's credential from Docker's `config.json`, or from `.dockercfg`, its predecessor without `auths`.
//!
//! As Docker's own client reads them (`cli/config/configfile/file.go` and `cli/config/credentials/file_store.go` of
//! <https://github.com/docker/cli>), for the one server that is asked about; what else the file holds does not matter.
//! Where Docker would ask a credential helper, this tells which one and for what; nobody is asked here.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::agent::auth::printable_key;
use crate::agent::go_json::{self, Members, Value, string_field};
use crate::agent::go_text::decode_base64;
use crate::credential::{Credential, CredentialError};
use crate::secret::Secret;
use crate::server::{DOCKER_HUB_HOSTS, Server};

/// Where Docker would take the credential for a server from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The file itself holds it.
    Here(Credential),
    /// The credential helper that keeps it.
    Kept(HelperCall),
}

/// Which credential helper to ask, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelperCall {
    /// What stands behind `docker-credential-` in the program's name.
    pub helper: String,
    /// The server as Docker writes it to the helper.
    pub server: String,
}

/// Why the file tells no credential for the server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unusable {
    #[error("it is empty")]
    Empty,
    #[error("it is no JSON object of Docker's format")]
    Malformed,
    #[error("it has no entry for `{server}`")]
    NoEntry { server: Server },
    #[error("it names a helper for `{key}`; Docker compares keys byte for byte, and looks for `{expected}`")]
    HelperKey { key: String, expected: String },
    #[error("the helper that it names for `{server}` is no part of a program's name")]
    HelperName { server: Server },
    #[error("it holds more than `auths` with an `auth` in each entry, and Docker then ignores all of it")]
    NotStrict,
    #[error("the entry `{key}` holds a token in place of a password")]
    Token { key: String },
    #[error("the entry `{key}` has no username and password")]
    NoLogin { key: String },
    #[error("the entry `{key}` has a field that is no text")]
    Field { key: String },
    #[error("the `auth` of the entry `{key}` is not base64 of username, ':' and password")]
    Auth { key: String },
    #[error("the entries {} have different credentials, and Docker would take any of them", list(keys))]
    Ambiguous { keys: Vec<String> },
    #[error("the entry `{key}` holds no usable credential")]
    Credential { key: String, source: CredentialError },
}

fn list(keys: &[String]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

impl Unusable {
    /// What a person can do about it in a file.
    pub fn remedy(&self) -> String {
        match self {
            Self::Empty | Self::Malformed => "point the source at a config.json or a .dockercfg".to_owned(),
            Self::NoEntry { server } => {
                format!("run `docker login {server}` with this file, or correct the server")
            }
            Self::HelperKey { key, expected } => {
                format!("in `credHelpers`, write `{expected}` for `{key}`")
            }
            Self::HelperName { .. } => {
                "write what stands behind `docker-credential-` in the name of the helper's program".to_owned()
            }
            Self::NotStrict => {
                r#"write {"auths":{"HOST":{"auth":"base64 of username:password"}}} and nothing else"#
                    .to_owned()
            }
            Self::Token { .. } => {
                "log in with an access token or a robot account that has a password".to_owned()
            }
            Self::NoLogin { key }
            | Self::Field { key }
            | Self::Auth { key }
            | Self::Credential { key, .. } => {
                format!("log in to `{key}` again with this file")
            }
            Self::Ambiguous { .. } => "remove all but one of them".to_owned(),
        }
    }

    /// What a person can do about it in a variable of this name, which `docker login` does not write.
    pub fn remedy_in_variable(&self, name: &str) -> String {
        const ENTRY: &str = r#"{"auth":"base64 of username:password"}"#;
        match self {
            Self::Empty
            | Self::Malformed
            | Self::HelperKey { .. }
            | Self::HelperName { .. }
            | Self::NotStrict
            | Self::Field { .. } => {
                format!(r#"set {name} to {{"auths":{{"HOST":{ENTRY}}}}} and nothing else"#)
            }
            Self::NoEntry { server } => {
                format!(r#"add "{}":{ENTRY} to the `auths` in {name}, or correct the server"#, server.key())
            }
            Self::Token { key }
            | Self::NoLogin { key }
            | Self::Auth { key }
            | Self::Credential { key, .. } => {
                format!(r#"set "{key}":{ENTRY} in {name} anew"#)
            }
            Self::Ambiguous { .. } => format!("remove all but one of them from {name}"),
        }
    }
}

/// Reads the credential for `server`, or who keeps it, in Docker's order: the helper of exactly this host, else the store
/// for all hosts, else the entries of the file. All names of Docker Hub are one; in the entries, schemes and closing
/// slashes do not matter.
pub fn read(config: &Secret, server: &Server) -> Result<Found, Unusable> {
    let file = object(config)?;
    let auths = objects(&file, "auths")?;
    let helpers = objects(&file, "credHelpers")?;
    let store = string_field(&file, "credsStore").map_err(|_| Unusable::Malformed)?;
    // The file of old has no wrapper: it is the entries.
    let is_of_old = auths.is_none() && helpers.is_none() && store.is_none();
    let entries = if is_of_old { file } else { auths.unwrap_or_default() };
    let helpers = helpers.unwrap_or_default();

    let keys = [server.key(), docker_host(server)];
    let own = keys.iter().find_map(|key| {
        let (_, helper) = helpers.iter().rfind(|(name, _)| name == key)?;
        Some((key.clone(), helper.string()))
    });
    // An empty helper of the host's own turns the store off.
    let (asked, helper) = match own {
        Some((key, Some(helper))) => (key, helper),
        Some((_, None)) => return Err(Unusable::HelperName { server: server.clone() }),
        None => (docker_host(server), store.unwrap_or_else(|| Secret::from(""))),
    };
    if !helper.is_empty() {
        if !is_helper_name(helper.expose()) {
            return Err(Unusable::HelperName { server: server.clone() });
        }
        return Ok(Found::Kept(HelperCall { helper: helper.expose().to_owned(), server: asked }));
    }
    if let Some(credential) = closest(entries, server)? {
        return Ok(Found::Here(credential));
    }
    let misspelt = helpers.iter().find(|(key, _)| {
        !keys.contains(key) && matches!(closeness(key, server), Some(Closeness::Key | Closeness::Address))
    });
    match misspelt {
        Some((key, _)) => Err(Unusable::HelperKey { key: printable_key(key), expected: docker_host(server) }),
        None => Err(Unusable::NoEntry { server: server.clone() }),
    }
}

/// Reads the credential for `server` from what the variable `DOCKER_AUTH_CONFIG` holds. Docker takes it only as one object
/// with `auths` alone, and with a filled `auth` alone in each entry (`cli/config/configfile/file.go`, `parseEnvConfig`);
/// anything else it puts aside with a warning, and goes on with its file.
pub fn read_variable(config: &Secret, server: &Server) -> Result<Credential, Unusable> {
    let all = object(config)?;
    if all.iter().any(|(name, _)| !name.eq_ignore_ascii_case("auths")) {
        return Err(Unusable::NotStrict);
    }
    let entries = objects(&all, "auths")?.unwrap_or_default();
    for (key, entry) in &entries {
        let fields = entry.members().ok_or_else(|| Unusable::Field { key: printable_key(key) })?;
        let is_other = |(name, _): &(String, Value<'_>)| !name.eq_ignore_ascii_case("auth");
        let auth = string_field(&fields, "auth").map_err(|_| Unusable::Field { key: printable_key(key) })?;
        if fields.iter().any(is_other) || auth.is_none_or(|auth| auth.is_empty()) {
            return Err(Unusable::NotStrict);
        }
    }
    closest(entries, server)?.ok_or_else(|| Unusable::NoEntry { server: server.clone() })
}

/// The keys of all entries and helpers, each once, in the order of the file: what `docker login` was told, and by whom.
pub fn keys(config: &Secret) -> Result<Vec<String>, Unusable> {
    let file = object(config)?;
    let auths = objects(&file, "auths")?;
    let helpers = objects(&file, "credHelpers")?;
    let store = string_field(&file, "credsStore").map_err(|_| Unusable::Malformed)?;
    let is_of_old = auths.is_none() && helpers.is_none() && store.is_none();
    let entries = if is_of_old { of_old(file) } else { auths.unwrap_or_default() };
    let mut keys: Vec<String> = Vec::new();
    for (key, _) in entries.into_iter().chain(helpers.unwrap_or_default()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// The entries of the file of old. A `config.json` without any has other settings of Docker's in their place, none of which
/// is an object with an `auth`.
fn of_old(file: Members<'_>) -> Members<'_> {
    let is_entry = |value: &Value<'_>| {
        value.members().is_some_and(|fields| fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("auth")))
    };
    file.into_iter().filter(|(_, value)| is_entry(value)).collect()
}

fn object(config: &Secret) -> Result<Members<'_>, Unusable> {
    if config.expose().trim().is_empty() {
        return Err(Unusable::Empty);
    }
    go_json::parse(config.expose()).and_then(Value::members).ok_or(Unusable::Malformed)
}

/// The server as Docker looks it up, among helpers and by them: Docker knows no paths.
pub fn docker_host(server: &Server) -> String {
    match server {
        Server::DockerHub => server.key(),
        Server::Other { host, path: _ } => host.clone(),
    }
}

/// Whether a text can stand behind `docker-credential-` in the name of a program, and of nothing else: a `/` would name any.
pub fn is_helper_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(is_allowed)
}

/// The members of the objects that are called `name`; Go makes one of several.
fn objects<'a>(file: &Members<'a>, name: &str) -> Result<Option<Members<'a>>, Unusable> {
    let mut found: Option<Members<'a>> = None;
    for (_, value) in file.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)) {
        if !value.is_null() {
            let members = value.members().ok_or(Unusable::Malformed)?;
            found.get_or_insert_default().extend(members);
        }
    }
    Ok(found)
}

/// How well a key names a server; the closest counts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    /// The key that `docker login` writes.
    Key,
    /// The same host and path, written otherwise.
    Address,
    /// The host alone, or with the path of Docker's API.
    Host,
    /// Another path of the same host: Docker compares hosts only.
    OtherPath,
}

fn closeness(key: &str, server: &Server) -> Option<Closeness> {
    if key == server.key() {
        return Some(Closeness::Key);
    }
    let (_, bare) = key.split_once("://").unwrap_or(("", key));
    let bare = bare.trim_end_matches('/');
    let (host, path) = bare.split_once('/').map_or((bare, None), |(host, path)| (host, Some(path)));
    let is_host = matches!(path, None | Some("v1" | "v2"));
    match server {
        // Docker keeps other things for Docker Hub below `/v1/`, such as `/v1/access-token`.
        Server::DockerHub => (DOCKER_HUB_HOSTS.contains(&host) && is_host).then_some(Closeness::Address),
        Server::Other { host: wanted, .. } if host != wanted => None,
        Server::Other { path: wanted, .. } if path == wanted.as_deref() => Some(Closeness::Address),
        Server::Other { .. } if is_host => Some(Closeness::Host),
        Server::Other { path: None, .. } => Some(Closeness::OtherPath),
        Server::Other { path: Some(_), .. } => None,
    }
}

/// The credential of the closest entries that hold anything: `docker login` leaves empty ones beside a helper.
fn closest(entries: Members<'_>, server: &Server) -> Result<Option<Credential>, Unusable> {
    // The last entry of a key is the one that Go keeps.
    let by_key: BTreeMap<String, Value<'_>> = entries.into_iter().collect();
    let mut by_closeness: BTreeMap<Closeness, Vec<(String, Value<'_>)>> = BTreeMap::new();
    for (key, value) in by_key {
        if let Some(closeness) = closeness(&key, server) {
            by_closeness.entry(closeness).or_default().push((printable_key(&key), value));
        }
    }
    for entries in by_closeness.into_values() {
        let mut logins = Vec::new();
        for (key, value) in entries {
            let login = Login::read(&key, value)?;
            if !login.is_empty() {
                logins.push((key, login));
            }
        }
        if logins.iter().any(|(_, login)| *login != logins[0].1) {
            return Err(Unusable::Ambiguous { keys: logins.into_iter().map(|(key, _)| key).collect() });
        }
        if let Some((key, login)) = logins.into_iter().next() {
            return login.into_credential(key).map(Some);
        }
    }
    Ok(None)
}

/// An entry's fields.
#[derive(PartialEq, Eq)]
struct Login {
    username: String,
    password: Secret,
    has_token: bool,
    /// It has an `auth` that cannot be read.
    is_broken: bool,
}

impl Login {
    fn read(key: &str, value: Value<'_>) -> Result<Self, Unusable> {
        let members = match value.members() {
            Some(members) => members,
            None if value.is_null() => Vec::new(),
            None => return Err(Unusable::Field { key: key.to_owned() }),
        };
        let field = |name| match string_field(&members, name) {
            Ok(found) => Ok(found.unwrap_or_else(|| Secret::from(""))),
            Err(_) => Err(Unusable::Field { key: key.to_owned() }),
        };
        let has_token = !(field("identitytoken")?.is_empty() && field("registrytoken")?.is_empty());
        let auth = field("auth")?;
        let username = field("username")?.expose().to_owned();
        let given = Self { username, password: field("password")?, has_token, is_broken: false };
        if auth.is_empty() {
            return Ok(given);
        }
        match decode_auth(&auth) {
            Some((username, password)) => Ok(Self { username, password, ..given }),
            None => Ok(Self { is_broken: true, ..given }),
        }
    }

    fn is_empty(&self) -> bool {
        self.username.is_empty() && self.password.is_empty() && !self.has_token && !self.is_broken
    }

    fn into_credential(self, key: String) -> Result<Credential, Unusable> {
        let Self { username, password, has_token, is_broken } = self;
        if is_broken {
            return Err(Unusable::Auth { key });
        }
        if has_token && password.is_empty() {
            return Err(Unusable::Token { key });
        }
        if username.is_empty() && password.is_empty() {
            return Err(Unusable::NoLogin { key });
        }
        Credential::new(username, password, None).map_err(|source| Unusable::Credential { key, source })
    }
}

/// `decodeAuth`: base64 as Go's standard encoding, a username that is not empty, and a password without the NULs that
/// old versions padded it with.
fn decode_auth(auth: &Secret) -> Option<(String, Secret)> {
    let decoded = decode_base64(auth.expose())?;
    let (username, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    (!username.is_empty()).then(|| (username.to_owned(), Secret::from(password.trim_matches('\0'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> Server {
        Server::parse(text).unwrap()
    }

    fn pair(config: &str, of: &str) -> Result<(String, String), Unusable> {
        match read(&config.into(), &server(of))? {
            Found::Here(credential) => {
                Ok((credential.username().to_owned(), credential.secret().expose().to_owned()))
            }
            Found::Kept(call) => panic!("{call:?}"),
        }
    }

    fn login(username: &str, password: &str) -> (String, String) {
        (username.to_owned(), password.to_owned())
    }

    #[test]
    fn both_files_and_both_forms_of_an_entry_are_read() {
        for config in [
            r#"{"auths":{"r.io":{"auth":"dTpw"}}}"#,
            r#"{"auths":{"r.io":{"auth":"dT\npw","email":"e@x"}},"HttpHeaders":{"a":"b"}}"#,
            r#"{"auths":{"r.io":{"username":"u","password":"p"}}}"#,
            r#"{"auths":{"r.io":{"username":"x","password":"y","auth":"dTpw"}}}"#,
            r#"{"r.io":{"auth":"dTpw","email":"e@x"}}"#,
            r#"{"Auths":{"r.io":{"Auth":"dTpw"}}}"#,
            r#"{"auths":{"r.io":{"auth":"dTpwAA=="}}}"#,
            r#"{"auths":{"r.io":{"auth":"dTpw","identitytoken":"t"}}}"#,
        ] {
            assert_eq!(pair(config, "r.io"), Ok(login("u", "p")), "{config}");
        }
    }

    #[test]
    fn a_server_is_found_however_it_is_written() {
        for (key, of) in [
            ("https://index.docker.io/v1/", "docker.io"),
            ("docker.io", "index.docker.io"),
            ("https://registry-1.docker.io/v2/", "docker.io"),
            ("https://r.io", "r.io"),
            ("http://r.io/", "r.io"),
            ("https://r.io/v2/", "r.io"),
            ("r.io/some/path", "r.io"),
            ("https://r.io:5000/v1/", "r.io:5000"),
            ("r.io/team", "r.io/team"),
            ("https://r.io/team/", "r.io/team"),
            ("r.io", "r.io/team"),
        ] {
            let config = format!(r#"{{"auths":{{"{key}":{{"auth":"dTpw"}}}}}}"#);
            assert_eq!(pair(&config, of), Ok(login("u", "p")), "{key} for {of}");
        }
        for (key, of) in [
            ("r.io:443", "r.io"),
            ("R.io", "r.io"),
            ("r.io/other", "r.io/team"),
            ("https://index.docker.io/v1/access-token", "docker.io"),
            ("registry.hub.docker.com", "docker.io"),
            ("xr.io", "r.io"),
        ] {
            let config = format!(r#"{{"auths":{{"{key}":{{"auth":"dTpw"}}}}}}"#);
            assert_eq!(pair(&config, of), Err(Unusable::NoEntry { server: server(of) }), "{key} for {of}");
        }
    }

    #[test]
    fn the_closest_entry_counts_and_different_ones_are_not_chosen_among() {
        let config = r#"{"auths":{"https://r.io/v1/":{"auth":"djpx"},"r.io":{"auth":"dTpw"},"r.io/t":{"auth":"dzpy"}}}"#;
        assert_eq!(pair(config, "r.io"), Ok(login("u", "p")));
        assert_eq!(pair(config, "r.io/t"), Ok(login("w", "r")));
        let config = r#"{"auths":{"https://r.io":{"auth":"djpx"},"http://r.io":{"auth":"dTpw"}}}"#;
        let keys = vec!["http://r.io".to_owned(), "https://r.io".to_owned()];
        assert_eq!(pair(config, "r.io"), Err(Unusable::Ambiguous { keys }));
        let config = r#"{"auths":{"https://r.io":{"auth":"dTpw"},"http://r.io":{"auth":"dTpw"},"r.io":{}}}"#;
        assert_eq!(pair(config, "r.io"), Ok(login("u", "p")));
    }

    #[test]
    fn a_helper_of_the_host_comes_before_the_store_and_that_before_the_entries() {
        let kept = |helper: &str, of: &str| {
            Ok(Found::Kept(HelperCall { helper: helper.to_owned(), server: of.to_owned() }))
        };
        for (config, of, expected) in [
            (r#"{"credsStore":"desktop"}"#, "r.io", kept("desktop", "r.io")),
            (r#"{"auths":{"r.io":{}},"credsStore":"desktop"}"#, "r.io", kept("desktop", "r.io")),
            // With a store, Docker does not look at the entries.
            (r#"{"auths":{"r.io":{"auth":"dTpw"}},"credsStore":"desktop"}"#, "r.io", kept("desktop", "r.io")),
            (
                r#"{"auths":{"r.io":{"auth":"dTpw"}},"credHelpers":{"r.io":"pass"}}"#,
                "r.io",
                kept("pass", "r.io"),
            ),
            (r#"{"credHelpers":{"r.io":"pass"},"credsStore":"desktop"}"#, "r.io", kept("pass", "r.io")),
            (r#"{"credHelpers":{"x.io":"pass"},"credsStore":"desktop"}"#, "r.io", kept("desktop", "r.io")),
            (r#"{"credsStore":"desktop"}"#, "r.io/team", kept("desktop", "r.io")),
            (r#"{"credHelpers":{"r.io":"pass"}}"#, "r.io/team", kept("pass", "r.io")),
            (r#"{"credHelpers":{"r.io/team":"a","r.io":"b"}}"#, "r.io/team", kept("a", "r.io/team")),
            (r#"{"credsStore":"desktop"}"#, "docker.io", kept("desktop", "https://index.docker.io/v1/")),
        ] {
            assert_eq!(read(&config.into(), &server(of)), expected, "{config}");
        }
    }

    #[test]
    fn an_empty_helper_of_the_host_turns_the_store_off() {
        let config = r#"{"auths":{"r.io":{"auth":"dTpw"}},"credHelpers":{"r.io":""},"credsStore":"desktop"}"#;
        assert_eq!(pair(config, "r.io"), Ok(login("u", "p")));
        let config = r#"{"auths":{"r.io":{}},"credHelpers":{"r.io":""},"credsStore":"desktop"}"#;
        assert_eq!(pair(config, "r.io"), Err(Unusable::NoEntry { server: server("r.io") }));
    }

    #[test]
    fn a_helper_under_another_spelling_of_the_host_is_not_asked_and_told_where_nothing_else_is_found() {
        let config = r#"{"auths":{"r.io":{"auth":"dTpw"}},"credHelpers":{"https://r.io":"pass"}}"#;
        assert_eq!(pair(config, "r.io"), Ok(login("u", "p")));
        let told = Unusable::HelperKey { key: "https://r.io".into(), expected: "r.io".into() };
        assert_eq!(pair(r#"{"credHelpers":{"https://r.io":"pass"}}"#, "r.io"), Err(told));
        let hub = "https://index.docker.io/v1/".to_owned();
        let told = Unusable::HelperKey { key: "docker.io".into(), expected: hub };
        assert_eq!(pair(r#"{"credHelpers":{"docker.io":"pass"}}"#, "docker.io"), Err(told));
    }

    #[test]
    fn a_helper_that_is_no_part_of_a_programs_name_is_refused() {
        for helper in ["../../bin/sh", "a b", "a\\nb", "ü"] {
            let config = format!(r#"{{"credHelpers":{{"r.io":"{helper}"}}}}"#);
            assert_eq!(
                pair(&config, "r.io"),
                Err(Unusable::HelperName { server: server("r.io") }),
                "{helper}"
            );
        }
        let config = r#"{"credHelpers":{"r.io":7}}"#;
        assert_eq!(pair(config, "r.io"), Err(Unusable::HelperName { server: server("r.io") }));
    }

    #[test]
    fn a_variable_is_read_as_strictly_as_docker_reads_it() {
        let read = |config: &str| {
            read_variable(&config.into(), &server("r.io"))
                .map(|credential| (credential.username().to_owned(), credential.secret().expose().to_owned()))
        };
        assert_eq!(read(r#"{"auths":{"r.io":{"auth":"dTpw"}}}"#), Ok(login("u", "p")));
        for (config, expected) in [
            ("", Unusable::Empty),
            (r#"{"auths":{"r.io":{"auth":"dTpw"}}} {}"#, Unusable::Malformed),
            (r#"{"r.io":{"auth":"dTpw"}}"#, Unusable::NotStrict),
            (r#"{"auths":{"r.io":{"auth":"dTpw"}},"credsStore":"x"}"#, Unusable::NotStrict),
            (r#"{"auths":{"r.io":{"auth":"dTpw","email":"e@x"}}}"#, Unusable::NotStrict),
            (r#"{"auths":{"r.io":{"username":"u","password":"p"}}}"#, Unusable::NotStrict),
            (r#"{"auths":{"r.io":{"auth":"dTpw"},"x.io":{}}}"#, Unusable::NotStrict),
            (r#"{"auths":{"r.io":{"auth":""}}}"#, Unusable::NotStrict),
            (r#"{"auths":{"r.io":{"auth":7}}}"#, Unusable::Field { key: "r.io".into() }),
            (r#"{"auths":{"x.io":{"auth":"dTpw"}}}"#, Unusable::NoEntry { server: server("r.io") }),
            ("{}", Unusable::NoEntry { server: server("r.io") }),
        ] {
            assert_eq!(read(config), Err(expected), "{config}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_apart() {
        let key = || "r.io".to_owned();
        for (config, expected) in [
            (" \n", Unusable::Empty),
            ("[]", Unusable::Malformed),
            (r#"{"auths":[]}"#, Unusable::Malformed),
            ("{}", Unusable::NoEntry { server: server("r.io") }),
            (r#"{"auths":{"r.io":null}}"#, Unusable::NoEntry { server: server("r.io") }),
            (r#"{"auths":{"r.io":"x"}}"#, Unusable::Field { key: key() }),
            (r#"{"auths":{"r.io":{"auth":1}}}"#, Unusable::Field { key: key() }),
            (r#"{"auths":{"r.io":{"auth":"dTpwcQ"}}}"#, Unusable::Auth { key: key() }),
            (r#"{"auths":{"r.io":{"auth":"dXA="}}}"#, Unusable::Auth { key: key() }),
            (r#"{"auths":{"r.io":{"auth":"OnA="}}}"#, Unusable::Auth { key: key() }),
            (r#"{"auths":{"r.io":{"auth":"dTr/"}}}"#, Unusable::Auth { key: key() }),
            (r#"{"auths":{"r.io":{"identitytoken":"t"}}}"#, Unusable::Token { key: key() }),
            (r#"{"auths":{"r.io":{"auth":"MDAwMDo=","identitytoken":"t"}}}"#, Unusable::Token { key: key() }),
        ] {
            assert_eq!(pair(config, "r.io"), Err(expected), "{config}");
        }
        let refused = pair(r#"{"auths":{"r.io":{"username":"u","password":"p\n"}}}"#, "r.io");
        assert!(matches!(refused, Err(Unusable::Credential { .. })), "{refused:?}");
    }
}
