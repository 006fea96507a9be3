//! A credential is tried at its registry before it is published: accepted, refused, or not to be told.

mod hostile;
mod hosts;
mod memory;
pub(crate) mod real;
mod token_server;
mod words;

use regcred_sandbox::{Account, ChallengeKind, LoginView, Options, RegistrySeed, Repository, Visibility};

use crate::world::{DEMO_WITH_REGISTRIES, HARBOR_PASSWORD, World, by_name, count, find, with_hosts, writes};

const PLACEHOLDER: &str = "http://127.0.0.1:5000";

fn account(username: &str, password: &str) -> Account {
    Account { username: username.into(), password: password.into() }
}

/// The demo's registries, with the accounts that its sources have at first.
fn seeds() -> Vec<RegistrySeed> {
    let seed = |name: &str, challenge, account| RegistrySeed {
        name: name.into(),
        port: 0,
        challenge,
        accounts: vec![account],
        repositories: vec![
            Repository { name: "team/app".into(), visibility: Visibility::Private },
            Repository { name: "team/open".into(), visibility: Visibility::Public },
        ],
    };
    vec![
        seed("dockerhub", ChallengeKind::Bearer, account("acme", "docker-hub-token-of-the-demo")),
        seed("ghcr", ChallengeKind::Basic, account("ghcr-bot", "ghcr-token-of-the-demo")),
        seed("harbor", ChallengeKind::Bearer, account("robot", HARBOR_PASSWORD)),
    ]
}

/// The stores of the demo and its registries.
fn start(test: &str) -> World {
    let world = World::start(test, Options { registries: seeds(), ..with_hosts(Vec::new()) }, "");
    configure(&world, "");
    world
}

/// The demo's configuration without its fleet, and this beside harbor's endpoint.
fn configure(world: &World, of_harbor: &str) {
    let (stores, _) = DEMO_WITH_REGISTRIES.split_once("fleets:\n").expect("it has fleets");
    let mut config = stores.to_owned();
    for name in ["dockerhub", "ghcr", "harbor"] {
        let more = if name == "harbor" { of_harbor } else { "" };
        let endpoint = format!("'{}'{more}", world.registry(name));
        config = config.replacen(&format!("'{PLACEHOLDER}'"), &endpoint, 1);
    }
    assert!(!config.contains(PLACEHOLDER), "{config}");
    world.write("regcred.yaml", &config);
}

/// Every password that was shown to a registry since this was asked last.
fn logins(world: &World, registry: &str) -> Vec<LoginView> {
    let client = world.client();
    let all = client.registries().unwrap();
    client.clear_logins(registry).unwrap();
    all.into_iter().find(|known| known.name == registry).unwrap().logins
}

fn shown(username: &str, accepted: bool) -> LoginView {
    LoginView { username: username.into(), accepted }
}

#[tokio::test]
async fn what_is_published_was_accepted_and_a_pass_with_nothing_to_do_logs_in_nowhere() {
    let world = start("what_is_published_was_accepted");
    let told = world.json(&["plan"]).await;
    assert_eq!(told.code, 3, "{told:#?}");
    for registry in ["dockerhub", "ghcr", "harbor"] {
        let login = &find(&told.json["registries"], "name", registry)["login"];
        assert_eq!(
            (&login["verdict"], &login["evidence"]),
            (&"accepted".into(), &"identity".into()),
            "{login}"
        );
    }
    for (registry, username) in [("dockerhub", "acme"), ("ghcr", "ghcr-bot"), ("harbor", "robot")] {
        assert_eq!(logins(&world, registry), [shown(username, true)], "{registry}");
    }
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, count(&calls, "CreateSecret")), (0, 3), "{told:#?}");
    for (registry, username) in [("dockerhub", "acme"), ("ghcr", "ghcr-bot"), ("harbor", "robot")] {
        assert_eq!(logins(&world, registry), [shown(username, true)], "{registry}");
    }
    for command in ["sync", "plan", "status"] {
        let told = world.json(&[command]).await;
        assert_eq!(told.code, 0, "{told:#?}");
        let verdicts = by_name(&told.json["registries"], "name", "");
        assert_eq!(verdicts.len(), 3);
        assert_eq!(find(&told.json["registries"], "name", "harbor")["login"]["verdict"], "unneeded");
    }
    for registry in ["dockerhub", "ghcr", "harbor"] {
        assert_eq!(logins(&world, registry), [], "{registry}");
    }
}

#[tokio::test]
async fn a_rejected_password_is_published_nowhere_tried_once_and_not_again_until_it_changes() {
    let world = start("a_rejected_password_is_published_nowhere");
    assert_eq!(world.json(&["sync"]).await.code, 0);
    let before = (world.object().await, world.sdk().secret("ecs/registry/harbor").await);
    world.set_harbor_password("mistyped");
    world.client().clear_logins("harbor").unwrap();

    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, writes(&calls)), (4, vec!["PutObject"]), "{told:#?}");
    let harbor = find(&told.json["registries"], "name", "harbor");
    assert_eq!((&harbor["login"]["verdict"], &harbor["login"]["status"]), (&"rejected".into(), &401.into()));
    assert!(harbor["published_since"].is_string(), "{harbor:#}");
    assert_eq!(by_name(&told.json["secrets"], "registry", "why")["harbor"], "rejected");
    assert_eq!(find(&told.json["objects"][0]["held"], "registry", "harbor")["why"], "rejected");
    assert_eq!(logins(&world, "harbor"), [shown("robot", false)]);
    assert_eq!((world.object().await, world.sdk().secret("ecs/registry/harbor").await), before);

    // The next passes leave it alone: a schedule would lock the account.
    for command in ["plan", "sync", "status"] {
        let (told, calls) = world.watched(&[command]).await;
        assert_eq!((told.code, writes(&calls)), (4, Vec::<&str>::new()), "{command}: {told:#?}");
        assert_eq!(find(&told.json["registries"], "name", "harbor")["login"]["verdict"], "rejected_before");
    }
    assert_eq!(logins(&world, "harbor"), []);

    // A person may say that it is right.
    assert_eq!(world.json(&["sync", "--retry-rejected"]).await.code, 4);
    assert_eq!(logins(&world, "harbor"), [shown("robot", false)]);
    world.client().set_accounts("harbor", &[account("robot", "mistyped")]).unwrap();
    let told = world.json(&["verify", "--registry", "harbor"]).await;
    assert_eq!(
        (told.code, told.json["credentials"][0]["outcome"]["verdict"].as_str()),
        (0, Some("accepted"))
    );
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");

    // Another password is another try.
    world.set_harbor_password("another");
    world.client().set_accounts("harbor", &[account("robot", "another")]).unwrap();
    assert_eq!(world.json(&["sync"]).await.code, 0);
    assert!(world.sdk().secret("ecs/registry/harbor").await.unwrap().0.contains("another"));
}

#[tokio::test]
async fn a_registry_that_cannot_be_reached_holds_its_credential_or_publishes_it_as_the_config_says() {
    let world = start("a_registry_that_cannot_be_reached");
    assert_eq!(world.json(&["sync"]).await.code, 0);
    world.set_harbor_password("new");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = std::fs::read_to_string(world.path("regcred.yaml")).unwrap();
    let config = config.replace(world.registry("harbor"), &format!("http://{nobody}"));
    world.write("regcred.yaml", &config);
    let told = world.json(&["sync"]).await;
    let login = &find(&told.json["registries"], "name", "harbor")["login"];
    assert_eq!(
        (told.code, &login["verdict"], &login["because"]),
        (4, &"cannot_tell".into(), &"no_answer".into())
    );
    assert!(!world.object().await.contains("bmV3"));

    world.write(
        "regcred.yaml",
        &config.replace(&format!("'http://{nobody}'"), &format!("'http://{nobody}', unreachable: publish")),
    );
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert_eq!(find(&told.json["registries"], "name", "harbor")["login"]["unreachable"], "publish");
    // Whether it works is not known, so the old one must not go.
    assert_eq!(
        (&told.json["revocation"]["safe"], &told.json["revocation"]["untried"]),
        (&false.into(), &1.into())
    );
    assert!(world.sdk().secret("ecs/registry/harbor").await.unwrap().0.contains("new"));
}

#[tokio::test]
async fn a_canary_proves_that_the_credential_pulls_unless_everybody_may() {
    let world = start("a_canary_proves");
    for (of_harbor, code, verdict, evidence) in [
        (", repository: team/app", 0, "accepted", "pull"),
        (", repository: team/open", 0, "accepted", "public"),
        (", repository: team/none", 4, "cannot_tell", ""),
    ] {
        configure(&world, of_harbor);
        let told = world.json(&["verify", "--registry", "harbor"]).await;
        let outcome = &told.json["credentials"][0]["outcome"];
        let found = outcome["evidence"].as_str().unwrap_or_default();
        assert_eq!(
            (told.code, outcome["verdict"].as_str(), found),
            (code, Some(verdict), evidence),
            "{told:#?}"
        );
    }
}

#[tokio::test]
async fn what_is_published_is_tried_once_for_each_credential() {
    let world = start("what_is_published_is_tried_once");
    assert_eq!(world.json(&["sync"]).await.code, 0);
    for registry in ["dockerhub", "ghcr", "harbor"] {
        logins(&world, registry);
    }
    let told = world.json(&["verify", "--published"]).await;
    assert_eq!((told.code, told.json["credentials"].as_array().unwrap().len()), (0, 3), "{told:#?}");
    assert_eq!(told.json["credentials"][2]["places"].as_array().unwrap().len(), 2);
    assert_eq!(logins(&world, "harbor"), [shown("robot", true)]);

    // The password was changed at the registry, and nobody told the source.
    world.client().set_accounts("harbor", &[account("robot", "another")]).unwrap();
    let told = world.json(&["verify", "--published"]).await;
    assert_eq!(told.code, 3, "{told:#?}");
    assert_eq!(find(&told.json["credentials"], "registry", "harbor")["outcome"]["verdict"], "rejected");
    assert_eq!(logins(&world, "harbor"), [shown("robot", false)]);
    let person = world.run(&["verify", "--published"]).await;
    assert!(person.stdout.contains("harbor") && person.stdout.contains("REJECTED"), "{}", person.stdout);
}

#[tokio::test]
async fn what_stays_published_is_told_with_its_date_by_plan_sync_and_status() {
    let mut world = start("what_stays_published_is_told");
    world.set("DOCKERHUB_TOKEN", "mistyped");
    let person = world.run(&["plan"]).await;
    assert!(person.stdout.contains("nothing is published of docker.io so far"), "{}", person.stdout);
    world.set("DOCKERHUB_TOKEN", "docker-hub-token-of-the-demo");
    assert_eq!(world.json(&["sync"]).await.code, 0);

    world.set_harbor_password("mistyped");
    let stays = "what is published of harbor.example.com stays; it is there since 20";
    for command in ["plan", "sync", "status", "plan"] {
        let person = world.run(&[command]).await;
        let line = person.stdout.lines().find(|line| line.contains(stays));
        assert!(line.is_some_and(|line| line.ends_with(" UTC or longer")), "{command}: {}", person.stdout);
    }
    std::fs::remove_file(world.path("secrets/harbor.json")).unwrap();
    for command in ["plan", "sync", "status"] {
        let person = world.run(&[command]).await;
        assert!(person.stdout.contains(stays), "{command}: {}", person.stdout);
    }
}
