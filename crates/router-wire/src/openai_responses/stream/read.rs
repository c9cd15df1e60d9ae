//! Responses events, read.
//!
//! Text comes in deltas, and again whole when a part, an item and the answer are done. What is
//! done supplies only what the deltas left out: some upstreams send arguments or whole items in
//! their last event alone.

use std::borrow::Cow;

use super::suffix;
use crate::canonical::{Block, Delta, Event, Json, Start, Stop};
use crate::error::{ClientError, ErrorKind};
use crate::json::{Cursor, JsonError, Kind, Raw, Str};
use crate::openai_responses::request::citation;
use crate::openai_responses::response::{Members as Answer, item, stop, upstream_error};
use crate::translate::Session;

/// Reads the events of one Responses stream.
#[derive(Debug, Default)]
pub struct Reader {
    pub(super) vendor: String,
    pub(super) family: String,
    started: bool,
    over: bool,
    pub(super) id: String,
    pub(super) slots: Vec<Slot>,
    pub(super) next_key: u32,
    pub(super) called: bool,
    refusal: Option<String>,
}

/// One item of the answer.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) index: u64,
    pub(super) id: String,
    pub(super) kind: Shape,
    /// The block that is open for it.
    pub(super) block: Option<u32>,
    /// The part the text belongs to.
    pub(super) part: Place,
    /// UTF-16 units of the part, or of the call's input, that were passed on.
    pub(super) sent: u64,
    /// Annotations of the part that were passed on.
    pub(super) cited: usize,
    /// Whether a break is due before the next text.
    pub(super) broken: bool,
    pub(super) done: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Shape {
    #[default]
    Other,
    Message,
    Reasoning,
    Call,
}

/// Which part of an item.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Place {
    #[default]
    None,
    Text(u64),
    Refusal(u64),
    Summary(u64),
    /// Reasoning that is shown as it is, not summarised.
    Raw(u64),
    Input,
}

/// Members of an event, unread.
#[derive(Default)]
pub(super) struct Members<'a> {
    kind: Option<Cow<'a, str>>,
    item_id: Option<Str<'a>>,
    pub(super) output_index: Option<u64>,
    pub(super) part_index: u64,
    delta: Option<Str<'a>>,
    text: Option<Str<'a>>,
    raw: Option<Raw<'a>>,
    logprobs: Option<Raw<'a>>,
    error: bool,
}

impl<'a> Members<'a> {
    fn read(data: &'a str) -> Result<Self, JsonError> {
        let mut c = Cursor::new(data);
        let mut m = Self::default();
        let mut members = c.object()?;
        while let Some(key) = members.next(&mut c)? {
            match key.as_ref() {
                "type" => m.kind = c.opt(Cursor::string)?,
                "item_id" => m.item_id = c.opt(Cursor::str)?,
                "output_index" => m.output_index = c.opt(Cursor::u64)?,
                "content_index" | "summary_index" => {
                    m.part_index = c.opt(Cursor::u64)?.unwrap_or(0);
                }
                "delta" if c.kind()? == Kind::String => m.delta = Some(c.str()?),
                "text" | "arguments" | "input" | "refusal" if c.kind()? == Kind::String => {
                    m.text = Some(c.str()?);
                }
                "part" | "item" | "response" | "annotation" => m.raw = c.opt(Cursor::raw)?,
                "logprobs" => m.logprobs = c.opt(Cursor::raw)?,
                "error" => m.error = c.opt(Cursor::raw)?.is_some(),
                _ => c.skip()?,
            }
        }
        c.end()?;
        Ok(m)
    }

    pub(super) fn raw(&self) -> Result<Raw<'a>, JsonError> {
        self.raw.ok_or_else(|| JsonError::new(0, "the event lacks what it tells of"))
    }
}

impl Reader {
    /// Reads the stream of an upstream.
    pub fn new(session: &Session) -> Self {
        let Session { vendor, family, .. } = session;
        Self { vendor: vendor.clone(), family: family.clone(), ..Self::default() }
    }

    /// Reads one event. `name` is used where the data has no `type`.
    pub fn event(
        &mut self,
        name: &str,
        data: &str,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        if self.over {
            return Ok(());
        }
        let m = Members::read(data)?;
        let kind = m.kind.as_deref().unwrap_or(name);
        let Some(event) = kind.strip_prefix("response.") else {
            if kind == "error" || m.error {
                self.over = true;
                sink(Event::Failed(Box::new(upstream_error(data.as_bytes()))));
            } else {
                sink(Event::Ping);
            }
            return Ok(());
        };
        match event {
            "output_text.delta" => self.delta(&m, Place::Text(m.part_index), sink)?,
            "function_call_arguments.delta" | "custom_tool_call_input.delta" => {
                self.delta(&m, Place::Input, sink)?;
            }
            "reasoning_summary_text.delta" => self.delta(&m, Place::Summary(m.part_index), sink)?,
            "reasoning_text.delta" => self.delta(&m, Place::Raw(m.part_index), sink)?,
            "refusal.delta" => self.delta(&m, Place::Refusal(m.part_index), sink)?,
            "output_text.done" => self.whole(&m, Place::Text(m.part_index), sink),
            "function_call_arguments.done" | "custom_tool_call_input.done" => {
                self.whole(&m, Place::Input, sink);
            }
            "reasoning_summary_text.done" => self.whole(&m, Place::Summary(m.part_index), sink),
            "reasoning_text.done" => self.whole(&m, Place::Raw(m.part_index), sink),
            "refusal.done" => self.whole(&m, Place::Refusal(m.part_index), sink),
            "output_text.annotation.added" => self.annotation(&m, sink)?,
            "content_part.done" => self.part_done(&m, sink)?,
            "output_item.added" => self.item_added(&m, sink)?,
            "output_item.done" => self.item_done(&m, sink)?,
            "created" | "in_progress" | "queued" => self.begin(m.raw()?, sink)?,
            // `done` is what OpenRouter calls it.
            "completed" | "incomplete" | "done" => self.finish(m.raw()?, data, sink)?,
            "failed" | "cancelled" => {
                self.over = true;
                sink(Event::Failed(Box::new(upstream_error(data.as_bytes()))));
            }
            audio if audio.starts_with("audio.") => {
                self.over = true;
                let error = ClientError::new(ErrorKind::Upstream, "the upstream answers in audio");
                sink(Event::Failed(Box::new(error)));
            }
            // Parts begin with their first text and end with their item.
            "content_part.added"
            | "reasoning_summary_part.added"
            | "reasoning_summary_part.done" => {}
            // How far the vendor's own tools have come.
            _ => sink(Event::Ping),
        }
        Ok(())
    }

    fn begin(
        &mut self,
        response: Raw<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        if self.started {
            return Ok(());
        }
        let answer = Answer::read(&mut response.cursor())?;
        self.start(&answer, sink);
        Ok(())
    }

    fn start(&mut self, answer: &Answer<'_>, sink: &mut impl FnMut(Event<'_>)) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        self.id = answer.id.decode().into_owned();
        sink(Event::Start(Start {
            id: answer.id.clone(),
            model: answer.model.clone(),
            created_s: answer.created_s,
            service_tier: answer.tier.clone(),
        }));
    }

    /// Some upstreams leave the first events out.
    pub(super) fn started(&mut self, sink: &mut impl FnMut(Event<'_>)) {
        if !self.started {
            self.start(&Answer::default(), sink);
        }
    }

    /// The place of the item an event is about: by index, else by id, else the last.
    pub(super) fn find(&self, index: Option<u64>, id: Option<&Str<'_>>) -> Option<usize> {
        if let Some(index) = index {
            return self.slots.iter().rposition(|slot| slot.index == index);
        }
        match id {
            Some(id) => self.slots.iter().rposition(|slot| *id == *slot.id.as_str()),
            None => self.slots.len().checked_sub(1),
        }
    }

    /// The item an event is about, made if nobody told of it.
    pub(super) fn slot(&mut self, m: &Members<'_>, shape: Shape) -> usize {
        if let Some(at) = self.find(m.output_index, m.item_id.as_ref()) {
            return at;
        }
        let index = m.output_index.unwrap_or_else(|| self.slots.last().map_or(0, |s| s.index + 1));
        let id = m.item_id.as_ref().map(|id| id.decode().into_owned()).unwrap_or_default();
        self.slots.push(Slot { index, id, kind: shape, ..Slot::default() });
        self.slots.len() - 1
    }

    fn delta(
        &mut self,
        m: &Members<'_>,
        place: Place,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        let Some(text) = &m.delta else { return Ok(()) };
        self.started(sink);
        let at = self.slot(m, place.shape());
        if self.slots.get(at).is_some_and(|slot| slot.done) && !text.is_blank() {
            return Err(JsonError::new(0, "more text for an item that was done"));
        }
        self.text(at, place, text, Form::Piece, sink);
        let open = self.slots.get(at).and_then(|slot| slot.block);
        if let (Some(block), Some(json)) = (open, m.logprobs)
            && json.kind() == Kind::Array
            && json.text() != "[]"
        {
            sink(Event::Delta { block, delta: Delta::Logprobs(Json::from(json)) });
        }
        Ok(())
    }

    fn whole(&mut self, m: &Members<'_>, place: Place, sink: &mut impl FnMut(Event<'_>)) {
        let Some(text) = &m.text else { return };
        self.started(sink);
        let at = self.slot(m, place.shape());
        self.text(at, place, text, Form::Whole, sink);
    }

    /// Passes text on, as far as it is new.
    pub(super) fn text(
        &mut self,
        at: usize,
        place: Place,
        text: &Str<'_>,
        form: Form,
        sink: &mut impl FnMut(Event<'_>),
    ) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        if slot.done || form == Form::Whole && place.order() < slot.part.order() {
            return;
        }
        slot.enter(place, sink);
        let Str::Literal(literal) = text else {
            // JSON that stands where text should: it comes whole, once.
            if slot.sent == 0
                && let Some(block) = slot.block
            {
                slot.sent = 1;
                sink(Event::Delta { block, delta: Delta::Input(text.as_ref()) });
            }
            return;
        };
        let rest = match form {
            Form::Piece => *literal,
            Form::Whole => suffix::after(literal, slot.sent).unwrap_or_default(),
        };
        if rest.is_empty() {
            return;
        }
        let block = match (slot.block, place) {
            (Some(block), _) => block,
            // A call that nobody named yet: all of it comes again when it is done.
            (None, Place::Input) => return,
            (None, _) => {
                let block = self.next_key;
                self.next_key += 1;
                slot.block = Some(block);
                let kind = match place {
                    Place::Refusal(_) => Block::Refusal,
                    Place::Summary(_) | Place::Raw(_) => Block::Thinking { redacted: false },
                    Place::None | Place::Text(_) | Place::Input => Block::Text,
                };
                sink(Event::Open { block, kind });
                block
            }
        };
        if std::mem::take(&mut slot.broken) {
            sink(Event::Delta { block, delta: Delta::Break });
        }
        slot.sent = slot.sent.saturating_add(suffix::units(rest));
        let rest = Str::Literal(rest);
        if matches!(place, Place::Refusal(_)) {
            rest.decode_into(self.refusal.get_or_insert_default());
        }
        let delta = if place == Place::Input { Delta::Input(rest) } else { Delta::Text(rest) };
        sink(Event::Delta { block, delta });
    }

    fn annotation(
        &mut self,
        m: &Members<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        let citation = citation(m.raw()?)?;
        let at = self.find(m.output_index, m.item_id.as_ref());
        if let Some(slot) = at.and_then(|at| self.slots.get_mut(at))
            && let Some(block) = slot.block
        {
            slot.cited += 1;
            sink(Event::Delta { block, delta: Delta::Citation(citation) });
        }
        Ok(())
    }

    fn finish(
        &mut self,
        response: Raw<'_>,
        data: &str,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        let answer = Answer::read(&mut response.cursor())?;
        if matches!(answer.status.as_deref(), Some("failed" | "cancelled")) {
            self.over = true;
            sink(Event::Failed(Box::new(upstream_error(data.as_bytes()))));
            return Ok(());
        }
        self.start(&answer, sink);
        if let Some(output) = answer.output.filter(|raw| raw.kind() == Kind::Array) {
            let mut c = output.cursor();
            let mut items = c.array()?;
            while let Some(index) = items.next(&mut c)? {
                let item = item(&mut c)?;
                let told = item.id.as_ref().is_some_and(|id| {
                    self.slots.iter().any(|slot| slot.done && *id == *slot.id.as_str())
                });
                if !told {
                    self.done(item, u64::try_from(index).ok(), sink)?;
                }
            }
        }
        self.over = true;
        sink(Event::Usage(answer.usage));
        let refused = self.refusal.is_some();
        let reason = stop(answer.status.as_deref(), answer.reason.as_deref(), self.called, refused);
        let details = self.refusal.as_deref().map(Str::plain);
        sink(Event::Finish(Stop { reason, sequence: None, details }));
        sink(Event::End);
        Ok(())
    }
}

/// Whether a text is the next piece of its part, or all of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    Piece,
    Whole,
}

impl Place {
    /// Number of the part in its item.
    const fn order(self) -> u64 {
        match self {
            Self::None | Self::Input => 0,
            Self::Text(index) | Self::Refusal(index) | Self::Summary(index) | Self::Raw(index) => {
                index
            }
        }
    }

    const fn shape(self) -> Shape {
        match self {
            Self::None => Shape::Other,
            Self::Text(_) | Self::Refusal(_) => Shape::Message,
            Self::Summary(_) | Self::Raw(_) => Shape::Reasoning,
            Self::Input => Shape::Call,
        }
    }
}

impl Slot {
    /// Turns to a part.
    fn enter(&mut self, place: Place, sink: &mut impl FnMut(Event<'_>)) {
        if self.part == place {
            return;
        }
        match place {
            // All parts of reasoning are one block.
            Place::Summary(_) | Place::Raw(_) => self.broken |= self.sent > 0,
            Place::Text(_) | Place::Refusal(_) => self.close(sink),
            Place::Input | Place::None => {}
        }
        self.part = place;
        self.sent = 0;
        self.cited = 0;
    }

    pub(super) fn close(&mut self, sink: &mut impl FnMut(Event<'_>)) {
        if let Some(block) = self.block.take() {
            sink(Event::Close { block });
        }
    }
}
