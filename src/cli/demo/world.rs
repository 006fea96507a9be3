//! What there is before the story begins.

use regcred_sandbox::hosts::{Behaviour, DOCUMENT, DOCUMENT_NAME, HostSpec, Life, Platform};
use regcred_sandbox::{
    Account, BucketSeed, ChallengeKind, DocumentSeed, ObjectSeed, Options, RegistrySeed, STATIC_SECRET_KEY,
};

use super::workspace::{OLD_PASSWORD, Workspace};

pub(super) const OPENING: &str = "\
An AWS and a fleet, on this machine alone. Each host runs the real host script in a real shell.

  web     6 hosts: Amazon Linux and Ubuntu; one is offline, one says that it restarted its agent and does not
  batch   6 hosts: Amazon Linux, SUSE and ECS Anywhere; one is Bottlerocket, one cannot load what it is given
  s3://acme-ecs/prod/ecs.config was written by hand years ago, with entries for harbor and for quay.io";

const ACCOUNT: &str = "111111111111";
const REGION: &str = "eu-west-1";
const DOCKER_HUB_TOKEN: &str = "docker-hub-token-of-the-demo";

/// The pair of lines that somebody once wrote by hand, and that every host runs with.
const BY_HAND: &str = "\
ECS_ENGINE_AUTH_TYPE=dockercfg
ECS_ENGINE_AUTH_DATA={\"quay.io\": {\"auth\": \"YWNtZTpxdWF5LXBhc3N3b3Jk\", \"email\": \"ops@acme.example\"}, \"harbor.example.com\": {\"auth\": \"cm9ib3Q6aGFyYm9yLXBhc3N3b3JkLW9mLWxhc3QteWVhcg==\"}}
";

pub(super) fn options() -> Options {
    let bucket = |name: &str| BucketSeed {
        name: name.into(),
        account: ACCOUNT.into(),
        region: REGION.into(),
        versioned: true,
    };
    Options {
        default_account: ACCOUNT.into(),
        buckets: vec![bucket("acme-ecs"), bucket("acme-regcred")],
        objects: vec![ObjectSeed {
            bucket: "acme-ecs".into(),
            key: "prod/ecs.config".into(),
            content: format!(
                "# by hand, 2021; the cluster's name is added by user data\nECS_LOGLEVEL=info\n{BY_HAND}"
            ),
        }],
        documents: vec![DocumentSeed {
            name: DOCUMENT_NAME.into(),
            account: ACCOUNT.into(),
            region: REGION.into(),
            content: DOCUMENT.into(),
        }],
        hosts: hosts(),
        registries: registries(),
        ..Options::default()
    }
}

/// The registries of the configuration, each with the account that its source has at first.
fn registries() -> Vec<RegistrySeed> {
    let seed = |name: &str, username: &str, password: &str| RegistrySeed {
        name: name.into(),
        port: 0,
        challenge: ChallengeKind::Bearer,
        accounts: vec![Account { username: username.into(), password: password.into() }],
        repositories: Vec::new(),
    };
    vec![
        seed("dockerhub", "acme", DOCKER_HUB_TOKEN),
        seed("ghcr", "ghcr-bot", "ghcr-token-of-the-demo"),
        seed("harbor", "robot", OLD_PASSWORD),
    ]
}

fn hosts() -> Vec<HostSpec> {
    use Platform::{AmazonLinux2023, Bottlerocket, EcsAnywhere, Suse, Ubuntu};
    let offline = Behaviour::Offline;
    let liar = Behaviour::RestartKeepsOldEnvironment;
    let fails = Behaviour::RejectsChangedAuth;
    [
        ("i-0a1d7c30e5b2f4801", "web", AmazonLinux2023, Behaviour::Normal),
        ("i-0b7e90215cd8a3f42", "web", AmazonLinux2023, Behaviour::Normal),
        ("i-0c44f1a97b03e6d25", "web", AmazonLinux2023, liar),
        ("i-0d83b6e2f90a1c574", "web", Ubuntu, Behaviour::Normal),
        ("i-0e5f2d8a4c617b930", "web", AmazonLinux2023, offline),
        ("i-0f96a3c1e7d40b285", "web", Ubuntu, Behaviour::Normal),
        ("i-0a9c5e7f10d2b8346", "batch", AmazonLinux2023, Behaviour::Normal),
        ("i-0b24d6f8a03c9e715", "batch", Suse, Behaviour::Normal),
        ("i-0c71e8b5d2f4a0963", "batch", Bottlerocket, Behaviour::Normal),
        ("i-0d05a7c93e8f1b642", "batch", AmazonLinux2023, fails),
        ("i-0e38f0b1c6a7d9524", "batch", AmazonLinux2023, Behaviour::Normal),
        ("mi-0f6b2a8d4e91c7350", "batch", EcsAnywhere, Behaviour::Normal),
    ]
    .into_iter()
    .map(|(id, cluster, platform, behaviour)| HostSpec {
        account: ACCOUNT.into(),
        region: REGION.into(),
        platform,
        behaviour,
        life: Life::Shell,
        tasks_running: 2,
        config: Some(format!("ECS_CLUSTER={cluster}\nECS_LOGLEVEL=info\n{BY_HAND}")),
        ..HostSpec::new(id, cluster)
    })
    .collect()
}

/// What an operator would have in the environment.
pub(super) fn environment(endpoint: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", STATIC_SECRET_KEY.to_owned()),
        ("AWS_SESSION_TOKEN", String::new()),
        ("AWS_REGION", REGION.to_owned()),
        // The aws command of version 1 reads this one alone.
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("DOCKERHUB_USERNAME", "acme".to_owned()),
        ("DOCKERHUB_TOKEN", DOCKER_HUB_TOKEN.to_owned()),
    ]
}

pub(super) fn look_around(endpoint: &str, workspace: &Workspace) -> String {
    let variables: Vec<String> = environment(endpoint)
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("export {name}={value}"))
        .collect();
    format!(
        "\nThe AWS and the hosts are still there, until Ctrl-C. In another terminal:\n\n{}\nexport REGCRED_CONFIG={}\n
regcred status
aws secretsmanager get-secret-value --secret-id ecs/registry/harbor
aws s3 cp s3://acme-ecs/prod/ecs.config -
aws ecs describe-container-instances --cluster web --container-instances $(aws ecs list-container-instances \\
  --cluster web --query containerInstanceArns --output text)
curl {endpoint}/_sandbox/hosts",
        variables.join("\n"),
        workspace.config().display()
    )
}
