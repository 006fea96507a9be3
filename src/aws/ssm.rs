//! SSM Run Command and the Parameter Store, as regcred calls them.
//!
//! SendCommand has no client token, so it is retried on a throttle alone, when SSM surely did nothing. After a
//! time-out, a 5xx or a lost answer nobody knows whether hosts are at work: that is [`SendOutcome::Unknown`].

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_ssm as sdk;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority, RetryReason,
};
use aws_smithy_types::retry::ErrorKind;
use regcred_core::secret::Secret;
use sdk::types::{
    DocumentFormat, InstanceInformationStringFilter, Parameter, ParameterType, PingStatus, PlatformType,
};

use super::{AwsError, AwsErrorKind, Place};

/// The most ids of one DescribeInstanceInformation filter.
const IDS: usize = 50;

/// The most nodes of one page of it.
const PAGE: i32 = 50;

#[derive(Clone, Debug)]
pub(crate) struct Ssm {
    client: sdk::Client,
    /// The same, retrying throttles alone.
    sender: sdk::Client,
    place: Place,
}

/// A command to send: which document on which hosts. No parameter may hold a secret: SSM shows them for 30 days.
#[derive(Clone, Debug)]
pub(crate) struct SentCommand<'a> {
    pub document: &'a str,
    /// `None` is the default one.
    pub document_version: Option<&'a str>,
    pub hosts: &'a [String],
    pub parameters: &'a [(&'static str, String)],
    /// Shown in the console and in CloudTrail.
    pub comment: &'a str,
    /// How long hosts may take to begin: SSM gives up on those that did not.
    pub timeout_seconds: i32,
    /// SSM's own fence, second to ours.
    pub max_errors: u32,
}

/// What is known after SendCommand.
#[derive(Debug)]
pub(crate) enum SendOutcome {
    Accepted {
        command_id: String,
    },
    /// SSM said no: nothing runs.
    Refused(AwsError),
    /// Nobody knows; hosts may be at work on it.
    Unknown(AwsError),
}

/// A managed node, in AWS's own words.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub id: String,
    pub ping: String,
    pub platform_type: String,
    pub platform_name: String,
}

/// What SSM says of one host.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    pub host: String,
    pub status: String,
    pub status_details: String,
    pub output: String,
    pub exit_code: Option<i32>,
}

/// How a parameter is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// A `SecureString`: under a KMS key.
    Secure,
    /// A `String` or a `StringList`.
    None,
}

impl Ssm {
    pub(super) fn new(config: &SdkConfig, place: Place) -> Self {
        let partition = place.retry_partition("ssm");
        let builder =
            sdk::config::Builder::from(config).retry_partition(partition).interceptor(place.attempts.clone());
        Self {
            client: sdk::Client::from_conf(builder.clone().build()),
            sender: sdk::Client::from_conf(builder.retry_classifier(ThrottlesAlone).build()),
            place,
        }
    }

    /// `eu (eu-west-1)`.
    pub(crate) fn place(&self) -> &str {
        &self.place.text
    }

    /// The value of a parameter, decrypted.
    pub(crate) async fn parameter(&self, name: &str) -> Result<(Secret, Encryption), AwsError> {
        const ACTION: &str = "ssm:GetParameter";
        let arn = if name.starts_with("arn:") {
            name.to_owned()
        } else {
            // A policy names it without the first `/`, the version and the label.
            let bare = name.split(':').next().unwrap_or(name);
            self.place.arn("ssm", &format!("parameter/{}", bare.trim_start_matches('/')))
        };
        let call = self.client.get_parameter().name(name).with_decryption(true);
        match call.send().await {
            Ok(answer) => {
                let parameter = answer.parameter.unwrap_or_else(|| Parameter::builder().build());
                let encryption = match parameter.r#type {
                    Some(ParameterType::SecureString) => Encryption::Secure,
                    Some(_) | None => Encryption::None,
                };
                Ok((Secret::new(parameter.value.unwrap_or_default()), encryption))
            }
            Err(error) => Err(AwsError::of(ACTION, arn, &self.place.text, &error)),
        }
    }

    /// The ping status of each of `ids` that is a managed node; the others SSM does not know.
    pub(crate) async fn pings(&self, ids: &[String]) -> Result<HashMap<String, String>, AwsError> {
        let nodes = self.nodes(ids).await?;
        Ok(nodes.into_iter().map(|node| (node.id, node.ping)).collect())
    }

    /// Those of `ids` that are managed nodes, fifty a call.
    pub(crate) async fn nodes(&self, ids: &[String]) -> Result<Vec<Node>, AwsError> {
        let mut nodes = Vec::new();
        for chunk in ids.chunks(IDS) {
            nodes.extend(self.nodes_that("InstanceIds", chunk).await?);
        }
        Ok(nodes)
    }

    /// The managed nodes whose tag of this name has one of `values`. A tag can be mixed with no other filter, so one call
    /// asks for one tag.
    pub(crate) async fn nodes_with_tag(&self, name: &str, values: &[String]) -> Result<Vec<Node>, AwsError> {
        self.nodes_that(&format!("tag:{name}"), values).await
    }

    async fn nodes_that(&self, key: &str, values: &[String]) -> Result<Vec<Node>, AwsError> {
        let filter = InstanceInformationStringFilter::builder()
            .key(key)
            .set_values(Some(values.to_vec()))
            .build()
            .expect("key and values, the required members, are set");
        let call = self.client.describe_instance_information().filters(filter).max_results(PAGE);
        let mut pages = call.into_paginator().send();
        let mut nodes = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                AwsError::of("ssm:DescribeInstanceInformation", "*", &self.place.text, &error)
            })?;
            nodes.extend(page.instance_information_list.unwrap_or_default().into_iter().filter_map(|node| {
                let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
                Some(Node {
                    ping: text(node.ping_status.as_ref().map(PingStatus::as_str)),
                    platform_type: text(node.platform_type.as_ref().map(PlatformType::as_str)),
                    platform_name: text(node.platform_name.as_deref()),
                    id: node.instance_id?,
                })
            }));
        }
        Ok(nodes)
    }

    /// The content of a document in JSON, and the number of its version; `version` is one, `$DEFAULT` or `$LATEST`.
    pub(crate) async fn document(&self, name: &str, version: &str) -> Result<(String, String), AwsError> {
        let call = self
            .client
            .get_document()
            .name(name)
            .document_version(version)
            .document_format(DocumentFormat::Json);
        match call.send().await {
            Ok(answer) => {
                Ok((answer.content.unwrap_or_default(), answer.document_version.unwrap_or_default()))
            }
            Err(error) => {
                let resource = self.document_arn(name);
                Err(AwsError::of("ssm:GetDocument", resource, &self.place.text, &error))
            }
        }
    }

    /// As a policy names it.
    fn document_arn(&self, document: &str) -> String {
        if document.starts_with("arn:") {
            return document.to_owned();
        }
        self.place.arn("ssm", &format!("document/{document}"))
    }

    pub(crate) async fn send(&self, command: &SentCommand<'_>) -> SendOutcome {
        let mut call = self
            .sender
            .send_command()
            .document_name(command.document)
            .set_document_version(command.document_version.map(str::to_owned))
            .set_instance_ids(Some(command.hosts.to_vec()))
            .comment(command.comment)
            .timeout_seconds(command.timeout_seconds)
            .max_concurrency(command.hosts.len().to_string())
            .max_errors(command.max_errors.to_string());
        for (name, value) in command.parameters {
            call = call.parameters(*name, vec![value.clone()]);
        }
        match call.send().await {
            Ok(answer) => match answer.command.and_then(|command| command.command_id) {
                Some(command_id) => SendOutcome::Accepted { command_id },
                None => SendOutcome::Unknown(AwsError::cut_off(
                    "ssm:SendCommand",
                    command.document,
                    &self.place.text,
                )),
            },
            Err(error) => {
                let error =
                    AwsError::of("ssm:SendCommand", self.send_resources(command), &self.place.text, &error);
                match error.kind {
                    AwsErrorKind::NoAnswer => SendOutcome::Unknown(error),
                    AwsErrorKind::NotFound
                    | AwsErrorKind::Exists
                    | AwsErrorKind::PreconditionFailed
                    | AwsErrorKind::Conflict
                    | AwsErrorKind::AccessDenied
                    | AwsErrorKind::NoCredentials
                    | AwsErrorKind::Throttled
                    | AwsErrorKind::KeyFailed
                    | AwsErrorKind::Invalid
                    | AwsErrorKind::NotSent => SendOutcome::Refused(error),
                }
            }
        }
    }

    /// What a policy has to allow for one command: its document and its hosts, which are instances of EC2, managed
    /// instances of SSM, or both.
    fn send_resources(&self, command: &SentCommand<'_>) -> String {
        let mut resources = vec![self.document_arn(command.document)];
        if command.hosts.iter().any(|id| id.starts_with("i-")) {
            resources.push(self.place.arn("ec2", "instance/*"));
        }
        if command.hosts.iter().any(|id| id.starts_with("mi-")) {
            resources.push(self.place.arn("ssm", "managed-instance/*"));
        }
        resources.join(" and ")
    }

    /// The status and status details of a command as a whole; `None` when SSM does not list it (yet).
    pub(crate) async fn command(&self, command_id: &str) -> Result<Option<(String, String)>, AwsError> {
        let answer = self.client.list_commands().command_id(command_id).send().await;
        let answer =
            answer.map_err(|error| AwsError::of("ssm:ListCommands", "*", &self.place.text, &error))?;
        Ok(answer.commands.unwrap_or_default().into_iter().next().map(|command| {
            let status = command.status.map(|status| status.as_str().to_owned());
            (status.unwrap_or_default(), command.status_details.unwrap_or_default())
        }))
    }

    /// All invocations of a command, fifty a page; never a call per host.
    pub(crate) async fn invocations(&self, command_id: &str) -> Result<Vec<Invocation>, AwsError> {
        let call =
            self.client.list_command_invocations().command_id(command_id).details(true).max_results(50);
        let mut pages = call.into_paginator().send();
        let mut invocations = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page
                .map_err(|error| AwsError::of("ssm:ListCommandInvocations", "*", &self.place.text, &error))?;
            invocations.extend(page.command_invocations.unwrap_or_default().into_iter().map(|invocation| {
                let plugins = invocation.command_plugins.unwrap_or_default();
                let exit_code = plugins.last().map(|plugin| plugin.response_code);
                Invocation {
                    exit_code,
                    host: invocation.instance_id.unwrap_or_default(),
                    status: invocation.status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
                    status_details: invocation.status_details.unwrap_or_default(),
                    output: plugins.into_iter().filter_map(|plugin| plugin.output).collect(),
                }
            }));
        }
        Ok(invocations)
    }
}

/// Forbids every retry that another classifier asked for, except after a throttle.
#[derive(Debug)]
struct ThrottlesAlone;

impl ClassifyRetry for ThrottlesAlone {
    fn classify_retry(&self, _: &InterceptorContext) -> RetryAction {
        RetryAction::RetryForbidden
    }

    fn classify_retry_v2(&self, _: &InterceptorContext, previous: &RetryAction) -> RetryAction {
        match previous {
            RetryAction::RetryIndicated(RetryReason::RetryableError {
                kind: ErrorKind::ThrottlingError,
                ..
            }) => previous.clone(),
            _ => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "throttles alone"
    }

    /// After all of the SDK's own.
    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}
