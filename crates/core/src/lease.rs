//! The lease: which one of several processes works, so that the others save themselves the trouble.
//!
//! It saves work and is not what keeps writes right: each of them is conditional by itself. It is one object that is written
//! by compare-and-swap, marked free and never deleted. Whoever holds it writes it again and again; whoever wants it takes it
//! when it is free, or when it has not changed for the length that its holder promised, by the watcher's own clock. No two
//! clocks are compared.
//!
//! This module must not read a clock, or know where the object is.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who holds the lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Holder {
    /// For people: the command, the machine, the process.
    pub name: String,
    /// Told apart from every other process by this.
    pub id: String,
    /// For people; by the holder's clock.
    pub since: DateTime<Utc>,
    /// It writes the lease again well within this time. Milliseconds.
    #[serde(rename = "length_ms", with = "millis")]
    #[schemars(with = "u64")]
    pub length: Duration,
    /// Counts its writes, so that each of them changes the object.
    pub renewals: u64,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, since {}", self.name, self.since.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

/// No holder may promise more: whoever waits for one that is dead waits for so long.
pub const LONGEST: Duration = Duration::from_mins(10);

/// The object as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    version: u32,
    holder: Option<Holder>,
}

const VERSION: u32 = 1;

/// Why the object is no lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    #[error("it is no lease of regcred's")]
    Malformed,
    #[error("its holder promises to renew it in {0} ms, and nobody may hold one for so long")]
    TooLong(u128),
    #[error("it was written by a newer regcred (format {0})")]
    Newer(u32),
}

/// The object's text, held by `holder` or free.
pub fn to_text(holder: Option<&Holder>) -> String {
    let stored = Stored { version: VERSION, holder: holder.cloned() };
    serde_json::to_string(&stored).expect("a lease is plain data")
}

/// Who holds it; `None` where it is free.
pub fn read(text: &str) -> Result<Option<Holder>, LeaseError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = serde_json::from_str(text).map_err(|_| LeaseError::Malformed)?;
    if version > VERSION {
        return Err(LeaseError::Newer(version));
    }
    let Stored { version: _, holder } = serde_json::from_str(text).map_err(|_| LeaseError::Malformed)?;
    match &holder {
        Some(Holder { length, .. }) if *length > LONGEST => Err(LeaseError::TooLong(length.as_millis())),
        Some(_) | None => Ok(holder),
    }
}

/// What was seen of the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// There never was one.
    Absent,
    Free {
        tag: String,
    },
    Held {
        tag: String,
        holder: Holder,
    },
}

/// What somebody who wants the lease has seen of it, over time. Times are those of a clock that never goes back, since
/// whenever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// The tag that was last seen, and when it was seen first.
    seen: Option<(String, Duration)>,
}

/// What may be done about a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is for the taking, if the object has this tag still, or is still absent.
    Take { expects: Option<String> },
    /// Its holder is at work, as far as can be known before `until`.
    Wait { holder: Holder, until: Duration },
}

impl Watch {
    /// Takes in what was read, at a time when the answer was there.
    pub fn judge(&mut self, seen: Seen, now: Duration) -> Judgement {
        let (tag, holder) = match seen {
            Seen::Absent => {
                self.seen = None;
                return Judgement::Take { expects: None };
            }
            Seen::Free { tag } => {
                self.seen = None;
                return Judgement::Take { expects: Some(tag) };
            }
            Seen::Held { tag, holder } => (tag, holder),
        };
        let since = match &self.seen {
            Some((known, since)) if *known == tag => *since,
            Some(_) | None => {
                self.seen = Some((tag.clone(), now));
                now
            }
        };
        let until = since.saturating_add(holder.length);
        if now >= until { Judgement::Take { expects: Some(tag) } } else { Judgement::Wait { holder, until } }
    }
}

mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(length: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LENGTH: Duration = Duration::from_secs(1);

    fn holder(id: &str, renewals: u64) -> Holder {
        Holder {
            name: format!("regcred sync on {id}"),
            id: id.into(),
            since: DateTime::UNIX_EPOCH,
            length: LENGTH,
            renewals,
        }
    }

    #[test]
    fn reads_what_it_wrote_and_refuses_the_rest() {
        let held = holder("a", 3);
        assert_eq!(read(&to_text(Some(&held))), Ok(Some(held)));
        assert_eq!(read(&to_text(None)), Ok(None));
        let for_ever = Holder { length: Duration::from_hours(9), ..holder("a", 0) };
        assert_eq!(read(&to_text(Some(&for_ever))), Err(LeaseError::TooLong(32_400_000)));
        assert_eq!(read("{\"version\":2,\"what\":1}"), Err(LeaseError::Newer(2)));
        for bad in ["", "{}", "null", "{\"version\":1,\"holder\":{}}", "{\"version\":1,\"holder\":3}"] {
            assert_eq!(read(bad), Err(LeaseError::Malformed), "{bad}");
        }
    }

    #[test]
    fn what_is_held_is_taken_only_when_it_has_not_changed_for_its_length_since_it_was_first_seen() {
        let mut watch = Watch::default();
        let at = Duration::from_millis;
        let held = |tag: &str| Seen::Held { tag: tag.into(), holder: holder("a", 0) };
        let wait = |until| Judgement::Wait { holder: holder("a", 0), until };
        assert_eq!(watch.judge(held("1"), at(5000)), wait(at(6000)), "however old it may be");
        assert_eq!(watch.judge(held("1"), at(5999)), wait(at(6000)));
        assert_eq!(watch.judge(held("2"), at(6000)), wait(at(7000)), "it was renewed");
        assert_eq!(watch.judge(held("2"), at(7000)), Judgement::Take { expects: Some("2".into()) });
        assert_eq!(watch.judge(held("3"), at(7001)), wait(at(8001)), "another took it");
        let free = Seen::Free { tag: "4".into() };
        assert_eq!(watch.judge(free, at(7002)), Judgement::Take { expects: Some("4".into()) });
        assert_eq!(watch.judge(Seen::Absent, at(7003)), Judgement::Take { expects: None });
    }

    /// An object that is written by compare-and-swap.
    #[derive(Default)]
    struct Store {
        text: Option<String>,
        tag: u64,
    }

    impl Store {
        fn read(&self) -> Seen {
            let tag = self.tag.to_string();
            match self.text.as_deref().map(|text| read(text).unwrap()) {
                None => Seen::Absent,
                Some(None) => Seen::Free { tag },
                Some(Some(holder)) => Seen::Held { tag, holder },
            }
        }

        fn write(&mut self, expects: Option<&str>, holder: Option<&Holder>) -> Option<String> {
            let now = self.text.is_some().then(|| self.tag.to_string());
            if now.as_deref() != expects {
                return None;
            }
            self.text = Some(to_text(holder));
            self.tag += 1;
            Some(self.tag.to_string())
        }
    }

    #[derive(Default)]
    struct Process {
        watch: Watch,
        /// The tag of its own last write, and when that write was begun.
        holds: Option<(String, Duration)>,
        renewals: u64,
    }

    #[derive(Clone, Copy, Debug)]
    enum Act {
        /// It wants the lease, and gets what it read only so many milliseconds later.
        Want {
            lag: u64,
        },
        Renew,
        Release,
        Die,
    }

    proptest! {
        /// Whatever several processes do and however slow their reads are: two never hold it at a time, where a holder counts
        /// from the beginning of its last write that went through. And the last one standing gets it within a length.
        #[test]
        fn two_never_hold_it_and_one_always_can(
            acts in prop::collection::vec(
                (0_usize..3, 0_u64..600, prop_oneof![
                    4 => (0_u64..300).prop_map(|lag| Act::Want { lag }),
                    3 => Just(Act::Renew),
                    1 => Just(Act::Release),
                    1 => Just(Act::Die),
                ]),
                1..80,
            ),
        ) {
            let mut store = Store::default();
            let mut processes: [Process; 3] = Default::default();
            let mut now = Duration::ZERO;
            for (who, pause, act) in acts {
                now += Duration::from_millis(pause);
                let me = &mut processes[who];
                match act {
                    Act::Want { lag } if me.holds.is_none() => {
                        let seen = store.read();
                        now += Duration::from_millis(lag);
                        if let Judgement::Take { expects } = me.watch.judge(seen, now) {
                            let tag = store.write(expects.as_deref(), Some(&holder(&who.to_string(), 0)));
                            me.holds = tag.map(|tag| (tag, now));
                        }
                    }
                    Act::Want { .. } => {}
                    Act::Renew => if let Some((tag, _)) = me.holds.take() {
                        me.renewals += 1;
                        let tag = store.write(Some(&tag), Some(&holder(&who.to_string(), me.renewals)));
                        me.holds = tag.map(|tag| (tag, now));
                    },
                    Act::Release => if let Some((tag, _)) = me.holds.take() {
                        store.write(Some(&tag), None);
                    },
                    Act::Die => *me = Process::default(),
                }
                let sure = processes.iter().filter(|each| {
                    each.holds.as_ref().is_some_and(|(_, since)| now < *since + LENGTH)
                });
                prop_assert!(sure.count() <= 1, "two hold it at {now:?}");
            }
            let mut last = Watch::default();
            last.judge(store.read(), now);
            let judged = last.judge(store.read(), now + LENGTH);
            prop_assert!(matches!(judged, Judgement::Take { .. }), "{judged:?}");
        }
    }
}
