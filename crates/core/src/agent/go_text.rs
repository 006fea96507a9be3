//! What Go does with bytes that are no text, and with base64, where it differs from Rust's habits.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Text as Go's `encoding/json` writes it: each byte that is not part of valid UTF-8 becomes one U+FFFD. (Rust's
/// `from_utf8_lossy` writes one for a whole truncated sequence.)
pub(crate) fn replace_invalid(bytes: &[u8]) -> String {
    let length = bytes.utf8_chunks().map(|chunk| chunk.valid().len() + 3 * chunk.invalid().len()).sum();
    let mut text = String::with_capacity(length);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// Go's `base64.StdEncoding`: padding required, trailing bits ignored. Line breaks are taken out before.
const STD_ENCODING: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Decodes as `base64.StdEncoding.DecodeString` does, which skips CR and LF wherever they stand.
pub(crate) fn decode_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut compact = Zeroizing::new(Vec::with_capacity(text.len()));
    compact.extend(text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')));
    let mut decoded = Zeroizing::new(vec![0; base64::decoded_len_estimate(compact.len())]);
    let length = STD_ENCODING.decode_slice(&compact[..], &mut decoded).ok()?;
    decoded.truncate(length);
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_invalid_byte_is_replaced_by_its_own() {
        assert_eq!(replace_invalid(b"a\xe2\x82b"), "a\u{fffd}\u{fffd}b");
        assert_eq!(replace_invalid(b"\xff\xe2\x82\xac"), "\u{fffd}\u{20ac}");
        assert_eq!(replace_invalid(b"\xed\xa0\x80"), "\u{fffd}\u{fffd}\u{fffd}");
    }

    #[test]
    fn base64_is_read_as_go_reads_it() {
        for (text, expected) in [
            ("dTpw", Some("u:p")),
            ("dT\r\npw\n", Some("u:p")),
            ("dTpwcQ==", Some("u:pq")),
            ("dTpwcQ=\n=\n", Some("u:pq")),
            ("dTpwcR==", Some("u:pq")),
            ("", Some("")),
            ("dTpwcQ", None),
            ("dTpwcQ=", None),
            ("dTpw ", None),
            ("dTpwcQ==dTpw", None),
            ("dTp_", None),
            ("====", None),
            ("d\u{fffd}pw", None),
        ] {
            let decoded = decode_base64(text);
            assert_eq!(decoded.as_deref().map(Vec::as_slice), expected.map(str::as_bytes), "{text:?}");
        }
    }
}
