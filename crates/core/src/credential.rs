//! A credential: what a registry knows a client by.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;

use crate::secret::Secret;

/// A username and its secret, as both consumers take them. Never empty, never with a NUL or a line break: see
/// [`Credential::new`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    username: String,
    secret: Secret,
    expires: Option<DateTime<Utc>>,
}

/// From when on a person is warned of a credential's end: a week has a working day in it.
pub const SOON: TimeDelta = TimeDelta::days(7);

/// When a credential ends, and whether that is soon. Serialised as members of what holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Expiry {
    /// When the source says that the registry will stop to accept it.
    pub expires: DateTime<Utc>,
    /// Less than [`SOON`] is left.
    pub expires_soon: bool,
}

/// Which half of a credential a [`CredentialError`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Username,
    Password,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Username => "username",
            Self::Password => "password",
        })
    }
}

/// Why a pair of strings is no credential. The texts name the flaw, never the value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CredentialError {
    #[error("the {0} is empty")]
    Empty(Part),
    #[error("the {0} contains a NUL byte")]
    Nul(Part),
    #[error("the {0} contains a line break, which a registry would take as part of it")]
    LineBreak(Part),
}

impl Credential {
    /// Accepts what every consumer can hold. A NUL would keep the agent from starting, a line break would be sent to
    /// the registry as part of the password (reference/ecs-agent.md a: `b64("user:pass\n")` is a silent 401).
    pub fn new(
        username: String,
        secret: Secret,
        expires: Option<DateTime<Utc>>,
    ) -> Result<Self, CredentialError> {
        for (part, value) in [(Part::Username, username.as_str()), (Part::Password, secret.expose())] {
            if value.is_empty() {
                return Err(CredentialError::Empty(part));
            }
            if value.contains('\0') {
                return Err(CredentialError::Nul(part));
            }
            if value.contains(['\n', '\r']) {
                return Err(CredentialError::LineBreak(part));
            }
        }
        Ok(Self { username, secret, expires })
    }

    pub fn username(&self) -> &str {
        &self.username
    }

    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// When the source says that the registry will stop to accept it.
    pub fn expires(&self) -> Option<DateTime<Utc>> {
        self.expires
    }

    /// The same, as it stands at `now`.
    pub fn expiry(&self, now: DateTime<Utc>) -> Option<Expiry> {
        self.expires.map(|expires| Expiry { expires, expires_soon: expires - now < SOON })
    }

    /// Whether its time has passed at `now`.
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_a_consumer_would_misread() {
        let cases = [
            ("", "p", CredentialError::Empty(Part::Username)),
            ("u", "", CredentialError::Empty(Part::Password)),
            ("u\0", "p", CredentialError::Nul(Part::Username)),
            ("u", "p\n", CredentialError::LineBreak(Part::Password)),
            ("u", "p\rq", CredentialError::LineBreak(Part::Password)),
        ];
        for (username, secret, expected) in cases {
            assert_eq!(Credential::new(username.into(), secret.into(), None), Err(expected));
        }
        assert!(Credential::new("u".into(), "p q:\u{e9}".into(), None).is_ok());
    }

    #[test]
    fn a_credential_ends_at_its_time_and_is_told_a_week_before() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let end = at("2027-02-01T00:00:00Z");
        let credential = Credential::new("u".into(), "p".into(), Some(end)).unwrap();
        for (now, soon, expired) in [
            ("2027-01-25T00:00:00Z", false, false),
            ("2027-01-25T00:00:01Z", true, false),
            ("2027-01-31T23:59:59Z", true, false),
            ("2027-02-01T00:00:00Z", true, true),
        ] {
            let expiry = Expiry { expires: end, expires_soon: soon };
            assert_eq!(credential.expiry(at(now)), Some(expiry), "{now}");
            assert_eq!(credential.is_expired(at(now)), expired, "{now}");
        }
        let endless = Credential::new("u".into(), "p".into(), None).unwrap();
        assert_eq!(endless.expiry(end), None);
        assert!(!endless.is_expired(end));
    }
}
