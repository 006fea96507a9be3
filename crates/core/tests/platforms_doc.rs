//! docs/PLATFORMS.md prints the table of `platform`; `BLESS=1 cargo test -p regcred-core --test platforms_doc` writes it.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test holds a page on the disk against the table, and a panic is how it fails"
)]

use std::fmt::Write as _;
use std::path::Path;

use regcred_core::platform::{Afterwards, HostPlatform, Manager, NotRestarted, Restart, Treatment};

const BEGIN: &str = "<!-- begin table -->\n";
const END: &str = "<!-- end table -->\n";

fn table() -> String {
    let mut text = "| platform | what runs the agent | the agent's files; the last is written | restarted by | after status 5 | after an error |\n\
                    |---|---|---|---|---|---|\n"
        .to_owned();
    for platform in HostPlatform::ALL {
        let name = platform.name();
        match platform.treatment() {
            Treatment::Restarted(Restart {
                manager,
                files,
                commands,
                after_5,
                after_another_error,
                source,
            }) => {
                let manager = match manager {
                    Manager::Systemd { unit } => format!("systemd, unit `{unit}` (packaging/{source})"),
                    Manager::Upstart { job } => format!("upstart, job `{job}` (packaging/{source})"),
                    Manager::Operator => "whatever the operator has set up".to_owned(),
                };
                let code = |texts: &[&str]| {
                    texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ")
                };
                let (files, commands) = (code(files), code(commands));
                let (after_5, after_another) = (afterwards(after_5), afterwards(after_another_error));
                writeln!(text, "| {name} | {manager} | {files} | {commands} | {after_5} | {after_another} |")
                    .unwrap();
            }
            Treatment::NotRestarted(NotRestarted { why, instead }) => {
                writeln!(text, "| {name} | | | not restarted: {why}; {instead} | | |").unwrap();
            }
        }
    }
    text
}

fn afterwards(afterwards: Afterwards) -> &'static str {
    match afterwards {
        Afterwards::StartedAgain => "started again",
        Afterwards::LeftDead => "left dead",
        Afterwards::AsThePackage => "as its package has it",
        Afterwards::AsTheOperator => "as the operator has it",
    }
}

#[test]
fn the_page_prints_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/PLATFORMS.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has a place for the table");
    let (printed, after) = rest.split_once(END).expect("the place has an end");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert!(
        printed == table(),
        "docs/PLATFORMS.md does not print the table of crates/core/src/platform.rs; to write it anew:\n\
         BLESS=1 cargo test -p regcred-core --test platforms_doc"
    );
}

#[test]
fn no_platform_is_left_out_and_none_restarts_a_container() {
    for (n, platform) in HostPlatform::ALL.iter().enumerate() {
        assert!(!HostPlatform::ALL[..n].contains(platform), "{platform:?} is there twice");
        if let Treatment::Restarted(Restart { commands, files, .. }) = platform.treatment() {
            assert!(
                !commands.is_empty() && commands.iter().all(|command| !command.contains("docker")),
                "{platform:?}"
            );
            assert!(files.last().is_some_and(|file| file.starts_with("/etc/")), "{platform:?}");
        }
    }
}
