//! `DescribeInstanceInformation`.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Node, SERVICE, Ssm};
use crate::clock::epoch_seconds;
use crate::error::AwsError;
use crate::hosts::Ping;
use crate::paging::{Pages, item_before, token_after};
use crate::services::Context;

/// The longest page, and the length of one that nothing was asked of.
const PAGE: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct DescribeInstanceInformation {
    filters: Option<Vec<Filter>>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Filter {
    key: String,
    values: Vec<String>,
}

pub(super) fn describe(
    cx: &Context<'_>,
    ssm: &Ssm,
    pages: Pages,
    request: DescribeInstanceInformation,
) -> Result<Value, AwsError> {
    let DescribeInstanceInformation { filters, max_results, next_token } = request;
    cx.authorize(SERVICE, "DescribeInstanceInformation", "*")?;
    let filters = filters.unwrap_or_default();
    for filter in &filters {
        let known = ["InstanceIds", "PingStatus", "PlatformTypes", "ResourceType"];
        if !known.contains(&filter.key.as_str()) && filter.tag().is_none() {
            return Err(AwsError::new(
                "InvalidFilterKey",
                format!("the sandbox does not model the filter {}", filter.key),
            ));
        }
    }
    // AWS's service model says so, and does not say with which error. Whether two tags may be combined is not said.
    if filters.len() > 1 && filters.iter().any(|filter| filter.tag().is_some()) {
        return Err(AwsError::new("InvalidFilterKey", "A filter of tags can be combined with no other one."));
    }
    let asked = max_results.unwrap_or(PAGE);
    let size = if filters.is_empty() { asked } else { asked.min(pages.found) };
    let after = next_token
        .map(|token| {
            item_before(&token)
                .ok_or_else(|| AwsError::new("InvalidNextToken", "The specified token isn't valid."))
        })
        .transpose()?;
    // Ids that are asked for are looked up; everything else is walked.
    let asked_ids = filters.iter().find(|filter| filter.key == "InstanceIds");
    let nodes: Box<dyn Iterator<Item = (&String, &Node)>> = if let Some(filter) = asked_ids {
        let found: BTreeMap<&String, &Node> =
            filter.values.iter().filter_map(|id| ssm.nodes.get_key_value(id)).collect();
        Box::new(found.into_iter().filter(move |(id, _)| after.as_ref().is_none_or(|after| *id > after)))
    } else {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        Box::new(ssm.nodes.range::<String, _>((from, Bound::Unbounded)))
    };
    let mut nodes = nodes.peekable();
    let (mut shown, mut last) = (Vec::new(), None);
    for _ in 0..pages.examined {
        if shown.len() == size {
            break;
        }
        let Some((id, node)) = nodes.next() else { break };
        last = Some(id);
        if filters.iter().all(|filter| filter.keeps(id, node)) {
            shown.push(described(cx, id, node));
        }
    }
    let more = nodes.peek().is_some();
    let mut answer = json!({"InstanceInformationList": shown});
    if let Some(last) = last.filter(|_| more) {
        answer["NextToken"] = json!(token_after(last));
    }
    Ok(answer)
}

impl Filter {
    /// The name of the tag that it is about.
    fn tag(&self) -> Option<&str> {
        self.key.strip_prefix("tag:").filter(|name| !name.is_empty())
    }

    fn keeps(&self, id: &str, node: &Node) -> bool {
        if let Some(name) = self.tag() {
            return node.host.spec().tags.get(name).is_some_and(|value| self.values.contains(value));
        }
        let value = match self.key.as_str() {
            "InstanceIds" => id,
            "PingStatus" => ping_status(node),
            "PlatformTypes" => node.host.spec().platform.ssm_platform_type(),
            _ => resource_type(id),
        };
        self.values.iter().any(|wanted| wanted == value)
    }
}

fn ping_status(node: &Node) -> &'static str {
    match node.host.ping() {
        Ping::Online => "Online",
        Ping::ConnectionLost => "ConnectionLost",
    }
}

fn resource_type(id: &str) -> &'static str {
    if id.starts_with("mi-") { "ManagedInstance" } else { "EC2Instance" }
}

fn described(cx: &Context<'_>, id: &str, node: &Node) -> Value {
    json!({
        "InstanceId": id,
        "PingStatus": ping_status(node),
        "LastPingDateTime": epoch_seconds(cx.now),
        "AgentVersion": "3.3.0.0",
        "IsLatestVersion": true,
        "PlatformName": node.host.spec().platform.ssm_platform_name(),
        "PlatformType": node.host.spec().platform.ssm_platform_type(),
        "ResourceType": resource_type(id),
        "RegistrationDate": epoch_seconds(node.registered),
        "ComputerName": format!("{id}.internal"),
    })
}
