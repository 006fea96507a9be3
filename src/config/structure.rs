//! Holds the file's structure against the schema: every unknown and missing key and every value of the wrong kind, all
//! at once, each where it is.
//!
//! The schema is the one that `regcred schema` prints, made of [`super::raw`]; so what an editor tells while the file
//! is written and what regcred tells afterwards cannot differ. (serde alone stops at the first flaw.)

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value as Json};

use super::problem::{End, Findings, KeyPath};
use super::suggest;
use super::tree::{Entry, Node, ScalarKind, Value};

/// Whether the rest of the configuration can be read in spite of what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readable {
    /// There are unknown keys at most, and they can be skipped.
    Yes,
    /// A key is missing or a value is of the wrong kind: what else is wrong cannot be told yet.
    No,
}

/// The JSON Schema of the configuration file.
pub(crate) fn schema() -> &'static Json {
    static SCHEMA: LazyLock<Json> = LazyLock::new(|| schemars::schema_for!(super::raw::Config).to_value());
    &SCHEMA
}

/// Tells `findings` what of `tree` the schema does not allow.
pub(crate) fn hold_against_schema(tree: &Node, findings: &mut Findings<'_>) -> Readable {
    let mut check = Check { findings, readable: Readable::Yes };
    check.value(tree, schema(), &KeyPath::default());
    check.readable
}

struct Check<'f, 't> {
    findings: &'f mut Findings<'t>,
    readable: Readable,
}

impl Check<'_, '_> {
    fn value(&mut self, node: &Node, schema: &Json, path: &KeyPath) {
        let schema = follow(schema);
        if let Some(options) = alternatives(schema, "anyOf") {
            // An optional map: schemars writes it as the map or null.
            if !node.is_null()
                && let Some(option) = options.iter().find(|option| !kinds(option).contains(&"null"))
            {
                self.value(node, option, path);
            }
            return;
        }
        if let Some(options) = alternatives(schema, "oneOf") {
            let words: Option<Vec<_>> = options.iter().map(|option| option.get("const")?.as_str()).collect();
            match words {
                Some(words) => self.word(node, &words, path),
                None => self.variant(node, options, path),
            }
            return;
        }
        let kinds = kinds(schema);
        match &node.value {
            Value::Mapping(entries) if kinds.contains(&"object") => self.entries(entries, schema, path),
            Value::Sequence(items) if kinds.contains(&"array") => {
                for (index, item) in items.iter().enumerate() {
                    self.value(item, &schema["items"], &path.index(index));
                }
            }
            Value::Scalar(scalar) if fits(scalar.kind, &kinds) => {}
            Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) => self.wrong_kind(node, schema, path),
        }
    }

    /// A map: with the keys that the schema lists, or with keys of a person's own choice.
    fn entries(&mut self, entries: &[Entry], schema: &Json, path: &KeyPath) {
        let Some(properties) = schema.get("properties").and_then(Json::as_object) else {
            for entry in entries {
                self.value(&entry.value, &schema["additionalProperties"], &path.key(&entry.key));
            }
            return;
        };
        let known: Vec<&str> = properties.keys().map(String::as_str).collect();
        let mut meant = Vec::new();
        for entry in entries {
            match properties.get(&entry.key) {
                Some(property) => self.value(&entry.value, property, &path.key(&entry.key)),
                None => meant.extend(self.unknown_key(entry, &known, path)),
            }
        }
        for key in required(schema).filter(|key| entries.iter().all(|entry| entry.key != *key)) {
            self.readable = Readable::No;
            if meant.contains(&key) {
                continue;
            }
            self.findings.error(
                path,
                End::Value,
                format!("the key `{key}` is missing"),
                first_sentence(&properties[key]),
                format!("add `{key}:` here"),
            );
        }
    }

    /// A map with exactly one of several keys.
    fn variant(&mut self, node: &Node, options: &[Json], path: &KeyPath) {
        let properties: BTreeMap<&str, &Json> = options
            .iter()
            .filter_map(|option| option.get("properties")?.as_object())
            .flatten()
            .map(|(key, property)| (key.as_str(), property))
            .collect();
        let known: Vec<&str> = properties.keys().copied().collect();
        let Value::Mapping(entries) = &node.value else {
            self.readable = Readable::No;
            self.findings.error(
                path,
                End::Value,
                "a map with one key is needed here",
                format_args!("here is {}, and a secret is never a value of the configuration", kind_of(node)),
                format!("write one of {} below it", list(&known)),
            );
            return;
        };
        for entry in entries {
            match properties.get(entry.key.as_str()) {
                Some(property) => self.value(&entry.value, property, &path.key(&entry.key)),
                None => drop(self.unknown_key(entry, &known, path)),
            }
        }
        let given = entries.iter().filter(|entry| properties.contains_key(entry.key.as_str())).count();
        if given != 1 || entries.len() != 1 {
            self.readable = Readable::No;
        }
        if given != 1 && (given > 1 || entries.is_empty()) {
            self.findings.error(
                path,
                End::Value,
                format!("exactly one of {} is needed here", list(&known)),
                if given == 0 { "here is none" } else { "here are several, and which one holds is not said" },
                if given == 0 { "add one of them" } else { "remove all but one" },
            );
        }
    }

    /// One of several words.
    fn word(&mut self, node: &Node, words: &[&str], path: &KeyPath) {
        let scalar = match &node.value {
            Value::Scalar(scalar) if words.iter().any(|word| scalar.is(word)) => return,
            Value::Scalar(scalar) => Some(scalar),
            Value::Sequence(_) | Value::Mapping(_) => None,
        };
        self.readable = Readable::No;
        let meant =
            scalar.and_then(|scalar| suggest::nearest_by(words.iter().copied(), |w| scalar.distance_to(w)));
        self.findings.error(
            path,
            End::Value,
            format!("one of {} is needed here", list(words)),
            if node.is_null() { "here is nothing" } else { "here is something else" },
            meant.map_or_else(|| "write one of them".to_owned(), |meant| format!("did you mean `{meant}`?")),
        );
    }

    /// Tells of a key that is not known, and returns the one that was probably meant.
    fn unknown_key<'k>(&mut self, entry: &Entry, known: &[&'k str], path: &KeyPath) -> Option<&'k str> {
        let path = path.key(&entry.key);
        let glued = entry.key.split_once(':').and_then(|(key, _)| known.iter().find(|known| **known == key));
        let meant = glued.copied().or_else(|| suggest::nearest(&entry.key, known.iter().copied()));
        if let Some(key) = glued {
            self.findings.error(
                &path,
                End::Key,
                format!("there is no space behind `{key}:`"),
                "without one, YAML takes all of it for the name of a key",
                format!("write `{key}: …`"),
            );
            return meant;
        }
        if entry.key == "<<" {
            self.findings.error(
                &path,
                End::Key,
                "merge keys are not expanded",
                "what a key of the configuration holds has to be readable where it stands",
                "write the keys out, or repeat a whole value with an alias",
            );
        } else if looks_secret(&entry.key) && entry.value.is_scalar() {
            self.secret_as_value(&path, End::Key);
        } else {
            self.findings.error(
                &path,
                End::Key,
                "this key is not known",
                format_args!("the keys here are {}", list(known)),
                meant.map_or_else(|| "remove it".to_owned(), |meant| format!("did you mean `{meant}`?")),
            );
        }
        meant
    }

    fn secret_as_value(&mut self, path: &KeyPath, end: End) {
        self.findings.error(
            path,
            end,
            "a secret is never a value of the configuration",
            "this file is kept, copied and reviewed; a registry only names the source that holds its secret",
            "remove it, and name a source: `source: { env: { username: HARBOR_USER, password: HARBOR_PASSWORD } }`",
        );
    }

    fn wrong_kind(&mut self, node: &Node, schema: &Json, path: &KeyPath) {
        self.readable = Readable::No;
        let kinds = kinds(schema);
        if kinds.contains(&"object")
            && node.is_scalar()
            && !node.is_null()
            && path.last_key().is_some_and(looks_secret)
        {
            return self.secret_as_value(path, End::Key);
        }
        let (needed, to_do) = match kinds.first() {
            Some(&"object") => ("a map is needed here", below(schema)),
            Some(&"array") => {
                ("a list is needed here", "write `[a, b]`, or `- a` on a line of its own for each".into())
            }
            Some(&"boolean") => ("true or false is needed here", "write `true` or `false`".into()),
            Some(&"integer") => ("a whole number is needed here", "write it in digits, such as `2`".into()),
            Some(_) | None => {
                ("a single value is needed here", "write one value, or remove the key".to_owned())
            }
        };
        self.findings.error(path, End::Value, needed, format_args!("here is {}", kind_of(node)), to_do);
    }
}

/// What `schema` refers to, or itself.
pub(super) fn follow(schema: &Json) -> &Json {
    let target = schema
        .get("$ref")
        .and_then(Json::as_str)
        .and_then(|pointer| self::schema().pointer(pointer.strip_prefix('#')?));
    target.unwrap_or(schema)
}

fn alternatives<'s>(schema: &'s Json, keyword: &str) -> Option<&'s Vec<Json>> {
    schema.get(keyword)?.as_array()
}

fn kinds(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(kind)) => vec![kind],
        Some(Json::Array(kinds)) => kinds.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

/// As the deserializer takes it: whatever is written can be a text, but nothing is not.
fn fits(kind: ScalarKind, kinds: &[&str]) -> bool {
    match kind {
        ScalarKind::Null => kinds.contains(&"null"),
        ScalarKind::Boolean => kinds.contains(&"boolean") || kinds.contains(&"string"),
        ScalarKind::Integer => kinds.contains(&"integer") || kinds.contains(&"string"),
        ScalarKind::Text => kinds.contains(&"string"),
    }
}

fn required(schema: &Json) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
}

fn first_sentence(schema: &Json) -> String {
    let description = schema.get("description").and_then(Json::as_str).unwrap_or_default().replace('\n', " ");
    match description.split_once(". ") {
        Some((first, _)) => first.to_owned(),
        None => description.trim_end_matches('.').to_owned(),
    }
}

fn below(schema: &Json) -> String {
    let mut keys: Vec<&str> = required(schema).collect();
    if keys.is_empty() {
        keys = schema
            .get("properties")
            .and_then(Json::as_object)
            .into_iter()
            .flat_map(Map::keys)
            .map(|k| &**k)
            .collect();
    }
    if keys.is_empty() {
        return "write `name: …` below it for each".to_owned();
    }
    format!("write its keys below it, such as {}", list(&keys))
}

fn kind_of(node: &Node) -> &'static str {
    match &node.value {
        Value::Scalar(_) if node.is_null() => "nothing",
        Value::Scalar(_) => "a single value",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a map",
    }
}

/// `a`, `b` and `c`.
fn list(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => "none".to_owned(),
    }
}

/// Whether a person would keep a secret under a key of this name.
fn looks_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    [
        "passw",
        "passphrase",
        "pwd",
        "token",
        "secret",
        "credential",
        "apikey",
        "api_key",
        "api-key",
        "auth",
        "private",
    ]
    .iter()
    .any(|hint| key.contains(hint))
}
