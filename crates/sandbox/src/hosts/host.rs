//! One pretended container instance.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use regcred_core::secret::Secret;
use serde::Serialize;

use super::{Behaviour, Cloud, HostSpec};

/// A container instance with its stub agent. All methods may be called while a script runs on it, from any thread.
pub struct Host {
    spec: HostSpec,
    #[expect(dead_code, reason = "the interface is published before what stands behind it")]
    cloud: Arc<dyn Cloud>,
}

/// What ECS knows of a host's agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentView {
    /// The ARN under which the agent is registered, or was last.
    pub container_instance_arn: String,
    /// ARNs that it had before: a restart without `ECS_DATADIR` registers anew, and ECS keeps the old ones disconnected.
    pub former_arns: Vec<String>,
    /// `agentConnected`.
    pub connected: bool,
    /// `versionInfo.agentVersion`.
    pub version: &'static str,
    /// `runningTasksCount` of `container_instance_arn`.
    pub running_tasks: u32,
    /// How often the unit was restarted since the host was made.
    pub restarts: u32,
}

/// What the agent's container was started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    pub auth_type: String,
    pub auth_data: Secret,
}

/// SSM's `PingStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Ping {
    Online,
    ConnectionLost,
}

/// What a pull of an image would present to its registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pull {
    Anonymous,
    Credential {
        username: String,
        password: Secret,
    },
    /// The agent would take one of these at random (its map's order decides).
    Random(Vec<(String, Secret)>),
    /// No agent runs.
    NoAgent,
}

/// How a script ended, as the SSM agent sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptResult {
    /// 137 when it was killed at its timeout.
    pub exit_code: i32,
    pub stdout: String,
    pub stderr: String,
    pub timed_out: bool,
}

impl Host {
    /// Makes the host (its folder, in a life with a shell) and starts its agent for the first time.
    pub fn new(spec: HostSpec, cloud: Arc<dyn Cloud>) -> io::Result<Self> {
        Ok(Self { spec, cloud })
    }

    pub fn spec(&self) -> &HostSpec {
        &self.spec
    }

    pub fn ping(&self) -> Ping {
        Ping::Online
    }

    pub fn agent(&self) -> AgentView {
        AgentView {
            container_instance_arn: String::new(),
            former_arns: Vec::new(),
            connected: false,
            version: "1.105.1",
            running_tasks: 0,
            restarts: 0,
        }
    }

    /// What the live agent was started with; `None` when it has no auth or does not run.
    pub fn loaded(&self) -> Option<Loaded> {
        None
    }

    /// What a pull of `image` would use now.
    pub fn pull(&self, image: &str) -> Pull {
        let _ = image;
        Pull::NoAgent
    }

    pub fn behaviour(&self) -> Behaviour {
        self.spec.behaviour
    }

    pub fn set_behaviour(&self, behaviour: Behaviour) {
        let _ = behaviour;
    }

    /// Lets the host's own clock run ahead, so that a slow registration ends.
    pub fn advance(&self, by: Duration) {
        let _ = by;
    }

    /// Stops the unit: the agent is gone until `start_agent`, or until a script restarts it.
    pub fn stop_agent(&self) {}

    /// Starts the unit, as a boot does: the agent reads its files anew. Counts as a restart.
    pub fn start_agent(&self) {}

    /// The host's `/etc/ecs/ecs.config` as it is now.
    pub fn config(&self) -> io::Result<Secret> {
        Ok(Secret::from(self.spec.config.as_str()))
    }

    /// Puts another `/etc/ecs/ecs.config` there by hand. Restarts nothing.
    pub fn write_config(&self, text: &str) -> io::Result<()> {
        let _ = text;
        Ok(())
    }

    /// Answers a stand-in: `tail` is the path below `/_sandbox/host/<id>/`. Never blocks on a run.
    pub fn handle(&self, tail: &str, request: &http::request::Parts, body: &[u8]) -> http::Response<Vec<u8>> {
        let _ = (tail, request, body);
        http::Response::new(Vec::new())
    }

    /// Runs a document's script, its parameters already filled in, as the SSM agent does; kills it after `timeout`.
    /// Several may run at once.
    pub async fn run(&self, script: &str, timeout: Duration) -> io::Result<ScriptResult> {
        std::future::ready((script, timeout)).await;
        Ok(ScriptResult { exit_code: 0, stdout: String::new(), stderr: String::new(), timed_out: false })
    }
}
