//! What there is to copy, each piece under a heading that says where it goes.

use regcred_core::snippet::Snippet;
use serde_json::Value;

use super::Page;
use crate::cli::output::three_lines;
use crate::cli::snippet::Snippets;

pub(crate) fn snippets(snippets: &Snippets) -> String {
    let mut page = Page::default();
    for snippet in &snippets.locations {
        let Snippet {
            location,
            secret_arn: _,
            key_arn: _,
            container_definition,
            execution_role_policy,
            resource_policy,
            key_policy_statement,
        } = snippet;
        piece(&mut page, &format!("{location}: in the container definition"), container_definition);
        piece(&mut page, &format!("{location}: a policy of the task execution role"), execution_role_policy);
        if let Some(policy) = resource_policy {
            piece(&mut page, &format!("{location}: the resource policy of the secret"), policy);
        }
        if let Some(statement) = key_policy_statement {
            piece(&mut page, &format!("{location}: a statement in the policy of its key"), statement);
        }
    }
    for failure in &snippets.failures {
        page.line(three_lines(failure));
    }
    page.0
}

fn piece(page: &mut Page, heading: &str, value: &Value) {
    page.line(format!("# {heading}"));
    page.line(format!("{value:#}"));
    page.line("");
}
