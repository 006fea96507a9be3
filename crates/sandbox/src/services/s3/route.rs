//! Which operation a request is, by its method, path and query: path style only.

use std::collections::BTreeMap;

use http::Method;
use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::error::AwsError;
use crate::services::Service;

/// A request, told apart.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) operation: Operation,
    pub(crate) bucket: Option<String>,
    pub(crate) key: Option<String>,
    pub(super) query: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    GetBucketLocation,
    GetBucketVersioning,
    PutBucketVersioning,
    GetBucketLifecycleConfiguration,
    PutBucketLifecycleConfiguration,
    GetPublicAccessBlock,
    PutPublicAccessBlock,
    ListObjectsV2,
    ListObjectVersions,
    PutObject,
    GetObject,
    HeadObject,
    DeleteObject,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ListBuckets => "ListBuckets",
            Self::CreateBucket => "CreateBucket",
            Self::HeadBucket => "HeadBucket",
            Self::GetBucketLocation => "GetBucketLocation",
            Self::GetBucketVersioning => "GetBucketVersioning",
            Self::PutBucketVersioning => "PutBucketVersioning",
            Self::GetBucketLifecycleConfiguration => "GetBucketLifecycleConfiguration",
            Self::PutBucketLifecycleConfiguration => "PutBucketLifecycleConfiguration",
            Self::GetPublicAccessBlock => "GetPublicAccessBlock",
            Self::PutPublicAccessBlock => "PutPublicAccessBlock",
            Self::ListObjectsV2 => "ListObjectsV2",
            Self::ListObjectVersions => "ListObjectVersions",
            Self::PutObject => "PutObject",
            Self::GetObject => "GetObject",
            Self::HeadObject => "HeadObject",
            Self::DeleteObject => "DeleteObject",
        }
    }

    /// The query's names that this double knows for the operation.
    fn query(self) -> &'static [&'static str] {
        match self {
            Self::ListBuckets | Self::CreateBucket | Self::HeadBucket | Self::PutObject => &[],
            Self::GetBucketLocation => &["location"],
            Self::GetBucketVersioning | Self::PutBucketVersioning => &["versioning"],
            Self::GetBucketLifecycleConfiguration | Self::PutBucketLifecycleConfiguration => &["lifecycle"],
            Self::GetPublicAccessBlock | Self::PutPublicAccessBlock => &["publicAccessBlock"],
            Self::ListObjectsV2 => &[
                "list-type",
                "prefix",
                "delimiter",
                "max-keys",
                "continuation-token",
                "start-after",
                "encoding-type",
                "fetch-owner",
            ],
            Self::ListObjectVersions => {
                &["versions", "prefix", "max-keys", "key-marker", "version-id-marker", "encoding-type"]
            }
            Self::GetObject | Self::HeadObject | Self::DeleteObject => &["versionId"],
        }
    }
}

impl Route {
    /// A read of an object's current version, without a request.
    pub(crate) fn to_object(bucket: &str, key: &str) -> Self {
        Self {
            operation: Operation::GetObject,
            bucket: Some(bucket.to_owned()),
            key: Some(key.to_owned()),
            query: BTreeMap::new(),
        }
    }

    pub(crate) fn of(parts: &Parts) -> Result<Self, AwsError> {
        let mut query: BTreeMap<String, String> =
            form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes()).into_owned().collect();
        // The SDKs add the operation's name, which S3 does not look at.
        query.remove("x-id");
        let path = parts.uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let decoded = |text: &str| {
            (!text.is_empty()).then(|| percent_decode_str(text).decode_utf8_lossy().into_owned())
        };
        let (bucket, key) = (decoded(bucket), decoded(key));
        let operation = operation(&parts.method, bucket.is_some(), key.is_some(), &query);
        let unknown = |operation: Operation| {
            query.keys().find(|name| !operation.query().contains(&name.as_str())).cloned()
        };
        match operation.map(|operation| (operation, unknown(operation))) {
            Some((operation, None)) => Ok(Self { operation, bucket, key, query }),
            Some((operation, Some(name))) => Err(AwsError::not_modelled(
                Service::S3,
                format!("the query `{name}` of {}", operation.name()),
            )),
            None => Err(AwsError::not_modelled(
                Service::S3,
                format!("{} {} with the query {:?}", parts.method, parts.uri.path(), query.keys()),
            )),
        }
    }
}

fn operation(
    method: &Method,
    has_bucket: bool,
    has_key: bool,
    query: &BTreeMap<String, String>,
) -> Option<Operation> {
    let asks = |name: &str| query.contains_key(name);
    Some(match (method, has_bucket, has_key) {
        (&Method::GET, false, _) => Operation::ListBuckets,
        (&Method::PUT, true, true) => Operation::PutObject,
        (&Method::GET, true, true) => Operation::GetObject,
        (&Method::HEAD, true, true) => Operation::HeadObject,
        (&Method::DELETE, true, true) => Operation::DeleteObject,
        (&Method::PUT, true, false) if asks("versioning") => Operation::PutBucketVersioning,
        (&Method::PUT, true, false) if asks("lifecycle") => Operation::PutBucketLifecycleConfiguration,
        (&Method::PUT, true, false) if asks("publicAccessBlock") => Operation::PutPublicAccessBlock,
        (&Method::GET, true, false) if asks("lifecycle") => Operation::GetBucketLifecycleConfiguration,
        (&Method::GET, true, false) if asks("publicAccessBlock") => Operation::GetPublicAccessBlock,
        (&Method::PUT, true, false) if query.is_empty() => Operation::CreateBucket,
        (&Method::HEAD, true, false) => Operation::HeadBucket,
        (&Method::GET, true, false) if asks("versioning") => Operation::GetBucketVersioning,
        (&Method::GET, true, false) if asks("location") => Operation::GetBucketLocation,
        (&Method::GET, true, false) if asks("versions") => Operation::ListObjectVersions,
        (&Method::GET, true, false) if query.get("list-type").is_some_and(|kind| kind == "2") => {
            Operation::ListObjectsV2
        }
        _ => return None,
    })
}
