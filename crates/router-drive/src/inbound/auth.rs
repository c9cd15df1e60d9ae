//! Who uses the router: the keys a request presents, compared in constant time.

use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};
use router_config::Config;
use subtle::ConstantTimeEq;

/// Where clients put their key besides `Authorization`: Anthropic's and Google's headers.
const KEY_HEADERS: [&str; 2] = ["x-api-key", "x-goog-api-key"];

/// Who a request comes from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Caller {
    /// Somebody who presents no key of the router, where none is asked for.
    #[default]
    Anyone,
    /// The holder of the master key.
    Master,
    /// The holder of a client key, by its index in the config.
    Client(usize),
}

impl Caller {
    /// The index of the client key.
    pub const fn client(self) -> Option<usize> {
        match self {
            Self::Anyone | Self::Master => None,
            Self::Client(index) => Some(index),
        }
    }
}

/// Whose key the request presents; `None` if it is nobody's.
pub(crate) fn caller(
    headers: &HeaderMap,
    uri: &Uri,
    in_query: bool,
    config: &Config,
) -> Option<Caller> {
    let master = config.master_key.iter().map(|key| (Caller::Master, key));
    let clients = config.client_keys.iter().enumerate();
    let all = master.chain(clients.map(|(index, key)| (Caller::Client(index), key)));
    // No early return: the time taken does not tell whose key it was, or how far it is down.
    all.fold(None, |found, (caller, key)| {
        let presented = presents(headers, uri, in_query, key.expose());
        found.or_else(|| presented.then_some(caller))
    })
}

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
    // No early return here either: it would tell which place held the right key.
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
    fn each_key_is_somebodys() {
        let text = r#"{ "masterKey": "m", "clientKeys": [
            { "label": "a", "key": "k1" }, { "label": "b", "key": "k2" }] }"#;
        let config = router_config::load(text, &router_config::NoLookup).config.unwrap();
        let who = |key: &'static str| {
            let value = HeaderValue::from_static(key);
            let map = HeaderMap::from_iter([(AUTHORIZATION, value)]);
            caller(&map, &"/".parse().unwrap(), false, &config)
        };
        assert_eq!(who("Bearer m"), Some(Caller::Master));
        assert_eq!(who("Bearer k1"), Some(Caller::Client(0)));
        assert_eq!(who("Bearer k2"), Some(Caller::Client(1)));
        assert_eq!(who("Bearer k3"), None);
    }

    #[test]
    fn an_empty_key_admits_nobody() {
        let map = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer "))]);
        assert!(!presents(&map, &"/".parse().unwrap(), true, " "));
    }
}
