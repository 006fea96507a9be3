//! A GetCallerIdentity that is signed and handed on: whoever sends it learns from AWS who signed it.

use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use regcred_core::secret::Secret;
use url::Url;

use super::{AwsError, Place};

const ACTION: &str = "sts:GetCallerIdentity";
const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
/// Binds the request to one server, so that another that got hold of it cannot log in there with it.
const SERVER_ID: &str = "x-vault-aws-iam-server-id";

/// Who is called as in one location.
#[derive(Clone, Debug)]
pub(crate) struct CallerIdentity {
    credentials: Option<SharedCredentialsProvider>,
    place: Place,
}

/// A request that AWS answers to whoever sends it within a quarter of an hour.
#[derive(Debug)]
pub(crate) struct SignedRequest {
    pub(crate) url: String,
    pub(crate) body: &'static str,
    /// All that have to be sent, the signature and a session's token among them.
    pub(crate) headers: Vec<(String, Secret)>,
}

impl CallerIdentity {
    pub(super) fn new(config: &SdkConfig, place: Place) -> Self {
        Self { credentials: config.credentials_provider(), place }
    }

    /// Signs for STS's endpoint of the location's Region, unless another is given: it has to be the one that the receiver
    /// sends to. Makes no call but what the location's credentials need.
    pub(crate) async fn signed_request(
        &self,
        endpoint: Option<&Url>,
        server_id: Option<&str>,
    ) -> Result<SignedRequest, AwsError> {
        let region = self.place.region.as_deref().unwrap_or("us-east-1");
        let url = endpoint.map_or_else(|| self.regional_endpoint(region), ToString::to_string);
        // The endpoint without a Region is in this one.
        let is_global = endpoint.and_then(Url::host_str) == Some("sts.amazonaws.com");
        let region = if is_global { "us-east-1" } else { region };
        let without =
            |error: Option<&CredentialsError>| AwsError::without_credentials(ACTION, &self.place.text, error);
        let provider = self.credentials.as_ref().ok_or_else(|| without(None))?;
        let credentials = provider.provide_credentials().await.map_err(|error| without(Some(&error)))?;
        let identity = Identity::from(credentials);
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name("sts")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .expect("all that is required is set");
        let given: Vec<(&str, &str)> =
            [FORM].into_iter().chain(server_id.map(|id| (SERVER_ID, id))).collect();
        let body = SignableBody::Bytes(BODY.as_bytes());
        let signed = SignableRequest::new("POST", url.as_str(), given.iter().copied(), body)
            .and_then(|request| sign(request, &parameters.into()));
        let (instructions, _) =
            signed.expect("the URL was parsed and the headers were held against the rules").into_parts();
        let made = instructions.headers().map(|(name, value)| (name.to_owned(), Secret::from(value)));
        let headers =
            given.iter().map(|(name, value)| ((*name).to_owned(), Secret::from(*value))).chain(made);
        Ok(SignedRequest { headers: headers.collect(), body: BODY, url })
    }

    /// <https://docs.aws.amazon.com/general/latest/gr/sts.html>
    fn regional_endpoint(&self, region: &str) -> String {
        let suffix = if self.place.partition() == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://sts.{region}.{suffix}/")
    }
}
