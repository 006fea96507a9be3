//! `SendCommand`, `CancelCommand`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};

use super::command::{Amount, Command, Invocation, State};
use super::invocations::described;
use super::{SERVICE, Ssm};
use crate::error::AwsError;
use crate::services::{Context, Pending};

/// Seconds, when a request gives none.
const DEFAULT_TIMEOUT: u32 = 3600;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct SendCommand {
    instance_ids: Option<Vec<String>>,
    document_name: String,
    document_version: Option<String>,
    timeout_seconds: Option<u32>,
    comment: Option<String>,
    parameters: Option<BTreeMap<String, Vec<String>>>,
    max_concurrency: Option<String>,
    max_errors: Option<String>,
}

pub(super) fn send(cx: &Context<'_>, ssm: &mut Ssm, request: SendCommand) -> Result<Value, AwsError> {
    let SendCommand {
        instance_ids,
        document_name,
        document_version,
        timeout_seconds,
        comment,
        parameters,
        max_concurrency,
        max_errors,
    } = request;
    let ids = instance_ids.unwrap_or_default();
    if ids.is_empty() {
        return Err(AwsError::new("ValidationException", "InstanceIds must be given."));
    }
    if ids.iter().collect::<BTreeSet<_>>().len() != ids.len() {
        return Err(AwsError::new(
            "DuplicateInstanceId",
            "You can't specify an instance ID twice in one command.",
        ));
    }
    let parameters = parameters.unwrap_or_default();
    let found = ssm.documents.find(cx, &document_name, document_version.as_deref())?;
    cx.authorize(SERVICE, "SendCommand", &cx.arn(SERVICE, &format!("document/{}", found.name)))?;
    let script = found.document.fill_in(&parameters)?;
    let mut invocations = Vec::with_capacity(ids.len());
    let mut unknown = Vec::new();
    for id in &ids {
        cx.authorize(SERVICE, "SendCommand", &node_arn(cx, id))?;
        match ssm.nodes.get(id) {
            Some(node) => {
                invocations.push(Invocation { host: Arc::clone(&node.host), state: State::Waiting });
            }
            None => unknown.push(id.as_str()),
        }
    }
    if !unknown.is_empty() {
        return Err(AwsError::new(
            "InvalidInstanceId",
            format!(
                "Instances [[{}]] not in a valid state for account {}",
                unknown.join(", "),
                cx.caller.account
            ),
        ));
    }
    let timeout_seconds = timeout_seconds.unwrap_or(DEFAULT_TIMEOUT);
    let execution = TimeDelta::from_std(script.timeout).unwrap_or(TimeDelta::MAX);
    let mut command = Command {
        id: uuid::Uuid::new_v4().to_string(),
        document_name: found.name.to_owned(),
        document_version: document_version.unwrap_or_else(|| "$DEFAULT".into()),
        document: Arc::clone(found.document),
        script: Arc::new(script),
        comment: comment.unwrap_or_default(),
        parameters,
        requested: cx.now,
        visible_from: cx.visible_from,
        timeout_seconds,
        expires: cx.now + TimeDelta::seconds(timeout_seconds.into()) + execution,
        max_concurrency: Amount(max_concurrency.unwrap_or_else(|| "50".into())),
        max_errors: Amount(max_errors.unwrap_or_else(|| "0".into())),
        is_cancelled: false,
        pending: cx.pending,
        invocations: match cx.pending {
            Pending::WithinQuota => invocations,
            Pending::OverQuota => Vec::new(),
        },
    };
    // The answer is of the moment of the request: nothing has begun.
    let answer = json!({"Command": described(&command)});
    let reached = command.advance();
    let id = command.id.clone();
    ssm.order.push(id.clone());
    ssm.commands.insert(id.clone(), command);
    ssm.post(&id, reached);
    Ok(answer)
}

/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html>
fn node_arn(cx: &Context<'_>, id: &str) -> String {
    let (account, region) = (&cx.caller.account, &cx.caller.region);
    if id.starts_with("mi-") {
        cx.arn(SERVICE, &format!("managed-instance/{id}"))
    } else {
        format!("arn:aws:ec2:{region}:{account}:instance/{id}")
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct CancelCommand {
    command_id: String,
    instance_ids: Option<Vec<String>>,
}

pub(super) fn cancel(cx: &Context<'_>, ssm: &mut Ssm, request: CancelCommand) -> Result<Value, AwsError> {
    let CancelCommand { command_id, instance_ids } = request;
    cx.authorize(SERVICE, "CancelCommand", "*")?;
    let ids = instance_ids.unwrap_or_default();
    let command = ssm.commands.get_mut(&command_id).ok_or_else(super::invocations::no_command)?;
    command.settle(cx.now);
    if let Some(unknown) = ids.iter().find(|id| command.invocation_mut(id).is_none()) {
        return Err(AwsError::new("InvalidInstanceId", format!("{unknown} is not a target of the command.")));
    }
    command.cancel(&ids);
    Ok(json!({}))
}
