//! `regcred doctor`: whether all that the configuration needs is there, and the fix for what is not. Writes nothing.

use std::path::Path;

use clap::Args;
use regcred_core::doctor::{Diagnosis, Untried, untried};
use regcred_core::iam::{self, Site};
use regcred_core::names::LocationName;
use regcred_core::report::{Failure, FailureKind, Verdict};
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
use crate::doctor::{self, Asking, TaskPlace};
use crate::observe::Context;
use crate::stopping::StopSwitch;

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Ask the hosts themselves too, by a command that only looks: do their files and live agents hold what is published?
    #[arg(long)]
    pub hosts: bool,
    /// Look at this task definition too: do its containers pull with what regcred keeps?
    #[arg(long, value_name = "NAME")]
    pub task_definition: Option<String>,
    /// And at the services of this cluster that run it: is their platform of Fargate new enough?
    #[arg(long, value_name = "NAME", requires = "task_definition")]
    pub cluster: Option<String>,
    /// The location of the task definition; may be left out when there is only one
    #[arg(long, value_name = "NAME", requires = "task_definition")]
    pub location: Option<String>,
}

pub(crate) async fn run(
    path: Option<&Path>,
    arguments: DoctorArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let DoctorArguments { scope, hosts, task_definition, cluster, location } = arguments;
    let Ground { config, locations, scope } = pass::prepare(path, &scope, output).await?;
    let stop = StopSwitch::new();
    let context = Context {
        config: &config,
        locations: &locations,
        scope: &scope,
        clock: &Clock::Machine,
        stop: &stop,
    };
    let task = match &task_definition {
        None => None,
        Some(task_definition) => {
            let location = location_of(&config, location.as_deref()).map_err(Stop::Usage)?;
            Some(TaskPlace { location, task_definition, cluster: cluster.as_deref() })
        }
    };
    let asking = if hosts { Asking::Hosts } else { Asking::Nobody };
    let checks = unless_interrupted(Box::pin(doctor::examine(&context, asking, task)))
        .await
        .map_err(Interruption::of_a_look)?
        .map_err(Stop::Pass)?;
    let diagnosis = Diagnosis::new(checks, all_untried(&config, &locations));
    output.result(&diagnosis, diagnosis.verdict, human::diagnosis)
}

/// The location that is named, or the only one.
fn location_of<'a>(config: &'a Config, named: Option<&str>) -> Result<&'a LocationName, Failure> {
    let mut all = config.locations.keys();
    let found = match named {
        Some(named) => config.locations.get_key_value(named).map(|(name, _)| name),
        None => all.next().filter(|_| all.next().is_none()),
    };
    found.ok_or_else(|| {
        let there: Vec<&str> = config.locations.keys().map(LocationName::as_str).collect();
        Failure::new(
            FailureKind::Missing,
            "cannot tell in which location the task definition is",
            match named {
                Some(named) => format!("the configuration has no location `{named}`"),
                None => "there are several locations".to_owned(),
            },
            format!("name one with --location: {}", there.join(", ")),
        )
    })
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
