//! How the ECS agent reads `ECS_ENGINE_AUTH_*`: our own copy of its rules, pure and total.
//!
//! [`Environment`] is what ecs-init makes of an ecs.config, [`EffectiveAuth`] the two settings in it that matter here,
//! [`AuthMap`] what the agent's auth provider makes of them, and [`AuthMap::lookup`] what a pull of one image would
//! use. Sources: `ecs-init/docker/docker.go` and `agent/dockerclient/dockerauth/dockerauth.go` of
//! <https://github.com/aws/amazon-ecs-agent> at 1.105.1. `tests/conformance` holds the real agent's answers.
//!
//! These modules describe the agent and must not improve on it: what it reads wrongly is read wrongly here.

pub mod auth;
pub mod env_file;
pub(crate) mod go_json;
pub(crate) mod go_text;
pub mod lookup;
pub mod warning;

pub use auth::{AuthMap, AuthSetting, AuthType, EffectiveAuth, Entry, Login, PullAuth};
pub use env_file::{Environment, Misread, StartFault};
pub use lookup::{Answer, Candidate, Rule};
pub use warning::Warning;
