//! A file that a person names to have it read: on this machine, on standard input, or in S3.
//!
//! Its bytes may hold secrets and be no text at all; they are wiped when they are dropped. Nothing here judges them.

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::str::FromStr;

use regcred_core::report::{Failure, FailureKind};
use zeroize::Zeroizing;

use crate::aws::{BytesRead, Clients, LARGEST};

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Artefact {
    /// Written as `-`.
    Stdin,
    /// Written as `s3://bucket/key`.
    Object {
        bucket: String,
        key: String,
    },
    File(PathBuf),
}

impl FromStr for Artefact {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        if text == "-" {
            return Ok(Self::Stdin);
        }
        let object = text.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
        Ok(match object {
            Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
                Self::Object { bucket: bucket.to_owned(), key: key.to_owned() }
            }
            _ => Self::File(PathBuf::from(text)),
        })
    }
}

impl fmt::Display for Artefact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::Object { bucket, key } => write!(f, "s3://{bucket}/{key}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Artefact {
    /// Reads it from this machine.
    pub(crate) fn read_here(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let read = match self {
            Self::Stdin => read_all(io::stdin().lock()),
            Self::File(path) => File::open(path).and_then(read_all),
            Self::Object { .. } => Err(io::Error::from(io::ErrorKind::Unsupported)),
        };
        match read {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(self.too_large()),
            Err(error) => Err(Failure::new(
                FailureKind::Source,
                format!("cannot read {self}"),
                error.to_string(),
                "name a file that you may read, `s3://bucket/key`, or `-` for standard input",
            )),
        }
    }

    fn too_large(&self) -> Failure {
        Failure::new(
            FailureKind::Refused,
            format!("cannot read {self}"),
            format!("it is larger than {} MiB, which no ecs.config is", LARGEST >> 20),
            "name the ecs.config, Docker's config.json, or the value alone",
        )
    }

    /// Reads an object.
    pub(crate) async fn read_object(
        &self,
        clients: &Clients,
        bucket: &str,
        key: &str,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let place = clients.s3.place();
        match clients.s3.read_bytes(bucket, key).await {
            BytesRead::Present(bytes) => Ok(bytes),
            BytesRead::TooLarge => Err(self.too_large()),
            BytesRead::Absent => Err(Failure::new(
                FailureKind::Missing,
                format!("cannot read {self} in {place}"),
                "there is no such object",
                format!("list what there is: aws s3 ls s3://{bucket}/"),
            )),
            BytesRead::Failed(error) => {
                Err(clients.s3.cannot_read(&error, format!("cannot read {self} in {place}"), bucket, key))
            }
        }
    }
}

/// All bytes; nothing, where there are more than [`LARGEST`]. The buffer is as large as it gets from the start: one that
/// grew would leave pieces of a secret behind.
fn read_all(mut from: impl Read) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let limit = usize::try_from(LARGEST).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(vec![0; limit + 1]);
    let mut filled = 0;
    while filled < bytes.len() {
        match from.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok((filled <= limit).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_from_an_object_and_from_standard_input() {
        let object =
            |bucket: &str, key: &str| Artefact::Object { bucket: bucket.to_owned(), key: key.to_owned() };
        for (text, artefact) in [
            ("-", Artefact::Stdin),
            ("s3://b/k", object("b", "k")),
            ("s3://b/a/k", object("b", "a/k")),
            ("s3://b", Artefact::File("s3://b".into())),
            ("/etc/ecs/ecs.config", Artefact::File("/etc/ecs/ecs.config".into())),
        ] {
            assert_eq!(text.parse(), Ok(artefact), "{text}");
        }
    }

    #[test]
    fn a_file_that_is_too_large_is_refused_and_not_cut() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("large");
        std::fs::write(&path, vec![b'x'; usize::try_from(LARGEST).unwrap()]).unwrap();
        assert!(Artefact::File(path.clone()).read_here().is_ok());
        std::fs::write(&path, vec![b'x'; usize::try_from(LARGEST).unwrap() + 1]).unwrap();
        assert!(Artefact::File(path).read_here().unwrap_err().why.contains("larger than 1 MiB"));
    }
}
