//! The operations on documents.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::document::{Document, ParameterKind};
use super::{SERVICE, Ssm};
use crate::clock::epoch_seconds;
use crate::error::AwsError;
use crate::services::Context;
use crate::sigv4::hex;

/// The documents of one account and Region, by name.
#[derive(Debug, Default)]
pub(super) struct Documents(BTreeMap<String, Versions>);

#[derive(Debug)]
struct Versions {
    /// Version 1 first.
    all: Vec<Version>,
    default: usize,
}

#[derive(Debug)]
struct Version {
    content: String,
    document: Arc<Document>,
    created: DateTime<Utc>,
}

/// A document that a request names, in one version.
pub(super) struct Found<'a> {
    pub(super) name: &'a str,
    pub(super) number: usize,
    pub(super) document: &'a Arc<Document>,
    version: &'a Version,
    versions: &'a Versions,
}

impl Documents {
    pub(super) fn create(&mut self, name: &str, content: String, now: DateTime<Utc>) -> Result<(), AwsError> {
        if self.0.contains_key(name) {
            return Err(AwsError::new("DocumentAlreadyExists", "The specified document already exists."));
        }
        let document = Arc::new(Document::parse(&content)?);
        let all = vec![Version { content, document, created: now }];
        self.0.insert(name.to_owned(), Versions { all, default: 1 });
        Ok(())
    }

    /// By name or ARN, and `$DEFAULT`, `$LATEST`, a number, or nothing for the default.
    pub(super) fn find(
        &self,
        cx: &Context<'_>,
        reference: &str,
        version: Option<&str>,
    ) -> Result<Found<'_>, AwsError> {
        let prefix = cx.arn(SERVICE, "document/");
        let name = reference.strip_prefix(&prefix).unwrap_or(reference);
        let (name, versions) = self.0.get_key_value(name).ok_or_else(|| {
            AwsError::new("InvalidDocument", format!("Document with name {reference} does not exist."))
        })?;
        let number = match version {
            None | Some("$DEFAULT") => Some(versions.default),
            Some("$LATEST") => Some(versions.all.len()),
            Some(text) => text.parse().ok(),
        };
        let found = number.and_then(|number| Some((number, versions.all.get(number.checked_sub(1)?)?)));
        let (number, version) = found
            .ok_or_else(|| AwsError::new("InvalidDocumentVersion", "The document version is not valid."))?;
        Ok(Found { name, number, document: &version.document, version, versions })
    }
}

impl Found<'_> {
    fn described(&self, cx: &Context<'_>) -> Value {
        let parameters: Vec<Value> = self
            .document
            .parameters
            .iter()
            .map(|(name, parameter)| {
                let ParameterKind::String = parameter.kind;
                let mut entry = json!({"Name": name, "Type": "String"});
                if let Some(description) = &parameter.description {
                    entry["Description"] = json!(description);
                }
                if let Some(default) = &parameter.default {
                    entry["DefaultValue"] = json!(default);
                }
                entry
            })
            .collect();
        let mut answer = json!({
            "Name": self.name,
            "Owner": cx.caller.account,
            "CreatedDate": epoch_seconds(self.version.created),
            "Status": "Active",
            "DocumentVersion": self.number.to_string(),
            "LatestVersion": self.versions.all.len().to_string(),
            "DefaultVersion": self.versions.default.to_string(),
            "DocumentType": "Command",
            "DocumentFormat": "JSON",
            "SchemaVersion": "2.2",
            "PlatformTypes": ["Linux", "MacOS"],
            "Hash": hex(&Sha256::digest(&self.version.content)),
            "HashType": "Sha256",
            "Parameters": parameters,
            "Tags": [],
        });
        if let Some(description) = &self.document.description {
            answer["Description"] = json!(description);
        }
        answer
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct CreateDocument {
    name: String,
    content: String,
    document_type: Option<String>,
    document_format: Option<String>,
}

pub(super) fn create(cx: &Context<'_>, ssm: &mut Ssm, request: CreateDocument) -> Result<Value, AwsError> {
    let CreateDocument { name, content, document_type, document_format } = request;
    is_command_in_json(document_type.as_deref(), document_format.as_deref())?;
    cx.authorize(SERVICE, "CreateDocument", &cx.arn(SERVICE, &format!("document/{name}")))?;
    ssm.documents.create(&name, content, cx.now)?;
    Ok(json!({"DocumentDescription": ssm.documents.find(cx, &name, None)?.described(cx)}))
}

fn is_command_in_json(kind: Option<&str>, format: Option<&str>) -> Result<(), AwsError> {
    match (kind.unwrap_or("Command"), format.unwrap_or("JSON")) {
        ("Command", "JSON") => Ok(()),
        (kind, format) => {
            Err(AwsError::not_modelled(SERVICE, format!("documents of type {kind} in {format}")))
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct UpdateDocument {
    name: String,
    content: String,
    document_version: Option<String>,
    document_format: Option<String>,
}

pub(super) fn update(cx: &Context<'_>, ssm: &mut Ssm, request: UpdateDocument) -> Result<Value, AwsError> {
    let UpdateDocument { name, content, document_version, document_format } = request;
    is_command_in_json(None, document_format.as_deref())?;
    cx.authorize(SERVICE, "UpdateDocument", &cx.arn(SERVICE, &format!("document/{name}")))?;
    let found = ssm.documents.find(cx, &name, None)?;
    let latest = found.versions.all.len();
    // Without a version an update is one of version 1, and refused when there are more.
    let based_on = ssm.documents.find(cx, &name, document_version.as_deref().or(Some("1")))?.number;
    if based_on != latest {
        return Err(AwsError::new("InvalidDocumentVersion", "The document version is not the latest one."));
    }
    if ssm.documents.find(cx, &name, Some("$LATEST"))?.version.content == content {
        return Err(AwsError::new("DuplicateDocumentContent", "The content of the document is the same."));
    }
    let document = Arc::new(Document::parse(&content)?);
    if let Some(versions) = ssm.documents.0.get_mut(&name) {
        versions.all.push(Version { content, document, created: cx.now });
    }
    Ok(json!({"DocumentDescription": ssm.documents.find(cx, &name, Some("$LATEST"))?.described(cx)}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct UpdateDocumentDefaultVersion {
    name: String,
    document_version: String,
}

pub(super) fn set_default(
    cx: &Context<'_>,
    ssm: &mut Ssm,
    request: UpdateDocumentDefaultVersion,
) -> Result<Value, AwsError> {
    let UpdateDocumentDefaultVersion { name, document_version } = request;
    cx.authorize(SERVICE, "UpdateDocumentDefaultVersion", &cx.arn(SERVICE, &format!("document/{name}")))?;
    let number = ssm.documents.find(cx, &name, Some(&document_version))?.number;
    if let Some(versions) = ssm.documents.0.get_mut(&name) {
        versions.default = number;
    }
    Ok(json!({"Description": {"Name": name, "DefaultVersion": number.to_string()}}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct DescribeDocument {
    name: String,
    document_version: Option<String>,
}

pub(super) fn describe(cx: &Context<'_>, ssm: &Ssm, request: DescribeDocument) -> Result<Value, AwsError> {
    let DescribeDocument { name, document_version } = request;
    let found = ssm.documents.find(cx, &name, document_version.as_deref())?;
    cx.authorize(SERVICE, "DescribeDocument", &cx.arn(SERVICE, &format!("document/{}", found.name)))?;
    Ok(json!({"Document": found.described(cx)}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct GetDocument {
    name: String,
    document_version: Option<String>,
    document_format: Option<String>,
}

pub(super) fn get(cx: &Context<'_>, ssm: &Ssm, request: GetDocument) -> Result<Value, AwsError> {
    let GetDocument { name, document_version, document_format } = request;
    is_command_in_json(None, document_format.as_deref())?;
    let found = ssm.documents.find(cx, &name, document_version.as_deref())?;
    cx.authorize(SERVICE, "GetDocument", &cx.arn(SERVICE, &format!("document/{}", found.name)))?;
    Ok(json!({
        "Name": found.name,
        "CreatedDate": epoch_seconds(found.version.created),
        "DocumentVersion": found.number.to_string(),
        "Status": "Active",
        "Content": found.version.content,
        "DocumentType": "Command",
        "DocumentFormat": "JSON",
    }))
}
