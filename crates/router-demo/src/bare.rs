//! Replies no HTTP library would send: written to the socket by hand.

use std::fmt::Write as _;
use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::record::Ticket;
use crate::reply::{End, Headless, Payload, Reply};

/// Sends `reply` on a connection that carried one complete request, then ends
/// the connection.
pub(crate) async fn send(stream: TcpStream, reply: Reply, mut ticket: Ticket) -> io::Result<()> {
    let mut stream = stream;
    match reply.headless {
        Some(Headless::Close) => {
            ticket.finish();
            return stream.shutdown().await;
        }
        Some(Headless::Reset) => {
            ticket.finish();
            return stream.set_zero_linger();
        }
        Some(Headless::Stall) => return wait_for_the_client_to_leave(&mut stream).await,
        None => {}
    }
    ticket.answered(reply.status);
    let mut head = String::new();
    if let Some(status) = reply.informational {
        let _ = write!(head, "HTTP/1.1 {status} Informational\r\nlink: </demo>\r\n\r\n");
    }
    let reason = http::StatusCode::from_u16(reply.status).ok();
    let reason = reason.and_then(|status| status.canonical_reason()).unwrap_or("Demo");
    let _ = write!(head, "HTTP/1.1 {} {reason}\r\n", reply.status);
    for (name, value) in &reply.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let pieces = reply.pieces();
    let whole = matches!(reply.payload, Payload::Whole(_)) || reply.claim.is_some();
    let truth: usize = pieces.iter().map(bytes::Bytes::len).sum();
    let framing = match reply.claim {
        Some(length) => format!("content-length: {length}\r\n"),
        // One byte more than there is: a whole body that ends in a reset must
        // not look complete.
        None if whole && reply.end != End::Clean => format!("content-length: {}\r\n", truth + 1),
        None if whole => format!("content-length: {truth}\r\n"),
        None => "transfer-encoding: chunked\r\n".to_owned(),
    };
    head.push_str(&framing);
    head.push_str("connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    for (index, piece) in pieces.iter().enumerate() {
        if index > 0 && !reply.pace.is_zero() {
            tokio::time::sleep(reply.pace).await;
        }
        if whole {
            stream.write_all(piece).await?;
        } else {
            stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
            stream.write_all(piece).await?;
            stream.write_all(b"\r\n").await?;
        }
    }
    if !whole && reply.end == End::Clean {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    finish(stream, reply.end, ticket).await
}

/// Time a peer gets to read what was sent before a reset destroys it.
const READ_BEFORE_RESET: std::time::Duration = std::time::Duration::from_millis(20);

async fn finish(mut stream: TcpStream, end: End, mut ticket: Ticket) -> io::Result<()> {
    match end {
        End::Clean | End::Close => {
            ticket.finish();
            stream.shutdown().await
        }
        End::Reset => {
            tokio::time::sleep(READ_BEFORE_RESET).await;
            ticket.finish();
            stream.set_zero_linger()
        }
        End::Stall => wait_for_the_client_to_leave(&mut stream).await,
    }
}

async fn wait_for_the_client_to_leave(stream: &mut TcpStream) -> io::Result<()> {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}
