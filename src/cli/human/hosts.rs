//! Lists of hosts: each that needs a look by name, the like ones together.

use std::collections::BTreeMap;

use regcred_core::host::ClusterName;
use regcred_core::names::FleetName;
use regcred_core::report::HostCounts;
use regcred_core::rollout::{Explanation, HostOutcome, HostReport};

use super::{Page, number, words};

/// From where hosts are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// After a rollout: one that waits was not come to.
    AfterRollout,
    /// With no rollout at all: one that waits has no proof on record.
    AtAnyTime,
}

/// Names every host that is not up to date, and why; those of one cluster with one reason share a line.
pub(super) fn not_updated(page: &mut Page, fleet: &FleetName, hosts: &[HostReport], told: Told) {
    let mut groups: BTreeMap<(u8, String, Option<&ClusterName>), Vec<&HostReport>> = BTreeMap::new();
    for host in hosts {
        let rank = match &host.outcome {
            HostOutcome::Current | HostOutcome::Proven { .. } | HostOutcome::Gone => continue,
            HostOutcome::Failed { .. } => 0,
            HostOutcome::Restored { .. } => 1,
            HostOutcome::Unproven { .. } => 2,
            HostOutcome::Refused { .. } => 3,
            HostOutcome::Superseded => 4,
            HostOutcome::FailedBefore { .. } => 5,
            HostOutcome::Unreachable { .. } => 6,
            HostOutcome::Waiting => 7,
            HostOutcome::Joined => 8,
            HostOutcome::Unsupported { .. } => 9,
        };
        let (outcome, _) = said(&host.outcome, told);
        groups.entry((rank, outcome, host.cluster.as_ref())).or_default().push(host);
    }
    for ((_, outcome, cluster), hosts) in groups {
        page.line(outcome);
        let ids: Vec<&str> = hosts.iter().map(|host| host.host.as_str()).collect();
        for (i, line) in ids.chunks(4).enumerate() {
            let place = match (i, cluster) {
                (0, Some(cluster)) => format!(" ({fleet}, {cluster})"),
                (0, None) => format!(" ({fleet})"),
                _ => String::new(),
            };
            page.line(format!("  {}{place}", line.join(" ")));
        }
        if let Some((now, remedy)) = hosts.first().and_then(|host| said(&host.outcome, told).1) {
            page.line(format!("  now:   {now}"));
            page.line(format!("  to do: {remedy}"));
        }
    }
}

/// How a host ended, what it is like now, and what to do about it.
fn said(outcome: &HostOutcome, told: Told) -> (String, Option<(&'static str, &'static str)>) {
    if *outcome == HostOutcome::Waiting && told == Told::AtAnyTime {
        let now = "nobody knows what its agent holds: a sync asks it, and restarts it if it has to";
        return (
            "not proven: no proof of this revision is on record".to_owned(),
            Some((now, "regcred sync")),
        );
    }
    let explained = outcome.explain().map(|Explanation { why: _, now, remedy }| (now, remedy));
    (words::outcome(outcome), explained)
}

/// `2,872 proven, 1 restored, 7 unreachable, 120 unsupported`.
pub(super) fn tally(counts: &HostCounts) -> String {
    let HostCounts {
        current,
        proven,
        restarted: _,
        unproven,
        restored,
        failed,
        failed_before,
        refused,
        unreachable,
        unsupported,
        exempt,
        superseded,
        waiting,
        joined,
        gone,
    } = *counts;
    let named = [
        (current + proven, "proven"),
        (restored, "restored"),
        (failed, "failed"),
        (refused, "refused"),
        (unproven, "unproven"),
        (superseded, "superseded"),
        (failed_before, "failed before"),
        (unreachable, "unreachable"),
        (waiting, "not restarted"),
        (joined, "joined late"),
        (unsupported, "unsupported"),
        (exempt, "in no need of a restart"),
        (gone, "gone"),
    ];
    let parts: Vec<String> = named
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{} {name}", number(*count)))
        .collect();
    parts.join(", ")
}
