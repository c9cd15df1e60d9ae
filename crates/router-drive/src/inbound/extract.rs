//! Taking a request's body in, within its limit.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body::Body;
use http_body_util::BodyExt;

use crate::host::{Host, within};

/// Silence in the middle of an upload after which it is given up.
const UPLOAD_IDLE: Duration = Duration::from_mins(1);

/// Why a body was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BodyError {
    /// More than the limit, by declaration or in fact.
    TooLarge,
    /// The client stopped sending.
    TimedOut,
    /// The connection broke, or the body's framing did.
    Broken,
    /// Not declared as JSON.
    NotJson,
    /// Compressed; the router reads bodies as they are.
    Encoded,
}

/// Checks that the body is declared as uncompressed JSON, or not declared at all.
pub(crate) fn check_type(headers: &HeaderMap) -> Result<(), BodyError> {
    let encoding = headers.get(http::header::CONTENT_ENCODING);
    if encoding.is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(BodyError::Encoded);
    }
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let value = value.as_bytes().to_ascii_lowercase();
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if essence.is_empty() || essence == b"application/json" || essence.ends_with(b"+json") {
        return Ok(());
    }
    Err(BodyError::NotJson)
}

/// Reads the whole body, at most `limit` bytes of it. What is declared too large is refused
/// before a byte of it is kept.
pub(crate) async fn read<H: Host, B>(
    headers: &HeaderMap,
    mut body: B,
    limit: usize,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Send + Unpin,
{
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let declared = declared.and_then(|text| text.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(BodyError::TooLarge);
    }
    // The common small body arrives as one piece and is not copied.
    let Some(first) = next_piece::<H, B>(&mut body).await? else { return Ok(Bytes::new()) };
    if first.len() > limit {
        return Err(BodyError::TooLarge);
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(declared.unwrap_or(first.len() * 2));
    whole.extend_from_slice(&first);
    while let Some(piece) = next_piece::<H, B>(&mut body).await? {
        if whole.len() + piece.len() > limit {
            return Err(BodyError::TooLarge);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

async fn next_piece<H: Host, B>(body: &mut B) -> Result<Option<Bytes>, BodyError>
where
    B: Body<Data = Bytes> + Send + Unpin,
{
    loop {
        let frame = within::<H, _>(Some(H::instant() + UPLOAD_IDLE), body.frame());
        match frame.await.ok_or(BodyError::TimedOut)? {
            None => return Ok(None),
            Some(Err(_)) => return Err(BodyError::Broken),
            Some(Ok(frame)) => {
                // Trailers say nothing the router acts on.
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_plain_json_is_taken() {
        for (name, value, expect) in [
            ("content-type", "application/json", Ok(())),
            ("content-type", "Application/JSON; charset=utf-8", Ok(())),
            ("content-type", "application/vnd.api+json", Ok(())),
            ("content-type", "", Ok(())),
            ("content-type", "text/plain", Err(BodyError::NotJson)),
            ("content-type", "text/application/json", Err(BodyError::NotJson)),
            ("content-encoding", "gzip", Err(BodyError::Encoded)),
            ("content-encoding", "identity", Ok(())),
        ] {
            let headers =
                HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static(value))]);
            assert_eq!(check_type(&headers), expect, "{name}: {value}");
        }
        assert_eq!(check_type(&HeaderMap::new()), Ok(()));
    }
}
