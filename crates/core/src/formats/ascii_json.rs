//! Compact JSON in printable ASCII: what every reader of an ecs.config and of a secret takes for the same.

use std::fmt::Write;

/// The most bytes that a byte of text takes: `\u007f`. Room for them from the start, and a text that holds a secret is
/// never moved, which would leave an unwiped copy behind.
pub(crate) const MOST_PER_BYTE: usize = 6;

/// Appends `text` as a JSON string.
pub(crate) fn push_string(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                json.push('\\');
                json.push(character);
            }
            ' '..='~' => json.push(character),
            _ => push_escaped(json, character),
        }
    }
    json.push('"');
}

/// Appends `value`, which is well-formed JSON, without the white space between its tokens.
pub(crate) fn push_compact(json: &mut String, value: &str) {
    let mut in_string = false;
    let mut after_backslash = false;
    for character in value.chars() {
        match character {
            ' ' | '\t' | '\r' | '\n' if !in_string => {}
            ' '..='~' => {
                if character == '"' && !after_backslash {
                    in_string = !in_string;
                }
                json.push(character);
            }
            _ => push_escaped(json, character),
        }
        after_backslash = in_string && character == '\\' && !after_backslash;
    }
}

fn push_escaped(json: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        write!(json, "\\u{unit:04x}").expect("writing to a String does not fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_ascii_and_read_back() {
        let text = "a\"b\\c/\n\u{0}\u{7f}é€\u{1f600}' $`%";
        let mut json = String::new();
        push_string(&mut json, text);
        assert_eq!(json, r#""a\"b\\c/\u000a\u0000\u007f\u00e9\u20ac\ud83d\ude00' $`%""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn only_the_space_between_tokens_is_taken_out() {
        let mut json = String::new();
        push_compact(&mut json, "{ \"a b\" :\t[ 1 , \"x \\\" y\\\\\" , null ] , \"é\" : \" \" }");
        assert_eq!(json, r#"{"a b":[1,"x \" y\\",null],"\u00e9":" "}"#);
    }
}
