//! Policies as they can be piped into a file, or, where there are several, told apart.

use super::Page;
use crate::cli::iam::{IamPolicies, IamPolicy};

/// One policy alone is plain JSON. Of several, each is below what it is to be attached to.
pub(crate) fn policies(all: &IamPolicies) -> String {
    let mut page = Page::default();
    match all.policies.as_slice() {
        [] => page.line("There is nothing to allow."),
        [IamPolicy { policy, .. }] => page.line(format!("{policy:#}")),
        several => {
            for IamPolicy { location, attach_to, policy } in several {
                let location = location.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
                page.line(format!("# {location}for {attach_to}"));
                page.line(format!("{policy:#}"));
                page.line("");
            }
        }
    }
    page.0
}
