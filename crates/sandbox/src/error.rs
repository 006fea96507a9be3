//! An error as AWS answers it, before it is put into a protocol's form.

use std::borrow::Cow;

use http::StatusCode;

use crate::services::Service;

/// A refusal by a service: its code, its text, and the HTTP status it goes with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AwsError {
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: String,
    pub(crate) status: StatusCode,
}

impl AwsError {
    /// A client error of a JSON service: always 400, whatever its name says.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status: StatusCode::BAD_REQUEST }
    }

    pub(crate) fn with_status(code: &'static str, status: StatusCode, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status }
    }

    /// A request that AWS may accept and that this double does not model: loud, and never retried by an SDK.
    pub(crate) fn not_modelled(service: Service, what: impl std::fmt::Display) -> Self {
        let code = match service {
            Service::SecretsManager | Service::Ssm | Service::Ecs | Service::Kms => "SerializationException",
            Service::S3 => "NotImplemented",
            Service::Sts => "InvalidAction",
        };
        Self::new(code, format!("the sandbox does not model {what}"))
    }
}

/// Why a caller is turned away before its operation is looked at, or by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No signature at all.
    Unsigned,
    /// An `Authorization` header that is not SigV4's.
    Malformed(&'static str),
    UnknownKey,
    /// The session's token is missing or another one's.
    WrongToken,
    Expired,
    /// Signed too long ago, or in the future.
    Skewed,
    WrongSignature,
    /// The body is not the one that was signed.
    WrongBody,
    /// Signed for another service than the request is for.
    WrongScope(String),
    /// The caller's policy does not allow it.
    Denied {
        caller: String,
        action: String,
        resource: String,
    },
    /// As many calls as AWS takes.
    Throttled,
}

impl Refusal {
    /// The error in the service's own words.
    ///
    /// JSON services: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html>; S3:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>; STS:
    /// <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>.
    pub(crate) fn by(&self, service: Service) -> AwsError {
        use StatusCode as S;
        let (json, s3, sts) = match self {
            Self::Unsigned => (
                "MissingAuthenticationToken",
                ("AccessDenied", S::FORBIDDEN),
                ("MissingAuthenticationToken", S::FORBIDDEN),
            ),
            Self::Malformed(_) | Self::WrongScope(_) => (
                "IncompleteSignature",
                ("AuthorizationHeaderMalformed", S::BAD_REQUEST),
                ("IncompleteSignature", S::BAD_REQUEST),
            ),
            Self::UnknownKey => (
                "UnrecognizedClientException",
                ("InvalidAccessKeyId", S::FORBIDDEN),
                ("InvalidClientTokenId", S::FORBIDDEN),
            ),
            Self::WrongToken => (
                "UnrecognizedClientException",
                ("InvalidToken", S::BAD_REQUEST),
                ("InvalidClientTokenId", S::FORBIDDEN),
            ),
            Self::Expired => {
                ("ExpiredTokenException", ("ExpiredToken", S::BAD_REQUEST), ("ExpiredToken", S::FORBIDDEN))
            }
            Self::Skewed => (
                "InvalidSignatureException",
                ("RequestTimeTooSkewed", S::FORBIDDEN),
                ("SignatureDoesNotMatch", S::FORBIDDEN),
            ),
            Self::WrongSignature => (
                "InvalidSignatureException",
                ("SignatureDoesNotMatch", S::FORBIDDEN),
                ("SignatureDoesNotMatch", S::FORBIDDEN),
            ),
            Self::WrongBody => (
                "InvalidSignatureException",
                ("XAmzContentSHA256Mismatch", S::BAD_REQUEST),
                ("SignatureDoesNotMatch", S::FORBIDDEN),
            ),
            Self::Denied { .. } => {
                ("AccessDeniedException", ("AccessDenied", S::FORBIDDEN), ("AccessDenied", S::FORBIDDEN))
            }
            Self::Throttled => {
                ("ThrottlingException", ("SlowDown", S::SERVICE_UNAVAILABLE), ("Throttling", S::BAD_REQUEST))
            }
        };
        let (code, status) = match service {
            Service::SecretsManager | Service::Ssm | Service::Ecs | Service::Kms => (json, S::BAD_REQUEST),
            Service::S3 => s3,
            Service::Sts => sts,
        };
        AwsError::with_status(code, status, self.text())
    }

    fn text(&self) -> String {
        match self {
            Self::Unsigned => "Request is missing Authentication Token".into(),
            Self::Malformed(part) => format!("Authorization header is malformed: {part}"),
            Self::UnknownKey | Self::WrongToken => {
                "The security token included in the request is invalid.".into()
            }
            Self::Expired => "The security token included in the request is expired".into(),
            Self::Skewed => "Signature expired or not yet current: the clocks differ by too much".into(),
            Self::WrongSignature => "The request signature we calculated does not match the signature you \
                                     provided. Check your AWS Secret Access Key and signing method."
                .into(),
            Self::WrongBody => {
                "The provided 'x-amz-content-sha256' header does not match what was computed.".into()
            }
            Self::WrongScope(scope) => format!("Credential should be scoped to correct service: '{scope}'."),
            Self::Denied { caller, action, resource } => format!(
                "User: {caller} is not authorized to perform: {action} on resource: {resource} because no \
                 identity-based policy allows the {action} action"
            ),
            Self::Throttled => "Rate exceeded".into(),
        }
    }
}
