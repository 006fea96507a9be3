//! The stores as others pretend them: moto for creation, tags, paging and S3's conditions, ministack for promotion. The same
//! sync against each, read back by its own API; what one of them is known to get wrong is in the table of `lies.rs`.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::lies::{Behaviour, can_judge};
use crate::sdk::Aws;
use crate::third_party::{Running, ThirdParty};
use crate::tools::{AwsEnvironment, Ended, Program};
use crate::world::UNTRIED;

const REGION: &str = "eu-west-1";

/// More than one BatchGetSecretValue takes.
const REGISTRIES: usize = 23;

fn name(n: usize) -> String {
    format!("ecs/registry/r{n:02}")
}

/// With the object, where `who` can tell that its bucket is versioned: no client that is made from S3's model understands
/// what moto says of that, and regcred refuses such a bucket.
fn config(who: ThirdParty) -> String {
    let mut text = "state: { bucket: acme-regcred }\nregistries:\n".to_owned();
    let names: Vec<String> = (0..REGISTRIES).map(|n| format!("r{n:02}")).collect();
    for (n, registry) in names.iter().enumerate() {
        text += &format!(
            "  {registry}:\n    server: {registry}.example.com\n    source: {{ docker_config: {{ path: \
             config.json }} }}\n    secret: {{ name: {}, description: Number {n}, tags: {{ team: platform }} }}\n    {UNTRIED}\n",
            name(n)
        );
    }
    if !can_judge(who, Behaviour::VersioningIsReadable) {
        return text;
    }
    text + &format!(
        "ecs_configs:\n  prod: {{ bucket: acme-ecs, key: prod/ecs.config, registries: [{}] }}\n",
        names.join(", ")
    )
}

fn docker_config(turn: &str) -> String {
    let entry = |n| {
        let pair = serde_json::json!({ "username": "robot", "password": format!("password-{n}-{turn}") });
        (format!("r{n:02}.example.com"), pair)
    };
    serde_json::json!({ "auths": (0..REGISTRIES).map(entry).collect::<serde_json::Map<_, _>>() }).to_string()
}

/// The value that a secret has to hold.
fn value(n: usize, turn: &str) -> String {
    format!(r#"{{"username":"robot","password":"password-{n}-{turn}"}}"#)
}

/// A third party with the two buckets, and a folder to run regcred in.
struct Judge {
    who: ThirdParty,
    running: Running,
    folder: TempDir,
    aws: Aws,
}

impl Judge {
    async fn start(who: ThirdParty, test: &str) -> Option<Self> {
        let running = who.start(test).await?;
        let aws = Aws::new(&environment(&running));
        for bucket in ["acme-ecs", "acme-regcred"] {
            aws.create_bucket(bucket, REGION).await;
        }
        aws.put_object("acme-ecs", "prod/ecs.config", "# by hand\nECS_LOGLEVEL=info\n").await;
        let folder = tempfile::tempdir().expect("a folder for temporary files is there");
        fs::write(folder.path().join("regcred.yaml"), config(who)).expect("our own folder takes a file");
        Some(Self { who, running, folder, aws })
    }

    fn set(&self, turn: &str) {
        let written = fs::write(self.folder.path().join("config.json"), docker_config(turn));
        written.expect("our own folder takes a file");
    }

    async fn sync(&self) -> Value {
        let program = Program::regcred().aws_environment(&environment(&self.running));
        let Ended { code, stdout, stderr } =
            program.folder(self.folder.path()).arguments(["sync", "--output", "json"]).run().await;
        assert_eq!(code, Some(0), "{:?}\n{stdout}\n{stderr}\n{}", self.who, self.running.printed());
        serde_json::from_str(&stdout).expect("the result is JSON")
    }

    /// The object has its own lines and regcred's two.
    async fn assert_object_is_whole(&self) {
        let (object, _) = self.aws.object("acme-ecs", "prod/ecs.config").await;
        assert!(
            object.starts_with("# by hand\nECS_LOGLEVEL=info\nECS_ENGINE_AUTH_TYPE=dockercfg\n"),
            "{object}"
        );
        let head = self.aws.s3.head_object().bucket("acme-ecs").key("prod/ecs.config").send().await.unwrap();
        assert_eq!(head.content_type(), Some("application/octet-stream"), "{:?}", self.who);
    }

    /// The version of each secret, and of the object: what a pass that writes nothing leaves as it is.
    async fn versions(&self) -> BTreeMap<String, String> {
        let mut versions = BTreeMap::new();
        for n in 0..REGISTRIES {
            let (_, version) = self.aws.secret(&name(n)).await.expect("it was published");
            versions.insert(name(n), version);
        }
        for (bucket, key) in [("acme-ecs", "prod/ecs.config"), ("acme-regcred", "regcred/state.json")] {
            let (_, version) = self.aws.object(bucket, key).await;
            versions.insert(key.to_owned(), version.expect("the bucket is versioned"));
        }
        versions
    }
}

fn environment(running: &Running) -> AwsEnvironment<'_> {
    AwsEnvironment {
        endpoint: &running.endpoint,
        region: REGION,
        access_key_id: "123456789012",
        secret_access_key: "test",
    }
}

/// How many of a list's items ended in each way.
fn outcomes(list: &Value) -> BTreeMap<&str, usize> {
    let mut outcomes = BTreeMap::new();
    for item in list.as_array().into_iter().flatten() {
        *outcomes.entry(item["outcome"].as_str().unwrap_or_default()).or_default() += 1;
    }
    outcomes
}

#[tokio::test]
async fn what_is_created_is_read_back_from_each_and_the_second_sync_writes_nothing() {
    for who in ThirdParty::ALL {
        let Some(judge) = Judge::start(who, "what_is_created_is_read_back_from_each").await else { continue };
        judge.set("first");
        let told = judge.sync().await;
        assert_eq!(outcomes(&told["secrets"]), [("created", REGISTRIES)].into(), "{who:?}");
        for n in 0..REGISTRIES {
            assert_eq!(judge.aws.secret(&name(n)).await.unwrap().0, value(n, "first"), "{who:?}");
        }
        let described = judge.aws.secrets.describe_secret().secret_id(name(7)).send().await.unwrap();
        assert_eq!(described.description(), Some("Number 7"), "{who:?}");
        let tags: BTreeMap<_, _> = described.tags().iter().map(|tag| (tag.key(), tag.value())).collect();
        assert_eq!(tags, [(Some("regcred:registry"), Some("r07")), (Some("team"), Some("platform"))].into());
        if can_judge(who, Behaviour::CreateHonoursToken) {
            let (_, version) = judge.aws.secret(&name(7)).await.unwrap();
            assert!(version.len() >= 32, "{who:?}: the version's id is the request's token: {version}");
        }

        if told["objects"].as_array().is_some_and(|objects| !objects.is_empty()) {
            assert_eq!(outcomes(&told["objects"]), [("replaced", 1)].into(), "{who:?}");
            judge.assert_object_is_whole().await;
        }
        // The endpoint was probed for conditional writes, and the probe is gone; that it honours them is remembered.
        let kept = judge.aws.keys("acme-regcred").await;
        assert_eq!(kept, ["regcred/lease.json", "regcred/state.json"], "{who:?}");
        let probes = judge.aws.keys("acme-ecs").await;
        assert_eq!(probes, ["prod/ecs.config"], "{who:?}");
        let (state, _) = judge.aws.object("acme-regcred", "regcred/state.json").await;
        assert!(state.contains(&judge.running.endpoint), "{who:?}: {state}");

        let before = judge.versions().await;
        let told = judge.sync().await;
        assert_eq!(outcomes(&told["secrets"]), [("unchanged", REGISTRIES)].into(), "{who:?}");
        assert!(outcomes(&told["objects"]).keys().all(|outcome| *outcome == "unchanged"), "{who:?}");
        assert_eq!(judge.versions().await, before, "{who:?}");
    }
}

#[tokio::test]
async fn a_changed_value_is_promoted_and_the_one_before_it_is_the_previous_one() {
    for who in ThirdParty::ALL {
        let Some(judge) = Judge::start(who, "a_changed_value_is_promoted").await else { continue };
        if !can_judge(who, Behaviour::ReadFollowsPromotion)
            || !can_judge(who, Behaviour::BatchReadFollowsPromotion)
        {
            continue;
        }
        judge.set("first");
        judge.sync().await;
        let before = judge.versions().await;
        judge.set("second");
        let told = judge.sync().await;
        assert_eq!(outcomes(&told["secrets"]), [("replaced", REGISTRIES)].into(), "{who:?}");
        assert_eq!(outcomes(&told["objects"]), [("replaced", 1)].into(), "{who:?}");
        for n in 0..REGISTRIES {
            let (now, version) = judge.aws.secret(&name(n)).await.unwrap();
            assert_eq!(now, value(n, "second"), "{who:?}");
            assert_ne!(version, before[&name(n)], "{who:?}");
            let stages = judge.aws.secrets.describe_secret().secret_id(name(n)).send().await.unwrap();
            let stages = stages.version_ids_to_stages.unwrap();
            let holds = |version: &str, stage: &str| stages[version].iter().any(|held| held == stage);
            assert!(holds(&version, "AWSCURRENT"), "{who:?}: {stages:?}");
            if can_judge(who, Behaviour::PreviousFollowsCurrent) {
                assert!(holds(&before[&name(n)], "AWSPREVIOUS"), "{who:?}: {stages:?}");
            }
        }
        let after = judge.versions().await;
        assert_ne!(after["prod/ecs.config"], before["prod/ecs.config"], "{who:?}");
        assert_eq!(after["regcred/state.json"], before["regcred/state.json"], "{who:?}");
        let told = judge.sync().await;
        assert_eq!(outcomes(&told["secrets"]), [("unchanged", REGISTRIES)].into(), "{who:?}");
        assert_eq!(outcomes(&told["objects"]), [("unchanged", 1)].into(), "{who:?}");
        assert_eq!(judge.versions().await, after, "{who:?}");
    }
}
