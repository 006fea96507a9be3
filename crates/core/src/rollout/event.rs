//! What a driver is asked to do, and what it tells of it.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::host::{ClusterName, ContainerInstanceArn, HostId};
use crate::invocation::{CommandState, Progress};
use crate::rollout::outcome::{Ending, Refusal};
use crate::stop::StopReason;

/// Hosts that ended not proven in the other fleets of a pass, and how many may, in all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Others {
    pub errors: usize,
    /// Of this fleet and the others.
    pub max_errors: u32,
}

/// SSM's id of one `SendCommand`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandId(String);

impl CommandId {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing to do now. Each but the last two is at most one page-wise call of AWS, and is answered by an [`Event`]
/// before [`super::next`] is asked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the command to these hosts, at most [`super::CHUNK`]. Say [`Event::Sending`] first, then how it went: one
    /// of [`Event::SendAccepted`], [`Event::SendRefused`], [`Event::SendLost`].
    Send {
        hosts: Vec<HostId>,
        /// SSM's own `MaxErrors`, a second fence: what is left of the fleet's.
        max_errors: u32,
    },
    /// List the command's invocations, all pages: [`Event::Polled`], empty if that failed; or [`Event::Unfollowable`].
    Poll { command: CommandId },
    /// Read the command itself, since it shows no invocations: [`Event::Inspected`].
    Inspect { command: CommandId },
    /// Describe these container instances, at most [`super::SAMPLES_PER_CALL`]: [`Event::Sampled`], with a sample for
    /// each of them.
    Sample { cluster: ClusterName, instances: Vec<Instance> },
    /// Put these attributes, at most [`super::ATTRIBUTES_PER_CALL`]: [`Event::Recorded`] or [`Event::RecordFailed`]
    /// with all the hosts.
    Record { cluster: ClusterName, attributes: Vec<Attribute> },
    /// Write this into the record of the fleet's hosts outside ECS's view, in one write: [`Event::Recorded`] or
    /// [`Event::RecordFailed`] with all the hosts.
    Note { notes: Vec<Note> },
    /// Nothing to do before this time. Then [`Event::Time`].
    Wait { until: DateTime<Utc> },
    /// The end; nothing is in flight any more.
    Done(Ending),
}

/// A host, as SSM and as ECS name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub host: HostId,
    pub arn: ContainerInstanceArn,
}

/// One attribute of one container instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    pub instance: Instance,
    pub name: &'static str,
    pub value: String,
}

/// What is recorded of one host outside ECS's view: what an [`Attribute`] would say of a container instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub host: HostId,
    pub name: &'static str,
    pub value: String,
}

/// What happened. Any event is accepted at any time; one that no longer means anything changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time has passed: whatever has taken too long is given up. To be said after each [`Step::Wait`], and before each
    /// [`super::next`] if in doubt.
    Time,
    /// The command is about to be sent to these hosts. From here on each of them counts as sent to.
    Sending {
        hosts: Vec<HostId>,
    },
    SendAccepted {
        hosts: Vec<HostId>,
        command: CommandId,
    },
    /// Nothing was sent.
    SendRefused {
        hosts: Vec<HostId>,
        refusal: Refusal,
    },
    /// No answer, a time-out or a 5xx: whether the command runs is unknown. It is never sent again.
    SendLost {
        hosts: Vec<HostId>,
    },
    Polled {
        command: CommandId,
        invocations: Vec<Invocation>,
    },
    /// Its invocations may not be listed, now or later: what becomes of its hosts cannot be learnt.
    Unfollowable {
        command: CommandId,
    },
    /// `None` if it could not be read.
    Inspected {
        command: CommandId,
        state: Option<CommandState>,
    },
    Sampled {
        samples: Vec<(HostId, Sample)>,
    },
    Recorded {
        hosts: Vec<HostId>,
    },
    /// None of the attributes is surely there. Several hosts are tried again one by one, a single one is given up.
    RecordFailed {
        hosts: Vec<HostId>,
    },
    /// The host left its cluster.
    Gone {
        host: HostId,
    },
    /// How the other fleets of the pass stand, where there is a limit for all of them. The latest counts.
    Others(Others),
    /// Nothing more may be sent. The first reason stays.
    Stopped {
        why: StopReason,
    },
}

/// A command's state on one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    pub host: HostId,
    pub progress: Progress,
    /// The plugin's output, as `ListCommandInvocations` with `Details` gives it.
    pub output: String,
    /// The plugin's `ResponseCode`.
    pub exit_code: Option<i32>,
}

/// What ECS says of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    Connected,
    Disconnected,
    /// The call failed, or did not answer for this instance.
    Unknown,
    /// `MISSING`, or status `INACTIVE` or `DEREGISTERING`.
    Gone,
}
