//! What `verify` found, as a person reads it.

use regcred_core::login::Login;
use regcred_core::login::verification::{CredentialPlace, Verification, Verified, VerifiedOutcome};

use super::Page;
use crate::cli::output::three_lines;

pub(crate) fn verification(verification: &Verification) -> String {
    let mut page = Page::default();
    for verified in &verification.credentials {
        let Verified { registry, server: _, places, fingerprint, outcome } = verified;
        let said = match outcome {
            VerifiedOutcome::Tried { login: Login::Accepted(accepted) } => format!("accepted {accepted}"),
            VerifiedOutcome::Tried { login: Login::Rejected(_) } => "REJECTED".to_owned(),
            VerifiedOutcome::Tried { login: Login::CannotTell(_) } => "cannot tell".to_owned(),
            VerifiedOutcome::Unreadable { .. } => "could not be read".to_owned(),
            VerifiedOutcome::Random { .. } => "AT RANDOM".to_owned(),
            VerifiedOutcome::Absent => "not published".to_owned(),
            VerifiedOutcome::Off => "not tried, as verify.enabled is false".to_owned(),
        };
        let places: Vec<String> = places.iter().map(place).collect();
        let shown = fingerprint.as_ref().map_or_else(String::new, |shown| format!(" ({})", shown.short()));
        page.line(format!("{registry}{shown}: {said}  [{}]", places.join(", ")));
        if let Some(failure) = verified.failure() {
            page.line(three_lines(&failure));
        }
    }
    if let Some(failure) = &verification.unkept {
        page.line(three_lines(failure));
    }
    page.0
}

fn place(place: &CredentialPlace) -> String {
    match place {
        CredentialPlace::Source => "source".to_owned(),
        CredentialPlace::Secret { location, name } => format!("secret {name} in {location}"),
        CredentialPlace::Object { location, ecs_config } => format!("ecs.config {ecs_config} in {location}"),
    }
}
