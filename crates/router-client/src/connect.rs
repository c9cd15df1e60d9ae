//! Opening a connection: directly, through a tunnel, or to a forward proxy.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

type BoxError = Box<dyn Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Connects to an origin, by the proxy the environment names for it, if any.
#[derive(Clone, Debug)]
pub(crate) struct Connect {
    tcp: HttpConnector,
    proxies: Arc<Matcher>,
}

impl Connect {
    pub(super) fn new(tcp: HttpConnector, proxies: Arc<Matcher>) -> Self {
        Self { tcp, proxies }
    }
}

impl Service<Uri> for Connect {
    type Response = Stream;
    type Error = BoxError;
    type Future = Connecting<Stream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, origin: Uri) -> Self::Future {
        let mut tcp = self.tcp.clone();
        let proxy = if is_loopback(&origin) { None } else { self.proxies.intercept(&origin) };
        Box::pin(async move {
            let Some(proxy) = proxy else {
                let io = tcp.call(origin).await?;
                return Ok(Stream::new(io, false));
            };
            if origin.scheme() == Some(&http::uri::Scheme::HTTP) {
                let io = tcp.call(proxy.uri().clone()).await?;
                return Ok(Stream::new(io, true));
            }
            let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp);
            if let Some(auth) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(auth.clone());
            }
            let io = tunnel.call(origin).await?;
            Ok(Stream::new(io, false))
        })
    }
}

/// Whether `uri` names this machine; such origins are never reached through a proxy.
pub(super) fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Bounds the time until a connection, TLS included, is established.
#[derive(Clone, Debug)]
pub(crate) struct Timed<S> {
    inner: S,
    timeout: Option<Duration>,
}

impl<S> Timed<S> {
    pub(super) fn new(inner: S, timeout: Option<Duration>) -> Self {
        Self { inner, timeout }
    }
}

impl<S> Service<Uri> for Timed<S>
where
    S: Service<Uri>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Connecting<S::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, origin: Uri) -> Self::Future {
        let connecting = self.inner.call(origin);
        let timeout = self.timeout;
        Box::pin(async move {
            match timeout {
                None => connecting.await.map_err(Into::into),
                Some(limit) => match tokio::time::timeout(limit, connecting).await {
                    Ok(result) => result.map_err(Into::into),
                    Err(_) => Err(ConnectTimeout.into()),
                },
            }
        })
    }
}

/// No connection within the connect timeout.
#[derive(Debug, thiserror::Error)]
#[error("no connection within the connect timeout")]
pub(crate) struct ConnectTimeout;

/// How many answers a connection has brought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(Arc<AtomicU64>);

impl Answers {
    /// One more.
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the connection worked before.
    pub(crate) fn any(&self) -> bool {
        0 < self.0.load(Ordering::Relaxed)
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Stream {
    io: TokioIo<TcpStream>,
    to_proxy: bool,
    answers: Answers,
}

impl Stream {
    fn new(io: TokioIo<TcpStream>, to_proxy: bool) -> Self {
        Self { io, to_proxy, answers: Answers::default() }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = self.io.inner().connected().proxy(self.to_proxy);
        connected.extra(self.answers.clone())
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for (uri, expect) in [
            ("http://localhost:1/", true),
            ("http://127.9.9.9/", true),
            ("http://[::1]:80/", true),
            ("http://127.0.0.1.example.com/", false),
            ("https://api.example.com/", false),
        ] {
            assert_eq!(is_loopback(&uri.parse().unwrap()), expect, "{uri}");
        }
    }
}
