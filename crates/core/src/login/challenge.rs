//! `WWW-Authenticate`: what a server wants to be asked with (RFC 9110 §11.6.1).
//!
//! Servers send several challenges in one header or in several, write schemes in any case, quote what needs no quotes and
//! put commas where none are needed. What cannot be read is left out; the challenges before it stand.

/// One challenge: its scheme and parameters, in the order that they came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub scheme: Scheme,
    /// Names in lower case.
    parameters: Vec<(String, String)>,
}

/// The schemes that registries use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    Basic,
    Bearer,
    /// Another one, in lower case.
    Other(String),
}

impl Challenge {
    /// Reads all challenges of all values of the header.
    pub fn read_all<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        values.into_iter().flat_map(|value| Reader { rest: value }.challenges()).collect()
    }

    /// The first parameter of this name, which is in lower case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn challenges(mut self) -> Vec<Challenge> {
        let mut challenges: Vec<Challenge> = Vec::new();
        loop {
            self.rest = self.rest.trim_start_matches([',', ' ', '\t']);
            let Some(word) = self.token() else {
                // Nothing that the grammar has, such as the rest of `Negotiate ab/cd`: the next challenge may be one.
                match self.rest.split_once(',') {
                    Some((_, rest)) => self.rest = rest,
                    None => return challenges,
                }
                continue;
            };
            if self.takes_equals() {
                let Some(value) = self.value() else {
                    // Half a parameter: whatever challenge it belongs to is not known whole.
                    challenges.pop();
                    return challenges;
                };
                // A parameter before any scheme belongs to nothing.
                if let Some(challenge) = challenges.last_mut() {
                    challenge.parameters.push((word.to_ascii_lowercase(), value));
                }
            } else {
                challenges.push(Challenge { scheme: Scheme::of(&word), parameters: Vec::new() });
            }
        }
    }

    fn token(&mut self) -> Option<String> {
        // RFC 9110 §5.6.2, `tchar`.
        let of_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.rest.find(|c| !of_token(c)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!token.is_empty()).then(|| token.to_owned())
    }

    /// Whether an `=` follows, with the "bad" white space that a recipient has to take (RFC 9110 §5.6.3).
    fn takes_equals(&mut self) -> bool {
        match self.rest.trim_start_matches([' ', '\t']).strip_prefix('=') {
            Some(rest) => {
                self.rest = rest.trim_start_matches([' ', '\t']);
                true
            }
            None => false,
        }
    }

    fn value(&mut self) -> Option<String> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            // Unquoted realms are URLs in the wild, whose characters no token has.
            let end = self.rest.find([',', ' ', '\t']).unwrap_or(self.rest.len());
            let (value, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Some(value.to_owned());
        };
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.rest = &quoted[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(characters.next()?.1),
                _ => value.push(c),
            }
        }
        None
    }
}

impl Scheme {
    fn of(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "basic" => Self::Basic,
            "bearer" => Self::Bearer,
            other => Self::Other(other.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(values: &[&str]) -> Vec<(Scheme, Vec<(String, String)>)> {
        let all = Challenge::read_all(values.iter().copied());
        all.into_iter().map(|challenge| (challenge.scheme, challenge.parameters)).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn reads_what_registries_send() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#;
        let hub_pairs = [("realm", "https://auth.docker.io/token"), ("service", "registry.docker.io")];
        let basic = (Scheme::Basic, pairs(&[("realm", "harbor")]));
        let table: [(&[&str], Vec<_>); 12] = [
            (&[hub], vec![(Scheme::Bearer, pairs(&hub_pairs))]),
            (&[hub, r#"Basic realm="harbor""#], vec![(Scheme::Bearer, pairs(&hub_pairs)), basic.clone()]),
            (
                &[&format!(r#"{hub}, Basic realm="harbor""#)],
                vec![(Scheme::Bearer, pairs(&hub_pairs)), basic.clone()],
            ),
            (&[r#"bAsIc REALM="harbor""#], vec![basic.clone()]),
            (&[r#",, basic realm = "harbor" ,"#], vec![basic.clone()]),
            (&["Basic realm=harbor"], vec![basic.clone()]),
            (&["Basic"], vec![(Scheme::Basic, vec![])]),
            (&[""], vec![]),
            (
                &[r#"Bearer realm="https://x/token?a=1,2&b=\"q\"",scope="repository:a/b:pull,push""#],
                vec![(
                    Scheme::Bearer,
                    pairs(&[
                        ("realm", "https://x/token?a=1,2&b=\"q\""),
                        ("scope", "repository:a/b:pull,push"),
                    ]),
                )],
            ),
            (
                &[r#"Negotiate, Basic realm="harbor""#],
                vec![(Scheme::Other("negotiate".into()), vec![]), basic.clone()],
            ),
            // Half a parameter takes its challenge with it, and leaves the ones before it.
            (&[r#"Basic realm="harbor", Bearer realm="https://x"#], vec![basic]),
            (
                &["Bearer realm=https://x/token?a=b,service=s"],
                vec![(Scheme::Bearer, pairs(&[("realm", "https://x/token?a=b"), ("service", "s")]))],
            ),
        ];
        for (values, expected) in table {
            assert_eq!(read(values), expected, "{values:?}");
        }
    }

    #[test]
    fn a_scheme_that_carries_one_long_word_hides_no_other() {
        for before in ["Negotiate oYG2MIGzoAMKAQ==", "Negotiate ab/cd+e", "NTLM", "Negotiate abc"] {
            let all = Challenge::read_all([format!(r#"{before}, Basic realm="harbor""#).as_str()]);
            let basic = all.iter().find(|challenge| challenge.scheme == Scheme::Basic);
            assert_eq!(basic.and_then(|basic| basic.parameter("realm")), Some("harbor"), "{before}");
        }
    }

    fn challenge() -> impl Strategy<Value = (String, Vec<(String, String)>)> {
        let parameter = ("[a-z]{1,6}", "[ -~é]{0,12}");
        ("[A-Za-z]{1,8}", proptest::collection::vec(parameter, 1..4))
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read_to_its_end(values in proptest::collection::vec(".{0,60}", 0..3)) {
            Challenge::read_all(values.iter().map(String::as_str));
        }

        #[test]
        fn what_looks_like_challenges_is_read_to_its_end(value in r#"[Bb=",\\ a/:\t]{0,40}"#) {
            Challenge::read_all([value.as_str()]);
        }

        #[test]
        fn what_is_written_by_the_rules_is_read_as_it_was_meant(
            challenges in proptest::collection::vec(challenge(), 1..4),
            space in "[ \t]{0,2}",
            split in any::<bool>(),
        ) {
            let quote = |value: &str| value.replace('\\', r"\\").replace('"', r#"\""#);
            let write = |(scheme, parameters): &(String, Vec<(String, String)>)| {
                let parameters: Vec<String> =
                    parameters.iter().map(|(name, value)| format!("{name}{space}={space}\"{}\"", quote(value))).collect();
                format!("{scheme} {}", parameters.join(&format!("{space},{space}")))
            };
            let written: Vec<String> = challenges.iter().map(write).collect();
            let values = if split { written } else { vec![written.join(&format!("{space},{space}"))] };
            let read = read(&values.iter().map(String::as_str).collect::<Vec<_>>());
            let meant: Vec<_> =
                challenges.into_iter().map(|(scheme, parameters)| (Scheme::of(&scheme), parameters)).collect();
            prop_assert_eq!(read, meant);
        }
    }
}
