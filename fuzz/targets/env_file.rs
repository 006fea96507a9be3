//! An ecs.config of any bytes: what the agent loads, and what lint says of it.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use regcred_core::agent::{AuthMap, Environment};
use regcred_core::document::Document;
use regcred_core::lint::{lint, mend};

/// A file with more takes longer than it tells: the mends are proven image by image.
const MOST_MENDED: usize = 600;

/// Go takes each byte that is no text for a character of its own; Rust's own reading takes several for one.
fn as_go_reads(bytes: &[u8]) -> String {
    bytes
        .utf8_chunks()
        .fold(String::new(), |text, chunk| text + chunk.valid() + &"\u{fffd}".repeat(chunk.invalid().len()))
}

fuzz_target!(|bytes: &[u8]| {
    let environment = Environment::parse(bytes);
    // ecs-init's reading, said in another way.
    let text = as_go_reads(bytes);
    let set: BTreeMap<&str, &str> = text.split('\n').filter_map(|line| line.trim().split_once('=')).collect();
    assert!(environment.names().eq(set.keys().copied()));
    for (name, value) in &set {
        assert_eq!(environment.get(name).map(|value| value.expose()), Some(*value));
    }
    assert!(environment.clone().overridden_by(environment.clone()).is_same(&environment));

    let map = AuthMap::read(&environment.auth());
    for image in ["busybox", "r.io/a/b:c", "r.io:5000/a"] {
        assert!(!map.lookup(image).candidates().is_empty());
    }

    let document = Document::ecs_config(bytes);
    let lines = text.split('\n').count();
    assert!(
        lint(&document).iter().all(|finding| finding.line.is_none_or(|line| (1..=lines).contains(&line)))
    );
    // What is no text is left to a person as it is.
    if bytes.len() <= MOST_MENDED && std::str::from_utf8(bytes).is_ok() {
        let mended = mend(&document);
        let again = mend(&Document::ecs_config(mended.text.expose().as_bytes()));
        assert!(!again.is_changed, "a mended file is left as it is");
    }
});
