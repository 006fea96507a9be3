//! What hosts ask of the cloud around them.

use regcred_core::secret::Secret;

/// The rest of the sandbox, as a host sees it. Called from many hosts at once; must not block for long.
pub trait Cloud: Send + Sync {
    /// The sandbox's one endpoint, such as `http://127.0.0.1:41234`. Asked only while a script runs.
    fn endpoint(&self) -> String;

    /// Credentials of the host's instance profile (or of its role for ECS Anywhere), as IMDS hands them out.
    fn mint_credentials(&self, account: &str, role: &str) -> RoleCredentials;

    /// `s3:GetObject` of the current version under the host's role: what a host in memory does instead of HTTP. The same
    /// policy as over the wire applies.
    fn get_object(&self, fetch: &Fetch<'_>) -> Result<Object, FetchRefusal>;
}

/// Temporary credentials, in IMDS's words.
#[derive(Clone, Debug)]
pub struct RoleCredentials {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub token: Secret,
}

/// One read of an object by a host's role.
#[derive(Clone, Copy, Debug)]
pub struct Fetch<'a> {
    pub account: &'a str,
    pub region: &'a str,
    pub role: &'a str,
    pub bucket: &'a str,
    pub key: &'a str,
}

/// An object's current version.
#[derive(Clone, Debug)]
pub struct Object {
    pub version_id: Option<String>,
    pub body: Secret,
}

/// Why a read gave nothing, as the script tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchRefusal {
    /// 403.
    Denied,
    /// 404.
    NotFound,
    /// Anything else, among it no answer.
    Failed,
}
