//! What a live Worker logs, as it happens.
//!
//! Source: Cloudflare's "tails": a call makes one and names a WebSocket that speaks `trace-v1`.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::{Method, Request, header};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use router_client::{Client, OutboundBody, chain};
use router_operator::{Failure, Kind};
use serde_json::Value;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use crate::api::{Body, segment};
use crate::survey::text;
use crate::{Account, Api};

/// The protocol of the WebSocket.
const PROTOCOL: &str = "trace-v1";
/// Bytes of one message at most.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Time to connect.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A running tail. [`Tail::close`] ends it at Cloudflare too; otherwise it runs out by itself.
#[derive(Debug)]
pub struct Tail {
    socket: WebSocketStream<TokioIo<Upgraded>>,
    path: String,
}

/// One invocation of the Worker. Never holds a header or a query.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TailEvent {
    /// Milliseconds since 1970.
    pub at: i64,
    /// Such as `ok`, `exception`, `exceededCpu`.
    pub outcome: String,
    /// Method and path, of a request.
    pub request: Option<(String, String)>,
    /// The status that was answered.
    pub status: Option<u64>,
    /// Level and text of what was logged.
    pub logs: Vec<(String, String)>,
    /// What was thrown.
    pub exceptions: Vec<String>,
}

impl Tail {
    /// Begins to listen to a Worker. `client` has to speak HTTP/1.1, which `WebSockets` need.
    pub async fn open(
        api: &Api,
        client: &Client,
        account: &Account,
        name: &str,
    ) -> Result<Self, Failure> {
        let base =
            format!("/accounts/{}/workers/scripts/{}/tails", segment(&account.id), segment(name));
        let body = Body::json(&serde_json::json!({ "filters": [] }));
        let made = api.call(Method::POST, &base, Some(body)).await?;
        let (Some(id), Some(url)) = (text(&made, "id"), text(&made, "url")) else {
            return Err(Failure::failed("Cloudflare named no address for the logs"));
        };
        let path = format!("{base}/{}", segment(&id));
        match connect(client, &url).await {
            Ok(socket) => {
                let mut tail = Self { socket, path };
                let hello = Message::text(r#"{"debug":false}"#);
                tail.socket.send(hello).await.map_err(|error| broken(&error))?;
                Ok(tail)
            }
            Err(failure) => {
                let _ = api.call(Method::DELETE, &path, None).await;
                Err(failure)
            }
        }
    }

    /// The next invocation; `None` when Cloudflare ends the tail.
    pub async fn next(&mut self) -> Result<Option<TailEvent>, Failure> {
        loop {
            let Some(message) = self.socket.next().await else { return Ok(None) };
            match message.map_err(|error| broken(&error))? {
                Message::Text(text) => {
                    if let Some(event) = event(text.as_bytes()) {
                        return Ok(Some(event));
                    }
                }
                // Cloudflare sends JSON in binary messages too.
                Message::Binary(bytes) => {
                    if let Some(event) = event(&bytes) {
                        return Ok(Some(event));
                    }
                }
                Message::Close(_) => return Ok(None),
                _ => {}
            }
        }
    }

    /// Stops listening.
    pub async fn close(mut self, api: &Api) -> Result<(), Failure> {
        let _ = self.socket.close(None).await;
        api.call(Method::DELETE, &self.path, None).await.map(drop)
    }
}

fn broken(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Kind::Unreachable, format!("the connection to the logs broke: {error}"))
}

async fn connect(
    client: &Client,
    url: &str,
) -> Result<WebSocketStream<TokioIo<Upgraded>>, Failure> {
    let url = match (url.strip_prefix("wss://"), url.strip_prefix("ws://")) {
        (Some(rest), _) => format!("https://{rest}"),
        (_, Some(rest)) => format!("http://{rest}"),
        _ => url.to_owned(),
    };
    let key = generate_key();
    let request = Request::builder()
        .method(Method::GET)
        .uri(url)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, &key)
        .header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
        .body(OutboundBody::default())
        .map_err(|_| broken(&"its address cannot be used"))?;
    let answer =
        client.send(request, Some(CONNECT_MAX)).await.map_err(|error| broken(&chain(&error)))?;
    let accepted = answer.headers().get(header::SEC_WEBSOCKET_ACCEPT);
    let proof = derive_accept_key(key.as_bytes());
    if answer.status() != 101 || accepted.is_none_or(|value| value.as_bytes() != proof.as_bytes()) {
        return Err(broken(&format!("it answers with {}", answer.status())));
    }
    let stream = hyper::upgrade::on(answer).await.map_err(|error| broken(&error))?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    Ok(WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Client, Some(config)).await)
}

fn event(text: &[u8]) -> Option<TailEvent> {
    let value: Value = serde_json::from_slice(text).ok()?;
    let outcome = value.get("outcome")?.as_str()?.to_owned();
    let request = value.pointer("/event/request").and_then(|request| {
        let url: http::Uri = request.get("url")?.as_str()?.parse().ok()?;
        Some((text_of(request.get("method")?), url.path().to_owned()))
    });
    let list = |name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let logs = list("logs").into_iter().map(|log| {
        let words = log.get("message").and_then(Value::as_array);
        let words: Vec<_> = words.into_iter().flatten().map(text_of).collect();
        (log.get("level").map(text_of).unwrap_or_default(), words.join(" "))
    });
    let exceptions = list("exceptions").into_iter().map(|each| {
        let part = |name| each.get(name).map(text_of).unwrap_or_default();
        format!("{}: {}", part("name"), part("message"))
    });
    Some(TailEvent {
        at: value.get("eventTimestamp").and_then(Value::as_i64).unwrap_or(0),
        outcome,
        request,
        status: value.pointer("/event/response/status").and_then(Value::as_u64),
        logs: logs.collect(),
        exceptions: exceptions.collect(),
    })
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_is_read_without_headers_and_queries() {
        let text = br#"{"outcome":"ok","eventTimestamp":1700000000000,"exceptions":[],
            "logs":[{"level":"log","message":["hello",{"n":1}],"timestamp":1}],
            "event":{"request":{"url":"https://h/v1/models?key=sk-x","method":"GET",
              "headers":{"authorization":"Bearer gw_x"}},"response":{"status":200}}}"#;
        let event = event(text).unwrap();
        assert_eq!(event.request, Some(("GET".to_owned(), "/v1/models".to_owned())));
        assert_eq!(event.logs, [("log".to_owned(), r#"hello {"n":1}"#.to_owned())]);
        assert!(!format!("{event:?}").contains("sk-x") && !format!("{event:?}").contains("gw_x"));
        assert!(super::event(b"{}").is_none());
    }
}
