//! Looking at hosts by the host script's probe mode. Nothing changes on a host, so no limit of a rollout holds: all
//! commands are sent at once, fifty hosts each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt;
use regcred_core::host::HostId;
use regcred_core::invocation::{self, CommandState, NothingRan};
use regcred_core::probe::HostProbe;
use regcred_core::report::Failure;
use regcred_core::rollout::{CHUNK, CommandId, Refusal};
use tokio::time::Instant;

use super::command::{HostScript, Sent, note};
use super::document::{self, DocumentVersion, Unsendable};
use crate::aws::AwsErrorKind;

/// Commands that are sent, and lists that are read, side by side: SSM publishes no rate for either, and throttles.
const SIDE_BY_SIDE: usize = 4;

/// How long after its delivery a probe may take: the time-outs of its one fetch, and for SSM to show the end.
const ANSWER: Duration = Duration::from_mins(3);

/// So many looks without a single invocation, and the command itself is read: SSM may have given it up as a whole.
const LOOKS_IN_VAIN: u32 = 3;

/// What came of probing hosts, each of which is named, and what went wrong with calls on the way.
#[derive(Debug, Default)]
pub(crate) struct Probed {
    pub hosts: BTreeMap<HostId, HostProbe>,
    pub failures: Vec<Failure>,
}

/// A command whose results are outstanding.
struct Open {
    id: CommandId,
    hosts: BTreeSet<HostId>,
    /// Looks that showed no invocation at all.
    in_vain: u32,
}

/// Probes `hosts`, which should be online in SSM. Costs a GetDocument, a SendCommand for fifty of them, and a
/// ListCommandInvocations for fifty every `poll_interval`.
pub(crate) async fn probe(script: &HostScript<'_>, hosts: &BTreeSet<HostId>) -> Probed {
    let mut probed = Probed::default();
    if hosts.is_empty() {
        return probed;
    }
    let HostScript { clients, fleet, settings, object: _, mode } = *script;
    // Another script might change a host, or not know how to look.
    let version = match document::check(clients, fleet, settings, mode).await {
        Ok(version) => version,
        Err(Unsendable { refusal, failure }) => {
            probed.failures.push(failure);
            let not_sent =
                |host: &HostId| (host.clone(), HostProbe::NotSent { refusal: Some(refusal.clone()) });
            probed.hosts.extend(hosts.iter().map(not_sent));
            return probed;
        }
    };
    let all: Vec<HostId> = hosts.iter().cloned().collect();
    let chunks = all.chunks(CHUNK).map(<[HostId]>::to_vec).collect();
    let mut open = send_all(script, &version, chunks, &mut probed).await;
    let deadline = Instant::now() + script.settings.command_timeout + ANSWER;
    while !open.is_empty() && Instant::now() < deadline {
        tokio::time::sleep(script.settings.poll_interval).await;
        let looks = open.into_iter().map(|command| look(script, command));
        let looks: Vec<_> = futures_util::stream::iter(looks).buffered(SIDE_BY_SIDE).collect().await;
        open = Vec::new();
        for Look { still_open, ended, failure } in looks {
            probed.hosts.extend(ended);
            if let Some(failure) = failure {
                note(&mut probed.failures, failure);
            }
            open.extend(still_open);
        }
    }
    for command in open {
        probed.hosts.extend(command.hosts.into_iter().map(|host| (host, HostProbe::NoResult)));
    }
    probed
}

/// Sends to each chunk of hosts. A chunk that is refused for one of its hosts is sent to one by one, to find it.
async fn send_all(
    script: &HostScript<'_>,
    version: &DocumentVersion,
    chunks: Vec<Vec<HostId>>,
    probed: &mut Probed,
) -> Vec<Open> {
    let mut open = Vec::new();
    let mut chunks = chunks;
    while !chunks.is_empty() {
        let sends = chunks.into_iter().map(|hosts| async move {
            // Whatever a host answers, the others are to be looked at.
            let max_errors = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
            (script.send(&hosts, max_errors, version).await, hosts)
        });
        let sent: Vec<_> = futures_util::stream::iter(sends).buffered(SIDE_BY_SIDE).collect().await;
        chunks = Vec::new();
        for (sent, hosts) in sent {
            let end = |hosts: Vec<HostId>, probe: HostProbe| {
                hosts.into_iter().map(move |host| (host, probe.clone()))
            };
            match sent {
                Sent::Accepted(id) => {
                    open.push(Open { id, hosts: hosts.into_iter().collect(), in_vain: 0 });
                }
                Sent::Refused(Refusal::InvalidInstance, _) if hosts.len() > 1 => {
                    chunks.extend(hosts.into_iter().map(|host| vec![host]));
                }
                Sent::Refused(Refusal::InvalidInstance, _) => {
                    probed.hosts.extend(end(hosts, HostProbe::nothing_ran(NothingRan::InvalidInstance)));
                }
                Sent::Refused(refusal, failure) => {
                    note(&mut probed.failures, failure);
                    probed.hosts.extend(end(hosts, HostProbe::NotSent { refusal: Some(refusal) }));
                }
                Sent::Lost(failure) => {
                    note(&mut probed.failures, failure);
                    probed.hosts.extend(end(hosts, HostProbe::NotSent { refusal: None }));
                }
            }
        }
    }
    open
}

/// What one look at a command showed.
struct Look {
    still_open: Option<Open>,
    ended: Vec<(HostId, HostProbe)>,
    failure: Option<Failure>,
}

async fn look(script: &HostScript<'_>, mut command: Open) -> Look {
    let mut ended = Vec::new();
    let mut failure = None;
    let what = || format!("cannot follow command {}", command.id);
    match script.invocations(&command.id).await {
        Ok(invocations) => {
            command.in_vain = if invocations.is_empty() { command.in_vain + 1 } else { 0 };
            for each in invocations {
                if let Some(probe) = HostProbe::of(each.progress, &each.output, each.exit_code)
                    && command.hosts.remove(&each.host)
                {
                    ended.push((each.host, probe));
                }
            }
        }
        Err(error) => {
            failure = Some(error.failure(what()));
            // What is not allowed now will not be in five seconds.
            if error.kind == AwsErrorKind::AccessDenied {
                let hosts = std::mem::take(&mut command.hosts);
                ended.extend(hosts.into_iter().map(|host| (host, HostProbe::NotFollowed)));
            }
        }
    }
    if command.in_vain >= LOOKS_IN_VAIN
        && let Ok(Some((status, details))) = script.clients.ssm.command(command.id.as_str()).await
    {
        let probe = match invocation::read_command(&status, &details) {
            CommandState::NothingRan(why) => Some(HostProbe::nothing_ran(why)),
            CommandState::Unknown(seen) => Some(HostProbe::UnknownStatus { seen }),
            // SSM's lists lag.
            CommandState::Running | CommandState::Ended => None,
        };
        if let Some(probe) = probe {
            let hosts = std::mem::take(&mut command.hosts);
            ended.extend(hosts.into_iter().map(|host| (host, probe.clone())));
        }
    }
    let still_open = (!command.hosts.is_empty()).then_some(command);
    Look { still_open, ended, failure }
}
