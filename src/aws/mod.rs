//! The only module that names `aws_sdk_*`: one client set per location, and the calls that regcred makes.
//!
//! Clients are concrete types and tests replace the network, not the type. Retries belong to the SDK, with one
//! exception, `SendCommand` (see [`ssm`]). Nothing here decides what to do about an answer.

mod attempts;
mod caller_identity;
mod ecs;
mod error;
mod kms;
mod role;
mod s3;
mod secrets_manager;
mod ssm;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime::client::retries::RetryPartition;
use regcred_core::names::LocationName;
use regcred_core::partition;
use regcred_core::report::{Failure, FailureKind};

pub(crate) use attempts::{Attempt, Attempts, Operation};
pub(crate) use caller_identity::{CallerIdentity, SignedRequest};
pub(crate) use ecs::{Ecs, Instance, Recording};
pub(crate) use error::{AwsError, AwsErrorKind};
pub(crate) use kms::Kms;
pub(crate) use s3::{BytesRead, LARGEST, ObjectRead, S3};
pub(crate) use secrets_manager::{
    ReplicaSight, ReplicaStatus, SecretDescription, SecretRead, SecretsManager,
};
pub(crate) use ssm::{Encryption, Node, SendOutcome, SentCommand, Ssm};

use self::role::LocationRole;
use crate::config::{self, env};

/// The clients of one location. Cheap to clone: the SDK's clients share what is behind them.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    pub secrets_manager: SecretsManager,
    pub s3: S3,
    pub ecs: Ecs,
    pub ssm: Ssm,
    pub identity: CallerIdentity,
    pub kms: Kms,
}

/// Every location's clients, built once: a second credential provider for a role would be a second AssumeRole call.
#[derive(Debug)]
pub(crate) struct Locations {
    clients: BTreeMap<LocationName, Clients>,
    attempts: Attempts,
}

impl Locations {
    /// Builds the clients. Makes no call: credentials are fetched by the first one that needs them.
    pub(crate) async fn load(locations: &BTreeMap<LocationName, config::Location>) -> Self {
        Self::load_counted(locations, Attempts::default()).await
    }

    /// The same, where what other clients tried before is counted on.
    pub(crate) async fn load_counted(
        locations: &BTreeMap<LocationName, config::Location>,
        attempts: Attempts,
    ) -> Self {
        let roles = locations.values().filter(|location| location.role.is_some()).count();
        let base = base_config(roles).await;
        let mut clients = BTreeMap::new();
        for (name, location) in locations {
            let config = location_config(&base, name, location).await;
            clients.insert(name.clone(), Clients::new(name, location, &config, &attempts));
        }
        Self { clients, attempts }
    }

    /// What all of them tried.
    pub(crate) fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// A location in which nothing can be called, since no Region is known for it. Only the location of the environment
    /// can be without one.
    pub(crate) fn without_region(&self) -> Option<&LocationName> {
        self.clients.iter().find(|(_, clients)| clients.s3.region().is_none()).map(|(name, _)| name)
    }

    /// A validated config names no location that is not here.
    pub(crate) fn at(&self, name: &LocationName) -> &Clients {
        self.clients.get(name).expect("the config was validated: every location that is named exists")
    }
}

/// Each call would fail for it, after the SDK asked the instance metadata service in vain.
pub(crate) fn no_region(name: &LocationName) -> Failure {
    Failure::new(
        FailureKind::Missing,
        format!("cannot call AWS in location `{name}`"),
        "no Region is set: AWS_REGION is not, and neither the profile nor the instance names one",
        "set AWS_REGION, such as AWS_REGION=eu-west-1, or list the Region under `locations` in the config",
    )
}

#[cfg(test)]
impl Locations {
    /// No location at all.
    pub(crate) fn none() -> Self {
        Self { clients: BTreeMap::new(), attempts: Attempts::default() }
    }

    /// One location at an endpoint on loopback, called by the administrator of a sandbox. No call is made twice.
    pub(crate) fn at_endpoint(name: &str, region: &str, endpoint: &str) -> Self {
        Self::at_endpoint_trying(name, region, endpoint, RetryConfig::disabled())
    }

    /// The same, where calls are made again as `retries` has it.
    pub(super) fn at_endpoint_trying(name: &str, region: &str, endpoint: &str, retries: RetryConfig) -> Self {
        let credentials = aws_credential_types::Credentials::new("test", "test", None, None, "a test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(region.to_owned()))
            .endpoint_url(endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(retries)
            .build();
        let location = config::Location {
            region: Some(region.to_owned()),
            role: None,
            endpoint_url: Some(endpoint.to_owned()),
        };
        let name = LocationName::new(name);
        let attempts = Attempts::default();
        let clients = Clients::new(&name, &location, &config, &attempts);
        Self { clients: BTreeMap::from([(name, clients)]), attempts }
    }
}

impl Clients {
    fn new(
        name: &LocationName,
        location: &config::Location,
        config: &SdkConfig,
        attempts: &Attempts,
    ) -> Self {
        let place = Place::new(name, location, config, attempts.clone());
        Self {
            secrets_manager: SecretsManager::new(config, place.clone()),
            s3: S3::new(config, place.clone(), s3_endpoint(config)),
            ecs: Ecs::new(config, place.clone()),
            kms: Kms::new(config, place.clone()),
            ssm: Ssm::new(config, place.clone()),
            identity: CallerIdentity::new(config, place),
        }
    }
}

/// Where calls go, for messages and for retry partitions, and where they are counted.
#[derive(Clone, Debug)]
struct Place {
    /// `eu (111111111111, eu-west-1)`.
    text: String,
    region: Option<String>,
    /// Known where a role is assumed: it stands in its ARN.
    account: Option<String>,
    location: LocationName,
    attempts: Attempts,
}

impl Place {
    fn new(name: &LocationName, location: &config::Location, config: &SdkConfig, attempts: Attempts) -> Self {
        let region = config.region().map(|region| region.as_ref().to_owned());
        let account = location.role.as_ref().and_then(|role| role.arn.split(':').nth(4)).map(str::to_owned);
        let known: Vec<&str> = account.iter().chain(&region).map(String::as_str).collect();
        let known = if known.is_empty() { "no Region" } else { &known.join(", ") };
        Self { text: format!("{name} ({known})"), region, account, location: name.clone(), attempts }
    }

    /// One a location and service: the SDK's own is per service and Region, so that one throttled account would use
    /// up the retries of all (aws-smithy-runtime `retries::RetryPartition`).
    fn retry_partition(&self, service: &str) -> RetryPartition {
        RetryPartition::new(format!("{}/{service}", self.location))
    }

    /// An ARN as a policy would have it: what is not known stands as `*`.
    fn arn(&self, service: &str, resource: &str) -> String {
        let region = self.region.as_deref().unwrap_or("*");
        let account = self.account.as_deref().unwrap_or("*");
        format!("arn:{}:{service}:{region}:{account}:{resource}", self.partition())
    }

    /// The Region's partition (<https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>).
    fn partition(&self) -> &'static str {
        partition::of_region(self.region.as_deref().unwrap_or_default())
    }
}

/// S3 idles connections out after some 20 s; a pooled one that it already closed would stall a PutObject until the
/// operation's time-out (aws-sdk-rust#1417).
const POOL_IDLE: Duration = Duration::from_secs(15);
/// No call of regcred's moves more than a few hundred kilobytes.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Five attempts with back-off fit in.
const OPERATION_TIMEOUT: Duration = Duration::from_mins(1);
/// Credentials are renewed this long before they expire, so that none expires inside a call.
const CREDENTIAL_BUFFER: Duration = Duration::from_mins(1);
/// The shortest that STS gives; a pass that takes longer gets new ones.
const ROLE_SESSION: Duration = Duration::from_mins(15);

async fn base_config(roles: usize) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .pool_idle_timeout(POOL_IDLE)
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    // The cache evicts at random when it is full; twice the roles leaves room for the ambient identity and renewals.
    let identities =
        IdentityCache::lazy().max_partitions((roles * 2).max(16)).buffer_time(CREDENTIAL_BUFFER).build();
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .identity_cache(identities)
        .load()
        .await
}

async fn location_config(base: &SdkConfig, name: &LocationName, location: &config::Location) -> SdkConfig {
    let mut builder = base.clone().into_builder();
    if let Some(region) = &location.region {
        builder = builder.region(Region::new(region.clone()));
    }
    if let Some(endpoint) = &location.endpoint_url {
        builder = builder.endpoint_url(endpoint);
    }
    let config = builder.build();
    let Some(role) = &location.role else { return config };
    let mut provider = AssumeRoleProvider::builder(&role.arn)
        .session_name("regcred")
        .session_length(ROLE_SESSION)
        .configure(&config);
    if let Some(external_id) = &role.external_id {
        provider = provider.external_id(external_id);
    }
    let ambient = base.credentials_provider().expect("ConfigLoader::load sets a provider chain");
    let provider = provider.build_from_provider(ambient).await;
    let provider = LocationRole { provider, location: name.clone(), role: role.clone() };
    config.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
}

/// The endpoint that S3 calls go to when it is not AWS's own.
fn s3_endpoint(config: &SdkConfig) -> Option<String> {
    std::env::var(env::AWS_ENDPOINT_URL_S3).ok().or_else(|| config.endpoint_url().map(str::to_owned))
}

/// A time as AWS gave it, to the second.
fn time(time: &aws_smithy_types::DateTime) -> Option<chrono::DateTime<chrono::Utc>> {
    chrono::DateTime::from_timestamp(time.secs(), 0)
}
