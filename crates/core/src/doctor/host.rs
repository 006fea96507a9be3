//! A host, judged by what ECS and SSM show of it, and by its own word where it was asked.

use super::version::Version;
use super::{Aspect, Outcome, Severity};
use crate::audit::{Finding, HostAudit, Remedy};
use crate::host::{Host, HostId, InstanceStatus, Membership, Ping, Platform, Unreachable, Unsupported};
use crate::report::{Failure, FailureKind};
use crate::rollout::HostOutcome;
use crate::script::AuthSource;

/// The agent that first reads `repositoryCredentials`
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html>).
const FIRST_WITH_REPOSITORY_CREDENTIALS: Version = Version { major: 1, minor: 19, patch: 0 };

/// A host, and the version of its agent where ECS tells it.
#[derive(Clone, Copy, Debug)]
pub struct SeenHost<'a> {
    pub host: &'a Host,
    pub agent_version: Option<&'a str>,
    /// Whether any registry of the configuration is published to Secrets Manager.
    pub secrets: Secrets,
}

/// Whether tasks may read credentials from Secrets Manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    Published,
    None,
}

impl SeenHost<'_> {
    /// Nothing, of a host that is about to leave.
    pub fn judge(&self) -> Vec<(Aspect, Outcome)> {
        let Self { host, agent_version, secrets } = self;
        let registration = match &host.membership {
            Membership::Outside => None,
            Membership::Registered(registration) => Some(registration),
        };
        if registration
            .is_some_and(|it| matches!(it.status, InstanceStatus::Deregistering | InstanceStatus::Inactive))
        {
            return Vec::new();
        }
        let mut judged = vec![(Aspect::Reachable, reachable(host))];
        if let Some(registration) = registration {
            let connected = if registration.agent_connected {
                Outcome::Good
            } else {
                Outcome::warning(Failure::new(
                    FailureKind::Unreachable,
                    format!("the agent of host {} is not connected to ECS", host.id),
                    "ECS says so now; it is that way for a moment several times an hour, and places no task on it meanwhile",
                    "look again in a minute; if it stays so, look at the agent on the host: journalctl -u ecs",
                ))
            };
            judged.push((Aspect::AgentConnected, connected));
        }
        match (secrets, agent_version, host.attributes.platform) {
            (Secrets::None, _, _)
            | (Secrets::Published, None, _)
            | (Secrets::Published, Some(_), Platform::ManagedInstance | Platform::MacOs) => {}
            (
                Secrets::Published,
                Some(version),
                Platform::Linux | Platform::Bottlerocket | Platform::Windows,
            ) => {
                judged.push((Aspect::AgentVersion, new_enough(&host.id, version)));
            }
        }
        judged
    }
}

fn reachable(host: &Host) -> Outcome {
    let unsupported = match host.attributes.platform {
        Platform::Linux => None,
        Platform::Bottlerocket => Some(Unsupported::Bottlerocket),
        Platform::Windows => Some(Unsupported::Windows),
        Platform::ManagedInstance => Some(Unsupported::ManagedInstance),
        Platform::MacOs => Some(Unsupported::MacOs),
    };
    if let Some(why) = unsupported {
        return Outcome::Exempt { why: why.to_string() };
    }
    let status = host.registration().map(|registration| &registration.status);
    let why = match (status, &host.ping) {
        (
            Some(
                other @ (InstanceStatus::Registering
                | InstanceStatus::RegistrationFailed
                | InstanceStatus::Deregistering
                | InstanceStatus::Inactive
                | InstanceStatus::Other(_)),
            ),
            _,
        ) => Unreachable::NotActive(other.clone()),
        (None | Some(InstanceStatus::Active | InstanceStatus::Draining), Ping::Online) => {
            return Outcome::Good;
        }
        (
            None | Some(InstanceStatus::Active | InstanceStatus::Draining),
            ping @ (Ping::ConnectionLost | Ping::Inactive | Ping::NotManaged | Ping::Other(_)),
        ) => Unreachable::NotOnline(ping.clone()),
    };
    let explained = HostOutcome::Unreachable { why }.explain();
    let explained = explained.expect("an unreachable host is explained");
    Outcome::Finding {
        severity: Severity::Error,
        failure: Failure::new(
            FailureKind::Unreachable,
            format!("host {} could not be restarted", host.id),
            explained.why,
            explained.remedy,
        ),
    }
}

fn new_enough(id: &HostId, version: &str) -> Outcome {
    match Version::parse(version) {
        Some(parsed) if parsed >= FIRST_WITH_REPOSITORY_CREDENTIALS => Outcome::Good,
        Some(_) => Outcome::Finding {
            severity: Severity::Error,
            failure: Failure::new(
                FailureKind::Refused,
                format!("the agent of host {id} cannot use `repositoryCredentials`"),
                format!("it is {version}, and 1.19.0 is the first that reads them"),
                "update it: aws ecs update-container-agent, or a newer ECS-optimized AMI",
            ),
        },
        None => Outcome::CannotTell {
            failure: Failure::new(
                FailureKind::Invalid,
                format!("cannot tell whether the agent of host {id} can use `repositoryCredentials`"),
                "ECS shows a version that is none",
                "see on the host that its agent is 1.19.0 or later",
            ),
        },
    }
}

/// A host that was asked, by its own word.
pub fn told_by_host(audit: &HostAudit) -> Outcome {
    let source = audit.report.as_ref().map(|report| report.source);
    if let Finding::Unsupported { why } = &audit.finding {
        return Outcome::Exempt { why: why.to_string() };
    }
    let Some(told) = audit.told() else {
        return match source {
            Some(AuthSource::Var | AuthSource::Both) => Outcome::warning(elsewhere(audit)),
            Some(AuthSource::Etc | AuthSource::None) | None => Outcome::Good,
        };
    };
    let remedy = match told.remedy {
        Remedy::Do(text) => text.to_owned(),
        Remedy::TakeRecordBack => {
            "regcred verify --hosts prints the command that has it asked again".to_owned()
        }
    };
    let failure =
        |kind| Failure::new(kind, format!("host {} {}", audit.host, told.what), told.now, remedy.clone());
    match &audit.finding {
        Finding::CannotTell { .. } => Outcome::CannotTell { failure: failure(FailureKind::Unreachable) },
        Finding::Agrees | Finding::Differs { .. } | Finding::Unsupported { .. } => {
            Outcome::Finding { severity: Severity::Error, failure: failure(FailureKind::Refused) }
        }
    }
}

/// ecs-init reads two files, and the one that regcred writes wins, line by line.
fn elsewhere(audit: &HostAudit) -> Failure {
    Failure::new(
        FailureKind::Refused,
        format!("host {} has its ECS_ENGINE_AUTH_* lines in another file too", audit.host),
        "ecs-init takes a line of /var/lib/ecs/ecs.config wherever /etc/ecs/ecs.config, which regcred writes, has none",
        "remove both lines from /var/lib/ecs/ecs.config, and from whatever writes them there",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Attributes, ClusterName, ContainerInstanceArn, Registration};

    fn host() -> Host {
        Host {
            id: HostId::parse("i-12345678").unwrap(),
            membership: Membership::Registered(Registration {
                cluster: ClusterName::new("web"),
                arn: ContainerInstanceArn::new("arn:1"),
                status: InstanceStatus::Active,
                agent_connected: true,
            }),
            attributes: Attributes { platform: Platform::Linux, recorded: None, failed: None },
            ping: Ping::Online,
        }
    }

    fn outcomes(host: &Host, agent_version: Option<&str>) -> Vec<(Aspect, &'static str)> {
        let seen = SeenHost { host, agent_version, secrets: Secrets::Published };
        let word = |outcome: &Outcome| match outcome {
            Outcome::Good => "good",
            Outcome::Exempt { .. } => "exempt",
            Outcome::Finding { severity: Severity::Error, .. } => "error",
            Outcome::Finding { severity: Severity::Warning, .. } => "warning",
            Outcome::CannotTell { .. } => "cannot tell",
        };
        seen.judge().iter().map(|(aspect, outcome)| (*aspect, word(outcome))).collect()
    }

    #[test]
    fn an_agent_is_new_enough_from_1_19_on_and_a_version_that_is_none_is_not_guessed_at() {
        for (version, word) in [
            ("1.19.0", "good"),
            ("1.105.1", "good"),
            ("2.0.0", "good"),
            ("1.20.0-rc1", "good"),
            ("1.18.9", "error"),
            ("1.9.3", "error"),
            ("0.99.99", "error"),
            ("", "cannot tell"),
            ("1.19", "cannot tell"),
            ("latest", "cannot tell"),
        ] {
            assert_eq!(
                outcomes(&host(), Some(version)).last(),
                Some(&(Aspect::AgentVersion, word)),
                "{version}"
            );
        }
    }

    #[test]
    fn a_host_is_judged_by_ssm_its_status_and_its_platform_and_one_that_leaves_not_at_all() {
        let seen = |change: &dyn Fn(&mut Host)| {
            let mut host = host();
            change(&mut host);
            outcomes(&host, None)
        };
        let with_status = |status: InstanceStatus| {
            seen(&|host| match &mut host.membership {
                Membership::Registered(registration) => registration.status = status.clone(),
                Membership::Outside => panic!("it is registered"),
            })
        };
        let (reachable, connected) = (Aspect::Reachable, Aspect::AgentConnected);
        assert_eq!(seen(&|_| {}), [(reachable, "good"), (connected, "good")]);
        assert_eq!(seen(&|host| host.membership = Membership::Outside), [(reachable, "good")]);
        for ping in [Ping::ConnectionLost, Ping::Inactive, Ping::NotManaged] {
            assert_eq!(seen(&|host| host.ping = ping.clone())[0], (reachable, "error"), "{ping:?}");
        }
        let windows = seen(&|host| host.attributes.platform = Platform::Windows);
        assert_eq!(windows[0], (reachable, "exempt"));
        assert_eq!(with_status(InstanceStatus::Draining)[0], (reachable, "good"));
        assert_eq!(with_status(InstanceStatus::Registering)[0], (reachable, "error"));
        assert_eq!(with_status(InstanceStatus::Inactive), []);
        let lost = seen(&|host| match &mut host.membership {
            Membership::Registered(registration) => registration.agent_connected = false,
            Membership::Outside => panic!("it is registered"),
        });
        assert_eq!(lost[1], (connected, "warning"));
    }
}
