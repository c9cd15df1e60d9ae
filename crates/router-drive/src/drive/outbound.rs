//! The request one candidate gets: the client's own bytes, or their translation.

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderValue, Method, Request, Uri};
use router_config::{Operation as Endpoint, Upstream};
use router_core::failure::{Failure, FailureClass};
use router_core::plan::Candidate;
use router_wire::Dialect;
use router_wire::anthropic::turn::Turn;
use router_wire::canonical::Loss;
use router_wire::peek::{self, Peek};
use router_wire::splice::{Part, Splice};
use router_wire::translate::{
    self, RequestExtra, Session, Target, TranslateError, translate_request, without_foreign_state,
    without_state,
};

use super::again::Again;
use super::attempt::Failed;
use super::{Job, headers};
use crate::body::Payload;
use crate::host::Host;

/// Headers in which clients name their conversation; the first one counts.
const SESSION_HEADERS: [&str; 4] =
    ["x-claude-code-session-id", "session-id", "thread-id", "x-session-affinity"];
/// Headers in which clients name the key of their prompt cache.
const CACHE_KEY_HEADERS: [&str; 4] = [
    "x-prompt-cache-key",
    "prompt-cache-key",
    "x-openai-prompt-cache-key",
    "openai-prompt-cache-key",
];
/// Headers in which clients ask for a level of effort.
const EFFORT_HEADERS: [&str; 7] = [
    "x-claude-code-reasoning-effort",
    "x-claude-code-thinking-effort",
    "x-claude-code-thinking-mode",
    "x-claude-thinking-mode",
    "x-openai-reasoning-effort",
    "x-reasoning-effort",
    "reasoning-effort",
];

/// A request, and how its answer gets back to the client.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) request: Request<Payload>,
    pub(super) way: Way,
}

/// How an answer becomes the client's.
#[derive(Debug)]
pub(super) enum Way {
    /// It is in the client's dialect already.
    Native,
    /// It is translated.
    Translated(Box<Translated>),
}

/// A translated request: what its answer needs, and what it lost.
#[derive(Debug)]
pub(super) struct Translated {
    pub(super) session: Session,
    pub(super) losses: Vec<Loss>,
    /// The turn, where the upstream may interrupt it.
    pub(super) again: Option<Box<Again>>,
}

/// Builds the request for `candidate`, without the state of earlier reasoning if it is `stateless`.
pub(super) fn build<H: Host>(
    job: &Job<H>,
    candidate: &Candidate,
    stateless: bool,
) -> Result<Outbound, Failed> {
    let misconfigured = |what: String| Failure::new(FailureClass::Misconfigured, what);
    let config = &job.host.snapshot().config;
    let provider = config.upstreams.get(candidate.model.provider);
    let provider = provider.ok_or_else(|| misconfigured("the provider is gone".to_owned()))?;
    let model = config.catalog.model(candidate.model).map_or("", |model| model.id.as_str());
    let added = provider.headers(candidate.dialect, candidate.credential);
    let mut added = added.map_err(misconfigured)?;
    let native = candidate.dialect == job.dialect;
    headers::to_upstream(job, native, |beta| provider.allows_beta(beta), &mut added);
    let mut operation = job.endpoint;
    let mut asked = None;
    let (body, mut way) = if native {
        (spliced(job, model, stateless), Way::Native)
    } else {
        let outbound =
            translated(job, candidate, model, stateless).map_err(|error| untranslatable(&error))?;
        for (name, value) in outbound.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                added.insert(HeaderName::from_static(name), value);
            }
        }
        if let Endpoint::Generate { stream } = &mut operation {
            *stream = outbound.stream;
        }
        let may_pause = !outbound.stream || Turn::may_pause(&outbound.body);
        asked =
            (candidate.dialect == Dialect::Anthropic && may_pause).then(|| outbound.body.clone());
        let way = Translated { session: outbound.session, losses: outbound.losses, again: None };
        (Payload::new([outbound.body.into()]), Way::Translated(Box::new(way)))
    };
    let uri = address(job, provider, candidate.dialect, operation, model).ok_or_else(|| {
        misconfigured(format!("provider `{}` has no usable base URL", provider.id))
    })?;
    if let (Some(asked), Way::Translated(way)) = (asked, &mut way) {
        let (uri, headers) = (uri.clone(), added.clone());
        way.again = Some(Box::new(Again { turn: Turn::new(asked), uri, headers }));
    }
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = added;
    Ok(Outbound { request, way })
}

fn address<H: Host>(
    job: &Job<H>,
    provider: &Upstream,
    dialect: Dialect,
    operation: Endpoint,
    model: &str,
) -> Option<Uri> {
    let uri = provider.endpoint(dialect, operation, model)?;
    if job.array && dialect == job.dialect {
        // The upstream answers in the form the client asked for.
        return uri.to_string().replacen("alt=sse", "alt=json", 1).parse().ok();
    }
    let wants_beta = job.beta && dialect == Dialect::Anthropic && dialect == job.dialect;
    if !wants_beta || uri.query().is_some_and(|query| query.contains("beta=")) {
        return Some(uri);
    }
    let separator = if uri.query().is_some() { '&' } else { '?' };
    format!("{uri}{separator}beta=true").parse().ok()
}

/// The client's bytes, with the upstream's name of the model in place of the client's, and without
/// what another vendor's model thought: that is in a wrapping this upstream does not know.
fn spliced<H: Host>(job: &Job<H>, model: &str, stateless: bool) -> Payload {
    // Gemini names the model in the path, and only there.
    if job.dialect == Dialect::Gemini {
        return Payload::new([job.body.clone()]);
    }
    let strip = if stateless { without_state } else { without_foreign_state };
    let stripped = strip(job.dialect, &job.body).map(Bytes::from);
    let stripped = stripped.as_ref().and_then(|body| Some((body, peek::peek(body).ok()?)));
    let (body, peek) = stripped.unwrap_or_else(|| (&job.body, Peek::of(&job.body, &job.found)));
    let splice = Splice::model(&peek, model);
    Payload::new(splice.into_parts().into_iter().map(|part| match part {
        Part::Original(range) => body.slice(range),
        Part::New(bytes) => Bytes::from(bytes),
    }))
}

fn translated<H: Host>(
    job: &Job<H>,
    candidate: &Candidate,
    model: &str,
    stateless: bool,
) -> Result<translate::Outbound, TranslateError> {
    let translations = &job.host.snapshot().translations;
    let options = translations.options(&job.route, candidate.model);
    let target = Target {
        dialect: candidate.dialect,
        model,
        facts: translations.facts(candidate.model),
        options: &options,
    };
    let asked = Some(job.asked.as_str()).filter(|asked| !asked.is_empty());
    let in_path = job.dialect == Dialect::Gemini;
    let header = |names: &[&str]| {
        let mut values = names.iter().filter_map(|name| job.headers.get(*name)?.to_str().ok());
        values.find(|value| !value.trim().is_empty())
    };
    let kept = if matches!(job.dialect, Dialect::OpenaiChat | Dialect::Gemini) {
        job.host.kept().of(&job.body)
    } else {
        Vec::new()
    };
    let extra = RequestExtra {
        model: asked.filter(|_| in_path),
        stream: in_path && job.stream,
        json_array: job.array,
        session: header(&SESSION_HEADERS),
        cache_key: header(&CACHE_KEY_HEADERS),
        effort: header(&EFFORT_HEADERS),
        model_shown: Some(asked.unwrap_or(&job.route_name)),
        now_s: H::now().0 / 1_000,
        stateless,
        kept: &kept,
    };
    translate_request(job.dialect, &job.body, &extra, &target)
}

/// What is needed to tell a whole answer as the stream the client asked for.
pub(super) fn native_session<H: Host>(job: &Job<H>) -> Session {
    let asked = if job.asked.is_empty() { &job.route_name } else { &job.asked };
    let extra = RequestExtra {
        json_array: job.array,
        model_shown: Some(asked),
        now_s: H::now().0 / 1_000,
        ..RequestExtra::default()
    };
    translate::native_session(job.dialect, &job.body, &extra)
}

/// What cannot be carried to one dialect may fit another candidate; what cannot be read fits none.
fn untranslatable(error: &TranslateError) -> Failed {
    let class = match error {
        TranslateError::Malformed { .. } => FailureClass::Rejected,
        TranslateError::Refused { .. }
        | TranslateError::Strict(_)
        | TranslateError::ThreadNotFound => FailureClass::Unsupported,
    };
    Failed::told(Failure::new(class, error.to_string()), error.to_client_error())
}

/// Whether the endpoint answers with a stream of events when it is asked to.
pub(super) fn streams<H: Host>(job: &Job<H>) -> bool {
    job.stream && matches!(job.endpoint, Endpoint::Generate { .. } | Endpoint::Completions)
}
