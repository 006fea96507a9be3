//! Laws of schedules, for many expressions, zones and times; and `croner`, which evaluates cron expressions in time
//! zones by itself, as a second opinion wherever the two mean the same.

#![allow(clippy::unwrap_used, clippy::pedantic, reason = "a panic is how a test fails")]

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use regcred_core::schedule::{Expression, Jitter, Schedule};

/// Zones that change their clocks by an hour, by half of one, by two, on other days, at midnight; and that do not.
const ZONES: [Tz; 9] = [
    Tz::UTC,
    Tz::America__New_York,
    Tz::Europe__Berlin,
    Tz::Australia__Lord_Howe,
    Tz::Antarctica__Troll,
    Tz::America__Havana,
    Tz::Africa__Casablanca,
    Tz::Asia__Kathmandu,
    Tz::America__Santiago,
];

fn schedule(text: &str, zone: Tz) -> Schedule {
    Schedule::new(Expression::parse(text).unwrap_or_else(|e| panic!("{text}: {e}")), zone, Jitter::NONE)
}

/// A time of 2024 to 2034, about half of them within two days of a change of the zone's clock.
fn time(zone: Tz) -> impl Strategy<Value = DateTime<Utc>> {
    let start = Utc.with_ymd_and_hms(2024, 1, 1, 0, 0, 0).unwrap();
    let changes: Vec<DateTime<Utc>> = (0..3650)
        .map(|day| start + TimeDelta::days(day))
        .filter(|day| {
            let shown = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local() - at.naive_utc();
            shown(*day) != shown(*day + TimeDelta::days(1))
        })
        .collect();
    let anywhere = (0..3650_i64 * 86_400).prop_map(move |s| start + TimeDelta::seconds(s)).boxed();
    if changes.is_empty() {
        return anywhere;
    }
    let near = (proptest::sample::select(changes), -86_400..2 * 86_400_i64)
        .prop_map(|(day, seconds)| day + TimeDelta::seconds(seconds));
    prop_oneof![anywhere, near].boxed()
}

fn zone_and_time() -> impl Strategy<Value = (Tz, DateTime<Utc>)> {
    proptest::sample::select(ZONES.as_slice()).prop_flat_map(|zone| time(zone).prop_map(move |at| (zone, at)))
}

/// One field: a number, a list, a range, a step, or all.
fn field(least: u32, most: u32) -> BoxedStrategy<String> {
    prop_oneof![
        3 => Just("*".to_owned()),
        3 => (least..=most).prop_map(|n| n.to_string()),
        1 => (least..=most, least..=most).prop_map(|(a, b)| format!("{a},{b}")),
        1 => (least..=most, least..=most).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (2..=most).prop_map(|n| format!("*/{n}")),
        1 => (least..=most, least..=most, 1..=most).prop_map(|(a, b, n)| format!("{}-{}/{n}", a.min(b), a.max(b))),
    ]
    .boxed()
}

/// The day fields, of which one may step only if the other is free.
fn days() -> impl Strategy<Value = (String, String)> {
    (field(1, 28), field(0, 7)).prop_map(|(day, weekday)| {
        match (day.contains("*/"), weekday.contains("*/")) {
            (true, _) => (day, "*".to_owned()),
            (false, true) => ("*".to_owned(), weekday),
            (false, false) => (day, weekday),
        }
    })
}

/// Times of the day that both crates take for fixed ones, or for such as go by elapsed time.
fn clock_both_agree_on() -> impl Strategy<Value = String> {
    let fixed = (0..60_u32, 0..24_u32).prop_map(|(minute, hour)| format!("{minute} {hour}"));
    let elapsed = field(0, 59).prop_map(|minute| format!("{minute} *"));
    prop_oneof![fixed, elapsed]
}

fn croner(text: &str, zone: Tz, after: DateTime<Utc>) -> DateTime<Utc> {
    let cron: croner::Cron = text.parse().unwrap_or_else(|error| panic!("croner on {text}: {error}"));
    cron.find_next_occurrence(&after.with_timezone(&zone), false).unwrap().to_utc()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn croner_says_the_same_where_no_clock_changes(
        (minute, hour) in (field(0, 59), field(0, 23)),
        (day, weekday) in days(),
        month in field(1, 12),
        after in time(Tz::UTC),
    ) {
        let text = format!("{minute} {hour} {day} {month} {weekday}");
        prop_assert_eq!(schedule(&text, Tz::UTC).next(after), Some(croner(&text, Tz::UTC, after)), "{}", text);
        let text = format!("*/7 {text}");
        prop_assert_eq!(schedule(&text, Tz::UTC).next(after), Some(croner(&text, Tz::UTC, after)), "{}", text);
    }

    #[test]
    fn croner_says_the_same_across_changes_of_the_clock(
        clock in clock_both_agree_on(),
        (day, weekday) in days(),
        (zone, after) in zone_and_time(),
    ) {
        let text = format!("{clock} {day} * {weekday}");
        prop_assert_eq!(schedule(&text, zone).next(after), Some(croner(&text, zone, after)), "{} {}", text, zone);
    }

    /// The rule of the module, by brute force: every minute of three days is looked at on the zone's own clock.
    #[test]
    fn each_reading_is_due_once_and_none_is_lost(
        (minute, hour) in (field(0, 59), field(0, 23)),
        (zone, from) in zone_and_time(),
    ) {
        let text = format!("{minute} {hour} * * *");
        let schedule = schedule(&text, zone);
        let from = from - TimeDelta::seconds(i64::from(from.second()));
        let to = from + TimeDelta::days(3);
        let mut due = Vec::new();
        let mut at = from;
        while let Some(next) = schedule.next(at).filter(|next| *next <= to) {
            prop_assert!(next > at, "{} is not after {}", next, at);
            due.push(next);
            at = next;
        }
        prop_assert_eq!(due, by_brute_force(&schedule_in_utc(&text), zone, from, to), "{} {}", text, zone);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-*/?,0-9A-Za-z@# ]{0,24}") {
        if let Ok(expression) = Expression::parse(&text) {
            let schedule = Schedule::new(expression, Tz::Europe__Berlin, Jitter::NONE);
            let after = Utc.with_ymd_and_hms(2026, 12, 1, 0, 0, 0).unwrap();
            prop_assert!(schedule.next(after).is_some_and(|next| next > after));
        }
    }

    #[test]
    fn five_fields_of_any_kind_are_read_or_refused(
        fields in proptest::collection::vec("[-*/?,0-9]{1,5}|MON|SUN-SAT|JAN", 5..7),
    ) {
        if let Ok(expression) = Expression::parse(&fields.join(" ")) {
            let schedule = Schedule::new(expression, Tz::America__Havana, Jitter::NONE);
            let after = Utc.with_ymd_and_hms(2026, 12, 1, 0, 0, 0).unwrap();
            prop_assert!(schedule.next(after).is_some_and(|next| next > after));
        }
    }
}

fn schedule_in_utc(text: &str) -> Schedule {
    schedule(text, Tz::UTC)
}

/// Whether a wall clock that shows this matches, by the schedule in a zone whose clock never changes.
fn is_due(schedule: &Schedule, shown: NaiveDateTime) -> bool {
    schedule.next(shown.and_utc() - TimeDelta::seconds(1)) == Some(shown.and_utc())
}

fn by_brute_force(
    schedule: &Schedule,
    zone: Tz,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Vec<DateTime<Utc>> {
    let day = Utc.with_ymd_and_hms(2026, 12, 1, 0, 0, 0).unwrap().naive_utc();
    let every_hour = (0..24)
        .all(|hour| (0..60).any(|minute| is_due(schedule, day + TimeDelta::minutes(hour * 60 + minute))));
    let minute = TimeDelta::minutes(1);
    let mut due = Vec::new();
    let mut at = from;
    while at < to {
        let before = at.with_timezone(&zone).naive_local();
        at += minute;
        let shown = at.with_timezone(&zone).naive_local();
        let jumped = (shown - before).num_minutes();
        let jumped_over_one =
            (1..jumped).any(|n| is_due(schedule, before + minute * i32::try_from(n).unwrap()));
        let is_first = zone.from_local_datetime(&shown).earliest().unwrap().to_utc() == at;
        if (is_due(schedule, shown) && (every_hour || is_first)) || (jumped_over_one && !every_hour) {
            due.push(at);
        }
    }
    due
}

#[test]
fn the_zones_of_these_laws_change_their_clocks_as_is_said_of_them() {
    let changes = |zone: Tz| {
        let start = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap();
        let mut amounts: Vec<i64> = Vec::new();
        let shown = |hour| {
            let at = start + TimeDelta::hours(hour);
            (at.with_timezone(&zone).naive_local() - at.naive_utc()).num_minutes()
        };
        for hour in 0..8760 {
            let amount = shown(hour + 1) - shown(hour);
            if amount != 0 {
                amounts.push(amount);
            }
        }
        amounts
    };
    assert_eq!(changes(Tz::Australia__Lord_Howe), [-30, 30]);
    assert_eq!(changes(Tz::Antarctica__Troll), [120, -120]);
    assert_eq!(changes(Tz::America__Havana), [60, -60]);
    assert_eq!(changes(Tz::Asia__Kathmandu), [0_i64; 0]);
    let jump = Tz::America__Havana.with_ymd_and_hms(2026, 3, 8, 0, 30, 0);
    assert!(jump.single().is_none(), "Havana jumps at midnight: {}", jump.earliest().is_some());
    assert_eq!(Utc.with_ymd_and_hms(2026, 3, 8, 0, 0, 0).unwrap().weekday(), chrono::Weekday::Sun);
}
