//! Laws of the formats and of the agent's rules, over generated files, registries and credentials.

use std::collections::BTreeSet;
use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use regcred_core::agent::{AuthMap, AuthSetting, AuthType, EffectiveAuth, Environment, Misread, PullAuth};
use regcred_core::credential::Credential;
use regcred_core::fingerprint::FingerprintKey;
use regcred_core::formats::docker_config::Found;
use regcred_core::formats::ecs_config::{self, Change, Desired, Foreign, Refusal, Wanted};
use regcred_core::formats::{auth_data, docker_config, repository_credentials};
use regcred_core::names::EcsConfigName;
use regcred_core::secret::Secret;
use regcred_core::server::Server;

const SERVERS: [&str; 8] =
    ["docker.io", "r.io", "r.io/team", "r.io/team/sub", "r.io/b", "q.io:5000", "localhost", "other.io/path"];

/// Keys as people write them, of the servers above and of others.
const KEYS: [&str; 20] = [
    "https://index.docker.io/v1/",
    "index.docker.io/v1/",
    "docker.io",
    "https://index.docker.io/v1",
    "r.io",
    "https://r.io",
    "r.io/",
    "https://r.io/v1/",
    "r.io/v2/",
    "r.io/team",
    "r.io/te",
    "r.io/zzzzzzzzzzzzzz",
    "q.io:5000",
    "q.io",
    "localhost",
    "foreign.io",
    "http://foreign.io/x",
    "foreign.io/yyyy",
    "auths",
    "",
];

/// Every generated secret begins with this, so that a leak can be searched for, also where it is encoded.
const SECRET: &str = "s3cr3tXs3cr3t";

fn secret() -> impl Strategy<Value = String> {
    "[ -~éß€😀:\"\\\\]{0,12}".prop_map(|rest| format!("{SECRET}{rest}"))
}

fn credential() -> impl Strategy<Value = Credential> {
    ("[a-z\"\\\\é$ ]{1,8}", secret()).prop_map(|(username, secret)| {
        Credential::new(username, Secret::new(secret), None).expect("no part is empty")
    })
}

fn auth_type() -> impl Strategy<Value = AuthType> {
    select(AuthType::ALL.as_slice())
}

fn server(text: &str) -> Server {
    Server::parse(text).expect("the text is a server")
}

fn servers() -> impl Strategy<Value = Vec<Server>> {
    subsequence(SERVERS.to_vec(), 0..=SERVERS.len())
        .prop_shuffle()
        .prop_map(|texts| texts.into_iter().map(server).collect())
}

fn wanted() -> impl Strategy<Value = Vec<Wanted>> {
    servers().prop_flat_map(|servers| {
        let count = servers.len();
        (Just(servers), vec(prop::option::weighted(0.7, credential()), count)).prop_map(
            |(servers, credentials)| {
                let desired = credentials.into_iter().map(|credential| match credential {
                    Some(credential) => Desired::Publish(credential),
                    None => Desired::Hold,
                });
                servers.into_iter().zip(desired).map(|(server, desired)| Wanted { server, desired }).collect()
            },
        )
    })
}

fn foreign() -> impl Strategy<Value = Foreign> {
    select([Foreign::Keep, Foreign::Prune].as_slice())
}

/// One entry of either type, good or bad.
fn entry() -> impl Strategy<Value = String> {
    use base64::Engine;
    let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    let quote = |text: &str| serde_json::to_string(text).expect("a text is JSON");
    prop_oneof![
        6 => ("[a-z:]{0,4}", secret()).prop_map(move |(username, password)| {
            format!(r#"{{"username":{},"password":{}}}"#, quote(&username), quote(&password))
        }),
        6 => ("[a-z]{0,4}", secret())
            .prop_map(move |(username, password)| format!(r#"{{"auth":"{}"}}"#, encode(format!("{username}:{password}")))),
        1 => secret().prop_map(move |token| format!(r#"{{"username":"t", "identitytoken":{}}}"#, quote(&token))),
        1 => secret().prop_map(move |junk| format!(r#"{{"auth":{},"email":"e@x"}}"#, quote(&junk))),
        1 => Just("{}".to_owned()),
        1 => Just("null".to_owned()),
    ]
}

fn data() -> impl Strategy<Value = String> {
    let entries = || {
        vec((select(KEYS.as_slice()), entry()), 0..6).prop_map(|entries| {
            let members: Vec<_> = entries.iter().map(|(key, value)| format!("\"{key}\" :{value}")).collect();
            format!("{{{}}}", members.join(", "))
        })
    };
    prop_oneof![
        12 => entries(),
        1 => entries().prop_map(|data| format!("'{data}'")),
        1 => secret(),
        1 => Just(String::new()),
    ]
}

/// A file's lines, joined by one kind of line end, with or without a last one.
fn file() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        3 => select(["ECS_CLUSTER=prod", "ECS_LOGLEVEL= info ", "# comment = é", "", "  ", "junk", "\tA=b=c", "; x"].as_slice())
            .prop_map(str::to_owned),
        3 => data().prop_map(|data| format!("ECS_ENGINE_AUTH_DATA={data}")),
        3 => select(["docker", "dockercfg", " docker", "basic", ""].as_slice())
            .prop_map(|auth_type| format!("ECS_ENGINE_AUTH_TYPE={auth_type}")),
        1 => data().prop_map(|data| format!("  ECS_ENGINE_AUTH_DATA={data} ")),
        1 => data().prop_map(|data| format!("export ECS_ENGINE_AUTH_DATA={data}")),
    ];
    (vec(line, 0..7), select(["\n", "\r\n"].as_slice()), any::<bool>()).prop_map(|(lines, end, has_last)| {
        let text = lines.join(end);
        if has_last && !text.is_empty() { text + end } else { text }
    })
}

fn map_of(text: &str) -> AuthMap {
    AuthMap::read(&Environment::parse(text.as_bytes()).auth())
}

fn outcomes(map: &AuthMap, image: &str) -> Vec<PullAuth> {
    map.lookup(image).candidates().iter().map(|candidate| candidate.auth.clone()).collect()
}

/// An image of a server that no longer listed path has.
fn image(server: &Server) -> String {
    match server {
        Server::DockerHub => "library/0".to_owned(),
        Server::Other { .. } => format!("{server}/0:1"),
    }
}

/// All lines but the two of ours, told independently of the code under test.
fn other_lines(text: &str) -> Vec<&str> {
    let is_ours = |line: &str| {
        let line = line.trim();
        line.starts_with("ECS_ENGINE_AUTH_TYPE=") || line.starts_with("ECS_ENGINE_AUTH_DATA=")
    };
    text.split_inclusive('\n').filter(|line| !is_ours(line)).collect()
}

fn says(value: &impl Debug) -> String {
    format!("{value:?} {value:#?}")
}

/// That a rendering holds no generated secret, as it is or in any alignment of base64.
fn is_silent(text: &str) -> bool {
    use base64::Engine;
    let encoded = (0..3).map(|skip| {
        let padded = format!("{}{SECRET}", "x".repeat(skip));
        let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(padded);
        text[4 * skip.min(1)..text.len() - 2].to_owned()
    });
    !text.contains(SECRET) && encoded.into_iter().all(|encoded| !text.contains(&encoded))
}

#[test]
fn a_leak_would_be_seen() {
    use base64::Engine;
    for username in ["", "u", "us", "use"] {
        let pair = format!("{username}:{SECRET}tail");
        assert!(!is_silent(&base64::engine::general_purpose::STANDARD.encode(pair)), "{username}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rendered_data_gives_every_registry_its_credential(
        auth_type in auth_type(),
        registries in servers().prop_flat_map(|servers| {
            let count = servers.len();
            (Just(servers), vec(credential(), count))
        }),
    ) {
        let (servers, credentials) = registries;
        let pairs: Vec<_> = servers.iter().zip(&credentials).collect();
        match auth_data::render(auth_type, &pairs) {
            Ok(value) => {
                prop_assert!(value.expose().bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                let map = AuthMap::read(&EffectiveAuth::new(auth_type.as_str(), value.expose()));
                prop_assert_eq!(map.warnings(), []);
                for (server, credential) in pairs {
                    let answer = map.lookup(&image(server));
                    prop_assert!(answer.certain().is_some_and(|auth| auth.is_login(credential)), "{}", server);
                }
            }
            Err(auth_data::Refusal::NoHostKey { server }) => {
                let of_host = |other: &&Server| other.host() == server.host();
                prop_assert!(servers.iter().filter(of_host).count() > 1);
                prop_assert!(!servers.iter().any(|other| other.to_string() == server.host()));
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn what_is_rendered_reads_back(credential in credential()) {
        let secret_string = repository_credentials::render(&credential);
        let login = repository_credentials::parse(&secret_string).unwrap();
        prop_assert!(login.is(&credential));
        let server = &server("r.io");
        for auth_type in AuthType::ALL {
            let value = auth_data::render(auth_type, &[(server, &credential)]).unwrap();
            let here = Ok(docker_config::Found::Here(credential.clone()));
            prop_assert_eq!(&docker_config::read(&value, server), &here);
            let config = Secret::new(format!(r#"{{"auths":{}}}"#, value.expose()));
            prop_assert_eq!(&docker_config::read(&config, server), &here);
        }
    }

    #[test]
    fn an_edit_keeps_every_other_byte(
        text in file(), auth_type in auth_type(), wanted in wanted(), foreign in foreign(),
    ) {
        let observed = Secret::from(text.as_str());
        if let Ok(edited) = ecs_config::edit(Some(&observed), auth_type, &wanted, foreign) {
            let (before, after) = (other_lines(&text), other_lines(edited.text.expose()));
            prop_assert_eq!(before.len(), after.len());
            for (index, (old, new)) in before.iter().zip(&after).enumerate() {
                let is_mended = index + 1 == before.len() && !old.ends_with('\n');
                prop_assert!(old == new || (is_mended && new.trim_end_matches(['\r', '\n']) == *old), "{:?} {:?}", old, new);
            }
            let (old, new) = (Environment::parse(text.as_bytes()), Environment::parse(edited.text.expose().as_bytes()));
            prop_assert_eq!(old.cluster(), new.cluster());
            if text.contains("\r\n") {
                prop_assert!(!edited.text.expose().replace("\r\n", "").contains('\n'));
            }
        }
    }

    #[test]
    fn an_edit_gives_every_registry_its_credential_and_is_done(
        text in prop::option::of(file()), auth_type in auth_type(), wanted in wanted(), foreign in foreign(),
    ) {
        let observed = text.as_deref().map(Secret::from);
        let edit = |observed: Option<&Secret>| ecs_config::edit(observed, auth_type, &wanted, foreign);
        match edit(observed.as_ref()) {
            Ok(edited) => {
                let map = map_of(edited.text.expose());
                for Wanted { server, desired } in &wanted {
                    if let Desired::Publish(credential) = desired {
                        let answer = map.lookup(&image(server));
                        prop_assert!(answer.certain().is_some_and(|auth| auth.is_login(credential)), "{}", server);
                    }
                }
                prop_assert_eq!(&edited.auth, &Environment::parse(edited.text.expose().as_bytes()).auth());
                prop_assert_eq!(edited.is_changed(), edited.text.expose() != text.as_deref().unwrap_or_default());
                prop_assert_eq!(edited.published.len() + edited.held.len() + edited.unpublished.len(), wanted.len());
                let again = edit(Some(&edited.text).filter(|text| !text.is_empty())).unwrap();
                prop_assert_eq!(again.change, Change::None);
                prop_assert_eq!(again.text, edited.text);
                prop_assert_eq!(again.pruned, Vec::<String>::new());
                prop_assert_eq!(again.kept, edited.kept);
            }
            Err(Refusal::Data(auth_data::Refusal::NoHostKey { .. }) | Refusal::Foreign { .. } | Refusal::Untyped { .. }) => {}
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn who_stands_in_the_way_is_held_back_and_the_next_pass_writes_nothing(
        text in prop::option::of(file()), auth_type in auth_type(), wanted in wanted(), foreign in foreign(),
    ) {
        // Type `dockercfg` cannot hold the second one's username.
        let spoilt = Credential::new("a:b".to_owned(), SECRET.into(), None).unwrap();
        let mut wanted = wanted;
        if let Some(second) = wanted.get_mut(1) {
            second.desired = Desired::Publish(spoilt);
        }
        let pass = |observed: Option<&Secret>| {
            let mut wanted = wanted.clone();
            loop {
                let refusal = match ecs_config::edit(observed, auth_type, &wanted, foreign) {
                    Ok(edited) => break Ok(edited),
                    Err(refusal) => refusal,
                };
                let held_back = wanted.iter_mut().find(|wanted| {
                    Some(&wanted.server) == refusal.server() && matches!(wanted.desired, Desired::Publish(_))
                });
                match held_back {
                    Some(wanted) => wanted.desired = Desired::Hold,
                    None => break Err(refusal),
                }
            }
        };
        let observed = text.as_deref().map(Secret::from);
        match pass(observed.as_ref()) {
            Ok(first) => {
                let second = pass(Some(&first.text).filter(|text| !text.is_empty())).unwrap();
                prop_assert_eq!(second.change, Change::None, "{}\n{}", first.text.expose(), second.text.expose());
                prop_assert_eq!(second.published, first.published);
                prop_assert_eq!(second.held, first.held);
            }
            Err(Refusal::Foreign { .. } | Refusal::Untyped { .. } | Refusal::Data(auth_data::Refusal::NoHostKey { .. })) => {}
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn an_edit_takes_nothing_from_other_registries(text in file(), auth_type in auth_type(), wanted in wanted()) {
        let observed = Secret::from(text.as_str());
        if let Ok(edited) = ecs_config::edit(Some(&observed), auth_type, &wanted, Foreign::Keep) {
            let (before, after) = (map_of(&text), map_of(edited.text.expose()));
            let hosts: BTreeSet<_> = wanted.iter().map(|wanted| wanted.server.host().to_owned()).collect();
            for key in KEYS {
                let key = key.trim_start_matches("https://").trim_start_matches("http://");
                let host = key.split('/').next().unwrap_or_default();
                let image = format!("{}/0", key.trim_end_matches('/'));
                // A key without a dot is no host: its images are Docker Hub's.
                if host.contains(['.', ':']) && !host.ends_with("docker.io") && !hosts.contains(host) {
                    let old = outcomes(&before, &image);
                    prop_assert!(outcomes(&after, &image).iter().all(|auth| old.contains(auth)), "{}", image);
                    prop_assert_eq!(before.lookup(&image).is_random(), after.lookup(&image).is_random());
                }
            }
        }
    }

    #[test]
    fn what_is_held_stays(text in file(), auth_type in auth_type(), servers in servers()) {
        let wanted: Vec<_> =
            servers.into_iter().map(|server| Wanted { server, desired: Desired::Hold }).collect();
        let observed = Secret::from(text.as_str());
        let is_same_type = *Environment::parse(text.as_bytes()).auth().auth_type()
            == AuthSetting::Type(auth_type);
        if let (true, Ok(edited)) =
            (is_same_type, ecs_config::edit(Some(&observed), auth_type, &wanted, Foreign::Keep))
        {
            prop_assert_ne!(edited.change, Change::Auth);
        }
    }

    #[test]
    fn nothing_printable_tells_a_secret(
        text in file(), auth_type in auth_type(), wanted in wanted(), foreign in foreign(), of in select(SERVERS.as_slice()),
    ) {
        let observed = Secret::from(text.as_str());
        let environment = Environment::parse(text.as_bytes());
        let map = AuthMap::read(&environment.auth());
        let key = FingerprintKey::from_bytes([7; 32]);
        let mut said = vec![
            says(&environment),
            says(&environment.auth()),
            says(&environment.start_faults()),
            says(&map),
            says(&map.warnings()),
            says(&map.lookup("r.io/a")),
            says(&wanted),
            environment.auth().revision(&key).to_string(),
        ];
        said.extend(map.warnings().iter().map(|warning| format!("{warning} {:?}", warning.logged())));
        match ecs_config::edit(Some(&observed), auth_type, &wanted, foreign) {
            Ok(edited) => {
                said.push(says(&edited));
                said.extend(edited.notes.iter().map(ToString::to_string));
            }
            Err(refusal) => {
                said.push(says(&refusal));
                said.push(format!("{refusal} {}", refusal.remedy(&EcsConfigName::from("prod"))));
            }
        }
        for line in text.lines() {
            let json = Secret::from(line.split_once('=').map_or(line, |(_, value)| value));
            if let Err(error) = docker_config::read(&json, &server(of)) {
                said.push(format!("{} {error} {}", says(&error), error.remedy()));
            }
            said.push(says(&repository_credentials::parse(&json)));
        }
        for said in said {
            prop_assert!(is_silent(&said), "{}", said);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..200), image in "[a-z./:@]{0,20}") {
        let environment = Environment::parse(&bytes);
        let _ = (environment.start_faults(), environment.cluster().len());
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for auth_type in AuthType::ALL {
            let map = AuthMap::read(&EffectiveAuth::new(auth_type.as_str(), &text));
            prop_assert!(!map.lookup(&image).candidates().is_empty());
            let _ = map.warnings();
        }
        let secret = Secret::new(text);
        let _ = repository_credentials::parse(&secret);
        let _ = docker_config::read(&secret, &Server::DockerHub);
    }

    #[test]
    fn a_file_sets_what_its_lines_set_and_the_later_one_wins(bytes in vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
        let environment = Environment::parse(&bytes);
        prop_assert!(Environment::parse(&[b"\n \n", &bytes[..], b"\n\t\n"].concat()).is_same(&environment));
        prop_assert!(environment.names().all(|name| !name.contains(['=', '\n'])));
        // Between lines it can be cut, as the second of two files overrides the first.
        let at = at.index(bytes.len() + 1);
        let parts = [&bytes[..at], &bytes[at..]];
        let both = Environment::parse(parts[0]).overridden_by(Environment::parse(parts[1]));
        prop_assert!(Environment::parse(&parts.join(&b'\n')).is_same(&both));
    }

    #[test]
    fn what_is_found_in_dockers_file_can_be_published(data in data(), wrap in any::<bool>(), of in select(SERVERS.as_slice())) {
        let config = Secret::new(if wrap { format!(r#"{{"auths":{data}}}"#) } else { data });
        let server = server(of);
        let usable = |credential: &Credential| {
            let parts = [credential.username(), credential.secret().expose()];
            parts.iter().all(|part| !part.is_empty() && !part.contains(['\0', '\n', '\r']))
        };
        let found = docker_config::read(&config, &server);
        match &found {
            Ok(Found::Here(credential)) => prop_assert!(usable(credential)),
            Ok(Found::Kept(call)) => prop_assert!(docker_config::is_helper_name(&call.helper)),
            Err(error) => {
                let said = format!("{error} {}", error.remedy());
                prop_assert!(is_silent(&said), "{}", said);
            }
        }
        // The variable's form is the stricter one: the file's reader finds the same in it.
        if let Ok(credential) = docker_config::read_variable(&config, &server) {
            prop_assert_eq!(found, Ok(Found::Here(credential)));
        }
    }

    #[test]
    fn no_broken_json_makes_a_reader_panic(
        data in data(), at in any::<prop::sample::Index>(), junk in "[{}\\[\\]:,\"\\\\ud83é0-9]{0,3}", image in "r.io/[a-z]{0,3}",
    ) {
        let mut cut = at.index(data.len() + 1);
        while !data.is_char_boundary(cut) {
            cut -= 1;
        }
        let broken = format!("{}{junk}{}", &data[..cut], &data[cut..]);
        for auth_type in AuthType::ALL {
            let map = AuthMap::read(&EffectiveAuth::new(auth_type.as_str(), &broken));
            prop_assert!(!map.lookup(&image).candidates().is_empty());
            let text = Secret::new(format!("ECS_ENGINE_AUTH_TYPE={auth_type}\nECS_ENGINE_AUTH_DATA={broken}"));
            let wanted = [Wanted { server: Server::DockerHub, desired: Desired::Hold }];
            prop_assert!(ecs_config::edit(Some(&text), auth_type, &wanted, Foreign::Keep).is_ok());
        }
        let _ = docker_config::read(&Secret::new(broken), &server("r.io"));
    }

    #[test]
    fn any_text_is_edited_or_refused(text in "(?s).{0,80}", wanted in wanted()) {
        let observed = Secret::from(text.as_str());
        let is_misread = text.contains(['\0', '\r']) || text.starts_with('\u{feff}') || text.contains('=');
        match ecs_config::edit(Some(&observed), AuthType::Docker, &wanted, Foreign::Keep) {
            Ok(edited) => prop_assert!(edited.text.expose().starts_with(text.trim_end_matches(['\r', '\n']))),
            Err(Refusal::Misread(Misread::Nul { .. } | Misread::CarriageReturn { .. } | Misread::ByteOrderMark)
                | Refusal::NoStart(_)) => prop_assert!(is_misread),
            Err(Refusal::Data(auth_data::Refusal::NoHostKey { .. })) => {}
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
