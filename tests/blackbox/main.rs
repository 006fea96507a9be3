//! The real binary, from outside, and the parts that others wrote. One binary, since each links the AWS SDK anew.
//! tests/README.md says how to run a part of it.

#![allow(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests read as stories: a panic is how they fail, and a thread of their own may sleep"
)]

mod at_night;
mod bad_input;
#[expect(dead_code, reason = "the tests of the sources need more of it")]
#[path = "../../src/sources/tests/bao.rs"]
mod bao;
mod calls;
mod certificates;
mod cli;
mod copies;
mod crash;
mod daemon;
mod deploy;
mod docker_registry;
mod doctor;
mod documents;
mod explain;
mod forecasts;
mod http;
mod iam;
mod init;
mod interruption;
mod lambda;
mod latecomers;
mod leases;
mod lies;
mod messages;
mod outside;
mod places;
mod plans;
mod processes;
mod release;
mod replicas;
mod rollouts;
mod schemas;
mod scripted;
mod sdk;
mod sick_hosts;
mod silence;
mod sources;
mod stores;
mod story;
mod third;
mod third_party;
mod tools;
mod unrestarted;
mod upgrades;
mod verify;
mod world;
