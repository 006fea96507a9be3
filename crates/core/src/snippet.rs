//! What an operator copies so that tasks use a secret: the fragment of a container definition, and the policies.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html> says what the task execution role needs;
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples_cross.html> what another account does.
//! No secret is in any of it: it names where one is.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::names::LocationName;
use crate::partition::via_service;

/// A secret as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSecret {
    pub location: LocationName,
    pub arn: String,
    /// The ARN of the key that it is encrypted with; none for the one that AWS manages, which every role of the account may
    /// use through Secrets Manager, and no other account may use at all.
    pub key_arn: Option<String>,
}

/// An AWS account: twelve digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountId(String);

impl std::str::FromStr for AccountId {
    type Err = NoAccountId;

    fn from_str(text: &str) -> Result<Self, NoAccountId> {
        let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_account.then(|| Self(text.to_owned())).ok_or(NoAccountId)
    }
}

impl std::fmt::Display for AccountId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no id of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account is twelve digits")]
pub struct NoAccountId;

/// All that is to be copied for one location.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Snippet {
    pub location: LocationName,
    pub secret_arn: String,
    pub key_arn: Option<String>,
    /// For the container definition: `{"repositoryCredentials": …}`.
    pub container_definition: Value,
    /// For the task execution role, in the account of the tasks.
    pub execution_role_policy: Value,
    /// For the secret, where the tasks are another account's: its resource policy.
    pub resource_policy: Option<Value>,
    /// For the key, where the tasks are another account's: a statement to add to its policy.
    pub key_policy_statement: Option<Value>,
}

/// Tasks of another account cannot use the secret: AWS's own key is its account's alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret is encrypted with the key that AWS manages, which no other account can use")]
pub struct KeyIsNotShared;

/// What to copy, for tasks of the secret's own account, or of another.
pub fn snippet(secret: &FoundSecret, for_account: Option<&AccountId>) -> Result<Snippet, KeyIsNotShared> {
    let FoundSecret { location, arn, key_arn } = secret;
    let Arn { partition, region, account } = Arn::of(arn);
    let foreign = for_account.filter(|other| other.0 != account);
    let via =
        json!({ "StringEquals": { "kms:ViaService": via_service(partition, "secretsmanager", region) } });
    let mut statements = vec![json!({
        "Sid": "ReadRegistryCredential",
        "Effect": "Allow",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": arn,
    })];
    if let Some(key) = key_arn {
        statements.push(json!({
            "Sid": "DecryptRegistryCredential",
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": key,
            "Condition": via,
        }));
    }
    let (mut resource_policy, mut key_policy_statement) = (None, None);
    if let Some(AccountId(other)) = foreign {
        if key_arn.is_none() {
            return Err(KeyIsNotShared);
        }
        let principal = json!({ "AWS": format!("arn:{partition}:iam::{other}:root") });
        resource_policy = Some(policy(&[json!({
            "Sid": "LetAnotherAccountRead",
            "Effect": "Allow",
            "Principal": principal,
            "Action": "secretsmanager:GetSecretValue",
            "Resource": "*",
        })]));
        key_policy_statement = Some(json!({
            "Sid": "LetAnotherAccountDecrypt",
            "Effect": "Allow",
            "Principal": principal,
            "Action": ["kms:Decrypt", "kms:DescribeKey"],
            "Resource": "*",
            "Condition": via,
        }));
    }
    Ok(Snippet {
        location: location.clone(),
        secret_arn: arn.clone(),
        key_arn: key_arn.clone(),
        container_definition: json!({ "repositoryCredentials": { "credentialsParameter": arn } }),
        execution_role_policy: policy(&statements),
        resource_policy,
        key_policy_statement,
    })
}

fn policy(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// The parts of `arn:partition:service:region:account:…` that matter here.
struct Arn<'a> {
    partition: &'a str,
    region: &'a str,
    account: &'a str,
}

impl<'a> Arn<'a> {
    fn of(arn: &'a str) -> Self {
        let mut parts = arn.split(':').skip(1);
        let mut part = || parts.next().unwrap_or_default();
        let partition = part();
        let _service = part();
        Self { partition, region: part(), account: part() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(partition: &str, region: &str, has_key: bool) -> FoundSecret {
        let arn =
            |service: &str, rest: &str| format!("arn:{partition}:{service}:{region}:111111111111:{rest}");
        FoundSecret {
            location: "here".into(),
            arn: arn("secretsmanager", "secret:ecs/registry/hub-AbCdEf"),
            key_arn: has_key.then(|| arn("kms", "key/1234")),
        }
    }

    fn other() -> AccountId {
        "222222222222".parse().unwrap()
    }

    #[test]
    fn under_awss_own_key_a_role_needs_the_secret_alone() {
        let told = snippet(&secret("aws", "eu-west-1", false), None).unwrap();
        let arn = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:ecs/registry/hub-AbCdEf";
        assert_eq!(
            told.container_definition,
            json!({"repositoryCredentials": {"credentialsParameter": arn}})
        );
        assert_eq!(
            told.execution_role_policy,
            json!({"Version": "2012-10-17", "Statement": [{
                "Sid": "ReadRegistryCredential", "Effect": "Allow",
                "Action": "secretsmanager:GetSecretValue", "Resource": arn
            }]})
        );
        assert_eq!((told.resource_policy, told.key_policy_statement), (None, None));
    }

    #[test]
    fn a_key_of_ones_own_is_named_by_its_arn_in_each_partition() {
        for (partition, region, via) in [
            ("aws", "eu-west-1", "secretsmanager.eu-west-1.amazonaws.com"),
            ("aws-cn", "cn-north-1", "secretsmanager.cn-north-1.amazonaws.com.cn"),
            ("aws-us-gov", "us-gov-west-1", "secretsmanager.us-gov-west-1.amazonaws.com"),
        ] {
            let told = snippet(&secret(partition, region, true), Some(&other())).unwrap();
            let decrypt = &told.execution_role_policy["Statement"][1];
            assert_eq!(decrypt["Action"], "kms:Decrypt");
            assert_eq!(decrypt["Resource"], format!("arn:{partition}:kms:{region}:111111111111:key/1234"));
            assert_eq!(decrypt["Condition"]["StringEquals"]["kms:ViaService"], via);
            let principal = format!("arn:{partition}:iam::222222222222:root");
            assert_eq!(told.resource_policy.unwrap()["Statement"][0]["Principal"]["AWS"], principal);
            let key = told.key_policy_statement.unwrap();
            assert_eq!(
                (&key["Principal"]["AWS"], &key["Condition"]),
                (&json!(principal), &decrypt["Condition"])
            );
        }
    }

    #[test]
    fn another_account_needs_another_key_and_ones_own_needs_no_policy() {
        assert_eq!(snippet(&secret("aws", "eu-west-1", false), Some(&other())), Err(KeyIsNotShared));
        let own = snippet(&secret("aws", "eu-west-1", true), Some(&"111111111111".parse().unwrap())).unwrap();
        assert_eq!(own.resource_policy, None);
        for text in ["", "22222222222", "2222222222222", "22222222222x"] {
            assert_eq!(text.parse::<AccountId>(), Err(NoAccountId));
        }
    }
}
