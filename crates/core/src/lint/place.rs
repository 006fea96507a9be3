//! Where in a file something stands.

use std::collections::BTreeMap;

use crate::agent::go_json::{self, Value, unquote};
use crate::document::{Document, Form, OF_DOCKER_CONFIG, offset};

/// A line, and a column in it, each counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: Option<usize>,
    pub(super) column: Option<usize>,
}

impl Place {
    /// The file as a whole.
    pub(super) const FILE: Self = Self { line: None, column: None };

    pub(super) fn line(line: usize) -> Self {
        Self { line: Some(line), column: None }
    }

    /// Where the byte `at` of `text` stands.
    pub(super) fn of_byte(text: &str, at: usize) -> Self {
        let before = &text[..text.floor_char_boundary(at)];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Self {
            line: Some(before.matches('\n').count() + 1),
            column: Some(before[line_start..].chars().count() + 1),
        }
    }

    /// Where `part` of the document's text begins.
    pub(super) fn of(document: &Document, part: &str) -> Self {
        let text = document.text().expose();
        Self::of_byte(text, offset(text, part))
    }

    /// Where the data stands, if there is any.
    pub(super) fn of_data(document: &Document) -> Self {
        document.data().map_or(Self::FILE, |data| Self::of_byte(document.text().expose(), data.start))
    }
}

/// Finds places one behind the other, so that a line of thousands of entries is not counted anew for each.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    column: usize,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1, column: 1 }
    }

    /// Where the character that begins at byte `at` stands. Not before the one that was asked for last.
    fn place(&mut self, at: usize) -> Place {
        let skipped = &self.text[self.at..at];
        match skipped.rfind('\n') {
            Some(end) => {
                self.line += skipped.matches('\n').count();
                self.column = skipped[end + 1..].chars().count() + 1;
            }
            None => self.column += skipped.chars().count(),
        }
        self.at = at;
        Place { line: Some(self.line), column: Some(self.column) }
    }
}

/// The entries of the data as they are written: key and value.
pub(super) struct Written<'a> {
    /// With its quotes.
    pub(super) name: &'a str,
    pub(super) value: Value<'a>,
}

impl Written<'_> {
    pub(super) fn key(&self) -> String {
        unquote(self.name)
    }
}

fn named(value: Value<'_>) -> Vec<(&str, Value<'_>)> {
    value.named_members().unwrap_or_default()
}

/// The entries of a document's data, in their order, also where an agent would drop them all; none of Docker's own
/// settings where the file is Docker's.
pub(super) fn written(document: &Document) -> Vec<Written<'_>> {
    let Some(data) = document.data() else { return Vec::new() };
    let Some(top) = go_json::parse(data.text) else { return Vec::new() };
    let entries = match document.form() {
        Form::EcsConfig | Form::AuthValue => named(top),
        Form::DockerConfig => named(top)
            .into_iter()
            .filter(|(name, _)| unquote(name) == OF_DOCKER_CONFIG[0])
            .flat_map(|(_, value)| named(value))
            .collect(),
    };
    entries.into_iter().map(|(name, value)| Written { name, value }).collect()
}

/// Where each key stands; the last one where it stands several times.
pub(super) fn key_places(document: &Document) -> BTreeMap<String, Place> {
    let text = document.text().expose();
    let mut cursor = Cursor::new(text);
    written(document).iter().map(|entry| (entry.key(), cursor.place(offset(text, entry.name)))).collect()
}
