//! Mends of lines. Each gives the whole text anew, or nothing where it has nothing to do.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use super::data::is_object;
use super::usable::usable_keys;
use crate::agent::auth::Entry;
use crate::agent::env_file::{ENGINE_AUTH_DATA, ENGINE_AUTH_TYPE, assignment};
use crate::agent::{AuthMap, AuthSetting, AuthType, EffectiveAuth, go_json};
use crate::document::{BYTE_ORDER_MARK, Document, Form};
use crate::formats::auth_data::compact;
use crate::lint::lines::{
    data_block, is_name, joined, last_lines, misnamed, settings, uncommented, unquoted,
};
use crate::lint::settings::{is_of_wrong_type, other};
use crate::secret::Secret;

fn is_ecs_config(document: &Document) -> bool {
    match document.form() {
        Form::EcsConfig => true,
        Form::DockerConfig | Form::AuthValue => false,
    }
}

pub(super) fn byte_order_mark(document: &Document) -> Option<Secret> {
    document.text().expose().strip_prefix(BYTE_ORDER_MARK).map(Secret::from)
}

pub(super) fn line_ends(document: &Document) -> Option<Secret> {
    let text = document.text().expose();
    let is_wanted = is_ecs_config(document) && text.contains('\r');
    // A CR at the very end is one of a line without its LF.
    is_wanted.then(|| Secret::new(text.trim_end_matches('\r').replace("\r\n", "\n")))
}

pub(super) fn carriage_returns(document: &Document) -> Option<Secret> {
    let text = document.text().expose();
    (is_ecs_config(document) && text.contains('\r')).then(|| Secret::new(text.replace('\r', "\n")))
}

/// Each line by what `rewrite` makes of it; `None` leaves it as it is.
fn each_line(document: &Document, mut rewrite: impl FnMut(usize, &str) -> Option<Secret>) -> Option<Secret> {
    if !is_ecs_config(document) {
        return None;
    }
    let text = document.text().expose();
    let mut is_changed = false;
    let mut mended = Zeroizing::new(String::with_capacity(2 * text.len()));
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let bare = line.trim_end_matches(['\r', '\n']);
        match rewrite(index + 1, bare) {
            None => mended.push_str(line),
            Some(new) => {
                is_changed = true;
                mended.push_str(new.expose());
                mended.push_str(&line[bare.len()..]);
            }
        }
    }
    is_changed.then(|| Secret::new(std::mem::take(&mut *mended)))
}

fn assign(name: &str, value: &str) -> Secret {
    Secret::new(format!("{name}={value}"))
}

/// A variable that is set by its right name somewhere keeps that value.
pub(super) fn names(document: &Document) -> Option<Secret> {
    let set: BTreeSet<&str> =
        settings(document.text().expose()).into_iter().map(|setting| setting.name).collect();
    each_line(document, |_, line| {
        let misnamed = misnamed(line)?;
        let name = misnamed.meant.filter(|name| !set.contains(name))?;
        Some(assign(name, misnamed.value))
    })
}

pub(super) fn quotes(document: &Document) -> Option<Secret> {
    let of_ecs = |name: &str| name.starts_with("ECS_") && is_name(name);
    if !is_ecs_config(document) {
        return unquoted_data(document.data()?.text);
    }
    each_line(document, |_, line| {
        let (name, value) = assignment(line).filter(|(name, _)| of_ecs(name))?;
        let inner = match name {
            ENGINE_AUTH_DATA => unquoted_data(value)?,
            _ => Secret::from(unquoted(value)?),
        };
        Some(assign(name, inner.expose()))
    })
}

/// The data without the quotes round it, and without the backslashes that a shell would have taken off.
fn unquoted_data(value: &str) -> Option<Secret> {
    let inner = unquoted(value)?;
    if is_object(inner) {
        return Some(Secret::from(inner));
    }
    let escaped = Secret::new(inner.replace("\\\"", "\"").replace("\\\\", "\\"));
    is_object(escaped.expose()).then_some(escaped)
}

pub(super) fn comments(document: &Document) -> Option<Secret> {
    each_line(document, |_, line| {
        let (name, value) = assignment(line).filter(|(name, _)| name.starts_with("ECS_") && is_name(name))?;
        Some(assign(name, uncommented(name, value)?))
    })
}

/// Data of several lines in one.
pub(super) fn one_line(document: &Document) -> Option<Secret> {
    if !is_ecs_config(document) {
        let data =
            document.data().filter(|data| document.form() == Form::AuthValue && data.text.contains('\n'))?;
        go_json::parse(data.text)?;
        return Some(compact(&Secret::from(data.text)));
    }
    let block = data_block(document)?;
    let value = compact(&Secret::from(joined(document)?));
    let text = document.text().expose();
    let mut mended =
        Zeroizing::new(String::with_capacity(text.len() + value.len() + ENGINE_AUTH_DATA.len() + 2));
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if index + 1 == block.start {
            mended.push_str(ENGINE_AUTH_DATA);
            mended.push('=');
            mended.push_str(value.expose());
            mended.push('\n');
        } else if !block.contains(&index) {
            mended.push_str(line);
        }
    }
    Some(Secret::new(std::mem::take(&mut *mended)))
}

/// Whether a later line takes the place of an earlier one that was worth nothing more. An empty or broken value at the end
/// may be the mistake, and the earlier one what was meant.
fn replaces(document: &Document, name: &str, later: &str, earlier: &str) -> bool {
    let is_blank = |value: &str| value.trim().is_empty();
    if is_blank(later) || is_blank(earlier) {
        return is_blank(earlier);
    }
    match name {
        ENGINE_AUTH_TYPE => later.parse::<AuthType>().is_ok() || earlier.parse::<AuthType>().is_err(),
        ENGINE_AUTH_DATA => {
            let keys = |data| usable_keys(document.auth_type(), data);
            let is_whole = is_object(earlier) || !keys(later).is_empty();
            is_whole && keys(earlier).is_subset(&keys(later))
        }
        _ => true,
    }
}

/// The file without the lines that a later one takes the place of.
pub(super) fn repeated(document: &Document) -> Option<Secret> {
    if !is_ecs_config(document) {
        return None;
    }
    let text = document.text().expose();
    let settings = settings(text);
    let last = last_lines(&settings);
    let values: BTreeMap<&str, &str> = settings.iter().map(|setting| (setting.name, setting.value)).collect();
    let gone: BTreeSet<usize> = settings
        .iter()
        .filter(|set| last[set.name] != set.line && replaces(document, set.name, values[set.name], set.value))
        .map(|set| set.line)
        .collect();
    if gone.is_empty() {
        return None;
    }
    let kept = text.split_inclusive('\n').enumerate().filter(|(index, _)| !gone.contains(&(index + 1)));
    Some(Secret::new(kept.map(|(_, line)| line).collect()))
}

pub(super) fn final_newline(document: &Document) -> Option<Secret> {
    let text = document.text().expose();
    let is_wanted = is_ecs_config(document) && !text.is_empty() && !text.ends_with('\n');
    is_wanted.then(|| Secret::new(format!("{text}\n")))
}

/// The file with this value of a variable, in place of its last line or behind all others.
pub(super) fn set(document: &Document, name: &str, value: &Secret) -> Option<Secret> {
    let text = document.text().expose();
    let last = settings(text).into_iter().rfind(|setting| setting.name == name).map(|setting| setting.line);
    if let Some(last) = last {
        return each_line(document, |number, _| (number == last).then(|| assign(name, value.expose())));
    }
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    Some(Secret::new(format!("{text}{end}{name}={}\n", value.expose())))
}

/// A type that is written in capitals or in quotes.
pub(super) fn known_type(document: &Document) -> Option<Secret> {
    let AuthSetting::Unknown(text) = document.auth().auth_type() else { return None };
    let plain = text.expose().trim_matches(['"', '\'', ' ', '\t']).to_ascii_lowercase();
    let auth_type: AuthType = plain.parse().ok()?;
    set(document, ENGINE_AUTH_TYPE, &Secret::from(auth_type.as_str()))
}

/// The type that data has which is a login under that one only.
pub(super) fn missing_type(document: &Document) -> Option<Secret> {
    let auth = document.auth();
    if !is_ecs_config(document) || *auth.auth_type() != AuthSetting::Off || auth.auth_data().is_empty() {
        return None;
    }
    let has_login = |auth_type: &AuthType| {
        let map = AuthMap::read(&EffectiveAuth::new(auth_type.as_str(), auth.auth_data().expose()));
        map.entries().iter().any(Entry::is_login)
    };
    let mut fitting = AuthType::ALL.into_iter().filter(has_login);
    let auth_type = fitting.next().filter(|_| fitting.next().is_none())?;
    set(document, ENGINE_AUTH_TYPE, &Secret::from(auth_type.as_str()))
}

pub(super) fn wrong_type(document: &Document) -> Option<Secret> {
    let auth_type = document.auth_type().filter(|_| is_of_wrong_type(document))?;
    set(document, ENGINE_AUTH_TYPE, &Secret::from(other(auth_type).as_str()))
}
