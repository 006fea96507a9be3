//! The protocol of Docker's credential helpers: <https://github.com/docker/docker-credential-helpers>.
//!
//! `docker-credential-NAME get` reads the server on its standard input and answers
//! `{"ServerURL":"…","Username":"…","Secret":"…"}`, or ends with 1 and a sentence on its *standard output*
//! (`credentials/error.go`). Nothing of an answer is repeated in an error.

use std::ffi::OsString;

use async_trait::async_trait;
use regcred_core::credential::Credential;
use regcred_core::formats::docker_config::HelperCall;
use regcred_core::secret::Secret;
use serde::Deserialize;

use super::bytes::into_secret;
use super::error::{Place, SourceError};
use super::flaw::Flaw;
use super::pair::secret;
use super::process::{Call, Ended, Environment, run};
use super::{Reading, Source};

/// What a helper prints that has nothing for a server (`errCredentialsNotFoundMessage`).
const NOT_FOUND: &str = "credentials not found in native keychain";

/// In place of a username: the secret is an identity token (`tokenUsername` in docker/cli's `native_store.go`).
const TOKEN: &str = "<token>";

/// The source `credential_helper`: a helper that is asked directly. See docs/sources/credential_helper.md.
pub(super) struct CredentialHelper {
    pub(super) call: HelperCall,
    pub(super) environment: Environment,
}

#[async_trait]
impl Source for CredentialHelper {
    async fn read(&self) -> Result<Reading, SourceError> {
        ask(&self.call, &self.environment)
            .await
            .map(Reading::of)
            .map_err(|flaw| SourceError { place: self.place(), flaw })
    }

    fn place(&self) -> Place {
        Place::Helper(self.call.helper.clone())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default, deserialize_with = "secret")]
    secret: Option<Secret>,
}

/// Asks a helper for the credential of a server.
pub(super) async fn ask(call: &HelperCall, environment: &Environment) -> Result<Credential, Flaw> {
    let HelperCall { helper, server } = call;
    let program = OsString::from(format!("docker-credential-{helper}"));
    let Ended { code, output } = run(Call {
        program: &program,
        arguments: &["get".to_owned()],
        environment,
        folder: None,
        input: server.as_bytes(),
    })
    .await?;
    if code != Some(0) {
        let said = std::str::from_utf8(&output).unwrap_or_default().trim();
        return Err(if said == NOT_FOUND {
            Flaw::NotKept { server: server.clone() }
        } else {
            Flaw::Ended { code }
        });
    }
    let text = into_secret({ output }.to_vec())?;
    let Answer { username, secret } = serde_json::from_str(text.expose()).map_err(|_| Flaw::NotAnAnswer)?;
    let secret = secret.unwrap_or_else(|| Secret::from(""));
    // A helper that fetches from elsewhere may answer so for a server that it does not know.
    if username.is_empty() || secret.is_empty() {
        return Err(Flaw::NotKept { server: server.clone() });
    }
    if username == TOKEN {
        return Err(Flaw::IdentityToken);
    }
    Ok(Credential::new(username, secret, None)?)
}
