use proptest::prelude::*;

use super::*;

/// Feeds `wire` in pieces of `step` bytes; returns the payload and how many
/// bytes were left over.
fn read(framing: Framing, wire: &[u8], step: usize) -> Result<(Vec<u8>, usize, bool)> {
    let (mut body, mut payload, mut taken) = (Body::new(framing), Vec::new(), 0);
    for piece in wire.chunks(step) {
        taken += body.feed(piece, |bytes| {
            payload.extend_from_slice(bytes);
            Ok(())
        })?;
        if body.is_done() {
            break;
        }
    }
    Ok((payload, wire.len() - taken, body.is_done()))
}

#[track_caller]
fn check(framing: Framing, wire: &str, payload: &str, left: usize, done: bool) {
    for step in 1..=wire.len() {
        let seen = read(framing, wire.as_bytes(), step).unwrap();
        assert_eq!(seen, (payload.as_bytes().to_vec(), left, done), "in steps of {step}");
    }
}

#[test]
fn bodies_end_where_their_framing_says() {
    check(Framing::Length(3), "abcdef", "abc", 3, true);
    check(Framing::Length(9), "abcdef", "abcdef", 0, false);
    check(Framing::UntilClose, "abc", "abc", 0, false);
    check(Framing::Chunked, "3\r\nabc\r\n0\r\n\r\nHTTP", "abc", 4, true);
    check(
        Framing::Chunked,
        "3;x=1\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
        "abc0123456789",
        0,
        true,
    );
    check(Framing::Chunked, "1\r\na\r\n0\r\nx: y\r\n\r\n", "a", 0, true);
    check(Framing::Chunked, "3\r\nab", "ab", 0, false);
}

#[test]
fn broken_chunks_are_errors() {
    for wire in ["x\r\n", "1\r\nab\r\n", "fffffffffffffffff\r\n"] {
        assert!(read(Framing::Chunked, wire.as_bytes(), 64).is_err(), "{wire:?}");
    }
}

#[test]
fn heads_say_how_the_body_ends() {
    let head = |text: &str| Head::response(text.as_bytes()).unwrap();
    assert_eq!(head("HTTP/1.1 200 OK\r\nContent-"), None);
    let length = head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!((length.framing, length.closes), (Framing::Length(5), true));
    let chunked = head("HTTP/1.1 404 No\r\ntransfer-encoding: chunked\r\n\r\nabc").unwrap();
    assert_eq!((chunked.status, chunked.framing, chunked.len), (404, Framing::Chunked, 47));
    assert!(Head::request(b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n").is_err());
}

proptest! {
    /// How the payload was cut into chunks, and the wire into reads, never
    /// changes what is read.
    #[test]
    fn chunking_is_invisible(payload in "[a-z\r\n]{0,200}", cut in 1usize..50, step in 1usize..50) {
        let mut wire = Vec::new();
        for chunk in payload.as_bytes().chunks(cut) {
            wire.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            wire.extend(chunk);
            wire.extend(b"\r\n");
        }
        wire.extend(b"0\r\n\r\n");
        let seen = read(Framing::Chunked, &wire, step).unwrap();
        prop_assert_eq!(seen, (payload.into_bytes(), 0, true));
    }
}
