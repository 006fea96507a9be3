//! The `regcred` binary: parse, run, exit code, nothing else.

mod apply;
mod artefact;
mod audit;
mod aws;
mod cli;
mod clock;
mod config;
mod daemon;
mod doctor;
mod endpoints;
mod fleet;
mod http;
mod lambda;
mod lease;
mod metrics;
mod observe;
mod preflight;
mod progress;
mod reconcile;
mod registries;
mod release;
mod scope;
mod settings;
mod side_by_side;
mod sources;
mod state;
mod stopping;
mod systemd;
mod targets;
mod telemetry;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use crate::telemetry::Setting;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if lambda::is_meant() {
        telemetry::start(Setting::Lambda);
        return ExitCode::from(lambda::run().await);
    }
    let arguments = cli::Arguments::parse();
    telemetry::start(arguments.setting());
    ExitCode::from(Box::pin(cli::run(arguments)).await)
}
