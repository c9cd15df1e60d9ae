//! Asking a running router over its operators' listener.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use router_config::{Admin, Secret};

use crate::outcome::{Failure, Kind};

/// How long a router may take to accept; it is on this machine.
const CONNECT_MAX: Duration = Duration::from_millis(500);
/// How long it may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer at most.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The operators' listener of a router that accepted a connection.
#[derive(Debug)]
pub(crate) struct Operator {
    stream: TcpStream,
    address: SocketAddr,
    key: Secret,
}

/// What the router said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Operator {
    /// Connects to the listener a config names; `None` if nobody is there.
    pub(crate) fn connect(admin: &Admin) -> Option<Self> {
        let key = admin.key.clone()?;
        let host = admin.host.trim();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let ip: IpAddr = if host.eq_ignore_ascii_case("localhost") {
            [127, 0, 0, 1].into()
        } else {
            bare.parse().ok()?
        };
        // The key goes to nobody but this machine.
        let address = SocketAddr::new(ip, admin.port);
        let stream = ip.is_loopback().then(|| TcpStream::connect_timeout(&address, CONNECT_MAX));
        Some(Self { stream: stream?.ok()?, address, key })
    }

    /// Where the router listens for operators.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends one request with a JSON body and reads the answer.
    pub(crate) fn post(self, path: &str, accept: &str, body: &str) -> Result<Answer, Failure> {
        let address = self.address;
        let answer = self.exchange(path, accept, body).map_err(|error| {
            Failure::new(Kind::Failed, format!("the router at {address} does not answer: {error}"))
        })?;
        if answer.status == 401 {
            let message = format!("whoever listens on {address} does not accept server.admin.key");
            return Err(Failure::new(Kind::Input, message).hint(
                "a running router reads its key from its own config; --offline asks nobody",
            ));
        }
        Ok(answer)
    }

    fn exchange(mut self, path: &str, accept: &str, body: &str) -> io::Result<Answer> {
        self.stream.set_read_timeout(Some(ANSWER_MAX))?;
        self.stream.set_write_timeout(Some(ANSWER_MAX))?;
        // HTTP/1.0: the answer is not chunked and ends with the connection.
        let head = format!(
            "POST {path} HTTP/1.0\r\nhost: {}\r\nauthorization: Bearer {}\r\naccept: {accept}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
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
