mod reading;
mod writing;

use crate::canonical::{Block, Delta, Event, Shown};
use crate::dialect::Dialect;
use crate::sse;
use crate::translate::Session;

pub(super) const STREAMS: [(&str, &str); 10] = [
    ("everything", include_str!("../../../fixtures/openai-responses/stream/everything.sse")),
    ("done-only", include_str!("../../../fixtures/openai-responses/stream/done-only.sse")),
    (
        "completed-only",
        include_str!("../../../fixtures/openai-responses/stream/completed-only.sse"),
    ),
    ("refusal", include_str!("../../../fixtures/openai-responses/stream/refusal.sse")),
    ("length", include_str!("../../../fixtures/openai-responses/stream/length.sse")),
    ("filter", include_str!("../../../fixtures/openai-responses/stream/filter.sse")),
    ("failed", include_str!("../../../fixtures/openai-responses/stream/failed.sse")),
    ("error", include_str!("../../../fixtures/openai-responses/stream/error.sse")),
    ("error-nested", include_str!("../../../fixtures/openai-responses/stream/error-nested.sse")),
    ("raw-reasoning", include_str!("../../../fixtures/openai-responses/stream/raw-reasoning.sse")),
];

pub(crate) fn session(inbound: Dialect, outbound: Dialect) -> Session {
    Session {
        inbound,
        outbound,
        model_shown: "my-model".to_owned(),
        stream: true,
        json_array: false,
        include_usage: true,
        legacy_functions: false,
        reasoning_to_chat: true,
        shown: Shown::Summary,
        now_s: 1_790_000_000,
        tools: Vec::new(),
        stops: Vec::new(),
        input_estimate: 7,
        vendor: "openai".to_owned(),
        family: "gpt-5".to_owned(),
        keeps_text: false,
        echo: String::new(),
    }
}

/// One line for each event.
fn line(event: &Event<'_>) -> String {
    match event {
        Event::Start(start) => format!("start {} {}", start.id.decode(), start.model.decode()),
        Event::Open { block, kind } => match kind {
            Block::Text => format!("{block} text"),
            Block::Refusal => format!("{block} refusal"),
            Block::Thinking { redacted } => format!("{block} thinking redacted={redacted}"),
            Block::ToolCall { id, name, namespace, custom, hosted } => format!(
                "{block} call {} {} namespace={namespace:?} custom={custom} hosted={hosted:?}",
                id.decode(),
                name.decode()
            ),
        },
        Event::Delta { block, delta } => match delta {
            Delta::Text(text) => format!("{block} + {:?}", text.decode()),
            Delta::Input(text) => format!("{block} < {:?}", text.decode()),
            other => format!("{block} {other:?}"),
        },
        Event::Close { block } => format!("{block} close"),
        Event::Usage(usage) => format!("usage {} of {:?}", usage.total(), usage.web_searches),
        Event::Finish(stop) => format!("finish {:?} {:?}", stop.reason, stop.details),
        Event::End => "end".to_owned(),
        Event::Failed(error) => format!("failed {:?} {:?} {error}", error.kind, error.code),
        Event::Ping => "ping".to_owned(),
        Event::Choice(index) => format!("choice {index}"),
        Event::Lost { code, .. } => format!("lost {code}"),
    }
}

/// Hands out the events of a stream.
fn each(stream: &str, mut tell: impl FnMut(&str, &str)) {
    let mut decoder = sse::Decoder::default();
    let mut events = Vec::new();
    let mut keep = |event: sse::Event<'_>| {
        events.push((
            String::from_utf8(event.name.to_vec()).expect("UTF-8"),
            String::from_utf8(event.data.to_vec()).expect("UTF-8"),
        ));
    };
    decoder.push(stream.as_bytes(), &mut keep).expect("small events");
    decoder.finish(&mut keep);
    for (name, data) in events {
        tell(&name, &data);
    }
}
