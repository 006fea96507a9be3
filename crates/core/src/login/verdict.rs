//! What came of trying a credential, and what that proves.

use std::fmt;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::address::AddressKind;
use super::canary::Canary;
use super::realm::RealmRefusal;
use crate::names::RegistryName;

/// What came of one try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Login {
    Accepted(Accepted),
    Rejected(Rejection),
    /// Whatever happened says nothing of the credential.
    CannotTell(Obstacle),
}

/// The credential was accepted, and this is the proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Accepted {
    pub by: Party,
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// What an acceptance proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
#[serde(tag = "evidence", rename_all = "snake_case")]
pub enum Evidence {
    /// This identity was accepted. Whether it may pull is not known: no repository is named.
    Identity,
    /// The token server gave a token to this identity, and gives one to whoever shows none. One that never looks at a
    /// credential, or is not shown it by a proxy, would answer the same; only a repository can tell.
    TokenForAll,
    /// A manifest was seen with the credential, and is not shown without.
    Pull { canary: Canary },
    /// A manifest was seen with the credential; whether it is shown without could not be found out.
    Seen { canary: Canary },
    /// The registry grants pulling from the repository; the tag is not there.
    TagMissing { canary: Canary },
    /// The identity was accepted. The repository shows its manifest to everybody, so that seeing it proves nothing.
    Public { canary: Canary },
}

/// Who answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "party", rename_all = "snake_case")]
pub enum Party {
    Registry,
    TokenServer { host: String },
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry => f.write_str("the registry"),
            Self::TokenServer { host } => write!(f, "its token server `{host}`"),
        }
    }
}

/// The credential was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Rejection {
    pub by: Party,
    pub stage: Stage,
    /// The HTTP status.
    pub status: u16,
}

/// What was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// The identity.
    Login,
    /// Pulling, after the identity was accepted.
    Pull { canary: Canary },
}

/// Why nothing can be told of the credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Obstacle {
    /// 429. A server may answer so to a right password too, after many wrong ones.
    Throttled { by: Party, retry_after: Option<RetryAfter> },
    /// 500 or above.
    ServerError { by: Party, status: u16 },
    /// There was no answer.
    NoAnswer { from: Party, why: NoAnswer },
    /// The registry named a token server that no credential is sent to.
    RealmRefused { realm: String, refusal: RealmRefusal },
    /// The token server redirected to a server that no credential is sent to. `to` is that server, if the configuration or
    /// the registry named it before; none where the token server alone did, which has seen the password and may repeat it.
    RedirectRefused { from: String, to: Option<String>, refusal: RedirectRefusal },
    /// `/v2/` was answered with 200 without a credential: it would be with any.
    OpenToAll,
    /// 200, and the answer is a web page: a portal of the network, or another server than a registry.
    NoRegistry,
    /// 401, and nothing that says how to log in.
    NoChallenge,
    /// The token server answered 200 and gave no token.
    NoToken { by: Party },
    /// The token server took the credential; the registry did not take the token.
    TokenNotTaken { status: u16 },
    /// The canary's repository or tag is not there, or is hidden from this identity: the answer is the same.
    CanaryNotFound { canary: Canary },
    /// Another status than the protocol has here.
    Unexpected { by: Party, status: u16 },
}

/// Why a redirect was not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum RedirectRefusal {
    /// A credential goes to the host that it was meant for.
    OtherHost,
    /// A realm there would be refused.
    Realm {
        why: RedirectFault,
    },
    TooMany,
}

/// A [`RealmRefusal`] that repeats nothing of the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RedirectFault {
    NoUrl,
    Plaintext,
    UserInfo,
    NotListed,
    Inside,
    Never,
}

impl From<RealmRefusal> for RedirectFault {
    fn from(refusal: RealmRefusal) -> Self {
        match refusal {
            RealmRefusal::NoUrl => Self::NoUrl,
            RealmRefusal::Plaintext { host: _ } => Self::Plaintext,
            RealmRefusal::UserInfo => Self::UserInfo,
            RealmRefusal::NotListed { host: _ } => Self::NotListed,
            RealmRefusal::Inside { host: _, address: _ } => Self::Inside,
            RealmRefusal::Never { host: _, address: _ } => Self::Never,
        }
    }
}

impl fmt::Display for RedirectFault {
    /// Follows "redirects to …, and ".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoUrl => "that is no URL of a server",
            Self::Plaintext => {
                "it would be asked over plain http, where anybody on the way reads the password"
            }
            Self::UserInfo => "its URL carries a user name or password of its own",
            Self::NotListed => "that is not among verify.realm_hosts",
            Self::Inside => "that is inside, and not the registry's own host",
            Self::Never => "that is at an address where metadata services are",
        })
    }
}

/// When to ask again, as a throttling server says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// `Retry-After` in seconds (RFC 9110 §10.2.3).
    Seconds(u32),
    /// Docker Hub's `X-Retry-After`, a Unix time.
    At(DateTime<Utc>),
}

impl RetryAfter {
    /// Reads `Retry-After` or `X-Retry-After`. Docker Hub puts a time where others put a span.
    pub fn read(text: &str) -> Option<Self> {
        // No span is thirty years long, and no time is in 1970.
        const FIRST_TIME: i64 = 1_000_000_000;
        let number: i64 = text.trim().parse().ok()?;
        if number >= FIRST_TIME {
            DateTime::from_timestamp(number, 0).map(Self::At)
        } else {
            u32::try_from(number).ok().map(Self::Seconds)
        }
    }
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "failed", rename_all = "snake_case")]
pub enum NoAnswer {
    Resolve {
        host: String,
    },
    /// The host resolved to an address that it must not be at.
    Refused {
        host: String,
        address: String,
    },
    /// The host resolved to an address where metadata services are: whatever is listed, no password goes there.
    Never {
        host: String,
        address: String,
    },
    /// It resolved to an address that is not this machine's, and would be asked over plain http.
    Plaintext {
        address: String,
    },
    Connect {
        address: String,
        why: String,
    },
    /// The certificate is not trusted or not for this host, or what answers speaks no TLS.
    Tls {
        why: String,
    },
    TimedOut {
        limit: String,
    },
    /// The connection ended before the answer did.
    CutOff,
    /// The answer is no HTTP, or too large.
    Protocol {
        why: String,
    },
    /// `verify.ca_file` is of no use.
    CaFile {
        why: String,
    },
}

impl NoAnswer {
    /// The host resolved to an address that its standing does not admit.
    pub fn refused(host: String, address: IpAddr) -> Self {
        let kind = AddressKind::of(address);
        let address = address.to_string();
        match kind {
            AddressKind::LinkLocal | AddressKind::NoHost => Self::Never { host, address },
            AddressKind::Public | AddressKind::Private | AddressKind::Loopback => {
                Self::Refused { host, address }
            }
        }
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { host } => write!(f, "the name `{host}` does not resolve"),
            Self::Refused { host, address } => {
                write!(
                    f,
                    "`{host}` resolves to {address}, which is inside, and is not the registry's own host"
                )
            }
            Self::Never { host, address } => {
                write!(
                    f,
                    "`{host}` resolves to {address}: metadata services are at such addresses, and no password goes there"
                )
            }
            Self::Plaintext { address } => {
                write!(f, "plain http is for this machine alone, and it resolves to {address}")
            }
            Self::Connect { address, why } => write!(f, "no connection to {address}: {why}"),
            Self::Tls { why } => write!(f, "its certificate cannot be trusted, or it speaks no TLS: {why}"),
            Self::TimedOut { limit } => write!(f, "no answer within {limit}"),
            Self::CutOff => f.write_str("the connection ended before the answer did"),
            Self::Protocol { why } => write!(f, "what it answers is no HTTP that can be read: {why}"),
            Self::CaFile { why } => write!(f, "it was not asked: {why}"),
        }
    }
}

/// What an obstacle comes of, which decides whether the operator's `unreachable` has a say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The registry or its token server throttles, fails or cannot be reached: the same question may be answered later.
    Outage,
    /// Something answered, and not as a registry does that a credential may be shown to. It can be another server in the
    /// registry's place, so that nothing is published on its word.
    Misfit,
}

impl Obstacle {
    pub fn cause(&self) -> Cause {
        match self {
            Self::Throttled { .. } | Self::ServerError { .. } => Cause::Outage,
            Self::NoAnswer { why, .. } => match why {
                NoAnswer::Resolve { .. }
                | NoAnswer::Connect { .. }
                | NoAnswer::Tls { .. }
                | NoAnswer::TimedOut { .. }
                | NoAnswer::CutOff => Cause::Outage,
                NoAnswer::Refused { .. }
                | NoAnswer::Never { .. }
                | NoAnswer::Plaintext { .. }
                | NoAnswer::Protocol { .. }
                | NoAnswer::CaFile { .. } => Cause::Misfit,
            },
            Self::RealmRefused { .. }
            | Self::RedirectRefused { .. }
            | Self::OpenToAll
            | Self::NoRegistry
            | Self::NoChallenge
            | Self::NoToken { .. }
            | Self::TokenNotTaken { .. }
            | Self::CanaryNotFound { .. }
            | Self::Unexpected { .. } => Cause::Misfit,
        }
    }

    /// Why, for a person: follows "because: ".
    pub fn why(&self) -> String {
        match self {
            Self::Throttled { by, retry_after } => {
                let when = match retry_after {
                    Some(RetryAfter::Seconds(seconds)) => format!("; it says to wait {seconds} s"),
                    Some(RetryAfter::At(time)) => {
                        format!("; it says to wait until {}", time.format("%Y-%m-%d %H:%M UTC"))
                    }
                    None => String::new(),
                };
                format!("{by} throttles (429){when}")
            }
            Self::ServerError { by, status } => format!("{by} fails ({status})"),
            Self::NoAnswer { from, why } => format!("{from} did not answer: {why}"),
            Self::RealmRefused { realm, refusal } => {
                format!("the registry wants the password sent to {realm}, and {refusal}")
            }
            Self::RedirectRefused { from, to, refusal } => {
                let why = match refusal {
                    RedirectRefusal::OtherHost => "a password follows to no other host".to_owned(),
                    RedirectRefusal::Realm { why } => why.to_string(),
                    RedirectRefusal::TooMany => "that is one redirect too many".to_owned(),
                };
                let to = to.as_ref().map_or_else(|| "another host".to_owned(), |to| format!("`{to}`"));
                format!("the token server `{from}` redirects to {to}, and {why}")
            }
            Self::OpenToAll => {
                "the registry answers everybody with 200, so that its 200 proves nothing of a credential"
                    .to_owned()
            }
            Self::NoRegistry => "what answers is a web page (200, `text/html`), and no registry".to_owned(),
            Self::NoChallenge => {
                "the registry answers 401 and does not say how to log in (no Basic and no Bearer challenge)"
                    .to_owned()
            }
            Self::NoToken { by } => format!("{by} answered 200, and there is no token in the answer"),
            Self::TokenNotTaken { status } => {
                format!("the registry does not take the token that its own token server gave ({status})")
            }
            Self::CanaryNotFound { canary } => {
                format!("{canary} is not there, or is hidden from this user: the answer (404) is the same")
            }
            Self::Unexpected { by, status } => {
                format!("{by} answers {status}, which the protocol does not have here")
            }
        }
    }

    /// What the reader can do about it: follows "to do: ". `registry` is its name in the configuration.
    pub fn remedy(&self, registry: &str) -> String {
        let verify = format!("registries.{registry}.verify");
        match self {
            Self::Throttled { .. } => {
                "wait: the next pass tries again. If a wrong password was tried often, the account may be locked".to_owned()
            }
            Self::ServerError { .. } => {
                format!("see how the registry does; the next pass tries again (`{verify}.unreachable: publish` would not wait for it)")
            }
            Self::TokenNotTaken { .. } => {
                "see that the registry trusts its token server; the next pass tries again".to_owned()
            }
            Self::NoAnswer { why, .. } => match why {
                NoAnswer::Tls { .. } => {
                    format!("if its certificate is from an authority of your own, name its file in {verify}.ca_file")
                }
                NoAnswer::Refused { host, .. } => {
                    format!("if that is your token server, list `{host}` in {verify}.realm_hosts")
                }
                NoAnswer::Never { .. } => no_list(&verify),
                NoAnswer::CaFile { .. } => {
                    format!("correct {verify}.ca_file: a PEM file of certificate authorities")
                }
                NoAnswer::Plaintext { .. } => format!("name it by https in {verify}.endpoint"),
                NoAnswer::Resolve { .. }
                | NoAnswer::Connect { .. }
                | NoAnswer::TimedOut { .. }
                | NoAnswer::CutOff => {
                    format!("let this machine reach it, or name another way to it in {verify}.endpoint; the next pass tries again")
                }
                NoAnswer::Protocol { .. } => {
                    format!("see that `server` names a registry, or name the way to it in {verify}.endpoint")
                }
            },
            Self::RealmRefused { refusal, .. } => match refusal {
                RealmRefusal::NotListed { host } | RealmRefusal::Inside { host, .. } => {
                    format!("if that is your token server, list `{host}` in {verify}.realm_hosts; if not, the registry is not what it should be")
                }
                RealmRefusal::Never { .. } => no_list(&verify),
                RealmRefusal::Plaintext { .. } | RealmRefusal::UserInfo | RealmRefusal::NoUrl => {
                    "correct the public URL in the registry's own configuration: this is what it is made of".to_owned()
                }
            },
            Self::RedirectRefused { .. } => {
                "let the registry name as its realm what the redirect leads to, in its own configuration".to_owned()
            }
            Self::OpenToAll => {
                format!("see that `server` names the registry that is meant; if that is open to all, name a private repository in {verify}.repository, or publish untried by {verify}.enabled: false")
            }
            Self::NoRegistry => {
                format!("see that `server` names a registry, or name the way to it in {verify}.endpoint; a portal of this network may have answered in its place")
            }
            Self::NoChallenge | Self::NoToken { .. } | Self::Unexpected { .. } => {
                format!("see that `server` names a registry, or name the way to it in {verify}.endpoint")
            }
            Self::CanaryNotFound { .. } => {
                format!("name in {verify}.repository and {verify}.tag an image that this user may pull")
            }
        }
    }
}

/// What to do about a token server at an address that no password goes to.
fn no_list(verify: &str) -> String {
    format!(
        "give the token server another address, or find out who answers for the registry: {verify}.realm_hosts cannot help here"
    )
}

impl fmt::Display for Accepted {
    /// Follows "accepted".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, evidence } = self;
        match evidence {
            Evidence::Identity => write!(f, "by {by}"),
            Evidence::TokenForAll => write!(
                f,
                "by {by}, which gives anonymous tokens too: name a private repository in `verify.repository` to prove the login"
            ),
            Evidence::Pull { canary } => write!(f, "by {by}; it may pull {canary}, which nobody may without"),
            Evidence::Seen { canary } => {
                write!(f, "by {by}; it may pull {canary} (whether anybody may could not be found out)")
            }
            Evidence::TagMissing { canary } => {
                write!(f, "by {by}; it may pull from the repository, but there is no {canary}")
            }
            Evidence::Public { canary } => {
                write!(f, "by {by}; {canary} is public, so that pulling it proves nothing")
            }
        }
    }
}

impl Rejection {
    /// Why, for a person: follows "because: ".
    pub fn why(&self) -> String {
        let Self { by, stage, status } = self;
        match stage {
            Stage::Login => format!("{by} refuses it ({status})"),
            Stage::Pull { canary } => {
                format!("{by} knows the user, but does not let it pull {canary} ({status})")
            }
        }
    }
}

impl Stage {
    /// What the reader can do about a refusal there: follows "to do: ".
    pub fn remedy(&self, registry: &RegistryName) -> String {
        match self {
            Self::Login => {
                "correct the credential at its source: it may be mistyped, expired, revoked, or the account locked"
                    .to_owned()
            }
            Self::Pull { .. } => format!(
                "give the user the right to pull from there and run `regcred verify --registry {registry}`; or name another \
                 image in registries.{registry}.verify.repository, which the next pass tries"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_a_way_out_only_where_it_is_one() {
        let refused = |address: &str| {
            let why = NoAnswer::refused("auth.example.com".into(), address.parse().unwrap());
            Obstacle::NoAnswer { from: Party::Registry, why }.remedy("harbor")
        };
        for address in ["10.0.0.1", "127.0.0.1", "fd12::1"] {
            assert!(refused(address).contains("list `auth.example.com` in"), "{address}");
        }
        for address in ["169.254.169.254", "fd00:ec2::254", "0.0.0.0", "::ffff:169.254.170.2"] {
            assert!(refused(address).contains("realm_hosts cannot help"), "{address}");
        }
        let realm = |refusal| Obstacle::RealmRefused { realm: "x".into(), refusal }.remedy("harbor");
        let host = || "h".to_owned();
        let address = "10.0.0.1".parse().unwrap();
        assert!(realm(RealmRefusal::Inside { host: host(), address }).contains("list `h` in"));
        assert!(realm(RealmRefusal::NotListed { host: host() }).contains("list `h` in"));
        assert!(realm(RealmRefusal::Never { host: host(), address }).contains("realm_hosts cannot help"));
    }

    #[test]
    fn a_waiting_time_is_a_span_or_a_time() {
        assert_eq!(RetryAfter::read(" 60 "), Some(RetryAfter::Seconds(60)));
        let at = DateTime::from_timestamp(1_764_000_000, 0).unwrap();
        assert_eq!(RetryAfter::read("1764000000"), Some(RetryAfter::At(at)));
        for text in ["", "-1", "Wed, 21 Oct 2026 07:28:00 GMT", "99999999999999999999"] {
            assert_eq!(RetryAfter::read(text), None, "{text}");
        }
    }
}
