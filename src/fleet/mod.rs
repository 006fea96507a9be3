//! A fleet's hosts: seen through ECS and SSM, and driven through a rollout that `core` decides.

mod drive;
mod observe;

pub(crate) use drive::{Driven, Driver};
pub(crate) use observe::{FleetObservation, Listing, clusters, observe};
