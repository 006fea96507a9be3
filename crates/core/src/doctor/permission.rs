//! The permissions that no look can prove.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::names::LocationName;

/// One that only a write would prove. It is not tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Untried {
    /// None for what whoever starts regcred needs.
    pub location: Option<LocationName>,
    /// As IAM names it.
    pub action: String,
    /// The ARNs that it is needed for, with `*` and `?` where the configuration does not tell.
    pub resources: Vec<String>,
}

/// What a write alone would prove of the actions that [`crate::iam::controller`] names. Every other one is proven by a look:
/// its call is made, and a refusal is a finding.
const WRITES: [&str; 10] = [
    "s3:PutObject",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "secretsmanager:CreateSecret",
    "secretsmanager:PutSecretValue",
    "secretsmanager:ReplicateSecretToRegions",
    "secretsmanager:TagResource",
    "secretsmanager:UpdateSecretVersionStage",
    "ecs:PutAttributes",
    "ssm:SendCommand",
];

/// The actions of a policy that [`crate::iam`] made which are not tried.
pub fn untried(location: Option<&LocationName>, policy: &Value) -> Vec<Untried> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut all = Vec::new();
    for statement in policy["Statement"].as_array().into_iter().flatten() {
        for action in texts(&statement["Action"]).into_iter().filter(|it| WRITES.contains(&it.as_str())) {
            all.push(Untried {
                location: location.cloned(),
                action,
                resources: texts(&statement["Resource"]),
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::iam::{
        Hosts, Needs, ReadSource, RestartedFleet, Site, StatePlace, WrittenObject, WrittenSecret, controller,
    };

    /// What a doctor's looks call.
    const LOOKS: [&str; 17] = [
        "s3:GetObject",
        "s3:ListBucket",
        "s3:GetBucketVersioning",
        "kms:Decrypt",
        "secretsmanager:BatchGetSecretValue",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "ssm:GetParameter",
        "ssm:GetDocument",
        "ssm:DescribeInstanceInformation",
        "ssm:ListCommandInvocations",
        "ssm:ListCommands",
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:DescribeCapacityProviders",
    ];

    #[test]
    fn every_action_of_the_controller_is_either_looked_at_or_said_to_be_untried() {
        let key = Some("alias/own".to_owned());
        let needs = Needs {
            site: Site { region: "eu-west-1".into(), account: "111111111111".into() },
            state: Some(StatePlace { bucket: "s".into(), prefix: "p/".into() }),
            secrets: vec![WrittenSecret {
                name: "n".into(),
                kms_key: key.clone(),
                replicate_to: vec!["us-east-1".into()],
            }],
            objects: vec![WrittenObject { bucket: "b".into(), key: "k".into(), kms_key: key }],
            fleets: vec![RestartedFleet { hosts: Hosts::Clusters(vec!["*".into()]), document: "d".into() }],
            sources: vec![ReadSource::Parameter("p".into()), ReadSource::Secret("s".into())],
        };
        let policy = controller(&needs);
        let location = LocationName::new("eu");
        let untried: BTreeSet<String> =
            untried(Some(&location), &policy).into_iter().map(|each| each.action).collect();
        let all: BTreeSet<&str> = policy["Statement"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|statement| statement["Action"].as_array().unwrap())
            .map(|action| action.as_str().unwrap())
            .collect();
        // A copy's key is named only where its ARN or alias tells it for the other Region.
        let expected = WRITES.iter().filter(|action| **action != "kms:Encrypt").count();
        assert_eq!(untried.iter().filter(|action| *action != "kms:Encrypt").count(), expected, "{untried:?}");
        for action in all {
            assert!(untried.contains(action) || LOOKS.contains(&action), "{action}");
        }
    }
}
