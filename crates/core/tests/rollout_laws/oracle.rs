//! The judge of one rollout: it performs the steps on a [`World`], keeps books of what it told, and holds every step
//! and the report against them.

use std::collections::{BTreeMap, BTreeSet};

use regcred_core::host::{
    FAILED_ATTRIBUTE, FailedHosts, InstanceStatus, Membership, Ping, Platform, REVISION_ATTRIBUTE,
    RecordedFailure, Unreachable,
};
use regcred_core::invocation::{CommandState, Progress, read_invocation};
use regcred_core::rollout::{
    Attribute, COMMAND_SLACK, Forecast, MaxUnavailable, Note, RECORD_TIMEOUT, Recorded, forecast,
};
use regcred_core::script::{self, Outcome, ScriptReport};

use super::hostile::{Fate, PollAnswer, SendAnswer, SimHost, World};
use super::{
    ClusterName, CommandId, Ending, Event, Host, HostId, HostOutcome, HostState, Invocation, Sample, Seen,
    Step, at, desired, next,
};

/// What was told of one host.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that were told, each independent of the others")]
struct Book {
    /// How often a command named it, and how often one may have reached it.
    named: u32,
    sent: u32,
    /// Sent to, and not known to run again.
    out: bool,
    polls: usize,
    /// An invocation of the command was told.
    shown: bool,
    samples: usize,
    /// The script says that the planned value is loaded.
    loaded: bool,
    connected_since: Option<u64>,
    /// ECS saw it connected twice.
    settled: bool,
}

struct Oracle<'a> {
    world: &'a World,
    live: BTreeMap<HostId, &'a SimHost>,
    seen: Seen,
    forecast: Forecast,
    /// Seconds since the beginning.
    now: u64,
    books: BTreeMap<HostId, Book>,
    commands: BTreeMap<CommandId, Vec<HostId>>,
    calls: usize,
}

/// Runs a rollout to its end, and fails where it breaks a law.
pub(crate) fn watch(world: &World) {
    let seen = world.seen();
    let live = seen
        .hosts()
        .map(|(host, _)| {
            let sim = world.hosts.iter().find(|sim| sim.host == *host).expect("a host is one of the given");
            (host.id.clone(), sim)
        })
        .collect::<BTreeMap<_, _>>();
    let books = live.keys().map(|id| (id.clone(), Book::default())).collect();
    let forecast = forecast(&world.policy, &seen);
    let mut oracle =
        Oracle { world, live, seen, forecast, now: 0, books, commands: BTreeMap::new(), calls: 0 };
    let ending = oracle.run();
    oracle.assert_end(&ending);
}

impl Oracle<'_> {
    fn run(&mut self) -> Ending {
        let policy = &self.world.policy;
        // If every host were alone in flight, and each call took its time.
        let one =
            policy.command_timeout + script::TIMEOUT + COMMAND_SLACK + policy.settle_timeout + RECORD_TIMEOUT;
        let limit = (one.as_secs() + 300) * (2 * self.live.len() as u64 + 2);
        loop {
            self.tell(Event::Time);
            let steps = next(policy, &self.seen, at(self.now));
            assert!(!steps.is_empty());
            for step in &steps {
                match step {
                    Step::Done(ending) => {
                        assert_eq!(steps.len(), 1);
                        return ending.clone();
                    }
                    Step::Wait { until } => {
                        assert_eq!(steps.len(), 1);
                        assert!(*until > at(self.now), "waits for the past");
                        self.now += super::seconds(*until - at(self.now));
                    }
                    Step::Send { hosts, max_errors } => self.send(hosts, *max_errors),
                    Step::Poll { command } => self.poll(command),
                    Step::Inspect { command } => {
                        let state = self.turn(&self.world.inspections).clone();
                        if let Some(CommandState::NothingRan(_)) = state {
                            for host in self.commands[command].clone() {
                                let book = self.book(&host);
                                book.out &= book.shown;
                            }
                        }
                        self.tell(Event::Inspected { command: command.clone(), state });
                    }
                    Step::Sample { cluster, instances } => {
                        assert!(instances.len() <= 100);
                        let ids = instances.iter().map(|instance| (&instance.host, &instance.arn));
                        self.sample(
                            cluster,
                            &ids.map(|(id, arn)| (id.clone(), arn.clone())).collect::<Vec<_>>(),
                        );
                    }
                    Step::Record { cluster, attributes } => self.record(cluster, attributes),
                    Step::Note { notes } => self.note(notes),
                }
            }
            assert!(self.now < limit, "not at its end after {} s", self.now);
        }
    }

    /// Takes the next of a list that goes round and round, and lets the time of a call pass.
    fn turn<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        self.calls += 1;
        self.now += self.world.pace[self.calls % self.world.pace.len()];
        &list[self.calls % list.len()]
    }

    fn tell(&mut self, event: Event) {
        let proven = self.proven();
        self.seen.apply(&self.world.policy, event, at(self.now));
        for host in self.proven().difference(&proven) {
            let book = &self.books[host];
            assert!(book.loaded, "{host} is called proven without the script's word");
            let is_outside = self.live[host].host.membership == Membership::Outside;
            assert!(book.settled || is_outside, "{host} is called proven without ECS's word");
        }
        for host in self.proven() {
            self.book(&host).out = false;
        }
    }

    fn proven(&self) -> BTreeSet<HostId> {
        let proven = |state| matches!(state, HostState::Ended(HostOutcome::Proven { .. }));
        self.seen.hosts().filter(|(_, state)| proven(*state)).map(|(host, _)| host.id.clone()).collect()
    }

    fn book(&mut self, host: &HostId) -> &mut Book {
        self.books.get_mut(host).expect("only hosts of the fleet are named")
    }

    fn send(&mut self, hosts: &[HostId], max_errors: u32) {
        self.assert_may_send(hosts, max_errors);
        self.tell(Event::Sending { hosts: hosts.to_vec() });
        for host in hosts {
            let book = self.book(host);
            book.named += 1;
            book.out = true;
            assert!(book.sent == 0, "{host} is sent to again");
            assert!(book.named <= 2, "{host} is named by a third command");
            assert!(book.named == 1 || hosts.len() == 1, "{host}, once refused, is in company again");
        }
        self.assert_blast();
        let answer = self.turn(&self.world.sends).clone();
        match answer {
            SendAnswer::Accepted => {
                let command = CommandId::new(format!("c{}", self.commands.len()));
                self.commands.insert(command.clone(), hosts.to_vec());
                self.tell(Event::SendAccepted { hosts: hosts.to_vec(), command });
            }
            SendAnswer::Lost => self.tell(Event::SendLost { hosts: hosts.to_vec() }),
            SendAnswer::Refused(refusal) => {
                for host in hosts {
                    self.book(host).out = false;
                }
                self.tell(Event::SendRefused { hosts: hosts.to_vec(), refusal });
                return;
            }
        }
        for host in hosts {
            self.book(host).sent += 1;
        }
    }

    fn assert_may_send(&self, hosts: &[HostId], max_errors: u32) {
        assert!((1..=50).contains(&hosts.len()));
        assert_eq!(hosts.iter().collect::<BTreeSet<_>>().len(), hosts.len(), "a host is named twice");
        for host in hosts {
            assert!(self.is_eligible(&self.live[host].host), "{host} must not be sent to");
        }
        let errors = self.errors();
        let allowed = self.world.policy.max_errors as usize;
        assert!(errors <= allowed, "{errors} errors, and it goes on");
        assert!(max_errors as usize <= allowed - errors, "SSM's fence is wider than ours");
        let superseded = |state| matches!(state, HostState::Ended(HostOutcome::Superseded));
        assert!(!self.seen.hosts().any(|(_, state)| superseded(state)), "superseded, and it goes on");
        if self.proven().is_empty() {
            assert_eq!(hosts.len(), 1, "the first host is not alone");
            for (host, state) in self.seen.hosts() {
                assert_ne!(state, HostState::InFlight, "{} is in flight beside the first host", host.id);
                if let HostState::Ended(outcome) = state {
                    assert!(
                        !(is_error(outcome) && ran(outcome)),
                        "goes on after a failed first host: {outcome:?}"
                    );
                }
            }
        }
    }

    /// The books' own count of hosts that are out, held against the limit of each cluster and the forecast.
    fn assert_blast(&self) {
        let mut out: BTreeMap<Option<&ClusterName>, usize> = BTreeMap::new();
        for (host, book) in &self.books {
            *out.entry(self.live[host].host.cluster()).or_default() += usize::from(book.out);
        }
        let by_cluster = &self.forecast.down_at_once_by_cluster;
        for (cluster, out) in &out {
            assert!(*out <= self.limit(*cluster), "{out} hosts of {cluster:?} are out");
            let expected = match cluster {
                Some(cluster) => by_cluster.get(*cluster).copied().unwrap_or(0),
                None => self.forecast.down_at_once - by_cluster.values().sum::<usize>(),
            };
            assert!(*out <= expected, "{out} hosts of {cluster:?} are out, {expected} were forecast");
        }
        assert!(out.values().sum::<usize>() <= self.forecast.down_at_once);
    }

    fn limit(&self, cluster: Option<&ClusterName>) -> usize {
        let members: Vec<HostState<'_>> =
            self.seen.hosts().filter(|(host, _)| host.cluster() == cluster).map(|(_, state)| state).collect();
        let left = members.iter().filter(|state| **state == HostState::Ended(&HostOutcome::Gone)).count();
        let registered = cluster.and_then(|name| self.world.registered.get(name)).copied();
        let registered = registered.unwrap_or(members.len());
        let registered = registered.saturating_sub(left);
        match self.world.policy.max_unavailable {
            MaxUnavailable::Count(count) => (count as usize).max(1),
            MaxUnavailable::Percent(percent) => (registered * usize::from(percent) / 100).max(1),
        }
    }

    fn is_eligible(&self, host: &Host) -> bool {
        let desired = desired().revision;
        host.attributes.platform == Platform::Linux
            && host
                .registration()
                .is_none_or(|known| matches!(known.status, InstanceStatus::Active | InstanceStatus::Draining))
            && host.ping == Ping::Online
            && host.attributes.recorded.as_ref() != Some(&desired)
            && (self.world.policy.failed_hosts == FailedHosts::Retry || !host.failed_with(&desired))
    }

    fn errors(&self) -> usize {
        let is_error = |state| matches!(state, HostState::Ended(outcome) if is_error(outcome));
        self.seen.hosts().filter(|(_, state)| is_error(*state)).count()
    }

    fn poll(&mut self, command: &CommandId) {
        match *self.turn(&self.world.polls) {
            PollAnswer::Shown => {}
            PollAnswer::Failed => {
                self.tell(Event::Polled { command: command.clone(), invocations: Vec::new() });
                return;
            }
            PollAnswer::Denied => {
                self.tell(Event::Unfollowable { command: command.clone() });
                return;
            }
        }
        let mut invocations = Vec::new();
        for id in self.commands[command].clone() {
            let sim = self.live[&id];
            let book = self.book(&id);
            book.polls += 1;
            let (progress, output) = if book.polls <= sim.polls && !matches!(sim.fate, Fate::Invisible) {
                (Progress::Running, String::new())
            } else {
                match &sim.fate {
                    Fate::Invisible => continue,
                    Fate::Hangs => (Progress::Running, String::new()),
                    Fate::Shows(status, details) => (read_invocation(status, details), String::new()),
                    Fate::Prints(text) => (Progress::Ended, text.clone()),
                    Fate::Reports(report) => {
                        (Progress::Ended, format!("starting\n{}\n----------ERROR-------\n", report.to_line()))
                    }
                }
            };
            match (&progress, &sim.fate) {
                (Progress::NothingRan(_), _) => book.out = false,
                (Progress::Ended, Fate::Reports(report)) => {
                    book.loaded = says_loaded(report, &sim.host);
                    book.out &= !leaves_the_agent_running(report);
                }
                _ => {}
            }
            book.shown = true;
            invocations.push(Invocation { host: id, progress, output, exit_code: None });
        }
        self.tell(Event::Polled { command: command.clone(), invocations });
    }

    fn sample(
        &mut self,
        cluster: &ClusterName,
        instances: &[(HostId, regcred_core::host::ContainerInstanceArn)],
    ) {
        self.turn(&[()]);
        let mut samples = Vec::new();
        for (id, arn) in instances {
            let sim = self.live[id];
            let registration = sim.host.registration().expect("ECS is asked about its own");
            assert_eq!((&registration.cluster, &registration.arn), (cluster, arn));
            let settle = self.world.policy.settle_interval.as_secs();
            let now = self.now;
            let book = self.book(id);
            assert!(book.sent + book.named > 0, "{id} is sampled, and was never sent to");
            let sample = sim.samples[book.samples % sim.samples.len()];
            book.samples += 1;
            match sample {
                Sample::Connected => {
                    let since = *book.connected_since.get_or_insert(now);
                    book.settled |= book.loaded && now - since >= settle;
                }
                Sample::Disconnected => book.connected_since = None,
                Sample::Unknown => {}
                Sample::Gone => book.out = false,
            }
            samples.push((id.clone(), sample));
        }
        self.tell(Event::Sampled { samples });
    }

    fn record(&mut self, cluster: &ClusterName, attributes: &[Attribute]) {
        assert!((1..=10).contains(&attributes.len()));
        for Attribute { instance, name, value } in attributes {
            let registration = self.live[&instance.host].host.registration().expect("it has attributes");
            assert_eq!((&registration.cluster, &registration.arn), (cluster, &instance.arn));
            self.assert_lesson(&instance.host, name, value);
        }
        self.recorded(attributes.iter().map(|attribute| attribute.instance.host.clone()).collect());
    }

    fn note(&mut self, notes: &[Note]) {
        assert!(!notes.is_empty());
        for Note { host, name, value } in notes {
            assert_eq!(self.live[host].host.membership, Membership::Outside);
            self.assert_lesson(host, name, value);
        }
        self.recorded(notes.iter().map(|note| note.host.clone()).collect());
    }

    fn assert_lesson(&self, id: &HostId, name: &str, value: &str) {
        let ended = super::ended(&self.seen);
        let host = &self.live[id].host;
        let proven = matches!(ended[id], HostOutcome::Proven { .. });
        match name {
            REVISION_ATTRIBUTE => assert!(proven && value == "r1", "{name}={value}"),
            FAILED_ATTRIBUTE if proven => assert!(value == "none" && host.attributes.failed.is_some()),
            FAILED_ATTRIBUTE if host.failed_with(&desired().revision) => assert_eq!(value, "r1"),
            FAILED_ATTRIBUTE if value != "r1" => {
                let before = host.attributes.failed.as_ref().map_or(0, RecordedFailure::times);
                assert_eq!(*value, format!("unproven-{}", before + 1));
                assert!(is_error(&ended[id]), "counts what is no error");
            }
            FAILED_ATTRIBUTE => {}
            other => panic!("records {other}"),
        }
    }

    fn recorded(&mut self, hosts: Vec<HostId>) {
        let event = if *self.turn(&self.world.records) {
            Event::Recorded { hosts }
        } else {
            Event::RecordFailed { hosts }
        };
        self.tell(event);
    }

    fn assert_end(&mut self, ending: &Ending) {
        let policy = &self.world.policy;
        assert_eq!(
            next(policy, &self.seen, at(self.now + 1)),
            [Step::Done(ending.clone())],
            "ends, and goes on"
        );
        let report = self.seen.report();
        let named: BTreeSet<_> =
            report.iter().map(|line| (&line.host, &line.container_instance_arn)).collect();
        assert_eq!(named.len(), self.world.hosts.len(), "each registration has one line");
        assert_eq!(report.len(), self.world.hosts.len(), "each registration has one line");
        assert!(self.errors() <= self.forecast.failures, "{} errors were forecast", self.forecast.failures);
        let waiting = report.iter().any(|line| line.outcome == HostOutcome::Waiting);
        match ending {
            Ending::Halted { .. } => assert!(waiting, "halted, and no host was left"),
            Ending::Superseded => {}
            Ending::Stopped { .. } => panic!("nobody made it stop"),
            Ending::Converged | Ending::PartlyReached => assert!(!waiting, "not halted, and hosts were left"),
        }
        let mut reached = true;
        for (id, state) in self.seen.hosts() {
            let HostState::Ended(outcome) = state else {
                assert_eq!(state, HostState::Waiting, "{id:?} is in flight at the end");
                reached = false;
                continue;
            };
            let host = &self.live[&id.id].host;
            let named = self.books[&id.id].named;
            assert!(named == 0 || self.is_eligible(host));
            if self.is_eligible(host) {
                assert!(named > 0, "{} was changed, and is not waiting, and was not sent to", id.id);
            }
            reached &= matches!(
                outcome,
                HostOutcome::Current
                    | HostOutcome::Proven { .. }
                    | HostOutcome::Unsupported { .. }
                    | HostOutcome::Gone
            );
        }
        let recorded = report.iter().all(|line| line.recorded != Recorded::No);
        assert_eq!(*ending == Ending::Converged, reached && recorded && *ending != Ending::Superseded);
        serde_json::to_string(&(&report, ending)).expect("a report can be written as JSON");
    }
}

fn says_loaded(report: &ScriptReport, host: &Host) -> bool {
    matches!(report.outcome, Outcome::Loaded | Outcome::Unchanged)
        && report.version_id.as_ref() == Some(&desired().version_id)
        && host
            .registration()
            .zip(report.container_instance_arn.as_ref())
            .is_none_or(|(registration, arn)| *arn == registration.arn)
}

/// On the old value, or never touched.
fn leaves_the_agent_running(report: &ScriptReport) -> bool {
    match report.outcome {
        Outcome::Restored | Outcome::Refused | Outcome::Tried => true,
        // A left-over registration: the live one was not touched.
        Outcome::Unchanged => report.container_instance_arn.is_some(),
        Outcome::Loaded | Outcome::Unproven | Outcome::Failed | Outcome::Busy => false,
    }
}

fn is_error(outcome: &HostOutcome) -> bool {
    match outcome {
        HostOutcome::Unproven { .. }
        | HostOutcome::Restored { .. }
        | HostOutcome::Refused { .. }
        | HostOutcome::Failed { .. }
        | HostOutcome::Unreachable { why: Unreachable::NothingRan(_) } => true,
        HostOutcome::Current
        | HostOutcome::Proven { .. }
        | HostOutcome::Unsupported { .. }
        | HostOutcome::Unreachable { why: Unreachable::NotOnline(_) | Unreachable::NotActive(_) }
        | HostOutcome::FailedBefore { .. }
        | HostOutcome::Superseded
        | HostOutcome::Waiting
        | HostOutcome::Joined
        | HostOutcome::Gone => false,
    }
}

fn ran(outcome: &HostOutcome) -> bool {
    !matches!(outcome, HostOutcome::Unreachable { .. })
}
