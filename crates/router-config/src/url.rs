//! Base URLs of providers, and the addresses of operations below them.
//!
//! Operators write what a vendor's page shows: a bare host, a versioned root, the address of one
//! operation, or an address with a query. All are taken apart once, when config is loaded:
//!
//! ```text
//! https://api.vendor.com                    + /v1 + /chat/completions
//! https://api.vendor.com/v1                       + /chat/completions
//! https://api.vendor.com/v1/chat/completions      (suffix removed, then as above)
//! https://api.vendor.com/v1?version=2             + /chat/completions, query kept at the end
//! ```

use std::fmt::{self, Write as _};

use http::Uri;
use router_wire::Dialect;

/// What is asked of an upstream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// An answer of a model, whole or as a stream.
    Generate {
        /// Whether the answer comes as a stream; it changes the address in Gemini's dialect only.
        stream: bool,
    },
    /// The size of a request in tokens.
    CountTokens,
    /// The list of models.
    Models,
    /// Embeddings of texts.
    Embeddings,
    /// The older text completions.
    Completions,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 6] = [
        Self::Generate { stream: false },
        Self::Generate { stream: true },
        Self::CountTokens,
        Self::Models,
        Self::Embeddings,
        Self::Completions,
    ];
}

/// Suffixes that belong to operations, longest first, with the dialect they tell.
const SUFFIXES: [(&str, Option<Dialect>); 8] = [
    ("/messages/count_tokens", Some(Dialect::Anthropic)),
    ("/responses/input_tokens", Some(Dialect::OpenaiResponses)),
    ("/chat/completions", Some(Dialect::OpenaiChat)),
    ("/completions", Some(Dialect::OpenaiChat)),
    ("/embeddings", Some(Dialect::OpenaiChat)),
    ("/responses", Some(Dialect::OpenaiResponses)),
    ("/messages", Some(Dialect::Anthropic)),
    ("/models", None),
];

/// A parsed base URL.
#[derive(Clone, Eq, PartialEq)]
pub struct BaseUrl {
    /// `https://host` with the port if it is not the usual one.
    origin: String,
    /// Path without a slash at its end.
    path: String,
    query: Option<String>,
    exact: bool,
}

/// Shows the origin only: path and query may hold a key.
impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BaseUrl").field(&self.origin).finish_non_exhaustive()
    }
}

/// What was left out of a URL.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dropped {
    UserInfo,
    Fragment,
}

impl BaseUrl {
    /// Reads an address as `baseUrl` takes it.
    ///
    /// Errors say what is wrong without repeating the address, which may hold a secret.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        Self::parse(text, false).map(|(base, _)| base)
    }

    /// Takes a URL apart; `exact` means that nothing is appended to it.
    ///
    /// Errors say what is wrong without repeating the URL, which may hold a secret.
    pub(crate) fn parse(text: &str, exact: bool) -> Result<(Self, Vec<Dropped>), &'static str> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err("the address does not begin with `http://` or `https://`");
        };
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err("the address does not begin with `http://` or `https://`");
        }
        let mut dropped = Vec::new();
        let (rest, fragment) = split(rest, '#');
        if fragment.is_some() {
            dropped.push(Dropped::Fragment);
        }
        let cut = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(cut);
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| {
            dropped.push(Dropped::UserInfo);
            host
        });
        let uri: Uri = format!("{scheme}://{}{tail}", authority.to_ascii_lowercase())
            .parse()
            .map_err(|_| "the address has characters that cannot stand in a URL")?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or("the address has no host")?;
        let authority = match uri.port() {
            Some(port) if port.as_u16() != usual_port(&scheme) => format!("{host}:{port}"),
            None if authority.len() > host.len() => return Err("the port of the address is wrong"),
            _ => host.to_owned(),
        };
        let path = uri.path().trim_end_matches('/').to_owned();
        let query = uri.query().filter(|query| !query.is_empty()).map(str::to_owned);
        Ok((Self { origin: format!("{scheme}://{authority}"), path, query, exact }, dropped))
    }

    /// `https://host`, with the port if it is not the usual one.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The address as `baseUrl` takes it. Its query may hold a secret: for the config only.
    pub fn reveal(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.written()),
            None => self.written(),
        }
    }

    /// Where below the same origin a server may have put `dialect` if it is not where this address
    /// says, likeliest first: without a version in the path, or in a folder of its own.
    pub fn alternatives(&self, dialect: Dialect) -> Vec<Self> {
        let (path, owner) = strip_operation(&self.path);
        // An address of one operation, or one with a query, is meant as it is.
        if self.exact || owner.is_some() || self.query.is_some() {
            return Vec::new();
        }
        let unversioned = match path.rsplit_once('/') {
            Some((root, last)) if is_versioned(last) => root,
            _ => path,
        };
        let unversioned = strip_suffix_ignoring_case(unversioned, "/openai").unwrap_or(unversioned);
        let bare = match dialect {
            Dialect::OpenaiChat => "/chat/completions",
            Dialect::OpenaiResponses => "/responses",
            Dialect::Anthropic => "/messages",
            Dialect::Gemini => "",
        };
        let mut paths = Vec::new();
        if !bare.is_empty() && !is_versioned(last_segment(path)) {
            paths.push(format!("{path}{bare}"));
        }
        let folder = match dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses => "openai",
            Dialect::Anthropic => "anthropic",
            Dialect::Gemini => "",
        };
        if !folder.is_empty() && !path.contains(folder) {
            paths.push(format!("{unversioned}/{folder}"));
        }
        if dialect == Dialect::Gemini && unversioned != path {
            paths.push(unversioned.to_owned());
        }
        paths.into_iter().map(|path| Self { path, ..self.clone() }).collect()
    }

    /// Origin and path, which hold no secret.
    pub fn written(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }

    /// Everything that tells this address from others; may hold a secret.
    pub(crate) fn identity(&self) -> String {
        format!("{}?{}#{}", self.written(), self.query.as_deref().unwrap_or_default(), self.exact)
    }

    /// The address of an operation, or nothing if the dialect does not have it.
    pub fn endpoint(&self, dialect: Dialect, operation: Operation, model: &str) -> Option<String> {
        if self.exact && matches!(operation, Operation::Generate { .. }) {
            return Some(self.join(&self.path, stream_query(dialect, operation), model));
        }
        let tail = tail(dialect, operation)?;
        let root = self.root(dialect)?;
        Some(self.join(&format!("{root}{tail}"), stream_query(dialect, operation), model))
    }

    fn join(&self, path: &str, extra: Option<&str>, model: &str) -> String {
        let mut url = self.origin.clone();
        if path.contains("{model}") {
            url.push_str(&path.replace("{model}", &encode_segment(model)));
        } else {
            url.push_str(path);
        }
        if path.is_empty() {
            url.push('/');
        }
        let extra = extra.filter(|extra| !self.query.as_deref().unwrap_or("").contains(extra));
        let parts = [self.query.as_deref(), extra];
        for (part, mark) in parts.into_iter().flatten().zip(['?', '&']) {
            url.push(mark);
            url.push_str(part);
        }
        url
    }

    /// The path operations are appended to; nothing for an exact address that tells no root.
    fn root(&self, dialect: Dialect) -> Option<String> {
        let (path, owner) = strip_operation(&self.path);
        let stripped = path.len() < self.path.len();
        if self.exact && !stripped {
            return None;
        }
        let path = match dialect {
            Dialect::Gemini => strip_openai_below_version(path),
            _ => path,
        };
        let is_own = stripped && owner.is_some_and(|owner| same_family(owner, dialect));
        let version = if dialect == Dialect::Gemini { "/v1beta" } else { "/v1" };
        let complete = is_own || is_versioned(last_segment(path)) || is_openai_root(path, dialect);
        Some(if complete { path.to_owned() } else { format!("{path}{version}") })
    }
}

fn split(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn usual_port(scheme: &str) -> u16 {
    if scheme == "https" { 443 } else { 80 }
}

/// What an operation adds to the root.
fn tail(dialect: Dialect, operation: Operation) -> Option<&'static str> {
    let is_openai = matches!(dialect, Dialect::OpenaiChat | Dialect::OpenaiResponses);
    Some(match (operation, dialect) {
        (Operation::Generate { .. }, Dialect::OpenaiChat) => "/chat/completions",
        (Operation::Generate { .. }, Dialect::OpenaiResponses) => "/responses",
        (Operation::Generate { .. }, Dialect::Anthropic) => "/messages",
        (Operation::Generate { stream: false }, Dialect::Gemini) => {
            "/models/{model}:generateContent"
        }
        (Operation::Generate { stream: true }, Dialect::Gemini) => {
            "/models/{model}:streamGenerateContent"
        }
        (Operation::CountTokens, Dialect::Anthropic) => "/messages/count_tokens",
        (Operation::CountTokens, Dialect::OpenaiResponses) => "/responses/input_tokens",
        (Operation::CountTokens, Dialect::Gemini) => "/models/{model}:countTokens",
        (Operation::Models, _) => "/models",
        (Operation::Embeddings, _) if is_openai => "/embeddings",
        (Operation::Embeddings, Dialect::Gemini) => "/models/{model}:embedContent",
        (Operation::Completions, _) if is_openai => "/completions",
        _ => return None,
    })
}

/// Gemini streams as server-sent events only when asked.
fn stream_query(dialect: Dialect, operation: Operation) -> Option<&'static str> {
    (dialect == Dialect::Gemini && operation == Operation::Generate { stream: true })
        .then_some("alt=sse")
}

/// Removes the part of a path that names an operation.
fn strip_operation(path: &str) -> (&str, Option<Dialect>) {
    let last = last_segment(path);
    if last.contains(":generateContent") || last.contains(":streamGenerateContent") {
        let models = path.strip_suffix(last).unwrap_or(path).trim_end_matches('/');
        return (models.strip_suffix("/models").unwrap_or(models), Some(Dialect::Gemini));
    }
    SUFFIXES
        .iter()
        .find_map(|(suffix, owner)| strip_suffix_ignoring_case(path, suffix).map(|p| (p, *owner)))
        .unwrap_or((path, None))
}

fn strip_suffix_ignoring_case<'a>(path: &'a str, suffix: &str) -> Option<&'a str> {
    let cut = path.len().checked_sub(suffix.len())?;
    path.get(cut..)?.eq_ignore_ascii_case(suffix).then(|| path.get(..cut))?
}

fn same_family(owner: Dialect, dialect: Dialect) -> bool {
    let family = |each| match each {
        Dialect::OpenaiResponses => Dialect::OpenaiChat,
        other => other,
    };
    family(owner) == family(dialect)
}

fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// `v1`, `v2.1`, `v1beta`, `v1alpha2`.
fn is_versioned(segment: &str) -> bool {
    let segment = segment.to_ascii_lowercase();
    let Some(rest) = segment.strip_prefix('v') else { return false };
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).count();
    let major = digits(rest);
    let rest = rest.get(major..).unwrap_or_default();
    let minor_is_good = |minor: &str| !minor.is_empty() && digits(minor) == minor.len();
    let stage_is_good = |stage: &str| digits(stage) == stage.len();
    major > 0
        && (rest.is_empty()
            || rest.strip_prefix('.').is_some_and(minor_is_good)
            || rest.strip_prefix("beta").is_some_and(stage_is_good)
            || rest.strip_prefix("alpha").is_some_and(stage_is_good))
}

/// Roots of `OpenAI`'s dialects that carry no version of their own: `…/v1beta/openai` and Azure's
/// `…/openai/deployments/NAME`.
fn is_openai_root(path: &str, dialect: Dialect) -> bool {
    if !matches!(dialect, Dialect::OpenaiChat | Dialect::OpenaiResponses) {
        return false;
    }
    let mut segments = path.rsplit('/');
    let (last, before) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    (last == "openai" && is_versioned(before)) || (before == "deployments" && !last.is_empty())
}

fn strip_openai_below_version(path: &str) -> &str {
    match path.strip_suffix("/openai") {
        Some(root) if is_versioned(last_segment(root)) => root,
        _ => path,
    }
}

/// Percent-encodes a model name for one path segment; `/` stays, as vendors use it in names.
fn encode_segment(model: &str) -> String {
    let mut out = String::with_capacity(model.len());
    for byte in model.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '/' | '@' | ':') {
            out.push(c);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests;
