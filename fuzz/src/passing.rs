//! Streams that pass: decoded and watched, the same however they are cut.

use router_wire::Dialect;
use router_wire::sse::{Decoder, encode};
use router_wire::tap::{End, Seen, Tap};

use crate::pieces;

type Events = Vec<(Vec<u8>, Vec<u8>)>;

fn decode<'a>(bytes_max: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Events, bool) {
    let mut decoder = Decoder::new(bytes_max);
    let mut events = Events::new();
    let mut failed = false;
    for piece in pieces {
        failed |= decoder
            .push(piece, |event| events.push((event.name.to_vec(), event.data.to_vec())))
            .is_err();
    }
    decoder.finish(|event| events.push((event.name.to_vec(), event.data.to_vec())));
    (events, failed)
}

/// The decoder's events do not depend on how the input is cut, within its limit or above, and
/// what the encoder writes of them decodes to the same.
pub(crate) fn sse(data: &[u8]) {
    for bytes_max in [64, 1 << 20] {
        let whole = decode(bytes_max, [data]);
        assert_eq!(whole, decode(bytes_max, pieces(data)), "in pieces, {bytes_max}");
        assert_eq!(whole, decode(bytes_max, data.chunks(1)), "byte by byte, {bytes_max}");
    }
    let (events, _) = decode(1 << 20, [data]);
    let mut encoded = Vec::new();
    let mut texts = Events::new();
    for (name, data) in events {
        if let Ok(text) = str::from_utf8(&name) {
            encode(&mut encoded, text, &data);
            texts.push((name, data));
        }
    }
    assert_eq!(decode(1 << 20, [&*encoded]).0, texts);
}

fn watch<'a>(dialect: Dialect, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Tap, Seen, End) {
    let mut tap = Tap::with_event_bytes_max(dialect, 1 << 20);
    let mut last = tap.seen();
    for piece in pieces {
        let seen = tap.push(piece);
        assert!(seen.events_count >= last.events_count);
        assert!(seen.meaningful || !last.meaningful);
        assert!(seen.terminal || !last.terminal);
        last = seen;
    }
    let end = tap.finish();
    let seen = tap.seen();
    (tap, seen, end)
}

/// What is seen of a passing stream does not depend on how it is cut.
pub(crate) fn tap(data: &[u8]) {
    for dialect in Dialect::ALL {
        let (whole, seen, end) = watch(dialect, [data]);
        for (cut, seen_cut, end_cut) in
            [watch(dialect, pieces(data)), watch(dialect, data.chunks(1))]
        {
            assert_eq!((seen, end), (seen_cut, end_cut), "{dialect}");
            assert_eq!(whole.usage(), cut.usage(), "{dialect}");
            assert_eq!(whole.finish_reason(), cut.finish_reason(), "{dialect}");
            assert_eq!(whole.error(), cut.error(), "{dialect}");
        }
    }
}
