//! What an AWS call's failure means, told once, from typed errors and codes, never from a message's text.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use regcred_core::report::{Failure, FailureKind};

use super::role::RoleRefused;

/// Which call failed, on what, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AwsError {
    /// The IAM action, e.g. `secretsmanager:PutSecretValue`: what a policy would have to allow.
    pub action: &'static str,
    /// The resource as an ARN where it is known, else its name.
    pub resource: String,
    /// Where the call went, as a person names it: `eu (eu-west-1)`.
    pub place: String,
    pub kind: AwsErrorKind,
    /// The service's error code, or the HTTP status.
    pub code: String,
    /// What the service or the connection said. Empty for a rejected request: AWS echoes the rejected value there.
    said: String,
    /// The role that was not given, where that is why there were no credentials.
    refused: Option<RoleRefused>,
}

/// What can be decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AwsErrorKind {
    /// The resource is not there.
    NotFound,
    /// It is there already.
    Exists,
    /// A condition of a conditional write did not hold (S3's 412).
    PreconditionFailed,
    /// A concurrent write was in the way (S3's 409).
    Conflict,
    /// The caller may not do this.
    AccessDenied,
    /// No credentials could be had to call with.
    NoCredentials,
    /// Throttled, on all tries.
    Throttled,
    /// The KMS key that the resource is encrypted with cannot be used.
    KeyFailed,
    /// The service rejected the request as such, or the state of the resource forbids it.
    Invalid,
    /// It was surely not done: the request never left.
    NotSent,
    /// Nobody knows whether it was done: no answer, a time-out, or a 5xx.
    NoAnswer,
}

impl AwsError {
    /// Reads the SDK's error. `action` and `resource` say what was tried, in IAM's words.
    pub(crate) fn of<E>(
        action: &'static str,
        resource: impl Into<String>,
        place: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().map(str::to_owned);
        let kind = match error {
            SdkError::ConstructionFailure(_) => AwsErrorKind::NotSent,
            SdkError::DispatchFailure(_) if credentials_error(error).is_some() => AwsErrorKind::NoCredentials,
            SdkError::DispatchFailure(failure) if failure.is_user() => AwsErrorKind::NotSent,
            SdkError::ServiceError(_) => kind_of(code.as_deref(), status),
            // The enum is open: what the SDK may add is no proof that nothing was done either.
            _ => AwsErrorKind::NoAnswer,
        };
        let said = match kind {
            AwsErrorKind::Invalid | AwsErrorKind::Exists => String::new(),
            AwsErrorKind::NotSent | AwsErrorKind::NoAnswer | AwsErrorKind::NoCredentials => {
                if status.is_some() {
                    String::new()
                } else {
                    said_by(credentials_error(error).unwrap_or(error))
                }
            }
            AwsErrorKind::NotFound
            | AwsErrorKind::PreconditionFailed
            | AwsErrorKind::Conflict
            | AwsErrorKind::AccessDenied
            | AwsErrorKind::KeyFailed
            | AwsErrorKind::Throttled => error.message().unwrap_or_default().to_owned(),
        };
        let code = code
            .or_else(|| status.map(|status| format!("HTTP {status}")))
            .unwrap_or_else(|| "no answer".to_owned());
        let refused = causes(error).find_map(|cause| cause.downcast_ref::<RoleRefused>()).cloned();
        Self { action, resource: resource.into(), place: place.to_owned(), kind, code, said, refused }
    }

    /// An entry of a batch answer that failed by itself.
    pub(crate) fn of_entry(
        action: &'static str,
        resource: impl Into<String>,
        place: &str,
        code: &str,
    ) -> Self {
        Self {
            action,
            resource: resource.into(),
            place: place.to_owned(),
            kind: kind_of(Some(code), None),
            code: code.to_owned(),
            said: String::new(),
            refused: None,
        }
    }

    /// There was nothing to sign a request with; `None`: nothing that could have given it.
    pub(crate) fn without_credentials(
        action: &'static str,
        place: &str,
        error: Option<&CredentialsError>,
    ) -> Self {
        let said = error.map_or_else(|| "there is no provider".to_owned(), |error| said_by(error));
        let refused = error.and_then(|error| causes(error).find_map(|cause| cause.downcast_ref()).cloned());
        Self {
            action,
            resource: "*".to_owned(),
            place: place.to_owned(),
            kind: AwsErrorKind::NoCredentials,
            code: "no credentials".to_owned(),
            said,
            refused,
        }
    }

    /// A body that ended before its end.
    pub(crate) fn cut_off(action: &'static str, resource: impl Into<String>, place: &str) -> Self {
        Self {
            action,
            resource: resource.into(),
            place: place.to_owned(),
            kind: AwsErrorKind::NoAnswer,
            code: "the answer was cut off".to_owned(),
            said: String::new(),
            refused: None,
        }
    }

    /// The three lines. `what` is the fragment after "error: cannot ".
    pub(crate) fn failure(&self, what: impl Into<String>) -> Failure {
        let Self { action, resource, place, kind, code, said, refused } = self;
        let said = if said.is_empty() { String::new() } else { format!(" ({said})") };
        // S3 names what is missing by the code alone.
        let resource = match code.as_str() {
            "NoSuchBucket" => resource.split('/').next().unwrap_or(resource),
            _ => resource,
        };
        let (failure_kind, why, remedy) = match kind {
            AwsErrorKind::AccessDenied => (
                FailureKind::AccessDenied,
                format!("{code}: the caller may not {action} there{said}"),
                format!("allow {action} on {resource}"),
            ),
            AwsErrorKind::NoCredentials => (
                FailureKind::AccessDenied,
                refused.as_ref().map_or_else(
                    || format!("no AWS credentials could be had in {place}{said}"),
                    |refused| refused.why(place),
                ),
                refused.as_ref().map_or_else(
                    || "set AWS_PROFILE or AWS_ACCESS_KEY_ID, or run under a role".to_owned(),
                    RoleRefused::remedy,
                ),
            ),
            AwsErrorKind::KeyFailed => (
                FailureKind::AccessDenied,
                format!("{code}: the KMS key of {resource} cannot be used{said}"),
                "allow kms:GenerateDataKey and kms:Decrypt on that key, see that it is enabled and in the same \
                 Region, or correct `kms_key` in the config"
                    .to_owned(),
            ),
            AwsErrorKind::NotFound => (
                FailureKind::Missing,
                format!("{code}: {resource} does not exist in {place}{said}"),
                format!("create {resource}, or correct its name or location in the config"),
            ),
            AwsErrorKind::Throttled => (
                FailureKind::Throttled,
                format!("{code}: {action} was throttled on every try{said}"),
                "nothing: the next pass tries again; if it persists, run passes less often".to_owned(),
            ),
            AwsErrorKind::NotSent | AwsErrorKind::NoAnswer => (
                FailureKind::Unreachable,
                format!("{code}: {action} in {place} got no usable answer{said}"),
                "run it again; if it persists, check the network, the Region (AWS_REGION), and AWS_ENDPOINT_URL".to_owned(),
            ),
            AwsErrorKind::Exists
            | AwsErrorKind::PreconditionFailed
            | AwsErrorKind::Conflict
            | AwsErrorKind::Invalid => (
                FailureKind::Invalid,
                format!("{code}: {action} was rejected for {resource}{said}"),
                format!("look at {resource} in {place}; run again with RUST_LOG=debug for the request ids"),
            ),
        };
        Failure::new(failure_kind, what, why, remedy)
    }
}

/// The provider's own error, where a call failed for want of credentials.
fn credentials_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    causes(error).find(|cause| cause.is::<CredentialsError>())
}

pub(super) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source())
}

/// What an error and its causes say, in one line: a provider chain lists its tries in several. (The SDK's
/// `DisplayErrorContext` would add the error's debug text.)
fn said_by(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        if !said.iter().any(|known| known.contains(&text)) {
            said.push(text);
        }
    }
    said.join(": ")
}

/// Codes come from the services' models and from S3's error list; the status decides where no code is known.
pub(super) fn kind_of(code: Option<&str>, status: Option<u16>) -> AwsErrorKind {
    match code.unwrap_or_default() {
        "ResourceNotFoundException"
        | "NoSuchKey"
        | "NoSuchBucket"
        | "NotFound"
        | "NotFoundException"
        | "ClusterNotFoundException"
        | "TargetNotFoundException"
        | "ParameterNotFound"
        | "ParameterVersionNotFound"
        | "InvalidDocument" => AwsErrorKind::NotFound,
        // Secrets Manager's two, and S3's, which passes KMS's own on.
        "EncryptionFailure"
        | "DecryptionFailure"
        | "KMS.DisabledException"
        | "KMS.InvalidKeyUsageException"
        | "KMS.KMSInvalidStateException"
        | "KMS.NotFoundException"
        | "KMSDisabledException"
        | "KMSInvalidStateException"
        | "KMSNotFoundException"
        | "KMSAccessDeniedException" => AwsErrorKind::KeyFailed,
        "ResourceExistsException" => AwsErrorKind::Exists,
        "PreconditionFailed" => AwsErrorKind::PreconditionFailed,
        "ConditionalRequestConflict" => AwsErrorKind::Conflict,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "InvalidAccessKeyId"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "InvalidToken" => AwsErrorKind::AccessDenied,
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "SlowDown" => AwsErrorKind::Throttled,
        _ => match status {
            Some(403) => AwsErrorKind::AccessDenied,
            Some(404) => AwsErrorKind::NotFound,
            Some(409) => AwsErrorKind::Conflict,
            Some(412) => AwsErrorKind::PreconditionFailed,
            Some(429) => AwsErrorKind::Throttled,
            Some(500..) => AwsErrorKind::NoAnswer,
            Some(_) | None => AwsErrorKind::Invalid,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denied_resource_is_never_a_missing_one() {
        for code in ["AccessDenied", "AccessDeniedException", "ExpiredTokenException"] {
            assert_eq!(kind_of(Some(code), Some(400)), AwsErrorKind::AccessDenied, "{code}");
        }
        assert_eq!(kind_of(None, Some(403)), AwsErrorKind::AccessDenied);
        assert_eq!(kind_of(Some("NoSuchKey"), Some(404)), AwsErrorKind::NotFound);
    }

    #[test]
    fn a_missing_bucket_is_named_and_not_the_key_in_it() {
        let error =
            AwsError::of_entry("s3:GetObject", "arn:aws:s3:::acme/prod/ecs.config", "eu", "NoSuchBucket");
        let failure = error.failure("cannot read it");
        assert_eq!(failure.remedy, "create arn:aws:s3:::acme, or correct its name or location in the config");
    }

    #[test]
    fn a_server_error_leaves_open_whether_it_was_done() {
        assert_eq!(kind_of(Some("InternalServerError"), Some(500)), AwsErrorKind::NoAnswer);
        assert_eq!(kind_of(Some("ServiceUnavailable"), Some(503)), AwsErrorKind::NoAnswer);
        assert_eq!(kind_of(Some("SlowDown"), Some(503)), AwsErrorKind::Throttled);
    }

    #[test]
    fn what_an_error_and_its_causes_say_is_one_line_and_nothing_is_said_twice() {
        let inner = CredentialsError::not_loaded(
            "no credentials in the chain:\n  Environment: unset\n  Profile: none",
        );
        let text = said_by(&inner);
        assert!(text.ends_with(": no credentials in the chain: Environment: unset Profile: none"), "{text}");
        let outer = std::io::Error::other(std::io::Error::other("refused"));
        assert_eq!(said_by(&outer), "refused");
    }

    #[test]
    fn a_rejected_request_does_not_repeat_what_the_service_said_of_it() {
        let error =
            AwsError::of_entry("secretsmanager:PutSecretValue", "arn:x", "eu", "InvalidParameterException");
        let failure = error.failure("store secret `x`");
        assert_eq!(failure.kind, FailureKind::Invalid);
        assert!(failure.why.starts_with("InvalidParameterException"));
    }
}
