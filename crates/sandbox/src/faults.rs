//! Faults, as data: which calls, and what happens to them.

use serde::{Deserialize, Serialize};

use crate::services::Service;

/// One fault. Faults are looked at in their order; every one that matches applies.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which calls; an empty one is every call.
    #[serde(rename = "match", default)]
    pub calls: Match,
    pub effect: Effect,
}

/// Which calls a fault is about. What is not given matches everything.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    pub service: Option<Service>,
    pub operation: Option<String>,
    pub account: Option<String>,
    /// Of an object in S3.
    pub key: Option<String>,
    pub origin: Option<Origin>,
    /// The first of the matching calls that is hit, counted from 1. Default: 1.
    pub nth: Option<u64>,
    /// How many are hit from there on. Default: all.
    pub times: Option<u64>,
}

/// Who makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Anyone but a host.
    Controller,
    /// The role of an instance profile.
    Host,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The service's own word for too many calls; nothing is done.
    Throttle,
    /// The service's own word for a missing permission; nothing is done.
    Deny,
    /// This error; nothing is done.
    Error { code: String, status: u16 },
    /// S3's 409 ConditionalRequestConflict; nothing is done.
    Conflict,
    /// Done, and answered so much later.
    DelayMs(u64),
    /// The connection is closed, and nothing is done.
    DropBefore,
    /// It is done, and the connection is closed without an answer.
    DropAfter,
    /// Nothing is done, and no answer ever comes.
    HoldBefore,
    /// It is done, and no answer ever comes.
    HoldAfter,
    /// More invocations are pending than SSM takes: a command is taken, runs nowhere, and ends as `RateExceeded`.
    TooManyPending,
    /// What it writes is seen only so much later (SSM's commands, ECS's attributes).
    LateVisibilityMs(u64),
}

/// What a call is matched by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) service: Service,
    pub(crate) operation: &'a str,
    pub(crate) account: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) origin: Origin,
}

/// The faults that are set, with their counts.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    set: Vec<(Fault, u64)>,
}

impl Faults {
    /// Replaces all faults; counts begin anew.
    pub(crate) fn set(&mut self, faults: Vec<Fault>) {
        self.set = faults.into_iter().map(|fault| (fault, 0)).collect();
    }

    pub(crate) fn list(&self) -> Vec<&Fault> {
        self.set.iter().map(|(fault, _)| fault).collect()
    }

    /// Counts this call, and says what happens to it.
    pub(crate) fn strike(&mut self, subject: Subject<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (fault, seen) in &mut self.set {
            let Match { service, operation, account, key, origin, nth, times } = &fault.calls;
            let is_meant = service.is_none_or(|wanted| wanted == subject.service)
                && operation.as_deref().is_none_or(|wanted| wanted == subject.operation)
                && account.as_deref().is_none_or(|wanted| Some(wanted) == subject.account)
                && key.as_deref().is_none_or(|wanted| Some(wanted) == subject.key)
                && origin.is_none_or(|wanted| wanted == subject.origin);
            if !is_meant {
                continue;
            }
            *seen += 1;
            let first = nth.unwrap_or(1).max(1);
            let is_hit = *seen >= first && times.is_none_or(|times| *seen - first < times);
            if is_hit {
                effects.push(fault.effect.clone());
            }
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(operation: &str) -> Subject<'_> {
        Subject {
            service: Service::S3,
            operation,
            account: Some("111111111111"),
            key: Some("a/key"),
            origin: Origin::Controller,
        }
    }

    fn hits(calls: Match, operations: &[&str]) -> Vec<bool> {
        let mut faults = Faults::default();
        faults.set(vec![Fault { calls, effect: Effect::Throttle }]);
        operations.iter().map(|operation| !faults.strike(put(operation)).is_empty()).collect()
    }

    #[test]
    fn counts_only_the_calls_that_match() {
        let third_of_any = Match { nth: Some(3), times: Some(1), ..Match::default() };
        assert_eq!(hits(third_of_any, &["a", "b", "c", "d"]), [false, false, true, false]);
        let second_put =
            Match { operation: Some("PutObject".into()), nth: Some(2), times: Some(1), ..Match::default() };
        assert_eq!(hits(second_put, &["PutObject", "GetObject", "PutObject"]), [false, false, true]);
        let from_second = Match { nth: Some(2), ..Match::default() };
        assert_eq!(hits(from_second, &["a", "b", "c"]), [false, true, true]);
        let of = |key: &str| Match { key: Some(key.into()), ..Match::default() };
        assert_eq!(hits(of("a/key"), &["PutObject"]), [true]);
        assert_eq!(hits(of("another"), &["PutObject"]), [false]);
        let hosts_only = Match { origin: Some(Origin::Host), ..Match::default() };
        assert_eq!(hits(hosts_only, &["a"]), [false]);
    }
}
