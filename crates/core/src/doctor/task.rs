//! A task definition: whether each of its containers pulls with the secret that regcred keeps for its registry.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html>. What the policies of the execution role allow is
//! IAM's to know, and not looked at.

use super::version::Version;
use super::{Aspect, Outcome, Severity};
use crate::agent::lookup::registry_host;
use crate::names::RegistryName;
use crate::report::{Failure, FailureKind};
use crate::server::{DOCKER_HUB_HOSTS, Server};

/// The first platform of Fargate that reads `repositoryCredentials`.
const FIRST_PLATFORM: Version = Version { major: 1, minor: 2, patch: 0 };

/// A task definition, as far as it tells how images are pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDefinition {
    /// `family:revision`.
    pub name: String,
    pub execution_role: Option<String>,
    /// What it says that it can run on; nothing of one for instances alone.
    pub requires: Vec<Compatibility>,
    pub containers: Vec<Container>,
}

/// Where tasks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compatibility {
    Fargate,
    /// EC2, ECS Anywhere, Managed Instances.
    Instances,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub name: String,
    pub image: String,
    /// `repositoryCredentials.credentialsParameter`: a secret's ARN or name.
    pub credentials: Option<String>,
}

/// A service that runs the task definition, or another revision of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub name: String,
    /// On Fargate: `LATEST`, or `1.4.0`.
    pub platform_version: Option<String>,
}

/// A registry of the configuration, as far as tasks can use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRegistry {
    pub name: RegistryName,
    pub server: Server,
    /// The secret that is kept for it in the task definition's location.
    pub secret: Option<KeptSecret>,
    pub in_ecs_config: InEcsConfig,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSecret {
    pub name: String,
    /// None while it is not there, or could not be looked at.
    pub arn: Option<String>,
}

/// Whether any ecs.config of the configuration holds a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InEcsConfig {
    Yes,
    No,
}

impl KeptSecret {
    /// Whether a task definition that says this means this secret.
    fn is_meant_by(&self, credentials: &str) -> bool {
        let Self { name, arn } = self;
        // Without its six characters an ARN means the secret too.
        let bare = |arn: &str| arn.rsplit_once('-').map(|(bare, _)| bare.to_owned());
        credentials == name
            || arn
                .as_deref()
                .is_some_and(|arn| credentials == arn || bare(arn).as_deref() == Some(credentials))
    }
}

impl TaskDefinition {
    /// What is to be said of the definition as a whole.
    pub fn judge_role(&self) -> (Aspect, Outcome) {
        let uses = self.containers.iter().any(|container| container.credentials.is_some());
        let outcome = match (&self.execution_role, uses) {
            (_, false) => Outcome::Good,
            (Some(role), true) => Outcome::Exempt {
                why: format!(
                    "whether {role} may read the secrets is IAM's to say: `regcred iam task-execution` prints what it needs"
                ),
            },
            (None, true) => error(
                format!("task definition {} has no execution role", self.name),
                "ECS reads the secret of `repositoryCredentials` with that role",
                "add executionRoleArn; `regcred iam task-execution` prints the policy that it needs"
                    .to_owned(),
            ),
        };
        (Aspect::ExecutionRole, outcome)
    }

    /// Whether this container pulls with what is kept for its registry.
    pub fn judge_container(&self, container: &Container, kept: &[KeptRegistry]) -> (Aspect, Outcome) {
        (Aspect::Credentials, self.credentials(container, kept))
    }

    fn credentials(&self, container: &Container, kept: &[KeptRegistry]) -> Outcome {
        let Container { name, image, credentials } = container;
        let what = |says: &str| format!("container {name} of task definition {} {says}", self.name);
        let host = registry_host(image);
        let is_of_host = |server: &Server| match server {
            Server::DockerHub => DOCKER_HUB_HOSTS.contains(&host),
            Server::Other { host: other, path } => {
                other == host
                    && path.as_ref().is_none_or(|path| {
                        let below = image.strip_prefix(&format!("{host}/{path}"));
                        below.is_some_and(|rest| rest.starts_with(['/', ':', '@']) || rest.is_empty())
                    })
            }
        };
        if Server::parse(host).is_ok_and(|server| server.is_ecr()) {
            return Outcome::Exempt { why: "ECS logs in to ECR by itself".to_owned() };
        }
        // The one with the longest path is the closest.
        let of_host = kept.iter().filter(|registry| is_of_host(&registry.server));
        let closest = of_host.max_by_key(|registry| registry.server.to_string().len());
        let Some(registry) = closest else {
            return Outcome::Exempt { why: format!("no registry of the configuration is {host}") };
        };
        let snippet = format!("`regcred snippet {}` prints what to write there", registry.name);
        match (credentials.as_deref(), &registry.secret) {
            (Some(credentials), Some(secret)) if secret.is_meant_by(credentials) => Outcome::Good,
            (Some(credentials), _) => {
                let owner = kept.iter().find(|other| {
                    other.secret.as_ref().is_some_and(|secret| secret.is_meant_by(credentials))
                });
                match owner {
                    Some(owner) => error(
                        what("pulls with the credential of another registry"),
                        &format!(
                            "{image} is of registry `{}`, and the secret of `{}`",
                            registry.name, owner.name
                        ),
                        snippet,
                    ),
                    None => Outcome::warning(Failure::new(
                        FailureKind::Refused,
                        what("pulls with a secret that regcred does not keep"),
                        format!(
                            "{image} is of registry `{}`, and its secret is {credentials}, which no pass brings up to date",
                            registry.name
                        ),
                        snippet,
                    )),
                }
            }
            (None, secret) => {
                let on_fargate = self.requires.contains(&Compatibility::Fargate);
                match (on_fargate, registry.in_ecs_config) {
                    (false, InEcsConfig::Yes) => Outcome::Good,
                    (true, InEcsConfig::Yes | InEcsConfig::No) | (false, InEcsConfig::No) => error(
                        what("pulls without a credential"),
                        if on_fargate {
                            "it names no secret in `repositoryCredentials`, and Fargate has no ecs.config"
                        } else {
                            "it names no secret in `repositoryCredentials`, and no ecs.config holds its registry"
                        },
                        match secret {
                            Some(_) => snippet,
                            None => format!(
                                "add `secret: {{ name: … }}` to registries.{}, run `regcred sync`, and then: {snippet}",
                                registry.name
                            ),
                        },
                    ),
                }
            }
        }
    }
}

impl Service {
    /// Whether the platform on which it runs the task definition reads `repositoryCredentials`.
    pub fn judge(&self) -> (Aspect, Outcome) {
        let Self { name, platform_version } = self;
        let outcome = match platform_version.as_deref() {
            None | Some("LATEST") => Outcome::Good,
            Some(text) => match Version::parse(text) {
                Some(version) if version >= FIRST_PLATFORM => Outcome::Good,
                Some(_) => error(
                    format!("service {name} runs on a platform that cannot use `repositoryCredentials`"),
                    &format!("it is Fargate's {text}, and 1.2.0 is the first that reads them"),
                    "aws ecs update-service --platform-version LATEST --force-new-deployment".to_owned(),
                ),
                None => Outcome::CannotTell {
                    failure: Failure::new(
                        FailureKind::Invalid,
                        format!("cannot tell whether service {name} can use `repositoryCredentials`"),
                        "ECS shows a platform version that is none",
                        "see that its platform of Fargate is 1.2.0 or later",
                    ),
                },
            },
        };
        (Aspect::PlatformVersion, outcome)
    }
}

fn error(what: String, why: &str, remedy: String) -> Outcome {
    let failure = Failure::new(FailureKind::Refused, what, why, remedy);
    Outcome::Finding { severity: Severity::Error, failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUB_ARN: &str = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:ecs/hub-a1B2c3";

    fn kept() -> Vec<KeptRegistry> {
        let of = |name: &str, server: &str, secret: Option<KeptSecret>, in_ecs_config| KeptRegistry {
            name: name.into(),
            server: Server::parse(server).unwrap(),
            secret,
            in_ecs_config,
        };
        let hub = KeptSecret { name: "ecs/hub".into(), arn: Some(HUB_ARN.into()) };
        let team = KeptSecret { name: "ecs/team".into(), arn: None };
        vec![
            of("hub", "docker.io", Some(hub), InEcsConfig::No),
            of("r", "r.io", None, InEcsConfig::Yes),
            of("team", "r.io/team", Some(team), InEcsConfig::No),
        ]
    }

    fn judged(image: &str, credentials: Option<&str>, requires: &[Compatibility]) -> &'static str {
        let container =
            Container { name: "c".into(), image: image.into(), credentials: credentials.map(str::to_owned) };
        let definition = TaskDefinition {
            name: "app:1".into(),
            execution_role: None,
            requires: requires.to_vec(),
            containers: vec![container.clone()],
        };
        match definition.judge_container(&container, &kept()).1 {
            Outcome::Good => "good",
            Outcome::Exempt { .. } => "exempt",
            Outcome::Finding { severity: Severity::Error, .. } => "error",
            Outcome::Finding { severity: Severity::Warning, .. } => "warning",
            Outcome::CannotTell { .. } => "cannot tell",
        }
    }

    #[test]
    fn a_container_is_held_against_the_registry_of_its_image() {
        use Compatibility::{Fargate, Instances};
        let bare = HUB_ARN.strip_suffix("-a1B2c3").unwrap();
        for (image, credentials, requires, expected) in [
            ("acme/app:1", Some(HUB_ARN), &[Fargate][..], "good"),
            ("docker.io/acme/app", Some(bare), &[], "good"),
            ("acme/app", Some("ecs/hub"), &[Instances], "good"),
            ("acme/app", Some("ecs/another"), &[], "warning"),
            ("acme/app", Some("ecs/team"), &[], "error"),
            ("acme/app", None, &[], "error"),
            ("r.io/app:1", None, &[], "good"),
            ("r.io/app:1", None, &[Instances], "good"),
            ("r.io/app:1", None, &[Instances, Fargate], "error"),
            ("r.io/team/app:1", None, &[], "error"),
            ("r.io/team/app:1", Some("ecs/team"), &[], "good"),
            ("r.io/teams/app:1", None, &[], "good"),
            ("ghcr.io/acme/app", None, &[], "exempt"),
            ("1.dkr.ecr.eu-west-1.amazonaws.com/app", None, &[Fargate], "exempt"),
        ] {
            assert_eq!(judged(image, credentials, requires), expected, "{image} {credentials:?}");
        }
    }

    #[test]
    fn an_execution_role_is_needed_where_a_secret_is_named_and_a_platform_from_1_2_on() {
        let container = |credentials: Option<&str>| Container {
            name: "c".into(),
            image: "acme/app".into(),
            credentials: credentials.map(str::to_owned),
        };
        let role = |execution_role: Option<&str>, credentials| {
            let definition = TaskDefinition {
                name: "app:1".into(),
                execution_role: execution_role.map(str::to_owned),
                requires: Vec::new(),
                containers: vec![container(credentials)],
            };
            definition.judge_role().1
        };
        assert_eq!(role(None, None), Outcome::Good);
        assert!(matches!(role(None, Some("s")), Outcome::Finding { .. }));
        assert!(matches!(role(Some("arn"), Some("s")), Outcome::Exempt { .. }));
        for (version, is_good) in [
            (None, true),
            (Some("LATEST"), true),
            (Some("1.2.0"), true),
            (Some("1.4.0"), true),
            (Some("1.1.0"), false),
            (Some("x"), false),
        ] {
            let service = Service { name: "s".into(), platform_version: version.map(str::to_owned) };
            assert_eq!(service.judge().1 == Outcome::Good, is_good, "{version:?}");
        }
    }
}
