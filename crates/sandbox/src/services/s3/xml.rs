//! The little XML that S3 and STS speak.

use std::borrow::Cow;

/// Text as it stands between tags.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\r']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\r', "&#13;"),
    )
}

/// `<name>text</name>`.
pub(super) fn element(name: &str, text: impl std::fmt::Display) -> String {
    format!("<{name}>{}</{name}>", escape(&text.to_string()))
}

/// A document with S3's namespace on its root.
pub(super) fn document(root: &str, content: &str) -> String {
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let namespace = "http://s3.amazonaws.com/doc/2006-03-01/";
    format!("{declaration}\n<{root} xmlns=\"{namespace}\">{content}</{root}>")
}

/// The text of the elements of that name, anywhere in a request's document; `None` when it is no XML.
pub(super) fn texts(body: &[u8], name: &str) -> Option<Vec<String>> {
    let text = std::str::from_utf8(body).ok()?;
    let document = roxmltree::Document::parse(text).ok()?;
    let named = document.descendants().filter(|node| node.tag_name().name() == name);
    Some(named.filter_map(|node| node.text().map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let written = document("R", &element("Key", "a&b<c>\"d\""));
        assert_eq!(texts(written.as_bytes(), "Key"), Some(vec!["a&b<c>\"d\"".into()]));
        assert_eq!(texts(b"<a>", "a"), None);
    }
}
