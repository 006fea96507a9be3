//! The sources of a registry's credential, as they are written: see [`super`].

use schemars::JsonSchema;
use serde::Deserialize;

use super::VARIABLE_PATTERN;

/// Where a credential is read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// Two environment variables of regcred's own process.
    Env(Env),
    /// A file with both parts, or a username and a file that holds the password alone.
    File(File),
    /// The file that `docker login` writes.
    DockerConfig(DockerConfig),
    /// An environment variable that holds Docker's JSON, as `DOCKER_AUTH_CONFIG` does.
    DockerAuthConfig(DockerAuthConfig),
    /// A credential helper of Docker's, asked directly.
    CredentialHelper(CredentialHelper),
    /// A command that prints the credential.
    Exec(Exec),
    /// A secret in AWS Secrets Manager.
    SecretsManager(SecretsManager),
    /// A SecureString in SSM's Parameter Store.
    SsmParameter(SsmParameter),
    /// A secret in the KV store of a Vault or an OpenBao.
    Vault(Vault),
}

/// Two environment variables of regcred's own process. Here stand their names, never the values.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Env {
    /// The name of the variable that holds the username, such as `DOCKERHUB_USERNAME`.
    #[schemars(extend("pattern" = VARIABLE_PATTERN))]
    pub(crate) username: String,
    /// The name of the variable that holds the password or token, such as `DOCKERHUB_TOKEN`.
    #[schemars(extend("pattern" = VARIABLE_PATTERN))]
    pub(crate) password: String,
}

/// Either `path`, or `username` with `password_path`. A relative path starts at the folder of this file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct File {
    /// A file that holds JSON: `{"username":"…","password":"…"}`, and perhaps `"expires_at":"2027-02-01T00:00:00Z"`.
    pub(crate) path: Option<String>,
    /// The username itself. Only with `password_path`.
    pub(crate) username: Option<String>,
    /// A file that holds the password alone. One trailing line break is trimmed, and that is said. Only with
    /// `username`.
    pub(crate) password_path: Option<String>,
}

/// The file that `docker login` writes: `config.json`, or the older `.dockercfg` without `auths`. Where it names a
/// credential helper for the server, that is asked, as Docker does.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct DockerConfig {
    /// The file. The entry is found by the registry's `server`. A relative path starts at the folder of this file.
    pub(crate) path: String,
    /// Variables of regcred's own environment that a helper is given besides `HOME`, `PATH`, `TMPDIR` and `XDG_*`.
    #[serde(default)]
    pub(crate) environment: Vec<String>,
}

/// An environment variable that holds Docker's JSON: `{"auths":{"HOST":{"auth":"…"}}}` and nothing else.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct DockerAuthConfig {
    /// The name of the variable. The entry is found by the registry's `server`.
    #[serde(default = "default_variable")]
    #[schemars(extend("pattern" = VARIABLE_PATTERN))]
    pub(crate) variable: String,
}

/// A credential helper of Docker's: the program `docker-credential-NAME` on regcred's `PATH`, asked for the `server`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct CredentialHelper {
    /// What stands behind `docker-credential-` in the program's name, such as `pass`.
    pub(crate) name: String,
    /// Variables of regcred's own environment that it is given besides `HOME`, `PATH`, `TMPDIR` and `XDG_*`.
    #[serde(default)]
    pub(crate) environment: Vec<String>,
}

/// A command that prints `{"username":"…","password":"…"}`, and perhaps `"expires_at":"2027-02-01T00:00:00Z"`, and ends
/// with 0. There is no shell. What it prints is never shown.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Exec {
    /// The program and its arguments, one by one. A name alone is looked for on regcred's `PATH`; a relative path starts
    /// at the folder of this file, in which the program is run.
    pub(crate) command: Vec<String>,
    /// Variables of regcred's own environment that it is given besides `HOME`, `PATH`, `TMPDIR` and `XDG_*`.
    #[serde(default)]
    pub(crate) environment: Vec<String>,
}

/// A secret in AWS Secrets Manager: JSON with both parts, or, with `username`, the password alone. It cannot be the secret
/// that the registry is published as.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct SecretsManager {
    /// The name of the secret, or its ARN, which another account's needs.
    pub(crate) secret: String,
    /// The location to read it in. May be left out when there is only one location.
    pub(crate) location: Option<String>,
    /// The staging label of the version to read.
    #[serde(default = "default_version_stage")]
    pub(crate) version_stage: String,
    /// The username itself. Without `password_key`, the secret is then the password alone.
    pub(crate) username: Option<String>,
    /// The key of the username in the secret's JSON, if not `username`.
    pub(crate) username_key: Option<String>,
    /// The key of the password in the secret's JSON, if not `password`.
    pub(crate) password_key: Option<String>,
}

/// A SecureString in SSM's Parameter Store: JSON with both parts, or, with `username`, the password alone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct SsmParameter {
    /// The name of the parameter, perhaps with `:version` or `:label`; or its ARN, which one that another account shares
    /// needs.
    pub(crate) name: String,
    /// The location to read it in. May be left out when there is only one location.
    pub(crate) location: Option<String>,
    /// The username itself. Without `password_key`, the parameter is then the password alone.
    pub(crate) username: Option<String>,
    /// The key of the username in the parameter's JSON, if not `username`.
    pub(crate) username_key: Option<String>,
    /// The key of the password in the parameter's JSON, if not `password`.
    pub(crate) password_key: Option<String>,
}

/// A secret in the KV version 2 store of a Vault or an OpenBao: an object with both parts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Vault {
    /// The server, such as `https://vault.example.com:8200`; `http://` on a loopback address alone.
    pub(crate) address: String,
    /// A file of PEM certificates to believe besides the system's. A relative path starts at the folder of this file.
    pub(crate) ca_file: Option<String>,
    /// The namespace, where the server has namespaces.
    pub(crate) namespace: Option<String>,
    /// Where the KV store is mounted.
    #[serde(default = "default_kv_mount")]
    pub(crate) mount: String,
    /// The path of the secret in the store, without `data/`.
    pub(crate) path: String,
    /// The username itself, in place of a key.
    pub(crate) username: Option<String>,
    /// The key of the username, if not `username`.
    pub(crate) username_key: Option<String>,
    /// The key of the password, if not `password`.
    pub(crate) password_key: Option<String>,
    /// How to log in: exactly one of the keys below.
    pub(crate) auth: VaultAuth,
}

/// How to log in to a Vault. Each pass logs in anew.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VaultAuth {
    /// A token that something else keeps good, such as an agent.
    Token(KeptSecret),
    /// AppRole.
    AppRole(VaultAppRole),
    /// The identity that regcred has in AWS, by a signed request.
    Aws(VaultAws),
}

/// The auth method AppRole.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct VaultAppRole {
    /// Where the auth method is mounted.
    #[serde(default = "default_app_role_mount")]
    pub(crate) mount: String,
    /// The role's id. It is no secret by itself.
    pub(crate) role_id: String,
    /// Where the secret id is.
    pub(crate) secret_id: KeptSecret,
}

/// The auth method `aws`, of the type `iam`. OpenBao has it as a plugin.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct VaultAws {
    /// Where the auth method is mounted.
    #[serde(default = "default_aws_mount")]
    pub(crate) mount: String,
    /// The role in Vault.
    pub(crate) role: String,
    /// What the server asks for as `X-Vault-AWS-IAM-Server-ID`.
    pub(crate) server_id: Option<String>,
    /// The location whose identity is shown. May be left out when there is only one location.
    pub(crate) location: Option<String>,
    /// Where the server asks AWS who signed, if not at STS's endpoint of the location's Region.
    pub(crate) sts_endpoint: Option<String>,
}

/// Where a token or a secret id is: exactly one of the keys below.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeptSecret {
    Variable(
        /// In this environment variable of regcred's own process.
        #[schemars(extend("pattern" = VARIABLE_PATTERN))]
        String,
    ),
    Path(
        /// In this file, alone. A relative path starts at the folder of the configuration.
        String,
    ),
}

fn default_kv_mount() -> String {
    "secret".to_owned()
}

fn default_app_role_mount() -> String {
    "approle".to_owned()
}

fn default_aws_mount() -> String {
    "aws".to_owned()
}

fn default_variable() -> String {
    "DOCKER_AUTH_CONFIG".to_owned()
}

fn default_version_stage() -> String {
    "AWSCURRENT".to_owned()
}
