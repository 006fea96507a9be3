use super::*;
use crate::secret::Secret;

fn rules(text: &str) -> Vec<&'static str> {
    lint(&Document::read(text.as_bytes())).into_iter().map(|finding| finding.rule.id()).collect()
}

fn mended(text: &str) -> Mended {
    mend(&Document::read(text.as_bytes()))
}

const GOOD: &str =
    "ECS_CLUSTER=prod\nECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"r.io\":{\"auth\":\"dTpw\"}}\n";

#[test]
fn a_good_file_has_no_finding() {
    for text in [
        "",
        GOOD,
        "ECS_CLUSTER=prod\n\n# a comment\nECS_LOGLEVEL=info\n",
        "ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={}\n",
        r#"{"r.io":{"auth":"dTpw"}}"#,
        "{\"r.io\":{\"username\":\"u\",\"password\":\"p\"}}\n",
    ] {
        assert_eq!(rules(text), Vec::<&str>::new(), "{text}");
        assert!(!mended(text).is_changed);
    }
}

#[test]
fn a_finding_tells_its_place() {
    let text = "ECS_CLUSTER=prod\nECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"r.io\":{\"auth\":\"dTpw\"},\"é\":{\"auth\":\"x\"}}\n";
    let places: Vec<_> = lint(&Document::read(text.as_bytes()))
        .into_iter()
        .map(|finding| (finding.rule.id(), finding.line, finding.column))
        .collect();
    assert_eq!(
        places,
        [
            ("no-registry-host", Some(3), Some(46)),
            ("base64-invalid", Some(3), Some(46)),
            ("non-ascii", Some(3), Some(47)),
        ]
    );
    let json = "{\n  \"auths\": {\n    \"r.io\": {\"auth\": \"x\"}\n  }\n}\n";
    let places: Vec<_> = lint(&Document::read(json.as_bytes()))
        .into_iter()
        .map(|finding| (finding.rule.id(), finding.line, finding.column))
        .collect();
    assert_eq!(places, [("auths-wrapper", Some(2), Some(3)), ("base64-invalid", Some(3), Some(5))]);
}

/// Each file, what is found in it, and what it becomes; none: nothing can be mended.
#[test]
#[expect(clippy::too_many_lines, reason = "it is one table")]
fn each_flaw_is_found_and_mended_where_that_takes_no_guess() {
    let auth = |data: &str| format!("ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={data}\n");
    let plain = auth(r#"{"r.io":{"auth":"dTpw"}}"#);
    let docker = |data: &str| format!("ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={data}\n");
    let docker_plain = docker(r#"{"r.io":{"username":"u","password":"p"}}"#);
    let mut wrong = Vec::new();
    for (text, found, becomes) in [
        (format!("\u{feff}{plain}"), &["byte-order-mark"][..], Some(plain.clone())),
        (plain.replace('\n', "\r"), &["carriage-return", "crlf", "no-final-newline"], Some(plain.clone())),
        (plain.replace('\n', "\r\n"), &["crlf"], Some(plain.clone())),
        (plain.replace("ECS_ENGINE_AUTH_D", "export ECS_ENGINE_AUTH_D"), &["export"], Some(plain.clone())),
        (plain.replace("DATA=", "DATA = "), &["space-before-equals"], Some(plain.replace("DATA=", "DATA= "))),
        (plain.replace("AUTH_TYPE", "AUTHTYPE"), &["misspelt-name"], Some(plain.clone())),
        (
            plain.replace("ECS_ENGINE_AUTH_TYPE", "ecs_engine_auth_type"),
            &["misspelt-name"],
            Some(plain.clone()),
        ),
        (auth(r#"'{"r.io":{"auth":"dTpw"}}'"#), &["quoted-value"], Some(plain.clone())),
        (auth(r#""{\"r.io\":{\"auth\":\"dTpw\"}}""#), &["quoted-value"], Some(plain.clone())),
        (plain.replace("dockercfg", "\"dockercfg\""), &["quoted-value"], Some(plain.clone())),
        (plain.replace("dockercfg", "Dockercfg"), &["unknown-type"], Some(plain.clone())),
        (plain.replace("dockercfg", "dockercfg # hub"), &["inline-comment"], Some(plain.clone())),
        (auth("{\"r.io\":{\"auth\":\"dTpw\"}} # hub"), &["inline-comment"], Some(plain.clone())),
        (auth("{\"r.io\":{\n  \"auth\":\"dTpw\"}\n}"), &["multi-line-data"], Some(plain.clone())),
        (format!("ECS_ENGINE_AUTH_TYPE=docker\n{plain}"), &["repeated-variable"], Some(plain.clone())),
        (
            format!("ECS_CLUSTER=a\nECS_CLUSTER=b\n{plain}ECS_ENGINE_AUTH_DATA={{}}\n"),
            &["repeated-variable"; 2],
            Some(format!("ECS_CLUSTER=b\n{plain}ECS_ENGINE_AUTH_DATA={{}}\n")),
        ),
        (format!("{plain}ECS_ENGINE_AUTH_DATA=\n"), &["data-missing", "repeated-variable"], None),
        (
            format!("{plain}ECS_ENGINE_AUTH_DATA={{\"r.io\":{{\"auth\":\"b!\"}}}}\n"),
            &["repeated-variable", "base64-invalid"],
            None,
        ),
        (format!("{plain}ECS_ENGINE_AUTH_DATA={{\"r.io\":\n"), &["repeated-variable", "not-json"], None),
        (format!("ECS_ENGINE_AUTH_DATA={{\"r.io\":\n{}", auth("{}")), &["repeated-variable"], None),
        (format!("{plain}ECS_ENGINE_AUTH_TYPE=basic\n"), &["repeated-variable", "unknown-type"], None),
        ("ECS_CLUSTER=prod\nECS_CLUSTER=\n".to_owned(), &["no-cluster", "repeated-variable"], None),
        (plain.trim_end().to_owned(), &["no-final-newline"], Some(plain.clone())),
        (
            plain.replace("ECS_ENGINE_AUTH_TYPE=dockercfg\n", ""),
            &["type-missing"],
            Some(
                "ECS_ENGINE_AUTH_DATA={\"r.io\":{\"auth\":\"dTpw\"}}\nECS_ENGINE_AUTH_TYPE=dockercfg\n"
                    .to_owned(),
            ),
        ),
        (plain.replace("dockercfg", "docker"), &["wrong-type"], Some(plain.clone())),
        (docker_plain.replace("=docker\n", "=dockercfg\n"), &["wrong-type"], Some(docker_plain.clone())),
        (auth(r#"{"auths":{"r.io":{"auth":"dTpw"}}}"#), &["auths-wrapper"], Some(plain.clone())),
        (auth(r#"{"r.io":{"auth":"dTpw"},"credsStore":"x"}"#), &["credential-helper"], Some(plain.clone())),
        (
            auth(r#"{"r.io":{"auth":"dTpw"},"HttpHeaders":{}}"#),
            &["docker-config-member"],
            Some(plain.clone()),
        ),
        (
            auth(r#"{"r.io":{"auth":"eHg="},"r.io":{"auth":"dTpw"}}"#),
            &["repeated-entry"],
            Some(plain.clone()),
        ),
        (
            auth(r#"{"r.io":{"auth":"dTpw"},"r.io":{"auth":"b!"}}"#),
            &["repeated-entry", "base64-invalid"],
            None,
        ),
        (auth(r#"{"r.io":{"auth":"dTpw"},"r.io":{}}"#), &["repeated-entry", "no-auth"], None),
        (
            auth(r#"{"https://index.docker.io/v1/":{"auth":"b!"},"docker.io":{"auth":"dTpw"}}"#),
            &["base64-invalid", "dead-hub-key"],
            None,
        ),
        (
            auth(r#"{"https://index.docker.io/v1/":{"auth":"dTo="},"docker.io":{"auth":"dTpw"}}"#),
            &["half-a-login", "dead-hub-key"],
            None,
        ),
        (
            docker(r#"{"https://index.docker.io/v1/":{},"docker.io":{"username":"u","password":"p"}}"#),
            &["no-login", "dead-hub-key"],
            None,
        ),
        (
            auth(r#"{"https://index.docker.io/v1/":{"auth":"dTpw"},"docker.io":{"auth":"dTpx"}}"#),
            &["dead-hub-key"],
            Some(auth(r#"{"https://index.docker.io/v1/":{"auth":"dTpw"}}"#)),
        ),
        (
            auth(r#"{"r.io":{"auth":"dTpx"},"r.io/":{"auth":"dTo="}}"#),
            &["shadowed-host-key", "half-a-login"],
            None,
        ),
        (
            auth(r#"{"r.io":{"auth":"b!"},"auths":{"r.io":{"auth":"dTpw"}}}"#),
            &["base64-invalid", "auths-wrapper"],
            None,
        ),
        (
            auth(r#"{"docker.io":{"auth":"dTpw"}}"#),
            &["dead-hub-key"],
            Some(auth(r#"{"https://index.docker.io/v1/":{"auth":"dTpw"}}"#)),
        ),
        (
            auth(r#"{"docker.io":{"auth":"dTpw"},"index.docker.io":{"auth":"dTpx"}}"#),
            &["dead-hub-key", "dead-hub-key"],
            None,
        ),
        (
            auth(r#"{"r.io":{"auth":"dTpw"},"https://r.io":{"auth":"dTpw"}}"#),
            &["same-key"],
            Some(plain.clone()),
        ),
        (auth(r#"{"r.io":{"auth":"dTpw"},"https://r.io":{"auth":"dTpx"}}"#), &["same-key"], None),
        (
            auth(r#"{"r.io/a":{"auth":"dTpw"}}"#),
            &["path-without-host"],
            Some(auth(r#"{"r.io/a":{"auth":"dTpw"},"r.io":{"auth":"dTpw"}}"#)),
        ),
        (auth(r#"{"r.io/a":{"auth":"dTpw"},"r.io/b":{"auth":"dTpx"}}"#), &["path-without-host"], None),
        (
            auth(r#"{"r.io":{"auth":"dTpx"},"r.io/":{"auth":"dTpw"}}"#),
            &["shadowed-host-key"],
            Some(plain.clone()),
        ),
        (auth(r#"{"myreg":{"auth":"dTpw"}}"#), &["no-registry-host"], None),
        (auth(r#"{"R.io":{"auth":"dTpw"}}"#), &["upper-case-host"], None),
        (auth(r#"{"123456789012.dkr.ecr.eu-west-1.amazonaws.com":{"auth":"dTpw"}}"#), &["ecr-key"], None),
        (docker(r#"{"r.io":{}}"#), &["no-login"], None),
        (auth(r#"{"r.io":{}}"#), &["no-auth"], None),
        (
            auth(r#"{"r.io":{"username":"u","password":"p"},"q.io":{"auth":"dTpw"}}"#),
            &["no-auth"],
            Some(auth(r#"{"r.io":{"auth":"dTpw"},"q.io":{"auth":"dTpw"}}"#)),
        ),
        (auth(r#"{"r.io":{"auth":"eHl6"}}"#), &["no-colon"], None),
        (
            auth(r#"{"r.io":{"auth":"dTo_Pz8-"}}"#),
            &["base64-url-safe"],
            Some(auth(r#"{"r.io":{"auth":"dTo/Pz8+"}}"#)),
        ),
        (
            auth(r#"{"r.io":{"auth":"dTpwcQ"}}"#),
            &["base64-unpadded"],
            Some(auth(r#"{"r.io":{"auth":"dTpwcQ=="}}"#)),
        ),
        (auth(r#"{"r.io":{"auth":"junk!"}}"#), &["base64-invalid"], None),
        (auth(r#"{"r.io":{"auth":"dTpwCg=="}}"#), &["line-break"], Some(plain.clone())),
        (auth(r#"{"r.io":{"auth":"dTpwAAA="}}"#), &["nul-in-login"], Some(plain.clone())),
        (auth(r#"{"r.io":{"auth":"dTr/"}}"#), &["login-not-utf8"], None),
        (auth(r#"{"r.io":{"auth":"dTo="}}"#), &["half-a-login"], None),
        (auth(r#"{"r.io":{"auth":"MDAwMDo=","identitytoken":"t"}}"#), &["identity-token"], None),
        (auth(r#"{"r.io":{"username":"a:b","auth":"YTpiOnA="}}"#), &["colon-in-username"], None),
        (
            docker(r#"{"r.io":{"username":"u","password":"p","serveraddress":"https://r.io"}}"#),
            &["server-address"],
            Some(docker_plain.clone()),
        ),
        (
            docker("{\"r.io\":{\"username\":\"\u{e9}\",\"password\":\"p\"}}"),
            &["non-ascii"],
            Some(docker(r#"{"r.io":{"username":"\u00e9","password":"p"}}"#)),
        ),
        (auth(r#"{"r.io":"dTpw"}"#), &["entry-not-an-object"], None),
        (auth(r#"{"r.io":{"auth":1}}"#), &["field-not-a-string"], None),
        (auth("[]"), &["not-an-object"], None),
        (auth(r#"{"r.io":{"auth":"dTpw"}},"#), &["not-json"], None),
        ("ECS_ENGINE_AUTH_TYPE=docker\n".to_owned(), &["data-missing"], None),
        ("ECS_CLUSTER=prod\nno variable\n".to_owned(), &["no-equals"], None),
        ("ECS_CLUSTER=prod\nA B=1\n".to_owned(), &["odd-name"], None),
        ("ECS_CLUSTER=prod\n=1\n".to_owned(), &["no-name"], None),
        ("ECS_CLUSTER=prod\nA=\0\n".to_owned(), &["nul-byte"], None),
        ("ECS_LOGLEVEL=info\n".to_owned(), &["no-cluster"], None),
        ("ECS_CLUSTER=prod\nECS_RESERVED_MEMORY=32\\\n".to_owned(), &["continuation"], None),
        (format!("ECS_CLUSTER=prod\nA={}\n", "x".repeat(131_070)), &["line-too-long"], None),
        (format!("ECS_CLUSTER=prod\nA={}\n", "x".repeat(65_534)), &["line-too-long-for-docker"], None),
    ] {
        let rules = rules(&text);
        let mended = mended(&text);
        let text = text.chars().take(200).collect::<String>();
        let (is, should) = (mended.is_changed.then_some(mended.text), becomes.map(Secret::from));
        let shown = |text: Option<Secret>| text.map(|text| text.expose().to_owned());
        if rules != found {
            wrong.push(format!("{text:?}: found {rules:?}, not {found:?}"));
        }
        if is != should {
            wrong.push(format!("{text:?}: becomes {:?}, not {:?}", shown(is), shown(should)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bytes_that_are_no_text_are_found_and_stay() {
    let document = Document::read(b"ECS_CLUSTER=prod\nA=\xff\n");
    let found: Vec<_> = lint(&document).iter().map(|finding| (finding.rule.id(), finding.line)).collect();
    assert_eq!(found, [("not-utf8", Some(2))]);
    // Nor is anything else mended, since it could be written only with U+FFFD in their place.
    let document = Document::read(b"ECS_CLUSTER=prod\r\nA=\xff\r\n");
    let mended = mend(&document);
    assert!(!mended.is_changed && mended.mended.is_empty());
    assert_eq!(mended.left, lint(&document));
}

/// At the square of its lines this would take minutes.
#[test]
fn data_of_many_lines_is_read_once() {
    let lines = ",{}\n".repeat(30_000);
    let text = format!("ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={{\"a\":[{{}}\n{lines}");
    assert!(rules(&text).contains(&"multi-line-data") || rules(&text).contains(&"not-json"));
    let whole = format!("{text}]}}\n");
    assert!(rules(&whole).contains(&"multi-line-data"));
    let comments =
        format!("ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={{{}\n", " #".repeat(60_000));
    assert!(rules(&comments).contains(&"not-json"));
}

#[test]
fn a_mend_that_would_leave_an_image_to_chance_is_not_made() {
    // With `q` mended, `r.io/x` would come from either of two keys that have different credentials.
    let text = "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"r.io/a\":{\"auth\":\"dTpw\"},\"r.io/b\":{\"auth\":\"djpwcQ\"}}\n";
    let mended = mended(text);
    let left: Vec<_> = mended.left.iter().map(|finding| finding.rule.id()).collect();
    assert!(left.is_empty() || left.contains(&"base64-unpadded"), "{left:?}");
    let map = crate::agent::AuthMap::read(
        &crate::agent::Environment::parse(mended.text.expose().as_bytes()).auth(),
    );
    for image in ["r.io/x", "r.io/a/x"] {
        assert!(map.lookup(image).certain().is_some(), "{image}");
    }
}

#[test]
fn a_cluster_that_a_mend_brings_to_light_is_told() {
    let text = format!("\u{feff}{GOOD}");
    assert_eq!(rules(&text), ["byte-order-mark"]);
    let mended = mended(&text);
    assert!(mended.moves_cluster);
    assert_eq!(mended.text, Secret::from(GOOD));
}

#[test]
fn dockers_config_becomes_a_value_for_the_agent() {
    let mended = mended(
        "{\n\t\"auths\": {\n\t\t\"r.io\": {\"auth\": \"dTpw\"}\n\t},\n\t\"credsStore\": \"desktop\"\n}\n",
    );
    assert_eq!(mended.text, Secret::from(r#"{"r.io":{"auth":"dTpw"}}"#));
    let left: Vec<_> = mended.left.iter().map(|finding| finding.rule.id()).collect();
    assert_eq!(left, ["credential-helper"]);
}

#[test]
fn nothing_that_is_said_tells_a_secret() {
    for text in [
        "ECS_ENGINE_AUTH_TYPE=docker\rECS_ENGINE_AUTH_DATA={\"r.io\":{\"username\":\"u\",\"password\":\"hunter2\"}}\r",
        "hunter2 hunter2=hunter2\nexport hunter2=1\nhunter2\n",
        "ECS_ENGINE_AUTH_DATA='{\"https://u:hunter2@r.io\":{\"password\":\"hunter2\"}}\n",
        "{\"https://u:hunter2@r.io\":{\"password\":\"hunter2\"}}",
    ] {
        let document = Document::read(text.as_bytes());
        let said = format!("{:?} {:?}", lint(&document), mend(&document));
        assert!(said.len() > 100 && !said.contains("hunter2"), "{said}");
    }
}
