//! Asking a running router over one of its listeners on the loopback address.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use router_config::Secret;
use serde_json::Value;

use super::Control;

/// How long a router may take to accept; it is on this machine.
const CONNECT_MAX: Duration = Duration::from_millis(500);
/// How long it may take to answer a plain question.
pub const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer at most.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A router that accepted a connection.
#[derive(Debug)]
pub struct Router {
    stream: TcpStream,
    address: SocketAddr,
    key: Secret,
}

/// What the router said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// What the router says is wrong.
    pub fn message(&self) -> String {
        let said = self.json();
        let message = said.pointer("/error/message").and_then(Value::as_str);
        message.map_or_else(|| format!("it answered {}", self.status), str::to_owned)
    }
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// The path.
    pub path: &'a str,
    /// The type of answer wanted.
    pub accept: &'a str,
    /// A JSON body, or the empty string.
    pub body: &'a str,
    /// How long the answer may take; `None` for as long as the router lives.
    pub patience: Option<Duration>,
}

impl<'a> Question<'a> {
    /// A question about what is.
    pub const fn get(path: &'a str) -> Self {
        Self { method: "GET", path, accept: JSON, body: "", patience: Some(ANSWER_MAX) }
    }

    /// A request to do something.
    pub const fn post(path: &'a str, body: &'a str) -> Self {
        Self { method: "POST", path, accept: JSON, body, patience: Some(ANSWER_MAX) }
    }
}

const JSON: &str = "application/json";

impl Router {
    /// Connects to `address`, which must be a loopback one: the key goes to nobody but this
    /// machine. `None` if nobody is there.
    pub fn connect(address: SocketAddr, key: Secret) -> Option<Self> {
        let is_local = address.ip().to_canonical().is_loopback();
        let stream = is_local.then(|| TcpStream::connect_timeout(&address, CONNECT_MAX))?.ok()?;
        Some(Self { stream, address, key })
    }

    /// Where the router listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends one request and reads the answer.
    pub fn ask(mut self, question: &Question<'_>) -> io::Result<Answer> {
        let Question { method, path, accept, body, patience } = *question;
        self.stream.set_read_timeout(patience)?;
        self.stream.set_write_timeout(Some(ANSWER_MAX))?;
        // HTTP/1.0: the answer is not chunked and ends with the connection.
        let head = format!(
            "{method} {path} HTTP/1.0\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
             accept: {accept}\r\ncontent-type: {JSON}\r\ncontent-length: {}\r\n\r\n",
            self.address,
            self.key.expose(),
            body.len()
        );
        self.stream.write_all(head.as_bytes())?;
        self.stream.write_all(body.as_bytes())?;
        let mut answer = Vec::new();
        self.stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let not_http = || io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer");
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(not_http)?;
        let status =
            head.strip_prefix("HTTP/").and_then(|head| head.split(' ').nth(1)?.parse().ok());
        Ok(Answer { status: status.ok_or_else(not_http)?, body: body.to_owned() })
    }
}

/// Asks the router behind `control`; `None` if nobody is there any more.
pub fn ask(control: &Control, question: &Question<'_>) -> Option<io::Result<Answer>> {
    Router::connect(control.address, control.token.clone()).map(|router| router.ask(question))
}

/// Whether the router behind `control` is there and knows the token.
pub(crate) fn accepts(control: &Control) -> bool {
    let answer = ask(control, &Question::get("/admin/status"));
    answer.is_some_and(|answer| answer.is_ok_and(|answer| answer.status == 200))
}
