//! A whole answer, read.

use std::borrow::Cow;

use super::{Candidate, Chunk};
use crate::canonical::{
    Choice, Content, Fallback, Foreign, Json, Losses, Opaque, Origin, Part, Response, Severity,
    Stop, StopReason, Thinking, ToolCall, ToolInput,
};
use crate::dialect::Dialect;
use crate::error::{ClientError, ErrorKind};
use crate::gemini::part::{self, Call, Piece, UNKNOWN};
use crate::gemini::stop::{self, Finish};
use crate::gemini::{VENDOR, answer_id};
use crate::ids;
use crate::json::{Cursor, JsonError, Kind, Raw, Str};
use crate::translate::Answer;
use crate::usage::Usage;

/// Reads an answer, the error that came instead of one, or the list of pieces that a stream is
/// without `alt=sse`.
pub fn read<'a>(body: &'a str, losses: &mut Losses) -> Result<Answer<'a>, JsonError> {
    let mut c = Cursor::new(body);
    let mut r = Reading::default();
    if c.kind()? == Kind::Array {
        let mut items = c.array()?;
        while items.next(&mut c)?.is_some() {
            let chunk = Chunk::read(&mut c)?;
            r.chunk(chunk, body, losses)?;
        }
    } else {
        let chunk = Chunk::read(&mut c)?;
        r.chunk(chunk, body, losses)?;
    }
    c.end()?;
    r.finish()
}

/// An answer while its pieces come.
#[derive(Default)]
struct Reading<'a> {
    id: Str<'a>,
    model: Str<'a>,
    created_s: Option<u64>,
    usage: Usage,
    candidates: Vec<Building<'a>>,
    failed: Option<Box<ClientError>>,
    calls: u32,
}

/// One candidate while its pieces come.
#[derive(Default)]
struct Building<'a> {
    index: u64,
    parts: Vec<Part<'a>>,
    /// Whether the last part may grow.
    open: bool,
    stop: Option<Stop<'a>>,
    logprobs: Option<Json<'a>>,
}

impl<'a> Reading<'a> {
    fn chunk(
        &mut self,
        chunk: Chunk<'a>,
        body: &'a str,
        losses: &mut Losses,
    ) -> Result<(), JsonError> {
        if chunk.error {
            self.failed.get_or_insert_with(|| Box::new(Chunk::failure(body)));
            return Ok(());
        }
        if self.id.is_empty() {
            self.id = answer_id(chunk.id, body);
        }
        if self.model.is_empty() {
            self.model = chunk.model;
        }
        self.created_s = self.created_s.or(chunk.created_s);
        self.usage.merge(&chunk.usage);
        if let Some(raw) = chunk.candidates {
            let mut c = raw.cursor();
            let mut items = c.array()?;
            while items.next(&mut c)?.is_some() {
                let candidate = Candidate::read(&mut c)?;
                self.candidate(candidate, losses)?;
            }
        }
        if let Some((reason, message)) = chunk.blocked
            && self.candidates.is_empty()
        {
            let stop = Some(stop::blocked(&reason, message));
            self.candidates.push(Building { stop, ..Building::default() });
        }
        Ok(())
    }

    fn candidate(
        &mut self,
        candidate: Candidate<'a>,
        losses: &mut Losses,
    ) -> Result<(), JsonError> {
        let Candidate { index, parts, finish, message, cited, logprobs } = candidate;
        let known = self.candidates.iter().position(|known| known.index == index);
        let at = known.unwrap_or(self.candidates.len());
        if known.is_none() {
            self.candidates.push(Building { index, ..Building::default() });
        }
        let Self { candidates, id, calls, failed, usage, .. } = self;
        let Some(building) = candidates.get_mut(at) else { return Ok(()) };
        if let Some(raw) = parts {
            let mut c = raw.cursor();
            let mut items = c.array()?;
            while items.next(&mut c)?.is_some() {
                c.kind()?;
                let mut before = c.clone();
                let piece = Piece::read(&mut c)?;
                building.piece(piece, before.raw()?, id, calls);
            }
        }
        if let Some(count) = cited.searches() {
            usage.web_searches = Some(count);
        }
        if !cited.is_empty() {
            building.cite(cited, losses);
        }
        building.logprobs = logprobs.or_else(|| building.logprobs.take());
        match stop::finish(&finish) {
            Finish::Unfinished => {}
            Finish::Failed(kind) => {
                let error = stop::failure(kind, &finish, message.as_ref());
                failed.get_or_insert_with(|| Box::new(error));
            }
            Finish::Ended(reason) => {
                let details = message.filter(|_| reason == StopReason::Refusal);
                building.stop = Some(Stop { reason, sequence: None, details });
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Answer<'a>, JsonError> {
        if let Some(error) = self.failed {
            return Ok(Answer::Failed(error));
        }
        let mut candidates = self.candidates;
        candidates.sort_by_key(|candidate| candidate.index);
        let choices = candidates.into_iter().map(Building::choice).collect::<Option<Vec<_>>>();
        let choices = choices.ok_or_else(|| JsonError::new(0, "`finishReason` is missing"))?;
        if choices.is_empty() {
            let error = ClientError::new(ErrorKind::Upstream, "the model gave no answer");
            return Ok(Answer::Failed(Box::new(error)));
        }
        Ok(Answer::Response(Box::new(Response {
            id: self.id,
            model: self.model,
            created_s: self.created_s,
            choices,
            usage: self.usage,
            service_tier: None,
        })))
    }
}

impl<'a> Building<'a> {
    fn choice(self) -> Option<Choice<'a>> {
        let Self { index: _, parts, open: _, stop, logprobs } = self;
        let mut stop = stop?;
        let called = parts.iter().any(|part| matches!(part.content, Content::ToolCall(_)));
        if called && stop.reason == StopReason::EndTurn {
            stop.reason = StopReason::ToolUse;
        }
        Some(Choice { parts, stop, logprobs })
    }

    fn push(&mut self, content: Content<'a>, open: bool) {
        self.parts.push(Part::new(content, Origin::default()));
        self.open = open;
    }

    /// The last part, if it may still grow.
    fn growing(&mut self) -> Option<&mut Content<'a>> {
        self.parts.last_mut().filter(|_| self.open).map(|part| &mut part.content)
    }

    fn piece(&mut self, piece: Piece<'a>, raw: Raw<'a>, id: &Str<'a>, calls: &mut u32) {
        if piece.is_foreign() {
            self.push(foreign("part", raw, Fallback::Refuse(UNKNOWN)), false);
        }
        let Piece { text, thought, signature, call, response: _, file, detail, hosted, .. } = piece;
        let mut text = text.filter(|text| !text.is_empty());
        if thought && let Some(text) = text.take() {
            self.think(text);
        }
        if let Some(signature) = signature {
            self.sign(signature);
        }
        if let Some(text) = text {
            self.say(text);
        }
        if let Some(call) = call {
            self.call(call, id, calls);
        }
        if let Some(file) = file.filter(|_| !thought) {
            let content = part::content(file, detail)
                .unwrap_or_else(|why| foreign("file", raw, Fallback::Drop(why)));
            self.push(content, false);
        }
        if let Some(kind) = hosted {
            self.push(foreign(kind, raw, Fallback::Drop("internal to Google's own tools")), false);
        }
    }

    fn think(&mut self, text: Str<'a>) {
        if let Some(Content::Thinking(thinking)) = self.growing() {
            append(&mut thinking.text, &text);
            return;
        }
        self.push(Content::Thinking(Box::new(Thinking { text, ..Thinking::default() })), true);
    }

    /// A signature ends the thoughts before its part, or stands for thoughts that are not told.
    fn sign(&mut self, payload: Str<'a>) {
        let opaque = Some(Opaque { vendor: Cow::Borrowed(VENDOR), family: None, payload });
        if let Some(Content::Thinking(thinking)) = self.growing() {
            thinking.opaque = opaque;
            self.open = false;
            return;
        }
        let thinking = Thinking { opaque, ..Thinking::default() };
        self.push(Content::Thinking(Box::new(thinking)), false);
    }

    fn say(&mut self, text: Str<'a>) {
        if let Some(Content::Text { text: before, .. }) = self.growing() {
            append(before, &text);
            return;
        }
        self.push(Content::Text { text, citations: Vec::new() }, true);
    }

    fn call(&mut self, call: Call<'a>, id: &Str<'a>, calls: &mut u32) {
        let Call { id: own, name, args } = call;
        let id = own.unwrap_or_else(|| ids::call_id(id, *calls).into());
        *calls += 1;
        let call = ToolCall {
            id,
            name,
            namespace: None,
            input: ToolInput::Json(args.map_or_else(|| Json("{}".into()), Json::from)),
            custom: false,
            hosted: None,
        };
        self.push(Content::ToolCall(Box::new(call)), false);
    }

    /// Citations belong to the last text; their places count from the start of the answer's text.
    fn cite(&mut self, cited: super::cite::Cited<'a>, losses: &mut Losses) {
        let texts = |part: &Part<'a>| matches!(part.content, Content::Text { .. });
        let alone = self.parts.iter().filter(|part| texts(part)).count() == 1;
        let Some(last) = self.parts.iter_mut().rfind(|part| texts(part)) else {
            let why = "the answer has no text to cite for";
            losses.add(Severity::Hint, "citations", "candidates[0].groundingMetadata", why);
            return;
        };
        if let Content::Text { text, citations } = &mut last.content {
            let plain = text.decode();
            citations.extend(cited.resolve(alone.then_some(plain.as_ref())));
        }
    }
}

fn append<'a>(text: &mut Str<'a>, more: &Str<'a>) {
    if let Str::Plain(Cow::Owned(plain)) = text {
        more.decode_into(plain);
        return;
    }
    let mut plain = text.decode().into_owned();
    more.decode_into(&mut plain);
    *text = plain.into();
}

fn foreign<'a>(kind: &'static str, raw: Raw<'a>, fallback: Fallback<'a>) -> Content<'a> {
    let kind = Cow::Borrowed(kind);
    Content::Foreign(Box::new(Foreign { dialect: Dialect::Gemini, kind, raw, fallback }))
}
