//! The demo's folder: a configuration and the files that its sources read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use regcred_sandbox::client::Client;
use regcred_sandbox::{Account, Sandbox};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// The configuration that the demo runs on, as it is in the repository.
const CONFIG: &str = include_str!("../../../config/demo.yaml");

pub(super) const HARBOR_IMAGE: &str = "harbor.example.com/team/app:1";

/// Made-up passwords; they protect nothing.
pub(super) const OLD_PASSWORD: &str = "harbor-password-of-last-year";
const NEW_PASSWORD: &str = "harbor-password-of-today";
const MISTYPED_PASSWORD: &str = "harbor-pasword-of-today";
const GHCR_AUTH: &str = "Z2hjci1ib3Q6Z2hjci10b2tlbi1vZi10aGUtZGVtbw==";

/// A folder that is removed when it is dropped.
pub(super) struct Workspace(TempDir);

impl Workspace {
    /// A folder for a sandbox whose registries are there already.
    pub(super) fn create(sandbox: &Sandbox) -> io::Result<Self> {
        let workspace = Self(tempfile::Builder::new().prefix("regcred-demo-").tempdir()?);
        fs::write(workspace.config(), config(sandbox))?;
        fs::create_dir(workspace.folder().join("secrets"))?;
        let docker = format!(r#"{{"auths":{{"ghcr.io":{{"auth":"{GHCR_AUTH}"}}}}}}"#);
        fs::write(workspace.folder().join("secrets/docker-config.json"), docker)?;
        workspace.write_password(OLD_PASSWORD)?;
        Ok(workspace)
    }

    /// Harbor takes a new password from now on, and the old one for a while. At the source it is mistyped.
    pub(super) fn mistype_password(&self, sandbox: &Sandbox) -> io::Result<()> {
        let account =
            |password: &str| Account { username: "robot".to_owned(), password: password.to_owned() };
        let accounts = [account(OLD_PASSWORD), account(NEW_PASSWORD)];
        Client::new(&sandbox.endpoint()).set_accounts("harbor", &accounts).map_err(io::Error::other)?;
        self.write_password(MISTYPED_PASSWORD)
    }

    pub(super) fn correct_password(&self) -> io::Result<()> {
        self.write_password(NEW_PASSWORD)
    }

    fn write_password(&self, password: &str) -> io::Result<()> {
        let pair = serde_json::json!({ "username": "robot", "password": password });
        fs::write(self.folder().join("secrets/harbor.json"), pair.to_string())
    }

    /// Whether this is the SHA-256, in hexadecimal, of the password that harbor has in the end.
    pub(super) fn is_current(password_sha256: &str) -> bool {
        let digest = Sha256::digest(NEW_PASSWORD);
        let pairs = password_sha256.as_bytes().chunks(2);
        let byte = |pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        pairs.map(byte).eq(digest.iter().copied().map(Some))
    }

    pub(super) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn config(&self) -> PathBuf {
        self.folder().join("regcred.yaml")
    }
}

/// The configuration, with the ports that the sandbox's registries have.
fn config(sandbox: &Sandbox) -> String {
    let mut text = String::new();
    let mut registry = "";
    for line in CONFIG.lines() {
        if let Some(name) = line.strip_prefix("  ").and_then(|line| line.strip_suffix(':')) {
            registry = name;
        }
        if line.contains(PLACEHOLDER) {
            text.push_str(&line.replace(PLACEHOLDER, sandbox.registry(registry)));
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}

/// What stands in the configuration for where a registry is.
const PLACEHOLDER: &str = "http://127.0.0.1:5000";
