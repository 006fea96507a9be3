//! Which credential the agent uses for an image.
//!
//! `GetAuthconfig` in the agent's `agent/dockerclient/dockerauth/dockerauth.go`. It walks over a Go map, whose order is
//! another one at each start: where that decides, every credential that it could pick is a candidate here.

use crate::agent::auth::{AuthMap, Entry, PullAuth, host_of};
use crate::server::DOCKER_HUB_HOSTS;

/// Docker Hub's key after its scheme is taken off: the only one that the agent looks for.
pub(crate) const HUB_KEY: &str = "index.docker.io/v1/";

/// All that a pull of one image could use; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    candidates: Vec<Candidate<'a>>,
}

/// One thing that a pull could use, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// The key as it is written; none where no entry applies.
    pub key: Option<&'a str>,
    pub rule: Rule,
    pub auth: &'a PullAuth,
}

/// The rule by which the agent comes to a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The image is Docker Hub's, and this is the one key for it.
    DockerHub,
    /// No entry applies: Docker Hub's key is missing, or none has the image's host.
    NoEntry,
    /// The key is the image's host.
    Host,
    /// Of the keys that the image begins with this is the longest, compared letter by letter: `reg/a` is one of
    /// `reg/ab/c` too.
    LongestPrefix,
    /// There is no key for the host alone, so the first of the host's keys that is met is taken, although the image
    /// does not begin with it; and no shorter key displaces it.
    FirstMet,
}

impl<'a> Answer<'a> {
    /// In the order of the file.
    pub fn candidates(&self) -> &[Candidate<'a>] {
        &self.candidates
    }

    /// Whether the agent picks among different credentials at random.
    pub fn is_random(&self) -> bool {
        self.certain().is_none()
    }

    /// What the pull uses, if that is the same whatever is picked.
    pub fn certain(&self) -> Option<&'a PullAuth> {
        let (first, rest) = self.candidates.split_first()?;
        rest.iter().all(|candidate| candidate.auth == first.auth).then_some(first.auth)
    }
}

impl AuthMap {
    /// What the agent uses to pull `image`, given as in a task definition.
    pub fn lookup(&self, image: &str) -> Answer<'_> {
        let host = registry_host(image);
        let mut candidates = if DOCKER_HUB_HOSTS.contains(&host) {
            self.candidates(Rule::DockerHub, |key| key == HUB_KEY)
        } else {
            self.candidates_of_host(host, image)
        };
        if candidates.is_empty() {
            candidates.push(Candidate { key: None, rule: Rule::NoEntry, auth: &PullAuth::Anonymous });
        }
        Answer { candidates }
    }

    fn candidates_of_host(&self, host: &str, image: &str) -> Vec<Candidate<'_>> {
        let keys =
            || self.entries().iter().filter(|entry| entry.pull_auth().is_some()).map(Entry::normalised_key);
        let longest = keys()
            .filter(|key| host_of(key) == host && key.len() > host.len() && image.starts_with(key))
            .max_by_key(|key| key.len());
        if keys().any(|key| key == host) {
            return match longest {
                Some(longest) => self.candidates(Rule::LongestPrefix, |key| key == longest),
                None => self.candidates(Rule::Host, |key| key == host),
            };
        }
        // Whichever key of the host is met first is held on to, until one comes that the image begins with and that is
        // longer. So the longest such key wins over every first one that is shorter, and over itself.
        let mut candidates = longest
            .map(|longest| self.candidates(Rule::LongestPrefix, |key| key == longest))
            .unwrap_or_default();
        candidates.extend(self.candidates(Rule::FirstMet, |key| {
            host_of(key) == host
                && !image.starts_with(key)
                && longest.is_none_or(|longest| key.len() >= longest.len())
        }));
        candidates
    }

    /// The entries whose key, as the agent compares it, is one of those asked for. Several can have the same.
    fn candidates(&self, rule: Rule, is_wanted: impl Fn(&str) -> bool) -> Vec<Candidate<'_>> {
        self.entries()
            .iter()
            .filter(|entry| is_wanted(entry.normalised_key()))
            .filter_map(|entry| {
                let auth = entry.pull_auth()?;
                Some(Candidate { key: Some(entry.key()), rule, auth })
            })
            .collect()
    }
}

/// The host that the agent reads from an image, Docker Hub's where it names none: `splitReposName` after
/// `ParseRepositoryTag` has cut the tag off.
pub(crate) fn registry_host(image: &str) -> &str {
    let repository = match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => image,
    };
    match repository.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => DOCKER_HUB_HOSTS[0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::auth::EffectiveAuth;

    /// A map in which each key's username is the key itself.
    fn map(keys: &[&str]) -> AuthMap {
        let entries: Vec<_> =
            keys.iter().map(|key| format!(r#""{key}":{{"username":"{key}","password":"p"}}"#)).collect();
        AuthMap::read(&EffectiveAuth::new("docker", &format!("{{{}}}", entries.join(","))))
    }

    fn picks(keys: &[&str], image: &str) -> Vec<(Option<String>, Rule)> {
        map(keys)
            .lookup(image)
            .candidates
            .into_iter()
            .map(|candidate| (candidate.key.map(str::to_owned), candidate.rule))
            .collect()
    }

    fn pick(key: &str, rule: Rule) -> (Option<String>, Rule) {
        (Some(key.to_owned()), rule)
    }

    #[test]
    fn the_host_is_read_as_the_agent_reads_it() {
        for (image, host) in [
            ("busybox", "docker.io"),
            ("busybox:1", "docker.io"),
            ("org/app:1", "docker.io"),
            ("reg.example.com", "docker.io"),
            ("localhost/app", "localhost"),
            ("localhost", "docker.io"),
            ("reg:5000/app:1", "reg:5000"),
            ("reg:5000/app", "reg:5000"),
            ("reg.example.com/a/b@sha256:0011", "reg.example.com"),
            ("registry-1.docker.io/o/x", "registry-1.docker.io"),
            ("", "docker.io"),
            (":", "docker.io"),
            ("/", "docker.io"),
        ] {
            assert_eq!(registry_host(image), host, "{image:?}");
        }
    }

    #[test]
    fn docker_hub_has_one_key() {
        let hub = "https://index.docker.io/v1/";
        for image in ["busybox", "docker.io/org/app", "index.docker.io/a/b", "registry-1.docker.io/a/b:1"] {
            assert_eq!(picks(&["docker.io", hub, "index.docker.io"], image), [pick(hub, Rule::DockerHub)]);
            assert_eq!(
                picks(&["docker.io", "https://index.docker.io/v1"], image),
                [(None, Rule::NoEntry)],
                "{image}"
            );
        }
        assert_eq!(picks(&[hub], "registry.hub.docker.com/a/b"), [(None, Rule::NoEntry)]);
    }

    #[test]
    fn with_a_host_key_the_longest_prefix_wins() {
        let keys = ["r.io/ab/c", "r.io", "r.io/a", "r.io/zzzzzzzz"];
        assert_eq!(picks(&keys, "r.io/ab/c/d:1"), [pick("r.io/ab/c", Rule::LongestPrefix)]);
        assert_eq!(picks(&keys, "r.io/abx/d"), [pick("r.io/a", Rule::LongestPrefix)]);
        assert_eq!(picks(&keys, "r.io/q"), [pick("r.io", Rule::Host)]);
        assert_eq!(picks(&keys, "R.io/q"), [(None, Rule::NoEntry)]);
    }

    #[test]
    fn without_a_host_key_the_first_met_can_stay() {
        let keys = ["r.io/a", "r.io/bbbbbbb"];
        assert_eq!(
            picks(&keys, "r.io/a/b"),
            [pick("r.io/a", Rule::LongestPrefix), pick("r.io/bbbbbbb", Rule::FirstMet)]
        );
        assert_eq!(picks(&keys, "r.io/bbbbbbb/c"), [pick("r.io/bbbbbbb", Rule::LongestPrefix)]);
        assert_eq!(
            picks(&keys, "r.io/q"),
            [pick("r.io/a", Rule::FirstMet), pick("r.io/bbbbbbb", Rule::FirstMet)]
        );
        assert_eq!(picks(&["https://r.io/v1/"], "r.io/q"), [pick("https://r.io/v1/", Rule::FirstMet)]);
        assert!(map(&keys).lookup("r.io/a/b").is_random());
    }

    #[test]
    fn keys_that_differ_by_scheme_are_all_candidates() {
        let keys = ["r.io", "https://r.io", "http://r.io"];
        let map = map(&keys);
        let answer = map.lookup("r.io/a");
        assert_eq!(answer.candidates.len(), 3);
        assert!(answer.is_random());
        let same =
            EffectiveAuth::new("dockercfg", r#"{"r.io":{"auth":"dTpw"},"https://r.io":{"auth":"dTpw"}}"#);
        assert!(!AuthMap::read(&same).lookup("r.io/a").is_random(), "the same credential twice is no choice");
    }
}
