//! What in the agent's authentication settings does not do what it seems to.
//!
//! The agent itself says little: some of these are one line in its log, most are nothing at all.

use std::fmt;

use crate::agent::auth::{
    AuthMap, AuthType, Entry, Login, Problem, PullAuth, Reading, Skip, Unreadable, host_of, printable_key,
};
use crate::agent::lookup::HUB_KEY;
use crate::server::DOCKER_HUB_HOSTS;

/// Something in the settings that does not do what it seems to. [`Warning::logged`] is what the agent says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The type is neither of the two: no authentication at all.
    UnknownType,
    /// All data is dropped: no authentication at all.
    Unreadable { auth_type: AuthType, why: Unreadable },
    /// This entry is left out.
    Skipped { key: String, why: Skip },
    /// The data is wrapped in `auths`, as in Docker's config.json: the agent takes that for a registry's name.
    Wrapped { skipped: Option<Skip> },
    /// An entry of type `docker` with neither username and password nor a token: its pulls are anonymous.
    NoLogin { key: String },
    /// Docker Hub's credential is looked up under one key only, and this is another one.
    DeadHubKey { key: String },
    /// These keys are one to the agent, which takes any of them, another at each start.
    SameKey { keys: Vec<String> },
    /// There are several keys of this host and none is the host alone: which one a pull uses is random.
    NoHostKey { host: String },
    /// The entry names a server address that is not its host: Docker 29 and later do not use it.
    ServerAddress { key: String },
    /// The password or username has a line break, which is sent to the registry as a part of it.
    LineBreak { key: String },
}

impl AuthMap {
    /// All that is wrong with the settings, worst first.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        match self.problem() {
            Some(Problem::UnknownType) => warnings.push(Warning::UnknownType),
            Some(Problem::Unreadable { auth_type, why }) => {
                warnings.push(Warning::Unreadable { auth_type: *auth_type, why: why.clone() });
            }
            None => {}
        }
        warnings.extend(self.entries().iter().filter_map(entry_warning));
        warnings.extend(self.entries().iter().filter_map(|entry| self.same_key_warning(entry)));
        warnings.extend(self.entries().iter().filter_map(|entry| self.host_warning(entry)));
        warnings
    }

    fn used(&self) -> impl Iterator<Item = &Entry> {
        self.entries().iter().filter(|entry| entry.pull_auth().is_some())
    }

    /// Said once, of the first of the keys that are one.
    fn same_key_warning(&self, entry: &Entry) -> Option<Warning> {
        let mut same =
            self.used().filter(|other| other.normalised_key() == entry.normalised_key()).peekable();
        if *same.peek()? != entry {
            return None;
        }
        let keys: Vec<_> = same.map(|other| other.key().to_owned()).collect();
        (keys.len() > 1).then_some(Warning::SameKey { keys })
    }

    /// Said once, of the first of the host's keys.
    fn host_warning(&self, entry: &Entry) -> Option<Warning> {
        let host = host_of(entry.normalised_key());
        let mut keys: Vec<_> =
            self.used().map(Entry::normalised_key).filter(|key| host_of(key) == host).collect();
        if DOCKER_HUB_HOSTS.contains(&host) || keys.first() != Some(&entry.normalised_key()) {
            return None;
        }
        keys.sort_unstable();
        keys.dedup();
        (keys.len() > 1 && !keys.contains(&host)).then(|| Warning::NoHostKey { host: host.to_owned() })
    }
}

fn entry_warning(entry: &Entry) -> Option<Warning> {
    let key = entry.key().to_owned();
    let normalised = entry.normalised_key();
    let is_wrapper = key == "auths";
    let auth = match entry.reading() {
        Reading::Skipped(why) if is_wrapper => return Some(Warning::Wrapped { skipped: Some(*why) }),
        Reading::Skipped(why) => return Some(Warning::Skipped { key, why: *why }),
        Reading::Used(PullAuth::Anonymous) if is_wrapper => return Some(Warning::Wrapped { skipped: None }),
        Reading::Used(auth) => auth,
    };
    if DOCKER_HUB_HOSTS.contains(&host_of(normalised)) && normalised != HUB_KEY {
        return Some(Warning::DeadHubKey { key });
    }
    if entry.server_address().is_some_and(|address| address != host_of(normalised)) {
        return Some(Warning::ServerAddress { key });
    }
    match auth {
        PullAuth::Anonymous => Some(Warning::NoLogin { key }),
        PullAuth::Login(Login { username, password })
            if username.contains(['\r', '\n']) || password.expose().contains(['\r', '\n']) =>
        {
            Some(Warning::LineBreak { key })
        }
        PullAuth::Login(_) | PullAuth::Token { .. } => None,
    }
}

impl Warning {
    /// The line in the agent's log, where it writes one; without the secret that it may tell there.
    pub fn logged(&self) -> Option<String> {
        match self {
            Self::UnknownType => Some("Unknown auth configuration: …".to_owned()),
            Self::Unreadable { auth_type, .. } => {
                Some(format!("Could not parse '{auth_type}' type auth config"))
            }
            Self::Skipped { key, why } => Some(skip_log(key, *why)),
            Self::Wrapped { skipped } => skipped.map(|why| skip_log("auths", why)),
            Self::NoLogin { .. }
            | Self::DeadHubKey { .. }
            | Self::SameKey { .. }
            | Self::NoHostKey { .. }
            | Self::ServerAddress { .. }
            | Self::LineBreak { .. } => None,
        }
    }
}

fn skip_log(key: &str, why: Skip) -> String {
    let key = printable_key(key);
    match why {
        Skip::Base64 => format!("Malformed auth data for registry {key}"),
        Skip::NoColon => format!("Malformed auth data for registry {key}; must contain ':'"),
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType => write!(
                f,
                "the agent knows only the types `docker` and `dockercfg`: it ignores all credentials"
            ),
            Self::Unreadable { why, .. } => {
                write!(f, "the agent drops all authentication data, because {why}")
            }
            Self::Skipped { key, why: Skip::Base64 } => write!(
                f,
                "the agent leaves out `{}`: its `auth` is not standard base64 with padding",
                printable_key(key)
            ),
            Self::Skipped { key, why: Skip::NoColon } => write!(
                f,
                "the agent leaves out `{}`: it has no `auth` that holds username, ':' and password",
                printable_key(key)
            ),
            Self::Wrapped { .. } => f.write_str("the agent takes the wrapper `auths` for a registry's name"),
            Self::NoLogin { key } => {
                write!(f, "`{}` has no username and password: its pulls are anonymous", printable_key(key))
            }
            Self::DeadHubKey { key } => {
                write!(
                    f,
                    "the agent looks for Docker Hub under one key, and `{}` is not it",
                    printable_key(key)
                )
            }
            Self::SameKey { keys } => {
                let keys: Vec<_> = keys.iter().map(|key| format!("`{}`", printable_key(key))).collect();
                write!(f, "the agent takes {} for one key, and any of them at random", keys.join(" and "))
            }
            Self::NoHostKey { host } => {
                let host = printable_key(host);
                write!(f, "no key is `{host}` alone: the agent takes any of that host's at random")
            }
            Self::ServerAddress { key } => write!(
                f,
                "`{}` names another server address than its host: Docker 29 and later do not use it",
                printable_key(key)
            ),
            Self::LineBreak { key } => {
                write!(
                    f,
                    "the login of `{}` has a line break, which is sent to the registry",
                    printable_key(key)
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::auth::EffectiveAuth;

    fn warnings(auth_type: &str, data: &str) -> Vec<Warning> {
        AuthMap::read(&EffectiveAuth::new(auth_type, data)).warnings()
    }

    #[test]
    fn what_does_not_do_what_it_seems_to_is_told() {
        let unreadable = |why| Warning::Unreadable { auth_type: AuthType::Docker, why };
        let key = || "r.io".to_owned();
        for (data, expected) in [
            ("", unreadable(Unreadable::Empty)),
            ("'{}'", unreadable(Unreadable::Quoted)),
            ("\"{}\"", unreadable(Unreadable::Quoted)),
            ("{},", unreadable(Unreadable::NotJson)),
            ("[]", unreadable(Unreadable::NotAnObject)),
            (r#"{"r.io":"x"}"#, unreadable(Unreadable::EntryNotAnObject { key: key() })),
            (r#"{"r.io":{"auth":1}}"#, unreadable(Unreadable::FieldNotAString { key: key() })),
            (r#"{"auths":{"r.io":{}}}"#, Warning::Wrapped { skipped: None }),
            (r#"{"r.io":{"auth":"dTpw"}}"#, Warning::NoLogin { key: key() }),
            (r#"{"r.io":{"username":"u","password":"p\n"}}"#, Warning::LineBreak { key: key() }),
            (
                r#"{"r.io":{"username":"u","password":"p","serveraddress":"https://r.io"}}"#,
                Warning::ServerAddress { key: key() },
            ),
            (
                r#"{"docker.io":{"username":"u","password":"p"}}"#,
                Warning::DeadHubKey { key: "docker.io".to_owned() },
            ),
            (
                r#"{"r.io":{"username":"u","password":"p"},"https://r.io":{"username":"u","password":"p"}}"#,
                Warning::SameKey { keys: vec![key(), "https://r.io".to_owned()] },
            ),
            (
                r#"{"r.io/a":{"username":"u","password":"p"},"r.io/b":{"username":"u","password":"p"}}"#,
                Warning::NoHostKey { host: key() },
            ),
        ] {
            assert_eq!(warnings("docker", data), [expected], "{data}");
        }
        assert_eq!(warnings("Docker", "{}"), [Warning::UnknownType]);
        assert_eq!(warnings("", ""), []);
        assert_eq!(
            warnings("docker", r#"{"https://index.docker.io/v1/":{"username":"u","password":"p"}}"#),
            []
        );
    }

    #[test]
    fn what_the_agent_logs_is_told_word_for_word() {
        let logged = |data| warnings("dockercfg", data).iter().map(Warning::logged).collect::<Vec<_>>();
        assert_eq!(logged("{"), [Some("Could not parse 'dockercfg' type auth config".to_owned())]);
        assert_eq!(
            logged(r#"{"r.io":{"auth":"x"},"q.io":{},"auths":{}}"#),
            [
                Some("Malformed auth data for registry r.io".to_owned()),
                Some("Malformed auth data for registry q.io; must contain ':'".to_owned()),
                Some("Malformed auth data for registry auths; must contain ':'".to_owned()),
            ]
        );
    }
}
