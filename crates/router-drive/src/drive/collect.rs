//! Reading bodies to their end, within limits.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use router_core::catalog::Timeouts;

use super::watch::Cut;
use crate::host::{Host, within};

/// Bytes of a whole answer at most; embeddings and pictures are the largest ones.
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Reads a whole body before `deadline`, each piece of it within the idle timeout.
pub(super) async fn collect_paced<H: Host>(
    mut body: H::Body,
    timeouts: Timeouts,
    deadline: Option<H::Instant>,
) -> Result<Bytes, Cut> {
    let mut whole = Pieces::default();
    loop {
        let idle = timeouts.idle.map(|idle| H::instant() + idle);
        match within::<H, _>(earlier(idle, deadline), body.frame()).await {
            None => return Err(Cut::Idle),
            Some(None) => return Ok(whole.join()),
            Some(Some(Err(error))) => return Err(Cut::Broken(H::words(&error))),
            Some(Some(Ok(frame))) => {
                let Ok(piece) = frame.into_data() else { continue };
                if !whole.add(piece, ANSWER_BYTES_MAX) {
                    let limit = format!("the answer is larger than {ANSWER_BYTES_MAX} bytes");
                    return Err(Cut::Broken(limit));
                }
            }
        }
    }
}

/// Reads a body up to `limit` bytes and leaves the rest.
pub(super) async fn collect<H: Host>(
    mut body: H::Body,
    limit: usize,
) -> Result<Bytes, H::BodyError> {
    let mut whole = Pieces::default();
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame?.into_data()
            && !whole.add(piece, limit)
        {
            break;
        }
    }
    Ok(whole.join())
}

/// The earlier of two moments, where there are any.
pub(super) fn earlier<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    a.into_iter().chain(b).min()
}

/// A body as it arrives; a single piece is not copied.
#[derive(Default)]
struct Pieces {
    first: Bytes,
    rest: BytesMut,
}

impl Pieces {
    /// Adds a piece; false if the body would be larger than `limit`.
    fn add(&mut self, piece: Bytes, limit: usize) -> bool {
        if limit < self.first.len().max(self.rest.len()) + piece.len() {
            return false;
        }
        if self.first.is_empty() {
            self.first = piece;
        } else {
            if self.rest.is_empty() {
                self.rest.extend_from_slice(&self.first);
            }
            self.rest.extend_from_slice(&piece);
        }
        true
    }

    fn join(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}
