//! `regcred doctor`: whether all that the configuration needs is there, and the fix for what is not. Writes nothing.

use std::path::Path;

use clap::Args;
use regcred_core::doctor::{Diagnosis, Untried, untried};
use regcred_core::iam::{self, Site};
use regcred_core::report::Verdict;
use serde_json::Value;

use super::arguments::ScopeArguments;
use super::iam::{account_of, needs};
use super::interruption::{Interruption, unless_interrupted};
use super::output::Output;
use super::pass::{self, Ground};
use super::{Stop, human};
use crate::aws::Locations;
use crate::clock::Clock;
use crate::config::Config;
use crate::doctor::{self, Asking};
use crate::observe::Context;
use crate::stopping::StopSwitch;

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Ask the hosts themselves too, by a command that only looks: do their files and live agents hold what is published?
    #[arg(long)]
    pub hosts: bool,
}

pub(crate) async fn run(
    path: Option<&Path>,
    arguments: DoctorArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let DoctorArguments { scope, hosts } = arguments;
    let Ground { config, locations, scope } = pass::prepare(path, &scope, output).await?;
    let stop = StopSwitch::new();
    let context = Context {
        config: &config,
        locations: &locations,
        scope: &scope,
        clock: &Clock::Machine,
        stop: &stop,
    };
    let asking = if hosts { Asking::Hosts } else { Asking::Nobody };
    let checks = unless_interrupted(Box::pin(doctor::examine(&context, asking)))
        .await
        .map_err(Interruption::of_a_look)?
        .map_err(Stop::Pass)?;
    let diagnosis = Diagnosis::new(checks, all_untried(&config, &locations));
    output.result(&diagnosis, diagnosis.verdict, human::diagnosis)
}

/// What of the least policies of all locations only a write would prove.
fn all_untried(config: &Config, locations: &Locations) -> Vec<Untried> {
    let of_location = |(name, place)| {
        let region = locations.at(name).s3.region().unwrap_or("*").to_owned();
        let policy: Value =
            iam::controller(&needs(config, name, Site { region, account: account_of(place, None) }));
        untried(Some(name), &policy)
    };
    config.locations.iter().flat_map(of_location).collect()
}
