//! A stateful AWS and a fleet of hosts on loopback, with faults, for the demo and the tests.

pub mod hosts;
