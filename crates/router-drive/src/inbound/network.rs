//! Who may connect (allow-list) and which web pages may call (CORS).

use std::net::IpAddr;

use http::header::{self, HeaderValue};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, Response, StatusCode, Uri};
use ipnet::IpNet;
use router_config::Cors;

use crate::host::Host;
use crate::reply::ReplyBody;

/// What preflight answers allow.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, OPTIONS");
/// Seconds a preflight answer may be kept.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
/// Request headers of the official SDKs for browsers.
const HEADERS: HeaderValue = HeaderValue::from_static(
    "Content-Type, Authorization, x-api-key, x-goog-api-key, anthropic-version, anthropic-beta, \
     anthropic-dangerous-direct-browser-access, openai-organization, openai-project, openai-beta",
);
/// Response headers a page may read.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "x-request-id, request-id, retry-after, x-llm-router-loss, x-llm-router-estimate",
);

/// The value of `Access-Control-Allow-Origin`, if the request's origin is allowed.
pub(crate) fn allowed_origin(cors: &Cors, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    if cors.allow_all {
        return Some(HeaderValue::from_static("*"));
    }
    let origin = origin.to_str().ok()?;
    let listed = cors.allowed_origins.iter().any(|allowed| allowed == origin);
    listed.then(|| HeaderValue::from_str(origin).ok()).flatten()
}

/// Set by browsers alone, on requests to this machine too (W3C Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether the request comes from a page of the web that is not allowed to ask. Browsers say where
/// a page is from with every `POST`, and let any page send one to this machine. Pages of this
/// machine, and origins that no website can have (apps and extensions), are not meant; nor are
/// programs that are no browser and send an `Origin` all the same.
pub(crate) fn is_foreign_page(cors: &Cors, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    if allowed_origin(cors, headers).is_some() {
        return false;
    }
    let by_browser = headers.contains_key(SEC_FETCH_SITE);
    let Ok(uri) = origin.to_str().unwrap_or_default().parse::<Uri>() else { return by_browser };
    match (uri.scheme_str(), uri.host()) {
        // The router has no pages: one of its own host is from a name that was made to point here.
        (Some("http" | "https"), Some(host)) => {
            !is_here(host) && (by_browser || host_of(headers).as_deref() == Some(host))
        }
        (Some(_), _) => false,
        // `null`: a page in a sandbox, which any website can make.
        (None, _) => by_browser,
    }
}

/// The host that the client means, without its port.
fn host_of(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?.parse::<Authority>().ok()?;
    Some(host.host().to_owned())
}

/// Whether a host names this machine.
fn is_here(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    match bare.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => bare == "localhost" || bare.ends_with(".localhost"),
    }
}

/// Answers an `OPTIONS` request.
pub(crate) fn preflight<H: Host>(cors: &Cors, headers: &HeaderMap) -> Response<ReplyBody<H>> {
    let mut response = Response::new(ReplyBody::empty());
    let origin = allowed_origin(cors, headers);
    if headers.contains_key(header::ORIGIN) && origin.is_none() {
        *response.status_mut() = StatusCode::FORBIDDEN;
        return response;
    }
    let map = response.headers_mut();
    map.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    map.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    if origin.is_some() {
        map.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
    response
}

/// Adds what a browser wants to see on every answer.
pub(crate) fn add_cors(origin: Option<HeaderValue>, headers: &mut HeaderMap) {
    let Some(origin) = origin else { return };
    if origin != "*" {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}

/// Whether a client at `peer` is served. What the host knows of it counts: forwarding headers are
/// anybody's claim and are not believed.
pub(crate) fn is_allowed(allowed: &[IpNet], peer: Option<IpAddr>) -> bool {
    let peer = peer.map(|peer| peer.to_canonical());
    allowed.is_empty()
        || peer.is_some_and(|peer| allowed.iter().any(|network| network.contains(&peer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_the_web_are_told_from_those_of_this_machine_and_from_apps() {
        let cors =
            Cors { allow_all: false, allowed_origins: vec!["https://ours.example".to_owned()] };
        for (origin, expect) in [
            ("https://evil.example", true),
            ("http://192.0.2.7:8787", true),
            ("http://localhost.evil.example", true),
            ("http://127.0.0.1.evil.example:8787", true),
            ("null", true),
            ("", true),
            ("https://ours.example", false),
            ("http://localhost:3000", false),
            ("http://app.localhost", false),
            ("http://127.0.0.1:8787", false),
            ("http://[::1]:5173", false),
            ("vscode-webview://1f0a", false),
            ("app://obsidian.md", false),
        ] {
            let origin = HeaderValue::from_static(origin);
            let mut headers = HeaderMap::from_iter([(header::ORIGIN, origin.clone())]);
            assert!(!is_foreign_page(&cors, &headers), "not by a browser: {origin:?}");
            headers.insert(SEC_FETCH_SITE, HeaderValue::from_static("cross-site"));
            assert_eq!(is_foreign_page(&cors, &headers), expect, "{origin:?}");
        }
        let rebound = HeaderMap::from_iter([
            (header::ORIGIN, HeaderValue::from_static("http://evil.example:8787")),
            (header::HOST, HeaderValue::from_static("evil.example:8787")),
        ]);
        assert!(is_foreign_page(&cors, &rebound), "a name that was made to point here");
        assert!(!is_foreign_page(&cors, &HeaderMap::new()));
        let all = Cors { allow_all: true, ..cors };
        let null = HeaderMap::from_iter([
            (header::ORIGIN, HeaderValue::from_static("null")),
            (SEC_FETCH_SITE, HeaderValue::from_static("cross-site")),
        ]);
        assert!(!is_foreign_page(&all, &null));
    }

    #[test]
    fn an_address_is_compared_with_networks_in_its_canonical_form() {
        let allowed = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        for (peer, expect) in [
            ("10.2.3.4", true),
            ("::ffff:10.2.3.4", true),
            ("11.2.3.4", false),
            ("::1", true),
            ("::2", false),
        ] {
            assert_eq!(is_allowed(&allowed, Some(peer.parse().unwrap())), expect, "{peer}");
        }
        assert!(is_allowed(&[], Some("11.2.3.4".parse().unwrap())));
        assert!(is_allowed(&[], None) && !is_allowed(&allowed, None));
    }
}
