//! Gzip without compression: stored blocks, enough for a client to undo.

use bytes::Bytes;

use crate::reply::{Event, Mark, Payload, Reply};

/// The most one stored block holds.
const BLOCK_BYTES_MAX: usize = 0xffff;

/// Wraps the body in the gzip format (RFC 1952), one stored block per piece so
/// that a stream stays a stream, and says so in the headers.
pub(crate) fn compress(reply: &mut Reply) {
    let whole = matches!(reply.payload, Payload::Whole(_));
    let pieces = reply.pieces();
    let mut out: Vec<Vec<u8>> = Vec::new();
    let (mut check, mut length) = (u32::MAX, 0_u32);
    for piece in &pieces {
        let mut block = Vec::new();
        for part in piece.chunks(BLOCK_BYTES_MAX) {
            stored(&mut block, part, false);
            check = crc32(check, part);
            length = length.wrapping_add(u32::try_from(part.len()).unwrap_or(0));
        }
        out.push(block);
    }
    let mut tail = Vec::new();
    stored(&mut tail, &[], true);
    tail.extend((!check).to_le_bytes());
    tail.extend(length.to_le_bytes());
    out.push(tail);
    if let Some(first) = out.first_mut() {
        first.splice(0..0, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    }
    reply.set_header("content-encoding", "gzip");
    reply.split = None;
    reply.payload = if whole {
        Payload::Whole(Bytes::from(out.concat()))
    } else {
        let event = |bytes| Event { mark: Mark::Output, bytes: Bytes::from(bytes) };
        Payload::Stream(out.into_iter().map(event).collect())
    };
}

fn stored(out: &mut Vec<u8>, part: &[u8], last: bool) {
    let length = u16::try_from(part.len()).unwrap_or(0);
    out.push(u8::from(last));
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend(part);
}

fn crc32(mut check: u32, bytes: &[u8]) -> u32 {
    for byte in bytes {
        check ^= u32::from(*byte);
        for _ in 0..8 {
            let low = check & 1;
            check = (check >> 1) ^ (0xedb8_8320 * low);
        }
    }
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_is_that_of_the_standard() {
        assert_eq!(!crc32(u32::MAX, b"123456789"), 0xcbf4_3926);
    }
}
