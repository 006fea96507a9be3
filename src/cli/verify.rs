//! `regcred verify`: what the registries say of credentials, or the hosts of what they hold. Changes nothing but what regcred
//! keeps in mind of rejected credentials.

use std::path::Path;

use regcred_core::report::Verdict;

use super::arguments::VerifyArguments;
use super::interruption::{Interruption, unless_interrupted};
use super::output::Output;
use super::pass::{self, Ground};
use super::{Stop, human};
use crate::clock::Clock;
use crate::observe::Context;
use crate::stopping::StopSwitch;
use crate::{audit, verify};

pub(crate) async fn run(
    path: Option<&Path>,
    arguments: VerifyArguments,
    output: Output,
) -> Result<Verdict, Stop> {
    let VerifyArguments { scope, published, hosts } = arguments;
    let Ground { config, locations, scope } = pass::prepare(path, &scope, output).await?;
    let stop = StopSwitch::new();
    let context = Context {
        config: &config,
        locations: &locations,
        scope: &scope,
        clock: &Clock::Machine,
        stop: &stop,
    };
    if hosts {
        let audit =
            unless_interrupted(Box::pin(audit::hosts(&context))).await.map_err(Interruption::of_a_look)?;
        let audit = audit.map_err(Stop::Pass)?;
        return output.result(&audit, audit.verdict, human::audit);
    }
    let verification = if published {
        verify::of_published(&context).await.map_err(Stop::Pass)?
    } else {
        let tried = unless_interrupted(Box::pin(verify::of_sources(&context)));
        tried.await.map_err(Interruption::of_a_look)?
    };
    output.result(&verification, verification.verdict, human::verification)
}
