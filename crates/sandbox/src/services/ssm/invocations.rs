//! `ListCommands`, `ListCommandInvocations`, `GetCommandInvocation`.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::command::{Command, Counts, Invocation, Ran, State, Words};
use super::{SERVICE, Ssm};
use crate::clock::epoch_seconds;
use crate::error::AwsError;
use crate::paging::{item_before, token_after};
use crate::services::Context;

/// The model's limits of what is shown of an output.
const OUTPUT: usize = 2500;
const STDOUT: usize = 24_000;
const STDERR: usize = 8_000;

/// The most items of a page, and as many as one has when nothing is asked for.
const PAGE: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    key: FilterKey,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum FilterKey {
    InvokedAfter,
    InvokedBefore,
    Status,
    DocumentName,
    ExecutionStage,
}

impl Filter {
    /// `words` are the command's, or those of one of its invocations.
    fn keeps(&self, command: &Command, words: Words) -> Result<bool, AwsError> {
        let time = || {
            DateTime::parse_from_rfc3339(&self.value)
                .map(|time| time.with_timezone(&Utc))
                .map_err(|_| AwsError::new("InvalidFilterKey", "The filter's value is not a time."))
        };
        Ok(match self.key {
            FilterKey::InvokedAfter => command.requested > time()?,
            FilterKey::InvokedBefore => command.requested < time()?,
            FilterKey::Status => words.status == self.value,
            FilterKey::DocumentName => command.document_name == self.value,
            FilterKey::ExecutionStage => {
                let is_executing = ["Pending", "InProgress", "Delayed", "Cancelling"].contains(&words.status);
                (self.value == "Executing") == is_executing
            }
        })
    }
}

fn all_keep(filters: &[Filter], command: &Command, words: Words) -> Result<bool, AwsError> {
    for filter in filters {
        if !filter.keeps(command, words)? {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn no_command() -> AwsError {
    AwsError::new("InvalidCommandId", "The specified command ID isn't valid.")
}

impl Ssm {
    /// The commands that a listing is about, newest first, as of now. One that nobody sees yet is left out.
    fn listed(&mut self, command_id: Option<&str>, now: DateTime<Utc>) -> Result<Vec<&Command>, AwsError> {
        let ids: Vec<&String> = match command_id {
            Some(id) => vec![self.commands.get_key_value(id).ok_or_else(no_command)?.0],
            None => self.order.iter().rev().collect(),
        };
        let ids: Vec<String> = ids.into_iter().cloned().collect();
        for id in &ids {
            if let Some(command) = self.commands.get_mut(id) {
                command.settle(now);
            }
        }
        Ok(ids
            .iter()
            .filter_map(|id| self.commands.get(id))
            .filter(|command| command.visible_from <= now)
            .collect())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct ListCommands {
    command_id: Option<String>,
    instance_id: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
    filters: Option<Vec<Filter>>,
}

pub(super) fn list_commands(
    cx: &Context<'_>,
    ssm: &mut Ssm,
    request: ListCommands,
) -> Result<Value, AwsError> {
    let ListCommands { command_id, instance_id, max_results, next_token, filters } = request;
    cx.authorize(SERVICE, "ListCommands", "*")?;
    let filters = filters.unwrap_or_default();
    let mut shown = Vec::new();
    for command in ssm.listed(command_id.as_deref(), cx.now)? {
        let is_target = |id: &String| command.invocations.iter().any(|each| each.host.spec().id == *id);
        if instance_id.as_ref().is_none_or(is_target) && all_keep(&filters, command, command.words())? {
            shown.push((command.id.clone(), described(command)));
        }
    }
    page("Commands", shown, max_results, next_token)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct ListCommandInvocations {
    command_id: Option<String>,
    instance_id: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
    filters: Option<Vec<Filter>>,
    details: Option<bool>,
}

pub(super) fn list(
    cx: &Context<'_>,
    ssm: &mut Ssm,
    request: ListCommandInvocations,
) -> Result<Value, AwsError> {
    let ListCommandInvocations { command_id, instance_id, max_results, next_token, filters, details } =
        request;
    cx.authorize(SERVICE, "ListCommandInvocations", "*")?;
    let filters = filters.unwrap_or_default();
    let details = if details.unwrap_or(false) { Detail::Plugins } else { Detail::None };
    let mut shown = Vec::new();
    for command in ssm.listed(command_id.as_deref(), cx.now)? {
        for invocation in &command.invocations {
            let id = &invocation.host.spec().id;
            let is_meant = instance_id.as_ref().is_none_or(|wanted| wanted == id);
            if is_meant && all_keep(&filters, command, invocation.state.words())? {
                shown.push((format!("{} {id}", command.id), listed(command, invocation, details)));
            }
        }
    }
    page("CommandInvocations", shown, max_results, next_token)
}

/// One page of what a listing found, each beside the key that a token names it by.
fn page(
    member: &str,
    mut shown: Vec<(String, Value)>,
    max_results: Option<usize>,
    token: Option<String>,
) -> Result<Value, AwsError> {
    if let Some(token) = token {
        let invalid = || AwsError::new("InvalidNextToken", "The specified token isn't valid.");
        let last = item_before(&token).ok_or_else(invalid)?;
        let position = shown.iter().position(|(key, _)| *key == last).ok_or_else(invalid)?;
        shown.drain(..=position);
    }
    let size = max_results.unwrap_or(PAGE);
    let more = shown.len() > size;
    shown.truncate(size);
    let next = shown.last().filter(|_| more).map(|(key, _)| token_after(key));
    let mut answer = json!({member: shown.into_iter().map(|(_, value)| value).collect::<Vec<_>>()});
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct GetCommandInvocation {
    command_id: String,
    instance_id: String,
    plugin_name: Option<String>,
}

pub(super) fn get(cx: &Context<'_>, ssm: &mut Ssm, request: GetCommandInvocation) -> Result<Value, AwsError> {
    let GetCommandInvocation { command_id, instance_id, plugin_name } = request;
    cx.authorize(SERVICE, "GetCommandInvocation", "*")?;
    let absent = || {
        AwsError::new(
            "InvocationDoesNotExist",
            "The command ID and managed node ID you specified didn't match any invocations.",
        )
    };
    let command = ssm.listed(Some(&command_id), cx.now).map_err(|_| absent())?.pop().ok_or_else(absent)?;
    let invocation =
        command.invocations.iter().find(|each| each.host.spec().id == instance_id).ok_or_else(absent)?;
    if plugin_name.is_some_and(|name| name != command.document.step) {
        return Err(AwsError::new("InvalidPluginName", "The plugin name isn't valid."));
    }
    let Words { status, details } = invocation.state.words();
    let mut answer = json!({
        "CommandId": command.id,
        "InstanceId": instance_id,
        "Comment": command.comment,
        "DocumentName": command.document_name,
        "DocumentVersion": command.document_version,
        "PluginName": command.document.step,
        "ResponseCode": -1,
        "Status": status,
        "StatusDetails": details,
        "StandardOutputContent": "",
        "StandardErrorContent": "",
        "StandardOutputUrl": "",
        "StandardErrorUrl": "",
    });
    let iso = |time: DateTime<Utc>| json!(time.to_rfc3339_opts(SecondsFormat::Secs, true));
    match &invocation.state {
        State::Waiting | State::Undelivered | State::Delivered | State::Ended { ran: None, .. } => {}
        State::Running { since, cancelled: _ } => answer["ExecutionStartDateTime"] = iso(*since),
        State::Ended { ran: Some(ran), ending: _ } => {
            answer["ExecutionStartDateTime"] = iso(ran.started);
            answer["ExecutionEndDateTime"] = iso(ran.finished);
            answer["ResponseCode"] = json!(ran.exit_code);
            answer["StandardOutputContent"] = json!(shortened(&ran.stdout, STDOUT));
            answer["StandardErrorContent"] = json!(shortened(&ran.stderr, STDERR));
        }
    }
    Ok(answer)
}

/// A command as its operations show it.
pub(super) fn described(command: &Command) -> Value {
    let Words { status, details } = command.words();
    let Counts { targets, completed, errors, delivery_timed_out } = command.counts();
    let ids: Vec<&str> = command.invocations.iter().map(|each| each.host.spec().id.as_str()).collect();
    json!({
        "CommandId": command.id,
        "DocumentName": command.document_name,
        "DocumentVersion": command.document_version,
        "Comment": command.comment,
        "ExpiresAfter": epoch_seconds(command.expires),
        "Parameters": command.parameters,
        "InstanceIds": ids,
        "Targets": [],
        "RequestedDateTime": epoch_seconds(command.requested),
        "Status": status,
        "StatusDetails": details,
        "MaxConcurrency": command.max_concurrency.0,
        "MaxErrors": command.max_errors.0,
        "TargetCount": targets,
        "CompletedCount": completed,
        "ErrorCount": errors,
        "DeliveryTimedOutCount": delivery_timed_out,
        "TimeoutSeconds": command.timeout_seconds,
    })
}

/// `Details` of ListCommandInvocations.
#[derive(Clone, Copy)]
enum Detail {
    None,
    Plugins,
}

fn listed(command: &Command, invocation: &Invocation, detail: Detail) -> Value {
    let Words { status, details } = invocation.state.words();
    let plugins = match detail {
        Detail::None => Vec::new(),
        Detail::Plugins => vec![plugin(command, invocation)],
    };
    json!({
        "CommandId": command.id,
        "InstanceId": invocation.host.spec().id,
        "InstanceName": "",
        "Comment": command.comment,
        "DocumentName": command.document_name,
        "DocumentVersion": command.document_version,
        "RequestedDateTime": epoch_seconds(command.requested),
        "Status": status,
        "StatusDetails": details,
        "StandardOutputUrl": "",
        "StandardErrorUrl": "",
        "CommandPlugins": plugins,
    })
}

/// The one step on one host.
fn plugin(command: &Command, invocation: &Invocation) -> Value {
    let Words { status, details } = invocation.state.words();
    // A plugin has fewer words than an invocation.
    let status = match status {
        "Delayed" => "Pending",
        "Cancelling" => "InProgress",
        other => other,
    };
    let mut plugin = json!({
        "Name": command.document.step,
        "Status": status,
        "StatusDetails": details,
        "ResponseCode": -1,
        "Output": "",
        "StandardOutputUrl": "",
        "StandardErrorUrl": "",
    });
    match &invocation.state {
        State::Waiting | State::Undelivered | State::Delivered | State::Ended { ran: None, .. } => {}
        State::Running { since, cancelled: _ } => plugin["ResponseStartDateTime"] = epoch_seconds(*since),
        State::Ended { ran: Some(ran), ending: _ } => {
            plugin["ResponseStartDateTime"] = epoch_seconds(ran.started);
            plugin["ResponseFinishDateTime"] = epoch_seconds(ran.finished);
            plugin["ResponseCode"] = json!(ran.exit_code);
            plugin["Output"] = json!(shortened(&combined(ran), OUTPUT));
        }
    }
    plugin
}

/// Standard output, and standard error behind a line, as the console shows them.
fn combined(ran: &Ran) -> String {
    if ran.stderr.is_empty() {
        ran.stdout.clone()
    } else {
        format!("{}\n----------ERROR-------\n{}", ran.stdout, ran.stderr)
    }
}

/// At most `limit` characters, and the agent's own mark where more was.
fn shortened(text: &str, limit: usize) -> String {
    const MARK: &str = "\n---Output truncated---";
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit - MARK.len()).collect();
    kept + MARK
}

/// What a script that ended on a host wrote to standard output.
pub(super) fn output_of<'a>(command: &'a Command, id: &str) -> Option<&'a str> {
    let invocation = command.invocations.iter().find(|each| each.host.spec().id == id)?;
    match &invocation.state {
        State::Ended { ran: Some(ran), .. } => Some(&ran.stdout),
        State::Waiting
        | State::Undelivered
        | State::Delivered
        | State::Running { .. }
        | State::Ended { ran: None, .. } => None,
    }
}
