//! Why the host script ended as it did, and what a person can do about it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why, for every outcome that needs a why. Displays as what is wrong with the host ("its role may not read the
/// object").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The file's `ECS_CLUSTER` is not the cluster of the live agent, which would exit for good after a restart.
    ClusterMismatch,
    /// The agent keeps no state (`ECS_DATADIR`), and tasks run that a restart would lose.
    NoDatadir,
    /// The ecs.config is a symbolic link.
    Symlink,
    /// There is no ecs.config.
    NoConfig,
    /// The ecs.config holds a NUL byte.
    ConfigInvalid,
    /// There is no agent container, or it does not run.
    NoAgent,
    /// The host's role may not read the object.
    FetchDenied,
    /// The object is not there.
    FetchNotFound,
    /// The object could not be read.
    FetchFailed,
    /// Neither the AWS CLI nor a curl that can sign.
    NoFetchTool,
    /// The host has no credentials of its role.
    NoCredentials,
    /// The object has no auth lines, several, oversized ones, or a NUL.
    ObjectInvalid,
    /// The file could not be written.
    WriteFailed,
    /// The agent's unit is dead.
    UnitDead,
    /// The live agent's environment is not what the file says.
    EnvDiffers,
    /// The agent warned of the auth data in its log.
    AuthWarning,
    /// The agent's introspection did not answer in time.
    NoIntrospection,
    /// The agent registered as another container instance.
    ArnChanged,
    /// The agent did not come up with the old file either.
    RestoreFailed,
    /// Nothing that the script knows runs the agent.
    UnsupportedPlatform,
    /// The operator's own restart command, or the file that names the env file, could be another's work than root's.
    UnsafeRestartAgent,
    /// The script was given a parameter that it does not take.
    BadParameter,
    /// A reason that this version does not know, as it was spelled.
    #[serde(untagged)]
    Other(String),
}

impl Reason {
    /// The same, without what could steer a terminal.
    pub(super) fn printable(self) -> Self {
        match self {
            Self::Other(text) => Self::Other(super::printable(&text)),
            known => known,
        }
    }

    /// Whether it says that an agent was restarted into the new value and did not take it. To try the same value again
    /// would cost the host two restarts more.
    pub fn is_verdict_on_the_value(&self) -> bool {
        match self {
            Self::UnitDead | Self::EnvDiffers | Self::AuthWarning | Self::RestoreFailed => true,
            Self::ClusterMismatch
            | Self::NoDatadir
            | Self::Symlink
            | Self::NoConfig
            | Self::ConfigInvalid
            | Self::NoAgent
            | Self::FetchDenied
            | Self::FetchNotFound
            | Self::FetchFailed
            | Self::NoFetchTool
            | Self::NoCredentials
            | Self::ObjectInvalid
            | Self::WriteFailed
            | Self::NoIntrospection
            | Self::ArnChanged
            | Self::UnsupportedPlatform
            | Self::UnsafeRestartAgent
            | Self::BadParameter
            | Self::Other(_) => false,
        }
    }

    /// Whether the script ends with it before it restarts anything.
    pub fn precedes_a_restart(&self) -> bool {
        match self {
            Self::ClusterMismatch
            | Self::NoDatadir
            | Self::Symlink
            | Self::NoConfig
            | Self::ConfigInvalid
            | Self::NoAgent
            | Self::FetchDenied
            | Self::FetchNotFound
            | Self::FetchFailed
            | Self::NoFetchTool
            | Self::NoCredentials
            | Self::ObjectInvalid
            | Self::UnsupportedPlatform
            | Self::UnsafeRestartAgent
            | Self::BadParameter => true,
            // The old file may have been on its way back.
            Self::WriteFailed
            | Self::UnitDead
            | Self::EnvDiffers
            | Self::AuthWarning
            | Self::NoIntrospection
            | Self::ArnChanged
            | Self::RestoreFailed
            | Self::Other(_) => false,
        }
    }

    /// What a person can do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            Self::ClusterMismatch => "correct ECS_CLUSTER in /etc/ecs/ecs.config on the host",
            Self::NoDatadir => "drain the instance first, or run its agent with ECS_DATADIR",
            Self::Symlink => "make /etc/ecs/ecs.config on the host a regular file",
            Self::NoConfig => "create /etc/ecs/ecs.config on the host, with its ECS_CLUSTER",
            Self::ConfigInvalid => "mend /etc/ecs/ecs.config on the host",
            Self::NoAgent => {
                "start the agent on the host: systemctl start ecs, or as docs/PLATFORMS.md has it"
            }
            Self::FetchDenied => {
                "allow s3:GetObject on the object, and kms:Decrypt on its key, to the role of the host"
            }
            Self::FetchNotFound => "compare the bucket and key of the config with what is in S3",
            Self::FetchFailed => "check the way from the host to S3: its route, its VPC endpoint, its proxy",
            Self::NoFetchTool => "install the AWS CLI or a newer curl on the host",
            Self::NoCredentials => "give the instance a role; on ECS Anywhere, look at its SSM agent",
            Self::ObjectInvalid => "look at the object's ECS_ENGINE_AUTH_ lines: regcred plan",
            Self::WriteFailed => "look at the space and the permissions of /etc/ecs on the host",
            Self::UnitDead | Self::RestoreFailed | Self::NoIntrospection => {
                "look at the agent on the host: journalctl -u ecs, /var/log/ecs/ecs-agent.log"
            }
            Self::EnvDiffers => "look for what else sets ECS_ENGINE_AUTH_ on the host: a unit's drop-in",
            Self::AuthWarning => "look at /var/log/ecs/ecs-agent.log on the host",
            Self::ArnChanged => "deregister the old container instance; the next pass sees the new one",
            Self::UnsupportedPlatform => {
                "give it an /etc/regcred/restart-agent (docs/PLATFORMS.md), or leave it out of the fleet"
            }
            Self::UnsafeRestartAgent => {
                "make /etc/regcred and the files in it root's alone: chown root, chmod go-w, and chmod u+x the program"
            }
            Self::BadParameter => "bring the SSM document up to date from deploy/ssm/regcred-refresh.json",
            Self::Other(_) => return None,
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClusterMismatch => "its ecs.config names another cluster than its agent is in",
            Self::NoDatadir => "its agent keeps no state, and tasks run that a restart would lose",
            Self::Symlink => "its ecs.config is a symbolic link",
            Self::NoConfig => "it has no ecs.config",
            Self::ConfigInvalid => "its ecs.config is one with which no agent can start",
            Self::NoAgent => "its agent does not run",
            Self::FetchDenied => "its role may not read the object",
            Self::FetchNotFound => "the object is not there",
            Self::FetchFailed => "it could not read the object",
            Self::NoFetchTool => "it has neither the AWS CLI nor a curl that can sign",
            Self::NoCredentials => "it has no credentials of its role",
            Self::ObjectInvalid => "the object holds no auth lines that an agent could take",
            Self::WriteFailed => "its ecs.config could not be written",
            Self::UnitDead => "the unit of its agent died",
            Self::EnvDiffers => "its restarted agent does not hold the value of the object",
            Self::AuthWarning => "its restarted agent warned of the value, and would pull anonymously",
            Self::NoIntrospection => "its agent did not answer in time",
            Self::ArnChanged => "its agent came back as another container instance",
            Self::RestoreFailed => "its agent did not come up with the old file either",
            Self::UnsupportedPlatform => "its agent is not run by anything that the script knows",
            Self::UnsafeRestartAgent => "its /etc/regcred/restart-agent is not safe to run",
            Self::BadParameter => "its script does not take the parameters of the command",
            Self::Other(text) => text,
        })
    }
}
