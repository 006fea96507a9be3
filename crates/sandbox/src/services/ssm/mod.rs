//! SSM Run Command and the Parameter Store:
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_Operations.html>.
//!
//! Commands really run: a handler leaves [`Delivery`]s, and the server runs them on their hosts.

mod command;
mod document;
mod documents;
mod invocations;
mod nodes;
mod parameters;
mod send;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::kms::Keys;
use super::{Context, Regional, Service, members};
use crate::error::AwsError;
use crate::hosts::{Host, ScriptResult};
use crate::paging::Pages;
use command::Command;
use document::Script;
use documents::Documents;
pub use parameters::Kind as ParameterKind;
use parameters::Parameters;

const SERVICE: Service = Service::Ssm;

/// `Mds.CommandWorkersLimit` of amazon-ssm-agent: commands that run at once on a host.
const WORKERS: usize = 5;

/// What one account has in one Region.
#[derive(Default)]
pub(crate) struct Ssm {
    documents: Documents,
    parameters: Parameters,
    nodes: BTreeMap<String, Node>,
    commands: BTreeMap<String, Command>,
    /// Ids of commands, oldest first.
    order: Vec<String>,
    outbox: Vec<Delivery>,
}

/// A managed node.
struct Node {
    host: Arc<Host>,
    registered: DateTime<Utc>,
    workers: Arc<Semaphore>,
}

/// One script that is to be run on one host.
pub(crate) struct Delivery {
    pub(crate) host: Arc<Host>,
    pub(crate) workers: Arc<Semaphore>,
    command_id: String,
    script: Arc<Script>,
}

impl Delivery {
    pub(crate) fn script(&self) -> &str {
        &self.script.text
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.script.timeout
    }
}

/// Answers one call, whose members the model has approved.
pub(crate) fn handle(
    cx: &Context<'_>,
    regional: &mut Regional,
    keys: &Keys,
    pages: Pages,
    operation: &str,
    input: Value,
) -> Result<Value, AwsError> {
    let ssm = &mut regional.ssm;
    match operation {
        "CreateDocument" => documents::create(cx, ssm, members(SERVICE, input)?),
        "UpdateDocument" => documents::update(cx, ssm, members(SERVICE, input)?),
        "UpdateDocumentDefaultVersion" => documents::set_default(cx, ssm, members(SERVICE, input)?),
        "DescribeDocument" => documents::describe(cx, ssm, members(SERVICE, input)?),
        "GetDocument" => documents::get(cx, ssm, members(SERVICE, input)?),
        "DescribeInstanceInformation" => nodes::describe(cx, ssm, pages, members(SERVICE, input)?),
        "GetParameter" => parameters::get(cx, ssm, keys, members(SERVICE, input)?),
        "PutParameter" => parameters::put(cx, ssm, keys, members(SERVICE, input)?),
        "SendCommand" => send::send(cx, ssm, members(SERVICE, input)?),
        "CancelCommand" => send::cancel(cx, ssm, members(SERVICE, input)?),
        "ListCommands" => invocations::list_commands(cx, ssm, members(SERVICE, input)?),
        "ListCommandInvocations" => invocations::list(cx, ssm, members(SERVICE, input)?),
        "GetCommandInvocation" => invocations::get(cx, ssm, members(SERVICE, input)?),
        other => Err(AwsError::not_modelled(SERVICE, format!("the operation {other}"))),
    }
}

impl Ssm {
    /// Makes a document without a request.
    pub(crate) fn seed_document(
        &mut self,
        name: &str,
        content: String,
        now: DateTime<Utc>,
    ) -> Result<(), AwsError> {
        self.documents.create(name, content, now)
    }

    /// Makes a parameter without a request.
    pub(crate) fn seed_parameter(
        &mut self,
        name: String,
        kind: ParameterKind,
        value: String,
        now: DateTime<Utc>,
    ) {
        self.parameters.add(name, kind, value, now);
    }

    pub(crate) fn add_node(&mut self, host: &Arc<Host>, now: DateTime<Utc>) {
        let node =
            Node { host: Arc::clone(host), registered: now, workers: Arc::new(Semaphore::new(WORKERS)) };
        self.nodes.insert(host.spec().id.clone(), node);
    }

    /// Forgets a host that was terminated: what has not reached it never will.
    pub(crate) fn remove_node(&mut self, id: &str) {
        self.nodes.remove(id);
        for command in self.commands.values_mut() {
            if let Some(invocation) = command.invocation_mut(id) {
                invocation.give_up();
            }
        }
    }

    /// Delivers what waits for a host that may have come back.
    pub(crate) fn deliver_to(&mut self, id: &str, now: DateTime<Utc>) {
        let mut reached = Vec::new();
        for command in self.commands.values_mut() {
            command.settle(now);
            let host = command.invocation_mut(id).and_then(command::Invocation::deliver);
            reached.extend(host.map(|host| (command.id.clone(), host)));
        }
        for (command_id, host) in reached {
            self.post(&command_id, vec![host]);
        }
    }

    /// What is to be run, once.
    pub(crate) fn take_deliveries(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.outbox)
    }

    /// Whether a delivered command may begin on its host.
    pub(crate) fn begin(&mut self, delivery: &Delivery, now: DateTime<Utc>) -> bool {
        let Some(command) = self.commands.get_mut(&delivery.command_id) else { return false };
        command.settle(now);
        command.invocation_mut(&delivery.host.spec().id).is_some_and(|invocation| invocation.begin(now))
    }

    /// Takes a script's result, and sends to the next hosts.
    pub(crate) fn finish(
        &mut self,
        delivery: &Delivery,
        result: std::io::Result<ScriptResult>,
        now: DateTime<Utc>,
    ) {
        let Some(command) = self.commands.get_mut(&delivery.command_id) else { return };
        command.settle(now);
        if let Some(invocation) = command.invocation_mut(&delivery.host.spec().id) {
            invocation.finish(result, now);
        }
        let reached = command.advance();
        self.post(&delivery.command_id, reached);
    }

    /// The standard output of the last script that ended on a host.
    pub(crate) fn last_output(&self, id: &str) -> Option<&str> {
        self.order.iter().rev().find_map(|command| invocations::output_of(self.commands.get(command)?, id))
    }

    fn post(&mut self, command_id: &str, hosts: Vec<Arc<Host>>) {
        let Some(command) = self.commands.get(command_id) else { return };
        for host in hosts {
            let Some(node) = self.nodes.get(&host.spec().id) else { continue };
            self.outbox.push(Delivery {
                workers: Arc::clone(&node.workers),
                command_id: command_id.to_owned(),
                script: Arc::clone(&command.script),
                host,
            });
        }
    }
}
