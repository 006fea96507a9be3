//! The stub ECS agent, with the container and the systemd unit that it runs in: a state machine over a host's files and
//! its clock. It does no I/O; what it would log is handed back.
//!
//! What it obeys is `regcred_core::agent` and, beyond that, the files of github.com/aws/amazon-ecs-agent named here.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use regcred_core::agent::env_file::CLUSTER;
use regcred_core::agent::{AuthMap, EffectiveAuth, Environment};

use super::spec::{Behaviour, HostSpec, Platform};

/// From the start of the container to the registration. No figure is published; seconds is what is normal.
const REGISTRATION: Duration = Duration::from_secs(2);

/// How long cloud-init goes on once a restart waits for it.
const CLOUD_INIT: Duration = Duration::from_secs(5);

/// The agent ends with this status when no other start could go better, among it another cluster than the one in its
/// saved state (agent/app/agent.go; `ecs-init` passes it on).
const TERMINAL_EXIT: i32 = 5;

/// The host's files that a start reads, as they were then.
pub(super) struct Files {
    pub(super) base: Option<Vec<u8>>,
    pub(super) own: Option<Vec<u8>>,
}

impl Files {
    /// `/var/lib/ecs/ecs.config`, overridden by `/etc/ecs/ecs.config` (ecs-init/docker/docker.go).
    fn environment(&self) -> Environment {
        let parse = |file: &Option<Vec<u8>>| Environment::parse(file.as_deref().unwrap_or_default());
        parse(&self.base).overridden_by(parse(&self.own))
    }
}

/// What a start or a restart leads to, besides the agent's new state: lines of its log.
pub(super) type LogLines = Vec<String>;

pub(super) struct Agent {
    platform: Platform,
    datadir: bool,
    saved_cluster: String,
    behaviour: Behaviour,
    /// The authentication that it first started with; `RejectsChangedAuth` is about any other.
    first_auth: EffectiveAuth,
    arn: Arn,
    former_arns: Vec<String>,
    running_tasks: u32,
    starts: u32,
    restarts: u32,
    deaths: u32,
    container: Option<Container>,
    unit: Unit,
    queued: Option<Duration>,
    cloud_init_running: bool,
}

struct Arn {
    prefix: String,
    seed: String,
    registrations: u32,
}

impl Arn {
    fn text(&self) -> String {
        format!("{}{}", self.prefix, hex32(&(&self.seed, self.registrations)))
    }
}

/// A container as `docker inspect` shows it: it stays when its process ends, until the next start replaces it.
pub(super) struct Container {
    pub(super) id: String,
    environment: Environment,
    datadir: bool,
}

impl Container {
    /// `Config.Env`: the file's variables, and those that ecs-init sets itself (ecs-init/docker/docker.go).
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let mut variables: Vec<_> = self
            .environment
            .names()
            .filter_map(|name| Some((name.to_owned(), self.environment.get(name)?.expose().to_owned())))
            .collect();
        if self.datadir {
            variables.push(("ECS_DATADIR".into(), "/data".into()));
        }
        variables.push(("ECS_LOGFILE".into(), "/log/ecs-agent.log".into()));
        variables.push(("ECS_AGENT_CONFIG_FILE_PATH".into(), "/etc/ecs/ecs.config.json".into()));
        variables
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    pub(super) fn auth(&self) -> EffectiveAuth {
        self.environment.auth()
    }
}

/// The unit, in systemd's words.
#[derive(Clone, Copy)]
enum Unit {
    /// The agent runs and is registered from then on, or never will be.
    Running {
        registered_at: Option<Duration>,
    },
    /// It ended and is started again every ten seconds, to end the same way.
    AutoRestart {
        exit_status: i32,
    },
    Failed {
        exit_status: i32,
    },
    Stopped,
}

/// What `systemctl show` says.
pub(super) struct UnitProperties {
    pub(super) active_state: &'static str,
    pub(super) sub_state: &'static str,
    pub(super) result: &'static str,
    pub(super) exec_main_status: i32,
    pub(super) restarts: u32,
    pub(super) has_job: bool,
}

impl Agent {
    /// The agent of a host that has just booted: registered, whatever the faults that await a restart.
    pub(super) fn boot(spec: &HostSpec, files: &Files) -> (Self, LogLines) {
        let environment = files.environment();
        let partition = if spec.region.starts_with("cn-") { "aws-cn" } else { "aws" };
        let HostSpec { id, account, region, cluster, .. } = spec;
        let mut agent = Self {
            platform: spec.platform,
            datadir: spec.datadir,
            saved_cluster: cluster.clone(),
            behaviour: spec.behaviour,
            first_auth: environment.auth(),
            arn: Arn {
                prefix: format!("arn:{partition}:ecs:{region}:{account}:container-instance/{cluster}/"),
                seed: format!("{account}/{region}/{id}"),
                registrations: 1,
            },
            former_arns: Vec::new(),
            running_tasks: spec.tasks_running,
            starts: 1,
            restarts: 0,
            deaths: 0,
            container: None,
            unit: Unit::Running { registered_at: Some(Duration::ZERO) },
            queued: None,
            cloud_init_running: spec.cloud_init_running,
        };
        agent.create_container(environment);
        let lines = agent.start_lines();
        (agent, lines)
    }

    /// Lets a queued restart happen whose time has come. Call it before every look.
    pub(super) fn settle(&mut self, now: Duration, files: impl FnOnce() -> Files) -> LogLines {
        match self.queued {
            Some(at) if at <= now => {
                self.queued = None;
                self.cloud_init_running = false;
                self.restart(at, &files())
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// `systemctl restart --no-block`, while cloud-init runs: the unit is started after cloud-final.service.
    pub(super) fn queue_restart(&mut self, now: Duration) {
        self.queued = Some(if self.cloud_init_running { now + CLOUD_INIT } else { now });
    }

    /// `systemctl restart`, or a boot's start.
    pub(super) fn restart(&mut self, now: Duration, files: &Files) -> LogLines {
        self.restarts += 1;
        if self.behaviour == Behaviour::RestartKeepsOldEnvironment {
            return Vec::new();
        }
        self.starts += 1;
        self.container = None;
        let environment = files.environment();
        if !environment.start_faults().is_empty() {
            // The container cannot be created, and so ecs-init fails.
            self.end(1);
            return Vec::new();
        }
        // An operator's program may give it to `docker run` beside the file.
        let is_given = self.platform == Platform::PlainDocker && environment.get(CLUSTER).is_none();
        let cluster = if is_given { self.saved_cluster.clone() } else { environment.cluster().to_owned() };
        self.create_container(environment);
        if let Behaviour::UnitDies { restarts, exit_status } = self.behaviour
            && self.deaths < restarts
        {
            self.deaths += 1;
            self.end(exit_status);
            return Vec::new();
        }
        // agent/app/agent.go: the saved cluster must be the configured one.
        if cluster != self.saved_cluster {
            self.end(TERMINAL_EXIT);
            let saved = &self.saved_cluster;
            return vec![log_line(
                "critical",
                &format!(
                    "Data mismatch; saved cluster '{saved}' does not match configured cluster '{cluster}'"
                ),
            )];
        }
        let lines = self.start_lines();
        if !self.datadir {
            // No checkpoint: another instance registers, and the tasks are nobody's.
            self.former_arns.push(self.arn.text());
            self.arn.registrations += 1;
            self.running_tasks = 0;
        }
        let registered_at = match self.behaviour {
            Behaviour::AgentNeverReturns => None,
            Behaviour::RegistersSlowly { seconds } => Some(now + Duration::from_secs(seconds.into())),
            Behaviour::Normal
            | Behaviour::Offline
            | Behaviour::NoSsmAgent
            | Behaviour::UnitDies { .. }
            | Behaviour::RestartKeepsOldEnvironment
            | Behaviour::RejectsChangedAuth
            | Behaviour::ScriptBreaks { .. } => Some(now + REGISTRATION),
        };
        self.unit = Unit::Running { registered_at };
        lines
    }

    /// `systemctl stop`: the agent exits with 0.
    pub(super) fn stop(&mut self) {
        self.unit = Unit::Stopped;
    }

    pub(super) fn set_behaviour(&mut self, behaviour: Behaviour) {
        self.behaviour = behaviour;
        self.deaths = 0;
    }

    pub(super) fn behaviour(&self) -> Behaviour {
        self.behaviour
    }

    /// Whether introspection answers, and ECS sees the agent connected.
    pub(super) fn is_registered(&self, now: Duration) -> bool {
        matches!(self.unit, Unit::Running { registered_at: Some(at) } if at <= now)
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.unit, Unit::Running { .. })
    }

    /// What its pulls use: none of it, if the agent does not take the value.
    pub(super) fn used_auth(&self) -> Option<EffectiveAuth> {
        let auth = self.container.as_ref().filter(|_| self.is_running())?.auth();
        let is_rejected = self.behaviour == Behaviour::RejectsChangedAuth && auth != self.first_auth;
        Some(if is_rejected { EffectiveAuth::none() } else { auth })
    }

    pub(super) fn container(&self) -> Option<&Container> {
        self.container.as_ref()
    }

    pub(super) fn arn(&self) -> String {
        self.arn.text()
    }

    pub(super) fn former_arns(&self) -> &[String] {
        &self.former_arns
    }

    pub(super) fn cluster(&self) -> &str {
        &self.saved_cluster
    }

    pub(super) fn running_tasks(&self) -> u32 {
        self.running_tasks
    }

    pub(super) fn restarts(&self) -> u32 {
        self.restarts
    }

    pub(super) fn cloud_init_running(&self) -> bool {
        self.cloud_init_running
    }

    pub(super) fn unit(&self) -> UnitProperties {
        let (active_state, sub_state, result, exec_main_status) = match self.unit {
            Unit::Running { .. } => ("active", "running", "success", 0),
            Unit::AutoRestart { exit_status } => ("activating", "auto-restart", "exit-code", exit_status),
            Unit::Failed { exit_status } => ("failed", "failed", "exit-code", exit_status),
            Unit::Stopped => ("inactive", "dead", "success", 0),
        };
        let restarts = if matches!(self.unit, Unit::AutoRestart { .. }) { 3 } else { 0 };
        UnitProperties {
            active_state,
            sub_state,
            result,
            exec_main_status,
            restarts,
            has_job: self.queued.is_some(),
        }
    }

    fn create_container(&mut self, environment: Environment) {
        let id = format!("{0}{0}", hex32(&(&self.arn.seed, self.starts)));
        self.container = Some(Container { id, environment, datadir: self.datadir });
    }

    /// The agent ends with a status; what systemd does then is the unit's `Restart=`: on-failure but for 5 in the Amazon
    /// Linux and rpm packages, on-failure in the deb, none in SUSE's; upstart's job of Amazon Linux 1 has no `respawn`
    /// (packaging/). A `docker run` of an operator's own is taken to have `--restart=on-failure`.
    fn end(&mut self, exit_status: i32) {
        let is_started_again = match self.platform {
            Platform::AmazonLinux2023
            | Platform::AmazonLinux2
            | Platform::Rhel
            | Platform::EcsAnywhere
            | Platform::Bottlerocket
            | Platform::Windows
            | Platform::ManagedInstances => exit_status != TERMINAL_EXIT,
            Platform::Ubuntu | Platform::PlainDocker => true,
            Platform::Suse | Platform::AmazonLinux1 => false,
        };
        self.unit = match exit_status {
            0 => Unit::Stopped,
            _ if is_started_again => Unit::AutoRestart { exit_status },
            _ => Unit::Failed { exit_status },
        };
    }

    /// What agent/app/agent.go logs first, and then agent/dockerclient/dockerauth/dockerauth.go when the agent makes its
    /// Docker client.
    fn start_lines(&self) -> LogLines {
        let mut lines = vec![log_line("info", "Starting Amazon ECS Agent")];
        let Some(container) = &self.container else { return lines };
        let auth = container.auth();
        let map = AuthMap::read(&auth);
        lines.extend(map.warnings().iter().filter_map(|warning| Some(log_line("warn", &warning.logged()?))));
        if self.behaviour == Behaviour::RejectsChangedAuth && auth != self.first_auth && lines.len() == 1 {
            lines.push(log_line("warn", "Could not parse 'dockercfg' type auth config"));
        }
        lines
    }
}

fn log_line(level: &str, message: &str) -> String {
    format!("level={level} msg=\"{message}\"")
}

/// Thirty-two hexadecimal digits that always come of the same value.
fn hex32(value: &impl Hash) -> String {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, value).hash(&mut hasher);
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(0), half(1))
}
