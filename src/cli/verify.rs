//! `regcred verify`: what the registries say of credentials. Changes nothing but what regcred keeps in mind of rejected ones.

use std::path::Path;

use regcred_core::report::Verdict;

use super::arguments::VerifyArguments;
use super::output::{self, Output};
use super::pass::{self, Ground};
use super::{Stop, human};
use crate::observe::Context;
use crate::verify;

pub(crate) async fn run(
    path: Option<&Path>,
    arguments: VerifyArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let VerifyArguments { scope, published } = arguments;
    let Ground { config, locations, scope } = pass::prepare(path, &scope, output).await?;
    let context = Context { config: &config, locations: &locations, scope: &scope };
    let verification = if published {
        verify::of_published(&context).await.map_err(Stop::Pass)?
    } else {
        let (verification, unkept) = verify::of_sources(&context).await;
        if let Some(failure) = unkept {
            output::failure(&failure);
        }
        verification
    };
    output.result(&verification, verification.verdict, human::verification)
}
