//! Cron expressions, as a crontab has them, on top of the crate `cron`, which has them as Quartz does.
//!
//! What differs, and what is done about it (each was seen with `cron` 0.17):
//!
//! | trap of `cron` | here |
//! |---|---|
//! | five fields are an error | they are given a second, 0 |
//! | days of the week count from 1, Sunday: `1-5` ends on Thursday | numbers are a crontab's, 0 or 7 is Sunday |
//! | with both day fields given, both have to hold | either does, as in a crontab |
//! | EventBridge's six fields mean other things | told by their `?`, and refused |
//! | a day that never comes (`31 2`) is taken, and never due | refused |
//! | evaluated in a time zone it skips and repeats | evaluated on the wall clock alone, see [`super::wall_clock`] |
//!
//! This module must not know of time zones.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, Utc};
use cron::TimeUnitSpec;
use thiserror::Error;

/// When something is due on a wall clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    text: String,
    /// It is due whenever one of them is: there are two where both day fields are given.
    parts: Vec<cron::Schedule>,
    hours: Hours,
}

/// What a change of the wall clock means to an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hours {
    /// Due in every hour, so by elapsed time: in the hour that is shown twice, twice.
    Every,
    /// Due at times of the day: once each, however often the clock shows it.
    Some,
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExpressionError {
    #[error(
        "a schedule has five fields (minute, hour, day, month, weekday), or six with seconds first; here are {0}"
    )]
    Fields(usize),
    #[error("words that begin with `@` mean other times in other programs")]
    Nickname,
    #[error("this is EventBridge's form, which begins with minutes and ends with years")]
    EventBridge,
    #[error("{0} cannot be read")]
    Field(Field),
    #[error(
        "with a step in one day field and days in the other, crontabs differ on whether one or both must hold"
    )]
    AmbiguousDays,
    #[error("no day is ever like that")]
    Never,
}

/// The fields, in the order of the longer form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

impl Field {
    const ALL: [Self; 6] = [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Month, Self::Weekday];
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "the first field of six, the second,",
            Self::Minute => "the minute",
            Self::Hour => "the hour",
            Self::Day => "the day of the month",
            Self::Month => "the month",
            Self::Weekday => "the day of the week",
        })
    }
}

impl ExpressionError {
    /// What to write instead.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Fields(_) => "write for example `*/15 * * * *`, every quarter of an hour",
            Self::Nickname => "write the fields: `0 * * * *` each hour, `0 3 * * *` each day at three",
            Self::EventBridge => "leave out the year, and write `*` for `?`",
            Self::Field(Field::Second | Field::Minute) => "write 0 to 59: one, `a,b`, `a-b`, `*` or `*/n`",
            Self::Field(Field::Hour) => "write 0 to 23: one, `a,b`, `a-b`, `*` or `*/n`",
            Self::Field(Field::Day) => "write 1 to 31: one, `a,b`, `a-b` or `*`; `L` and `W` are not known",
            Self::Field(Field::Month) => "write 1 to 12 or JAN to DEC: one, `a,b`, `a-b` or `*`",
            Self::Field(Field::Weekday) => {
                "write 0 to 7 or SUN to SAT: one, `a,b`, `a-b` or `*`; 0 and 7 are Sunday"
            }
            Self::AmbiguousDays => "list the days, or write two schedules",
            Self::Never => "write a day that the month has",
        }
    }
}

impl Expression {
    /// Reads five fields, or six with seconds before them.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let given: Vec<&str> = text.split_whitespace().collect();
        if text.trim_start().starts_with('@') {
            return Err(ExpressionError::Nickname);
        }
        let [second, minute, hour, day, month, weekday] = match *given.as_slice() {
            [minute, hour, day, month, weekday] => ["0", minute, hour, day, month, weekday],
            [second, minute, hour, day, month, weekday] => [second, minute, hour, day, month, weekday],
            _ => return Err(ExpressionError::Fields(given.len())),
        };
        // EventBridge wants a `?` in one of its day fields, which in six fields stand where hour and weekday do less one.
        if [hour, month].contains(&"?") {
            return Err(ExpressionError::EventBridge);
        }
        let weekdays = weekdays(weekday).ok_or(ExpressionError::Field(Field::Weekday))?;
        let fields = [second, minute, hour, day, month, &weekdays];
        for (index, field) in Field::ALL.into_iter().enumerate() {
            let mut alone = ["*"; 6];
            alone[index] = fields[index];
            if !is_plain(fields[index]) || read(alone).is_none() {
                return Err(ExpressionError::Field(field));
            }
        }
        let [day_given, weekday_given] = [given_as(day), given_as(weekday)];
        let parts = match (day_given, weekday_given) {
            (Given::Any, _) | (_, Given::Any) => vec![fields],
            (Given::Some, Given::Some) => {
                let [second, minute, hour, day, month, weekday] = fields;
                vec![[second, minute, hour, day, month, "*"], [second, minute, hour, "*", month, weekday]]
            }
            (Given::Step, _) | (_, Given::Step) => return Err(ExpressionError::AmbiguousDays),
        };
        let parts: Option<Vec<_>> = parts.into_iter().map(read).collect();
        let parts = parts.ok_or(ExpressionError::Never)?;
        let hours =
            if (0..24).all(|hour| parts[0].hours().includes(hour)) { Hours::Every } else { Hours::Some };
        let expression = Self { text: given.join(" "), parts, hours };
        // A day that does not come until 2100 never does.
        expression.next_reading(DateTime::UNIX_EPOCH.naive_utc()).ok_or(ExpressionError::Never)?;
        Ok(expression)
    }

    /// The first reading of a wall clock after `shown` at which it is due; whole seconds.
    pub(super) fn next_reading(&self, shown: NaiveDateTime) -> Option<NaiveDateTime> {
        // The wall clock is handed over as UTC, which neither skips nor repeats.
        let shown: DateTime<Utc> = shown.and_utc();
        self.parts.iter().filter_map(|part| part.after(&shown).next()).min().map(|due| due.naive_utc())
    }

    pub(super) fn hours(&self) -> Hours {
        self.hours
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Which days a day field leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    Any,
    Some,
    /// `*/n`: to some crontabs this is a star, to some it is not.
    Step,
}

fn given_as(field: &str) -> Given {
    match field {
        "*" | "?" | "*/1" => Given::Any,
        field if field.contains('*') => Given::Step,
        _ => Given::Some,
    }
}

/// What all fields are made of. A step of nothing would never end.
fn is_plain(field: &str) -> bool {
    let step =
        |item: &str| item.split_once('/').is_none_or(|(_, step)| step.parse().is_ok_and(|n: u8| n > 0));
    field.chars().all(|c| c.is_ascii_alphanumeric() || "*?,-/".contains(c)) && field.split(',').all(step)
}

fn read(fields: [&str; 6]) -> Option<cron::Schedule> {
    cron::Schedule::from_str(&fields.join(" ")).ok()
}

const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A crontab's days of the week as `cron` takes them, by their names.
fn weekdays(field: &str) -> Option<String> {
    if matches!(field, "*" | "?") {
        return Some("*".to_owned());
    }
    let mut on = [false; 7];
    for item in field.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
            None => (item, 1),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (0, 6),
            // `SAT-SUN`: as an end, Sunday is the seventh day.
            Some((first, last)) => match (weekday(first)?, weekday(last)?) {
                (first @ 1.., 0) => (first, 7),
                range => range,
            },
            // What `5/2` means differs from crontab to crontab.
            None if step > 1 => return None,
            None => (weekday(range)?, weekday(range)?),
        };
        if first > last {
            return None;
        }
        (first..=last).step_by(step).for_each(|day| on[day % 7] = true);
    }
    let named = DAYS.iter().zip(on).filter_map(|(name, on)| on.then_some(*name));
    Some(named.collect::<Vec<_>>().join(","))
}

/// 0 or 7 is Sunday.
fn weekday(text: &str) -> Option<usize> {
    match text.parse::<usize>() {
        Ok(number) => (number <= 7 && text.len() == 1).then_some(number),
        Err(_) => DAYS.iter().position(|name| name.eq_ignore_ascii_case(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next three times that it is due, from the beginning of Tuesday, 1 December 2026.
    fn due(text: &str) -> Vec<String> {
        let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let mut at: NaiveDateTime = "2026-11-30T23:59:59".parse().unwrap();
        let mut due = Vec::new();
        for _ in 0..3 {
            at = expression.next_reading(at).unwrap();
            due.push(at.format("%a %m-%d %H:%M:%S").to_string());
        }
        due
    }

    #[test]
    fn five_fields_begin_with_minutes_and_six_with_seconds() {
        assert_eq!(due("30 2 * * *")[0], "Tue 12-01 02:30:00");
        assert_eq!(due("15 30 2 * * *")[0], "Tue 12-01 02:30:15");
        assert_eq!(due("  */20\t* * * * ")[1], "Tue 12-01 00:20:00");
    }

    #[test]
    fn days_of_the_week_are_a_crontabs() {
        for (field, days) in [
            ("1-5", ["Tue", "Wed", "Thu"]),
            ("0", ["Sun", "Sun", "Sun"]),
            ("7", ["Sun", "Sun", "Sun"]),
            ("SAT-SUN", ["Sat", "Sun", "Sat"]),
            ("5-7", ["Fri", "Sat", "Sun"]),
            ("mon,Wed", ["Wed", "Mon", "Wed"]),
            ("1-5/2", ["Wed", "Fri", "Mon"]),
            ("*/2", ["Tue", "Thu", "Sat"]),
            ("?", ["Tue", "Wed", "Thu"]),
            ("0-7", ["Tue", "Wed", "Thu"]),
            ("0-0", ["Sun", "Sun", "Sun"]),
        ] {
            let due = due(&format!("0 0 * * {field}"));
            let seen: Vec<&str> = due.iter().map(|time| &time[..3]).collect();
            assert_eq!(seen, days, "{field}");
        }
    }

    #[test]
    fn of_two_day_fields_either_holds() {
        assert_eq!(due("0 0 13 * FRI"), ["Fri 12-04 00:00:00", "Fri 12-11 00:00:00", "Sun 12-13 00:00:00"]);
    }

    #[test]
    fn what_could_mean_something_else_is_refused_with_what_to_write() {
        use ExpressionError::{AmbiguousDays, EventBridge, Fields, Never, Nickname};
        for (text, error) in [
            ("", Fields(0)),
            ("* * * *", Fields(4)),
            ("0 0 0 1 1 * 2027", Fields(7)),
            ("@daily", Nickname),
            ("0 12 * * ? *", EventBridge),
            ("0 12 ? * MON-FRI *", EventBridge),
            ("60 * * * *", ExpressionError::Field(Field::Minute)),
            ("* 24 * * *", ExpressionError::Field(Field::Hour)),
            ("0 0 L * *", ExpressionError::Field(Field::Day)),
            ("0 0 0 * *", ExpressionError::Field(Field::Day)),
            ("0 0 * 13 *", ExpressionError::Field(Field::Month)),
            ("0 0 * * 8", ExpressionError::Field(Field::Weekday)),
            ("0 0 * * 5-1", ExpressionError::Field(Field::Weekday)),
            ("0 0 * * 5/2", ExpressionError::Field(Field::Weekday)),
            ("0 0 * * FRI#2", ExpressionError::Field(Field::Weekday)),
            ("*/0 * * * *", ExpressionError::Field(Field::Minute)),
            ("60 * * * * *", ExpressionError::Field(Field::Second)),
            ("0 0 */2 * MON", AmbiguousDays),
            ("0 0 31 2 *", Never),
            ("0 0 31 4,6,9,11 *", Never),
        ] {
            assert_eq!(Expression::parse(text), Err(error.clone()), "{text}");
            assert!(!error.remedy().is_empty());
        }
        assert!(Expression::parse("0 0 29 2 *").is_ok(), "a leap day comes");
    }
}
