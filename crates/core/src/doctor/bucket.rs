//! A bucket's settings, judged by what is kept in it.
//!
//! Encryption is none of them: S3 encrypts every object since January 2023
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html>).

use super::{Aspect, Outcome};
use crate::report::{Failure, FailureKind};

/// What a bucket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// Hosts fetch an ecs.config from it.
    EcsConfigs,
    /// regcred's own objects alone are in it.
    StateAlone,
}

/// What was seen of a bucket; a failure where it could not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketSettings {
    pub listable: Result<(), Failure>,
    pub versioned: Result<bool, Failure>,
    pub expiry: Result<Expiry, Failure>,
    pub public_access: Result<PublicAccess, Failure>,
}

/// Whether old versions go by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// An enabled lifecycle rule removes noncurrent versions.
    Some,
    None,
}

/// The bucket's own public access block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicAccess {
    /// All four of its settings are on.
    Blocked,
    /// Some are off, or there is none.
    NotBlocked,
}

impl BucketSettings {
    /// Judges the bucket of this name, which a person knows as `place`: `bucket \`acme-ecs\` in eu`.
    pub fn judge(self, usage: Use, name: &str, place: &str) -> Vec<(Aspect, Outcome)> {
        let Self { listable, versioned, expiry, public_access } = self;
        let finding = |what: &str, why: &str, remedy: String| {
            Failure::new(FailureKind::Refused, format!("{place} {what}"), why, remedy)
        };
        let mut judged = vec![(Aspect::Listable, Outcome::of_need(listable.err()))];
        match usage {
            Use::StateAlone => {}
            Use::EcsConfigs => {
                judged.push((
                    Aspect::Versioned,
                    match versioned {
                        Ok(true) => Outcome::Good,
                        Ok(false) => Outcome::of_need(Some(finding(
                            "keeps no old versions",
                            "an older ecs.config could not be had back, and a host could not say which one it loaded; a sync \
                             refuses to write it",
                            format!(
                                "aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled"
                            ),
                        ))),
                        Err(failure) => Outcome::of_need(Some(failure)),
                    },
                ));
                judged.push((
                    Aspect::OldVersionsExpire,
                    match expiry {
                        Ok(Expiry::Some) => Outcome::Good,
                        Ok(Expiry::None) => Outcome::warning(finding(
                            "keeps old versions for ever",
                            "each version of an ecs.config holds the passwords of its time, and no enabled lifecycle rule \
                             removes noncurrent ones",
                            format!(
                                "add a rule with NoncurrentVersionExpiration (aws s3api put-bucket-lifecycle-configuration \
                                 --bucket {name} replaces all rules: look at those that are there first)"
                            ),
                        )),
                        Err(failure) => Outcome::CannotTell { failure },
                    },
                ));
            }
        }
        judged.push((
            Aspect::PublicAccessBlocked,
            match public_access {
                Ok(PublicAccess::Blocked) => Outcome::Good,
                Ok(PublicAccess::NotBlocked) => Outcome::warning(finding(
                    "does not refuse to be public",
                    "a policy or an ACL by mistake would show passwords to everybody; whether the account as a whole refuses \
                     it was not looked at",
                    format!(
                        "aws s3api put-public-access-block --bucket {name} --public-access-block-configuration \
                         BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
                    ),
                )),
                Err(failure) => Outcome::CannotTell { failure },
            },
        ));
        judged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;

    fn good() -> BucketSettings {
        BucketSettings {
            listable: Ok(()),
            versioned: Ok(true),
            expiry: Ok(Expiry::Some),
            public_access: Ok(PublicAccess::Blocked),
        }
    }

    #[test]
    fn each_setting_is_judged_by_what_the_bucket_is_for() {
        let bad = BucketSettings {
            versioned: Ok(false),
            expiry: Ok(Expiry::None),
            public_access: Ok(PublicAccess::NotBlocked),
            ..good()
        };
        let severities = |settings: BucketSettings, usage| -> Vec<(Aspect, Option<Severity>)> {
            let judged = settings.judge(usage, "b", "bucket `b`");
            let severity = |outcome| match outcome {
                Outcome::Good => None,
                Outcome::Finding { severity, failure } => {
                    assert!(failure.remedy.contains(" b "), "{failure:?}");
                    Some(severity)
                }
                other => panic!("{other:?}"),
            };
            judged.into_iter().map(|(aspect, outcome)| (aspect, severity(outcome))).collect()
        };
        let (error, warning) = (Some(Severity::Error), Some(Severity::Warning));
        assert_eq!(
            severities(bad.clone(), Use::EcsConfigs),
            [
                (Aspect::Listable, None),
                (Aspect::Versioned, error),
                (Aspect::OldVersionsExpire, warning),
                (Aspect::PublicAccessBlocked, warning)
            ]
        );
        assert_eq!(
            severities(bad, Use::StateAlone),
            [(Aspect::Listable, None), (Aspect::PublicAccessBlocked, warning)]
        );
        assert!(severities(good(), Use::EcsConfigs).iter().all(|(_, severity)| severity.is_none()));
    }

    #[test]
    fn what_a_pass_needs_is_a_finding_where_it_is_denied_and_what_only_a_doctor_asks_is_not() {
        let denied = || Failure::new(FailureKind::AccessDenied, "", "", "");
        let settings = BucketSettings {
            listable: Err(denied()),
            versioned: Err(denied()),
            expiry: Err(denied()),
            public_access: Err(denied()),
        };
        let judged = settings.judge(Use::EcsConfigs, "b", "bucket `b`");
        let told: Vec<bool> =
            judged.iter().map(|(_, outcome)| matches!(outcome, Outcome::Finding { .. })).collect();
        assert_eq!(told, [true, true, false, false]);
    }
}
