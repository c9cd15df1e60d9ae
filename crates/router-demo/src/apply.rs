//! Turns a healthy reply into the one a fault asks for.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::Dialect;
use crate::refusal::Refusal;
use crate::reply::{End, Event, Headless, Mark, Payload, Reply};
use crate::script::{At, Fault};

const HTML: &str = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>\
    <body><h1>502 Bad Gateway</h1></body></html>";

/// What a fault needs to know about the request it answers.
pub(crate) struct Asked<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) request_id: &'a str,
    /// The request as JSON, for [`Fault::Echo`].
    pub(crate) echo: &'a dyn Fn() -> Value,
}

/// Applies `fault` to `reply`.
pub(crate) fn apply(fault: &Fault, reply: &mut Reply, asked: &Asked<'_>) {
    match fault {
        Fault::All(faults) => faults.iter().for_each(|fault| apply(fault, reply, asked)),
        Fault::Status { status, headers, body } => {
            become_status(reply, *status, headers, body.as_deref(), asked);
        }
        Fault::Quota => become_refusal(reply, &Refusal::quota(), asked),
        Fault::TooLong => become_refusal(reply, &Refusal::too_long(asked.dialect), asked),
        Fault::SlowHead(delay) => reply.delay = *delay,
        Fault::BlackHole => reply.headless = Some(Headless::Stall),
        Fault::CloseBeforeHead => reply.headless = Some(Headless::Close),
        Fault::ResetBeforeHead => reply.headless = Some(Headless::Reset),
        Fault::Cut(at) => stop(reply, *at, End::Close),
        Fault::Reset(at) => stop(reply, *at, End::Reset),
        Fault::Stall(at) => stop(reply, *at, End::Stall),
        Fault::Pace(pace) => reply.pace = *pace,
        Fault::Drip { bytes, every } => {
            reply.split = Some(*bytes);
            reply.pace = *every;
        }
        Fault::Split(bytes) => {
            reply.split = Some(*bytes);
            reply.pace = Duration::ZERO;
        }
        Fault::ContentType(kind) => reply.set_header("content-type", kind),
        Fault::Html | Fault::HtmlAsSuccess => {
            reply.status = if *fault == Fault::Html { 502 } else { 200 };
            reply.set_header("content-type", "text/html");
            reply.payload = Payload::Whole(Bytes::from_static(HTML.as_bytes()));
        }
        Fault::ErrorAsSuccess => {
            let body = Refusal::of_status(500).body(asked.dialect, asked.request_id);
            become_json(reply, &body);
        }
        Fault::EmptyBody => reply.payload = Payload::Whole(Bytes::new()),
        Fault::LengthTooLong => claim(reply, 7),
        Fault::LengthTooShort => claim(reply, -7),
        Fault::Informational(status) => reply.informational = Some(*status),
        Fault::Redirect(to) => {
            *reply = Reply::whole(307, "text/plain", Bytes::new());
            reply.set_header("location", to);
        }
        Fault::Gzip => reply.gzip = true,
        Fault::Echo => become_json(reply, &(asked.echo)()),
        _ => content(fault, reply, asked),
    }
}

/// The faults that change the content of an answer.
fn content(fault: &Fault, reply: &mut Reply, asked: &Asked<'_>) {
    match (&mut reply.payload, fault) {
        (Payload::Stream(events), Fault::BadJson(at)) => {
            insert(events, *at, b"data: {\"choices\": [{\"delta\": {\"content\": \"half\n\n");
        }
        (Payload::Stream(events), Fault::GarbageUtf8(at)) => {
            insert(events, *at, b"data: {\"garbage\": \"\xff\xfe\xc3\x28\"}\n\n");
        }
        (Payload::Stream(events), Fault::ErrorEvent(at)) => {
            truncate(events, *at);
            let event = error_event(asked, events.len());
            events.push(event);
        }
        (Payload::Stream(events), Fault::NoTerminal) => truncate(events, At::BeforeTerminal),
        (Payload::Stream(events), Fault::DoubleTerminal) => {
            let last = events.last().cloned();
            events.extend(last);
        }
        (Payload::Stream(events), Fault::Oversize(bytes)) => {
            if let Some(event) = events.iter_mut().find(|event| event.mark == Mark::Output) {
                event.bytes = padded(&event.bytes, *bytes);
            }
        }
        (Payload::Whole(body), Fault::BadJson(_) | Fault::NoTerminal) => {
            body.truncate(body.len() / 2);
        }
        (Payload::Whole(body), Fault::GarbageUtf8(_)) => {
            *body = Bytes::from([b"{\"\xff\xfe\xc3\x28".as_slice(), body].concat());
        }
        (Payload::Whole(_), Fault::ErrorEvent(_)) => {
            become_status(reply, 500, &[], None, asked);
        }
        (Payload::Whole(body), Fault::DoubleTerminal) => {
            *body = Bytes::from([body.as_ref(), body.as_ref()].concat());
        }
        (Payload::Whole(body), Fault::Oversize(bytes)) => *body = padded(body, *bytes),
        _ => {}
    }
}

fn become_json(reply: &mut Reply, body: &Value) {
    reply.set_header("content-type", "application/json");
    reply.payload = Payload::Whole(Bytes::from(body.to_string()));
}

fn become_refusal(reply: &mut Reply, refusal: &Refusal, asked: &Asked<'_>) {
    become_json(reply, &refusal.body(asked.dialect, asked.request_id));
    reply.status = refusal.status;
}

fn become_status(
    reply: &mut Reply,
    status: u16,
    headers: &[(String, String)],
    body: Option<&[u8]>,
    asked: &Asked<'_>,
) {
    let mut error = Refusal::of_status(status).body(asked.dialect, asked.request_id);
    let retry = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
    if let (Dialect::Gemini, Some((_, seconds)), Some(inner)) =
        (asked.dialect, retry, error.get_mut("error").and_then(Value::as_object_mut))
    {
        let info = json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{seconds}s"),
        });
        inner.insert("details".into(), json!([info]));
    }
    become_json(reply, &error);
    reply.status = status;
    if let Some(body) = body {
        reply.payload = Payload::Whole(Bytes::copy_from_slice(body));
    }
    for (name, value) in headers {
        reply.set_header(name, value);
    }
}

fn claim(reply: &mut Reply, more: isize) {
    let truth: usize = reply.pieces().iter().map(Bytes::len).sum();
    reply.claim = Some(truth.saturating_add_signed(more));
    reply.end = End::Close;
}

fn stop(reply: &mut Reply, at: At, end: End) {
    match &mut reply.payload {
        Payload::Stream(events) => truncate(events, at),
        Payload::Whole(body) => {
            reply.claim = Some(body.len());
            let keep = match at {
                At::Start => 0,
                At::Byte(bytes) => bytes,
                _ => body.len() / 2,
            };
            body.truncate(keep);
        }
    }
    reply.end = end;
}

/// The number of events before a place.
fn position(events: &[Event], at: At) -> usize {
    let first = |mark| events.iter().position(|event| event.mark == mark);
    let output = first(Mark::Output).unwrap_or(events.len());
    let terminal = first(Mark::Terminal).unwrap_or(events.len());
    match at {
        At::Start | At::Byte(_) => 0,
        At::Event(count) => count.min(events.len()),
        At::BeforeOutput => output,
        At::AfterOutput => (output + 1).min(terminal),
        At::Middle => (events.len() / 2).max(output + 1).min(terminal),
        At::BeforeTerminal => terminal,
    }
}

fn truncate(events: &mut Vec<Event>, at: At) {
    let At::Byte(mut left) = at else {
        events.truncate(position(events, at));
        return;
    };
    events.retain_mut(|event| {
        let keep = left.min(event.bytes.len());
        event.bytes.truncate(keep);
        left -= keep;
        keep > 0
    });
}

fn insert(events: &mut Vec<Event>, at: At, bytes: &'static [u8]) {
    let place = position(events, at);
    events.insert(place, Event { mark: Mark::Output, bytes: Bytes::from_static(bytes) });
}

/// Blanks after the first brace: the same JSON, but longer.
fn padded(bytes: &Bytes, size: usize) -> Bytes {
    let brace = bytes.iter().position(|byte| *byte == b'{').map_or(0, |at| at + 1);
    let (head, tail) = bytes.split_at(brace);
    let blanks = vec![b' '; size.saturating_sub(bytes.len())];
    Bytes::from([head, &blanks, tail].concat())
}

/// The event each dialect uses to say that a running stream has failed.
fn error_event(asked: &Asked<'_>, sequence: usize) -> Event {
    let body = Refusal::of_status(503).body(asked.dialect, asked.request_id);
    match asked.dialect {
        Dialect::Messages => Event::named(Mark::Terminal, &body),
        Dialect::Chat | Dialect::Gemini => Event::data(Mark::Terminal, &body),
        Dialect::Responses => {
            let event = json!({
                "type": "error", "sequence_number": sequence, "code": "server_error",
                "message": "The server is overloaded.", "param": null,
            });
            Event::named(Mark::Terminal, &event)
        }
    }
}

#[cfg(test)]
mod tests;
