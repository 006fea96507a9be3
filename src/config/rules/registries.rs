//! Rules of `registries`: servers, sources and secrets.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use regcred_core::names::{LocationName, RegistryName};
use regcred_core::server::Server;

use super::locations::are_one_place;
use super::{Bounds, Rules, aws, flaw};
use crate::config::problem::{End, KeyPath};
use crate::config::{Config, Registry, RepositorySecret, SourceReference, raw};

const SOURCE_TIMEOUT: Bounds = Bounds {
    least: Duration::from_millis(100),
    most: Duration::from_mins(2),
    why: "a busy disk takes tens of milliseconds, and every registry waits for the slowest source of the pass",
};

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html>, `Description`
const MAX_DESCRIPTION: usize = 2048;

/// AWS allows 50 on a secret; the rest is left for regcred's own and for those that an account adds by itself.
const MAX_TAGS: usize = 40;

impl Rules<'_, '_> {
    pub(super) fn registries(&mut self) -> BTreeMap<RegistryName, Registry> {
        if self.raw.registries.is_empty() {
            self.error(
                &KeyPath::top("registries"),
                "no registry is named here",
                "without one there is no credential to keep right",
                "add one, such as `dockerhub: { server: docker.io, source: … }`",
            );
        }
        let raw = self.raw;
        raw.registries
            .iter()
            .filter_map(|(name, raw)| Some((RegistryName::new(name), self.registry(name, raw)?)))
            .collect()
    }

    fn registry(&mut self, name: &str, raw: &raw::Registry) -> Option<Registry> {
        let path = KeyPath::top("registries").key(name);
        let named = self.own_name(name, &path);
        let server = self.server(&raw.server, &path.key("server"));
        let source = self.source(&raw.source, &path.key("source"));
        let source_timeout = self.span(&raw.source_timeout, &path.key("source_timeout"), &SOURCE_TIMEOUT);
        let secret = raw.secret.as_ref().map(|secret| self.secret(secret, &path.key("secret")));
        named?;
        Some(Registry {
            server: server?,
            source: source?,
            source_timeout: source_timeout?,
            secret: match secret {
                Some(secret) => Some(secret?),
                None => None,
            },
        })
    }

    fn server(&mut self, text: &str, path: &KeyPath) -> Option<Server> {
        let server = Server::parse(text)
            .map_err(|why| {
                self.error(
                    path,
                    "this does not name a registry",
                    why,
                    "write the server as images name it, such as `ghcr.io` or `registry.example.com:5000`",
                );
            })
            .ok()?;
        if aws::is_ecr(server.host()) {
            self.error(
                path,
                "ECR needs no credential here",
                "ECS logs in to ECR by itself, with the execution role or the role of the host, and a password of ECR \
                 is good for twelve hours only",
                "remove this registry, and allow the role to pull",
            );
            return None;
        }
        Some(server)
    }

    fn source(&mut self, raw: &raw::Source, path: &KeyPath) -> Option<SourceReference> {
        match raw {
            raw::Source::Env(raw::Env { username, password }) => {
                let path = path.key("env");
                let first = self.variable(username, &path.key("username"));
                let second = self.variable(password, &path.key("password"));
                first.and(second)?;
                Some(SourceReference::Env { username: username.clone(), password: password.clone() })
            }
            raw::Source::File(file) => self.file(file, &path.key("file")),
            raw::Source::DockerConfig(raw::DockerConfig { path: file }) => {
                let path = self.path(file, &path.key("docker_config").key("path"))?;
                Some(SourceReference::DockerConfig { path })
            }
        }
    }

    /// The name of a variable. Capitals only, as such names are written everywhere: what a person puts here by mistake
    /// is the value, and few passwords look like that.
    fn variable(&mut self, name: &str, path: &KeyPath) -> Option<()> {
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
                let judged = if username.is_empty() || username.contains(char::is_control) {
                    Err(flaw(
                        "a username is not empty and has one line",
                        "write it plainly, on the line of its key",
                    ))
                } else {
                    Ok(())
                };
                let named = self.hold(&path.key("username"), "this cannot be a username", judged);
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
    fn path(&mut self, text: &str, path: &KeyPath) -> Option<PathBuf> {
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

    fn secret(&mut self, raw: &raw::Secret, path: &KeyPath) -> Option<RepositorySecret> {
        let raw::Secret { name, kms_key, description, tags, locations, adopt } = raw;
        let named =
            self.hold(&path.key("name"), "this cannot be the name of a secret", aws::secret_name(name));
        let key = self.hold_given(
            &path.key("kms_key"),
            "this does not name a KMS key",
            kms_key.as_ref(),
            aws::kms_key,
        );
        let described = match description {
            Some(text) if text.chars().count() > MAX_DESCRIPTION => {
                let judged =
                    Err(flaw(format!("AWS takes at most {MAX_DESCRIPTION} characters"), "shorten it"));
                self.hold(&path.key("description"), "the description is too long", judged)
            }
            Some(_) | None => Some(()),
        };
        let tagged = self.tags(tags, &path.key("tags"));
        let locations = self.secret_locations(locations.as_deref(), &path.key("locations"));
        named.and(key).and(described).and(tagged)?;
        Some(RepositorySecret {
            name: name.clone(),
            kms_key: kms_key.clone(),
            description: description.clone(),
            tags: tags.clone(),
            locations: locations?,
            adopt: *adopt,
        })
    }

    fn tags(&mut self, tags: &BTreeMap<String, String>, path: &KeyPath) -> Option<()> {
        let mut kept = Some(());
        if tags.len() > MAX_TAGS {
            let why = format!(
                "AWS takes 50 tags on a secret, and {MAX_TAGS} leave room for regcred's and the account's"
            );
            kept = self.hold(path, "there are too many tags", Err(flaw(why, "remove some")));
        }
        for (key, value) in tags {
            kept = self.hold(&path.key(key), "this cannot be a tag", aws::tag(key, value)).and(kept);
        }
        kept
    }

    fn secret_locations(&mut self, raw: Option<&[String]>, path: &KeyPath) -> Option<Vec<LocationName>> {
        let Some(raw) = raw else {
            return match self.location_names().as_slice() {
                [only] => Some(vec![LocationName::new(*only)]),
                [] => None,
                names => {
                    self.error(
                        path,
                        "it is not said which locations hold this secret",
                        "there are several locations, and none of them is the usual one",
                        format!("add `locations:` with a list of {}", super::quoted(names)),
                    );
                    None
                }
            };
        };
        if raw.is_empty() {
            self.error(
                path,
                "no location is listed",
                "a secret is kept in one at least",
                "list it, or remove the key",
            );
            return None;
        }
        let named: Vec<_> = raw
            .iter()
            .enumerate()
            .filter_map(|(i, name)| self.location(Some(name), &path.index(i)))
            .collect();
        (named.len() == raw.len()).then_some(named)
    }

    /// Two registries that publish one secret would overwrite each other for ever.
    pub(super) fn secrets_are_published_once(&mut self, config: &Config) {
        let published: Vec<_> = config
            .registries
            .iter()
            .filter_map(|(registry, Registry { secret, .. })| Some((registry, secret.as_ref()?)))
            .flat_map(|(registry, secret)| {
                secret.locations.iter().map(move |location| (registry, secret, location))
            })
            .collect();
        for (i, (registry, secret, location)) in published.iter().enumerate() {
            let place = config.locations.get(*location);
            let twin = published[..i].iter().find(|(_, other, elsewhere)| {
                let same_place = location == elsewhere
                    || place.zip(config.locations.get(*elsewhere)).is_some_and(|(a, b)| are_one_place(a, b));
                other.name == secret.name && same_place
            });
            let Some((other, _, elsewhere)) = twin else { continue };
            let path = KeyPath::top("registries").key(registry.as_str()).key("secret");
            let (path, what) = if other == registry {
                (path.key("locations"), format!("the locations `{elsewhere}` and `{location}` are one place"))
            } else {
                (
                    path.key("name"),
                    format!("registry `{other}` publishes the same secret in location `{location}`"),
                )
            };
            self.error(
                &path,
                what,
                "one would overwrite what the other wrote, at every pass",
                "give each registry a secret of its own, once in each account and Region",
            );
        }
    }
}
