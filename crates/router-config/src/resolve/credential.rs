//! Credentials of a provider and how they are presented.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use router_core::catalog;
use router_wire::Dialect;

use crate::config::{AuthHeader, Credential};
use crate::diagnostic::Severity;
use crate::read::{Context, Show};
use crate::schema;
use crate::secret::{self, Lookup, Reference};

/// The credentials of a provider, without and with their secrets, in the same order.
pub(crate) type Credentials = (Vec<catalog::Credential>, Vec<Credential>);

/// One credential before it is named.
struct Written<'a> {
    path: String,
    text: String,
    label: Option<&'a str>,
    weight: Option<f64>,
}

/// Resolves every credential. Missing ones stay, so that attempts fail with a clear error.
pub(crate) fn all(
    provider: &schema::Provider,
    lookup: &dyn Lookup,
    cx: &mut Context<'_>,
) -> Credentials {
    let mut out: Credentials = (Vec::new(), Vec::new());
    let mut seen: Vec<String> = Vec::new();
    for written in written(provider, cx) {
        let (text, path) = (written.text.trim(), &written.path);
        if text.is_empty() {
            continue;
        }
        if seen.iter().any(|each| each == text) {
            report(cx, path, "this credential is listed twice", "remove one");
            continue;
        }
        seen.push(text.to_owned());
        let credential = resolve(&written, label(&written, &out.1), lookup, cx);
        out.0.push(catalog::Credential {
            label: credential.label.clone(),
            weight: weight(&written, cx),
        });
        out.1.push(credential);
    }
    if out.0.is_empty() {
        out.0.push(catalog::Credential { weight: 1.0, label: String::new() });
        out.1.push(Credential::default());
    }
    out
}

fn report(cx: &mut Context<'_>, path: &str, what: impl Into<String>, hint: &str) {
    cx.report(Severity::Warning, path, Show::Place, what, Some(hint));
}

/// `apiKey` or else `apiKeyEnv`, then `apiKeys`.
fn written<'a>(provider: &'a schema::Provider, cx: &mut Context<'_>) -> Vec<Written<'a>> {
    let mut out = Vec::new();
    let plain = |path: String, text: String| Written { path, text, label: None, weight: None };
    let own = provider.api_key.as_ref().filter(|key| !key.0.trim().is_empty());
    if let Some(key) = own {
        out.push(plain(format!("{}.apiKey", provider.at), key.0.clone()));
    } else if let Some(name) = provider.api_key_env.as_deref().map(str::trim) {
        let text = if name.is_empty() { String::new() } else { format!("env:{name}") };
        out.push(plain(format!("{}.apiKeyEnv", provider.at), text));
    }
    for key in provider.api_keys.iter().flat_map(|keys| keys.iter()) {
        let value = key.value.as_ref().map(|value| value.0.clone());
        let env = key.value_env.as_deref().map(|name| format!("env:{}", name.trim()));
        let Some(text) = value.filter(|text| !text.trim().is_empty()).or(env) else {
            report(cx, &key.at, "a credential without a value is ignored", "add `\"value\"`");
            continue;
        };
        let label = key.label.as_deref().map(str::trim).filter(|label| !label.is_empty());
        out.push(Written { path: key.at.clone(), text, label, weight: key.weight });
    }
    out
}

/// The given label, the name of the variable, or a number; made unique.
fn label(written: &Written<'_>, seen: &[Credential]) -> String {
    let base = match (written.label, Reference::parse(&written.text)) {
        (Some(label), _) => label.to_owned(),
        (None, Reference::Var(name) | Reference::Keychain(name)) => name.to_owned(),
        (None, _) => format!("key-{}", seen.len().saturating_add(1)),
    };
    let is_free = |label: &String| seen.iter().all(|each| each.label != *label);
    let numbered = (2..).map(|number: u64| format!("{base}-{number}"));
    std::iter::once(base.clone()).chain(numbered).find(is_free).unwrap_or_default()
}

fn weight(written: &Written<'_>, cx: &mut Context<'_>) -> f64 {
    match written.weight {
        None => 1.0,
        Some(weight) if weight > 0.0 => weight,
        Some(_) => {
            let path = format!("{}.weight", written.path);
            cx.warn(
                &path,
                "a weight must be greater than 0; 1 is used",
                "remove the credential to stop its use",
            );
            1.0
        }
    }
}

fn resolve(
    written: &Written<'_>,
    label: String,
    lookup: &dyn Lookup,
    cx: &mut Context<'_>,
) -> Credential {
    match secret::resolve(&written.text, lookup) {
        Ok(secret) => {
            let is_sendable = |text: &str| HeaderValue::from_str(text).is_ok();
            if secret.as_ref().is_some_and(|secret| !is_sendable(secret.expose())) {
                let what = "the credential has characters that cannot be sent in a header";
                report(cx, &written.path, what, "copy it again, without line breaks");
            }
            Credential { label, secret, missing: None }
        }
        Err(missing) => {
            let hint = "requests to this provider fail until it is there";
            report(cx, &written.path, missing.clone(), hint);
            Credential { label, secret: None, missing: Some(missing) }
        }
    }
}

/// How the credential is presented in each dialect.
pub(crate) fn auth(
    provider: &schema::Provider,
    cx: &mut Context<'_>,
) -> BTreeMap<Dialect, AuthHeader> {
    let mut out = BTreeMap::new();
    if let Some(auth) = &provider.auth
        && let Some(header) = auth_header(auth, cx)
    {
        out.extend(Dialect::ALL.map(|dialect| (dialect, header.clone())));
    }
    for (format, auth) in provider.auth_by_format.iter().flat_map(|map| &map.0) {
        let Some(dialect) = super::model::dialect(format, &auth.at, cx) else { continue };
        if let Some(header) = auth_header(auth, cx) {
            out.insert(dialect, header);
        }
    }
    out
}

fn auth_header(auth: &schema::Auth, cx: &mut Context<'_>) -> Option<AuthHeader> {
    let kind = auth.kind.as_deref().map(|kind| kind.trim().to_lowercase()).unwrap_or_default();
    let prefix = auth.prefix.clone().filter(|prefix| !prefix.is_empty());
    if prefix.as_deref().is_some_and(|prefix| HeaderValue::from_str(prefix).is_err()) {
        let path = format!("{}.prefix", auth.at);
        let hint = Some("remove line breaks and other control characters");
        let what = "the prefix has characters that cannot be sent in a header";
        cx.report(Severity::Error, &path, Show::Place, what, hint);
        return None;
    }
    let name = auth.header_name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    match (kind.as_str(), name) {
        ("none", _) => Some(AuthHeader::None),
        ("x-api-key", _) => Some(AuthHeader::Header {
            name: HeaderName::from_static("x-api-key"),
            prefix: String::new(),
        }),
        ("header", Some(name)) => {
            if let Ok(name) = HeaderName::try_from(name) {
                return Some(AuthHeader::Header { name, prefix: prefix.unwrap_or_default() });
            }
            let path = format!("{}.headerName", auth.at);
            let what = format!("`{}` is not a header name", name.escape_debug());
            cx.error(&path, what, "use letters, digits and dashes");
            None
        }
        ("", _) => {
            cx.warn(&auth.at, "`auth` without a `type` is ignored", "add `\"type\": \"bearer\"`");
            None
        }
        (kind, _) => {
            if kind == "header" {
                cx.warn(
                    &auth.at,
                    "`auth` has no `headerName`; bearer is used",
                    "add `\"headerName\"`",
                );
            } else if kind != "bearer" {
                let path = format!("{}.type", auth.at);
                let hint = "use `bearer`, `x-api-key`, `header` or `none`";
                report(cx, &path, "the type of auth is not known; bearer is used", hint);
            }
            let name = http::header::AUTHORIZATION;
            Some(AuthHeader::Header {
                name,
                prefix: prefix.unwrap_or_else(|| "Bearer ".to_owned()),
            })
        }
    }
}
