//! What a host is, as data.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One container instance to pretend. `HostSpec::new` gives an ordinary one; set the fields that matter.
///
/// As JSON, all but `id` and `cluster` may be left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostSpec {
    /// `i-…`, or `mi-…` for ECS Anywhere.
    pub id: String,
    pub account: String,
    pub region: String,
    /// The cluster in which the agent is registered. A `config` that names another one kills it at the next start.
    pub cluster: String,
    /// The role of the instance profile: its name, without a path.
    pub role: String,
    pub platform: Platform,
    /// The capacity provider that its instance came from; `MANAGED_INSTANCES` is the type of that of ECS Managed Instances.
    pub capacity_provider: Option<String>,
    pub life: Life,
    pub behaviour: Behaviour,
    /// `/etc/ecs/ecs.config` as it was when the agent first started; without one, a file that names the cluster.
    pub config: Option<String>,
    /// How many tasks run here; a restart of an agent without `ECS_DATADIR` loses them.
    pub tasks_running: u32,
    /// Whether the agent's container has `ECS_DATADIR`, as ecs-init gives it and hand-run agents often lack it.
    pub datadir: bool,
    /// Whether cloud-init still runs.
    pub cloud_init_running: bool,
    /// The real `aws` that is in the host's PATH, in a life with a shell; without one the script fetches with curl.
    pub aws_cli: Option<PathBuf>,
    /// The shell that runs the script, in a life with a shell.
    pub shell: Shell,
    /// Tags of the instance or the managed node, by which SSM finds it.
    pub tags: BTreeMap<String, String>,
    /// Whether ECS lists its container instance here.
    pub listing: EcsListing,
    /// The version of its agent.
    pub agent_version: String,
}

impl HostSpec {
    /// An ordinary Amazon Linux host in memory, registered in `cluster`, which its `ecs.config` names.
    pub fn new(id: impl Into<String>, cluster: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            account: "111111111111".into(),
            region: "eu-west-1".into(),
            role: "ecsInstanceRole".into(),
            platform: Platform::AmazonLinux2023,
            capacity_provider: None,
            life: Life::Memory,
            behaviour: Behaviour::Normal,
            config: None,
            cluster: cluster.into(),
            tasks_running: 0,
            datadir: true,
            cloud_init_running: false,
            aws_cli: None,
            shell: Shell::Sh,
            tags: BTreeMap::new(),
            listing: EcsListing::Here,
            agent_version: "1.105.1".into(),
        }
    }

    pub(super) fn first_config(&self) -> String {
        self.config.clone().unwrap_or_else(|| format!("ECS_CLUSTER={}\n", self.cluster))
    }
}

impl Default for HostSpec {
    fn default() -> Self {
        Self::new("i-00000000000000000", "default")
    }
}

/// Where an agent runs, and so what its files and unit are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    AmazonLinux2023,
    AmazonLinux2,
    Ubuntu,
    Rhel,
    Suse,
    EcsAnywhere,
    /// With upstart.
    AmazonLinux1,
    /// The agent is an operator's own `docker run --env-file`, and `/etc/regcred/restart-agent` does it again.
    PlainDocker,
    Bottlerocket,
    Windows,
    /// AWS's own: no SSM node, and nobody gets onto it.
    ManagedInstances,
}

impl Platform {
    /// The attributes that the agent registers, beyond capabilities, by which ECS shows the platform.
    pub fn attributes(self) -> Vec<(&'static str, Option<&'static str>)> {
        let os = match self.ssm_platform_type() {
            "Windows" => "windows",
            _ => "linux",
        };
        let mut attributes = vec![
            ("ecs.os-type", Some(os)),
            ("ecs.capability.private-registry-authentication.secretsmanager", None),
        ];
        match self {
            Self::Bottlerocket => attributes.push(("bottlerocket.variant", Some("aws-ecs-2"))),
            Self::EcsAnywhere => attributes.push(("ecs.capability.external", None)),
            Self::AmazonLinux2023
            | Self::AmazonLinux2
            | Self::Ubuntu
            | Self::Rhel
            | Self::Suse
            | Self::AmazonLinux1
            | Self::PlainDocker
            | Self::Windows
            | Self::ManagedInstances => {}
        }
        attributes
    }

    /// SSM's `PlatformName` of `DescribeInstanceInformation`: the `NAME` of os-release, where there is one.
    pub fn ssm_platform_name(self) -> &'static str {
        match self {
            Self::AmazonLinux2023 | Self::AmazonLinux2 | Self::EcsAnywhere => "Amazon Linux",
            Self::AmazonLinux1 => "Amazon Linux AMI",
            Self::Ubuntu | Self::PlainDocker => "Ubuntu",
            Self::Rhel => "Red Hat Enterprise Linux",
            Self::Suse => "SLES",
            Self::Bottlerocket | Self::ManagedInstances => "Bottlerocket",
            Self::Windows => "Microsoft Windows Server 2022 Datacenter",
        }
    }

    /// SSM's `PlatformType` of `DescribeInstanceInformation`.
    pub fn ssm_platform_type(self) -> &'static str {
        match self {
            Self::Windows => "Windows",
            Self::AmazonLinux2023
            | Self::AmazonLinux2
            | Self::Ubuntu
            | Self::Rhel
            | Self::Suse
            | Self::EcsAnywhere
            | Self::AmazonLinux1
            | Self::PlainDocker
            | Self::Bottlerocket
            | Self::ManagedInstances => "Linux",
        }
    }
}

/// Where ECS lists the container instance of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EcsListing {
    /// In its cluster, in the account and Region where SSM knows the host.
    Here,
    /// In another account, which is not pretended: its agent registers and runs as any other.
    Elsewhere,
}

/// How a host is pretended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// A folder as root, the real script, a real shell.
    Shell,
    /// The script's contract in Rust; thousands are cheap.
    Memory,
}

/// How a host behaves. All but `Normal` is a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    Normal,
    /// SSM's ping is lost: commands stay undelivered. The ECS agent goes on.
    Offline,
    /// There is no SSM Agent, or no role that allows it: SSM does not know the host.
    NoSsmAgent,
    /// Once restarted, the agent's process stays alive and never registers.
    AgentNeverReturns,
    /// Registers only so long after a restart.
    RegistersSlowly {
        seconds: u32,
    },
    /// The unit dies at the next so many restarts, as an agent does that ends with this status (5: never started again).
    UnitDies {
        restarts: u32,
        exit_status: i32,
    },
    /// `systemctl restart` says yes and does nothing: the file is written, and the agent keeps its old environment.
    RestartKeepsOldEnvironment,
    /// The agent warns of its auth value at each start with a changed one, and pulls anonymously.
    RejectsChangedAuth,
    /// The script ends with this status and prints no report: no memory, no disk, a broken shell.
    ScriptBreaks {
        exit_code: i32,
    },
}

/// Which shell runs the script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shell {
    /// `/bin/sh`, as the SSM agent does.
    Sh,
    /// Another one, with the arguments that make it a POSIX shell (`bash --posix`).
    Other { path: PathBuf, arguments: Vec<String> },
    /// `BusyBox`, as the shell and for the tools beside it. Not a build that prefers its own applets to PATH.
    Busybox { path: PathBuf },
}
