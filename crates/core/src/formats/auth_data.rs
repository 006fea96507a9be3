//! Rendering `ECS_ENGINE_AUTH_DATA`.
//!
//! One line of compact ASCII JSON that every reader of an ecs.config takes for the same (ecs-init, Docker's
//! `--env-file`, systemd), its keys in order, so that the same credentials are the same bytes. No `auths` wrapper and
//! no `serveraddress`: the agent takes the one for a registry, Docker 29 and later stumble over the other.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::agent::auth::{host_of, printable_key, strip_scheme};
use crate::agent::env_file::ENGINE_AUTH_DATA;
use crate::agent::{AuthMap, AuthType, EffectiveAuth};
use crate::credential::Credential;
use crate::formats::ascii_json::{MOST_PER_BYTE, push_compact, push_string};
use crate::formats::image::image_below;
use crate::secret::Secret;
use crate::server::Server;

/// A line with this many bytes or more is refused. `docker run --env-file` reads no line of 65,536 (Go's
/// `bufio.Scanner`), Linux starts no process with a variable of 131,072.
pub const MAX_LINE_BYTES: usize = 60_000;

/// Why no authentication data can be made of these registries and credentials.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("`{first}` and `{second}` are one key to the agent")]
    SameKey { first: Server, second: Server },
    #[error("the username for `{server}` has a ':', where type `dockercfg` ends it")]
    ColonInUsername { server: Server },
    #[error(
        "beside `{server}` the host has other keys and none for itself, and then the agent takes one at random"
    )]
    NoHostKey { server: Server },
    #[error(
        "`{ENGINE_AUTH_DATA}` would be a line of {bytes} bytes, {entry_bytes} of them for `{key}`, and must stay under \
         {MAX_LINE_BYTES}"
    )]
    TooLong {
        bytes: usize,
        /// The key, as it may be printed, of the entry that is to blame: that of `server`, or else the longest.
        key: String,
        entry_bytes: usize,
        /// The server whose new credential makes the line longer than it was, more than any other.
        server: Option<Server>,
    },
    #[error("the agent's rules, asked about what was rendered, do not give `{server}` its credential")]
    NotReadBack { server: Server },
}

impl Refusal {
    /// What a person can do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::SameKey { first, .. } => format!("list `{first}` once in this ecs_config"),
            Self::ColonInUsername { server } => {
                format!("use `format: docker`, or a username without ':' for `{server}`")
            }
            Self::NoHostKey { server } => format!(
                "list a registry with `server: {}` too; its credential is for the host's other images",
                server.host()
            ),
            Self::TooLong { key, .. } => {
                format!("use a shorter token for `{key}`, or spread the registries over several ecs_configs")
            }
            Self::NotReadBack { .. } => "report this as a bug of regcred; nothing was written".to_owned(),
        }
    }
}

/// Renders the credentials of several registries.
///
/// A server with a path gets a key for its host alone as well, with the same credential: without one the agent takes
/// the first key of the host that it meets, so the only key is used for all of the host's images anyway. Several such
/// servers on one host are refused unless the host itself is listed.
///
/// What is rendered is read back by the agent's rules before it is returned.
pub fn render(auth_type: AuthType, registries: &[(&Server, &Credential)]) -> Result<Secret, Refusal> {
    let mut data = AuthData::new(auth_type);
    for (index, (server, credential)) in registries.iter().enumerate() {
        if let Some((first, _)) = registries[..index].iter().find(|(first, _)| is_same_key(first, server)) {
            return Err(Refusal::SameKey { first: (*first).clone(), second: (*server).clone() });
        }
        data.publish(server, credential)?;
    }
    for (server, _) in registries.iter().rev() {
        match data.host_key(server) {
            HostKey::Present => {}
            HostKey::Lone => data.copy_to_host(server),
            HostKey::Missing => return Err(Refusal::NoHostKey { server: (*server).clone() }),
        }
    }
    let value = data.to_value()?;
    let map = AuthMap::read(&EffectiveAuth::new(auth_type.as_str(), value.expose()));
    for (server, credential) in registries {
        if !gives(&map, server, credential) {
            return Err(Refusal::NotReadBack { server: (*server).clone() });
        }
    }
    Ok(value)
}

/// Whether the agent takes the keys of both servers for one.
pub(super) fn is_same_key(one: &Server, other: &Server) -> bool {
    strip_scheme(&one.key()) == strip_scheme(&other.key())
}

/// Whether a pull of an image of this server surely uses this credential.
pub(super) fn gives(map: &AuthMap, server: &Server, credential: &Credential) -> bool {
    image_below(&server.to_string(), map)
        .is_none_or(|image| map.lookup(&image).certain().is_some_and(|auth| auth.is_login(credential)))
}

/// Authentication data in the making: the JSON of each entry, by its key.
pub(super) struct AuthData {
    auth_type: AuthType,
    entries: BTreeMap<String, Secret>,
}

/// Whether the host of a server with a path has a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostKey {
    /// It has, or nobody needs it.
    Present,
    /// It has not, and the server's is the only key of the host: the agent uses that for all of the host's images.
    Lone,
    /// It has not, and there are several keys of the host, of which the agent takes any.
    Missing,
}

impl AuthData {
    pub(super) fn new(auth_type: AuthType) -> Self {
        Self { auth_type, entries: BTreeMap::new() }
    }

    /// Adds a server's credential under the key that the agent looks for.
    pub(super) fn publish(&mut self, server: &Server, credential: &Credential) -> Result<(), Refusal> {
        let value = entry(self.auth_type, credential.username(), credential.secret())
            .ok_or_else(|| Refusal::ColonInUsername { server: server.clone() })?;
        self.entries.insert(server.key(), value);
        Ok(())
    }

    /// Adds an entry in the form of the data's type.
    pub(super) fn insert(&mut self, key: String, value: Secret) {
        self.entries.insert(key, value);
    }

    pub(super) fn has(&self, server: &Server) -> bool {
        self.has_key(&server.key())
    }

    pub(super) fn has_key(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn host_key(&self, server: &Server) -> HostKey {
        let (Server::Other { host, path: Some(_) }, true) = (server, self.has(server)) else {
            return HostKey::Present;
        };
        let of_host = || self.entries.keys().map(|key| strip_scheme(key)).filter(|key| host_of(key) == host);
        if of_host().any(|key| key == host) {
            HostKey::Present
        } else if of_host().count() == 1 {
            HostKey::Lone
        } else {
            HostKey::Missing
        }
    }

    /// Gives the host of a server the server's own entry.
    pub(super) fn copy_to_host(&mut self, server: &Server) {
        if let Some(value) = self.entries.get(&server.key()) {
            let value = value.clone();
            self.entries.insert(server.host().to_owned(), value);
        }
    }

    /// The value of `ECS_ENGINE_AUTH_DATA`.
    pub(super) fn to_value(&self) -> Result<Secret, Refusal> {
        let length: usize =
            self.entries.iter().map(|(key, value)| MOST_PER_BYTE * key.len() + value.len() + 4).sum();
        let mut json = String::with_capacity(length + 2);
        for (key, value) in &self.entries {
            json.push(if json.is_empty() { '{' } else { ',' });
            push_string(&mut json, key);
            json.push(':');
            json.push_str(value.expose());
        }
        json.push_str(if json.is_empty() { "{}" } else { "}" });
        let value = Secret::new(json);
        let bytes = ENGINE_AUTH_DATA.len() + 1 + value.len();
        if bytes < MAX_LINE_BYTES {
            return Ok(value);
        }
        let longest = self.entries.iter().max_by_key(|(_, value)| value.len());
        let (key, entry_bytes) =
            longest.map_or((String::new(), 0), |(key, value)| (printable_key(key), value.len()));
        Err(Refusal::TooLong { bytes, key, entry_bytes, server: None })
    }

    /// The bytes of a server's entry.
    pub(super) fn entry_bytes(&self, server: &Server) -> usize {
        self.entries.get(&server.key()).map_or(0, Secret::len)
    }
}

/// The JSON of an entry without the white space between its tokens.
pub(crate) fn compact(value: &Secret) -> Secret {
    let mut json = String::with_capacity(MOST_PER_BYTE * value.len());
    push_compact(&mut json, value.expose());
    Secret::new(json)
}

/// The JSON of one entry; none if the username cannot be told from the password.
pub(crate) fn entry(auth_type: AuthType, username: &str, password: &Secret) -> Option<Secret> {
    let secret = password.expose();
    let mut json = String::with_capacity(MOST_PER_BYTE * (username.len() + secret.len()) + 64);
    match auth_type {
        AuthType::Docker => {
            json.push_str(r#"{"username":"#);
            push_string(&mut json, username);
            json.push_str(r#","password":"#);
            push_string(&mut json, secret);
        }
        AuthType::Dockercfg if username.contains(':') => return None,
        AuthType::Dockercfg => {
            let mut pair = Zeroizing::new(String::with_capacity(username.len() + 1 + secret.len()));
            pair.push_str(username);
            pair.push(':');
            pair.push_str(secret);
            json.push_str(r#"{"auth":""#);
            STANDARD.encode_string(pair.as_bytes(), &mut json);
            json.push('"');
        }
    }
    json.push('}');
    Some(Secret::new(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> Server {
        Server::parse(text).unwrap()
    }

    fn credential(username: &str, password: &str) -> Credential {
        Credential::new(username.into(), password.into(), None).unwrap()
    }

    fn rendered(auth_type: AuthType, registries: &[(&str, &str, &str)]) -> Result<String, Refusal> {
        let owned: Vec<_> = registries.iter().map(|(s, u, p)| (server(s), credential(u, p))).collect();
        let borrowed: Vec<_> = owned.iter().map(|(server, credential)| (server, credential)).collect();
        render(auth_type, &borrowed).map(|value| value.expose().to_owned())
    }

    #[test]
    fn both_types_are_compact_ascii_in_the_order_of_the_keys() {
        let registries = [("docker.io", "bob", "p:\"ä\\"), ("ghcr.io", "u", "p")];
        assert_eq!(
            rendered(AuthType::Docker, &registries).unwrap(),
            r#"{"ghcr.io":{"username":"u","password":"p"},"https://index.docker.io/v1/":{"username":"bob","password":"p:\"\u00e4\\"}}"#
        );
        assert_eq!(
            rendered(AuthType::Dockercfg, &registries).unwrap(),
            r#"{"ghcr.io":{"auth":"dTpw"},"https://index.docker.io/v1/":{"auth":"Ym9iOnA6IsOkXA=="}}"#
        );
        assert_eq!(rendered(AuthType::Docker, &[]).unwrap(), "{}");
    }

    #[test]
    fn a_lone_server_with_a_path_answers_for_its_host() {
        assert_eq!(
            rendered(AuthType::Dockercfg, &[("r.io/team", "u", "p")]).unwrap(),
            r#"{"r.io":{"auth":"dTpw"},"r.io/team":{"auth":"dTpw"}}"#
        );
        let several = [("r.io/team", "u", "p"), ("r.io/b", "u", "q")];
        assert_eq!(
            rendered(AuthType::Dockercfg, &several),
            Err(Refusal::NoHostKey { server: server("r.io/b") })
        );
        let with_host = [several[0], several[1], ("r.io", "u", "r")];
        assert!(rendered(AuthType::Dockercfg, &with_host).is_ok());
    }

    #[test]
    fn refuses_two_servers_that_the_agent_takes_for_one() {
        let refusal = rendered(AuthType::Docker, &[("docker.io", "u", "p"), ("index.docker.io", "v", "q")]);
        assert!(matches!(refusal, Err(Refusal::SameKey { .. })), "{refusal:?}");
        let odd = Server::Other { host: "index.docker.io".into(), path: Some("v1/".into()) };
        let credential = credential("u", "p");
        let refusal = render(AuthType::Docker, &[(&Server::DockerHub, &credential), (&odd, &credential)]);
        assert!(matches!(refusal, Err(Refusal::SameKey { .. })), "{refusal:?}");
    }

    #[test]
    fn only_dockercfg_minds_a_colon_in_the_username() {
        let registries = [("r.io", "a:b", "p")];
        assert!(rendered(AuthType::Docker, &registries).is_ok());
        assert_eq!(
            rendered(AuthType::Dockercfg, &registries),
            Err(Refusal::ColonInUsername { server: server("r.io") })
        );
    }

    #[test]
    fn a_line_stays_under_60_000_bytes() {
        // `ECS_ENGINE_AUTH_DATA={"r.io":{"username":"u","password":"…"}}`
        let around = ENGINE_AUTH_DATA.len() + r#"={"r.io":{"username":"u","password":""}}"#.len();
        let fits = "x".repeat(MAX_LINE_BYTES - 1 - around);
        assert!(rendered(AuthType::Docker, &[("r.io", "u", &fits)]).is_ok());
        let too_long = format!("{fits}x");
        assert_eq!(
            rendered(AuthType::Docker, &[("r.io", "u", &too_long)]),
            Err(Refusal::TooLong {
                bytes: MAX_LINE_BYTES,
                key: "r.io".into(),
                entry_bytes: too_long.len() + r#"{"username":"u","password":""}"#.len(),
                server: None
            })
        );
    }
}
