//! The configuration file as it is written: one type per map of the file, one field per key.
//!
//! The doc comments are the reference that people read: `regcred schema` and docs/CONFIG.md are made of them. The
//! defaults stand here and nowhere else. Nothing is judged here beyond its shape; that is [`super::rules`]' work.
//! Unknown keys are refused by the schema made of these types, which [`super::structure`] holds the file against: serde
//! would stop at the first one.
//!
//! This module must not hold a secret: there is no key for one.

mod source;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::source::{
    CredentialHelper, DockerAuthConfig, DockerConfig, Env, Exec, File, KeptSecret, SecretsManager, Source,
    SsmParameter, Vault, VaultAppRole, VaultAuth, VaultAws,
};

/// The configuration of regcred: which credentials there are, and where they have to be.
///
/// A secret is never a value in this file. A registry names the source from which its credential is read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(title = "regcred.yaml")]
pub(crate) struct Config {
    /// Where regcred keeps what it has to remember: the fingerprint key, leases and records. Never a secret of a
    /// registry.
    pub(crate) state: State,
    /// The accounts and Regions that regcred acts in, by a name of your choice. Without this key there is one
    /// location, the account and Region of the environment; it is called `ambient`.
    pub(crate) locations: Option<BTreeMap<String, Location>>,
    /// The registries whose credentials are kept right, by a name of your choice.
    pub(crate) registries: BTreeMap<String, Registry>,
    /// The `ecs.config` objects in S3 that hold these credentials for the ECS agent, by a name of your choice.
    #[serde(default)]
    pub(crate) ecs_configs: BTreeMap<String, EcsConfig>,
    /// The hosts that have to load an `ecs.config`, by a name of your choice.
    #[serde(default)]
    pub(crate) fleets: BTreeMap<String, Fleet>,
    /// What holds for the rollouts of all fleets together.
    #[serde(default)]
    pub(crate) rollout: Rollout,
    /// When `regcred run` begins a pass, by a name of your choice. Other commands make nothing of it.
    #[serde(default)]
    pub(crate) schedules: BTreeMap<String, Schedule>,
    /// When hosts may be restarted, by a name of your choice. Secrets and objects are published at any time, and hosts that
    /// start meanwhile load them.
    #[serde(default)]
    pub(crate) windows: BTreeMap<String, Window>,
    /// What is of use to `regcred run` alone.
    #[serde(default)]
    pub(crate) daemon: Daemon,
}

/// When a pass begins.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Schedule {
    /// Minute, hour, day, month and weekday as in a crontab, or six fields with the second first. Where both day fields are
    /// given, one that holds is enough; 0 and 7 are Sunday.
    pub(crate) cron: String,
    /// The time zone of these hours, by its name in the IANA database. A day on which the clock is changed loses no run and
    /// doubles none.
    #[serde(default = "default_time_zone")]
    pub(crate) time_zone: String,
    /// Up to how much later a pass begins: a time that is the same each time, and another one for each state and schedule, so
    /// that not all of a company's begin in the same second. From 1s to 6h.
    #[schemars(extend("pattern" = DURATION_PATTERN))]
    pub(crate) jitter: Option<String>,
}

/// When hosts may be restarted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Window {
    /// When it opens, written as the `cron` of a schedule.
    pub(crate) opens: String,
    /// The time zone of these hours, by its name in the IANA database.
    #[serde(default = "default_time_zone")]
    pub(crate) time_zone: String,
    /// How long it is open. Of elapsed time, whatever the clock does. From 1s to 168h.
    #[schemars(extend("pattern" = DURATION_PATTERN))]
    pub(crate) length: String,
}

/// What holds for the rollouts of all fleets together.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Rollout {
    /// How many hosts of all fleets together may fail in one pass before nothing more is restarted anywhere. Without it,
    /// each fleet's own `max_errors` holds alone.
    pub(crate) max_errors: Option<u32>,
}

/// Where regcred keeps what it has to remember. The role of the hosts must not be able to read it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct State {
    /// The S3 bucket.
    pub(crate) bucket: String,
    /// What the keys of all objects of regcred begin with. It ends with `/`.
    #[serde(default = "default_prefix")]
    pub(crate) prefix: String,
    /// How long the lease is: of several processes that could write, one does, and another takes over when this one has not
    /// been heard of for so long. From 1s to 10m.
    #[serde(default = "default_lease")]
    #[schemars(extend("pattern" = DURATION_PATTERN))]
    pub(crate) lease: String,
    /// The location of the bucket. May be left out when there is only one location.
    pub(crate) location: Option<String>,
}

/// An account and a Region, and the role to use there.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Location {
    /// The AWS Region, such as `eu-west-1`.
    pub(crate) region: String,
    /// The role to assume there. Without it, the credentials of the environment are used as they are.
    pub(crate) role_arn: Option<String>,
    /// The external id that the role's trust policy asks for. It is no secret, in AWS's own words.
    pub(crate) external_id: Option<String>,
    /// The endpoint of all services there, instead of AWS's own: a sandbox on this machine, or a proxy.
    /// `https://`, or `http://` on a loopback address.
    pub(crate) endpoint_url: Option<String>,
}

/// A registry: its server, where its credential comes from, and the secret that it is published as.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Registry {
    /// The server as images name it: `docker.io`, `ghcr.io`, `registry.example.com:5000`, or with a path.
    /// ECR is refused: ECS logs in there by itself.
    pub(crate) server: String,
    /// Where the credential is read: exactly one of the keys below.
    pub(crate) source: Source,
    /// How long reading the source may take. From 100ms to 2m.
    #[serde(default = "default_source_timeout")]
    #[schemars(extend("pattern" = DURATION_PATTERN))]
    pub(crate) source_timeout: String,
    /// The secret in AWS Secrets Manager to publish the credential as, for `repositoryCredentials` of task
    /// definitions. Without it the credential is not published there.
    pub(crate) secret: Option<Secret>,
    /// How a new credential is tried at the registry before it is published anywhere. Without this key it is tried all
    /// the same, as the defaults have it.
    pub(crate) verify: Option<Verify>,
}

/// How a new credential is tried at the registry before it is published. It is tried once; one that the registry rejects
/// is never published, and not tried again until it changes: docs/VERIFY.md.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Verify {
    /// Whether it is tried at all. Without, whatever the source holds is published, a mistyped password too.
    #[serde(default = "default_enabled")]
    pub(crate) enabled: bool,
    /// A private repository that the credential may pull from, as images name it, without the host: `team/app`. Its
    /// manifest is looked at with the credential and without, which proves that the one can pull and nobody can without.
    pub(crate) repository: Option<String>,
    /// The tag to look at. Without it `latest`. Only with `repository`.
    pub(crate) tag: Option<String>,
    /// What becomes of a credential that cannot be tried, since the registry or its token server throttles (429), fails (500
    /// and above) or cannot be reached: no answer in time, no connection, a name that does not resolve, a certificate that
    /// is not trusted. What else keeps it from being tried holds it, whatever is said here.
    #[serde(default)]
    pub(crate) unreachable: Unreachable,
    /// The hosts of the registry's token server, with a port if it is not 443. With this key, the credential is sent to no
    /// other host but the registry's own; and these may have private addresses, as others may not.
    #[serde(default)]
    pub(crate) realm_hosts: Vec<String>,
    /// A PEM file of certificate authorities to trust besides the system's. A relative path starts at the folder of
    /// this file.
    pub(crate) ca_file: Option<String>,
    /// Where the registry's API is reached from here, if not by `https://` at `server`: a proxy, a tunnel. `https://`, or
    /// `http://` on a loopback address.
    pub(crate) endpoint: Option<String>,
    /// How long a try may take, all its questions together. From 1s to 2m.
    #[serde(default = "default_verify_timeout")]
    #[schemars(extend("pattern" = DURATION_PATTERN))]
    pub(crate) timeout: String,
}

impl Default for Verify {
    fn default() -> Self {
        Self {
            enabled: default_enabled(),
            repository: None,
            tag: None,
            unreachable: Unreachable::default(),
            realm_hosts: Vec::new(),
            ca_file: None,
            endpoint: None,
            timeout: default_verify_timeout(),
        }
    }
}

/// What becomes of a credential that cannot be tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unreachable {
    /// What is published stays; the next pass tries again.
    #[default]
    Hold,
    /// It is published untried, and that is said.
    Publish,
}

/// A secret in AWS Secrets Manager, as `repositoryCredentials` of a task definition reads it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Secret {
    /// The name of the secret, such as `ecs/registry/dockerhub`; not its ARN.
    pub(crate) name: String,
    /// The KMS key for a secret that regcred creates: `alias/…`, a key id, or the ARN of either. Without it,
    /// Secrets Manager uses `alias/aws/secretsmanager`, which no other account can read through.
    pub(crate) kms_key: Option<String>,
    /// The description of a secret that regcred creates.
    pub(crate) description: Option<String>,
    /// Tags of a secret that regcred creates, besides its own. Keys must not begin with `aws:` or `regcred`.
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    /// The locations that hold the secret, each a copy. May be left out when there is only one location.
    pub(crate) locations: Option<Vec<String>>,
    /// Take over a secret of this name that regcred did not create. Without it such a secret is left alone, and
    /// reported.
    #[serde(default)]
    pub(crate) adopt: bool,
    /// Regions that Secrets Manager copies the secret to, in the same account: the copies are seen in `status` until they
    /// are in sync, and written to by nobody. A `kms_key` has to be an alias, which is then the alias of a key in each of
    /// these Regions, or a multi-Region key. A Region that is taken from the list keeps its copy.
    #[serde(default)]
    pub(crate) replicate_to: Vec<String>,
}

/// An `ecs.config` object in S3. Only its two `ECS_ENGINE_AUTH_*` lines are regcred's; every other byte is kept.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct EcsConfig {
    /// The location of the bucket. May be left out when there is only one location.
    pub(crate) location: Option<String>,
    /// The S3 bucket. Its versioning must be on.
    pub(crate) bucket: String,
    /// The key of the object. Letters, digits and `!_.*()/=@:+,-`, since it is handed to a script on the hosts.
    pub(crate) key: String,
    /// The form of `ECS_ENGINE_AUTH_DATA`.
    #[serde(default)]
    pub(crate) format: Format,
    /// The registries whose credentials the object has to hold.
    pub(crate) registries: Vec<String>,
    /// The KMS key to encrypt the object with: `alias/…`, a key id, or the ARN of either. Without it, the bucket's
    /// own default encryption applies.
    pub(crate) kms_key: Option<String>,
    /// The S3 endpoint through which the hosts fetch the object, where they cannot use AWS's own: a VPC endpoint, such
    /// as `https://bucket.vpce-0123-abcd.s3.eu-west-1.vpce.amazonaws.com`. Without it, the endpoint that regcred itself
    /// uses there.
    pub(crate) host_endpoint: Option<String>,
    /// Remove the entries of registries that are not listed here. Without it they are kept, and named in the plan.
    #[serde(default)]
    pub(crate) prune: bool,
}

/// The two forms of `ECS_ENGINE_AUTH_DATA` that the ECS agent reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// Username and password in base64, which no shell and no parser can misread.
    #[default]
    Dockercfg,
    /// Username and password in the clear, for a username that contains a colon.
    Docker,
}

/// Which SSM document the hosts may get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DocumentCheck {
    /// The one that this version of regcred carries, deploy/ssm/regcred-refresh.json. Another one is not sent.
    #[default]
    Carried,
    /// One of the operator's own, which takes the same parameters and prints the same report. It is not looked at.
    Own,
}

/// The hosts that have to load one `ecs.config`, told by exactly one of `clusters`, `tags` and `instances`. A host belongs to
/// one fleet only.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Fleet {
    /// The name of the `ecs.config` that these hosts read, a key of `ecs_configs`.
    pub(crate) ecs_config: String,
    /// The location of the hosts. Without it, that of the `ecs.config`.
    pub(crate) location: Option<String>,
    /// The container instances of the clusters of these names; `*` stands for any characters, `?` for one. A cluster belongs
    /// to one fleet only.
    pub(crate) clusters: Option<Vec<String>>,
    /// The managed nodes of SSM with these tags: the name of each, and one to five values of which a node has to have one. A
    /// node has to have every tag. For hosts whose cluster is in another account, or that ECS shows nobody here; of a
    /// hybrid node (`mi-…`) the tags of the managed node count.
    pub(crate) tags: Option<BTreeMap<String, Vec<String>>>,
    /// The hosts of these ids, as SSM knows them: `i-…`, or `mi-…` of a hybrid node.
    pub(crate) instances: Option<Vec<String>>,
    /// How many hosts of any one cluster, or of a fleet by tags or instances, may be between restarted and proven at a
    /// time: a count, or a percentage of these hosts (rounded down, at least one).
    #[serde(default = "default_max_unavailable")]
    #[schemars(extend("type" = ["string", "integer"], "pattern" = "^[1-9][0-9]*%?$"))]
    pub(crate) max_unavailable: String,
    /// How many hosts of the whole fleet may fail before nothing more is restarted.
    #[serde(default)]
    pub(crate) max_errors: u32,
    /// The fleets that are rolled out before this one: it begins when each of them ended well, that is, when no host was
    /// left; hosts that could not be reached, or failed within `max_errors`, are no obstacle. A fleet that a pass leaves out
    /// is not waited for.
    #[serde(default)]
    pub(crate) after: Vec<String>,
    /// The maintenance windows of these hosts, keys of `windows`: one has to be open for a host to be restarted. Without
    /// any, they are restarted at any time.
    #[serde(default)]
    pub(crate) windows: Vec<String>,
    /// The SSM document that carries the host script.
    #[serde(default = "default_document")]
    pub(crate) document: String,
    /// Which document it has to be, so that no host runs a script that nobody meant. It is looked at before the first
    /// command of a pass.
    #[serde(default)]
    pub(crate) document_check: DocumentCheck,
    /// How often the results of a command are asked for. From 100ms to 1m.
    #[serde(default = "default_poll_interval")]
    #[schemars(extend("pattern" = DURATION_PATTERN))]
    pub(crate) poll_interval: String,
    /// How far apart the two samples are that must both show the agent connected. From 100ms to 5m. Only of clusters: of
    /// other hosts, the script's word is the proof.
    #[serde(default = "default_settle_interval")]
    #[schemars(extend("pattern" = DURATION_PATTERN))]
    pub(crate) settle_interval: String,
    /// How long a host may take to show itself connected after its agent was restarted. At least twice
    /// `settle_interval`, up to 30m.
    #[serde(default = "default_settle_timeout")]
    #[schemars(extend("pattern" = DURATION_PATTERN))]
    pub(crate) settle_timeout: String,
    /// How long a host may take to begin with a command, after which SSM gives it up. How long the script may then
    /// run is written in the SSM document. From 30s to 1h, in whole seconds.
    #[serde(default = "default_command_timeout")]
    #[schemars(extend("pattern" = DURATION_PATTERN))]
    pub(crate) command_timeout: String,
}

/// What is of use to `regcred run` alone.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Daemon {
    /// Where `/livez`, `/readyz` and `/metrics` are served: an address and a port, or `none`. Whoever reaches it may read
    /// the names of registries and fleets; there is no login and no TLS. Read at the start: a reload does not move it.
    #[serde(default = "default_listen")]
    pub(crate) listen: String,
}

impl Default for Daemon {
    fn default() -> Self {
        Self { listen: default_listen() }
    }
}

const DURATION_PATTERN: &str = "^[0-9]+(ms|s|m|h)$";
const VARIABLE_PATTERN: &str = "^[A-Z_][A-Z0-9_]*$";

fn default_time_zone() -> String {
    "UTC".to_owned()
}

fn default_prefix() -> String {
    "regcred/".to_owned()
}

/// Two renewals may fail, each with all its retries; and it is the time that a person waits after a crash.
fn default_lease() -> String {
    "1m".to_owned()
}

/// The port that programs serve Prometheus at which have none of their own: OpenTelemetry's default.
fn default_listen() -> String {
    "127.0.0.1:9464".to_owned()
}

/// Long enough for a network file system that wakes up, short against everything that waits for it.
fn default_source_timeout() -> String {
    "10s".to_owned()
}

fn default_enabled() -> bool {
    true
}

/// What `docker login` waits (moby, `daemon/pkg/registry/auth.go`).
fn default_verify_timeout() -> String {
    "15s".to_owned()
}

fn default_max_unavailable() -> String {
    "10%".to_owned()
}

fn default_document() -> String {
    "regcred-refresh".to_owned()
}

/// A restart takes half a minute; asking more often costs calls and learns nothing.
fn default_poll_interval() -> String {
    "5s".to_owned()
}

/// The agent's connection flips by nature: its first one may be the one that is about to be replaced.
fn default_settle_interval() -> String {
    "15s".to_owned()
}

fn default_settle_timeout() -> String {
    "3m".to_owned()
}

/// A host that is online begins within seconds; this leaves it time to come back from a reboot.
fn default_command_timeout() -> String {
    "10m".to_owned()
}
