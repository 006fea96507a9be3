//! The real `aws` command reads what regcred wrote, from the sandbox: botocore checks each answer against AWS's own models on
//! the way.

use regcred_sandbox::hosts::{HostSpec, Life};
use serde_json::{Value, json};

use crate::world::{self, GOOD, HARBOR_PASSWORD, World, host, sha256, with_hosts};

/// The command's standard output; `None` where there is no `aws` to run.
async fn aws(world: &World, test: &str, arguments: &[&str]) -> Option<String> {
    let ended = world.aws(test, arguments)?.run().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "aws {arguments:?}\n{}", ended.stdout);
    Some(ended.stdout)
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("the command was asked for JSON")
}

#[tokio::test]
async fn the_real_aws_command_reads_what_regcred_wrote() {
    let test = "the_real_aws_command_reads_what_regcred_wrote";
    let late = "i-00000000000000009";
    let hosts = vec![host(GOOD[0], "web", Life::Shell), host(GOOD[4], "batch", Life::Memory)];
    let world = World::start(test, with_hosts(hosts), &world::patient());
    let told = world.json(&["sync"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    let revision = told.json["objects"][0]["revision"].as_str().unwrap();
    world.client().add_host(&HostSpec { ..host(late, "web", Life::Memory) }).unwrap();

    // The secret, byte for byte, with its stages and tags.
    let arguments = ["secretsmanager", "get-secret-value", "--secret-id", "ecs/registry/harbor"];
    let Some(secret) = aws(&world, test, &arguments).await else { return };
    let secret = json_of(&secret);
    assert_eq!(secret["SecretString"], format!(r#"{{"username":"robot","password":"{HARBOR_PASSWORD}"}}"#));
    assert_eq!(secret["VersionStages"], json!(["AWSCURRENT"]));
    let arguments = ["secretsmanager", "describe-secret", "--secret-id", "ecs/registry/harbor"];
    let described = json_of(&aws(&world, test, &arguments).await.unwrap());
    assert_eq!(described["Tags"], json!([{ "Key": "regcred:registry", "Value": "harbor" }]));
    assert_eq!(described["Description"], "The registry whose password the demo changes");

    // The object, as a host's script and as a person fetches it.
    let object = world.object().await;
    let arguments = ["s3", "cp", "s3://acme-ecs/prod/ecs.config", "-"];
    assert_eq!(aws(&world, test, &arguments).await.unwrap(), object);
    let file = world.path("fetched").to_string_lossy().into_owned();
    let arguments = ["s3api", "get-object", "--bucket", "acme-ecs", "--key", "prod/ecs.config", &file];
    let answer = json_of(&aws(&world, test, &arguments).await.unwrap());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), object);
    assert_eq!(answer["ContentType"], "application/octet-stream");
    assert_eq!(answer["VersionId"], told.json["objects"][0]["object_version"]);
    let listed = aws(&world, test, &["s3", "ls", "s3://acme-ecs/prod/"]).await.unwrap();
    assert!(listed.trim_end().ends_with(" ecs.config"), "{listed}");

    // The clusters: by the filter that regcred uses, only the one that has not been proven yet.
    let filter = format!("attribute:regcred.revision not_exists or attribute:regcred.revision != {revision}");
    let arguments = ["ecs", "list-container-instances", "--cluster", "web", "--filter", &filter];
    let different = json_of(&aws(&world, test, &arguments).await.unwrap());
    let late_arn = world.host(late).container_instance_arn;
    assert_eq!(different["containerInstanceArns"], json!([late_arn]));
    let arn = world.host(GOOD[0]).container_instance_arn;
    let arguments =
        ["ecs", "describe-container-instances", "--cluster", "web", "--container-instances", &arn];
    let described = json_of(&aws(&world, test, &arguments).await.unwrap());
    let instance = &described["containerInstances"][0];
    assert_eq!(instance["ec2InstanceId"], GOOD[0]);
    let attribute = world::find(&instance["attributes"], "name", "regcred.revision");
    assert_eq!(attribute["value"], revision);

    // The commands: what they were given, and what the scripts said.
    let commands = json_of(&aws(&world, test, &["ssm", "list-commands"]).await.unwrap());
    let commands = commands["Commands"].as_array().unwrap();
    assert_eq!(commands.len(), 2);
    for command in commands {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (text(&command["Status"]), text(&command["DocumentName"])),
            ("Success".into(), "regcred-refresh".into())
        );
        assert_eq!(command["Parameters"]["Bucket"], json!(["acme-ecs"]));
        let id = text(&command["CommandId"]);
        let arguments = ["ssm", "list-command-invocations", "--command-id", &id, "--details"];
        let invocations = json_of(&aws(&world, test, &arguments).await.unwrap());
        for invocation in invocations["CommandInvocations"].as_array().unwrap() {
            let output = text(&invocation["CommandPlugins"][0]["Output"]);
            let report = json_of(&output);
            assert_eq!(report["outcome"], "loaded", "{output}");
            assert!(output.len() < 2000, "SSM keeps no more: {output}");
        }
    }
    let identity = json_of(&aws(&world, test, &["sts", "get-caller-identity"]).await.unwrap());
    assert_eq!(identity["Account"], world::ACCOUNT);
    assert_eq!(world.pulls_with(GOOD[0], world::HARBOR_IMAGE), Some(sha256(HARBOR_PASSWORD)));
}
