//! The rules that a configuration of the right shape must keep, all of them at once.
//!
//! Each rule tells what is wrong, why it matters, and what to write instead. A part that breaks a rule is left out of
//! what is built, so that the others can still be judged; [`super::load`] drops it all when there was an error.

mod aws;
mod daemon;
mod ecs_configs;
mod fleets;
mod locations;
mod members;
mod registries;
mod replicas;
mod schedules;
mod sources;
mod vault;
mod verify;

use std::path::Path;
use std::time::Duration;

use regcred_core::names::LocationName;

use super::names::check_name;
use super::problem::{End, Findings, KeyPath};
use super::{Config, Rollout, raw, span, suggest};

/// Why a value breaks a rule, and what to write instead. Quotes nothing of the value.
struct Flaw {
    why: String,
    to_do: String,
}

fn flaw(why: impl Into<String>, to_do: impl Into<String>) -> Flaw {
    Flaw { why: why.into(), to_do: to_do.into() }
}

/// What the rules of every section need.
struct Rules<'a, 'b> {
    raw: &'a raw::Config,
    /// The folder of the configuration file, where relative paths start.
    folder: &'a Path,
    findings: &'b mut Findings<'a>,
}

/// Builds the configuration from what keeps the rules. It is whole when `findings` then holds no error.
pub(super) fn apply<'a>(
    raw: &'a raw::Config,
    folder: &'a Path,
    findings: &mut Findings<'a>,
) -> Option<Config> {
    let mut rules = Rules { raw, folder, findings };
    let locations = rules.locations();
    let state = rules.state();
    let registries = rules.registries();
    let ecs_configs = rules.ecs_configs();
    let fleets = rules.fleets();
    let schedules = rules.schedules();
    let windows = rules.windows();
    let daemon = rules.daemon();
    let config = Config {
        state: state?,
        locations,
        registries,
        ecs_configs,
        fleets,
        schedules,
        windows,
        daemon: daemon?,
        rollout: Rollout { max_errors: rules.raw.rollout.max_errors },
    };
    rules.secrets_are_published_once(&config);
    rules.copies_are_in_nobodys_way(&config);
    rules.sources_are_not_published_to(&config);
    rules.servers_are_listed_once(&config);
    rules.objects_are_written_once(&config);
    rules.clusters_are_in_one_fleet(&config);
    rules.instances_are_in_one_fleet(&config);
    rules.fleets_have_an_order(&config);
    rules.windows_are_met(&config);
    rules.everything_is_used();
    Some(config)
}

/// How long a span of time may be, and why not longer or shorter.
struct Bounds {
    least: Duration,
    most: Duration,
    why: &'static str,
}

impl Rules<'_, '_> {
    fn error(
        &mut self,
        path: &KeyPath,
        what: impl Into<String>,
        why: impl std::fmt::Display,
        to_do: impl Into<String>,
    ) {
        self.findings.error(path, End::Value, what, why, to_do);
    }

    /// Tells the flaw of the value at `path`, if there is one.
    fn hold(&mut self, path: &KeyPath, what: &str, judged: Result<(), Flaw>) -> Option<()> {
        judged.map_err(|Flaw { why, to_do }| self.error(path, what, why, to_do)).ok()
    }

    /// As [`Rules::hold`], for a value that may be left out.
    fn hold_given(
        &mut self,
        path: &KeyPath,
        what: &str,
        given: Option<&String>,
        judge: fn(&str) -> Result<(), Flaw>,
    ) -> Option<()> {
        given.map_or(Some(()), |text| self.hold(path, what, judge(text)))
    }

    /// A name that the file gives to a part of itself.
    fn own_name(&mut self, name: &str, path: &KeyPath) -> Option<()> {
        check_name(name)
            .map_err(|why| {
                self.findings.error(
                    path,
                    End::Key,
                    "this cannot be a name",
                    format_args!("{why}; names become parts of S3 keys and of command lines"),
                    "write for example `prod-eu` or `ghcr.io`",
                );
            })
            .ok()
    }

    /// The location that `given` names or, where nothing is given, the only one there is.
    fn location(&mut self, given: Option<&str>, path: &KeyPath) -> Option<LocationName> {
        let declared = self.location_names();
        match (given, declared.as_slice()) {
            (Some(name), _) => {
                self.refer("location", "locations", name, &declared, path)?;
                Some(LocationName::new(name))
            }
            (None, [only]) => Some(LocationName::new(*only)),
            // That none is declared is told where they would be.
            (None, []) => None,
            (None, _) => {
                self.error(
                    path,
                    "it is not said in which location this is",
                    "there are several locations, and none of them is the usual one",
                    format!("add `location:` with one of {}", quoted(&declared)),
                );
                None
            }
        }
    }

    /// A reference to a part of the file by the name that it has there.
    fn refer(
        &mut self,
        kind: &str,
        section: &str,
        name: &str,
        declared: &[&str],
        path: &KeyPath,
    ) -> Option<()> {
        if declared.contains(&name) {
            return Some(());
        }
        let to_do = match suggest::nearest(name, declared.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if declared.is_empty() => format!("add it below `{section}`"),
            None => format!("add it below `{section}`, or write one of {}", quoted(declared)),
        };
        // A text that could be no name is not shown: it may be anything.
        let shown = check_name(name).map_or_else(|_| String::new(), |()| format!(" `{name}`"));
        self.error(
            path,
            format!("there is no {kind}{shown}"),
            format!("`{section}` does not have it"),
            to_do,
        );
        None
    }

    fn span(&mut self, text: &str, path: &KeyPath, bounds: &Bounds) -> Option<Duration> {
        let Bounds { least, most, why } = bounds;
        let (least_text, most_text) = (span::format(*least), span::format(*most));
        match span::parse(text) {
            Ok(span) if span >= *least && span <= *most => Some(span),
            Ok(span) => {
                let side = if span < *least { "short" } else { "long" };
                self.error(
                    path,
                    format!("this span of time is too {side}"),
                    *why,
                    format!("write one from {least_text} to {most_text}"),
                );
                None
            }
            Err(flaw) => {
                self.error(
                    path,
                    "this is not a span of time",
                    flaw,
                    format!("write for example `{least_text}`"),
                );
                None
            }
        }
    }
}

/// `a`, `b`, `c`: the words a person can choose from.
fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
