//! The body of an upstream request: up to a few slices of bytes, sent without joining them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// A spliced body has what stood before the model, the new model, and what stood after it.
const PARTS_MAX: usize = 4;

/// A request body of known length, cheap to clone for another attempt.
#[derive(Clone, Debug, Default)]
pub struct OutboundBody {
    parts: [Bytes; PARTS_MAX],
    next: usize,
}

impl OutboundBody {
    /// A body of `pieces` in order; more than the array holds are joined into the last.
    pub fn new(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let mut body = Self::default();
        let mut pieces = pieces.into_iter();
        for slot in &mut body.parts {
            *slot = pieces.next().unwrap_or_default();
        }
        let rest: Vec<Bytes> = pieces.collect();
        if let (false, Some(last)) = (rest.is_empty(), body.parts.last_mut()) {
            let mut joined = last.to_vec();
            for piece in &rest {
                joined.extend_from_slice(piece);
            }
            *last = joined.into();
        }
        body
    }

    /// Bytes not yet sent.
    pub fn remaining(&self) -> u64 {
        let bytes: usize = self.parts.iter().skip(self.next).map(Bytes::len).sum();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

impl Body for OutboundBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            let next = self.next;
            let Some(part) = self.parts.get_mut(next).map(std::mem::take) else {
                return Poll::Ready(None);
            };
            self.next += 1;
            if !part.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(part))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.remaining() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn pieces_arrive_in_order_and_empty_ones_are_skipped() {
        let pieces = ["a", "", "bc", "d", "e", "f"].map(Bytes::from);
        let body = OutboundBody::new(pieces);
        assert_eq!(body.remaining(), 6);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abcdef");
    }
}
