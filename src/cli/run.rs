//! `regcred run`: the daemon. Its passes' results go to stdout, one after the other.

use std::path::Path;

use clap::Args;
use regcred_core::report::{Failure, FailureKind, Report, Verdict};

use super::interruption::Interruption;
use super::output::{self, Output, Volume};
use super::{Stop, human};
use crate::aws::Attempts;
use crate::clock::Clock;
use crate::daemon::{Audience, Daemon, EndSignal, Ended, Ground, Unusable, Watchers};

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Go by the time of the embedded AWS at this endpoint, for trying schedules out
    #[cfg(feature = "sandbox")]
    #[arg(long, value_name = "ENDPOINT", hide = true)]
    pub clock: Option<String>,
}

/// What the daemon's time is told by.
#[cfg_attr(
    not(feature = "sandbox"),
    expect(clippy::needless_pass_by_value, reason = "there is nothing in it then")
)]
fn clock(arguments: RunArguments) -> Clock {
    let RunArguments {
        #[cfg(feature = "sandbox")]
        clock,
    } = arguments;
    #[cfg(feature = "sandbox")]
    if let Some(endpoint) = clock {
        return Clock::Sandbox(regcred_sandbox::client::Client::new(&endpoint));
    }
    Clock::Machine
}

pub(crate) async fn run(
    path: Option<&Path>,
    arguments: RunArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let ground = Ground::load(path, Attempts::default()).await.map_err(|unusable| match unusable {
        Unusable::Config(error) => Stop::Config(error),
        Unusable::Refused(failure) => Stop::Usage(failure),
    })?;
    let clock = clock(arguments);
    let watchers = Watchers::assemble(&ground, clock.clone()).await.map_err(Stop::Pass)?;
    let audience = (Printer { output }, watchers);
    let daemon = Daemon::begin(path.map(Path::to_owned), ground, clock, audience)
        .map_err(|error| Stop::Pass(deaf(&error)))?;
    match Box::pin(daemon.run()).await {
        Ended::InOrder => Ok(Verdict::Converged),
        Ended::AtOnce(EndSignal::Interrupt) => Err(Interruption::Interrupt.of_a_daemon()),
        Ended::AtOnce(EndSignal::Terminate) => Err(Interruption::Terminate.of_a_daemon()),
    }
}

fn warn(ground: &Ground, output: Output) {
    for warning in &ground.warnings {
        output.note(warning.in_file(&ground.path.display()));
    }
}

fn deaf(error: &std::io::Error) -> Failure {
    Failure::new(
        FailureKind::Internal,
        "cannot run as a daemon",
        format!("the operating system lets it wait for no signal: {error}"),
        "look at the limits of this process; without signals it could not be stopped in order",
    )
}

/// Prints what the passes came to.
struct Printer {
    output: Output,
}

impl Audience for Printer {
    fn begun(&mut self, ground: &Ground) {
        warn(ground, self.output);
    }

    fn beat(&mut self) {}

    fn pass_begins(&mut self) {}

    fn reloading(&mut self) {}

    fn stopping(&mut self) {}

    fn pass_ended(&mut self, ended: Result<&Report, &Failure>) {
        let printed = match ended {
            Ok(report) => self.output.pass(report, human::report),
            // Another one is at work: that is how it should be.
            Err(failure) if failure.kind == FailureKind::Leased => {
                tracing::info!(why = failure.why, "standing by");
                Ok(())
            }
            Err(failure) => {
                output::failure(failure);
                Ok(())
            }
        };
        if let Err(Stop::Output(error)) = printed {
            tracing::error!(%error, "the result of a pass cannot be printed");
        }
    }

    fn reload_refused(&mut self, why: &Unusable) {
        match why {
            Unusable::Config(error) => output::message(format_args!("error: {error}")),
            Unusable::Refused(failure) => output::failure(failure),
        }
        output::message("note: the configuration that was read before stays in use");
    }

    fn reloaded(&mut self, ground: &Ground) {
        warn(ground, self.output);
        if self.output.volume == Volume::Normal {
            output::message(format_args!("note: {} was read anew, and is in use", ground.path.display()));
        }
    }
}
