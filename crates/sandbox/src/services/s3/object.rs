//! One object: written under a condition, read, deleted.
//!
//! A whole call runs under the one lock of [`super::S3`]: of two writers with the same condition one wins.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, StatusCode};
use md5::{Digest, Md5};

use super::bucket::{Bucket, Content, Encryption, NULL_VERSION, Object, Version, Versioning, auth_of};
use super::checksum::{Algorithm, Checksum};
use super::{Answer, Call, Operation};
use crate::aws_chunked;
use crate::error::AwsError;
use crate::services::kms::{KeyState, Keys};
use crate::services::{Context, Service};
use crate::sigv4::{UNSIGNED_TRAILER, hex};

pub(super) fn put(
    cx: &Context<'_>,
    bucket: &mut Bucket,
    keys: &Keys,
    key: &str,
    resource: &str,
    call: &Call<'_>,
) -> Result<Answer, AwsError> {
    if key.len() > 1024 {
        return Err(AwsError::new("KeyTooLongError", "Your key is too long"));
    }
    let (body, checksum) = body_of(call)?;
    let encryption = encryption_of(call, keys)?;
    if call.header("if-match").is_some() {
        // To compare is to read: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        cx.authorize(Service::S3, "GetObject", resource)?;
    }
    hold_condition(bucket, key, call.header("if-match"), call.header("if-none-match"))?;
    let etag = match &encryption {
        Encryption::S3 => format!("\"{}\"", hex(&Md5::digest(&body))),
        // Not the MD5, so that nobody comes to depend on it.
        Encryption::Kms { .. } => format!("\"{}\"", uuid::Uuid::new_v4().simple()),
    };
    let metadata: BTreeMap<String, String> = call
        .headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-amz-meta-"))
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let content_type = call.header("content-type").unwrap_or("binary/octet-stream").to_owned();
    let mut answer = Answer::empty(StatusCode::OK)
        .with("etag", &etag)
        .with(checksum.algorithm.header(), &checksum.value)
        .with("x-amz-checksum-type", "FULL_OBJECT");
    answer = encrypted(answer, &encryption);
    let auth = auth_of(&body);
    let object = Object { body, etag, content_type, metadata, encryption, checksum, auth };
    let id = bucket.push(key, Content::Object(Box::new(object)), cx.now);
    Ok(versioned(answer, bucket, &id))
}

/// The body without its framing, and its checksum, each held against what the request claims.
fn body_of(call: &Call<'_>) -> Result<(Bytes, Checksum), AwsError> {
    let mut claims: Vec<(Algorithm, String)> = Algorithm::ALL
        .into_iter()
        .filter_map(|algorithm| Some((algorithm, call.header(algorithm.header())?.to_owned())))
        .collect();
    let body = if call.header("x-amz-content-sha256") == Some(UNSIGNED_TRAILER) {
        let decoded = aws_chunked::decode(&call.body).ok_or_else(|| {
            AwsError::new("IncompleteBody", "The chunks of the body are not what they say.")
        })?;
        let length = call.header("x-amz-decoded-content-length").and_then(|length| length.parse().ok());
        if length != Some(decoded.body.len()) {
            return Err(AwsError::new(
                "IncompleteBody",
                "x-amz-decoded-content-length is not the body's length.",
            ));
        }
        for (name, value) in decoded.trailers {
            let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.header() == name);
            let algorithm = algorithm
                .ok_or_else(|| AwsError::not_modelled(Service::S3, format!("the trailer {name}")))?;
            claims.push((algorithm, value));
        }
        Bytes::from(decoded.body)
    } else {
        call.body.clone()
    };
    if call.header("content-md5").is_some_and(|claim| claim != STANDARD.encode(Md5::digest(&body))) {
        return Err(AwsError::new(
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
        ));
    }
    let checksum = match claims.as_slice() {
        [] => Checksum::of(Algorithm::Crc64Nvme, &body),
        [(algorithm, claim)] => {
            let checksum = Checksum::of(*algorithm, &body);
            if checksum.value != *claim {
                return Err(AwsError::new(
                    "BadDigest",
                    format!(
                        "The {} you specified did not match the calculated checksum.",
                        algorithm.header()
                    ),
                ));
            }
            checksum
        }
        [_, _, ..] => {
            return Err(AwsError::new("InvalidRequest", "Expecting a single x-amz-checksum- header."));
        }
    };
    Ok((body, checksum))
}

fn encryption_of(call: &Call<'_>, keys: &Keys) -> Result<Encryption, AwsError> {
    let key = call.header("x-amz-server-side-encryption-aws-kms-key-id");
    match (call.header("x-amz-server-side-encryption"), key) {
        (None | Some("AES256"), None) => Ok(Encryption::S3),
        (Some("aws:kms"), key) => {
            let key = key.unwrap_or("alias/aws/s3");
            usable(keys, key)?;
            let bucket_key = call.header("x-amz-server-side-encryption-bucket-key-enabled") == Some("true");
            Ok(Encryption::Kms { key: key.to_owned(), bucket_key })
        }
        (None | Some("AES256"), Some(_)) => Err(AwsError::new(
            "InvalidArgument",
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
        )),
        (Some(other), _) => {
            Err(AwsError::not_modelled(Service::S3, format!("x-amz-server-side-encryption: {other}")))
        }
    }
}

fn usable(keys: &Keys, key: &str) -> Result<(), AwsError> {
    match keys.state(key) {
        KeyState::Enabled => Ok(()),
        KeyState::Disabled => Err(AwsError::new("KMS.DisabledException", format!("{key} is disabled."))),
        KeyState::Missing => {
            Err(AwsError::new("KMS.NotFoundException", format!("Key '{key}' does not exist")))
        }
    }
}

/// The condition of a write: 412 where it does not hold, 404 where there is nothing to match.
fn hold_condition(
    bucket: &Bucket,
    key: &str,
    if_match: Option<&str>,
    if_none_match: Option<&str>,
) -> Result<(), AwsError> {
    let failed = || {
        AwsError::with_status(
            "PreconditionFailed",
            StatusCode::PRECONDITION_FAILED,
            "At least one of the pre-conditions you specified did not hold",
        )
    };
    let current = bucket.current(key).map(|(_, object)| object);
    match (if_match, if_none_match) {
        (None, None) => Ok(()),
        (Some(_), Some(_)) => {
            Err(AwsError::not_modelled(Service::S3, "a write with both If-Match and If-None-Match"))
        }
        (Some(etag), None) => match current {
            None => Err(no_such_key()),
            Some(object) if is_etag(&object.etag, etag) => Ok(()),
            Some(_) => Err(failed()),
        },
        (None, Some("*")) => match current {
            None => Ok(()),
            Some(_) => Err(failed()),
        },
        (None, Some(_)) => {
            Err(AwsError::not_modelled(Service::S3, "a write with another If-None-Match than *"))
        }
    }
}

fn is_etag(etag: &str, given: &str) -> bool {
    given == "*" || etag.trim_matches('"') == given.trim_matches('"')
}

pub(super) fn get(
    cx: &Context<'_>,
    bucket: &Bucket,
    keys: &Keys,
    bucket_arn: &str,
    key: &str,
    call: &Call<'_>,
) -> Result<Answer, AwsError> {
    let version = match call.query("versionId") {
        Some(id) => bucket.version(key, id).ok_or_else(|| {
            AwsError::with_status(
                "NoSuchVersion",
                StatusCode::NOT_FOUND,
                "The specified version does not exist.",
            )
        })?,
        None => match bucket.current(key) {
            Some((version, _)) => version,
            // Who may not list is not told that there is nothing:
            // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html (Permissions)
            None if !cx.permissions.allow("s3:ListBucket", bucket_arn) => {
                return Err(AwsError::with_status("AccessDenied", StatusCode::FORBIDDEN, "Access Denied"));
            }
            None => return Err(no_such_key()),
        },
    };
    let Content::Object(object) = &version.content else {
        return Err(AwsError::with_status(
            "MethodNotAllowed",
            StatusCode::METHOD_NOT_ALLOWED,
            "The specified method is not allowed against this resource.",
        ));
    };
    if call.header("if-match").is_some_and(|etag| !is_etag(&object.etag, etag)) {
        return Err(AwsError::with_status(
            "PreconditionFailed",
            StatusCode::PRECONDITION_FAILED,
            "At least one of the pre-conditions you specified did not hold",
        ));
    }
    if call.header("if-none-match").is_some_and(|etag| is_etag(&object.etag, etag)) {
        let answer = Answer::empty(StatusCode::NOT_MODIFIED).with("etag", &object.etag);
        return Ok(versioned(answer, bucket, &version.id));
    }
    if let Encryption::Kms { key, .. } = &object.encryption {
        usable(keys, key)?;
    }
    let is_head = call.route.operation == Operation::HeadObject;
    Ok(found(bucket, version, object, is_head, call.header("x-amz-checksum-mode")))
}

fn found(bucket: &Bucket, version: &Version, object: &Object, is_head: bool, mode: Option<&str>) -> Answer {
    let Object { body, etag, content_type, metadata, encryption, checksum, auth: _ } = object;
    let modified = version.modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let mut answer = Answer::empty(StatusCode::OK)
        .with("etag", etag)
        .with("content-type", content_type)
        .with("last-modified", &modified)
        .with("accept-ranges", "bytes")
        .with("content-length", &body.len().to_string());
    for (name, value) in metadata {
        let name = HeaderName::try_from(name).expect("it was a header's name");
        answer = answer.with_name(name, value);
    }
    if mode == Some("ENABLED") {
        answer = answer
            .with(checksum.algorithm.header(), &checksum.value)
            .with("x-amz-checksum-type", "FULL_OBJECT");
    }
    answer = encrypted(answer, encryption);
    answer = versioned(answer, bucket, &version.id);
    if is_head { answer } else { answer.with_body(body.clone()) }
}

pub(super) fn delete(
    cx: &Context<'_>,
    bucket: &mut Bucket,
    key: &str,
    call: &Call<'_>,
) -> Result<Answer, AwsError> {
    let answer = Answer::empty(StatusCode::NO_CONTENT);
    if let Some(id) = call.query("versionId") {
        cx.authorize(Service::S3, "DeleteObjectVersion", "*")?;
        let answer = answer.with("x-amz-version-id", id);
        return Ok(match bucket.remove(key, id).map(|version| version.content) {
            Some(Content::DeleteMarker) => answer.with("x-amz-delete-marker", "true"),
            Some(Content::Object(_)) | None => answer,
        });
    }
    if bucket.versioning == Versioning::Off {
        bucket.remove(key, NULL_VERSION);
        return Ok(answer);
    }
    let id = bucket.push(key, Content::DeleteMarker, cx.now);
    Ok(answer.with("x-amz-version-id", &id).with("x-amz-delete-marker", "true"))
}

fn no_such_key() -> AwsError {
    AwsError::with_status("NoSuchKey", StatusCode::NOT_FOUND, "The specified key does not exist.")
}

fn versioned(answer: Answer, bucket: &Bucket, id: &str) -> Answer {
    match bucket.versioning {
        Versioning::Off => answer,
        Versioning::Enabled | Versioning::Suspended => answer.with("x-amz-version-id", id),
    }
}

fn encrypted(answer: Answer, encryption: &Encryption) -> Answer {
    match encryption {
        Encryption::S3 => answer.with("x-amz-server-side-encryption", "AES256"),
        Encryption::Kms { key, bucket_key } => {
            let answer = answer
                .with("x-amz-server-side-encryption", "aws:kms")
                .with("x-amz-server-side-encryption-aws-kms-key-id", key);
            if *bucket_key {
                answer.with("x-amz-server-side-encryption-bucket-key-enabled", "true")
            } else {
                answer
            }
        }
    }
}
