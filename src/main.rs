//! The `regcred` binary: parse, run, exit code, nothing else.

#[expect(dead_code, unused_imports, reason = "the pass that calls these comes next")]
mod aws;
#[expect(dead_code, reason = "the commands come next")]
mod cli;
#[expect(dead_code, reason = "the commands that read the configuration come next")]
mod config;
#[expect(dead_code, reason = "the pass that reads it comes next")]
mod state;
#[expect(dead_code, unused_imports, reason = "the pass that calls these comes next")]
mod targets;

fn main() {}
