//! What is due for the hosts that were sent to: looks at commands, samples of agents, attributes to put.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::host::{
    ClusterName, FAILED_ATTRIBUTE, Membership, NO_FAILURE, REVISION_ATTRIBUTE, RecordedFailure, Registration,
};
use crate::rollout::event::{Attribute, CommandId, Instance, Note, Step};
use crate::rollout::outcome::{HostOutcome, Lesson};
use crate::rollout::phase::{Company, Phase, Record, Shown, Tracked, later};
use crate::rollout::policy::{ATTRIBUTES_PER_CALL, GATHERING, Policy, SAMPLES_PER_CALL};
use crate::rollout::seen::{Desired, Looks, Seen};

impl Seen {
    pub(super) fn looks(&self, policy: &Policy, now: DateTime<Utc>) -> Vec<Step> {
        let mut steps = Vec::new();
        for (command, looks) in self.open_commands() {
            if later(looks.polled, policy.poll_interval) <= now {
                steps.push(Step::Poll { command: command.clone() });
                let inspect = later(looks.inspected, policy.poll_interval.saturating_mul(2));
                if looks.shown == Shown::No && inspect <= now {
                    steps.push(Step::Inspect { command: command.clone() });
                }
            }
        }
        steps
    }

    /// The commands of which a host's result is outstanding.
    fn open_commands(&self) -> impl Iterator<Item = (&CommandId, &Looks)> {
        let mut open: Vec<&CommandId> = self
            .hosts
            .values()
            .filter_map(|tracked| match &tracked.phase {
                Phase::Sent { command, .. } => Some(command),
                _ => None,
            })
            .collect();
        open.sort_unstable();
        open.dedup();
        open.into_iter().filter_map(|command| self.commands.get_key_value(command))
    }

    pub(super) fn samples(&self, policy: &Policy, now: DateTime<Utc>) -> Vec<Step> {
        let mut due: BTreeMap<&ClusterName, Vec<Instance>> = BTreeMap::new();
        for tracked in self.hosts.values() {
            let Some(registration) = tracked.host.registration() else { continue };
            if tracked.sample_due(policy).is_some_and(|due| due <= now) {
                due.entry(&registration.cluster).or_default().push(tracked.instance(registration));
            }
        }
        due.into_iter()
            .flat_map(|(cluster, instances)| {
                let calls: Vec<_> = instances
                    .chunks(SAMPLES_PER_CALL)
                    .map(|instances| Step::Sample { cluster: cluster.clone(), instances: instances.to_vec() })
                    .collect();
                calls
            })
            .collect()
    }

    /// What is to be recorded now.
    pub(super) fn records(&self, now: DateTime<Utc>) -> Vec<Step> {
        let mut calls: Vec<(&ClusterName, Company, Vec<Attribute>)> = Vec::new();
        for tracked in self.hosts.values() {
            let Phase::Ended { outcome, record: Record::Due { company, .. } } = &tracked.phase else {
                continue;
            };
            let Some(registration) = tracked.host.registration() else { continue };
            let attributes: Vec<Attribute> = tracked
                .lessons(outcome, &self.desired)
                .into_iter()
                .map(|(name, value)| Attribute { instance: tracked.instance(registration), name, value })
                .collect();
            let cluster = &registration.cluster;
            let with_room = calls.iter_mut().find(|(name, others, call)| {
                *name == cluster
                    && *others == Company::Any
                    && *company == Company::Any
                    && call.len() + attributes.len() <= ATTRIBUTES_PER_CALL
            });
            match with_room {
                Some((_, _, call)) => call.extend(attributes),
                None => calls.push((cluster, *company, attributes)),
            }
        }
        let attributes = calls
            .into_iter()
            .map(|(cluster, _, attributes)| Step::Record { cluster: cluster.clone(), attributes });
        let notes = self.notes_due().filter(|due| *due <= now).map(|_| Step::Note { notes: self.notes() });
        attributes.chain(notes).collect()
    }

    /// When the record of hosts outside ECS's view is to be written, if something is to be noted there: as soon as none of
    /// them is in flight, or what was learnt first has waited for [`GATHERING`].
    fn notes_due(&self) -> Option<DateTime<Utc>> {
        let outside = || self.hosts.values().filter(|tracked| tracked.host.membership == Membership::Outside);
        let first = outside()
            .filter_map(|tracked| match tracked.phase {
                Phase::Ended { record: Record::Due { since, .. }, .. } => Some(since),
                _ => None,
            })
            .min()?;
        let in_flight =
            outside().any(|tracked| matches!(tracked.phase, Phase::Sending { .. } | Phase::Sent { .. }));
        Some(if in_flight { later(first, GATHERING) } else { first })
    }

    fn notes(&self) -> Vec<Note> {
        let outside = self.hosts.values().filter(|tracked| tracked.host.membership == Membership::Outside);
        outside
            .filter_map(|tracked| match &tracked.phase {
                Phase::Ended { outcome, record: Record::Due { .. } } => Some((tracked, outcome)),
                _ => None,
            })
            .flat_map(|(tracked, outcome)| {
                let note = |(name, value)| Note { host: tracked.host.id.clone(), name, value };
                tracked.lessons(outcome, &self.desired).into_iter().map(note)
            })
            .collect()
    }

    /// When something is due next, if anything is in flight or outstanding.
    pub(super) fn wake(&self, policy: &Policy) -> Option<DateTime<Utc>> {
        let polls = self.open_commands().map(|(_, looks)| later(looks.polled, policy.poll_interval));
        let hosts = self.hosts.values();
        let samples = hosts.clone().filter_map(|tracked| tracked.sample_due(policy));
        let deadlines = hosts.filter_map(|tracked| tracked.deadline(policy));
        polls.chain(samples).chain(deadlines).chain(self.notes_due()).min()
    }
}

impl Tracked {
    fn instance(&self, registration: &Registration) -> Instance {
        Instance { host: self.host.id.clone(), arn: registration.arn.clone() }
    }

    /// What is to be recorded of a host that ended so: names and values of attributes.
    fn lessons(&self, outcome: &HostOutcome, desired: &Desired) -> Vec<(&'static str, String)> {
        let revision = desired.revision.to_string();
        let failed = &self.host.attributes.failed;
        match outcome.lesson() {
            Lesson::Nothing => Vec::new(),
            Lesson::Proven if failed.is_some() => {
                vec![(REVISION_ATTRIBUTE, revision), (FAILED_ATTRIBUTE, NO_FAILURE.to_owned())]
            }
            Lesson::Proven => vec![(REVISION_ATTRIBUTE, revision)],
            Lesson::RevisionFailed => vec![(FAILED_ATTRIBUTE, revision)],
            // That it did not take this revision is worth more than that it was out of sorts since.
            Lesson::Unproven if self.host.failed_with(&desired.revision) => {
                vec![(FAILED_ATTRIBUTE, revision)]
            }
            Lesson::Unproven => {
                let times = failed.as_ref().map_or(0, RecordedFailure::times).saturating_add(1);
                vec![(FAILED_ATTRIBUTE, RecordedFailure::Unproven { times }.value())]
            }
        }
    }
}
