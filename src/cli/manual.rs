//! `regcred completions` and `regcred man`: what the command line says of itself, for shells and for `man`.

use clap::CommandFactory as _;
use regcred_core::report::{Failure, FailureKind, Verdict};

use super::arguments::{Arguments, CompletionsArguments, ManArguments};
use super::{Stop, output};

pub(crate) fn completions(arguments: &CompletionsArguments) -> Result<Verdict, Stop> {
    let mut command = Arguments::command();
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "regcred", &mut text);
    output::text(String::from_utf8_lossy(&text).trim_end())?;
    Ok(Verdict::Converged)
}

pub(crate) fn man(arguments: &ManArguments) -> Result<Verdict, Stop> {
    let mut all = Arguments::command();
    // Gives each subcommand the name it is called by, and the options that every command takes.
    all.build();
    let page = match &arguments.command {
        None => all,
        Some(name) => {
            let found = all.get_subcommands().find(|command| command.get_name() == name).cloned();
            found.ok_or_else(|| {
                let known: Vec<&str> = all.get_subcommands().map(clap::Command::get_name).collect();
                Stop::Usage(Failure::new(
                    FailureKind::Invalid,
                    format!("there is no page of `{name}`"),
                    format!("the commands are: {}", known.join(", ")),
                    "name one of these, or none",
                ))
            })?
        }
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text).map_err(Stop::Output)?;
    output::text(String::from_utf8_lossy(&text).trim_end())?;
    Ok(Verdict::Converged)
}
