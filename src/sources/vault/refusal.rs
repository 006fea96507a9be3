//! What can be wrong at Vault: why, and what to do.

use std::error::Error;

use crate::sources::error::Place;
use crate::sources::flaw::Flaw;

/// What was asked of Vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Login,
    Read,
}

/// Why Vault gave no secret. Holds nothing that it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VaultFlaw {
    /// The token, or the secret id, is empty or has more than one line.
    NoToken,
    /// The file of certificates is of no use.
    Certificates {
        why: String,
    },
    /// No answer.
    Unreached {
        why: String,
    },
    Refused {
        step: Step,
        refusal: Refusal,
    },
    /// There is nothing at the path.
    Absent,
    /// The current version was deleted, and can be brought back.
    Deleted {
        version: u64,
    },
    /// The current version was destroyed for good.
    Destroyed {
        version: u64,
    },
    /// There is no store at the mount.
    NoMount,
    /// There is an answer of another kind of store.
    NotKv2,
    /// The secret was made for this read, and would be at each.
    Leased,
    /// What answers does not speak Vault's API.
    NotVault,
    /// What stands under a key is no text.
    NotText {
        key: String,
    },
}

/// An answer that is none, by its status (<https://developer.hashicorp.com/vault/api-docs#http-status-codes>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 400.
    Invalid,
    /// 403: the token is not good, or its policies do not allow this. Vault does not tell which.
    Denied,
    /// 404, to a login.
    NoMethod,
    /// 412: this node has not seen yet what it was asked for.
    NotYet,
    /// 429.
    Throttled,
    /// 472, 473: a standby node.
    Standby,
    /// 503.
    Sealed,
    /// A redirect, which is not followed: a token would go along.
    Redirected(u16),
    /// Any other status.
    Other(u16),
}

impl Refusal {
    pub(super) fn of(status: u16) -> Self {
        match status {
            400 => Self::Invalid,
            403 => Self::Denied,
            404 => Self::NoMethod,
            412 => Self::NotYet,
            429 => Self::Throttled,
            472 | 473 => Self::Standby,
            503 => Self::Sealed,
            300..400 => Self::Redirected(status),
            other => Self::Other(other),
        }
    }
}

impl From<VaultFlaw> for Flaw {
    fn from(flaw: VaultFlaw) -> Self {
        Self::Vault(flaw)
    }
}

/// What an error and its causes say, in one line. Those of the HTTP client tell nothing of what was sent or answered.
pub(super) fn told(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl VaultFlaw {
    pub(in crate::sources) fn why(&self) -> String {
        match self {
            Self::NoToken => "it is empty, or has more than one line".to_owned(),
            Self::Certificates { why } | Self::Unreached { why } => why.clone(),
            Self::Refused { step, refusal } => {
                let what = match step {
                    Step::Login => "the login",
                    Step::Read => "the read",
                };
                match refusal {
                    Refusal::Invalid => format!("{what} was refused as invalid (400)"),
                    Refusal::Denied => match step {
                        Step::Login => "the login was denied (403)".to_owned(),
                        Step::Read => {
                            "403: the token is not valid any more, or no policy of it allows this".to_owned()
                        }
                    },
                    Refusal::NoMethod => format!("there is nothing that could answer {what} (404)"),
                    Refusal::NotYet => {
                        format!(
                            "412: this node is behind the one that took a write, and could not answer {what}"
                        )
                    }
                    Refusal::Throttled => format!("429: too many requests for {what}"),
                    Refusal::Standby => format!("the node that was asked for {what} is a standby"),
                    Refusal::Sealed => "503: it is sealed, or in maintenance".to_owned(),
                    Refusal::Redirected(status) => {
                        format!(
                            "{what} was redirected ({status}), and a token is not sent on to another server"
                        )
                    }
                    Refusal::Other(status) => format!("{what} was answered with status {status}"),
                }
            }
            Self::Absent => "there is no secret at this path".to_owned(),
            Self::Deleted { version } => format!("its current version {version} was deleted"),
            Self::Destroyed { version } => format!("its current version {version} was destroyed for good"),
            Self::NoMount => "there is no store at this mount".to_owned(),
            Self::NotKv2 => "what is mounted there is no KV store of version 2".to_owned(),
            Self::Leased => "it is made for each who reads it, and every pass would make another".to_owned(),
            Self::NotVault => "what answers there does not speak Vault's API".to_owned(),
            Self::NotText { key } => format!("what stands under `{key}` is no text"),
        }
    }

    pub(in crate::sources) fn to_do(&self, place: &Place) -> String {
        let path = match place {
            Place::Vault { path, .. } => path.as_str(),
            _ => "",
        };
        match self {
            Self::NoToken => "put the token or the secret id there, on one line".to_owned(),
            Self::Certificates { .. } => "name a file of PEM certificates with `ca_file`".to_owned(),
            Self::Unreached { .. } => {
                "correct `address`, see that it answers from here, and name its CA with `ca_file` if it has its own"
                    .to_owned()
            }
            Self::Refused { step, refusal } => match (refusal, step) {
                (Refusal::Denied, Step::Read) => {
                    format!("renew the token, or allow it: path \"{path}\" {{ capabilities = [\"read\"] }}")
                }
                (Refusal::Invalid | Refusal::Denied, Step::Login) => {
                    "see that the role exists, and that its secret id or its AWS principal is right, not used up and \
                     allowed from here"
                        .to_owned()
                }
                (Refusal::NoMethod, _) => "correct the `mount` of `auth`, or enable the method there".to_owned(),
                (Refusal::NotYet | Refusal::Throttled, _) => {
                    "nothing: the next pass tries again; what is published stays until then".to_owned()
                }
                (Refusal::Standby | Refusal::Redirected(_), _) => {
                    "name the active node, or what balances to it, with `address`".to_owned()
                }
                (Refusal::Sealed, _) => "unseal it; what is published stays until then".to_owned(),
                (Refusal::Invalid, Step::Read) => "correct `mount` and `path`".to_owned(),
                (Refusal::Other(_), _) => "look into the server's log for this request".to_owned(),
            },
            Self::Absent => "write it there, or correct `path`; a name never begins with `data/`".to_owned(),
            Self::Deleted { version } => {
                format!("write a new version, or bring it back: bao kv undelete -versions={version} {}", bare(path))
            }
            Self::Destroyed { .. } => format!("write a new version: bao kv put {} …", bare(path)),
            Self::NoMount => "correct `mount`: bao secrets list".to_owned(),
            Self::NotKv2 => "keep it in a KV store of version 2, or use the source `exec`".to_owned(),
            Self::Leased => "keep a lasting credential in a KV store of version 2, and name that".to_owned(),
            Self::NotVault => "correct `address`".to_owned(),
            Self::NotText { key } => format!("store a text under `{key}`"),
        }
    }
}

/// The path as the command line has it.
fn bare(path: &str) -> String {
    path.replacen("/data/", "/", 1)
}
