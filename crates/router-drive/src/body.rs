//! The body of an upstream request: up to a few slices of bytes, sent without joining them.

use bytes::Bytes;

/// A spliced body has what stood before the model, the new model, and what stood after it.
const PARTS_MAX: usize = 4;

/// A request's body as a host gets it to send. Empty parts mean nothing.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    parts: [Bytes; PARTS_MAX],
}

impl Payload {
    /// A body of `pieces` in order; more than the array holds are joined into the last.
    pub(crate) fn new(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let mut payload = Self::default();
        let mut pieces = pieces.into_iter();
        for slot in &mut payload.parts {
            *slot = pieces.next().unwrap_or_default();
        }
        let rest: Vec<Bytes> = pieces.collect();
        if let (false, Some(last)) = (rest.is_empty(), payload.parts.last_mut()) {
            let mut joined = last.to_vec();
            for piece in &rest {
                joined.extend_from_slice(piece);
            }
            *last = joined.into();
        }
        payload
    }

    /// All of it in one piece, for hosts that send bodies so.
    pub fn join(self) -> Bytes {
        let [first, rest @ ..] = &self.parts;
        if rest.iter().all(Bytes::is_empty) { first.clone() } else { self.parts.concat().into() }
    }
}

impl IntoIterator for Payload {
    type Item = Bytes;
    type IntoIter = std::array::IntoIter<Bytes, PARTS_MAX>;

    fn into_iter(self) -> Self::IntoIter {
        self.parts.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_stay_in_order_however_many_there_are() {
        for count in 0..9 {
            let pieces = (0..count).map(|n: usize| Bytes::from(n.to_string()));
            let expect: String = (0..count).map(|n| n.to_string()).collect();
            let payload = Payload::new(pieces);
            assert_eq!(payload.clone().into_iter().collect::<Vec<_>>().concat(), expect.as_bytes());
            assert_eq!(payload.join(), expect);
        }
    }
}
