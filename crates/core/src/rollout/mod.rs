//! Restarting a fleet: which hosts are next, as a pure function.
//!
//! [`Seen`] holds every host with where it stands; [`next`] says what to do now, [`Seen::apply`] takes in what came of
//! it. The driver performs the steps over AWS and nothing else:
//!
//! ```text
//! loop {
//!     seen.apply(&policy, Event::Time, now());
//!     for step in rollout::next(&policy, &seen, now()) {
//!         match step {
//!             Step::Done(ending) => return (ending, seen.report()),
//!             Step::Wait { until } => sleep_until(until).await,
//!             step => for event in perform(step).await { seen.apply(&policy, event, now()) },
//!         }
//!     }
//! }
//! ```
//!
//! # The rules
//!
//! * Only hosts that are changed, active or draining, of a supported platform and online in SSM are sent to, in a fixed
//!   order: those whose agent is connected, then the others, then those with a recorded failure: the seldomer they
//!   failed, the earlier, and last those on which this revision did not load.
//! * One host first. Nothing else is sent until it is proven. If the script ran on it and it was not, the rollout halts;
//!   if nothing ran on it, another single host is next, while `max_errors` is not exceeded.
//! * Then chunks of at most [`CHUNK`] hosts, never more than `max_unavailable` of a cluster between sent and proven;
//!   those that ended without being known to run count on. A cluster gets its next hosts when half of its room or a
//!   whole chunk is free, or they would trickle out one a command.
//! * When more than `max_errors` hosts ended not proven, over the fleet and all its commands, nothing more is sent.
//!   Hosts in flight are followed to their end all the same.
//! * A host is sent to once. A command that SSM refused was not sent; one whose answer was lost was.
//! * A host that joins during the rollout is found by a last look at its end, and goes by the same rules: see
//!   [`Latecomers`].
//! * Where there is a limit for all fleets of a pass ([`Event::Others`]), the errors of the others count too.
//! * Made to stop from outside ([`Event::Stopped`]), it sends nothing more, and follows what is in flight to its end.
//! * Agents that are disconnected and were not restarted by this rollout are not counted as unavailable: it cannot make
//!   them worse, and restarting them may be what they need.
//!
//! This module must not know of AWS, of processes or of a clock. Waves, bake time, halts on an alarm and resuming come
//! into [`next`]; a record of a rollout is a [`Seen`] written down.

mod event;
pub(crate) mod explain;
mod following;
mod forecast;
mod latecomers;
mod outcome;
mod phase;
mod policy;
mod seen;
mod sending;

use chrono::{DateTime, Utc};

pub use event::{Attribute, CommandId, Event, Instance, Invocation, Note, Others, Sample, Step};
pub use explain::Explanation;
pub use forecast::{Forecast, forecast};
pub use latecomers::Latecomers;
pub use outcome::{Ending, Halt, HostFailure, HostOutcome, HostReport, Left, Recorded, Refusal, Unproven};
pub use phase::HostState;
pub use policy::{
    ATTRIBUTES_PER_CALL, CHUNK, COMMAND_SLACK, MaxUnavailable, Policy, RECORD_TIMEOUT, SAMPLES_PER_CALL,
};
pub use seen::{Desired, Seen};

/// What to do now. Either steps that are all due, or one [`Step::Wait`], or one [`Step::Done`]; never nothing.
pub fn next(policy: &Policy, seen: &Seen, now: DateTime<Utc>) -> Vec<Step> {
    // Records first: a pass that dies between two steps leaves fewer hosts to ask again.
    let mut steps = seen.records(now);
    steps.extend(seen.send(policy));
    steps.extend(seen.looks(policy, now));
    steps.extend(seen.samples(policy, now));
    if steps.is_empty() {
        steps.push(match seen.wake(policy) {
            Some(until) => Step::Wait { until },
            None => Step::Done(seen.ending(policy)),
        });
    }
    steps
}

#[cfg(test)]
mod tests;
