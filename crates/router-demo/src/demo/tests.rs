//! The provider over real sockets, asked by a client that knows only TCP.

use std::net::SocketAddr;
use std::time::Duration;

use crate::{At, Demo, Fault, Options, Script};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(5);

/// What came back: the raw head, the body without chunk framing, and whether
/// the message ended as HTTP says it must.
struct Got {
    head: String,
    body: Vec<u8>,
    complete: bool,
}

impl Got {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The JSON of every `data:` line but `[DONE]`.
    fn events(&self) -> Vec<Value> {
        let text = self.text();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter_map(|data| serde_json::from_str(data).ok()).collect()
    }
}

async fn send(address: SocketAddr, path: &str, headers: &str, body: &Value) -> Got {
    let body = body.to_string();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: demo\r\nconnection: close\r\ncontent-type: \
         application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let clean = matches!(read, Ok(Ok(_)));
    let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(&bytes[..split]).to_lowercase();
    let rest = &bytes[(split + 4).min(bytes.len())..];
    let (body, ended) = if head.contains("transfer-encoding: chunked") {
        dechunk(rest)
    } else {
        let length = head.split("content-length: ").nth(1).and_then(|l| l.lines().next());
        let length = length.and_then(|length| length.parse().ok()).unwrap_or(usize::MAX);
        (rest.to_vec(), rest.len() == length)
    };
    Got { head, body, complete: clean && ended }
}

fn dechunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..line]).unwrap_or_default();
        let Ok(size) = usize::from_str_radix(size, 16) else { return (out, false) };
        if size == 0 {
            return (out, true);
        }
        let start = line + 2;
        let end = (start + size).min(rest.len());
        out.extend(&rest[start..end]);
        rest = rest.get(end + 2..).unwrap_or_default();
    }
    (out, false)
}

const ANTHROPIC: &str = "anthropic-version: 2023-06-01\r\n";

fn chat(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]})
}

fn messages(model: &str, stream: bool) -> Value {
    let mut body = chat(model, stream);
    body["max_tokens"] = json!(1000);
    body
}

fn responses(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "input": "Hello"})
}

fn gemini() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]})
}

#[tokio::test]
async fn every_dialect_streams_what_it_answers_whole() {
    let demo = Demo::local().await.unwrap();
    let at = demo.address();
    let whole = send(at, "/v1/chat/completions", "", &chat("demo-chat", false)).await.json();
    let stream = send(at, "/v1/chat/completions", "", &chat("demo-chat", true)).await;
    let joined: String = stream
        .events()
        .iter()
        .filter_map(|e| e["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(whole["choices"][0]["message"]["content"], joined);
    assert!(joined.contains("Hello") && stream.text().ends_with("data: [DONE]\n\n"));

    let whole = send(at, "/v1/messages", ANTHROPIC, &messages("demo-chat", false)).await.json();
    let stream = send(at, "/v1/messages", ANTHROPIC, &messages("demo-chat", true)).await;
    let joined: String = stream
        .events()
        .iter()
        .filter_map(|e| e["delta"]["text"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(whole["content"][0]["text"], joined);
    assert!(stream.text().contains("event: message_stop\n"));

    let whole = send(at, "/v1/responses", "", &responses("demo-chat", false)).await.json();
    let stream = send(at, "/v1/responses", "", &responses("demo-chat", true)).await.events();
    let last = stream.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"]["output"][0]["content"], whole["output"][0]["content"]);
    for (number, event) in stream.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }

    let path = "/v1beta/models/demo-chat:generateContent";
    let whole = send(at, path, "", &gemini()).await.json();
    let path = "/v1beta/models/demo-chat:streamGenerateContent?alt=sse";
    let stream = send(at, path, "", &gemini()).await.events();
    let joined: String = stream
        .iter()
        .filter_map(|e| e["candidates"][0]["content"]["parts"][0]["text"].as_str())
        .collect();
    assert_eq!(whole["candidates"][0]["content"]["parts"][0]["text"], joined);
    demo.shutdown().await;
}

#[tokio::test]
async fn the_key_is_wanted_in_each_vendors_place() {
    let options = Options { key: Some("k".into()), ..Options::default() };
    let demo = Demo::start("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
    let at = demo.address();
    let generate = "/v1beta/models/demo-chat:generateContent";
    let by_key = &format!("{generate}?key=k");
    let cases: &[(&str, String, Value, u16)] = &[
        ("/v1/chat/completions", String::new(), chat("demo-chat", false), 401),
        (
            "/v1/chat/completions",
            "authorization: bearer k\r\n".into(),
            chat("demo-chat", false),
            200,
        ),
        (
            "/v1/messages",
            format!("{ANTHROPIC}x-api-key: no\r\n"),
            messages("demo-chat", false),
            401,
        ),
        ("/v1/messages", format!("{ANTHROPIC}x-api-key: k\r\n"), messages("demo-chat", false), 200),
        (
            "/v1/messages",
            format!("{ANTHROPIC}authorization: Bearer k\r\n"),
            messages("demo-chat", false),
            200,
        ),
        (generate, "x-goog-api-key: k\r\n".into(), gemini(), 200),
        (generate, String::new(), gemini(), 403),
        (by_key, String::new(), gemini(), 200),
    ];
    for (path, headers, body, status) in cases {
        let got = send(at, path, headers, body).await;
        assert_eq!(got.status(), *status, "{path} {headers:?} {}", got.text());
        assert_ne!(got.json(), Value::Null);
    }
}

#[tokio::test]
async fn faults_by_model_name_look_as_their_table_says() {
    let demo = Demo::local().await.unwrap();
    let at = demo.address();
    // Model, whether streamed: status, message complete, says it is complete.
    let cases = [
        ("demo-chat", true, 200, true, true),
        ("demo-rate-limit-7", true, 429, true, false),
        ("demo-overloaded", false, 529, true, false),
        ("demo-error-503", false, 503, true, false),
        ("demo-auth", false, 401, true, false),
        ("demo-close", false, 0, false, false),
        ("demo-reset", true, 0, false, false),
        ("demo-reset-body-3", true, 200, false, false),
        ("demo-cut", true, 200, false, false),
        ("demo-cut", false, 200, false, false),
        ("demo-cut-3", true, 200, false, false),
        ("demo-error-event-before", true, 200, true, false),
        ("demo-error-event-after", true, 200, true, false),
        ("demo-error-event-after", false, 500, true, false),
        ("demo-no-terminal", true, 200, true, false),
        ("demo-double-terminal", true, 200, true, true),
        ("demo-200-error", true, 200, true, false),
        ("demo-html", true, 502, true, false),
        ("demo-empty", true, 200, true, false),
        ("demo-length-long", false, 200, false, false),
        ("demo-length-short", false, 200, false, false),
        ("demo-early-hints", true, 103, false, false),
        ("demo-redirect", true, 307, true, false),
        ("demo-split-3", true, 200, true, true),
        ("demo-drip", false, 200, true, false),
    ];
    for (model, stream, status, complete, done) in cases {
        let got = send(at, "/v1/chat/completions", "", &chat(model, stream)).await;
        let seen = (got.status(), got.complete, got.text().contains("[DONE]"));
        let early = model == "demo-early-hints";
        let done = done || early;
        let complete = complete || (early && seen.1);
        assert_eq!(
            seen,
            (status, complete, done),
            "{model} {stream}\n{}\n{}",
            got.head,
            got.text()
        );
    }
    let limited = send(at, "/v1/chat/completions", "", &chat("demo-rate-limit-7", true)).await;
    assert!(limited.head.contains("retry-after: 7"), "{}", limited.head);
    assert_eq!(limited.json()["error"]["code"], "rate_limit_exceeded");
    let cut = send(at, "/v1/chat/completions", "", &chat("demo-cut-3", true)).await;
    assert_eq!(cut.events().len(), 3);
    let garbage = send(at, "/v1/chat/completions", "", &chat("demo-garbage-utf8", true)).await;
    assert!(std::str::from_utf8(&garbage.body).is_err());
}

#[tokio::test]
async fn scripts_play_in_sequence_and_reset_forgets_them() {
    let demo = Demo::local().await.unwrap();
    let at = demo.address();
    demo.script(
        "demo-chat",
        Script::sequence([Some(Fault::rate_limit(3)), None]).then(Fault::Html),
    );
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(send(at, "/v1/chat/completions", "", &chat("demo-chat", false)).await.status());
    }
    assert_eq!(seen, [429, 200, 502, 502]);
    assert_eq!(demo.requests().len(), 4);
    demo.reset();
    assert!(demo.requests().is_empty());
    demo.script("*", Script::once(Fault::Cut(At::Byte(10))));
    let cut = send(at, "/v1/chat/completions", "", &chat("demo-chat", true)).await;
    assert_eq!((cut.body.len(), cut.complete), (10, false));
    demo.script("any-name", Script::always(Fault::Echo));
    let echo = send(at, "/v1/chat/completions", "x-mine: 1\r\n", &chat("any-name", false)).await;
    assert_eq!(echo.json()["headers"]["x-mine"], "1");
    assert_eq!(echo.json()["body"]["model"], "any-name");
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed() {
    let demo = Demo::local().await.unwrap();
    for model in ["demo-black-hole", "demo-stall", "demo-slow-5000", "demo-slow-head-60000"] {
        demo.reset();
        let mut stream = TcpStream::connect(demo.address()).await.unwrap();
        let body = chat(model, true).to_string();
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: demo\r\ncontent-type: \
             application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        wait_for(|| demo.requests().len() == 1, "arrived").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(demo.requests()[0].aborted.is_none(), "{model}");
        drop(stream);
        wait_for(|| demo.requests()[0].aborted.is_some(), model).await;
        assert!(demo.requests()[0].finished.is_none());
    }
}

async fn wait_for(done: impl Fn() -> bool, what: &str) {
    for _ in 0..500 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} never happened");
}

#[tokio::test]
async fn requests_are_recorded_with_their_connection() {
    let demo = Demo::local().await.unwrap();
    let mut stream = TcpStream::connect(demo.address()).await.unwrap();
    for _ in 0..2 {
        let body = responses("demo-chat", false).to_string();
        let request = format!(
            "POST /v1/responses?x=1 HTTP/1.1\r\nhost: demo\r\ncontent-type: \
             application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut buffer = vec![0; 64 << 10];
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
    }
    let records = demo.requests();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].connection, records[1].connection);
    assert_eq!(records[0].path, "/v1/responses?x=1");
    assert_eq!(records[0].json()["input"], "Hello");
    assert_eq!(records[0].status, Some(200));
    assert!(records[0].finished.is_some() && records[0].aborted.is_none());
}

#[tokio::test]
async fn gzip_is_used_only_when_accepted() {
    let demo = Demo::local().await.unwrap();
    for stream in [true, false] {
        let body = chat("demo-gzip", stream);
        let plain = send(demo.address(), "/v1/chat/completions", "", &body).await;
        assert!(!plain.head.contains("content-encoding"));
        let accept = "accept-encoding: gzip, br\r\n";
        let packed = send(demo.address(), "/v1/chat/completions", accept, &body).await;
        assert!(packed.head.contains("content-encoding: gzip"), "{}", packed.head);
        assert!(packed.complete && packed.body.starts_with(&[0x1f, 0x8b, 8]));
    }
}

#[tokio::test]
async fn http2_is_served_on_the_same_socket() {
    use http_body_util::{BodyExt, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let demo = Demo::local().await.unwrap();
    let stream = TcpStream::connect(demo.address()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    let tasks = tokio_util::task::TaskTracker::new();
    tasks.spawn(connection);
    let request = |model: &str| {
        let body = Full::new(bytes::Bytes::from(chat(model, true).to_string()));
        http::Request::post(format!("{}/v1/chat/completions", demo.url()))
            .header("content-type", "application/json")
            .body(body)
            .unwrap()
    };
    let response = sender.send_request(request("demo-chat")).await.unwrap();
    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.ends_with(b"data: [DONE]\n\n"));
    assert!(sender.send_request(request("demo-close")).await.is_err());
    let cut = sender.send_request(request("demo-cut")).await.unwrap();
    assert!(cut.into_body().collect().await.is_err());
    let refused = Demo::refusing_address().await.unwrap();
    assert!(TcpStream::connect(refused).await.is_err());
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let demo = Demo::local().await.unwrap();
    let mut body = chat("demo-chat", false);
    body["messages"][0]["content"] = json!("x".repeat(crate::BODY_BYTES_MAX));
    let mut stream = TcpStream::connect(demo.address()).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: demo\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The provider may answer and close before everything is written.
    let _ = stream.write_all(body.as_bytes()).await;
    let mut answer = vec![0; 1024];
    let read = timeout(PATIENCE, stream.read(&mut answer)).await.unwrap().unwrap_or(0);
    assert!(answer[..read].starts_with(b"HTTP/1.1 413"), "{read}");
}
