//! Where a credential is read.

use std::path::PathBuf;

use regcred_core::names::LocationName;
use url::Url;

/// Where a credential is read: names and paths, never a value. Paths that were relative start at the folder of the
/// configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SourceReference {
    /// Two variables of the process's own environment, by their names.
    Env { username: String, password: String },
    /// A file that holds `{"username","password"}`.
    JsonFile { path: PathBuf },
    /// The username itself, and a file that holds the password alone.
    PasswordFile { username: String, password_path: PathBuf },
    /// Docker's `config.json`, or the older `.dockercfg`; and what a helper that it names is given of the environment.
    DockerConfig { path: PathBuf, environment: Vec<String> },
    /// A variable that holds Docker's JSON.
    DockerAuthConfig { variable: String },
    /// A credential helper, by what stands behind `docker-credential-` in its name.
    CredentialHelper { name: String, environment: Vec<String> },
    /// A command, run in the `folder` of the configuration.
    Exec { program: PathBuf, arguments: Vec<String>, folder: PathBuf, environment: Vec<String> },
    /// A secret in Secrets Manager, by its name or ARN.
    SecretsManager { location: LocationName, id: String, stage: String, shape: Shape },
    /// A parameter, by its name or ARN.
    SsmParameter { location: LocationName, name: String, shape: Shape },
    /// A secret in the KV version 2 store of a Vault or an OpenBao.
    Vault(Box<Vault>),
}

/// A secret in Vault, and how to come by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vault {
    /// `https:`, or `http:` to a loopback address; without a query.
    pub(crate) address: Url,
    /// Certificates to believe besides the system's.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) namespace: Option<String>,
    /// Without slashes at its ends, as is `path`.
    pub(crate) mount: String,
    pub(crate) path: String,
    pub(crate) keys: Keys,
    pub(crate) login: VaultLogin,
}

/// How a token is come by. A `mount` is that of the auth method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VaultLogin {
    Token(KeptSecret),
    AppRole {
        mount: String,
        role_id: String,
        secret_id: KeptSecret,
    },
    AwsIam {
        mount: String,
        role: String,
        /// What the server asks for in `X-Vault-AWS-IAM-Server-ID`.
        server_id: Option<String>,
        /// Whose identity is shown.
        location: LocationName,
        /// Where the server asks who signed, if not at STS's endpoint of the location's Region.
        sts_endpoint: Option<Url>,
    },
}

/// Where a secret is kept that opens a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeptSecret {
    /// In a variable of the process's own environment.
    Variable(String),
    File(PathBuf),
}

/// How a text holds a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A JSON object.
    Json(Keys),
    /// The password alone.
    Password { username: String },
}

/// Where in a JSON object the parts of a credential are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) username: UsernameFrom,
    /// The password's key.
    pub(crate) password: String,
}

impl Keys {
    /// `username` and `password`.
    pub(crate) fn usual() -> Self {
        Self { username: UsernameFrom::Key("username".to_owned()), password: "password".to_owned() }
    }
}

/// Where a username comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UsernameFrom {
    /// From the configuration.
    Fixed(String),
    /// From under this key.
    Key(String),
}
