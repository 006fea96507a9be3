//! What AWS does, and other doubles of it do not: each lie that moto 5.2 was seen to tell stands here with its truth.
//!
//! Plain HTTP, signed by AWS's own signing crate: none of this double's code is on the asking side.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up fails it")]
#![expect(clippy::needless_pass_by_value, reason = "a call reads best with its body in place")]

mod callers;
mod commands;
mod control;
mod ecs;
mod faults;
mod hosts;
mod parameters;
mod requests;
mod s3;
mod secrets_manager;
mod ssm;
mod world;
