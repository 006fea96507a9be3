//! What has to hold of a world at every moment, and what has to hold in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::{Duration, Instant};

use regcred_core::agent::{AuthMap, Environment, PullAuth};
use regcred_sandbox::Service;
use regcred_sandbox::control::{HostView, Presented, PullView};
use serde_json::Value;

use super::sync;
use crate::sdk::Aws;
use crate::world::{
    BOTTLEROCKET, Call, DOCKER_HUB_IMAGE, FAILING, GHCR_IMAGE, GOOD, HARBOR_IMAGE, LIAR, OBJECT_HEAD,
    OFFLINE, QUAY_IMAGE, World, sha256,
};

/// How often hosts are looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// A registry of the demo's configuration: what it publishes, and where it is seen.
struct Registry {
    secret: &'static str,
    image: &'static str,
    username: &'static str,
    password: String,
}

fn registries(harbor: &str) -> [Registry; 3] {
    let registry = |secret, image, username, password: &str| Registry {
        secret,
        image,
        username,
        password: password.to_owned(),
    };
    [
        registry("ecs/registry/dockerhub", DOCKER_HUB_IMAGE, "acme", "docker-hub-token-of-the-demo"),
        registry("ecs/registry/ghcr", GHCR_IMAGE, "ghcr-bot", "ghcr-token-of-the-demo"),
        registry("ecs/registry/harbor", HARBOR_IMAGE, "robot", harbor),
    ]
}

impl Registry {
    fn presented(&self) -> PullView {
        PullView::Certain(Presented::Login {
            username: self.username.to_owned(),
            password_sha256: sha256(&self.password),
        })
    }
}

/// The object's content that hosts are to load, and how often each had been restarted before it was there.
struct Revision {
    etag: Option<String>,
    restarts: BTreeMap<String, u32>,
}

/// What is published by one change of the sources, and what was there before it.
pub(super) struct Publication<'a> {
    world: &'a World,
    aws: &'a Aws,
    registries: [Registry; 3],
    pulls: BTreeMap<(String, &'static str), PullView>,
    /// What a publication before this one was still bringing to the hosts.
    unfinished: Vec<Registry>,
    revision: Revision,
    /// How often each host had been restarted when that was looked at last.
    restarts: BTreeMap<String, u32>,
    /// The current version of each secret that was there.
    versions: BTreeMap<&'static str, String>,
    objects: Vec<String>,
}

impl<'a> Publication<'a> {
    /// To be begun before the first pass that sees `harbor`, the password at its source.
    pub(super) async fn begin(world: &'a World, aws: &'a Aws, harbor: &str) -> Self {
        let registries = registries(harbor);
        let mut versions = BTreeMap::new();
        for Registry { secret, .. } in &registries {
            if let Some((_, version)) = aws.secret(secret).await {
                versions.insert(*secret, version);
            }
        }
        let objects = etags(aws).await;
        world.client().clear_calls().expect("the sandbox answers");
        Self {
            world,
            aws,
            registries,
            pulls: pulls(world),
            unfinished: Vec::new(),
            revision: Revision { etag: objects.first().cloned(), restarts: world.restarts() },
            restarts: world.restarts(),
            versions,
            objects,
        }
    }

    /// Another password, before this one was published everywhere.
    pub(super) async fn change_again(self, harbor: &str) -> Self {
        let next = Self::begin(self.world, self.aws, harbor).await;
        Self { unfinished: self.registries.into(), ..next }
    }

    /// What holds at every moment. To be asked after each pass.
    pub(super) async fn hold(&mut self) {
        self.nobody_is_bare().await;
        self.nobody_is_restarted_twice().await;
        self.no_version_is_current_again();
        self.nothing_is_written_twice().await;
    }

    /// Each host would pull with what it had, or with what is published now.
    async fn nobody_is_bare(&self) {
        // The host whose agent takes no changed value is without a credential for as long as its script needs to see that
        // and to put the old one back: no controller can help it.
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let bare = self.bare();
            if bare.is_empty() {
                return;
            }
            let is_passing = bare.iter().all(|bare| bare.starts_with(FAILING));
            assert!(is_passing && Instant::now() < until, "bare: {bare:#?}");
            tokio::time::sleep(GLANCE).await;
        }
    }

    fn bare(&self) -> Vec<String> {
        let pulls = pulls(self.world).into_iter();
        let bare = pulls.filter(|((host, image), now)| {
            let mut published = self.registries.iter().chain(&self.unfinished);
            let is_new = published.any(|each| each.image == *image && each.presented() == *now);
            !is_new && self.pulls.get(&(host.clone(), image)) != Some(now)
        });
        bare.map(|((host, image), now)| format!("{host} pulls {image} with {now:?}")).collect()
    }

    /// Looks over and over while a pass runs.
    pub(super) async fn watch<T>(&self, pass: impl Future<Output = T>) -> T {
        let mut pass = pin!(pass);
        loop {
            tokio::select! {
                ended = &mut pass => return ended,
                () = tokio::time::sleep(GLANCE) => {
                    let bare = self.bare();
                    assert!(bare.iter().all(|bare| bare.starts_with(FAILING)), "bare while a pass ran: {bare:#?}");
                }
            }
        }
    }

    /// Once for one revision; where it does not load, once more, back to the old one.
    async fn nobody_is_restarted_twice(&mut self) {
        let etag = etags(self.aws).await.into_iter().next();
        let now = self.world.restarts();
        if etag != self.revision.etag {
            // A pass writes the object before it restarts anybody, so all restarts since the last look are for this one.
            self.revision = Revision { etag, restarts: self.restarts.clone() };
        }
        for (host, restarts) in &now {
            let most = match host.as_str() {
                LIAR | FAILING => 2,
                OFFLINE | BOTTLEROCKET => 0,
                _ => 1,
            };
            let times = restarts - self.revision.restarts[host];
            assert!(times <= most, "{host} was restarted {times} times for one revision");
        }
        self.restarts = now;
    }

    /// An object is written where that changes it. At most twice: a secret that could not be stored keeps its registry's
    /// entry back, and no other's.
    async fn nothing_is_written_twice(&self) {
        let etags = etags(self.aws).await;
        let distinct: BTreeSet<&String> = etags.iter().collect();
        assert_eq!(distinct.len(), etags.len(), "the object holds what it held before");
        assert!(etags.len() - self.objects.len() <= 2, "the object was written more than twice");
    }

    /// AWSCURRENT moves from the old version to one new one, and never back.
    fn no_version_is_current_again(&self) {
        let mut made_current: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for call in self.world.calls().into_iter().filter(|call| call.status == Some(200)) {
            let Call { service, operation, request, response, .. } = call;
            let (name, version) = match (service, operation.as_str()) {
                (Service::SecretsManager, "CreateSecret") => (&request["Name"], &response["VersionId"]),
                (Service::SecretsManager, "UpdateSecretVersionStage") => {
                    assert_eq!(request["VersionStage"], "AWSCURRENT", "{request}");
                    assert!(request["RemoveFromVersionId"].is_string(), "no compare-and-swap: {request}");
                    (&response["Name"], &request["MoveToVersionId"])
                }
                (Service::SecretsManager, "PutSecretValue") => {
                    assert_eq!(request["VersionStages"], serde_json::json!(["AWSPENDING"]), "{request}");
                    continue;
                }
                _ => continue,
            };
            let text = |value: &Value| value.as_str().expect("a name and a version are texts").to_owned();
            let versions = made_current.entry(text(name)).or_default();
            let version = text(version);
            // The same call once more, its answer having been lost, changes nothing.
            if versions.last() != Some(&version) {
                versions.push(version);
            }
        }
        for (name, versions) in made_current {
            assert_eq!(versions.len(), 1, "{name} went from version to version: {versions:?}");
            let old = self.versions.iter().find(|(secret, _)| **secret == name).map(|(_, version)| version);
            assert_ne!(versions.first(), old, "{name} went back");
        }
    }

    /// Each secret is at the version that it was at.
    pub(super) async fn published_nothing(&self) {
        for Registry { secret, .. } in &self.registries {
            let now = self.aws.secret(secret).await.map(|(_, version)| version);
            assert_eq!(now.as_ref(), self.versions.get(secret), "{secret}");
        }
    }

    /// What holds once a pass has had nothing left to do. `revision` is what that pass reported.
    pub(super) async fn is_complete(&self, revision: &str) {
        let Self { aws, registries, .. } = self;
        for registry in registries {
            let Registry { secret, username, password, .. } = registry;
            let (value, _) = aws.secret(secret).await.unwrap_or_else(|| panic!("there is no {secret}"));
            let value: Value = serde_json::from_str(&value).expect("a secret holds JSON");
            assert_eq!(value, serde_json::json!({ "username": username, "password": password }), "{secret}");
        }
        let object = self.world.object().await;
        assert!(object.starts_with(OBJECT_HEAD), "a line that is not regcred's was lost");
        let auth = AuthMap::read(&Environment::parse(object.as_bytes()).auth());
        for Registry { image, username, password, .. } in registries {
            match auth.lookup(image).certain() {
                Some(PullAuth::Login(login)) => {
                    assert_eq!(
                        (login.username.as_str(), login.password.expose()),
                        (*username, password.as_str())
                    );
                }
                other => panic!("the object gives {image} {other:?}"),
            }
        }
        assert!(
            matches!(auth.lookup(QUAY_IMAGE).certain(), Some(PullAuth::Login(_))),
            "the foreign entry is lost"
        );

        let pulls = pulls(self.world);
        for host in GOOD {
            for registry in registries {
                let pull = &pulls[&(host.to_owned(), registry.image)];
                assert_eq!(*pull, registry.presented(), "{host}, {}", registry.image);
            }
        }
        for HostView { id, attributes, agent_connected, .. } in
            self.world.client().hosts().expect("it answers")
        {
            let is = |name: &str| attributes.get(name).is_some_and(|value| value == revision);
            let expected = match id.as_str() {
                LIAR | FAILING => (false, true),
                OFFLINE | BOTTLEROCKET => (false, false),
                _ => (true, false),
            };
            assert_eq!((is("regcred.revision"), is("regcred.failed")), expected, "{id} has {attributes:?}");
            assert!(agent_connected, "{id} lost its agent");
        }
    }
}

/// The ETags of all versions of the object, which its content decides; the newest first.
pub(super) async fn etags(aws: &Aws) -> Vec<String> {
    const OBJECT: &str = "prod/ecs.config";
    let listed = aws.s3.list_object_versions().bucket("acme-ecs").prefix(OBJECT).send().await;
    let versions = listed.expect("the bucket is there").versions.unwrap_or_default();
    let of_object = versions.into_iter().filter(|version| version.key.as_deref() == Some(OBJECT));
    of_object.map(|version| version.e_tag.expect("every version has one")).collect()
}

const IMAGES: [&str; 4] = [DOCKER_HUB_IMAGE, GHCR_IMAGE, HARBOR_IMAGE, QUAY_IMAGE];

/// What each host would pull with.
fn pulls(world: &World) -> BTreeMap<(String, &'static str), PullView> {
    let client = world.client();
    let hosts = world.restarts().into_keys();
    hosts
        .flat_map(|host| IMAGES.map(|image| (host.clone(), image)))
        .map(|(host, image)| {
            let pull = client.pull(&host, image).expect("the sandbox answers");
            ((host, image), pull)
        })
        .collect()
}

/// The passes after a struck one, and the laws after each. One may write: it does all that the struck one left, whatever
/// that was. The second has nothing to do. Whether the first did write is returned.
///
/// One is enough, also where the struck pass halted after a send whose answer was lost: the hosts of that send hold the
/// value by now, or remember that it did not load, and the two odd ones are all the errors that the fleet allows.
pub(super) async fn recover(publication: &mut Publication<'_>) -> Mending {
    let mut mending = Mending::Nothing;
    loop {
        let (told, calls) = sync(publication.world).await;
        publication.hold().await;
        assert_eq!(told.code, 4, "the odd hosts are not reached, and nothing else is wrong: {:#}", told.json);
        let writes: Vec<&str> =
            calls.iter().filter(|call| call.is_write()).map(|call| call.operation.as_str()).collect();
        if writes.is_empty() {
            let revision = told.json["objects"][0]["revision"].as_str().expect("the object has a revision");
            publication.is_complete(revision).await;
            return mending;
        }
        assert_eq!(mending, Mending::Nothing, "the second pass after the fault still wrote: {writes:?}");
        mending = Mending::Something;
    }
}

/// What a struck pass left to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mending {
    Nothing,
    Something,
}
