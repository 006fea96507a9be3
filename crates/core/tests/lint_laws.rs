//! Laws of `explain` and `lint`, over files with every flaw that people write, and over any bytes at all.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use regcred_core::agent::warning::Warning;
use regcred_core::agent::{AuthMap, AuthType, Entry, PullAuth};
use regcred_core::credential::Credential;
use regcred_core::document::Document;
use regcred_core::explain::{self, Answer};
use regcred_core::formats::ecs_config::{self, Desired, Foreign, Wanted};
use regcred_core::lint::{Rule, lint, mend};
use regcred_core::secret::Secret;
use regcred_core::server::Server;

/// Begins every generated password, so that a leak can be searched for, also where it is encoded.
const SECRET: &str = "s3cr3tXs3cr3t";

const KEYS: [&str; 19] = [
    "https://index.docker.io/v1/",
    "docker.io",
    "https://index.docker.io/v1",
    "r.io",
    "https://r.io",
    "r.io/",
    "r.io/v2/",
    "r.io/team",
    "R.io",
    "r.io:443",
    "r.io/zzzzzzzzzzzzzz",
    "https://user:pass@r.io",
    "localhost",
    "myreg",
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
    "auths",
    "credsStore",
    "credHelpers",
    "",
];

const IMAGES: [&str; 9] = [
    "busybox",
    "acme/app:1",
    "r.io/a",
    "r.io/team/app:1",
    "r.io/zzzzzzzzzzzzzz/b",
    "R.io/a",
    "localhost/a",
    "myreg/a@sha256:00",
    "https://r.io/a",
];

fn value() -> impl Strategy<Value = String> {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let password = || "[a-z?>é]{0,3}".prop_map(|rest| format!("{SECRET}{rest}"));
    prop_oneof![
        4 => ("[a-c]?", password()).prop_map(|(u, p)| format!(r#"{{"auth":"{}"}}"#, STANDARD.encode(format!("{u}:{p}")))),
        4 => ("[a-c:]{0,2}", password()).prop_map(|(u, p)| format!(r#"{{"username":"{u}","password":"{p}"}}"#)),
        1 => password().prop_map(|p| format!(r#"{{"auth":"{}"}}"#, URL_SAFE_NO_PAD.encode(format!("u:{p}")))),
        1 => password().prop_map(|p| format!(r#"{{"auth":"{}"}}"#, STANDARD.encode(format!("u:{p}\n")))),
        1 => password().prop_map(|p| format!(r#"{{"auth":"{}"}}"#, STANDARD.encode(p))),
        1 => password().prop_map(|p| format!(r#"{{"identitytoken":"{p}","auth":"MDAwMDo="}}"#)),
        1 => password().prop_map(|p| format!(r#"{{"username":"u","password":"{p}","serveraddress":"x.io"}}"#)),
        1 => password().prop_map(|p| format!(r#"{{ "r.io" : {{"auth":"{}"}}, "q.io":{{}} }}"#, STANDARD.encode(format!("w:{p}")))),
        1 => select(["{}", "null", "\"x\"", "{\"auth\":1}", "[]"].as_slice()).prop_map(str::to_owned),
    ]
}

fn data() -> impl Strategy<Value = String> {
    vec((select(KEYS.as_slice()), value()), 0..4).prop_map(|entries| {
        let entries: Vec<_> = entries.iter().map(|(key, value)| format!(r#""{key}":{value}"#)).collect();
        format!("{{{}}}", entries.join(","))
    })
}

/// The data as people put it into a line.
fn in_line() -> impl Strategy<Value = String> {
    (data(), 0..8_u8).prop_map(|(data, flaw)| match flaw {
        0 => format!("'{data}'"),
        1 => format!("\"{}\"", data.replace('"', "\\\"")),
        2 => format!("{data} # the registries"),
        3 => data.replace("},", "},\n  "),
        4 => format!("{data},"),
        _ => data,
    })
}

fn file() -> impl Strategy<Value = String> {
    let name = |name: &'static str| {
        let bad = [format!("export {name}"), format!("{name} "), name.to_lowercase(), format!("#{name}")];
        prop_oneof![6 => Just(name.to_owned()), 1 => select(bad.to_vec())]
    };
    let auth_type = select(["docker", "dockercfg", "Docker", "\"dockercfg\"", "docker # x", ""].as_slice());
    let line = prop_oneof![
        3 => (name("ECS_ENGINE_AUTH_TYPE"), auth_type).prop_map(|(name, value)| format!("{name}={value}")),
        3 => (name("ECS_ENGINE_AUTH_DATA"), in_line()).prop_map(|(name, value)| format!("{name}={value}")),
        1 => name("ECS_CLUSTER").prop_map(|name| format!("{name}=prod")),
        1 => select(["", "# a comment", "no variable", "=x", "ECS_LOGLEVEL='info'", "A=\u{0}", "A=b\\"].as_slice())
            .prop_map(str::to_owned),
    ];
    let end = select(["\n", "\n", "\r\n", "\r"].as_slice());
    (select(["", "", "\u{feff}"].as_slice()), vec((line, end), 0..7), any::<bool>()).prop_map(
        |(mark, lines, has_end)| {
            let text: String = lines.iter().flat_map(|(line, end)| [line.as_str(), *end]).collect();
            let text = if has_end { text.as_str() } else { text.trim_end() };
            format!("{mark}{text}")
        },
    )
}

/// A file of any of the three forms.
fn any_form() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => file(),
        2 => in_line(),
        2 => (data(), data()).prop_map(|(auths, rest)| format!("{{\n\t\"auths\": {auths},\n\t\"HttpHeaders\": {rest}\n}}\n")),
    ]
}

/// Registries, and keys that all mean them.
const SPELLINGS: [(&str, &str); 7] = [
    ("docker.io", "https://index.docker.io/v1/"),
    ("docker.io", "index.docker.io/v1/"),
    ("docker.io", "docker.io"),
    ("docker.io", "https://registry-1.docker.io"),
    ("r.io", "r.io"),
    ("r.io", "https://r.io"),
    ("r.io", "r.io/"),
];

/// Entries that no registry accepts: no base64, nothing, no password, no colon, no text.
const BROKEN: [&str; 5] =
    [r#"{"auth":"bad!!"}"#, "{}", r#"{"auth":"dTo="}"#, r#"{"auth":"eHl6"}"#, r#"{"auth":"dTr/"}"#];

fn encode(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// The rules by which a warning of the agent's can be told; the exact one is the file's to say.
fn rules_of(warning: &Warning) -> &'static [Rule] {
    match warning {
        Warning::UnknownType => &[
            Rule::UnknownType,
            Rule::QuotedValue,
            Rule::InlineComment,
            Rule::CarriageReturn,
            Rule::Continuation,
        ],
        Warning::Unreadable { .. } => &[
            Rule::DataMissing,
            Rule::QuotedValue,
            Rule::InlineComment,
            Rule::MultiLineData,
            Rule::NotJson,
            Rule::NotAnObject,
            Rule::EntryNotAnObject,
            Rule::FieldNotAString,
            Rule::CredentialHelper,
            Rule::DockerConfigMember,
            Rule::AuthsWrapper,
            Rule::Continuation,
            Rule::CarriageReturn,
            Rule::ByteOrderMark,
            // The line that means to set the data does not.
            Rule::Export,
            Rule::SpaceBeforeEquals,
            Rule::MisspeltName,
        ],
        Warning::Skipped { .. } | Warning::NoLogin { .. } => &[
            Rule::Base64Invalid,
            Rule::Base64UrlSafe,
            Rule::Base64Unpadded,
            Rule::NoColon,
            Rule::NoAuth,
            Rule::NoLogin,
            Rule::IdentityToken,
            Rule::WrongType,
            Rule::CredentialHelper,
            Rule::DockerConfigMember,
            Rule::AuthsWrapper,
        ],
        Warning::Wrapped { .. } => &[Rule::AuthsWrapper],
        Warning::DeadHubKey { .. } => &[Rule::DeadHubKey],
        Warning::SameKey { .. } => &[Rule::SameKey],
        Warning::NoHostKey { .. } => &[Rule::PathWithoutHost],
        Warning::ServerAddress { .. } => &[Rule::ServerAddress, Rule::AuthsWrapper, Rule::CredentialHelper],
        Warning::LineBreak { .. } => &[Rule::LineBreak, Rule::AuthsWrapper, Rule::CredentialHelper],
    }
}

fn found(document: &Document) -> BTreeSet<Rule> {
    lint(document).into_iter().map(|finding| finding.rule).collect()
}

/// The password as it is, and what base64 makes of it inside of something longer, for each place modulo three.
fn is_silent(text: &str) -> bool {
    use base64::Engine;
    let inside = (0..3).map(|skipped| {
        let whole = &SECRET.as_bytes()[skipped..];
        base64::engine::general_purpose::STANDARD.encode(&whole[..whole.len() - whole.len() % 3])
    });
    inside.chain([SECRET.to_owned()]).all(|form| !text.contains(&form))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_them_panic(bytes in vec(any::<u8>(), 0..200), image in ".{0,30}") {
        let document = Document::read(&bytes);
        let _ = (lint(&document), mend(&document), explain::explain(&document, &image));
    }

    #[test]
    fn no_text_makes_them_panic(text in "[\\{\\}\":,=#'\\\\ \t\r\n\u{feff}a-bEé\u{0}]{0,60}", image in "[a-z/:.@]{0,12}") {
        let document = Document::read(text.as_bytes());
        let _ = (lint(&document), mend(&document), explain::explain(&document, &image));
    }

    #[test]
    fn explain_agrees_with_the_agents_lookup(text in any_form()) {
        let document = Document::read(text.as_bytes());
        for image in IMAGES {
            let told = explain::explain(&document, image);
            let found = document.map().lookup(image);
            let answer = match found.certain() {
                None => Answer::Random,
                Some(PullAuth::Anonymous) => Answer::Anonymous,
                Some(PullAuth::Login(_) | PullAuth::Token { .. }) => Answer::Credential,
            };
            prop_assert_eq!(told.answer, answer);
            prop_assert!(told.candidates.len() <= found.candidates().len() && !told.candidates.is_empty());
            prop_assert!(told.reasons.len() > usize::from(answer == Answer::Anonymous));
        }
    }

    #[test]
    fn whatever_the_agent_drops_or_stumbles_over_is_found(text in any_form()) {
        let document = Document::read(text.as_bytes());
        let found = found(&document);
        for warning in document.map().warnings() {
            let rules = rules_of(&warning);
            prop_assert!(rules.iter().any(|rule| found.contains(rule)), "{:?}: {:?}", warning, found);
        }
        let stops = document.environment().start_faults();
        prop_assert!(stops.is_empty() || !found.is_empty(), "{:?}", stops);
    }

    #[test]
    fn a_mend_takes_no_credential_from_an_image_and_leaves_none_to_chance(text in any_form()) {
        let document = Document::read(text.as_bytes());
        let mended = mend(&document);
        let after = Document::read(mended.text.expose().as_bytes());
        for image in IMAGES {
            let (old, new) = (document.map().lookup(image), after.map().lookup(image));
            prop_assert!(old.is_random() || !new.is_random(), "{}", image);
            if let (Some(PullAuth::Login(old)), Some(PullAuth::Login(new))) = (old.certain(), new.certain()) {
                prop_assert_eq!(old.username.trim(), new.username.trim());
                prop_assert_eq!(old.password.expose().trim(), new.password.expose().trim());
            }
            prop_assert!(
                old.certain() == Some(&PullAuth::Anonymous) || new.certain() != Some(&PullAuth::Anonymous),
                "{} lost its credential", image
            );
        }
    }

    #[test]
    fn a_mend_throws_no_usable_login_away_for_an_unusable_one(lines in vec(vec((select(SPELLINGS.as_slice()), any::<bool>()), 0..4), 1..3)) {
        // Each login has a password of its own, by which it is found again.
        let mut logins: Vec<(&str, String)> = Vec::new();
        let mut text = "ECS_CLUSTER=prod\nECS_ENGINE_AUTH_TYPE=dockercfg\n".to_owned();
        for line in lines {
            let entries = line.into_iter().map(|((registry, key), is_good)| {
                let auth = encode(&format!("u:p{:03}", logins.len()));
                let value = if is_good { format!(r#"{{"auth":"{auth}"}}"#) } else { BROKEN[logins.len() % BROKEN.len()].to_owned() };
                logins.push((registry, if is_good { auth } else { String::new() }));
                format!(r#""{key}":{value}"#)
            });
            let entries: Vec<String> = entries.collect();
            text.push_str("ECS_ENGINE_AUTH_DATA={");
            text.push_str(&entries.join(","));
            text.push_str("}\n");
        }
        let mended = mend(&Document::read(text.as_bytes()));
        for registry in ["docker.io", "r.io"] {
            let of_it = || logins.iter().filter(|(of, auth)| *of == registry && !auth.is_empty());
            let is_kept = of_it().any(|(_, auth)| mended.text.expose().contains(auth));
            prop_assert!(is_kept || of_it().next().is_none(), "{}: {:?} becomes {:?}", registry, text, mended.text.expose());
        }
    }

    #[test]
    fn a_mended_file_has_nothing_left_that_can_be_mended(text in any_form()) {
        let mended = mend(&Document::read(text.as_bytes()));
        let again = mend(&Document::read(mended.text.expose().as_bytes()));
        prop_assert!(!again.is_changed, "{:?} becomes {:?}", mended.text.expose(), again.text.expose());
        let left: BTreeSet<_> = mended.left.iter().map(|finding| finding.rule).collect();
        prop_assert!(mended.mended.iter().all(|rule| !left.contains(rule)));
    }

    #[test]
    fn nothing_that_is_said_tells_a_password(text in any_form()) {
        let document = Document::read(text.as_bytes());
        let said = format!("{:?} {:?}", lint(&document), mend(&document));
        prop_assert!(is_silent(&said), "{}", said);
        for image in IMAGES {
            let told = explain::explain(&document, image);
            let said = format!("{told:?} {}", serde_json::to_string(&told).expect("it is plain data"));
            prop_assert!(is_silent(&said), "{}", said);
        }
    }

    #[test]
    fn nothing_is_found_in_what_regcred_writes(
        auth_type in select(AuthType::ALL.as_slice()),
        logins in vec(("[a-z$é ]{1,6}", "[ -~é€]{1,12}"), 4),
        count in 0..4_usize,
    ) {
        let servers = ["docker.io", "r.io/team", "q.io:5000", "localhost"];
        let wanted: Vec<Wanted> = servers.iter().zip(logins).take(count).map(|(server, (username, password))| Wanted {
            server: Server::parse(server).expect("it is a server"),
            desired: Desired::Publish(
                Credential::new(username, Secret::new(password), None).expect("no part is empty"),
            ),
        }).collect();
        for before in [None, Some("ECS_CLUSTER=prod\nECS_LOGLEVEL=info\n")] {
            let before = before.map(Secret::from);
            let edited = ecs_config::edit(before.as_ref(), auth_type, &wanted, Foreign::Keep)
                .expect("nothing stands in the way");
            let document = Document::read(edited.text.expose().as_bytes());
            prop_assert_eq!(lint(&document), vec![]);
            prop_assert!(document.map().entries().iter().all(Entry::is_login));
        }
    }
}

#[test]
fn the_search_for_a_password_finds_it() {
    use base64::Engine;
    let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    assert!(!is_silent(&format!("x{SECRET}x")));
    for before in ["u:", "uu:", "uuu:"] {
        assert!(
            !is_silent(&encode(format!("{before}{SECRET}"))),
            "{before}: {}",
            encode(format!("{before}{SECRET}"))
        );
    }
    let map = AuthMap::read(&regcred_core::agent::EffectiveAuth::none());
    assert!(map.warnings().is_empty());
}
