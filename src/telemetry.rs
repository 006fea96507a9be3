//! Logs: to stderr, as text on a terminal and as JSON elsewhere. Never to stdout, and never a body.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::env;

/// The SDK and the HTTP stack below it. Their trace level prints whole bodies, secrets among them, and their debug level
/// whole requests (aws-smithy-runtime, `client::orchestrator`); so they stay at info, whatever the operator asks for.
const CAPPED: [&str; 5] = ["aws_", "h2", "hyper", "rustls", "tower"];

/// What is logged without `RUST_LOG`: warnings. What the SDK warns of, a role that cannot be assumed say, regcred tells in its
/// own words where a call fails for it; the SDK says it once for each call, with its error's debug text.
const UNASKED: &str = "warn,aws_config=error,aws_runtime=error,aws_smithy=error";

/// The same where nobody watches: how a pass goes is told too.
const UNATTENDED: &str = "warn,regcred=info,aws_config=error,aws_runtime=error,aws_smithy=error";

/// What this process is run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    CommandLine,
    Daemon,
    Lambda,
}

/// Sets logging up for the whole process. `RUST_LOG` chooses levels; without it, [`UNASKED`] or
/// [`UNATTENDED`].
pub(crate) fn start(setting: Setting) {
    let unasked = match setting {
        Setting::CommandLine => UNASKED,
        Setting::Daemon | Setting::Lambda => UNATTENDED,
    };
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into());
    let chosen = match std::env::var(env::RUST_LOG) {
        Ok(asked) if !asked.is_empty() => filter.parse_lossy(asked),
        Ok(_) | Err(_) => filter.parse_lossy(unasked),
    };
    let terminal = std::io::stderr().is_terminal();
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = if terminal {
        layer.with_ansi(is_coloured()).with_target(false).without_time().boxed()
    } else {
        layer.json().flatten_event(true).boxed()
    };
    tracing_subscriber::registry().with(layer.with_filter(chosen.and(filter_fn(is_not_capped)))).init();
}

/// Whether colours are wanted, on a terminal.
pub(crate) fn is_coloured() -> bool {
    std::env::var_os(env::NO_COLOR).is_none_or(|value| value.is_empty())
}

fn is_not_capped(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || !CAPPED.iter().any(|target| metadata.target().starts_with(target))
}
