//! JSON as Go's `encoding/json` reads it.
//!
//! Own code, because `serde_json` cannot follow Go where a wrong guess is a wrong credential: Go replaces lone
//! surrogates where `serde_json` fails, nests 10,000 deep where it stops at 128, folds the names of struct fields, lets
//! `null` change nothing, and takes the last of several members. It also leaves no unwiped copy of a string behind.
//!
//! Nothing here knows a format; and no error says anything of the content.

use crate::secret::Secret;

/// As deep as Go follows arrays and objects (`maxNestingDepth` in Go's `encoding/json/scanner.go`).
const MAX_DEPTH: usize = 10_000;

/// One JSON value, known to be well formed, as it is written.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a>(&'a str);

/// The members of an object in their order, names unquoted, repeated ones included.
pub(crate) type Members<'a> = Vec<(String, Value<'a>)>;

/// A struct's field of type string was given something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAString;

/// Reads `text` as one JSON value with nothing after it, as `json.Unmarshal` does. Go checks all of it before it uses
/// any, and so does this.
pub(crate) fn parse(text: &str) -> Option<Value<'_>> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.skip_space();
    let value = scanner.value()?;
    scanner.skip_space();
    (scanner.at == text.len()).then_some(value)
}

/// The JSON value that `text` begins with, behind white space, and all that follows it, which may be anything.
pub(crate) fn split_first(text: &str) -> Option<(&str, &str)> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.skip_space();
    let value = scanner.value()?;
    Some((value.0, &text[scanner.at..]))
}

impl<'a> Value<'a> {
    pub(crate) fn text(self) -> &'a str {
        self.0
    }

    pub(crate) fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// The string, if it is one.
    pub(crate) fn string(self) -> Option<Secret> {
        self.0.starts_with('"').then(|| Secret::new(unquote(self.0)))
    }

    /// The members, if it is an object.
    pub(crate) fn members(self) -> Option<Members<'a>> {
        let named = self.named_members()?;
        Some(named.into_iter().map(|(name, value)| (unquote(name), value)).collect())
    }

    /// The members, each name as it is written, with its quotes.
    pub(crate) fn named_members(self) -> Option<Vec<(&'a str, Self)>> {
        if !self.0.starts_with('{') {
            return None;
        }
        let mut scanner = Scanner { text: self.0, at: 1 };
        let mut members = Vec::new();
        loop {
            scanner.skip_space();
            match scanner.peek()? {
                b'}' => return Some(members),
                b',' => scanner.at += 1,
                _ => {
                    let name = scanner.name()?;
                    scanner.skip_space();
                    members.push((name, scanner.value()?));
                }
            }
        }
    }
}

/// The byte at which `text` stops to be one JSON value with nothing after it; none: it is one.
pub(crate) fn first_fault(text: &str) -> Option<usize> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.skip_space();
    if scanner.value().is_some() {
        scanner.skip_space();
        return (scanner.at < text.len()).then_some(scanner.at);
    }
    // The scanner stands behind the byte that it stumbled over, or at the end.
    Some(scanner.at.saturating_sub(1).min(text.len()))
}

/// What a struct's string field called `field` holds after Go filled it from `members`: the last string given, names
/// compared as Go folds them; `null` leaves what was there before.
pub(crate) fn string_field(members: &Members<'_>, field: &str) -> Result<Option<Secret>, NotAString> {
    let mut found = None;
    for (name, value) in members {
        if is_folded_name(name, field) && !value.is_null() {
            found = Some(value.string().ok_or(NotAString)?);
        }
    }
    Ok(found)
}

/// The same for a field that is a pointer to a string, which `null` takes away again.
pub(crate) fn pointer_field(members: &Members<'_>, field: &str) -> Result<Option<Secret>, NotAString> {
    let last = members.iter().rfind(|(name, _)| is_folded_name(name, field));
    let found = string_field(members, field)?;
    Ok(found.filter(|_| last.is_some_and(|(_, value)| !value.is_null())))
}

/// Whether Go takes `name` for the ASCII field `field`: `foldName` in Go's `encoding/json/fold.go`, simple Unicode case
/// folding, which maps two characters outside of ASCII to letters of it.
fn is_folded_name(name: &str, field: &str) -> bool {
    let fold = |character: char| match character {
        '\u{17f}' => 'S',
        '\u{212a}' => 'K',
        other => other.to_ascii_uppercase(),
    };
    name.chars().map(fold).eq(field.chars().map(fold))
}

/// The string that a well-formed literal, quotes included, stands for. A surrogate without its other half becomes
/// U+FFFD (`unquoteBytes` in Go's `encoding/json/decode.go`).
pub(crate) fn unquote(literal: &str) -> String {
    let inner = &literal[1..literal.len() - 1];
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let escape = rest.as_bytes()[at + 1];
        rest = &rest[at + 2..];
        match escape {
            b'b' => text.push('\u{8}'),
            b'f' => text.push('\u{c}'),
            b'n' => text.push('\n'),
            b'r' => text.push('\r'),
            b't' => text.push('\t'),
            b'u' => {
                let unit = hex_unit(rest);
                rest = &rest[4..];
                let second = rest.strip_prefix("\\u").map(hex_unit);
                match char::decode_utf16([unit].into_iter().chain(second)).next() {
                    Some(Ok(character)) => {
                        text.push(character);
                        rest = &rest[(character.len_utf16() - 1) * "\\uXXXX".len()..];
                    }
                    Some(Err(_)) | None => text.push(char::REPLACEMENT_CHARACTER),
                }
            }
            // Quote, backslash and solidus stand for themselves.
            other => text.push(char::from(other)),
        }
    }
    text.push_str(rest);
    text
}

/// The UTF-16 unit in the four hexadecimal digits that `text` begins with.
fn hex_unit(text: &str) -> u16 {
    u16::from_str_radix(&text[..4], 16).expect("the scanner has seen four hexadecimal digits")
}

/// Walks over well-formed JSON; every method is `None` at the first byte that is not.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// One value that begins right here. What is open is kept in a list, not on the stack, so that no input can
    /// exhaust it.
    fn value(&mut self) -> Option<Value<'a>> {
        let start = self.at;
        let mut open = Vec::new();
        loop {
            self.skip_space();
            match self.next()? {
                b'{' => {
                    self.open(&mut open, b'}')?;
                    if self.peek()? != b'}' {
                        self.name()?;
                        continue;
                    }
                }
                b'[' => {
                    self.open(&mut open, b']')?;
                    if self.peek()? != b']' {
                        continue;
                    }
                }
                b'"' => self.string_rest()?,
                b't' => self.literal("rue")?,
                b'f' => self.literal("alse")?,
                b'n' => self.literal("ull")?,
                b'-' => {
                    let digit = self.next()?;
                    self.number_rest(digit)?;
                }
                digit => self.number_rest(digit)?,
            }
            // A value has ended: so may what it stands in, and what that stands in.
            loop {
                let Some(&end) = open.last() else {
                    return Some(Value(&self.text[start..self.at]));
                };
                self.skip_space();
                match self.next()? {
                    b',' if end == b'}' => {
                        self.name()?;
                        break;
                    }
                    b',' => break,
                    byte if byte == end => drop(open.pop()),
                    _ => return None,
                }
            }
        }
    }

    /// Notes what will end the array or object that has just begun, and goes to what is in it.
    fn open(&mut self, open: &mut Vec<u8>, end: u8) -> Option<()> {
        open.push(end);
        self.skip_space();
        (open.len() <= MAX_DEPTH).then_some(())
    }

    /// A member's name and its colon; the name as it is written.
    fn name(&mut self) -> Option<&'a str> {
        self.skip_space();
        let start = self.at;
        self.expect(b'"')?;
        self.string_rest()?;
        let name = &self.text[start..self.at];
        self.skip_space();
        self.expect(b':')?;
        Some(name)
    }

    /// The rest of a string whose opening quote was read.
    fn string_rest(&mut self) -> Option<()> {
        loop {
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        for _ in 0..4 {
                            self.next()?.is_ascii_hexdigit().then_some(())?;
                        }
                    }
                    _ => return None,
                },
                0..0x20 => return None,
                _ => {}
            }
        }
    }

    fn literal(&mut self, rest: &str) -> Option<()> {
        rest.bytes().try_for_each(|byte| self.expect(byte))
    }

    /// The rest of a number of which `first` is the first digit.
    fn number_rest(&mut self, first: u8) -> Option<()> {
        match first {
            b'0' => {}
            b'1'..=b'9' => self.skip_digits(),
            _ => return None,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        self.next()?.is_ascii_digit().then_some(())?;
        self.skip_digits();
        Some(())
    }

    fn skip_digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> Option<String> {
        Some(parse(text)?.string()?.expose().to_owned())
    }

    #[test]
    fn takes_exactly_what_the_grammar_allows() {
        for text in [
            "{}",
            " [ ] ",
            "\t{ \"a\" : [ 1 , { } ] , \"b\" : null }\r\n",
            "-0.5e+10",
            "0",
            "1E5",
            "true",
            "false",
            "\"\\u00e9\\/\\\"\"",
            "[[],[[]],{\"a\":{}}]",
            "\"\u{7f}\"",
        ] {
            assert!(parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            " ",
            "{",
            "}",
            "[1,]",
            "[,]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":1}x",
            "{} {}",
            "[1}",
            "01",
            "1.",
            ".5",
            "-",
            "+1",
            "1e",
            "nul",
            "True",
            "'a'",
            "\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\u12",
            "\"\n\"",
            "\u{a0}{}",
            "\u{b}{}",
            "\u{feff}{}",
            "NaN",
        ] {
            assert!(parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn strings_are_unquoted_as_go_does_it() {
        for (text, expected) in [
            (r#""a\"\\\/\b\f\n\r\tz""#, "a\"\\/\u{8}\u{c}\n\r\tz"),
            (r#""\u00e9é""#, "éé"),
            (r#""\ud83d\ude00!""#, "\u{1f600}!"),
            (r#""\ud800\u0041""#, "\u{fffd}A"),
            (r#""\ud800\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ud83dx""#, "\u{fffd}x"),
            (r#""\ud83d\n""#, "\u{fffd}\n"),
        ] {
            assert_eq!(string(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn nests_as_deep_as_go_and_no_deeper() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(MAX_DEPTH)).is_some());
        assert!(parse(&nested(MAX_DEPTH + 1)).is_none());
        let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert!(parse(&objects(MAX_DEPTH)).is_some());
        assert!(parse(&objects(MAX_DEPTH + 1)).is_none());
        assert!(parse(&"[{\"a\":".repeat(1_000_000)).is_none());
    }

    #[test]
    fn a_field_is_the_last_one_given_under_any_case() {
        let field = |text: &str, name: &str| {
            let members = parse(text).and_then(Value::members).unwrap();
            string_field(&members, name).map(|found| found.map(|secret| secret.expose().to_owned()))
        };
        assert_eq!(field(r#"{"auth":"a","AUTH":"b"}"#, "auth"), Ok(Some("b".into())));
        assert_eq!(field(r#"{"auth":"a","auth":null}"#, "auth"), Ok(Some("a".into())));
        assert_eq!(field(r#"{"\u0061uth":"a"}"#, "auth"), Ok(Some("a".into())));
        assert_eq!(field("{\"pa\u{17f}\u{17f}word\":\"a\"}", "password"), Ok(Some("a".into())));
        assert_eq!(field("{\"identityto\u{212a}en\":\"a\"}", "identitytoken"), Ok(Some("a".into())));
        assert_eq!(field(r#"{"auths":"a"}"#, "auth"), Ok(None));
        assert_eq!(field(r#"{"auth":1,"auth":"a"}"#, "auth"), Err(NotAString));
        assert_eq!(field(r#"{"auth":null}"#, "auth"), Ok(None));
    }

    #[test]
    fn null_takes_a_pointer_away_again() {
        let field = |text: &str| pointer_field(&parse(text).and_then(Value::members).unwrap(), "a");
        assert_eq!(field(r#"{"a":"x","A":null}"#), Ok(None));
        assert_eq!(field(r#"{"a":null,"A":"x"}"#), Ok(Some("x".into())));
        assert_eq!(field(r#"{"a":1,"A":null}"#), Err(NotAString));
    }

    #[test]
    fn members_keep_their_order_and_their_text() {
        let members =
            parse(r#"{ "b" : [1, "}"] , "a\n":{"x":","}, "b":2 }"#).and_then(Value::members).unwrap();
        let shown: Vec<_> = members.iter().map(|(name, value)| (name.as_str(), value.text())).collect();
        assert_eq!(shown, [("b", r#"[1, "}"]"#), ("a\n", r#"{"x":","}"#), ("b", "2")]);
        assert!(parse("[]").unwrap().members().is_none());
    }
}
