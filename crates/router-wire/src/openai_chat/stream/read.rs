//! Chat chunks, read.
//!
//! ```text
//!          first choice or usage        text, thinking or refusal        call
//!   idle ------------------------> open <----------------------------> calls
//!                                    \______________ ________________/
//!                                                   v finish reason
//!                                                finished (usage may follow)
//! ```
//!
//! A call is known by its `index`, or by its id where the upstream does not count. It opens when
//! its name is known; arguments that come earlier wait for it.

use crate::canonical::{Block, Delta, Event, Opaque, Origin, Severity, Start, Stop};
use crate::error::UpstreamError;
use crate::ids;
use crate::json::{Cursor, JsonError, Raw, Str};
use crate::openai_chat::details::Details;
use crate::openai_chat::said::{Call, Said, Talk};
use crate::openai_chat::stop::{self, Ending};
use crate::openai_chat::{loose, said, usage};
use crate::translate::ANSWER_PART;
use crate::usage::Usage;

/// Reads the chunks of one Chat stream.
#[derive(Debug, Default)]
pub struct Reader {
    started: bool,
    finished: bool,
    /// Whether any delta said something; then a whole `message` only repeats it.
    spoke: bool,
    /// The upstream's id for the answer.
    id: String,
    next_key: u32,
    /// The open block of text, thinking or refusal.
    talk: Option<(Talk, u32)>,
    /// White space that does not open a text block before something follows.
    blank: String,
    calls: Vec<OpenCall>,
    /// State of the thinking, until the thinking is over.
    details: Details,
}

#[derive(Debug)]
struct OpenCall {
    index: Option<u64>,
    id: String,
    /// The block, once the name is known.
    key: Option<u32>,
    /// Input that came before the name.
    early: String,
    custom: bool,
}

/// The members of one chunk.
#[derive(Default)]
struct Chunk<'a> {
    id: Option<Str<'a>>,
    model: Option<Str<'a>>,
    created_s: Option<u64>,
    service_tier: Option<Str<'a>>,
    usage: Usage,
    choice: Option<Choice<'a>>,
    /// Whether there are choices beside the first.
    more: bool,
    failed: bool,
}

/// The one choice of a chunk.
#[derive(Default)]
struct Choice<'a> {
    index: u64,
    delta: Said<'a>,
    message: Option<Raw<'a>>,
    finish: Option<Str<'a>>,
    logprobs: Option<Raw<'a>>,
}

impl Reader {
    /// Reads one chunk. Only an upstream's error event has a `name`.
    pub fn event(
        &mut self,
        name: &str,
        data: &str,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        let mut c = Cursor::new(data);
        let mut chunk = Chunk { failed: name == "error", ..Chunk::default() };
        let mut members = c.object()?;
        while let Some(key) = members.next(&mut c)? {
            chunk.member(&key, &mut c)?;
        }
        c.end()?;
        if chunk.failed {
            let error = UpstreamError::read(0, data.as_bytes()).to_client_error();
            sink(Event::Failed(Box::new(error)));
            return Ok(());
        }
        if chunk.more {
            sink(Event::Lost {
                severity: Severity::Content,
                code: "choices",
                origin: Origin::default(),
                why: "more answers than were asked for",
            });
        }
        if chunk.choice.is_none() && chunk.usage.is_empty() {
            // Verdicts of content filters and other chunks without an answer.
            sink(Event::Ping);
            return Ok(());
        }
        self.start(&mut chunk, sink);
        if let Some(choice) = chunk.choice.take() {
            self.choice(&choice, sink)?;
        }
        if !chunk.usage.is_empty() {
            sink(Event::Usage(chunk.usage));
        }
        Ok(())
    }

    fn start(&mut self, chunk: &mut Chunk<'_>, sink: &mut impl FnMut(Event<'_>)) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let id = chunk.id.take().unwrap_or_default();
        id.decode_into(&mut self.id);
        sink(Event::Start(Start {
            id,
            model: chunk.model.take().unwrap_or_default(),
            created_s: chunk.created_s,
            service_tier: chunk.service_tier.take(),
        }));
    }

    fn choice(
        &mut self,
        choice: &Choice<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        self.said(&choice.delta, sink)?;
        if let Some(raw) = choice.message
            && !self.spoke
        {
            let message = Said::read(&mut raw.cursor())?;
            self.said(&message, sink)?;
        }
        if let (Some(raw), Some((Talk::Text, block))) = (choice.logprobs, self.talk) {
            sink(Event::Delta { block, delta: Delta::Logprobs(raw.into()) });
        }
        let Some(finish) = &choice.finish else { return Ok(()) };
        match stop::ending(&finish.decode()) {
            None => {}
            Some(Ending::Broken(why)) => sink(Event::Failed(Box::new(stop::broken(why)))),
            Some(Ending::Stop(_)) if self.finished => {}
            Some(Ending::Stop(reason)) => {
                if self.calls.iter().any(|call| call.key.is_none()) {
                    return Err(JsonError::new(0, "a tool call has no name"));
                }
                self.finished = true;
                self.close_talk(sink);
                self.sign(sink);
                sink(Event::Finish(Stop::new(reason)));
            }
        }
        Ok(())
    }

    fn said(&mut self, said: &Said<'_>, sink: &mut impl FnMut(Event<'_>)) -> Result<(), JsonError> {
        if said.is_empty() && said.annotations.is_none() {
            return Ok(());
        }
        if said.audio {
            return Err(JsonError::new(0, "the upstream answers with sound"));
        }
        if said.images {
            sink(Event::Lost {
                severity: Severity::Content,
                code: ANSWER_PART,
                origin: Origin::default(),
                why: "answers are text",
            });
        }
        self.spoke |= !said.is_empty();
        let late = self.finished;
        if let Some(raw) = said.details {
            self.details.take(raw);
        }
        let mut lost = false;
        said.texts(|talk, text| {
            lost |= late && !text.is_blank();
            if !late {
                self.talk(talk, text, sink);
            }
        })?;
        if let Some((Talk::Text, block)) = self.talk {
            said.citations(|citation| {
                sink(Event::Delta { block, delta: Delta::Citation(citation) });
            })?;
        }
        said.tool_calls(|call| {
            lost |= late && !(call.name.is_empty() && call.input.is_blank());
            if !late {
                self.call(call, sink);
            }
            Ok(())
        })?;
        if lost {
            return Err(JsonError::new(0, "the upstream goes on after its finish reason"));
        }
        Ok(())
    }

    fn talk(&mut self, talk: Talk, text: Str<'_>, sink: &mut impl FnMut(Event<'_>)) {
        let block = match self.talk {
            Some((open, block)) if open == talk => block,
            _ if talk == Talk::Text && text.is_blank() => {
                text.decode_into(&mut self.blank);
                return;
            }
            _ => {
                self.close_talk(sink);
                if talk != Talk::Thinking {
                    self.sign(sink);
                }
                let block = self.next_key();
                self.talk = Some((talk, block));
                let kind = match talk {
                    Talk::Thinking => Block::Thinking { redacted: false },
                    Talk::Text => Block::Text,
                    Talk::Refusal => Block::Refusal,
                };
                sink(Event::Open { block, kind });
                if talk == Talk::Text && !self.blank.is_empty() {
                    let blank = std::mem::take(&mut self.blank);
                    sink(Event::Delta { block, delta: Delta::Text(blank.into()) });
                }
                block
            }
        };
        sink(Event::Delta { block, delta: Delta::Text(text) });
    }

    fn close_talk(&mut self, sink: &mut impl FnMut(Event<'_>)) {
        if let Some((talk, block)) = self.talk.take() {
            if talk == Talk::Thinking
                && let Some(state) = self.details.state()
            {
                sink(Event::Delta { block, delta: Delta::Opaque(state) });
            }
            sink(Event::Close { block });
        }
    }

    /// Hands out state that no thinking came with.
    fn sign(&mut self, sink: &mut impl FnMut(Event<'_>)) {
        if let Some(state) = self.details.state() {
            self.only_state(state, sink);
        }
    }

    fn only_state(&mut self, state: Opaque<'_>, sink: &mut impl FnMut(Event<'_>)) {
        let block = self.next_key();
        sink(Event::Open { block, kind: Block::Thinking { redacted: false } });
        sink(Event::Delta { block, delta: Delta::Opaque(state) });
        sink(Event::Close { block });
    }

    const fn next_key(&mut self) -> u32 {
        let key = self.next_key;
        self.next_key = key.saturating_add(1);
        key
    }

    /// A piece of a call.
    fn call(&mut self, call: Call<'_>, sink: &mut impl FnMut(Event<'_>)) {
        let at = self.find(&call);
        if let Some(OpenCall { key: Some(block), .. }) = at.and_then(|at| self.calls.get(at)) {
            if !call.input.is_empty() {
                sink(Event::Delta { block: *block, delta: Delta::Input(call.input) });
            }
            return;
        }
        let at = at.unwrap_or_else(|| {
            self.calls.push(OpenCall {
                index: call.index,
                id: String::new(),
                key: None,
                early: String::new(),
                custom: false,
            });
            self.calls.len() - 1
        });
        self.begin(at, call, sink);
    }

    /// A piece of a call whose name is not known yet.
    fn begin(&mut self, at: usize, call: Call<'_>, sink: &mut impl FnMut(Event<'_>)) {
        let next = self.next_key;
        let answer = Str::plain(&self.id);
        let Some(known) = self.calls.get_mut(at) else { return };
        if known.id.is_empty() {
            call.id.decode_into(&mut known.id);
        }
        known.custom |= call.custom;
        if call.name.is_empty() {
            call.input.decode_into(&mut known.early);
            return;
        }
        if known.id.is_empty() {
            known.id = ids::call_id(&answer, next);
        }
        let (id, early) = (known.id.clone(), std::mem::take(&mut known.early));
        let custom = known.custom;
        self.close_talk(sink);
        self.sign(sink);
        if let Some(state) = call.state {
            self.only_state(said::google(state), sink);
        }
        let block = self.next_key();
        if let Some(known) = self.calls.get_mut(at) {
            known.key = Some(block);
        }
        let kind = Block::ToolCall {
            id: Str::plain(&id),
            name: call.name,
            namespace: None,
            custom,
            hosted: None,
        };
        sink(Event::Open { block, kind });
        for input in [Str::from(early), call.input] {
            if !input.is_empty() {
                sink(Event::Delta { block, delta: Delta::Input(input) });
            }
        }
    }

    /// The call a piece belongs to, or nothing for the first piece of another call.
    fn find(&self, call: &Call<'_>) -> Option<usize> {
        let by_id = || self.calls.iter().rposition(|known| call.id == *known.id.as_str());
        let by_index = |index| self.calls.iter().rposition(|known| known.index == Some(index));
        match (call.index, call.id.is_empty()) {
            (Some(index), true) => by_index(index),
            (Some(index), false) => {
                // With a name it is another call, although the upstream gives all of them one id.
                let Some(at) = by_index(index) else {
                    return by_id().filter(|_| call.name.is_empty());
                };
                // A named call with an id of its own is another one, though the upstream counts
                // all of them as the first. Without a name it is a piece with a needless id.
                let same = self.calls.get(at).is_some_and(|known| {
                    call.name.is_empty()
                        || known.key.is_none()
                        || known.id.is_empty()
                        || call.id == *known.id.as_str()
                });
                if same { Some(at) } else { by_id() }
            }
            (None, false) => by_id(),
            (None, true) if call.name.is_empty() => self.calls.len().checked_sub(1),
            // A name after the pieces that had none.
            (None, true) => {
                let last = self.calls.len().checked_sub(1)?;
                self.calls.get(last).is_some_and(|known| known.key.is_none()).then_some(last)
            }
        }
    }
}

impl<'a> Chunk<'a> {
    fn member(&mut self, key: &str, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        match key {
            "id" => self.id = loose::text(c)?,
            "model" => self.model = loose::text(c)?,
            "created" => self.created_s = loose::int(c)?,
            "service_tier" => self.service_tier = loose::filled(c)?,
            "choices" => loose::array(c, |index, c| {
                let (choice, used) = Choice::read(c)?;
                self.usage.merge(&used);
                // A stream has one choice: several are asked for whole.
                if index > 0 || choice.index > 0 {
                    self.more = true;
                } else {
                    self.choice = Some(choice);
                }
                Ok(())
            })?,
            "usage" => self.usage.merge(&usage::read(c)?),
            // Groq's place for it.
            "x_groq" => loose::object(c, |key, c| {
                if key == "usage" {
                    self.usage.merge(&usage::read(c)?);
                    return Ok(());
                }
                c.skip()
            })?,
            "error" => {
                self.failed |= !matches!(c.raw()?.text(), "null" | "false" | "\"\"" | "{}");
            }
            "object" => self.failed |= loose::text(c)?.is_some_and(|kind| kind == *"error"),
            _ => c.skip()?,
        }
        Ok(())
    }
}

impl<'a> Choice<'a> {
    /// The choice, and the usage that some servers put there.
    fn read(c: &mut Cursor<'a>) -> Result<(Self, Usage), JsonError> {
        let mut choice = Self::default();
        let mut used = Usage::default();
        loose::object(c, |key, c| {
            match key {
                "index" => choice.index = loose::int(c)?.unwrap_or(0),
                "delta" => choice.delta = Said::read(c)?,
                "message" => choice.message = c.opt(Cursor::raw)?,
                "finish_reason" => choice.finish = loose::text(c)?,
                "logprobs" => choice.logprobs = said::logprobs(c)?,
                "usage" => used = usage::read(c)?,
                _ => c.skip()?,
            }
            Ok(())
        })?;
        Ok((choice, used))
    }
}
