//! What can be wrong with a place that a credential is read from, or with what is in it: why, and what to do.
//!
//! No text here may hold anything of a value, nor of what a program printed.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};
use regcred_core::credential::CredentialError;
use regcred_core::formats::docker_config::Unusable;
use regcred_core::report::FailureKind;

use super::error::Place;
use super::vault::VaultFlaw;
use crate::aws::{AwsError, AwsErrorKind};
use crate::config::span;

/// What is wrong with a place, or with what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// There is no such variable, file or program.
    Missing,
    /// The system does not let this process read it, or run it.
    Denied,
    /// It is a folder.
    Folder,
    /// Any other failure of the system.
    Unreadable(io::ErrorKind),
    TooLarge {
        limit: usize,
    },
    NotUtf8,
    ByteOrderMark,
    /// There is nothing in it.
    Empty,
    /// Both numbers begin at 1.
    NotJson {
        line: usize,
        column: usize,
    },
    /// It is JSON, but no object with texts for both parts.
    NotAPair {
        line: usize,
        column: usize,
    },
    /// The JSON has nothing under a key that it is read by.
    Lacks {
        key: String,
    },
    /// What stands under `expires_at` is no time.
    NoTime,
    NoCredential(CredentialError),
    NoEntry(Unusable),
    TimedOut(Duration),
    /// The credential's own end has come.
    Expired {
        at: DateTime<Utc>,
    },
    /// A program ended otherwise than with 0; without a code, a signal ended it.
    Ended {
        code: Option<i32>,
    },
    /// A credential helper printed something else than its protocol has.
    NotAnAnswer,
    /// A credential helper has nothing for this server.
    NotKept {
        server: String,
    },
    /// A credential helper has an identity token in place of a password.
    IdentityToken,
    Aws(Box<AwsError>),
    /// The secret or parameter is there, and no version of it has this stage, number or label.
    NoVersion {
        version: String,
    },
    /// A secret that holds bytes in place of text.
    Binary,
    /// A parameter that is not encrypted.
    NotEncrypted,
    Vault(VaultFlaw),
}

impl From<CredentialError> for Flaw {
    fn from(error: CredentialError) -> Self {
        Self::NoCredential(error)
    }
}

impl From<io::ErrorKind> for Flaw {
    fn from(kind: io::ErrorKind) -> Self {
        match kind {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::IsADirectory => Self::Folder,
            kind => Self::Unreadable(kind),
        }
    }
}

impl From<AwsError> for Flaw {
    fn from(error: AwsError) -> Self {
        Self::Aws(Box::new(error))
    }
}

impl Flaw {
    pub(super) fn kind(&self) -> FailureKind {
        match self {
            Self::Aws(error) => error.failure("").kind,
            _ => FailureKind::Source,
        }
    }

    pub(super) fn why(&self, place: &Place) -> String {
        match (self, place) {
            (Self::Missing, Place::Variable(_)) => "it is not set where regcred runs".to_owned(),
            (Self::Missing, Place::Helper(_)) => {
                "no program of this name is on the PATH of regcred".to_owned()
            }
            (Self::Missing, Place::Command(_)) => "there is no such program".to_owned(),
            (
                Self::Missing,
                Place::File(_) | Place::Secret { .. } | Place::Parameter { .. } | Place::Vault { .. },
            ) => "there is no such file".to_owned(),
            (Self::Denied, Place::Helper(_) | Place::Command(_)) => {
                "this process is not allowed to run it".to_owned()
            }
            (Self::Denied, _) => "this process is not allowed to".to_owned(),
            (Self::Folder, _) => "it is a folder".to_owned(),
            (Self::Unreadable(kind), _) => format!("the system says: {kind}"),
            (Self::TooLarge { limit }, _) => {
                format!("it is larger than {} KiB, and no credential is", limit / 1024)
            }
            (Self::Empty, _) => "it is empty".to_owned(),
            (Self::NotUtf8, _) => "it is not UTF-8 text, and neither consumer takes anything else".to_owned(),
            (Self::ByteOrderMark, _) => {
                "it begins with a byte-order mark (EF BB BF), which would be sent to the registry".to_owned()
            }
            (Self::NotJson { line, column }, _) => {
                format!("it is no JSON from line {line}, column {column} on")
            }
            (Self::NotAPair { line, column }, _) => {
                format!("it is no object with one text for each part: line {line}, column {column}")
            }
            (Self::Lacks { key }, _) => format!("it has no `{key}`"),
            (Self::NoTime, _) => "its `expires_at` is no time in the form of RFC 3339".to_owned(),
            (Self::NoCredential(error), _) => error.to_string(),
            (Self::NoEntry(unusable), _) => match unusable.source() {
                Some(reason) => format!("{unusable}: {reason}"),
                None => unusable.to_string(),
            },
            (Self::TimedOut(limit), _) => format!("it gave no answer within {}", span::format(*limit)),
            (Self::Expired { at }, _) => {
                format!("its credential expired {}", at.format("%Y-%m-%d %H:%M UTC"))
            }
            (Self::Ended { code: Some(code) }, _) => format!("it ended with exit code {code}"),
            (Self::Ended { code: None }, _) => "a signal ended it".to_owned(),
            (Self::NotAnAnswer, _) => {
                "it ended well and printed something else than a helper's JSON".to_owned()
            }
            (Self::NotKept { server }, _) => format!("it has no username and password for `{server}`"),
            (Self::IdentityToken, _) => {
                "it has an identity token in place of a password, and the ECS agent cannot use one".to_owned()
            }
            (Self::Aws(error), _) => error.failure("").why,
            (Self::NoVersion { version }, Place::Secret { .. }) => {
                format!("it is there, and none of its versions has the stage `{version}`")
            }
            (Self::NoVersion { version }, _) => {
                format!("it is there, and has no version or label `{version}`")
            }
            (Self::Binary, _) => "it holds bytes in place of text".to_owned(),
            (Self::Vault(flaw), _) => flaw.why(),
            (Self::NotEncrypted, _) => {
                "it is no SecureString, so its value is stored and shown in the clear".to_owned()
            }
        }
    }

    pub(super) fn to_do(&self, place: &Place) -> String {
        const WRITE_AGAIN: &str = "write the value again, on one line and with nothing after it";
        match (self, place) {
            (Self::Missing, Place::Variable(name)) => format!("set {name}, or correct `source`"),
            (Self::Missing, Place::Helper(name)) => {
                format!("install docker-credential-{name} into a folder of regcred's PATH, or correct its name")
            }
            (Self::Missing, Place::Command(_)) => {
                "correct `source.exec.command`: a name alone is looked for on regcred's PATH, a path with a `/` starts \
                 at the folder of the configuration"
                    .to_owned()
            }
            (Self::Missing | Self::Folder, Place::File(_)) => {
                "correct the path in `source`; a relative one starts at the folder of the configuration".to_owned()
            }
            (Self::Denied, Place::File(path)) => {
                format!("let the user that runs regcred read {} and enter the folders above", path.display())
            }
            (Self::Denied | Self::Folder | Self::Unreadable(_), Place::Helper(_) | Place::Command(_)) => {
                "see that this user can run it, and that a script names its interpreter in its first line".to_owned()
            }
            (Self::Missing | Self::Folder | Self::Denied | Self::Unreadable(_), _) => {
                "see that this process can read it, and run again".to_owned()
            }
            (Self::TooLarge { .. }, _) => "correct `source`: this is probably something else".to_owned(),
            (Self::NotUtf8 | Self::ByteOrderMark, _) => {
                "save it as UTF-8 without a byte-order mark".to_owned()
            }
            (Self::Lacks { .. }, Place::Secret { .. } | Place::Parameter { .. } | Place::Vault { .. }) => {
                "put it there, or name the keys with `username_key` and `password_key`".to_owned()
            }
            (Self::NotJson { .. } | Self::NotAPair { .. }, Place::Secret { .. } | Place::Parameter { .. }) => {
                r#"store {"username":"…","password":"…"}, or name the `username` in `source` if it is the password alone"#
                    .to_owned()
            }
            (Self::Empty | Self::NotJson { .. } | Self::NotAPair { .. } | Self::Lacks { .. }, _) => {
                r#"write {"username":"…","password":"…"}, with nothing after it"#.to_owned()
            }
            (Self::NoTime, _) => {
                "write it as in 2027-02-01T00:00:00Z, or leave it out".to_owned()
            }
            (Self::NoCredential(CredentialError::Empty(_)), _) => {
                "put the value there; what is published stays until then".to_owned()
            }
            (Self::NoCredential(CredentialError::Nul(_) | CredentialError::LineBreak(_)), _) => {
                WRITE_AGAIN.to_owned()
            }
            (Self::NoEntry(unusable), Place::Variable(name)) => unusable.remedy_in_variable(name),
            (Self::NoEntry(unusable), _) => unusable.remedy(),
            (Self::TimedOut(_), Place::Variable(_) | Place::File(_)) => {
                "see what holds it up (a network file system, a pipe without a writer), or raise `source_timeout`"
                    .to_owned()
            }
            (Self::TimedOut(_), Place::Helper(_) | Place::Command(_)) => {
                "see what it waits for (a keyring, a person, a network), or raise `source_timeout`; it was killed"
                    .to_owned()
            }
            (Self::TimedOut(_), Place::Secret { .. } | Place::Parameter { .. }) => {
                "check the network, the Region and AWS_ENDPOINT_URL, or raise `source_timeout`".to_owned()
            }
            (Self::TimedOut(_), Place::Vault { .. }) => {
                "see that the server answers from here, or raise `source_timeout`".to_owned()
            }
            (Self::Expired { .. }, _) => {
                "put its successor there; what is published stays until then".to_owned()
            }
            (Self::Ended { .. }, _) => {
                "run it by hand as the user of regcred, with the variables that it is given: what it prints is not \
                 shown here"
                    .to_owned()
            }
            (Self::NotAnAnswer, _) => {
                "see that it is a credential helper, and speaks the protocol's `get`".to_owned()
            }
            (Self::NotKept { server }, Place::Helper(name)) => {
                format!(
                    "log in to it with `docker login`, so that this helper keeps it; see what `echo {server} | \
                     docker-credential-{name} get` says"
                )
            }
            (Self::NotKept { .. }, _) => "log in to it with `docker login`".to_owned(),
            (Self::IdentityToken, _) => {
                "log in with an access token or a robot account that has a password".to_owned()
            }
            (Self::Aws(error), _) => to_do_at_aws(error, place),
            (Self::NoVersion { .. }, _) => to_do_about_version(place),
            (Self::Binary, _) => "store the value as text (SecretString)".to_owned(),
            (Self::Vault(flaw), _) => flaw.to_do(place),
            (Self::NotEncrypted, _) => {
                "put it under a new name with --type SecureString, correct `source`, and delete this one: SSM does not \
                 change the type of a parameter"
                    .to_owned()
            }
        }
    }
}

/// What to do where the place is there, and the version of it that `source` names is not.
fn to_do_about_version(place: &Place) -> String {
    match place {
        Place::Secret { id, .. } => format!(
            "correct `version_stage` in `source`; aws secretsmanager list-secret-version-ids --secret-id {id} lists the stages"
        ),
        Place::Parameter { name, .. } => {
            let (bare, _) = name.rsplit_once(':').unwrap_or((name, ""));
            format!(
                "correct what is behind the ':' of `name`; aws ssm get-parameter-history --name {bare} lists versions and labels"
            )
        }
        Place::Variable(_) | Place::File(_) | Place::Helper(_) | Place::Command(_) | Place::Vault { .. } => {
            "correct the version in `source`".to_owned()
        }
    }
}

/// What a refused read needs, the key included: both services refuse a caller that may read and not decrypt under the
/// same code, and only their text tells which of the two it is.
fn to_do_at_aws(error: &AwsError, place: &Place) -> String {
    let remedy = error.failure("").remedy;
    match (error.kind, place) {
        (AwsErrorKind::AccessDenied, Place::Secret { .. }) => {
            format!("{remedy}, and kms:Decrypt on its key unless that is aws/secretsmanager")
        }
        (AwsErrorKind::AccessDenied, Place::Parameter { .. }) => {
            format!("{remedy}, and kms:Decrypt on its key unless that is alias/aws/ssm")
        }
        (AwsErrorKind::NotFound, Place::Secret { .. } | Place::Parameter { .. }) => {
            format!("create {}, or correct its name or `location` in `source`", error.resource)
        }
        (AwsErrorKind::Invalid, Place::Secret { .. } | Place::Parameter { .. }) => {
            match error.code.as_str() {
                "DecryptionFailure" | "InvalidKeyId" => {
                    "enable the KMS key that it is encrypted with".to_owned()
                }
                "InvalidRequestException" => {
                    "see whether it is scheduled for deletion: aws secretsmanager restore-secret".to_owned()
                }
                _ => remedy,
            }
        }
        _ => remedy,
    }
}
