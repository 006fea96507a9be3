//! Settings of a bucket that nothing here obeys, and that are answered as they were put: lifecycle rules
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html>) and the public access block
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetPublicAccessBlock.html>). No version expires by itself here.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::StatusCode;

use super::{Answer, Call, malformed_xml, xml};
use crate::error::AwsError;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Setting {
    Lifecycle,
    PublicAccessBlock,
}

/// The documents that were put, each of one setting.
#[derive(Debug, Default)]
pub(super) struct Settings(BTreeMap<Setting, Bytes>);

impl Setting {
    /// What each document of it has to hold.
    fn required(self) -> &'static str {
        match self {
            Self::Lifecycle => "Status",
            Self::PublicAccessBlock => "BlockPublicAcls",
        }
    }

    /// What S3 says of a bucket on which it was never put.
    fn missing(self) -> AwsError {
        let (code, text) = match self {
            Self::Lifecycle => ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
            Self::PublicAccessBlock => (
                "NoSuchPublicAccessBlockConfiguration",
                "The public access block configuration was not found",
            ),
        };
        AwsError::with_status(code, StatusCode::NOT_FOUND, text)
    }
}

impl Settings {
    pub(super) fn get(&self, setting: Setting) -> Result<Answer, AwsError> {
        let document = self.0.get(&setting).ok_or_else(|| setting.missing())?;
        Ok(Answer::empty(StatusCode::OK).with("content-type", "application/xml").with_body(document.clone()))
    }

    pub(super) fn put(&mut self, setting: Setting, call: &Call<'_>) -> Result<Answer, AwsError> {
        let values = xml::texts(&call.body, setting.required()).ok_or_else(malformed_xml)?;
        if values.is_empty() {
            return Err(malformed_xml());
        }
        self.0.insert(setting, call.body.clone());
        Ok(Answer::empty(StatusCode::OK))
    }
}
