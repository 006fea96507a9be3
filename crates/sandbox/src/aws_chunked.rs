//! The body of an upload that ends in trailers: `Content-Encoding: aws-chunked` with unsigned chunks.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>. It is what the SDKs send a stream as.

/// A decoded body and the headers that came behind it, names in lower case.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

/// Takes the chunks apart; `None` when they are cut off or not what they say.
pub(crate) fn decode(mut rest: &[u8]) -> Option<Decoded> {
    let mut body = Vec::new();
    loop {
        let size = line(&mut rest)?;
        // A signed chunk says `;chunk-signature=` behind its size: nobody here sends one.
        let size = usize::from_str_radix(&size, 16).ok()?;
        if size == 0 {
            break;
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
    let mut trailers = Vec::new();
    while !rest.is_empty() {
        let trailer = line(&mut rest)?;
        if trailer.is_empty() {
            break;
        }
        let (name, value) = trailer.split_once(':')?;
        trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    rest.is_empty().then_some(Decoded { body, trailers })
}

fn line(rest: &mut &[u8]) -> Option<String> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let line = String::from_utf8(rest[..end].to_vec()).ok()?;
    *rest = &rest[end + 2..];
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_chunks_and_trailers_apart() {
        let sent = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
        let decoded = decode(sent).unwrap();
        assert_eq!(decoded.body, b"hello world");
        assert_eq!(decoded.trailers, [("x-amz-checksum-crc32".into(), "DUoRhQ==".into())]);
    }

    #[test]
    fn a_cut_off_or_signed_body_is_none() {
        assert_eq!(decode(b"5\r\nhel"), None);
        assert_eq!(decode(b"5;chunk-signature=00\r\nhello\r\n0\r\n\r\n"), None);
        assert_eq!(decode(b""), None);
    }
}
