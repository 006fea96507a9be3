//! Pages: how long they are, and the opaque tokens between them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// How short the pages of a filtered listing are. AWS fills a page before it filters, so that a page may hold less than was
/// asked for, or nothing, and still not be the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    /// The most items that a filtered page holds.
    pub found: usize,
    /// How many items are looked at for one page.
    pub examined: usize,
}

impl Default for Pages {
    fn default() -> Self {
        Self { found: 25, examined: 1000 }
    }
}

/// A token that says after which item to go on. Opaque to callers, as AWS's is.
pub(crate) fn token_after(item: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("after:{item}"))
}

/// The item that a token goes on after; `None` for a token that was never given out.
pub(crate) fn item_before(token: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    Some(text.strip_prefix("after:")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_and_another_text_leads_nowhere() {
        assert_eq!(item_before(&token_after("a/b")), Some("a/b".into()));
        assert_eq!(item_before("garbage"), None);
        assert_eq!(item_before("%%%"), None);
    }
}
