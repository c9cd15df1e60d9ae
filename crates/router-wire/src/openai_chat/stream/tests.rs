use crate::Dialect;
use crate::canonical::{Block, Delta, Event};
use crate::translate::{Progress, Session};

mod reading;
mod whole;
mod writing;

const FULL: &str = include_str!("../../../fixtures/openai-chat/stream/full.sse");

/// A Messages client on a Chat upstream.
fn to_messages() -> Session {
    Session {
        model_shown: "shown".to_owned(),
        input_estimate: 7,
        vendor: "deepseek".to_owned(),
        family: "deepseek".to_owned(),
        ..Session::new(Dialect::Anthropic, Dialect::OpenaiChat)
    }
}

/// A Chat client on a Messages upstream.
fn to_chat() -> Session {
    Session {
        model_shown: "shown".to_owned(),
        now_s: 1_800_000_000,
        reasoning_to_chat: true,
        ..Session::new(Dialect::OpenaiChat, Dialect::Anthropic)
    }
}

/// The upstream's stream as the client gets it, and how it ended.
fn translated(session: &Session, pieces: &[&[u8]]) -> (String, Progress) {
    let mut stream = session.clone().stream();
    let mut out = Vec::new();
    for piece in pieces {
        let _ = stream.push(piece, &mut out);
    }
    let progress = stream.end(&mut out);
    if let Progress::Failed(error) = &progress {
        stream.fail(error, "req_1", &mut out);
    }
    (String::from_utf8(out).unwrap(), progress)
}

/// One event in a word or two.
fn word(event: &Event<'_>) -> String {
    match event {
        Event::Start(start) => format!("start({})", start.id.decode()),
        Event::Open { block, kind } => match kind {
            Block::Text => format!("+{block}:text"),
            Block::Thinking { .. } => format!("+{block}:thinking"),
            Block::Refusal => format!("+{block}:refusal"),
            Block::ToolCall { id, name, custom, .. } => {
                let kind = if *custom { "custom " } else { "" };
                format!("+{block}:{kind}{}({})", name.decode(), id.decode())
            }
        },
        Event::Delta { delta, .. } => match delta {
            Delta::Text(text) | Delta::Input(text) => format!("{text:?}"),
            Delta::Logprobs(json) => format!("logprobs{}", json.text()),
            Delta::Citation(_) => "cites".to_owned(),
            Delta::Break | Delta::Opaque(_) => "?".to_owned(),
        },
        Event::Close { block } => format!("-{block}"),
        Event::Usage(usage) => format!("usage({},{})", usage.input(), usage.output()),
        Event::Finish(stop) => format!("finish({:?})", stop.reason),
        Event::End => "end".to_owned(),
        Event::Failed(error) => format!("failed({})", error.message),
        Event::Ping => "ping".to_owned(),
        Event::Choice(index) => format!("choice {index}"),
        Event::Lost { code, .. } => format!("lost {code}"),
    }
}
