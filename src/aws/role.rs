//! Taking on a location's role. A refusal keeps which role it was and where the configuration names it, so that the calls
//! that then lack credentials can say so.
//!
//! This module must not try again: a refusal stands until somebody changes the role.

use std::error::Error;
use std::fmt;

use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use regcred_core::names::LocationName;

use super::error::{AwsErrorKind, causes, kind_of};
use crate::config::Role;

/// The credentials of a location that has a role.
#[derive(Debug)]
pub(super) struct LocationRole {
    pub(super) provider: AssumeRoleProvider,
    pub(super) location: LocationName,
    pub(super) role: Role,
}

/// STS did not give a session of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoleRefused {
    location: LocationName,
    role: Role,
    /// STS's error code.
    code: String,
    said: String,
}

impl ProvideCredentials for LocationRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            self.provider.provide_credentials().await.map_err(|error| match self.refusal(&error) {
                Some(refused) => CredentialsError::provider_error(refused),
                None => error,
            })
        })
    }
}

impl LocationRole {
    /// What STS said of the role. Nothing where STS was not heard, or was asked with no credentials at all: that is told
    /// as it is.
    fn refusal(&self, error: &CredentialsError) -> Option<RoleRefused> {
        let error = causes(error)
            .find_map(|cause| cause.downcast_ref::<SdkError<AssumeRoleError, HttpResponse>>())?;
        let code = error.code()?;
        let status = error.raw_response().map(|response| response.status().as_u16());
        (kind_of(Some(code), status) == AwsErrorKind::AccessDenied).then(|| RoleRefused {
            location: self.location.clone(),
            role: self.role.clone(),
            code: code.to_owned(),
            said: error.message().unwrap_or_default().to_owned(),
        })
    }
}

impl RoleRefused {
    /// Why a call could not be made in `place`.
    pub(super) fn why(&self, place: &str) -> String {
        let Self { location: _, role, code, said } = self;
        let said = if said.is_empty() { String::new() } else { format!(" ({said})") };
        format!("{code}: STS gave no credentials of role {} for {place}{said}", role.arn)
    }

    /// What to do about it. STS does not say which of the conditions it was that did not hold.
    pub(super) fn remedy(&self) -> String {
        let Self { location, role, code: _, said: _ } = self;
        let key = format!("locations.{location}");
        let external_id = match role.external_id {
            Some(_) => format!("that `{key}.external_id` is the id that it asks for"),
            None => format!("add `{key}.external_id` if it asks for one"),
        };
        format!(
            "see that the role is there (`{key}.role_arn`), that its trust policy names the caller, and {external_id}; \
             allow the caller sts:AssumeRole on {}",
            role.arn
        )
    }
}

impl fmt::Display for RoleRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.said)
    }
}

impl Error for RoleRefused {}
