//! Pieces of a streamed answer, read.

use std::borrow::Cow;

use crate::canonical::{Block, Delta, Event, Opaque, Origin, Severity, Start, Stop, StopReason};
use crate::gemini::part::{Call, Piece, UNKNOWN};
use crate::gemini::response::{Candidate, Chunk};
use crate::gemini::stop::{self, Finish};
use crate::gemini::{VENDOR, answer_id};
use crate::ids;
use crate::json::{Cursor, JsonError, Str};
use crate::translate::{ANSWER_PART, HOSTED_STEP};

/// Reads the pieces of one stream.
#[derive(Debug, Default)]
pub struct Reader {
    /// The id of the answer, once it has started.
    id: Option<String>,
    open: Option<(u32, Open)>,
    next_key: u32,
    calls: u32,
    finished: bool,
}

fn lost(severity: Severity, code: &'static str, why: &'static str) -> Event<'static> {
    Event::Lost { severity, code, origin: Origin::default(), why }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Open {
    Text,
    Thinking,
}

impl Reader {
    /// Reads one piece. Events of Gemini have no names.
    pub fn event(
        &mut self,
        _name: &str,
        data: &str,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        let mut c = Cursor::new(data);
        let chunk = Chunk::read(&mut c)?;
        c.end()?;
        if chunk.error {
            sink(Event::Failed(Box::new(Chunk::failure(data))));
            return Ok(());
        }
        self.start(&chunk, data, sink);
        if !chunk.usage.is_empty() {
            sink(Event::Usage(chunk.usage));
        }
        let mut answered = false;
        if let Some(raw) = chunk.candidates {
            let mut c = raw.cursor();
            let mut items = c.array()?;
            while items.next(&mut c)?.is_some() {
                let candidate = Candidate::read(&mut c)?;
                answered = true;
                // Several answers are never asked of a stream: they come whole.
                if candidate.index == 0 {
                    self.candidate(candidate, sink)?;
                } else {
                    sink(lost(Severity::Content, "choices", "more answers than were asked for"));
                }
            }
        }
        if let Some((reason, message)) = chunk.blocked
            && !answered
        {
            self.finish(stop::blocked(&reason, message), sink);
        }
        Ok(())
    }

    fn start(&mut self, chunk: &Chunk<'_>, data: &str, sink: &mut impl FnMut(Event<'_>)) {
        if self.id.is_some() {
            return;
        }
        let id = answer_id(chunk.id.clone(), data).decode().into_owned();
        sink(Event::Start(Start {
            id: Str::plain(&id),
            model: chunk.model.clone(),
            created_s: chunk.created_s,
            service_tier: None,
        }));
        self.id = Some(id);
    }

    fn candidate(
        &mut self,
        candidate: Candidate<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        let Candidate { index: _, parts, finish, message, cited, logprobs } = candidate;
        if let Some(raw) = parts {
            let mut c = raw.cursor();
            let mut items = c.array()?;
            while items.next(&mut c)?.is_some() {
                let piece = Piece::read(&mut c)?;
                self.piece(piece, sink);
            }
        }
        if let Some(count) = cited.searches() {
            let usage = crate::Usage { web_searches: Some(count), ..crate::Usage::default() };
            sink(Event::Usage(usage));
        }
        if let Some(json) = logprobs {
            let block = self.open(Open::Text, sink);
            sink(Event::Delta { block, delta: Delta::Logprobs(json) });
        }
        // Their places are in text that has passed; the sources are what clients show.
        for citation in cited.resolve(None) {
            let block = self.open(Open::Text, sink);
            sink(Event::Delta { block, delta: Delta::Citation(citation) });
        }
        match stop::finish(&finish) {
            Finish::Unfinished => {}
            Finish::Failed(kind) => {
                let error = stop::failure(kind, &finish, message.as_ref());
                sink(Event::Failed(Box::new(error)));
            }
            Finish::Ended(reason) => {
                let details = message.filter(|_| reason == StopReason::Refusal);
                let called = self.calls > 0 && reason == StopReason::EndTurn;
                let reason = if called { StopReason::ToolUse } else { reason };
                self.finish(Stop { reason, sequence: None, details }, sink);
            }
        }
        Ok(())
    }

    fn finish(&mut self, stop: Stop<'_>, sink: &mut impl FnMut(Event<'_>)) {
        self.close(sink);
        if !std::mem::replace(&mut self.finished, true) {
            sink(Event::Finish(stop));
        }
    }

    fn piece(&mut self, piece: Piece<'_>, sink: &mut impl FnMut(Event<'_>)) {
        if piece.is_foreign() {
            sink(lost(Severity::Content, ANSWER_PART, UNKNOWN));
        }
        let Piece { text, thought, signature, call, response: _, file, hosted, .. } = piece;
        if file.is_some() && !thought {
            sink(lost(Severity::Content, ANSWER_PART, "streams of other dialects hold no files"));
        }
        if hosted.is_some() {
            sink(lost(Severity::Hint, HOSTED_STEP, "internal to Google's own tools"));
        }
        let mut text = text.filter(|text| !text.is_empty());
        if thought && let Some(text) = text.take() {
            let block = self.open(Open::Thinking, sink);
            sink(Event::Delta { block, delta: Delta::Text(text) });
        }
        if let Some(payload) = signature {
            let block = self.open(Open::Thinking, sink);
            let opaque = Opaque { vendor: Cow::Borrowed(VENDOR), family: None, payload };
            sink(Event::Delta { block, delta: Delta::Opaque(opaque) });
            self.close(sink);
        }
        if let Some(text) = text {
            let block = self.open(Open::Text, sink);
            sink(Event::Delta { block, delta: Delta::Text(text) });
        }
        if let Some(call) = call {
            self.call(call, sink);
        }
    }

    /// The key of the block that is open, if it is of this kind, or of a new one.
    fn open(&mut self, kind: Open, sink: &mut impl FnMut(Event<'_>)) -> u32 {
        if let Some((block, open)) = self.open
            && open == kind
        {
            return block;
        }
        self.close(sink);
        let block = self.key();
        self.open = Some((block, kind));
        let kind = match kind {
            Open::Text => Block::Text,
            Open::Thinking => Block::Thinking { redacted: false },
        };
        sink(Event::Open { block, kind });
        block
    }

    fn close(&mut self, sink: &mut impl FnMut(Event<'_>)) {
        if let Some((block, _)) = self.open.take() {
            sink(Event::Close { block });
        }
    }

    const fn key(&mut self) -> u32 {
        let key = self.next_key;
        self.next_key = self.next_key.saturating_add(1);
        key
    }

    fn call(&mut self, call: Call<'_>, sink: &mut impl FnMut(Event<'_>)) {
        self.close(sink);
        let Call { id, name, args } = call;
        let id = id.unwrap_or_else(|| {
            let answer = self.id.as_deref().unwrap_or_default();
            ids::call_id(&Str::plain(answer), self.calls).into()
        });
        self.calls = self.calls.saturating_add(1);
        let block = self.key();
        let kind = Block::ToolCall { id, name, namespace: None, custom: false, hosted: None };
        sink(Event::Open { block, kind });
        let input = args.map_or("{}", |raw| raw.text());
        sink(Event::Delta { block, delta: Delta::Input(Str::plain(input)) });
        sink(Event::Close { block });
    }
}
