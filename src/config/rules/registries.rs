//! Rules of `registries`: servers and secrets. Those of sources are in [`super::sources`].

use std::collections::BTreeMap;
use std::time::Duration;

use regcred_core::names::{LocationName, RegistryName};
use regcred_core::server::Server;

use super::locations::are_one_place;
use super::{Bounds, Rules, aws, flaw};
use crate::config::problem::KeyPath;
use crate::config::{Config, Registry, RepositorySecret, raw};

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
        let verify = match &server {
            Some(server) => self.verify(raw.verify.as_ref(), server, &path.key("verify")),
            None => None,
        };
        named?;
        Some(Registry {
            server: server?,
            source: source?,
            verify: verify?,
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
        if server.is_ecr() {
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

    fn secret(&mut self, raw: &raw::Secret, path: &KeyPath) -> Option<RepositorySecret> {
        let raw::Secret { name, kms_key, description, tags, locations, adopt, replicate_to } = raw;
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
        let copied = self.replica_regions(replicate_to, kms_key.as_deref(), path);
        named.and(key).and(described).and(tagged).and(copied)?;
        Some(RepositorySecret {
            name: name.clone(),
            kms_key: kms_key.clone(),
            description: description.clone(),
            tags: tags.clone(),
            locations: locations?,
            adopt: *adopt,
            replicate_to: replicate_to.clone(),
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
