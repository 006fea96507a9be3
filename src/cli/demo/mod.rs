//! `regcred demo`: the main job before one's eyes, on the embedded AWS and a dozen hosts that run the real host script.
//!
//! It runs this very binary, as an operator would, and tells what a password change does: plan, sync, a second sync that
//! restarts nobody, another password, and who holds what in the end. No account, no Docker, no network.

mod hosts;
mod workspace;
mod world;

use std::process::Stdio;

use clap::Args;
use regcred_core::report::{Failure, FailureKind, Verdict};
use regcred_sandbox::Sandbox;
use tokio::process::Command;

use self::workspace::Workspace;
use super::{Stop, output};

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Leave the AWS and the hosts running afterwards, to look around in
    #[arg(long)]
    pub keep: bool,
}

pub(crate) async fn run(arguments: DemoArguments) -> Result<Verdict, Stop> {
    let sandbox =
        Sandbox::start(world::options()).map_err(|error| failed("cannot serve the embedded AWS", &error))?;
    let workspace = Workspace::create(&sandbox).map_err(|error| failed("cannot make a folder", &error))?;
    let demo = Demo { workspace, sandbox };
    let ended = demo.tell().await;
    match ended {
        Ok(verdict) => {
            if arguments.keep {
                demo.keep().await?;
            }
            Ok(verdict)
        }
        Err(stop) => Err(stop),
    }
}

fn failed(what: &str, why: &std::io::Error) -> Stop {
    let remedy = "see that curl and a shell are in PATH";
    Stop::Pass(Failure::new(FailureKind::Internal, what, why.to_string(), remedy))
}

fn stuck(why: &std::io::Error) -> Stop {
    failed("cannot go on with the demo", why)
}

struct Demo {
    workspace: Workspace,
    sandbox: Sandbox,
}

impl Demo {
    /// The story. Its end is `Converged` when every command ended as the story says.
    async fn tell(&self) -> Result<Verdict, Stop> {
        say(world::OPENING)?;
        let mut as_told = true;

        title("What would a first run do?")?;
        as_told &= self.regcred(&["plan"], Verdict::Drift).await?;

        title("Do it.")?;
        as_told &= self.regcred(&["sync"], Verdict::Partial).await?;

        title(
            "Once more: nothing is left to do, and nobody is restarted. What failed is not tried again by itself.",
        )?;
        as_told &= self.regcred(&["sync"], Verdict::Partial).await?;

        title(
            "The password of harbor changes, and is mistyped at its source. It is tried before it is published.",
        )?;
        self.workspace.mistype_password(&self.sandbox).map_err(|error| stuck(&error))?;
        as_told &= self.regcred(&["plan"], Verdict::Partial).await?;

        title("Mended.")?;
        self.workspace.correct_password().map_err(|error| stuck(&error))?;
        as_told &= self.regcred(&["plan"], Verdict::Drift).await?;

        title("Bring it everywhere.")?;
        as_told &= self.regcred(&["sync"], Verdict::Partial).await?;

        title("Who was restarted, who was not, and what each host would pull from harbor with now:")?;
        let hosts =
            hosts::table(&self.sandbox.endpoint(), workspace::HARBOR_IMAGE).map_err(|error| stuck(&error))?;
        output::text(&hosts)?;
        Ok(if as_told { Verdict::Converged } else { Verdict::Internal })
    }

    /// Runs one command as an operator would, and says how it ended. Whether that is as the story goes is returned.
    async fn regcred(&self, arguments: &[&str], expected: Verdict) -> Result<bool, Stop> {
        say(&format!("$ regcred {}", arguments.join(" ")))?;
        let binary = std::env::current_exe().map_err(|error| stuck(&error))?;
        let mut command = Command::new(binary);
        command.args(arguments).arg("--config").arg(self.workspace.config());
        for (name, value) in world::environment(&self.sandbox.endpoint()) {
            command.env(name, value);
        }
        command.stdin(Stdio::null()).current_dir(self.workspace.folder());
        let code = command.status().await.map_err(|error| stuck(&error))?.code();
        let as_told = code == Some(i32::from(expected.exit_code()));
        let code = code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        let meaning = match expected {
            _ if !as_told => "which is not how this demo goes: please report it",
            Verdict::Drift => "there is something to do",
            Verdict::Partial if arguments == ["plan"] => "not everything can be done",
            Verdict::Partial => "done, but not every host could be reached",
            Verdict::Converged | Verdict::Internal | Verdict::Usage | Verdict::Halted | Verdict::Leased => "",
        };
        say(&format!("exit {code}: {meaning}"))?;
        Ok(as_told)
    }

    async fn keep(&self) -> Result<(), Stop> {
        let endpoint = self.sandbox.endpoint();
        say(&world::look_around(&endpoint, &self.workspace))?;
        super::until_stopped().await;
        Ok(())
    }
}

fn title(text: &str) -> Result<(), Stop> {
    say(&format!("\n# {text}"))
}

/// The story goes to the same stream as the results, so that they stay in order.
fn say(text: &str) -> Result<(), Stop> {
    output::text(text)
}
