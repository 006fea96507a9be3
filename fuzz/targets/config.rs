//! A configuration of any text.

#![no_main]
#![expect(dead_code, reason = "the program uses the rest")]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

#[path = "../../src/config/mod.rs"]
mod config;

use config::problem::has_errors;

fuzz_target!(|text: &str| {
    let (problems, is_taken) = match config::load::parse(text, Path::new("/etc/regcred")) {
        Ok((_, warnings)) => (warnings, true),
        Err(problems) => (problems, false),
    };
    assert_ne!(is_taken, has_errors(&problems), "a configuration is taken, or it is said why not");
    // A flaw of what is missing can be at the end.
    let lines = text.split(['\n', '\r']).count() + 1;
    for problem in problems {
        assert_eq!(problem.in_file(&"f").lines().count(), 3, "{}", problem.in_file(&"f"));
        assert!(problem.at.is_none_or(|at| (1..=lines).contains(&at.line)));
    }
});
