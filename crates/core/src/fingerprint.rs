//! Keyed fingerprints: how a secret is named without being told.
//!
//! Everything printable that is derived from a secret goes through here and is keyed; an unkeyed digest of a weak
//! password is the password to anyone with a word list.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::credential::Credential;
use crate::secret::Secret;

/// The state's random key. Whoever has it can test guesses of a password against fingerprints: it is a secret too.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct FingerprintKey([u8; 32]);

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey([redacted])")
    }
}

impl FingerprintKey {
    pub const LENGTH: usize = 32;

    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Hex, for the state object alone.
    pub fn to_hex(&self) -> Secret {
        Secret::new(hex(&self.0))
    }

    pub fn from_hex(text: &Secret) -> Option<Self> {
        let text = text.expose().as_bytes();
        if text.len() != Self::LENGTH * 2 {
            return None;
        }
        let mut bytes = [0; Self::LENGTH];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// One MAC over parts that cannot run into each other: each is preceded by its length.
    fn mac(&self, purpose: &str, parts: &[&str]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        for part in std::iter::once(&purpose).chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    /// The fingerprint of a credential, for people to tell two passwords apart by.
    pub fn credential(&self, credential: &Credential) -> Fingerprint {
        let mac = self.mac("credential", &[credential.username(), credential.secret().expose()]);
        Fingerprint(format!("k{}", hex(&mac[..SHOWN_BYTES])))
    }

    /// The revision of an ecs.config: what an agent that started on it must have loaded.
    pub fn revision(&self, auth_type: &str, auth_data: &Secret) -> Revision {
        let mac = self.mac("revision", &[auth_type, auth_data.expose()]);
        Revision(format!("r{}", hex(&mac[..SHOWN_BYTES])))
    }

    /// The idempotency token, and so the public version id, of one write of one secret: a retry makes the same version,
    /// another value or a write on top of another version makes another one, and the id tells nothing of the value.
    pub fn request_token(&self, arn: &str, observed_current: Option<&str>, value: &Secret) -> String {
        let mac = self.mac("request-token", &[arn, observed_current.unwrap_or(""), value.expose()]);
        hex(&mac)
    }
}

/// 64 bits: two of a thousand credentials share one once in 10^13 tries, and a line of a plan stays readable.
const SHOWN_BYTES: usize = 8;

pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
        text
    })
}

/// A keyed fingerprint of a credential: `k` and sixteen hexadecimal digits. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Fingerprint(String);

/// A keyed fingerprint of an ecs.config's effective auth type and data: `r` and sixteen hexadecimal digits. Safe to
/// show, and the value of the container instance attribute `regcred.revision`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Revision(String);

impl Revision {
    /// A revision as an attribute tells it. Any text is one; only our own are equal to something.
    pub fn from_recorded(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first five characters, as a person reads them aloud.
    pub fn short(&self) -> &str {
        self.0.get(..5).unwrap_or(&self.0)
    }
}

impl Fingerprint {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first five characters, as a person reads them aloud.
    pub fn short(&self) -> &str {
        self.0.get(..5).unwrap_or(&self.0)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> FingerprintKey {
        FingerprintKey::from_bytes([seed; 32])
    }

    #[test]
    fn depends_on_key_purpose_and_where_parts_end() {
        let data = Secret::from("x");
        assert_eq!(key(1).revision("docker", &data), key(1).revision("docker", &data));
        assert_ne!(key(1).revision("docker", &data), key(2).revision("docker", &data));
        assert_ne!(key(1).revision("a", &"bc".into()), key(1).revision("ab", &"c".into()));
        assert_ne!(key(1).request_token("arn", None, &data), key(1).request_token("arn", Some("v1"), &data));
    }

    #[test]
    fn a_request_token_is_one_that_secrets_manager_takes() {
        assert_eq!(key(1).request_token("arn", None, &"v".into()).len(), 64);
    }

    #[test]
    fn the_key_survives_its_hex_form_and_hides_itself() {
        let hex = key(7).to_hex();
        let back = FingerprintKey::from_hex(&hex).unwrap();
        assert_eq!(back.revision("t", &"d".into()), key(7).revision("t", &"d".into()));
        assert!(FingerprintKey::from_hex(&"zz".into()).is_none());
        assert!(!format!("{:?}", key(7)).contains("07"));
    }
}
