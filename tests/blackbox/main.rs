//! The real binary, from outside, and the parts that others wrote. One binary, since each links the AWS SDK anew.
//! tests/README.md says how to run a part of it.

mod calls;
mod crash;
mod http;
mod lies;
mod processes;
mod rollouts;
mod sdk;
mod stores;
mod story;
mod third_party;
mod tools;
mod world;
