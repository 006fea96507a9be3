//! Maintenance windows: when hosts may be restarted.
//!
//! They are no triggers, and hold nothing but restarts: a changed password is published at once, and hosts that start
//! meanwhile load it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{Expression, Schedule, wall_clock};
use crate::names::ScheduleName;

/// It opens at certain times, each time for so long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub opens: Expression,
    pub zone: Tz,
    /// Of elapsed time, whatever the clock does.
    pub length: TimeDelta,
}

/// Whether anything ever begins while a window is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// This schedule is due then.
    At { schedule: ScheduleName, time: DateTime<Utc> },
    /// Not within [`Window::HORIZON`], or not in so many times that it opened.
    Never,
}

impl Window {
    /// How far ahead a meeting is looked for: two leap days.
    pub const HORIZON: TimeDelta = TimeDelta::days(8 * 366);
    /// How many openings are looked at. One that is missed every hour for two years, or every minute for two weeks, is missed
    /// for ever: eight years of minutes take a minute to look at, before each command.
    const OPENINGS: usize = 20_000;

    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        now.checked_sub_signed(self.length)
            .and_then(|earliest| wall_clock::next(&self.opens, self.zone, earliest))
            .is_some_and(|opened| opened <= now)
    }

    /// When it opens next, whether or not it is open now.
    pub fn next_opening(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        wall_clock::next(&self.opens, self.zone, after)
    }

    /// The first time from `from` on at which one of the schedules is due while this is open. cert-manager shipped
    /// windows that could never be met, and found out by objects that were never ready
    /// (<https://github.com/cert-manager/cert-manager/issues/9146>).
    pub fn meeting(&self, schedules: &BTreeMap<ScheduleName, Schedule>, from: DateTime<Utc>) -> Meeting {
        let meets = |(name, schedule): (&ScheduleName, &Schedule)| {
            self.meets(schedule, from).map(|time| (time, name.clone()))
        };
        match schedules.iter().filter_map(meets).min() {
            Some((time, schedule)) => Meeting::At { schedule, time },
            None => Meeting::Never,
        }
    }

    /// Goes from the one to the next of the other, so the rarer of the two decides how long it takes.
    fn meets(&self, schedule: &Schedule, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let end = from + Self::HORIZON;
        let mut tick = schedule.next(from - TimeDelta::seconds(1))?;
        for _ in 0..Self::OPENINGS {
            if tick >= end {
                return None;
            }
            if self.is_open(tick) {
                return Some(tick);
            }
            let opening = self.next_opening(tick)?;
            tick = schedule.next(opening - TimeDelta::seconds(1))?;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Jitter;

    fn window(opens: &str, hours: i64) -> Window {
        let opens = Expression::parse(opens).unwrap();
        Window { opens, zone: Tz::Europe__Berlin, length: TimeDelta::hours(hours) }
    }

    fn time(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn is_open_from_its_opening_until_before_its_end() {
        let night = window("0 22 * * *", 6);
        for (at, open) in [
            ("2026-12-01T21:59:59+01:00", false),
            ("2026-12-01T22:00:00+01:00", true),
            ("2026-12-02T03:59:59+01:00", true),
            ("2026-12-02T04:00:00+01:00", false),
            // The night that is an hour longer by the clock is as long as any other.
            ("2026-10-25T02:59:59+01:00", true),
            ("2026-10-25T03:00:00+01:00", false),
        ] {
            assert_eq!(night.is_open(time(at)), open, "{at}");
        }
        assert!(window("* * * * *", 1).is_open(time("2026-12-01T10:00:30+01:00")));
    }

    #[test]
    fn a_window_that_nothing_falls_into_is_seen() {
        let schedule = |text: &str, zone| Schedule::new(Expression::parse(text).unwrap(), zone, Jitter::NONE);
        let from = time("2026-01-01T00:00:00Z");
        let daily =
            BTreeMap::from([(ScheduleName::new("daily"), schedule("0 12 * * *", Tz::Europe__Berlin))]);
        assert_eq!(window("0 22 * * *", 6).meeting(&daily, from), Meeting::Never);
        let Meeting::At { time: met, .. } = window("0 22 * * *", 15).meeting(&daily, from) else {
            panic!("15 hours from 22:00 reach beyond noon")
        };
        assert_eq!(met, time("2026-01-01T12:00:00+01:00"));
        // Hours apart for most of the year, and together for the weeks in which only one of the two changed its clock.
        let other_zone =
            BTreeMap::from([(ScheduleName::new("us"), schedule("30 12 * * *", Tz::America__New_York))]);
        let Meeting::At { time: met, .. } = window("0 17 * * *", 1).meeting(&other_zone, from) else {
            panic!("from 8 to 29 March 2026, New York is five hours behind Berlin")
        };
        assert_eq!(met, time("2026-03-08T12:30:00-04:00"));
        assert_eq!(window("0 20 * * *", 1).meeting(&other_zone, from), Meeting::Never);
        assert_eq!(window("0 22 29 2 *", 1).meeting(&daily, from), Meeting::Never);
        assert_eq!(window("0 22 * * *", 6).meeting(&BTreeMap::new(), from), Meeting::Never);
    }
}
