//! The life in memory: what deploy/ssm/refresh.sh does, said again in Rust over the same stub agent.
//!
//! It is no second product: a test runs one table over both lives and holds outcomes, files and restarts equal. The steps
//! bear the names of the script's functions, in its order.

use std::time::Duration;

use regcred_core::agent::Environment;
use regcred_core::agent::env_file::{
    CLUSTER, ENGINE_AUTH_DATA, ENGINE_AUTH_TYPE, MAX_VARIABLE_BYTES, assignment,
};
use regcred_core::host::ContainerInstanceArn;
use regcred_core::script::{
    AgentState, Agreement, AuthSource, AuthWarnings, Outcome, ProbeReport, Reason, ScriptReport, VersionId,
};
use regcred_core::secret::Secret;

use super::cloud::FetchRefusal;
use super::disk::AGENT_LOG;
use super::host::{Host, ScriptResult};
use super::spec::Platform;

/// `answer_wait` and `verify_wait` of the script, in seconds.
const ANSWER_WAIT: u32 = 60;
const VERIFY_WAIT: u32 = 120;

/// `size_limit` of the script.
const SIZE_LIMIT: usize = 1_000_000;

/// What the script keeps in `/var/lib/regcred`.
#[derive(Default)]
pub(super) struct Memory {
    failed: Option<String>,
    trial: Option<Trial>,
}

struct Trial {
    version: Option<String>,
    arn: String,
    log_size: usize,
    previous: Vec<u8>,
}

/// Runs the script that SSM would run, which is told by the parameters in front of it.
pub(super) fn run(host: &Host, memory: &mut Memory, script: &str) -> ScriptResult {
    let mut run = Run { host, memory, version: None, arn: None, restarted_at: None, waited: 0 };
    let end = match Parameters::read(script) {
        Some(parameters) if parameters.mode == Mode::Probe => match run.probe(&parameters) {
            Ok(report) => return result(0, &report.to_line()),
            Err(end) => end,
        },
        Some(parameters) => run.refresh(&parameters),
        None => End(Outcome::Failed, Some(Reason::BadParameter)),
    };
    let report = run.report(end);
    result(exit_code(report.outcome), &report.to_line())
}

fn result(exit_code: i32, line: &str) -> ScriptResult {
    ScriptResult { exit_code, stdout: format!("{line}\n"), stderr: String::new(), timed_out: false }
}

/// The script's `finish`.
fn exit_code(outcome: Outcome) -> i32 {
    match outcome {
        Outcome::Loaded | Outcome::Unchanged | Outcome::Busy | Outcome::Tried => 0,
        Outcome::Refused => 10,
        Outcome::Unproven => 11,
        Outcome::Restored => 12,
        Outcome::Failed => 13,
    }
}

struct Parameters<'a> {
    bucket: &'a str,
    key: &'a str,
    region: &'a str,
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Apply,
    RetryFailed,
    Probe,
}

impl<'a> Parameters<'a> {
    /// From the assignments that the document writes in front of the script.
    fn read(script: &'a str) -> Option<Self> {
        let value = |name: &str| {
            script.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("='")?.strip_suffix('\''))
        };
        Some(Self {
            bucket: value("REGCRED_BUCKET").filter(|bucket| !bucket.is_empty())?,
            key: value("REGCRED_KEY").filter(|key| !key.is_empty())?,
            region: value("REGCRED_REGION").filter(|region| !region.is_empty())?,
            mode: match value("REGCRED_MODE")? {
                "apply" => Mode::Apply,
                "retry-failed" => Mode::RetryFailed,
                "probe" => Mode::Probe,
                _ => return None,
            },
        })
    }
}

/// How a run ends.
struct End(Outcome, Option<Reason>);

/// The two auth lines' values, where there are such lines.
#[derive(Clone, PartialEq, Eq, Default)]
struct AuthLines {
    auth_type: Option<Secret>,
    auth_data: Option<Secret>,
}

impl AuthLines {
    fn of(environment: &Environment) -> Self {
        Self {
            auth_type: environment.get(ENGINE_AUTH_TYPE).cloned(),
            auth_data: environment.get(ENGINE_AUTH_DATA).cloned(),
        }
    }

    fn in_file(file: &[u8]) -> Self {
        Self::of(&Environment::parse(file))
    }

    fn count(&self) -> usize {
        usize::from(self.auth_type.is_some()) + usize::from(self.auth_data.is_some())
    }

    fn get(&self, name: &str) -> Option<&Secret> {
        match name {
            ENGINE_AUTH_TYPE => self.auth_type.as_ref(),
            ENGINE_AUTH_DATA => self.auth_data.as_ref(),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waited {
    Registered,
    NotYet,
    Dead,
}

struct Run<'a> {
    host: &'a Host,
    memory: &'a mut Memory,
    version: Option<String>,
    arn: Option<String>,
    /// How long it had waited when it first restarted the agent.
    restarted_at: Option<u32>,
    waited: u32,
}

impl Run<'_> {
    fn report(&self, End(outcome, reason): End) -> ScriptReport {
        ScriptReport {
            outcome,
            reason,
            version_id: self.version.as_deref().map(VersionId::new),
            container_instance_arn: self.arn.as_deref().map(ContainerInstanceArn::new),
            restarted: Some(self.restarted_at.is_some()),
            seconds: self.restarted_at.map(|at| u64::from(self.waited - at)),
            detail: None,
        }
    }

    fn refresh(&mut self, parameters: &Parameters<'_>) -> End {
        self.try_refresh(parameters).unwrap_or_else(|end| end)
    }

    fn try_refresh(&mut self, parameters: &Parameters<'_>) -> Result<End, End> {
        self.find_manager()?;
        self.meet_agent()?;
        let object = self.fetch_object(parameters)?;
        let wanted = read_object(&object)?;
        let live = self.live().ok_or_else(|| refused(Reason::NoAgent))?;
        if live == wanted {
            return self.confirm(&wanted);
        }
        if parameters.mode == Mode::Apply && self.version.is_some() && self.memory.failed == self.version {
            return self.decline(&wanted);
        }
        self.attempt(&wanted, &live)
    }

    /// The script's function of this name.
    fn probe(&mut self, parameters: &Parameters<'_>) -> Result<ProbeReport, End> {
        self.find_manager()?;
        let agent = if self.host.agent().connected {
            self.arn = Some(self.host.agent().container_instance_arn);
            AgentState::Registered
        } else if self.unit_is_dead() {
            AgentState::Dead
        } else {
            AgentState::Silent
        };
        let live = if agent == AgentState::Dead { None } else { self.live() };
        let own = self.host.disk().read(self.host.config_file()).unwrap_or_default();
        let base = self.host.base_config().unwrap_or_default();
        let file = AuthLines::of(&Environment::parse(&base).overridden_by(Environment::parse(&own)));
        let object = self.fetch_object(parameters).and_then(|object| read_object(&object));
        let reason = object.as_ref().err().and_then(|End(_, reason)| reason.clone());
        let object = object.ok();
        let is_registered = agent == AgentState::Registered;
        Ok(ProbeReport {
            version_id: self.version.as_deref().map(VersionId::new),
            container_instance_arn: self.arn.as_deref().map(ContainerInstanceArn::new),
            cluster: is_registered.then(|| self.host.with_agent(|agent| agent.cluster().to_owned())),
            agent,
            agent_version: is_registered.then(|| self.host.agent().version),
            object_and_live: agreement(object.as_ref(), live.as_ref()),
            object_and_file: agreement(object.as_ref(), Some(&file)),
            file_and_live: agreement(Some(&file), live.as_ref()),
            source: match (AuthLines::in_file(&own).count(), file.count()) {
                (_, 0) => AuthSource::None,
                (own, pair) if own == pair => AuthSource::Etc,
                (0, _) => AuthSource::Var,
                _ => AuthSource::Both,
            },
            warnings: self.logged_warnings(),
            reason,
            detail: None,
        })
    }

    fn logged_warnings(&self) -> AuthWarnings {
        let log = self.host.disk().read(AGENT_LOG).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        match log.rfind("Starting Amazon ECS Agent") {
            None if warns(&log) => AuthWarnings::Warned,
            None => AuthWarnings::Unknown,
            Some(start) if warns(&log[start..]) => AuthWarnings::Warned,
            Some(_) => AuthWarnings::None,
        }
    }

    fn unit_is_dead(&self) -> bool {
        let unit = self.host.with_agent(|agent| agent.unit());
        matches!(unit.active_state, "failed" | "inactive") && !unit.has_job
    }

    fn find_manager(&self) -> Result<(), End> {
        match self.host.spec().platform {
            Platform::AmazonLinux2023
            | Platform::AmazonLinux2
            | Platform::Ubuntu
            | Platform::Rhel
            | Platform::Suse
            | Platform::EcsAnywhere
            | Platform::AmazonLinux1
            | Platform::PlainDocker => Ok(()),
            Platform::Bottlerocket | Platform::Windows | Platform::ManagedInstances => {
                Err(refused(Reason::UnsupportedPlatform))
            }
        }
    }

    fn meet_agent(&mut self) -> Result<(), End> {
        let waited = self.await_agent(ANSWER_WAIT, None);
        let Some(trial) = &self.memory.trial else {
            return match waited {
                Waited::Registered => {
                    self.arn = Some(self.host.agent().container_instance_arn);
                    Ok(())
                }
                Waited::NotYet => Err(refused(Reason::NoIntrospection)),
                Waited::Dead => Err(refused(Reason::NoAgent)),
            };
        };
        if waited == Waited::Registered {
            self.arn = Some(self.host.agent().container_instance_arn);
            return Ok(());
        }
        self.version = trial.version.clone();
        self.arn = Some(trial.arn.clone());
        if waited == Waited::NotYet {
            return Err(End(Outcome::Unproven, Some(Reason::NoIntrospection)));
        }
        let previous = self.keep_previous(&self.config()?, &AuthLines::default());
        Err(self.restore(&previous, Reason::UnitDead))
    }

    fn fetch_object(&mut self, parameters: &Parameters<'_>) -> Result<Secret, End> {
        let &Parameters { bucket, key, region, mode: _ } = parameters;
        let object = self.host.get_object(region, bucket, key).map_err(|refusal| {
            failed(match refusal {
                FetchRefusal::Denied => Reason::FetchDenied,
                FetchRefusal::NotFound => Reason::FetchNotFound,
                FetchRefusal::Failed => Reason::FetchFailed,
            })
        })?;
        self.version = object.version_id.filter(|version| version != "null");
        Ok(object.body)
    }

    fn confirm(&mut self, wanted: &AuthLines) -> Result<End, End> {
        if self.agent_warned() {
            let previous = self.keep_previous(&self.config()?, wanted);
            return Ok(self.restore(&previous, Reason::AuthWarning));
        }
        let config = self.config()?;
        if AuthLines::in_file(&config) != *wanted {
            self.put_config(&with_auth_lines(wanted, &config))?;
        }
        self.memory.trial = None;
        self.memory.failed = None;
        Ok(End(Outcome::Unchanged, None))
    }

    fn decline(&mut self, wanted: &AuthLines) -> Result<End, End> {
        if self.memory.trial.is_some() {
            let config = self.config()?;
            if AuthLines::in_file(&config) == *wanted {
                self.put_config(&self.keep_previous(&config, wanted))?;
            }
            self.memory.trial = None;
        }
        Ok(End(Outcome::Tried, None))
    }

    /// The script's `try`.
    fn attempt(&mut self, wanted: &AuthLines, live: &AuthLines) -> Result<End, End> {
        let config = self.config()?;
        if config.contains(&0) {
            return Err(refused(Reason::ConfigInvalid));
        }
        self.guard_cluster(&config)?;
        self.guard_tasks()?;
        let arn = self.arn.clone().unwrap_or_default();
        let previous = self.keep_previous(&config, live);
        let log_size = self.host.disk().read(AGENT_LOG).map_or(0, |log| log.len());
        self.memory.trial = Some(Trial {
            version: self.version.clone(),
            arn: arn.clone(),
            log_size,
            previous: previous.clone(),
        });
        if AuthLines::in_file(&config) != *wanted {
            self.put_config(&with_auth_lines(wanted, &config))?;
        }
        match self.restart_and_wait() {
            Waited::Registered => {}
            Waited::NotYet => return Ok(End(Outcome::Unproven, Some(Reason::NoIntrospection))),
            Waited::Dead => return Ok(self.restore(&previous, Reason::UnitDead)),
        }
        if self.host.agent().container_instance_arn != arn {
            return Ok(End(Outcome::Unproven, Some(Reason::ArnChanged)));
        }
        if self.live().as_ref() != Some(wanted) {
            return Ok(self.restore(&previous, Reason::EnvDiffers));
        }
        self.sleep();
        if self.agent_warned() {
            return Ok(self.restore(&previous, Reason::AuthWarning));
        }
        self.memory.trial = None;
        self.memory.failed = None;
        Ok(End(Outcome::Loaded, None))
    }

    fn restore(&mut self, previous: &[u8], reason: Reason) -> End {
        if self.version.is_some() {
            self.memory.failed.clone_from(&self.version);
        }
        if let Err(end) = self.put_config(previous) {
            return end;
        }
        let waited = self.restart_and_wait();
        if waited == Waited::Registered && Some(self.host.agent().container_instance_arn) == self.arn {
            self.memory.trial = None;
            return End(Outcome::Restored, Some(reason));
        }
        failed(Reason::RestoreFailed)
    }

    fn restart_and_wait(&mut self) -> Waited {
        self.restarted_at.get_or_insert(self.waited);
        let old = if self.host.with_agent(|agent| agent.cloud_init_running()) {
            let old = self.container_id();
            self.host.queue_restart();
            old
        } else {
            self.host.start_agent();
            None
        };
        self.await_agent(VERIFY_WAIT, old.as_deref())
    }

    fn await_agent(&mut self, seconds: u32, old_container: Option<&str>) -> Waited {
        for second in 0..=seconds {
            if self.host.agent().connected && self.container_id().as_deref() != old_container {
                return Waited::Registered;
            }
            if self.unit_is_dead() {
                return Waited::Dead;
            }
            if second < seconds {
                self.sleep();
            }
        }
        // The script's `unit_loops`.
        let unit = self.host.with_agent(|agent| agent.unit());
        if unit.sub_state == "auto-restart" || unit.restarts > 0 { Waited::Dead } else { Waited::NotYet }
    }

    fn sleep(&mut self) {
        self.waited += 1;
        self.host.advance(Duration::from_secs(1));
    }

    fn container_id(&self) -> Option<String> {
        self.host.with_agent(|agent| agent.container().map(|container| container.id.clone()))
    }

    fn live(&self) -> Option<AuthLines> {
        self.host.with_agent(|agent| Some(AuthLines::of(agent.container()?.environment())))
    }

    fn config(&self) -> Result<Vec<u8>, End> {
        self.host.disk().read(self.host.config_file()).ok_or_else(|| refused(Reason::NoConfig))
    }

    fn put_config(&self, content: &[u8]) -> Result<(), End> {
        self.host.disk().write(self.host.config_file(), content).map_err(|_| failed(Reason::WriteFailed))
    }

    fn guard_cluster(&self, config: &[u8]) -> Result<(), End> {
        let base = self.host.base_config().unwrap_or_default();
        let configured = Environment::parse(&base).overridden_by(Environment::parse(config));
        // What the operator's program adds to its `docker run` is in no file.
        if self.host.spec().platform == Platform::PlainDocker && configured.get(CLUSTER).is_none() {
            return Ok(());
        }
        if self.host.with_agent(|agent| agent.cluster() == configured.cluster()) {
            Ok(())
        } else {
            Err(refused(Reason::ClusterMismatch))
        }
    }

    fn guard_tasks(&self) -> Result<(), End> {
        if !self.host.spec().datadir && self.host.agent().running_tasks > 0 {
            return Err(refused(Reason::NoDatadir));
        }
        Ok(())
    }

    fn keep_previous(&self, config: &[u8], live: &AuthLines) -> Vec<u8> {
        let known_good = match &self.memory.trial {
            Some(trial) => {
                let none = AuthLines::default();
                if with_auth_lines(&none, &trial.previous) == with_auth_lines(&none, config) {
                    return trial.previous.clone();
                }
                AuthLines::in_file(&trial.previous)
            }
            None => live.clone(),
        };
        if AuthLines::in_file(config) == known_good {
            config.to_vec()
        } else {
            with_auth_lines(&known_good, config)
        }
    }

    fn agent_warned(&self) -> bool {
        let Some(trial) = &self.memory.trial else { return false };
        let log = self.host.disk().read(AGENT_LOG).unwrap_or_default();
        warns(&String::from_utf8_lossy(log.get(trial.log_size..).unwrap_or_default()))
    }
}

fn warns(log: &str) -> bool {
    ["Could not parse", "Malformed auth data", "Unknown auth configuration"]
        .iter()
        .any(|warning| log.contains(warning))
}

/// The script's function of this name.
fn agreement(one: Option<&AuthLines>, other: Option<&AuthLines>) -> Agreement {
    match (one, other) {
        (Some(one), Some(other)) if one == other => Agreement::Same,
        (Some(_), Some(_)) => Agreement::Differs,
        _ => Agreement::Unknown,
    }
}

fn refused(reason: Reason) -> End {
    End(Outcome::Refused, Some(reason))
}

fn failed(reason: Reason) -> End {
    End(Outcome::Failed, Some(reason))
}

fn read_object(object: &Secret) -> Result<AuthLines, End> {
    let text = object.expose();
    let lines = AuthLines::in_file(text.as_bytes());
    let is_whole = |name, value: &Option<Secret>| {
        value.as_ref().is_some_and(|value| name_and_value_bytes(name, value) < MAX_VARIABLE_BYTES)
    };
    let is_valid = text.len() <= SIZE_LIMIT
        && !text.contains('\0')
        && is_whole(ENGINE_AUTH_TYPE, &lines.auth_type)
        && is_whole(ENGINE_AUTH_DATA, &lines.auth_data)
        && lines
            .auth_type
            .as_ref()
            .is_some_and(|auth_type| matches!(auth_type.expose().trim(), "docker" | "dockercfg"))
        && lines.auth_data.as_ref().is_some_and(|data| {
            let inside = data.expose().trim_start().strip_prefix('{').and_then(|data| data.strip_suffix('}'));
            inside.is_some_and(|inside| inside.trim_start().starts_with('"'))
        });
    if is_valid { Ok(lines) } else { Err(failed(Reason::ObjectInvalid)) }
}

fn name_and_value_bytes(name: &str, value: &Secret) -> usize {
    name.len() + 1 + value.len()
}

/// The script's function of this name.
fn with_auth_lines(lines: &AuthLines, file: &[u8]) -> Vec<u8> {
    let mut missing = vec![ENGINE_AUTH_TYPE, ENGINE_AUTH_DATA];
    let mut content = Vec::with_capacity(file.len());
    let put = |content: &mut Vec<u8>, name: &str| {
        if let Some(value) = lines.get(name) {
            content.extend_from_slice(format!("{name}={}\n", value.expose()).as_bytes());
        }
    };
    let whole = file.strip_suffix(b"\n").unwrap_or(file);
    let own: Vec<&[u8]> =
        if file.is_empty() { Vec::new() } else { whole.split(|&byte| byte == b'\n').collect() };
    for line in own {
        let text = String::from_utf8_lossy(line);
        if let Some((name @ (ENGINE_AUTH_TYPE | ENGINE_AUTH_DATA), _)) = assignment(&text) {
            if let Some(position) = missing.iter().position(|missing| *missing == name) {
                missing.remove(position);
                put(&mut content, name);
            }
        } else {
            content.extend_from_slice(line);
            content.push(b'\n');
        }
    }
    for name in missing {
        put(&mut content, name);
    }
    content
}
