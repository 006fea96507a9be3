//! What of the configuration a saved plan stands and falls with, item by item.
//!
//! Where a credential is read is no part of it: the credential itself is compared, and a plan may be made on one machine and
//! applied on another, whose folders are others.

use std::collections::BTreeMap;

use regcred_core::saved_plan::Digest;

use crate::config::{Config, Registry, Verification, Verify};
use crate::scope::Scope;

/// A digest of the settings of each item in scope, and of all places, under a name that a person knows it by. The
/// configuration holds no secret, so none is in what is digested.
pub(crate) fn settings(config: &Config, scope: &Scope) -> BTreeMap<String, Digest> {
    // When a plan is applied is a person's choice, and windows hold then as they stand.
    let Config {
        state,
        locations,
        registries,
        ecs_configs,
        fleets,
        schedules: _,
        windows: _,
        daemon: _,
        rollout,
    } = config;
    let mut all = BTreeMap::from([("the state".to_owned(), Digest::of(&format!("{state:?}")))]);
    all.insert("the rollout".to_owned(), Digest::of(&format!("{rollout:?}")));
    for (name, location) in locations {
        all.insert(format!("location {name}"), Digest::of(&format!("{location:?}")));
    }
    for (name, registry) in registries.iter().filter(|(name, _)| scope.has_registry(name)) {
        all.insert(format!("registry {name}"), Digest::of(&told(registry)));
    }
    for (name, object) in ecs_configs.iter().filter(|(name, _)| scope.has_ecs_config(name)) {
        all.insert(format!("ecs.config {name}"), Digest::of(&format!("{object:?}")));
    }
    for (name, fleet) in fleets.iter().filter(|(name, _)| scope.has_fleet(name)) {
        all.insert(format!("fleet {name}"), Digest::of(&format!("{fleet:?}")));
    }
    all
}

fn told(registry: &Registry) -> String {
    let Registry { server, source: _, source_timeout: _, secret, verify } = registry;
    let verify = match verify {
        Verify::Off => "off".to_owned(),
        Verify::On(verification) => {
            let Verification { canary, unreachable, realm_hosts, ca_file: _, endpoint, timeout: _ } =
                &**verification;
            format!("{canary:?} {unreachable:?} {realm_hosts:?} {endpoint:?}")
        }
    };
    format!("{server:?} {secret:?} {verify}")
}
