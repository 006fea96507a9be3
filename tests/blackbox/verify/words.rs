//! What a person reads of a credential that is not published: three lines, of which the last says what to write where.

use std::fs;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::messages::errors;
use crate::scripted::{Heard, Reply, Scripted};
use crate::world::World;

use super::hostile::{registry_with_basic, registry_with_tokens, token, unauthorized};
use super::real::{configure, world_of_one};

/// A way to fail, as a person meets it.
struct Case {
    server: Scripted,
    /// Below `verify`, besides the endpoint.
    verify: &'static str,
    what: &'static str,
    because: &'static str,
    to_do: &'static str,
}

const REFUSED: &str = "the credential of `harbor` is not accepted by harbor.example.com";
const UNTRIED: &str = "cannot try the credential of `harbor` at harbor.example.com";

async fn case(reply: Reply, because: &'static str, to_do: &'static str) -> Case {
    let server = registry_with_tokens(reply).await;
    Case { server, verify: "", what: UNTRIED, because, to_do }
}

/// A registry that names this challenge.
async fn challenges(challenge: &str, because: &'static str, to_do: &'static str) -> Case {
    let challenge = challenge.to_owned();
    let server = Scripted::start(move |_| unauthorized(std::slice::from_ref(&challenge))).await;
    Case { server, verify: "", what: UNTRIED, because, to_do }
}

/// A registry that takes the password, and hides or denies what is pulled.
async fn pulls(status: u16) -> Scripted {
    Scripted::start(move |heard: &Heard| match (heard.path(), heard.authorization()) {
        (_, None) => unauthorized(&["Basic realm=\"tests\"".to_owned()]),
        ("/v2/", Some(_)) => Reply::new(200, &[], ""),
        _ => Reply::new(status, &[], ""),
    })
    .await
}

async fn cases() -> Vec<Case> {
    let redirect = |to: &str| Reply::new(302, &[("Location", to)], "");
    vec![
        Case {
            what: REFUSED,
            ..case(Reply::new(401, &[], ""), "refuses it (401)", "correct the credential at its source").await
        },
        Case {
            server: registry_with_basic(Reply::new(403, &[], "")).await,
            what: REFUSED,
            ..case(Reply::nothing(), "the registry refuses it (403)", "expired, revoked, or the account locked").await
        },
        Case {
            server: pulls(403).await,
            verify: "repository: team/app",
            what: REFUSED,
            ..case(Reply::nothing(), "does not let it pull team/app:latest (403)", "the right to pull").await
        },
        Case {
            server: pulls(404).await,
            verify: "repository: team/app",
            ..case(Reply::nothing(), "or is hidden from this user", "registries.harbor.verify.repository").await
        },
        case(Reply::new(429, &[("Retry-After", "60")], ""), "it says to wait 60 s", "the account may be locked").await,
        case(Reply::new(502, &[], ""), "fails (502)", "registries.harbor.verify.unreachable: publish").await,
        case(Reply::nothing(), "no answer within 1s", "registries.harbor.verify.endpoint").await,
        case(token("{}"), "there is no token in the answer", "see that `server` names a registry").await,
        case(token(r#"{"token":"x"}"#), "does not take the token", "the registry trusts its token server").await,
        case(redirect("https://auth.example.com/t"), "a password follows to no other host", "as its realm").await,
        case(redirect("https://10.0.0.1/t"), "redirects to another host, and that is inside", "as its realm").await,
        challenges(
            "Bearer realm=\"https://10.0.0.1/token\"",
            "wants the password sent to https://10.0.0.1/token, and `10.0.0.1` is inside",
            "list `10.0.0.1` in registries.harbor.verify.realm_hosts; if not, the registry is not what it should be",
        )
        .await,
        Case {
            verify: "realm_hosts: [169.254.169.254]",
            ..challenges(
                "Bearer realm=\"https://169.254.169.254/token\"",
                "metadata services are at such addresses",
                "registries.harbor.verify.realm_hosts cannot help here",
            )
            .await
        },
        challenges(
            "Bearer realm=\"http://127.0.0.1:5999/token\"",
            "`127.0.0.1:5999` is not among verify.realm_hosts",
            "list `127.0.0.1:5999` in registries.harbor.verify.realm_hosts",
        )
        .await,
        challenges(
            "Bearer realm=\"http://auth.example.com/token\"",
            "over plain http",
            "correct the public URL in the registry's own configuration",
        )
        .await,
        Case {
            verify: "realm_hosts: [auth.example.com]",
            ..challenges(
                "Bearer realm=\"https://evil.example.com/token\"",
                "is not among verify.realm_hosts",
                "list `evil.example.com` in registries.harbor.verify.realm_hosts",
            )
            .await
        },
        challenges("Negotiate", "does not say how to log in", "registries.harbor.verify.endpoint").await,
        Case {
            server: Scripted::start(|_| Reply::new(200, &[], "")).await,
            ..case(Reply::nothing(), "answers everybody with 200", "registries.harbor.verify.enabled: false").await
        },
        Case {
            server: Scripted::start(|_| Reply::new(200, &[("Content-Type", "text/html")], "<html>")).await,
            ..case(Reply::nothing(), "a web page (200, `text/html`), and no registry", "see that `server` names").await
        },
    ]
}

/// The three lines of the one credential.
async fn told(world: &World, command: &[&str]) -> [String; 3] {
    let ended = world.run(command).await;
    let all = errors(&ended.stdout);
    let [one] = all.as_slice() else { panic!("{command:?}: not one failure: {ended:#?}") };
    one.clone()
}

#[tokio::test]
async fn each_credential_that_is_not_published_is_told_in_three_lines_with_what_to_write_where() {
    let world = world_of_one("each_credential_that_is_not_published", "enabled: true");
    for Case { server, verify, what, because, to_do } in cases().await {
        let more = if verify.is_empty() { String::new() } else { format!(", {verify}") };
        configure(&world, &format!("endpoint: '{}', timeout: 1s{more}", server.endpoint()));
        for command in [&["verify"][..], &["plan", "--retry-rejected"]] {
            let lines = told(&world, command).await;
            let says = lines[0] == what && lines[1].contains(because) && lines[2].contains(to_do);
            assert!(says, "{command:?}: not {what:?}, {because:?}, {to_do:?}:\n{lines:#?}");
        }
    }
}

/// Where a server answers whatever it is sent as one of plain HTTP does.
async fn without_tls() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        }
    });
    address
}

#[tokio::test]
async fn a_registry_that_is_not_there_or_not_trusted_is_told_with_the_key_that_leads_to_it() {
    let world = world_of_one("a_registry_that_is_not_there", "enabled: true");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let plain = without_tls().await;
    fs::write(world.path("ca.pem"), "no certificate").unwrap();
    for (verify, because, to_do) in [
        (
            format!("endpoint: 'http://{closed}'"),
            format!("no connection to {closed}"),
            "let this machine reach it, or name another way to it in registries.harbor.verify.endpoint",
        ),
        (
            "endpoint: 'https://registry.invalid'".to_owned(),
            "the name `registry.invalid` does not resolve".to_owned(),
            "registries.harbor.verify.endpoint",
        ),
        (
            format!("endpoint: 'https://{}'", plain),
            "its certificate cannot be trusted, or it speaks no TLS".to_owned(),
            "name its file in registries.harbor.verify.ca_file",
        ),
        (
            format!("endpoint: 'https://{}', ca_file: ca.pem", plain),
            "it was not asked".to_owned(),
            "correct registries.harbor.verify.ca_file: a PEM file",
        ),
    ] {
        configure(&world, &verify);
        for command in [&["verify"][..], &["plan"]] {
            let lines = told(&world, command).await;
            assert_eq!(lines[0], UNTRIED);
            assert!(lines[1].contains(&because) && lines[2].contains(to_do), "{verify}: {lines:#?}");
        }
    }
}
