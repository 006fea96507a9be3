//! The source `vault`: a secret in the KV version 2 store of Vault or OpenBao. See docs/sources/vault.md.
//!
//! Paths, headers and answers: <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2> and
//! <https://openbao.org/api-docs/>. A pass logs in anew, keeps no token, and follows no redirect.

mod answer;
mod login;
mod refusal;

use std::time::Duration;

use async_trait::async_trait;
use hyper::header::HeaderName;
use regcred_core::secret::Secret;
use url::Url;

use self::answer::Stored;
pub(crate) use self::refusal::VaultFlaw;
#[cfg(test)]
pub(crate) use self::refusal::{Refusal, Step};
use super::error::{Place, SourceError};
use super::flaw::Flaw;
use super::pair::Found;
use super::{Reading, Source};
use crate::aws::CallerIdentity;
use crate::config::{Keys, UsernameFrom, Vault};
use crate::http::{Answer, Client, Limits, Request, Trust, anywhere};

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Shows a server that no other page's script made the request; an agent in front of it may ask for that.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// The most that `source_timeout` may be; that ends a read before.
const LIMIT: Duration = Duration::from_mins(2);

/// One secret of a KV store.
pub(super) struct VaultSecret {
    pub(super) settings: Vault,
    /// Who signs a login by AWS's identity, where that is the way.
    pub(super) identity: Option<CallerIdentity>,
}

#[async_trait]
impl Source for VaultSecret {
    async fn read(&self) -> Result<Reading, SourceError> {
        let client = Client::new(self.trust()?, Limits::within(LIMIT));
        let token = self.log_in(&client).await?;
        let Vault { mount, path, keys, .. } = &self.settings;
        let read = async {
            let url = self.url(&format!("{mount}/data/{path}"));
            let request = self.request(Request::get(url))?.secret_header(TOKEN, &token);
            let answer = send(&client, request.map_err(|_| VaultFlaw::NoToken)?).await?;
            credential(answer::stored(answer).await?, keys)
        };
        read.await.map_err(|flaw| SourceError { place: self.place(), flaw })
    }

    fn place(&self) -> Place {
        let Vault { address, namespace, mount, path, .. } = &self.settings;
        let namespace = namespace.as_deref().map(|name| format!("{name}/")).unwrap_or_default();
        Place::Vault { path: format!("{namespace}{mount}/data/{path}"), address: address.to_string() }
    }
}

impl VaultSecret {
    fn trust(&self) -> Result<Trust, SourceError> {
        let Some(path) = &self.settings.ca_file else { return Ok(Trust::system()) };
        Trust::with_file(path).map_err(|error| SourceError {
            place: Place::File(path.clone()),
            flaw: VaultFlaw::Certificates { why: refusal::told(&error.flaw) }.into(),
        })
    }

    /// An endpoint of the API. What is appended was held against the rules of the configuration.
    fn url(&self, path: &str) -> Url {
        let mut url = self.settings.address.clone();
        url.set_path(&format!("{}/v1/{path}", url.path().trim_end_matches('/')));
        url
    }

    fn request(&self, request: Request) -> Result<Request, VaultFlaw> {
        let request = request.header(REQUEST, "true");
        match &self.settings.namespace {
            None => Ok(request),
            Some(name) => request
                .secret_header(NAMESPACE, &Secret::from(name.as_str()))
                .map_err(|_| VaultFlaw::NotVault),
        }
    }
}

async fn send(client: &Client, request: Request) -> Result<Answer, VaultFlaw> {
    client.send(request, &anywhere).await.map_err(|error| VaultFlaw::Unreached { why: refusal::told(&error) })
}

fn credential(stored: Stored, keys: &Keys) -> Result<Reading, Flaw> {
    let Stored { mut fields } = stored;
    let mut take = |key: &str| match fields.remove(key) {
        None => Ok(None),
        Some(Some(text)) => Ok(Some(text)),
        Some(None) => Err(VaultFlaw::NotText { key: key.to_owned() }),
    };
    let username = match &keys.username {
        UsernameFrom::Fixed(_) => None,
        UsernameFrom::Key(key) => take(key)?,
    };
    let found = Found {
        username: username.map(|name| name.expose().to_owned()),
        password: take(&keys.password)?,
        expires_at: take(super::pair::EXPIRES_AT)?.map(|time| time.expose().to_owned()),
    };
    found.into_credential(keys).map(Reading::of)
}
