//! The command line: one file per subcommand. Nothing here decides, and nothing but [`output`] prints.

mod arguments;
mod check;
#[cfg(feature = "sandbox")]
mod demo;
mod doctor;
mod explain;
mod human;
mod iam;
mod init;
mod interruption;
mod lint;
mod manual;
mod output;
mod papers;
mod pass;
mod pause;
mod plan;
mod progress;
mod release;
mod render;
mod run;
#[cfg(feature = "sandbox")]
mod sandbox;
mod saved_plan;
mod schema;
mod snippet;
mod status;
mod sync;
mod verify;

use regcred_core::report::{Failure, FailureKind, Verdict};

pub(crate) use arguments::Arguments;
use arguments::Command;
use interruption::Interruption;
use output::{Output, Volume};

use crate::config::load::LoadError;

/// What ended a command before it had a result.
enum Stop {
    /// There is no valid configuration.
    Config(LoadError),
    /// The command line names something that is not there.
    Usage(Failure),
    /// The pass could not begin or go on.
    Pass(Failure),
    /// The result could not be printed.
    Output(std::io::Error),
    /// A signal came first.
    Interrupted { by: Interruption, failure: Failure },
}

/// Waits for Ctrl-C, or for the signal that a service is ended with.
#[cfg(feature = "sandbox")]
async fn until_stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Runs one command to its end, and tells the code to exit with.
pub(crate) async fn run(arguments: Arguments) -> u8 {
    let Arguments { config, output: form, quiet, command } = arguments;
    let volume = if quiet { Volume::Quiet } else { Volume::Normal };
    let output = Output { form, volume };
    let config = config.as_deref();
    let ended = match command {
        Command::Plan(arguments) => plan::run(config, arguments, output).await,
        Command::Sync(arguments) => Box::pin(sync::run(config, arguments, output)).await,
        Command::Pause(arguments) => pause::pause(config, arguments, output).await,
        Command::Resume => pause::resume(config, output).await,
        Command::Run(arguments) => Box::pin(run::run(config, arguments, output)).await,
        Command::Status(arguments) => status::run(config, arguments, output).await,
        Command::Explain(arguments) => explain::run(config, arguments, output).await,
        Command::Render(arguments) => render::run(config, arguments, output).await,
        Command::Iam(arguments) => iam::run(config, arguments, output).await,
        Command::Release(arguments) => release::run(config, arguments, output).await,
        Command::Snippet(arguments) => snippet::run(config, arguments, output).await,
        Command::Lint(arguments) => lint::run(config, arguments, output).await,
        Command::Verify(arguments) => verify::run(config, arguments, output).await,
        Command::Doctor(arguments) => doctor::run(config, arguments, output).await,
        Command::Init(arguments) => init::run(arguments, output).await,
        Command::Check => {
            let checked = check::run(config);
            let verdict = if checked.is_valid() { Verdict::Converged } else { Verdict::Usage };
            output.result(&checked, verdict, ToString::to_string)
        }
        #[cfg(feature = "sandbox")]
        Command::Demo(arguments) => demo::run(arguments).await,
        #[cfg(feature = "sandbox")]
        Command::Sandbox(arguments) => sandbox::run(arguments).await,
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man(arguments) => manual::man(&arguments),
        Command::Schema(arguments) => output::json(&schema::run(arguments.of)).map(|()| Verdict::Converged),
    };
    match ended {
        Ok(verdict) => verdict.exit_code(),
        Err(stop) => told(stop),
    }
}

/// Says why there is no result, and tells the code to exit with.
fn told(stop: Stop) -> u8 {
    let verdict = match stop {
        Stop::Interrupted { by, failure } => {
            output::failure(&failure);
            return by.exit_code();
        }
        Stop::Config(error) => {
            output::message(format_args!("error: {error}"));
            Verdict::Usage
        }
        Stop::Usage(failure) => {
            output::failure(&failure);
            Verdict::Usage
        }
        Stop::Pass(failure) => {
            output::failure(&failure);
            if failure.kind == FailureKind::Leased { Verdict::Leased } else { Verdict::Partial }
        }
        Stop::Output(error) => {
            output::failure(&Failure::new(
                FailureKind::Internal,
                "cannot print the result",
                error.to_string(),
                "give stdout somewhere to go; what the command did is done: `regcred status` tells it",
            ));
            Verdict::Internal
        }
    };
    verdict.exit_code()
}
