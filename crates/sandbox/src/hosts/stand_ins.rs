//! The stand-ins' side in the sandbox: what `docker`, `systemctl`, `cloud-init`, `sleep`, introspection and the instance
//! metadata service answer on a host. Each takes what the host script asks and nothing else: whatever is not known here
//! is refused aloud, so that a change of the script is met by a change here.

use std::fmt::Write;
use std::time::Duration;

use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde_json::json;

use super::agent::Agent;
use super::host::Host;
use super::spec::Platform;

/// The environment of a container, a line each.
const ENVIRONMENT_TEMPLATE: &str = "{{range .Config.Env}}{{println .}}{{end}}";
const ID_TEMPLATE: &str = "{{.Id}}";

/// The token that IMDSv2 hands out; a request without it is refused, as on a host where version 1 is off.
const IMDS_TOKEN: &str = "AQAEAsandboxsandboxsandbox==";

type Answer = Response<Vec<u8>>;

pub(super) fn answer(host: &Host, tail: &str, request: &Parts, body: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(body);
    let arguments: Vec<&str> = text.lines().collect();
    match (&request.method, tail) {
        (&Method::POST, "docker") => docker(host, &arguments),
        (&Method::POST, "systemctl") => systemctl(host, &arguments),
        (&Method::POST, "initctl") => initctl(host, &arguments),
        (&Method::POST, "restart-agent") => restart_agent(host, &arguments),
        (&Method::POST, "cloud-init") => cloud_init(host, &arguments),
        (&Method::POST, "sleep") => sleep(host, &arguments),
        (&Method::GET, "introspection/v1/metadata") => metadata(host),
        (&Method::GET, "introspection/v1/tasks") => tasks(host),
        (_, path) if path.starts_with("imds/") => imds(host, &path["imds/".len()..], request),
        _ => refused(&format!("the sandbox's hosts do not know {} {tail}", request.method)),
    }
}

fn ok(body: impl Into<Vec<u8>>) -> Answer {
    Response::new(body.into())
}

fn status(status: StatusCode, body: &str) -> Answer {
    let mut answer = Response::new(body.as_bytes().to_vec());
    *answer.status_mut() = status;
    answer
}

fn refused(what: &str) -> Answer {
    status(StatusCode::BAD_REQUEST, &format!("{what}\n"))
}

fn docker(host: &Host, arguments: &[&str]) -> Answer {
    let &["inspect", "--type", "container", "--format", template, "ecs-agent"] = arguments else {
        return refused(&format!("this docker does not know {arguments:?}"));
    };
    host.with_agent(|agent| {
        let Some(container) = agent.container() else {
            return status(StatusCode::NOT_FOUND, "Error: No such container: ecs-agent\n");
        };
        match template {
            ID_TEMPLATE => ok(format!("{}\n", container.id)),
            ENVIRONMENT_TEMPLATE => {
                ok(container.variables().iter().fold(String::new(), |mut text, (name, value)| {
                    writeln!(text, "{name}={value}").expect("writing to a String does not fail");
                    text
                }))
            }
            // As `docker run --restart=on-failure` has it.
            "{{.State.Status}}" => ok(match agent.unit().sub_state {
                "running" => "running\n",
                "auto-restart" => "restarting\n",
                _ => "exited\n",
            }),
            "{{.State.ExitCode}}" => ok(format!("{}\n", agent.unit().exec_main_status)),
            "{{.RestartCount}}" => ok(format!("{}\n", agent.unit().restarts)),
            _ => refused(&format!("this docker does not know the template {template}")),
        }
    })
}

fn systemctl(host: &Host, arguments: &[&str]) -> Answer {
    match *arguments {
        ["show", "-p", property, unit] => {
            let is_the_agents = unit == unit_name(host.spec().platform);
            host.with_agent(|agent| ok(show(agent, property, is_the_agents)))
        }
        ["restart", unit] if unit == unit_name(host.spec().platform) => {
            if host.with_agent(|agent| agent.cloud_init_running()) {
                // The real one would wait for cloud-init, and cloud-init perhaps for us: the deadlock of issue #1707.
                return status(StatusCode::CONFLICT, "a blocking restart while cloud-init runs hangs\n");
            }
            host.note_act(format!("systemctl restart {unit}"));
            host.start_agent();
            ok("")
        }
        ["restart", "--no-block", unit] if unit == unit_name(host.spec().platform) => {
            host.note_act(format!("systemctl restart --no-block {unit}"));
            host.queue_restart();
            ok("")
        }
        // There are no unit files here: what a drop-in does is played by whoever tests it.
        ["daemon-reload"] => ok(""),
        ["restart", .., unit] => {
            status(StatusCode::NOT_FOUND, &format!("Failed to restart {unit}: Unit {unit} not found.\n"))
        }
        _ => refused(&format!("this systemctl does not know {arguments:?}")),
    }
}

/// The unit's name in the package of each platform (packaging/).
fn unit_name(platform: Platform) -> &'static str {
    match platform {
        Platform::Suse => "amazon-ecs.service",
        Platform::AmazonLinux2023
        | Platform::AmazonLinux2
        | Platform::Ubuntu
        | Platform::Rhel
        | Platform::EcsAnywhere => "ecs.service",
        // Bottlerocket's unit is called ecs too, but systemctl is not in reach of a command there. An agent that somebody
        // started with `docker run` has none.
        Platform::AmazonLinux1
        | Platform::PlainDocker
        | Platform::Bottlerocket
        | Platform::Windows
        | Platform::ManagedInstances => "",
    }
}

fn initctl(host: &Host, arguments: &[&str]) -> Answer {
    let running = host.with_agent(|agent| agent.is_running());
    match (arguments, running) {
        (["status", "ecs"], true) => ok("ecs start/running, process 2714\n"),
        (["status", "ecs"], false) => ok("ecs stop/waiting\n"),
        (["stop", "ecs"], true) => {
            host.note_act("initctl stop ecs".to_owned());
            host.stop_agent();
            ok("ecs stop/waiting\n")
        }
        (["stop", "ecs"], false) => status(StatusCode::CONFLICT, "initctl: Unknown instance: \n"),
        (["start", "ecs"], false) => {
            host.note_act("initctl start ecs".to_owned());
            host.start_agent();
            ok("ecs start/running, process 2728\n")
        }
        (["start", "ecs"], true) => status(StatusCode::CONFLICT, "initctl: Job is already running: ecs\n"),
        _ => refused(&format!("this initctl does not know {arguments:?}")),
    }
}

/// It is called with no argument; `printf` makes an empty line of that.
fn restart_agent(host: &Host, arguments: &[&str]) -> Answer {
    if arguments != [""] {
        return refused(&format!("restart-agent takes no arguments, and got {arguments:?}"));
    }
    host.note_act("/etc/regcred/restart-agent".to_owned());
    host.start_agent();
    ok("")
}

fn show(agent: &Agent, property: &str, is_the_agents: bool) -> String {
    if !is_the_agents {
        // systemd answers for units that do not exist as well.
        return match property {
            "LoadState" => "LoadState=not-found\n",
            "ActiveState" => "ActiveState=inactive\n",
            _ => "",
        }
        .to_owned();
    }
    let unit = agent.unit();
    match property {
        "LoadState" => "LoadState=loaded\n".to_owned(),
        "ActiveState" => format!("ActiveState={}\n", unit.active_state),
        "SubState" => format!("SubState={}\n", unit.sub_state),
        "Result" => format!("Result={}\n", unit.result),
        "ExecMainStatus" => format!("ExecMainStatus={}\n", unit.exec_main_status),
        "NRestarts" => format!("NRestarts={}\n", unit.restarts),
        "Job" if unit.has_job => "Job=1234\n".to_owned(),
        // systemd prints nothing for a property that it does not have.
        _ => String::new(),
    }
}

fn cloud_init(host: &Host, arguments: &[&str]) -> Answer {
    if arguments != ["status"] {
        return refused(&format!("this cloud-init does not know {arguments:?}"));
    }
    let runs = host.with_agent(|agent| agent.cloud_init_running());
    ok(format!("status: {}\n", if runs { "running" } else { "done" }))
}

fn sleep(host: &Host, arguments: &[&str]) -> Answer {
    match arguments {
        [seconds] => match seconds.parse() {
            Ok(seconds) => {
                host.advance(Duration::from_secs(seconds));
                ok("")
            }
            Err(_) => refused(&format!("this sleep does not know {seconds}")),
        },
        _ => refused(&format!("this sleep does not know {arguments:?}")),
    }
}

/// agent/handlers/introspection: the server starts after the registration, so that before it nobody listens. A stand-in
/// cannot refuse a connection; `curl --fail` fails all the same.
fn metadata(host: &Host) -> Answer {
    if !host.agent().connected {
        return status(StatusCode::SERVICE_UNAVAILABLE, "");
    }
    host.with_agent(|agent| {
        ok(json!({
            "Cluster": agent.cluster(),
            "ContainerInstanceArn": agent.arn(),
            "Version": "Amazon ECS Agent - v1.105.1 (*8dfceca6)",
        })
        .to_string())
    })
}

fn tasks(host: &Host) -> Answer {
    let view = host.agent();
    if !view.connected {
        return status(StatusCode::SERVICE_UNAVAILABLE, "");
    }
    let tasks: Vec<_> = (0..view.running_tasks)
        .map(|number| {
            json!({
                "Arn": format!("{}-task-{number}", view.container_instance_arn),
                "DesiredStatus": "RUNNING",
                "KnownStatus": "RUNNING",
                "Family": "web",
                "Version": "1",
                "Containers": [{ "DockerId": "0123456789abcdef", "DockerName": "ecs-web-1-web", "Name": "web" }],
            })
        })
        .collect();
    ok(json!({ "Tasks": tasks }).to_string())
}

/// IMDSv2: a token by PUT, without which nothing is told.
fn imds(host: &Host, path: &str, request: &Parts) -> Answer {
    const PROFILES: &str = "latest/meta-data/iam/security-credentials/";
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    if host.spec().platform == Platform::EcsAnywhere {
        // There is none outside of EC2; whoever asks gets no connection.
        return status(StatusCode::SERVICE_UNAVAILABLE, "");
    }
    if request.method == Method::PUT && path == "latest/api/token" {
        return match header("x-aws-ec2-metadata-token-ttl-seconds") {
            Some(_) => ok(IMDS_TOKEN),
            None => status(StatusCode::BAD_REQUEST, ""),
        };
    }
    if header("x-aws-ec2-metadata-token") != Some(IMDS_TOKEN) {
        return status(StatusCode::UNAUTHORIZED, "");
    }
    let role = host.spec().role.as_str();
    match path.strip_prefix(PROFILES) {
        Some("") => ok(role),
        Some(asked) if asked == role => {
            let credentials = host.mint_credentials();
            ok(format!(
                "{:#}",
                json!({
                    "Code": "Success",
                    "LastUpdated": "2026-01-01T00:00:00Z",
                    "Type": "AWS-HMAC",
                    "AccessKeyId": credentials.access_key_id,
                    "SecretAccessKey": credentials.secret_access_key.expose(),
                    "Token": credentials.token.expose(),
                    "Expiration": "2099-01-01T00:00:00Z",
                })
            ))
        }
        Some(_) | None => status(StatusCode::NOT_FOUND, ""),
    }
}
