//! What a wall clock's changes do to a schedule: no run is lost, and none is doubled.
//!
//! `cron` itself must not be asked in a time zone that changes its clock: going forward it skips the day's run, going
//! back it returns times that have passed. It is asked on the readings of a wall clock alone, and this walks the real
//! time from one change of the zone's offset to the next:
//!
//! * An expression that is due in every hour is due whenever the clock shows one of its times: in the hour that is shown
//!   twice, twice, and never in one that is not shown. So every quarter of an hour stays one.
//! * Any other is due once for each reading: at its first showing; or, if it is not shown at all, at once when the clock
//!   has jumped over it.
//!
//! A zone's offsets come from the IANA database inside of `chrono-tz`, which is as old as that crate.

use chrono::{DateTime, NaiveDateTime, Offset, SubsecRound, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::expression::{Expression, Hours};

const SECOND: TimeDelta = TimeDelta::seconds(1);
/// No zone has changed its offset twice within this (tzdata 2025b, since 1970).
const STRIDE: TimeDelta = TimeDelta::hours(12);
/// No clock goes back by more.
const LONGEST_REPEAT: TimeDelta = TimeDelta::hours(24);

/// A change of a zone's offset.
struct Change {
    /// The first instant after it.
    at: DateTime<Utc>,
    before: TimeDelta,
    after: TimeDelta,
}

/// The first instant after `after` at which the expression is due in `zone`; `None` from the year 2100 on.
pub(super) fn next(expression: &Expression, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut from = after.trunc_subsecs(0);
    let mut offset = offset_at(zone, from);
    let mut shown = from.naive_utc() + offset;
    if expression.hours() == Hours::Some
        && let Some(change) = change_between(zone, from - LONGEST_REPEAT, from)
    {
        // What the clock showed before it went back is not due again.
        shown = shown.max(last_before(change.at, change.before));
    }
    loop {
        let reading = expression.next_reading(shown)?;
        let due = (reading - offset).and_utc();
        let Some(change) = change_between(zone, from, due) else { return Some(due) };
        shown = match expression.hours() {
            Hours::Every => last_before(change.at, change.after),
            Hours::Some if reading.and_utc() - change.at < change.after => return Some(change.at),
            Hours::Some => last_before(change.at, change.before.max(change.after)),
        };
        from = change.at;
        offset = change.after;
    }
}

/// The reading one second before `at`, on a clock with this offset.
fn last_before(at: DateTime<Utc>, offset: TimeDelta) -> NaiveDateTime {
    at.naive_utc() + offset - SECOND
}

/// The first change after `from`, if it is not after `to`.
fn change_between(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<Change> {
    let before = offset_at(zone, from);
    let mut low = from;
    while low < to {
        let mut high = (low + STRIDE).min(to);
        if offset_at(zone, high) == before {
            low = high;
            continue;
        }
        while high - low > SECOND {
            let middle = (low + (high - low) / 2).trunc_subsecs(0);
            if offset_at(zone, middle) == before { low = middle } else { high = middle }
        }
        return Some(Change { at: high, before, after: offset_at(zone, high) });
    }
    None
}

fn offset_at(zone: Tz, at: DateTime<Utc>) -> TimeDelta {
    let offset = zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    TimeDelta::seconds(i64::from(offset.local_minus_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is due in New York in 2027 after this time, until there are so many.
    fn due(text: &str, after: &str, count: usize) -> Vec<String> {
        let expression = Expression::parse(text).unwrap();
        let mut at: DateTime<Utc> = DateTime::parse_from_rfc3339(after).unwrap().to_utc();
        let mut due = Vec::new();
        for _ in 0..count {
            at = next(&expression, Tz::America__New_York, at).unwrap();
            due.push(at.with_timezone(&Tz::America__New_York).format("%d %H:%M%:::z").to_string());
        }
        due
    }

    #[test]
    fn a_time_that_the_clock_jumps_over_is_due_when_it_has_jumped() {
        assert_eq!(due("30 2 * * *", "2027-03-13T12:00:00-05:00", 2), ["14 03:00-04", "15 02:30-04"]);
        // Several of them are one run, and so is one beside what is due then anyway.
        assert_eq!(due("*/20 2 * * *", "2027-03-13T12:00:00-05:00", 2), ["14 03:00-04", "15 02:00-04"]);
        assert_eq!(due("0 2,3 * * *", "2027-03-13T12:00:00-05:00", 2), ["14 03:00-04", "15 02:00-04"]);
    }

    #[test]
    fn a_time_that_is_shown_twice_is_due_once() {
        assert_eq!(due("30 1 * * *", "2027-11-06T12:00:00-04:00", 2), ["07 01:30-04", "08 01:30-05"]);
        assert_eq!(due("30 1 * * *", "2027-11-07T01:10:00-05:00", 1), ["08 01:30-05"]);
        assert_eq!(
            due("*/20 1 * * *", "2027-11-06T12:00:00-04:00", 4),
            ["07 01:00-04", "07 01:20-04", "07 01:40-04", "08 01:00-05"]
        );
    }

    #[test]
    fn what_is_due_in_every_hour_goes_by_elapsed_time() {
        assert_eq!(
            due("*/30 * * * *", "2027-11-07T00:45:00-04:00", 5),
            ["07 01:00-04", "07 01:30-04", "07 01:00-05", "07 01:30-05", "07 02:00-05"]
        );
        assert_eq!(due("*/5 * * * *", "2027-11-07T01:56:00-04:00", 1), ["07 01:00-05"]);
        assert_eq!(due("*/5 * * * *", "2027-11-07T01:02:00-05:00", 1), ["07 01:05-05"]);
        assert_eq!(due("30 * * * *", "2027-03-14T01:00:00-05:00", 2), ["14 01:30-05", "14 03:30-04"]);
    }
}
