//! One fleet: who has to be restarted for a revision, and restarting them.
//!
//! The rules are `core::rollout`'s and the commands [`crate::fleet`]'s; this joins them to the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use regcred_core::fingerprint::Revision;
use regcred_core::host::{ClusterName, FailedHosts, Host, HostId, Standing};
use regcred_core::names::{FleetName, LocationName};
use regcred_core::plan::{Estimate, FleetAction, Hold};
use regcred_core::report::{Failure, FailureKind, FleetOutcome, FleetSight, Holding, ObjectReport, Outcome};
use regcred_core::rollout::{self, HostOutcome, HostReport, Latecomers, Policy, Seen, forecast};
use regcred_core::saved_plan::{Moved, Preconditions};
use regcred_core::script::VersionId;

use super::{Orders, Windows, superseded};
use crate::aws::ObjectRead;
use crate::config::{Fleet, Members};
use crate::fleet::{
    self, Brakes, Driven, Driver, FleetObservation, HostScript, Listing, Mode, ObjectPlace, Openings,
    RecordPlace, RecordStore, Together, note,
};
use crate::lease::Taken;
use crate::observe::Context;
use crate::progress::Progress;

/// Which fleet each cluster, and each host outside ECS's view, turned out to belong to, by location: two patterns, or the
/// tags of two fleets, may meet only now.
type Meant = BTreeMap<(LocationName, Meaning), FleetName>;

/// What of a fleet is not as it should be.
struct Differing<'a> {
    seen: Seen,
    /// The hosts that are to be sent to.
    waiting: BTreeSet<HostId>,
    /// What could not be looked at.
    unseen: Vec<Failure>,
    records: Option<RecordStore<'a>>,
}

/// What no two fleets may mean.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Meaning {
    Cluster(ClusterName),
    Host(HostId),
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(name) => write!(f, "cluster `{name}`"),
            Self::Host(id) => write!(f, "host `{id}`"),
        }
    }
}

/// The fleets of one pass.
pub(super) struct Fleets<'a> {
    context: &'a Context<'a>,
    failed: FailedHosts,
    /// What may be done, where a saved plan is applied.
    agreed: Option<&'a Preconditions>,
    meant: Mutex<Meant>,
    together: &'a Together,
}

impl<'a> Fleets<'a> {
    pub(super) fn new(
        context: &'a Context<'a>,
        failed: FailedHosts,
        agreed: Option<&'a Preconditions>,
        together: &'a Together,
    ) -> Self {
        Self { context, failed, agreed, meant: Mutex::default(), together }
    }

    async fn see(
        &self,
        name: &FleetName,
        fleet: &Fleet,
        revision: &Revision,
    ) -> Result<FleetObservation<'a>, Failure> {
        let clients = self.context.locations.at(&fleet.location);
        match &fleet.members {
            Members::Clusters(patterns) => {
                let (clusters, unmeant) = fleet::clusters(clients, name, patterns).await?;
                self.claim(name, fleet, clusters.iter().cloned().map(Meaning::Cluster))?;
                let mut observation =
                    fleet::observe(clients, name, &clusters, Listing::Different(revision), revision).await?;
                observation.unseen.extend(unmeant);
                Ok(observation)
            }
            Members::Tags(tags) => {
                let place = record_place(self.context);
                let observation = fleet::observe_tagged(clients, place, name, tags).await?;
                let hosts = observation.hosts.iter().map(|host| Meaning::Host(host.id.clone()));
                self.claim(name, fleet, hosts)?;
                Ok(observation)
            }
            Members::Instances(ids) => {
                let place = record_place(self.context);
                self.claim(name, fleet, ids.iter().cloned().map(Meaning::Host))?;
                fleet::observe_named(clients, place, name, ids).await
            }
        }
    }

    /// Refuses what another fleet means too.
    fn claim(
        &self,
        name: &FleetName,
        fleet: &Fleet,
        meanings: impl Iterator<Item = Meaning>,
    ) -> Result<(), Failure> {
        let mut meant = self.meant.lock().unwrap_or_else(PoisonError::into_inner);
        for meaning in meanings {
            let place = (fleet.location.clone(), meaning.clone());
            if let Some(other) = meant.insert(place, name.clone()).filter(|other| other != name) {
                let key = |name| self.context.config.fleets[name].members.key();
                return Err(Failure::new(
                    FailureKind::Refused,
                    format!("cannot roll out fleet `{name}`"),
                    format!("{meaning} belongs to fleet `{other}` too"),
                    format!("narrow fleets.{name}.{} or fleets.{other}.{}", key(name), key(&other)),
                ));
            }
        }
        Ok(())
    }

    /// What would be done about a fleet that has to load `revision`.
    pub(super) async fn plan(&self, name: &FleetName, fleet: &Fleet, revision: &Revision) -> FleetAction {
        let FleetObservation { hosts, registered, unseen, empty: _, records } =
            match self.see(name, fleet, revision).await {
                Ok(observation) => observation,
                Err(failure) => return FleetAction::Blocked { failure },
            };
        let policy = policy(fleet, self.failed);
        let outside = records.map(|_| hosts.len());
        let sizes = registered.iter().map(|(cluster, size)| (cluster.clone(), *size)).collect();
        // No host loads anything by a plan, so the version's name does not matter.
        let desired = rollout::Desired { revision: revision.clone(), version_id: VersionId::new("") };
        let seen = Seen::new(&policy, desired, hosts, registered);
        let hosts = without_current(seen.report());
        if hosts.is_empty() && unseen.is_empty() {
            return FleetAction::Current { revision: revision.clone() };
        }
        let forecast = forecast(&policy, &seen);
        FleetAction::Rollout {
            revision: revision.clone(),
            registered: sizes,
            outside,
            estimate: Estimate::of_rollout(&policy, &forecast, &hosts),
            hosts,
            unseen,
            blocked: None,
            forecast,
            max_unavailable: policy.max_unavailable,
            max_errors: policy.max_errors,
        }
    }

    /// Restarts the hosts of a fleet that do not hold what `object` is now.
    ///
    /// # Errors
    /// Where the lease cannot be had: then nobody was sent to.
    pub(super) async fn roll_out(
        &self,
        name: &FleetName,
        fleet: &Fleet,
        object: &ObjectReport,
        orders: &Orders<'_>,
    ) -> Result<FleetOutcome, Failure> {
        let Some(revision) = object.revision.clone() else {
            return Ok(FleetOutcome::Held { why: Hold::ObjectFailed });
        };
        let policy = policy(fleet, self.failed);
        let openings = Openings::of(self.context.config, fleet);
        loop {
            let FleetObservation { hosts, registered, unseen, empty: _, records } =
                match self.see(name, fleet, &revision).await {
                    Ok(observation) => observation,
                    Err(failure) => return Ok(FleetOutcome::Failed { failure }),
                };
            // Of clusters, only hosts that differ are listed; of others, all.
            let differs = |host: &Host| host.standing(&revision, self.failed) != Standing::Current;
            if unseen.is_empty() && !hosts.iter().any(differs) {
                return Ok(FleetOutcome::Current { revision });
            }
            let Some(version) = &object.object_version else {
                return Ok(FleetOutcome::Failed { failure: unversioned(name, object) });
            };
            let desired =
                rollout::Desired { revision: revision.clone(), version_id: VersionId::new(version.clone()) };
            let seen = Seen::new(&policy, desired, hosts, registered);
            let report = seen.report();
            let waiting = report.iter().filter(|line| line.outcome == HostOutcome::Waiting);
            let waiting: BTreeSet<HostId> = waiting.map(|line| line.host.clone()).collect();
            if !waiting.is_empty() {
                if let Some(why) = self.context.stop.reason() {
                    return Ok(FleetOutcome::Held { why: why.into() });
                }
                if orders.windows == Windows::Heed && !openings.is_open(self.context.clock.now()) {
                    return Ok(FleetOutcome::Held { why: Hold::WindowClosed });
                }
                match orders.lease.take(orders.patience, self.context.stop, orders.progress).await? {
                    Taken::AtOnce => {}
                    // Whoever held it may have restarted them all.
                    Taken::AfterWaiting => continue,
                }
                if self.was_overtaken(object, version).await {
                    return Ok(FleetOutcome::Held { why: Hold::Superseded });
                }
            }
            let hosts = Differing { seen, waiting, unseen, records };
            return Ok(self.drive(name, fleet, object, hosts, &policy, orders).await);
        }
    }

    /// Drives the rollout of a fleet in which something differs.
    async fn drive(
        &self,
        name: &FleetName,
        fleet: &Fleet,
        object: &ObjectReport,
        hosts: Differing<'a>,
        policy: &Policy,
        orders: &Orders<'_>,
    ) -> FleetOutcome {
        let progress = orders.progress;
        let openings = match orders.windows {
            Windows::Heed => Openings::of(self.context.config, fleet),
            Windows::Ignore => Openings::Always,
        };
        let Differing { mut seen, waiting, unseen, mut records } = hosts;
        let revision = seen.desired().revision.clone();
        // Hosts were looked at when the plan was held against the world; some may have joined since.
        if let Some(agreed) = self.agreed {
            let joined = agreed.joined(name, &waiting);
            if !joined.is_empty() {
                let moved = Moved::Hosts { fleet: name.clone(), joined };
                let failure = superseded(format!("cannot roll out fleet `{name}` by this plan"), &[moved]);
                return FleetOutcome::Failed { failure };
            }
        }
        progress.tell(Progress::RolloutBegins { fleet: name.clone(), hosts: waiting.len() });
        let s3 = &self.context.locations.at(&object.location).s3;
        let endpoint =
            self.context.config.ecs_configs[&object.ecs_config].host_endpoint.as_deref().or(s3.endpoint());
        let script = HostScript {
            clients: self.context.locations.at(&fleet.location),
            fleet: name,
            settings: fleet,
            object: ObjectPlace { bucket: &object.bucket, key: &object.key, region: s3.region(), endpoint },
            mode: match self.failed {
                FailedHosts::LeaveAlone => Mode::Apply,
                FailedHosts::Retry => Mode::RetryFailed,
            },
        };
        let driver = Driver::new(
            script,
            policy,
            progress,
            Brakes { openings, clock: self.context.clock, stop: self.context.stop, together: self.together },
        );
        let first = driver.run(&mut seen, &mut records).await;
        let (Driven { ending, failures }, missed) = self.last_look(&driver, &mut seen, first).await;
        progress.tell(Progress::RolloutEnded { fleet: name.clone() });
        let unseen = unseen.into_iter().chain(missed).collect();
        FleetOutcome::RolledOut { revision, ending, hosts: without_current(seen.report()), unseen, failures }
    }

    /// Whether an object that this pass has only looked at was written by another since. To send hosts that are proven on what
    /// it holds now after what it held then would take back what is recorded of them, for nothing.
    async fn was_overtaken(&self, object: &ObjectReport, version: &str) -> bool {
        if object.outcome != Outcome::Unchanged {
            return false;
        }
        let s3 = &self.context.locations.at(&object.location).s3;
        match s3.read(&object.bucket, &object.key).await {
            ObjectRead::Present(now) => now.version.id.as_deref() != Some(version),
            ObjectRead::Absent => true,
            // Nothing is known of it; hosts fetch what is current in any case, and say which version that is.
            ObjectRead::Failed(_) => false,
        }
    }

    /// Looks at the fleet once more when its rollout has ended well, and rolls out to the hosts that joined meanwhile;
    /// under a saved plan they are named alone, since nobody agreed to them. Those that joined during that second round
    /// are named alone too: a fleet that scales for ever must not hold a pass for ever.
    ///
    /// Returns how the rollout ended after all, and what could not be looked at.
    async fn last_look(&self, driver: &Driver<'_>, seen: &mut Seen, first: Driven) -> (Driven, Vec<Failure>) {
        let name = driver.script.fleet;
        let fleet = driver.script.settings;
        let revision = seen.desired().revision.clone();
        let mut end = first;
        let mut missed: Vec<Failure> = Vec::new();
        for latecomers in [Latecomers::RollOut, Latecomers::Name] {
            if !seen.is_worth_a_last_look(&end.ending) {
                break;
            }
            let latecomers = if self.agreed.is_some() { Latecomers::Name } else { latecomers };
            let FleetObservation { hosts, registered, unseen, empty: _, mut records } =
                match self.see(name, fleet, &revision).await {
                    Ok(observation) => observation,
                    Err(failure) => FleetObservation { unseen: vec![failure], ..FleetObservation::default() },
                };
            for failure in unseen {
                if !missed.contains(&failure) {
                    missed.push(failure);
                }
            }
            let late = seen.take_in(driver.policy, latecomers, hosts, registered);
            if late.is_empty() {
                break;
            }
            tracing::info!(fleet = %name, hosts = late.len(), ?latecomers, "hosts joined meanwhile");
            if latecomers == Latecomers::RollOut {
                driver.progress.tell(Progress::HostsJoined { fleet: name.clone(), hosts: late.len() });
            }
            let Driven { ending, failures } = driver.run(seen, &mut records).await;
            end.ending = ending;
            for failure in failures {
                note(&mut end.failures, failure);
            }
        }
        (end, missed)
    }
}

/// Every host of a fleet, as it stands to `revision`.
pub(super) async fn see_all(
    context: &Context<'_>,
    name: &FleetName,
    fleet: &Fleet,
    revision: &Revision,
) -> FleetSight {
    let clients = context.locations.at(&fleet.location);
    let observation = async {
        let place = record_place(context);
        match &fleet.members {
            Members::Clusters(patterns) => {
                let (clusters, unmeant) = fleet::clusters(clients, name, patterns).await?;
                let mut observation =
                    fleet::observe(clients, name, &clusters, Listing::All, revision).await?;
                observation.unseen.extend(unmeant);
                Ok(observation)
            }
            Members::Tags(tags) => fleet::observe_tagged(clients, place, name, tags).await,
            Members::Instances(ids) => fleet::observe_named(clients, place, name, ids).await,
        }
    };
    match observation.await {
        Err(failure) => FleetSight::Failed { failure },
        Ok(FleetObservation { hosts, registered, unseen, empty, records: _ }) => {
            let holdings = Holding::of(&hosts);
            let desired = rollout::Desired { revision: revision.clone(), version_id: VersionId::new("") };
            let seen = Seen::new(&policy(fleet, FailedHosts::LeaveAlone), desired, hosts, registered);
            FleetSight::Seen { revision: revision.clone(), hosts: seen.report(), holdings, empty, unseen }
        }
    }
}

/// Where it is recorded what hosts outside ECS's view hold.
fn record_place<'a>(context: &Context<'a>) -> RecordPlace<'a> {
    let state = &context.config.state;
    RecordPlace { s3: &context.locations.at(&state.location).s3, state }
}

/// ECS may list hosts that are current, since the filter's exact meaning is not documented.
fn without_current(hosts: Vec<HostReport>) -> Vec<HostReport> {
    hosts.into_iter().filter(|host| host.outcome != HostOutcome::Current).collect()
}

fn policy(fleet: &Fleet, failed_hosts: FailedHosts) -> Policy {
    Policy {
        max_unavailable: fleet.max_unavailable,
        max_errors: fleet.max_errors,
        poll_interval: fleet.poll_interval,
        settle_interval: fleet.settle_interval,
        command_timeout: fleet.command_timeout,
        settle_timeout: fleet.settle_timeout,
        failed_hosts,
    }
}

fn unversioned(name: &FleetName, object: &ObjectReport) -> Failure {
    let ObjectReport { bucket, key, .. } = object;
    Failure::new(
        FailureKind::Refused,
        format!("cannot roll out fleet `{name}`"),
        format!("`s3://{bucket}/{key}` has no version id, so a host could not say which one it loaded"),
        format!(
            "aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled, then \
             copy the object onto itself"
        ),
    )
}
