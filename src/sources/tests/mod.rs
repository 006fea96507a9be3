//! The contract of every source, one table; whoever adds a source adds a line to [`Kind`].

mod bao;
mod programs;
mod vault;
mod worlds;

use std::ffi::OsString;
use std::fmt::Debug;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use regcred_core::credential::{CredentialError, Part};
use regcred_core::formats::docker_config::Unusable;
use regcred_sandbox::client::Client;
use regcred_sandbox::{Effect, Fault, Match};
use serde_json::json;
use tempfile::TempDir;

use self::worlds::{FILES, Kind, World, all};
use super::vault::VaultFlaw;
use super::*;
use crate::aws::AwsErrorKind;
use crate::config::Verify;

const SECRET: &str = "s3cr3t-of-the-tests";

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
    for kind in all() {
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
    for kind in all() {
        match flaw(kind.read(None).await) {
            Flaw::Missing => assert!(!kind.is_of_aws(), "{kind:?}"),
            Flaw::Aws(error) => assert_eq!(error.kind, AwsErrorKind::NotFound, "{kind:?}"),
            Flaw::Vault(error) => assert_eq!(error, VaultFlaw::Absent, "{kind:?}"),
            other => panic!("{kind:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_value_that_a_consumer_would_misread_is_refused_with_the_reason() {
    let (s, password) = (SECRET, Part::Password);
    for kind in all() {
        for (value, expected) in [
            (String::new(), CredentialError::Empty(password)),
            (format!("{s}\0{s}"), CredentialError::Nul(password)),
            (format!("{s}\n{s}"), CredentialError::LineBreak(password)),
            (format!("{s}\r"), CredentialError::LineBreak(password)),
            (format!("{s}\n\n"), CredentialError::LineBreak(password)),
        ] {
            if value.is_empty() && !kind.can_be_empty() {
                continue;
            }
            let found = flaw(kind.read(kind.bytes(&value)).await);
            match found {
                // A helper that knows nothing of a server may answer so.
                Flaw::NotKept { .. } => assert!(value.is_empty(), "{kind:?}"),
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
    for kind in all() {
        let error = kind.read(kind.bytes(&format!("{SECRET}\n{SECRET}"))).await.unwrap_err();
        assert!(error.to_string().contains("the password contains a line break"), "{error}");
    }
}

#[tokio::test]
async fn a_lone_line_break_at_the_end_is_trimmed_where_the_password_stands_alone_and_said() {
    for end in ["\n", "\r\n"] {
        let value = format!("{SECRET}{end}");
        for kind in all() {
            let reading = kind.read(kind.bytes(&value)).await;
            if kind.is_trimmed() {
                let reading = reading.unwrap();
                assert_eq!(reading.credential.secret().expose(), SECRET);
                let [note] = reading.notes.as_slice() else { panic!("{reading:?}") };
                let said = note.to_string();
                assert!(said.contains("is not taken for a part of the password"), "{kind:?}: {said}");
                assert!(said.contains("credential") || said.contains("registries/ghcr"), "{kind:?}: {said}");
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
    for kind in all().into_iter().filter(|kind| kind.takes_bytes()) {
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
        (format!("{{\"user\":\"robot\",\"password\":\"{SECRET}\"}}"), Flaw::Lacks { key: "username".into() }),
        (
            format!("{{\"username\":\"robot\",\"passwrod\":\"{SECRET}\"}}"),
            Flaw::Lacks { key: "password".into() },
        ),
        (
            format!("{{\"username\":\"robot\",\"password\":null,\"p\":\"{SECRET}\"}}"),
            Flaw::Lacks { key: "password".into() },
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
    for kind in FILES {
        let world = World::new(kind, Some(kind.bytes(SECRET))).await;
        let (source, path) = (world.source(), world.path());
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
        verify: Verify::Off,
    };
    let mut registries: BTreeMap<_, _> =
        (0..50).map(|n| (RegistryName::new(format!("stuck-{n}")), registry(&pipe))).collect();
    registries.insert(RegistryName::new("well"), registry(&good));

    let start = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut readings = runtime.block_on(read_all(&registries, &Locations::none(), DateTime::UNIX_EPOCH));
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
    for kind in FILES.into_iter().chain([Kind::CredentialHelper, Kind::ConfiguredHelper, Kind::Exec]) {
        let world = World::new(kind, Some(kind.bytes("old"))).await;
        let source = world.source();
        assert_eq!(source.read().await.unwrap().credential.secret().expose(), "old");
        let new = world.folder.path().join("new");
        std::fs::write(&new, kind.bytes("new")).unwrap();
        std::fs::rename(&new, world.path()).unwrap();
        assert_eq!(source.read().await.unwrap().credential.secret().expose(), "new");
    }
}

#[tokio::test]
async fn a_store_that_gives_no_answer_ends_at_its_time_limit() {
    for kind in all().into_iter().filter(|kind| kind.is_of_aws()) {
        let world = World::new(kind, Some(kind.bytes(SECRET))).await;
        let client = Client::new(&world.sandbox().endpoint());
        client.set_faults(&[Fault { calls: Match::default(), effect: Effect::HoldBefore }]).unwrap();
        let limit = Duration::from_millis(200);
        let start = Instant::now();
        let reading = super::read(&*world.source(), limit, DateTime::UNIX_EPOCH).await;
        assert_eq!(flaw(reading), Flaw::TimedOut(limit), "{kind:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "{kind:?}: {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_store_that_refuses_is_told_with_the_action_and_the_resource() {
    for kind in all().into_iter().filter(|kind| kind.is_of_aws()) {
        let world = World::new(kind, Some(kind.bytes(SECRET))).await;
        let client = Client::new(&world.sandbox().endpoint());
        client.set_faults(&[Fault { calls: Match::default(), effect: Effect::Deny }]).unwrap();
        let error = world.source().read().await.unwrap_err();
        let Flaw::Aws(refused) = flaw(Err(error.clone())) else { panic!("{kind:?}: {error:?}") };
        assert_eq!(refused.kind, AwsErrorKind::AccessDenied);
        let failure = error.into_failure();
        assert_eq!(failure.kind, regcred_core::report::FailureKind::AccessDenied);
        let (action, resource) = match kind {
            Kind::Secret | Kind::SecretPassword => {
                ("secretsmanager:GetSecretValue", ":secret:registries/ghcr-*")
            }
            _ => ("ssm:GetParameter", ":parameter/registries/ghcr"),
        };
        let remedy = failure.remedy;
        assert!(remedy.starts_with(&format!("allow {action} on arn:aws:")), "{remedy}");
        assert!(remedy.contains(resource) && remedy.contains("kms:Decrypt"), "{remedy}");
    }
}

#[tokio::test]
async fn a_parameter_that_is_not_encrypted_is_refused() {
    let (_sandbox, source) = worlds::plain_parameter();
    assert_eq!(flaw(source.read().await), Flaw::NotEncrypted);
}

#[tokio::test]
async fn a_credentials_end_is_told_and_one_that_has_come_is_refused() {
    let now = "2026-11-24T12:00:00Z".parse().unwrap();
    for kind in [Kind::JsonFile, Kind::Exec, Kind::Secret] {
        for (end, expected) in [
            (json!("2026-11-24T14:00:01+02:00"), Ok(Some("2026-11-24T12:00:01Z"))),
            (json!("2026-11-24T12:00:00Z"), Err(Flaw::Expired { at: now })),
            (json!("tomorrow"), Err(Flaw::NoTime)),
            (json!(null), Ok(None)),
        ] {
            let pair = json!({ "username": "robot", "password": SECRET, "expires_at": end }).to_string();
            let world = World::new(kind, Some(pair.into())).await;
            let reading = super::read(&*world.source(), Duration::from_secs(10), now).await;
            match expected {
                Ok(end) => {
                    let end = end.map(|end| end.parse::<DateTime<Utc>>().unwrap());
                    assert_eq!(reading.unwrap().credential.expires(), end, "{kind:?}");
                }
                Err(expected) => assert_eq!(flaw(reading), expected, "{kind:?}"),
            }
        }
    }
}
