//! What every target should hold, and how that differs from what was observed.
//!
//! Values in, steps and payloads out. The payloads hold the secrets; the steps, which make up the plan, hold none.
//! This module must not decide about hosts (see [`crate::rollout`]) or how anything is written.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::agent::auth::printable_key;
use crate::agent::{AuthMap, AuthType, EffectiveAuth, Environment, Login, PullAuth};
use crate::credential::Credential;
use crate::fingerprint::FingerprintKey;
use crate::formats::ecs_config::{self, Edited, Foreign, Note, Wanted};
use crate::formats::repository_credentials;
use crate::login::Trial;
use crate::names::{EcsConfigName, LocationName, RegistryName};
use crate::observed::{Observed, Precondition, Published};
use crate::plan::{
    CredentialChange, CredentialPlan, HeldEntry, Hold, ObjectAction, ObjectStep, RegistryPlan, SecretAction,
    SecretStep,
};
use crate::replica::Replica;
use crate::report::{Failure, FailureKind};
use crate::secret::Secret;
use crate::server::Server;

/// What is to be published of a registry.
#[derive(Clone, Debug)]
pub enum Wish {
    /// This credential.
    Publish(Credential),
    /// Whatever is published now.
    Hold(Hold),
}

impl Wish {
    /// What becomes of what was read of a source, by what its registry said of it.
    pub fn of(reading: &SourceReading, trial: &Trial) -> Self {
        match (reading, trial.hold()) {
            (SourceReading::Failed(_), _) => Self::Hold(Hold::SourceFailed),
            (SourceReading::Read { .. }, Some(why)) => Self::Hold(why),
            (SourceReading::Read { credential, notes: _ }, None) => Self::Publish(credential.clone()),
        }
    }
}

/// A Secrets Manager secret of the configuration.
#[derive(Clone, Debug)]
pub struct SecretSpec {
    pub location: LocationName,
    pub name: String,
    pub registry: RegistryName,
}

/// An ecs.config object of the configuration.
#[derive(Clone, Debug)]
pub struct ObjectSpec {
    pub name: EcsConfigName,
    pub location: LocationName,
    pub bucket: String,
    pub key: String,
    pub auth_type: AuthType,
    pub registries: Vec<(RegistryName, Server)>,
    pub foreign: Foreign,
}

/// A write that a step stands for: what, and under which condition.
#[derive(Clone, Debug)]
pub struct Write {
    pub content: Secret,
    pub expects: Precondition,
}

/// Compares one secret with what its registry should have. `replicas` are the copies in other Regions that it should have,
/// as they were seen.
pub fn secret(
    spec: &SecretSpec,
    wish: &Wish,
    observed: &Observed,
    replicas: &[Replica],
) -> (SecretStep, Option<Write>) {
    let step = |arn: Option<&String>, action| SecretStep {
        location: spec.location.clone(),
        name: spec.name.clone(),
        registry: spec.registry.clone(),
        arn: arn.cloned(),
        replicas: replicas.to_vec(),
        action,
    };
    let credential = match wish {
        Wish::Publish(credential) => credential,
        Wish::Hold(why) => {
            let arn = observed.published().and_then(|published| published.arn.as_ref());
            return (step(arn, SecretAction::Held { why: *why }), None);
        }
    };
    match observed {
        Observed::Unknown(failure) => (step(None, SecretAction::Blocked { failure: failure.clone() }), None),
        Observed::Absent => {
            let content = repository_credentials::render(credential);
            (step(None, SecretAction::Create), Some(Write { content, expects: Precondition::Absent }))
        }
        Observed::Present(Published { content, version, arn, since: _ }) => {
            let is_there = repository_credentials::parse(content).is_ok_and(|login| login.is(credential));
            if is_there {
                let version = version.tag.clone();
                let action = if replicas.iter().any(Replica::is_wanting) {
                    SecretAction::Replicate { version }
                } else {
                    SecretAction::Unchanged { version }
                };
                return (step(arn.as_ref(), action), None);
            }
            let content = repository_credentials::render(credential);
            let action = SecretAction::Put { expects: version.tag.clone() };
            (
                step(arn.as_ref(), action),
                Some(Write { content, expects: Precondition::Holds(version.clone()) }),
            )
        }
    }
}

/// Compares one object with what its registries should have. A registry that `wishes` does not name is held as out of
/// scope.
pub fn object(
    spec: &ObjectSpec,
    wishes: &BTreeMap<RegistryName, Wish>,
    observed: &Observed,
    key: &FingerprintKey,
) -> (ObjectStep, Option<Write>) {
    let step = |action| ObjectStep {
        ecs_config: spec.name.clone(),
        location: spec.location.clone(),
        bucket: spec.bucket.clone(),
        key: spec.key.clone(),
        action,
        held: Vec::new(),
        kept: Vec::new(),
        pruned: Vec::new(),
        notes: Vec::new(),
    };
    let published = match observed {
        Observed::Unknown(failure) => {
            return (step(ObjectAction::Blocked { failure: failure.clone() }), None);
        }
        Observed::Absent => None,
        Observed::Present(published) => Some(published),
    };
    let mut held: Vec<(RegistryName, Server, Hold, Option<Failure>)> = Vec::new();
    let mut wanted = Vec::new();
    for (registry, server) in &spec.registries {
        let desired = match wishes.get(registry).unwrap_or(&Wish::Hold(Hold::OutOfScope)) {
            Wish::Publish(credential) => ecs_config::Desired::Publish(credential.clone()),
            Wish::Hold(why) => {
                held.push((registry.clone(), server.clone(), *why, None));
                ecs_config::Desired::Hold
            }
        };
        wanted.push(Wanted { server: server.clone(), desired });
    }
    let content = published.map(|published| &published.content);
    let edited = loop {
        let refusal = match ecs_config::edit(content, spec.auth_type, &wanted, spec.foreign) {
            Ok(edited) => break edited,
            Err(refusal) => refusal,
        };
        // One credential that this format cannot hold spoils no other: it is held, once, and the rest goes on.
        let spoilt = refusal.server().and_then(|server| {
            let position = wanted.iter().position(|each| {
                each.server == *server && matches!(each.desired, ecs_config::Desired::Publish(_))
            })?;
            Some((position, spec.registries.get(position)?))
        });
        let Some((position, (registry, server))) = spoilt else {
            let failure = Failure::new(
                FailureKind::Refused,
                format!("cannot make a right ecs.config of `s3://{}/{}`", spec.bucket, spec.key),
                refusal.to_string(),
                refusal.remedy(&spec.name),
            );
            return (step(ObjectAction::Blocked { failure }), None);
        };
        let failure = Failure::new(
            FailureKind::Refused,
            format!("cannot publish registry `{registry}` in `s3://{}/{}`", spec.bucket, spec.key),
            refusal.to_string(),
            refusal.remedy(&spec.name),
        );
        held.push((registry.clone(), server.clone(), Hold::NotRenderable, Some(failure)));
        wanted[position].desired = ecs_config::Desired::Hold;
    };
    if let Some(failure) = lost(spec, &edited) {
        return (step(ObjectAction::Blocked { failure }), None);
    }
    let revision = edited.auth.revision(key);
    let action = match published {
        None if edited.is_changed() => ObjectAction::Create { revision },
        None => {
            // Nothing to publish at all: every registry is held and there is no object yet.
            let failure = Failure::new(
                FailureKind::Missing,
                format!("cannot create `s3://{}/{}`", spec.bucket, spec.key),
                "no credential of its registries is at hand",
                "see the failures of its registries; the next pass tries again",
            );
            return (step(ObjectAction::Blocked { failure }), None);
        }
        Some(published) if edited.is_changed() => ObjectAction::Replace {
            revision,
            from: Environment::parse(published.content.expose().as_bytes()).auth().revision(key),
            expects: published.version.tag.clone(),
        },
        Some(published) => ObjectAction::Unchanged { revision, version: published.version.id.clone() },
    };
    let expects =
        published.map_or(Precondition::Absent, |published| Precondition::Holds(published.version.clone()));
    let Edited { text, change: _, auth: _, published: _, held: _, unpublished, kept, pruned, notes } = edited;
    let held = held
        .into_iter()
        .map(|(registry, server, why, failure)| HeldEntry {
            published: !unpublished.contains(&server),
            registry,
            why,
            failure,
        })
        .collect();
    let write = match action {
        ObjectAction::Create { .. } | ObjectAction::Replace { .. } => Some(Write { content: text, expects }),
        ObjectAction::Unchanged { .. } | ObjectAction::Blocked { .. } => None,
    };
    let notes = notes.iter().map(ToString::to_string).collect();
    (ObjectStep { held, kept, pruned, notes, ..step(action) }, write)
}

/// Why an edit must not be made that would take from agents what a held registry has published: to hold is to keep.
fn lost(spec: &ObjectSpec, edited: &Edited) -> Option<Failure> {
    edited.notes.iter().find_map(|note| match note {
        Note::NotConverted { server, why } => Some(Failure::new(
            FailureKind::Refused,
            format!("cannot keep what `s3://{}/{}` has published of {server}", spec.bucket, spec.key),
            format!("it cannot be written in the format `{}`: {why}", spec.auth_type),
            format!(
                "keep the former `format` of ecs_configs.{}, or let the source of {server} be read and fit it",
                spec.name
            ),
        )),
        _ => None,
    })
}

/// What was read of a registry's source.
#[derive(Clone, Debug)]
pub enum SourceReading {
    Read { credential: Credential, notes: Vec<String> },
    Failed(Failure),
}

/// What is published of a registry, as far as it could be seen.
#[derive(Clone, Debug, Default)]
pub struct PublishedLogins {
    logins: Vec<Login>,
    /// Something could not be looked at.
    unseen: bool,
    /// Something was seen to hold no credential of it.
    lacking: bool,
    since: Option<DateTime<Utc>>,
}

impl PublishedLogins {
    pub fn add_secret(&mut self, observed: &Observed) {
        match observed {
            Observed::Unknown(_) => self.unseen = true,
            Observed::Absent => self.lacking = true,
            Observed::Present(published) => {
                self.add(published, repository_credentials::parse(&published.content).ok());
            }
        }
    }

    /// `map` is [`auth_map`] of it, read once for all of its registries: there can be hundreds.
    pub fn add_object(&mut self, observed: &Observed, map: &AuthMap, server: &Server) {
        match observed {
            Observed::Unknown(_) => self.unseen = true,
            Observed::Absent => self.lacking = true,
            Observed::Present(published) => {
                let login = match map.lookup(&some_image(server)).certain() {
                    Some(PullAuth::Login(login)) => Some(login.clone()),
                    Some(_) | None => None,
                };
                self.add(published, login);
            }
        }
    }

    fn add(&mut self, published: &Published, login: Option<Login>) {
        match login {
            Some(login) => {
                self.since = self.since.into_iter().chain(published.since).min();
                self.logins.push(login);
            }
            None => self.lacking = true,
        }
    }

    /// The credentials, each as often as it is published.
    pub fn credentials(&self) -> impl Iterator<Item = Credential> {
        // What is no credential to us is none to a registry.
        self.logins
            .iter()
            .filter_map(|login| Credential::new(login.username.clone(), login.password.clone(), None).ok())
    }

    /// Whether a pass would write this credential anywhere: what has to be tried before.
    pub fn presence(&self, credential: &Credential) -> Presence {
        match self.logins.iter().find(|login| !login.is(credential)) {
            Some(_) => Presence::Lacking,
            None if self.lacking => Presence::Lacking,
            None if self.logins.is_empty() => Presence::Unseen,
            None => Presence::Held,
        }
    }
}

/// What is seen of a credential in the places that should hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It was seen, and nowhere another one, nor none.
    Held,
    /// A place was seen that holds another one, or none: a pass would write there.
    Lacking,
    /// No place was seen at all, so that none would be written to; and nothing is known.
    Unseen,
}

/// The keys among which agents choose at random for a server, as its entries differ; none where they do not. `map` is
/// [`auth_map`] of an object.
pub fn keys_at_random(map: &AuthMap, server: &Server) -> Vec<String> {
    let image = some_image(server);
    let answer = map.lookup(&image);
    if answer.is_random() {
        answer.candidates().iter().filter_map(|candidate| candidate.key).map(printable_key).collect()
    } else {
        Vec::new()
    }
}

/// What agents make of an object; without one they have nothing.
pub fn auth_map(observed: &Observed) -> AuthMap {
    AuthMap::read(&match observed {
        Observed::Present(published) => Environment::parse(published.content.expose().as_bytes()).auth(),
        Observed::Absent | Observed::Unknown(_) => EffectiveAuth::none(),
    })
}

/// An image of this server, whatever it is called.
fn some_image(server: &Server) -> String {
    match server {
        Server::DockerHub => "docker.io/library/x".to_owned(),
        Server::Other { .. } => format!("{server}/x"),
    }
}

/// Compares what a source holds with what is published.
pub fn registry(
    name: &RegistryName,
    server: &Server,
    reading: &SourceReading,
    published: &PublishedLogins,
    login: Trial,
    key: &FingerprintKey,
    now: DateTime<Utc>,
) -> RegistryPlan {
    let credential = match reading {
        SourceReading::Failed(failure) => CredentialPlan::Unreadable { failure: failure.clone() },
        SourceReading::Read { credential, notes } => CredentialPlan::Read {
            fingerprint: key.credential(credential),
            change: change(credential, published, key),
            expiry: credential.expiry(now),
            notes: notes.clone(),
        },
    };
    RegistryPlan {
        name: name.clone(),
        server: server.clone(),
        credential,
        login,
        published_since: published.since,
    }
}

fn change(credential: &Credential, published: &PublishedLogins, key: &FingerprintKey) -> CredentialChange {
    let PublishedLogins { logins, unseen, lacking: _, since: _ } = published;
    match logins.iter().find(|login| !login.is(credential)) {
        Some(other) => match Credential::new(other.username.clone(), other.password.clone(), None) {
            Ok(old) if old.username() == credential.username() => {
                CredentialChange::Password { published: key.credential(&old) }
            }
            Ok(old) => CredentialChange::User { published: key.credential(&old) },
            // What is published is no credential at all.
            Err(_) => CredentialChange::New,
        },
        None if !logins.is_empty() => CredentialChange::None,
        None if *unseen => CredentialChange::Unknown,
        None => CredentialChange::New,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::Version;
    use crate::plan::Plan;
    use crate::replica::ReplicaState;
    use crate::report::Verdict;

    fn credential(username: &str, password: &str) -> Credential {
        Credential::new(username.into(), password.into(), None).unwrap()
    }

    fn key() -> FingerprintKey {
        FingerprintKey::from_bytes([7; FingerprintKey::LENGTH])
    }

    fn present(content: &str) -> Observed {
        Observed::Present(Published {
            content: content.into(),
            version: Version { tag: "v1".into(), id: Some("v1".into()) },
            arn: Some("arn:secret".into()),
            since: None,
        })
    }

    fn unknown() -> Observed {
        Observed::Unknown(Failure::new(FailureKind::AccessDenied, "cannot read it", "denied", "allow it"))
    }

    fn secret_spec() -> SecretSpec {
        SecretSpec { location: "eu".into(), name: "s".into(), registry: "harbor".into() }
    }

    fn object_spec(registries: &[(&str, &str)]) -> ObjectSpec {
        ObjectSpec {
            name: "prod".into(),
            location: "eu".into(),
            bucket: "b".into(),
            key: "k".into(),
            auth_type: AuthType::Dockercfg,
            registries: registries
                .iter()
                .map(|(name, server)| (RegistryName::from(*name), Server::parse(server).unwrap()))
                .collect(),
            foreign: Foreign::Keep,
        }
    }

    fn wishes(wishes: &[(&str, Wish)]) -> BTreeMap<RegistryName, Wish> {
        wishes.iter().map(|(name, wish)| (RegistryName::from(*name), wish.clone())).collect()
    }

    #[test]
    fn a_secret_is_created_only_when_it_is_surely_not_there() {
        let wish = Wish::Publish(credential("u", "p"));
        let (step, write) = secret(&secret_spec(), &wish, &Observed::Absent, &[]);
        assert_eq!(step.action, SecretAction::Create);
        assert_eq!(write.unwrap().expects, Precondition::Absent);

        let (step, write) = secret(&secret_spec(), &wish, &unknown(), &[]);
        assert!(matches!(step.action, SecretAction::Blocked { .. }));
        assert!(write.is_none());
    }

    #[test]
    fn a_secret_that_reads_the_same_is_not_written_however_it_is_spelled() {
        let wish = Wish::Publish(credential("u", "p"));
        for same in
            [r#"{"username":"u","password":"p"}"#, r#"{ "PASSWORD": "p", "note": 1, "Username": "u" }"#]
        {
            let (step, write) = secret(&secret_spec(), &wish, &present(same), &[]);
            assert_eq!(step.action, SecretAction::Unchanged { version: "v1".into() }, "{same}");
            assert!(write.is_none());
        }
        for other in [r#"{"username":"u","password":"q"}"#, "", "nonsense", r#"{"username":"u"}"#] {
            let (step, write) = secret(&secret_spec(), &wish, &present(other), &[]);
            assert_eq!(step.action, SecretAction::Put { expects: "v1".into() }, "{other}");
            assert!(matches!(write.unwrap().expects, Precondition::Holds(version) if version.tag == "v1"));
        }
    }

    #[test]
    fn a_copy_that_is_missing_or_failed_is_asked_for_and_no_value_is_written_for_it() {
        let failure = || Failure::new(FailureKind::Refused, "cannot copy it", "the name is taken", "free it");
        let wish = Wish::Publish(credential("u", "p"));
        let there = present(r#"{"username":"u","password":"p"}"#);
        let replica = |state| Replica { region: "us-east-1".into(), state };
        let unchanged = SecretAction::Unchanged { version: "v1".into() };
        let replicate = SecretAction::Replicate { version: "v1".into() };
        for (state, expected) in [
            (ReplicaState::InSync, &unchanged),
            (ReplicaState::InProgress, &unchanged),
            (ReplicaState::Unknown { failure: failure() }, &unchanged),
            (ReplicaState::Missing, &replicate),
            (ReplicaState::Failed { failure: failure() }, &replicate),
        ] {
            let (step, write) = secret(&secret_spec(), &wish, &there, &[replica(state.clone())]);
            assert_eq!(step.action, *expected, "{state:?}");
            assert!(write.is_none());
            let is_right = state == ReplicaState::InSync;
            let plan = Plan::new(Vec::new(), vec![step], Vec::new(), Vec::new());
            assert_eq!(plan.stale_places(), usize::from(!is_right), "{state:?}");
            assert_eq!(plan.verdict() == Verdict::Converged, is_right, "{state:?}");
        }
        // What is held stays as it is, its copies too.
        let hold = Wish::Hold(Hold::SourceFailed);
        let (step, _) = secret(&secret_spec(), &hold, &there, &[replica(ReplicaState::Missing)]);
        assert_eq!(step.action, SecretAction::Held { why: Hold::SourceFailed });
    }

    #[test]
    fn a_held_registry_writes_no_secret() {
        for observed in [Observed::Absent, present("{}"), unknown()] {
            let (step, write) = secret(&secret_spec(), &Wish::Hold(Hold::SourceFailed), &observed, &[]);
            assert_eq!(step.action, SecretAction::Held { why: Hold::SourceFailed });
            assert!(write.is_none());
        }
    }

    #[test]
    fn an_object_that_cannot_be_read_is_never_created() {
        let spec = object_spec(&[("harbor", "harbor.example.com")]);
        let wishes = wishes(&[("harbor", Wish::Publish(credential("u", "p")))]);
        let (step, write) = object(&spec, &wishes, &unknown(), &key());
        assert!(matches!(step.action, ObjectAction::Blocked { .. }));
        assert!(write.is_none());
    }

    #[test]
    fn a_failed_source_leaves_its_entry_and_the_others_go_on() {
        let spec = object_spec(&[("harbor", "harbor.example.com"), ("quay", "quay.io")]);
        let both = wishes(&[
            ("harbor", Wish::Publish(credential("h", "1"))),
            ("quay", Wish::Publish(credential("q", "1"))),
        ]);
        let (_, first) = object(&spec, &both, &present("ECS_CLUSTER=prod\n"), &key());
        let published = present(first.unwrap().content.expose());
        let one = wishes(&[
            ("harbor", Wish::Hold(Hold::SourceFailed)),
            ("quay", Wish::Publish(credential("q", "2"))),
        ]);
        let (step, write) = object(&spec, &one, &published, &key());
        assert!(matches!(step.action, ObjectAction::Replace { .. }));
        assert_eq!(step.held.len(), 1);
        assert!(step.held[0].published);
        let file = Environment::parse(write.unwrap().content.expose().as_bytes());
        let map = AuthMap::read(&file.auth());
        let login = |image: &str| map.lookup(image).certain().cloned();
        assert!(login("harbor.example.com/x").unwrap().is_login(&credential("h", "1")));
        assert!(login("quay.io/x").unwrap().is_login(&credential("q", "2")));
        assert_eq!(file.cluster(), "prod");
    }

    #[test]
    fn a_credential_that_the_format_cannot_hold_spoils_no_other() {
        let spec = object_spec(&[("harbor", "harbor.example.com"), ("quay", "quay.io")]);
        let wishes = wishes(&[
            ("harbor", Wish::Publish(credential("a:b", "p"))),
            ("quay", Wish::Publish(credential("q", "p"))),
        ]);
        let (step, write) = object(&spec, &wishes, &Observed::Absent, &key());
        assert!(matches!(step.action, ObjectAction::Create { .. }));
        assert_eq!(step.held[0].why, Hold::NotRenderable);
        assert!(step.held[0].failure.is_some() && !step.held[0].published);
        assert!(write.is_some());
    }

    #[test]
    fn an_object_of_held_registries_alone_is_not_created() {
        let spec = object_spec(&[("harbor", "harbor.example.com")]);
        let (step, write) =
            object(&spec, &wishes(&[("harbor", Wish::Hold(Hold::SourceFailed))]), &Observed::Absent, &key());
        assert!(matches!(step.action, ObjectAction::Blocked { .. }));
        assert!(write.is_none());
    }

    #[test]
    fn a_plan_tells_a_new_password_from_a_new_user() {
        let server = Server::parse("quay.io").unwrap();
        let read = |username, password| SourceReading::Read {
            credential: credential(username, password),
            notes: Vec::new(),
        };
        let change = |reading, published: &PublishedLogins| match registry(
            &"quay".into(),
            &server,
            &reading,
            published,
            Trial::Unneeded,
            &key(),
            DateTime::UNIX_EPOCH,
        )
        .credential
        {
            CredentialPlan::Read { change, .. } => change,
            CredentialPlan::Unreadable { .. } => panic!("it was read"),
        };
        let mut published = PublishedLogins::default();
        assert_eq!(change(read("u", "p"), &published), CredentialChange::New);
        published.add_secret(&present(r#"{"username":"u","password":"p"}"#));
        assert_eq!(change(read("u", "p"), &published), CredentialChange::None);
        assert!(matches!(change(read("u", "q"), &published), CredentialChange::Password { .. }));
        assert!(matches!(change(read("v", "q"), &published), CredentialChange::User { .. }));
        let mut unseen = PublishedLogins::default();
        unseen.add_secret(&unknown());
        assert_eq!(change(read("u", "p"), &unseen), CredentialChange::Unknown);
    }

    #[test]
    fn a_credential_is_lacked_where_any_place_would_be_written_and_held_only_where_it_was_seen() {
        let server = Server::parse("quay.io").unwrap();
        let wanted = credential("u", "p");
        let pair = r#"{"username":"u","password":"p"}"#;
        let presence = |observed: &[Observed]| {
            let mut published = PublishedLogins::default();
            for each in observed {
                published.add_secret(each);
            }
            published.presence(&wanted)
        };
        let other = || present(r#"{"username":"u","password":"q"}"#);
        for (expected, places) in [
            (Presence::Held, vec![present(pair)]),
            (Presence::Held, vec![present(pair), unknown()]),
            (Presence::Lacking, vec![present(pair), Observed::Absent]),
            (Presence::Lacking, vec![present(pair), other()]),
            (Presence::Lacking, vec![other(), unknown()]),
            (Presence::Lacking, vec![Observed::Absent, unknown()]),
            (Presence::Lacking, vec![present("{}")]),
            (Presence::Unseen, vec![unknown()]),
            (Presence::Unseen, vec![unknown(), unknown()]),
            (Presence::Unseen, vec![]),
        ] {
            assert_eq!(presence(&places), expected, "{places:?}");
        }
        let mut published = PublishedLogins::default();
        let object = present("ECS_CLUSTER=prod\n");
        published.add_object(&object, &auth_map(&object), &server);
        assert_eq!(published.presence(&wanted), Presence::Lacking);
    }

    #[test]
    fn keys_that_differ_for_one_server_are_named_and_others_are_not() {
        let server = Server::parse("harbor.example.com").unwrap();
        let keys = |data: &str| {
            let object = present(&format!("ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={data}\n"));
            keys_at_random(&auth_map(&object), &server)
        };
        let entry =
            |key: &str, password: &str| format!(r#""{key}":{{"username":"u","password":"{password}"}}"#);
        let (bare, url) = (entry("harbor.example.com", "1"), entry("https://harbor.example.com", "2"));
        assert_eq!(keys(&format!("{{{bare},{url}}}")), ["harbor.example.com", "https://harbor.example.com"]);
        let same = entry("https://harbor.example.com", "1");
        for data in [format!("{{{bare},{same}}}"), format!("{{{bare}}}"), "{}".to_owned()] {
            assert_eq!(keys(&data), Vec::<String>::new(), "{data}");
        }
    }

    #[test]
    fn no_step_and_no_write_shows_a_secret() {
        let spec = object_spec(&[("harbor", "harbor.example.com")]);
        let wishes = wishes(&[("harbor", Wish::Publish(credential("u", "hunter2-hunter2")))]);
        let published = present(
            "ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={\"a.io\":{\"username\":\"u\",\"password\":\"old-secret\"}}\n",
        );
        let shown = format!("{:?}", object(&spec, &wishes, &published, &key()));
        let secret = format!("{:?}", secret(&secret_spec(), &wishes["harbor"], &published, &[]));
        for text in [shown, secret] {
            assert!(!text.contains("hunter2-hunter2") && !text.contains("old-secret"), "{text}");
        }
    }
}
