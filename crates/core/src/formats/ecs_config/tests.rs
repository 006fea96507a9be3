use super::edit::File;
use super::owner::Owned;
use super::proof::Proof;
use super::*;
use crate::agent::{AuthMap, AuthType, Environment, PullAuth, StartFault};
use crate::formats::auth_data;

fn server(text: &str) -> Server {
    Server::parse(text).unwrap()
}

fn publish(server_text: &str, username: &str, password: &str) -> Wanted {
    let credential = Credential::new(username.into(), password.into(), None).unwrap();
    Wanted { server: server(server_text), desired: Desired::Publish(credential) }
}

fn hold(server_text: &str) -> Wanted {
    Wanted { server: server(server_text), desired: Desired::Hold }
}

fn edit_text(text: &str, wanted: &[Wanted]) -> Edited {
    edit(Some(&text.into()), AuthType::Docker, wanted, Foreign::Keep).unwrap()
}

fn refusal(text: &str, wanted: &[Wanted]) -> Refusal {
    edit(Some(&text.into()), AuthType::Docker, wanted, Foreign::Keep).unwrap_err()
}

/// A file of type `docker` with this data.
fn docker(data: &str) -> String {
    format!("ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={data}\n")
}

const R_U_P: &str = r#"{"r.io":{"username":"u","password":"p"}}"#;

/// The login that a pull of `image` surely uses, as `username:password`.
fn pulls(edited: &Edited, image: &str) -> String {
    let environment = Environment::parse(edited.text.expose().as_bytes());
    match AuthMap::read(&environment.auth()).lookup(image).certain() {
        Some(PullAuth::Login(login)) => format!("{}:{}", login.username, login.password.expose()),
        other => panic!("{image}: {other:?}"),
    }
}

#[test]
fn writes_a_file_where_there_is_none() {
    let edited = edit(None, AuthType::Docker, &[publish("r.io", "u", "p")], Foreign::Keep).unwrap();
    assert_eq!(edited.text.expose(), docker(R_U_P));
    assert_eq!(edited.change, Change::Auth);
    assert_eq!(edited.published, [server("r.io")]);
}

#[test]
fn writes_nothing_where_nothing_is_to_be_published() {
    let edited = edit(None, AuthType::Docker, &[hold("r.io")], Foreign::Keep).unwrap();
    assert!(edited.text.is_empty() && !edited.is_changed());
    assert_eq!(edited.unpublished, [server("r.io")]);
    let text = "ECS_CLUSTER=prod";
    assert_eq!(edit_text(text, &[hold("r.io")]).text.expose(), text);
}

#[test]
fn every_other_byte_survives() {
    let line = format!("ECS_ENGINE_AUTH_DATA={R_U_P}");
    for (before, after) in [
        ("ECS_CLUSTER=prod\n", format!("ECS_CLUSTER=prod\nECS_ENGINE_AUTH_TYPE=docker\n{line}\n")),
        ("ECS_CLUSTER=prod", format!("ECS_CLUSTER=prod\nECS_ENGINE_AUTH_TYPE=docker\n{line}\n")),
        ("A=1\r\nB=2", format!("A=1\r\nB=2\r\nECS_ENGINE_AUTH_TYPE=docker\r\n{line}\r\n")),
        (
            "# a\n\n  A=1 \nECS_ENGINE_AUTH_DATA=old\n\tB= 2\nECS_ENGINE_AUTH_TYPE=docker\n;c\n\n\n",
            format!("# a\n\n  A=1 \n{line}\n\tB= 2\nECS_ENGINE_AUTH_TYPE=docker\n;c\n\n\n"),
        ),
        (
            "ECS_ENGINE_AUTH_TYPE=docker\r\n  ECS_ENGINE_AUTH_DATA=old\r\nA=1",
            format!("ECS_ENGINE_AUTH_TYPE=docker\r\n{line}\r\nA=1"),
        ),
        (
            "ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA=old",
            format!("ECS_ENGINE_AUTH_TYPE=docker\n{line}\n"),
        ),
        (
            "A=1\nECS_ENGINE_AUTH_DATA=old\r\nECS_ENGINE_AUTH_TYPE=docker\n",
            format!("A=1\n{line}\r\nECS_ENGINE_AUTH_TYPE=docker\n"),
        ),
        ("\u{feff}# c\nA=1\n", format!("\u{feff}# c\nA=1\nECS_ENGINE_AUTH_TYPE=docker\n{line}\n")),
    ] {
        assert_eq!(edit_text(before, &[publish("r.io", "u", "p")]).text.expose(), after, "{before:?}");
    }
}

#[test]
fn a_value_that_does_its_work_keeps_its_bytes() {
    for data in [
        R_U_P,
        r#" { "r.io" : {"username":"u","password":"p","email":"e@x"} } "#,
        r#"{"https://r.io":{"password":"\u0070","username":"u"}}"#,
        r#"{"r.io":{"username":"u","password":"p","serveraddress":"r.io"}}"#,
        r#"{"r.io/v1/":{"username":"u","password":"p"}}"#,
        r#"{"r.io":{"username":"u","password":"p"},"q.io":{"username":"f","password":"g"}}"#,
    ] {
        let edited = edit_text(&docker(data), &[publish("r.io", "u", "p")]);
        assert_eq!(edited.change, Change::None, "{data}");
        assert_eq!(edited.text.expose(), docker(data));
    }
    for data in [
        r#"{"r.io":{"username":"u","password":"old"}}"#,
        r#"{"r.io":{"username":"u","password":"p","identitytoken":"t"}}"#,
        r#"{"r.io":{"username":"u","password":"p","serveraddress":"https://r.io"}}"#,
        r#"{"r.io":{"username":"u","password":"p"},"https://r.io":{"username":"u","password":"old"}}"#,
        r#"{"r.io":{"username":"u","password":"p"},"r.io/":{"username":"u","password":"old"}}"#,
        r#"'{"r.io":{"username":"u","password":"p"}}'"#,
        "",
    ] {
        let edited = edit_text(&docker(data), &[publish("r.io", "u", "p")]);
        assert_eq!(edited.text.expose(), docker(R_U_P), "{data}");
        assert_eq!(edited.change, Change::Auth);
    }
}

#[test]
fn repeated_lines_become_one_and_restart_nobody() {
    let text = format!("ECS_ENGINE_AUTH_DATA=old\nA=1\n{}", docker(R_U_P));
    let edited = edit_text(&text, &[publish("r.io", "u", "p")]);
    assert_eq!(edited.text.expose(), format!("A=1\n{}", docker(R_U_P)));
    assert_eq!(edited.change, Change::Lines);
    assert_eq!(edited.notes, [Note::Repeated { variable: Variable::AuthData, removed: 1 }]);
}

#[test]
fn an_entry_that_no_registry_owns_is_kept_or_pruned() {
    let foreign = r#"{ "q.io": {"username": "f", "password": "é", "email":"e@x"} , "r.io":{"username":"u","password":"old"}}"#;
    let kept = edit_text(&docker(foreign), &[publish("r.io", "u", "p")]);
    assert_eq!(
        kept.text.expose(),
        docker(
            r#"{"q.io":{"username":"f","password":"\u00e9","email":"e@x"},"r.io":{"username":"u","password":"p"}}"#
        )
    );
    assert_eq!((kept.kept.as_slice(), kept.pruned.len()), (["q.io".to_owned()].as_slice(), 0));
    let text = Secret::from(docker(foreign));
    let pruned = edit(Some(&text), AuthType::Docker, &[publish("r.io", "u", "p")], Foreign::Prune).unwrap();
    assert_eq!(pruned.text.expose(), docker(R_U_P));
    assert_eq!((pruned.kept.len(), pruned.pruned.as_slice()), (0, ["q.io".to_owned()].as_slice()));
}

#[test]
fn a_change_of_type_takes_foreign_entries_along_or_is_refused() {
    let to_dockercfg = |data: &str| {
        edit(Some(&docker(data).into()), AuthType::Dockercfg, &[publish("r.io", "u", "p")], Foreign::Keep)
    };
    let edited = to_dockercfg(r#"{"q.io":{"username":"f","password":"g:h"}}"#).unwrap();
    assert_eq!(
        edited.text.expose(),
        "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"q.io\":{\"auth\":\"ZjpnOmg=\"},\"r.io\":{\"auth\":\"dTpw\"}}\n"
    );
    for (data, why) in [
        (r#"{"q.io":{"username":"f:","password":"g"}}"#, Unconvertible::ColonInUsername),
        (r#"{"q.io":{"identitytoken":"t"}}"#, Unconvertible::Token),
    ] {
        assert_eq!(to_dockercfg(data).unwrap_err(), Refusal::Foreign { key: "q.io".into(), why });
    }
    let text = "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"q.io\":{\"auth\":\"Zjpn\"},\"x.io\":{\"auth\":\"?\"}}\n";
    let edited = edit_text(text, &[publish("r.io", "u", "p")]);
    assert_eq!(pulls(&edited, "q.io/a"), "f:g");
    assert_eq!(edited.notes, [Note::DeadEntry { key: "x.io".into() }]);
}

#[test]
fn what_is_held_stays_published() {
    let data = r#"{"https://h.io/v1/":{"username":"h","password":"1","email":"e"},"r.io":{"username":"u","password":"old"}}"#;
    let edited = edit_text(&docker(data), &[publish("r.io", "u", "p"), hold("h.io"), hold("n.io")]);
    assert_eq!(
        edited.text.expose(),
        docker(
            r#"{"h.io":{"username":"h","password":"1","email":"e"},"r.io":{"username":"u","password":"p"}}"#
        )
    );
    assert_eq!((edited.held, edited.unpublished), (vec![server("h.io")], vec![server("n.io")]));
    // In another type, if it can be written in it.
    let data = r#"{"h.io":{"username":"h","password":"1"},"t.io":{"username":"t","identitytoken":"t"}}"#;
    let wanted = [publish("r.io", "u", "p"), hold("h.io"), hold("t.io")];
    let edited = edit(Some(&docker(data).into()), AuthType::Dockercfg, &wanted, Foreign::Keep).unwrap();
    assert_eq!(pulls(&edited, "h.io/a"), "h:1");
    assert_eq!((edited.held, edited.unpublished), (vec![server("h.io")], vec![server("t.io")]));
    assert_eq!(edited.notes, [Note::NotConverted { server: server("t.io"), why: Unconvertible::Token }]);
}

#[test]
fn what_is_held_is_left_to_chance_no_longer_than_until_the_value_is_written() {
    let data = r#"{"r.io":{"username":"u","password":"p"},"https://r.io":{"auth":"ignored"}}"#;
    assert_eq!(edit_text(&docker(data), &[hold("r.io")]).change, Change::None);
    let edited = edit_text(&docker(data), &[hold("r.io"), publish("q.io", "v", "q")]);
    assert_eq!(pulls(&edited, "r.io/a"), "u:p");
    // Two credentials: which one works is not for us to say.
    let data = r#"{"r.io":{"username":"u","password":"p"},"https://r.io":{"username":"u","password":"q"}}"#;
    let edited = edit_text(&docker(data), &[hold("r.io"), publish("q.io", "v", "q")]);
    assert!(AuthMap::read(&edited.auth).lookup("r.io/a").is_random());
    assert_eq!(edited.held, [server("r.io")]);
    // Unless only one of them is left in the other type.
    let data =
        r#"{"r.io/":{"username":"u:v","password":"p"},"https://r.io/v1/":{"username":"u","password":"q"}}"#;
    let edited =
        edit(Some(&docker(data).into()), AuthType::Dockercfg, &[hold("r.io")], Foreign::Keep).unwrap();
    assert_eq!(edited.auth.auth_data().expose(), r#"{"r.io":{"auth":"dTpx"}}"#);
}

#[test]
fn old_keys_of_docker_hub_go_when_its_entry_is_written() {
    let data = r#"{"docker.io":{"username":"u","password":"old"},"https://index.docker.io/v1":{"username":"u","password":"old"}}"#;
    let edited = edit_text(&docker(data), &[publish("docker.io", "u", "p")]);
    assert_eq!(
        edited.text.expose(),
        docker(r#"{"https://index.docker.io/v1/":{"username":"u","password":"p"}}"#)
    );
    assert_eq!(edited.notes.len(), 2);
}

#[test]
fn a_path_has_its_hosts_key_or_is_refused() {
    let edited = edit_text("", &[publish("r.io/team", "u", "p")]);
    assert_eq!(pulls(&edited, "r.io/other/image"), "u:p");
    assert_eq!(edited.notes, [Note::HostKey { server: server("r.io/team") }]);
    // The host's key moves with the path that it was written for.
    let edited = edit_text(edited.text.expose(), &[publish("r.io/team", "u", "new")]);
    assert_eq!((pulls(&edited, "r.io/other/image"), edited.kept.len()), ("u:new".into(), 0));
    // Another's key for the host stays.
    let theirs = docker(r#"{"r.io":{"username":"f","password":"g"}}"#);
    let edited = edit_text(&theirs, &[publish("r.io/team", "u", "p"), publish("r.io/b", "v", "q")]);
    assert_eq!(pulls(&edited, "r.io/team/a"), "u:p");
    assert_eq!(pulls(&edited, "r.io/b/a"), "v:q");
    assert_eq!(pulls(&edited, "r.io/x"), "f:g");
    // Two paths and nobody for the host.
    let no_host_key = |text: &str| Refusal::Data(auth_data::Refusal::NoHostKey { server: server(text) });
    assert_eq!(
        refusal("", &[publish("r.io/team", "u", "p"), publish("r.io/b", "v", "q")]),
        no_host_key("r.io/b")
    );
    // Not even with one credential for both: the next one may be another.
    assert_eq!(
        refusal("", &[publish("r.io/team", "u", "p"), publish("r.io/b", "u", "p")]),
        no_host_key("r.io/b")
    );
    // A foreign path, whose images would come to depend on chance.
    let theirs = docker(r#"{"r.io/b":{"username":"f","password":"g"}}"#);
    assert_eq!(refusal(&theirs, &[publish("r.io/team", "u", "p")]), no_host_key("r.io/team"));
    // Or depend on it more than they do.
    let theirs =
        docker(r#"{"r.io/":{"username":"f","password":"g"},"r.io/v1/":{"username":"x","password":"y"}}"#);
    assert_eq!(refusal(&theirs, &[publish("r.io/team/sub", "u", "p")]), no_host_key("r.io/team/sub"));
    // What was left to chance before does not stop the others.
    let theirs =
        docker(r#"{"q.io/a":{"username":"f","password":"g"},"q.io/bb":{"username":"x","password":"y"}}"#);
    assert_eq!(pulls(&edit_text(&theirs, &[publish("r.io", "u", "p")]), "r.io/a"), "u:p");
}

#[test]
fn a_new_path_does_not_stop_an_old_one() {
    let old = edit_text("", &[publish("r.io/team", "u", "p")]);
    for other in ["r.io/a", "r.io/zzzzzz"] {
        for is_first in [true, false] {
            let mut wanted = [publish("r.io/team", "u", "new"), publish(other, "v", "q")];
            wanted.rotate_left(usize::from(is_first));
            let refusal = refusal(old.text.expose(), &wanted);
            assert_eq!(refusal.server(), Some(&server(other)), "{refusal:?}");
            let wanted = [publish("r.io/team", "u", "new"), hold(other)];
            assert_eq!(pulls(&edit_text(old.text.expose(), &wanted), "r.io/x"), "u:new");
        }
    }
}

#[test]
fn files_that_would_be_misread_are_refused() {
    for (text, why) in [
        ("A=1\rB=2\rECS_CLUSTER=prod\r", Misread::CarriageReturn { line: 1 }),
        ("A=1\r\n# b\rc\n", Misread::CarriageReturn { line: 2 }),
        ("\u{feff}ECS_CLUSTER=prod\n", Misread::ByteOrderMark),
        ("A=1\nB=\0\n", Misread::Nul { line: 2 }),
    ] {
        assert_eq!(refusal(text, &[publish("r.io", "u", "p")]), Refusal::Misread(why), "{text:?}");
    }
    assert_eq!(decode(vec![b'A', b'=', 0xff]), Err(Refusal::Misread(Misread::NotText { line: 1 })));
    assert_eq!(decode(b"A=1".to_vec()), Ok("A=1".into()));
}

#[test]
fn files_that_keep_the_agent_from_starting_are_refused() {
    let wanted = [publish("r.io", "u", "p")];
    let long = format!("{}A={}\n", docker(R_U_P), "x".repeat(131_070));
    assert_eq!(refusal(&long, &wanted), Refusal::NoStart(StartFault::TooLong { line: 3, bytes: 131_072 }));
    assert_eq!(refusal("A=1\n=x\n", &wanted), Refusal::NoStart(StartFault::NoName { line: 2 }));
}

#[test]
fn authentication_data_that_keeps_the_agent_from_starting_is_mended() {
    let long = docker(&R_U_P.replace(':', &format!(":{}", " ".repeat(131_072))));
    assert_eq!(edit_text(&long, &[publish("r.io", "u", "p")]).text.expose(), docker(R_U_P));
}

#[test]
fn entries_of_data_without_a_type_are_neither_dropped_nor_brought_to_life() {
    let wanted = [publish("r.io", "u", "p"), hold("h.io")];
    for (data, keys) in [
        (r#"{"q.io":{"username":"f","password":"g"}}"#, "q.io"),
        (r#"{"q.io":{"auth":"Zjpn"},"r.io":{"auth":"dTpw"}}"#, "q.io"),
        (r#"{"h.io":{"auth":"Zjpn"}}"#, "h.io"),
    ] {
        let text = format!("ECS_ENGINE_AUTH_DATA={data}\n");
        assert_eq!(refusal(&text, &wanted), Refusal::Untyped { keys: vec![keys.to_owned()] });
        assert_eq!(edit_text(&text, &[hold("r.io")]).change, Change::None);
    }
    let edited = edit_text("ECS_ENGINE_AUTH_DATA={\"r.io\":{\"auth\":\"dTpv\"}}\n", &wanted);
    assert_eq!((pulls(&edited, "r.io/a"), edited.notes), ("u:p".to_owned(), vec![Note::NoType]));
}

#[test]
fn the_proof_finds_what_an_edit_must_not_do() {
    let wanted = [publish("r.io", "u", "p"), hold("h.io")];
    let entry = |key: &str, password: &str| format!(r#""{key}":{{"username":"u","password":"{password}"}}"#);
    let file = |cluster: &str, entries: &[String]| {
        File::read(&format!("ECS_CLUSTER={cluster}\n{}", docker(&format!("{{{}}}", entries.join(",")))))
    };
    let (h, q) = (entry("h.io", "h"), entry("q.io", "q"));
    let before = file("prod", &[entry("r.io", "old"), h.clone(), q.clone()]);
    let owned = Owned::new(&before.map, &wanted);
    let prove = |after: &File, auth_type| {
        let (before, owned, given_up, foreign) = (&before, &owned, &[][..], Foreign::Keep);
        Proof { before, after, owned, auth_type, wanted: &wanted, given_up, foreign }.hold()
    };
    let r = || entry("r.io", "p");
    let right = file("prod", &[r(), h.clone(), q.clone()]);
    assert_eq!(prove(&right, AuthType::Docker), Ok(()));
    let wrong = |what| Err(Refusal::NotReadBack(what));
    assert_eq!(prove(&right, AuthType::Dockercfg), wrong(ReadBack::AuthType(AuthType::Dockercfg)));
    for (after, what) in [
        (file("web", &[r(), h.clone(), q.clone()]), ReadBack::OtherVariables),
        (file("prod", &[entry("r.io", "x"), h.clone(), q.clone()]), ReadBack::Server(server("r.io"))),
        (file("prod", &[h.clone(), q.clone()]), ReadBack::Server(server("r.io"))),
        (file("prod", &[r(), q.clone()]), ReadBack::Server(server("h.io"))),
        (file("prod", &[r(), h.clone()]), ReadBack::Foreign { key: "q.io".into() }),
        (file("prod", &[r(), h.clone(), entry("q.io", "x")]), ReadBack::Foreign { key: "q.io".into() }),
    ] {
        assert_eq!(prove(&after, AuthType::Docker), wrong(what));
    }
}

#[test]
fn one_server_twice_is_refused() {
    let wanted = [publish("docker.io", "u", "p"), hold("index.docker.io")];
    assert!(matches!(refusal("", &wanted), Refusal::Data(auth_data::Refusal::SameKey { .. })));
}

#[test]
fn a_refusal_names_the_server_that_stands_in_the_way() {
    let wanted = [publish("q.io", "u", "p"), publish("r.io", "u:v", "p")];
    let refusal = edit(None, AuthType::Dockercfg, &wanted, Foreign::Keep).unwrap_err();
    assert_eq!(refusal.server(), Some(&server("r.io")));
}

#[test]
fn lines_that_only_look_like_ours_stay_and_are_named() {
    let text = "export ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA = x\n#ECS_ENGINE_AUTH_DATA=y\n";
    let edited = edit_text(text, &[publish("r.io", "u", "p")]);
    assert_eq!(edited.text.expose(), format!("{text}{}", docker(R_U_P)));
    assert_eq!(edited.notes, [Note::Ignored { line: 1 }, Note::Ignored { line: 2 }]);
}

#[test]
fn an_entry_that_the_agent_would_log_is_taken_out_and_named() {
    let text = "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"q.io\":{\"auth\":\"dTpwcQ\"},\"s.io\":{\"auth\":\"dTpw\"},\"r.io\":{\"auth\":\"dTpw\"}}\n";
    let edited =
        |wanted: &[Wanted]| edit(Some(&text.into()), AuthType::Dockercfg, wanted, Foreign::Keep).unwrap();
    // Also where the credential is there already: no host could be proven with the entry.
    for password in ["p", "new"] {
        let edited = edited(&[publish("r.io", "u", password)]);
        let map = AuthMap::read(&edited.auth);
        assert!(map.warnings().iter().all(|warning| warning.logged().is_none()), "{:?}", map.warnings());
        assert_eq!(edited.notes, [Note::DeadEntry { key: "q.io".into() }]);
        assert_eq!(edited.kept, ["s.io"]);
        assert_eq!(pulls(&edited, "s.io/a"), "u:p");
    }
    // A file that regcred has nothing to write into stays as it is.
    assert!(!edited(&[hold("r.io")]).is_changed());
}

#[test]
fn a_line_that_is_too_long_is_laid_to_the_server_that_makes_it_so() {
    let long = "x".repeat(40_000);
    let published = edit(
        None,
        AuthType::Docker,
        &[publish("r.io", "u", &long), publish("q.io", "u", "p")],
        Foreign::Keep,
    );
    let text = published.unwrap().text;
    let wanted =
        [publish("r.io", "u", &long), publish("q.io", "u", &"y".repeat(30_000)), publish("s.io", "u", "p")];
    let refusal = refusal(text.expose(), &wanted);
    assert_eq!(refusal.server(), Some(&server("q.io")));
    let told = refusal.to_string();
    assert!(told.contains("of them for `q.io`"), "{told}");
    // With its old entry the others fit.
    let wanted = [publish("r.io", "u", &long), hold("q.io"), publish("s.io", "u", "new")];
    let edited = edit_text(text.expose(), &wanted);
    assert_eq!((pulls(&edited, "q.io/a"), pulls(&edited, "s.io/a")), ("u:p".into(), "u:new".into()));
}
