//! The services that are pretended, and what all their handlers are given.

pub(crate) mod ecs;
pub(crate) mod kms;
pub(crate) mod s3;
pub(crate) mod secrets_manager;
pub(crate) mod ssm;
pub(crate) mod sts;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{AwsError, Refusal};
use crate::identity::{Caller, Permissions};

/// A service by the name that botocore's models and the log of calls give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    SecretsManager,
    Ssm,
    Ecs,
    Kms,
    Sts,
    S3,
}

impl Service {
    /// The name in a credential's scope and in IAM's actions.
    pub(crate) fn signing_name(self) -> &'static str {
        match self {
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "ssm",
            Self::Ecs => "ecs",
            Self::Kms => "kms",
            Self::Sts => "sts",
            Self::S3 => "s3",
        }
    }

    /// The JSON service that an `X-Amz-Target` header names, and the operation.
    pub(crate) fn of_target(target: &str) -> Option<(Self, &str)> {
        let (prefix, operation) = target.split_once('.')?;
        let service = match prefix {
            "secretsmanager" => Self::SecretsManager,
            "AmazonSSM" => Self::Ssm,
            "AmazonEC2ContainerServiceV20141113" => Self::Ecs,
            "TrentService" => Self::Kms,
            _ => return None,
        };
        Some((service, operation))
    }
}

/// What a handler knows of the call it handles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) permissions: &'a Permissions,
    /// The sandbox's time.
    pub(crate) now: DateTime<Utc>,
    /// From when on others see what this call writes, where AWS promises no more than that.
    pub(crate) visible_from: DateTime<Utc>,
    pub(crate) pending: Pending,
}

/// SSM's quota of pending invocations, which is not published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pending {
    #[default]
    WithinQuota,
    OverQuota,
}

impl Context<'_> {
    /// Refuses unless the caller may do `operation` to `resource`.
    pub(crate) fn authorize(
        &self,
        service: Service,
        operation: &str,
        resource: &str,
    ) -> Result<(), AwsError> {
        let action = crate::identity::action(service, operation);
        if self.permissions.allow(&action, resource) {
            return Ok(());
        }
        let refusal = Refusal::Denied { caller: self.caller.arn(), action, resource: resource.to_owned() };
        Err(refusal.by(service))
    }

    /// An ARN in the caller's account and Region.
    pub(crate) fn arn(&self, service: Service, resource: &str) -> String {
        let Caller { account, region, principal: _ } = self.caller;
        format!("arn:aws:{}:{region}:{account}:{resource}", service.signing_name())
    }
}

/// What one account has in one Region.
#[derive(Default)]
pub(crate) struct Regional {
    pub(crate) ecs: ecs::Ecs,
    pub(crate) ssm: ssm::Ssm,
    pub(crate) secrets: secrets_manager::Secrets,
}

/// All accounts and Regions; one springs into being when it is first called.
#[derive(Default)]
pub(crate) struct Regions(HashMap<(String, String), Regional>);

impl Regions {
    pub(crate) fn at(&mut self, account: &str, region: &str) -> &mut Regional {
        self.0.entry((account.to_owned(), region.to_owned())).or_default()
    }

    /// Those that were called, each with its account and Region.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str, &Regional)> {
        self.0.iter().map(|((account, region), regional)| (account.as_str(), region.as_str(), regional))
    }
}

/// The members of a request that this double models; one that AWS's model has and the type has not is refused.
pub(crate) fn members<T: DeserializeOwned>(service: Service, input: Value) -> Result<T, AwsError> {
    serde_json::from_value(input).map_err(|error| AwsError::not_modelled(service, error))
}
