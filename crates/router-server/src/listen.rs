//! Accepting connections and handing each to a worker.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::ending::{Ending, How};
use crate::worker::{Drain, Workers};

/// Connections served at once at most; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 16_384;
/// Pause after `accept` fails for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A client's connection, not yet served.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The socket, registered with nobody's event loop.
    pub(crate) stream: std::net::TcpStream,
    pub(crate) peer: SocketAddr,
    /// Held while the connection is open.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// Hands connections to `workers` until the end begins, then lets open requests finish for at most
/// `drain`. Returns the number of connections that were still open when the time was up.
pub(crate) async fn serve(
    workers: Workers,
    listener: Arc<TcpListener>,
    ending: &Ending,
    drain: Duration,
) -> usize {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            biased;
            () = ending.begun() => break,
            accepted = accept(&listener, &room) => accepted,
        };
        match accepted {
            Ok(accepted) => workers.hand_over(accepted),
            Err(error) => pause_after(&error).await,
        }
    }
    drop(listener);
    let drain = match ending.how() {
        Some(How::Succeeded) => Drain { limit: drain, succeeded: true },
        Some(How::Stop(limit)) => Drain { limit: limit.unwrap_or(drain), succeeded: false },
        None => Drain { limit: drain, succeeded: false },
    };
    workers.drain(drain).await
}

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> io::Result<Accepted> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    let stream = TcpStream::into_std(stream)?;
    Ok(Accepted { stream, peer, permit })
}

/// Connection errors concern one client; anything else is a lack of resources that time may mend.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidInput};
    if matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | InvalidInput
    ) {
        return;
    }
    tracing::error!(%error, "cannot accept connections");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
