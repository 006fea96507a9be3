//! Rules of `registries.NAME.verify`: how a credential is tried at its registry.

use std::time::Duration;

use regcred_core::login::{Authority, Canary, CanaryError, Unreachable};
use regcred_core::server::Server;
use url::{Host, Url};

use super::{Bounds, Flaw, Rules, flaw};
use crate::config::problem::{End, KeyPath};
use crate::config::{Verification, Verify, raw};

const TIMEOUT: Bounds = Bounds {
    least: Duration::from_secs(1),
    most: Duration::from_mins(2),
    why: "a try is up to seven questions to servers on the Internet, and every registry waits for the slowest one",
};

/// Where Docker Hub's API is; its name is that of the product.
const DOCKER_HUB: &str = "https://registry-1.docker.io";

/// The flaw is among the findings.
struct Told;

impl Rules<'_, '_> {
    pub(super) fn verify(
        &mut self,
        raw: Option<&raw::Verify>,
        server: &Server,
        path: &KeyPath,
    ) -> Option<Verify> {
        let defaults = raw::Verify::default();
        let raw::Verify { enabled, repository, tag, unreachable, realm_hosts, ca_file, endpoint, timeout } =
            raw.unwrap_or(&defaults);
        let canary = self.canary(server, repository.as_deref(), tag.as_deref(), path);
        let realm_hosts = self.realm_hosts(realm_hosts, &path.key("realm_hosts"));
        let ca_file = ca_file.as_ref().map(|file| self.path(file, &path.key("ca_file")));
        let endpoint = match endpoint {
            Some(endpoint) => self.endpoint(endpoint, &path.key("endpoint")),
            None => self.own_endpoint(server, path),
        };
        let timeout = self.span(timeout, &path.key("timeout"), &TIMEOUT);
        let verification = Verification {
            canary: canary.ok()?,
            unreachable: match unreachable {
                raw::Unreachable::Hold => Unreachable::Hold,
                raw::Unreachable::Publish => Unreachable::Publish,
            },
            realm_hosts: realm_hosts?,
            ca_file: match ca_file {
                Some(file) => Some(file?),
                None => None,
            },
            endpoint: endpoint?,
            timeout: timeout?,
        };
        Some(if *enabled { Verify::On(Box::new(verification)) } else { Verify::Off })
    }

    fn canary(
        &mut self,
        server: &Server,
        repository: Option<&str>,
        tag: Option<&str>,
        path: &KeyPath,
    ) -> Result<Option<Canary>, Told> {
        let Some(repository) = repository else {
            if tag.is_some() {
                self.findings.error(
                    &path.key("tag"),
                    End::Key,
                    "there is a tag and no repository",
                    "a tag is looked for in a repository, and without one nothing is looked for",
                    "add `repository`, or remove `tag`",
                );
                return Err(Told);
            }
            return Ok(None);
        };
        match Canary::new(server, repository, tag.unwrap_or(Canary::DEFAULT_TAG)) {
            Ok(canary) => Ok(Some(canary)),
            Err(why) => {
                let (key, example) = match why {
                    CanaryError::Repository => {
                        ("repository", "write it without host and tag, such as `team/app`")
                    }
                    CanaryError::Tag => ("tag", "write for example `latest` or `1.2`"),
                };
                self.error(&path.key(key), format!("this cannot be a {key}"), why, example);
                Err(Told)
            }
        }
    }

    fn realm_hosts(&mut self, raw: &[String], path: &KeyPath) -> Option<Vec<Authority>> {
        let hosts: Vec<Authority> = raw
            .iter()
            .enumerate()
            .filter_map(|(i, text)| {
                let host = Authority::parse(text);
                if host.is_none() {
                    self.error(
                        &path.index(i),
                        "this does not name a host",
                        "a token server is named by its host, and by its port if that is not 443",
                        "write for example `auth.example.com` or `auth.example.com:8443`",
                    );
                }
                host
            })
            .collect();
        (hosts.len() == raw.len()).then_some(hosts)
    }

    fn endpoint(&mut self, text: &str, path: &KeyPath) -> Option<Url> {
        match endpoint(text) {
            Ok(url) => Some(url),
            Err(Flaw { why, to_do }) => {
                self.error(path, "this cannot be the endpoint of a registry", why, to_do);
                None
            }
        }
    }

    /// https at the server that images name; http where that is this machine, as Docker does.
    fn own_endpoint(&mut self, server: &Server, path: &KeyPath) -> Option<Url> {
        let text = match server {
            Server::DockerHub => DOCKER_HUB.to_owned(),
            Server::Other { host, path: _ } => {
                let https = format!("https://{host}");
                let is_local = Url::parse(&https).is_ok_and(|url| is_loopback(&url));
                if is_local { format!("http://{host}") } else { https }
            }
        };
        let url = Url::parse(&text).ok().filter(Url::has_host);
        if url.is_none() {
            self.error(
                path,
                "the server is no host that a URL could have",
                format!("its API would be at {text}"),
                "correct `server`, or add `endpoint`",
            );
        }
        url
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Passwords travel to it, so only a loopback one may do without TLS.
fn endpoint(text: &str) -> Result<Url, Flaw> {
    const EXAMPLE: &str = "write for example `https://registry.example.com` or `http://127.0.0.1:5000`";
    let url = Url::parse(text).map_err(|_| flaw("this is no URL", EXAMPLE))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(flaw("a username or password in a URL would be a secret in the configuration", EXAMPLE));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(flaw(
            "the API of a registry is at `/v2/` of a host, whatever its images are called",
            EXAMPLE,
        ));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(flaw("passwords would cross the network in clear text", "use `https://`")),
        _ => Err(flaw("it begins with `https://`, or with `http://` on a loopback address", EXAMPLE)),
    }
}
