//! The Lambda: the same pass, begun by a schedule, by an event of AWS, or by whoever invokes the function.
//!
//! An invocation is one run of the pass, in an environment that keeps its clients and little else. Nothing here decides about a
//! credential or a host, and no work goes on after the answer: the environment is frozen then.

mod answer;
mod deadline;
mod environment;
mod error;
mod log;
mod place;
mod runtime_api;
mod shortfall;
mod worth;

use std::ffi::OsStr;
use std::panic::AssertUnwindSafe;
use std::path::Path;

use chrono::Utc;
use futures_util::FutureExt as _;
use regcred_core::event::{Command, Event, Named};
use regcred_core::host::FailedHosts;
use regcred_core::login::RejectedCandidates;
use regcred_core::report::{Failure, FailureKind, Report, Verdict};
use serde_json::Value;
use tracing::Instrument as _;

use self::answer::Answer;
pub(crate) use self::answer::Idle;
use self::environment::{Environment, Ready};
use self::error::{ErrorType, LambdaError};
use self::log::ProgressLog;
use self::runtime_api::{Invocation, RuntimeApi};
use self::worth::{Worth, worth};
use crate::clock::Clock;
use crate::config::env;
use crate::lease::Patience;
use crate::observe::Context;
use crate::reconcile::{self, Orders, Windows};
use crate::scope::Scope;
use crate::stopping::StopSwitch;

/// Whether this process is a Lambda's: its runtime API is named, and no command is. A program that a function starts inherits the
/// variable, and is told by its arguments; the file `bootstrap` is what Lambda itself starts.
pub(crate) fn is_meant() -> bool {
    let is_named = std::env::var_os(env::AWS_LAMBDA_RUNTIME_API).is_some_and(|api| !api.is_empty());
    let mut arguments = std::env::args_os();
    let program = arguments.next();
    let is_bootstrap =
        program.as_deref().is_some_and(|path| Path::new(path).file_name() == Some(OsStr::new("bootstrap")));
    is_named && (is_bootstrap || arguments.next().is_none())
}

/// Takes invocations until Lambda ends the process. Returns the code to exit with where there are none to take.
pub(crate) async fn run() -> u8 {
    let api = RuntimeApi::at(&std::env::var(env::AWS_LAMBDA_RUNTIME_API).unwrap_or_default());
    let mut environment = Environment::new().await;
    loop {
        let taken = async {
            let invocation = api.next().await?;
            match invoke(&mut environment, &invocation).await {
                Ok(json) => api.respond(&invocation, json).await,
                Err(error) => api.fail(&invocation, &error).await,
            }
        };
        match taken.await {
            Ok(()) => {}
            Err(error) if error.is_of_one_answer() => log::lost_answer(&error),
            Err(error) => {
                log::no_api(&error);
                return Verdict::Internal.exit_code();
            }
        }
    }
}

/// Handles one event. Returns the answer as JSON.
async fn invoke(environment: &mut Environment, invocation: &Invocation) -> Result<Vec<u8>, LambdaError> {
    // Of the highest level, so that whatever is logged at all bears the id.
    let span = tracing::error_span!("invocation", requestId = %invocation.request_id);
    let answered = AssertUnwindSafe(answer(environment, invocation)).catch_unwind();
    // What broke is dropped with the invocation; the environment makes anew what it misses.
    let answered = answered.instrument(span.clone()).await.unwrap_or_else(|_| Err(LambdaError::panic()));
    let answered = answered.and_then(Answer::into_json);
    if let Err(error) = &answered {
        span.in_scope(|| log::error(error));
    }
    answered
}

async fn answer(environment: &mut Environment, invocation: &Invocation) -> Result<Answer, LambdaError> {
    let Invocation { request_id, payload, .. } = invocation;
    tracing::info!(seconds = invocation.time_left().as_secs(), "invocation begins");
    // Lambda takes nothing but JSON.
    let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
    let event = Event::read(&payload).map_err(|failure| LambdaError::new(ErrorType::Event, &failure))?;
    let stop = StopSwitch::new();
    let work = async {
        let ready = environment.ready().await?;
        match event {
            Event::Command(command) => obey(ready, &stop, command).await,
            Event::Tick => pass(ready, &stop, request_id).await,
            Event::LabelMoved(_) | Event::HostChanged(_) => match worth(&event, &ready.config, ready.settled)
            {
                Worth::Pass { why } => {
                    tracing::info!(%why, "an event begins a pass");
                    pass(ready, &stop, request_id).await
                }
                Worth::Nothing { why } => {
                    tracing::info!(%why, "an event begins nothing");
                    Ok(Answer::Idle(Idle::new(why)))
                }
            },
        }
    };
    deadline::within(invocation.time_left(), &stop, Box::pin(work)).await
}

/// Does what somebody asked for, and answers with what came of it, whatever that is.
async fn obey(ready: &Ready, stop: &StopSwitch, command: Command) -> Result<Answer, LambdaError> {
    match command {
        Command::Sync { scope, failed_hosts, rejected_candidates } => {
            let scope = scope_of(ready, &scope)?;
            let report = sync(ready, stop, &scope, failed_hosts, rejected_candidates).await?;
            Ok(Answer::Report(Box::new(report)))
        }
        Command::Plan { scope, failed_hosts, rejected_candidates } => {
            let scope = scope_of(ready, &scope)?;
            let planned =
                reconcile::plan(&context(ready, stop, &scope), failed_hosts, rejected_candidates).await?;
            Ok(Answer::Plan(Box::new(planned.plan)))
        }
        Command::Status { scope } => {
            let scope = scope_of(ready, &scope)?;
            Ok(Answer::Status(Box::new(reconcile::status(&context(ready, stop, &scope)).await?)))
        }
    }
}

/// A whole pass that nobody waits for: its report goes to the log, and it fails where a person has to look. Whoever holds the
/// lease all the time does the work, so that is no failure.
async fn pass(ready: &mut Ready, stop: &StopSwitch, request_id: &str) -> Result<Answer, LambdaError> {
    let (failed, rejected) = (FailedHosts::LeaveAlone, RejectedCandidates::LeaveAlone);
    let scope = scope_of(ready, &Named::default())?;
    let began = Utc::now();
    let report = match sync(ready, stop, &scope, failed, rejected).await {
        Ok(report) => report,
        Err(failure) if failure.kind == FailureKind::Leased => {
            let why = format!("{}: {}", failure.what, failure.why);
            tracing::info!(%why, "another process does the work");
            return Ok(Answer::Idle(Idle::new(why)));
        }
        Err(failure) => return Err(failure.into()),
    };
    log::report(request_id, &report);
    if report.verdict == Verdict::Converged {
        ready.settled = Some(began);
    }
    match LambdaError::of_report(&report) {
        Some(error) => Err(error),
        None => Ok(Answer::Report(Box::new(report))),
    }
}

async fn sync(
    ready: &Ready,
    stop: &StopSwitch,
    scope: &Scope,
    failed: FailedHosts,
    rejected: RejectedCandidates,
) -> Result<Report, Failure> {
    let orders = Orders {
        failed,
        rejected,
        agreed: None,
        lease: &ready.lease,
        // A holder that died with its environment is found out by nothing but waiting: the next invocation may be in a new one, and
        // would have to begin to watch as well.
        patience: Patience::OneLength,
        windows: Windows::Heed,
        progress: &ProgressLog,
    };
    reconcile::sync(&context(ready, stop, scope), &orders).await
}

fn context<'a>(ready: &'a Ready, stop: &'a StopSwitch, scope: &'a Scope) -> Context<'a> {
    let Ready { config, locations, .. } = ready;
    Context { config, locations, scope, clock: &Clock::Machine, stop }
}

fn scope_of(ready: &Ready, scope: &Named) -> Result<Scope, LambdaError> {
    let Named { registries, fleets } = scope;
    Scope::new(&ready.config, registries, fleets)
        .map_err(|failure| LambdaError::new(ErrorType::Event, &failure))
}
