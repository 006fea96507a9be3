//! Registries and token servers that misbehave. None of them gets a credential that is not meant for it, none makes regcred
//! try twice, and whatever says nothing of a credential is not taken for a refusal.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::certificates::Authority;
use crate::scripted::{Heard, Port, Reply, Scripted, Then, is_open};
use crate::world::{HARBOR_PASSWORD, World, find, writes};

use super::real::{configure, verified, world_of_one};

fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("robot:{HARBOR_PASSWORD}")))
}

pub(super) fn unauthorized(challenges: &[String]) -> Reply {
    let headers: Vec<_> = challenges.iter().map(|value| ("WWW-Authenticate", value.as_str())).collect();
    Reply::new(401, &headers, "")
}

pub(super) fn token(body: &str) -> Reply {
    Reply::new(200, &[("Content-Type", "application/json")], body)
}

/// A registry with a token server of its own, which answers `reply` to whoever shows the password.
fn with_tokens(heard: &Heard, authority: &str, reply: &Reply) -> Reply {
    let ours = basic();
    match (heard.path(), heard.authorization()) {
        ("/v2/", Some("Bearer a-token")) => Reply::new(200, &[], "{}"),
        ("/token", Some(shown)) if *shown == ours => reply.clone(),
        _ => unauthorized(&[format!("Bearer realm=\"http://{authority}/token\",service=\"s\"")]),
    }
}

/// Starts one.
pub(super) async fn registry_with_tokens(reply: Reply) -> Scripted {
    let port = Port::new().await;
    let authority = port.authority();
    port.serve(move |heard| with_tokens(heard, &authority, &reply))
}

fn endpoint(server: &Scripted) -> String {
    format!("endpoint: '{}', timeout: 2s", server.endpoint())
}

/// The same, answered by a registry that only asks for the password itself.
pub(super) async fn registry_with_basic(reply: Reply) -> Scripted {
    Scripted::start(move |heard| match heard.authorization() {
        Some(_) => reply.clone(),
        None => unauthorized(&["Basic realm=\"tests\"".to_owned()]),
    })
    .await
}

#[tokio::test]
async fn a_challenge_is_answered_in_whatever_shape_it_comes() {
    let world = world_of_one("a_challenge_is_answered", "enabled: true");
    let shapes: [&[&str]; 9] = [
        &["Bearer realm=\"REALM\",service=\"s\""],
        &["bearer realm=\"REALM\", service=s"],
        &["BEARER realm=REALM,service=s"],
        &["Negotiate, Bearer realm=\"REALM\",service=\"s\", Basic realm=\"x\""],
        &["Negotiate YWJj/ZGVm==", "Bearer realm=\"REALM\",service=\"s\"", "Basic realm=\"x\""],
        &["Basic realm=\"x\", Bearer realm=\"REALM\",service=\"s\""],
        &["Basic realm=\"x\"", "Bearer realm=\"REALM\""],
        &["Bearer service=\"no realm\"", "Basic realm=\"x\""],
        &[",, Bearer error=\"a \\\"quoted\\\", comma\", realm=\"REALM?tenant=a&service=own\",service=\"s\""],
    ];
    for shape in shapes {
        for body in [
            r#"{"token":"a-token"}"#,
            r#"{"access_token":"a-token"}"#,
            r#"{"token":"","access_token":"a-token"}"#,
        ] {
            let port = Port::new().await;
            let realm = format!("http://{}/token", port.authority());
            let challenges: Vec<String> = shape.iter().map(|text| text.replace("REALM", &realm)).collect();
            let ours = basic();
            let server = port.serve(move |heard| match (heard.path(), heard.authorization()) {
                ("/token", Some(shown)) if shown == ours => token(body),
                ("/v2/", Some(shown)) if shown == ours || shown == "Bearer a-token" => {
                    Reply::new(200, &[], "")
                }
                _ => unauthorized(&challenges),
            });
            configure(&world, &endpoint(&server));
            let (code, outcome) = verified(&world).await;
            assert_eq!((code, &outcome["evidence"]), (0, &"identity".into()), "{shape:?} {body}: {outcome}");
            let heard = server.heard();
            let shown = heard.iter().filter(|heard| heard.authorization() == Some(&basic())).count();
            assert_eq!(shown, 1, "{shape:?}: {heard:?}");
            if let Some(asked) = heard.iter().find(|heard| heard.target.contains("tenant")) {
                assert!(asked.target.starts_with("/token?tenant=a&service=own&account=robot"), "{asked:?}");
            }
        }
    }
}

/// A proxy before the token server drops what authorizes, and the server gives everybody a token that opens `/v2/`.
#[tokio::test]
async fn a_token_server_that_never_sees_the_password_proves_no_login_and_that_is_said() {
    let world = world_of_one("a_token_server_that_never_sees_the_password", "enabled: true");
    world.set_harbor_password("surely-wrong");
    let port = Port::new().await;
    let realm = format!("http://{}/token", port.authority());
    let server = port.serve(move |heard| match (heard.path(), heard.authorization()) {
        ("/token", _) => token(r#"{"token":"a-token"}"#),
        ("/v2/", Some("Bearer a-token")) => Reply::new(200, &[], "{}"),
        _ => unauthorized(&[format!("Bearer realm=\"{realm}\",service=\"s\"")]),
    });
    configure(&world, &endpoint(&server));
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["evidence"]), (0, &"token_for_all".into()), "{outcome:#}");
    let heard = server.heard();
    assert_eq!(heard.len(), 4, "{heard:?}");
    assert_eq!((heard[3].path(), heard[3].authorization()), ("/token", None));
    let note = "which gives anonymous tokens too: name a private repository in `verify.repository`";
    for command in ["verify", "plan", "sync"] {
        let said = world.run(&[command]).await.stdout;
        assert!(said.contains(note), "{command}: {said}");
    }
    // With a repository, it comes out.
    world.set_harbor_password("wrong-as-well");
    configure(&world, &format!("{}, repository: team/app", endpoint(&server)));
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["verdict"]), (3, &"rejected".into()), "{outcome:#}");
}

/// What a token server, or a registry that is shown a password, may answer that says nothing of the password.
fn nothing_told() -> Vec<(&'static str, Reply)> {
    let bytes = |text: &str, then| Reply::Bytes(text.as_bytes().to_vec(), then);
    vec![
        ("throttled", Reply::new(429, &[("Retry-After", "60")], "too many failed logins")),
        ("throttled", Reply::new(429, &[("X-Retry-After", "1764000000")], "<html>")),
        ("server_error", Reply::new(500, &[], "")),
        ("server_error", Reply::new(503, &[("Retry-After", "soon")], "")),
        ("no_answer", Reply::nothing()),
        ("no_answer", bytes("HTTP/1.1 200 OK\r\nContent-", Then::Silence)),
        ("no_answer", bytes("HTTP/1.1 200 OK\r\nContent-", Then::Close)),
        ("no_answer", bytes("", Then::Close)),
        ("no_answer", bytes("", Then::HalfClose)),
        ("no_answer", bytes("HTTP/1.1 200 OK\r\nContent-", Then::HalfClose)),
        ("no_answer", bytes("220 mail.example.com ESMTP\r\n", Then::Close)),
        ("no_answer", Reply::Endless(b"HTTP/1.1 200 OK\r\nX-Filler: ".to_vec())),
        ("unexpected", Reply::new(418, &[], "")),
        ("unexpected", Reply::new(302, &[], "")),
        ("unexpected", Reply::new(204, &[], "")),
        ("unexpected", Reply::new(400, &[], r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#)),
    ]
}

#[tokio::test]
async fn what_says_nothing_of_a_password_is_no_refusal_and_holds_what_is_published() {
    let world = world_of_one("what_says_nothing_of_a_password", "enabled: true");
    let of_tokens = vec![
        ("no_answer", Reply::Endless(b"HTTP/1.1 200 OK\r\n\r\n{\"token\":\"".to_vec())),
        ("no_answer", Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_vec(), Then::Close)),
        (
            "no_answer",
            Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_vec(), Then::HalfClose),
        ),
        ("no_token", Reply::new(200, &[("Content-Type", "text/html")], "<html>Please log in</html>")),
        ("no_token", token(r#"{"token":17}"#)),
        ("no_token", token(r#"{"token":"a\r\nX-Other: b"}"#)),
        ("no_token", token("{}")),
        ("no_token", token("")),
        ("token_not_taken", token(r#"{"token":"of-somebody-else"}"#)),
    ];
    for (because, reply) in nothing_told().into_iter().chain(of_tokens) {
        let server = registry_with_tokens(reply.clone()).await;
        holds(&world, &server, because, &format!("token server: {reply:?}")).await;
    }
    for (because, reply) in nothing_told() {
        let server = registry_with_basic(reply.clone()).await;
        holds(&world, &server, because, &format!("registry: {reply:?}")).await;
    }
}

/// One try, no word of a refusal, nothing published.
async fn holds(world: &World, server: &Scripted, because: &str, case: &str) {
    configure(world, &endpoint(server));
    let (told, calls) = world.watched(&["sync"]).await;
    let login = &find(&told.json["registries"], "name", "harbor")["login"];
    assert_eq!((told.code, &login["verdict"]), (4, &"cannot_tell".into()), "{case}: {login:#}");
    assert_eq!(login["because"], because, "{case}: {login:#}");
    assert_eq!(writes(&calls), Vec::<&str>::new(), "{case}");
    let shown = server.shown().into_iter().filter(|shown| *shown == basic()).count();
    assert_eq!(shown, 1, "{case}");
}

#[tokio::test]
async fn a_registry_that_misbehaves_before_it_says_how_to_log_in_is_shown_nothing() {
    let world = world_of_one("a_registry_that_misbehaves_before", "enabled: true");
    let mut cases = nothing_told();
    cases.extend([
        ("open_to_all", Reply::new(200, &[], "")),
        (
            "open_to_all",
            Reply::new(
                200,
                &[("Docker-Distribution-Api-Version", "registry/2.0"), ("Content-Type", "text/html")],
                "",
            ),
        ),
        (
            "no_registry",
            Reply::new(200, &[("Content-Type", "Text/HTML;charset=utf-8")], "<html>Welcome</html>"),
        ),
        ("no_challenge", Reply::new(401, &[], "")),
        ("no_challenge", unauthorized(&["Negotiate".to_owned()])),
        ("no_challenge", unauthorized(&["Bearer realm=\"no URL\"".to_owned()])),
        ("no_challenge", unauthorized(&["Bearer realm=\"unended".to_owned()])),
        ("unexpected", Reply::new(403, &[], "")),
    ]);
    for (because, reply) in cases {
        let answer = reply.clone();
        let server = Scripted::start(move |_| answer.clone()).await;
        configure(&world, &endpoint(&server));
        let (code, outcome) = verified(&world).await;
        let told = (code, &outcome["verdict"], &outcome["because"]);
        assert_eq!(told, (4, &"cannot_tell".into(), &because.into()), "{reply:?}: {outcome:#}");
        let heard = server.heard();
        assert_eq!(heard.len(), 1, "{reply:?}: {heard:?}");
        assert_eq!(heard[0].authorization(), None, "{reply:?}");
    }
}

#[tokio::test]
async fn an_outage_alone_publishes_untried_where_the_config_says_so() {
    let world = world_of_one("an_outage_alone_publishes_untried", "enabled: true");
    let bytes = |text: &str, then| Reply::Bytes(text.as_bytes().to_vec(), then);
    let page = || Reply::new(200, &[("Content-Type", "text/html; charset=utf-8")], "<html>Log in</html>");
    let nobody = Scripted::start(|_| Reply::nothing()).await;
    let realm = |url: &str| {
        let challenge = unauthorized(&[format!("Bearer realm=\"{url}\",service=\"s\"")]);
        Scripted::start(move |_| challenge.clone())
    };
    let (published, held) = ("publish", "hold");
    let cases = [
        (published, "throttled", registry_with_basic(Reply::new(429, &[], "")).await),
        (published, "server_error", registry_with_basic(Reply::new(503, &[], "")).await),
        (published, "no_answer", nobody),
        (published, "no_answer", registry_with_basic(bytes("HTTP/1.1 200 OK\r\nCont", Then::Close)).await),
        (published, "no_answer", registry_with_basic(bytes("", Then::Close)).await),
        (held, "no_answer", registry_with_basic(bytes("220 mail.example.com ESMTP\r\n", Then::Close)).await),
        (held, "unexpected", registry_with_basic(Reply::new(404, &[], "")).await),
        (held, "unexpected", Scripted::start(|_| Reply::new(403, &[], "")).await),
        (held, "realm_refused", realm("http://169.254.169.254/latest/meta-data/").await),
        (held, "realm_refused", realm("https://169.254.169.254/token").await),
        (held, "no_answer", realm("https://localhost:1/token").await),
        (held, "no_registry", Scripted::start(move |_| page()).await),
        (held, "no_registry", registry_with_basic(page()).await),
        (held, "open_to_all", Scripted::start(|_| Reply::new(200, &[], "{}")).await),
        (held, "no_challenge", Scripted::start(|_| Reply::new(401, &[], "")).await),
    ];
    for (number, (becomes, because, server)) in cases.iter().enumerate() {
        let password = format!("password-{number}");
        world.set_harbor_password(&password);
        configure(&world, &format!("{}, unreachable: publish", endpoint(server)));
        let told = world.json(&["sync"]).await;
        let login = &find(&told.json["registries"], "name", "harbor")["login"];
        let case = format!("{number}: {login:#}");
        assert_eq!(
            (login["because"].as_str(), login["unreachable"].as_str()),
            (Some(*because), Some(*becomes)),
            "{case}"
        );
        let secret = world.sdk().secret("ecs/registry/harbor").await;
        let is_there = secret.is_some_and(|(content, _)| content.contains(&password));
        assert_eq!(
            (told.code, is_there),
            if *becomes == published { (0, true) } else { (4, false) },
            "{case}"
        );
        if *becomes == held {
            let why = login["failure"]["why"].as_str().unwrap_or_default();
            assert!(why.ends_with("(`unreachable: publish` is for outages alone)"), "{case}");
        }
    }
}

#[tokio::test]
async fn a_realm_that_leads_inside_is_sent_nothing() {
    let world = world_of_one("a_realm_that_leads_inside", "enabled: true");
    let nobodys = Port::new().await;
    let inside = nobodys.authority();
    let inside_port = inside.rsplit_once(':').unwrap().1.to_owned();
    let inside = nobodys.serve(|_| token(r#"{"token":"a-token"}"#));
    let cases = [
        ("http://169.254.169.254/latest/meta-data/".to_owned(), "realm_refused", "plaintext"),
        ("https://169.254.169.254/latest/meta-data/".to_owned(), "realm_refused", "never"),
        ("https://[fd00:ec2::254]/token".to_owned(), "realm_refused", "never"),
        ("https://[::ffff:169.254.169.254]/token".to_owned(), "realm_refused", "never"),
        ("https://10.0.0.1/token".to_owned(), "realm_refused", "inside"),
        ("https://0x7f.1/token".to_owned(), "realm_refused", "inside"),
        ("https://192.168.1.1:8443/token".to_owned(), "realm_refused", "inside"),
        ("https://user:password@auth.example.com/token".to_owned(), "realm_refused", "user_info"),
        ("ftp://auth.example.com/token".to_owned(), "realm_refused", "no_url"),
        ("http://auth.example.com/token".to_owned(), "realm_refused", "plaintext"),
        // The same machine, but not the registry.
        (format!("http://127.0.0.1:{inside_port}/token"), "realm_refused", "not_listed"),
        (format!("https://127.0.0.1:{inside_port}/token"), "realm_refused", "inside"),
        // A name, judged by what it resolves to.
        (format!("https://localhost:{inside_port}/token"), "no_answer", ""),
    ];
    for (realm, because, refusal) in cases {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"s\"");
        let server = Scripted::start(move |_| unauthorized(std::slice::from_ref(&challenge))).await;
        configure(&world, &endpoint(&server));
        let (code, outcome) = verified(&world).await;
        let told = (code, &outcome["verdict"], &outcome["because"]);
        assert_eq!(told, (4, &"cannot_tell".into(), &because.into()), "{realm}: {outcome:#}");
        assert_eq!(outcome["refusal"]["refusal"].as_str().unwrap_or_default(), refusal, "{outcome:#}");
        assert_eq!(server.shown(), Vec::<String>::new(), "{realm}");
        assert_eq!(inside.heard().len(), 0, "{realm}");
    }
    assert!(is_open(&inside.authority()).await);
}

#[tokio::test]
async fn with_a_list_of_realm_hosts_no_other_gets_a_password() {
    let elsewhere = Scripted::start(|_| token(r#"{"token":"a-token"}"#)).await;
    let challenge = format!("Bearer realm=\"{}/token\",service=\"s\"", elsewhere.endpoint());
    let server = Scripted::start(move |heard| match heard.authorization() {
        Some("Bearer a-token") => Reply::new(200, &[], ""),
        _ => unauthorized(std::slice::from_ref(&challenge)),
    })
    .await;
    let listing = |host: &str| format!("{}, realm_hosts: ['{host}']", endpoint(&server));
    let world = world_of_one("with_a_list_of_realm_hosts", &listing("auth.example.com"));
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["refusal"]["refusal"]), (4, &"not_listed".into()), "{outcome:#}");
    assert_eq!(elsewhere.heard().len(), 0);

    configure(&world, &listing(&elsewhere.authority()));
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["verdict"]), (0, &"accepted".into()), "{outcome:#}");
    assert_eq!(elsewhere.shown(), [basic()]);
    // The registry itself is shown the token alone.
    assert_eq!(server.shown(), ["Bearer a-token"]);
}

#[tokio::test]
async fn a_redirect_takes_no_password_to_another_host_and_none_inside() {
    let world = world_of_one("a_redirect_takes_no_password", "enabled: true");
    let elsewhere = Scripted::start(|_| token(r#"{"token":"a-token"}"#)).await;
    let to = elsewhere.endpoint();
    for status in [301, 302, 303, 307, 308] {
        for (location, listed, refusal) in [
            (format!("{to}/token"), false, "realm"),
            (format!("{to}/token"), true, "other_host"),
            ("https://10.0.0.1/token".to_owned(), false, "realm"),
            ("http://169.254.169.254/latest/".to_owned(), false, "realm"),
            ("https://auth.example.com/token".to_owned(), false, "other_host"),
            ("//auth.example.com/token".to_owned(), false, "realm"),
        ] {
            let server = registry_with_tokens(Reply::new(status, &[("Location", &location)], "")).await;
            let list =
                if listed { format!(", realm_hosts: ['{}']", elsewhere.authority()) } else { String::new() };
            configure(&world, &format!("{}{list}", endpoint(&server)));
            let (code, outcome) = verified(&world).await;
            let case = format!("{status} {location}: {outcome:#}");
            assert_eq!((code, &outcome["because"]), (4, &"redirect_refused".into()), "{case}");
            assert_eq!(outcome["refusal"]["refusal"], refusal, "{case}");
            assert_eq!(server.shown(), [basic()], "{case}");
            assert_eq!(elsewhere.heard().len(), 0, "{case}");
        }
        // A registry that is shown the password itself is not followed anywhere.
        let server = registry_with_basic(Reply::new(status, &[("Location", &format!("{to}/v2/"))], "")).await;
        configure(&world, &endpoint(&server));
        let (code, outcome) = verified(&world).await;
        assert_eq!((code, &outcome["because"]), (4, &"unexpected".into()), "{outcome:#}");
        assert_eq!((server.shown(), elsewhere.heard().len()), (vec![basic()], 0));
    }
    assert!(is_open(&elsewhere.authority()).await);
}

#[tokio::test]
async fn a_redirect_to_a_host_that_is_the_password_is_not_told() {
    let world = world_of_one("a_redirect_to_a_host_that_is_the_password", "enabled: true");
    for scheme in ["http", "https"] {
        let location = format!("{scheme}://{HARBOR_PASSWORD}.example.com/");
        let server = registry_with_tokens(Reply::new(307, &[("Location", &location)], "")).await;
        configure(&world, &endpoint(&server));
        for command in ["verify", "sync", "plan"] {
            let (json, person) = (world.json(&[command]).await, world.run(&[command]).await);
            assert_eq!(json.code, 4, "{json:#?}");
            let said = format!("{} {} {} {}", json.json, json.stderr, person.stdout, person.stderr);
            assert!(said.contains("redirects to another host") && !said.contains(HARBOR_PASSWORD), "{said}");
        }
    }
}

#[tokio::test]
async fn a_redirect_within_the_token_server_is_followed_but_not_for_ever() {
    let port = Port::new().await;
    let authority = port.authority();
    let server = port.serve(move |heard| match (heard.path(), heard.authorization()) {
        ("/v2/", Some("Bearer a-token")) => Reply::new(200, &[], ""),
        ("/token", Some(_)) => Reply::new(307, &[("Location", "/auth/token")], ""),
        ("/auth/token", Some(_)) => token(r#"{"token":"a-token"}"#),
        _ => unauthorized(&[format!("Bearer realm=\"http://{authority}/token\"")]),
    });
    let world = world_of_one("a_redirect_within_the_token_server", &endpoint(&server));
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["verdict"]), (0, &"accepted".into()), "{outcome:#}");

    let server = registry_with_tokens(Reply::new(302, &[("Location", "/token")], "")).await;
    configure(&world, &endpoint(&server));
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["refusal"]["refusal"]), (4, &"too_many".into()), "{outcome:#}");
    assert!(server.heard().len() <= 8);
}

#[tokio::test]
async fn a_server_that_cannot_prove_its_name_is_sent_nothing() {
    let test = "a_server_that_cannot_prove_its_name";
    let (Some(ours), Some(theirs)) = (Authority::new(test).await, Authority::new(test).await) else { return };
    let world = world_of_one(test, "enabled: true");
    let ca_file = ours.certificate();
    let identities = [ours.other_server().await, theirs.local_server().await];
    for identity in identities {
        let open = |_: &Heard| Reply::new(401, &[("WWW-Authenticate", "Basic realm=\"x\"")], "");
        let server = Port::new().await.serve_tls(identity.server_config(), open);
        configure(&world, &format!("{}, ca_file: '{}'", endpoint(&server), ca_file.display()));
        let (code, outcome) = verified(&world).await;
        assert_eq!((code, &outcome["why"]["failed"]), (4, &"tls".into()), "{outcome:#}");
        assert_eq!(server.heard().len(), 0);
    }
    // What answers speaks no TLS at all.
    let server = Scripted::start(|_| Reply::new(200, &[], "")).await;
    let https = server.endpoint().replace("http://", "https://");
    configure(&world, &format!("endpoint: '{https}', timeout: 2s"));
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["because"]), (4, &"no_answer".into()), "{outcome:#}");
    // And a file of certificates that is none is told as such.
    fs::write(world.path("ca.pem"), "no certificate").unwrap();
    configure(&world, &format!("endpoint: '{https}', ca_file: ca.pem"));
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["why"]["failed"]), (4, &"ca_file".into()), "{outcome:#}");
}

#[tokio::test]
async fn a_refused_password_is_shown_once_and_then_no_more_until_somebody_says_so() {
    let world = world_of_one("a_refused_password_is_shown_once", "enabled: true");
    for status in [401, 403] {
        let refuse = || Reply::new(status, &[("WWW-Authenticate", "Basic realm=\"again\"")], "");
        for server in [registry_with_tokens(refuse()).await, registry_with_basic(refuse()).await] {
            // What one server refused is remembered of the password: each case has one of its own.
            world.set_harbor_password(HARBOR_PASSWORD);
            configure(&world, &endpoint(&server));
            assert_eq!(world.json(&["sync", "--retry-rejected"]).await.code, 4);
            assert_eq!(server.shown(), [basic()], "{status}");
            for command in [&["sync"][..], &["plan"], &["status"]] {
                let told = world.json(command).await;
                let verdict = &find(&told.json["registries"], "name", "harbor")["login"]["verdict"];
                assert_eq!((told.code, verdict), (4, &"rejected_before".into()), "{status} {command:?}");
                assert_eq!(server.heard().len(), 0, "{status} {command:?}");
            }
            assert_eq!(world.json(&["sync", "--retry-rejected"]).await.code, 4);
            assert_eq!(server.shown(), [basic()], "{status}");
        }
    }
}
