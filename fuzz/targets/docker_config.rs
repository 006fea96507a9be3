//! Docker's config.json, `.dockercfg`, and the variable `DOCKER_AUTH_CONFIG`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use regcred_core::document::Document;
use regcred_core::formats::docker_config::{Found, is_helper_name, read, read_variable};
use regcred_core::lint::lint;
use regcred_core::secret::Secret;
use regcred_core::server::Server;

fuzz_target!(|text: &str| {
    let config = Secret::from(text);
    for server in ["docker.io", "ghcr.io", "r.io:5000/team"] {
        let server = Server::parse(server).expect("it is a server");
        match read(&config, &server) {
            // It names a program, so it may hold no path and no option.
            Ok(Found::Kept(call)) => assert!(is_helper_name(&call.helper) && !call.helper.contains('/')),
            Ok(Found::Here(_)) => {}
            Err(unusable) => assert!(!unusable.to_string().is_empty() && !unusable.remedy().is_empty()),
        }
        if let Ok(credential) = read_variable(&config, &server) {
            // What the strict reader takes, the other one takes for the same.
            if let Ok(Found::Here(other)) = read(&config, &server) {
                assert!(credential == other);
            }
        }
    }
    for finding in lint(&Document::read(text.as_bytes())) {
        assert!(finding.line.is_none_or(|line| line <= text.split('\n').count()));
    }
});
