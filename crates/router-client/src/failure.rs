//! What went wrong on the way to an upstream, reduced to what routing can act on.

use std::error::Error;
use std::io;

use hyper_util::client::legacy;

use super::connect::ConnectTimeout;

/// The kind of a failure without an HTTP answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// The connection was refused, or there is no route.
    Connect,
    /// No connection in time.
    ConnectTimeout,
    /// The host name did not resolve.
    Dns,
    /// The TLS handshake failed.
    Tls,
    /// The connection was closed or reset before an answer.
    Closed,
    /// The answer is not HTTP.
    Protocol,
}

/// Finds out which kind of failure `error` is.
pub fn transport(error: &legacy::Error) -> Transport {
    let connect = error.is_connect();
    let mut found = if connect { Transport::Connect } else { Transport::Protocol };
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<ConnectTimeout>() {
            return Transport::ConnectTimeout;
        }
        if error.is::<rustls::Error>() {
            return Transport::Tls;
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            if io.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>) {
                return Transport::Tls;
            }
            if !connect {
                found = Transport::Closed;
            } else if io.kind() == io::ErrorKind::TimedOut {
                found = Transport::ConnectTimeout;
            }
        }
        if let Some(hyper) = error.downcast_ref::<hyper::Error>()
            && (hyper.is_incomplete_message() || hyper.is_closed() || hyper.is_canceled())
        {
            found = Transport::Closed;
        }
        if connect && error.to_string().starts_with("dns error") {
            found = Transport::Dns;
        }
        cause = error.source();
    }
    found
}

/// The whole chain of causes on one line, outermost first.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.ends_with(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        cause = error.source();
    }
    text
}
