//! Images and documents in requests: decoded far enough to say what they are.

use crate::base64;

/// The bytes of standard base64, padding required.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    base64::decode(text).filter(|bytes| !bytes.is_empty())
}

/// The same in either alphabet, with or without padding, as Google takes it.
pub(crate) fn decode_any(text: &str) -> Option<Vec<u8>> {
    let mut standard = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
    while !standard.len().is_multiple_of(4) {
        standard.push('=');
    }
    decode(&standard)
}

/// The media type that the first bytes show.
pub(crate) fn kind(bytes: &[u8]) -> Option<&'static str> {
    const KINDS: &[(&[u8], &str)] = &[
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"%PDF-", "application/pdf"),
    ];
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Some("image/webp");
    }
    KINDS.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, kind)| *kind)
}

/// A few words about decoded media, for the answer to show that it arrived.
pub(crate) fn describe(media_type: &str, bytes: &[u8]) -> String {
    let size = bytes.len();
    match dimensions(bytes) {
        Some((width, height)) => {
            format!("an image ({media_type}, {width}x{height} pixels, {size} bytes)")
        }
        None if media_type.starts_with("image/") => {
            format!("an image ({media_type}, {size} bytes)")
        }
        None => format!("a document ({media_type}, {size} bytes)"),
    }
}

/// Width and height from the header of a PNG or GIF.
fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    match kind(bytes)? {
        "image/png" => {
            let side = |at: usize| {
                let part = bytes.get(at..at + 4)?;
                Some(u32::from_be_bytes(part.try_into().ok()?))
            };
            Some((side(16)?, side(20)?))
        }
        "image/gif" => {
            let side = |at: usize| {
                let part = bytes.get(at..at + 2)?;
                Some(u32::from(u16::from_le_bytes(part.try_into().ok()?)))
            };
            Some((side(6)?, side(8)?))
        }
        _ => None,
    }
}

/// The media type and the base64 text of a `data:` URL.
pub(crate) fn data_url(url: &str) -> Option<(&str, &str)> {
    url.strip_prefix("data:")?.split_once(";base64,")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAYAAAC56t6BAAAAC0lEQVR4nGNgQAcAABIAAeRVjecAAAAASUVORK5CYII=";

    #[test]
    fn a_png_is_recognised_with_its_size() {
        let bytes = decode(PNG).unwrap();
        assert_eq!(kind(&bytes), Some("image/png"));
        assert_eq!(dimensions(&bytes), Some((2, 3)));
        assert!(describe("image/png", &bytes).contains("2x3 pixels"));
    }

    #[test]
    fn broken_base64_is_refused() {
        for bad in ["", "a", "!!!!", "QUI", "data:image/png;base64,QUI="] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }
}
