//! `regcred schema`: the JSON Schemas of the configuration file and of what `--output json` prints.
//!
//! They are made of the types themselves. docs/schemas has a copy of each, which a test holds equal; the black-box tests
//! hold what the binary prints against them.

use clap::{Args, ValueEnum};
use regcred_core::audit::Audit;
use regcred_core::doctor::Diagnosis;
use regcred_core::login::verification::Verification;
use regcred_core::plan::Plan;
use regcred_core::release::Release;
use regcred_core::report::{Report, Status};
use regcred_core::saved_plan::SavedPlan;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use super::check::CheckResult;
use super::explain::Explanations;
use super::iam::IamPolicies;
use super::init::FirstConfig;
use super::lint::Linted;
use super::pause::Pausing;
use super::render::Rendered;
use super::snippet::Snippets;
use crate::config::structure;
use crate::lambda::Idle;

#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// What the schema is of
    #[arg(value_enum, default_value_t)]
    pub of: Document,
}

/// Something that regcred reads or prints as YAML or JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Document {
    /// The configuration file
    #[default]
    Config,
    /// What `check` prints
    Check,
    /// What `plan` prints
    Plan,
    /// The file that `plan --out` writes
    SavedPlan,
    /// What `sync` prints
    Report,
    /// What `status` prints
    Status,
    /// What `pause` and `resume` print
    Pause,
    /// What `explain` prints
    Explain,
    /// What `lint` prints
    Lint,
    /// What `render` prints
    Render,
    /// What `snippet` prints
    Snippet,
    /// What `iam` prints
    Iam,
    /// What `doctor` prints
    Doctor,
    /// What `release` prints
    Release,
    /// What `init` prints
    Init,
    /// What `verify` prints, with `--published` too
    Verify,
    /// What `verify --hosts` prints
    VerifyHosts,
    /// What the Lambda answers to an event that begins nothing
    Lambda,
}

/// The schema of a document, as JSON to print.
pub(crate) fn run(of: Document) -> Value {
    match of {
        Document::Config => structure::schema().clone(),
        Document::Check => printed::<CheckResult>(),
        Document::Plan => printed::<Plan>(),
        Document::SavedPlan => printed::<SavedPlan>(),
        Document::Report => printed::<Report>(),
        Document::Status => printed::<Status>(),
        Document::Pause => printed::<Pausing>(),
        Document::Explain => printed::<Explanations>(),
        Document::Lint => printed::<Linted>(),
        Document::Render => printed::<Rendered>(),
        Document::Snippet => printed::<Snippets>(),
        Document::Iam => printed::<IamPolicies>(),
        Document::Doctor => printed::<Diagnosis>(),
        Document::Release => printed::<Release>(),
        Document::Init => printed::<FirstConfig>(),
        Document::Verify => printed::<Verification>(),
        Document::VerifyHosts => printed::<Audit>(),
        Document::Lambda => printed::<Idle>(),
    }
}

/// The schema of what is printed of a type, and of nothing else: a member that the schema does not name is an error.
fn printed<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    close_all(&mut schema);
    schema.to_value()
}

/// Closes the objects that have a name of their own. Those below `oneOf` belong to one that is closed around them.
fn close_all(schema: &mut Schema) {
    close(schema.as_object_mut());
    if let Some(Value::Object(definitions)) = schema.get_mut("$defs") {
        for definition in definitions.values_mut() {
            close(definition.as_object_mut());
        }
    }
}

fn close(schema: Option<&mut serde_json::Map<String, Value>>) {
    if let Some(schema) = schema.filter(|schema| schema.contains_key("properties")) {
        schema.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemas_in_docs_are_those_of_the_types() {
        let mut lagging = Vec::new();
        for document in Document::value_variants() {
            let name = document.to_possible_value().expect("none is hidden").get_name().to_owned();
            let path = format!("{}/docs/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
            let mut made = serde_json::to_string_pretty(&run(*document)).expect("a schema is plain data");
            made.push('\n');
            if std::fs::read_to_string(&path).unwrap_or_default() != made {
                if std::env::var_os("BLESS").is_some() {
                    std::fs::write(&path, made).expect("the repository may be written to");
                }
                lagging.push(path);
            }
        }
        assert!(lagging.is_empty(), "run this test with BLESS=1, and look at the difference: {lagging:?}");
    }
}
