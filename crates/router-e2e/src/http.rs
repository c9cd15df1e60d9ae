//! A small blocking HTTP/1.1 client that hides nothing: tests see every byte and every break.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use socket2::SockRef;

/// Silence after which a test gives up.
const TIMEOUT: Duration = Duration::from_secs(20);

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Whether the body's framing was complete.
    pub complete: bool,
}

impl Answer {
    /// The first header called `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }

    /// The data of each server-sent event.
    pub fn events(&self) -> Vec<String> {
        let text = self.text();
        text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
    }
}

/// Sends a request with a JSON body and reads the whole answer.
pub fn post(address: SocketAddr, path: &str, body: &Value) -> Result<Answer> {
    send(
        address,
        "POST",
        path,
        &[("content-type", "application/json")],
        body.to_string().as_bytes(),
    )
}

/// Sends a request without a body and reads the whole answer.
pub fn get(address: SocketAddr, path: &str) -> Result<Answer> {
    send(address, "GET", path, &[], b"")
}

/// Sends a request and reads the whole answer.
pub fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer> {
    Exchange::open(address, method, path, headers, body)?.finish()
}

/// An exchange whose answer is read piece by piece.
#[derive(Debug)]
pub struct Exchange {
    reader: BufReader<TcpStream>,
    method: String,
}

impl Exchange {
    /// Connects and sends the request.
    pub fn open(
        address: SocketAddr,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Self> {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if headers.iter().all(|(name, _)| *name != "host") {
            let _ = write!(head, "host: {address}\r\n");
        }
        if !body.is_empty() || method == "POST" {
            let _ = write!(head, "content-length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("connection: close\r\n\r\n");
        let mut exchange = Self::raw(address, head.as_bytes())?;
        // A server may refuse and close while a large body is still on its way.
        let _ = exchange.reader.get_mut().write_all(body);
        method.clone_into(&mut exchange.method);
        Ok(exchange)
    }

    /// Connects and sends exactly `bytes`.
    pub fn raw(address: SocketAddr, bytes: &[u8]) -> Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        stream.write_all(bytes)?;
        Ok(Self { reader: BufReader::new(stream), method: "GET".to_owned() })
    }

    /// Sends more bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.reader.get_mut().write_all(bytes)?)
    }

    /// Says that nothing more will be sent, as a client does that is done.
    pub fn close_sending(&mut self) -> Result<()> {
        Ok(self.reader.get_ref().shutdown(Shutdown::Write)?)
    }

    /// Leaves at once: the connection is reset, not closed. A server that does not read sees a
    /// closing only when it next writes.
    pub fn reset(self) -> Result<()> {
        SockRef::from(self.reader.get_ref()).set_linger(Some(Duration::ZERO))?;
        Ok(())
    }

    /// Reads the head.
    pub fn head(&mut self) -> Result<Answer> {
        loop {
            let status_line = self.line()?.context("closed before an answer")?;
            let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
            let status = status.with_context(|| format!("not HTTP: {status_line}"))?;
            let mut headers = Vec::new();
            while let Some(line) = self.line()?.filter(|line| !line.is_empty()) {
                let (name, value) = line.split_once(':').context("a header without a colon")?;
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            if status >= 200 {
                return Ok(Answer { status, headers, body: Vec::new(), complete: false });
            }
        }
    }

    /// Reads one line of what comes next, without its line ending; `None` at the end.
    pub fn line(&mut self) -> Result<Option<String>> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        Ok(Some(line))
    }

    /// Reads exactly so many bytes of what comes next.
    pub fn bytes(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Waits until more of the answer has come, and leaves it to be read.
    pub fn wait(&mut self) -> Result<()> {
        if self.reader.fill_buf()?.is_empty() {
            bail!("closed before more came");
        }
        Ok(())
    }

    /// Reads the whole answer.
    pub fn finish(mut self) -> Result<Answer> {
        let head = self.head()?;
        self.rest(head)
    }

    /// Reads what follows the head of an answer.
    pub fn rest(mut self, head: Answer) -> Result<Answer> {
        let mut answer = head;
        if self.method == "HEAD" || matches!(answer.status, 204 | 304) {
            answer.complete = true;
            return Ok(answer);
        }
        if answer.header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            answer.complete = self.chunks(&mut answer.body)?;
            return Ok(answer);
        }
        let length = answer.header("content-length").map(str::parse::<u64>).transpose()?;
        let read =
            (&mut self.reader).take(length.unwrap_or(u64::MAX)).read_to_end(&mut answer.body);
        let full = length.is_none_or(|length| u64::try_from(answer.body.len()) == Ok(length));
        answer.complete = read.is_ok() && full;
        Ok(answer)
    }

    /// Reads chunks up to the last one; false if the connection ended before it.
    fn chunks(&mut self, body: &mut Vec<u8>) -> Result<bool> {
        loop {
            let size = match self.line() {
                Ok(Some(line)) => usize::from_str_radix(line.split(';').next().unwrap_or(""), 16)?,
                Ok(None) => return Ok(false),
                Err(error) if error.is::<io::Error>() => return Ok(false),
                Err(error) => return Err(error),
            };
            let mut chunk = vec![0; size + 2];
            if self.reader.read_exact(&mut chunk).is_err() {
                return Ok(false);
            }
            if !chunk.ends_with(b"\r\n") {
                bail!("a chunk without its end");
            }
            if size == 0 {
                return Ok(true);
            }
            body.extend_from_slice(chunk.get(..size).unwrap_or_default());
        }
    }
}
