//! What every target should hold, and how that differs from what was observed.
//!
//! Values in, steps and payloads out. The payloads hold the secrets; the steps, which make up the plan, hold none.
//! This module must not decide about hosts (see [`crate::rollout`]) or how anything is written.

use std::collections::BTreeMap;

use crate::agent::{AuthMap, AuthType, Environment, Login, PullAuth};
use crate::credential::Credential;
use crate::fingerprint::FingerprintKey;
use crate::formats::ecs_config::{self, Edited, Foreign, Wanted};
use crate::formats::repository_credentials;
use crate::names::{EcsConfigName, LocationName, RegistryName};
use crate::observed::{Observed, Precondition, Published};
use crate::plan::{
    CredentialChange, CredentialPlan, HeldEntry, Hold, ObjectAction, ObjectStep, RegistryPlan, SecretAction,
    SecretStep,
};
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

/// Compares one secret with what its registry should have.
pub fn secret(spec: &SecretSpec, wish: &Wish, observed: &Observed) -> (SecretStep, Option<Write>) {
    let step = |arn: Option<&String>, action| SecretStep {
        location: spec.location.clone(),
        name: spec.name.clone(),
        registry: spec.registry.clone(),
        arn: arn.cloned(),
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
        Observed::Present(Published { content, version, arn }) => {
            let is_there = repository_credentials::parse(content).is_ok_and(|login| login.is(credential));
            if is_there {
                let version = version.tag.clone();
                return (step(arn.as_ref(), SecretAction::Unchanged { version }), None);
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
    let Edited { text, change: _, auth: _, published: _, held: _, unpublished, kept, pruned, notes: _ } =
        edited;
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
    (ObjectStep { held, kept, pruned, ..step(action) }, write)
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
}

impl PublishedLogins {
    pub fn add_secret(&mut self, observed: &Observed) {
        match observed {
            Observed::Unknown(_) => self.unseen = true,
            Observed::Absent => {}
            Observed::Present(published) => {
                self.logins.extend(repository_credentials::parse(&published.content).ok());
            }
        }
    }

    pub fn add_object(&mut self, observed: &Observed, server: &Server) {
        match observed {
            Observed::Unknown(_) => self.unseen = true,
            Observed::Absent => {}
            Observed::Present(published) => {
                let auth = Environment::parse(published.content.expose().as_bytes()).auth();
                if let Some(PullAuth::Login(login)) =
                    AuthMap::read(&auth).lookup(&some_image(server)).certain()
                {
                    self.logins.push(login.clone());
                }
            }
        }
    }
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
    key: &FingerprintKey,
) -> RegistryPlan {
    let credential = match reading {
        SourceReading::Failed(failure) => CredentialPlan::Unreadable { failure: failure.clone() },
        SourceReading::Read { credential, notes } => CredentialPlan::Read {
            fingerprint: key.credential(credential),
            change: change(credential, published, key),
            expires: credential.expires(),
            notes: notes.clone(),
        },
    };
    RegistryPlan { name: name.clone(), server: server.clone(), credential }
}

fn change(credential: &Credential, published: &PublishedLogins, key: &FingerprintKey) -> CredentialChange {
    let PublishedLogins { logins, unseen } = published;
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
