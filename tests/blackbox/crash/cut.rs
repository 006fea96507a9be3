//! A pass and what strikes it: one call, and how it goes wrong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::time::Duration;

use regcred_sandbox::{Effect, Fault, Match, Origin, Service};

use crate::world::{Call, World};

/// How often a held call is looked for: a pass makes a call every few milliseconds.
const GLANCE: Duration = Duration::from_millis(5);

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// regcred is killed while the call is on its way: nothing was done.
    KilledBefore,
    /// regcred is killed while the answer is on its way: it was done.
    KilledAfter,
    /// Once; the SDK tries again.
    Throttled,
    Denied,
    /// It was done, and the connection closes; the SDK tries again, but for SendCommand.
    AnswerDropped,
    /// On every try that the SDK makes.
    ThrottledThroughout,
    /// The answer is lost on every try.
    NeverAnswered,
}

impl Fate {
    pub(super) const OF_ONE_CALL: [Self; 5] =
        [Self::KilledBefore, Self::KilledAfter, Self::Throttled, Self::Denied, Self::AnswerDropped];
    /// These take seconds, of waiting.
    pub(super) const OF_EVERY_TRY: [Self; 2] = [Self::ThrottledThroughout, Self::NeverAnswered];

    fn effect(self) -> Effect {
        match self {
            Self::KilledBefore => Effect::HoldBefore,
            Self::KilledAfter => Effect::HoldAfter,
            Self::Throttled | Self::ThrottledThroughout => Effect::Throttle,
            Self::Denied => Effect::Deny,
            Self::AnswerDropped | Self::NeverAnswered => Effect::DropAfter,
        }
    }

    fn tries(self) -> u64 {
        match self {
            Self::KilledBefore | Self::KilledAfter | Self::Throttled | Self::Denied | Self::AnswerDropped => {
                1
            }
            // As many as src/aws makes.
            Self::ThrottledThroughout | Self::NeverAnswered => 5,
        }
    }

    fn kills(self) -> bool {
        matches!(self, Self::KilledBefore | Self::KilledAfter)
    }
}

/// Which call of regcred's in a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The nth of all, from 1.
    Any(u64),
    /// The nth of an operation, from 1.
    Of(Service, String, u64),
    /// The first PutObject of this key.
    Put(&'static str),
}

/// A call, and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) which: Which,
    pub(super) fate: Fate,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.which {
            Which::Any(nth) => write!(f, "call {nth} {:?}", self.fate),
            Which::Of(_, operation, nth) => write!(f, "{operation} {nth} {:?}", self.fate),
            Which::Put(key) => write!(f, "PutObject of {key} {:?}", self.fate),
        }
    }
}

/// What came of a pass that was to be struck.
#[derive(Debug)]
pub(super) enum Struck {
    /// It was killed at the call.
    Killed,
    /// It met the fault, and went on to its end.
    Ended,
    /// It ended without the call.
    Missed,
}

impl Struck {
    pub(super) fn assert_met(&self, cut: &Cut) {
        assert!(!matches!(self, Self::Missed), "{cut} was never met");
    }
}

impl Cut {
    fn fault(&self) -> Fault {
        let (service, operation, key, nth) = match &self.which {
            Which::Any(nth) => (None, None, None, *nth),
            Which::Of(service, operation, nth) => (Some(*service), Some(operation.clone()), None, *nth),
            Which::Put(key) => (Some(Service::S3), Some("PutObject".into()), Some((*key).to_owned()), 1),
        };
        Fault {
            calls: Match {
                service,
                operation,
                key,
                nth: Some(nth),
                times: Some(self.fate.tries()),
                origin: Some(Origin::Controller),
                account: None,
            },
            effect: self.fate.effect(),
        }
    }

    /// Runs `regcred sync` under the fault. The fault is gone afterwards, and so is the process.
    pub(super) async fn strike(&self, world: &World) -> Struck {
        let client = world.client();
        let first = world.calls().len();
        client.set_faults(&[self.fault()]).expect("the sandbox answers");
        let mut pass = world.regcred(&["sync", "--output", "json"]).start();
        if self.fate.kills() {
            while !pass.has_ended() {
                if !client.held().expect("the sandbox answers").is_empty() {
                    pass.kill().await;
                    client.set_faults(&[]).expect("the sandbox answers");
                    return Struck::Killed;
                }
                tokio::time::sleep(GLANCE).await;
            }
        }
        pass.end().await;
        client.set_faults(&[]).expect("the sandbox answers");
        let calls = world.calls().into_iter().skip(first).filter(|call| !call.is_of_host());
        let (nth, met) = match &self.which {
            Which::Any(nth) => (*nth, calls.count()),
            Which::Of(service, operation, nth) => {
                (*nth, calls.filter(|call| call.service == *service && call.operation == *operation).count())
            }
            Which::Put(key) => {
                let put = |call: &Call| call.operation == "PutObject" && call.key.as_deref() == Some(key);
                (1, calls.filter(put).count())
            }
        };
        if u64::try_from(met).is_ok_and(|met| met >= nth) { Struck::Ended } else { Struck::Missed }
    }
}

/// The cuts that are still to be made.
pub(super) struct Queue {
    cuts: VecDeque<Cut>,
    /// Fates under which a pass ended before its call: there is no later one.
    ended: BTreeSet<Fate>,
    /// How many calls a clean pass makes.
    calls: usize,
}

impl Queue {
    /// Every call of a pass like this one, and what strikes every try at each operation's first.
    pub(super) fn like(calls: &[Call]) -> Self {
        let operations: BTreeMap<&str, Service> =
            calls.iter().map(|call| (call.operation.as_str(), call.service)).collect();
        let first = |(operation, service): (&str, Service)| Which::Of(service, operation.to_owned(), 1);
        // These take longest, and so begin first.
        let mut cuts: VecDeque<Cut> = operations
            .into_iter()
            .map(first)
            .flat_map(|which| Fate::OF_EVERY_TRY.map(|fate| Cut { which: which.clone(), fate }))
            .collect();
        cuts.extend(Fate::OF_ONE_CALL.map(|fate| Cut { which: Which::Any(1), fate }));
        Self { cuts, ended: BTreeSet::new(), calls: calls.len() }
    }

    pub(super) fn next(&mut self) -> Option<Cut> {
        let ended = &self.ended;
        self.cuts.retain(|cut| !ended.contains(&cut.fate));
        let cut = self.cuts.pop_front()?;
        if let Which::Any(nth) = cut.which {
            self.cuts.push_back(Cut { which: Which::Any(nth + 1), fate: cut.fate });
        }
        Some(cut)
    }

    /// A pass ended without this call.
    ///
    /// # Panics
    /// If a pass must come to it: how many polls and samples there are is a matter of time, and nothing else is.
    pub(super) fn miss(&mut self, cut: &Cut) {
        let Which::Any(nth) = cut.which else { panic!("{cut} was never met") };
        let least = self.calls.saturating_sub(VARYING);
        assert!(
            usize::try_from(nth).is_ok_and(|nth| nth > least),
            "{cut} was not met; a clean pass has {least} calls"
        );
        self.ended.insert(cut.fate);
    }
}

/// How many polls and samples one pass may have less than another.
const VARYING: usize = 8;
