//! S3: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>.
//!
//! Our own small server of a dozen operations in path style, and not the `s3s` crate: its signature check is private, takes
//! only `s3` and `sts` scopes and no session tokens, while every service here needs that check; and headers that it knows
//! and this double does not would pass in silence.

mod bucket;
mod checksum;
mod list;
mod object;
mod route;
mod settings;
pub(crate) mod xml;

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use regcred_core::agent::EffectiveAuth;

use super::kms::Keys;
use super::{Context, Service};
use crate::control::ObjectVersion;
use crate::error::AwsError;
use crate::options::{BucketSeed, ObjectSeed};
use bucket::{Bucket, Content, Object, Versioning};
use route::Operation;
pub(crate) use route::Route;
use settings::{Setting, Settings};
use xml::{document, element};

/// All buckets of the world: a name is one bucket's, whatever the account.
#[derive(Debug, Default)]
pub(crate) struct S3 {
    buckets: BTreeMap<String, Bucket>,
}

/// An answer before it is HTTP's.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    fn xml(body: String) -> Self {
        Self::empty(StatusCode::OK).with("content-type", "application/xml").with_body(Bytes::from(body))
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_bytes(value.as_bytes());
        self.headers.insert(name, value.expect("what S3 keeps of a header is a header again"));
        self
    }

    fn with_name(mut self, name: HeaderName, value: &str) -> Self {
        let value = HeaderValue::from_bytes(value.as_bytes());
        self.headers.insert(name, value.expect("what S3 keeps of a header is a header again"));
        self
    }

    fn with_body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }
}

/// One call: what it is, and what came with it.
pub(crate) struct Call<'a> {
    pub(crate) route: &'a Route,
    pub(crate) headers: &'a HeaderMap,
    /// As it was sent.
    pub(crate) body: Bytes,
}

impl Call<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.route.query.get(name).map(String::as_str)
    }
}

/// Answers one call.
pub(crate) fn handle(
    cx: &Context<'_>,
    s3: &mut S3,
    keys: &Keys,
    call: &Call<'_>,
) -> Result<Answer, AwsError> {
    knows_headers(call)?;
    let Route { operation, bucket, key, query: _ } = call.route;
    let (name, key) = (bucket.as_deref().unwrap_or_default(), key.as_deref().unwrap_or_default());
    let bucket_arn = format!("arn:aws:s3:::{}", if name.is_empty() { "*" } else { name });
    let resource = if key.is_empty() { bucket_arn.clone() } else { format!("{bucket_arn}/{key}") };
    cx.authorize(Service::S3, operation.name(), &resource)?;
    match operation {
        Operation::ListBuckets => Ok(s3.list_buckets(cx)),
        Operation::CreateBucket => s3.create_bucket(cx, name, call),
        Operation::HeadBucket => {
            let bucket = s3.bucket(cx, name, call)?;
            Ok(Answer::empty(StatusCode::OK).with("x-amz-bucket-region", &bucket.region))
        }
        Operation::GetBucketLocation => {
            let bucket = s3.bucket(cx, name, call)?;
            // us-east-1 is the empty constraint.
            let region = if bucket.region == "us-east-1" { "" } else { &bucket.region };
            Ok(Answer::xml(document("LocationConstraint", region)))
        }
        Operation::GetBucketVersioning => Ok(s3.bucket(cx, name, call)?.versioning()),
        Operation::PutBucketVersioning => s3.bucket(cx, name, call)?.set_versioning(call),
        Operation::GetBucketLifecycleConfiguration => {
            s3.bucket(cx, name, call)?.settings.get(Setting::Lifecycle)
        }
        Operation::PutBucketLifecycleConfiguration => {
            s3.bucket(cx, name, call)?.settings.put(Setting::Lifecycle, call)
        }
        Operation::GetPublicAccessBlock => {
            s3.bucket(cx, name, call)?.settings.get(Setting::PublicAccessBlock)
        }
        Operation::PutPublicAccessBlock => {
            s3.bucket(cx, name, call)?.settings.put(Setting::PublicAccessBlock, call)
        }
        Operation::ListObjectsV2 => list::objects(s3.bucket(cx, name, call)?, name, call),
        Operation::ListObjectVersions => list::versions(s3.bucket(cx, name, call)?, name, call),
        Operation::PutObject => object::put(cx, s3.bucket(cx, name, call)?, keys, key, &resource, call),
        Operation::GetObject | Operation::HeadObject => {
            object::get(cx, s3.bucket(cx, name, call)?, keys, &bucket_arn, key, call)
        }
        Operation::DeleteObject => object::delete(cx, s3.bucket(cx, name, call)?, key, call),
    }
}

/// Refuses each header of S3's that this double would pass over in silence.
fn knows_headers(call: &Call<'_>) -> Result<(), AwsError> {
    const ANYWHERE: [&str; 6] = [
        "x-amz-date",
        "x-amz-content-sha256",
        "x-amz-security-token",
        "x-amz-user-agent",
        "x-amz-expected-bucket-owner",
        "x-amzn-trace-id",
    ];
    const PUT: [&str; 8] = [
        "x-amz-decoded-content-length",
        "x-amz-trailer",
        "x-amz-sdk-checksum-algorithm",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-bucket-key-enabled",
        "if-match",
        "if-none-match",
    ];
    const OF_CONDITIONS: [&str; 5] =
        ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "range"];
    for name in call.headers.keys() {
        let name = name.as_str();
        let is_s3s = name.starts_with("x-amz") || OF_CONDITIONS.contains(&name);
        let is_known = ANYWHERE.contains(&name)
            || match call.route.operation {
                Operation::PutObject => {
                    PUT.contains(&name)
                        || name.starts_with("x-amz-meta-")
                        || checksum::Algorithm::ALL.iter().any(|algorithm| algorithm.header() == name)
                }
                Operation::GetObject | Operation::HeadObject => {
                    ["x-amz-checksum-mode", "if-match", "if-none-match"].contains(&name)
                }
                Operation::CreateBucket
                | Operation::PutBucketVersioning
                | Operation::PutBucketLifecycleConfiguration
                | Operation::PutPublicAccessBlock => {
                    name == "x-amz-sdk-checksum-algorithm" || name.starts_with("x-amz-checksum-")
                }
                Operation::ListBuckets
                | Operation::HeadBucket
                | Operation::GetBucketLocation
                | Operation::GetBucketVersioning
                | Operation::GetBucketLifecycleConfiguration
                | Operation::GetPublicAccessBlock
                | Operation::ListObjectsV2
                | Operation::ListObjectVersions
                | Operation::DeleteObject => false,
            };
        if is_s3s && !is_known {
            let what = format!("the header {name} of {}", call.route.operation.name());
            return Err(AwsError::not_modelled(Service::S3, what));
        }
    }
    Ok(())
}

impl S3 {
    /// Makes a bucket without a request.
    pub(crate) fn seed(&mut self, seed: BucketSeed, now: DateTime<Utc>) {
        let BucketSeed { name, account, region, versioned } = seed;
        let versioning = if versioned { Versioning::Enabled } else { Versioning::Off };
        let bucket = Bucket {
            owner: account,
            region,
            created: now,
            versioning,
            objects: BTreeMap::new(),
            settings: Settings::default(),
        };
        self.buckets.insert(name, bucket);
    }

    /// Writes an object without a request; the bucket has to be there.
    pub(crate) fn seed_object(&mut self, seed: ObjectSeed, now: DateTime<Utc>) -> io::Result<()> {
        let ObjectSeed { bucket, key, content } = seed;
        let bucket = self.buckets.get_mut(&bucket).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("the seed has no bucket {bucket}"))
        })?;
        bucket.push(&key, Content::Object(Box::new(Object::plain(content.into()))), now);
        Ok(())
    }

    /// The newest version of an object in an account's buckets that an agent would take this from.
    pub(crate) fn version_with(&self, account: &str, auth: &EffectiveAuth) -> Option<ObjectVersion> {
        let objects =
            self.buckets.iter().filter(|(_, bucket)| bucket.owner == account).flat_map(|(name, bucket)| {
                bucket.objects.iter().map(move |(key, versions)| (name, key, versions))
            });
        let holding = objects.flat_map(|(bucket, key, versions)| {
            versions
                .iter()
                .filter(|version| version.holds(auth))
                .map(move |version| (version.modified, bucket, key, &version.id))
        });
        let (_, bucket, key, version_id) = holding.max_by_key(|(modified, ..)| *modified)?;
        Some(ObjectVersion { bucket: bucket.clone(), key: key.clone(), version_id: version_id.clone() })
    }

    /// The bucket that a request names, if the caller's account may look at it from here.
    fn bucket(&mut self, cx: &Context<'_>, name: &str, call: &Call<'_>) -> Result<&mut Bucket, AwsError> {
        let bucket = self.buckets.get_mut(name).ok_or_else(|| {
            let text = "The specified bucket does not exist";
            AwsError::with_status("NoSuchBucket", StatusCode::NOT_FOUND, text)
        })?;
        bucket.admits(cx, call.header("x-amz-expected-bucket-owner"))?;
        Ok(bucket)
    }

    fn list_buckets(&self, cx: &Context<'_>) -> Answer {
        let buckets: Vec<String> = self
            .buckets
            .iter()
            .filter(|(_, bucket)| bucket.owner == cx.caller.account)
            .map(|(name, bucket)| {
                let members = element("Name", name) + &element("CreationDate", stamp(bucket.created));
                format!("<Bucket>{members}</Bucket>")
            })
            .collect();
        let buckets = buckets.concat();
        let owner = format!("<Owner>{}</Owner>", element("ID", &cx.caller.account));
        Answer::xml(document("ListAllMyBucketsResult", &format!("{owner}<Buckets>{buckets}</Buckets>")))
    }

    fn create_bucket(&mut self, cx: &Context<'_>, name: &str, call: &Call<'_>) -> Result<Answer, AwsError> {
        let is_name = (3..=63).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c));
        if !is_name {
            return Err(AwsError::new("InvalidBucketName", "The specified bucket is not valid."));
        }
        let constraint = match call.body.as_ref() {
            b"" => None,
            body => xml::texts(body, "LocationConstraint").ok_or_else(malformed_xml)?.pop(),
        };
        let region = constraint.unwrap_or_else(|| "us-east-1".into());
        if region != cx.caller.region {
            return Err(AwsError::new(
                "IllegalLocationConstraintException",
                format!(
                    "The {region} location constraint is incompatible for the region specific endpoint this request was sent to."
                ),
            ));
        }
        match self.buckets.get(name) {
            Some(bucket) if bucket.owner == cx.caller.account => Err(AwsError::with_status(
                "BucketAlreadyOwnedByYou",
                StatusCode::CONFLICT,
                "Your previous request to create the named bucket succeeded and you already own it.",
            )),
            Some(_) => Err(AwsError::with_status(
                "BucketAlreadyExists",
                StatusCode::CONFLICT,
                "The requested bucket name is not available.",
            )),
            None => {
                let account = cx.caller.account.clone();
                self.seed(BucketSeed { name: name.to_owned(), account, region, versioned: false }, cx.now);
                Ok(Answer::empty(StatusCode::OK).with("location", &format!("/{name}")))
            }
        }
    }
}

impl Bucket {
    /// Whether the request came to the right Region, from the owner's account. There are no bucket policies here.
    fn admits(&self, cx: &Context<'_>, expected_owner: Option<&str>) -> Result<(), AwsError> {
        let forbidden = || AwsError::with_status("AccessDenied", StatusCode::FORBIDDEN, "Access Denied");
        if self.owner != cx.caller.account || expected_owner.is_some_and(|owner| owner != self.owner) {
            return Err(forbidden());
        }
        if self.region != cx.caller.region {
            return Err(AwsError::with_status(
                "PermanentRedirect",
                StatusCode::MOVED_PERMANENTLY,
                format!("The bucket you are attempting to access is in the Region {}.", self.region),
            ));
        }
        Ok(())
    }

    fn versioning(&self) -> Answer {
        let status = match self.versioning {
            Versioning::Off => String::new(),
            Versioning::Enabled => element("Status", "Enabled"),
            Versioning::Suspended => element("Status", "Suspended"),
        };
        Answer::xml(document("VersioningConfiguration", &status))
    }

    fn set_versioning(&mut self, call: &Call<'_>) -> Result<Answer, AwsError> {
        let status =
            xml::texts(&call.body, "Status").and_then(|mut texts| texts.pop()).ok_or_else(malformed_xml)?;
        self.versioning = match status.as_str() {
            "Enabled" => Versioning::Enabled,
            "Suspended" => Versioning::Suspended,
            _ => return Err(malformed_xml()),
        };
        Ok(Answer::empty(StatusCode::OK))
    }
}

fn malformed_xml() -> AwsError {
    AwsError::new(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

/// A time as S3's XML carries it.
fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
