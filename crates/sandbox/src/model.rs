//! AWS's own service models, and what they say of a request or an answer.
//!
//! The files in `models/` are cut out of those that botocore ships. Both sides of each call are held against them, so that
//! the double accepts nothing that AWS would refuse for its form, and answers nothing that AWS could not.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use regex_lite::Regex;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::services::Service;

/// The model of a JSON service; `None` for the others.
pub(crate) fn model_of(service: Service) -> Option<&'static Model> {
    static SECRETS_MANAGER: LazyLock<Model> =
        LazyLock::new(|| Model::parse(include_str!("../models/secretsmanager.json")));
    static SSM: LazyLock<Model> = LazyLock::new(|| Model::parse(include_str!("../models/ssm.json")));
    static KMS: LazyLock<Model> = LazyLock::new(|| Model::parse(include_str!("../models/kms.json")));
    static ECS: LazyLock<Model> = LazyLock::new(|| Model::parse(include_str!("../models/ecs.json")));
    match service {
        Service::SecretsManager => Some(&SECRETS_MANAGER),
        Service::Ssm => Some(&SSM),
        Service::Ecs => Some(&ECS),
        Service::Kms => Some(&KMS),
        Service::S3 | Service::Sts => None,
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Model {
    operations: HashMap<String, Operation>,
    shapes: HashMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    input: Option<String>,
    output: Option<String>,
    errors: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

#[derive(Debug, Deserialize)]
struct Shape {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    members: BTreeMap<String, String>,
    member: Option<String>,
    key: Option<String>,
    value: Option<String>,
    min: Option<f64>,
    max: Option<f64>,
    #[serde(default, deserialize_with = "pattern")]
    pattern: Option<Regex>,
    #[serde(default, rename = "enum")]
    values: Vec<String>,
    #[serde(default)]
    sensitive: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Structure,
    List,
    Map,
    String,
    Boolean,
    Integer,
    Long,
    Float,
    Double,
    Timestamp,
    Blob,
}

/// A model's pattern, anchored as AWS takes it. Look-around and the Unicode classes are Java's: the classes are widened to
/// ASCII letters, digits, space and everything beyond ASCII; a pattern with look-around is left to the service's code.
fn pattern<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Regex>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| {
        let text = text
            .replace(r"\p{L}", r"a-zA-Z\x{80}-\x{10FFFF}")
            .replace(r"\p{Z}", " ")
            .replace(r"\p{N}", "0-9");
        Regex::new(&format!("^(?:{text})$")).ok()
    }))
}

impl Model {
    fn parse(text: &str) -> Self {
        serde_json::from_str(text).expect("the models are in the form that extract.py writes")
    }

    pub(crate) fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.get(name)
    }

    /// What is wrong with one side of a call; empty when nothing is.
    pub(crate) fn findings(&self, operation: &Operation, side: Side, value: &Value) -> Vec<String> {
        let mut findings = Vec::new();
        match operation.shape(side) {
            Some(shape) => self.check(shape, value, "", &mut findings),
            None if value.as_object().is_some_and(serde_json::Map::is_empty) => {}
            None => findings.push("members, where the operation has none".to_owned()),
        }
        findings
    }

    /// The same value with each sensitive text replaced by a filler of its length.
    pub(crate) fn redacted(&self, operation: &Operation, side: Side, value: &Value) -> Value {
        operation.shape(side).map_or_else(|| value.clone(), |shape| self.redact(shape, value))
    }

    fn check(&self, name: &str, value: &Value, path: &str, findings: &mut Vec<String>) {
        let shape = &self.shapes[name];
        let mut bounded = |size: f64, unit: &str| {
            if shape.min.is_some_and(|min| size < min) || shape.max.is_some_and(|max| size > max) {
                let bound = |bound: Option<f64>| bound.map_or_else(|| "any".to_owned(), |n| n.to_string());
                findings.push(format!(
                    "{path}: {size}{unit}, not between {} and {}",
                    bound(shape.min),
                    bound(shape.max)
                ));
            }
        };
        match (shape.kind, value) {
            (Kind::Structure, Value::Object(members)) => {
                for missing in shape.required.iter().filter(|name| !members.contains_key(*name)) {
                    findings.push(format!("{path}.{missing}: required, missing"));
                }
                for (key, member) in members {
                    match shape.members.get(key) {
                        Some(shape) => self.check(shape, member, &format!("{path}.{key}"), findings),
                        None => findings.push(format!("{path}.{key}: no such member")),
                    }
                }
            }
            (Kind::List, Value::Array(items)) => {
                bounded(count(items.len()), " items");
                let member = shape.member.as_deref().expect("a list has a member");
                for item in items {
                    self.check(member, item, &format!("{path}[]"), findings);
                }
            }
            (Kind::Map, Value::Object(entries)) => {
                bounded(count(entries.len()), " entries");
                let key_shape = shape.key.as_deref().expect("a map has a key");
                let value_shape = shape.value.as_deref().expect("a map has a value");
                for (key, entry) in entries {
                    self.check(key_shape, &Value::from(key.as_str()), &format!("{path}{{key}}"), findings);
                    self.check(value_shape, entry, &format!("{path}{{}}"), findings);
                }
            }
            (Kind::String, Value::String(text)) => {
                bounded(count(text.chars().count()), " characters");
                // A value is never shown: it may be a secret.
                if !shape.values.is_empty() && !shape.values.contains(text) {
                    findings.push(format!("{path}: none of {}", shape.values.join(", ")));
                }
                if shape.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text)) {
                    findings.push(format!("{path}: does not match the pattern of {name}"));
                }
            }
            (Kind::Integer | Kind::Long, Value::Number(number)) if number.is_i64() || number.is_u64() => {
                bounded(number.as_f64().unwrap_or(f64::MAX), "");
            }
            (Kind::Float | Kind::Double, Value::Number(number)) => {
                bounded(number.as_f64().unwrap_or(f64::MAX), "");
            }
            (Kind::Timestamp, Value::Number(_))
            | (Kind::Boolean, Value::Bool(_))
            | (Kind::Blob, Value::String(_)) => {}
            (
                Kind::Structure
                | Kind::List
                | Kind::Map
                | Kind::String
                | Kind::Boolean
                | Kind::Integer
                | Kind::Long
                | Kind::Float
                | Kind::Double
                | Kind::Timestamp
                | Kind::Blob,
                _,
            ) => findings.push(format!("{path}: not of the type {:?}", shape.kind)),
        }
    }

    fn redact(&self, name: &str, value: &Value) -> Value {
        let Some(shape) = self.shapes.get(name) else { return value.clone() };
        match value {
            Value::String(text) if shape.sensitive => Value::from("*".repeat(text.chars().count())),
            Value::Array(items) => match &shape.member {
                Some(member) => items.iter().map(|item| self.redact(member, item)).collect(),
                None => value.clone(),
            },
            Value::Object(members) => members
                .iter()
                .map(|(key, member)| {
                    let shape = shape.members.get(key).or(shape.value.as_ref());
                    // Nobody knows what a member that the model has not was meant to hold.
                    (key.clone(), shape.map_or(Value::Null, |shape| self.redact(shape, member)))
                })
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
}

impl Operation {
    fn shape(&self, side: Side) -> Option<&str> {
        match side {
            Side::Request => self.input.as_deref(),
            Side::Response => self.output.as_deref(),
        }
    }

    /// Whether the model lists this error code for the operation.
    pub(crate) fn may_answer(&self, code: &str) -> bool {
        self.errors.iter().any(|error| error == code)
    }
}

#[expect(clippy::cast_precision_loss, reason = "no list or text here has 2^52 items")]
fn count(length: usize) -> f64 {
    length as f64
}
