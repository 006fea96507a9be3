//! Where the sources of the contract read: for each kind a place that holds some bytes, or nothing.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regcred_sandbox::{Options, ParameterKind, ParameterSeed, Sandbox};
use serde_json::json;
use tempfile::TempDir;

use super::super::process::Environment;
use super::super::*;
use super::{SECRET, bao, vault};
use crate::config::{Keys, Shape, UsernameFrom};

const ACCOUNT: &str = "111111111111";
const REGION: &str = "eu-west-1";
/// What the secret and the parameter are called.
const NAME: &str = "registries/ghcr";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Env,
    JsonFile,
    PasswordFile,
    DockerConfig,
    /// Docker's configuration, where it names a helper.
    ConfiguredHelper,
    DockerAuthConfig,
    CredentialHelper,
    Exec,
    /// JSON under the usual keys.
    Secret,
    /// The password alone.
    SecretPassword,
    /// JSON under other keys.
    Parameter,
    ParameterPassword,
    Vault,
}

const ALL: [Kind; 13] = [
    Kind::Env,
    Kind::JsonFile,
    Kind::PasswordFile,
    Kind::DockerConfig,
    Kind::ConfiguredHelper,
    Kind::DockerAuthConfig,
    Kind::CredentialHelper,
    Kind::Exec,
    Kind::Secret,
    Kind::SecretPassword,
    Kind::Parameter,
    Kind::ParameterPassword,
    Kind::Vault,
];

/// All kinds whose worlds can be had here.
pub(super) fn all() -> Vec<Kind> {
    ALL.into_iter().filter(|kind| *kind != Kind::Vault || bao::shared().is_some()).collect()
}

/// Those whose bytes are a file's.
pub(super) const FILES: [Kind; 3] = [Kind::JsonFile, Kind::PasswordFile, Kind::DockerConfig];

/// A place for one source. All of it is gone with its handle.
pub(super) struct World {
    kind: Kind,
    pub(super) folder: TempDir,
    /// Of AWS, where the kind reads there.
    sandbox: Option<(Sandbox, Locations)>,
    vault_path: String,
}

/// The programs of the tests.
pub(super) fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

impl Kind {
    /// The bytes that hold `password` for the user `robot`, as this kind of source wants them.
    pub(super) fn bytes(self, password: &str) -> Vec<u8> {
        match self {
            Self::Env | Self::PasswordFile | Self::SecretPassword | Self::ParameterPassword => {
                password.into()
            }
            Self::JsonFile | Self::Exec | Self::Secret | Self::Vault => {
                json!({ "username": "robot", "password": password, "more": [1] }).to_string().into()
            }
            Self::Parameter => json!({ "user": "robot", "pass word": password }).to_string().into(),
            Self::DockerConfig => {
                let entry = json!({ "username": "robot", "password": password });
                json!({ "auths": { "ghcr.io": entry } }).to_string().into()
            }
            Self::DockerAuthConfig => {
                let entry = json!({ "auth": STANDARD.encode(format!("robot:{password}")) });
                json!({ "auths": { "ghcr.io": entry } }).to_string().into()
            }
            Self::CredentialHelper | Self::ConfiguredHelper => {
                json!({ "ServerURL": "ghcr.io", "Username": "robot", "Secret": password }).to_string().into()
            }
        }
    }

    /// Whether the bytes are the password alone, at whose end a line break is not taken for a part of it.
    pub(super) fn is_trimmed(self) -> bool {
        match self {
            Self::PasswordFile | Self::SecretPassword | Self::ParameterPassword => true,
            Self::Env
            | Self::JsonFile
            | Self::DockerConfig
            | Self::ConfiguredHelper
            | Self::DockerAuthConfig
            | Self::CredentialHelper
            | Self::Exec
            | Self::Secret
            | Self::Parameter
            | Self::Vault => false,
        }
    }

    /// Whether the place takes any bytes: AWS and Vault take text alone.
    pub(super) fn takes_bytes(self) -> bool {
        !self.is_of_aws() && self != Self::Vault
    }

    /// AWS takes no empty text.
    pub(super) fn can_be_empty(self) -> bool {
        !matches!(self, Self::SecretPassword | Self::ParameterPassword)
    }

    pub(super) fn is_of_aws(self) -> bool {
        matches!(self, Self::Secret | Self::SecretPassword | Self::Parameter | Self::ParameterPassword)
    }

    pub(super) async fn read(self, bytes: impl Into<Option<Vec<u8>>>) -> Result<Reading, SourceError> {
        let world = World::new(self, bytes.into()).await;
        world.source().read().await
    }
}

impl World {
    /// A place that holds `bytes`, or nothing.
    pub(super) async fn new(kind: Kind, bytes: Option<Vec<u8>>) -> Self {
        let folder = TempDir::new().unwrap();
        let mut world = Self { kind, folder, sandbox: None, vault_path: String::new() };
        if kind == Kind::Vault {
            let data = bytes.map(|bytes| serde_json::from_slice(&bytes).unwrap());
            world.vault_path = data.map_or_else(bao::unused_path, |data| bao::shared().unwrap().write(&data));
        } else if kind.is_of_aws() {
            let text = bytes.map(|bytes| String::from_utf8(bytes).unwrap());
            world.sandbox = Some(start(kind, text).await);
        } else if let Some(bytes) = bytes {
            std::fs::write(world.path(), bytes).unwrap();
        }
        if kind == Kind::ConfiguredHelper {
            let config = r#"{"auths":{"ghcr.io":{}},"credHelpers":{"ghcr.io":"test"}}"#;
            std::fs::write(world.folder.path().join("config.json"), config).unwrap();
        }
        world
    }

    /// The file that holds the bytes, where one does.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("credential")
    }

    pub(super) fn asked(&self) -> PathBuf {
        self.folder.path().join("asked")
    }

    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.sandbox.as_ref().unwrap().0
    }

    /// What a program is given. Without bytes to answer with, the program itself is not to be found.
    pub(super) fn environment(&self) -> Environment {
        let path = if self.path().exists() { programs() } else { PathBuf::new() };
        let path = std::env::join_paths([path.as_path(), "/usr/bin".as_ref(), "/bin".as_ref()]).unwrap();
        [("PATH", path), ("ANSWER", self.path().into()), ("ASKED", self.asked().into())]
            .map(|(name, value)| (OsString::from(name), value))
            .into()
    }

    /// The source that reads here.
    pub(super) fn source(&self) -> Box<dyn Source> {
        let server = Server::parse("ghcr.io").unwrap();
        let call = || HelperCall { helper: "test".into(), server: "ghcr.io".into() };
        let environment = self.environment();
        let bytes = std::fs::read(self.path()).ok();
        match self.kind {
            Kind::Env => {
                let look_up = move |name: &str| match name {
                    "USER" => Some(OsString::from("robot")),
                    _ => bytes.clone().map(OsString::from_vec),
                };
                Box::new(env::Env { username: "USER".into(), password: "PASSWORD".into(), look_up })
            }
            Kind::DockerAuthConfig => {
                let look_up = move |_: &str| bytes.clone().map(OsString::from_vec);
                let variable = "DOCKER_AUTH_CONFIG".into();
                Box::new(docker_auth_config::DockerAuthConfig { variable, server, look_up })
            }
            Kind::ConfiguredHelper => {
                let path = self.folder.path().join("config.json");
                Box::new(docker_config::DockerConfig { path, server, environment })
            }
            Kind::CredentialHelper => Box::new(helper::CredentialHelper { call: call(), environment }),
            Kind::Exec => {
                let program = if bytes.is_some() { programs().join("print") } else { self.path() };
                Box::new(exec::Exec {
                    program,
                    arguments: vec![self.path().display().to_string()],
                    environment,
                    folder: self.folder.path().to_owned(),
                })
            }
            Kind::JsonFile | Kind::PasswordFile | Kind::DockerConfig => self.kind.at(&self.path()),
            Kind::Vault => {
                let bao = bao::shared().unwrap();
                let settings = vault::settings(&bao.address(), &self.vault_path, &self.folder, &bao.reader());
                open(&SourceReference::Vault(Box::new(settings)), &server, &Locations::none())
            }
            Kind::Secret | Kind::SecretPassword | Kind::Parameter | Kind::ParameterPassword => {
                let (_, locations) = self.sandbox.as_ref().unwrap();
                open(&self.kind.reference_in_aws(), &server, locations)
            }
        }
    }
}

impl Kind {
    /// The source that reads the file at `path`.
    pub(super) fn at(self, path: &Path) -> Box<dyn Source> {
        let server = Server::parse("ghcr.io").unwrap();
        let path = PathBuf::from(path);
        let reference = match self {
            Self::JsonFile => SourceReference::JsonFile { path },
            Self::PasswordFile => {
                SourceReference::PasswordFile { username: "robot".into(), password_path: path }
            }
            Self::DockerConfig => SourceReference::DockerConfig { path, environment: Vec::new() },
            other => unreachable!("{other:?} is no file"),
        };
        open(&reference, &server, &Locations::none())
    }

    fn reference_in_aws(self) -> SourceReference {
        let location = "here".into();
        let password = || Shape::Password { username: "robot".into() };
        let other_keys =
            Keys { username: UsernameFrom::Key("user".into()), password: "pass word".to_owned() };
        match self {
            Self::Secret => SourceReference::SecretsManager {
                location,
                id: NAME.into(),
                stage: "AWSCURRENT".into(),
                shape: Shape::Json(Keys::usual()),
            },
            Self::SecretPassword => SourceReference::SecretsManager {
                location,
                id: NAME.into(),
                stage: "AWSCURRENT".into(),
                shape: password(),
            },
            Self::Parameter => SourceReference::SsmParameter {
                location,
                name: format!("/{NAME}"),
                shape: Shape::Json(other_keys),
            },
            Self::ParameterPassword => {
                SourceReference::SsmParameter { location, name: format!("/{NAME}"), shape: password() }
            }
            other => unreachable!("{other:?} is not in AWS"),
        }
    }
}

/// An AWS whose secret, or parameter, holds `text`, if any.
async fn start(kind: Kind, text: Option<String>) -> (Sandbox, Locations) {
    let is_secret = matches!(kind, Kind::Secret | Kind::SecretPassword);
    let seed = |value: String| ParameterSeed {
        name: format!("/{NAME}"),
        account: ACCOUNT.into(),
        region: REGION.into(),
        kind: ParameterKind::SecureString,
        value,
    };
    let parameters = text.clone().filter(|_| !is_secret).map(seed).into_iter().collect();
    let sandbox = Sandbox::start(Options { parameters, ..Options::default() }).unwrap();
    let locations = Locations::at_endpoint("here", REGION, &sandbox.endpoint());
    if let Some(text) = text.filter(|_| is_secret) {
        let client = &locations.at(&"here".into()).secrets_manager;
        let token = "token-of-the-tests-of-the-sources-1";
        client.create(NAME, token, &text.into(), None, "", &[]).await.unwrap();
    }
    (sandbox, locations)
}

/// A parameter that is not encrypted.
pub(super) fn plain_parameter() -> (Sandbox, Box<dyn Source>) {
    let seed = ParameterSeed {
        name: format!("/{NAME}"),
        account: ACCOUNT.into(),
        region: REGION.into(),
        kind: ParameterKind::String,
        value: SECRET.into(),
    };
    let sandbox = Sandbox::start(Options { parameters: vec![seed], ..Options::default() }).unwrap();
    let locations = Locations::at_endpoint("here", REGION, &sandbox.endpoint());
    let server = Server::parse("ghcr.io").unwrap();
    let source = open(&Kind::ParameterPassword.reference_in_aws(), &server, &locations);
    (sandbox, source)
}
