//! Bodies looked at as bytes: peeked, changed, counted, refused, and the config file.

use router_config::{NoLookup, Severity};
use router_wire::canonical::Losses;
use router_wire::detect::{HeaderHints, detect};
use router_wire::error::{ClientError, ErrorKind, StreamPlace, UpstreamError};
use router_wire::facts::FactsTable;
use router_wire::gemini::count as gemini_count;
use router_wire::peek::{Peek, Problem};
use router_wire::splice::{Change, Splice};
use router_wire::tap::{finish_reason_of_body, usage_of_body};
use router_wire::translate::{Options, RequestExtra, Target, estimate_tokens};
use router_wire::{Dialect, surface};
use serde_json::Value;

use crate::{assert_json, is_json};

const MODEL: &str = "a \"model\"\\ \n\u{1}ü";

/// A body that is walked can be changed, and the change is the only one; a body that is refused
/// is one that JSON, or the router for a reason it names, does not allow.
pub(crate) fn peek(data: &[u8]) {
    let text = data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data);
    let object = serde_json::from_slice::<Value>(text).ok().filter(Value::is_object);
    let peeked = match router_wire::peek::peek(data) {
        Ok(peeked) => peeked,
        Err(error) => {
            assert!(error.offset <= data.len());
            let ours = matches!(error.problem, Problem::Duplicate(_) | Problem::WrongType { .. });
            assert!(object.is_none() || ours, "a JSON object is refused: {error:?}");
            return;
        }
    };
    let found = peeked.found();
    assert_eq!(format!("{:?}", Peek::of(data, &found)), format!("{peeked:?}"));
    let hints = HeaderHints::default();
    assert_eq!(detect(&peeked, hints).dialect, detect(&peeked, hints).dialect);

    let changed = spliced(&peeked, &[Change::set_text("model", MODEL)]);
    let again = router_wire::peek::peek(&changed).expect("a changed body is a body");
    assert_eq!(again.model_name().as_deref(), Some(MODEL));
    let added = usize::from(peeked.model.is_none());
    assert_eq!(again.members_count, peeked.members_count + added);
    if let Some(mut object) = object.clone() {
        object["model"] = MODEL.into();
        assert_eq!(serde_json::from_slice::<Value>(&changed).expect("JSON"), object);
    }

    let changes = [
        Change::Remove { name: "stream" },
        Change::Set { name: "user", json: b"[1]".to_vec() },
        Change::Set { name: "messages", json: b"null".to_vec() },
        Change::Remove { name: "model" },
    ];
    let changed = spliced(&peeked, &changes);
    let again = router_wire::peek::peek(&changed).expect("a changed body is a body");
    assert!(again.stream.is_none() && again.model.is_none());
    assert_eq!(again.user.map(|user| again.value(user)), Some(&b"[1]"[..]));
    if let Some(mut object) = object {
        let members = object.as_object_mut().expect("an object");
        members.remove("stream");
        members.remove("model");
        members.insert("user".to_owned(), serde_json::json!([1]));
        members.insert("messages".to_owned(), Value::Null);
        assert_eq!(serde_json::from_slice::<Value>(&changed).expect("JSON"), object);
    }
}

fn spliced(peeked: &Peek<'_>, changes: &[Change<'_>]) -> Vec<u8> {
    let splice = Splice::new(peeked, changes);
    let bytes = splice.to_vec(peeked.body());
    assert_eq!(bytes.len(), splice.len());
    bytes
}

/// Token counts are read and estimated without harm, and a written count request is one.
pub(crate) fn count(data: &[u8]) {
    let extra = RequestExtra { model: Some("gemini-3-flash"), ..RequestExtra::default() };
    for dialect in Dialect::ALL {
        let first = estimate_tokens(dialect, data, &extra);
        assert_eq!(first, estimate_tokens(dialect, data, &extra));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(total) = gemini_count::read_answer(text) {
        let mut out = Vec::new();
        gemini_count::write_answer(total, &mut out);
        let out = String::from_utf8(out).expect("an answer is text");
        assert_eq!(gemini_count::read_answer(&out), Ok(total));
    }
    let Ok(request) = gemini_count::read(text, &extra) else { return };
    let facts = FactsTable::embedded().lookup("gemini-3-flash");
    let options = Options::default();
    let target = Target {
        dialect: Dialect::Gemini,
        model: "gemini-3-flash",
        facts: &facts,
        options: &options,
    };
    let mut out = Vec::new();
    let mut losses = Losses::new(Dialect::Gemini);
    if gemini_count::write(&request, &target, &mut losses, &mut out).is_ok() {
        assert_json(&out, "a count request");
        let out = String::from_utf8(out).expect("a request is text");
        gemini_count::read(&out, &extra).expect("a written count request can be read");
    }
}

/// Any body may come with an error status, any text may stand in an error and in a path; what the
/// router makes of it is JSON.
pub(crate) fn errors(data: &[u8]) {
    for dialect in Dialect::ALL {
        usage_of_body(dialect, data);
        finish_reason_of_body(dialect, data);
    }
    for status in [400, 404, 429, 500, 529] {
        let read = UpstreamError::read(status, data);
        assert!(!read.is_error || UpstreamError::is_possible(data));
        let debug = format!("{read:?}");
        assert_eq!(debug, format!("{:?}", UpstreamError::read(status, data)));
    }
    let text = String::from_utf8_lossy(data);
    for method in ["GET", "POST", "DELETE"] {
        let _ = surface::route(method, &text);
    }
    surface::dialect_hint(&text);
    let error = ClientError::new(ErrorKind::InvalidRequest, &*text).with_param(&*text);
    for dialect in Dialect::ALL {
        assert_json(&error.body(dialect, &text), "an error");
        let mut decoder = router_wire::sse::Decoder::default();
        let place = StreamPlace { request_id: &text, model: &text, ..StreamPlace::default() };
        let event = error.stream_event(dialect, &place);
        let check = |event: router_wire::sse::Event<'_>| {
            assert!(event.is_done_marker() || is_json(event.data), "an error event");
        };
        decoder.push(&event, check).expect("a small event");
        assert!(decoder.is_between_events());
    }
}

/// A config is given exactly when nothing is wrong, and every problem has its place.
pub(crate) fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let loaded = router_config::load(text, &NoLookup);
    assert_eq!(loaded.config.is_none(), loaded.has_errors());
    let lines = text.lines().count().max(1) + 1;
    for diagnostic in &loaded.diagnostics {
        assert!(diagnostic.line <= lines, "{diagnostic:?} is beyond line {lines}");
        assert!(matches!(diagnostic.severity, Severity::Error | Severity::Warning));
    }
    let again = router_config::load(text, &NoLookup);
    assert_eq!(loaded.diagnostics, again.diagnostics);
}
