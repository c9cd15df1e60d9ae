//! Requests that go to an upstream: read, looked at, resolved, and driven.

use bytes::Bytes;
use http::{Response, request};
use http_body::Body;
use router_config::Operation as Endpoint;
use router_core::catalog::Catalog;
use router_core::resolve::{self, ResolveError, Route};
use router_wire::Dialect;
use router_wire::detect::{self, HeaderHints};
use router_wire::error::{ClientError, ErrorKind};
use router_wire::peek::{self, Peek, PeekError, Problem};
use router_wire::surface::Operation;

use super::auth::Caller;
use super::extract::{self, BodyError};
use super::{Context, Refused};
use crate::drive::{self, Job};
use crate::host::Host;
use crate::reply::ReplyBody;
use crate::session;

/// Answers a request that needs an upstream.
pub(super) async fn answer<H: Host, B>(
    cx: &Context<H>,
    caller: Caller,
    head: &request::Parts,
    body: B,
    operation: Operation<'_>,
) -> Result<Response<ReplyBody<H>>, Refused<H>>
where
    B: Body<Data = Bytes> + Send + Unpin,
{
    let limit = cx.host.snapshot().config.server.body_bytes_max;
    extract::check_type(&head.headers).map_err(|error| body_error(error, limit))?;
    let body = extract::read::<H, B>(&head.headers, body, limit).await;
    let body = body.map_err(|error| body_error(error, limit))?;
    let peek = peek::peek(&body).map_err(|error| peek_error(&error, &body))?;
    check_model(&peek, &body).map_err(|error| peek_error(&error, &body))?;
    let asked = Asked::new(operation, &peek, head);
    let dialect = asked.dialect;
    let job = job(cx, caller, head, &body, (&peek, asked));
    let job = job.map_err(|error| Refused::in_dialect(error, dialect))?;
    drive::run(job).await.map_err(|refused| refused.or_dialect(dialect))
}

/// What an operation and a body ask for.
struct Asked {
    dialect: Dialect,
    endpoint: Endpoint,
    stream: bool,
    array: bool,
    model: Option<String>,
    /// Whether only an upstream of the same dialect can answer.
    native_only: bool,
}

impl Asked {
    fn new(operation: Operation<'_>, peek: &Peek<'_>, head: &request::Parts) -> Self {
        let hints = || HeaderHints::new(|name| head.headers.contains_key(name));
        let dialect = operation.dialect().unwrap_or_else(|| detect::detect(peek, hints()).dialect);
        let in_body = peek.model_name().map(|name| name.trim().to_owned());
        let (endpoint, stream, model) = match operation {
            Operation::GenerateGemini { model, stream } => {
                (Endpoint::Generate { stream }, stream, Some(model.decode().into_owned()))
            }
            Operation::CountTokensGemini { model } => {
                (Endpoint::CountTokens, false, Some(model.decode().into_owned()))
            }
            Operation::CountTokens => (Endpoint::CountTokens, false, in_body),
            Operation::Embeddings => (Endpoint::Embeddings, false, in_body),
            Operation::Completions => (Endpoint::Completions, peek.is_stream(), in_body),
            _ => {
                let stream = peek.is_stream();
                (Endpoint::Generate { stream }, stream, in_body)
            }
        };
        let native_only = !matches!(endpoint, Endpoint::Generate { .. });
        let sse = head.uri.query().is_some_and(|query| query.split('&').any(|it| it == "alt=sse"));
        let array = stream && dialect == Dialect::Gemini && !sse;
        Self { dialect, endpoint, stream, array, model, native_only }
    }
}

fn job<H: Host>(
    cx: &Context<H>,
    caller: Caller,
    head: &request::Parts,
    body: &Bytes,
    (peek, asked): (&Peek<'_>, Asked),
) -> Result<Job<H>, ClientError> {
    let catalog = &cx.host.snapshot().config.catalog;
    let route =
        resolve::resolve(catalog, asked.model.as_deref()).map_err(|error| resolve_error(&error))?;
    check_allowed(catalog, caller, &route)?;
    Ok(Job {
        host: cx.host.clone(),
        id: cx.id,
        started: cx.started,
        route_name: route.name(catalog),
        route,
        dialect: asked.dialect,
        endpoint: asked.endpoint,
        stream: asked.stream,
        array: asked.array,
        native_only: asked.native_only,
        asked: asked.model.unwrap_or_default(),
        headers: head.headers.clone(),
        beta: head
            .uri
            .query()
            .is_some_and(|query| query.split('&').any(|pair| pair == "beta=true")),
        session: session::of(
            &catalog.routing.affinity,
            cx.host.snapshot().label(caller),
            &head.headers,
            peek,
        ),
        caller,
        body: body.clone(),
        found: peek.found(),
    })
}

/// Refuses what the caller's key may not be used for.
fn check_allowed(catalog: &Catalog, caller: Caller, route: &Route) -> Result<(), ClientError> {
    let client = caller.client().and_then(|index| catalog.clients.get(index));
    let Some(client) = client.filter(|client| !client.allows(route)) else { return Ok(()) };
    let name = route.name(catalog);
    let message = format!("the key `{}` may not use `{name}`", client.label);
    Err(ClientError::new(ErrorKind::Permission, message).with_param("model"))
}

fn body_error(error: BodyError, limit: usize) -> ClientError {
    let (kind, message) = match error {
        BodyError::TooLarge => (
            ErrorKind::TooLarge,
            format!(
                "the request body is larger than the limit of {limit} bytes (server.maxBodyBytes)"
            ),
        ),
        BodyError::TimedOut => {
            (ErrorKind::Timeout, "the request body did not arrive in time".into())
        }
        BodyError::Broken => (ErrorKind::InvalidRequest, "the request body broke off".into()),
        BodyError::NotJson => (
            ErrorKind::UnsupportedMedia,
            "unsupported media type: send `Content-Type: application/json`".into(),
        ),
        BodyError::Encoded => (
            ErrorKind::UnsupportedMedia,
            "unsupported content encoding: send the body uncompressed".into(),
        ),
    };
    let error_body = ClientError::new(kind, message);
    if error == BodyError::TimedOut { error_body.with_status(408) } else { error_body }
}

/// A name that cannot be read is not taken for the default model's.
fn check_model(peek: &Peek<'_>, body: &[u8]) -> Result<(), PeekError> {
    let Some(member) = peek.model.filter(|member| member.value.of(body).starts_with(b"\"")) else {
        return Ok(());
    };
    let expected = "a string with valid escapes";
    let problem = Problem::WrongType { member: "model", expected };
    let offset = member.value.range().start;
    peek.text(member).map(|_| ()).ok_or(PeekError { offset, problem })
}

fn peek_error(error: &PeekError, body: &[u8]) -> ClientError {
    let before = body.get(..error.offset).unwrap_or_default();
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |at| at + 1) + 1;
    let message = format!("{} (line {line}, column {column})", error.problem);
    ClientError::new(ErrorKind::InvalidRequest, message)
}

fn resolve_error(error: &ResolveError) -> ClientError {
    let kind = match error {
        ResolveError::NoDefault | ResolveError::Ambiguous { .. } => ErrorKind::InvalidRequest,
        ResolveError::Unknown { .. } => ErrorKind::ModelNotFound,
    };
    ClientError::new(kind, error.to_string()).with_param("model")
}
