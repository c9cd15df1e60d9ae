//! Calls that go on with a turn the upstream interrupted.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use router_wire::anthropic::turn::Turn;

use crate::body::Payload;
use crate::host::Host;

/// A turn that may be interrupted, and where its next call goes.
#[derive(Debug)]
pub(super) struct Again {
    pub(super) turn: Turn,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
}

impl Again {
    /// The next call.
    pub(super) fn request(&self, body: Vec<u8>) -> Request<Payload> {
        let mut request = Request::new(Payload::new([Bytes::from(body)]));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// A call under way that goes on with a stream.
pub(super) struct Calling<H: Host>(Pin<Box<dyn Future<Output = Option<H::Body>> + Send>>);

impl<H: Host> Calling<H> {
    pub(super) fn new(host: H, request: Request<Payload>, connect: Option<Duration>) -> Self {
        Self(Box::pin(async move {
            let response = host.send(request, connect).await.ok()?;
            response.status().is_success().then(|| response.into_body())
        }))
    }

    /// The body of the answer; nothing if the call failed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<H::Body>> {
        self.0.as_mut().poll(cx)
    }
}

impl<H: Host> fmt::Debug for Calling<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Calling")
    }
}
