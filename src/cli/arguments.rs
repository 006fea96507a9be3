//! What may be written on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use regcred_core::host::FailedHosts;
use regcred_core::login::RejectedCandidates;

use crate::telemetry::Setting;

/// Keeps the credentials of private registries right everywhere an Amazon ECS fleet needs them.
///
/// Exit codes: 0 converged, 1 internal error, 2 usage or config, 3 drift found, 4 partly failed or not all hosts
/// reached, 5 rollout halted, 6 another regcred holds the lease.
#[derive(Debug, Parser)]
#[command(name = "regcred", version, max_term_width = 110)]
pub(crate) struct Arguments {
    /// The configuration; without it $REGCRED_CONFIG, or else regcred.yaml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The form of the result on stdout
    #[arg(long, global = true, value_enum, default_value_t)]
    pub output: Form,
    /// Print what went wrong and nothing else: no progress, and no result for people when all is well
    #[arg(short, long, global = true)]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// What the process is run as, for its logs.
    pub(crate) fn setting(&self) -> Setting {
        if matches!(self.command, Command::Run(_)) { Setting::Daemon } else { Setting::CommandLine }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people
    #[default]
    Human,
    /// For machines; a stable shape
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what a sync would do, and why; write nothing
    Plan(PlanArguments),
    /// Bring secrets, ecs.config objects and hosts up to date, and prove it
    Sync(SyncArguments),
    /// Say what holds what now; write nothing
    Status(ScopeArguments),
    /// Do what `sync` does whenever a schedule is due, until it is stopped; SIGHUP reads the configuration anew
    Run(super::run::RunArguments),
    /// Keep every regcred from writing or restarting anything, until `resume`
    Pause(super::pause::PauseArguments),
    /// End a pause
    Resume,
    /// Say which credential an agent would pull an image with, from which key and by which rule, or why none
    Explain(super::explain::ExplainArguments),
    /// Find what agents would drop or misread in an ecs.config, or what would keep them from starting; exit 3 if there is any
    Lint(super::lint::LintArguments),
    /// Print an ecs.config as it would be stored, without its passwords
    Render(super::render::RenderArguments),
    /// Print what a task definition and its role need so that tasks use a registry's secret
    Snippet(super::snippet::SnippetArguments),
    /// Print the least policies that the configuration needs: of regcred, of hosts, of tasks, of buckets and keys
    Iam(super::iam::IamArguments),
    /// Try credentials at their registries, those of the sources or those that are published, or ask hosts what they hold;
    /// change nothing
    Verify(VerifyArguments),
    /// Look at all that the configuration needs, permissions, buckets, documents, hosts, and print the fix for what is not there;
    /// write nothing
    Doctor(super::doctor::DoctorArguments),
    /// Draft a first configuration from what is found: Docker's file, an ecs.config in S3, the account's clusters
    Init(super::init::InitArguments),
    /// Hold the configuration against every rule
    Check,
    /// Print the JSON Schema of the configuration, or of a result
    Schema(super::schema::SchemaArguments),
    /// End regcred's ownership of all that it kept: tags, attributes, its own objects; leave values and files as they are
    Release(super::release::ReleaseArguments),
    /// Print the completions of a shell, to be put where it looks for them
    Completions(CompletionsArguments),
    /// Print a manual page, for `man -l -`
    Man(ManArguments),
    /// Watch the main job on an embedded AWS and a dozen hosts; needs no account, no Docker, no network
    #[cfg(feature = "sandbox")]
    Demo(super::demo::DemoArguments),
    /// Serve the embedded AWS on loopback until it is stopped
    #[cfg(feature = "sandbox")]
    Sandbox(super::sandbox::SandboxArguments),
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// The command whose page is meant; without it, that of regcred itself
    pub command: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ScopeArguments {
    /// Only this registry, the objects that hold it and the fleets that load those; may be repeated
    #[arg(long, value_name = "NAME")]
    pub registry: Vec<String>,
    /// Only this fleet, its ecs.config and the registries in it; may be repeated
    #[arg(long, value_name = "NAME")]
    pub fleet: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PassArguments {
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Try hosts again on which this very revision failed before
    #[arg(long)]
    pub retry_failed: bool,
    /// Try credentials again that their registry rejected before and that have not changed
    #[arg(long)]
    pub retry_rejected: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// What Secrets Manager and S3 hold now, instead of what the sources hold
    #[arg(long)]
    pub published: bool,
    /// Ask the hosts instead: do the file, the live agent and what is recorded agree with the ecs.config? Changes nothing
    #[arg(long, conflicts_with = "published")]
    pub hosts: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub pass: PassArguments,
    /// Write the plan to this file too, for `sync --plan`; it holds no secret
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SyncArguments {
    #[command(flatten)]
    pub pass: PassArguments,
    /// Do what this plan of `plan --out` says, or nothing: if anything moved since, say what
    #[arg(long, value_name = "FILE", conflicts_with_all = ["registry", "fleet", "retry_failed", "retry_rejected"])]
    pub plan: Option<PathBuf>,
    /// Restart hosts even while their maintenance windows are closed
    #[arg(long)]
    pub ignore_windows: bool,
}

impl PassArguments {
    pub(crate) fn failed_hosts(&self) -> FailedHosts {
        if self.retry_failed { FailedHosts::Retry } else { FailedHosts::LeaveAlone }
    }

    pub(crate) fn rejected_candidates(&self) -> RejectedCandidates {
        if self.retry_rejected { RejectedCandidates::Retry } else { RejectedCandidates::LeaveAlone }
    }
}
