//! What an upstream answers, whatever dialect it speaks.

use std::borrow::Cow;

use super::content::{Content, Json, Part, ToolInput};
use super::event::{Block, Delta, Event, Start};
use super::loss::Severity;
use super::stop::Stop;
use crate::json::Str;
use crate::translate::ANSWER_PART;
use crate::usage::Usage;

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Response<'a> {
    /// The upstream's id for it. Writers derive their own id from it.
    pub id: Str<'a>,
    /// The model that answered.
    pub model: Str<'a>,
    /// When it was made, in seconds since 1970.
    pub created_s: Option<u64>,
    /// One answer, or as many as were asked for. Never empty.
    pub choices: Vec<Choice<'a>>,
    /// Tokens.
    pub usage: Usage,
    /// The class of service that was used, in the upstream's word.
    pub service_tier: Option<Str<'a>>,
}

impl Response<'_> {
    /// Tells the whole answer as a stream does.
    pub fn replay(&self, sink: &mut impl FnMut(Event<'_>)) {
        let Self { id, model, created_s, choices, usage, service_tier } = self;
        sink(Event::Start(Start {
            id: id.as_ref(),
            model: model.as_ref(),
            created_s: *created_s,
            service_tier: service_tier.as_ref().map(Str::as_ref),
        }));
        let mut blocks = 0_u32..;
        for (index, Choice { parts, stop, logprobs }) in (0_u32..).zip(choices) {
            if index > 0 {
                sink(Event::Choice(index));
            }
            let mut logprobs = logprobs.as_ref();
            for (part, block) in parts.iter().zip(blocks.by_ref()) {
                replay_part(block, part, &mut logprobs, sink);
            }
            sink(Event::Finish(stop.clone()));
        }
        sink(Event::Usage(*usage));
        sink(Event::End);
    }
}

/// One part as a block. The probabilities are told with the first text.
fn replay_part(
    block: u32,
    part: &Part<'_>,
    logprobs: &mut Option<&Json<'_>>,
    sink: &mut impl FnMut(Event<'_>),
) {
    let (kind, delta) = match &part.content {
        Content::Text { text, citations: _ } => (Block::Text, Delta::Text(text.as_ref())),
        Content::Refusal(text) => (Block::Refusal, Delta::Text(text.as_ref())),
        Content::Thinking(thinking) => {
            (Block::Thinking { redacted: thinking.redacted }, Delta::Text(thinking.text.as_ref()))
        }
        Content::ToolCall(call) => (
            Block::ToolCall {
                id: call.id.as_ref(),
                name: call.name.as_ref(),
                namespace: call.namespace.as_ref().map(Str::as_ref),
                custom: call.custom,
                hosted: call.hosted.as_deref().map(Cow::Borrowed),
            },
            Delta::Input(match &call.input {
                ToolInput::Json(json) => Str::plain(json.text()),
                ToolInput::Text(text) => text.as_ref(),
            }),
        ),
        Content::Image(_)
        | Content::Document(_)
        | Content::Audio(_)
        | Content::SearchResult(_)
        | Content::ToolResult(_)
        | Content::Foreign(_) => {
            return sink(Event::Lost {
                severity: Severity::Content,
                code: ANSWER_PART,
                origin: part.origin,
                why: "answers hold no such part elsewhere",
            });
        }
    };
    sink(Event::Open { block, kind });
    sink(Event::Delta { block, delta });
    match &part.content {
        Content::Text { citations, .. } => {
            for citation in citations {
                sink(Event::Delta { block, delta: Delta::Citation(citation.clone()) });
            }
            if let Some(json) = logprobs.take() {
                sink(Event::Delta { block, delta: Delta::Logprobs(json.clone()) });
            }
        }
        Content::Thinking(thinking) => {
            if let Some(opaque) = &thinking.opaque {
                sink(Event::Delta { block, delta: Delta::Opaque(opaque.clone()) });
            }
        }
        _ => {}
    }
    sink(Event::Close { block });
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Choice<'a> {
    /// Text, thinking, tool calls, refusals, in order.
    pub parts: Vec<Part<'a>>,
    /// How it ended.
    pub stop: Stop<'a>,
    /// Probabilities of the tokens: items of Chat's `logprobs.content`, as a JSON array.
    pub logprobs: Option<Json<'a>>,
}
