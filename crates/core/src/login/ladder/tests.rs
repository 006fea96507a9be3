use proptest::prelude::*;

use super::*;
use crate::login::realm::Transport;
use crate::server::Server;

const REALM: &str = r#"Bearer realm="https://auth.example.com/token?own=1",service="r""#;

fn settings(canary: Option<&str>) -> Settings {
    let server = Server::parse("r.example.com").unwrap();
    Settings {
        canary: canary.map(|repository| Canary::new(&server, repository, "latest").unwrap()),
        realms: RealmRules {
            own: vec![Authority::parse("r.example.com").unwrap()],
            listed: Vec::new(),
            transport: Transport::Tls,
        },
        username: "robot$ecs".into(),
    }
}

fn code(code: u16) -> Answer {
    Answer::Status(Status { code, ..Status::default() })
}

fn challenge(text: &str) -> Answer {
    Answer::Status(Status { code: 401, challenges: Challenge::read_all([text]), ..Status::default() })
}

fn redirect(to: &str) -> Answer {
    Answer::Status(Status { code: 307, location: Some(to.into()), ..Status::default() })
}

/// What was asked, a word each, and how it ended.
fn climb(canary: Option<&str>, answers: &[Answer]) -> (Vec<String>, Login) {
    let (mut ladder, mut ask) = Ladder::start(settings(canary));
    let mut asked = Vec::new();
    for answer in answers {
        asked.push(match &ask {
            Ask::Base(proof) => format!("base/{proof:?}"),
            Ask::Token { proof, .. } => format!("token/{proof:?}"),
            Ask::Manifest { proof, .. } => format!("manifest/{proof:?}"),
        });
        match ladder.next(answer.clone()) {
            Next::Ask(next, question) => (ladder, ask) = (*next, question),
            Next::Ended(login) => return (asked, login),
        }
    }
    panic!("it goes on after {asked:?} with {ask:?}");
}

fn evidence(canary: Option<&str>, answers: &[Answer]) -> Evidence {
    match climb(canary, answers) {
        (_, Login::Accepted(accepted)) => accepted.evidence,
        other => panic!("{other:?}"),
    }
}

fn obstacle(canary: Option<&str>, answers: &[Answer]) -> Obstacle {
    match climb(canary, answers) {
        (_, Login::CannotTell(obstacle)) => obstacle,
        other => panic!("{other:?}"),
    }
}

fn token() -> Answer {
    Answer::Token(Grant::Unknown)
}

#[test]
fn a_token_server_is_asked_without_a_scope_first_and_its_token_has_to_be_taken() {
    let (asked, login) = climb(None, &[challenge(REALM), token(), code(200), code(401)]);
    assert_eq!(asked, ["base/Nothing", "token/Password", "base/Token", "token/Nothing"]);
    let by = Party::TokenServer { host: "auth.example.com".into() };
    assert_eq!(login, Login::Accepted(Accepted { by, evidence: Evidence::Identity }));
}

#[test]
fn a_token_that_anybody_gets_is_weaker_evidence_and_no_refusal() {
    let start = [challenge(REALM), token(), code(200)];
    let with = |last| evidence(None, &[start.as_slice(), &[last]].concat());
    assert_eq!(with(token()), Evidence::TokenForAll);
    let silent = || Answer::Nothing(NoAnswer::CutOff);
    for last in [code(401), code(403), code(429), code(500), redirect("/t"), Answer::NoToken, silent()] {
        assert_eq!(with(last.clone()), Evidence::Identity, "{last:?}");
    }
    let by = Party::TokenServer { host: "auth.example.com".into() };
    let said = Accepted { by, evidence: Evidence::TokenForAll }.to_string();
    assert!(
        said.contains("anonymous tokens too: name a private repository in `verify.repository`"),
        "{said}"
    );
}

#[test]
fn basic_is_tried_on_the_registry_itself() {
    let (asked, login) = climb(None, &[challenge(r#"Basic realm="x""#), code(200)]);
    assert_eq!(asked, ["base/Nothing", "base/Password"]);
    assert_eq!(login, Login::Accepted(Accepted { by: Party::Registry, evidence: Evidence::Identity }));
}

#[test]
fn a_canary_is_seen_with_the_credential_and_must_not_be_without() {
    let start = [challenge(REALM), token(), code(200), token(), code(200)];
    let (asked, _) = climb(Some("team/app"), &[start.as_slice(), &[code(401)]].concat());
    assert_eq!(
        asked,
        ["base/Nothing", "token/Password", "base/Token", "token/Password", "manifest/Token", "token/Nothing"]
    );
    let canary = settings(Some("team/app")).canary.unwrap();
    for (rest, expected) in [
        (vec![code(401)], Evidence::Pull { canary: canary.clone() }),
        (vec![code(403)], Evidence::Pull { canary: canary.clone() }),
        (vec![token(), code(401)], Evidence::Pull { canary: canary.clone() }),
        (vec![token(), code(404)], Evidence::Pull { canary: canary.clone() }),
        (vec![token(), code(200)], Evidence::Public { canary: canary.clone() }),
        (vec![token(), code(500)], Evidence::Seen { canary: canary.clone() }),
        (vec![code(429)], Evidence::Seen { canary: canary.clone() }),
    ] {
        assert_eq!(evidence(Some("team/app"), &[start.as_slice(), &rest].concat()), expected, "{rest:?}");
    }
    let basic = [challenge("Basic"), code(200), code(200)];
    let with = |last| evidence(Some("team/app"), &[basic.as_slice(), &[last]].concat());
    assert_eq!(with(code(401)), Evidence::Pull { canary: canary.clone() });
    assert_eq!(with(code(200)), Evidence::Public { canary });
}

#[test]
fn a_refusal_ends_the_ladder_at_once() {
    for (answers, questions, by) in [
        (vec![challenge(REALM), code(401)], 2, "auth.example.com"),
        (vec![challenge(REALM), code(403)], 2, "auth.example.com"),
        (vec![challenge("Basic"), code(401)], 2, "the registry"),
        (vec![challenge("Basic"), code(403)], 2, "the registry"),
        (vec![challenge(REALM), token(), code(200), code(401)], 4, "auth.example.com"),
        (vec![challenge(REALM), token(), code(200), token(), code(401)], 5, "the registry"),
        (vec![challenge("Basic"), code(200), code(403)], 3, "the registry"),
    ] {
        let (asked, login) = climb(Some("team/app"), &answers);
        let Login::Rejected(rejection) = login else { panic!("{answers:?}: {login:?}") };
        assert_eq!(asked.len(), questions, "{answers:?}");
        assert!(rejection.by.to_string().contains(by), "{rejection:?}");
    }
}

#[test]
fn a_missing_tag_is_told_from_a_missing_right_by_the_grant_alone() {
    let start = [challenge(REALM), token(), code(200)];
    let climb =
        |grant| climb(Some("team/app"), &[start.as_slice(), &[Answer::Token(grant), code(404)]].concat()).1;
    assert!(matches!(
        climb(Grant::Pull),
        Login::Accepted(Accepted { evidence: Evidence::TagMissing { .. }, .. })
    ));
    assert!(matches!(climb(Grant::NotPull), Login::Rejected(_)));
    assert!(matches!(climb(Grant::Unknown), Login::CannotTell(Obstacle::CanaryNotFound { .. })));
}

#[test]
fn a_registry_that_is_open_to_all_proves_nothing_but_by_a_canary() {
    assert_eq!(obstacle(None, &[code(200)]), Obstacle::OpenToAll);
    assert_eq!(obstacle(Some("team/app"), &[code(200), code(200)]), Obstacle::OpenToAll);
    let (asked, login) =
        climb(Some("team/app"), &[code(200), challenge(REALM), token(), code(200), token(), code(200)]);
    assert_eq!(asked[1], "manifest/Nothing");
    assert!(matches!(login, Login::Accepted(Accepted { evidence: Evidence::Pull { .. }, .. })), "{login:?}");
}

#[test]
fn a_web_page_is_no_registry_wherever_it_comes() {
    let page = || Answer::Status(Status { code: 200, likeness: Likeness::Page, ..Status::default() });
    let canary = Some("team/app");
    for (canary, answers) in [
        (None, vec![page()]),
        (canary, vec![page(), page()]),
        (canary, vec![page(), code(404)]),
        (None, vec![challenge("Basic"), page()]),
        (canary, vec![challenge("Basic"), page()]),
        (canary, vec![challenge("Basic"), code(200), page()]),
        (None, vec![challenge(REALM), token(), page()]),
        (canary, vec![challenge(REALM), token(), code(200), token(), page()]),
    ] {
        assert_eq!(obstacle(canary, &answers), Obstacle::NoRegistry, "{answers:?}");
    }
    // A registry that says so may answer in whatever form it likes.
    let registry = Answer::Status(Status { code: 200, likeness: Likeness::Registry, ..Status::default() });
    assert_eq!(obstacle(None, &[registry]), Obstacle::OpenToAll);
    let to_do = Obstacle::OpenToAll.remedy("harbor");
    assert!(to_do.starts_with("see that `server` names the registry"), "{to_do}");
}

#[test]
fn what_is_no_answer_to_the_question_says_nothing_of_the_credential() {
    let by = || Party::TokenServer { host: "auth.example.com".into() };
    let limit = || NoAnswer::TimedOut { limit: "15s".into() };
    assert_eq!(obstacle(None, &[code(404)]), Obstacle::Unexpected { by: Party::Registry, status: 404 });
    assert_eq!(obstacle(None, &[code(403)]), Obstacle::Unexpected { by: Party::Registry, status: 403 });
    assert_eq!(obstacle(None, &[challenge("Negotiate")]), Obstacle::NoChallenge);
    assert_eq!(
        obstacle(None, &[challenge(REALM), code(429)]),
        Obstacle::Throttled { by: by(), retry_after: None }
    );
    assert_eq!(
        obstacle(None, &[challenge(REALM), code(503)]),
        Obstacle::ServerError { by: by(), status: 503 }
    );
    assert_eq!(
        obstacle(None, &[challenge(REALM), Answer::Nothing(limit())]),
        Obstacle::NoAnswer { from: by(), why: limit() }
    );
    assert_eq!(obstacle(None, &[challenge(REALM), Answer::NoToken]), Obstacle::NoToken { by: by() });
    assert_eq!(
        obstacle(None, &[challenge(REALM), token(), code(401)]),
        Obstacle::TokenNotTaken { status: 401 }
    );
}

#[test]
fn a_credential_goes_to_no_realm_that_is_refused_and_follows_to_no_other_host() {
    for realm in ["http://auth.example.com/t", "https://169.254.169.254/t", "https://10.0.0.1/t"] {
        let answers = [challenge(&format!(r#"Bearer realm="{realm}?secret=x""#))];
        let (asked, login) = climb(None, &answers);
        assert_eq!(asked, ["base/Nothing"], "{realm}");
        let Login::CannotTell(Obstacle::RealmRefused { realm: shown, .. }) = login else {
            panic!("{login:?}")
        };
        assert_eq!(shown, realm);
    }
    for to in [
        "https://other.example.com/t",
        "https://auth.example.com:8443/t",
        "http://auth.example.com/t",
        "https://127.0.0.1/t",
        "//other.example.com/t",
    ] {
        let login = climb(None, &[challenge(REALM), redirect(to)]).1;
        assert!(matches!(login, Login::CannotTell(Obstacle::RedirectRefused { .. })), "{to}: {login:?}");
    }
}

#[test]
fn a_redirect_repeats_nothing_of_what_a_token_server_may_have_put_into_it() {
    for (to, named) in [
        ("https://hunter2.example.com/t", None),
        ("http://hunter2.example.com/t", None),
        ("https://hunter2:x@other.example.com/t", None),
        ("https://hunter2:x@auth.example.com/t", Some("auth.example.com")),
        ("hunter2://auth.example.com/t", None),
        ("hunter2://auth.example.com:443/t", Some("auth.example.com")),
        ("http://auth.example.com:443/hunter2", Some("auth.example.com")),
        ("https://r.example.com/hunter2", Some("r.example.com")),
        ("https://10.0.0.1/hunter2", None),
        ("https://169.254.169.254/hunter2", None),
    ] {
        let obstacle = obstacle(None, &[challenge(REALM), redirect(to)]);
        let Obstacle::RedirectRefused { to: shown, .. } = &obstacle else { panic!("{to}: {obstacle:?}") };
        assert_eq!(shown.as_deref(), named, "{to}");
        let said = format!("{obstacle:?} {} {}", obstacle.why(), obstacle.remedy("harbor"));
        assert!(!said.contains("hunter2") && !said.contains("10.0.0.1"), "{said}");
        assert_eq!(named.is_none(), obstacle.why().contains("redirects to another host, and "), "{said}");
    }
}

#[test]
fn a_redirect_on_the_same_host_is_followed_a_few_times() {
    let (asked, login) =
        climb(None, &[challenge(REALM), redirect("/elsewhere?a=b"), token(), code(200), code(401)]);
    assert_eq!(asked, ["base/Nothing", "token/Password", "token/Password", "base/Token", "token/Nothing"]);
    assert!(matches!(login, Login::Accepted(_)));
    let round: Vec<Answer> =
        std::iter::once(challenge(REALM)).chain((0..6).map(|_| redirect("/round"))).collect();
    let (asked, login) = climb(None, &round);
    assert_eq!(asked.len(), 7);
    assert!(
        matches!(
            login,
            Login::CannotTell(Obstacle::RedirectRefused { refusal: RedirectRefusal::TooMany, .. })
        ),
        "{login:?}"
    );
}

#[test]
fn the_realms_own_query_stays_and_is_added_to() {
    let (ladder, _) = Ladder::start(settings(Some("team/app")));
    let Next::Ask(ladder, Ask::Token { url, .. }) = ladder.next(challenge(REALM)) else { panic!("no token") };
    assert_eq!(
        url.as_str(),
        "https://auth.example.com/token?own=1&service=r&account=robot%24ecs&client_id=regcred"
    );
    let Next::Ask(ladder, _) = ladder.next(token()) else { panic!("no question") };
    let Next::Ask(ladder, Ask::Token { url, .. }) = ladder.next(code(200)) else { panic!("no token") };
    assert!(url.as_str().contains("own=1&service=r&scope=repository%3Ateam%2Fapp%3Apull&account="), "{url}");
    let Next::Ask(ladder, Ask::Manifest { path, .. }) = ladder.next(token()) else { panic!("no manifest") };
    assert_eq!(path, "/v2/team/app/manifests/latest");
    let Next::Ask(_, Ask::Token { url, proof, .. }) = ladder.next(code(200)) else { panic!("no control") };
    assert!(proof == TokenProof::Nothing && !url.as_str().contains("account"), "{url}");
}

fn any_answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        4 => proptest::sample::select(vec![200, 301, 400, 401, 403, 404, 429, 500, 503]).prop_map(code),
        3 => Just(challenge(REALM)),
        2 => Just(challenge("Basic")),
        4 => Just(token()),
        1 => Just(Answer::Token(Grant::Pull)),
        1 => Just(Answer::NoToken),
        1 => Just(redirect("/again")),
        1 => Just(redirect("https://other.example.com/")),
        1 => Just(Answer::Nothing(NoAnswer::TimedOut { limit: "1s".into() })),
    ]
}

proptest! {
    /// Whatever servers answer: it ends, no question with the password follows a refusal of one, and nothing is accepted
    /// unless the password was sent and answered with yes.
    #[test]
    fn no_answers_make_it_go_on_for_ever_or_accept_what_was_not_tried(
        answers in proptest::collection::vec(any_answer(), 24),
        canary in any::<bool>(),
    ) {
        let (mut ladder, mut ask) = Ladder::start(settings(canary.then_some("team/app")));
        let (mut said_yes, mut ended) = (false, None);
        for answer in answers {
            let with_password = matches!(
                ask,
                Ask::Base(Proof::Password)
                    | Ask::Token { proof: TokenProof::Password, .. }
                    | Ask::Manifest { proof: Proof::Password, .. }
            );
            let (yes, no) = match &answer {
                Answer::Token(_) => (true, false),
                Answer::Status(Status { code, .. }) => (*code == 200, matches!(code, 401 | 403)),
                Answer::NoToken | Answer::Nothing(_) => (false, false),
            };
            said_yes |= with_password && yes;
            match ladder.next(answer) {
                Next::Ask(next, question) => {
                    prop_assert!(!(with_password && no), "it went on after a refusal with {question:?}");
                    (ladder, ask) = (*next, question);
                }
                Next::Ended(login) => {
                    if let Login::Rejected(rejection) = &login {
                        let is_hidden = rejection.status == 404;
                        prop_assert!(no || is_hidden, "nobody refused: {login:?}");
                    }
                    ended = Some(login);
                    break;
                }
            }
        }
        let Some(login) = ended else { return Err(TestCaseError::fail("it goes on")) };
        if matches!(login, Login::Accepted(_)) {
            prop_assert!(said_yes, "accepted without a try");
        }
    }
}
