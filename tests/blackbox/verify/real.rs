//! A real Docker registry says what it takes: by htpasswd and by tokens, over TLS with an authority of one's own and on
//! loopback without.

use crate::certificates::Authority;
use crate::docker_registry::{Auth, DockerRegistry, Images, LAST_YEAR, THIS_YEAR};
use crate::scripted::{Port, Scripted};
use crate::world::{HARBOR_PASSWORD, Told, World, find, with_hosts, writes};

use super::token_server::{self, PUBLIC, ROBOT, STRANGER};

const PRIVATE: &str = "team/app";

/// The demo's object and one secret, of this registry alone. `verify` is how it is tried.
pub(crate) fn world_of_one(test: &str, verify: &str) -> World {
    let world = World::start(test, with_hosts(Vec::new()), "");
    configure(&world, verify);
    world
}

pub(crate) fn configure(world: &World, verify: &str) {
    world.write(
        "regcred.yaml",
        &format!(
            "state: {{ bucket: acme-regcred }}\n\
             registries:\n  harbor:\n    server: harbor.example.com\n    verify: {{ {verify} }}\n\
             \x20   source: {{ file: {{ path: secrets/harbor.json }} }}\n\
             \x20   secret: {{ name: ecs/registry/harbor }}\n\
             ecs_configs:\n  prod: {{ bucket: acme-ecs, key: prod/ecs.config, registries: [harbor] }}\n"
        ),
    );
}

/// What `verify` says of the one credential.
pub(super) async fn verified(world: &World) -> (i32, serde_json::Value) {
    let Told { code, json, .. } = world.json(&["verify"]).await;
    (code, json["credentials"][0]["outcome"].clone())
}

fn set_source(world: &World, username: &str, password: &str) {
    let pair = serde_json::json!({ "username": username, "password": password });
    world.write("secrets/harbor.json", &pair.to_string());
}

/// The challenge and one try, by the registry's own log.
fn tries(registry: &DockerRegistry) -> (usize, usize) {
    (registry.answered("GET /v2/", 401), registry.answered("GET /v2/", 200))
}

#[tokio::test]
async fn a_password_is_published_once_the_registry_has_it_and_never_before() {
    let test = "a_password_is_published_once_the_registry_has_it";
    let Some(images) = Images::new(test, &[PRIVATE]).await else { return };
    let registry = images.serve(&Auth::Htpasswd(LAST_YEAR.1), None).await;
    let world = world_of_one(test, &format!("endpoint: 'http://{}'", registry.authority));
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    let login = &find(&told.json["registries"], "name", "harbor")["login"];
    assert_eq!((&login["verdict"], &login["by"]["party"]), (&"accepted".into(), &"registry".into()));
    assert_eq!(tries(&registry), (1, 1));

    // The source is ahead of the registry.
    world.set_harbor_password(THIS_YEAR.0);
    let before = (world.object().await, world.sdk().secret("ecs/registry/harbor").await);
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, writes(&calls)), (4, vec!["PutObject"]), "{told:#?}");
    let login = &find(&told.json["registries"], "name", "harbor")["login"];
    assert_eq!((&login["verdict"], &login["status"]), (&"rejected".into(), &401.into()));
    assert_eq!((world.object().await, world.sdk().secret("ecs/registry/harbor").await), before);
    // The challenge, and one try.
    assert_eq!(tries(&registry), (3, 1));
    for command in ["sync", "plan", "status"] {
        let told = world.json(&[command]).await;
        assert_eq!(told.code, 4, "{command}: {told:#?}");
    }
    assert_eq!(tries(&registry), (3, 1));

    registry.set_htpasswd(THIS_YEAR.1);
    let told = world.json(&["sync", "--retry-rejected"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(world.sdk().secret("ecs/registry/harbor").await.unwrap().0.contains(THIS_YEAR.0));
}

#[tokio::test]
async fn a_registry_with_htpasswd_shows_an_image_to_the_password_alone() {
    let test = "a_registry_with_htpasswd_shows_an_image";
    let Some(images) = Images::new(test, &[PRIVATE]).await else { return };
    let registry = images.serve(&Auth::Htpasswd(LAST_YEAR.1), None).await;
    let endpoint = format!("endpoint: 'http://{}'", registry.authority);
    let world = world_of_one(test, &format!("{endpoint}, repository: {PRIVATE}"));
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["evidence"]), (0, &"pull".into()), "{outcome}");
    assert_eq!(registry.answered("HEAD /v2/team/app/manifests/latest", 200), 1);
    assert_eq!(registry.answered("HEAD /v2/team/app/manifests/latest", 401), 1);

    // Basic says nothing of what may be pulled, so that what is not there may be hidden.
    configure(&world, &format!("{endpoint}, repository: team/none"));
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["because"]), (4, &"canary_not_found".into()), "{outcome}");
}

#[tokio::test]
async fn a_server_on_this_machine_is_asked_without_tls_as_docker_does() {
    let test = "a_server_on_this_machine_is_asked_without_tls";
    let Some(images) = Images::new(test, &[]).await else { return };
    let registry = images.serve(&Auth::Htpasswd(LAST_YEAR.1), None).await;
    let world = world_of_one(test, "enabled: true");
    let config = std::fs::read_to_string(world.path("regcred.yaml")).unwrap();
    world.write("regcred.yaml", &config.replace("harbor.example.com", &registry.authority));
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["evidence"]), (0, &"identity".into()), "{outcome}");
}

#[tokio::test]
async fn a_registry_of_an_authority_of_ones_own_is_trusted_by_its_file_and_not_without() {
    let test = "a_registry_of_an_authority_of_ones_own";
    let Some(authority) = Authority::new(test).await else { return };
    let Some(images) = Images::new(test, &[PRIVATE]).await else { return };
    let identity = authority.local_server().await;
    let registry = images.serve(&Auth::Htpasswd(LAST_YEAR.1), Some(&identity)).await;
    let ca_file = authority.certificate();
    let endpoint = format!("endpoint: 'https://{}', repository: {PRIVATE}", registry.authority);

    let world = world_of_one(test, &format!("{endpoint}, ca_file: '{}'", ca_file.display()));
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["evidence"]), (0, &"pull".into()), "{outcome}");
    world.set_harbor_password("wrong");
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["verdict"]), (3, &"rejected".into()), "{outcome}");

    // Without the file nothing is told, and nobody was shown anything.
    let before = registry.printed().matches("HTTP/1.1\"").count();
    world.set_harbor_password(HARBOR_PASSWORD);
    configure(&world, &endpoint);
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["because"]), (4, &"no_answer".into()), "{outcome}");
    assert_eq!(outcome["why"]["failed"], "tls", "{outcome}");
    assert_eq!(registry.printed().matches("HTTP/1.1\"").count(), before);
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 4, "{told:#?}");
    assert!(!told.stderr.contains(HARBOR_PASSWORD));
}

/// A registry that takes tokens, and the server that gives them.
struct Tokens {
    registry: DockerRegistry,
    server: Scripted,
    authority: Authority,
    /// Which the registry reads from their folder.
    _images: Images,
}

enum Transport {
    Loopback,
    Tls,
}

impl Tokens {
    async fn start(test: &str, transport: Transport) -> Option<Self> {
        let authority = Authority::new(test).await?;
        let images = Images::new(test, &[PRIVATE, PUBLIC]).await?;
        let identity = authority.local_server().await;
        let port = Port::new().await;
        let issuer = identity.clone();
        let (scheme, tls) = match transport {
            Transport::Loopback => ("http", None),
            Transport::Tls => ("https", Some(&identity)),
        };
        let realm = format!("{scheme}://{}/auth/token?tenant=tests", port.authority());
        let registry = images.serve(&Auth::Token { realm: &realm, issuer: &identity }, tls).await;
        let reply = move |heard: &crate::scripted::Heard| token_server::answer(heard, &issuer);
        let server = match transport {
            Transport::Loopback => port.serve(reply),
            Transport::Tls => port.serve_tls(identity.server_config(), reply),
        };
        Some(Self { registry, server, authority, _images: images })
    }

    fn verify(&self, transport: &str) -> String {
        format!("endpoint: '{transport}://{}'", self.registry.authority)
    }
}

#[tokio::test]
async fn a_registry_with_tokens_tells_who_may_log_in_and_who_may_pull() {
    let test = "a_registry_with_tokens_tells";
    let Some(tokens) = Tokens::start(test, Transport::Loopback).await else { return };
    let verify = format!("{}, realm_hosts: ['{}']", tokens.verify("http"), tokens.server.authority());
    let world = world_of_one(test, &verify);
    let cases = [
        (ROBOT, None, 0, "accepted", "token_for_all"),
        (ROBOT, Some(PRIVATE), 0, "accepted", "pull"),
        (ROBOT, Some(PUBLIC), 0, "accepted", "public"),
        (ROBOT, Some("team/app, tag: none"), 0, "accepted", "tag_missing"),
        (STRANGER, None, 0, "accepted", "token_for_all"),
        (STRANGER, Some(PRIVATE), 3, "rejected", "pull"),
        (STRANGER, Some(PUBLIC), 0, "accepted", "public"),
        (("robot", "wrong", None), None, 3, "rejected", "login"),
        (("robot", "wrong", None), Some(PRIVATE), 3, "rejected", "login"),
    ];
    for ((username, password, _), repository, code, verdict, what) in cases {
        set_source(&world, username, password);
        let canary = repository.map_or_else(String::new, |name| format!(", repository: {name}"));
        configure(&world, &format!("{verify}{canary}"));
        tokens.server.heard();
        let (ended, outcome) = verified(&world).await;
        let found = if verdict == "accepted" { &outcome["evidence"] } else { &outcome["stage"]["stage"] };
        let case = format!("{username} {repository:?}: {outcome}");
        assert_eq!((ended, &outcome["verdict"], found), (code, &verdict.into(), &what.into()), "{case}");
        let heard = tokens.server.heard();
        // The realm's own query stays, and what the protocol wants is added.
        assert!(heard.iter().all(|heard| heard.path() == "/auth/token"), "{heard:?}");
        assert!(
            heard.iter().all(|heard| heard.target.contains("tenant=tests&service=registry+of+the+tests"))
        );
        if password == "wrong" {
            assert_eq!(heard.len(), 1, "{heard:?}");
        }
    }
    // What nobody may pull that is not known is told by the registry, which was shown no password.
    assert!(tokens.registry.answered("HEAD /v2/team/app/manifests/latest", 401) >= 2);
}

#[tokio::test]
async fn a_realm_on_another_port_is_sent_nothing_unless_it_is_listed() {
    let test = "a_realm_on_another_port_is_sent_nothing";
    let Some(tokens) = Tokens::start(test, Transport::Loopback).await else { return };
    let world = world_of_one(test, &tokens.verify("http"));
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["because"]), (4, &"realm_refused".into()), "{outcome}");
    assert_eq!(outcome["refusal"]["refusal"], "not_listed", "{outcome}");
    assert_eq!(tokens.server.heard().len(), 0);
    // What it says to do is what helps.
    let said = world.run(&["verify"]).await.stdout;
    let listed = tokens.server.authority();
    let to_do = format!("list `{listed}` in registries.harbor.verify.realm_hosts");
    assert!(said.contains(&to_do), "{said}");
    configure(&world, &format!("{}, realm_hosts: ['{listed}']", tokens.verify("http")));
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["verdict"]), (0, &"accepted".into()), "{outcome}");
}

#[tokio::test]
async fn tokens_over_tls_need_the_file_of_their_authority_too() {
    let test = "tokens_over_tls_need_the_file";
    let Some(tokens) = Tokens::start(test, Transport::Tls).await else { return };
    let verify = format!(
        "{}, ca_file: '{}', repository: {PRIVATE}",
        tokens.verify("https"),
        tokens.authority.certificate().display()
    );
    // The token server is at a private address, and the registry alone named it.
    let world = world_of_one(test, &verify);
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["refusal"]["refusal"]), (4, &"inside".into()), "{outcome}");
    assert_eq!(tokens.server.heard().len(), 0);

    configure(&world, &format!("{verify}, realm_hosts: ['{}']", tokens.server.authority()));
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["evidence"]), (0, &"pull".into()), "{outcome}");
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    world.set_harbor_password("wrong");
    tokens.server.heard();
    let (code, outcome) = verified(&world).await;
    assert_eq!((code, &outcome["verdict"]), (3, &"rejected".into()), "{outcome}");
    assert_eq!(tokens.server.shown().len(), 1);
}
