//! Explanations, as a person reads them.

use regcred_core::explain::{Answer, Candidate, Explanation, Reason};

use super::Page;
use crate::cli::explain::{Explanations, OfFile, Told};

pub(crate) fn explanations(explanations: &Explanations) -> String {
    let files: Vec<(&String, &Vec<Explanation>)> = match &explanations.told {
        Told::One { from, images } => vec![(from, images)],
        Told::Several { files } => files.iter().map(|OfFile { from, images }| (from, images)).collect(),
    };
    let mut page = Page::default();
    for (from, images) in files {
        page.line(from);
        for image in images {
            page.line(format!("  {}  {}", image.image.escape_debug(), answer(image)));
            for reason in image.reasons.iter().filter(|reason| **reason != Reason::RepositoryCredentials) {
                page.line(format!("    {reason}"));
            }
        }
    }
    page.line(format!("In each case: {}.", Reason::RepositoryCredentials));
    page.0
}

fn answer(Explanation { image: _, answer, candidates, reasons: _ }: &Explanation) -> String {
    let named = |candidate: &Candidate| match (&candidate.username, &candidate.key) {
        (Some(username), Some(key)) => format!("`{}` of `{}`", username.escape_debug(), key.escape_debug()),
        (Some(_) | None, _) => "nobody".to_owned(),
    };
    let candidates: Vec<String> = candidates.iter().map(named).collect();
    match answer {
        Answer::Credential => format!("pulled as {}", candidates.join(", the same as ")),
        Answer::Anonymous => "pulled anonymously".to_owned(),
        Answer::Random => format!("at random, pulled as {}", candidates.join(" or ")),
    }
}
