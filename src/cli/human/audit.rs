//! What `verify --hosts` found, as a person reads it: counts, then each host that is not in order, the like ones together.

use std::collections::BTreeMap;

use regcred_core::audit::{Audit, AuditSight, Finding, FleetAudit, HostAudit, RecordPlace, Told};
use regcred_core::host::ClusterName;
use regcred_core::names::FleetName;

use super::{Page, counted, number};
use crate::cli::output::three_lines;

pub(crate) fn audit(audit: &Audit) -> String {
    let mut page = Page::default();
    let Audit { version: _, fleets, verdict: _ } = audit;
    for FleetAudit { fleet, location: _, sight } in fleets {
        match sight {
            AuditSight::Failed { failure } => page.line(three_lines(failure)),
            AuditSight::Asked { revision, hosts, unseen, failures } => {
                page.line(format!("{fleet} ({}): {}", revision.short(), tally(hosts)));
                for failure in unseen.iter().chain(failures) {
                    page.line(three_lines(failure));
                }
                not_in_order(&mut page, fleet, hosts);
            }
        }
    }
    if fleets.is_empty() {
        page.line("There is no fleet whose hosts could be asked.");
    }
    page.0
}

/// `12 hosts: 8 agree, 2 differ, 1 could not be asked, 1 unsupported`.
fn tally(hosts: &[HostAudit]) -> String {
    let count = |is: fn(&Finding) -> bool| hosts.iter().filter(|host| is(&host.finding)).count();
    let counts = [
        (count(|finding| matches!(finding, Finding::Agrees)), "agree"),
        (count(|finding| matches!(finding, Finding::Differs { .. })), "differ"),
        (count(|finding| matches!(finding, Finding::CannotTell { .. })), "could not be asked"),
        (count(|finding| matches!(finding, Finding::Unsupported { .. })), "unsupported"),
    ];
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{} {name}", number(*count)))
        .collect();
    let all = counted(hosts.len(), "host");
    if parts.is_empty() { all } else { format!("{all}: {}", parts.join(", ")) }
}

/// What the hosts of one group have in common: their rank, what is told of them, and their cluster.
type Alike<'a> = (u8, String, Option<&'a ClusterName>);

/// What differs comes first, then what could not be asked.
fn not_in_order(page: &mut Page, fleet: &FleetName, hosts: &[HostAudit]) {
    let mut groups: BTreeMap<Alike<'_>, (Told, Vec<&HostAudit>)> = BTreeMap::new();
    for host in hosts {
        let rank = match host.finding {
            Finding::Agrees => continue,
            Finding::Differs { .. } => 0,
            Finding::CannotTell { .. } => 1,
            Finding::Unsupported { .. } => 2,
        };
        let Some(told) = host.told() else { continue };
        let group = groups.entry((rank, told.what.clone(), host.cluster.as_ref()));
        group.or_insert_with(|| (told, Vec::new())).1.push(host);
    }
    for ((_, what, cluster), (Told { what: _, now, remedy }, hosts)) in groups {
        page.line(what);
        let ids: Vec<&str> = hosts.iter().map(|host| host.host.as_str()).collect();
        for (i, line) in ids.chunks(4).enumerate() {
            let place = match (i, cluster) {
                (0, Some(cluster)) => format!(" ({cluster})"),
                _ => String::new(),
            };
            page.line(format!("  {}{place}", line.join(" ")));
        }
        page.line(format!("  now:   {now}"));
        let place = match cluster {
            Some(cluster) => RecordPlace::Attributes {
                cluster,
                instances: hosts.iter().filter_map(|host| host.container_instance_arn.as_ref()).collect(),
            },
            None => RecordPlace::Object { fleet },
        };
        page.line(format!("  to do: {}", remedy.text(&place)));
    }
}
