//! Whether each host holds what is published and what is recorded of it, told by asking it: other tools revert files, and an
//! attribute can lie.
//!
//! Three things have to agree with the object in S3: the file, the live agent, and the recorded revision. An audit changes
//! none of them. This module must not decide what is done about a difference: a sync goes by what is recorded.

mod explain;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::explain::{RecordPlace, Remedy, Told};
use crate::fingerprint::Revision;
use crate::host::{
    ClusterName, ContainerInstanceArn, Host, HostId, InstanceStatus, PENDING_REVISION, Ping, Platform,
    Unreachable, Unsupported,
};
use crate::invocation::CutOff;
use crate::names::{FleetName, LocationName};
use crate::probe::HostProbe;
use crate::report::{Failure, Verdict};
use crate::rollout::Refusal;
use crate::script::{AgentState, Agreement, AuthWarnings, ProbeReport, Reason, ReportError, VersionId};

/// The version of the serialised form.
pub const VERSION: u32 = 1;

/// What an audit of the hosts found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Audit {
    pub version: u32,
    pub fleets: Vec<FleetAudit>,
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FleetAudit {
    pub fleet: FleetName,
    pub location: LocationName,
    #[serde(flatten)]
    pub sight: AuditSight,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "sight", rename_all = "snake_case")]
pub enum AuditSight {
    /// Its hosts were asked, as far as they could be.
    Asked {
        /// Of what the object held when the hosts were asked.
        revision: Revision,
        hosts: Vec<HostAudit>,
        /// Clusters or hosts that could not be looked at.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        unseen: Vec<Failure>,
        /// Calls that went wrong on the way.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        failures: Vec<Failure>,
    },
    /// Nobody could be asked.
    Failed { failure: Failure },
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HostAudit {
    pub host: HostId,
    /// Its cluster, unless its fleet is told by tags or ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// Its container instance, unless its fleet is told by tags or ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_instance_arn: Option<ContainerInstanceArn>,
    /// What it is recorded to hold; `None` where no proof is on record.
    pub recorded: Option<Revision>,
    #[serde(flatten)]
    pub finding: Finding,
    /// What the host itself said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<ProbeReport>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// Its file, its live agent and the record agree with the object.
    Agrees,
    /// In each of these they do not.
    Differs {
        differences: Vec<Difference>,
    },
    CannotTell {
        why: Untold,
    },
    /// The script can never run on it; listed, and not counted.
    Unsupported {
        why: Unsupported,
    },
}

/// In what a host differs from what it should be; the first ones are the ones to see to first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(tag = "difference", rename_all = "snake_case")]
pub enum Difference {
    AgentDead,
    /// Its unit runs, and it does not answer.
    AgentSilent,
    /// Its live agent is registered as another container instance, which the fleet does not have.
    OtherRegistration {
        arn: ContainerInstanceArn,
    },
    /// Its live agent does not hold what is published, and the record says that it does.
    RecordLies,
    /// Its live agent does not hold what is published, and the record does not say that it does: a sync is due.
    Behind,
    /// The same, and it was tried on it before and did not load: a sync leaves it alone.
    FailedBefore,
    /// Its file does not hold what is published, and its live agent does or does not run: the next start loads something
    /// else.
    FileDiffers,
    /// Its file and its live agent hold different values, and the file's is not the published one.
    FileAndAgentDiffer,
    /// Its file has what is published, and its live agent has not loaded that.
    NotLoaded,
    /// The agent dropped some of the value, or all of it, and logged that.
    AgentWarned,
    /// Its live agent holds what is published, and that is not on record.
    NotRecorded,
}

/// Why nothing can be told of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Untold {
    /// Nothing ran on it.
    Unreachable {
        why: Unreachable,
    },
    /// SSM refused the command; without a refusal, its answer was lost.
    NotSent {
        refusal: Option<Refusal>,
    },
    /// Another run was at work on it.
    Busy,
    /// The script did not look.
    Declined {
        reason: Option<Reason>,
        detail: Option<String>,
    },
    /// The host could not read the object that it was to compare with.
    ObjectUnread {
        reason: Option<Reason>,
        detail: Option<String>,
    },
    /// Another version of the object was written while hosts were asked.
    ObjectMoved,
    /// The script was cut off.
    CutOff {
        by: CutOff,
    },
    /// The script ended and its report could not be read.
    NoReport {
        error: ReportError,
        exit_code: Option<i32>,
    },
    /// SSM showed no result in time.
    NoResult,
    /// Its results may not be read.
    NotFollowed,
    UnknownStatus {
        seen: String,
    },
}

/// What hosts are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub revision: Revision,
    /// `None` in a bucket without versions.
    pub version_id: Option<VersionId>,
}

/// Why a host is not to be asked at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unasked {
    Unsupported(Unsupported),
    Unreachable(Unreachable),
    /// It has left the cluster, or is about to.
    Gone,
}

/// Whether the script could run on a host now. SSM's word counts only where it was asked for.
pub fn may_ask(host: &Host) -> Result<(), Unasked> {
    match host.attributes.platform {
        Platform::Linux => {}
        Platform::Bottlerocket => return Err(Unasked::Unsupported(Unsupported::Bottlerocket)),
        Platform::Windows => return Err(Unasked::Unsupported(Unsupported::Windows)),
        Platform::ManagedInstance => return Err(Unasked::Unsupported(Unsupported::ManagedInstance)),
        Platform::MacOs => return Err(Unasked::Unsupported(Unsupported::MacOs)),
    }
    match host.registration().map(|registration| &registration.status) {
        None | Some(InstanceStatus::Active | InstanceStatus::Draining) => {}
        Some(InstanceStatus::Deregistering | InstanceStatus::Inactive) => return Err(Unasked::Gone),
        Some(
            other @ (InstanceStatus::Registering
            | InstanceStatus::RegistrationFailed
            | InstanceStatus::Other(_)),
        ) => return Err(Unasked::Unreachable(Unreachable::NotActive(other.clone()))),
    }
    match &host.ping {
        Ping::Online => Ok(()),
        other @ (Ping::ConnectionLost | Ping::Inactive | Ping::NotManaged | Ping::Other(_)) => {
            Err(Unasked::Unreachable(Unreachable::NotOnline(other.clone())))
        }
    }
}

/// Judges the hosts of a fleet by what came of asking them. Hosts that are gone are left out.
pub fn judge(published: &Published, hosts: &[Host], probes: &BTreeMap<HostId, HostProbe>) -> Vec<HostAudit> {
    let judged = hosts.iter().filter_map(|host| {
        let probe = probes.get(&host.id);
        let finding = match may_ask(host) {
            Err(Unasked::Gone) => return None,
            Err(Unasked::Unsupported(why)) => Finding::Unsupported { why },
            Err(Unasked::Unreachable(why)) => Finding::CannotTell { why: Untold::Unreachable { why } },
            Ok(()) => finding(published, host, hosts, probe.cloned().unwrap_or(HostProbe::NoResult)),
        };
        Some(HostAudit {
            host: host.id.clone(),
            cluster: host.cluster().cloned(),
            container_instance_arn: host.registration().map(|registration| registration.arn.clone()),
            recorded: recorded(host).cloned(),
            finding,
            report: probe.and_then(HostProbe::report).cloned(),
        })
    });
    judged.collect()
}

fn finding(published: &Published, host: &Host, hosts: &[Host], probe: HostProbe) -> Finding {
    let why = match probe {
        HostProbe::Answered { report } => return compare(published, host, hosts, &report),
        HostProbe::Busy => Untold::Busy,
        HostProbe::Declined { reason, detail } => Untold::Declined { reason, detail },
        HostProbe::NoReport { error, exit_code } => Untold::NoReport { error, exit_code },
        HostProbe::Unreachable { why } => Untold::Unreachable { why },
        HostProbe::CutOff { by } => Untold::CutOff { by },
        HostProbe::NoResult => Untold::NoResult,
        HostProbe::NotFollowed => Untold::NotFollowed,
        HostProbe::UnknownStatus { seen } => Untold::UnknownStatus { seen },
        HostProbe::NotSent { refusal } => Untold::NotSent { refusal },
    };
    Finding::CannotTell { why }
}

fn recorded(host: &Host) -> Option<&Revision> {
    host.attributes.recorded.as_ref().filter(|recorded| recorded.as_str() != PENDING_REVISION)
}

fn compare(published: &Published, host: &Host, hosts: &[Host], report: &ProbeReport) -> Finding {
    let mut differences = Vec::new();
    let registered = |host: &Host, arn: &ContainerInstanceArn| {
        host.registration().is_none_or(|registration| registration.arn == *arn)
    };
    if let Some(arn) = report.container_instance_arn.as_ref().filter(|arn| !registered(host, arn)) {
        // What the host said is said of its live registration.
        if hosts.iter().any(|other| other.id == host.id && registered(other, arn)) {
            return Finding::Unsupported { why: Unsupported::StaleRegistration };
        }
        differences.push(Difference::OtherRegistration { arn: arn.clone() });
    }
    match report.agent {
        AgentState::Registered => {}
        AgentState::Silent => differences.push(Difference::AgentSilent),
        AgentState::Dead => differences.push(Difference::AgentDead),
    }
    if report.warnings == AuthWarnings::Warned {
        differences.push(Difference::AgentWarned);
    }
    let moved = published.version_id.is_some() && report.version_id != published.version_id;
    let (live, file) = if moved {
        (Agreement::Unknown, Agreement::Unknown)
    } else {
        (report.object_and_live, report.object_and_file)
    };
    let is_recorded = recorded(host) == Some(&published.revision);
    match (live, is_recorded) {
        (Agreement::Same, true) | (Agreement::Unknown, _) => {}
        (Agreement::Same, false) => differences.push(Difference::NotRecorded),
        (Agreement::Differs, true) => differences.push(Difference::RecordLies),
        (Agreement::Differs, false) if host.failed_with(&published.revision) => {
            differences.push(Difference::FailedBefore);
        }
        (Agreement::Differs, false) => differences.push(Difference::Behind),
    }
    match (live, file, report.file_and_live) {
        (Agreement::Differs, Agreement::Same, _) => differences.push(Difference::NotLoaded),
        (Agreement::Same | Agreement::Unknown, Agreement::Differs, _) => {
            differences.push(Difference::FileDiffers);
        }
        (Agreement::Differs, Agreement::Differs, Agreement::Differs)
        | (_, Agreement::Unknown, Agreement::Differs) => {
            differences.push(Difference::FileAndAgentDiffer);
        }
        (_, _, Agreement::Same | Agreement::Differs | Agreement::Unknown) => {}
    }
    if !differences.is_empty() {
        differences.sort();
        return Finding::Differs { differences };
    }
    let ProbeReport { reason, detail, .. } = report;
    match (live, file) {
        (Agreement::Same, Agreement::Same) => Finding::Agrees,
        _ if report.version_id.is_some() && moved => Finding::CannotTell { why: Untold::ObjectMoved },
        _ => Finding::CannotTell {
            why: Untold::ObjectUnread { reason: reason.clone(), detail: detail.clone() },
        },
    }
}

impl Audit {
    /// Adds up what was found: 4 where something could not be looked at or asked, 3 where anything differs.
    pub fn new(fleets: Vec<FleetAudit>) -> Self {
        let verdict = fleets.iter().map(FleetAudit::verdict).fold(Verdict::Converged, Verdict::worse);
        Self { version: VERSION, fleets, verdict }
    }
}

impl FleetAudit {
    fn verdict(&self) -> Verdict {
        match &self.sight {
            AuditSight::Failed { .. } => Verdict::Partial,
            AuditSight::Asked { revision: _, hosts, unseen, failures } => {
                let of_calls = if unseen.is_empty() && failures.is_empty() {
                    Verdict::Converged
                } else {
                    Verdict::Partial
                };
                let of_host = |host: &HostAudit| match host.finding {
                    Finding::Agrees | Finding::Unsupported { .. } => Verdict::Converged,
                    Finding::Differs { .. } => Verdict::Drift,
                    Finding::CannotTell { .. } => Verdict::Partial,
                };
                hosts.iter().map(of_host).fold(of_calls, Verdict::worse)
            }
        }
    }
}
