//! What hosts ask of the cloud around them.

use std::sync::{Arc, Weak};

use chrono::Utc;
use http::StatusCode;
use regcred_core::secret::Secret;

use super::{Shared, lock};
use crate::hosts::{Cloud, Fetch, FetchRefusal, Object, RoleCredentials};

/// The sandbox as its hosts see it. They do not keep it alive.
pub(super) struct CloudOf(Weak<Shared>);

impl CloudOf {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::downgrade(shared))
    }
}

impl Cloud for CloudOf {
    fn endpoint(&self) -> String {
        self.0.upgrade().map(|shared| shared.endpoint.clone()).unwrap_or_default()
    }

    fn mint_credentials(&self, account: &str, role: &str) -> RoleCredentials {
        let Some(shared) = self.0.upgrade() else {
            // The sandbox ends: nobody will look at these.
            return RoleCredentials {
                access_key_id: String::new(),
                secret_access_key: Secret::from(""),
                token: Secret::from(""),
            };
        };
        let keys = lock(&shared.identity).mint(account, role, Utc::now());
        RoleCredentials {
            access_key_id: keys.access_key_id,
            secret_access_key: keys.secret_access_key,
            token: keys.token,
        }
    }

    fn get_object(&self, fetch: &Fetch<'_>) -> Result<Object, FetchRefusal> {
        let shared = self.0.upgrade().ok_or(FetchRefusal::Failed)?;
        let Fetch { account, region, role, bucket, key } = *fetch;
        let caller = lock(&shared.identity).host_caller(account, region, role);
        let answer = shared.get_object_as(&caller, bucket, key).map_err(|error| match error.status {
            StatusCode::FORBIDDEN => FetchRefusal::Denied,
            StatusCode::NOT_FOUND => FetchRefusal::NotFound,
            _ => FetchRefusal::Failed,
        })?;
        let version_id =
            answer.headers.get("x-amz-version-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let body = String::from_utf8(answer.body.to_vec()).map_err(|_| FetchRefusal::Failed)?;
        Ok(Object { version_id, body: Secret::new(body) })
    }
}
