//! Every environment variable that regcred reads by itself, and nothing else.
//!
//! The AWS SDK reads its own (`AWS_REGION`, `AWS_PROFILE`, `AWS_ENDPOINT_URL` and the rest of
//! <https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html>), and a source reads the
//! variables that the configuration names, or hands them to a helper or command ([`crate::sources`]).

/// The path of the configuration file, when `--config` does not tell it. Of a Lambda: where the configuration is, which may be
/// `s3://BUCKET/KEY` or `ssm:NAME` too.
pub(crate) const CONFIG: &str = "REGCRED_CONFIG";

/// The folder of Docker's `config.json`, and, where it is not set, the home below which that is `.docker`: where
/// `regcred init` looks for it, as Docker does.
pub(crate) const DOCKER_CONFIG: &str = "DOCKER_CONFIG";
pub(crate) const HOME: &str = "HOME";

/// The endpoint of S3 alone. The SDK honours it by itself; regcred has to know of it, because such an endpoint takes
/// paths instead of host names and has to be seen to honour conditional writes.
pub(crate) const AWS_ENDPOINT_URL_S3: &str = "AWS_ENDPOINT_URL_S3";

/// Chooses log levels, as `tracing_subscriber::EnvFilter` reads it.
pub(crate) const RUST_LOG: &str = "RUST_LOG";

/// Set to anything: no colours (<https://no-color.org>).
pub(crate) const NO_COLOR: &str = "NO_COLOR";

/// The socket on which systemd is told how a service does (sd_notify(3)).
pub(crate) const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// How many microseconds systemd waits to be told that a service lives (sd_watchdog_enabled(3)).
pub(crate) const WATCHDOG_USEC: &str = "WATCHDOG_USEC";

/// Whose life that is: the id of a process.
pub(crate) const WATCHDOG_PID: &str = "WATCHDOG_PID";

/// The address of Lambda's runtime API, which Lambda sets: this process is a function's
/// (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).
pub(crate) const AWS_LAMBDA_RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// The name of the function, which Lambda sets.
pub(crate) const AWS_LAMBDA_FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";
