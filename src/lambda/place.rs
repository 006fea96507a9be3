//! Where the configuration of a Lambda is, and its text.
//!
//! It is read anew at every invocation, by one call: whoever changes it need not deploy anything. What the text means is not told
//! here.

use std::fmt;
use std::path::{Path, PathBuf};

use regcred_core::report::{Failure, FailureKind};

use crate::aws::{Clients, ObjectRead};
use crate::config::load::DEFAULT_PATH;

/// How an object in S3 is named.
const OBJECT: &str = "s3://";
/// How a parameter of the Parameter Store is named.
const PARAMETER: &str = "ssm:";

/// Where the configuration is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConfigPlace {
    /// `s3://BUCKET/KEY`, in the Region of the function, or another by S3's own redirection.
    Object { bucket: String, key: String },
    /// `ssm:NAME`, in the account and Region of the function, or an ARN.
    Parameter { name: String },
    /// In the function's package, or on a file system that it mounts. A relative path starts at the package's root.
    File(PathBuf),
}

impl ConfigPlace {
    /// What `$REGCRED_CONFIG` names; without it, the file that every command looks for.
    pub(super) fn read(named: Option<&str>) -> Result<Self, Failure> {
        let Some(named) = named.filter(|named| !named.is_empty()) else {
            return Ok(Self::File(DEFAULT_PATH.into()));
        };
        if let Some(rest) = named.strip_prefix(OBJECT) {
            return match rest.split_once('/') {
                Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
                    Ok(Self::Object { bucket: bucket.to_owned(), key: key.to_owned() })
                }
                Some(_) | None => {
                    Err(incomplete(named, "a bucket and a key follow, and one of them is missing"))
                }
            };
        }
        match named.strip_prefix(PARAMETER) {
            Some("") => Err(incomplete(named, "the name of a parameter follows, and is missing")),
            Some(name) => Ok(Self::Parameter { name: name.to_owned() }),
            None => Ok(Self::File(named.into())),
        }
    }

    /// Where relative paths in the configuration start: the folder of a file; else the package's root, which is the working folder.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::File(path) => path.parent().unwrap_or(Path::new("")),
            Self::Object { .. } | Self::Parameter { .. } => Path::new(""),
        }
    }

    /// Reads the text. `clients` are the function's own.
    pub(super) async fn text(&self, clients: &Clients) -> Result<String, Failure> {
        let what = format!("cannot read the configuration {self}");
        match self {
            Self::File(path) => std::fs::read_to_string(path).map_err(|error| {
                Failure::new(
                    FailureKind::Missing,
                    what,
                    error.to_string(),
                    "put it into the package, or name it with REGCRED_CONFIG: a path, s3://BUCKET/KEY or ssm:NAME",
                )
            }),
            Self::Object { bucket, key } => match clients.s3.read(bucket, key).await {
                ObjectRead::Present(object) => match object.content {
                    Some(content) => Ok(content.expose().to_owned()),
                    None => Err(Failure::new(
                        FailureKind::Invalid,
                        what,
                        "it is no text, or larger than 1 MiB, which no configuration is",
                        "store the configuration itself there, or correct REGCRED_CONFIG",
                    )),
                },
                ObjectRead::Absent => Err(Failure::new(
                    FailureKind::Missing,
                    what,
                    "there is no such object",
                    format!("aws s3 cp regcred.yaml {self}, or correct REGCRED_CONFIG"),
                )),
                ObjectRead::Failed(error) => Err(clients.s3.cannot_read(&error, what, bucket, key)),
            },
            Self::Parameter { name } => match clients.ssm.parameter(name).await {
                Ok((value, _)) => Ok(value.expose().to_owned()),
                Err(error) => Err(error.failure(what)),
            },
        }
    }
}

impl fmt::Display for ConfigPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object { bucket, key } => write!(f, "{OBJECT}{bucket}/{key}"),
            Self::Parameter { name } => write!(f, "{PARAMETER}{name}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

fn incomplete(named: &str, why: &str) -> Failure {
    let what = format!("cannot tell where the configuration is: REGCRED_CONFIG is `{named}`");
    Failure::new(FailureKind::Invalid, what, why, "write a path, s3://BUCKET/KEY or ssm:NAME")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_by_how_it_begins() {
        for (named, place) in [
            (None, ConfigPlace::File(DEFAULT_PATH.into())),
            (Some(""), ConfigPlace::File(DEFAULT_PATH.into())),
            (Some("conf/r.yaml"), ConfigPlace::File("conf/r.yaml".into())),
            (Some("s3://b/a/k"), ConfigPlace::Object { bucket: "b".into(), key: "a/k".into() }),
            (Some("ssm:/regcred/config"), ConfigPlace::Parameter { name: "/regcred/config".into() }),
            (Some("ssm:config"), ConfigPlace::Parameter { name: "config".into() }),
        ] {
            let read = ConfigPlace::read(named).unwrap();
            assert_eq!(read, place);
            if let Some(named) = named.filter(|named| !named.is_empty()) {
                assert_eq!(read.to_string(), named);
            }
        }
        for named in ["s3://", "s3://b", "s3://b/", "s3:///k", "ssm:"] {
            let failure = ConfigPlace::read(Some(named)).unwrap_err();
            assert!(failure.what.contains(named) && failure.why.contains("missing"), "{failure:?}");
        }
    }

    #[test]
    fn relative_paths_start_where_the_file_is_or_at_the_package() {
        let folder = |named| ConfigPlace::read(Some(named)).unwrap().folder().to_owned();
        assert_eq!(folder("conf/r.yaml"), Path::new("conf"));
        assert_eq!(folder("s3://b/a/k"), Path::new(""));
    }
}
