//! Rules about lines, and about the file as bytes.

use std::collections::BTreeMap;

use super::place::Place;
use super::{Findings, Rule};
use crate::agent::env_file::{
    CLUSTER, ENGINE_AUTH_DATA, ENGINE_AUTH_TYPE, MAX_VARIABLE_BYTES, assignment, misread,
};
use crate::agent::go_json::{parse, split_first};
use crate::agent::{AuthType, Misread, StartFault};
use crate::document::{BYTE_ORDER_MARK, Document, Form};

/// The names whose misspellings are looked for.
const KNOWN: [&str; 3] = [ENGINE_AUTH_TYPE, ENGINE_AUTH_DATA, CLUSTER];

/// The line of this many bytes is the first that `docker run --env-file` does not read: the buffer of Go's
/// `bufio.Scanner` (`pkg/kvfile/kvfile.go` of <https://github.com/docker/cli>).
const DOCKER_LINE_BYTES: usize = 65_536;

pub(super) fn check(findings: &mut Findings<'_>) {
    bytes(findings);
    if !findings.is_ecs_config() {
        return;
    }
    start_faults(findings);
    let block = data_block(findings.document);
    let text = findings.document.text().expose();
    for (index, line) in text.split('\n').enumerate() {
        let is_of_block = block.as_ref().is_some_and(|block| block.contains(&index));
        if !is_of_block {
            name(findings, index + 1, line);
        }
    }
    values(findings);
    repeated(findings);
    ending(findings);
}

/// What matters in every form of file.
fn bytes(findings: &mut Findings<'_>) {
    for &line in findings.document.foreign_lines() {
        findings.add(
            Rule::NotUtf8,
            Place::line(line),
            "the line is not UTF-8 text",
            "each byte that is none becomes U+FFFD on the way to the agent",
            "store the file as UTF-8 without a byte order mark",
        );
    }
    let text = findings.document.text().expose();
    let mut ends = (0, None);
    for (index, line) in text.split('\n').enumerate() {
        let at = Place::line(index + 1);
        if line.ends_with('\r') {
            ends = (ends.0 + 1, ends.1.or(Some(index + 1)));
        }
        match misread(line.as_bytes()) {
            Some(Misread::Nul { .. }) => findings.add(
                Rule::NulByte,
                at,
                "the line has a NUL byte",
                "no process can be started with one in its environment, so the agent is not",
                "remove it",
            ),
            Some(Misread::CarriageReturn { .. }) if findings.is_ecs_config() => findings.add(
                Rule::CarriageReturn,
                at,
                "the line has a carriage return inside",
                "only LF ends a line, so what follows is a part of this value; if that swallows \
                 ECS_ENGINE_AUTH_DATA, the agent writes it into its log",
                "end each line with LF",
            ),
            Some(Misread::ByteOrderMark) if index == 0 => byte_order_mark(findings),
            Some(Misread::CarriageReturn { .. } | Misread::ByteOrderMark | Misread::NotText { .. })
            | None => {}
        }
    }
    if !findings.is_ecs_config() && text.starts_with(BYTE_ORDER_MARK) {
        byte_order_mark(findings);
    }
    if let (count @ 1.., Some(first)) = ends
        && findings.is_ecs_config()
    {
        findings.add(
            Rule::Crlf,
            Place::line(first),
            format!("{count} of the lines end with CR LF"),
            "agents take the CR off; `docker run --env-file` takes it for a part of the value",
            "end each line with LF",
        );
    }
}

fn byte_order_mark(findings: &mut Findings<'_>) {
    let why = if findings.is_ecs_config() {
        "the mark becomes a part of the first variable's name, so that variable is not set"
    } else {
        "with the mark the data is no JSON, and the agent drops all of it"
    };
    findings.add(
        Rule::ByteOrderMark,
        Place::line(1),
        "the file begins with a byte order mark",
        why,
        "store the file as UTF-8 without a byte order mark",
    );
}

fn start_faults(findings: &mut Findings<'_>) {
    for fault in findings.document.environment().start_faults() {
        match fault {
            StartFault::TooLong { line, bytes } => findings.add(
                Rule::LineTooLong,
                Place::line(line),
                format!("the variable has {bytes} bytes"),
                "Linux starts no process with a variable of 131,072 bytes or more: the agent's container does not start",
                "take out entries that are not needed, or spread the registries over several files",
            ),
            StartFault::Nul { line } => {
                if !findings.has(Rule::NulByte) {
                    findings.add(
                        Rule::NulByte,
                        Place::line(line),
                        "the line has a NUL byte",
                        "no process can be started with one in its environment, so the agent is not",
                        "remove it",
                    );
                }
            }
            StartFault::NoName { line } => findings.add(
                Rule::NoName,
                Place::line(line),
                "the line begins with '='",
                "Docker creates no container with a variable without a name, so the agent does not start",
                "write the name before the '=', or remove the line",
            ),
            StartFault::TooMuch { bytes } => findings.add(
                Rule::EnvironmentTooLarge,
                Place::FILE,
                format!("all variables together take {bytes} bytes"),
                "Linux starts no process with more than 2 MiB, so the agent does not start",
                "remove what is not needed",
            ),
        }
    }
    let text = findings.document.text().expose();
    for (index, line) in text.split('\n').enumerate() {
        let at = Place::line(index + 1);
        let is_known =
            || findings.found.iter().any(|found| found.rule == Rule::LineTooLong && found.line == at.line);
        if line.len() >= DOCKER_LINE_BYTES && !is_known() {
            findings.add(
                Rule::LineTooLongForDocker,
                at,
                format!("the line has {} bytes", line.len()),
                "agents that ecs-init starts read it; `docker run --env-file` reads no line of 65,536 bytes or more, and \
                 does not start",
                "take out entries that are not needed, or spread the registries over several files",
            );
        }
    }
}

/// What a line's name should be, if it is not one that agents read; and why it is none.
pub(super) struct Misnamed<'a> {
    pub(super) rule: Rule,
    /// The name that was meant, where that can be told.
    pub(super) meant: Option<&'a str>,
    pub(super) value: &'a str,
}

/// What is wrong with the name of the variable that a line sets.
pub(super) fn misnamed(line: &str) -> Option<Misnamed<'_>> {
    let line = line.trim().trim_start_matches(BYTE_ORDER_MARK);
    let (name, value) = assignment(line)?;
    if name.is_empty() || is_comment(line) {
        return None;
    }
    let bare = name.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).map(str::trim);
    let trimmed = bare.unwrap_or_else(|| name.trim_end());
    let (rule, plain) = match bare {
        Some(bare) => (Rule::Export, bare),
        None if trimmed != name => (Rule::SpaceBeforeEquals, trimmed),
        None => match KNOWN.into_iter().find(|known| is_nearly(name, known)) {
            Some(known) => return Some(Misnamed { rule: Rule::MisspeltName, meant: Some(known), value }),
            None => (Rule::OddName, name),
        },
    };
    if rule == Rule::OddName && is_name(name) {
        return None;
    }
    let meant =
        KNOWN.into_iter().find(|known| is_nearly(plain, known)).or(Some(plain)).filter(|name| is_name(name));
    let rule = if meant.is_none() { Rule::OddName } else { rule };
    Some(Misnamed { rule, meant: meant.filter(|_| rule != Rule::OddName), value })
}

/// Whether a line means to set this variable, and fails to: then a rule about lines has said it.
pub(super) fn is_meant(document: &Document, name: &str) -> bool {
    document.form() == Form::EcsConfig
        && document.text().expose().split('\n').any(|line| {
            let bare = line.trim();
            let is_misnamed = misnamed(line).is_some_and(|misnamed| misnamed.meant == Some(name));
            let is_marked =
                bare.strip_prefix(BYTE_ORDER_MARK).and_then(assignment).is_some_and(|(set, _)| set == name);
            let is_swallowed =
                bare.contains('\r') && bare.split('\r').skip(1).any(|part| part.starts_with(name));
            is_misnamed || is_marked || is_swallowed
        })
}

fn is_nearly(name: &str, known: &str) -> bool {
    let letters = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
    };
    name != known && letters(name) == letters(known)
}

pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// systemd's comments; ecs-init has none, and passes such a line on under a name that nobody reads.
pub(super) fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with(['#', ';'])
}

/// The name of a variable as it may be shown: in a broken file it can be a part of a secret.
fn shown(name: Option<&str>) -> String {
    match name.filter(|name| KNOWN.contains(name) || (name.starts_with("ECS_") && is_name(name))) {
        Some(name) => name.to_owned(),
        None => "a variable".to_owned(),
    }
}

fn name(findings: &mut Findings<'_>, number: usize, line: &str) {
    let at = Place::line(number);
    let bare = line.trim().trim_start_matches(BYTE_ORDER_MARK);
    if bare.is_empty() || is_comment(bare) {
        return;
    }
    if assignment(bare).is_none() {
        findings.add(
            Rule::NoEquals,
            at,
            "the line has no '='",
            "ecs-init leaves it out; `docker run --env-file` passes on a variable of the caller's of that name",
            "write NAME=value, or make it a comment with '#'",
        );
        return;
    }
    let Some(Misnamed { rule, meant, value: _ }) = misnamed(line) else { return };
    let name = shown(meant);
    let (what, why, to_do) = match rule {
        Rule::Export => (
            format!("the line sets {name} after `export`"),
            "ecs-init takes `export` for a part of the name, so the variable is not set; systemd writes the whole line, \
             secret and all, into the journal",
            "write the line without `export`".to_owned(),
        ),
        Rule::SpaceBeforeEquals => (
            format!("the line sets {name} with white space before the '='"),
            "it becomes a part of the name, so the variable is not set; `docker run --env-file` refuses the whole file",
            "write the '=' right behind the name".to_owned(),
        ),
        Rule::MisspeltName => (
            format!("the line's name is nearly {name}"),
            "names are compared byte for byte, so the variable is not set",
            format!("write {name}"),
        ),
        _ => (
            "the name before the '=' is none that a variable has".to_owned(),
            "no agent reads it",
            "write NAME=value with a name of letters, digits and '_', or make the line a comment with '#'"
                .to_owned(),
        ),
    };
    findings.add(rule, at, what, why, to_do);
}

/// A variable that counts: the last line that sets it.
pub(super) struct Setting<'a> {
    pub(super) line: usize,
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

/// The lines that set a variable, in their order; those that nobody reads among them.
pub(super) fn settings(text: &str) -> Vec<Setting<'_>> {
    let lines = text.split('\n').enumerate();
    lines
        .filter_map(|(index, line)| {
            let (name, value) = assignment(line)?;
            is_name(name).then_some(Setting { line: index + 1, name, value })
        })
        .collect()
}

/// The last line that sets each variable: the one that counts.
pub(super) fn last_lines<'a>(settings: &[Setting<'a>]) -> BTreeMap<&'a str, usize> {
    settings.iter().map(|setting| (setting.name, setting.line)).collect()
}

/// The value inside of the quotes that it is written in.
pub(super) fn unquoted(value: &str) -> Option<&str> {
    let value = value.trim();
    ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
}

/// The value before a comment that is behind it.
pub(super) fn uncommented<'a>(name: &str, value: &'a str) -> Option<&'a str> {
    let cuts =
        value.match_indices(['#']).map(|(at, _)| &value[..at]).filter(|rest| rest.ends_with([' ', '\t']));
    let mut cuts = cuts.map(str::trim_end);
    match name {
        ENGINE_AUTH_DATA => {
            // A '#' can stand inside of the data, so each one tried would take the square of their number.
            let (json, behind) = split_first(value)?;
            let space = behind.split('#').next().filter(|space| space.len() < behind.len())?;
            (space.ends_with([' ', '\t']) && space.trim().is_empty()).then_some(json)
        }
        ENGINE_AUTH_TYPE => cuts.find(|rest| rest.parse::<AuthType>().is_ok()),
        _ if value.trim_start().starts_with(['{', '[', '"', '\'']) => None,
        _ => cuts.next(),
    }
}

fn values(findings: &mut Findings<'_>) {
    let text = findings.document.text().expose();
    let settings = settings(text);
    let last = last_lines(&settings);
    for Setting { line, name, value } in &settings {
        if last[name] != *line || !name.starts_with("ECS_") {
            continue;
        }
        let at = Place::of(findings.document, find(findings.document, *line, value));
        // Whether the quotes of the data do harm is for the rules of the data to say.
        if *name != ENGINE_AUTH_DATA && unquoted(value).is_some() {
            findings.add(
                Rule::QuotedValue,
                at,
                format!("the value of {name} is in quotes"),
                "the agent takes the quotes for a part of it",
                "write it without quotes",
            );
        } else if uncommented(name, value).is_some() {
            findings.add(
                Rule::InlineComment,
                at,
                format!("the value of {name} has a comment behind it"),
                "only a '#' at the beginning of a line makes a comment: the agent takes this one for a part of the value",
                "write the comment into a line of its own",
            );
        } else if value.ends_with('\\') {
            findings.add(
                Rule::Continuation,
                at,
                format!("the value of {name} ends with a backslash"),
                "ecs-init continues no line: the backslash is a part of the value, and the next line stands by itself",
                "write the value in one line",
            );
        }
    }
}

/// The same value, cut out of the document's own text.
fn find<'a>(document: &'a Document, number: usize, value: &str) -> &'a str {
    let line = document.text().expose().split('\n').nth(number - 1).unwrap_or_default();
    line.find('=').and_then(|at| line[at..].find(value).map(|skip| &line[at + skip..])).unwrap_or(line)
}

fn repeated(findings: &mut Findings<'_>) {
    let text = findings.document.text().expose();
    let settings = settings(text);
    let last = last_lines(&settings);
    for Setting { line, name, value: _ } in &settings {
        let later = last[name];
        if later != *line {
            findings.add(
                Rule::RepeatedVariable,
                Place::line(*line),
                format!("line {later} sets {} again", shown(Some(name))),
                "only the last line counts: this one is read by nobody, and may hold an old secret",
                "remove this line, or the later one where this is the right one",
            );
        }
    }
}

fn ending(findings: &mut Findings<'_>) {
    let text = findings.document.text().expose();
    if !text.is_empty() && !text.ends_with('\n') {
        findings.add(
            Rule::NoFinalNewline,
            Place::line(text.matches('\n').count() + 1),
            "the last line has no end",
            "agents read it; but what is appended to the file, by user data say, is glued to this line and lost with it",
            "end the file with a line break",
        );
    }
    let environment = findings.document.environment();
    let is_auth = |name: &str| {
        [ENGINE_AUTH_TYPE, ENGINE_AUTH_DATA].iter().any(|auth| *auth == name || is_nearly(name, auth))
    };
    let is_whole = settings(text).iter().any(|setting| !is_auth(setting.name));
    let names_cluster = environment.get(CLUSTER).is_some_and(|value| !value.expose().trim().is_empty());
    if is_whole && !names_cluster {
        findings.add(
            Rule::NoCluster,
            Place::FILE,
            "no line sets ECS_CLUSTER",
            "an agent with this file and no other joins the cluster `default`; one that was in another before ends, and is \
             not started again",
            "add ECS_CLUSTER=…, unless user data appends it",
        );
    }
}

/// The lines (counted from 0) behind the one that sets the data that belong to it as well: with them, and not without, it
/// is JSON.
pub(super) fn data_block(document: &Document) -> Option<std::ops::Range<usize>> {
    if document.form() != Form::EcsConfig {
        return None;
    }
    let text = document.text().expose();
    let data = document.data()?;
    if parse(data.text).is_some() || !data.text.starts_with('{') {
        return None;
    }
    let rest = &text[data.start..];
    // Read once, whatever its lines are: each one tried as the last would take the square of their number.
    let (value, behind) = split_first(rest)?;
    let count = value.matches('\n').count();
    let is_whole_line = behind.split('\n').next().unwrap_or_default().trim().is_empty();
    // No agent can be started with more.
    if count == 0 || !is_whole_line || value.len() >= MAX_VARIABLE_BYTES {
        return None;
    }
    let first = text[..data.start].matches('\n').count() + 1;
    Some(first..first + count)
}

/// The data with the lines that belong to it.
pub(super) fn joined(document: &Document) -> Option<&str> {
    let block = data_block(document)?;
    let text = document.text().expose();
    let start = document.data()?.start;
    let lines = block.len() + 1;
    let length: usize = text[start..].split_inclusive('\n').take(lines).map(str::len).sum();
    Some(text[start..start + length].trim_end())
}
