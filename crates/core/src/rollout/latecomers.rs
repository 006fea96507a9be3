//! Hosts that join a fleet while its rollout runs.
//!
//! When a rollout has come to its end, the fleet is looked at once more, since a host that registered meanwhile may have
//! booted with the old file. This module must not decide how often a fleet is looked at: a fleet that scales for ever
//! would hold a pass for ever, and its driver sees to that.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::{ClusterName, Host, HostId};
use crate::rollout::outcome::{Ending, HostOutcome};
use crate::rollout::phase::{Phase, Record, Tracked, first_phase};
use crate::rollout::policy::Policy;
use crate::rollout::seen::Seen;

/// What becomes of hosts that joined during a rollout and do not hold its revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latecomers {
    /// They are restarted, within the same limits: errors and hosts that are down count on.
    RollOut,
    /// They are named, and left to the next pass.
    Name,
}

impl Seen {
    /// Whether hosts may have joined that are to be restarted too: it took time, since hosts were sent to, and nothing
    /// stopped it.
    pub fn is_worth_a_last_look(&self, ending: &Ending) -> bool {
        match ending {
            Ending::Converged | Ending::PartlyReached => !self.commands.is_empty(),
            Ending::Halted { .. } | Ending::Superseded | Ending::Stopped { .. } => false,
        }
    }

    /// Takes in those of `hosts` that are not known yet, and returns those of them that do not hold the revision and
    /// could be restarted. `registered` is as for [`Seen::new`]; the newer count of a cluster replaces the older one.
    ///
    /// Another registration of a known host is no new host: what became of that one is reported already.
    pub fn take_in(
        &mut self,
        policy: &Policy,
        latecomers: Latecomers,
        hosts: impl IntoIterator<Item = Host>,
        registered: BTreeMap<ClusterName, usize>,
    ) -> BTreeSet<HostId> {
        self.registered.extend(registered);
        let unknown = hosts.into_iter().filter(|host| !self.hosts.contains_key(&host.id));
        let (live, stale) = Self::registrations(unknown);
        self.stale.extend(stale);
        let mut late = BTreeSet::new();
        for (id, host) in live {
            let mut phase = first_phase(host.standing(&self.desired.revision, policy.failed_hosts));
            if let Phase::Waiting { .. } = phase {
                late.insert(id.clone());
                match latecomers {
                    Latecomers::RollOut => {}
                    Latecomers::Name => {
                        phase = Phase::Ended { outcome: HostOutcome::Joined, record: Record::Nothing };
                    }
                }
            }
            self.hosts.insert(id, Tracked { host, phase });
        }
        late
    }
}
