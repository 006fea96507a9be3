//! The file's own structure, with the place of every key and value: what a message has to point at.
//!
//! Values are read by serde from the same text. What is kept of a scalar here is what it could be taken for, and its
//! text in a redacting type: a password may stand where none belongs.

use std::collections::HashMap;
use std::fmt;

use regcred_core::secret::Secret;
use serde::Serialize;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::problem::{End, KeyPath, Problem, Segment, Severity};

/// A place in the file; both numbers begin at 1, columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, schemars::JsonSchema, Serialize)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A value of the file.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: Position,
    pub(crate) value: Node,
}

#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    pub(crate) kind: ScalarKind,
    text: Secret,
}

/// What a scalar can be taken for besides a string, by YAML 1.2's core schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScalarKind {
    Null,
    Boolean,
    Integer,
    Text,
}

impl Scalar {
    fn new(text: &str, style: ScalarStyle) -> Self {
        let kind = match text {
            _ if style != ScalarStyle::Plain => ScalarKind::Text,
            "" | "~" | "null" | "Null" | "NULL" => ScalarKind::Null,
            "true" | "false" => ScalarKind::Boolean,
            digits if digits.bytes().all(|b| b.is_ascii_digit()) => ScalarKind::Integer,
            _ => ScalarKind::Text,
        };
        Self { kind, text: Secret::from(text) }
    }

    /// Whether it is one of the words that a key allows.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.text.expose() == word
    }

    /// How many edits turn it into `word`; tells nothing else of it.
    pub(crate) fn distance_to(&self, word: &str) -> usize {
        super::suggest::distance(self.text.expose(), word)
    }
}

impl Node {
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.kind == ScalarKind::Null)
    }

    pub(crate) fn is_scalar(&self) -> bool {
        matches!(self.value, Value::Scalar(_))
    }

    /// Where the value of `path` is, or its key; where it is not written, the place of what encloses it.
    pub(crate) fn locate(&self, path: &KeyPath, end: End) -> Position {
        let mut node = self;
        let mut at = self.at;
        for segment in path.segments() {
            match (segment, &node.value) {
                (Segment::Key(key), Value::Mapping(entries)) => {
                    let Some(entry) = entries.iter().find(|entry| entry.key == *key) else { break };
                    node = &entry.value;
                    at = match end {
                        End::Key => entry.key_at,
                        End::Value => node.at,
                    };
                }
                (Segment::Index(index), Value::Sequence(items)) => {
                    let Some(item) = items.get(*index) else { break };
                    node = item;
                    at = item.at;
                }
                (Segment::Key(_) | Segment::Index(_), _) => break,
            }
        }
        at
    }

    /// The path of the innermost value that begins at or before `position`: what a reader stumbled over there.
    pub(crate) fn path_at(&self, position: Position) -> KeyPath {
        let mut path = KeyPath::default();
        let mut node = self;
        loop {
            let step = match &node.value {
                Value::Scalar(_) => None,
                Value::Mapping(entries) => entries
                    .iter()
                    .filter(|entry| entry.key_at <= position)
                    .max_by_key(|entry| entry.key_at)
                    .map(|entry| (path.key(&entry.key), &entry.value)),
                Value::Sequence(items) => items
                    .iter()
                    .enumerate()
                    .filter(|(_, item)| item.at <= position)
                    .max_by_key(|(_, item)| item.at)
                    .map(|(index, item)| (path.index(index), item)),
            };
            match step {
                Some((longer, inner)) => (path, node) = (longer, inner),
                None => return path,
            }
        }
    }
}

/// How deep a configuration may nest. The deepest key is at 5; a file of brackets alone must not exhaust the stack.
const MAX_DEPTH: usize = 16;

/// How many values a configuration may hold, aliases expanded: an alias of an alias of an alias is no configuration.
const MAX_NODES: usize = 100_000;

/// Reads the structure of `text`. A flaw of syntax ends it; keys that are written twice, tags and the like are told
/// beside the tree, which then holds the first of them.
pub(crate) fn read(text: &str) -> Result<(Node, Vec<Problem>), Box<Problem>> {
    let mut reader =
        Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0, problems: vec![] };
    let node = reader.document()?;
    Ok((node, reader.problems))
}

struct Reader<'input> {
    parser: Parser<'input, serde_saphyr::granit_parser::StrInput<'input>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    problems: Vec<Problem>,
}

impl<'input> Reader<'input> {
    fn document(&mut self) -> Result<Node, Box<Problem>> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(Box::new(problem(
                        position(span),
                        &KeyPath::default(),
                        "there is a second document in the file",
                        "a configuration is one document, and the rest would be ignored",
                        "remove the line `---` and what follows it, or put it into a file of its own",
                    )));
                }
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => root = Some(self.node(event, span, &KeyPath::default(), 0)?),
            }
        }
        root.filter(|root| !root.is_null()).ok_or_else(|| {
            Box::new(problem(
                Position { line: 1, column: 1 },
                &KeyPath::default(),
                "the file is empty",
                "a configuration has at least the keys `state` and `registries`",
                "start from config/minimal.yaml of regcred",
            ))
        })
    }

    /// The next event that is not a comment.
    fn next(&mut self) -> Result<(Event<'input>, Span), Box<Problem>> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(Box::new(syntax(&error))),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(
        &mut self,
        event: Event<'_>,
        span: Span,
        path: &KeyPath,
        depth: usize,
    ) -> Result<Node, Box<Problem>> {
        let at = position(span);
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(Box::new(problem(
                at,
                path,
                "the file nests too deeply or repeats itself too often",
                "no key of a configuration lies that deep, and a reader must not run out of memory",
                "remove what is nested here",
            )));
        }
        if event.tag().is_some() {
            self.problems.push(problem(
                at,
                path,
                "there is a tag, a word that begins with `!`",
                "no key of a configuration needs one",
                "remove the tag; put the value into quotes if it begins with `!`",
            ));
        }
        let anchor = event.anchor_id();
        let value = match event {
            Event::Scalar(text, style, ..) => Value::Scalar(Scalar::new(&text, style)),
            Event::SequenceStart(..) => Value::Sequence(self.items(path, depth)?),
            Event::MappingStart(..) => Value::Mapping(self.entries(path, depth)?),
            Event::Alias(id) => {
                let target = self.anchors.get(&id).cloned();
                let Some(Node { value, .. }) = target else {
                    return Err(Box::new(problem(
                        at,
                        path,
                        "an alias stands inside of what it repeats",
                        "what repeats itself never ends",
                        "write the values out",
                    )));
                };
                self.nodes += count(&value);
                value
            }
            // The parser gives no other event where a value begins.
            _ => Value::Scalar(Scalar::new("", ScalarStyle::Plain)),
        };
        let node = Node { at, value };
        if let Some(id) = anchor {
            self.anchors.insert(id, node.clone());
        }
        Ok(node)
    }

    fn items(&mut self, path: &KeyPath, depth: usize) -> Result<Vec<Node>, Box<Problem>> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, &path.index(items.len()), depth + 1)?),
            }
        }
    }

    fn entries(&mut self, path: &KeyPath, depth: usize) -> Result<Vec<Entry>, Box<Problem>> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let key_at = position(span);
            let Event::Scalar(key, ..) = &event else {
                return Err(Box::new(problem(
                    key_at,
                    path,
                    "a key is not a word",
                    "only words can be keys here; a list, a map or an alias cannot",
                    "write the key as a word; put a value that begins with `{`, `[` or `*` into quotes",
                )));
            };
            let key = key.to_string();
            let inner = path.key(&key);
            let (event, span) = self.next()?;
            let value = self.node(event, span, &inner, depth + 1)?;
            match entries.iter().find(|entry| entry.key == key) {
                Some(first) => self.problems.push(problem(
                    key_at,
                    &inner,
                    "this key is written twice",
                    &format!(
                        "it already stands in line {}, and only one of them can hold",
                        first.key_at.line
                    ),
                    "remove one of the two",
                )),
                None => entries.push(Entry { key, key_at, value }),
            }
        }
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Scalar(_) => 1,
        Value::Sequence(items) => items.iter().map(|item| 1 + count(&item.value)).sum(),
        Value::Mapping(entries) => entries.iter().map(|entry| 1 + count(&entry.value.value)).sum(),
    }
}

fn position(span: Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}

fn problem(at: Position, path: &KeyPath, what: &str, why: &str, to_do: &str) -> Problem {
    Problem {
        severity: Severity::Error,
        at: Some(at),
        path: path.clone(),
        what: what.to_owned(),
        why: why.to_owned(),
        to_do: to_do.to_owned(),
    }
}

/// The parser's own sentence, which names the rule of YAML that was broken and quotes nothing of the file.
fn syntax(error: &ScanError) -> Problem {
    let at = Position { line: error.marker().line(), column: error.marker().col() + 1 };
    problem(
        at,
        &KeyPath::default(),
        "this is not YAML",
        &error.kind().to_string(),
        "look at this line and the one before it: an indentation, a quote, or a bracket",
    )
}
