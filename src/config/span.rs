//! Spans of time as a person writes them: a whole number and a unit.

use std::time::Duration;

use thiserror::Error;

/// Why a text is no span of time.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum SpanError {
    #[error("a span of time begins with a whole number")]
    NoNumber,
    #[error("a span of time ends with a unit")]
    NoUnit,
    #[error("the units are `ms`, `s`, `m` and `h`")]
    UnknownUnit,
    #[error("the number is too large")]
    TooLarge,
}

/// Reads `200ms`, `5s`, `10m` or `1h`: one number, one unit, nothing between. One way to write it is enough for
/// the dozen that a configuration holds.
pub(crate) fn parse(text: &str) -> Result<Duration, SpanError> {
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(SpanError::NoNumber);
    }
    let number: u64 = number.parse().map_err(|_| SpanError::TooLarge)?;
    let seconds = match unit {
        "ms" => return Ok(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "" => return Err(SpanError::NoUnit),
        _ => return Err(SpanError::UnknownUnit),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or(SpanError::TooLarge)
}

/// Writes it as [`parse`] reads it, in the largest unit that leaves a whole number.
pub(crate) fn format(span: Duration) -> String {
    let (seconds, millis) = (span.as_secs(), span.subsec_millis());
    match seconds {
        _ if millis != 0 => format!("{}ms", span.as_millis()),
        0 => "0s".to_owned(),
        s if s % 3600 == 0 => format!("{}h", s / 3600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_are_read_and_written_back() {
        for (text, millis) in [("200ms", 200), ("5s", 5_000), ("10m", 600_000), ("1h", 3_600_000), ("0s", 0)]
        {
            let span = Duration::from_millis(millis);
            assert_eq!(parse(text), Ok(span), "{text}");
            assert_eq!(format(span), text);
        }
        assert_eq!(format(parse("90s").unwrap()), "90s");
        assert_eq!(format(parse("120s").unwrap()), "2m");
        assert_eq!(format(parse("1500ms").unwrap()), "1500ms");
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        for (text, why) in [
            ("", SpanError::NoNumber),
            ("s", SpanError::NoNumber),
            ("-5s", SpanError::NoNumber),
            ("5", SpanError::NoUnit),
            ("5 s", SpanError::UnknownUnit),
            ("5S", SpanError::UnknownUnit),
            ("1.5s", SpanError::UnknownUnit),
            ("5m30s", SpanError::UnknownUnit),
            ("99999999999999999999s", SpanError::TooLarge),
            ("9999999999999999999h", SpanError::TooLarge),
        ] {
            assert_eq!(parse(text), Err(why), "{text}");
        }
    }
}
