//! `regcred sandbox`: serves the embedded AWS until it is stopped.

use std::path::PathBuf;

use clap::Args;
use regcred_core::report::{Failure, FailureKind, Verdict};
use regcred_sandbox::{Options, Sandbox};
use serde::Serialize;

use super::{Stop, output};

#[derive(Debug, Args)]
pub(crate) struct SandboxArguments {
    /// The port on 127.0.0.1; without it, a free one
    #[arg(long, default_value_t)]
    pub port: u16,
    /// What is there from the start, as JSON; without it, nothing is
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,
    /// Append each call to this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub call_log: Option<PathBuf>,
}

/// The first line on stdout.
#[derive(Serialize)]
struct Ready<'a> {
    endpoint: &'a str,
}

pub(crate) async fn run(arguments: SandboxArguments) -> Result<Verdict, Stop> {
    let SandboxArguments { port, seed, call_log } = arguments;
    let mut options = match seed {
        None => Options::default(),
        Some(path) => {
            let unusable = |why: String| {
                Stop::Usage(Failure::new(
                    FailureKind::Invalid,
                    format!("cannot use the seed {}", path.display()),
                    why,
                    "see crates/sandbox/src/options.rs for what it may hold",
                ))
            };
            let text = std::fs::read_to_string(&path).map_err(|error| unusable(error.to_string()))?;
            serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?
        }
    };
    if port != 0 {
        options.port = port;
    }
    options.call_log = call_log.or(options.call_log);
    let sandbox = Sandbox::start(options).map_err(|error| {
        Stop::Usage(Failure::new(
            FailureKind::Unreachable,
            "cannot serve the sandbox",
            error.to_string(),
            "choose another --port",
        ))
    })?;
    output::json_line(&Ready { endpoint: &sandbox.endpoint() })?;
    super::until_stopped().await;
    sandbox.stop();
    Ok(Verdict::Converged)
}
