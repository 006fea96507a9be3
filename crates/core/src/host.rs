//! Container instances as regcred sees them: identity, platform, recorded revision, and how they stand to a desired one.
//!
//! ECS calls them container instances, SSM managed nodes; here one is a host. This module reads what both services say
//! of it; it must not decide when a host is sent to (see [`crate::rollout`]).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::fingerprint::Revision;
use crate::invocation::NothingRan;
use crate::platform;

/// The custom attribute of a container instance that names the revision which it was proven to have loaded.
pub const REVISION_ATTRIBUTE: &str = "regcred.revision";

/// What [`REVISION_ATTRIBUTE`] is overwritten with before a host is sent to. From then on it is not known what its agent
/// holds, whatever becomes of the command and of the pass: were the old revision left there, a host that holds a newer
/// one would count as proven as soon as the old one is desired again.
pub const PENDING_REVISION: &str = "pending";

/// The custom attribute that tells how the host failed last: see [`RecordedFailure`].
pub const FAILED_ATTRIBUTE: &str = "regcred.failed";

/// What [`FAILED_ATTRIBUTE`] is overwritten with when the host has been proven since: ECS takes no empty value (1 to 128
/// characters, <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Attribute.html>), and one `PutAttributes`
/// that sets both attributes cannot be cut in half.
pub const NO_FAILURE: &str = "none";

/// How the value of [`FAILED_ATTRIBUTE`] begins that is a count; no revision does.
const UNPROVEN: &str = "unproven-";

/// Bottlerocket registers it, with the variant as the value; an instance is told by its presence alone, as
/// bottlerocket-ecs-updater does (`updater/aws.go`, `filterBottlerocketInstances`).
pub const BOTTLEROCKET_ATTRIBUTE: &str = "bottlerocket.variant";

/// The agent registers it as `linux` or `windows`
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html>).
pub const OS_TYPE_ATTRIBUTE: &str = "ecs.os-type";

/// The id by which SSM knows a host: an EC2 instance (`i-…`) or a managed node (`mi-…`, ECS Anywhere). It is the
/// container instance's `ec2InstanceId` in both cases.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct HostId(String);

/// A text that SSM would not take for an instance id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no id of an EC2 instance (`i-…`) or a managed node (`mi-…`)")]
pub struct HostIdError(String);

impl HostId {
    /// Accepts what `SendCommand` accepts: `i-` and 8 or 17 word characters, or `mi-` and 17 (SSM's service model,
    /// `InstanceId`).
    pub fn parse(text: &str) -> Result<Self, HostIdError> {
        let (rest, lengths): (&str, &[usize]) = match (text.strip_prefix("mi-"), text.strip_prefix("i-")) {
            (Some(rest), _) => (rest, &[17]),
            (None, Some(rest)) => (rest, &[8, 17]),
            (None, None) => return Err(HostIdError(text.to_owned())),
        };
        let word = rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if word && lengths.contains(&rest.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(HostIdError(text.to_owned()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for HostId {
    type Error = HostIdError;

    fn try_from(text: String) -> Result<Self, HostIdError> {
        Self::parse(&text)
    }
}

impl From<HostId> for String {
    fn from(id: HostId) -> Self {
        id.0
    }
}

macro_rules! text {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text! {
    /// The short name of an ECS cluster.
    ClusterName
}
text! {
    /// The ARN under which an agent is registered. It outlives a restart; another one means that the agent lost its
    /// state and registered anew.
    ContainerInstanceArn
}

/// What runs the agent, as far as it decides whether a shell script can restart it.
///
/// ECS Managed Instances cannot be told by an attribute, but by the type of the capacity provider that they came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// ecs-init under systemd: Amazon Linux, Ubuntu, SUSE and others, ECS Anywhere among them.
    Linux,
    /// No shell and no ecs.config; credentials are settings of its API.
    Bottlerocket,
    /// No ecs.config; the agent reads the machine's environment.
    Windows,
    /// AWS's own instances: no ecs.config, no SSM, and no way onto them.
    ManagedInstance,
    /// No ECS agent runs there; SSM knows such machines.
    MacOs,
}

impl Platform {
    /// Reads `PlatformType` and `PlatformName` of `DescribeInstanceInformation`, for a host whose attributes cannot be seen.
    /// A Bottlerocket that does not call itself so is taken for Linux, and its host script refuses there.
    pub fn of_node(kind: &str, name: &str) -> Self {
        match kind {
            "Windows" => Self::Windows,
            "MacOS" => Self::MacOs,
            _ if name.to_ascii_lowercase().starts_with("bottlerocket") => Self::Bottlerocket,
            _ => Self::Linux,
        }
    }
}

/// The attributes of a container instance that regcred reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    pub platform: Platform,
    /// The value of [`REVISION_ATTRIBUTE`].
    pub recorded: Option<Revision>,
    /// The value of [`FAILED_ATTRIBUTE`], if it names a failure.
    pub failed: Option<RecordedFailure>,
}

/// How a host failed when it was last sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordedFailure {
    /// This revision was tried on it and did not load: it is not tried again there until the revision changes or a
    /// person asks for it.
    Revision(Revision),
    /// It was sent to so many times in a row and was not proven, for a reason that says nothing of the revision. It is
    /// left out of nothing; its turn comes after that of others, and after that of those which failed less often, so
    /// that no sick host is the first of every rollout.
    Unproven { times: u32 },
}

impl RecordedFailure {
    /// Reads a value of [`FAILED_ATTRIBUTE`]; [`NO_FAILURE`] is `None`.
    pub fn read(value: &str) -> Option<Self> {
        if value == NO_FAILURE {
            return None;
        }
        let times = value.strip_prefix(UNPROVEN).and_then(|times| times.parse().ok());
        Some(
            times.map_or_else(
                || Self::Revision(Revision::from_recorded(value)),
                |times| Self::Unproven { times },
            ),
        )
    }

    /// The value of [`FAILED_ATTRIBUTE`] that tells it.
    pub fn value(&self) -> String {
        match self {
            Self::Revision(revision) => revision.to_string(),
            Self::Unproven { times } => format!("{UNPROVEN}{times}"),
        }
    }

    /// How often the host failed in a row, as far as it is known.
    pub fn times(&self) -> u32 {
        match self {
            Self::Revision(_) => 1,
            Self::Unproven { times } => *times,
        }
    }

    /// Whether it is this revision that did not load.
    pub fn is_of(&self, revision: &Revision) -> bool {
        matches!(self, Self::Revision(failed) if failed == revision)
    }
}

impl Attributes {
    /// Reads the name and value pairs of `DescribeContainerInstances`. An instance without [`OS_TYPE_ATTRIBUTE`] is
    /// taken for Linux: only agents older than 1.18 lack it, and they ran nowhere else.
    pub fn read<'a>(pairs: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Self {
        let mut attributes = Self { platform: Platform::Linux, recorded: None, failed: None };
        for (name, value) in pairs {
            match (name, value) {
                (BOTTLEROCKET_ATTRIBUTE, _) => attributes.platform = Platform::Bottlerocket,
                (OS_TYPE_ATTRIBUTE, Some(os)) if os.eq_ignore_ascii_case("windows") => {
                    attributes.platform = Platform::Windows;
                }
                (REVISION_ATTRIBUTE, Some(value)) => {
                    attributes.recorded = Some(Revision::from_recorded(value));
                }
                (FAILED_ATTRIBUTE, Some(value)) => attributes.failed = RecordedFailure::read(value),
                _ => {}
            }
        }
        attributes
    }
}

/// `ContainerInstance.status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstanceStatus {
    Active,
    /// Takes no new tasks; those that run may still pull, so it needs the credential too.
    Draining,
    Registering,
    RegistrationFailed,
    Deregistering,
    Inactive,
    /// A status that this version does not know, as it was spelled.
    #[serde(untagged)]
    Other(String),
}

impl InstanceStatus {
    /// Reads the values that ECS documents
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerInstance.html>).
    pub fn read(text: &str) -> Self {
        match text {
            "ACTIVE" => Self::Active,
            "DRAINING" => Self::Draining,
            "REGISTERING" => Self::Registering,
            "REGISTRATION_FAILED" => Self::RegistrationFailed,
            "DEREGISTERING" => Self::Deregistering,
            "INACTIVE" => Self::Inactive,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// `InstanceInformation.PingStatus`, and its absence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ping {
    Online,
    ConnectionLost,
    Inactive,
    /// SSM does not list it: no SSM agent, or no role that allows it.
    NotManaged,
    /// A status that this version does not know, as it was spelled.
    #[serde(untagged)]
    Other(String),
}

impl Ping {
    /// Reads `PingStatus` of `DescribeInstanceInformation`. A host that the answer does not name is
    /// [`Ping::NotManaged`].
    pub fn read(text: &str) -> Self {
        match text {
            "Online" => Self::Online,
            "ConnectionLost" => Self::ConnectionLost,
            "Inactive" => Self::Inactive,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for InstanceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Registering => "REGISTERING",
            Self::RegistrationFailed => "REGISTRATION_FAILED",
            Self::Deregistering => "DEREGISTERING",
            Self::Inactive => "INACTIVE",
            Self::Other(text) => text,
        })
    }
}

/// One host of a fleet, as ECS and SSM describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub id: HostId,
    pub membership: Membership,
    pub attributes: Attributes,
    pub ping: Ping,
}

/// Whether ECS can be asked about a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Membership {
    /// It is a container instance of a cluster of its fleet.
    Registered(Registration),
    /// Its fleet is told by tags or ids of SSM, and where its agent is registered is not known here. What it holds is
    /// proven by the host script alone, and recorded in an object of regcred's own.
    Outside,
}

/// A container instance, as ECS describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    pub cluster: ClusterName,
    pub arn: ContainerInstanceArn,
    pub status: InstanceStatus,
    /// What ECS last said. It flips several times an hour by nature, so nothing is refused because of it.
    pub agent_connected: bool,
}

/// How a host stands to a desired revision, before anything is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was proven to have loaded this revision.
    Current,
    /// It has to be restarted, and can be.
    Changed,
    /// This very revision was tried on it and failed.
    FailedBefore,
    /// It can never be restarted this way.
    Unsupported(Unsupported),
    /// It cannot be restarted now.
    Unreachable(Unreachable),
    /// It is leaving the cluster, or has left.
    Gone,
}

/// Why a host can never be restarted by a shell script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unsupported {
    Bottlerocket,
    Windows,
    /// An ECS Managed Instance, which needs no restart.
    ManagedInstance,
    MacOs,
    /// Another registration of the same instance is the live one; this one is left over from an agent that lost its
    /// state, and stays until somebody deregisters it.
    StaleRegistration,
}

/// Why a host could not be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "because", content = "seen", rename_all = "snake_case")]
pub enum Unreachable {
    /// SSM does not hold a connection to it; nothing was sent.
    NotOnline(Ping),
    /// ECS does not hold it for a working member of the cluster; nothing was sent.
    NotActive(InstanceStatus),
    /// It was sent to, or was about to be, and nothing ran on it.
    NothingRan(NothingRan),
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bottlerocket => platform::BOTTLEROCKET.why,
            Self::Windows => platform::WINDOWS.why,
            Self::ManagedInstance => platform::MANAGED_INSTANCES.why,
            Self::MacOs => platform::MACOS.why,
            Self::StaleRegistration => "this registration is left over; the instance is registered anew",
        })
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOnline(Ping::NotManaged) => f.write_str("it is no managed node of SSM"),
            Self::NotOnline(Ping::ConnectionLost) => f.write_str("SSM has lost the connection to it"),
            Self::NotOnline(Ping::Inactive) => f.write_str("its SSM agent is inactive"),
            Self::NotOnline(Ping::Online) => f.write_str("SSM says that it is online"),
            Self::NotOnline(Ping::Other(text)) => write!(f, "SSM says of its connection: {text}"),
            Self::NotActive(status) => write!(f, "its status in ECS is {status}"),
            Self::NothingRan(why) => why.fmt(f),
        }
    }
}

/// What to do about hosts on which the desired revision failed before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailedHosts {
    /// Leave them alone until the revision changes.
    #[default]
    LeaveAlone,
    /// Try them again, after all others.
    Retry,
}

impl Host {
    /// Its container instance, where ECS can be asked about it.
    pub fn registration(&self) -> Option<&Registration> {
        match &self.membership {
            Membership::Registered(registration) => Some(registration),
            Membership::Outside => None,
        }
    }

    /// Its cluster. Hosts outside ECS's view have none; those of a fleet are one group.
    pub fn cluster(&self) -> Option<&ClusterName> {
        self.registration().map(|registration| &registration.cluster)
    }

    /// Whether this revision was tried on it and did not load.
    pub fn failed_with(&self, revision: &Revision) -> bool {
        self.attributes.failed.as_ref().is_some_and(|failed| failed.is_of(revision))
    }

    /// How this host stands to `desired`. What can never work comes first, then what need not be done, then what cannot
    /// be done now.
    pub fn standing(&self, desired: &Revision, failed: FailedHosts) -> Standing {
        match self.attributes.platform {
            Platform::Linux => {}
            Platform::Bottlerocket => return Standing::Unsupported(Unsupported::Bottlerocket),
            Platform::Windows => return Standing::Unsupported(Unsupported::Windows),
            Platform::ManagedInstance => return Standing::Unsupported(Unsupported::ManagedInstance),
            Platform::MacOs => return Standing::Unsupported(Unsupported::MacOs),
        }
        let status = self.registration().map(|registration| &registration.status);
        match status {
            Some(InstanceStatus::Deregistering | InstanceStatus::Inactive) => return Standing::Gone,
            _ if self.attributes.recorded.as_ref() == Some(desired) => return Standing::Current,
            _ if self.failed_with(desired) && failed == FailedHosts::LeaveAlone => {
                return Standing::FailedBefore;
            }
            None | Some(InstanceStatus::Active | InstanceStatus::Draining) => {}
            Some(
                other @ (InstanceStatus::Registering
                | InstanceStatus::RegistrationFailed
                | InstanceStatus::Other(_)),
            ) => return Standing::Unreachable(Unreachable::NotActive(other.clone())),
        }
        match &self.ping {
            Ping::Online => Standing::Changed,
            other @ (Ping::ConnectionLost | Ping::Inactive | Ping::NotManaged | Ping::Other(_)) => {
                Standing::Unreachable(Unreachable::NotOnline(other.clone()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change<'a> = &'a dyn Fn(&mut Host);
    type Pairs = &'static [(&'static str, Option<&'static str>)];

    #[test]
    fn an_id_is_what_send_command_takes() {
        for good in ["i-12345678", "i-0123456789abcdef0", "mi-0123456789abcdef0"] {
            assert_eq!(HostId::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "i-",
            "i-1234567",
            "i-123456789",
            "mi-12345678",
            "i-0123456789abcde/0",
            "web-1",
            "I-12345678",
        ] {
            assert_eq!(HostId::parse(bad), Err(HostIdError(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn ssm_tells_the_platform_of_a_node() {
        for (kind, name, platform) in [
            ("Linux", "Amazon Linux", Platform::Linux),
            ("Linux", "Bottlerocket", Platform::Bottlerocket),
            ("Windows", "Microsoft Windows Server 2022 Datacenter", Platform::Windows),
            ("MacOS", "macOS", Platform::MacOs),
            ("", "", Platform::Linux),
        ] {
            assert_eq!(Platform::of_node(kind, name), platform, "{kind} {name}");
        }
    }

    #[test]
    fn attributes_tell_the_platform_and_what_was_recorded() {
        let plain = Attributes { platform: Platform::Linux, recorded: None, failed: None };
        let cases: [(Pairs, Attributes); 8] = [
            (&[], plain.clone()),
            (&[("ecs.os-type", Some("linux")), ("ecs.ami-id", None)], plain.clone()),
            (
                &[("ecs.os-type", Some("windows"))],
                Attributes { platform: Platform::Windows, ..plain.clone() },
            ),
            (
                &[("bottlerocket.variant", Some("aws-ecs-2")), ("ecs.os-type", Some("linux"))],
                Attributes { platform: Platform::Bottlerocket, ..plain.clone() },
            ),
            (
                &[("bottlerocket.variant", None)],
                Attributes { platform: Platform::Bottlerocket, ..plain.clone() },
            ),
            (
                &[("regcred.revision", Some("r1")), ("regcred.failed", Some("r2"))],
                Attributes {
                    recorded: Some(Revision::from_recorded("r1")),
                    failed: Some(RecordedFailure::Revision(Revision::from_recorded("r2"))),
                    ..plain.clone()
                },
            ),
            (
                &[("regcred.failed", Some("unproven-3"))],
                Attributes { failed: Some(RecordedFailure::Unproven { times: 3 }), ..plain.clone() },
            ),
            (&[("regcred.failed", Some("none")), ("regcred.revision", None)], plain),
        ];
        for (pairs, expected) in cases {
            assert_eq!(Attributes::read(pairs.iter().copied()), expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_recorded_failure_survives_its_attribute() {
        let revision = RecordedFailure::Revision(Revision::from_recorded("r0"));
        for failure in [revision, RecordedFailure::Unproven { times: 7 }] {
            assert_eq!(RecordedFailure::read(&failure.value()), Some(failure));
        }
        assert_eq!(RecordedFailure::read(NO_FAILURE), None);
    }

    #[test]
    fn a_standing_names_what_can_never_work_first_and_what_cannot_be_done_now_last() {
        let desired = Revision::from_recorded("r1");
        let leave = FailedHosts::LeaveAlone;
        let host = || Host {
            id: HostId::parse("i-12345678").unwrap(),
            membership: Membership::Registered(Registration {
                cluster: ClusterName::new("web"),
                arn: ContainerInstanceArn::new("arn:1"),
                status: InstanceStatus::Active,
                agent_connected: true,
            }),
            attributes: Attributes { platform: Platform::Linux, recorded: None, failed: None },
            ping: Ping::Online,
        };
        let in_ecs = |host: &mut Host, change: fn(&mut Registration)| match &mut host.membership {
            Membership::Registered(registration) => change(registration),
            Membership::Outside => panic!("it is registered"),
        };
        let failed = |revision| Some(RecordedFailure::Revision(Revision::from_recorded(revision)));
        let cases: [(Change<'_>, FailedHosts, Standing); 18] = [
            (&|_| {}, leave, Standing::Changed),
            (&|host| in_ecs(host, |it| it.agent_connected = false), leave, Standing::Changed),
            (&|host| in_ecs(host, |it| it.status = InstanceStatus::Draining), leave, Standing::Changed),
            (
                &|host| host.attributes.recorded = Some(Revision::from_recorded("r0")),
                leave,
                Standing::Changed,
            ),
            (
                &|host| host.attributes.recorded = Some(Revision::from_recorded("r1")),
                leave,
                Standing::Current,
            ),
            (&|host| host.attributes.failed = failed("r0"), leave, Standing::Changed),
            (&|host| host.attributes.failed = failed("r1"), leave, Standing::FailedBefore),
            (
                &|host| host.attributes.failed = Some(RecordedFailure::Unproven { times: 1 }),
                leave,
                Standing::Changed,
            ),
            (&|host| host.attributes.failed = failed("r1"), FailedHosts::Retry, Standing::Changed),
            (
                &|host| host.attributes.platform = Platform::Bottlerocket,
                leave,
                Standing::Unsupported(Unsupported::Bottlerocket),
            ),
            (
                &|host| host.attributes.platform = Platform::Windows,
                leave,
                Standing::Unsupported(Unsupported::Windows),
            ),
            (
                &|host| host.attributes.platform = Platform::ManagedInstance,
                leave,
                Standing::Unsupported(Unsupported::ManagedInstance),
            ),
            (&|host| in_ecs(host, |it| it.status = InstanceStatus::Inactive), leave, Standing::Gone),
            (&|host| in_ecs(host, |it| it.status = InstanceStatus::Deregistering), leave, Standing::Gone),
            (&|host| host.membership = Membership::Outside, leave, Standing::Changed),
            (
                &|host| {
                    host.membership = Membership::Outside;
                    host.ping = Ping::ConnectionLost;
                },
                leave,
                Standing::Unreachable(Unreachable::NotOnline(Ping::ConnectionLost)),
            ),
            (
                &|host| in_ecs(host, |it| it.status = InstanceStatus::Registering),
                leave,
                Standing::Unreachable(Unreachable::NotActive(InstanceStatus::Registering)),
            ),
            (
                &|host| host.ping = Ping::NotManaged,
                leave,
                Standing::Unreachable(Unreachable::NotOnline(Ping::NotManaged)),
            ),
        ];
        for (change, failed, expected) in cases {
            let mut host = host();
            change(&mut host);
            assert_eq!(host.standing(&desired, failed), expected, "{host:?}");
        }
    }

    #[test]
    fn every_status_that_ecs_documents_is_known_and_others_are_kept() {
        for text in [
            "ACTIVE",
            "DRAINING",
            "REGISTERING",
            "REGISTRATION_FAILED",
            "DEREGISTERING",
            "INACTIVE",
            "A NEW ONE",
        ] {
            let status = InstanceStatus::read(text);
            assert_eq!(status.to_string(), text);
            assert_eq!(matches!(status, InstanceStatus::Other(_)), text == "A NEW ONE");
        }
        for text in ["Online", "ConnectionLost", "Inactive", "A new one"] {
            assert_eq!(matches!(Ping::read(text), Ping::Other(_)), text == "A new one");
        }
    }
}
