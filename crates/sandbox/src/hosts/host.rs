//! One pretended container instance.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use regcred_core::agent::{AuthMap, AuthSetting, EffectiveAuth};
use regcred_core::secret::Secret;
use serde::Serialize;

use super::agent::{Agent, Files, LogLines};
use super::clock::Clock;
use super::cloud::{Fetch, FetchRefusal, Object, RoleCredentials};
use super::disk::{AGENT_LOG, BASE_CONFIG, CONFIG, Disk, ENV_FILE, OS_RELEASE};
use super::memory::Memory;
use super::shell::ShellLife;
use super::spec::{Behaviour, HostSpec, Life, Platform};
use super::{Cloud, lock, memory, stand_ins};

/// A container instance with its stub agent. All methods may be called while a script runs on it, from any thread.
pub struct Host {
    spec: HostSpec,
    cloud: Arc<dyn Cloud>,
    clock: Clock,
    disk: Disk,
    agent: Mutex<Agent>,
    acts: Mutex<Vec<String>>,
    pretence: Pretence,
}

/// What a life needs besides the agent and the files.
enum Pretence {
    Shell(ShellLife),
    Memory(Mutex<Memory>),
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
    pub version: String,
    /// `runningTasksCount` of `container_instance_arn`.
    pub running_tasks: u32,
    /// How often the unit was restarted since the host was made.
    pub restarts: u32,
}

/// SSM's `PingStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Ping {
    Online,
    ConnectionLost,
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
        let (disk, pretence) = match spec.life {
            Life::Shell => {
                let shell = ShellLife::new(&spec)?;
                (Disk::in_folder(shell.root())?, Pretence::Shell(shell))
            }
            Life::Memory => (Disk::in_memory(), Pretence::Memory(Mutex::default())),
        };
        disk.write(config_file(spec.platform), spec.first_config().as_bytes())?;
        match spec.platform {
            // scripts/ecs-anywhere-install.sh of the agent's repository writes these two lines.
            Platform::EcsAnywhere => {
                let base = format!("AWS_DEFAULT_REGION={}\nECS_EXTERNAL=true\n", spec.region);
                disk.write(BASE_CONFIG, base.as_bytes())?;
            }
            Platform::Bottlerocket => disk.write(OS_RELEASE, b"NAME=Bottlerocket\nID=bottlerocket\n")?,
            Platform::AmazonLinux2023
            | Platform::AmazonLinux2
            | Platform::Ubuntu
            | Platform::Rhel
            | Platform::Suse
            | Platform::AmazonLinux1
            | Platform::PlainDocker
            | Platform::Windows
            | Platform::ManagedInstances => {}
        }
        let (agent, lines) = Agent::boot(&spec, &files(&disk, spec.platform));
        for line in lines {
            disk.append_line(AGENT_LOG, &line)?;
        }
        let (agent, acts) = (Mutex::new(agent), Mutex::default());
        Ok(Self { spec, cloud, clock: Clock::new(), disk, agent, acts, pretence })
    }

    pub fn spec(&self) -> &HostSpec {
        &self.spec
    }

    pub fn ping(&self) -> Ping {
        match self.behaviour() {
            Behaviour::Offline | Behaviour::NoSsmAgent => Ping::ConnectionLost,
            Behaviour::Normal
            | Behaviour::AgentNeverReturns
            | Behaviour::RegistersSlowly { .. }
            | Behaviour::UnitDies { .. }
            | Behaviour::RestartKeepsOldEnvironment
            | Behaviour::RejectsChangedAuth
            | Behaviour::ScriptBreaks { .. } => Ping::Online,
        }
    }

    /// Whether SSM knows it.
    pub fn is_managed_node(&self) -> bool {
        self.spec.platform != Platform::ManagedInstances && self.behaviour() != Behaviour::NoSsmAgent
    }

    pub fn agent(&self) -> AgentView {
        let now = self.clock.now();
        self.with_agent(|agent| AgentView {
            container_instance_arn: agent.arn(),
            former_arns: agent.former_arns().to_vec(),
            connected: agent.is_registered(now),
            version: self.spec.agent_version.clone(),
            running_tasks: agent.running_tasks(),
            restarts: agent.restarts(),
        })
    }

    /// What the running agent was started with; `None` when it has no auth type or does not run.
    pub fn loaded(&self) -> Option<EffectiveAuth> {
        self.with_agent(|agent| {
            let auth = agent.container().filter(|_| agent.is_running())?.auth();
            (*auth.auth_type() != AuthSetting::Off).then_some(auth)
        })
    }

    /// What pulls use now; `None` when no agent runs.
    pub fn pulls_with(&self) -> Option<AuthMap> {
        self.with_agent(|agent| agent.used_auth().map(|auth| AuthMap::read(&auth)))
    }

    pub fn behaviour(&self) -> Behaviour {
        lock(&self.agent).behaviour()
    }

    pub fn set_behaviour(&self, behaviour: Behaviour) {
        lock(&self.agent).set_behaviour(behaviour);
    }

    /// Lets the host's own clock run ahead, so that a slow registration ends.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Stops the unit: the agent is gone until `start_agent`, or until a script restarts it.
    pub fn stop_agent(&self) {
        self.with_agent(Agent::stop);
    }

    /// Starts the unit, as a boot or `systemctl restart` does: the agent reads its files anew. Counts as a restart.
    pub fn start_agent(&self) {
        let now = self.clock.now();
        self.with_agent_logging(|agent| agent.restart(now, &files(&self.disk, self.spec.platform)));
    }

    /// The commands by which whoever starts the agent was asked to do something, in their order; in a life with a shell.
    pub fn acts(&self) -> Vec<String> {
        lock(&self.acts).clone()
    }

    pub(super) fn note_act(&self, command: String) {
        lock(&self.acts).push(command);
    }

    /// The file that the agent takes its variables from, as it is now: `/etc/ecs/ecs.config`, but on plain Docker.
    pub fn config(&self) -> Option<Secret> {
        let content = self.disk.read(self.config_file())?;
        Some(Secret::new(String::from_utf8_lossy(&content).into_owned()))
    }

    /// Puts another such file there by hand. Restarts nothing.
    pub fn write_config(&self, content: &[u8]) -> io::Result<()> {
        self.disk.write(self.config_file(), content)
    }

    /// The folder that is the host's root, in a life with a shell.
    pub fn root(&self) -> Option<&Path> {
        match &self.disk {
            Disk::Folder(root) => Some(root),
            Disk::Memory(_) => None,
        }
    }

    /// Answers a stand-in: `tail` is the path below `/_sandbox/host/<id>/`. Never waits for a run.
    pub fn handle(&self, tail: &str, request: &http::request::Parts, body: &[u8]) -> http::Response<Vec<u8>> {
        stand_ins::answer(self, tail, request, body)
    }

    /// Runs a document's script, its parameters already filled in, as the SSM agent does; kills it after `timeout`.
    /// Several may run at once.
    pub async fn run(&self, script: &str, timeout: Duration) -> io::Result<ScriptResult> {
        if let Behaviour::ScriptBreaks { exit_code } = self.behaviour() {
            let stderr = "sh: cannot fork: Resource temporarily unavailable\n".to_owned();
            return Ok(ScriptResult { exit_code, stdout: String::new(), stderr, timed_out: false });
        }
        let _script_time = self.clock.script();
        match &self.pretence {
            Pretence::Shell(shell) => shell.run(self, script, timeout).await,
            Pretence::Memory(memory) => Ok(memory::run(self, &mut lock(memory), script)),
        }
    }

    pub(super) fn queue_restart(&self) {
        let now = self.clock.now();
        self.with_agent(|agent| agent.queue_restart(now));
    }

    pub(super) fn config_file(&self) -> &'static str {
        config_file(self.spec.platform)
    }

    /// What ecs-init reads before that file. Nobody else does.
    pub(super) fn base_config(&self) -> Option<Vec<u8>> {
        files(&self.disk, self.spec.platform).base
    }

    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    pub(super) fn cloud(&self) -> &dyn Cloud {
        &*self.cloud
    }

    pub(super) fn mint_credentials(&self) -> RoleCredentials {
        self.cloud.mint_credentials(&self.spec.account, &self.spec.role)
    }

    pub(super) fn get_object(&self, region: &str, bucket: &str, key: &str) -> Result<Object, FetchRefusal> {
        let HostSpec { account, role, .. } = &self.spec;
        self.cloud.get_object(&Fetch { account, region, role, bucket, key })
    }

    /// A look at the agent as it is now, a queued restart that is due included.
    pub(super) fn with_agent<T>(&self, look: impl FnOnce(&mut Agent) -> T) -> T {
        let mut agent = lock(&self.agent);
        let lines = agent.settle(self.clock.now(), || files(&self.disk, self.spec.platform));
        self.log(&lines);
        look(&mut agent)
    }

    fn with_agent_logging(&self, act: impl FnOnce(&mut Agent) -> LogLines) {
        let lines = self.with_agent(act);
        self.log(&lines);
    }

    fn log(&self, lines: &LogLines) {
        for line in lines {
            // A full disk loses the line, as it does the agent's.
            let _ = self.disk.append_line(AGENT_LOG, line);
        }
    }
}

fn config_file(platform: Platform) -> &'static str {
    match platform {
        Platform::PlainDocker => ENV_FILE,
        Platform::AmazonLinux2023
        | Platform::AmazonLinux2
        | Platform::Ubuntu
        | Platform::Rhel
        | Platform::Suse
        | Platform::EcsAnywhere
        | Platform::AmazonLinux1
        | Platform::Bottlerocket
        | Platform::Windows
        | Platform::ManagedInstances => CONFIG,
    }
}

fn files(disk: &Disk, platform: Platform) -> Files {
    let own = config_file(platform);
    Files { base: (own == CONFIG).then(|| disk.read(BASE_CONFIG)).flatten(), own: disk.read(own) }
}
