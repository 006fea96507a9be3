//! Laws of a pass, over generated worlds: what is decided, applied and decided again comes to rest; cut anywhere, it goes
//! on to the same end; and nothing that can be printed holds a secret.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use regcred_core::agent::{AuthMap, AuthType, Environment};
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

const SERVERS: [&str; 4] = ["docker.io", "ghcr.io", "harbor.example.com:5000", "quay.io"];

/// Every generated password begins with this, so that a leak can be searched for.
const MARK: &str = "s3cr3tXs3cr3t";

fn credential() -> impl Strategy<Value = Credential> {
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

fn present(content: Secret, version: usize) -> Observed {
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
struct World {
    wishes: BTreeMap<RegistryName, Wish>,
    secrets: Vec<(SecretSpec, Observed)>,
    object: (ObjectSpec, Observed),
    /// How often anything was written.
    writes: usize,
}

prop_compose! {
    fn world()(
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

fn key() -> FingerprintKey {
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
    fn pass(&mut self, limit: usize) -> usize {
        let mut wanted = 0;
        for (spec, observed) in &mut self.secrets {
            if let Some(write) = desired::secret(spec, &self.wishes[&spec.registry], observed).1 {
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

    fn plan(&self) -> Plan {
        let secrets = self
            .secrets
            .iter()
            .map(|(spec, observed)| desired::secret(spec, &self.wishes[&spec.registry], observed).0)
            .collect();
        let (spec, observed) = &self.object;
        let object = desired::object(spec, &self.wishes, observed, &key()).0;
        Plan::new(Vec::new(), secrets, vec![object], Vec::new())
    }

    fn contents(&self) -> Vec<Option<Secret>> {
        let all = self.secrets.iter().map(|(_, observed)| observed).chain([&self.object.1]);
        all.map(|observed| observed.published().map(|published| published.content.clone())).collect()
    }
}

proptest! {
    #[test]
    fn what_was_planned_and_applied_leaves_nothing_to_plan(mut world in world()) {
        world.pass(usize::MAX);
        prop_assert!(world.plan().is_empty(), "{:?}", world.plan());
    }

    #[test]
    fn a_second_pass_writes_nothing(mut world in world()) {
        world.pass(usize::MAX);
        let contents = world.contents();
        prop_assert_eq!(world.pass(usize::MAX), 0);
        prop_assert_eq!(world.contents(), contents);
    }

    #[test]
    fn a_pass_that_was_cut_anywhere_goes_on_to_the_same_end(world in world(), cut in 0..6_usize) {
        let mut whole = world.clone();
        whole.pass(usize::MAX);
        let mut cut_off = world;
        cut_off.pass(cut);
        cut_off.pass(usize::MAX);
        prop_assert_eq!(cut_off.contents(), whole.contents());
        prop_assert_eq!(cut_off.pass(usize::MAX), 0);
    }

    #[test]
    fn a_plan_is_empty_exactly_where_a_pass_writes_nothing(mut world in world()) {
        prop_assert_eq!(world.plan().is_empty(), world.pass(usize::MAX) == 0);
    }

    #[test]
    fn a_new_password_changes_only_what_holds_it(mut world in world(), new in credential()) {
        world.pass(usize::MAX);
        let before = world.contents();
        let name = RegistryName::new("r0");
        world.wishes.insert(name, Wish::Publish(new));
        world.pass(usize::MAX);
        let after = world.contents();
        let last = after.len() - 1;
        prop_assert_eq!(&before[1..last], &after[1..last]);
    }

    #[test]
    fn what_is_not_known_is_never_written(world in world()) {
        let mut after = world.clone();
        after.pass(usize::MAX);
        for ((_, before), (_, after)) in world.secrets.iter().zip(&after.secrets) {
            if matches!(before, Observed::Unknown(_)) {
                prop_assert_eq!(before, after);
            }
        }
        if matches!(world.object.1, Observed::Unknown(_)) {
            prop_assert_eq!(world.object.1, after.object.1);
        }
    }

    #[test]
    fn what_a_held_registry_has_published_is_what_it_keeps(mut world in world()) {
        world.pass(usize::MAX);
        let Observed::Present(first) = &world.object.1 else { return Ok(()) };
        let image = "docker.io/library/x";
        let read = |content: &Secret| {
            AuthMap::read(&Environment::parse(content.expose().as_bytes()).auth()).lookup(image).certain().cloned()
        };
        let before = read(&first.content);
        world.wishes.insert(RegistryName::new("r0"), Wish::Hold(Hold::SourceFailed));
        world.pass(usize::MAX);
        let Observed::Present(second) = &world.object.1 else { panic!("nothing deletes an object") };
        prop_assert_eq!(before, read(&second.content));
    }

    #[test]
    fn no_plan_and_no_debug_output_holds_a_password(world in world()) {
        let plan = world.plan();
        let json = serde_json::to_string(&plan).expect("a plan is plain data");
        let debug = format!("{plan:?}{world:#?}");
        prop_assert!(!json.contains(MARK) && !debug.contains(MARK));
    }
}
