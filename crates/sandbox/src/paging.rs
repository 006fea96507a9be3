//! Opaque tokens of paged answers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

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
