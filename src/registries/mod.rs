//! What is asked of a registry itself: the port [`Registry`] and its implementations, one file each.
//!
//! A registry tells what it says of a credential. It must not decide what becomes of that, must not try twice, and must
//! not keep or print a credential or a token.

mod oci;

use async_trait::async_trait;
use regcred_core::credential::Credential;
use regcred_core::login::{Login, NoAnswer, Obstacle, Party};
use regcred_core::server::Server;

use crate::config::Verification;

/// A registry, as far as regcred talks to one.
#[async_trait]
pub(crate) trait Registry: Send + Sync {
    /// Tries the credential, once: a refusal is not asked for again, since wrong tries lock accounts out.
    async fn check_login(&self, credential: &Credential) -> Login;
}

/// The registry of a configuration. A file of certificates that cannot be read is an answer too: nothing can be told.
pub(crate) fn open(server: &Server, verification: &Verification) -> Result<Box<dyn Registry>, Obstacle> {
    match oci::Distribution::new(server, verification) {
        Ok(registry) => Ok(Box::new(registry)),
        Err(error) => Err(Obstacle::NoAnswer {
            from: Party::Registry,
            why: NoAnswer::CaFile { why: format!("{error}: {}", error.flaw) },
        }),
    }
}
