//! `regcred schema`: the JSON Schema of the configuration file, for editors and for checks before a commit.

use crate::config::structure;

/// The schema, as JSON to print.
pub(crate) fn run() -> &'static serde_json::Value {
    structure::schema()
}
