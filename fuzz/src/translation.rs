//! Requests, answers and streams on their way from each dialect to each other.

use std::cell::OnceCell;

use router_wire::Dialect;
use router_wire::canonical::Shown;
use router_wire::error::{ClientError, ErrorKind};
use router_wire::facts::{Facts, FactsTable};
use router_wire::sse::Decoder;
use router_wire::tap::{End, Tap};
use router_wire::translate::{
    Options, Progress, RequestExtra, Session, StreamTranslator, Target, ToolAlias, estimate_tokens,
    translate_request,
};

use crate::{assert_json, is_json, pieces};

/// The models requests are translated for.
const TARGETS: [(Dialect, &str); 8] = [
    (Dialect::Anthropic, "claude-sonnet-4-5"),
    (Dialect::Anthropic, "claude-opus-4-7"),
    (Dialect::OpenaiChat, "gpt-4o"),
    (Dialect::OpenaiChat, "gpt-5.6"),
    (Dialect::OpenaiChat, "deepseek-reasoner"),
    (Dialect::OpenaiResponses, "gpt-5.6"),
    (Dialect::Gemini, "gemini-2.5-pro"),
    (Dialect::Gemini, "gemini-3-flash"),
];

/// Bytes of a stream that is also given byte by byte; longer ones take too much of the time.
const BY_BYTE_MAX: usize = 512;

thread_local! {
    static FACTS: OnceCell<Vec<Facts>> = const { OnceCell::new() };
}

fn facts() -> Vec<Facts> {
    FACTS.with(|facts| {
        facts
            .get_or_init(|| {
                let table = FactsTable::embedded();
                TARGETS.iter().map(|(_, model)| table.lookup(model)).collect()
            })
            .clone()
    })
}

/// A written request is JSON, its own dialect can read it, and it is the same each time.
pub(crate) fn request(inbound: Dialect, data: &[u8]) {
    let options = Options::default();
    let extra = RequestExtra { now_s: 1_800_000_000, ..RequestExtra::default() };
    for ((dialect, model), facts) in TARGETS.into_iter().zip(&facts()) {
        let target = Target { dialect, model, facts, options: &options };
        match translate_request(inbound, data, &extra, &target) {
            Ok(sent) => {
                assert_json(&sent.body, "a request");
                assert_eq!(sent.session.outbound, dialect);
                let read = estimate_tokens(dialect, &sent.body, &extra);
                let text = String::from_utf8_lossy(&sent.body);
                assert!(read.is_ok(), "for {dialect} {model}: {read:?}: {text}");
                let again = translate_request(inbound, data, &extra, &target);
                let again = again.expect("what is translated once is translated again");
                assert_eq!((sent.body, sent.losses), (again.body, again.losses));
            }
            Err(error) => {
                assert_json(&error.to_client_error().body(inbound, "req"), "a refusal");
            }
        }
    }
}

/// Sessions in which nothing was asked for, and in which much was.
fn sessions(inbound: Dialect, outbound: Dialect) -> [Session; 2] {
    let plain = Session { model_shown: "shown".to_owned(), ..Session::new(inbound, outbound) };
    let alias = |sent: &str, unwrap| ToolAlias {
        sent: sent.to_owned(),
        name: format!("{sent}.original"),
        unwrap,
        ..ToolAlias::default()
    };
    let busy = Session {
        stream: true,
        include_usage: true,
        shown: Shown::Detailed,
        tools: vec![alias("get_weather", false), alias("apply_patch", true)],
        stops: vec!["END".to_owned(), "\n\n".to_owned()],
        input_estimate: 100,
        vendor: "vendor".to_owned(),
        family: "family".to_owned(),
        keeps_text: true,
        ..plain.clone()
    };
    [plain, busy]
}

/// A written answer is JSON that its own dialect can read; a failed one wrote nothing.
pub(crate) fn response(outbound: Dialect, data: &[u8]) {
    for inbound in Dialect::ALL {
        for mut session in sessions(inbound, outbound) {
            let mut out = Vec::new();
            match session.response(data, &mut out) {
                Ok(translated) => {
                    assert_json(&out, "an answer");
                    let mut back = Session::new(Dialect::Anthropic, inbound);
                    let read = back.response(&out, &mut Vec::new());
                    let text = String::from_utf8_lossy(&out);
                    assert!(read.is_ok(), "to {inbound}: {read:?}: {text}");
                    drop(translated);
                }
                Err(error) => {
                    assert!(out.is_empty(), "a failed answer wrote something to {inbound}");
                    assert_json(&error.body(inbound, "req"), "an error");
                }
            }
        }
    }
}

/// What a whole stream came to.
struct Done {
    translator: StreamTranslator,
    progress: Progress,
    out: Vec<u8>,
}

fn translate<'a>(session: &Session, pieces: impl IntoIterator<Item = &'a [u8]>) -> Done {
    let mut translator = session.clone().stream();
    let mut out = Vec::new();
    for piece in pieces {
        let before = out.len();
        if let Progress::Startup = translator.push(piece, &mut out) {
            continue;
        }
        assert!(out.len() >= before);
    }
    let progress = translator.end(&mut out);
    assert!(matches!(progress, Progress::Finished | Progress::Failed(_)), "{progress:?}");
    Done { translator, progress, out }
}

/// A written stream does not depend on how the upstream's was cut; it is a stream of its dialect
/// from the first event to the terminal one, and nothing follows that.
pub(crate) fn stream(outbound: Dialect, data: &[u8]) {
    for inbound in Dialect::ALL {
        for session in sessions(inbound, outbound) {
            let mut whole = translate(&session, [data]);
            let mut cuts = vec![translate(&session, pieces(data))];
            if data.len() <= BY_BYTE_MAX {
                cuts.push(translate(&session, data.chunks(1)));
            }
            for cut in cuts {
                let (one, other) = (text(&whole.out), text(&cut.out));
                assert_eq!(one, other, "{outbound} to {inbound}");
                assert_eq!(whole.progress, cut.progress, "{outbound} to {inbound}");
                assert_eq!(whole.translator.usage(), cut.translator.usage());
                assert_eq!(whole.translator.kept(), cut.translator.kept());
            }
            assert_quiet(&mut whole, data);
            let failed = whole.progress != Progress::Finished;
            if failed {
                let error = ClientError::new(ErrorKind::Upstream, "cut");
                whole.translator.fail(&error, "req", &mut whole.out);
                assert_quiet(&mut whole, data);
            }
            assert_stream(inbound, &whole.out, failed);
        }
    }
    array(outbound, data);
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Nothing is written after the end.
fn assert_quiet(done: &mut Done, data: &[u8]) {
    let before = done.out.len();
    done.translator.push(data, &mut done.out);
    done.translator.end(&mut done.out);
    assert_eq!(before, done.out.len(), "after the end: {}", text(&done.out));
}

fn assert_stream(inbound: Dialect, out: &[u8], failed: bool) {
    let mut decoder = Decoder::default();
    let mut done = false;
    let check = |event: router_wire::sse::Event<'_>| {
        assert!(!done, "after [DONE]: {}", text(out));
        done = event.is_done_marker();
        assert!(!done || inbound == Dialect::OpenaiChat, "[DONE] to {inbound}");
        assert!(done || is_json(event.data), "no JSON: {}", text(event.data));
    };
    decoder.push(out, check).expect("events of a bearable size");
    assert!(decoder.is_between_events(), "the last event is cut: {}", text(out));
    let mut tap = Tap::new(inbound);
    tap.push(out);
    let expected = if failed { End::Failed } else { End::Clean };
    assert_eq!(tap.finish(), expected, "to {inbound}: {}", text(out));
    if !failed {
        let back = translate(&Session::new(Dialect::Anthropic, inbound), [out]);
        assert_eq!(back.progress, Progress::Finished, "read back: {}", text(out));
    }
}

/// A Gemini client that wants one JSON array gets one, however the stream ends.
fn array(outbound: Dialect, data: &[u8]) {
    let [plain, _] = sessions(Dialect::Gemini, outbound);
    let session = Session { json_array: true, stream: true, ..plain };
    let mut done = translate(&session, pieces(data));
    if done.progress != Progress::Finished {
        let error = ClientError::new(ErrorKind::Upstream, "cut");
        done.translator.fail(&error, "req", &mut done.out);
    }
    assert_json(&done.out, "a stream as an array");
}
