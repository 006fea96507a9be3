use super::*;

fn told(file: &str, image: &str) -> Explanation {
    explain(&Document::read(file.as_bytes()), image)
}

fn pair(key: &str, username: &str) -> Candidate {
    Candidate { key: Some(key.to_owned()), username: Some(username.to_owned()) }
}

const NOBODY: Candidate = Candidate { key: None, username: None };

/// `ECS_ENGINE_AUTH_DATA` of type `docker` in which each key's username is the key itself.
fn file(keys: &[&str]) -> String {
    let entries: Vec<_> =
        keys.iter().map(|key| format!(r#""{key}":{{"username":"{key}","password":"hunter2"}}"#)).collect();
    format!("ECS_CLUSTER=prod\nECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={{{}}}\n", entries.join(","))
}

fn says(told: &Explanation, part: &str) -> bool {
    told.reasons.iter().any(|reason| reason.to_string().contains(part))
}

#[test]
fn a_credential_is_told_with_its_key_and_the_rule() {
    let hub = "https://index.docker.io/v1/";
    for (keys, image, key, rule) in [
        (&["r.io"][..], "r.io/a:1", "r.io", "is the image's host"),
        (&["r.io", "r.io/a"], "r.io/ab/c", "r.io/a", "is the longest that"),
        (&["r.io/v1/"], "r.io/a", "r.io/v1/", "if it meets that first"),
        (&[hub], "busybox", hub, "one key that the agent has for Docker Hub"),
        (&["http://r.io:5000"], "r.io:5000/a@sha256:00", "http://r.io:5000", "is the image's host"),
    ] {
        let told = told(&file(keys), image);
        assert_eq!(
            (told.answer, &told.candidates[..]),
            (Answer::Credential, &[pair(key, key)][..]),
            "{image}"
        );
        assert!(says(&told, rule), "{:?}", told.reasons);
    }
}

#[test]
fn an_anonymous_pull_is_told_with_what_stands_in_its_way() {
    for (text, image, why) in [
        (file(&["docker.io"]), "busybox", "`https://index.docker.io/v1/` only"),
        (file(&["R.io"]), "r.io/a", "other capital letters"),
        (file(&["r.io:443"]), "r.io/a", "another port"),
        (file(&["r.io"]), "q.io/a", "no entry that the agent can use is for `q.io`"),
        (file(&["myreg"]), "myreg/a", "for a user of Docker Hub"),
        (file(&["r.io"]), "https://r.io/a", "an image has no `https://`"),
        (file(&[]), "r.io/a", "no entry at all"),
        (file(&["r.io"]).replace("=docker\n", "=Docker\n"), "r.io/a", "knows only the types"),
        (
            file(&["r.io"]).replace("ECS_ENGINE_AUTH_TYPE=docker\n", ""),
            "r.io/a",
            "sets no ECS_ENGINE_AUTH_TYPE",
        ),
        ("ECS_CLUSTER=prod\n".to_owned(), "r.io/a", "sets neither"),
        (
            file(&["r.io"]).replace("ECS_ENGINE_AUTH_DATA=", "export ECS_ENGINE_AUTH_DATA="),
            "r.io/a",
            "export",
        ),
        (file(&["r.io"]).replace("{\"r", "'{\"r").replace("}}\n", "}}'\n"), "r.io/a", "in quotes"),
        (
            "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"r.io\":{\"auth\":\"eHk\"}}\n".to_owned(),
            "r.io/a",
            "not standard base64",
        ),
        (
            "ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={\"r.io\":{\"auth\":\"dTpw\"}}\n".to_owned(),
            "r.io/a",
            "no username and no password",
        ),
    ] {
        let told = told(&text, image);
        assert_eq!((told.answer, &told.candidates[..]), (Answer::Anonymous, &[NOBODY][..]), "{text}");
        assert!(says(&told, why), "{text}: {:#?}", told.reasons);
    }
}

#[test]
fn a_random_answer_is_told_with_all_that_it_could_be() {
    let told_of = told(&file(&["r.io/a", "r.io/bbbbbbb"]), "r.io/a/b");
    assert_eq!(told_of.answer, Answer::Random);
    assert_eq!(told_of.candidates, [pair("r.io/a", "r.io/a"), pair("r.io/bbbbbbb", "r.io/bbbbbbb")]);
    assert!(says(&told_of, "random order"));
    let or_nobody = "ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={\"r.io\":{},\"https://r.io\":{\"username\":\"u\",\"password\":\"p\"}}\n";
    let told = told(or_nobody, "r.io/a");
    assert_eq!((told.answer, told.candidates), (Answer::Random, vec![NOBODY, pair("https://r.io", "u")]));
}

#[test]
fn an_image_that_uses_no_ecs_config_is_told() {
    for (image, why) in [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/a:1", "ECS gives images of ECR"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a", "ECS gives images of ECR"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/a", "ECS gives images of ECR"),
        ("123456789012.dkr-ecr.eu-west-1.on.aws/a", "ECS gives images of ECR"),
        ("public.ecr.aws/docker/library/busybox", "public.ecr.aws is public"),
        ("r.io/a", "`repositoryCredentials`"),
    ] {
        assert!(says(&told(&file(&["r.io"]), image), why), "{image}");
    }
    for image in ["12345678901.dkr.ecr.eu-west-1.amazonaws.com/a", "dkr.ecr.example.com/a"] {
        assert!(!says(&told(&file(&["r.io"]), image), "ECS gives images"), "{image}");
    }
}

#[test]
fn dockers_own_file_and_a_bare_value_are_explained_too() {
    let config = r#"{"auths":{"r.io":{"auth":"dTpw"}},"credHelpers":{"q.io":"pass"}}"#;
    let of_config = told(config, "r.io/a");
    assert_eq!((of_config.answer, &of_config.candidates[..]), (Answer::Credential, &[pair("r.io", "u")][..]));
    assert!(says(&of_config, "no agent reads Docker's config.json"));
    assert!(says(&told(config, "q.io/a"), "credential-helper"));
    let value = told(r#"{"r.io":{"username":"u","password":"p"}}"#, "r.io/a");
    assert_eq!(value.candidates, [pair("r.io", "u")]);
    assert!(says(&value, "taken for type `docker`"));
}

#[test]
fn the_json_of_an_image_has_four_members_and_no_password() {
    let told = told(&file(&["https://bob:sesame@r.io", "r.io"]), "r.io/a");
    let json = serde_json::to_value(&told).unwrap();
    let members: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["answer", "candidates", "image", "reasons"]);
    assert_eq!(json["answer"], "credential");
    assert_eq!(json["candidates"], serde_json::json!([{ "key": "r.io", "username": "r.io" }]));
    let nobody = serde_json::to_value(NOBODY).unwrap();
    assert_eq!(nobody, serde_json::json!({ "key": null, "username": null }));
    let shown = format!("{json} {told:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("sesame"), "{shown}");
}
