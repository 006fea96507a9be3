//! A world of one location to pass over: what is wished, what is there, and a compare-and-swap as every sink makes it.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use regcred_core::agent::AuthType;
use regcred_core::credential::Credential;
use regcred_core::desired::{self, ObjectSpec, SecretSpec, Wish, Write};
use regcred_core::fingerprint::FingerprintKey;
use regcred_core::formats::ecs_config::Foreign;
use regcred_core::formats::repository_credentials;
use regcred_core::names::RegistryName;
use regcred_core::observed::{Observed, Precondition, Published, Version};
use regcred_core::plan::{Hold, Plan};
use regcred_core::report::{Failure, FailureKind};
use regcred_core::secret::Secret;
use regcred_core::server::Server;

pub(crate) const SERVERS: [&str; 4] = ["docker.io", "ghcr.io", "harbor.example.com:5000", "quay.io"];

/// Every generated password begins with this, so that a leak can be searched for.
pub(crate) const MARK: &str = "s3cr3tXs3cr3t";

pub(crate) fn credential() -> impl Strategy<Value = Credential> {
    ("[a-z]{1,6}", "[ -~é€😀]{0,8}").prop_map(|(username, rest)| {
        Credential::new(username, format!("{MARK}{rest}").into(), None).expect("no part is empty")
    })
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        4 => credential().prop_map(Wish::Publish),
        1 => Just(Wish::Hold(Hold::SourceFailed)),
    ]
}

fn unknown() -> Observed {
    Observed::Unknown(Failure::new(FailureKind::AccessDenied, "cannot read it", "denied", "allow it"))
}

pub(crate) fn present(content: Secret, version: usize) -> Observed {
    let version = Version { tag: format!("v{version}"), id: Some(format!("v{version}")) };
    Observed::Present(Published { content, version, arn: None, since: None })
}

fn secret_content() -> impl Strategy<Value = Observed> {
    prop_oneof![
        Just(Observed::Absent),
        Just(unknown()),
        credential().prop_map(|credential| present(repository_credentials::render(&credential), 0)),
        "[ -~]{0,20}".prop_map(|garbage| present(garbage.into(), 0)),
    ]
}

fn object_content() -> impl Strategy<Value = Observed> {
    let line = select(vec![
        "ECS_CLUSTER=prod",
        "# by hand",
        "",
        "ECS_LOGLEVEL = info",
        "ECS_ENGINE_AUTH_TYPE=dockercfg",
        "ECS_ENGINE_AUTH_TYPE=docker",
        r#"ECS_ENGINE_AUTH_DATA={"quay.io":{"auth":"YTpi","email":"x"},"foreign.io":{"auth":"Yzpk"}}"#,
        r#"ECS_ENGINE_AUTH_DATA={"foreign.io":{"username":"u","password":"p"}}"#,
        "ECS_ENGINE_AUTH_DATA='broken'",
    ]);
    let end = select(vec!["\n", "\r\n"]);
    let file = (vec(line, 0..6), end, any::<bool>()).prop_map(|(lines, end, ends)| {
        present(format!("{}{}", lines.join(end), if ends { end } else { "" }).into(), 0)
    });
    prop_oneof![1 => Just(Observed::Absent), 1 => Just(unknown()), 6 => file]
}

/// A world of one location: registries, a secret of each, and one object of them all.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) wishes: BTreeMap<RegistryName, Wish>,
    pub(crate) secrets: Vec<(SecretSpec, Observed)>,
    pub(crate) object: (ObjectSpec, Observed),
    /// How often anything was written.
    writes: usize,
}

prop_compose! {
    pub(crate) fn world()(
        count in 1..=SERVERS.len(),
        wishes in vec(wish(), SERVERS.len()),
        secrets in vec(secret_content(), SERVERS.len()),
        object in object_content(),
        docker in any::<bool>(),
        prune in any::<bool>(),
    ) -> World {
        let names: Vec<RegistryName> = (0..count).map(|i| RegistryName::new(format!("r{i}"))).collect();
        let spec = ObjectSpec {
            name: "prod".into(),
            location: "eu".into(),
            bucket: "bucket".into(),
            key: "ecs.config".into(),
            auth_type: if docker { AuthType::Docker } else { AuthType::Dockercfg },
            registries: names
                .iter()
                .zip(SERVERS)
                .map(|(name, server)| (name.clone(), Server::parse(server).expect("it is one")))
                .collect(),
            foreign: if prune { Foreign::Prune } else { Foreign::Keep },
        };
        World {
            wishes: names.iter().cloned().zip(wishes).collect(),
            secrets: names
                .iter()
                .zip(secrets)
                .map(|(name, observed)| {
                    let spec = SecretSpec { location: "eu".into(), name: format!("s/{name}"), registry: name.clone() };
                    (spec, observed)
                })
                .collect(),
            object: (spec, object),
            writes: 0,
        }
    }
}

pub(crate) fn key() -> FingerprintKey {
    FingerprintKey::from_bytes([3; FingerprintKey::LENGTH])
}

/// A compare-and-swap, as every sink makes it.
fn store(place: &mut Observed, write: Write, version: usize) {
    let Write { content, expects } = write;
    let holds = match (&*place, &expects) {
        (Observed::Absent, Precondition::Absent) => true,
        (Observed::Present(published), Precondition::Holds(version)) => published.version == *version,
        _ => false,
    };
    assert!(holds, "a step expects what was observed");
    *place = present(content, version);
}

impl World {
    /// Decides and applies up to `limit` writes, secrets first. How many there were to apply is returned.
    pub(crate) fn pass(&mut self, limit: usize) -> usize {
        let mut wanted = 0;
        for (spec, observed) in &mut self.secrets {
            if let Some(write) = desired::secret(spec, &self.wishes[&spec.registry], observed, &[]).1 {
                wanted += 1;
                if wanted <= limit {
                    self.writes += 1;
                    store(observed, write, self.writes);
                }
            }
        }
        let (spec, observed) = &mut self.object;
        if let Some(write) = desired::object(spec, &self.wishes, observed, &key()).1 {
            wanted += 1;
            if wanted <= limit {
                self.writes += 1;
                store(observed, write, self.writes);
            }
        }
        wanted
    }

    pub(crate) fn plan(&self) -> Plan {
        let secrets = self
            .secrets
            .iter()
            .map(|(spec, observed)| desired::secret(spec, &self.wishes[&spec.registry], observed, &[]).0)
            .collect();
        let (spec, observed) = &self.object;
        let object = desired::object(spec, &self.wishes, observed, &key()).0;
        Plan::new(Vec::new(), secrets, vec![object], Vec::new())
    }

    pub(crate) fn contents(&self) -> Vec<Option<Secret>> {
        let all = self.secrets.iter().map(|(_, observed)| observed).chain([&self.object.1]);
        all.map(|observed| observed.published().map(|published| published.content.clone())).collect()
    }
}
