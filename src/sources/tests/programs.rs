//! What programs may do wrong: credential helpers, and commands.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use regcred_core::formats::docker_config::HelperCall;

use super::super::process::Environment;
use super::super::*;
use super::worlds::{Kind, World, programs};
use super::{SECRET, flaw};

const BOTH: [Kind; 2] = [Kind::CredentialHelper, Kind::ConfiguredHelper];

/// The exit code with which the program ends.
fn with_code(mut environment: Environment, code: &str) -> Environment {
    environment.insert("CODE".into(), code.into());
    environment
}

fn helper(environment: Environment) -> helper::CredentialHelper {
    let call = HelperCall { helper: "test".into(), server: "https://index.docker.io/v1/".into() };
    helper::CredentialHelper { call, environment }
}

#[tokio::test]
async fn a_helper_is_asked_for_the_server_as_docker_asks_it() {
    let kind = Kind::CredentialHelper;
    let world = World::new(kind, Some(kind.bytes(SECRET))).await;
    helper(world.environment()).read().await.unwrap();
    assert_eq!(std::fs::read_to_string(world.asked()).unwrap(), "https://index.docker.io/v1/");
}

#[tokio::test]
async fn a_helper_that_knows_nothing_of_a_server_says_so_in_each_of_its_ways() {
    let not_kept = Flaw::NotKept { server: "ghcr.io".into() };
    for kind in BOTH {
        for answer in [
            r#"{"ServerURL":"","Username":"","Secret":""}"#,
            r#"{"ServerURL":"ghcr.io","Username":"robot","Secret":""}"#,
            r#"{"ServerURL":"ghcr.io","Username":"","Secret":"s3cr3t-of-the-tests"}"#,
            "{}",
        ] {
            assert_eq!(flaw(kind.read(answer.as_bytes().to_vec()).await), not_kept, "{answer}");
        }
    }
    let text = b"credentials not found in native keychain\n".to_vec();
    let world = World::new(Kind::CredentialHelper, Some(text)).await;
    let not_kept = Flaw::NotKept { server: "https://index.docker.io/v1/".into() };
    assert_eq!(flaw(helper(with_code(world.environment(), "1")).read().await), not_kept);
    // With exit code 0, the sentence is no answer.
    assert_eq!(flaw(helper(world.environment()).read().await), Flaw::NotAnAnswer);
}

#[tokio::test]
async fn an_identity_token_and_what_is_no_answer_are_refused() {
    for kind in BOTH {
        for (answer, expected) in [
            (r#"{"Username":"<token>","Secret":"s3cr3t-of-the-tests"}"#, Flaw::IdentityToken),
            (r#"{"Username":"robot","Secret":["s3cr3t-of-the-tests"]}"#, Flaw::NotAnAnswer),
            (r#""s3cr3t-of-the-tests""#, Flaw::NotAnAnswer),
            ("s3cr3t-of-the-tests", Flaw::NotAnAnswer),
            ("", Flaw::NotAnAnswer),
        ] {
            assert_eq!(flaw(kind.read(answer.as_bytes().to_vec()).await), expected, "{answer}");
        }
    }
}

#[tokio::test]
async fn a_program_that_fails_is_told_with_its_exit_code_and_nothing_that_it_printed() {
    let kind = Kind::CredentialHelper;
    let world = World::new(kind, Some(kind.bytes(SECRET))).await;
    let environment = || with_code(world.environment(), "3");
    assert_eq!(flaw(helper(environment()).read().await), Flaw::Ended { code: Some(3) });
    let print = |environment| exec::Exec {
        program: programs().join("print"),
        arguments: vec![world.path().display().to_string()],
        environment,
        folder: PathBuf::new(),
    };
    assert_eq!(flaw(print(environment()).read().await), Flaw::Ended { code: Some(3) });
    let killed = exec::Exec {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), format!("echo {SECRET}; kill -9 $$")],
        ..print(world.environment())
    };
    assert_eq!(flaw(killed.read().await), Flaw::Ended { code: None });
}

#[tokio::test]
async fn a_command_is_given_its_arguments_as_they_are_and_the_variables_that_are_listed_alone() {
    let folder = tempfile::TempDir::new().unwrap();
    let script =
        r#"printf '{"username":"%s","password":"%s %s %s"}' "$1" "$2" "$(pwd)" "$(env | grep -c .)""#;
    let source = exec::Exec {
        program: "/bin/sh".into(),
        arguments: ["-c", script, "sh", "robot", "$HOME `id` *"].map(str::to_owned).into(),
        environment: Environment::from([("PATH".into(), "/usr/bin:/bin".into())]),
        folder: folder.path().to_owned(),
    };
    let credential = source.read().await.unwrap().credential;
    assert_eq!(credential.username(), "robot");
    let place = folder.path().canonicalize().unwrap();
    // PATH, and PWD, which the shell sets by itself; some set `_` and SHLVL too.
    let said = credential.secret().expose();
    let variables = said.strip_prefix(&format!("$HOME `id` * {} ", place.display())).unwrap();
    assert!(["2", "3", "4"].contains(&variables), "{variables}");
}

#[test]
fn a_program_is_given_what_it_needs_to_find_its_files_and_what_is_listed() {
    let given = process::environment(&["CARGO_MANIFEST_DIR".to_owned()]);
    assert!(given.contains_key::<std::ffi::OsStr>("PATH".as_ref()));
    assert!(given.contains_key::<std::ffi::OsStr>("CARGO_MANIFEST_DIR".as_ref()));
    assert!(!given.contains_key::<std::ffi::OsStr>("CARGO_PKG_NAME".as_ref()), "{:?}", given.keys());
}

#[tokio::test]
async fn a_command_that_prints_without_end_is_read_up_to_the_limit_and_killed() {
    let source = exec::Exec {
        program: "/bin/cat".into(),
        arguments: vec!["/dev/zero".into()],
        environment: Environment::new(),
        folder: PathBuf::new(),
    };
    assert_eq!(flaw(source.read().await), Flaw::TooLarge { limit: bytes::LIMIT });
}

#[tokio::test]
async fn a_program_that_gives_no_answer_is_killed_at_the_time_limit_with_what_it_started() {
    let limit = Duration::from_millis(500);
    for kind in [Kind::CredentialHelper, Kind::Exec] {
        let world = World::new(kind, Some(Vec::new())).await;
        let environment = world.environment();
        let source: Box<dyn Source> = match kind {
            Kind::Exec => Box::new(exec::Exec {
                program: programs().join("hang"),
                arguments: Vec::new(),
                environment,
                folder: PathBuf::new(),
            }),
            _ => Box::new(helper::CredentialHelper {
                call: HelperCall { helper: "hang".into(), server: "ghcr.io".into() },
                environment,
            }),
        };
        let start = Instant::now();
        assert_eq!(
            flaw(read(&*source, limit, DateTime::UNIX_EPOCH).await),
            Flaw::TimedOut(limit),
            "{kind:?}"
        );
        assert!(start.elapsed() < Duration::from_secs(10), "{kind:?}: {:?}", start.elapsed());
        // Its child, too: it is a zombie for a moment, until init has seen it.
        let child = std::fs::read_to_string(world.asked()).unwrap();
        let status = PathBuf::from(format!("/proc/{}/stat", child.trim()));
        let is_gone = || std::fs::read_to_string(&status).map_or(true, |stat| stat.contains(") Z "));
        let until = Instant::now() + Duration::from_secs(10);
        while !is_gone() {
            assert!(Instant::now() < until, "{kind:?}: the process {child} goes on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
