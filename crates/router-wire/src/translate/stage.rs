//! Between reader and writer on the way back: gives tools their own names again, unwraps free
//! text, watches for stop sequences, and corrects stop reasons that contradict the answer.

use std::borrow::Cow;

use super::keep::{self, Keeper};
use super::unique::UniqueIds;
use super::{Session, ToolAlias};
use crate::canonical::{
    Block, Citation, Content, Delta, Event, Fallback, Losses, Origin, Response, Severity, Stop,
    StopReason, ToolInput,
};
use crate::json::{Cursor, Str};
use crate::usage::Usage;

mod scan;

use scan::StopScanner;

/// Bytes of text that make about one token.
const BYTES_PER_TOKEN: usize = 4;

/// The state of one streamed answer.
#[derive(Debug, Default)]
pub(super) struct Stage {
    scanner: Option<StopScanner>,
    block: Now,
    called: bool,
    refused: bool,
    stopped: bool,
    /// Bytes of text so far, as long as the upstream has not counted tokens.
    uncounted: Option<usize>,
    keeper: Option<Keeper>,
    ids: UniqueIds,
}

#[derive(Debug, Default)]
enum Now {
    #[default]
    Other,
    Text,
    Thinking,
    Redacted,
    /// A free-text tool shown as a function: its input is complete at the close only.
    Wrapped(String),
}

impl Stage {
    pub(super) fn new(session: &Session) -> Self {
        let scanner = (!session.stops.is_empty()).then(|| StopScanner::new(session.stops.clone()));
        let keeper = keep::needed(session).then(Keeper::default);
        Self { scanner, keeper, uncounted: Some(0), ..Self::default() }
    }

    /// Takes note of an answer that came whole.
    pub(super) fn whole(&mut self, session: &Session, response: &Response<'_>) {
        self.keeper = Some(Keeper::of(response, session));
    }

    /// State to keep for the client.
    pub(super) fn kept(&self) -> &[(String, String)] {
        self.keeper.as_ref().map(Keeper::kept).unwrap_or_default()
    }

    fn keep(&mut self, session: &Session, event: &Event<'_>) {
        let Some(keeper) = &mut self.keeper else { return };
        match event {
            Event::Open { kind: Block::ToolCall { id, .. }, .. } => keeper.call(session, id),
            Event::Delta { delta: Delta::Text(text), .. }
                if matches!(self.block, Now::Thinking) =>
            {
                keeper.text(session, text);
            }
            Event::Delta { delta: Delta::Opaque(opaque), .. } => {
                keeper.state(session, opaque, matches!(self.block, Now::Redacted));
            }
            _ => {}
        }
    }

    /// Passes an event on as the client is to see it. Events come from the sequencer, so that
    /// only one block is open.
    pub(super) fn event(
        &mut self,
        session: &Session,
        mut event: Event<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) {
        if self.stopped && !matches!(event, Event::Usage(_) | Event::Failed(_)) {
            return;
        }
        if let Event::Open { kind: Block::ToolCall { id, .. }, .. } = &mut event {
            *id = self.ids.take(std::mem::take(id));
        }
        self.keep(session, &event);
        if matches!(event, Event::Usage(_)) {
            self.uncounted = None;
        }
        match event {
            Event::Open { block, kind } => self.open(session, block, kind, sink),
            Event::Delta { block, delta } => self.delta(session, block, delta, sink),
            Event::Close { block } => self.close(block, sink),
            Event::Finish(stop) => {
                let reason = corrected(stop.reason, self.called, self.refused);
                sink(Event::Finish(Stop { reason, ..stop }));
            }
            other => sink(other),
        }
    }

    fn open(
        &mut self,
        session: &Session,
        block: u32,
        kind: Block<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) {
        self.block = match kind {
            Block::Text => Now::Text,
            Block::Thinking { redacted: false } => Now::Thinking,
            Block::Thinking { redacted: true } => Now::Redacted,
            Block::ToolCall { .. } | Block::Refusal => Now::Other,
        };
        self.refused |= matches!(kind, Block::Refusal);
        let Block::ToolCall { id, name, namespace, custom, hosted } = kind else {
            return sink(Event::Open { block, kind });
        };
        self.called = true;
        let Some(alias) = find(session, &name) else {
            let kind = Block::ToolCall { id, name, namespace, custom, hosted };
            return sink(Event::Open { block, kind });
        };
        if alias.unwrap {
            self.block = Now::Wrapped(String::new());
        }
        sink(Event::Open {
            block,
            kind: Block::ToolCall {
                id,
                name: Str::plain(&alias.name),
                namespace: alias.namespace.as_deref().map(Str::plain),
                custom: custom || alias.unwrap,
                hosted: alias.hosted.as_deref().map(Cow::Borrowed),
            },
        });
    }

    fn delta(
        &mut self,
        session: &Session,
        block: u32,
        delta: Delta<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) {
        match (&mut self.block, delta) {
            (Now::Wrapped(input), Delta::Input(text)) => text.decode_into(input),
            (Now::Text, Delta::Text(text)) if self.scanner.is_some() => {
                self.scan(session, block, &text, sink);
            }
            (_, delta) => sink(Event::Delta { block, delta }),
        }
    }

    /// Looks for a stop sequence, which ends the answer at once. An upstream that counts tokens only
    /// at its end has not counted them then, so the client gets an estimate.
    fn scan(
        &mut self,
        session: &Session,
        block: u32,
        text: &Str<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) {
        let Some(scanner) = &mut self.scanner else { return };
        let text = text.decode();
        self.uncounted = self.uncounted.map(|bytes| bytes + text.len());
        let (clean, hit) = scanner.push(&text);
        if !clean.is_empty() {
            sink(Event::Delta { block, delta: Delta::Text(clean.into()) });
        }
        if let Some(sequence) = hit {
            sink(Event::Close { block });
            if let Some(bytes) = self.uncounted {
                sink(Event::Usage(Usage {
                    input_uncached: Some(session.input_estimate),
                    output: u64::try_from(bytes.div_ceil(BYTES_PER_TOKEN)).ok(),
                    ..Usage::default()
                }));
            }
            sink(Event::Finish(Stop {
                reason: StopReason::StopSequence,
                sequence: Some(sequence.into()),
                details: None,
            }));
            sink(Event::End);
            self.stopped = true;
        }
    }

    fn close(&mut self, block: u32, sink: &mut impl FnMut(Event<'_>)) {
        match std::mem::take(&mut self.block) {
            Now::Wrapped(input) => {
                let text = unwrapped(&input).unwrap_or_else(|| Str::plain(&input));
                sink(Event::Delta { block, delta: Delta::Input(text) });
            }
            Now::Text => {
                let held = self.scanner.as_mut().map(StopScanner::rest).unwrap_or_default();
                if !held.is_empty() {
                    sink(Event::Delta { block, delta: Delta::Text(held.into()) });
                }
            }
            Now::Other | Now::Thinking | Now::Redacted => {}
        }
        sink(Event::Close { block });
    }
}

fn find<'s>(session: &'s Session, sent: &Str<'_>) -> Option<&'s ToolAlias> {
    if session.tools.is_empty() {
        return None;
    }
    let sent = sent.decode();
    session.tools.iter().find(|alias| alias.sent == sent)
}

/// The text inside the one member a wrapped free-text tool has.
fn unwrapped(input: &str) -> Option<Str<'_>> {
    let mut c = Cursor::new(input);
    let mut members = c.object().ok()?;
    let mut text = None;
    while let Some(key) = members.next(&mut c).ok()? {
        if key == WRAPPED_MEMBER {
            text = Some(c.str().ok()?);
        } else {
            c.skip().ok()?;
        }
    }
    text
}

/// The member that holds the text of a free-text tool shown as a function.
pub(crate) const WRAPPED_MEMBER: &str = "input";

/// Agents act on the stop reason: it must say that tools wait, and that an answer is a refusal.
const fn corrected(reason: StopReason, called: bool, refused: bool) -> StopReason {
    match reason {
        StopReason::EndTurn if called => StopReason::ToolUse,
        StopReason::ToolUse if !called => StopReason::EndTurn,
        StopReason::EndTurn if refused => StopReason::Refusal,
        other => other,
    }
}

/// The code of a loss: a step of the vendor's own tools.
pub(crate) const HOSTED_STEP: &str = "hosted-step";
/// The code of a loss: a part of an answer that the client's dialect cannot hold.
pub(crate) const ANSWER_PART: &str = "answer-part";

/// Notes that a call beside another is lost to a client of Chat's old `functions`.
pub(super) fn lose_call(losses: &mut Losses) {
    losses.add(
        Severity::Content,
        "parallel-calls",
        "choices[0].message",
        "the old form of calls holds one",
    );
}

/// Notes a citation that the client's dialect has no form for.
pub(super) fn note_citation(citation: &Citation<'_>, session: &Session, losses: &mut Losses) {
    if !citation.has_form_in(session.inbound) {
        let why = "places in files are told in one vendor's way only";
        losses.add_at(Severity::Hint, "citations", Origin::default(), why);
    }
}

/// The same for a whole answer.
pub(super) fn restore(response: &mut Response<'_>, session: &Session, losses: &mut Losses) {
    for choice in &mut response.choices {
        if !session.stops.is_empty() {
            cut_at_stop(choice, session);
        }
        let (mut called, mut refused) = (false, false);
        let mut ids = UniqueIds::default();
        choice.parts.retain(|part| {
            let Content::Foreign(foreign) = &part.content else { return true };
            // Steps of the vendor's own tools have shown in the text; of others nobody knows.
            let (severity, code, why) = match foreign.fallback {
                Fallback::Refuse(why) => (Severity::Content, ANSWER_PART, why),
                _ => (Severity::Hint, HOSTED_STEP, "internal to the vendor"),
            };
            losses.add_at(severity, code, part.origin, why);
            false
        });
        for part in &mut choice.parts {
            match &mut part.content {
                Content::Text { citations, .. } => {
                    for citation in citations {
                        note_citation(citation, session, losses);
                    }
                }
                Content::ToolCall(call) => {
                    call.id = ids.take(std::mem::take(&mut call.id));
                    if std::mem::replace(&mut called, true) && session.legacy_functions {
                        lose_call(losses);
                    }
                    let Some(alias) = find(session, &call.name) else { continue };
                    call.name = alias.name.clone().into();
                    call.namespace = alias.namespace.clone().map(Str::from);
                    call.hosted = alias.hosted.clone().map(Cow::Owned);
                    if alias.unwrap {
                        call.custom = true;
                        let input = match &call.input {
                            ToolInput::Json(json) => Cow::Borrowed(json.text()),
                            ToolInput::Text(text) => text.decode(),
                        };
                        let text = unwrapped(&input).map(Str::into_owned);
                        call.input = ToolInput::Text(
                            text.unwrap_or_else(|| Str::from(input.clone().into_owned())),
                        );
                    }
                }
                Content::Refusal(_) => refused = true,
                _ => {}
            }
        }
        choice.stop.reason = corrected(choice.stop.reason, called, refused);
    }
}

fn cut_at_stop(choice: &mut crate::canonical::Choice<'_>, session: &Session) {
    for at in 0..choice.parts.len() {
        let Some(part) = choice.parts.get_mut(at) else { return };
        let Content::Text { text, .. } = &mut part.content else { continue };
        let mut scanner = StopScanner::new(session.stops.clone());
        let (clean, hit) = scanner.push(&text.decode());
        if let Some(sequence) = hit {
            *text = clean.into();
            choice.parts.truncate(at + 1);
            choice.stop = Stop {
                reason: StopReason::StopSequence,
                sequence: Some(sequence.into()),
                details: None,
            };
            return;
        }
    }
}
