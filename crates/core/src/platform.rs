//! On what hosts an agent runs, and how it is restarted there: one table, as data.
//!
//! docs/PLATFORMS.md prints it, and deploy/ssm/refresh.sh obeys it; tests hold both to it. How a host is told to be one of
//! these is not here: the script finds out on the host, and [`crate::host`] reads what ECS says of it.
//!
//! The packages are those of `packaging/` in <https://github.com/aws/amazon-ecs-agent>.

/// Where an agent runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPlatform {
    AmazonLinux2023,
    AmazonLinux2,
    /// Ubuntu among them.
    Debian,
    Rhel,
    Suse,
    /// A machine of the operator's own, on one of the distributions above.
    EcsAnywhere,
    /// Out of support since 2023-12-31, and still met.
    AmazonLinux1,
    /// An agent that somebody starts without ecs-init.
    Docker,
    Bottlerocket,
    Windows,
    ManagedInstances,
    Fargate,
}

/// What is done about a host when the credentials change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    Restarted(Restart),
    NotRestarted(NotRestarted),
}

/// How the host script restarts an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    pub manager: Manager,
    /// The files that the agent's variables come from; what a later one has wins, and the last is the one that is written.
    pub files: &'static [&'static str],
    /// What is run, in this order. Never `docker restart`: a container keeps the environment that it was made with, and an
    /// agent that is told to stop exits with 0, after which nobody starts it again.
    pub commands: &'static [&'static str],
    /// What becomes of an agent that ended by itself: with status 5 (no start could go better), and with another error.
    pub after_5: Afterwards,
    pub after_another_error: Afterwards,
    /// The package that says so.
    pub source: &'static str,
}

/// Who starts the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// ecs-init, as this unit.
    Systemd { unit: &'static str },
    /// ecs-init, as this job.
    Upstart { job: &'static str },
    /// The operator, by [`RESTART_PROGRAM`].
    Operator,
}

/// What a manager does about an agent that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    StartedAgain,
    LeftDead,
    /// As the package of its distribution has it.
    AsThePackage,
    /// As the operator's program has it.
    AsTheOperator,
}

/// Why a host gets no restart, and what does instead. Lowercase fragments without a full stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRestarted {
    pub why: &'static str,
    pub instead: &'static str,
}

/// The operator's own restart command, where there is one: an executable file of root's that nobody else can write.
///
/// It is no parameter of the command, since whoever may send a command would then run anything as root; and no line of a
/// file that a shell evaluates, since that is the same with a detour.
pub const RESTART_PROGRAM: &str = "/etc/regcred/restart-agent";

/// Names, in one line, the file that [`RESTART_PROGRAM`] hands to `docker run --env-file`. Without it that is
/// /etc/ecs/ecs.config.
pub const ENV_FILE_NAME: &str = "/etc/regcred/env-file";

pub const BOTTLEROCKET: NotRestarted = NotRestarted {
    why: "Bottlerocket has no ecs.config",
    instead: "set container-registry.credentials by its API, or use repositoryCredentials",
};

pub const WINDOWS: NotRestarted = NotRestarted {
    why: "Windows has no ecs.config",
    instead: "set ECS_ENGINE_AUTH_DATA in the machine's environment, or use repositoryCredentials",
};

/// No platform of ECS, but SSM knows such machines, and a tag may mean one.
pub const MACOS: NotRestarted =
    NotRestarted { why: "no ECS agent runs on macOS", instead: "leave it out of the fleet" };

pub const MANAGED_INSTANCES: NotRestarted = NotRestarted {
    why: "ECS Managed Instances have no ecs.config, and AWS lets nobody onto them",
    instead: "nothing is to be restarted: let its tasks use repositoryCredentials, which read the secret at each start",
};

pub const FARGATE: NotRestarted = NotRestarted {
    why: "Fargate has no host",
    instead: "nothing is to be restarted: let its tasks use repositoryCredentials, which read the secret at each start",
};

/// ecs-init reads both (ecs-init/docker/docker.go, `getEnvVars`).
const BOTH_FILES: &[&str] = &["/var/lib/ecs/ecs.config", "/etc/ecs/ecs.config"];

const ECS_UNIT: Restart = Restart {
    manager: Manager::Systemd { unit: "ecs" },
    files: BOTH_FILES,
    commands: &["systemctl restart ecs.service"],
    after_5: Afterwards::LeftDead,
    after_another_error: Afterwards::StartedAgain,
    source: "amazon-linux-ami-integrated",
};

impl HostPlatform {
    pub const ALL: [Self; 12] = [
        Self::AmazonLinux2023,
        Self::AmazonLinux2,
        Self::Debian,
        Self::Rhel,
        Self::Suse,
        Self::EcsAnywhere,
        Self::AmazonLinux1,
        Self::Docker,
        Self::Bottlerocket,
        Self::Windows,
        Self::ManagedInstances,
        Self::Fargate,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::AmazonLinux2023 => "Amazon Linux 2023",
            Self::AmazonLinux2 => "Amazon Linux 2",
            Self::Debian => "Debian, Ubuntu",
            Self::Rhel => "RHEL and its like",
            Self::Suse => "SUSE",
            Self::EcsAnywhere => "ECS Anywhere",
            Self::AmazonLinux1 => "Amazon Linux 1",
            Self::Docker => "plain Docker",
            Self::Bottlerocket => "Bottlerocket",
            Self::Windows => "Windows",
            Self::ManagedInstances => "ECS Managed Instances",
            Self::Fargate => "Fargate",
        }
    }

    pub fn treatment(self) -> Treatment {
        let restart = match self {
            Self::AmazonLinux2023 | Self::AmazonLinux2 => ECS_UNIT,
            Self::Debian => {
                Restart { after_5: Afterwards::StartedAgain, source: "generic-deb-integrated", ..ECS_UNIT }
            }
            Self::Rhel => Restart { source: "generic-rpm-integrated", ..ECS_UNIT },
            Self::Suse => Restart {
                manager: Manager::Systemd { unit: "amazon-ecs" },
                commands: &["systemctl restart amazon-ecs.service"],
                after_another_error: Afterwards::LeftDead,
                source: "suse",
                ..ECS_UNIT
            },
            // scripts/ecs-anywhere-install.sh installs the distribution's package.
            Self::EcsAnywhere => Restart {
                after_5: Afterwards::AsThePackage,
                source: "generic-deb-integrated, generic-rpm-integrated",
                ..ECS_UNIT
            },
            // `stop` and `start` of upstart are links to initctl.
            Self::AmazonLinux1 => Restart {
                manager: Manager::Upstart { job: "ecs" },
                commands: &["initctl stop ecs", "initctl start ecs"],
                after_another_error: Afterwards::LeftDead,
                source: "amazon-linux-ami",
                ..ECS_UNIT
            },
            Self::Docker => Restart {
                manager: Manager::Operator,
                files: &["/etc/ecs/ecs.config"],
                commands: &[RESTART_PROGRAM],
                after_5: Afterwards::AsTheOperator,
                after_another_error: Afterwards::AsTheOperator,
                source: "",
            },
            Self::Bottlerocket => return Treatment::NotRestarted(BOTTLEROCKET),
            Self::Windows => return Treatment::NotRestarted(WINDOWS),
            Self::ManagedInstances => return Treatment::NotRestarted(MANAGED_INSTANCES),
            Self::Fargate => return Treatment::NotRestarted(FARGATE),
        };
        Treatment::Restarted(restart)
    }
}
