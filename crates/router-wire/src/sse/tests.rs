use proptest::prelude::*;

use super::{Decoder, EventTooLarge, encode, encode_comment};

type Events = Vec<(String, Vec<u8>)>;

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Events {
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    for piece in pieces {
        decoder
            .push(piece, |e| events.push((String::from_utf8_lossy(e.name).into(), e.data.into())))
            .expect("nothing is too large");
    }
    decoder.finish(|e| events.push((String::from_utf8_lossy(e.name).into(), e.data.into())));
    events
}

#[track_caller]
fn check(text: &str, expect: &[(&str, &str)]) {
    let expect: Events =
        expect.iter().map(|(name, data)| ((*name).into(), (*data).into())).collect();
    assert_eq!(decode([text.as_bytes()]), expect, "{text:?} in one piece");
    assert_eq!(decode(text.as_bytes().chunks(1)), expect, "{text:?} byte by byte");
    for cut in 0..text.len() {
        let (head, tail) = text.as_bytes().split_at(cut);
        assert_eq!(decode([head, b"", tail]), expect, "{text:?} cut at {cut}");
    }
}

#[test]
fn lines_may_end_in_any_way() {
    for end in ["\n", "\r", "\r\n"] {
        let text = ["event: a", "data: 1", "", "data: 2", "data: 3", "", ""].join(end);
        check(&text, &[("a", "1"), ("", "2\n3")]);
    }
    check("data: 1\r\n\ndata: 2\n\r\ndata: 3\r\r", &[("", "1"), ("", "2"), ("", "3")]);
}

#[test]
fn fields_are_read_as_the_format_says() {
    check("data:x\n\n", &[("", "x")]);
    check("data:  x \n\n", &[("", " x ")]);
    check("data\n\ndata:\n\n", &[("", ""), ("", "")]);
    check("data: a:b\nid: 1\nretry: 5\nunknown: z\n: comment\n:\n\n", &[("", "a:b")]);
    check("event: a\nevent: b\ndata: 1\n\n", &[("b", "1")]);
    check("event: a\n\ndata: 1\n\n", &[("", "1")]);
    check(": ping\n\n\n\n", &[]);
    check("\u{feff}data: 1\n\n", &[("", "1")]);
    check("data: 1\n\n\u{feff}data: 2\n\n", &[("", "1")]);
    check("data: é€😀\n\n", &[("", "é€😀")]);
    check("data: [DONE]\n\n", &[("", "[DONE]")]);
}

#[test]
fn the_last_event_needs_no_blank_line() {
    check("event: a\ndata: 1", &[("a", "1")]);
    check("data: 1\n", &[("", "1")]);
    check("data: 1\r", &[("", "1")]);
    check("event: a", &[]);
    check("data: 1\n\ndat", &[("", "1")]);
}

#[test]
fn an_event_has_a_limit() {
    let mut decoder = Decoder::new(16);
    assert_eq!(decoder.push(b"data: 0123456789\n\n", |_| {}), Ok(()));
    let error = Err(EventTooLarge { bytes_max: 16 });
    assert_eq!(decoder.push(b"data: 0123456789a\n\n", |_| {}), error);
    assert_eq!(decoder.push(b"data: 1\n\n", |_| panic!("nothing more is read")), error);
    let mut decoder = Decoder::new(16);
    let grown = (0..4).map(|_| decoder.push(b"data: 01234\n", |_| {})).collect::<Vec<_>>();
    assert_eq!(grown, [Ok(()), Ok(()), error, error]);
    let mut decoder = Decoder::new(16);
    let dripped = (0..17).map(|_| decoder.push(b"x", |_| {})).filter(Result::is_err).count();
    assert_eq!(dripped, 1);
}

#[test]
fn a_decoder_knows_when_it_stands_between_events() {
    let mut decoder = Decoder::default();
    for (piece, between) in [
        ("data: 1\n", false),
        ("\n", true),
        ("ev", false),
        ("ent: x\n", false),
        ("\n", true),
        (": c\n", true),
    ] {
        decoder.push(piece.as_bytes(), |_| {}).unwrap();
        assert_eq!(decoder.is_between_events(), between, "after {piece:?}");
    }
}

#[test]
fn comments_and_names_cannot_break_out_of_their_line() {
    let mut bytes = Vec::new();
    encode_comment(&mut bytes, "a\ndata: x");
    encode(&mut bytes, "n\ndata: y", b"1");
    assert_eq!(decode([bytes.as_slice()]), [("ndata: y".to_owned(), b"1".to_vec())]);
}

proptest! {
    /// Where the network cuts the stream never changes what is decoded.
    #[test]
    fn chunking_is_invisible(
        text in "(data|event|: |:|\n|\r|\r\n|é|😀|x|\u{feff}|\n\n|data: [a-z]{0,3}\n){0,24}",
        cuts in proptest::collection::vec(0usize..100, 0..8),
    ) {
        let whole = decode([text.as_bytes()]);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]);
        prop_assert_eq!(decode(pieces), whole);
    }

    /// What is encoded decodes to the same, line ends aside.
    #[test]
    fn an_encoded_event_reads_back(name in "[a-z.]{0,8}", data in "[a-z\n: é]{0,20}") {
        let mut bytes = Vec::new();
        encode(&mut bytes, &name, data.as_bytes());
        prop_assert_eq!(decode([bytes.as_slice()]), [(name, data.into_bytes())]);
    }

    /// No bytes make it panic.
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let whole = decode([bytes.as_slice()]);
        prop_assert_eq!(decode(bytes.chunks(3)), whole);
    }
}
