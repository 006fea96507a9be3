//! Lists of hosts: each that needs a look by name, the like ones together.

use std::collections::BTreeMap;

use regcred_core::names::FleetName;
use regcred_core::report::HostCounts;
use regcred_core::rollout::{HostOutcome, HostReport};

use super::{Page, number, words};

/// Names every host that was not brought up to date, and why; those of one cluster with one reason share a line.
pub(super) fn not_updated(page: &mut Page, fleet: &FleetName, hosts: &[HostReport]) {
    let mut groups: BTreeMap<(u8, String, &str), Vec<&HostReport>> = BTreeMap::new();
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
            HostOutcome::Unsupported { .. } => 8,
        };
        groups.entry((rank, words::outcome(&host.outcome), host.cluster.as_str())).or_default().push(host);
    }
    for ((_, why, cluster), hosts) in groups {
        page.line(why);
        let ids: Vec<&str> = hosts.iter().map(|host| host.host.as_str()).collect();
        for (i, line) in ids.chunks(4).enumerate() {
            let place = if i == 0 { format!(" ({fleet}, {cluster})") } else { String::new() };
            page.line(format!("  {}{place}", line.join(" ")));
        }
        if let Some(consequence) = hosts.first().and_then(|host| consequence(&host.outcome)) {
            page.line(format!("  {consequence}"));
        }
        if let Some(remedy) = hosts.first().and_then(|host| remedy(&host.outcome, fleet)) {
            page.line(format!("  try: {remedy}"));
        }
    }
}

fn consequence(outcome: &HostOutcome) -> Option<&'static str> {
    match outcome {
        HostOutcome::Restored { .. } => {
            Some("the old file is back, and the agent holds the credential that it had before")
        }
        HostOutcome::Failed { .. } => Some("look at this host: what its agent holds is not known"),
        HostOutcome::Unproven { .. } => Some("it was left alone; the next pass asks it again"),
        HostOutcome::Unreachable { .. } => Some("nothing ran there; the next pass tries again"),
        HostOutcome::Superseded => Some("the next pass decides"),
        HostOutcome::Unsupported { .. } => Some(
            "no shell script can restart its agent; it is not counted, and keeps what it was given otherwise",
        ),
        HostOutcome::Waiting => Some("the rollout stopped before its turn"),
        HostOutcome::Current
        | HostOutcome::Proven { .. }
        | HostOutcome::Refused { .. }
        | HostOutcome::FailedBefore { .. }
        | HostOutcome::Gone => None,
    }
}

fn remedy(outcome: &HostOutcome, fleet: &FleetName) -> Option<String> {
    match outcome {
        HostOutcome::Restored { .. } | HostOutcome::FailedBefore { .. } => {
            Some(format!("regcred sync --fleet {fleet} --retry-failed"))
        }
        HostOutcome::Failed { .. } | HostOutcome::Refused { .. } => {
            Some(format!("mend it, then regcred sync --fleet {fleet}"))
        }
        HostOutcome::Current
        | HostOutcome::Proven { .. }
        | HostOutcome::Unproven { .. }
        | HostOutcome::Unsupported { .. }
        | HostOutcome::Unreachable { .. }
        | HostOutcome::Superseded
        | HostOutcome::Waiting
        | HostOutcome::Gone => None,
    }
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
        superseded,
        waiting,
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
        (unsupported, "unsupported"),
        (gone, "gone"),
    ];
    let parts: Vec<String> = named
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{} {name}", number(*count)))
        .collect();
    parts.join(", ")
}
