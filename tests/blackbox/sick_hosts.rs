//! What may be wrong with a host, or with a command to it: each is said of the host by name, with why, how it stands now, and
//! what to do; and the others are proven all the same.

use regcred_sandbox::hosts::{Behaviour, HostSpec, Life};
use regcred_sandbox::{Effect, Fault, Match, Role, Service, Statement, Trust};
use serde_json::json;

use crate::messages::errors;
use crate::world::{
    self, ACCOUNT, BY_HAND, GOOD, REGION, World, count, fault, find, host, hosts_of, with_hosts,
};

/// Comes after the others of its cluster, since hosts go by their ids.
const SICK: &str = "i-0fffffffffffffff0";

fn with_two_well(sick: HostSpec) -> Vec<HostSpec> {
    vec![host(GOOD[0], "web", Life::Memory), host(GOOD[4], "batch", Life::Memory), sick]
}

fn behaving(behaviour: Behaviour) -> HostSpec {
    HostSpec { behaviour, ..host(SICK, "web", Life::Memory) }
}

/// What a text says of a host: how it ended, how it stands now, and what to do.
fn said(text: &str, id: &str) -> [String; 3] {
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("  ") && line.contains(id));
    let at = at.unwrap_or_else(|| panic!("{id} is not named:\n{text}"));
    let part = |line: usize, name: &str| {
        let line = lines.get(line).copied().unwrap_or_default();
        let said =
            line.strip_prefix(name).unwrap_or_else(|| panic!("`{line}` is no {name} of {id}:\n{text}"));
        assert!(!said.is_empty(), "{id}:\n{text}");
        said.to_owned()
    };
    [part(at - 1, ""), part(at + 1, "  now:   "), part(at + 2, "  to do: ")]
}

#[tokio::test]
async fn each_sick_host_is_named_with_why_how_it_stands_and_what_to_do_and_the_others_are_proven() {
    let elsewhere =
        HostSpec { config: Some(format!("ECS_CLUSTER=other\n{BY_HAND}")), ..host(SICK, "web", Life::Memory) };
    // The host, how it ends, and what is said of it.
    let cases: [(HostSpec, &str, [&str; 3]); 7] = [
        (
            behaving(Behaviour::Offline),
            "unreachable",
            ["SSM has lost the connection to it", "it was not touched", "bring it back online"],
        ),
        (
            behaving(Behaviour::NoSsmAgent),
            "unreachable",
            ["it is no managed node of SSM", "it was not touched", "run the SSM Agent on it"],
        ),
        (
            behaving(Behaviour::RejectsChangedAuth),
            "restored",
            ["its restarted agent warned of the value", "the old file is back", "/var/log/ecs/ecs-agent.log"],
        ),
        (
            behaving(Behaviour::RestartKeepsOldEnvironment),
            "restored",
            ["does not hold the value of the object", "the old file is back", "look for what else sets"],
        ),
        (
            behaving(Behaviour::UnitDies { restarts: 1, exit_status: 5 }),
            "restored",
            ["the unit of its agent died", "the old file is back", "journalctl"],
        ),
        (
            behaving(Behaviour::ScriptBreaks { exit_code: 2 }),
            "failed",
            ["(exit code 2)", "its agent may be down", "look at the command's output in SSM"],
        ),
        (
            elsewhere,
            "refused",
            ["names another cluster", "it was not touched", "correct ECS_CLUSTER in /etc/ecs/ecs.config"],
        ),
    ];
    for (sick, ending, expected) in cases {
        let behaviour = sick.behaviour;
        let world = World::start("each_sick_host_is_named", with_hosts(with_two_well(sick)), &world::swift());
        let ended = world.run(&["sync"]).await;
        assert_eq!(ended.code, Some(4), "{behaviour:?}: {ended:#?}");
        let told = said(&ended.stdout, SICK);
        assert!(told[0].starts_with(ending), "{behaviour:?}: {told:#?}");
        for (said, expected) in told.iter().zip(expected) {
            assert!(said.contains(expected), "{behaviour:?}: {expected}: {told:#?}");
        }
        assert_eq!(
            world.pulls_with(GOOD[0], world::HARBOR_IMAGE),
            Some(world::sha256(world::HARBOR_PASSWORD))
        );
        // A person who comes later is told as well.
        let told = world.json(&["status"]).await;
        let line = find(&told.json["fleets"][0]["hosts"], "host", SICK);
        assert_ne!(line["outcome"], "current", "{behaviour:?}");
    }
}

#[tokio::test]
async fn who_may_not_send_to_a_host_of_ecs_anywhere_is_told_what_to_allow() {
    let statements = vec![
        Statement::allow(&["*"], &["*"]),
        Statement::deny(&["ssm:SendCommand"], &["arn:aws:ssm:*:*:managed-instance/*"]),
    ];
    let role = Role { account: ACCOUNT.into(), name: "regcred".into(), trust: Trust::default(), statements };
    let config = format!(
        "locations: {{ eu: {{ region: {REGION}, role_arn: 'arn:aws:iam::{ACCOUNT}:role/regcred' }} }}\n{}",
        world::swift()
    );
    let hosts = vec![host(GOOD[0], "web", Life::Memory), host(GOOD[7], "batch", Life::Memory)];
    let options = regcred_sandbox::Options { roles: vec![role], ..with_hosts(hosts) };
    let world = World::start("who_may_not_send_to_a_host_of_ecs_anywhere", options, &config);
    let ended = world.run(&["sync"]).await;
    assert_eq!(ended.code, Some(5), "{ended:#?}");
    let told = errors(&ended.stdout);
    let [what, why, to_do] = told.first().unwrap_or_else(|| panic!("{ended:#?}"));
    assert_eq!(what, "cannot restart hosts of fleet `prod`");
    assert!(why.starts_with("AccessDenied"), "{why}");
    let managed = format!("arn:aws:ssm:{REGION}:{ACCOUNT}:managed-instance/*");
    assert!(to_do.starts_with("allow ssm:SendCommand on ") && to_do.ends_with(&managed), "{to_do}");
    assert!(!to_do.contains(":instance/*"), "no other kind of host was in the command: {to_do}");
}

#[tokio::test]
async fn a_command_that_was_one_too_many_for_ssm_ran_nowhere_and_is_left_to_the_next_pass() {
    let world = World::start(
        "a_command_that_was_one_too_many",
        with_hosts(with_two_well(behaving(Behaviour::Normal))),
        &world::swift(),
    );
    let Fault { calls, effect } = fault(Service::Ssm, "SendCommand", Effect::TooManyPending);
    world.client().set_faults(&[Fault { calls: Match { times: Some(1), ..calls }, effect }]).unwrap();
    let (told, calls) = world.watched(&["sync"]).await;
    assert_eq!((told.code, count(&calls, "SendCommand")), (4, 3), "{told:#?}");
    let ends = hosts_of(&told);
    assert_eq!((ends[GOOD[0]].as_str(), ends[SICK].as_str()), ("unreachable", "proven"), "{ends:#?}");
    let line = find(&told.json["fleets"][0]["hosts"], "host", GOOD[0]);
    assert_eq!(line["why"]["seen"], json!("rate_exceeded"));
    assert_eq!(world.restarts()[GOOD[0]], 0);

    world.client().set_faults(&[fault(Service::Ssm, "SendCommand", Effect::TooManyPending)]).unwrap();
    let ended = world.run(&["sync"]).await;
    let [why, now, to_do] = said(&ended.stdout, GOOD[0]);
    assert!(why.contains("pending"), "{why}");
    assert_eq!(
        (now.as_str(), to_do.as_str()),
        ("it was not touched", "nothing; the next pass looks at it again")
    );

    world.client().set_faults(&[]).unwrap();
    assert_eq!(world.json(&["sync"]).await.code, 0);
    assert!(world.restarts().values().all(|restarts| *restarts == 1));
}

#[tokio::test]
async fn a_host_with_no_room_for_an_attribute_is_told_what_to_take_away() {
    let world = World::start(
        "a_host_with_no_room_for_an_attribute",
        with_hosts(with_two_well(behaving(Behaviour::Normal))),
        &world::swift(),
    );
    let quota = Effect::Error { code: "AttributeLimitExceededException".into(), status: 400 };
    world.client().set_faults(&[fault(Service::Ecs, "PutAttributes", quota)]).unwrap();
    let ended = world.run(&["sync"]).await;
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    let told = errors(&ended.stdout);
    for id in [GOOD[0], SICK] {
        let found = told.iter().find(|[what, _, _]| what.contains(id));
        let [what, why, to_do] = found.unwrap_or_else(|| panic!("{id} is not named: {told:#?}"));
        assert_eq!(what, &format!("cannot record the revision of {id}"));
        assert!(
            why.starts_with("AttributeLimitExceededException") && why.contains("ten custom attributes"),
            "{why}"
        );
        assert!(
            to_do.contains("aws ecs delete-attributes --cluster web --attributes name=NAME,targetId=arn:"),
            "{to_do}"
        );
    }
    assert!(world.restarts().values().all(|restarts| *restarts == 1));
    world.client().set_faults(&[]).unwrap();
    assert_eq!(world.json(&["sync"]).await.code, 0);
    assert!(world.restarts().values().all(|restarts| *restarts == 1), "asked again, and not restarted");
}
