//! `regcred explain`: which credential an agent would pull an image with, and why.

use std::path::Path;

use clap::Args;
use regcred_core::explain::{Explanation, explain};
use regcred_core::report::Verdict;
use schemars::JsonSchema;
use serde::Serialize;

use super::output::Output;
use super::papers::{self, Paper};
use super::{Stop, human};
use crate::artefact::Artefact;

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Images as a task definition names them, such as ghcr.io/acme/app:1
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<String>,
    /// Ask this file: an ecs.config, Docker's config.json, or the value of ECS_ENGINE_AUTH_DATA; a path, s3://bucket/key, or -
    /// for standard input. Needs no configuration
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ecs_config", "fleet"])]
    pub from: Option<Artefact>,
    /// The location of the configuration whose role reads s3://…
    #[arg(long, value_name = "NAME", requires = "from")]
    pub location: Option<String>,
    /// Ask the object of this ecs_config, as it is stored; without any, those of all; may be repeated
    #[arg(long, value_name = "NAME")]
    pub ecs_config: Vec<String>,
    /// Ask the object that this fleet loads; may be repeated
    #[arg(long, value_name = "NAME")]
    pub fleet: Vec<String>,
}

/// The explanations for one file, or for several.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Explanations {
    version: u32,
    #[serde(flatten)]
    pub told: Told,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Told {
    One {
        from: String,
        images: Vec<Explanation>,
    },
    /// Where the configuration has several objects, and no single one was named.
    Several {
        files: Vec<OfFile>,
    },
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OfFile {
    pub from: String,
    pub images: Vec<Explanation>,
}

/// The version of the shape in JSON.
const VERSION: u32 = 1;

pub(crate) async fn run(
    path: Option<&Path>,
    arguments: ExplainArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let ExplainArguments { images, from, location, ecs_config, fleet } = arguments;
    let papers = match from {
        Some(artefact) => vec![papers::named(path, &artefact, location.as_deref()).await?],
        None => papers::of_config(path, &ecs_config, &fleet).await?,
    };
    let of_file = |Paper { from, document }: &Paper| OfFile {
        from: from.clone(),
        images: images.iter().map(|image| explain(document, image)).collect(),
    };
    let mut files: Vec<OfFile> = papers.iter().map(of_file).collect();
    let told = match files.pop() {
        Some(OfFile { from, images }) if files.is_empty() => Told::One { from, images },
        last => Told::Several { files: files.into_iter().chain(last).collect() },
    };
    output.result(&Explanations { version: VERSION, told }, Verdict::Converged, human::explanations)
}
