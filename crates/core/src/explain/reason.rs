//! The sentences that say why.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::agent::auth::{Skip, printable_key};
use crate::agent::warning::Warning;
use crate::agent::{AuthType, StartFault};
use crate::server::DOCKER_HUB_KEY;

/// Why a pull uses what it uses. Its `Display` is one sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No agent starts with this file at all.
    NoStart(StartFault),
    /// The image is in a private registry of ECR.
    Ecr,
    /// The image is in ECR's public gallery.
    PublicEcr,
    /// The image is given as a URL.
    Scheme { scheme: String },
    /// What looks like a host is none to the agent.
    HubUser { user: String },
    /// The one key of Docker Hub.
    DockerHub { key: String },
    /// The key is the image's host.
    Host { key: String, host: String },
    /// The key is the longest that the image begins with.
    Prefix { key: String, image: String },
    /// There is no key for the host alone.
    FirstMet { key: String, host: String },
    /// The agent comes to an entry by this rule, and there is no login in it.
    Empty(Box<Self>),
    /// The agent comes to an entry by this rule, and there is a token in it.
    Token(Box<Self>),
    /// Several keys, one credential.
    SameCredential,
    /// Several keys, several credentials.
    Random,
    /// What is wrong with the authentication settings as a whole.
    Warning(Warning),
    /// Neither type nor data.
    NoSettings,
    /// Data without a type.
    NoType,
    /// No key has the image's host.
    NoEntry { host: String, entries: usize },
    /// A key that would apply, were it not for something.
    NearMiss { key: String, why: NearMiss },
    /// Rules of [`crate::lint`] that the file breaks.
    Linted { rules: Vec<&'static str> },
    /// The file is Docker's own.
    DockerConfig,
    /// The file is a value without its type.
    BareValue(AuthType),
    /// What a task definition can say instead.
    RepositoryCredentials,
}

/// Why a key that nearly applies does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NearMiss {
    /// It names Docker Hub otherwise than the agent asks for it.
    DeadHubKey,
    /// The agent leaves the entry out.
    Skipped(Skip),
    /// It has other capital letters.
    Case,
    /// It has another port, or one has a port and the other has none.
    Port,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStart(fault) => write!(f, "no agent starts with this file: {fault}"),
            Self::Ecr => f.write_str(
                "ECS gives images of ECR a token of its own, by the task execution role or the instance role: this \
                 file is not used for it, and what follows would hold only if it were",
            ),
            Self::PublicEcr => f.write_str(
                "public.ecr.aws is public: a pull needs no credential, and ECS sends none of its own for it",
            ),
            Self::Scheme { scheme } => {
                write!(f, "an image has no `{scheme}://`, which the agent takes for its host: name it without")
            }
            Self::HubUser { user } => write!(
                f,
                "`{}` has no dot and no port and is not `localhost`, so the agent takes it for a user of Docker Hub",
                printable_key(user)
            ),
            Self::DockerHub { key } => write!(f, "`{key}` is the one key that the agent has for Docker Hub"),
            Self::Host { key, host } => write!(f, "the key `{key}` is the image's host, `{host}`"),
            Self::Prefix { key, image } => {
                write!(f, "of the host's keys, `{key}` is the longest that `{}` begins with", printable_key(image))
            }
            Self::FirstMet { key, host } => write!(
                f,
                "no key is `{}` alone, so the agent takes `{key}`, if it meets that first, although the image does not \
                 begin with it",
                printable_key(host)
            ),
            Self::Empty(how) => write!(f, "{how}, and its entry has no username and no password"),
            Self::Token(how) => write!(f, "{how}, and its entry has a token, which Docker prefers to a password"),
            Self::SameCredential => {
                f.write_str("the agent takes any of these keys, and all of them have the same credential")
            }
            Self::Random => f.write_str(
                "which one it is differs from one start of the agent to the next, because it walks over its keys in \
                 random order",
            ),
            Self::Warning(warning) => warning.fmt(f),
            Self::NoSettings => {
                f.write_str("the file sets neither ECS_ENGINE_AUTH_TYPE nor ECS_ENGINE_AUTH_DATA in a line that agents read")
            }
            Self::NoType => f.write_str(
                "the file sets no ECS_ENGINE_AUTH_TYPE, without which the agent ignores ECS_ENGINE_AUTH_DATA and logs nothing",
            ),
            Self::NoEntry { host, entries: 0 } => {
                write!(f, "the data has no entry at all, so none for `{}`", printable_key(host))
            }
            Self::NoEntry { host, entries: _ } => {
                write!(f, "no entry that the agent can use is for `{}`", printable_key(host))
            }
            Self::NearMiss { key, why: NearMiss::DeadHubKey } => write!(
                f,
                "`{key}` looks like Docker Hub, but the agent looks for `{DOCKER_HUB_KEY}` only, to the letter"
            ),
            Self::NearMiss { key, why: NearMiss::Skipped(Skip::Base64) } => write!(
                f,
                "the agent leaves out the entry `{key}`: its `auth` is not standard base64 with padding"
            ),
            Self::NearMiss { key, why: NearMiss::Skipped(Skip::NoColon) } => write!(
                f,
                "the agent leaves out the entry `{key}`: it has no `auth` that holds username, ':' and password"
            ),
            Self::NearMiss { key, why: NearMiss::Case } => {
                write!(f, "`{key}` has other capital letters, and the agent compares byte for byte")
            }
            Self::NearMiss { key, why: NearMiss::Port } => {
                write!(f, "`{key}` has another port, and to the agent a port is a part of the host, also 443")
            }
            Self::Linted { rules } => {
                write!(f, "`regcred lint` has to say of this file: {}", rules.join(", "))
            }
            Self::DockerConfig => f.write_str(
                "no agent reads Docker's config.json: this is what it would do with the file's `auths` as data of type \
                 `dockercfg`",
            ),
            Self::BareValue(auth_type) => {
                write!(f, "the value is taken for type `{auth_type}`, which fits it; the agent asks ECS_ENGINE_AUTH_TYPE")
            }
            Self::RepositoryCredentials => f.write_str(
                "a container with `repositoryCredentials` in its task definition uses that secret, and never this file",
            ),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
