//! The command line: one file for each subcommand.

pub(crate) mod check;
pub(crate) mod schema;
