//! When a pass is due, and when hosts may be restarted.
//!
//! A tick begins the same pass as a person does and tells it nothing. So ticks need no queue: however many there were
//! since the last pass began, one pass answers them all.
//!
//! This module must not read a clock, sleep, or know what a pass does.

mod expression;
mod jitter;
mod wall_clock;
mod window;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

pub use expression::{Expression, ExpressionError, Field};
pub use jitter::Jitter;
pub use window::{Meeting, Window};

use crate::names::ScheduleName;

/// When something is due, in a time zone, each time later by the same amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    expression: Expression,
    zone: Tz,
    jitter: Jitter,
}

impl Schedule {
    pub fn new(expression: Expression, zone: Tz, jitter: Jitter) -> Self {
        Self { expression, zone, jitter }
    }

    /// The first time after `after`; `None` from the year 2100 on.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let jitter = self.jitter.delay();
        let due = wall_clock::next(&self.expression, self.zone, after.checked_sub_signed(jitter)?)?;
        due.checked_add_signed(jitter)
    }
}

/// Whether a pass is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    Now(Why),
    At {
        schedule: ScheduleName,
        time: DateTime<Utc>,
    },
    /// There is no schedule.
    Never,
}

/// Why a pass is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody knows what was missed.
    Start,
    /// These were due at least once since the last pass began; one pass is for all of them.
    Ticks(Vec<ScheduleName>),
}

/// Whether a pass is due, where the last one began at `begun`, and none is known to have begun without. What was due
/// while that one ran is due when it is over, once: it may have looked before whatever the tick was to notice.
///
/// A clock that was set back must not silence a schedule until it is there again: then `begun` becomes `now`, and has to be
/// kept, or what is due next would lie ahead for ever.
pub fn due(
    schedules: &BTreeMap<ScheduleName, Schedule>,
    begun: &mut Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Due {
    let Some(begun) = begun else {
        return if schedules.is_empty() { Due::Never } else { Due::Now(Why::Start) };
    };
    *begun = now.min(*begun);
    let next = schedules.iter().filter_map(|(name, schedule)| Some((schedule.next(*begun)?, name)));
    let next: Vec<_> = next.collect();
    let ticks: Vec<_> =
        next.iter().filter(|(time, _)| *time <= now).map(|(_, name)| (*name).clone()).collect();
    if !ticks.is_empty() {
        return Due::Now(Why::Ticks(ticks));
    }
    match next.into_iter().min() {
        Some((time, name)) => Due::At { schedule: name.clone(), time },
        None => Due::Never,
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn schedules(all: &[(&str, &str)]) -> BTreeMap<ScheduleName, Schedule> {
        let schedule = |text| Schedule::new(Expression::parse(text).unwrap(), Tz::UTC, Jitter::NONE);
        all.iter().map(|(name, text)| (ScheduleName::new(*name), schedule(text))).collect()
    }

    fn time(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn any_number_of_ticks_since_the_last_pass_began_is_one_pass() {
        let all = schedules(&[("often", "*/5 * * * *"), ("hourly", "0 * * * *"), ("daily", "0 3 * * *")]);
        let begun = time("2026-12-01T10:55:00Z");
        let at = |text| due(&all, &mut Some(begun), time(text));
        let often = ScheduleName::new("often");
        let now =
            |names: &[&str]| Due::Now(Why::Ticks(names.iter().map(|n| ScheduleName::new(*n)).collect()));
        assert_eq!(
            at("2026-12-01T10:56:00Z"),
            Due::At { schedule: ScheduleName::new("hourly"), time: time("2026-12-01T11:00:00Z") }
        );
        assert_eq!(at("2026-12-01T11:00:00Z"), now(&["hourly", "often"]));
        assert_eq!(at("2026-12-01T11:17:00Z"), now(&["hourly", "often"]), "they ran into a pass");
        assert_eq!(
            due(&all, &mut Some(time("2026-12-01T11:17:00Z")), time("2026-12-01T11:17:00Z")),
            Due::At { schedule: often, time: time("2026-12-01T11:20:00Z") }
        );
    }

    #[test]
    fn a_start_is_due_at_once_and_without_schedules_nothing_ever_is() {
        let now = time("2026-12-01T10:55:00Z");
        assert_eq!(due(&schedules(&[("daily", "0 3 * * *")]), &mut None, now), Due::Now(Why::Start));
        assert_eq!(due(&BTreeMap::new(), &mut None, now), Due::Never);
        assert_eq!(due(&BTreeMap::new(), &mut Some(now), now), Due::Never);
    }

    #[test]
    fn a_clock_that_was_set_back_silences_nothing() {
        let now = time("2026-12-01T10:55:00Z");
        let all = schedules(&[("hourly", "0 * * * *")]);
        let mut begun = Some(now + TimeDelta::days(400));
        let hourly = ScheduleName::new("hourly");
        let next = time("2026-12-01T11:00:00Z");
        assert_eq!(due(&all, &mut begun, now), Due::At { schedule: hourly.clone(), time: next });
        assert_eq!(due(&all, &mut begun, next), Due::Now(Why::Ticks(vec![hourly])), "it has come");
    }

    #[test]
    fn jitter_moves_every_time_by_the_same_amount_and_loses_none() {
        let jitter = Jitter::of("acme/daily", TimeDelta::minutes(30));
        let plain = Schedule::new(Expression::parse("0 * * * *").unwrap(), Tz::UTC, Jitter::NONE);
        let moved = Schedule::new(Expression::parse("0 * * * *").unwrap(), Tz::UTC, jitter);
        let (mut a, mut b) = (time("2026-12-01T00:00:00Z"), time("2026-12-01T00:00:00Z") + jitter.delay());
        for _ in 0..50 {
            (a, b) = (plain.next(a).unwrap(), moved.next(b).unwrap());
            assert_eq!(b - a, jitter.delay());
        }
    }
}
