//! The ways to a token: one that is there, AppRole, and AWS's own identity.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regcred_core::secret::Secret;
use serde_json::json;

use super::refusal::VaultFlaw;
use super::{Place, SourceError, VaultSecret, answer, send};
use crate::aws::SignedRequest;
use crate::config::{KeptSecret, VaultLogin};
use crate::http::{Client, Request};
use crate::sources::bytes::{into_secret, read_text};
use crate::sources::flaw::Flaw;
use crate::sources::pair::without_trailing_line_break;

impl VaultSecret {
    pub(super) async fn log_in(&self, client: &Client) -> Result<Secret, SourceError> {
        let (method, body) = match &self.settings.login {
            VaultLogin::Token(kept) => return read(kept).await,
            VaultLogin::AppRole { mount, role_id, secret_id } => {
                let secret_id = read(secret_id).await?;
                let body = json!({ "role_id": role_id, "secret_id": secret_id.expose() });
                (mount, Secret::new(body.to_string()))
            }
            VaultLogin::AwsIam { mount, role, server_id, location: _, sts_endpoint } => {
                let identity = self.identity.as_ref().expect("it was opened with the location's identity");
                let signed = identity
                    .signed_request(sts_endpoint.as_ref(), server_id.as_deref())
                    .await
                    .map_err(|error| self.flawed(error))?;
                (mount, of_aws(role, &signed))
            }
        };
        let url = self.url(&format!("auth/{method}/login"));
        let request = self.request(Request::post(url, "application/json", body));
        let login = async { answer::token(send(client, request?).await?).await };
        login.await.map_err(|flaw| self.flawed(flaw))
    }

    fn flawed(&self, flaw: impl Into<Flaw>) -> SourceError {
        use super::Source as _;
        SourceError { place: self.place(), flaw: flaw.into() }
    }
}

/// The body of a login by AWS's identity: a GetCallerIdentity that is signed and not sent. Vault sends it, and AWS tells it
/// who signed (<https://developer.hashicorp.com/vault/api-docs/auth/aws#login>).
fn of_aws(role: &str, signed: &SignedRequest) -> Secret {
    let SignedRequest { url, body, headers } = signed;
    let headers: serde_json::Map<_, _> =
        headers.iter().map(|(name, value)| (name.clone(), json!([value.expose()]))).collect();
    let login = json!({
        "role": role,
        "iam_http_request_method": "POST",
        "iam_request_url": STANDARD.encode(url),
        "iam_request_body": STANDARD.encode(body),
        "iam_request_headers": STANDARD.encode(serde_json::Value::from(headers).to_string()),
    });
    Secret::new(login.to_string())
}

/// A token or a secret id from where it is kept. A line break at its end is not a part of it: no token has one.
async fn read(kept: &KeptSecret) -> Result<Secret, SourceError> {
    let (place, text) = match kept {
        KeptSecret::File(path) => (Place::File(path.clone()), read_text(path).await?),
        KeptSecret::Variable(name) => {
            let place = Place::Variable(name.clone());
            let value = std::env::var_os(name).ok_or(Flaw::Missing);
            let text = value.and_then(|value| into_secret(value.into_encoded_bytes()));
            (place.clone(), text.map_err(|flaw| SourceError { place, flaw })?)
        }
    };
    let text = without_trailing_line_break(&text).unwrap_or(text);
    if text.is_empty() || text.expose().contains(char::is_control) {
        return Err(SourceError { place, flaw: VaultFlaw::NoToken.into() });
    }
    Ok(text)
}
