//! Rules of `registries.NAME.source`.

use std::path::PathBuf;

use regcred_core::formats::docker_config::is_helper_name;
use regcred_core::names::{LocationName, RegistryName};

use super::locations::are_one_place;
use super::{Rules, aws, flaw};
use crate::config::problem::{End, KeyPath};
use crate::config::{Config, Keys, Registry, Shape, SourceReference, UsernameFrom, raw};

/// Three keys by which a store's text is read.
pub(super) struct Reading<'a> {
    pub(super) username: Option<&'a String>,
    pub(super) username_key: Option<&'a String>,
    pub(super) password_key: Option<&'a String>,
}

impl Rules<'_, '_> {
    pub(super) fn source(&mut self, raw: &raw::Source, path: &KeyPath) -> Option<SourceReference> {
        match raw {
            raw::Source::Env(raw::Env { username, password }) => {
                let path = path.key("env");
                let first = self.variable(username, &path.key("username"));
                let second = self.variable(password, &path.key("password"));
                first.and(second)?;
                Some(SourceReference::Env { username: username.clone(), password: password.clone() })
            }
            raw::Source::File(file) => self.file(file, &path.key("file")),
            raw::Source::DockerConfig(raw::DockerConfig { path: file, environment }) => {
                let path = path.key("docker_config");
                let file = self.path(file, &path.key("path"));
                self.environment(environment, &path)?;
                Some(SourceReference::DockerConfig { path: file?, environment: environment.clone() })
            }
            raw::Source::DockerAuthConfig(raw::DockerAuthConfig { variable }) => {
                self.variable(variable, &path.key("docker_auth_config").key("variable"))?;
                Some(SourceReference::DockerAuthConfig { variable: variable.clone() })
            }
            raw::Source::CredentialHelper(helper) => self.helper(helper, &path.key("credential_helper")),
            raw::Source::Exec(exec) => self.exec(exec, &path.key("exec")),
            raw::Source::SecretsManager(secret) => self.secrets_manager(secret, &path.key("secrets_manager")),
            raw::Source::SsmParameter(parameter) => self.ssm_parameter(parameter, &path.key("ssm_parameter")),
            raw::Source::Vault(vault) => {
                let vault = self.vault(vault, &path.key("vault"))?;
                Some(SourceReference::Vault(Box::new(vault)))
            }
        }
    }

    /// The name of a variable. Capitals only, as such names are written everywhere: what a person puts here by mistake
    /// is the value, and few passwords look like that.
    pub(super) fn variable(&mut self, name: &str, path: &KeyPath) -> Option<()> {
        let rest = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let judged = match name.chars().next() {
            Some(first) if rest(first) && !first.is_ascii_digit() && name.chars().all(rest) => Ok(()),
            Some(_) | None => Err(flaw(
                "it has to be the name of a variable, in capitals, digits and `_`, and never the value itself",
                "write for example `HARBOR_PASSWORD`, and set that variable where regcred runs",
            )),
        };
        self.hold(path, "this is not the name of an environment variable", judged)
    }

    fn file(&mut self, raw: &raw::File, path: &KeyPath) -> Option<SourceReference> {
        let raw::File { path: json, username, password_path } = raw;
        match (json, username, password_path) {
            (Some(json), None, None) => {
                Some(SourceReference::JsonFile { path: self.path(json, &path.key("path"))? })
            }
            (None, Some(username), Some(password_path)) => {
                let named = self.username(username, &path.key("username"));
                let password_path = self.path(password_path, &path.key("password_path"));
                named?;
                Some(SourceReference::PasswordFile {
                    username: username.clone(),
                    password_path: password_path?,
                })
            }
            (Some(_) | None, _, _) => {
                self.error(
                    path,
                    "it is not clear which file holds what",
                    "a file source is either `path` alone, a JSON file with both parts, or `username` with \
                     `password_path`, a file that holds the password alone",
                    "write `{ path: … }`, or `{ username: …, password_path: … }`",
                );
                None
            }
        }
    }

    /// A path, starting at the folder of the configuration file if it is relative.
    pub(super) fn path(&mut self, text: &str, path: &KeyPath) -> Option<PathBuf> {
        let judged = if text.is_empty() || text.contains(char::is_control) {
            Err(flaw("a path is not empty and has one line", "write it plainly, on the line of its key"))
        } else if text == "~" || text.starts_with("~/") {
            Err(flaw("`~` is a shell's word for a folder; there is no shell here", "write the whole path"))
        } else {
            Ok(())
        };
        self.hold(path, "this is not the path of a file", judged)?;
        if text.contains('$') {
            self.findings.warning(
                path,
                End::Value,
                "there is a `$` in this path",
                "variables are not filled in; it is taken as part of a file's name",
                "write the whole path, unless the file really is called so",
            );
        }
        Some(self.folder.join(text))
    }

    fn username(&mut self, username: &str, path: &KeyPath) -> Option<()> {
        let judged = if username.is_empty() || username.contains(char::is_control) {
            Err(flaw("a username is not empty and has one line", "write it plainly, on the line of its key"))
        } else {
            Ok(())
        };
        self.hold(path, "this cannot be a username", judged)
    }

    /// The names below `environment`. Those of variables that programs read are as their authors chose them.
    fn environment(&mut self, names: &[String], path: &KeyPath) -> Option<()> {
        let is_name = |name: &String| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            name.chars().next().is_some_and(|first| !first.is_ascii_digit()) && name.chars().all(is_part)
        };
        let mut kept = Some(());
        for (index, _) in names.iter().enumerate().filter(|(_, name)| !is_name(name)) {
            let judged = Err(flaw(
                "here stand names alone, of letters, digits and `_`; the values are those where regcred runs",
                "write for example `AWS_PROFILE`",
            ));
            let path = path.key("environment").index(index);
            kept = self.hold(&path, "this is not the name of an environment variable", judged);
        }
        kept
    }

    fn helper(&mut self, raw: &raw::CredentialHelper, path: &KeyPath) -> Option<SourceReference> {
        let raw::CredentialHelper { name, environment } = raw;
        let judged = if name.starts_with("docker-credential-") {
            Err(flaw(
                "this is the whole name of the program",
                "write what stands behind `docker-credential-`",
            ))
        } else if is_helper_name(name) {
            Ok(())
        } else {
            Err(flaw(
                "it is the end of the name of a program on the PATH: letters, digits and `-_.+`",
                "write what stands behind `docker-credential-`, such as `pass`",
            ))
        };
        let named = self.hold(&path.key("name"), "this cannot be the name of a helper", judged);
        self.environment(environment, path).and(named)?;
        Some(SourceReference::CredentialHelper { name: name.clone(), environment: environment.clone() })
    }

    fn exec(&mut self, raw: &raw::Exec, path: &KeyPath) -> Option<SourceReference> {
        let raw::Exec { command, environment } = raw;
        let kept = self.environment(environment, path);
        let path = path.key("command");
        let Some((program, arguments)) = command.split_first() else {
            self.error(
                &path,
                "there is no command",
                "the list is empty",
                "write the program and its arguments, such as `[/usr/local/bin/harbor-password, robot]`",
            );
            return None;
        };
        let mut kept = kept;
        for (index, argument) in arguments.iter().enumerate() {
            if argument.contains('\0') {
                let judged = Err(flaw("no program can be given a NUL", "remove it"));
                kept = self.hold(&path.index(index + 1), "this cannot be an argument", judged).and(kept);
            }
        }
        let program_path = path.index(0);
        // With no shell, a whole line would be the name of one program.
        if !program.contains('/') && program.contains(char::is_whitespace) {
            let judged = Err(flaw(
                "it has a space; there is no shell here that would part a line into words",
                "write each argument as an item of its own: `[program, argument]`",
            ));
            kept = self.hold(&program_path, "this cannot be the name of a program", judged).and(kept);
        }
        let program = if program.contains('/') || program.is_empty() || program == "~" {
            self.path(program, &program_path)?
        } else {
            PathBuf::from(program)
        };
        kept?;
        Some(SourceReference::Exec {
            program,
            arguments: arguments.to_vec(),
            folder: self.folder.to_owned(),
            environment: environment.clone(),
        })
    }

    fn secrets_manager(&mut self, raw: &raw::SecretsManager, path: &KeyPath) -> Option<SourceReference> {
        let raw::SecretsManager { secret, location, version_stage, username, username_key, password_key } =
            raw;
        let location = self.location(location.as_deref(), path);
        let judged =
            if secret.starts_with("arn:") { aws::secret_arn(secret) } else { aws::secret_name(secret) };
        let named = self.hold(&path.key("secret"), "this does not name a secret", judged);
        let judged = if version_stage.is_empty() || version_stage.len() > 256 {
            Err(flaw("a staging label has 1 to 256 characters", "write for example `AWSCURRENT`"))
        } else {
            Ok(())
        };
        let staged = self.hold(&path.key("version_stage"), "this cannot be a staging label", judged);
        let reading = Reading {
            username: username.as_ref(),
            username_key: username_key.as_ref(),
            password_key: password_key.as_ref(),
        };
        let shape = self.shape(&reading, path);
        let location = location?;
        let there = self.region_of_arn(secret, &location, &path.key("secret"));
        named.and(staged).and(there)?;
        Some(SourceReference::SecretsManager {
            location,
            id: secret.clone(),
            stage: version_stage.clone(),
            shape: shape?,
        })
    }

    fn ssm_parameter(&mut self, raw: &raw::SsmParameter, path: &KeyPath) -> Option<SourceReference> {
        let raw::SsmParameter { name, location, username, username_key, password_key } = raw;
        let location = self.location(location.as_deref(), path);
        let named = self.hold(&path.key("name"), "this does not name a parameter", aws::parameter_name(name));
        let reading = Reading {
            username: username.as_ref(),
            username_key: username_key.as_ref(),
            password_key: password_key.as_ref(),
        };
        let shape = self.shape(&reading, path);
        let location = location?;
        let there = self.region_of_arn(name, &location, &path.key("name"));
        named.and(there)?;
        Some(SourceReference::SsmParameter { location, name: name.clone(), shape: shape? })
    }

    /// A call goes to one Region, whatever an ARN says.
    fn region_of_arn(&mut self, id: &str, location: &LocationName, path: &KeyPath) -> Option<()> {
        let there = self.raw.locations.as_ref().and_then(|all| all.get(location.as_str()));
        let region = id.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2));
        let judged = match (region, there) {
            (Some(region), Some(there)) if region != there.region => Err(flaw(
                format!("the ARN is of another Region than the location `{location}`"),
                "name a location of its Region with `location`",
            )),
            (Some(_) | None, _) => Ok(()),
        };
        self.hold(path, "this cannot be read in its location", judged)
    }

    /// How a store's text is read: as JSON by its keys, or, with a username and no key, as the password alone.
    fn shape(&mut self, reading: &Reading<'_>, path: &KeyPath) -> Option<Shape> {
        let Reading { username, username_key, password_key } = *reading;
        let keys = self.keys(reading, path);
        match (username, username_key, password_key) {
            (Some(username), None, None) => {
                keys?;
                Some(Shape::Password { username: username.clone() })
            }
            (_, _, _) => keys.map(Shape::Json),
        }
    }

    pub(super) fn keys(&mut self, reading: &Reading<'_>, path: &KeyPath) -> Option<Keys> {
        let Reading { username, username_key, password_key } = *reading;
        let mut kept = Some(());
        for (name, key) in [("username_key", username_key), ("password_key", password_key)] {
            if key.is_some_and(|key| key.is_empty() || key.contains(char::is_control)) {
                let judged = Err(flaw(
                    "it is empty, or has more than one line",
                    "write the key as it stands in the JSON",
                ));
                kept = self.hold(&path.key(name), "this cannot be a key", judged).and(kept);
            }
        }
        if username_key.is_some()
            && username_key.map(String::as_str) == Some(password_key.map_or("password", String::as_str))
        {
            let judged = Err(flaw("it is the password's key too", "write two keys"));
            kept =
                self.hold(&path.key("username_key"), "this cannot be the username's key", judged).and(kept);
        }
        let from = match (username, username_key) {
            (Some(_), Some(_)) => {
                self.error(
                    path,
                    "it is said twice what the username is",
                    "`username` is the name itself, and `username_key` is where it stands",
                    "remove one of the two",
                );
                return None;
            }
            (Some(username), None) => {
                kept = self.username(username, &path.key("username")).and(kept);
                UsernameFrom::Fixed(username.clone())
            }
            (None, key) => UsernameFrom::Key(key.map_or("username", String::as_str).to_owned()),
        };
        kept?;
        Some(Keys { username: from, password: password_key.map_or("password", String::as_str).to_owned() })
    }

    /// A registry that read what it publishes would never see a new password.
    pub(super) fn sources_are_not_published_to(&mut self, config: &Config) {
        for (name, Registry { source, secret, .. }) in &config.registries {
            let (SourceReference::SecretsManager { location, id, .. }, Some(secret)) = (source, secret)
            else {
                continue;
            };
            let is_same_name = *id == secret.name || aws::secret_of_arn(id) == Some(secret.name.as_str());
            let place = config.locations.get(location);
            let is_same_place = |other: &LocationName| {
                location == other
                    || place.zip(config.locations.get(other)).is_some_and(|(a, b)| are_one_place(a, b))
            };
            if is_same_name && secret.locations.iter().any(is_same_place) {
                self.own_secret(name);
            }
        }
    }

    fn own_secret(&mut self, name: &RegistryName) {
        let path = KeyPath::top("registries").key(name.as_str()).key("source").key("secrets_manager");
        self.error(
            &path.key("secret"),
            "this is the secret that the registry is published as",
            "regcred would read what it wrote, and no new password would ever come in",
            "keep the source in a secret of its own, and let `secret.name` name another",
        );
    }
}
