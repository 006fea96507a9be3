//! STS: AssumeRole and GetCallerIdentity, in the query protocol.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use super::Service;
use crate::error::{AwsError, Refusal};
use crate::identity::{Caller, Identity};
use crate::services::s3::xml::escape;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Answers one call with the XML of its result.
pub(crate) fn handle(
    identity: &mut Identity,
    caller: &Caller,
    operation: &str,
    mut form: BTreeMap<String, String>,
    now: DateTime<Utc>,
) -> Result<String, AwsError> {
    form.remove("Action");
    if form.remove("Version").as_deref() != Some("2011-06-15") {
        return Err(AwsError::not_modelled(Service::Sts, "another Version than 2011-06-15"));
    }
    let result = match operation {
        "AssumeRole" => assume_role(identity, caller, &mut form, now)?,
        "GetCallerIdentity" => get_caller_identity(caller),
        other => return Err(AwsError::not_modelled(Service::Sts, format!("the action {other}"))),
    };
    if let Some(member) = form.keys().next() {
        return Err(AwsError::not_modelled(Service::Sts, format!("the member {member} of {operation}")));
    }
    let request_id = uuid::Uuid::new_v4();
    Ok(format!(
        "<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result>{result}</{operation}Result>\
         <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    ))
}

fn get_caller_identity(caller: &Caller) -> String {
    format!(
        "<Arn>{}</Arn><UserId>{}</UserId><Account>{}</Account>",
        escape(&caller.arn()),
        escape(&caller.user_id()),
        caller.account
    )
}

fn assume_role(
    identity: &mut Identity,
    caller: &Caller,
    form: &mut BTreeMap<String, String>,
    now: DateTime<Utc>,
) -> Result<String, AwsError> {
    let invalid = |text: &str| AwsError::new("ValidationError", text);
    let role_arn = form.remove("RoleArn").ok_or_else(|| invalid("RoleArn is required"))?;
    let session = form.remove("RoleSessionName").ok_or_else(|| invalid("RoleSessionName is required"))?;
    let is_name_character = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&session.len()) || !session.chars().all(is_name_character) {
        return Err(invalid("RoleSessionName must be 2 to 64 of the characters \\w+=,.@-"));
    }
    let seconds = match form.remove("DurationSeconds") {
        None => 3600,
        Some(text) => text
            .parse()
            .ok()
            .filter(|seconds| (900..=43_200).contains(seconds))
            .ok_or_else(|| invalid("DurationSeconds must be 900 to 43200"))?,
    };
    let external_id = form.remove("ExternalId");
    let keys = identity
        .assume(caller, &role_arn, &session, external_id.as_deref(), Duration::from_secs(seconds), now)
        .map_err(|refusal: Refusal| refusal.by(Service::Sts))?;
    let assumed = role_arn.replace(":iam::", ":sts::").replace(":role/", ":assumed-role/");
    Ok(format!(
        "<AssumedRoleUser><AssumedRoleId>AROASANDBOX:{session}</AssumedRoleId><Arn>{assumed}/{session}</Arn>\
         </AssumedRoleUser><Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>",
        keys.access_key_id,
        keys.secret_access_key.expose(),
        keys.token.expose(),
        keys.expires.to_rfc3339_opts(SecondsFormat::Secs, true),
        assumed = escape(&assumed),
        session = escape(&session),
    ))
}
