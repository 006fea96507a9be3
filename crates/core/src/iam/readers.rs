//! What those may do who use what regcred publishes.

use serde_json::Value;

use super::{Needs, Policy};

/// For the instance role, and on ECS Anywhere the role of the activation: to fetch the ecs.config. What the SSM Agent needs
/// is AWS's `AmazonSSMManagedInstanceCore`.
pub fn instance(needs: &Needs) -> Value {
    let Needs { site, objects, state: _, secrets: _, fleets: _, sources: _ } = needs;
    let mut policy = Policy::default();
    let all = objects.iter().map(|object| site.s3_arn(&format!("{}/{}", object.bucket, object.key)));
    policy.allow("FetchEcsConfig", &["s3:GetObject"], all);
    let keys = objects.iter().filter_map(|object| object.kms_key.as_deref());
    policy.allow_keys("DecryptEcsConfig", &["kms:Decrypt"], site, "s3", keys);
    policy.done()
}

/// For the task execution role: to read the secrets that `repositoryCredentials` name.
pub fn task_execution(needs: &Needs) -> Value {
    let Needs { site, secrets, state: _, objects: _, fleets: _, sources: _ } = needs;
    let mut policy = Policy::default();
    let all = secrets.iter().map(|secret| site.secret_arn(&secret.name));
    policy.allow("ReadRegistryCredentials", &["secretsmanager:GetSecretValue"], all);
    let keys = secrets.iter().filter_map(|secret| secret.kms_key.as_deref());
    policy.allow_keys("DecryptRegistryCredentials", &["kms:Decrypt"], site, "secretsmanager", keys);
    policy.done()
}
