//! A first configuration: the text alone, to be piped into a file; or what became of it.

use super::counted;
use crate::cli::init::FirstConfig;

pub(crate) fn first_config(first: &FirstConfig) -> String {
    let FirstConfig { path, text, registries, left_out, .. } = first;
    let Some(path) = path else { return text.clone() };
    let path = path.display();
    let found = counted(registries.len(), "registry");
    let left_out = match left_out.len() {
        0 => String::new(),
        count => format!(", {count} left out with the reason beside it"),
    };
    format!(
        "{path}: {found} found{left_out}\n  next: do what `TODO` marks in it, then\n        regcred check --config {path}\n        \
         regcred plan --config {path}"
    )
}
