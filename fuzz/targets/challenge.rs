//! `WWW-Authenticate` as any server may send it: one header a line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use regcred_core::login::{Challenge, Scheme};

fuzz_target!(|text: &str| {
    let challenges = Challenge::read_all(text.lines());
    // Each takes a word of its own, so there are no more of them than characters.
    assert!(challenges.len() <= text.len());
    for challenge in &challenges {
        if let Scheme::Other(name) = &challenge.scheme {
            assert!(
                !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_ascii_uppercase())
            );
            assert!(!["basic", "bearer"].contains(&name.as_str()));
        }
        for name in ["realm", "service", "scope", "error"] {
            let Some(value) = challenge.parameter(name) else { continue };
            // Escapes only take characters away.
            assert!(value.len() <= text.len());
            assert!(value.chars().all(|c| text.contains(c)));
        }
    }
    // Headers do not touch one another: what one says is what it says beside others.
    let one_by_one: Vec<Challenge> = text.lines().flat_map(|line| Challenge::read_all([line])).collect();
    assert_eq!(challenges, one_by_one);
});
