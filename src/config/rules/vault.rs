//! Rules of `registries.NAME.source.vault`.

use url::{Host, Url};

use super::sources::Reading;
use super::{Flaw, Rules, flaw};
use crate::config::problem::KeyPath;
use crate::config::{KeptSecret, Vault, VaultLogin, raw};

impl Rules<'_, '_> {
    pub(super) fn vault(&mut self, raw: &raw::Vault, path: &KeyPath) -> Option<Vault> {
        let raw::Vault {
            address,
            ca_file,
            namespace,
            mount,
            path: secret,
            username,
            username_key,
            password_key,
            auth,
        } = raw;
        let address = self.server_url(address, &path.key("address"));
        let ca_file = match ca_file {
            Some(file) => self.path(file, &path.key("ca_file")).map(Some),
            None => Some(None),
        };
        let named = self.hold_given(
            &path.key("namespace"),
            "this cannot be a namespace",
            namespace.as_ref(),
            |text| segments(text, "write for example `team-a`"),
        );
        let mounted = self.mount(mount, &path.key("mount"));
        let judged = if secret.starts_with("data/") || secret.starts_with("metadata/") {
            Err(flaw(
                "this is how the API has the path",
                "write it as `bao kv get` takes it, without the first part",
            ))
        } else {
            segments(secret, "write for example `registries/harbor`")
        };
        let found = self.hold(&path.key("path"), "this cannot be the path of a secret", judged);
        let reading = Reading {
            username: username.as_ref(),
            username_key: username_key.as_ref(),
            password_key: password_key.as_ref(),
        };
        let keys = self.keys(&reading, path);
        let login = self.vault_login(auth, &path.key("auth"));
        named.and(mounted).and(found)?;
        Some(Vault {
            address: address?,
            ca_file: ca_file?,
            namespace: namespace.clone(),
            mount: mount.clone(),
            path: secret.clone(),
            keys: keys?,
            login: login?,
        })
    }

    fn vault_login(&mut self, raw: &raw::VaultAuth, path: &KeyPath) -> Option<VaultLogin> {
        match raw {
            raw::VaultAuth::Token(kept) => self.kept_secret(kept, &path.key("token")).map(VaultLogin::Token),
            raw::VaultAuth::AppRole(raw::VaultAppRole { mount, role_id, secret_id }) => {
                let path = path.key("app_role");
                let mounted = self.mount(mount, &path.key("mount"));
                let role = self.word_of_vault(role_id, &path.key("role_id"));
                let secret_id = self.kept_secret(secret_id, &path.key("secret_id"));
                mounted.and(role)?;
                Some(VaultLogin::AppRole {
                    mount: mount.clone(),
                    role_id: role_id.clone(),
                    secret_id: secret_id?,
                })
            }
            raw::VaultAuth::Aws(raw::VaultAws { mount, role, server_id, location, sts_endpoint }) => {
                let path = path.key("aws");
                let mounted = self.mount(mount, &path.key("mount"));
                let named = self.word_of_vault(role, &path.key("role"));
                let id = match server_id {
                    Some(id) => self.word_of_vault(id, &path.key("server_id")),
                    None => Some(()),
                };
                let location = self.location(location.as_deref(), &path);
                let sts_endpoint = match sts_endpoint {
                    Some(text) => self.server_url(text, &path.key("sts_endpoint")).map(Some),
                    None => Some(None),
                };
                mounted.and(named).and(id)?;
                Some(VaultLogin::AwsIam {
                    mount: mount.clone(),
                    role: role.clone(),
                    server_id: server_id.clone(),
                    location: location?,
                    sts_endpoint: sts_endpoint?,
                })
            }
        }
    }

    fn kept_secret(&mut self, raw: &raw::KeptSecret, path: &KeyPath) -> Option<KeptSecret> {
        match raw {
            raw::KeptSecret::Variable(name) => {
                self.variable(name, &path.key("variable"))?;
                Some(KeptSecret::Variable(name.clone()))
            }
            raw::KeptSecret::Path(file) => self.path(file, &path.key("path")).map(KeptSecret::File),
        }
    }

    fn mount(&mut self, mount: &str, path: &KeyPath) -> Option<()> {
        self.hold(
            path,
            "this cannot be a mount",
            segments(mount, "write it without slashes at its ends, such as `secret`"),
        )
    }

    /// What is sent as it is, in a header or in JSON.
    fn word_of_vault(&mut self, word: &str, path: &KeyPath) -> Option<()> {
        let judged = if !word.is_empty() && word.chars().all(|c| c.is_ascii_graphic()) {
            Ok(())
        } else {
            Err(flaw("it is empty, or has a space or another odd character", "write it as Vault has it"))
        };
        self.hold(path, "this is no name of Vault's", judged)
    }

    /// A server's URL. A credential goes there, so only a loopback address may do without TLS.
    fn server_url(&mut self, text: &str, path: &KeyPath) -> Option<Url> {
        const EXAMPLE: &str = "write for example `https://vault.example.com:8200`";
        let judge = || {
            let url = Url::parse(text).map_err(|_| flaw("this is no URL", EXAMPLE))?;
            let is_loopback = match url.host() {
                Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
                Some(Host::Ipv4(address)) => address.is_loopback(),
                Some(Host::Ipv6(address)) => address.is_loopback(),
                None => false,
            };
            match url.scheme() {
                _ if !url.username().is_empty() || url.password().is_some() => {
                    Err(flaw("a name and a password do not belong here", EXAMPLE))
                }
                _ if url.query().is_some() || url.fragment().is_some() || url.host().is_none() => {
                    Err(flaw("this is more, or less, than the address of a server", EXAMPLE))
                }
                "https" => Ok(url),
                "http" if is_loopback => Ok(url),
                _ => Err(flaw(
                    "a credential would go there in the clear: only https is taken, and http to a loopback address",
                    EXAMPLE,
                )),
            }
        };
        judge()
            .map_err(|Flaw { why, to_do }| {
                self.error(path, "this cannot be the address of a server", why, to_do);
            })
            .ok()
    }
}

/// Parts with slashes between, of characters that a URL has as they are.
fn segments(text: &str, example: &str) -> Result<(), Flaw> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.~+@".contains(c);
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(allowed);
    if text.split('/').all(is_part) {
        return Ok(());
    }
    Err(flaw("it has parts of letters, digits and `-_.~+@`, with one `/` between", example))
}
