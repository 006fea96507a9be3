//! Whether an SSM document is the one that regcred carries.
//!
//! Compared is what the documents say, not how they are laid out: SSM may answer the same JSON with other white space. This
//! module must not know where a document comes from.

use std::fmt;

use serde_json::Value;

/// In what a document is another one than the carried one; the first that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It is no JSON object.
    Form,
    /// It takes other parameters, or lets other values through.
    Parameters,
    /// Its steps are others: the script, its time limit, its precondition.
    Steps,
    /// Only what it says of itself.
    Description,
}

/// How `found` differs from `carried`; `None` where both say the same.
pub fn difference(carried: &str, found: &str) -> Option<Difference> {
    let object = |text: &str| match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Some(object),
        Ok(_) | Err(_) => None,
    };
    let (Some(carried), Some(found)) = (object(carried), object(found)) else {
        return Some(Difference::Form);
    };
    if carried == found {
        return None;
    }
    let differs = |member: &str| carried.get(member) != found.get(member);
    Some(if differs("parameters") {
        Difference::Parameters
    } else if differs("mainSteps") {
        Difference::Steps
    } else {
        Difference::Description
    })
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "it is no document in JSON",
            Self::Parameters => "its parameters are others",
            Self::Steps => "its script is another one",
            Self::Description => "its description is another one",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARRIED: &str = r#"{"schemaVersion": "2.2", "description": "d", "parameters": {"A": {}, "B": {}},
        "mainSteps": [{"inputs": {"runCommand": ["a", ""]}}]}"#;

    #[test]
    fn a_document_is_known_by_what_it_says() {
        let laid_out_otherwise = r#"{"mainSteps":[{"inputs":{"runCommand":["a",""]}}],
            "parameters":{"B":{},"A":{}},"description":"d","schemaVersion":"2.2"}"#;
        assert_eq!(difference(CARRIED, laid_out_otherwise), None);
        for (from, to, expected) in [
            (r#""B""#, r#""C""#, Difference::Parameters),
            (r#""a", """#, r#""a""#, Difference::Steps),
            (r#""d""#, r#""e""#, Difference::Description),
            ("2.2", "2.3", Difference::Description),
            ("{", "", Difference::Form),
        ] {
            let changed = CARRIED.replacen(from, to, 1);
            assert_ne!(changed, CARRIED);
            assert_eq!(difference(CARRIED, &changed), Some(expected), "{changed}");
        }
        assert_eq!(difference(CARRIED, "[]"), Some(Difference::Form));
    }
}
