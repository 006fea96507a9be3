//! The contract of every source, one table; whoever adds a source adds a line to [`Kind`].

use std::ffi::OsString;
use std::fmt::Debug;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use regcred_core::credential::{CredentialError, Part};
use regcred_core::formats::docker_config::Unusable;
use tempfile::TempDir;

use super::*;

const SECRET: &str = "s3cr3t-of-the-tests";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Env,
    JsonFile,
    PasswordFile,
    DockerConfig,
}

const ALL: [Kind; 4] = [Kind::Env, Kind::JsonFile, Kind::PasswordFile, Kind::DockerConfig];
const FILES: [Kind; 3] = [Kind::JsonFile, Kind::PasswordFile, Kind::DockerConfig];

impl Kind {
    /// The bytes that hold `password` for the user `robot`, as this kind of source wants them.
    fn bytes(self, password: &str) -> Vec<u8> {
        match self {
            Self::Env | Self::PasswordFile => password.into(),
            Self::JsonFile => {
                serde_json::json!({ "username": "robot", "password": password }).to_string().into()
            }
            Self::DockerConfig => {
                let entry = serde_json::json!({ "username": "robot", "password": password });
                serde_json::json!({ "auths": { "ghcr.io": entry } }).to_string().into()
            }
        }
    }

    /// The source that reads `bytes`, or that finds nothing.
    fn source(self, folder: &Path, bytes: Option<Vec<u8>>) -> Box<dyn Source> {
        if self == Self::Env {
            let look_up = move |name: &str| match name {
                "USER" => Some(OsString::from("robot")),
                _ => bytes.clone().map(OsString::from_vec),
            };
            return Box::new(env::Env { username: "USER".into(), password: "PASSWORD".into(), look_up });
        }
        let path = folder.join("credential");
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
        }
        self.at(&path)
    }

    /// The source that reads the file at `path`.
    fn at(self, path: &Path) -> Box<dyn Source> {
        let server = Server::parse("ghcr.io").unwrap();
        let path = PathBuf::from(path);
        open(
            &match self {
                Self::Env => unreachable!("the environment has no path"),
                Self::JsonFile => SourceReference::JsonFile { path },
                Self::PasswordFile => {
                    SourceReference::PasswordFile { username: "robot".into(), password_path: path }
                }
                Self::DockerConfig => SourceReference::DockerConfig { path },
            },
            &server,
        )
    }

    async fn read(self, bytes: impl Into<Option<Vec<u8>>>) -> Result<Reading, SourceError> {
        let folder = TempDir::new().unwrap();
        self.source(folder.path(), bytes.into()).read().await
    }
}

fn silent(value: &impl Debug) {
    assert!(!format!("{value:?} {value:#?}").contains(SECRET), "{value:?}");
}

/// What went wrong; the message has three lines and says nothing of the secret.
fn flaw(reading: Result<Reading, SourceError>) -> Flaw {
    let error = reading.unwrap_err();
    let message = error.to_string();
    let lines: Vec<_> = message.lines().collect();
    assert!(
        matches!(lines.as_slice(), [what, why, to_do] if what.starts_with("cannot read the ")
            && why.starts_with("  because: ") && to_do.starts_with("  to do:   ")),
        "{message}"
    );
    assert!(!message.contains(SECRET), "{message}");
    silent(&error);
    error.flaw
}

#[tokio::test]
async fn a_good_credential_is_read_as_it_is() {
    for kind in ALL {
        for password in [SECRET, "p: \"q\" \\ é {}", " spaces stay "] {
            let reading = kind.read(kind.bytes(password)).await.unwrap();
            assert_eq!(reading.credential.username(), "robot", "{kind:?}");
            assert_eq!(reading.credential.secret().expose(), password, "{kind:?}");
            assert_eq!(reading.credential.expires(), None);
            assert_eq!(reading.notes, [], "{kind:?}");
            silent(&reading);
        }
    }
}

#[tokio::test]
async fn a_place_with_nothing_in_it_is_missing() {
    for kind in ALL {
        assert_eq!(flaw(kind.read(None).await), Flaw::Missing, "{kind:?}");
    }
}

#[tokio::test]
async fn a_value_that_a_consumer_would_misread_is_refused_with_the_reason() {
    let (s, password) = (SECRET, Part::Password);
    for kind in ALL {
        for (value, expected) in [
            (String::new(), CredentialError::Empty(password)),
            (format!("{s}\0"), CredentialError::Nul(password)),
            (format!("{s}\n{s}"), CredentialError::LineBreak(password)),
            (format!("{s}\r"), CredentialError::LineBreak(password)),
            (format!("{s}\n\n"), CredentialError::LineBreak(password)),
        ] {
            let found = flaw(kind.read(kind.bytes(&value)).await);
            match found {
                Flaw::NoCredential(error) => assert_eq!(error, expected, "{kind:?}"),
                Flaw::NoEntry(Unusable::Credential { source, .. }) => assert_eq!(source, expected),
                // Docker takes an entry without a password for none at all.
                Flaw::NoEntry(Unusable::NoLogin { .. } | Unusable::NoEntry { .. }) => {
                    assert!(value.is_empty());
                }
                other => panic!("{kind:?}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn the_reason_is_told_whatever_the_format() {
    for kind in ALL {
        let error = kind.read(kind.bytes(&format!("{SECRET}\n{SECRET}"))).await.unwrap_err();
        assert!(error.to_string().contains("the password contains a line break"), "{error}");
    }
}

#[tokio::test]
async fn a_lone_line_break_at_the_end_is_trimmed_from_a_password_file_alone_and_said() {
    for end in ["\n", "\r\n"] {
        let value = format!("{SECRET}{end}");
        for kind in ALL {
            let reading = kind.read(kind.bytes(&value)).await;
            if kind == Kind::PasswordFile {
                let reading = reading.unwrap();
                assert_eq!(reading.credential.secret().expose(), SECRET);
                let [note @ Note::TrailingLineBreakTrimmed { .. }] = reading.notes.as_slice() else {
                    panic!("{reading:?}");
                };
                assert!(note.to_string().contains("credential is not taken"), "{note}");
            } else {
                assert!(matches!(flaw(reading), Flaw::NoCredential(_) | Flaw::NoEntry(_)), "{kind:?}");
            }
        }
    }
    assert_eq!(
        flaw(Kind::PasswordFile.read(b"\n".to_vec()).await),
        Flaw::NoCredential(CredentialError::Empty(Part::Password))
    );
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused() {
    for kind in ALL {
        let bytes = [kind.bytes(SECRET).as_slice(), b"\xFF"].concat();
        assert_eq!(flaw(kind.read(bytes).await), Flaw::NotUtf8, "{kind:?}");
    }
    for kind in FILES {
        let bytes = [b"\xEF\xBB\xBF", kind.bytes(SECRET).as_slice()].concat();
        assert_eq!(flaw(kind.read(bytes).await), Flaw::ByteOrderMark, "{kind:?}");
    }
}

#[tokio::test]
async fn a_file_of_another_format_is_refused_without_quoting_it() {
    for (text, expected) in [
        (
            format!("{{\"username\":\"robot\",\"password\":\"{SECRET}\""),
            Flaw::NotJson { line: 1, column: 52 },
        ),
        (SECRET.to_owned(), Flaw::NotJson { line: 1, column: 1 }),
        (" \n".to_owned(), Flaw::Empty),
        (format!("\"{SECRET}\""), Flaw::NotAPair { line: 1, column: 21 }),
        (format!("[\"robot\",\"{SECRET}\"]"), Flaw::NotAPair { line: 1, column: 1 }),
        (format!("{{\"username\":5,\"password\":\"{SECRET}\"}}"), Flaw::NotAPair { line: 1, column: 13 }),
        (format!("{{\"user\":\"robot\",\"password\":\"{SECRET}\"}}"), Flaw::Lacks(Part::Username)),
        (format!("{{\"username\":\"robot\",\"passwrod\":\"{SECRET}\"}}"), Flaw::Lacks(Part::Password)),
        (
            format!("{{\"username\":\"robot\",\"password\":null,\"p\":\"{SECRET}\"}}"),
            Flaw::Lacks(Part::Password),
        ),
    ] {
        assert_eq!(flaw(Kind::JsonFile.read(text.clone().into_bytes()).await), expected, "{text}");
        assert!(matches!(flaw(Kind::DockerConfig.read(text.into_bytes()).await), Flaw::NoEntry(_)));
    }
}

#[tokio::test]
async fn a_file_that_is_something_else_is_refused() {
    let folder = TempDir::new().unwrap();
    for kind in FILES {
        assert_eq!(flaw(kind.at(folder.path()).read().await), Flaw::Folder, "{kind:?}");
        let large = vec![b' '; bytes::LIMIT + 1];
        assert_eq!(flaw(kind.read(large).await), Flaw::TooLarge { limit: bytes::LIMIT }, "{kind:?}");
        // A file without an end is read up to the limit and no further.
        assert_eq!(
            flaw(kind.at(Path::new("/dev/zero")).read().await),
            Flaw::TooLarge { limit: bytes::LIMIT }
        );
    }
}

#[tokio::test]
async fn a_file_that_may_not_be_read_says_so() {
    assert_eq!(Flaw::from(std::io::ErrorKind::PermissionDenied), Flaw::Denied);
    let folder = TempDir::new().unwrap();
    for kind in FILES {
        let source = kind.source(folder.path(), Some(kind.bytes(SECRET)));
        let path = folder.path().join("credential");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
        // Nothing is denied to root; there, only the line above can be tested.
        let root = std::fs::File::open(&path).is_ok();
        if !root {
            assert_eq!(flaw(source.read().await), Flaw::Denied, "{kind:?}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn a_pipe_without_a_writer_ends_at_its_time_limit_and_holds_up_neither_the_others_nor_the_process() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let good = folder.path().join("good");
    std::fs::write(&good, SECRET).unwrap();
    let limit = Duration::from_millis(200);
    let registry = |path: &Path| Registry {
        server: Server::DockerHub,
        source: SourceReference::PasswordFile { username: "robot".into(), password_path: path.to_owned() },
        source_timeout: limit,
        secret: None,
    };
    let mut registries: BTreeMap<_, _> =
        (0..50).map(|n| (RegistryName::new(format!("stuck-{n}")), registry(&pipe))).collect();
    registries.insert(RegistryName::new("well"), registry(&good));

    let start = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut readings = runtime.block_on(read_all(&registries));
    drop(runtime);
    // One after the other they would take ten seconds; a runtime that waited for its threads would take for ever.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());

    assert_eq!(readings.remove("well").unwrap().unwrap().credential.secret().expose(), SECRET);
    assert_eq!(readings.len(), 50);
    for (_, reading) in readings {
        assert_eq!(flaw(reading), Flaw::TimedOut(limit));
    }
}

#[tokio::test]
async fn a_pipe_with_a_writer_is_a_file_like_any_other() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut writer =
        Command::new("sh").arg("-c").arg(format!("printf %s {SECRET} > {}", pipe.display())).spawn().unwrap();
    let reading = Kind::PasswordFile.at(&pipe).read().await.unwrap();
    assert_eq!(reading.credential.secret().expose(), SECRET);
    assert!(writer.wait().unwrap().success());
}

#[tokio::test]
async fn a_variable_that_fails_is_the_one_that_is_named() {
    let source = |user: &'static str, password: &'static str| env::Env {
        username: "HARBOR_USER".into(),
        password: "HARBOR_PASSWORD".into(),
        look_up: move |name: &str| {
            Some(OsString::from(match name {
                "HARBOR_USER" => user,
                _ => password,
            }))
        },
    };
    for (source, name) in [(source("", SECRET), "HARBOR_USER"), (source("robot", ""), "HARBOR_PASSWORD")] {
        let error = source.read().await.unwrap_err();
        assert_eq!(error.place, Place::Variable(name.to_owned()));
    }
}

#[tokio::test]
async fn a_source_reads_again_what_was_replaced() {
    let folder = TempDir::new().unwrap();
    for kind in FILES {
        let source = kind.source(folder.path(), Some(kind.bytes("old")));
        assert_eq!(source.read().await.unwrap().credential.secret().expose(), "old");
        let new = folder.path().join("new");
        std::fs::write(&new, kind.bytes("new")).unwrap();
        std::fs::rename(&new, folder.path().join("credential")).unwrap();
        assert_eq!(source.read().await.unwrap().credential.secret().expose(), "new");
    }
}
