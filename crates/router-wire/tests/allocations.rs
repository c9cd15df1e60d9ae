//! Translating a stream allocates nothing per event once its buffers have grown.
//!
//! The counter replaces this test program's allocator and counts by thread.

use allocation_counter::measure;
use router_wire::Dialect;
use router_wire::translate::{Progress, Session, StreamTranslator};

/// Events that may still grow a buffer.
const WARM: usize = 8;
/// Events that may not.
const STEADY: usize = 200;

/// Opens a stream, warms it with `delta`, and counts the allocations of [`STEADY`] more. The host
/// hands in one buffer that is emptied after each event, as a server does.
fn check(outbound: Dialect, inbound: Dialect, opening: &[&str], delta: &str) {
    let session = Session { model_shown: "shown".to_owned(), ..Session::new(inbound, outbound) };
    let mut translator = session.stream();
    let mut out = Vec::with_capacity(64 * 1024);
    for event in opening {
        push(&mut translator, event, &mut out);
    }
    for _ in 0..WARM {
        push(&mut translator, delta, &mut out);
    }
    let mut written = 0;
    let counted = measure(|| {
        for _ in 0..STEADY {
            written += push(&mut translator, delta, &mut out);
        }
    });
    assert!(written > STEADY * 20, "{outbound} to {inbound} wrote {written} bytes");
    assert_eq!(counted.count_total, 0, "{outbound} to {inbound}: {counted:?}");
}

fn push(translator: &mut StreamTranslator, event: &str, out: &mut Vec<u8>) -> usize {
    out.clear();
    let progress = translator.push(event.as_bytes(), out);
    assert!(matches!(progress, Progress::Startup | Progress::Meaningful), "{progress:?}");
    out.len()
}

const CHAT_START: &str = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\
    \"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\
    \"content\":\"\"},\"finish_reason\":null}]}\n\n";
const CHAT_TEXT: &str = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\
    \"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\
    \"a few \\\"words\\\"\\n\"},\"finish_reason\":null}]}\n\n";
const CHAT_CALL: &str = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\
    \"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\
    \"index\":0,\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"read\",\
    \"arguments\":\"\"}}]},\"finish_reason\":null}]}\n\n";
const CHAT_ARGUMENTS: &str = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\
    \"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\
    \"index\":0,\"function\":{\"arguments\":\" \\\"path\\\" \"}}]},\
    \"finish_reason\":null}]}\n\n";

const MESSAGES_START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\
    \"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\
    \"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":9,\
    \"output_tokens\":1}}}\n\n";
const MESSAGES_TEXT_START: &str = "event: content_block_start\ndata: \
    {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\
    \"text\":\"\"}}\n\n";
const MESSAGES_TEXT: &str = "event: content_block_delta\ndata: {\"type\":\
    \"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\
    \"text\":\"a few \\\"words\\\"\\n\"}}\n\n";
const MESSAGES_CALL: &str = "event: content_block_start\ndata: \
    {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\
    \"id\":\"toolu_1\",\"name\":\"read\",\"input\":{}}}\n\n";
const MESSAGES_INPUT: &str = "event: content_block_delta\ndata: {\"type\":\
    \"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\
    \"partial_json\":\" \\\"path\\\" \"}}\n\n";

/// What the counter sees without a translator: otherwise a count of 0 would say nothing.
#[test]
fn the_counter_counts() {
    let counted = measure(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(64))));
    assert_eq!(counted.count_total, 1);
}

#[test]
fn text_from_chat_to_messages_allocates_nothing() {
    check(Dialect::OpenaiChat, Dialect::Anthropic, &[CHAT_START], CHAT_TEXT);
}

#[test]
fn arguments_from_chat_to_messages_allocate_nothing() {
    check(Dialect::OpenaiChat, Dialect::Anthropic, &[CHAT_START, CHAT_CALL], CHAT_ARGUMENTS);
}

#[test]
fn text_from_messages_to_chat_allocates_nothing() {
    let opening = [MESSAGES_START, MESSAGES_TEXT_START];
    check(Dialect::Anthropic, Dialect::OpenaiChat, &opening, MESSAGES_TEXT);
}

#[test]
fn arguments_from_messages_to_chat_allocate_nothing() {
    let opening = [MESSAGES_START, MESSAGES_CALL];
    check(Dialect::Anthropic, Dialect::OpenaiChat, &opening, MESSAGES_INPUT);
}
