//! What a registry's token says that it is good for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::secret::Secret;

/// Whether a token lets its bearer pull one repository, as far as it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    Pull,
    /// It names what it grants, and pulling is not among that: a server may grant less than was asked for, and calls that
    /// no error (distribution, `docs/spec/auth/token.md`).
    NotPull,
    /// It is a text that only the registry understands.
    Unknown,
}

#[derive(Deserialize)]
struct Claims {
    access: Option<Vec<Access>>,
}

#[derive(Deserialize)]
struct Access {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    actions: Option<Vec<String>>,
}

impl Grant {
    /// Reads the claims of a token that is a JWT (distribution, `docs/spec/auth/jwt.md`). Its signature is the registry's
    /// affair: nothing is believed here, and what is read decides about words alone.
    pub fn of(token: &Secret, repository: &str) -> Self {
        let claims = || {
            let payload = token.expose().split('.').nth(1)?;
            let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
            serde_json::from_slice::<Claims>(&payload).ok()?.access
        };
        let Some(access) = claims() else { return Self::Unknown };
        let pulls = |access: &Access| {
            let actions = access.actions.as_deref().unwrap_or_default();
            access.kind == "repository"
                && access.name == repository
                && actions.iter().any(|action| action == "pull" || action == "*")
        };
        if access.iter().any(pulls) { Self::Pull } else { Self::NotPull }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_access_of_a_jwt_and_nothing_of_anything_else() {
        let jwt = |payload: &str| Secret::new(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload)));
        let access = |actions: &str| {
            jwt(&format!(r#"{{"access":[{{"type":"repository","name":"team/app","actions":{actions}}}]}}"#))
        };
        for (token, grant) in [
            (access(r#"["push","pull"]"#), Grant::Pull),
            (access(r#"["*"]"#), Grant::Pull),
            (access("[]"), Grant::NotPull),
            (access("null"), Grant::NotPull),
            (access(r#"["push"]"#), Grant::NotPull),
            (jwt(r#"{"access":[]}"#), Grant::NotPull),
            (jwt(r#"{"sub":"u"}"#), Grant::Unknown),
            (jwt("not JSON"), Grant::Unknown),
            ("opaque".into(), Grant::Unknown),
            ("a.b".into(), Grant::Unknown),
            ("".into(), Grant::Unknown),
        ] {
            assert_eq!(Grant::of(&token, "team/app"), grant);
        }
        assert_eq!(Grant::of(&access(r#"["pull"]"#), "team/other"), Grant::NotPull);
    }
}
