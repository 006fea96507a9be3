//! deploy/systemd/regcred.service, held against the binary that it starts. That systemd reads it is tests/tools/check_deploy.sh's.

use super::read;
use crate::tools::Program;

/// The value of a directive that the unit has once.
fn directive(unit: &str, name: &str) -> String {
    let values = unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let values: Vec<&str> = values.collect();
    assert_eq!(values.len(), 1, "{name}: {values:?}");
    values[0].to_owned()
}

/// The unit is not started again after this exit code, which has to be that of a configuration that is not valid, or of one that
/// is not there; and no other one.
#[tokio::test]
async fn the_unit_starts_a_command_that_there_is_and_gives_up_where_the_configuration_is_wrong() {
    let unit = read("systemd/regcred.service");
    let start = directive(&unit, "ExecStart");
    let mut words = start.split(' ');
    assert_eq!(words.next(), Some("/usr/local/bin/regcred"));
    let arguments: Vec<&str> = words.collect();
    assert_eq!(arguments[..2], ["run", "--config"]);

    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("regcred.yaml");
    let given_up_at: i32 = directive(&unit, "RestartPreventExitStatus").parse().unwrap();
    for content in [None, Some("state: {}\n")] {
        if let Some(content) = content {
            std::fs::write(&config, content).unwrap();
        }
        let arguments = ["run", "--config", config.to_str().unwrap()];
        let ended = Program::regcred().arguments(arguments).run().await;
        assert_eq!(ended.code, Some(given_up_at), "{content:?}: {ended:?}");
    }
    assert_eq!(
        (directive(&unit, "Type"), directive(&unit, "Restart")),
        ("notify".into(), "on-failure".into())
    );
    assert_eq!(directive(&unit, "ExecReload"), "/bin/kill -HUP $MAINPID");
}
