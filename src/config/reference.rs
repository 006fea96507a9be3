//! Holds the reference in docs/CONFIG.md and config/full.yaml against the schema, so that neither can lag behind.

use std::fmt::Write;

use serde_json::{Map, Value as Json};

use super::structure::{follow, schema};

/// Everything below this line of docs/CONFIG.md is made by [`reference`].
const MARKER: &str =
    "<!-- From here on made of the schema; change src/config/raw.rs and run the tests with BLESS=1. -->\n";

/// A section of the reference for each map, with a table of its keys.
fn reference() -> String {
    let mut text = String::new();
    section(schema(), "", &mut text);
    text
}

fn section(map: &Json, path: &str, text: &mut String) {
    let heading = if path.is_empty() { "the top of the file".to_owned() } else { format!("`{path}`") };
    write!(text, "\n## {heading}\n\n{}\n\n", description(map)).unwrap();
    text.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
    let keys = keys(map);
    for (key, property, required) in &keys {
        let default = match property.get("default") {
            _ if *required => "required".to_owned(),
            Some(Json::Object(none)) if none.is_empty() => "none".to_owned(),
            Some(Json::String(word)) => format!("`{word}`"),
            Some(value) => format!("`{value}`"),
            None => "none".to_owned(),
        };
        writeln!(text, "| `{key}` | {} | {default} | {} |", kind(property), description(property)).unwrap();
    }
    for (key, property, _) in keys {
        let path = if path.is_empty() { key } else { format!("{path}.{key}") };
        let inner = inner(property);
        if has_keys(inner) {
            section(inner, &path, text);
        } else if let Some(named) =
            inner.get("additionalProperties").map(follow).filter(|named| has_keys(named))
        {
            section(named, &format!("{path}.NAME"), text);
        }
    }
}

/// The keys of a map: the required ones first, each part in the order of the alphabet.
fn keys(map: &Json) -> Vec<(String, &Json, bool)> {
    let variants = map.get("oneOf").and_then(Json::as_array);
    let objects: Vec<&Json> = variants.map_or_else(|| vec![map], |variants| variants.iter().collect());
    let mut keys: Vec<_> = objects
        .into_iter()
        .flat_map(|object| {
            let required = object.get("required").and_then(Json::as_array).cloned().unwrap_or_default();
            let properties = object.get("properties").and_then(Json::as_object).into_iter().flatten();
            // Of several variants none is required.
            properties.map(move |(key, property)| {
                let required = variants.is_none() && required.iter().any(|name| name == key.as_str());
                (key.clone(), property, required)
            })
        })
        .collect();
    keys.sort_by_key(|(key, _, required)| (!required, key.clone()));
    keys
}

/// What a property is when it is there.
fn inner(property: &Json) -> &Json {
    let optional = property.get("anyOf").and_then(Json::as_array).and_then(|options| options.first());
    follow(optional.unwrap_or(property))
}

fn has_keys(schema: &Json) -> bool {
    !keys(schema).is_empty()
}

fn description(schema: &Json) -> String {
    let own = schema.get("description").or_else(|| follow(schema).get("description"));
    let text = own.and_then(Json::as_str).expect("every type and field has a doc comment");
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn kind(property: &Json) -> String {
    let schema = inner(property);
    if let Some(words) = schema.get("oneOf").and_then(Json::as_array)
        && words.iter().all(|word| word.get("const").is_some())
    {
        return words
            .iter()
            .map(|word| format!("`{}`", word["const"].as_str().unwrap()))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    let kinds = match schema.get("type") {
        Some(Json::Array(kinds)) => kinds[0].as_str(),
        kind => kind.and_then(Json::as_str),
    };
    let pattern = schema.get("pattern").and_then(Json::as_str).unwrap_or_default();
    match kinds {
        Some("array") => "list of texts",
        Some("boolean") => "`true` or `false`",
        Some("integer") => "number",
        Some("string") if pattern.contains("ms") => "span of time",
        Some("string") if pattern.contains('%') => "number or percentage",
        Some("string") => "text",
        _ if has_keys(schema) => "map",
        _ if schema["additionalProperties"]["type"] == "string" => "map of texts",
        _ if schema["additionalProperties"]["type"] == "array" => "map of lists of texts",
        _ => "map of maps by name",
    }
    .to_owned()
}

#[test]
fn the_reference_is_made_of_the_schema() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFIG.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (prose, _) = page.split_once(MARKER).expect("docs/CONFIG.md has the marker");
    let made = format!("{prose}{MARKER}{}", reference());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    assert!(
        page == made,
        "docs/CONFIG.md lags behind the schema: run this test with BLESS=1 and look at the difference"
    );
}

#[test]
fn the_full_example_has_every_key() {
    let full = include_str!("../../config/full.yaml");
    let written = |key: &str| {
        full.lines()
            .any(|line| line.split(['{', ',']).any(|part| part.trim_start().starts_with(&format!("{key}:"))))
    };
    let definitions = schema()["$defs"].as_object().unwrap();
    let mut count = 0;
    for map in definitions.values().chain([schema()]) {
        for (key, _, _) in keys(map) {
            assert!(written(&key), "config/full.yaml does not show `{key}`");
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}

#[test]
fn the_defaults_that_the_full_example_tells_are_the_schemas() {
    let full = include_str!("../../config/full.yaml");
    let definitions: &Map<String, Json> = schema()["$defs"].as_object().unwrap();
    for map in definitions.values() {
        for (key, property, _) in keys(map) {
            let default = match property.get("default") {
                Some(Json::String(word)) => word.clone(),
                Some(value @ (Json::Bool(_) | Json::Number(_))) => value.to_string(),
                Some(_) | None => continue,
            };
            let told = full.lines().any(|line| {
                let (code, comment) = line.split_once('#').unwrap_or((line, ""));
                code.trim_start().starts_with(&format!("{key}:"))
                    && comment.trim_start().starts_with(&default)
            });
            assert!(told, "config/full.yaml does not tell that `{key}` is `{default}` by default");
        }
    }
}

#[test]
fn every_variable_that_regcred_reads_is_in_the_reference() {
    let page = include_str!("../../docs/CONFIG.md");
    let names: Vec<&str> = include_str!("env.rs")
        .lines()
        .filter_map(|line| {
            line.strip_prefix("pub(crate) const ")?.split_once(": &str = \"")?.1.strip_suffix("\";")
        })
        .collect();
    assert!(names.contains(&super::env::CONFIG), "{names:?}");
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "docs/CONFIG.md does not tell of {name}");
    }
}
