//! The secret string that `repositoryCredentials` of a task definition refers to: `{"username":"…","password":"…"}`.

use thiserror::Error;

use crate::agent::Login;
use crate::agent::go_json::{self, pointer_field};
use crate::credential::{Credential, Part};
use crate::formats::ascii_json::{MOST_PER_BYTE, push_string};
use crate::secret::Secret;

/// Why the agent can make nothing of a secret string (`extractASMValue` in the agent's `agent/asm/asm.go`). A task that
/// refers to such a secret stops with this as its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    #[error("the secret string is empty")]
    Empty,
    #[error("the secret string is no JSON object with texts for username and password")]
    Schema,
    #[error("the {0} is missing or empty")]
    Field(Part),
}

/// Renders a credential; always the same bytes for the same one, all of them ASCII.
pub fn render(credential: &Credential) -> Secret {
    let (username, password) = (credential.username(), credential.secret().expose());
    let mut json = String::with_capacity(MOST_PER_BYTE * (username.len() + password.len()) + 32);
    json.push_str(r#"{"username":"#);
    push_string(&mut json, username);
    json.push_str(r#","password":"#);
    push_string(&mut json, password);
    json.push('}');
    Secret::new(json)
}

/// Reads a secret string as the agent does: names of any case, other members ignored, neither of the two empty.
pub fn parse(secret_string: &Secret) -> Result<Login, Malformed> {
    if secret_string.is_empty() {
        return Err(Malformed::Empty);
    }
    let value = go_json::parse(secret_string.expose()).ok_or(Malformed::Schema)?;
    let members = match value.members() {
        Some(members) => members,
        None if value.is_null() => Vec::new(),
        None => return Err(Malformed::Schema),
    };
    let field = |name| pointer_field(&members, name).map_err(|_| Malformed::Schema);
    let (username, password) = (field("username")?, field("password")?);
    let filled =
        |part, text: Option<Secret>| text.filter(|text| !text.is_empty()).ok_or(Malformed::Field(part));
    Ok(Login {
        username: filled(Part::Username, username)?.expose().to_owned(),
        password: filled(Part::Password, password)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(username: &str, password: &str) -> Credential {
        Credential::new(username.into(), password.into(), None).unwrap()
    }

    #[test]
    fn is_rendered_in_one_way_only() {
        assert_eq!(
            render(&credential("bob", "p\"\\é:")).expose(),
            r#"{"username":"bob","password":"p\"\\\u00e9:"}"#
        );
    }

    #[test]
    fn is_read_as_the_agent_reads_it() {
        let login = |username: &str, password: &str| {
            Ok(Login { username: username.to_owned(), password: password.into() })
        };
        for (text, expected) in [
            (r#"{"username":"u","password":"p"}"#, login("u", "p")),
            (r#" { "PASSWORD" : "p", "Username":"u", "host": {"a":1} } "#, login("u", "p")),
            (r#"{"username":"x","password":"p","username":"u"}"#, login("u", "p")),
            (r#"{"username":"u","password":"p\n"}"#, login("u", "p\n")),
            ("", Err(Malformed::Empty)),
            ("u:p", Err(Malformed::Schema)),
            ("[]", Err(Malformed::Schema)),
            (r#"{"username":1,"password":"p"}"#, Err(Malformed::Schema)),
            (r#"{"password":1}"#, Err(Malformed::Schema)),
            (r#"{"username":"u","password":"p"}x"#, Err(Malformed::Schema)),
            ("null", Err(Malformed::Field(Part::Username))),
            (r#"{"username":"","password":"p"}"#, Err(Malformed::Field(Part::Username))),
            (r#"{"username":"u"}"#, Err(Malformed::Field(Part::Password))),
            (r#"{"username":"u","password":"p","password":null}"#, Err(Malformed::Field(Part::Password))),
        ] {
            assert_eq!(parse(&text.into()), expected, "{text}");
        }
    }
}
