//! What regcred itself may do.

use serde_json::{Value, json};

use super::{Hosts, Needs, Policy, ReadSource, RestartedFleet, Site, WrittenSecret, once_each};
use crate::replica::key_elsewhere;

/// For the role, or the user, with which regcred works in one location.
pub fn controller(needs: &Needs) -> Value {
    let Needs { site, state, secrets, objects, fleets, sources } = needs;
    let mut policy = Policy::default();

    let own = state.iter().map(|place| site.s3_arn(&format!("{}/{}*", place.bucket, place.prefix)));
    policy.allow("KeepTheState", &["s3:GetObject", "s3:PutObject"], own);
    let all = objects.iter().map(|object| site.s3_arn(&format!("{}/{}", object.bucket, object.key)));
    policy.allow("WriteEcsConfigs", &["s3:GetObject", "s3:PutObject"], all);
    // Without it S3 says of a missing object that it is forbidden.
    let buckets = objects.iter().map(|object| &object.bucket).chain(state.iter().map(|place| &place.bucket));
    policy.allow("TellMissingFromForbidden", &["s3:ListBucket"], buckets.map(|name| site.s3_arn(name)));
    let buckets = objects.iter().map(|object| site.s3_arn(&object.bucket));
    policy.allow("SeeThatOldVersionsAreKept", &["s3:GetBucketVersioning"], buckets);
    let keys = || objects.iter().filter_map(|object| object.kms_key.as_deref());
    policy.allow_keys("EncryptEcsConfigs", &["kms:Decrypt", "kms:GenerateDataKey"], site, "s3", keys());

    if !secrets.is_empty() {
        // It has no resource; the values are GetSecretValue's to allow, secret by secret.
        policy.allow("ReadSecretsTogether", &["secretsmanager:BatchGetSecretValue"], ["*".to_owned()]);
    }
    policy.allow(
        "WriteSecrets",
        &[
            "secretsmanager:CreateSecret",
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
            "secretsmanager:TagResource",
            "secretsmanager:UpdateSecretVersionStage",
        ],
        secrets.iter().flat_map(|secret| site.secret_arns(&secret.name)),
    );
    copy_secrets(&mut policy, site, secrets);
    let keys = || secrets.iter().filter_map(|secret| secret.kms_key.as_deref());
    policy.allow_keys(
        "EncryptSecrets",
        &["kms:Decrypt", "kms:GenerateDataKey"],
        site,
        "secretsmanager",
        keys(),
    );

    read_sources(&mut policy, site, sources);
    restart(&mut policy, site, fleets);
    policy.done()
}

/// Secrets Manager makes the copies with the caller's permissions
/// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ReplicateSecretToRegions.html>).
fn copy_secrets(policy: &mut Policy, site: &Site, secrets: &[WrittenSecret]) {
    let copied = || secrets.iter().filter(|secret| !secret.replicate_to.is_empty());
    let regions = once_each(copied().flat_map(|secret| secret.replicate_to.iter().cloned()));
    policy.allow_if(
        "CopySecretsToRegions",
        &["secretsmanager:ReplicateSecretToRegions"],
        copied().map(|secret| site.secret_arn(&secret.name)),
        &json!({ "ForAllValues:StringEquals": { "secretsmanager:AddReplicaRegions": regions } }),
    );
    for region in regions {
        let there = Site { region: region.clone(), account: site.account.clone() };
        let keys = copied()
            .filter(|secret| secret.replicate_to.contains(&region))
            .filter_map(|secret| key_elsewhere(secret.kms_key.as_deref()?));
        let sid = format!("EncryptCopiesIn{}", region.replace('-', ""));
        policy.allow_keys(&sid, &["kms:Encrypt", "kms:GenerateDataKey"], &there, "secretsmanager", keys);
    }
}

fn read_sources(policy: &mut Policy, site: &Site, sources: &[ReadSource]) {
    let secrets = sources.iter().filter_map(|source| match source {
        ReadSource::Secret(id) => Some(site.secret_arns(id)),
        ReadSource::Parameter(_) => None,
    });
    policy.allow("ReadSourceSecrets", &["secretsmanager:GetSecretValue"], secrets.flatten());
    let parameters = sources.iter().filter_map(|source| match source {
        ReadSource::Parameter(name) if name.starts_with("arn:") => Some(name.clone()),
        // A name that begins with a slash has it in the ARN once.
        ReadSource::Parameter(name) => {
            Some(site.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/'))))
        }
        ReadSource::Secret(_) => None,
    });
    policy.allow("ReadSourceParameters", &["ssm:GetParameter"], parameters);
}

fn restart(policy: &mut Policy, site: &Site, fleets: &[RestartedFleet]) {
    let clusters = || {
        fleets.iter().flat_map(|fleet| match &fleet.hosts {
            Hosts::Clusters(names) => names.as_slice(),
            Hosts::Managed => &[],
        })
    };
    if clusters().any(|name| name.contains(['*', '?'])) {
        policy.allow("FindClusters", &["ecs:ListClusters"], ["*".to_owned()]);
    }
    policy.allow(
        "SeeClusters",
        &["ecs:DescribeClusters", "ecs:ListContainerInstances"],
        clusters().map(|name| site.arn("ecs", &format!("cluster/{name}"))),
    );
    policy.allow(
        "SeeAndRecordHosts",
        &["ecs:DescribeContainerInstances", "ecs:PutAttributes"],
        clusters().map(|name| site.arn("ecs", &format!("container-instance/{name}/*"))),
    );
    // By its type, a host's provider tells whether it is an ECS Managed Instance.
    let providers = clusters().next().map(|_| site.arn("ecs", "capacity-provider/*"));
    policy.allow("TellManagedInstances", &["ecs:DescribeCapacityProviders"], providers);
    if fleets.is_empty() {
        return;
    }
    // None of them can be narrowed to a command or to hosts.
    policy.allow(
        "FollowCommands",
        &["ssm:DescribeInstanceInformation", "ssm:ListCommandInvocations", "ssm:ListCommands"],
        ["*".to_owned()],
    );
    let documents = || {
        fleets.iter().map(|fleet| match fleet.document.as_str() {
            // A document of another account is named by its ARN.
            arn if arn.starts_with("arn:") => arn.to_owned(),
            name => site.arn("ssm", &format!("document/{name}")),
        })
    };
    policy.allow("SeeTheDocument", &["ssm:GetDocument"], documents());
    let hosts = [site.arn("ec2", "instance/*"), site.arn("ssm", "managed-instance/*")];
    policy.allow("SendTheDocumentAlone", &["ssm:SendCommand"], documents().chain(hosts));
}

/// For whoever starts regcred, where the configuration names roles: to take them on.
pub fn assume(roles: &[String]) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "TakeOnTheRoles", "Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": once_each(roles.iter().cloned()),
        }],
    })
}
