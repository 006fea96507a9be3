//! An ecs.config as it may be shown: the same lines, without what is secret in them.
//!
//! Passwords are a fixed number of stars, so that not even their length shows. What is not known to be harmless is taken for
//! a secret: a file that is broken can have one anywhere.

use crate::agent::auth::{printable_key, strip_scheme};
use crate::agent::env_file::{ENGINE_AUTH_DATA, assignment};
use crate::agent::go_json::{self, Value, unquote};
use crate::agent::{AuthType, Environment};
use crate::formats::ascii_json::{MOST_PER_BYTE, push_string};
use crate::secret::Secret;

/// What stands in the place of a secret.
pub const REDACTED: &str = "********";

/// The fields of an entry that are no secret: which account, and where.
const SHOWN_FIELDS: [&str; 3] = ["username", "email", "serveraddress"];

/// The file with every secret redacted.
pub fn redact(file: &Secret) -> String {
    let text = file.expose();
    let auth_type =
        Environment::parse(text.as_bytes()).get(crate::agent::env_file::ENGINE_AUTH_TYPE).and_then(known);
    let lines = text.split_inclusive('\n').map(|line| {
        let bare = line.trim_end_matches(['\r', '\n']);
        format!("{}{}", redact_line(bare, auth_type), &line[bare.len()..])
    });
    lines.collect()
}

fn known(value: &Secret) -> Option<AuthType> {
    value.expose().trim().parse().ok()
}

fn redact_line(line: &str, auth_type: Option<AuthType>) -> String {
    if line.trim().is_empty() {
        return line.to_owned();
    }
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match assignment(line) {
        Some((ENGINE_AUTH_DATA, value)) => {
            format!("{ENGINE_AUTH_DATA}={}", redact_data(value.trim(), auth_type))
        }
        // The type, and what else is the agent's own, is shown; where it is a URL, without user and password.
        Some((name, value)) if name.starts_with("ECS_") && is_name(name) && !looks_secret(name, value) => {
            format!("{name}={}", redact_url(value))
        }
        Some((name, _)) if is_name(name) => format!("{name}={REDACTED}"),
        None if line.trim_start().starts_with('#') => line.to_owned(),
        Some(_) | None => REDACTED.to_owned(),
    }
}

/// In a file with broken line ends a value holds the next lines too; and not every variable is known.
fn looks_secret(name: &str, value: &str) -> bool {
    let is_named_so = ["AUTH_DATA", "PASSWORD", "SECRET", "TOKEN"].iter().any(|word| name.contains(word));
    is_named_so || value.contains(ENGINE_AUTH_DATA) || value.contains('\r') || value.contains("\"auth\"")
}

fn redact_url(value: &str) -> String {
    match value.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            match rest[..end].rfind('@') {
                Some(at) => format!("{scheme}://{REDACTED}{}", &rest[at..]),
                None => value.to_owned(),
            }
        }
        None => value.to_owned(),
    }
}

fn redact_data(data: &str, auth_type: Option<AuthType>) -> String {
    let Some(entries) = go_json::parse(data).and_then(Value::named_members) else {
        return REDACTED.to_owned();
    };
    let mut json = String::with_capacity(MOST_PER_BYTE * data.len());
    json.push('{');
    for (name, value) in entries {
        if json.len() > 1 {
            json.push(',');
        }
        push_string(&mut json, &shown_key(&unquote(name)));
        json.push(':');
        redact_entry(&mut json, value, auth_type);
    }
    json.push('}');
    json
}

fn shown_key(key: &str) -> String {
    if strip_scheme(key).contains('@') { printable_key(key) } else { key.to_owned() }
}

fn redact_entry(json: &mut String, value: Value<'_>, auth_type: Option<AuthType>) {
    let Some(fields) = value.named_members() else {
        push_string(json, REDACTED);
        return;
    };
    json.push('{');
    for (index, (name, value)) in fields.into_iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        let name = unquote(name);
        push_string(json, &name);
        json.push(':');
        let is_shown =
            auth_type.is_some() && SHOWN_FIELDS.iter().any(|shown| shown.eq_ignore_ascii_case(&name));
        match value.string().filter(|_| is_shown) {
            Some(text) => push_string(json, text.expose()),
            None => push_string(json, REDACTED),
        }
    }
    json.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_types_keep_their_keys_and_usernames_and_lose_their_passwords() {
        for (auth_type, data, shown) in [
            (
                "docker",
                r#"{"r.io":{"username":"u","password":"hunter2"},"q.io":{"username":"v","identitytoken":"hunter2"}}"#,
                r#"{"r.io":{"username":"u","password":"********"},"q.io":{"username":"v","identitytoken":"********"}}"#,
            ),
            ("dockercfg", r#"{"r.io":{"auth":"aHVudGVyMg=="}}"#, r#"{"r.io":{"auth":"********"}}"#),
            ("dockercfg", r#"{"https://u:hunter2@r.io":"hunter2"}"#, r#"{"https://\u2026@r.io":"********"}"#),
            ("dockercfg", "'hunter2'", "********"),
        ] {
            let file = |data| {
                format!("ECS_CLUSTER=prod\nECS_ENGINE_AUTH_TYPE={auth_type}\nECS_ENGINE_AUTH_DATA={data}\n")
            };
            assert_eq!(redact(&file(data).into()), file(shown));
        }
    }

    #[test]
    fn the_length_of_a_password_does_not_show() {
        let file = |password: &str| {
            let data = format!(r#"{{"r.io":{{"username":"u","password":"{password}"}}}}"#);
            redact(&format!("ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={data}").into())
        };
        assert_eq!(file("x"), file("a-much-longer-one"));
    }

    #[test]
    fn what_is_not_known_to_be_harmless_is_not_shown() {
        for (line, shown) in [
            ("# written by hand", "# written by hand"),
            ("ECS_LOGLEVEL=info\r", "ECS_LOGLEVEL=info\r"),
            ("", ""),
            ("HTTP_PROXY=http://u:hunter2@proxy", "HTTP_PROXY=********"),
            ("ECS_X=http://u:hunter2@proxy/a", "ECS_X=http://********@proxy/a"),
            ("AWS_SECRET_ACCESS_KEY=hunter2", "AWS_SECRET_ACCESS_KEY=********"),
            ("ECS_SOME_TOKEN=hunter2", "ECS_SOME_TOKEN=********"),
            ("export ECS_ENGINE_AUTH_DATA=hunter2", "********"),
            ("  \"hunter2\"", "********"),
            ("ECS_ENGINE_AUTH_TYPE=docker\rECS_ENGINE_AUTH_DATA=hunter2", "ECS_ENGINE_AUTH_TYPE=********"),
        ] {
            assert_eq!(redact(&line.into()), shown, "{line}");
        }
    }
}
