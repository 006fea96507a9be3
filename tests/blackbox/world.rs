//! A world to run the real binary in: an AWS and a fleet of hosts of its own on loopback, a folder with the configuration
//! and what its sources read, and an environment that holds nothing else.
//!
//! It must not know what regcred should do: that is for the tests to say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use regcred_sandbox::client::Client;
use regcred_sandbox::control::{HostView, Presented, PullView};
use regcred_sandbox::hosts::{Behaviour, DOCUMENT, DOCUMENT_NAME, HostSpec, Life, Platform};
use regcred_sandbox::{
    BucketSeed, DocumentSeed, Effect, Fault, Match, ObjectSeed, Options, STATIC_SECRET_KEY, Sandbox, Service,
};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::schemas;
use crate::sdk::Aws;
use crate::tools::{self, AwsEnvironment, Ended, Program};

pub(crate) const ACCOUNT: &str = "111111111111";
pub(crate) const REGION: &str = "eu-west-1";

/// A pass over a dozen shells takes seconds; ten times that is one on a machine that is busy with a build.
const PASS_LIMIT: Duration = Duration::from_mins(5);

/// The configuration of the demo: three registries, each from another kind of source, one object, one fleet of the
/// clusters `web` and `batch`. No credential is tried: what trying does is told in `verify.rs`.
pub(crate) static DEMO: LazyLock<String> =
    LazyLock::new(|| short_lease(&DEMO_WITH_REGISTRIES.replace(TRIED, UNTRIED)));

/// [`DEMO`] as it is, with a registry that is tried at [`TRIED`].
pub(crate) const DEMO_WITH_REGISTRIES: &str = include_str!("../../config/demo.yaml");

/// With a lease that a pass after one that was killed need not wait long for.
pub(crate) fn short_lease(config: &str) -> String {
    let short =
        config.replacen("state: { bucket: acme-regcred }", "state: { bucket: acme-regcred, lease: 1s }", 1);
    assert_ne!(short, config, "it says nothing of a state, or has a lease of its own");
    short
}

/// How each registry of the demo is tried.
pub(crate) const TRIED: &str = "verify: { endpoint: 'http://127.0.0.1:5000' }";

/// For registries that are not there.
pub(crate) const UNTRIED: &str = "verify: { enabled: false }";

/// An image of the registry whose password is in a file.
pub(crate) const HARBOR_IMAGE: &str = "harbor.example.com/team/app:1";
/// The password that it has at first.
pub(crate) const HARBOR_PASSWORD: &str = "harbor-password-of-last-year";
pub(crate) const GHCR_IMAGE: &str = "ghcr.io/acme/app:1";
pub(crate) const DOCKER_HUB_IMAGE: &str = "acme/app:1";
pub(crate) const QUAY_IMAGE: &str = "quay.io/acme/app:1";

/// The pair of lines that somebody once wrote by hand, and that every host of [`twelve`] runs with: an entry for harbor, and
/// a foreign one for quay.io.
pub(crate) const BY_HAND: &str = "\
ECS_ENGINE_AUTH_TYPE=dockercfg
ECS_ENGINE_AUTH_DATA={\"quay.io\": {\"auth\": \"YWNtZTpxdWF5LXBhc3N3b3Jk\", \"email\": \"ops@acme.example\"}, \"harbor.example.com\": {\"auth\": \"cm9ib3Q6aGFyYm9yLXBhc3N3b3JkLW9mLWxhc3QteWVhcg==\"}}
";

/// The host of [`twelve`] that SSM does not reach.
pub(crate) const OFFLINE: &str = "i-0e5f2d8a4c617b930";
/// The one that says that it restarted its agent, and did not.
pub(crate) const LIAR: &str = "i-0c44f1a97b03e6d25";
/// The one whose agent takes no changed value.
pub(crate) const FAILING: &str = "i-0d05a7c93e8f1b642";
pub(crate) const BOTTLEROCKET: &str = "i-0c71e8b5d2f4a0963";
/// The eight others.
pub(crate) const GOOD: [&str; 8] = [
    "i-0a1d7c30e5b2f4801",
    "i-0b7e90215cd8a3f42",
    "i-0d83b6e2f90a1c574",
    "i-0f96a3c1e7d40b285",
    "i-0a9c5e7f10d2b8346",
    "i-0b24d6f8a03c9e715",
    "i-0e38f0b1c6a7d9524",
    "mi-0f6b2a8d4e91c7350",
];

/// What every world has: the two buckets of [`DEMO`], versioned, and the document. No host and no object.
pub(crate) fn bare() -> Options {
    Options {
        default_account: ACCOUNT.into(),
        buckets: vec![bucket("acme-ecs"), bucket("acme-regcred")],
        documents: vec![DocumentSeed {
            name: DOCUMENT_NAME.into(),
            account: ACCOUNT.into(),
            region: REGION.into(),
            content: DOCUMENT.into(),
        }],
        ..Options::default()
    }
}

/// [`bare`], with the hand-written object and these hosts.
pub(crate) fn with_hosts(hosts: Vec<HostSpec>) -> Options {
    Options { objects: vec![object(&format!("{OBJECT_HEAD}{BY_HAND}"))], hosts, ..bare() }
}

/// What stands above the pair of lines in the object, and has to stay.
pub(crate) const OBJECT_HEAD: &str =
    "# by hand, 2021; the cluster's name is added by user data\nECS_LOGLEVEL=info\n";

pub(crate) fn bucket(name: &str) -> BucketSeed {
    BucketSeed { name: name.into(), account: ACCOUNT.into(), region: REGION.into(), versioned: true }
}

/// The object of [`DEMO`], with this content.
pub(crate) fn object(content: &str) -> ObjectSeed {
    ObjectSeed { bucket: "acme-ecs".into(), key: "prod/ecs.config".into(), content: content.into() }
}

/// An ordinary host with a file of its own, which ends in [`BY_HAND`].
pub(crate) fn host(id: &str, cluster: &str, life: Life) -> HostSpec {
    HostSpec { life, tasks_running: 2, config: Some(host_config(cluster)), ..HostSpec::new(id, cluster) }
}

pub(crate) fn host_config(cluster: &str) -> String {
    format!("ECS_CLUSTER={cluster}\nECS_LOGLEVEL=info\n{BY_HAND}")
}

/// The demo's twelve hosts, the odd ones among them.
pub(crate) fn twelve(life: Life) -> Vec<HostSpec> {
    use Platform::{AmazonLinux2023, Bottlerocket, EcsAnywhere, Suse, Ubuntu};
    [
        (GOOD[0], "web", AmazonLinux2023, Behaviour::Normal),
        (GOOD[1], "web", AmazonLinux2023, Behaviour::Normal),
        (LIAR, "web", AmazonLinux2023, Behaviour::RestartKeepsOldEnvironment),
        (GOOD[2], "web", Ubuntu, Behaviour::Normal),
        (OFFLINE, "web", AmazonLinux2023, Behaviour::Offline),
        (GOOD[3], "web", Ubuntu, Behaviour::Normal),
        (GOOD[4], "batch", AmazonLinux2023, Behaviour::Normal),
        (GOOD[5], "batch", Suse, Behaviour::Normal),
        (BOTTLEROCKET, "batch", Bottlerocket, Behaviour::Normal),
        (FAILING, "batch", AmazonLinux2023, Behaviour::RejectsChangedAuth),
        (GOOD[6], "batch", AmazonLinux2023, Behaviour::Normal),
        (GOOD[7], "batch", EcsAnywhere, Behaviour::Normal),
    ]
    .into_iter()
    .map(|(id, cluster, platform, behaviour)| HostSpec { platform, behaviour, ..host(id, cluster, life) })
    .collect()
}

/// A fault on every call of one operation, by anyone but a host.
pub(crate) fn fault(service: Service, operation: &str, effect: Effect) -> Fault {
    let calls = Match {
        service: Some(service),
        operation: Some(operation.into()),
        origin: Some(regcred_sandbox::Origin::Controller),
        ..Match::default()
    };
    Fault { calls, effect }
}

/// A fault that holds the `nth` call of an operation alone, by anyone but a host.
pub(crate) fn held(service: Service, operation: &str, nth: u64) -> Fault {
    let Fault { calls, effect } = fault(service, operation, Effect::HoldBefore);
    Fault { calls: Match { nth: Some(nth), times: Some(1), ..calls }, effect }
}

/// A fault that holds the `nth` write of an object alone.
pub(crate) fn held_put(key: &str, nth: u64) -> Fault {
    let Fault { calls, effect } = held(Service::S3, "PutObject", nth);
    Fault { calls: Match { key: Some(key.into()), ..calls }, effect }
}

/// [`DEMO`], for hosts in memory: they take no time, and so nothing has to wait for them.
pub(crate) fn swift() -> String {
    DEMO.replace("200ms", "100ms")
}

/// [`DEMO`], for real shells on a machine that is busy with a build as well.
pub(crate) fn patient() -> String {
    DEMO.replace("settle_timeout: 10s", "settle_timeout: 2m")
        .replace("command_timeout: 30s", "command_timeout: 4m")
}

/// The first item of a list in a result whose member has this value.
///
/// # Panics
/// If there is none.
pub(crate) fn find<'a>(list: &'a Value, member: &str, value: &str) -> &'a Value {
    let items = list.as_array().unwrap_or_else(|| panic!("not a list: {list}"));
    let found = items.iter().find(|item| item[member] == value);
    found.unwrap_or_else(|| panic!("none of these has the {member} {value}: {list:#}"))
}

/// The `action` or `outcome` of each item of a list in a result, by the member that names the item.
pub(crate) fn by_name(list: &Value, name: &str, said: &str) -> BTreeMap<String, String> {
    let items = list.as_array().unwrap_or_else(|| panic!("not a list: {list}"));
    let text = |item: &Value, member: &str| item[member].as_str().unwrap_or_default().to_owned();
    items.iter().map(|item| (text(item, name), text(item, said))).collect()
}

/// The hosts that a report or a status lists, and how each ended; those of all fleets.
pub(crate) fn hosts_of(told: &Told) -> BTreeMap<String, String> {
    let fleets = told.json["fleets"].as_array().expect("each result has its fleets");
    fleets
        .iter()
        .filter(|fleet| fleet["hosts"].is_array())
        .flat_map(|fleet| by_name(&fleet["hosts"], "host", "outcome"))
        .collect()
}

/// The object of the lease.
pub(crate) const LEASE: &str = "regcred/lease.json";

/// How often an operation was called.
pub(crate) fn count(calls: &[Call], operation: &str) -> usize {
    calls.iter().filter(|call| call.operation == operation).count()
}

/// The operations of the calls that ask AWS to change something, in their order, the lease excepted: it is written as often
/// as time passes.
pub(crate) fn writes(calls: &[Call]) -> Vec<&str> {
    let of_lease = |call: &Call| call.key.as_deref() == Some(LEASE);
    calls
        .iter()
        .filter(|call| call.is_write() && !of_lease(call))
        .map(|call| call.operation.as_str())
        .collect()
}

/// One call, as the sandbox saw it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) operation: String,
    /// `None` for a call that was never answered.
    pub(crate) status: Option<u16>,
    pub(crate) request: Value,
    pub(crate) response: Value,
    #[serde(default)]
    pub(crate) caller: String,
    /// Of the caller.
    #[serde(default)]
    pub(crate) account: String,
    #[serde(default)]
    pub(crate) region: String,
    /// Of an object in S3.
    #[serde(default)]
    pub(crate) key: Option<String>,
}

impl Call {
    /// Whether it was made by a host, and not by regcred.
    pub(crate) fn is_of_host(&self) -> bool {
        self.caller.contains("ecsInstanceRole")
    }

    /// Whether it asks AWS to change something. Every operation that only reads is named for it.
    pub(crate) fn is_write(&self) -> bool {
        !["Get", "Head", "List", "Describe", "BatchGet"].iter().any(|verb| self.operation.starts_with(verb))
    }
}

/// A result in JSON, and how the command ended.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) json: Value,
    pub(crate) stderr: String,
}

/// One world. All of it is gone with its handle.
pub(crate) struct World {
    sandbox: Sandbox,
    folder: TempDir,
    environment: BTreeMap<String, String>,
}

impl World {
    /// Starts one. Its calls are recorded under the name of the `test`, where a run records any. The environment and the
    /// folder hold what the sources of [`DEMO`] read; a test with another configuration brings what that one reads.
    pub(crate) fn start(test: &str, options: Options, config: &str) -> Self {
        let call_log = tools::call_log(test).or(options.call_log);
        let sandbox = Sandbox::start(Options { call_log, ..options }).expect("loopback has a free port");
        let folder = tempfile::Builder::new()
            .prefix("regcred-world-")
            .tempdir()
            .expect("a folder for temporary files is there");
        let mut world = Self { sandbox, folder, environment: BTreeMap::new() };
        world.write("regcred.yaml", config);
        world.write(
            "secrets/docker-config.json",
            r#"{"auths":{"ghcr.io":{"auth":"Z2hjci1ib3Q6Z2hjci10b2tlbi1vZi10aGUtZGVtbw=="}}}"#,
        );
        world.set_harbor_password(HARBOR_PASSWORD);
        world.set("DOCKERHUB_USERNAME", "acme");
        world.set("DOCKERHUB_TOKEN", "docker-hub-token-of-the-demo");
        world
    }

    /// The control surface.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.sandbox.endpoint())
    }

    pub(crate) fn endpoint(&self) -> String {
        self.sandbox.endpoint()
    }

    /// Where one of the registries is that the sandbox was started with.
    pub(crate) fn registry(&self, name: &str) -> &str {
        self.sandbox.registry(name)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the folder, below which the paths of the configuration are.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("our own folder takes a folder");
        fs::write(path, content).expect("our own folder takes a file");
    }

    /// Sets a variable of regcred's environment.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Changes the password of harbor at its source. Its user is `robot`.
    pub(crate) fn set_harbor_password(&self, password: &str) {
        let pair = serde_json::json!({ "username": "robot", "password": password });
        self.write("secrets/harbor.json", &pair.to_string());
    }

    /// What regcred's environment holds here, and all of it.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let endpoint = self.endpoint();
        let of_aws = Self::aws_environment(&endpoint);
        let of_aws = of_aws.variables().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let own = self.environment.iter().map(|(name, value)| (name.clone(), value.clone()));
        of_aws.into_iter().chain(own).collect()
    }

    /// The real binary with these arguments, to be run or started in this world.
    pub(crate) fn regcred(&self, arguments: &[&str]) -> Program {
        let mut program = Program::regcred().arguments(arguments.iter().copied());
        for (name, value) in self.variables() {
            program = program.variable(name, value);
        }
        program.folder(self.folder.path()).limit(PASS_LIMIT)
    }

    /// The SDK's own clients, as an administrator's.
    pub(crate) fn sdk(&self) -> Aws {
        let endpoint = self.endpoint();
        Aws::new(&Self::aws_environment(&endpoint))
    }

    /// The text of the object of [`DEMO`].
    pub(crate) async fn object(&self) -> String {
        self.sdk().object("acme-ecs", "prod/ecs.config").await.0
    }

    /// The real `aws` command; `None` as [`tools::Tool::find`] has it.
    pub(crate) fn aws(&self, test: &str, arguments: &[&str]) -> Option<Program> {
        let endpoint = self.endpoint();
        let aws = Program::aws(test, &Self::aws_environment(&endpoint))?;
        Some(aws.arguments(arguments.iter().copied()).folder(self.folder.path()))
    }

    fn aws_environment(endpoint: &str) -> AwsEnvironment<'_> {
        AwsEnvironment {
            endpoint,
            region: REGION,
            access_key_id: "test",
            secret_access_key: STATIC_SECRET_KEY,
        }
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        self.regcred(arguments).run().await
    }

    /// Runs a command with `--output json`.
    ///
    /// # Panics
    /// If it was ended by a signal, or printed anything but the JSON that docs/schemas describes.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Told {
        let Ended { code, stdout, stderr } =
            self.regcred(arguments).arguments(["--output", "json"]).run().await;
        let json = serde_json::from_str(&stdout)
            .unwrap_or_else(|error| panic!("{arguments:?} printed no JSON: {error}\n{stdout}\n{stderr}"));
        let command = match arguments {
            ["verify", rest @ ..] if rest.contains(&"--hosts") => "verify --hosts",
            [command, ..] => command,
            [] => "",
        };
        schemas::assert_documented(command, &json);
        Told { code: code.unwrap_or_else(|| panic!("{arguments:?} was killed\n{stderr}")), json, stderr }
    }

    /// [`World::json`], and the calls that it made, those of hosts not among them.
    pub(crate) async fn watched(&self, arguments: &[&str]) -> (Told, Vec<Call>) {
        self.client().clear_calls().expect("the sandbox answers");
        let told = self.json(arguments).await;
        (told, self.calls().into_iter().filter(|call| !call.is_of_host()).collect())
    }

    /// All calls since the log was cleared.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let log = self.client().calls().expect("the sandbox answers");
        log.lines().map(|line| serde_json::from_str(line).expect("the log is JSON, a line a call")).collect()
    }

    /// Waits until a fault holds a call of this operation. One that an earlier fault held may be listed until it is cut.
    pub(crate) async fn until_held(&self, operation: &str) {
        let until = Instant::now() + Duration::from_mins(1);
        while !self
            .client()
            .held()
            .expect("the sandbox answers")
            .iter()
            .any(|call| call.operation == operation)
        {
            assert!(Instant::now() < until, "no {operation} was ever held");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn host(&self, id: &str) -> HostView {
        self.client().host(id).expect("the sandbox answers")
    }

    /// How often each host's agent was restarted.
    pub(crate) fn restarts(&self) -> BTreeMap<String, u32> {
        let hosts = self.client().hosts().expect("the sandbox answers");
        hosts.into_iter().map(|host| (host.id, host.restarts)).collect()
    }

    /// The SHA-256, in hexadecimal, of the password with which a host would pull an image now; `None` when it would pull
    /// without one, or at random.
    pub(crate) fn pulls_with(&self, id: &str, image: &str) -> Option<String> {
        match self.client().pull(id, image).expect("the sandbox answers") {
            PullView::Certain(Presented::Login { password_sha256, .. }) => Some(password_sha256),
            PullView::Certain(Presented::Anonymous | Presented::Token)
            | PullView::NoAgent
            | PullView::Random(_) => None,
        }
    }
}

/// Holds that no password of the demo's sources, nor one that tests put in its place, is in a text, plain or as Docker's
/// configurations carry it.
///
/// # Panics
/// If one is.
pub(crate) fn assert_shows_no_password(what: &str, text: &str) {
    let plain = ["harbor-password", "docker-hub-token", "ghcr-token"];
    let encoded = ["Z2hjci1ib3Q6", "cm9ib3Q6", "YWNtZTpkb2NrZXI"];
    let shown = plain.iter().chain(&encoded).find(|secret| text.contains(**secret));
    assert!(shown.is_none(), "{what} shows {shown:?}");
}

#[test]
#[should_panic(expected = "a log shows")]
fn a_password_in_a_log_would_be_found() {
    assert_shows_no_password("a log", r#"{"message":"harbor-password-of-sunday"}"#);
}

/// As [`World::pulls_with`] tells a password.
pub(crate) fn sha256(password: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(password).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_world_runs_the_real_binary_against_an_aws_of_its_own() {
    let hosts = vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)];
    let world = World::start("a_world_runs_the_real_binary", with_hosts(hosts), &DEMO);
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, &told.json["verdict"]), (0, &"converged".into()), "{told:#?}");
    assert!(
        calls
            .iter()
            .any(|call| call.operation == "SendCommand" && call.is_write() && call.status == Some(200))
    );
    for id in [GOOD[0], GOOD[4]] {
        assert_eq!(world.restarts()[id], 1, "{id}");
        assert_eq!(world.pulls_with(id, HARBOR_IMAGE), Some(sha256(HARBOR_PASSWORD)), "{id}");
    }
}
