//! Connections to the outside: one pool for upstreams, and whole small exchanges for operators.
//!
//! HTTP/1.1 and, where TLS negotiates it, HTTP/2. Redirects are never followed, bodies are never
//! decompressed here, and a connection is only ever used for the origin it was opened to.
//! `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` are honoured; loopback addresses are
//! always reached directly.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::connect::{Answers, Connect, Timed};

mod body;
mod connect;
mod failure;
mod fetch;

pub use body::OutboundBody;
pub use failure::{Transport, chain, transport};
pub use fetch::{FetchError, Limits};
pub use hyper_util::client::legacy::Error;

/// Idle connections kept per origin.
const IDLE_PER_HOST_MAX: usize = 256;
/// How long an idle connection is kept. Below the 60 s after which common load balancers close.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// Kept connections that one request may find closed before that counts as a failure.
const STALE_MAX: usize = 4;
/// Interval of TCP keep-alive probes on long, silent streams.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

type Inner = legacy::Client<Timed<HttpsConnector<Connect>>, OutboundBody>;

/// Sends requests to upstreams. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    tls: rustls::ClientConfig,
    proxies: Arc<Matcher>,
    /// Whether HTTP/2 is offered.
    http2: bool,
    /// One pool per connect timeout, as the timeout belongs to the connector. Locked only to look
    /// one up; written when a config names a new timeout.
    pools: Mutex<BTreeMap<Option<Duration>, Inner>>,
}

/// Why the client could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The platform's certificate verifier is not available.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

fn copy(request: &Request<OutboundBody>) -> Request<OutboundBody> {
    let mut copy = Request::new(request.body().clone());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// Notes that the response's connection works.
fn counted(response: Response<Incoming>) -> Response<Incoming> {
    if let Some(answers) = response.extensions().get::<Answers>() {
        answers.count();
    }
    response
}

/// Whether a connection that had worked before was closed before it brought an answer.
fn is_stale(error: &Error) -> bool {
    let mut extras = http::Extensions::new();
    if let Some(connected) = error.connect_info() {
        connected.get_extras(&mut extras);
    }
    let worked = extras.get::<Answers>().is_some_and(Answers::any);
    worked && transport(error) == Transport::Closed
}

impl Client {
    /// A client that trusts what the operating system trusts.
    pub fn new() -> Result<Self, ClientError> {
        use rustls_platform_verifier::BuilderVerifierExt;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_platform_verifier()?
            .with_no_client_auth();
        let proxies = Arc::new(Matcher::from_env());
        Ok(Self { shared: Arc::new(Shared { tls, proxies, http2: true, pools: Mutex::default() }) })
    }

    /// A client with the same settings and connections of its own, for another event loop.
    #[must_use]
    pub fn separate(&self) -> Self {
        self.with(self.shared.http2)
    }

    /// A client with the same settings that never offers HTTP/2, whose connections cannot become
    /// something else, such as a WebSocket.
    #[must_use]
    pub fn http1(&self) -> Self {
        self.with(false)
    }

    fn with(&self, http2: bool) -> Self {
        let Shared { tls, proxies, .. } = &*self.shared;
        let (tls, proxies) = (tls.clone(), Arc::clone(proxies));
        Self { shared: Arc::new(Shared { tls, proxies, http2, pools: Mutex::default() }) }
    }

    /// Sends `request`; resolves when the response head has arrived.
    ///
    /// An upstream may close a kept connection at the very moment a request is sent on it. That says
    /// nothing about the upstream, so the request is sent again on another connection.
    pub async fn send(
        &self,
        mut request: Request<OutboundBody>,
        connect_timeout: Option<Duration>,
    ) -> Result<Response<Incoming>, Error> {
        if let Some(auth) = self.plain_proxy_auth(request.uri()) {
            request.headers_mut().insert(http::header::PROXY_AUTHORIZATION, auth);
        }
        let pool = self.pool(connect_timeout);
        for _ in 0..STALE_MAX {
            match pool.request(copy(&request)).await {
                Ok(response) => return Ok(counted(response)),
                Err(error) if is_stale(&error) => {}
                Err(error) => return Err(error),
            }
        }
        pool.request(request).await.map(counted)
    }

    /// Credentials of a forward proxy that sees plain requests; tunnels carry their own.
    fn plain_proxy_auth(&self, uri: &Uri) -> Option<http::HeaderValue> {
        if uri.scheme() != Some(&http::uri::Scheme::HTTP) || connect::is_loopback(uri) {
            return None;
        }
        self.shared.proxies.intercept(uri)?.basic_auth().cloned()
    }

    fn pool(&self, connect_timeout: Option<Duration>) -> Inner {
        let mut pools = self.shared.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.entry(connect_timeout).or_insert_with(|| self.build(connect_timeout)).clone()
    }

    fn build(&self, connect_timeout: Option<Duration>) -> Inner {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        let connector = Connect::new(tcp, Arc::clone(&self.shared.proxies));
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(self.shared.tls.clone())
            .https_or_http();
        let https = if self.shared.http2 {
            https.enable_all_versions().wrap_connector(connector)
        } else {
            https.enable_http1().wrap_connector(connector)
        };
        legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .build(Timed::new(https, connect_timeout))
    }
}
