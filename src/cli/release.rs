//! `regcred release`: ends regcred's ownership of what it kept, and leaves all values and files as they are.

use std::path::Path;

use clap::Args;
use regcred_core::report::Verdict;

use super::arguments::ScopeArguments;
use super::interruption::{Interruption, unless_interrupted};
use super::output::Output;
use super::pass::{self, Ground};
use super::progress::Display;
use super::{Stop, human};
use crate::clock::Clock;
use crate::lease::{Lease, process_name};
use crate::observe::Context;
use crate::release;
use crate::stopping::StopSwitch;

#[derive(Debug, Args)]
pub(crate) struct ReleaseArguments {
    /// Do it; without this, only say what would be done
    #[arg(long)]
    pub yes: bool,
}

pub(crate) async fn run(
    path: Option<&Path>,
    arguments: ReleaseArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let ReleaseArguments { yes } = arguments;
    let everything = ScopeArguments { registry: Vec::new(), fleet: Vec::new() };
    let Ground { config, locations, scope } = pass::prepare(path, &everything, output).await?;
    let stop = StopSwitch::new();
    let context = Context {
        config: &config,
        locations: &locations,
        scope: &scope,
        clock: &Clock::Machine,
        stop: &stop,
    };
    if !yes {
        let looked = unless_interrupted(Box::pin(release::look(&context)));
        let looked = looked.await.map_err(Interruption::of_a_look)?;
        return output.result(&looked, looked.verdict, human::release);
    }
    let place = &config.state;
    let lease = Lease::new(&locations.at(&place.location).s3, place, process_name("regcred release"))
        .map_err(Stop::Pass)?;
    let display = Display::new(output);
    let taken = unless_interrupted(Box::pin(release::take_away(&context, &lease, &display))).await;
    display.finish();
    let released = match taken {
        Ok(released) => released.map_err(Stop::Pass)?,
        Err(by) => {
            // Nobody has to wait for one that is gone. A second signal ends this too.
            let _ = unless_interrupted(Box::pin(lease.release())).await;
            return Err(by.of_a_release());
        }
    };
    output.result(&released, released.verdict, human::release)
}
