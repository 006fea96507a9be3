//! What a person sees: three lines for each thing that went wrong, with what to allow, on what; and what a machine sees.

use std::io::Read as _;
use std::process::{Command, Stdio};

use regcred_sandbox::hosts::{HostSpec, Life};
use regcred_sandbox::{Effect, Service};
use serde_json::{Value, json};

use crate::tools::{self, Ended, Program};
use crate::world::{self, GOOD, World, bare, fault, host, with_hosts};

fn pair() -> Vec<HostSpec> {
    vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory)]
}

/// The errors that a text tells, each as its three lines.
///
/// # Panics
/// If one of them has more or fewer lines, or an empty one.
pub(crate) fn errors(text: &str) -> Vec<[String; 3]> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = lines.iter().enumerate().filter(|(_, line)| line.starts_with("error: "));
    let errors = starts.map(|(n, what)| {
        let part = |offset: usize, name: &str| {
            let line = lines.get(n + offset).copied().unwrap_or_default();
            let said = line
                .strip_prefix(name)
                .unwrap_or_else(|| panic!("`{line}` is no {name} of `{what}`:\n{text}"));
            assert!(!said.trim().is_empty(), "{what}: {name} says nothing");
            said.to_owned()
        };
        let all = [part(0, "error: "), part(1, "  because: "), part(2, "  to do:   ")];
        let fourth = lines.get(n + 3).copied().unwrap_or_default();
        assert!(!fourth.starts_with("  because: ") && !fourth.starts_with("  to do: "), "{what}:\n{text}");
        all
    });
    errors.collect()
}

#[tokio::test]
async fn each_denied_call_is_told_in_three_lines_with_the_action_to_allow_and_the_resource() {
    use Service::{Ecs, S3, SecretsManager, Ssm};
    // The operation, the action that IAM knows it by, what the policy has to name, and the exit code.
    let denied = [
        (SecretsManager, "BatchGetSecretValue", "secretsmanager:BatchGetSecretValue", "", 4),
        (SecretsManager, "DescribeSecret", "secretsmanager:DescribeSecret", "secret:ecs/registry/", 4),
        (SecretsManager, "CreateSecret", "secretsmanager:CreateSecret", "secret:ecs/registry/", 4),
        (S3, "GetObject", "s3:GetObject", "arn:aws:s3:::acme-regcred/regcred/", 4),
        (S3, "PutObject", "s3:PutObject", "arn:aws:s3:::acme-", 4),
        (S3, "GetBucketVersioning", "s3:GetBucketVersioning", "arn:aws:s3:::acme-ecs", 4),
        (Ecs, "ListContainerInstances", "ecs:ListContainerInstances", "cluster/", 4),
        (Ecs, "DescribeContainerInstances", "ecs:DescribeContainerInstances", "container-instance/", 4),
        (Ecs, "DescribeClusters", "ecs:DescribeClusters", "cluster/", 4),
        (Ecs, "PutAttributes", "ecs:PutAttributes", "container-instance/", 4),
        (Ssm, "DescribeInstanceInformation", "ssm:DescribeInstanceInformation", "*", 4),
        (Ssm, "GetDocument", "ssm:GetDocument", "document/regcred-refresh", 5),
        (Ssm, "SendCommand", "ssm:SendCommand", "document/regcred-refresh", 5),
        (Ssm, "ListCommandInvocations", "ssm:ListCommandInvocations", "*", 5),
    ];
    for (service, operation, action, resource, code) in denied {
        let world = World::start("each_denied_call_is_told", with_hosts(pair()), &world::swift());
        world.client().set_faults(&[fault(service, operation, Effect::Deny)]).unwrap();
        let Ended { code: ended, stdout, stderr } = world.run(&["sync"]).await;
        assert_eq!(ended, Some(code), "{operation}:\n{stdout}\n{stderr}");
        let errors = errors(&format!("{stdout}\n{stderr}"));
        let named = |[what, why, to_do]: &[String; 3]| {
            what.starts_with("cannot ")
                && why.contains("AccessDenied")
                && to_do.contains(&format!("allow {action}"))
                && to_do.contains(resource)
        };
        assert!(errors.iter().any(named), "{operation}: none allows {action} on {resource}: {errors:#?}");
    }
}

#[tokio::test]
async fn a_denied_change_of_a_secret_is_told_by_the_call_that_was_denied() {
    for operation in ["PutSecretValue", "UpdateSecretVersionStage"] {
        let world = World::start("a_denied_change_of_a_secret", with_hosts(Vec::new()), &without_fleets());
        assert_eq!(world.json(&["sync"]).await.code, 0);
        world.set_harbor_password("another");
        world.client().set_faults(&[fault(Service::SecretsManager, operation, Effect::Deny)]).unwrap();
        let Ended { code, stdout, .. } = world.run(&["sync"]).await;
        assert_eq!(code, Some(4), "{stdout}");
        let errors = errors(&stdout);
        let [what, _, to_do] = errors.first().expect("it is told");
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(what.contains("`ecs/registry/harbor`"), "{what}");
        assert!(
            to_do.contains(&format!("allow secretsmanager:{operation} on arn:aws:secretsmanager:")),
            "{to_do}"
        );
    }
}

/// The demo's configuration without its fleet: the stores alone.
fn without_fleets() -> String {
    let (stores, _) = world::DEMO.split_once("fleets:\n").expect("it has fleets");
    stores.to_owned()
}

#[tokio::test]
async fn a_config_with_many_mistakes_is_told_whole_each_with_its_place_and_what_to_write() {
    let config = "\
state: { bucket: Acme_Regcred }
registries:
  harbor:
    server: harbor.example.com
    source_timout: 5s
    source: { file: { path: secrets/harbor.json } }
  hub:
    server: docker.io
    source: { env: { username: HUB_USER, password: HUB_PASSWORD } }
ecs_configs:
  prod: { bucket: acme-ecs, key: prod/ecs.config, registries: [harbor, hubb] }
fleets:
  prod: { ecs_config: prdo, clusters: [web], max_unavailable: 0% }
";
    let world = World::start("a_config_with_many_mistakes", bare(), config);
    let check = world.run(&["check"]).await;
    assert_eq!(check.code, Some(2), "{}", check.stdout);
    let told = errors(&check.stdout);
    for (line, key, to_do) in [
        (1, "state.bucket", ""),
        (5, "registries.harbor.source_timout", "did you mean `source_timeout`?"),
        (11, "ecs_configs.prod.registries", "did you mean `hub`?"),
        (13, "fleets.prod.ecs_config", "did you mean `prod`?"),
        (13, "fleets.prod.max_unavailable", ""),
    ] {
        let found = told.iter().find(|[what, _, _]| what.contains(key));
        let [what, _, said] = found.unwrap_or_else(|| panic!("nothing is said of {key}: {told:#?}"));
        assert!(what.contains(&format!("regcred.yaml:{line}:")), "{what}");
        assert!(said.contains(to_do), "{said}");
    }
    // Every other command says the same, on stderr, and does nothing.
    for command in ["plan", "sync", "status"] {
        let Ended { code, stdout, stderr } = world.run(&[command]).await;
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{command}: {stderr}");
        assert!(told.iter().all(|[what, _, _]| stderr.contains(what)), "{command}: {stderr}");
    }
    assert!(world.calls().is_empty());
}

#[tokio::test]
async fn a_mistake_on_the_command_line_ends_in_2_and_says_what_there_is() {
    let world = World::start("a_mistake_on_the_command_line", bare(), &world::DEMO);
    for (arguments, said) in [
        (&["sync", "--registry", "habor"][..], "dockerhub, ghcr, harbor"),
        (&["plan", "--fleet", "prd"], "prod"),
        (&["status", "--config", "absent.yaml"], "absent.yaml"),
    ] {
        let Ended { code, stdout, stderr } = world.run(arguments).await;
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        let told = errors(&stderr);
        assert_eq!(told.len(), 1, "{stderr}");
        assert!(told[0].join("\n").contains(said), "{arguments:?}: {told:#?}");
    }
    let unknown = world.run(&["snyc"]).await;
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("sync"), "{}", unknown.stderr);
    assert!(world.calls().is_empty(), "nothing was called");
}

#[tokio::test]
async fn without_aws_a_pass_ends_with_what_to_look_at() {
    let world = World::start("without_aws_a_pass_ends", bare(), &world::DEMO);
    let nowhere = world.regcred(&["sync"]).variable("AWS_ENDPOINT_URL", "http://127.0.0.1:9").run().await;
    assert_eq!(nowhere.code, Some(4), "{}", nowhere.stderr);
    let told = errors(&nowhere.stderr);
    assert!(told.len() == 1 && told[0][2].contains("AWS_ENDPOINT_URL"), "{told:#?}");
    let nobody = world.regcred(&["sync"]).variable("AWS_ACCESS_KEY_ID", "").run().await;
    assert_eq!(nobody.code, Some(4), "{}", nobody.stderr);
    let told = errors(&nobody.stderr);
    assert!(told.len() == 1 && told[0][1].contains("no AWS credentials"), "{told:#?}");
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed_is_told_with_its_location_and_its_trust_policy() {
    let role = format!("arn:aws:iam::{}:role/nobodys", world::ACCOUNT);
    let config = format!(
        "locations:\n  eu: {{ region: {}, role_arn: \"{role}\" }}\n{}",
        world::REGION,
        without_fleets()
    );
    let world = World::start("a_role_that_may_not_be_assumed", bare(), &config);
    let Ended { code, stderr, .. } = world.run(&["sync"]).await;
    assert_eq!(code, Some(4), "{stderr}");
    let told = errors(&stderr);
    assert_eq!(told.len(), 1, "{stderr}");
    let [_, why, to_do] = &told[0];
    assert!(why.contains("eu (") && why.contains("AccessDenied"), "{why}");
    assert!(why.contains(&role) && to_do.contains("trust policy"), "{told:#?}");
}

#[tokio::test]
async fn the_json_of_each_command_has_its_version_its_verdict_and_all_its_parts() {
    let world = World::start("the_json_of_each_command", with_hosts(pair()), &world::swift());
    let parts = |told: &Value| -> Vec<String> {
        told.as_object().expect("a result is an object").keys().cloned().collect()
    };
    let plan = world.json(&["plan"]).await;
    assert_eq!((plan.code, &plan.json["version"]), (3, &json!(1)));
    assert_eq!(parts(&plan.json), ["estimate", "fleets", "objects", "registries", "secrets", "version"]);
    let sync = world.json(&["sync"]).await;
    assert_eq!(
        (sync.code, &sync.json["version"], &sync.json["verdict"]),
        (0, &json!(1), &json!("converged"))
    );
    let all = ["fleets", "objects", "registries", "revocation", "secrets", "verdict", "version"];
    assert_eq!(parts(&sync.json), all);
    let status = world.json(&["status"]).await;
    assert_eq!(
        (status.code, &status.json["version"], &status.json["verdict"]),
        (0, &json!(1), &json!("converged"))
    );
    // And who holds the lease.
    let mut all = all.to_vec();
    all.insert(1, "lease");
    assert_eq!(parts(&status.json), all);
    // A result on stdout, and progress on stderr, never in it.
    assert!(sync.stderr.contains("first host proven"), "{}", sync.stderr);
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_nothing() {
    let world = World::start("a_reader_that_goes_away", with_hosts(pair()), &world::swift());
    for (arguments, expected) in [(&["schema"][..], 0), (&["plan"], 3), (&["sync", "--output", "json"], 0)] {
        let (reader, writer) = std::io::pipe().expect("the system has a pipe left");
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_regcred"));
        command.args(arguments).env_clear().current_dir(world.path("."));
        for (name, value) in world.variables() {
            command.env(name, value);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::from(writer))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        let mut stderr = String::new();
        let pipe = child.stderr.as_mut().expect("it is piped");
        // The sandbox serves from threads of its own.
        pipe.read_to_string(&mut stderr).expect("what it says is text");
        let status = child.wait().expect("our own child can be waited for");
        assert_eq!(status.code(), Some(expected), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}

#[tokio::test]
async fn a_result_that_is_lost_is_an_error() {
    let world = World::start("a_result_that_is_lost", with_hosts(pair()), &world::swift());
    for arguments in [&["schema"][..], &["plan"], &["sync", "--output", "json"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let mut command = Command::new(env!("CARGO_BIN_EXE_regcred"));
        command.args(arguments).env_clear().current_dir(world.path("."));
        for (name, value) in world.variables() {
            command.env(name, value);
        }
        let ended = command.stdin(Stdio::null()).stdout(full).output().expect("the binary can be started");
        let stderr = String::from_utf8(ended.stderr).expect("what it says is text");
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert_eq!(errors(&stderr).last().expect("it is told")[0], "cannot print the result", "{stderr}");
    }
}

#[tokio::test]
async fn quiet_says_nothing_when_all_is_well_and_everything_when_it_is_not() {
    let world = World::start("quiet_says_nothing", with_hosts(pair()), &world::swift());
    let well = world.run(&["sync", "--quiet"]).await;
    assert_eq!((well.code, well.stdout.as_str(), well.stderr.as_str()), (Some(0), "", ""));
    let machine = world.json(&["sync", "--quiet"]).await;
    assert_eq!((machine.code, &machine.json["verdict"]), (0, &json!("converged")));
    world.write("secrets/harbor.json", "{}");
    let ill = world.run(&["sync", "-q"]).await;
    assert_eq!((ill.code, ill.stderr.as_str()), (Some(4), ""), "{ill:#?}");
    assert_eq!(errors(&ill.stdout).len(), 1, "{ill:#?}");
}

#[tokio::test]
async fn beside_a_json_result_everything_on_stderr_is_json_too() {
    let world = World::start("beside_a_json_result", with_hosts(pair()), &world::swift());
    let Ended { stderr, .. } =
        world.regcred(&["sync", "--output", "json"]).variable("RUST_LOG", "info").run().await;
    let lines: Vec<Value> = stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    assert!(
        lines.iter().any(|line| line["progress"] == "prod" && line["message"] == "2/2 proven"),
        "{stderr}"
    );
    assert!(lines.iter().any(|line| line["level"] == "INFO"), "{stderr}");
}

#[tokio::test]
async fn each_command_has_its_completions_and_its_manual_page() {
    let world = World::start("each_command_has_its_completions", bare(), &world::DEMO);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let Ended { code, stdout, .. } = world.run(&["completions", shell]).await;
        assert_eq!(code, Some(0), "{shell}");
        assert!(stdout.contains("retry-failed"), "{shell}");
    }
    let bash = world.run(&["completions", "bash"]).await.stdout;
    world.write("completions.bash", &bash);
    let tried = "source completions.bash && COMP_WORDS=(regcred sy) COMP_CWORD=1 && _regcred regcred sy regcred && \
                 echo \"${COMPREPLY[*]}\"";
    let ended = Program::new("/bin/bash").arguments(["-c", tried]).folder(world.path(".")).run().await;
    assert_eq!(ended.stdout.trim(), "sync", "{ended:#?}");

    let Ended { code, stdout, .. } = world.run(&["man"]).await;
    assert!(
        code == Some(0) && stdout.contains(".TH regcred 1") && stdout.contains("rollout halted"),
        "{stdout}"
    );
    let Ended { code, stdout, .. } = world.run(&["man", "sync"]).await;
    assert!(code == Some(0) && stdout.contains("retry\\-failed"), "{stdout}");
    let unknown = world.run(&["man", "snyc"]).await;
    assert_eq!((unknown.code, errors(&unknown.stderr).len()), (Some(2), 1), "{unknown:#?}");
}

/// Begins every sequence by which a terminal is told of colours or of the cursor.
const ESCAPE: char = '\u{1b}';

#[tokio::test]
async fn without_a_terminal_there_is_no_colour_and_no_bar() {
    let world = World::start("without_a_terminal_there_is_no_colour", with_hosts(pair()), &world::swift());
    for arguments in [&["plan"][..], &["sync"], &["status"]] {
        let Ended { stdout, stderr, .. } = world.regcred(arguments).variable("RUST_LOG", "trace").run().await;
        assert!(!stdout.contains(ESCAPE) && !stderr.contains(ESCAPE), "{arguments:?}\n{stdout}\n{stderr}");
        let logs: Vec<&str> = stderr.lines().filter(|line| line.starts_with('{')).collect();
        assert_eq!(logs.is_empty(), arguments != ["sync"], "{arguments:?}: {stderr}");
        for line in logs {
            serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }
}

#[tokio::test]
async fn no_color_takes_the_colours_from_a_terminal() {
    let script = std::path::Path::new("/usr/bin/script");
    if !script.is_file() {
        tools::say("MISSING: script\n  It gives a program a terminal.\n  Install util-linux.");
        assert!(std::env::var_os("CI").is_none(), "script is missing, and CI is set");
        return;
    }
    // The colours of a log's level: nothing else is coloured.
    let coloured = "\u{1b}[32m";
    for (no_color, expected) in [(None, true), (Some("1"), false), (Some(""), true)] {
        let world = World::start("no_color_takes_the_colours", bare(), &without_fleets());
        let command = format!("{} sync", env!("CARGO_BIN_EXE_regcred"));
        let mut program = Program::new(script).arguments(["-qec", &command, "/dev/null"]);
        for (name, value) in world.variables() {
            program = program.variable(name, value);
        }
        program =
            program.folder(world.path(".")).variable("RUST_LOG", "regcred=info").variable("TERM", "xterm");
        if let Some(value) = no_color {
            program = program.variable("NO_COLOR", value);
        }
        let ended = program.run().await;
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(ended.stdout.contains(coloured), expected, "NO_COLOR={no_color:?}: {:?}", ended.stdout);
    }
}

#[tokio::test]
async fn without_a_region_the_variable_is_named_and_nothing_else_is_said() {
    let world = World::start("without_a_region", bare(), &world::DEMO);
    for command in ["plan", "sync", "status"] {
        let mut regcred =
            Program::regcred().arguments([command, "--config"]).arguments([world.path("regcred.yaml")]);
        for (name, value) in world.variables() {
            if !["AWS_REGION", "AWS_DEFAULT_REGION"].contains(&name.as_str()) {
                regcred = regcred.variable(name, value);
            }
        }
        let ended = regcred.folder(world.path(".")).run().await;
        assert_eq!(ended.code, Some(2), "{command}: {ended:?}");
        let told = errors(&ended.stderr);
        assert_eq!((told.len(), ended.stderr.lines().count()), (1, 3), "{command}: {ended:?}");
        assert!(told[0][2].contains("set AWS_REGION"), "{told:#?}");
    }
}
