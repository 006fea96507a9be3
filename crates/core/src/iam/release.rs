//! What `regcred release` may do besides what regcred itself may.

use serde_json::Value;

use super::{Hosts, Needs, Policy};

/// For the role, or the user, with which regcred works in one location, for as long as a release takes.
pub fn release(needs: &Needs) -> Value {
    let Needs { site, state, secrets, fleets, objects: _, sources: _ } = needs;
    let mut policy = Policy::default();
    let clusters = fleets.iter().flat_map(|fleet| match &fleet.hosts {
        Hosts::Clusters(names) => names.as_slice(),
        Hosts::Managed => &[],
    });
    policy.allow(
        "ForgetHosts",
        &["ecs:DeleteAttributes"],
        clusters.map(|name| site.arn("ecs", &format!("container-instance/{name}/*"))),
    );
    let all = secrets.iter().map(|secret| site.secret_arn(&secret.name));
    policy.allow("UntagSecrets", &["secretsmanager:UntagResource"], all);
    let own = state.iter().map(|place| site.s3_arn(&format!("{}/{}*", place.bucket, place.prefix)));
    policy.allow("DeleteTheState", &["s3:DeleteObject"], own);
    policy.done()
}
