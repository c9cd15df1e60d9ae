//! The upstream behind every proxy: speaks Chat Completions on a loopback
//! socket, far cheaper than anything in front of it.
//!
//! It owns one thread for requests and one for paced streams. It knows every
//! request that may arrive, byte for byte, so a proxy that damages one is
//! caught here and the run fails.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memmem;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::cases::{Answer, Case};
use crate::http::{Body, Framing, Head};
use crate::payload::{Size, TOOL_CALLS, TOOLS};

mod pacer;

use pacer::{Pacer, Stream};

/// The largest request body the mock takes, in bytes.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many complaints are kept for the final report.
const FAULTS_MAX: usize = 8;

/// A running mock; it stops when dropped.
#[derive(Debug)]
pub(crate) struct Mock {
    addr: SocketAddr,
    desk: Arc<Desk>,
    /// Closes with the mock, and with it the accept loop.
    _stop: oneshot::Sender<()>,
}

impl Mock {
    /// Starts a mock that knows the requests of `cases`.
    pub(crate) fn start<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let scripts = cases
            .into_iter()
            .map(|case| Ok((case.name.to_owned(), Script::new(case)?)))
            .collect::<Result<_>>()?;
        let desk = Arc::new(Desk { scripts, faults: Mutex::default(), pacer: Pacer::start()? });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&desk);
        std::thread::Builder::new().name("mock".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    failed = accept(listener, &shared) => shared.complain(&format!("{failed:?}")),
                }
            });
        })?;
        Ok(Self { addr, desk, _stop: stop })
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What was wrong with requests that arrived, at most a handful.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.desk.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Events that left more than two milliseconds late, so far.
    pub(crate) fn late_events(&self) -> usize {
        self.desk.pacer.late_events()
    }
}

async fn accept(listener: std::net::TcpListener, desk: &Arc<Desk>) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut serving = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.context("mock")?;
                stream.set_nodelay(true)?;
                let desk = Arc::clone(desk);
                serving.spawn(async move { serve(stream, &desk).await });
            }
            // A connection that breaks is the proxy's affair; a request that
            // is wrong was noted where it was seen.
            Some(_) = serving.join_next() => {}
        }
    }
}

/// Everything a connection needs to answer.
#[derive(Debug)]
struct Desk {
    scripts: BTreeMap<String, Script>,
    /// Written by connections that saw a wrong request; read at the end.
    faults: Mutex<Vec<String>>,
    pacer: Pacer,
}

/// What is expected and answered for one model name.
#[derive(Debug)]
struct Script {
    check: Check,
    reply: Reply,
}

#[derive(Debug)]
enum Check {
    /// The body must be exactly this.
    Exact(Bytes),
    /// The body must be a Chat request with so many tools and tool results.
    /// A body as long as the last good one is taken for the same.
    Translated { tools: usize, results: usize, good: AtomicUsize },
}

#[derive(Debug)]
enum Reply {
    /// These bytes at once.
    Whole(Bytes),
    /// A head, then one chunk each gap.
    Paced { head: Bytes, chunks: Arc<[Bytes]>, gap: std::time::Duration },
}

impl Script {
    fn new(case: &Case) -> Result<Self> {
        let check = if case.is_translated() {
            let (tools, results) = match case.size {
                Size::Small => (0, 0),
                Size::Large => (TOOLS, TOOL_CALLS),
            };
            Check::Translated { tools, results, good: AtomicUsize::new(usize::MAX) }
        } else {
            Check::Exact(case.body("")?)
        };
        Ok(Self { check, reply: Reply::new(case) })
    }
}

impl Reply {
    fn new(case: &Case) -> Self {
        let stream_head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
                           cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
        let chunk = |event: &str| format!("{:x}\r\n{event}\r\n", event.len());
        match case.answer {
            Answer::Whole => {
                let body = case.answer_body();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                Self::Whole([head.as_bytes(), &body].concat().into())
            }
            Answer::Burst { .. } => {
                let mut wire = stream_head.to_owned();
                wire.extend(case.answer_events().iter().map(|event| chunk(event)));
                wire.push_str("0\r\n\r\n");
                Self::Whole(wire.into())
            }
            Answer::Paced { gap, .. } => {
                let mut chunks: Vec<String> =
                    case.answer_events().iter().map(|event| chunk(event)).collect();
                if let Some(last) = chunks.last_mut() {
                    last.push_str("0\r\n\r\n");
                }
                let chunks = chunks.into_iter().map(Bytes::from).collect();
                Self::Paced { head: stream_head.into(), chunks, gap }
            }
        }
    }
}

impl Desk {
    fn complain(&self, what: &str) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.len() < FAULTS_MAX {
            faults.push(what.to_owned());
        }
    }

    /// The reply to `body`, if that is what was expected.
    fn reply(&self, body: &[u8]) -> Result<&Reply> {
        let model = model(body).context("a body without model")?;
        let script = self.scripts.get(model).with_context(|| format!("unknown model {model:?}"))?;
        match &script.check {
            Check::Exact(expected) => {
                ensure!(body == expected, "the body of {model:?} was changed on its way");
            }
            Check::Translated { tools, results, good } => {
                if good.load(Ordering::Relaxed) != body.len() {
                    check_translated(body, *tools, *results)
                        .with_context(|| format!("translated body of {model:?}"))?;
                    good.store(body.len(), Ordering::Relaxed);
                }
            }
        }
        Ok(&script.reply)
    }
}

/// Finds the model without parsing: inside of strings quotes are escaped, and
/// none of the requests has another member of that name.
fn model(body: &[u8]) -> Option<&str> {
    let key = br#""model":""#;
    let at = memmem::find(body, key)?;
    let (_, rest) = body.split_at_checked(at + key.len())?;
    let (name, _) = rest.split_at_checked(memchr::memchr(b'"', rest)?)?;
    str::from_utf8(name).ok()
}

fn check_translated(body: &[u8], tools: usize, results: usize) -> Result<()> {
    let body: Value = serde_json::from_slice(body)?;
    let length = |name: &str| body.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    ensure!(length("tools") == tools, "{} tools instead of {tools}", length("tools"));
    let messages = body.get("messages").and_then(Value::as_array).context("no messages")?;
    let role = |message: &Value| message.get("role").and_then(Value::as_str).map(str::to_owned);
    let of = |name: &str| messages.iter().filter(|m| role(m).as_deref() == Some(name)).count();
    ensure!(of("tool") == results, "{} tool results instead of {results}", of("tool"));
    ensure!(of("assistant") == results, "{} assistant turns", of("assistant"));
    ensure!(messages.last().and_then(role).as_deref() == Some("user"), "the last turn is lost");
    Ok(())
}

async fn serve(stream: TcpStream, desk: &Desk) -> Result<()> {
    let (mut read, mut write) = stream.into_split();
    let mut buffer = BytesMut::with_capacity(16 * 1024);
    while let Some(body) = next_request(&mut read, &mut buffer).await? {
        match desk.reply(&body) {
            Ok(Reply::Whole(bytes)) => write.write_all(bytes).await?,
            Ok(Reply::Paced { head, chunks, gap }) => {
                write.write_all(head).await?;
                let (done, finished) = oneshot::channel();
                desk.pacer.play(Stream::new(write, Arc::clone(chunks), *gap, done))?;
                write = finished.await.context("the client left")?;
            }
            Err(wrong) => {
                desk.complain(&format!("{wrong:#}"));
                refuse(&mut write, &format!("{wrong:#}")).await?;
            }
        }
    }
    Ok(())
}

async fn refuse(write: &mut OwnedWriteHalf, why: &str) -> Result<()> {
    let body = serde_json::json!({ "error": { "message": why, "type": "bench" } }).to_string();
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    write.write_all([head, body].concat().as_bytes()).await?;
    Ok(())
}

/// Reads one request and returns its body; `None` when the client is done.
async fn next_request(read: &mut OwnedReadHalf, buffer: &mut BytesMut) -> Result<Option<BytesMut>> {
    let head = loop {
        if let Some(head) = Head::request(buffer)? {
            break head;
        }
        if read.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    buffer.advance(head.len);
    match head.framing {
        Framing::Length(length) => {
            ensure!(length <= BODY_BYTES_MAX, "a body of {length} bytes");
            buffer.reserve(length.saturating_sub(buffer.len()));
            while buffer.len() < length {
                ensure!(read.read_buf(buffer).await? > 0, "a request cut short");
            }
            Ok(Some(buffer.split_to(length)))
        }
        Framing::Chunked => {
            let (mut body, mut payload) = (Body::new(Framing::Chunked), BytesMut::new());
            loop {
                let taken = body.feed(buffer, |bytes| {
                    ensure!(payload.len() + bytes.len() <= BODY_BYTES_MAX, "a body too large");
                    payload.extend_from_slice(bytes);
                    Ok(())
                })?;
                buffer.advance(taken);
                if body.is_done() {
                    return Ok(Some(payload));
                }
                ensure!(read.read_buf(buffer).await? > 0, "a request cut short");
            }
        }
        Framing::UntilClose => bail!("a request without length"),
    }
}
