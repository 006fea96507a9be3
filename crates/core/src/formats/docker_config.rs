//! Reading one server's credential from Docker's `config.json`, or from `.dockercfg`, its predecessor without `auths`.
//!
//! As Docker's own client reads them (`cli/config/configfile/file.go` and `cli/config/credentials/file_store.go` of
//! <https://github.com/docker/cli>), for the one server that is asked about; what else the file holds does not matter.
//! Credential helpers are not asked: where Docker would ask one, that is an error, never a guess.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::agent::auth::printable_key;
use crate::agent::go_json::{self, Members, Value, string_field};
use crate::agent::go_text::decode_base64;
use crate::credential::{Credential, CredentialError};
use crate::secret::Secret;
use crate::server::{DOCKER_HUB_HOSTS, Server};

/// Why the file tells no credential for the server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unusable {
    #[error("the file is no JSON object of Docker's format")]
    Malformed,
    #[error("the file has no entry for `{server}`")]
    NoEntry { server: Server },
    #[error("the credential for `{server}` is kept by Docker's credential helper `{helper}`")]
    Helper { server: Server, helper: String },
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
    /// What a person can do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Malformed => "point the source at a config.json or a .dockercfg".to_owned(),
            Self::NoEntry { server } => {
                format!("run `docker login {server}` with this file, or correct the server")
            }
            Self::Helper { .. } => {
                "helpers are not asked yet: log in with a file that has no `credsStore` and no \
                                    `credHelpers`, or use another source"
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
}

/// Reads the credential for `server`. All names of Docker Hub are one; schemes and closing slashes do not matter.
pub fn read(config: &Secret, server: &Server) -> Result<Credential, Unusable> {
    let file = go_json::parse(config.expose()).and_then(Value::members).ok_or(Unusable::Malformed)?;
    let auths = objects(&file, "auths")?;
    let helpers = objects(&file, "credHelpers")?;
    let store = string_field(&file, "credsStore").map_err(|_| Unusable::Malformed)?;
    // The file of old has no wrapper: it is the entries.
    let is_of_old = auths.is_none() && helpers.is_none() && store.is_none();
    let entries = if is_of_old { file } else { auths.unwrap_or_default() };

    for (key, helper) in helpers.unwrap_or_default() {
        // Docker asks this helper even where the file has an entry too.
        if let (Some(Closeness::Key | Closeness::Address), Some(helper)) =
            (closeness(&key, server), helper.string())
        {
            return Err(Unusable::Helper { server: server.clone(), helper: helper.expose().to_owned() });
        }
    }
    match closest(entries, server)? {
        Some(credential) => Ok(credential),
        None => match store {
            Some(helper) if !helper.is_empty() => {
                Err(Unusable::Helper { server: server.clone(), helper: helper.expose().to_owned() })
            }
            Some(_) | None => Err(Unusable::NoEntry { server: server.clone() }),
        },
    }
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
        let credential = read(&config.into(), &server(of))?;
        Ok((credential.username().to_owned(), credential.secret().expose().to_owned()))
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
    fn where_docker_asks_a_helper_there_is_no_answer() {
        let helper = |name: &str| Err(Unusable::Helper { server: server("r.io"), helper: name.to_owned() });
        for config in [
            r#"{"credsStore":"desktop"}"#,
            r#"{"auths":{"r.io":{}},"credsStore":"desktop"}"#,
            r#"{"auths":{"x.io":{"auth":"dTpw"}},"credsStore":"desktop"}"#,
        ] {
            assert_eq!(pair(config, "r.io"), helper("desktop"), "{config}");
        }
        let named = r#"{"auths":{"r.io":{"auth":"dTpw"}},"credHelpers":{"r.io":"pass"}}"#;
        assert_eq!(pair(named, "r.io"), helper("pass"));
        assert_eq!(
            pair(&named.replace("\"r.io\":\"pass", "\"https://r.io\":\"pass"), "r.io"),
            helper("pass")
        );
        let other =
            r#"{"auths":{"r.io":{"auth":"dTpw"}},"credHelpers":{"x.io":"pass"},"credsStore":"desktop"}"#;
        assert_eq!(pair(other, "r.io"), Ok(login("u", "p")));
    }

    #[test]
    fn what_cannot_be_used_is_told_apart() {
        let key = || "r.io".to_owned();
        for (config, expected) in [
            ("", Unusable::Malformed),
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
