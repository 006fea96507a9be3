//! The search: what a password could look like wherever it shows, and what was said where.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::world::{World, sha256};

/// A credential whose password is found nowhere else.
pub(super) struct Planted {
    /// The registry, which is named for the kind of its source.
    pub(super) registry: &'static str,
    pub(super) server: &'static str,
    pub(super) username: &'static str,
    pub(super) password: String,
}

/// Every form in which a text could show: itself, escaped, encoded, or as a digest that tells whether a guess is right.
fn forms(Planted { username, password, .. }: &Planted) -> Vec<(String, String)> {
    let quoted = |text: &str| {
        let quoted = serde_json::to_string(text).expect("a text is JSON");
        quoted[1..quoted.len() - 1].to_owned()
    };
    let ascii = |text: &str| {
        let units = |c: char| {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}"));
            if c.is_ascii() { c.to_string() } else { units.collect() }
        };
        quoted(text).chars().map(units).collect::<String>()
    };
    let pair = format!("{username}:{password}");
    let mut forms = vec![
        ("raw", password.clone()),
        // Of letters, digits and hyphens alone: no way of escaping changes it.
        ("the beginning", password.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect()),
        ("as JSON", quoted(password)),
        ("as JSON in JSON", quoted(&quoted(password))),
        ("as ASCII JSON", ascii(password)),
        ("as ASCII JSON in JSON", quoted(&ascii(password))),
        ("as Rust's debug text", format!("{password:?}").trim_matches('"').to_owned()),
        ("in a query", percent_encoding(password)),
        ("SHA-256", sha256(password)),
        ("SHA-256 of the pair", sha256(&pair)),
        ("base64", STANDARD.encode(password)),
        ("base64 of the pair", STANDARD.encode(&pair)),
    ];
    // What base64 makes of the bytes in the middle of something longer, for each place modulo three.
    for skipped in 0..3 {
        let whole = &password.as_bytes()[skipped..];
        let whole = &whole[..whole.len() - whole.len() % 3];
        forms.push(("base64 inside of something", STANDARD.encode(whole)));
    }
    forms.into_iter().map(|(name, form)| (format!("{name} of {password:?}"), form)).collect()
}

fn percent_encoding(text: &str) -> String {
    let encode = |byte: u8| {
        let plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encode).collect()
}

/// Which forms of which password a text holds.
pub(super) fn found(secrets: &[Planted], text: &str) -> Vec<String> {
    secrets.iter().flat_map(forms).filter(|(_, form)| text.contains(form)).map(|(name, _)| name).collect()
}

/// What is said where, to be searched in the end.
#[derive(Default)]
pub(super) struct Heard(Vec<(String, String)>);

impl Heard {
    pub(super) fn hear(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    pub(super) fn assert_lacks(&self, token: &str) {
        let leaks: Vec<_> =
            self.0.iter().filter(|(_, text)| text.contains(token)).map(|(place, _)| place).collect();
        assert!(leaks.is_empty(), "a token shows in {leaks:#?}");
    }

    pub(super) fn assert_silent(&self, secrets: &[Planted]) {
        let mut leaks = BTreeSet::new();
        for (place, text) in &self.0 {
            leaks.extend(found(secrets, text).into_iter().map(|form| format!("{place}: {form}")));
        }
        assert!(leaks.is_empty(), "secrets show in {} of {} places:\n{leaks:#?}", leaks.len(), self.0.len());
    }
}

/// Runs a command three times: as a person does, for a machine, and with all logs on; its exit code has to be one of `codes`.
pub(super) async fn run(world: &World, heard: &mut Heard, codes: &[i32], arguments: &[&str]) {
    for (form, level) in [("human", "trace"), ("json", "trace"), ("human", "warn")] {
        let program = world.regcred(arguments).arguments(["--output", form]).variable("RUST_LOG", level);
        let ended = program.run().await;
        let name = format!("{arguments:?} --output {form} at {level}");
        assert!(ended.code.is_some_and(|code| codes.contains(&code)), "{name}: {ended:#?}");
        assert!(!ended.stdout.is_empty() || !ended.stderr.is_empty(), "{name} said nothing");
        heard.hear(format!("stdout of {name}"), ended.stdout);
        heard.hear(format!("stderr of {name}"), ended.stderr);
    }
}

#[test]
fn the_search_finds_a_secret_in_each_form_and_in_the_middle_of_other_things() {
    let secrets = super::planting::planted("control");
    for secret in &secrets {
        let one = std::slice::from_ref(secret);
        let Planted { username, password, .. } = secret;
        let longer = |before: &str| STANDARD.encode(format!("{before}{password}tail"));
        let document =
            serde_json::json!({ "value": password, "inner": serde_json::json!([password]).to_string() });
        let texts: BTreeMap<&str, String> = [
            ("raw", format!("x{password}x")),
            ("debug", format!("{:?}", (1, password))),
            ("JSON", document.to_string()),
            ("base64", STANDARD.encode(format!("{username}:{password}"))),
            ("base64 + 0", longer("")),
            ("base64 + 1", longer("1")),
            ("base64 + 2", longer("12")),
            ("digest", sha256(password)),
        ]
        .into();
        for (form, text) in texts {
            assert!(!found(one, &text).is_empty(), "{form} of {password:?} is not found in {text}");
        }
        assert_eq!(found(one, &super::planting::planted("another")[0].password), Vec::<String>::new());
    }
}
