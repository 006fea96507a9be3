//! `regcred render`: an ecs.config as it would be stored, without its passwords.

use std::io::IsTerminal;
use std::path::Path;

use clap::Args;
use regcred_core::desired::{self, SourceReading, Wish};
use regcred_core::fingerprint::FingerprintKey;
use regcred_core::formats::ecs_config::redact;
use regcred_core::names::EcsConfigName;
use regcred_core::plan::{HeldEntry, Hold, ObjectAction, ObjectStep};
use regcred_core::report::{Failure, FailureKind, Verdict};
use regcred_core::secret::Secret;
use schemars::JsonSchema;
use serde::Serialize;

use super::output::{self, Output};
use super::{Stop, human};
use crate::aws::Locations;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::load::{Loaded, find_and_load};
use crate::observe::{self, Context, SeenObject};
use crate::scope::Scope;
use crate::stopping::StopSwitch;

#[derive(Debug, Args)]
pub(crate) struct RenderArguments {
    /// The ecs_config of the configuration
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Show the passwords; only where stdout is a terminal
    #[arg(long)]
    pub reveal: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Rendered {
    version: u32,
    ecs_config: EcsConfigName,
    bucket: String,
    key: String,
    /// The whole file.
    pub text: String,
}

/// The version of the shape in JSON.
const VERSION: u32 = 1;

pub(crate) async fn run(
    path: Option<&Path>,
    arguments: RenderArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let RenderArguments { name, reveal } = arguments;
    if reveal && !std::io::stdout().is_terminal() {
        return Err(Stop::Usage(Failure::new(
            FailureKind::Refused,
            "cannot show the passwords",
            "stdout is no terminal, and what is piped or redirected is kept somewhere",
            "run it in a terminal, or leave out `--reveal`",
        )));
    }
    let Loaded { config, .. } = find_and_load(path).map_err(Stop::Config)?;
    let scope = Scope::of_ecs_config(&config, &name).map_err(Stop::Usage)?;
    let (step, text) = rendered(&config, &scope).await?;
    let ObjectStep { ecs_config, bucket, key, held, notes, .. } = step;
    for note in notes {
        output.note(note);
    }
    let mut verdict = Verdict::Converged;
    for HeldEntry { registry, why, failure, .. } in held {
        match failure {
            Some(failure) => output::failure(&failure),
            None => output.note(format_args!("{registry} stays as it is published: {}", human::hold(why))),
        }
        verdict = Verdict::Partial;
    }
    // The one place that shows a rendered secret, to the person who asked for it.
    let text = if reveal { text.expose().to_owned() } else { redact(&text) };
    let rendered = Rendered { version: VERSION, ecs_config, bucket, key, text };
    output.result(&rendered, verdict, |rendered| rendered.text.clone())
}

/// What would be stored, or is.
async fn rendered(config: &Config, scope: &Scope) -> Result<(ObjectStep, Secret), Stop> {
    let locations = Locations::load(&config.locations).await;
    let never = StopSwitch::new();
    let context = Context { config, locations: &locations, scope, clock: &Clock::Machine, stop: &never };
    let (sources, objects) = observe::look_without_state(&context).await;
    for reading in sources.values() {
        match reading {
            SourceReading::Failed(failure) => output::failure(failure),
            SourceReading::Read { .. } => {}
        }
    }
    let wish = |reading: SourceReading| match reading {
        SourceReading::Read { credential, .. } => Wish::Publish(credential),
        SourceReading::Failed(_) => Wish::Hold(Hold::SourceFailed),
    };
    let wishes = sources.into_iter().map(|(name, reading)| (name, wish(reading))).collect();
    let SeenObject { spec, target: _, observed, map: _ } =
        objects.into_iter().next().expect("the scope is one object of the configuration");
    // No fingerprint is shown.
    let key = FingerprintKey::from_bytes([0; FingerprintKey::LENGTH]);
    let (step, write) = desired::object(&spec, &wishes, &observed, &key);
    if let ObjectAction::Blocked { failure } = step.action {
        return Err(Stop::Pass(failure));
    }
    let published = observed.published().map(|published| published.content.clone());
    let text = write.map(|write| write.content).or(published);
    Ok((step, text.unwrap_or_else(|| Secret::from(""))))
}
