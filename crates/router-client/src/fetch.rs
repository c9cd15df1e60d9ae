//! A whole small exchange: what operators' commands need, where nothing is streamed.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::BodyExt;

use crate::{Client, OutboundBody, Transport, chain, transport};

/// What an exchange may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the call to a connection, TLS included.
    pub connect: Duration,
    /// From the call to the last byte of the answer.
    pub total: Duration,
    /// Bytes of the answer's body.
    pub body_bytes: usize,
}

impl Default for Limits {
    /// 5 s to connect, 30 s in all, 8 MiB.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            total: Duration::from_secs(30),
            body_bytes: 8 * 1024 * 1024,
        }
    }
}

/// Why there is no answer. Names no URL: that may hold a secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FetchError {
    /// The connection or the protocol failed.
    #[error("{message}")]
    Transport {
        /// What kind of failure it is.
        kind: Transport,
        /// The chain of causes.
        message: String,
    },
    /// The answer did not end in time.
    #[error("no complete answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The body is longer than allowed.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

impl Client {
    /// Sends `request` and reads the answer to its end, whatever its status.
    ///
    /// Needs a tokio runtime with time and I/O. Dropping the future cancels the exchange.
    pub async fn fetch(
        &self,
        request: Request<OutboundBody>,
        limits: Limits,
    ) -> Result<Response<Bytes>, FetchError> {
        let exchange = self.exchange(request, limits);
        let timed = tokio::time::timeout(limits.total, exchange).await;
        timed.unwrap_or(Err(FetchError::TimedOut(limits.total)))
    }

    async fn exchange(
        &self,
        request: Request<OutboundBody>,
        limits: Limits,
    ) -> Result<Response<Bytes>, FetchError> {
        let sent = self.send(request, Some(limits.connect)).await;
        let answer = sent.map_err(|error| FetchError::Transport {
            kind: transport(&error),
            message: chain(&error),
        })?;
        let (head, mut body) = answer.into_parts();
        let mut read = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| FetchError::Transport {
                kind: Transport::Closed,
                message: chain(&error),
            })?;
            let Some(data) = frame.data_ref() else { continue };
            if read.len() + data.len() > limits.body_bytes {
                return Err(FetchError::TooLong(limits.body_bytes));
            }
            read.extend_from_slice(data);
        }
        Ok(Response::from_parts(head, read.freeze()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one connection with `answer` and then holds it open.
    async fn serve(listener: TcpListener, answer: &str) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 1024];
        let _ = stream.read(&mut head).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    }

    async fn fetch(answer: &str, limits: Limits) -> Result<Response<Bytes>, FetchError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let request = Request::get(url).body(OutboundBody::default()).unwrap();
        let client = Client::new().unwrap();
        tokio::select! {
            answer = client.fetch(request, limits) => answer,
            () = serve(listener, answer) => unreachable!("it serves for ever"),
        }
    }

    #[tokio::test]
    async fn an_answer_is_read_to_its_end_whatever_its_status() {
        let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\ngone";
        let answer = fetch(answer, Limits::default()).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.into_body()), (404, Bytes::from("gone")));
    }

    #[tokio::test]
    async fn an_answer_that_does_not_end_or_is_too_long_is_an_error() {
        let short = Limits { total: Duration::from_millis(200), ..Limits::default() };
        let endless = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
        assert_eq!(fetch(endless, short).await.err(), Some(FetchError::TimedOut(short.total)));
        let small = Limits { body_bytes: 3, ..Limits::default() };
        let long = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlong";
        assert_eq!(fetch(long, small).await.err(), Some(FetchError::TooLong(3)));
    }
}
