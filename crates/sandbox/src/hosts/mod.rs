//! The sandbox's container instances: a stub ECS agent on each, and the host script run on them.
//!
//! A [`Host`] lives in one of two ways. In a [`Life::Shell`] it is a folder on which the real document script runs in a
//! real shell, beside a few stand-ins of the tools it calls; in a [`Life::Memory`] the script's contract is imitated over
//! the same stub agent, so that thousands are cheap. Both obey `regcred_core`'s copy of the agent's rules.
//!
//! This module does not speak HTTP and knows nothing of SSM's or ECS's state: what it needs of the rest of the sandbox is
//! the trait [`Cloud`], and the server mounts [`Host::handle`] below `/_sandbox/host/<id>/`.

mod agent;
mod clock;
mod cloud;
mod disk;
mod host;
mod memory;
mod shell;
mod spec;
mod stand_ins;

pub use cloud::{Cloud, Fetch, FetchRefusal, Object, RoleCredentials};
pub use host::{AgentView, Host, Ping, ScriptResult};
pub use spec::{Behaviour, EcsListing, HostSpec, Life, Platform, Shell};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The SSM document that runs the host script, as `deploy/ssm/regcred-refresh.json` has it.
pub const DOCUMENT: &str = include_str!("../../../../deploy/ssm/regcred-refresh.json");

/// The document's name unless an operator chose another one.
pub const DOCUMENT_NAME: &str = "regcred-refresh";

/// A lock whose holder panicked is taken all the same: each change under it is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
