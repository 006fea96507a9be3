//! A file as a person hands it in, and what an agent that were given it would have loaded.
//!
//! Three forms are told apart: an ecs.config, Docker's `config.json`, and the bare value of `ECS_ENGINE_AUTH_DATA` (which
//! Docker's older `.dockercfg` is too). Every input is one of them. What an agent makes of it is asked of
//! [`crate::agent`]: this module knows no rule of the agent's, it only finds where the data stands.

use schemars::JsonSchema;
use serde::Serialize;

use crate::agent::env_file::{ENGINE_AUTH_DATA, assignment};
use crate::agent::go_json::{self, Members, Value};
use crate::agent::go_text::replace_invalid;
use crate::agent::{AuthMap, AuthSetting, AuthType, EffectiveAuth, Environment};
use crate::formats::ascii_json::{MOST_PER_BYTE, push_string};
use crate::secret::Secret;

/// Which kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `NAME=value` lines, as ecs-init reads them.
    EcsConfig,
    /// Docker's `config.json`, which no agent reads: it would have to be given the `auths` as data of type `dockercfg`.
    DockerConfig,
    /// The value of `ECS_ENGINE_AUTH_DATA` alone, taken for the type that fits it.
    AuthValue,
}

/// The byte order mark of UTF-8, as text.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// A file, and what an agent makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    form: Form,
    text: Secret,
    /// The lines that are no UTF-8, counted from 1.
    foreign_lines: Vec<usize>,
    environment: Environment,
    auth: EffectiveAuth,
    map: AuthMap,
}

/// The authentication data, where it stands in the file.
#[derive(Clone, Copy)]
pub(crate) struct Data<'a> {
    /// The byte of the file's text at which it begins.
    pub(crate) start: usize,
    pub(crate) text: &'a str,
}

impl Document {
    /// Reads a file of whichever form it has.
    pub fn read(bytes: &[u8]) -> Self {
        let text = Secret::new(replace_invalid(bytes));
        let form = form_of(text.expose());
        Self::of(form, text, foreign_lines(bytes))
    }

    /// Reads a file that is an ecs.config, whatever it looks like.
    pub fn ecs_config(bytes: &[u8]) -> Self {
        Self::of(Form::EcsConfig, Secret::new(replace_invalid(bytes)), foreign_lines(bytes))
    }

    fn of(form: Form, text: Secret, foreign_lines: Vec<usize>) -> Self {
        let (environment, auth) = match form {
            Form::EcsConfig => {
                let environment = Environment::parse(text.expose().as_bytes());
                let auth = environment.auth();
                (environment, auth)
            }
            Form::DockerConfig => (
                Environment::default(),
                EffectiveAuth::new(AuthType::Dockercfg.as_str(), auths_of(text.expose()).expose()),
            ),
            Form::AuthValue => {
                let auth_type = fitting_type(text.expose());
                (Environment::default(), EffectiveAuth::new(auth_type.as_str(), text.expose()))
            }
        };
        let map = AuthMap::read(&auth);
        Self { form, text, foreign_lines, environment, auth, map }
    }

    /// The same kind of file with another text.
    pub(crate) fn with(&self, text: Secret) -> Self {
        // What a config.json becomes, once it is mended, is what an agent can be given.
        let form = match self.form {
            Form::EcsConfig => Form::EcsConfig,
            Form::DockerConfig | Form::AuthValue => form_of(text.expose()),
        };
        Self::of(form, text, Vec::new())
    }

    pub fn form(&self) -> Form {
        self.form
    }

    /// The whole file. A byte that was no text is U+FFFD.
    pub fn text(&self) -> &Secret {
        &self.text
    }

    /// The lines that are no UTF-8, counted from 1.
    pub(crate) fn foreign_lines(&self) -> &[usize] {
        &self.foreign_lines
    }

    /// What an agent is started with; nothing, where the file is no ecs.config.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    pub fn auth(&self) -> &EffectiveAuth {
        &self.auth
    }

    pub fn map(&self) -> &AuthMap {
        &self.map
    }

    /// The type of the data, if it is one that the agent knows.
    pub(crate) fn auth_type(&self) -> Option<AuthType> {
        match self.auth.auth_type() {
            AuthSetting::Type(auth_type) => Some(*auth_type),
            AuthSetting::Off | AuthSetting::Unknown(_) => None,
        }
    }

    /// The data that counts: in an ecs.config, that of the last line that sets it.
    pub(crate) fn data(&self) -> Option<Data<'_>> {
        let text = self.text.expose();
        let found = match self.form {
            Form::EcsConfig => {
                let mut set = text.split('\n').filter_map(assignment);
                let (_, value) = set.rfind(|(name, _)| *name == ENGINE_AUTH_DATA)?;
                value
            }
            Form::DockerConfig | Form::AuthValue => text,
        };
        let found = found.trim_matches(JSON_SPACE);
        Some(Data { start: offset(text, found), text: found })
    }
}

fn foreign_lines(bytes: &[u8]) -> Vec<usize> {
    let lines = bytes.split(|&byte| byte == b'\n').enumerate();
    lines.filter(|(_, line)| std::str::from_utf8(line).is_err()).map(|(index, _)| index + 1).collect()
}

/// The white space that JSON allows between its tokens.
pub(crate) const JSON_SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// How far into `whole` its `part` begins.
///
/// # Panics
/// If it is no part of it.
pub(crate) fn offset(whole: &str, part: &str) -> usize {
    let at = part.as_ptr().addr().checked_sub(whole.as_ptr().addr());
    at.filter(|at| at + part.len() <= whole.len()).expect("the part was cut out of the whole")
}

/// The members of Docker's config.json by which it is known.
pub(crate) const OF_DOCKER_CONFIG: [&str; 3] = ["auths", "credHelpers", "credsStore"];

fn form_of(text: &str) -> Form {
    let json = text.trim_start_matches(BYTE_ORDER_MARK).trim_start();
    let is_json = match json.as_bytes() {
        [b'{' | b'[', ..] => true,
        [b'\'' | b'"', ..] => json[1..].trim_start().starts_with(['{', '\\']),
        _ => false,
    };
    if !is_json {
        return Form::EcsConfig;
    }
    let is_docker_config = members(json)
        .is_some_and(|members| members.iter().any(|(name, _)| OF_DOCKER_CONFIG.contains(&name.as_str())));
    if is_docker_config { Form::DockerConfig } else { Form::AuthValue }
}

/// The members of a JSON object.
pub(crate) fn members(text: &str) -> Option<Members<'_>> {
    go_json::parse(text).and_then(Value::members)
}

/// The entries below `auths`, as an agent could be given them.
fn auths_of(config: &str) -> Secret {
    let config = config.trim_start_matches(BYTE_ORDER_MARK);
    let file = members(config).unwrap_or_default();
    let auths = file.iter().filter(|(name, _)| name == OF_DOCKER_CONFIG[0]);
    let entries = auths.filter_map(|(_, value)| value.members()).flatten();
    let mut json = String::with_capacity(MOST_PER_BYTE * config.len() + "{}".len());
    json.push('{');
    for (key, value) in entries {
        if json.len() > 1 {
            json.push(',');
        }
        push_string(&mut json, &key);
        json.push(':');
        json.push_str(value.text());
    }
    json.push('}');
    Secret::new(json)
}

/// The type under which more entries are logins; `dockercfg` where that tells nothing.
pub(crate) fn fitting_type(data: &str) -> AuthType {
    let logins = |auth_type: AuthType| {
        let map = AuthMap::read(&EffectiveAuth::new(auth_type.as_str(), data));
        map.entries().iter().filter(|entry| entry.is_login()).count()
    };
    if logins(AuthType::Docker) > logins(AuthType::Dockercfg) {
        AuthType::Docker
    } else {
        AuthType::Dockercfg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_told_apart() {
        for (text, form) in [
            ("", Form::EcsConfig),
            ("ECS_CLUSTER=prod\n", Form::EcsConfig),
            ("\u{feff}ECS_ENGINE_AUTH_DATA={}", Form::EcsConfig),
            ("\"", Form::EcsConfig),
            ("{}", Form::AuthValue),
            (" \n{\"r.io\":{\"auth\":\"dTpw\"}}", Form::AuthValue),
            ("'{\"r.io\":{}}'", Form::AuthValue),
            ("\"{\\\"r.io\\\":{}}\"", Form::AuthValue),
            ("{\"r.io\"", Form::AuthValue),
            ("[]", Form::AuthValue),
            ("{\"auths\":{}}", Form::DockerConfig),
            ("\u{feff}{ \"credsStore\":\"pass\" }", Form::DockerConfig),
        ] {
            assert_eq!(Document::read(text.as_bytes()).form(), form, "{text:?}");
        }
        assert_eq!(Document::ecs_config(b"{}").form(), Form::EcsConfig);
    }

    #[test]
    fn a_bare_value_is_taken_for_the_type_that_fits_it() {
        for (text, expected) in [
            (r#"{"r.io":{"auth":"dTpw"}}"#, AuthType::Dockercfg),
            (r#"{"r.io":{"username":"u","password":"p"}}"#, AuthType::Docker),
            ("{}", AuthType::Dockercfg),
            ("{", AuthType::Dockercfg),
        ] {
            assert_eq!(Document::read(text.as_bytes()).auth_type(), Some(expected), "{text}");
        }
    }

    #[test]
    fn the_data_is_found_where_it_stands() {
        for (text, start, data) in [
            ("A=1\n ECS_ENGINE_AUTH_DATA= {} \nB=2\n", 27, "{}"),
            ("ECS_ENGINE_AUTH_DATA=a\nECS_ENGINE_AUTH_DATA=b", 44, "b"),
            ("\n {} \n", 2, "{}"),
        ] {
            let document = Document::read(text.as_bytes());
            let found = document.data().unwrap();
            assert_eq!((found.start, found.text), (start, data), "{text:?}");
        }
        assert!(Document::read(b"A=1").data().is_none());
    }

    #[test]
    fn a_docker_config_is_its_entries() {
        let document = Document::read(
            br#"{"auths":{"r.io":{"auth":"dTpw"},"q.io":{}},"credsStore":"x","auths":{"s.io":{"auth":"dTpw"}}}"#,
        );
        let keys: Vec<_> = document.map().entries().iter().map(|entry| entry.key().to_owned()).collect();
        assert_eq!(keys, ["r.io", "q.io", "s.io"]);
    }
}
