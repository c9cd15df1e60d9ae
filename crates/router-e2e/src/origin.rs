//! An upstream of raw bytes: it keeps exactly what it was sent and answers exactly what it is
//! told, right or wrong.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Silence after which a connection is given up.
const TIMEOUT: Duration = Duration::from_secs(20);

/// One request as it came.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// The method and target of the request line.
    pub line: String,
    /// Header names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Received {
    /// The first header called `name`, or the empty string.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The names of all headers, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

/// A listener that answers one request on each connection; it lives as long as the test.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Origin {
    /// Answers every request with what `answer` writes; then the connection closes.
    pub fn start(
        answer: impl Fn(&Received, &mut TcpStream) + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let received = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (Arc::clone(&received), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                thread::spawn(move || serve(stream, &kept, &*answer));
            }
        });
        Ok(Self { address, received })
    }

    /// Answers every request with these bytes.
    pub fn saying(bytes: Vec<u8>) -> Result<Self> {
        Self::start(move |_, stream| {
            let _ = stream.write_all(&bytes);
        })
    }

    /// Its base URL, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The latest request.
    pub fn last(&self) -> Result<Received> {
        self.received().pop().context("the upstream was never asked")
    }

    /// A router config with this upstream as provider `p`, its only model `m`, and the dialects
    /// of `formats`.
    pub fn config(&self, formats: &[&str]) -> Value {
        json!({
            "version": 2,
            "defaultModel": "p/m",
            "providers": [{
                "id": "p",
                "baseUrl": self.url(),
                "formats": formats,
                "apiKey": crate::provider::KEY,
                "models": ["m"],
            }],
            "routing": {"retry": {"attempts": 1}, "circuit": {"failures": 0}},
        })
    }
}

fn serve(
    mut stream: TcpStream,
    kept: &Mutex<Vec<Received>>,
    answer: &dyn Fn(&Received, &mut TcpStream),
) {
    let _ = stream.set_read_timeout(Some(TIMEOUT));
    let Some(request) = read(&stream) else { return };
    kept.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    answer(&request, &mut stream);
    let _ = stream.shutdown(Shutdown::Both);
}

fn read(stream: &TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut request = Received::default();
    reader.read_line(&mut request.line).ok().filter(|read| *read > 0)?;
    request.line.truncate(request.line.rfind(" HTTP/")?);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = request.header("content-length").parse().unwrap_or(0);
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

/// The bytes of an answer with `content-length`.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("connection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A whole answer in JSON.
pub fn whole(body: &str) -> Vec<u8> {
    answer(200, &[("content-type", "application/json")], body.as_bytes())
}

/// A stream of events whose end is the end of the connection.
pub fn stream(body: &str) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    [head, body].concat().into_bytes()
}
