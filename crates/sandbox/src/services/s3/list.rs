//! Listings: current objects, and all versions.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::bucket::{Bucket, Content, Object, Version};
use super::xml::{document, element};
use super::{Answer, Call, stamp};
use crate::error::AwsError;
use crate::paging::{item_before, token_after};

/// What `encoding-type=url` leaves as it is.
const URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

const LARGEST_PAGE: usize = 1000;

/// How a call wants keys written.
#[derive(Clone, Copy)]
enum Spelling {
    Plain,
    Url,
}

impl Spelling {
    fn of(call: &Call<'_>) -> Result<Self, AwsError> {
        match call.query("encoding-type") {
            None => Ok(Self::Plain),
            Some("url") => Ok(Self::Url),
            Some(_) => Err(AwsError::new("InvalidArgument", "Invalid Encoding Method specified in Request")),
        }
    }

    fn write(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Url => utf8_percent_encode(text, URL).to_string(),
        }
    }

    fn element(self) -> String {
        match self {
            Self::Plain => String::new(),
            Self::Url => element("EncodingType", "url"),
        }
    }
}

fn page_size(call: &Call<'_>) -> Result<usize, AwsError> {
    match call.query("max-keys") {
        None => Ok(LARGEST_PAGE),
        Some(text) => text.parse::<usize>().map(|size| size.min(LARGEST_PAGE)).map_err(|_| {
            AwsError::new("InvalidArgument", "Provided max-keys not an integer or within integer range")
        }),
    }
}

pub(super) fn objects(bucket: &Bucket, name: &str, call: &Call<'_>) -> Result<Answer, AwsError> {
    let spelling = Spelling::of(call)?;
    let size = page_size(call)?;
    let prefix = call.query("prefix").unwrap_or("");
    let delimiter = call.query("delimiter").filter(|delimiter| !delimiter.is_empty());
    let token = call.query("continuation-token");
    let after = match token {
        Some(token) => Some(item_before(token).ok_or_else(|| {
            AwsError::new("InvalidArgument", "The continuation token provided is incorrect")
        })?),
        None => call.query("start-after").map(str::to_owned),
    };
    let (mut contents, mut prefixes) = (Vec::new(), BTreeSet::new());
    let mut last = None;
    let mut truncated = false;
    for key in bucket.objects.keys().filter(|key| key.starts_with(prefix)) {
        let Some((version, object)) = bucket.current(key) else { continue };
        // A common prefix stands for all keys below it, also for where a page goes on.
        let group = delimiter
            .and_then(|delimiter| {
                key[prefix.len()..].find(delimiter).map(|at| prefix.len() + at + delimiter.len())
            })
            .map(|end| &key[..end]);
        let item = group.unwrap_or(key);
        if after.as_deref().is_some_and(|after| item <= after)
            || group.is_some_and(|group| prefixes.contains(group))
        {
            continue;
        }
        if contents.len() + prefixes.len() == size {
            truncated = true;
            break;
        }
        last = Some(item.to_owned());
        match group {
            Some(group) => {
                prefixes.insert(group.to_owned());
            }
            None => contents.push(entry(spelling, key, version, object)),
        }
    }
    let mut body = element("Name", name) + &element("Prefix", spelling.write(prefix));
    body += &element("KeyCount", contents.len() + prefixes.len());
    body += &element("MaxKeys", size);
    body += &element("IsTruncated", truncated);
    body += &spelling.element();
    if let Some(delimiter) = delimiter {
        body += &element("Delimiter", spelling.write(delimiter));
    }
    if let Some(token) = token {
        body += &element("ContinuationToken", token);
    }
    if let Some(last) = last.filter(|_| truncated) {
        body += &element("NextContinuationToken", token_after(&last));
    }
    body.extend(contents.iter().map(|entry| format!("<Contents>{entry}</Contents>")));
    body.extend(prefixes.iter().map(|prefix| {
        format!("<CommonPrefixes>{}</CommonPrefixes>", element("Prefix", spelling.write(prefix)))
    }));
    Ok(Answer::xml(document("ListBucketResult", &body)))
}

fn entry(spelling: Spelling, key: &str, version: &Version, object: &Object) -> String {
    element("Key", spelling.write(key))
        + &element("LastModified", stamp(version.modified))
        + &element("ETag", &object.etag)
        + &element("Size", object.body.len())
        + &element("StorageClass", "STANDARD")
}

pub(super) fn versions(bucket: &Bucket, name: &str, call: &Call<'_>) -> Result<Answer, AwsError> {
    let spelling = Spelling::of(call)?;
    let size = page_size(call)?;
    let prefix = call.query("prefix").unwrap_or("");
    let (key_marker, id_marker) = (call.query("key-marker"), call.query("version-id-marker"));
    // Newest first within a key, as S3 lists them.
    let mut all = bucket
        .objects
        .iter()
        .filter(|(key, _)| key.starts_with(prefix))
        .flat_map(|(key, versions)| {
            versions.iter().rev().enumerate().map(move |(age, version)| (key.as_str(), age == 0, version))
        })
        .skip_while(|(key, _, version)| match (key_marker, id_marker) {
            (None, _) => false,
            (Some(marker), None) => *key <= marker,
            (Some(marker), Some(id)) => *key < marker || (*key == marker && version.id != id),
        })
        .skip(usize::from(key_marker.is_some() && id_marker.is_some()));
    let page: Vec<_> = all.by_ref().take(size).collect();
    let truncated = all.next().is_some();
    let mut body = element("Name", name) + &element("Prefix", spelling.write(prefix));
    body += &element("KeyMarker", spelling.write(key_marker.unwrap_or("")));
    body += &element("VersionIdMarker", id_marker.unwrap_or(""));
    body += &element("MaxKeys", size);
    body += &element("IsTruncated", truncated);
    body += &spelling.element();
    if let Some((key, _, version)) = page.last().filter(|_| truncated) {
        body += &element("NextKeyMarker", spelling.write(key));
        body += &element("NextVersionIdMarker", &version.id);
    }
    for (key, is_latest, version) in page {
        let ids = element("VersionId", &version.id) + &element("IsLatest", is_latest);
        let (name, members) = match &version.content {
            Content::Object(object) => ("Version", entry(spelling, key, version, object)),
            Content::DeleteMarker => {
                let modified = element("LastModified", stamp(version.modified));
                ("DeleteMarker", element("Key", spelling.write(key)) + &modified)
            }
        };
        body.extend(["<", name, ">", &members, &ids, "</", name, ">"]);
    }
    Ok(Answer::xml(document("ListVersionsResult", &body)))
}
