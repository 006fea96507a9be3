//! The real binary, from outside, and the parts that others wrote. One binary, since each links the AWS SDK anew.
//! tests/README.md says how to run a part of it.

mod http;
mod lies;
mod processes;
mod third_party;
mod tools;
mod world;
