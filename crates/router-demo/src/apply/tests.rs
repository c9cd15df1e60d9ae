use super::*;
use crate::demo::Options;
use crate::state::State;
use crate::{FAULTY_MODELS, route};

const PATHS: [&str; 4] =
    ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1beta/models/"];

fn reply(path: &str, model: &str, stream: bool) -> Reply {
    let state = State::new(Options::default());
    let turns = json!([{"role": "user", "content": "Hi"}]);
    let (path, body) = match path {
        "/v1/responses" => {
            (path.to_owned(), json!({"model": model, "input": "Hi", "stream": stream}))
        }
        "/v1beta/models/" => {
            let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            let body = json!({"contents": [{"parts": [{"text": "Hi"}]}]});
            (format!("{path}{model}:{method}"), body)
        }
        "/v1/messages" => (
            path.to_owned(),
            json!({"model": model, "max_tokens": 99, "messages": turns, "stream": stream}),
        ),
        _ => (path.to_owned(), json!({"model": model, "messages": turns, "stream": stream})),
    };
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .header("anthropic-version", "2023-06-01")
        .body(())
        .unwrap();
    let (parts, ()) = request.into_parts();
    route::answer(&state, &parts, &Bytes::from(body.to_string()), 1)
}

#[test]
fn every_faulty_model_differs_from_a_healthy_one_in_every_dialect() {
    for path in PATHS {
        for stream in [true, false] {
            let healthy = format!("{:?}", reply(path, "demo-chat", stream));
            assert!(healthy.contains("status: 200"), "{path} {healthy}");
            for model in FAULTY_MODELS {
                let faulty = format!("{:?}", reply(path, model.id, stream));
                let faulty = faulty.replace(model.id, "demo-chat");
                assert_ne!(faulty, healthy, "{path} {} stream {stream}", model.id);
            }
        }
    }
}

#[test]
fn an_error_event_has_the_form_of_its_dialect() {
    let starts = ["data: {\"error\":", "event: error\n", "event: error\n", "data: {\"error\":"];
    for (path, start) in PATHS.into_iter().zip(starts) {
        let Payload::Stream(events) = reply(path, "demo-error-event-after", true).payload else {
            panic!("{path} does not stream")
        };
        let last = events.last().unwrap();
        let text = String::from_utf8_lossy(&last.bytes);
        assert!(text.starts_with(start), "{path}: {text}");
        let before = events.iter().filter(|event| event.mark == Mark::Output).count();
        assert_eq!(before, 1, "{path}: exactly one piece of output comes first");
    }
}

#[test]
fn a_place_is_found_in_any_stream() {
    for path in PATHS {
        let Payload::Stream(events) = reply(path, "demo-chat", true).payload else {
            panic!("{path} does not stream")
        };
        let at = |place| position(&events, place);
        let order = [At::Start, At::BeforeOutput, At::AfterOutput, At::Middle, At::BeforeTerminal];
        let places = order.map(at);
        assert!(places.is_sorted(), "{path}: {places:?}");
        assert_eq!(at(At::AfterOutput), at(At::BeforeOutput) + 1);
        assert!(at(At::BeforeTerminal) < events.len(), "{path}");
        assert_eq!(at(At::Event(9999)), events.len());
    }
}

#[test]
fn padding_keeps_the_json() {
    let padded = padded(&Bytes::from_static(b"data: {\"a\": 1}\n\n"), 100);
    assert_eq!(padded.len(), 100);
    let text = std::str::from_utf8(&padded).unwrap();
    let value: Value = serde_json::from_str(text.trim_start_matches("data: ")).unwrap();
    assert_eq!(value, json!({"a": 1}));
}

#[test]
fn a_cut_by_bytes_splits_the_event_it_falls_in() {
    let event = |text| Event::raw(Mark::Output, text);
    for bytes in 0..=8 {
        let mut events = vec![event("abc"), event("defg")];
        truncate(&mut events, At::Byte(bytes));
        let left: Vec<u8> = events.iter().flat_map(|event| event.bytes.to_vec()).collect();
        assert_eq!(left, b"abcdefg"[..bytes.min(7)]);
        assert!(events.iter().all(|event| !event.bytes.is_empty()));
    }
}
