//! What a release did, or would do.

use std::collections::BTreeMap;

use regcred_core::release::{Mark, Outcome, Release, Released};
use regcred_core::report::Verdict;

use super::{Page, counted};
use crate::cli::output::three_lines;

pub(crate) fn release(release: &Release) -> String {
    let Release { version: _, marks, unseen, verdict } = release;
    let mut page = Page::default();
    let (mut hosts, mut failures) = (BTreeMap::<(&str, &str), usize>::new(), Vec::new());
    for Released { mark, outcome } in marks {
        let (sign, why) = match outcome {
            Outcome::There => ("~ there", String::new()),
            Outcome::Gone => ("- gone ", String::new()),
            Outcome::Left { why } => ("= left ", format!(": {why}")),
            Outcome::Failed { failure } => {
                // One call is about five hosts.
                if !failures.contains(&failure) {
                    failures.push(failure);
                }
                continue;
            }
        };
        match mark {
            Mark::Attributes { fleet, .. } => *hosts.entry((fleet.as_str(), sign)).or_default() += 1,
            Mark::Tag { name, location, .. } => {
                page.line(format!("{sign}  the tag of secret {name} in {location}{why}"));
            }
            Mark::Object { bucket, key, .. } => page.line(format!("{sign}  s3://{bucket}/{key}{why}")),
        }
    }
    for ((fleet, sign), count) in hosts {
        page.line(format!("{sign}  the attributes of {} of fleet {fleet}", counted(count, "host")));
    }
    for failure in failures.into_iter().chain(unseen) {
        page.line(three_lines(failure));
    }
    page.line(match verdict {
        Verdict::Converged if marks.is_empty() => "nothing is marked as regcred's",
        Verdict::Converged => {
            "nothing is marked as regcred's any more; secrets, ecs.configs and hosts hold what they held"
        }
        Verdict::Drift => {
            "Nothing was changed. Stop every regcred that uses this configuration, then: regcred release --yes"
        }
        Verdict::Partial | Verdict::Internal | Verdict::Usage | Verdict::Halted | Verdict::Leased => {
            "not all of it is done; run it again once that is mended"
        }
    });
    page.0
}
