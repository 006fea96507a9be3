//! A registry and its token server know the password, and tell it again in whatever they answer: regcred repeats none of it,
//! and nothing of a token.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regcred_sandbox::{Account, ChallengeKind, RegistrySeed, Repository, Visibility};

use super::search::{Heard, Planted, found, run};
use crate::scripted::{Port, Reply, Scripted, Then};
use crate::verify::real::{configure, world_of_one};
use crate::world::{World, with_hosts};

/// What no password of these tests holds.
const TOKEN: &str = "tOk3n-zQ7-of-the-token-server";

/// A password that a header can carry in clear as well.
fn secret(turn: &str) -> Planted {
    Planted {
        registry: "harbor",
        server: "harbor.example.com",
        username: "robot",
        password: format!("zQ7-harbor-{turn}-$(id)%s:;Xw4"),
    }
}

fn give(world: &World, Planted { username, password, .. }: &Planted) {
    let pair = serde_json::json!({ "username": username, "password": password });
    world.write("secrets/harbor.json", &pair.to_string());
}

fn basic(Planted { username, password, .. }: &Planted) -> String {
    STANDARD.encode(format!("{username}:{password}"))
}

/// What a server may do with a password that it was shown.
fn repeats(secret: &Planted) -> Vec<Reply> {
    let (plain, encoded) = (&secret.password, basic(secret));
    let json = serde_json::json!({ "errors": [{ "message": plain, "detail": encoded }] }).to_string();
    let bytes = |text: String| Reply::Bytes(text.into_bytes(), Then::Close);
    vec![
        Reply::new(
            401,
            &[("WWW-Authenticate", &format!("Basic realm=\"{plain}\", error=\"{encoded}\""))],
            &json,
        ),
        Reply::new(403, &[("X-Shown", plain)], plain),
        Reply::new(429, &[("Retry-After", plain)], &json),
        Reply::new(500, &[("Set-Cookie", &encoded)], &format!("<html>{plain}</html>")),
        Reply::new(418, &[], plain),
        Reply::new(
            302,
            &[("Location", &format!("https://auth.example.com/{encoded}?password={encoded}"))],
            "",
        ),
        Reply::new(307, &[("Location", &format!("/again/{encoded}?password={encoded}"))], ""),
        Reply::new(200, &[], &format!("{{\"token\":{}", serde_json::json!(plain))),
        Reply::new(200, &[], &serde_json::json!({ "token": [plain, encoded] }).to_string()),
        Reply::new(200, &[], &serde_json::json!({ "access_token": encoded }).to_string()),
        Reply::new(200, &[], &serde_json::json!({ "token": TOKEN }).to_string()),
        bytes(format!("HTTP/1.1 401 {plain}\r\n{encoded}")),
        bytes(format!("{plain}\r\n\r\n")),
        bytes(format!(
            "HTTP/1.1 200 {plain}\r\nX-Shown: {encoded}\r\nContent-Length: 999\r\n\r\n{{\"token\":\"{TOKEN}"
        )),
    ]
}

/// A registry that takes tokens or the password itself, and answers `reply` to whoever shows that.
async fn server(kind: ChallengeKind, reply: Reply) -> Scripted {
    let port = Port::new().await;
    let authority = port.authority();
    port.serve(move |heard| match heard.authorization() {
        Some(shown) if shown.starts_with("Basic ") => reply.clone(),
        // It repeats the token as well.
        Some(shown) => Reply::new(401, &[("WWW-Authenticate", shown)], shown),
        None => {
            let challenge = match kind {
                ChallengeKind::Basic => "Basic realm=\"tests\"".to_owned(),
                ChallengeKind::Bearer => format!("Bearer realm=\"http://{authority}/token\",service=\"s\""),
            };
            Reply::new(401, &[("WWW-Authenticate", &challenge)], "")
        }
    })
}

#[tokio::test]
async fn what_a_registry_repeats_of_a_password_is_not_repeated_again() {
    listen_to("what_a_registry_repeats_of_a_password", ChallengeKind::Basic).await;
}

#[tokio::test]
async fn what_a_token_server_repeats_of_a_password_is_not_repeated_again() {
    listen_to("what_a_token_server_repeats_of_a_password", ChallengeKind::Bearer).await;
}

async fn listen_to(test: &str, kind: ChallengeKind) {
    let world = world_of_one(test, "enabled: true");
    let mut heard = Heard::default();
    let mut secrets = Vec::new();
    for case in 0..repeats(&secret("")).len() {
        let secret = secret(&case.to_string());
        let server = server(kind, repeats(&secret).swap_remove(case)).await;
        configure(&world, &format!("endpoint: '{}', timeout: 2s", server.endpoint()));
        give(&world, &secret);
        // A registry with Basic that answers 200 has taken it.
        run(&world, &mut heard, &[0, 3, 4], &["verify"]).await;
        run(&world, &mut heard, &[0, 4], &["sync", "--retry-rejected"]).await;
        // The control: the server was shown what is searched for.
        let one = std::slice::from_ref(&secret);
        assert!(server.shown().iter().any(|shown| !found(one, shown).is_empty()), "{case}");
        secrets.push(secret);
    }
    let sdk = world.sdk();
    for key in sdk.keys("acme-regcred").await {
        heard.hear(format!("s3://acme-regcred/{key}"), sdk.object("acme-regcred", &key).await.0);
    }
    heard.hear("the log of calls", world.client().calls().unwrap());
    heard.assert_silent(&secrets);
    heard.assert_lacks(TOKEN);
}

#[tokio::test]
async fn a_password_that_a_registry_takes_or_refuses_shows_in_nothing_that_is_said() {
    let secret = secret("taken");
    let account = Account { username: secret.username.into(), password: secret.password.clone() };
    let private = Repository { name: "team/app".into(), visibility: Visibility::Private };
    let seed = |name: &str, challenge| RegistrySeed {
        name: name.into(),
        port: 0,
        challenge,
        accounts: vec![account.clone()],
        repositories: vec![private.clone()],
    };
    let registries = vec![seed("basic", ChallengeKind::Basic), seed("bearer", ChallengeKind::Bearer)];
    let options = regcred_sandbox::Options { registries, ..with_hosts(Vec::new()) };
    let world = World::start("a_password_that_a_registry_takes", options, "");
    let mut heard = Heard::default();
    let mut secrets = Vec::new();
    for name in ["basic", "bearer"] {
        configure(&world, &format!("endpoint: '{}', repository: team/app", world.registry(name)));
        give(&world, &secret);
        run(&world, &mut heard, &[0], &["verify"]).await;
        run(&world, &mut heard, &[0], &["sync"]).await;
        run(&world, &mut heard, &[0], &["verify", "--published"]).await;
        let wrong = self::secret(&format!("wrong-{name}"));
        give(&world, &wrong);
        run(&world, &mut heard, &[3], &["verify"]).await;
        run(&world, &mut heard, &[4], &["plan"]).await;
        run(&world, &mut heard, &[4], &["sync"]).await;
        run(&world, &mut heard, &[4], &["status"]).await;
        secrets.push(wrong);
    }
    heard.hear("the registries", format!("{:?}", world.client().registries().unwrap()));
    heard.hear("the log of calls", world.client().calls().unwrap());
    let (value, _) = world.sdk().secret("ecs/registry/harbor").await.unwrap();
    assert!(!found(std::slice::from_ref(&secret), &value).is_empty());
    secrets.push(secret);
    heard.assert_silent(&secrets);
}
