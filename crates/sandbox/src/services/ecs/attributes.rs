//! `PutAttributes`, `DeleteAttributes`, `ListAttributes`.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Attribute.html>

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Cluster, Ecs, SERVICE, invalid, last_part, page_size, start_of, with_token};
use crate::error::AwsError;
use crate::services::Context;

/// The most attributes of one call.
const MOST_PER_CALL: usize = 10;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Attribute {
    name: String,
    value: Option<String>,
    target_type: Option<String>,
    target_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Attributes {
    cluster: Option<String>,
    attributes: Vec<Attribute>,
}

impl Attribute {
    /// The instance that it is about, by an ARN, or by the ARN's last part together with the target's type.
    fn target<'a>(&self, cluster: &'a Cluster) -> Result<&'a str, AwsError> {
        let id = self.target_id.as_deref().ok_or_else(|| invalid("TargetId cannot be blank"))?;
        if !id.contains(':') && self.target_type.is_none() {
            return Err(invalid("TargetType is required with a short target id"));
        }
        let instance = cluster.find(id).ok_or_else(|| {
            AwsError::new(
                "TargetNotFoundException",
                format!("The target container instance {id} was not found."),
            )
        })?;
        Ok(instance.arn())
    }

    fn check_name(&self) -> Result<(), AwsError> {
        let is_name_character = |c: char| c.is_ascii_alphanumeric() || "-_/.\\".contains(c);
        if !(1..=128).contains(&self.name.len()) || !self.name.chars().all(is_name_character) {
            return Err(invalid("An attribute's name has 1 to 128 letters, digits, -, _, /, \\ or ."));
        }
        if self.name.starts_with("ecs.") || self.name.starts_with("com.amazonaws.") {
            return Err(invalid("An attribute's name must not begin with a reserved prefix"));
        }
        Ok(())
    }

    fn check_value(&self) -> Result<(), AwsError> {
        let Some(value) = &self.value else { return Ok(()) };
        let is_value_character = |c: char| c.is_ascii_alphanumeric() || "-_.@/\\: ".contains(c);
        if !(1..=128).contains(&value.len())
            || !value.chars().all(is_value_character)
            || value.trim() != value
        {
            return Err(invalid(
                "An attribute's value has 1 to 128 letters, digits, -, _, ., @, /, \\, : or spaces inside",
            ));
        }
        Ok(())
    }

    fn answer(&self, arn: &str) -> Value {
        let mut answer = json!({"name": self.name, "targetId": arn});
        if let Some(value) = &self.value {
            answer["value"] = json!(value);
        }
        answer
    }
}

/// All of them, or none: nothing is put before everything was looked at.
pub(super) fn put(cx: &Context<'_>, ecs: &mut Ecs, request: Attributes) -> Result<Value, AwsError> {
    let Attributes { cluster, attributes } = request;
    let (_, cluster) = ecs.cluster(cx, cluster.as_deref())?;
    let targets = targets(cx, cluster, "PutAttributes", &attributes)?;
    for attribute in &attributes {
        attribute.check_name()?;
        attribute.check_value()?;
    }
    let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (attribute, arn) in attributes.iter().zip(&targets) {
        names.entry(arn).or_default().push(&attribute.name);
    }
    for (arn, names) in names {
        if let Some(instance) = cluster.find(arn) {
            instance.has_room_for(names)?;
        }
    }
    let answers: Vec<Value> =
        attributes.iter().zip(&targets).map(|(attribute, arn)| attribute.answer(arn)).collect();
    for (attribute, arn) in attributes.into_iter().zip(&targets) {
        if let Some(instance) = cluster.find_mut(arn) {
            // One without a value is there, and empty.
            instance.put(attribute.name, Some(attribute.value.unwrap_or_default()), cx.visible_from);
        }
    }
    Ok(json!({"attributes": answers}))
}

pub(super) fn delete(cx: &Context<'_>, ecs: &mut Ecs, request: Attributes) -> Result<Value, AwsError> {
    let Attributes { cluster, attributes } = request;
    let (_, cluster) = ecs.cluster(cx, cluster.as_deref())?;
    let targets = targets(cx, cluster, "DeleteAttributes", &attributes)?;
    let answers: Vec<Value> =
        attributes.iter().zip(&targets).map(|(attribute, arn)| attribute.answer(arn)).collect();
    for (attribute, arn) in attributes.into_iter().zip(&targets) {
        if let Some(instance) = cluster.find_mut(arn) {
            instance.put(attribute.name, None, cx.visible_from);
        }
    }
    Ok(json!({"attributes": answers}))
}

fn targets(
    cx: &Context<'_>,
    cluster: &Cluster,
    operation: &str,
    attributes: &[Attribute],
) -> Result<Vec<String>, AwsError> {
    if attributes.is_empty() {
        return Err(invalid("Attributes cannot be empty"));
    }
    if attributes.len() > MOST_PER_CALL {
        return Err(invalid("Attributes cannot be more than 10"));
    }
    attributes
        .iter()
        .map(|attribute| {
            let arn = attribute.target(cluster)?;
            cx.authorize(SERVICE, operation, arn)?;
            Ok(arn.to_owned())
        })
        .collect()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ListAttributes {
    cluster: Option<String>,
    #[serde(rename = "targetType")]
    _target_type: String,
    attribute_name: Option<String>,
    attribute_value: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn list(cx: &Context<'_>, ecs: &mut Ecs, request: ListAttributes) -> Result<Value, AwsError> {
    let ListAttributes { cluster, _target_type, attribute_name, attribute_value, max_results, next_token } =
        request;
    let (name, cluster) = ecs.cluster(cx, cluster.as_deref())?;
    cx.authorize(SERVICE, "ListAttributes", &cx.arn(SERVICE, &format!("cluster/{name}")))?;
    let size = page_size(max_results)?;
    let after = start_of(next_token.as_deref())?;
    let first =
        after.as_deref().and_then(|after| after.split_once(' ')).map(|(instance, _)| instance.to_owned());
    let from = first.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Included);
    let mut found = Vec::new();
    for instance in
        cluster.instances.range::<String, _>((from, std::ops::Bound::Unbounded)).map(|(_, each)| each)
    {
        for (attribute, value) in instance.seen(cx.now).attributes {
            let is_meant = attribute_name.as_ref().is_none_or(|wanted| *wanted == attribute)
                && attribute_value.as_ref().is_none_or(|wanted| value.as_ref() == Some(wanted));
            let key = format!("{} {attribute}", last_part(instance.arn()));
            if is_meant && after.as_ref().is_none_or(|after| key > *after) {
                let mut entry = json!({"name": attribute, "targetId": instance.arn()});
                if let Some(value) = value {
                    entry["value"] = json!(value);
                }
                found.push((key, entry));
            }
        }
        if found.len() > size {
            break;
        }
    }
    let more = found.len() > size;
    found.truncate(size);
    let last = found.last().map(|(key, _)| key.clone()).filter(|_| more);
    let entries: Vec<Value> = found.into_iter().map(|(_, entry)| entry).collect();
    Ok(with_token(json!({"attributes": entries}), last.as_deref()))
}
