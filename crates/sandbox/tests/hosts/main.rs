//! The host script and the hosts that the sandbox runs it on.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up fails it")]

mod boot;
mod document;
mod double;
mod lives;
mod platforms;
mod probe;
mod script;
mod situations;
mod watched;
