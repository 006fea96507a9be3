//! A stateful AWS and a fleet of hosts on loopback, with faults, for the demo and the tests.
//!
//! [`Sandbox::start`] serves one endpoint for Secrets Manager, S3, SSM, ECS and STS, as `AWS_ENDPOINT_URL` wants it, and is
//! driven over HTTP below `/_sandbox/` (see [`control`]). It knows the operations that regcred calls and refuses all else:
//! requests and answers of the JSON services are held against AWS's own service models (`models/`), a member that a model
//! has and this double does not is refused as loudly as one that does not exist, signatures are checked, and the caller's
//! role decides what it may do.
//!
//! Nothing here may be named by regcred's production path, and nothing here makes a decision that `regcred_core` makes.

mod aws_chunked;
mod call_log;
pub mod client;
mod clock;
pub mod control;
mod error;
mod faults;
pub mod hosts;
mod identity;
mod leeway;
mod model;
mod options;
mod paging;
mod registries;
mod server;
mod services;
mod sigv4;

pub use faults::{Effect, Fault, Match, Origin};
pub use identity::{Effect as PolicyEffect, Role, STATIC_SECRET_KEY, Statement, Trust};
pub use leeway::Leeway;
pub use options::{BucketSeed, ClusterSeed, DocumentSeed, KeySeed, ObjectSeed, Options, ParameterSeed};
pub use paging::Pages;
pub use registries::{Account, ChallengeKind, LoginView, RegistrySeed, RegistryView, Repository, Visibility};
pub use server::Sandbox;
pub use services::Service;
pub use services::ecs::MissingAttribute;
pub use services::ssm::ParameterKind;
