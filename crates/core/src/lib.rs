//! What regcred decides, as pure functions over values.
//!
//! Arrows into this crate carry values and arrows out of it carry values; it calls nothing. No clock (`now` is an
//! argument), no I/O, no async, no AWS: its `Cargo.toml` and `clippy.toml` are the proof.

pub mod agent;
pub mod audit;
pub mod credential;
pub mod desired;
pub mod doctor;
pub mod document;
pub mod draft;
pub mod event;
pub mod explain;
pub mod fingerprint;
pub mod formats;
pub mod host;
pub mod iam;
pub mod invocation;
pub mod lease;
pub mod lint;
pub mod login;
pub mod names;
pub mod observed;
pub mod order;
pub mod outside;
pub mod partition;
pub mod pause;
pub mod plan;
pub mod platform;
pub mod probe;
pub mod release;
pub mod replica;
pub mod report;
pub mod rollout;
pub mod saved_plan;
pub mod schedule;
pub mod script;
pub mod secret;
pub mod server;
pub mod snippet;
pub mod stop;
