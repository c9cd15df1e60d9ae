//! Undoing a content encoding, where an answer has to be looked at or the client cannot read it.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

/// The encoding of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Encoding {
    /// As it is.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 1950, which HTTP calls `deflate`.
    Deflate,
    /// One the router does not know.
    Other,
}

impl Encoding {
    /// The encoding an answer declares.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Self::Identity };
        match value.as_bytes().trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Self::Identity,
            b"gzip" | b"x-gzip" => Self::Gzip,
            b"deflate" => Self::Deflate,
            _ => Self::Other,
        }
    }

    /// The body without the encoding, at most `limit` bytes; `None` if that is not possible.
    pub(crate) fn decode(self, body: &Bytes, limit: usize) -> Option<Bytes> {
        let bound = u64::try_from(limit).ok()?.checked_add(1)?;
        let mut plain = Vec::new();
        let read = match self {
            Self::Identity => return Some(body.clone()),
            Self::Gzip => MultiGzDecoder::new(&body[..]).take(bound).read_to_end(&mut plain),
            Self::Deflate => ZlibDecoder::new(&body[..]).take(bound).read_to_end(&mut plain),
            Self::Other => return None,
        };
        (read.is_ok() && plain.len() <= limit).then(|| plain.into())
    }
}

/// Whether a client that sent these headers can read an answer encoded as `encoding`
/// (RFC 9110 12.5.3; without the header the router does not presume it).
pub(crate) fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING);
    let items = values.iter().filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(','));
    let mut wildcard = false;
    for item in items {
        let (name, quality) = item.split_once(';').unwrap_or((item, ""));
        let refused = quality.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
        if name.trim().eq_ignore_ascii_case(encoding) {
            return !refused;
        }
        wildcard |= name.trim() == "*" && !refused;
    }
    wildcard
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn only_what_a_client_accepts_is_sent_encoded() {
        for (header, expect) in [
            (None, false),
            (Some("identity"), false),
            (Some("gzip, br"), true),
            (Some("br;q=1, gzip;q=0.2"), true),
            (Some("gzip;q=0, *"), false),
            (Some("*"), true),
        ] {
            let headers: HeaderMap = header
                .map(|value| (header::ACCEPT_ENCODING, value.parse().unwrap()))
                .into_iter()
                .collect();
            assert_eq!(accepts(&headers, "gzip"), expect, "{header:?}");
        }
    }

    #[test]
    fn a_body_that_grows_beyond_the_limit_is_refused() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&vec![b' '; 100_000]).unwrap();
        let body = Bytes::from(encoder.finish().unwrap());
        assert_eq!(Encoding::Gzip.decode(&body, 100_000).map(|plain| plain.len()), Some(100_000));
        assert_eq!(Encoding::Gzip.decode(&body, 99_999), None);
        assert_eq!(Encoding::Gzip.decode(&body.slice(..20), 100_000), None);
    }
}
