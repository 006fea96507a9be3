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
    /// What may happen to any one call.
    pub(super) const OF_ONE_CALL: [Self; 5] =
        [Self::KilledBefore, Self::KilledAfter, Self::Throttled, Self::Denied, Self::AnswerDropped];
    /// What happens to a call and to the tries that follow it. It takes seconds, of waiting.
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
        let (service, operation, nth) = match &self.which {
            Which::Any(nth) => (None, None, *nth),
            Which::Of(service, operation, nth) => (Some(*service), Some(operation.clone()), *nth),
        };
        Fault {
            calls: Match {
                service,
                operation,
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
        };
        if u64::try_from(met).is_ok_and(|met| met >= nth) { Struck::Ended } else { Struck::Missed }
    }
}

/// The cuts that are still to be made.
pub(super) struct Queue {
    cuts: VecDeque<Cut>,
    kind: Kind,
}

enum Kind {
    Chosen,
    /// Behind each cut comes the next call, until a pass ends before it.
    Every {
        ended: BTreeSet<Fate>,
        at_least: usize,
    },
}

impl Queue {
    /// One call at each operation's first, middle and last one; what strikes every try, at the first.
    pub(super) fn of_each_operation(calls: &[Call]) -> Self {
        let mut counts: BTreeMap<&str, (Service, u64)> = BTreeMap::new();
        for call in calls {
            counts.entry(&call.operation).or_insert((call.service, 0)).1 += 1;
        }
        let mut cuts = VecDeque::new();
        for (operation, (service, count)) in counts {
            // The four objects that S3 is given have little in common: a probe and its second half, state, ecs.config.
            let positions = match operation {
                "PutObject" => (1..=count).collect(),
                _ => BTreeSet::from([1, count.div_ceil(2), count]),
            };
            let at = |nth, fate| Cut { which: Which::Of(service, operation.to_owned(), nth), fate };
            // They take longest, and so begin first.
            for fate in Fate::OF_EVERY_TRY {
                cuts.push_front(at(1, fate));
            }
            for nth in positions {
                cuts.extend(Fate::OF_ONE_CALL.map(|fate| at(nth, fate)));
            }
        }
        Self { cuts, kind: Kind::Chosen }
    }

    /// Every call. `at_least`: how many a clean pass makes.
    pub(super) fn every_call(at_least: usize) -> Self {
        let cuts = Fate::OF_ONE_CALL.map(|fate| Cut { which: Which::Any(1), fate }).into();
        Self { cuts, kind: Kind::Every { ended: BTreeSet::new(), at_least } }
    }

    pub(super) fn next(&mut self) -> Option<Cut> {
        loop {
            let cut = self.cuts.pop_front()?;
            match (&self.kind, &cut.which) {
                (Kind::Every { ended, .. }, Which::Any(nth)) => {
                    if ended.contains(&cut.fate) {
                        continue;
                    }
                    self.cuts.push_back(Cut { which: Which::Any(nth + 1), fate: cut.fate });
                }
                (Kind::Every { .. } | Kind::Chosen, _) => {}
            }
            return Some(cut);
        }
    }

    /// A pass under this fate ended before the call.
    pub(super) fn end(&mut self, fate: Fate) {
        match &mut self.kind {
            Kind::Chosen => {}
            Kind::Every { ended, .. } => {
                ended.insert(fate);
            }
        }
    }

    /// Holds that only calls were missed that a pass need not make: how many polls and samples there are is a matter of
    /// time.
    pub(super) fn was_met(&self, missed: &[Cut]) {
        for cut in missed {
            match (&self.kind, &cut.which) {
                (Kind::Chosen, Which::Of(_, operation, nth)) => {
                    let varies = ["ListCommandInvocations", "DescribeContainerInstances"]
                        .contains(&operation.as_str());
                    assert!(varies && *nth > 1, "{cut} was never met");
                }
                (Kind::Every { at_least, .. }, Which::Any(nth)) => {
                    let missing = at_least.saturating_sub(usize::try_from(*nth).expect("a few hundred"));
                    assert!(missing < 10, "{cut} was not met in a pass of {at_least} calls");
                }
                (Kind::Chosen, Which::Any(_)) | (Kind::Every { .. }, Which::Of(..)) => {}
            }
        }
    }
}
