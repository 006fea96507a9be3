//! What buckets and keys refuse, whatever a caller's own policies allow.

use serde_json::{Value, json};

use super::{Needs, Site};

/// For a bucket of the configuration.
///
/// It refuses what comes without TLS; and a write of regcred's own objects that names no version: regcred makes none, and
/// one by another hand would take the lease, or the records of hosts, from under it
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html>).
pub fn bucket(needs: &Needs, name: &str) -> Value {
    let Needs { site, state, secrets: _, objects: _, fleets: _, sources: _ } = needs;
    let mut statements = vec![json!({
        "Sid": "RefusePlainHttp",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [site.s3_arn(name), site.s3_arn(&format!("{name}/*"))],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    })];
    if let Some(place) = state.as_ref().filter(|place| place.bucket == name) {
        statements.push(json!({
            "Sid": "RefuseBlindWritesOfTheState",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": site.s3_arn(&format!("{name}/{}*", place.prefix)),
            "Condition": { "Null": { "s3:if-match": "true", "s3:if-none-match": "true" } },
        }));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// For a key of one's own that secrets or objects are encrypted with.
///
/// Who may use it is for the policies of roles to say, as the first statement allows; the second refuses everybody who would
/// decrypt by hand what Secrets Manager and S3 encrypted.
pub fn key(site: &Site) -> Value {
    let root = format!("arn:{}:iam::{}:root", site.partition(), site.account);
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "LetThePoliciesOfTheAccountDecide",
                "Effect": "Allow",
                "Principal": { "AWS": root },
                "Action": "kms:*",
                "Resource": "*",
            },
            {
                "Sid": "RefuseUseByHand",
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"],
                "Resource": "*",
                "Condition": { "StringNotEquals": { "kms:ViaService": [site.via("s3"), site.via("secretsmanager")] } },
            },
        ],
    })
}
