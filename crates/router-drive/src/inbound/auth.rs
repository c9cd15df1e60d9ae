//! Who may use the router: the keys a request presents, compared in constant time.

use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};
use subtle::ConstantTimeEq;

/// Where clients put their key besides `Authorization`: Anthropic's and Google's headers.
const KEY_HEADERS: [&str; 2] = ["x-api-key", "x-goog-api-key"];

/// Whether the request presents `key` in any of the accepted places.
///
/// `Authorization: Bearer KEY` (the scheme in any case, or the bare key), `x-api-key: KEY` and
/// `x-goog-api-key: KEY` are all tried: some clients send two of them, of which one is a dummy.
/// `?key=KEY` counts only where Gemini clients send it, as a URL ends up in logs elsewhere.
pub fn presents(headers: &HeaderMap, uri: &Uri, in_query: bool, key: &str) -> bool {
    let expected = key.trim().as_bytes();
    if expected.is_empty() {
        return false;
    }
    let authorization = headers.get_all(AUTHORIZATION).iter().map(|value| {
        let value = value.as_bytes().trim_ascii();
        bearer(value).unwrap_or(value)
    });
    let own = KEY_HEADERS.iter().flat_map(|name| headers.get_all(*name));
    let own = own.map(|value| value.as_bytes().trim_ascii());
    let query = uri.query().filter(|_| in_query).unwrap_or_default();
    let query = query.split('&').filter_map(|pair| pair.strip_prefix("key=")).map(str::as_bytes);
    // No early return: the time taken does not tell which place held the right key.
    authorization.chain(own).chain(query).fold(false, |found, presented| {
        let same: bool = presented.ct_eq(expected).into();
        found | same
    })
}

/// The credential of a `Bearer` header (RFC 6750; the scheme is case-insensitive, RFC 9110 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(b"bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[track_caller]
    fn check(headers: &[(&str, &str)], uri: &str, in_query: bool, expect: bool) {
        let map = headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        });
        let map: HeaderMap = map.collect();
        let found = presents(&map, &uri.parse().unwrap(), in_query, "s3cret");
        assert_eq!(found, expect, "{headers:?} {uri}");
    }

    #[test]
    fn every_accepted_place_is_tried() {
        check(&[("authorization", "Bearer s3cret")], "/", false, true);
        check(&[("authorization", "bEARER   s3cret ")], "/", false, true);
        check(&[("authorization", "s3cret")], "/", false, true);
        check(&[("x-api-key", "s3cret")], "/", false, true);
        check(&[("authorization", "Bearer dummy"), ("x-api-key", "s3cret")], "/", false, true);
        check(&[("x-api-key", "dummy"), ("authorization", "Bearer s3cret")], "/", false, true);
        check(&[("x-goog-api-key", "s3cret")], "/", false, true);
        check(&[], "/v1beta/models?alt=sse&key=s3cret", true, true);
    }

    #[test]
    fn anything_else_is_refused() {
        check(&[], "/", false, false);
        check(&[("authorization", "Basic s3cret")], "/", false, false);
        check(&[("authorization", "Bearer s3cre")], "/", false, false);
        check(&[("authorization", "Bearer")], "/", false, false);
        check(&[("cookie", "s3cret")], "/", false, false);
        check(&[], "/?key=s3cret", false, false);
    }

    #[test]
    fn an_empty_key_admits_nobody() {
        let map = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer "))]);
        assert!(!presents(&map, &"/".parse().unwrap(), true, " "));
    }
}
