//! A Command document: read, checked, and filled in.
//!
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-syntax-data-elements-parameters.html>
//!
//! One kind is modelled: schema 2.2 with one `aws:runShellScript` step. What else a document may have is refused when it
//! is created.

use std::collections::BTreeMap;
use std::time::Duration;

use regex_lite::Regex;
use serde::Deserialize;
use serde_json::Value;

use crate::error::AwsError;
use crate::hosts::Platform;

/// With its parameters: <https://docs.aws.amazon.com/general/latest/gr/ssm.html> (document size).
const LARGEST: usize = 64 * 1024;

/// `timeoutSeconds` of a step that gives none.
const DEFAULT_TIMEOUT: Duration = Duration::from_hours(1);

#[derive(Debug)]
pub(super) struct Document {
    pub(super) description: Option<String>,
    pub(super) parameters: BTreeMap<String, Parameter>,
    pub(super) step: String,
    lines: Vec<String>,
    timeout: Option<String>,
    linux_only: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Raw {
    schema_version: String,
    description: Option<String>,
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
    main_steps: Vec<RawStep>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Parameter {
    #[serde(rename = "type")]
    pub(super) kind: ParameterKind,
    pub(super) description: Option<String>,
    pub(super) default: Option<String>,
    allowed_pattern: Option<String>,
    allowed_values: Option<Vec<String>>,
    min_chars: Option<usize>,
    max_chars: Option<usize>,
}

/// A `StringList` cannot be spliced into a line of a script, and nobody here needs one.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) enum ParameterKind {
    String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RawStep {
    action: String,
    name: String,
    precondition: Option<Precondition>,
    inputs: Inputs,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Precondition {
    string_equals: (String, String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Inputs {
    run_command: Vec<String>,
    timeout_seconds: Option<Value>,
}

/// What a host is to run.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) text: String,
    pub(super) timeout: Duration,
}

impl Document {
    pub(super) fn parse(content: &str) -> Result<Self, AwsError> {
        let invalid = |text: String| AwsError::new("InvalidDocumentContent", text);
        if content.len() > LARGEST {
            return Err(AwsError::new("MaxDocumentSizeExceeded", "The size limit of a document is 64 KB."));
        }
        let raw: Raw = serde_json::from_str(content)
            .map_err(|error| invalid(format!("not a document that the sandbox models: {error}")))?;
        let Raw { schema_version, description, parameters, main_steps } = raw;
        if schema_version != "2.2" {
            return Err(AwsError::new(
                "InvalidDocumentSchemaVersion",
                "The sandbox models schema version 2.2.",
            ));
        }
        let Ok([RawStep { action, name, precondition, inputs }]) = <[RawStep; 1]>::try_from(main_steps)
        else {
            return Err(invalid("The sandbox models documents of one step.".into()));
        };
        if action != "aws:runShellScript" {
            return Err(invalid(format!("The sandbox does not model the action {action}.")));
        }
        let linux_only = match precondition.map(|precondition| precondition.string_equals) {
            None => false,
            Some((subject, platform)) if subject == "platformType" && platform == "Linux" => true,
            Some((subject, value)) => {
                return Err(invalid(format!(
                    "The sandbox does not model the precondition {subject} = {value}."
                )));
            }
        };
        let Inputs { run_command, timeout_seconds } = inputs;
        let timeout = match timeout_seconds {
            None => None,
            Some(Value::String(text)) => Some(text),
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(_) => return Err(invalid("timeoutSeconds is a number or a text.".into())),
        };
        for text in run_command.iter().chain(&timeout) {
            check_placeholders(text, &parameters)?;
        }
        for (name, parameter) in &parameters {
            if let Some(pattern) = &parameter.allowed_pattern {
                Regex::new(pattern).map_err(|error| invalid(format!("allowedPattern of {name}: {error}")))?;
            }
        }
        Ok(Self { description, parameters, step: name, lines: run_command, timeout, linux_only })
    }

    /// Whether a host of the platform can run it: SSM knows it by the action, the step by its precondition.
    pub(super) fn runs_on(&self, platform: Platform) -> bool {
        platform.ssm_platform_type() == "Linux"
            || (!self.linux_only && platform.ssm_platform_type() == "MacOS")
    }

    /// The script with the request's parameters in their places.
    pub(super) fn fill_in(&self, given: &BTreeMap<String, Vec<String>>) -> Result<Script, AwsError> {
        let invalid = |text: String| AwsError::new("InvalidParameters", text);
        if let Some(unknown) = given.keys().find(|name| !self.parameters.contains_key(*name)) {
            return Err(invalid(format!("Parameter {unknown} is not defined in the document.")));
        }
        let mut values = BTreeMap::new();
        for (name, parameter) in &self.parameters {
            let value = match given.get(name).map(Vec::as_slice) {
                Some([value]) => value,
                Some(_) => return Err(invalid(format!("Parameter {name} is a String: give one value."))),
                None => parameter
                    .default
                    .as_ref()
                    .ok_or_else(|| invalid(format!("Parameter {name} is required, and was not given.")))?,
            };
            parameter.check(name, value)?;
            values.insert(name.as_str(), value.as_str());
        }
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(&splice(line, &values));
            text.push('\n');
        }
        let timeout = match &self.timeout {
            None => DEFAULT_TIMEOUT,
            Some(text) => splice(text, &values)
                .parse()
                .map(Duration::from_secs)
                .map_err(|_| invalid("timeoutSeconds has to be a whole number of seconds.".into()))?,
        };
        Ok(Script { text, timeout })
    }
}

impl Parameter {
    fn check(&self, name: &str, value: &str) -> Result<(), AwsError> {
        let Self {
            kind: _,
            description: _,
            default: _,
            allowed_pattern,
            allowed_values,
            min_chars,
            max_chars,
        } = self;
        let length = value.chars().count();
        let matches = allowed_pattern
            .as_ref()
            .is_none_or(|pattern| Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(value)));
        let is_allowed =
            allowed_values.as_ref().is_none_or(|values| values.iter().any(|allowed| allowed == value));
        let fits = min_chars.is_none_or(|min| length >= min) && max_chars.is_none_or(|max| length <= max);
        if matches && is_allowed && fits {
            return Ok(());
        }
        Err(AwsError::new(
            "InvalidParameters",
            format!("Parameter {name} has a value that the document does not allow."),
        ))
    }
}

/// `{{ Name }}` and `{{Name}}`.
fn placeholder() -> Regex {
    Regex::new(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}").expect("a constant pattern")
}

/// In one pass: what a value brings along is not looked at again.
fn splice(text: &str, values: &BTreeMap<&str, &str>) -> String {
    if !text.contains("{{") {
        return text.to_owned();
    }
    placeholder()
        .replace_all(text, |found: &regex_lite::Captures<'_>| {
            values.get(&found[1]).map_or_else(|| found[0].to_owned(), |value| (*value).to_owned())
        })
        .into_owned()
}

/// Double braces are a parameter, or the document is refused: no shell or Go template may rely on them.
fn check_placeholders(text: &str, parameters: &BTreeMap<String, Parameter>) -> Result<(), AwsError> {
    if !text.contains("{{") {
        return Ok(());
    }
    let invalid = |text: String| Err(AwsError::new("InvalidDocumentContent", text));
    let placeholder = placeholder();
    for found in placeholder.captures_iter(text) {
        if !parameters.contains_key(&found[1]) {
            return invalid(format!("Parameter {} is not defined.", &found[1]));
        }
    }
    if placeholder.replace_all(text, "").contains("{{") {
        return invalid("Double braces that are no parameter.".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(lines: &[&str]) -> Result<Document, AwsError> {
        let content = json!({
            "schemaVersion": "2.2",
            "parameters": {
                "Key": {"type": "String", "allowedPattern": "^[a-z{} ]+$"},
                "Mode": {"type": "String", "default": "apply", "allowedValues": ["apply", "probe"]},
            },
            "mainSteps": [{
                "action": "aws:runShellScript",
                "name": "run",
                "precondition": {"StringEquals": ["platformType", "Linux"]},
                "inputs": {"runCommand": lines, "timeoutSeconds": "60"},
            }],
        });
        Document::parse(&content.to_string())
    }

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<String>> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect()
    }

    #[test]
    fn parameters_are_spliced_once_and_defaults_stand_in() {
        let document = document(&["KEY='{{ Key }}'", "MODE={{Mode}}"]).unwrap();
        let script = document.fill_in(&given(&[("Key", "a {{ Mode }}")])).err();
        assert_eq!(script.map(|error| error.code), Some("InvalidParameters".into()), "M is upper case");
        let script = document.fill_in(&given(&[("Key", "a {{ b }}")])).unwrap();
        assert_eq!(script.text, "KEY='a {{ b }}'\nMODE=apply\n");
        assert_eq!(script.timeout, Duration::from_mins(1));
    }

    #[test]
    fn parameters_that_the_document_does_not_allow_are_refused() {
        let document = document(&["{{ Key }}"]).unwrap();
        for pairs in
            [&[("Key", "A")][..], &[], &[("Key", "a"), ("Other", "b")], &[("Key", "a"), ("Mode", "rollback")]]
        {
            let refused = document.fill_in(&given(pairs)).map(|script| script.text);
            assert_eq!(refused.map_err(|error| error.code), Err("InvalidParameters".into()), "{pairs:?}");
        }
    }

    #[test]
    fn braces_that_are_no_parameter_are_refused() {
        for line in ["docker inspect -f '{{range .Config.Env}}'", "{{ Nobody }}", "{{"] {
            assert_eq!(
                document(&[line]).err().map(|error| error.code),
                Some("InvalidDocumentContent".into())
            );
        }
    }
}
