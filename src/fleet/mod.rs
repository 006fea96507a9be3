//! A fleet's hosts: seen through ECS and SSM, and driven through a rollout that `core` decides.

mod brakes;
mod command;
mod document;
mod drive;
mod managed;
mod observe;
mod outside;
mod probe;
mod records;
mod together;

pub(crate) use brakes::{Brakes, Openings};
pub(crate) use command::{HostScript, Mode, ObjectPlace, note};
pub(crate) use document::unsendable;
pub(crate) use drive::{Driven, Driver};
pub(crate) use observe::{Everyone, FleetObservation, Listing, clusters, observe, observe_everyone, sizes};
pub(crate) use outside::{RecordPlace, observe_named, observe_tagged};
pub(crate) use probe::{Probed, probe};
pub(crate) use records::RecordStore;
pub(crate) use together::Together;
