//! Taking requests in: who may ask, what is asked, and the one place where errors become answers.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, request};
use http_body::Body;
use router_wire::Dialect;
use router_wire::error::{ClientError, ErrorKind};
use router_wire::surface::{self, Operation, SurfaceError};

use self::auth::Caller;
use crate::host::Host;
use crate::ids::RequestId;
use crate::reply::{self, REQUEST_ID, ReplyBody, X_REQUEST_ID};
use crate::snapshot::Snapshot;

pub(crate) mod auth;
mod describe;
mod extract;
mod generate;
mod network;

/// What is known of a request from its head.
#[derive(Clone, Debug)]
pub(crate) struct Context<H: Host> {
    pub(crate) host: H,
    pub(crate) id: RequestId,
    pub(crate) started: H::Instant,
}

/// Answers one request, whatever happens. `peer` is the client's address; without one, a list of
/// allowed addresses lets nobody in.
pub async fn handle<H: Host, B>(
    host: H,
    id: RequestId,
    peer: Option<IpAddr>,
    request: Request<B>,
) -> Response<ReplyBody<H>>
where
    B: Body<Data = Bytes> + Send + Unpin,
{
    let started = H::instant();
    let cx = Context { host, id, started };
    let (head, body) = request.into_parts();
    let hint = dialect_of(&head);
    let origin = network::allowed_origin(&cx.host.snapshot().config.server.cors, &head.headers);
    let answered = answer(&cx, peer, &head, body).await;
    let mut response = answered.unwrap_or_else(|error| error_reply(error, hint, cx.id));
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, cx.id.header());
    network::add_cors(origin, headers);
    cx.host.answered(response.status().as_u16());
    tracing::debug!(
        exchange.id = %cx.id,
        method = %head.method,
        path = head.uri.path(),
        status = response.status().as_u16(),
        elapsed_us = u64::try_from((H::instant() - started).as_micros()).unwrap_or(u64::MAX),
        "answered"
    );
    response
}

async fn answer<H: Host, B>(
    cx: &Context<H>,
    peer: Option<IpAddr>,
    head: &request::Parts,
    body: B,
) -> Result<Response<ReplyBody<H>>, Refused<H>>
where
    B: Body<Data = Bytes> + Send + Unpin,
{
    let snapshot = cx.host.snapshot();
    let config = &snapshot.config;
    if !network::is_allowed(&config.server.allowed_ips, peer) {
        let message = "this address is not on the router's list of allowed addresses";
        return Err(ClientError::new(ErrorKind::Permission, message).into());
    }
    let operation = match surface::route(head.method.as_str(), head.uri.path()) {
        Ok(Operation::Preflight) => {
            return Ok(network::preflight(&config.server.cors, &head.headers));
        }
        Ok(Operation::Health) => return Ok(describe::health(snapshot)),
        Ok(Operation::Ready) => return Ok(describe::ready(&cx.host)),
        Ok(Operation::Hello) => return Ok(describe::hello()),
        other => other,
    };
    let caller = admit(snapshot, head)?;
    if caller == Caller::Anyone && network::is_foreign_page(&config.server.cors, &head.headers) {
        let message = "a web page may not use a router that asks for no key, unless \
                       `server.cors.allowedOrigins` lists it";
        return Err(ClientError::new(ErrorKind::Permission, message).into());
    }
    match operation? {
        Operation::Describe => Ok(describe::service()),
        Operation::Models { shape } => Ok(describe::models(snapshot, caller, head, shape)),
        Operation::Model { id, shape } => {
            let model = describe::model(snapshot, caller, head, &id.decode(), shape);
            model.map_err(Refused::from)
        }
        Operation::StoredResponse { .. } => {
            let message = "the router keeps no responses: send the conversation with each request";
            Err(ClientError::new(ErrorKind::NotFound, message).into())
        }
        operation => generate::answer(cx, caller, head, body, operation).await,
    }
}

/// Lets the request in if no key is asked for or a right one is presented.
fn admit(snapshot: &Snapshot, head: &request::Parts) -> Result<Caller, ClientError> {
    if let Some(why) = &snapshot.closed {
        return Err(ClientError::new(ErrorKind::Internal, why.as_str()).with_status(503));
    }
    let in_query = surface::dialect_hint(head.uri.path()) == Some(Dialect::Gemini);
    let caller = auth::caller(&head.headers, &head.uri, in_query, &snapshot.config);
    // Who presents a key of its own is held to its limits even where none is asked for.
    match caller {
        Some(caller) => Ok(caller),
        None if !snapshot.auth => Ok(Caller::Anyone),
        None => {
            let message = "missing or wrong key: send the router's key as `Authorization: Bearer \
                           KEY` or `x-api-key: KEY`";
            Err(ClientError::new(ErrorKind::Authentication, message))
        }
    }
}

/// The dialect an error has to be in: what the path says, else what the headers suggest.
fn dialect_of(head: &request::Parts) -> Dialect {
    let by_headers =
        if is_anthropic(&head.headers) { Dialect::Anthropic } else { Dialect::OpenaiChat };
    surface::dialect_hint(head.uri.path()).unwrap_or(by_headers)
}

/// Whether the headers are those of a Messages client.
fn is_anthropic(headers: &HeaderMap) -> bool {
    headers.contains_key("anthropic-version")
}

/// Why a request gets no answer.
#[derive(Debug)]
pub(crate) struct Refused<H: Host> {
    error: ClientError,
    /// The dialect, where the body told more than the path.
    dialect: Option<Dialect>,
    /// What the answer carries besides: `Allow`, or how the request was routed.
    headers: HeaderMap,
    /// The upstream's own error body, where it already is in the client's dialect.
    native: Option<Response<ReplyBody<H>>>,
}

impl<H: Host> Refused<H> {
    /// An error for a client of `dialect`.
    pub(crate) fn in_dialect(error: ClientError, dialect: Dialect) -> Self {
        Self { dialect: Some(dialect), ..error.into() }
    }

    /// The same, for a client of `dialect` unless a dialect is already known.
    pub(crate) fn or_dialect(self, dialect: Dialect) -> Self {
        Self { dialect: self.dialect.or(Some(dialect)), ..self }
    }

    /// An error whose answer is the upstream's own.
    pub(crate) fn native(error: ClientError, response: Response<ReplyBody<H>>) -> Self {
        Self { native: Some(response), ..error.into() }
    }

    /// The same, with these headers on the answer.
    pub(crate) fn with_headers(self, headers: HeaderMap) -> Self {
        Self { headers, ..self }
    }

    /// The status a client of `dialect` gets.
    pub(crate) fn status(&self, dialect: Dialect) -> u16 {
        let own = |response: &Response<ReplyBody<H>>| response.status().as_u16();
        self.native.as_ref().map_or_else(|| self.error.status_for(dialect), own)
    }

    /// The error itself.
    pub(crate) fn into_error(self) -> ClientError {
        self.error
    }
}

impl<H: Host> From<ClientError> for Refused<H> {
    fn from(error: ClientError) -> Self {
        Self { error, dialect: None, headers: HeaderMap::new(), native: None }
    }
}

impl<H: Host> From<SurfaceError> for Refused<H> {
    fn from(error: SurfaceError) -> Self {
        match error {
            SurfaceError::NotFound => {
                ClientError::new(ErrorKind::NotFound, "no such endpoint; GET / lists them").into()
            }
            SurfaceError::MethodNotAllowed { allow } => {
                let error = ClientError::new(ErrorKind::InvalidRequest, error.to_string());
                let headers = HeaderMap::from_iter([(ALLOW, HeaderValue::from_static(allow))]);
                Self::from(error.with_status(405)).with_headers(headers)
            }
        }
    }
}

/// The one place where an error becomes an answer.
fn error_reply<H: Host>(
    refused: Refused<H>,
    hint: Dialect,
    id: RequestId,
) -> Response<ReplyBody<H>> {
    if let Some(mut response) = refused.native {
        response.headers_mut().extend(refused.headers);
        return response;
    }
    let error = refused.error;
    let dialect = refused.dialect.unwrap_or(hint);
    let status = StatusCode::from_u16(error.status_for(dialect))
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = reply::json(status, error.body(dialect, &id.to_string()));
    let headers = response.headers_mut();
    if let Some(seconds) = error.retry_after_s {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    headers.extend(refused.headers);
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"llm-router\"");
        headers.insert(http::header::WWW_AUTHENTICATE, challenge);
    }
    if dialect == Dialect::Anthropic {
        headers.insert(REQUEST_ID, id.header());
    }
    response
}
